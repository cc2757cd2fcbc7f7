// SPDX-License-Identifier: Apache-2.0
//! Which processes belong to which instance. Decides only; nothing here looks at the machine or sends a signal.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::mark;
use super::processes::Process;

/// What is known of one instance's processes: its first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) instance: String,
    /// The pid of the instance's own process, which led its session, and when it began.
    pub(super) pid: i32,
    pub(super) started: u64,
}

/// The processes that belong to `family`, `others` being the instances that are not to be touched.
///
/// A process belongs to it when its environment says so, when it is in its session, when one of its ancestors belongs to it, or
/// when it bears the instance's tag, or was orphaned to the keeper, hides all of this, and no other instance could have begotten it.
pub(super) fn members<'p>(family: &Family, others: &[Family], keeper: i32, processes: &'p [Process]) -> Vec<&'p Process> {
    let is_other_main =
        |process: &Process| others.iter().any(|other| other.pid == process.pid && other.started == process.started);
    // While the session has members its number is not given to a new process. If one bears it, the session was empty.
    let session_is_gone = processes.iter().any(|process| process.pid == family.pid && process.started != family.started);
    let by_itself = |process: &Process| {
        let session = !session_is_gone && process.session == family.pid;
        session || process.instance.as_deref() == Some(&family.instance) || process.tag == Some(mark::tag(&family.instance))
    };
    let claimed_by_other = |process: &Process| {
        others.iter().any(|other| other.started <= process.started || process.instance.as_deref() == Some(&other.instance))
    };
    let is_stray = |process: &Process| {
        process.parent == keeper && process.session != keeper && process.started >= family.started && !claimed_by_other(process)
    };
    let mut found: HashSet<i32> = processes
        .iter()
        .filter(|process| !is_other_main(process) && process.pid != keeper && (by_itself(process) || is_stray(process)))
        .map(|process| process.pid)
        .collect();
    add_descendants(&mut found, processes, &|process| is_other_main(process) || process.pid == keeper);
    processes.iter().filter(|process| found.contains(&process.pid)).collect()
}

/// The processes that an earlier keeper of the home with this mark left behind; `us` is the keeper that asks.
///
/// Whoever started us is spared, even when it was itself started from within an app.
pub(super) fn left_behind<'p>(mark: &str, us: i32, processes: &'p [Process]) -> Vec<&'p Process> {
    let mut spared = HashSet::from([us]);
    let mut next = us;
    while let Some(parent) = processes.iter().find(|process| process.pid == next).map(|process| process.parent) {
        if !spared.insert(parent) {
            break;
        }
        next = parent;
    }
    let is_spared = |process: &Process| spared.contains(&process.pid);
    let mut found: HashSet<i32> = processes
        .iter()
        .filter(|process| process.home.as_deref() == Some(mark) && !is_spared(process))
        .map(|process| process.pid)
        .collect();
    add_descendants(&mut found, processes, &is_spared);
    processes.iter().filter(|process| found.contains(&process.pid)).collect()
}

fn add_descendants(found: &mut HashSet<i32>, processes: &[Process], spared: &dyn Fn(&Process) -> bool) {
    loop {
        let before = found.len();
        for process in processes {
            if found.contains(&process.parent) && !spared(process) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPER: i32 = 10;

    fn process(pid: i32, parent: i32, session: i32, started: u64, instance: Option<&str>) -> Process {
        let home = instance.map(|_| "mark".to_owned());
        Process { pid, parent, session, started, instance: instance.map(str::to_owned), home, tag: None }
    }

    fn family(instance: &str, pid: i32, started: u64) -> Family {
        Family { instance: instance.to_owned(), pid, started }
    }

    fn pids(processes: Vec<&Process>) -> Vec<i32> {
        processes.into_iter().map(|process| process.pid).collect()
    }

    #[test]
    fn a_process_belongs_by_environment_session_or_ancestor() {
        let processes = [
            process(1, 0, 1, 0, None),
            process(KEEPER, 1, KEEPER, 5, None),
            process(100, KEEPER, 100, 50, Some("a")),
            process(101, 100, 100, 51, None),
            process(102, 1, 102, 52, Some("a")),
            process(103, 102, 103, 53, None),
            process(200, KEEPER, 200, 60, Some("b")),
            process(201, 200, 201, 61, Some("b")),
            process(300, 1, 300, 70, None),
        ];
        let (a, b) = (family("a", 100, 50), family("b", 200, 60));
        assert_eq!(pids(members(&a, std::slice::from_ref(&b), KEEPER, &processes)), [100, 101, 102, 103]);
        assert_eq!(pids(members(&b, &[a], KEEPER, &processes)), [200, 201]);
    }

    #[test]
    fn a_stray_falls_to_the_only_instance_that_could_be_its_parent() {
        let processes = [process(KEEPER, 1, KEEPER, 5, None), process(150, KEEPER, 150, 55, None)];
        let a = family("a", 100, 50);
        assert_eq!(pids(members(&a, &[], KEEPER, &processes)), [150]);
        assert_eq!(pids(members(&a, &[family("younger", 200, 60)], KEEPER, &processes)), [150]);
        assert_eq!(pids(members(&a, &[family("older", 90, 40)], KEEPER, &processes)), [0; 0]);
        assert_eq!(pids(members(&family("younger", 200, 60), &[], KEEPER, &processes)), [0; 0]);
    }

    #[test]
    fn a_process_that_hides_all_else_is_known_by_its_tag_beside_an_older_instance() {
        let mut hidden = process(150, KEEPER, 150, 55, None);
        hidden.tag = Some(mark::tag("a"));
        let processes = [process(KEEPER, 1, KEEPER, 5, None), hidden];
        let (a, older) = (family("a", 100, 50), family("older", 90, 40));
        assert_eq!(pids(members(&a, std::slice::from_ref(&older), KEEPER, &processes)), [150]);
        assert_eq!(pids(members(&older, &[a], KEEPER, &processes)), [0; 0]);
    }

    #[test]
    fn a_new_process_with_the_old_number_is_not_taken_for_the_session() {
        let processes = [process(100, 1, 100, 999, None), process(101, 100, 100, 1000, None)];
        assert_eq!(pids(members(&family("a", 100, 50), &[], KEEPER, &processes)), [0; 0]);
    }

    #[test]
    fn what_an_earlier_keeper_left_is_known_by_the_mark_but_our_own_line_is_spared() {
        let processes = [
            process(1, 0, 1, 0, None),
            // A shell inside an app, from which somebody starts the server anew.
            process(50, 1, 50, 1, Some("a")),
            process(51, 50, 50, 2, Some("a")),
            process(KEEPER, 51, KEEPER, 3, None),
            process(60, 1, 60, 1, Some("a")),
            process(61, 60, 61, 1, None),
            process(70, 1, 70, 1, None),
        ];
        assert_eq!(pids(left_behind("mark", KEEPER, &processes)), [60, 61]);
        assert_eq!(pids(left_behind("other", KEEPER, &processes)), [0; 0]);
    }
}
