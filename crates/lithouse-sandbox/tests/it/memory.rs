// SPDX-License-Identifier: Apache-2.0
//! Memory: whichever way it is taken, there is an end to it.

use lithouse_sandbox::level::Level;
use serde_json::json;

use crate::zygote::{MIB, Ran, Zygote, everywhere_if};

/// Far beyond what a run may have, and harmless where the attempt should succeed.
const MUCH: u64 = 1024 * MIB;
const UNBOUNDED: u64 = 1 << 40;

/// Runs it where the limit of private memory does not bind, and tells whether the kernel ended it for its cgroup's sake.
fn is_ended_by_the_cgroup(zygote: &Zygote, code: &str) -> (bool, Ran) {
    let mut child = zygote.try_fork(0, &json!({ "data_limit": UNBOUNDED })).expect("it is parked");
    let group = child.group.take().expect("a group");
    let before = group.oom_kills();
    let ran = child.run(&format!("MUCH = {MUCH}\n{code}"));
    group.kill().expect("what is left is ended");
    // A few pages may go beyond: those of a process that is on its way out, and those that the kernel itself cannot do without.
    assert!(group.peak().is_none_or(|peak| peak <= zygote.spec.limits.memory + MIB), "{:?}", group.peak());
    (group.oom_kills() > before, ran)
}

#[test]
fn with_a_cgroup_no_kind_of_memory_is_overlooked() {
    let kinds = [
        ("heap", "block = bytearray(b'x') * MUCH"),
        (
            "private mapping",
            "import mmap\nblock = mmap.mmap(-1, MUCH, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nfor at in range(0, MUCH, 4096): block[at] = 1",
        ),
        ("shared mapping", "import mmap\nblock = mmap.mmap(-1, MUCH)\nfor at in range(0, MUCH, 4096): block[at] = 1"),
        (
            "files without a name",
            "held = [os.memfd_create('x') for _ in range(100)]\nfor descriptor in held:\n    for _ in range(MUCH // 100 >> 20): os.write(descriptor, bytes(1 << 20))",
        ),
        (
            "many processes",
            "import signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_DFL)\nfor _ in range(20):\n    if os.fork() == 0:\n        block = bytearray(b'x') * (MUCH // 20)\n        time.sleep(600)\nwhile os.wait()[1] == 0: pass\nos.abort()",
        ),
        (
            "page tables",
            "import mmap\nblock = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)\nfor at in range(0, 1 << 40, 2 << 20): block[at]",
        ),
    ];
    everywhere_if(
        |ground| ground.level == Level::Full,
        |zygote| {
            for (kind, code) in kinds {
                let (is_ended, ran) = is_ended_by_the_cgroup(zygote, code);
                assert!(is_ended, "{kind}: {ran:?}");
                assert!(ran.was_ended() || kind == "many processes", "{kind}: {ran:?}");
            }
            assert_eq!(zygote.run("found = 'the zygote lives'").found(), "the zygote lives");
        },
    );
}

#[test]
fn private_memory_ends_at_the_limit_with_an_error_that_python_knows() {
    let code = "
import mmap
found = [
    attempt(lambda: bytearray(1) * MUCH),
    attempt(lambda: mmap.mmap(-1, MUCH, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)),
    len(bytearray(64 << 20)),
]
";
    everywhere_if(
        |_| true,
        |zygote| {
            let found = zygote.run(&format!("MUCH = {MUCH}\n{code}")).found();
            assert_eq!(found, json!(["MemoryError", "ENOMEM", 64 * MIB]));
        },
    );
}

#[test]
fn without_a_cgroup_there_is_no_memory_that_limits_do_not_count() {
    let code = "
import mmap, struct
SHMGET, = NUMBERS
def zero():
    descriptor = os.open('/dev/zero', os.O_RDWR)
    mmap.mmap(descriptor, MUCH)
found = [
    attempt(lambda: mmap.mmap(-1, MUCH)),
    attempt(lambda: os.memfd_create('x')),
    attempt(lambda: syscall(SHMGET, 0, MUCH, 0o1600)),
    attempt(lambda: mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)),
]
refused = attempt(zero)
";
    everywhere_if(
        |ground| ground.level != Level::Full,
        |zygote| {
            let code = format!("MUCH = {MUCH}\nNUMBERS = [{}]\n{code}\nfound.append(refused != 'done')", libc::SYS_shmget);
            assert_eq!(zygote.run(&code).found(), json!(["EPERM", "EPERM", "EPERM", "ENOMEM", true]));
        },
    );
}

#[test]
fn no_memory_comes_from_the_reserve_of_huge_pages_or_grows_by_itself() {
    let code = "
import mmap
def mapping(flags):
    mmap.mmap(-1, 2 << 20, flags=mmap.MAP_ANONYMOUS | flags)
PRIVATE, SHARED, GROWSDOWN, HUGETLB = mmap.MAP_PRIVATE, mmap.MAP_SHARED, 0x100, 0x40000
found = [attempt(lambda: mapping(flags)) for flags in (PRIVATE | GROWSDOWN, PRIVATE | HUGETLB, SHARED | HUGETLB, SHARED | GROWSDOWN)]
found += [attempt(lambda: os.memfd_create('x', os.MFD_CLOEXEC | os.MFD_HUGETLB)), attempt(lambda: mapping(PRIVATE))]
";
    everywhere_if(
        |_| true,
        |zygote| assert_eq!(zygote.run(code).found(), json!(["EPERM", "EPERM", "EPERM", "EPERM", "EPERM", "done"])),
    );
}

#[test]
fn without_a_cgroup_there_are_addresses_for_many_threads_and_few_page_tables() {
    let code = "
import mmap, threading
threading.stack_size(1 << 20)
def reserve(size):
    # A table for every two mebibytes of it, once they are looked at.
    mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
block = bytearray(200 << 20)
go, done = threading.Event(), threading.Semaphore(0)
def work():
    held = bytearray(1 << 16)
    done.release()
    go.wait()
workers = [threading.Thread(target=work) for _ in range(50)]
for worker in workers: worker.start()
for _ in workers: done.acquire()
found = [len(workers), attempt(lambda: reserve(17 << 30)), attempt(lambda: reserve(4 << 30))]
go.set()
for worker in workers: worker.join()
";
    everywhere_if(
        |ground| ground.level != Level::Full,
        |zygote| assert_eq!(zygote.run(code).found(), json!([50, "ENOMEM", "done"])),
    );
}

#[test]
fn what_the_kernel_holds_for_a_process_is_bounded_by_its_descriptors() {
    let code = "
import fcntl, socket
held = []
def pipes():
    while True:
        held.append(os.pipe())
def sockets():
    while True:
        held.append(socket.socketpair())
found = [attempt(pipes), len(held)]
larger = attempt(lambda: fcntl.fcntl(held[0][1], 1031, 1 << 20))
for pair in held:
    for descriptor in pair:
        os.close(descriptor)
held.clear()
found += [attempt(sockets), len(held), larger]
";
    everywhere_if(
        |_| true,
        |zygote| {
            let found = zygote.run(code).found();
            let most = json!(zygote.spec.limits.open_files / 2 - 2);
            assert_eq!(found, json!(["EMFILE", most, "EMFILE", most, "EPERM"]));
        },
    );
}
