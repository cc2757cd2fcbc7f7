// SPDX-License-Identifier: Apache-2.0
//! Apps that the configuration names, in both of its shapes.

use std::process::{Child, Stdio};

use lithouse_testkit::{free_port, wait_until_blocking};
use serde_json::{Value, json};

use super::lab::{app, assert_nothing_done, keys, venv};
use crate::server::{PATIENCE, Server};

/// A server that goes by this `lithouse.toml`, with an app `one` and `two` in the folder `of`.
fn server_with(text: &str) -> Server {
    let server = Server::prepare(&[]);
    for key in ["one", "two"] {
        app(&server.folder().join("of").join(key), &format!("first of {key}"));
    }
    server.write("lithouse.toml", text);
    server.up()
}

const BOTH: &str = "[apps.one]\ndir = \"of/one\"\n[apps.two]\ndir = \"of/two\"\n";

fn facts(app: &Value) -> Value {
    json!([app["key"], app["name"], app["url"], app["description"], app["restart_on_crash"]])
}

#[test]
fn an_app_of_the_configuration_is_told_and_reached_as_it_says() {
    let server = server_with(
        "[apps.one]\nname = \"Sales <report>\"\nurl = \"/figures/\"\ndir = \"of/one\"\ndescription = \"What sold\"\n\
         restart_on_crash = false\n[apps.two]\ndir = \"of/two\"\n",
    );
    server.pid_of("one");
    assert_eq!(facts(&server.app("one")), json!(["one", "Sales <report>", "/apps/figures/", "What sold", false]));
    assert_eq!(facts(&server.app("two")), json!(["two", "two", "/apps/two/", "", true]));
    assert_eq!(server.app("one")["access_url"], server.url("/apps/figures/"));
    assert_eq!(server.get("/apps/figures/").expect(200).text(), "first of one at /apps/figures/");
    let page = server.get_with("/apps/one/deep?a=b", &[("Accept", "text/html")]);
    assert!((300..400).contains(&page.status), "{page:?}");
    assert_eq!(page.headers["location"], "/apps/figures/deep?a=b");
    let portal = server.get("/").text();
    assert!(
        portal.contains("Sales &lt;report&gt;") && portal.contains("What sold") && portal.contains("/apps/figures/"),
        "{portal}"
    );
}

#[test]
fn what_the_configuration_says_of_an_app_is_changed_there_and_all_else_by_the_api() {
    let server = server_with("[apps.one]\ndir = \"of/one\"\nname = \"One\"\nlimits = { processes = 64 }\n");
    let pid = server.pid_of("one");
    let before = server.app("one");
    let change = |change: Value| server.patch("/api/apps/one", &change);
    for (wrong, setting) in [
        (json!({"name": "Other", "env": {"A": "b"}}), "apps.one.name"),
        (json!({"description": "Other"}), "apps.one.description"),
        (json!({"restart_on_crash": false}), "apps.one.restart_on_crash"),
        (json!({"limits": {"processes": 65}}), "apps.one.limits.processes"),
        (json!({"limits": {"memory": 400_000_000}}), "apps.one.limits.memory"),
    ] {
        let refused = change(wrong).expect_problem(409, "configured");
        assert_eq!(refused["detail"], format!("`{setting}` of the app is what the configuration says"));
        let file = server.folder().canonicalize().unwrap().join("lithouse.toml");
        assert_eq!(refused["hint"], format!("set `{setting}` in `{}`; then `lithouse refresh`", file.display()));
    }
    for name in ["name", "description", "restart_on_crash", "limits"] {
        assert_eq!(server.app("one")[name], before[name]);
    }
    // What is so already is no change, and variables are not the configuration's.
    change(json!({"name": "One", "restart_on_crash": true, "env": {"A": "b"}, "limits": {"processes": 64}})).expect(200);
    assert_nothing_done(&server.refresh(), 1);
    assert_eq!(server.pid_of("one"), pid);
}

/// Ends with the test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_older_config_json_is_served_as_it_is() {
    let server = Server::prepare(&[]);
    let (port, elsewhere) = (free_port(), server.folder().join("elsewhere"));
    app(&elsewhere.join("sales"), "sales figures");
    std::fs::remove_dir_all(elsewhere.join("sales/venv")).unwrap();
    let venv = venv(&elsewhere);
    let older = json!({"website_port": port, "apps": {
        "sales": {"name": "Sales", "url": "figures", "dir": elsewhere.join("sales"), "venv": venv, "description": "What sold",
                  "restart_on_crash": false},
        "plain": {"dir": app(&elsewhere.join("plain"), "plain")},
    }});
    server.write("config.json", &older.to_string());
    let mut command = server.command();
    let _ending = Ending(command.arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let read = |path: &str| ureq::get(format!("http://127.0.0.1:{port}{path}")).call().ok()?.body_mut().read_to_string().ok();
    wait_until_blocking("both apps answer on the website's port", PATIENCE, || {
        let seen = (read("/apps/figures/"), read("/apps/plain/"));
        if seen == (Some("sales figures at /apps/figures/".into()), Some("plain at /apps/plain/".into())) {
            Ok(())
        } else {
            Err(seen)
        }
    });
    let listed = server.lithouse(&["apps", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let mut facts: Vec<Value> = listed["apps"].as_array().unwrap().iter().map(facts).collect();
    facts.sort_by_key(ToString::to_string);
    let wanted =
        [json!(["plain", "plain", "/apps/plain/", "", true]), json!(["sales", "Sales", "/apps/figures/", "What sold", false])];
    assert_eq!(facts, wanted);
}

#[test]
fn what_is_told_of_an_app_changes_without_its_process_and_a_new_path_with_it() {
    let server = server_with(BOTH);
    let (one, two) = (server.pid_of("one"), server.pid_of("two"));
    server.write("lithouse.toml", &format!("{BOTH}name = \"The second\"\ndescription = \"New\"\nrestart_on_crash = false\n"));
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "changed"), ["two"]);
    assert_eq!(refreshed["unchanged"], 1, "{refreshed}");
    assert_eq!(facts(&server.app("two")), json!(["two", "The second", "/apps/two/", "New", false]));
    assert_eq!((server.pid_of("one"), server.pid_of("two")), (one, two));
    // Each takes the name of the other.
    let swapped = "[apps.one]\ndir = \"of/one\"\nurl = \"b\"\n[apps.two]\ndir = \"of/two\"\nurl = \"a\"\n";
    server.write("lithouse.toml", &swapped.replace("\"b\"", "\"x\"").replace("\"a\"", "\"b\"").replace("\"x\"", "\"a\""));
    assert_eq!(keys(&server.refresh(), "restarted"), ["one", "two"]);
    server.wait_to_read("/apps/a/", "first of one at /apps/a/");
    server.write("lithouse.toml", swapped);
    assert_eq!(keys(&server.refresh(), "restarted"), ["one", "two"]);
    server.wait_to_read("/apps/a/", "first of two at /apps/a/");
    server.wait_to_read("/apps/b/", "first of one at /apps/b/");
    assert_ne!((server.pid_of("one"), server.pid_of("two")), (one, two));
}

#[test]
fn a_wrong_configuration_changes_nothing_and_every_problem_is_told_with_its_line() {
    let server = server_with(BOTH);
    let pids = (server.pid_of("one"), server.pid_of("two"));
    server.write("lithouse.toml", "[apps.one]\ndir = \"of/one\"\nrestart_on_crash = \"often\"\n[apps.three]\nfolder = \"x\"\n");
    let refused = server.lithouse(&["refresh"]);
    assert_eq!(refused.status.code(), Some(4));
    let told = "error: lithouse.toml:3: `apps.one.restart_on_crash` is set to `often`: ";
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.starts_with(told), "{said}");
    assert!(said.contains("\nerror: lithouse.toml:5: unknown key `apps.three.folder`\nhint: "), "{said}");
    assert!(said.ends_with("\nhint: mend it and refresh again; the server goes on as it is\n"), "{said}");
    assert_eq!((server.pid_of("one"), server.pid_of("two")), pids);
    for broken in ["[apps", "public_base = 1\n"] {
        server.write("lithouse.toml", broken);
        assert_eq!(server.lithouse(&["refresh"]).status.code(), Some(4), "{broken}");
    }
    std::fs::remove_file(server.folder().join("lithouse.toml")).unwrap();
    let gone = server.lithouse(&["refresh"]);
    let said = String::from_utf8_lossy(&gone.stderr);
    assert!(said.starts_with("error: could not read the configuration `lithouse.toml`: "), "{said}");
    assert_eq!((server.pid_of("one"), server.pid_of("two")), pids);
    server.write("lithouse.toml", BOTH);
    assert_nothing_done(&server.refresh(), 2);
}

#[test]
fn a_start_with_a_wrong_configuration_names_the_line_and_leaves_nothing_behind() {
    let server = Server::prepare(&[]);
    server.write("lithouse.toml", "[apps.one]\nport = 70000\n");
    let refused = server.lithouse(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.starts_with("error: lithouse.toml:2: `apps.one.port` is set to `70000`: "), "{said}");
    assert!(!server.data().exists());
}

#[test]
fn a_folder_of_apps_that_is_not_there_is_told_with_where_it_was_said() {
    let server = Server::prepare(&[]);
    let refused = |arguments: &[&str]| {
        let refused = server.lithouse(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        String::from_utf8(refused.stderr).unwrap()
    };
    let told = "is set to `nowhere`: there is no such folder\nhint: it holds one folder an app, each with an `app.py`\n";
    assert_eq!(refused(&["nowhere"]), format!("error: `APPS_DIR` {told}"));
    server.write("lithouse.toml", "[hosting]\nfolder = \"nowhere\"\n");
    assert_eq!(refused(&[]), format!("error: lithouse.toml:2: `hosting.folder` {told}"));
    let in_background = server.lithouse(&["start", "--listen", "127.0.0.1:0"]);
    assert_eq!(in_background.status.code(), Some(2), "{in_background:?}");
    assert!(!server.data().exists());
}

#[test]
fn settings_that_need_a_new_server_are_named_and_left() {
    let server = server_with(&format!("public_base = \"http://a.localhost\"\n{BOTH}"));
    server.pid_of("one");
    let text = format!("public_base = \"http://b.localhost\"\n[hosting]\nport_range = \"9000-9010\"\n{BOTH}");
    server.write("lithouse.toml", &text);
    let refreshed = server.refresh();
    assert_nothing_done(&refreshed, 2);
    assert_eq!(keys(&refreshed, "later"), ["hosting.port_range", "public_base"]);
    let told = server.lithouse(&["refresh"]);
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(said.contains("`public_base` changed, and counts from the next start of the server\n"), "{said}");
    assert_eq!(String::from_utf8_lossy(&told.stdout), "unchanged 2 apps\n");
    assert_eq!(server.app("one")["access_url"], "http://a.localhost/apps/one/");
}

#[test]
fn an_app_that_the_configuration_names_no_more_is_stopped_and_its_folder_stays() {
    let mut server = server_with(BOTH);
    let one = server.pid_of("one");
    server.pid_of("two");
    server.write("lithouse.toml", &BOTH.replace("[apps.two]\ndir = \"of/two\"\n", ""));
    assert_eq!(keys(&server.refresh(), "removed"), ["two"]);
    server.get("/apps/two/").expect(404);
    assert!(server.folder().join("of/two/app.py").exists());
    server.kill();
    server.start_again();
    assert_eq!(server.pid_of("one"), one);
    server.get("/api/apps/two").expect_problem(404, "no_such_app");
}

#[test]
fn an_app_that_the_configuration_names_cannot_be_removed_otherwise() {
    let server = server_with(BOTH);
    let refused = server.delete("/api/apps/one").expect_problem(409, "declared");
    assert_eq!(refused["detail"], "the app is there because the configuration names it");
    assert_eq!(refused["hint"], "take it out of the configuration; then `lithouse refresh`");
}

#[test]
fn the_configuration_goes_before_the_folder() {
    let server = Server::prepare(&[]);
    app(&server.of_folder("same"), "of the folder");
    app(&server.of_folder("other"), "of the folder");
    app(&server.folder().join("elsewhere"), "of elsewhere");
    // An app that does not say where it lies is the one of the folder.
    server.write("lithouse.toml", "[apps.same]\nname = \"Named\"\n[apps.other]\ndir = \"elsewhere\"\n");
    let server = server.up();
    server.wait_to_read("/apps/same/", "of the folder");
    server.wait_to_read("/apps/other/", "of elsewhere");
    assert_eq!(server.app("same")["name"], "Named");
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 2);
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "passed_over"), ["apps/other"]);
    let pid = server.pid_of("same");
    // Named by the folder alone, it is the same app.
    server.write("lithouse.toml", "[apps.other]\ndir = \"elsewhere\"\n");
    assert_eq!(keys(&server.refresh(), "changed"), ["same"]);
    assert_eq!((server.pid_of("same"), &server.app("same")["name"]), (pid, &json!("same")));
}

#[test]
fn what_an_app_lacks_is_told_and_the_others_are_served() {
    let text = "[apps.no-folder]\ndir = \"of/nowhere\"\n[apps.no-venv]\ndir = \"of/one\"\nvenv = \"of/no-venv\"\n\
                [apps.no-script]\ndir = \"of\"\n[apps.one]\ndir = \"of/one\"\n";
    let server = server_with(text);
    server.wait_to_read("/apps/one/", "first of one");
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "passed_over"), ["no-folder", "no-script", "no-venv"]);
    let at = |path: &str| server.folder().canonicalize().unwrap().join(path).display().to_string();
    let reasons: Vec<&str> =
        refreshed["passed_over"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].starts_with("there is no folder `") && reasons[0].ends_with("of/nowhere`"), "{reasons:?}");
    assert_eq!(reasons[1], format!("there is no `app.py` in `{}`", at("of")));
    assert!(reasons[2].ends_with("of/no-venv` makes one"), "{reasons:?}");
    server.wait_until_said(&["not served: `no-script`: there is no `app.py`"]);
    // A folder that comes back, or is gone for a while, as that of a disk does.
    app(&server.folder().join("of/nowhere"), "here now");
    assert_eq!(keys(&server.refresh(), "added"), ["no-folder"]);
    let pid = server.pid_of("no-folder");
    std::fs::rename(server.folder().join("of/nowhere"), server.folder().join("away")).unwrap();
    assert_eq!(keys(&server.refresh(), "passed_over"), ["no-folder", "no-script", "no-venv"]);
    assert_eq!(server.pid_of("no-folder"), pid);
}

#[test]
fn limits_of_an_app_of_the_configuration_come_from_there_and_those_of_one_of_the_folder_stay_as_they_were_set() {
    let config = "[hosting]\nfolder = \"of\"\n[apps.one]\ndir = \"of/one\"\n[apps.one.limits]\nopen_files = 500\n";
    let server = server_with(config);
    let (one, two) = (server.pid_of("one"), server.pid_of("two"));
    let limits = json!({"limits": {"open_files": 300, "processes": 100}});
    server.patch("/api/apps/one", &limits).expect_problem(409, "configured");
    assert_eq!(server.patch("/api/apps/two", &limits).expect(200).json()["limits"]["open_files"], 300);
    assert_nothing_done(&server.refresh(), 2);
    server.write("lithouse.toml", &config.replace("500", "400"));
    assert_eq!(keys(&server.refresh(), "restarted"), ["one"]);
    server.wait_for("one", "restarted", |seen| seen["status"] == "running" && seen["pid"] != json!(one));
    let limits = |key: &str| server.app(key)["limits"].clone();
    assert_eq!((&limits("one")["open_files"], &limits("one")["processes"]), (&json!(400), &Value::Null));
    // Named by the folder alone.
    assert_eq!((&limits("two")["open_files"], server.pid_of("two")), (&json!(300), two));
}
