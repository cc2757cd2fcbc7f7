// SPDX-License-Identifier: Apache-2.0
//! Privileges: it has none, and there is no way back to any.

use serde_json::json;

use crate::zygote::{everywhere, everywhere_if};

const FILTER: &str = "filter system calls";
const LANDLOCK: &str = "restrict with Landlock";

fn numbers() -> String {
    let numbers = json!({
        "capget": libc::SYS_capget, "capset": libc::SYS_capset, "setuid": libc::SYS_setuid, "setresuid": libc::SYS_setresuid,
        "setgid": libc::SYS_setgid, "setgroups": libc::SYS_setgroups, "setfsuid": libc::SYS_setfsuid, "mount": libc::SYS_mount,
        "umount2": libc::SYS_umount2, "pivot_root": libc::SYS_pivot_root, "chroot": libc::SYS_chroot, "unshare": libc::SYS_unshare,
        "move_mount": libc::SYS_move_mount, "open_tree": libc::SYS_open_tree, "fsopen": libc::SYS_fsopen, "execve": libc::SYS_execve,
        "mount_setattr": libc::SYS_mount_setattr, "setns": libc::SYS_setns, "clone3": libc::SYS_clone3, "clone": libc::SYS_clone,
        "execveat": libc::SYS_execveat, "sethostname": libc::SYS_sethostname, "prctl": libc::SYS_prctl, "ioctl": libc::SYS_ioctl,
    });
    format!("NUMBERS = {numbers}\ncall = lambda name, *words: attempt(lambda: syscall(NUMBERS[name], *words))\n")
}

#[test]
fn no_namespace_can_be_made_or_entered_and_nothing_mounted() {
    let code = "
flags = [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80]
found = {f'unshare {flag:x}': call('unshare', flag) for flag in flags} | {f'clone {flag:x}': call('clone', flag | 17, 0, 0, 0, 0) for flag in flags[:-1]} | {
    'setns': call('setns', 0, 0),
    'clone3': call('clone3', bytes(88), 88),
    'mount': call('mount', b'tmpfs', HOME.encode(), b'tmpfs', 0, 0),
    'remount': call('mount', 0, b'/', 0, 0x1020, 0),
    'umount2': call('umount2', HOME.encode(), 2),
    'pivot_root': call('pivot_root', b'.', b'.'),
    'chroot': call('chroot', b'/'),
    'move_mount': call('move_mount', -100, b'/', -100, HOME.encode(), 0),
    'open_tree': call('open_tree', -100, b'/', 1),
    'fsopen': call('fsopen', b'tmpfs', 0),
    'mount_setattr': call('mount_setattr', -100, b'/', 0, bytes(32), 32),
    'sethostname': call('sethostname', b'x', 1),
}
";
    everywhere(|zygote| {
        let found = zygote.run(&(numbers() + code)).found();
        let wrong: Vec<_> = found.as_object().expect("an object").iter().filter(|(_, outcome)| *outcome != "EPERM").collect();
        assert_eq!(format!("{wrong:?}"), r#"[("clone3", String("ENOSYS"))]"#);
    });
}

#[test]
fn nothing_can_be_executed() {
    let code = "
import subprocess, shutil
with open('program', 'w') as file:
    file.write('#!/bin/sh\\necho ran')
def spawn(path):
    os.posix_spawn(path, [path], {})
descriptor = os.open('program', os.O_RDONLY)
found = [
    attempt(lambda: os.execv('/usr/bin/python3', ['python3', '-c', ''])),
    attempt(lambda: os.execv('/lib64/ld-linux-x86-64.so.2', ['ld.so', '/usr/bin/python3'])),
    attempt(lambda: os.execv('./program', ['program'])),
    attempt(lambda: os.execve(descriptor, ['program'], {})),
    call('execve', b'/usr/bin/python3', 0, 0),
    call('execveat', descriptor, b'', 0, 0, 0x1000),
    attempt(lambda: spawn('/usr/bin/python3')),
    attempt(lambda: subprocess.run(['/usr/bin/python3', '-V'])),
]
";
    everywhere(|zygote| {
        let found = zygote.run(&(numbers() + code)).found();
        assert!(found.as_array().expect("a list").iter().all(|outcome| outcome == "EPERM"), "{found}");
    });
}

#[test]
fn even_without_the_filter_there_is_no_capability_and_none_to_be_had() {
    let code = "
import struct
header = ctypes.create_string_buffer(struct.pack('=II', 0x20080522, 0))
data = ctypes.create_string_buffer(24)
call('capget', header, data)
wanted = struct.pack('=IIIIII', 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0)
found = {
    'effective': struct.unpack('=IIIIII', data.raw[:24]),
    'no new privileges': LIBC.prctl(39, 0, 0, 0, 0),
    'dumpable': LIBC.prctl(3, 0, 0, 0, 0),
    'core': __import__('resource').getrlimit(4),
    'groups': len(os.getgroups()),
    'capset': call('capset', header, wanted),
    'ambient': call('prctl', 47, 2, 21, 0, 0),
    'setgroups': call('setgroups', 1, bytes(4)),
    'setuid': call('setresuid', 0, 0, 0) if os.getuid() != 0 else 'EPERM',
    'mount': call('mount', b'tmpfs', HOME.encode(), b'tmpfs', 0, 0),
    'chroot': call('chroot', HOME.encode()),
}
";
    everywhere(|zygote| {
        let found = zygote.fork_without(0, &[FILTER]).run(&(numbers() + code)).found();
        assert_eq!(found["effective"], json!([0, 0, 0, 0, 0, 0]));
        assert_eq!((&found["no new privileges"], &found["dumpable"], &found["core"]), (&json!(1), &json!(0), &json!([0, 0])));
        for attempted in ["capset", "ambient", "setgroups", "mount", "chroot"] {
            assert_eq!(found[attempted], "EPERM", "{attempted} of {found}");
        }
        assert!(found["setuid"] == "EPERM" || found["setuid"] == "EINVAL", "{found}");
        if zygote.ground.own_uids {
            assert_eq!(found["groups"], 0, "{found}");
        }
    });
}

#[test]
fn even_without_the_filter_a_nested_user_namespace_opens_nothing() {
    let code = "
import ctypes
nested = call('unshare', 0x10020000)
found = {
    'remount what is shown': call('mount', 0, TOOLS.encode(), 0, 0x1020, 0),
    'remount the cache': call('mount', 0, CACHE.encode(), 0, 0x1020, 0),
    'remount the root': call('mount', 0, b'/', 0, 0x1020, 0),
    'clear the attribute': call('mount_setattr', -100, TOOLS.encode(), 0, (1).to_bytes(8, 'little') * 0 + bytes(8) + (1).to_bytes(8, 'little') + bytes(16), 32),
    'uncover': call('umount2', TOOLS.encode(), 2),
    'uncover the home': call('umount2', b'/home/snippet', 2),
    'leave': call('setns', 3, 0),
    'write': attempt(lambda: open(TOOLS + '/new', 'w')),
    'read': attempt(lambda: open(SECRET).read()),
    'proc': call('mount', b'proc', HOME.encode(), b'proc', 0, 0),
}
";
    everywhere_if(
        |ground| ground.level.has_namespaces(),
        |zygote| {
            let paths = format!(
                "SECRET, CACHE, TOOLS = {:?}, {:?}, {:?}\n",
                zygote.secret.display().to_string(),
                zygote.spec.cache_inside().display().to_string(),
                zygote.spec.readable[1].display().to_string()
            );
            // Without Landlock, too: then the tree is all that is left.
            for left_out in [&[FILTER][..], &[FILTER, LANDLOCK][..]] {
                let found = zygote.fork_without(0, left_out).run(&(numbers() + &paths + code)).found();
                assert!(!found.to_string().contains("done"), "without {left_out:?}: {found}");
            }
        },
    );
}

#[test]
fn limits_and_priorities_cannot_be_raised() {
    let code = "
import resource
def higher(which):
    hard = resource.getrlimit(which)[1]
    return attempt(lambda: resource.setrlimit(which, (hard + 1, hard + 1)))
limited = [resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_DATA,
           resource.RLIMIT_STACK, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_CORE, resource.RLIMIT_SIGPENDING]
found = [higher(which) for which in limited] + [
    attempt(lambda: os.nice(-1)),
    attempt(lambda: os.nice(1)),
    attempt(lambda: os.sched_setaffinity(0, {0})),
    attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -1)),
]
";
    everywhere(|zygote| {
        let found = zygote.run(code).found();
        let refused = |outcome: &serde_json::Value| outcome == "ValueError" || outcome == "EPERM";
        assert!(found.as_array().expect("a list").iter().all(refused), "{found}");
    });
}

#[test]
fn there_is_no_terminal_and_nothing_can_be_typed_into_one() {
    let code = "
found = [attempt(lambda: os.open('/dev/tty', os.O_RDWR)) != 'done', attempt(lambda: os.open('/dev/ptmx', os.O_RDWR)) != 'done']
for request in (0x5412, 0x541C, 0x5422, 0x540E, 0x8933, 0x8901, 0x8902):
    for descriptor in range(4):
        found.append(call('ioctl', descriptor, request, ctypes.create_string_buffer(b'x' * 64)) == 'EPERM')
";
    everywhere(|zygote| {
        let found = zygote.run(&(numbers() + code)).found();
        assert!(found.as_array().expect("a list").iter().all(|holds| *holds == true), "{found}");
    });
}

#[test]
fn no_descriptor_is_left_but_the_standard_ones_and_the_channel() {
    let code = "
found = [descriptor for descriptor in range(4096) if attempt(lambda: os.fstat(descriptor)) == 'done']
";
    everywhere(|zygote| assert_eq!(zygote.run(code).found(), json!([0, 1, 2, 3])));
}
