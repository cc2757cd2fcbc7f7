// SPDX-License-Identifier: Apache-2.0
//! Files: what is not its own cannot be read, nothing but its own can be changed, and its own is bounded.

use lithouse_sandbox::level::Level;
use serde_json::{Value, json};

use crate::zygote::{MIB, Zygote, everywhere, everywhere_if};

/// Every value must be the name of an error.
fn assert_refused(found: &Value) {
    let found = found.as_object().expect("an object");
    assert!(!found.is_empty());
    let done: Vec<_> = found.iter().filter(|(_, outcome)| *outcome == "done").map(|(name, _)| name).collect();
    assert!(done.is_empty(), "it could: {done:?}");
}

fn paths(zygote: &Zygote) -> String {
    let spec = &zygote.spec;
    format!(
        "SECRET, CACHE, TOOLS, PYTHON = {:?}, {:?}, {:?}, {:?}\n",
        zygote.secret.display().to_string(),
        spec.cache_inside().display().to_string(),
        spec.readable[1].display().to_string(),
        spec.python.display().to_string(),
    )
}

#[test]
fn files_that_are_not_shown_cannot_be_read() {
    let code = "
ROOT = '/proc/self/root'
places = [SECRET, '/etc/shadow', '/etc/passwd-', '/etc/hosts', '/etc/ssl', '/root', '/var/log', '/var/lib', '/boot', '/sys/kernel', '/home/user',
          '/proc/self/environ', '/proc/1/environ', '/proc/self/maps', ROOT + '/etc/shadow', '/proc/cpuinfo', '/run', '/srv',
          '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/tty', '/dev/ptmx', '/dev/kvm', '/dev/fuse']
def look(path):
    return os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1)
found = {path: attempt(lambda: look(path)) for path in places}
";
    everywhere(|zygote| assert_refused(&zygote.run(&(paths(zygote) + code)).found()));
}

#[test]
fn on_the_way_to_what_is_shown_nothing_else_is_seen() {
    let code = "found = [sorted(os.listdir(folder)) for folder in (os.path.dirname(TOOLS), '/etc', '/dev', '/usr', '/var')]";
    everywhere_if(
        |ground| ground.level.has_namespaces(),
        |zygote| {
            let found = zygote.run(&(paths(zygote) + code)).found();
            assert_eq!(found[0], json!(["tools"]));
            assert_eq!(found[1], json!(["group", "ld.so.cache", "passwd"]));
            assert_eq!(found[2], json!(["full", "null", "random", "shm", "urandom"]));
            assert_eq!(found[4], json!(["cache"]));
        },
    );
}

#[test]
fn links_and_detours_lead_to_nothing_more() {
    let code = "
os.symlink(SECRET, 'link')
os.symlink('/var/log', 'folder')
descriptor = os.open('.', os.O_RDONLY)
found = {
    'symbolic link': attempt(lambda: open('link').read()),
    'link to a folder': attempt(lambda: os.listdir('folder')),
    'upwards': attempt(lambda: open('../' * 20 + SECRET).read()),
    'relative to a descriptor': attempt(lambda: os.open('../' * 20 + 'etc/shadow', os.O_RDONLY, dir_fd=descriptor)),
    'hard link': attempt(lambda: os.link(SECRET, 'hard')),
    'hard link to what is shown': attempt(lambda: os.link(TOOLS + '/zygote.py', 'hard')),
    'handle': attempt(lambda: syscall(304, -100, ctypes.create_string_buffer(128), 0)),
}
";
    everywhere(|zygote| assert_refused(&zygote.run(&(paths(zygote) + code)).found()));
}

#[test]
fn nothing_but_its_own_folder_can_be_changed() {
    let code = "
def create(folder):
    os.close(os.open(folder + '/new', os.O_CREAT | os.O_WRONLY, 0o600))
folders = ['/', '/etc', '/usr/lib', '/lib', '/home', '/dev', '/var', '/var/cache', '/opt', TOOLS, CACHE, os.path.dirname(HOME), os.path.dirname(SECRET)]
script = TOOLS + '/zygote.py'
found = {folder: attempt(lambda: create(folder)) for folder in folders} | {
    'write': attempt(lambda: open(script, 'a')),
    'truncate': attempt(lambda: os.truncate(script, 0)),
    'empty by opening': attempt(lambda: os.open(script, os.O_RDONLY | os.O_TRUNC)),
    'remove': attempt(lambda: os.unlink(script)),
    'rename': attempt(lambda: os.rename(script, script + '2')),
    'rename over': attempt(lambda: (open('mine', 'w').close(), os.rename('mine', script))),
    'take away': attempt(lambda: os.rename(script, 'taken')),
    'make a folder': attempt(lambda: os.mkdir(TOOLS + '/folder')),
    'cache': attempt(lambda: open(CACHE + '/warm', 'w')),
    'remove cache': attempt(lambda: os.unlink(CACHE + '/warm')),
    'interpreter': attempt(lambda: open(PYTHON, 'r+b')),
    'move its home': attempt(lambda: os.rename(HOME, HOME + '2')),
}
";
    everywhere(|zygote| {
        let script = zygote.spec.readable[1].join("zygote.py");
        let before = std::fs::read(&script).expect("it is there");
        assert_refused(&zygote.run(&(paths(zygote) + code)).found());
        assert_eq!(std::fs::read(&script).expect("it is there still"), before);
        let warm = std::fs::read_to_string(zygote.spec.cache.join("warm")).expect("the zygote wrote it");
        assert_eq!(warm, "written while warming up");
    });
}

/// As with the first two versions of Landlock, which do not know the right to empty a file.
#[test]
fn without_landlocks_help_a_file_that_can_be_read_cannot_be_emptied() {
    let code = "
script = TOOLS + '/zygote.py'
found = [attempt(lambda: os.truncate(script, 0)), attempt(lambda: os.open(script, os.O_RDONLY | os.O_TRUNC)), attempt(lambda: os.chmod(script, 0))]
";
    everywhere_if(
        |ground| ground.level == Level::Basic && !ground.own_uids,
        |zygote| {
            let child = zygote.fork_without(0, &["restrict with Landlock"]);
            assert_eq!(child.run(&(paths(zygote) + code)).found(), json!(["EPERM", "EPERM", "EPERM"]));
        },
    );
}

#[test]
fn modes_owners_times_and_attributes_of_what_it_can_read_stay_as_they_are() {
    let code = "
script = TOOLS + '/zygote.py'
found = {
    'chmod': attempt(lambda: os.chmod(script, 0o777)),
    'chmod of a folder': attempt(lambda: os.chmod(TOOLS, 0o777)),
    'chmod of the cache': attempt(lambda: os.chmod(CACHE + '/warm', 0o777)),
    'chmod of a device': attempt(lambda: os.chmod('/dev/null', 0o777)),
    'fchmod': attempt(lambda: os.fchmod(os.open(script, os.O_RDONLY), 0o777)),
    'chown': attempt(lambda: os.chown(script, 0, 0)),
    'chown to itself': attempt(lambda: os.chown(script, os.getuid(), os.getgid())),
    'times': attempt(lambda: os.utime(script, (0, 0))),
    'extended attribute': attempt(lambda: os.setxattr(script, 'user.mark', b'x')),
    'its own, to somebody else': attempt(lambda: (open('mine', 'w').close(), os.chown('mine', 12345, 12345))),
}
";
    everywhere(|zygote| assert_refused(&zygote.run(&(paths(zygote) + code)).found()));
}

#[test]
fn where_the_tree_is_the_machines_what_is_in_files_and_processes_is_not_seen() {
    let code = "
own = str(os.getpid())
found = {path: attempt(lambda: os.listdir(path)) for path in ('/proc', '/proc/' + STRANGER, os.path.dirname(SECRET))}
for name in ('environ', 'cmdline', 'maps', 'status', 'mem'):
    found[name] = attempt(lambda: open(f'/proc/{STRANGER}/{name}', 'rb').read(1))
    found['its own ' + name] = attempt(lambda: open(f'/proc/{own}/{name}', 'rb').read(1))
for name in ('exe', 'cwd', 'root', 'fd/0'):
    found[name] = attempt(lambda: os.readlink(f'/proc/{STRANGER}/{name}'))
";
    everywhere_if(
        |ground| ground.level == Level::Basic,
        |zygote| {
            let stranger = format!("STRANGER = '{}'\n", std::process::id());
            let found = zygote.run(&(paths(zygote) + &stranger + code)).found();
            assert_refused(&found);
        },
    );
}

#[test]
fn where_the_tree_is_the_machines_attributes_of_files_cannot_be_asked_for() {
    let code = "found = [attempt(lambda: os.listxattr(SECRET)), attempt(lambda: os.getxattr(SECRET, 'user.mark'))]";
    everywhere_if(
        |ground| ground.level == Level::Basic,
        |zygote| assert_eq!(zygote.run(&(paths(zygote) + code)).found(), json!(["EPERM", "EPERM"])),
    );
}

#[test]
fn devices_sockets_and_fifos_cannot_be_made() {
    let code = "
import stat
found = {
    'character device': attempt(lambda: os.mknod('a', stat.S_IFCHR | 0o600, os.makedev(1, 1))),
    'block device': attempt(lambda: os.mknod('b', stat.S_IFBLK | 0o600, os.makedev(254, 0))),
    'fifo': attempt(lambda: os.mkfifo('c')),
    'socket': attempt(lambda: os.mknod('d', stat.S_IFSOCK | 0o600)),
}
";
    everywhere(|zygote| assert_refused(&zygote.run(code).found()));
}

#[test]
fn its_own_files_are_bounded_in_bytes_and_in_number_and_gone_with_it() {
    let code = "
def fill(folder):
    written = 0
    with open(folder + '/big', 'wb', buffering=0) as file:
        while True:
            written += file.write(bytes(1 << 20))
            if written > 1 << 30:
                return
def many(folder):
    for number in range(100_000):
        os.close(os.open(f'{folder}/{number}', os.O_CREAT))
found = [attempt(lambda: many(HOME + '/tmp'))]
for name in os.listdir(HOME + '/tmp'):
    os.unlink(f'{HOME}/tmp/{name}')
found += [attempt(lambda: fill('.')), os.path.getsize('big'), attempt(lambda: fill(HOME + '/tmp')), attempt(lambda: fill('/dev/shm'))]
";
    everywhere_if(
        |ground| ground.level.has_namespaces(),
        |zygote| {
            let found = zygote.run(code).found();
            assert_eq!(found[0], "ENOSPC");
            assert!(found[1] == "ENOSPC" || found[1] == "EFBIG", "{found}");
            assert!(found[2].as_u64().is_some_and(|size| size <= zygote.spec.limits.disk && size > 32 * MIB), "{found}");
            assert_eq!((&found[3], &found[4]), (&json!("ENOSPC"), &json!("ENOSPC")));
            let next = zygote.run("found = [os.listdir('.'), os.listdir(HOME + '/tmp'), os.listdir('/dev/shm')]").found();
            assert_eq!(next, json!([[], [], []]));
        },
    );
}

#[test]
fn a_single_file_is_bounded_where_the_disk_is_the_machines() {
    let code = "
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
descriptor = os.open('big', os.O_CREAT | os.O_WRONLY)
found = attempt(lambda: os.pwrite(descriptor, b'x', 1 << 30))
os.unlink('big')
";
    everywhere_if(|ground| !ground.level.has_namespaces(), |zygote| assert_eq!(zygote.run(code).found(), "EFBIG"));
}

#[test]
fn two_runs_at_once_do_not_see_each_others_files() {
    everywhere(|zygote| {
        let mut first = zygote.fork(0);
        let second = zygote.fork(1);
        let home = if zygote.ground.level.has_namespaces() {
            "/home/snippet".to_owned()
        } else {
            zygote.spec.slot_folder(0).display().to_string()
        };
        // It tells that it has written by its own file, which it alone can see; so the second one goes on until the first has ended.
        first.start("open('note', 'w').write('private'); found = [os.listdir('.'), os.path.abspath('note')]");
        let found = first.finish().found();
        assert_eq!(found[0], json!(["note"]));
        let note = found[1].as_str().expect("a path");
        let code =
            format!("found = {{'read': attempt(lambda: open('{note}').read()), 'list': attempt(lambda: os.listdir('{home}x'))}}");
        assert_refused(&second.run(&code).found());
    });
}
