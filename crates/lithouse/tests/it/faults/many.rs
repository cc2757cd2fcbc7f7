// SPDX-License-Identifier: Apache-2.0
//! A server that knows many apps.

use std::process::Command;

use crate::server::Server;

/// Made anew for each app, the route table alone would take longer than a test waits for its server.
const MANY: usize = 1000;

/// Puts stopped apps into the data folder of a server that has ended.
pub(super) fn put_stopped_apps(server: &Server, count: usize) {
    let script = "
import sqlite3, sys
base = sqlite3.connect(sys.argv[1])
apps = [(f'{index:016x}', f'app-{index:04}', f'App {index}', 1790000000000 + index) for index in range(int(sys.argv[2]))]
base.executemany(\"INSERT INTO apps (id, key, name, origin, desired, active, head, cookie_secret, created_at) \"
                 \"VALUES (?, ?, ?, 'deployed', 'stopped', 1, 1, 'x', ?)\", apps)
base.executemany(\"INSERT INTO releases (app, number, state, served, entry, created_at) VALUES (?, 1, 'ready', 1, 'app.py', ?)\",
                 [(app[0], app[3]) for app in apps])
base.commit()
base.close()
";
    let mut python = Command::new("python3");
    let filled = python.args(["-c", script]).arg(server.data().join("lithouse.db")).arg(count.to_string()).status().unwrap();
    assert!(filled.success());
}

#[test]
fn a_thousand_stopped_apps_are_there_soon_after_a_start_each_with_its_route() {
    let mut server = Server::start_without_environments();
    assert!(server.stop().success());
    put_stopped_apps(&server, MANY);
    server.start_again();
    let apps = server.get("/api/apps").expect(200).json()["apps"].as_array().unwrap().clone();
    assert_eq!(apps.len(), MANY);
    assert!(apps.iter().all(|app| app["status"] == "stopped" && app["pid"].is_null()));
    for index in [0, MANY / 2, MANY - 1] {
        for name in [format!("app-{index:04}"), format!("{index:016x}")] {
            let page = server.get(&format!("/apps/{name}/"));
            assert!([307, 308, 503].contains(&page.status), "{name}: {} {}", page.status, page.text());
            assert_eq!(server.app(&name)["name"], format!("App {index}"));
        }
    }
    server.get("/apps/app-1000/").expect(404);
    let said = server.wait_until_said(&["and 980 more: `lithouse apps` lists them"]);
    assert_eq!(said.lines().filter(|line| line.starts_with("app ")).count(), 20);
}
