// SPDX-License-Identifier: Apache-2.0
//! System calls: what the table does not allow is refused, under every name and number that a call can have.

use lithouse_sandbox::level::Level;
use serde_json::json;

use crate::zygote::everywhere;

/// Ways into parts of the kernel that no snippet needs. On some machines a few do not exist; that is an error as well.
const DANGEROUS: &[(&str, libc::c_long)] = &[
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("bpf", libc::SYS_bpf),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("add_key", libc::SYS_add_key),
    ("request_key", libc::SYS_request_key),
    ("keyctl", libc::SYS_keyctl),
    ("ptrace", libc::SYS_ptrace),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("process_vm_writev", libc::SYS_process_vm_writev),
    ("kcmp", libc::SYS_kcmp),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    ("personality", libc::SYS_personality),
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("delete_module", libc::SYS_delete_module),
    ("kexec_load", libc::SYS_kexec_load),
    ("reboot", libc::SYS_reboot),
    ("swapon", libc::SYS_swapon),
    ("swapoff", libc::SYS_swapoff),
    ("acct", libc::SYS_acct),
    ("syslog", libc::SYS_syslog),
    ("quotactl", libc::SYS_quotactl),
    ("vhangup", libc::SYS_vhangup),
    ("settimeofday", libc::SYS_settimeofday),
    ("clock_settime", libc::SYS_clock_settime),
    ("clock_adjtime", libc::SYS_clock_adjtime),
    ("adjtimex", libc::SYS_adjtimex),
    ("timer_create", libc::SYS_timer_create),
    ("fanotify_init", libc::SYS_fanotify_init),
    ("inotify_init1", libc::SYS_inotify_init1),
    ("name_to_handle_at", libc::SYS_name_to_handle_at),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("shmget", libc::SYS_shmget),
    ("shmat", libc::SYS_shmat),
    ("semget", libc::SYS_semget),
    ("msgget", libc::SYS_msgget),
    ("mq_open", libc::SYS_mq_open),
    ("mlock", libc::SYS_mlock),
    ("mlockall", libc::SYS_mlockall),
    ("mbind", libc::SYS_mbind),
    ("set_mempolicy", libc::SYS_set_mempolicy),
    ("move_pages", libc::SYS_move_pages),
    ("remap_file_pages", libc::SYS_remap_file_pages),
    ("vmsplice", libc::SYS_vmsplice),
    ("splice", libc::SYS_splice),
    ("tee", libc::SYS_tee),
    ("seccomp", libc::SYS_seccomp),
    ("landlock_create_ruleset", libc::SYS_landlock_create_ruleset),
    ("landlock_restrict_self", libc::SYS_landlock_restrict_self),
    ("setuid", libc::SYS_setuid),
    ("setresuid", libc::SYS_setresuid),
    ("setgroups", libc::SYS_setgroups),
    ("setsid", libc::SYS_setsid),
    ("capset", libc::SYS_capset),
    ("mknodat", libc::SYS_mknodat),
    ("fchownat", libc::SYS_fchownat),
    ("fsetxattr", libc::SYS_fsetxattr),
    ("fremovexattr", libc::SYS_fremovexattr),
    ("sync", libc::SYS_sync),
    ("syncfs", libc::SYS_syncfs),
    ("lookup_dcookie", libc::SYS_lookup_dcookie),
    ("ioprio_set", libc::SYS_ioprio_set),
    ("sched_setattr", libc::SYS_sched_setattr),
    ("connect", libc::SYS_connect),
    ("bind", libc::SYS_bind),
    ("accept4", libc::SYS_accept4),
    ("sendmmsg", libc::SYS_sendmmsg),
    ("recvmsg", libc::SYS_recvmsg),
    ("setsockopt", libc::SYS_setsockopt),
    #[cfg(target_arch = "x86_64")]
    ("iopl", libc::SYS_iopl),
    #[cfg(target_arch = "x86_64")]
    ("ioperm", libc::SYS_ioperm),
    #[cfg(target_arch = "x86_64")]
    ("modify_ldt", libc::SYS_modify_ldt),
    #[cfg(target_arch = "x86_64")]
    ("arch_prctl", libc::SYS_arch_prctl),
    #[cfg(target_arch = "x86_64")]
    ("uselib", libc::SYS_uselib),
    #[cfg(target_arch = "x86_64")]
    ("ustat", libc::SYS_ustat),
    #[cfg(target_arch = "x86_64")]
    ("mknod", libc::SYS_mknod),
    #[cfg(target_arch = "x86_64")]
    ("chown", libc::SYS_chown),
];

#[test]
fn what_no_snippet_needs_is_refused_and_the_process_goes_on() {
    let numbers: serde_json::Map<_, _> = DANGEROUS.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect();
    let code = format!(
        "NUMBERS = {}
outcomes = {{name: attempt(lambda: syscall(number, 0, 0, 0, 0, 0, 0)) for name, number in NUMBERS.items()}}
found = {{name: outcome for name, outcome in outcomes.items() if outcome != 'EPERM'}}
",
        serde_json::Value::from(numbers)
    );
    everywhere(|zygote| assert_eq!(zygote.run(&code).found(), json!({"io_uring_setup": "ENOSYS"})));
}

#[test]
fn calls_that_are_newer_than_the_table_seem_unknown() {
    let code = "
found = [attempt(lambda: syscall(number, 0, 0, 0, 0, 0, 0)) for number in (CLONE3, 437, 463, 470, 512, 547, 600, 5000, (1 << 30) | 39, (1 << 31) - 1)]
";
    everywhere(|zygote| {
        let found = zygote.run(&format!("CLONE3 = {}\n{code}", libc::SYS_clone3)).found();
        assert!(found.as_array().expect("a list").iter().all(|outcome| outcome == "ENOSYS"), "{found}");
    });
}

/// `mov eax, 20; int 0x80; ret`: the number of a process, asked for as a 32-bit program would.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_by_the_door_of_another_architecture_is_the_end() {
    let code = "
import mmap
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
found = function()
";
    everywhere(|zygote| {
        let ran = zygote.run(code);
        assert!(ran.was_ended(), "{ran:?}");
    });
}

#[test]
fn arguments_are_looked_at_where_a_call_has_two_faces() {
    let code = "
import fcntl, mmap
one, two = os.pipe()
prctl = lambda *words: attempt(lambda: syscall(PRCTL, *words, 0, 0, 0))
found = {
    'owner of a descriptor': attempt(lambda: fcntl.fcntl(one, fcntl.F_SETOWN, os.getpid())),
    'signal of a descriptor': attempt(lambda: fcntl.fcntl(one, 10, 9)),
    'lease': attempt(lambda: fcntl.fcntl(one, 1024, 0)),
    'notes of a folder': attempt(lambda: fcntl.fcntl(os.open('.', os.O_RDONLY), 1026, 1)),
    'larger pipe': attempt(lambda: fcntl.fcntl(two, 1031, 1 << 20)),
    'death signal': prctl(1, 0),
    'dumpable': prctl(4, 1),
    'securebits': prctl(28, 0),
    'filter': prctl(22, 2),
    'tracer': prctl(0x59616D61, -1),
    'speculation': prctl(53, 0, 2),
    'subreaper': prctl(36, 1),
    'parent of a clone': attempt(lambda: syscall(CLONE, 0x8000 | 17, 0, 0, 0, 0)),
    'traced clone': attempt(lambda: syscall(CLONE, 0x2000 | 17, 0, 0, 0, 0)),
    'limits of another': attempt(lambda: syscall(PRLIMIT, 2, 7, 0, 0)),
    'upper half of a flag': attempt(lambda: syscall(SOCKETPAIR, 1, 2, 0, ctypes.create_string_buffer(8))),
    'lock of a whole file': attempt(lambda: fcntl.flock(os.open(os.__file__, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)),
}
";
    everywhere(|zygote| {
        let code = format!(
            "PRCTL, CLONE, PRLIMIT, SOCKETPAIR = {}, {}, {}, {}\n{code}",
            libc::SYS_prctl,
            libc::SYS_clone,
            libc::SYS_prlimit64,
            libc::SYS_socketpair
        );
        let found = zygote.run(&code).found();
        assert!(found.as_object().expect("an object").values().all(|outcome| outcome == "EPERM"), "{found}");
    });
}

/// Each such table would have a limit of open files of its own.
#[test]
fn no_thread_has_descriptors_signals_or_memory_of_its_own() {
    let code = "
import threading
VM, FILES, SIGHAND, THREAD = 0x100, 0x400, 0x800, 0x10000
shared = [VM | SIGHAND | THREAD, VM | FILES | THREAD, FILES | SIGHAND | THREAD, THREAD]
found = [attempt(lambda: syscall(CLONE, flags, 0, 0, 0, 0)) for flags in shared]
worker = threading.Thread(target=lambda: found.append(os.dup(0) > 0))
worker.start()
worker.join()
";
    everywhere(|zygote| {
        let found = zygote.run(&format!("CLONE = {}\n{code}", libc::SYS_clone)).found();
        assert_eq!(found, json!(["EPERM", "EPERM", "EPERM", "EPERM", true]));
    });
}

#[test]
fn sockets_carry_bytes_and_nothing_out_of_band() {
    let code = "
import socket
one, two = socket.socketpair()
found = [
    attempt(lambda: one.send(b'x', socket.MSG_OOB)),
    attempt(lambda: two.recv(1, socket.MSG_OOB | socket.MSG_DONTWAIT)),
    attempt(lambda: two.recv(1, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)),
    attempt(lambda: one.send(b'x', socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)),
    two.recv(1, socket.MSG_PEEK).decode() + two.recv(1).decode(),
]
";
    everywhere(|zygote| assert_eq!(zygote.run(code).found(), json!(["EPERM", "EPERM", "EPERM", "done", "xx"])));
}

#[test]
fn signals_of_its_own_work_where_processes_have_numbers_of_their_own() {
    let code = "
import signal
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
sent = attempt(lambda: signal.raise_signal(signal.SIGUSR1))
found = [sent, len(seen)]
";
    everywhere(|zygote| {
        let expected = if zygote.ground.level == Level::Basic { json!(["EPERM", 0]) } else { json!(["done", 1]) };
        assert_eq!(zygote.run(code).found(), expected);
    });
}
