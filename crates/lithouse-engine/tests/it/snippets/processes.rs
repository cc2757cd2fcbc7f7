// SPDX-License-Identifier: Apache-2.0
//! The processes of a service, found from outside by what stands on their command lines.

use std::fs;

use lithouse_testkit::wait_until_blocking;
use rustix::process::{Pid, Signal, kill_process};

use super::lab::{Lab, PATIENCE};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    state: char,
}

/// Every process whose command line names this service's Python files: the zygote, and all that was forked from it.
pub(crate) fn processes(lab: &Lab) -> Vec<Process> {
    let mark = lab.home.tools().join("snippets/zygote.py").display().to_string();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let of_lab =
        |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&mark));
    pids.filter(of_lab).filter_map(read).collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some(Process { pid, state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
}

/// The zygote: the one that no other of them has forked.
pub(crate) fn zygote(lab: &Lab) -> i32 {
    wait_until_blocking("there is one zygote", PATIENCE, || {
        let all = processes(lab);
        let roots: Vec<i32> =
            all.iter().filter(|one| !all.iter().any(|other| other.pid == one.parent)).map(|one| one.pid).collect();
        if let [zygote] = roots[..] { Ok(zygote) } else { Err(all) }
    })
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits until the service has its parked children, runs nothing and has no further process.
pub(crate) fn settled(lab: &Lab) -> Vec<Process> {
    wait_until_blocking("the service is at rest", PATIENCE, || {
        let health = lab.snippets.health();
        let all = processes(lab);
        let is_at_rest = health.running == 0 && health.parked == health.workers + 1 && all.len() == health.parked + 1;
        if is_at_rest { Ok(all) } else { Err(Box::new((health, all))) }
    })
}

/// Python that gives its process a name, by which it is found from outside.
pub(crate) fn called(name: &str) -> String {
    format!("import ctypes; ctypes.CDLL(None).prctl(15, b'{}', 0, 0, 0)\n", name_here(name))
}

/// The name as those bear it that are run by these tests, and not by others of their kind on the same machine. The kernel keeps 15 bytes.
fn name_here(name: &str) -> String {
    let name: String = name.chars().take(7).collect();
    format!("{name}-{}", std::process::id())
}

/// How many processes have given themselves this name.
pub(crate) fn count_called(name: &str) -> usize {
    let name = name_here(name);
    let names = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.filter(|comm| comm.trim_end() == name).count()
}

/// Waits until no process has this name any more.
pub(crate) fn none_is_called(name: &str) {
    wait_until_blocking("all of them are gone", PATIENCE, || match count_called(name) {
        0 => Ok(()),
        count => Err(count),
    });
}

pub(crate) fn is_stopped(pid: i32) -> bool {
    read(pid).is_some_and(|process| process.state == 'T')
}
