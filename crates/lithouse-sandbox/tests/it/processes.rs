// SPDX-License-Identifier: Apache-2.0
//! Processes: nobody else's can be seen, signalled or looked into, its own are bounded, and all end with it.

use std::process::{Child, Command};
use std::time::Duration;

use lithouse_sandbox::level::Level;
use lithouse_testkit::wait_until_blocking;
use serde_json::json;

use crate::zygote::{Zygote, everywhere, everywhere_if};

const FILTER: &str = "filter system calls";

/// A process of the same user as the server, which must outlive all attempts.
struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().expect("a process"))
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it can be asked").is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Numbers of processes that are none of a child's business: ours, the launcher's, a neighbour's.
fn strangers(zygote: &Zygote, bystander: &Bystander) -> String {
    format!("STRANGERS = [{}, {}, {}]\n", std::process::id(), zygote.process.id(), bystander.0.id())
}

const SIGNALS: &str = "
import signal, struct
found = {}
information = struct.pack('=iii', signal.SIGKILL, 0, -1) + bytes(116)
def owned(pid):
    import fcntl
    readable, writable = os.pipe()
    fcntl.fcntl(readable, fcntl.F_SETOWN, pid)
for pid in STRANGERS:
    found[pid] = [
        attempt(lambda: os.kill(pid, 0)),
        attempt(lambda: os.kill(pid, signal.SIGKILL)),
        attempt(lambda: os.killpg(pid, signal.SIGKILL)),
        attempt(lambda: syscall(NUMBERS['tgkill'], pid, pid, 9)),
        attempt(lambda: syscall(NUMBERS['tkill'], pid, 9)),
        attempt(lambda: syscall(NUMBERS['rt_sigqueueinfo'], pid, 9, information)),
        attempt(lambda: os.pidfd_open(pid)),
        attempt(lambda: owned(pid)),
    ]
";

fn numbers() -> String {
    let numbers = json!({
        "tgkill": libc::SYS_tgkill, "tkill": libc::SYS_tkill, "rt_sigqueueinfo": libc::SYS_rt_sigqueueinfo, "ptrace": libc::SYS_ptrace,
        "process_vm_readv": libc::SYS_process_vm_readv, "process_vm_writev": libc::SYS_process_vm_writev, "kcmp": libc::SYS_kcmp,
        "pidfd_getfd": libc::SYS_pidfd_getfd, "process_madvise": libc::SYS_process_madvise, "get_robust_list": libc::SYS_get_robust_list,
        "migrate_pages": libc::SYS_migrate_pages, "prlimit64": libc::SYS_prlimit64, "setns": libc::SYS_setns, "setpgid": libc::SYS_setpgid,
        "setpriority": libc::SYS_setpriority, "sched_setaffinity": libc::SYS_sched_setaffinity,
    });
    format!("NUMBERS = {numbers}\n")
}

#[test]
fn nobody_else_can_be_signalled() {
    let mut bystander = Bystander::new();
    everywhere(|zygote| {
        let found = zygote.run(&(numbers() + &strangers(zygote, &bystander) + SIGNALS)).found();
        assert!(!found.to_string().contains("done"), "{found}");
        assert_eq!(zygote.run("found = 'the zygote lives'").found(), "the zygote lives");
    });
    assert!(bystander.lives());
}

#[test]
fn a_signal_to_everybody_hits_only_itself() {
    let mut bystander = Bystander::new();
    everywhere(|zygote| {
        let neighbour = zygote.fork(1);
        let found = zygote.run("found = attempt(lambda: os.kill(-1, 9))").found();
        assert!(found == "ESRCH" || found == "EPERM" || (found == "done" && zygote.ground.level.has_namespaces()), "{found}");
        assert_eq!(neighbour.run("found = 'unharmed'").found(), "unharmed");
    });
    assert!(bystander.lives());
}

#[test]
fn where_processes_have_their_own_numbers_even_the_filter_is_not_needed_for_that() {
    let mut bystander = Bystander::new();
    everywhere_if(
        |ground| ground.level.has_namespaces(),
        |zygote| {
            let code = "found = [attempt(lambda: os.kill(pid, 0)) for pid in STRANGERS]";
            let found = zygote.fork_without(0, &[FILTER]).run(&(strangers(zygote, &bystander) + code)).found();
            assert_eq!(found, json!(["ESRCH", "ESRCH", "ESRCH"]));
        },
    );
    assert!(bystander.lives());
}

#[test]
fn where_they_have_not_landlock_is_the_second_wall() {
    let mut bystander = Bystander::new();
    everywhere_if(
        |ground| ground.level == Level::Basic,
        |zygote| {
            if zygote.launched.landlock.is_none_or(|version| version < 6) {
                eprintln!("SKIPPED: the kernel's Landlock does not hold signals back");
                return;
            }
            let code = "found = [attempt(lambda: os.kill(pid, 0)) for pid in STRANGERS + [os.getppid()]]";
            let found = zygote.fork_without(0, &[FILTER]).run(&(strangers(zygote, &bystander) + code)).found();
            assert_eq!(found, json!(["EPERM", "EPERM", "EPERM", "EPERM"]));
        },
    );
    assert!(bystander.lives());
}

#[test]
fn nobody_else_can_be_looked_into_or_changed() {
    let bystander = Bystander::new();
    let code = "
import struct
buffer = ctypes.create_string_buffer(64)
vector = struct.pack('=QQ', ctypes.addressof(buffer), 64)
found = {}
for pid in STRANGERS + [os.getppid(), 1, 2]:
    found[pid] = [
        attempt(lambda: syscall(NUMBERS['ptrace'], 16, pid, 0, 0)),
        attempt(lambda: syscall(NUMBERS['ptrace'], 0x4206, pid, 0, 0)),
        attempt(lambda: syscall(NUMBERS['process_vm_readv'], pid, vector, 1, vector, 1, 0)),
        attempt(lambda: syscall(NUMBERS['process_vm_writev'], pid, vector, 1, vector, 1, 0)),
        attempt(lambda: syscall(NUMBERS['kcmp'], pid, os.getpid(), 0, 0, 0)),
        attempt(lambda: syscall(NUMBERS['pidfd_getfd'], 0, 0, 0)),
        attempt(lambda: syscall(NUMBERS['process_madvise'], 0, vector, 1, 4, 0)),
        attempt(lambda: syscall(NUMBERS['get_robust_list'], pid, buffer, buffer)),
        attempt(lambda: syscall(NUMBERS['migrate_pages'], pid, 0, 0, 0)),
        attempt(lambda: syscall(NUMBERS['setpgid'], 0, 0)),
        attempt(lambda: syscall(NUMBERS['setpriority'], 0, pid, 19)),
        attempt(lambda: syscall(NUMBERS['sched_setaffinity'], pid, 8, buffer)),
    ] + ([attempt(lambda: syscall(NUMBERS['prlimit64'], pid, 7, 0, buffer))] if pid > 2 else [])
";
    everywhere(|zygote| {
        let found = zygote.run(&(numbers() + &strangers(zygote, &bystander) + code)).found();
        assert!(!found.to_string().contains("done"), "{found}");
    });
}

#[test]
fn of_the_groups_and_priorities_of_processes_it_learns_only_its_own() {
    let bystander = Bystander::new();
    let code = "
own = [os.getpgid(0) >= 0, os.getsid(0) >= 0, os.getpriority(os.PRIO_PROCESS, 0) >= 0]
ask = [os.getpgid, os.getsid, lambda pid: os.getpriority(os.PRIO_PROCESS, pid)]
found = [own] + [attempt(lambda: call(pid)) for pid in STRANGERS for call in ask]
";
    everywhere(|zygote| {
        let errno = if zygote.ground.level.has_namespaces() { "ESRCH" } else { "EPERM" };
        let found = zygote.run(&(strangers(zygote, &bystander) + code)).found();
        assert_eq!(found[0], json!([true, true, true]));
        let others = found.as_array().expect("a list").iter().skip(1);
        assert!(others.clone().count() == 9 && others.clone().all(|outcome| outcome == errno), "{found}");
    });
}

#[test]
fn a_fork_bomb_is_full_soon_and_goes_with_its_run() {
    let code = "
import time
children = 0
def bomb():
    global children
    while children < 1000:
        if os.fork() == 0:
            time.sleep(600)  # until it is ended
        children += 1
found = [attempt(bomb), children]
";
    everywhere_if(
        |ground| ground.level == Level::Full,
        |zygote| {
            let mut child = zygote.fork(0);
            let group = child.group.take().expect("a group");
            let ran = child.run(code);
            let found = ran.found();
            assert_eq!(found[0], "EAGAIN", "{found}");
            assert!(found[1].as_u64().is_some_and(|children| children < zygote.spec.limits.processes), "{found}");
            // Killing the child, first of its namespace, was enough.
            wait_until_blocking("all of them are gone", Duration::from_secs(30), || group.processes().is_empty());
        },
    );
}

#[test]
fn without_a_cgroup_there_are_no_further_processes() {
    let code = "
import subprocess
def raw(number):
    pid = LIBC.syscall(ctypes.c_long(number), ctypes.c_long(17), ctypes.c_long(0), ctypes.c_long(0), ctypes.c_long(0), ctypes.c_long(0))
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), 'clone')
found = [attempt(os.fork), attempt(lambda: raw(CLONE)), attempt(lambda: subprocess.run(['/bin/true']))]
";
    everywhere_if(
        |ground| ground.level != Level::Full,
        |zygote| {
            let code = format!("CLONE = {}\n{code}", libc::SYS_clone);
            assert_eq!(zygote.run(&code).found(), json!(["EPERM", "EPERM", "EPERM"]));
        },
    );
}

#[test]
fn threads_are_bounded() {
    let code = "
import threading, time
threading.stack_size(64 * 1024)
started = 0
def many():
    global started
    while started < 1000:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        started += 1
found = [attempt(many), started]
";
    // The system never refuses its own root a process, so without ids of their own only the cgroup can.
    everywhere_if(
        |ground| ground.level == Level::Full || ground.own_uids || !ground.as_root,
        |zygote| {
            let found = zygote.run(code).found();
            assert_eq!(found[0], "RuntimeError", "{found}");
            assert!(found[1].as_u64().is_some_and(|started| started < 64), "{found}");
        },
    );
}

#[test]
fn descendants_that_hide_end_with_the_run() {
    let code = "
import signal, time
for _ in range(3):
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        if os.fork() == 0:
            time.sleep(600)  # until it is ended
        os._exit(0)
found = os.getpid()
";
    everywhere_if(
        |ground| ground.level == Level::Full,
        |zygote| {
            let mut child = zygote.fork(0);
            let group = child.group.take().expect("a group");
            assert_eq!(child.run(code).found(), 1);
            wait_until_blocking("all of them are gone", Duration::from_secs(30), || group.processes().is_empty());
        },
    );
}

#[test]
fn children_end_with_the_zygote_and_the_zygote_with_its_launcher() {
    everywhere(|zygote| {
        let mut busy = zygote.fork(0);
        let parked = zygote.fork(1);
        busy.start("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass");
        let launcher = i32::try_from(zygote.process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(launcher, rustix::process::Signal::KILL).expect("it is ours");
        busy.wait();
        parked.wait();
    });
}
