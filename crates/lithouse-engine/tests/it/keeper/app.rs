// SPDX-License-Identifier: Apache-2.0
//! Apps in Python, for what a shell cannot do.

use std::process::Command;
use std::sync::OnceLock;

/// The interpreter itself, not a wrapper that would look for it at every start.
pub(super) fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    })
}

/// Waits for a file `go` in its working folder, then answers one request on the listener it inherited.
pub(super) const ANSWERS_ONCE: &str = r"
import os, socket, time
# A pause between two looks.
while not os.path.exists('go'): time.sleep(0.01)
connection, _ = socket.socket(fileno=0).accept()
connection.recv(1000)
connection.sendall(b'answered')
connection.close()
";

/// Prints what a process can know of the circumstances it was started in.
pub(super) const LOOKS_AROUND: &str = r"
import os, resource, signal, socket
status = dict(line.split(':\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\t' in line)
print('environment', sorted(set(os.environ) - {'LC_CTYPE'}))
print('descriptors', sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)))
print('session', os.getsid(0) == os.getpid() == os.getpgid(0))
print('umask', oct(os.umask(0)))
print('core', resource.getrlimit(resource.RLIMIT_CORE))
print('files', resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print('nice', os.nice(0))
print('oom', open('/proc/self/oom_score_adj').read().strip())
print('privileges', status['NoNewPrivs'])
print('blocked', status['SigBlk'], 'sigterm', signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
print('folder', os.getcwd())
print('listener', socket.socket(fileno=0).getsockname() if os.path.realpath('/proc/self/fd/0').find('socket') >= 0 else None)
print('done', flush=True)
";

/// Forks twice, leaves the session and writes the pid of what remains into `daemon`; `CLEAN` hides the environment too.
pub(super) const DAEMONIZES: &str = r"
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(0); os.close(1); os.close(2)
        if 'CLEAN' in os.environ:
            os.execve('/bin/sh', ['sh', '-c', 'echo $$ > daemon; exec sleep 1000'], {})
        with open('daemon.new', 'w') as file: print(os.getpid(), file=file)
        os.rename('daemon.new', 'daemon')
        time.sleep(1000)  # It lives until it is killed.
    os._exit(0)
os.wait()
print('daemonized', flush=True)
time.sleep(1000)  # It lives until it is killed.
";

/// Takes memory until somebody stops it, once there is a line on its standard input, or the end of it.
pub(super) const EATS_MEMORY: &str = r"
import sys
sys.stdin.readline()
print('eating', flush=True)
eaten = []
while True: eaten.append(bytearray(1 << 20))
";
