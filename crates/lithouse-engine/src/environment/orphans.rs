// SPDX-License-Identifier: Apache-2.0
//! Ends what is left of a build whose guard was killed. Each build has a folder of its own for what is temporary, and everything that it
//! starts bears the folder's path in its environment.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// A process that SIGKILL does not end in this time hangs in the kernel, and nobody can end it.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Ends every process whose temporary folder is this one or lies in it, and waits until they are gone. Answers how many there were.
///
/// It blocks.
pub(crate) fn end(folder: &Path) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut most = 0;
    loop {
        let left = kill_all(folder);
        most = most.max(left);
        if left == 0 || Instant::now() > deadline {
            return most;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Kills once, and answers how many were met.
fn kill_all(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| *pid != getpid())
        .filter(|pid| {
            // The descriptor stays with the process that it was opened for, whatever is given its number later.
            let Ok(held) = pidfd_open(*pid, PidfdFlags::empty()) else { return false };
            is_of(*pid, folder) && pidfd_send_signal(&held, Signal::KILL).is_ok()
        })
        .count()
}

/// Whether a process works for a build in this folder. Another machine's, seen from here as a container's are, may use the same
/// path for another folder.
fn is_of(pid: Pid, folder: &Path) -> bool {
    let of = |what: &str| PathBuf::from(format!("/proc/{}/{what}", pid.as_raw_nonzero()));
    let environment = fs::read(of("environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    let Some(temporary) = variables.find_map(|variable| variable.strip_prefix(b"TMPDIR=")) else { return false };
    if !Path::new(OsStr::from_bytes(temporary)).starts_with(folder) {
        return false;
    }
    let identity = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    let seen_by_it = folder.strip_prefix("/").map(|path| of("root").join(path));
    identity(folder).is_some() && identity(folder) == seen_by_it.ok().and_then(|path| identity(&path))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_works_in_the_folder_is_ended_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let start = |temporary: &Path| Command::new("sleep").arg("600").env("TMPDIR", temporary).spawn().unwrap();
        let (ours, beside) = (folder.path().join("tmp"), folder.path().join("tmp-of-another"));
        fs::create_dir(&ours).unwrap();
        let (mut inside, mut outside) = (start(&ours.join("build-1")), start(&beside));
        assert_eq!(end(&ours), 1);
        assert!(!inside.wait().unwrap().success());
        assert_eq!(outside.try_wait().unwrap(), None);
        assert_eq!(end(&ours), 0);
        outside.kill().unwrap();
        outside.wait().unwrap();
    }
}
