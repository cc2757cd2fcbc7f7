// SPDX-License-Identifier: Apache-2.0
//! Folders that are somebody else's, no folders at all, very deep or oddly named, and a machine that stands still.

use std::process::Stdio;

use super::row::Plan;
use super::wheels::{TINY, index};
use crate::form::Form;
use crate::server::{Server, signal};

#[test]
fn a_second_server_of_the_same_data_folder_is_refused_and_the_first_serves_on() {
    let mut row = Plan::of("two-servers", "").begin();
    for verb in ["serve", "start"] {
        let output = row.server.lithouse(&[verb, "--listen", "127.0.0.1:0"]);
        row.output(&format!("lithouse {verb}"), &output);
    }
    row.end();
}

#[test]
fn a_data_folder_that_is_none_or_cannot_be_made_is_told() {
    let mut row = Plan::of("no-data-folder", "").begin();
    let folder = row.server.folder().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", folder.join("dangling")).unwrap();
    for data in ["file", "file/data", "/proc/no-such-data", "dangling"] {
        let mut command = row.server.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", data]).current_dir(&folder).env_remove("LITHOUSE_DATA");
        let output = command.stdin(Stdio::null()).output().unwrap();
        row.output(&format!("lithouse serve --data {data}"), &output);
    }
    row.end();
}

#[test]
fn a_data_folder_may_lie_deep_and_have_any_name() {
    let deep = format!("Ünïcode and spaces/{}/{}/daten 數據", "d".repeat(120), "e".repeat(120));
    let plan = Plan::with("deep-data-folder", "", Server::prepare_in(&deep));
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    assert!(row.server.data().join("keeper.sock").as_os_str().len() > 200);
    let app = row.server.create(Form::app(&format!("{TINY}tiny==1\n"), "# here\n"));
    row.server.wait_for_status(&app, "running");
    assert_eq!(row.server.get(&format!("/apps/{app}/")).expect(200).text(), "# here\n");
    let status = row.server.lithouse(&["status", "--json"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let before = row.server.app("neighbour");
    row.rest();
    row.server.kill();
    row.server.start_again();
    row.visit();
    assert_eq!(row.server.app("neighbour")["pid"], before["pid"]);
    row.end();
}

#[test]
fn a_server_without_home_and_with_a_folder_for_temporary_files_that_is_not_there_works() {
    let plan = Plan::of("no-home-no-tmp", "");
    let mut variables = index(&plan.server).to_vec();
    variables.push(("TMPDIR", "/no/such/folder".to_owned()));
    let row = plan.begin_under(&["env", "-u", "HOME"], &variables);
    let app = row.server.create(Form::app(&format!("{TINY}tiny==1\n"), "# here\n"));
    row.server.wait_for_status(&app, "running");
    assert_eq!(row.server.get(&format!("/apps/{app}/")).expect(200).text(), "# here\n");
    row.end();
}

#[test]
fn a_machine_that_stands_still_for_a_while_goes_on_where_it_was() {
    let mut row = Plan::of("suspended", "").begin();
    let before = row.server.app("neighbour");
    row.rest();
    let everybody: Vec<u32> = row.server.processes().into_iter().map(|(pid, _)| pid).chain([row.server.pid()]).collect();
    for pid in &everybody {
        signal(*pid, "STOP");
    }
    std::thread::sleep(std::time::Duration::from_secs(4)); // Time itself: longer than any interval of the keeper's own.
    for pid in everybody.iter().rev() {
        signal(*pid, "CONT");
    }
    row.visit();
    let after = row.server.app("neighbour");
    for field in ["pid", "port", "started_at", "restarts", "status"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    row.controller();
    row.end();
}
