// SPDX-License-Identifier: Apache-2.0
//! Whether what is in the world is what the server says: processes, ports, folders, logs, environments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::promises::Promised;
use crate::server::{PATIENCE, Server};

/// Logs that belong to no app.
const OUR_LOGS: [&str; 3] = ["controller.log", "website.log", "keeper.log"];

fn apps(server: &Server) -> Vec<Value> {
    server.get("/api/apps").expect(200).json()["apps"].as_array().unwrap().clone()
}

fn names(apps: &[Value]) -> BTreeSet<String> {
    apps.iter().map(|app| app["app_id"].as_str().unwrap().to_owned()).collect()
}

fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// What must hold right after a start, or soon.
pub(crate) fn check(server: &Server, promised: &Promised, when: &str) {
    let known = names(&apps(server));
    for app in promised.kept() {
        assert!(known.contains(&app), "{when}: the accepted app {app} is lost");
    }
    for app in &promised.gone {
        assert!(!known.contains(app), "{when}: the deleted app {app} is back");
    }
    wait_until_blocking(&format!("{when}: every folder and log belongs to an app"), PATIENCE, || {
        let known = names(&apps(server));
        let mut strange: BTreeSet<String> = entries(&server.data().join("apps")).difference(&known).cloned().collect();
        for log in entries(&server.data().join("logs")) {
            let name = log.split('.').next().unwrap();
            if !known.contains(name) && !OUR_LOGS.iter().any(|ours| log.starts_with(ours)) {
                strange.insert(log);
            }
        }
        if strange.is_empty() { Ok(()) } else { Err(strange) }
    });
    wait_until_blocking(&format!("{when}: every process belongs to an app"), PATIENCE, || {
        let pids: Vec<u64> = apps(server).iter().filter_map(|app| app["pid"].as_u64()).collect();
        // A candidate's process is not the app's own pid until it takes over, so this settles only with the app.
        let is_strange = |(pid, command): &(u32, String)| command.contains("launch.py") && !pids.contains(&u64::from(*pid));
        let strange: Vec<_> = server.processes().into_iter().filter(is_strange).collect();
        if strange.is_empty() { Ok(()) } else { Err(strange) }
    });
}

/// What must hold once nothing moves any more: each app does what was promised of it, each process and each port is of an app that
/// runs, and there is one keeper.
pub(crate) fn check_at_rest(server: &Server, promised: &Promised, when: &str) {
    let kept: BTreeMap<_, _> = promised.accepted.iter().filter(|(app, _)| !promised.asked_away.contains(*app)).collect();
    for (app, rests) in kept {
        let seen = server
            .wait_for(app, &format!("{when}: at rest as {rests:?}"), |seen| rests.contains(seen["status"].as_str().unwrap()));
        // A server that has just come up brings it to what is stored, where the one before it was killed in between.
        wait_until_blocking(&format!("{when}: the folder tells what is wanted"), PATIENCE, || {
            let meta = std::fs::read(server.data().join("apps").join(app).join("meta.json")).unwrap();
            let meta: Value = serde_json::from_slice(&meta).unwrap();
            if meta["desired"] == seen["status"] { Ok(()) } else { Err(meta) }
        });
    }
    wait_until_blocking(&format!("{when}: processes and ports are those of the apps that run"), PATIENCE, || {
        let apps = apps(server);
        let known: BTreeSet<u64> = apps.iter().filter_map(|app| app["pid"].as_u64()).collect();
        let ports: BTreeSet<u64> = apps.iter().filter(|app| app["pid"].is_u64()).filter_map(|app| app["port"].as_u64()).collect();
        let processes = server.processes();
        let keepers = processes.iter().filter(|(_, command)| command.contains(" keeper ")).count();
        let strange: Vec<_> = processes
            .iter()
            .filter(|(pid, command)| !command.contains(" keeper ") && !known.contains(&u64::from(*pid)))
            .collect();
        let listening: BTreeSet<u64> = processes.iter().flat_map(|(pid, _)| listening_ports(*pid)).collect();
        let is_right = keepers == 1 && strange.is_empty() && listening == ports;
        if is_right { Ok(()) } else { Err(format!("{keepers} keepers; {strange:?}; {listening:?} beside {ports:?}; {apps:#?}")) }
    });
}

/// The TCP ports on which a process listens.
pub(crate) fn listening_ports(pid: u32) -> Vec<u64> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let sockets: BTreeSet<String> = links
        .filter_map(|link| {
            std::fs::read_link(link.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let listening = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_listening = words.get(3) == Some(&"0A") && sockets.contains(*words.get(9)?);
        let port = words.get(1)?.rsplit_once(':')?.1;
        is_listening.then(|| u64::from_str_radix(port, 16).unwrap())
    });
    listening.collect()
}

/// Deletes every app that is left, and looks whether anything stays behind.
pub(crate) fn check_nothing_is_left(server: &Server) {
    // Among them are apps whose acceptance the server could not tell any more.
    for app in names(&apps(server)) {
        server.delete(&format!("/api/apps/{app}")).expect(204);
    }
    assert_eq!(entries(&server.data().join("apps")), BTreeSet::new());
    // An app that was being built is gone at once, and its build within moments.
    wait_until_blocking("nothing is left of any app", PATIENCE, || {
        let left: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
        let folders = ["tmp", "envs"].map(|folder| entries(&server.data().join(folder)));
        if left.is_empty() && folders.iter().all(BTreeSet::is_empty) { Ok(()) } else { Err((left, folders)) }
    });
    let logs = entries(&server.data().join("logs"));
    assert!(logs.iter().all(|log| OUR_LOGS.iter().any(|ours| log.starts_with(ours))), "{logs:?}");
    let known = ["apps", "backup", "envs", "kept", "logs", "tmp", "tools", "snippets", "reserve"];
    let files =
        ["control.sock", "keeper.lock", "keeper.sock", "lithouse.db", "lithouse.db-shm", "lithouse.db-wal", "lithouse.lock"];
    let strange: Vec<_> =
        entries(&server.data()).into_iter().filter(|name| !known.contains(&&**name) && !files.contains(&&**name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}
