// SPDX-License-Identifier: Apache-2.0
//! Ways out of the sandbox, tried end to end by code that may do what it likes. The sandbox has tests of its own for each layer;
//! these hold that the layers are there when a snippet runs.

use std::time::Duration;

use lithouse_engine::snippets::{Request, Status};

use super::lab::{Lab, open};
use super::processes::{called, none_is_called, processes, zygote};

/// Prints what each attempt came to: the name of the error, or `done`.
fn attempt(lab: &Lab, attempts: &str) -> String {
    let answer = lab.run(&format!(
        "import os, sys, socket, ctypes, signal, subprocess, glob\n\
         def attempt(act):\n    \
             try: print('done', act())\n    \
             except BaseException as error: print(type(error).__name__)\n\
         {attempts}"
    ));
    answer.printed().to_owned()
}

pub(crate) fn files_of_the_machine_cannot_be_read(lab: &Lab) {
    let secret = lab.home.root().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let data = lab.home.root().display();
    let told = attempt(
        lab,
        &format!(
            "for path in ['/etc/shadow', '/proc/1/environ', '/proc/self/environ', '/etc/gshadow', '{data}/secret', '{data}/lithouse.db', \
                 '/sys/kernel/notes', '/dev/mem']:\n    \
                 attempt(lambda: open(path, 'rb').read())\n\
             import pandas as pd\n\
             attempt(lambda: pd.read_csv('{data}/secret'))"
        ),
    );
    assert!(!told.contains("done"), "{told}");
    assert_eq!(told.lines().count(), 9);
    // Of the folders on the way to what it may read, it sees no more than that they are there.
    let listed = attempt(lab, &format!("attempt(lambda: os.listdir('{data}'))"));
    assert!(!listed.contains("secret") && !listed.contains("lithouse.db"), "{listed}");
}

pub(crate) fn there_is_no_network(lab: &Lab) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = attempt(
        lab,
        &format!(
            "attempt(lambda: socket.create_connection(('127.0.0.1', {port}), 2))\n\
             attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port})))\n\
             attempt(lambda: socket.socket(socket.AF_UNIX))\n\
             attempt(lambda: socket.socket(socket.AF_NETLINK))\n\
             attempt(lambda: socket.getaddrinfo('localhost', {port}) and socket.create_connection(('localhost', {port}), 2))"
        ),
    );
    assert!(!told.contains("done"), "{told}");
}

pub(crate) fn secrets_of_the_server_are_nowhere(lab: &Lab) {
    // Whatever the server has in its environment, a run has these and no others.
    let answer = lab.run("import os\nprint(*sorted(name for name in os.environ if not name.endswith('_THREADS')))");
    let names: Vec<&str> = answer.printed().split_whitespace().collect();
    let known =
        ["HOME", "LANG", "LC_CTYPE", "MPLBACKEND", "MPLCONFIGDIR", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV", "XDG_CACHE_HOME"];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
}

pub(crate) fn nobody_else_can_be_reached(lab: &Lab) {
    let mut others = vec![zygote(lab), std::process::id().cast_signed()];
    others.extend(processes(lab).iter().map(|process| process.pid));
    let told = attempt(
        lab,
        &format!(
            "libc = ctypes.CDLL(None, use_errno=True)\n\
             for pid in {others:?} + [os.getppid(), 1, -1]:\n    \
                 for number in [signal.SIGTERM, signal.SIGSTOP, 0]:\n        \
                     if pid not in (os.getpid(), 0): attempt(lambda: os.kill(pid, number))\n    \
                 print('traced' if libc.ptrace(16, pid, 0, 0) == 0 else 'not traced')\n\
             attempt(lambda: os.pidfd_open(os.getppid()))"
        ),
    );
    assert!(!told.lines().any(|line| line == "traced"), "{told}");
    assert_eq!(zygote(lab), others[0], "it lives on: {told}");
    assert_eq!(lab.run("print(1)").printed(), "1\n");
}

pub(crate) fn no_other_program_can_be_run(lab: &Lab) {
    let told = attempt(
        lab,
        "attempt(lambda: subprocess.run(['/bin/true']))\n\
         attempt(lambda: os.system('true') and 1 / 0)\n\
         attempt(lambda: os.execv(sys.executable, [sys.executable, '-c', 'print(1)']))\n\
         attempt(lambda: os.popen('id').read() or 1 / 0)",
    );
    assert!(!told.contains("done"), "{told}");
}

pub(crate) fn descriptors_of_others_are_not_there(lab: &Lab) {
    let answer = lab.run(
        "import os\n\
         def is_open(number):\n    \
             try: os.fstat(number)\n    \
             except OSError: return False\n    \
             return True\n\
         print([number for number in range(256) if is_open(number)])",
    );
    assert_eq!(answer.printed(), "[0, 1, 2, 3]\n");
}

pub(crate) fn the_environment_cannot_be_changed(lab: &Lab) {
    let told = attempt(
        lab,
        "import numpy, lithouse_snippets\n\
         for path in [numpy.__file__, lithouse_snippets.__file__, os.__file__, sys.executable, os.environ['MPLCONFIGDIR'] + '/x']:\n    \
             attempt(lambda: open(path, 'ab'))\n    \
             attempt(lambda: os.unlink(path))\n    \
             attempt(lambda: os.rename(path, path + '.old'))\n    \
             attempt(lambda: os.chmod(path, 0o777))",
    );
    assert!(!told.contains("done"), "{told}");
}

pub(crate) fn daemons_end_with_their_run(lab: &Lab) {
    let code = "import os, signal, threading\n\
         told, tell = os.pipe()\n\
         for index in range(5):\n    \
             if os.fork() == 0:\n        \
                 try: os.setsid()\n        \
                 except OSError: pass\n        \
                 if os.fork() == 0:\n            \
                     [signal.signal(number, signal.SIG_IGN) for number in (1, 2, 15)]\n            \
                     os.write(tell, b'x')\n            \
                     threading.Event().wait(1000)\n        \
                 os._exit(0)\n\
         print(len(os.read(told, 1)), 'left behind', flush=True)";
    let answer = lab.run(&(called("left-behind") + code));
    assert_eq!(answer.printed(), "1 left behind\n");
    none_is_called("left-behind");
}

pub(crate) fn a_fork_bomb_ends_with_its_run(lab: &Lab) {
    let code = called("bomb-of-forks") + "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass";
    let answer = lab.execute(Request { timeout: Some(Duration::from_secs(1)), ..open(&code) }).expect("it can be run");
    assert!(matches!(answer.status, Status::Timeout | Status::MemoryLimit), "{:?}", answer.status);
    none_is_called("bomb-of-forks");
    assert_eq!(lab.run("print(1)").printed(), "1\n");
}

pub(crate) fn no_process_can_be_started(lab: &Lab) {
    let told = attempt(
        lab,
        "attempt(os.fork)\nattempt(lambda: ctypes.CDLL(None).vfork() >= 0 or 1 / 0)\nimport multiprocessing as m\nattempt(lambda: m.get_context('fork').Process(target=print).start())",
    );
    assert!(!told.contains("done"), "{told}");
}
