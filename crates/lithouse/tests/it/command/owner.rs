// SPDX-License-Identifier: Apache-2.0
//! Apps in other people's folders: they run as their folder's owner and reach what they need, and nothing else. Only root can run
//! programs as others, so that these tests say so and pass where they are run by anybody else.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::{configured, told};
use crate::server::{PATIENCE, Server};

/// The user whom every system has for nobody's programs.
const NOBODY: u32 = 65534;

/// Tells who it is and what it can get at.
const LOOK: &str = r"
import http.server, json, os, socket
state = os.environ['LITHOUSE_APP_DATA']
data = os.path.dirname(os.path.dirname(os.path.dirname(state)))
def attempt(work):
    try:
        work()
        return 'done'
    except OSError as error:
        return type(error).__name__
def connect(name):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.path.join(data, name))
def write():
    with open(os.path.join(state, 'mine'), 'w') as file:
        file.write('x')
told = {
    'uids': os.getresuid(), 'gids': os.getresgid(), 'groups': os.getgroups(),
    'state': attempt(write),
    'launcher': attempt(lambda: open(os.path.join(data, 'tools/launch.py')).read()),
    'stdout': attempt(lambda: open('/dev/stdout', 'w').close()),
    'back': attempt(lambda: os.setuid(0)),
    'refused': {
        **{name: attempt(lambda: open(os.path.join(data, name)).read())
           for name in ['lithouse.db', 'lithouse.lock', 'keeper.lock', 'logs/controller.log']},
        **{name: attempt(lambda: os.listdir(os.path.join(data, name)))
           for name in ['', 'apps', 'envs', 'logs', 'tmp', 'tools', 'snippets']},
        **{name: attempt(lambda: connect(name)) for name in ['control.sock', 'keeper.sock']},
        'database': attempt(lambda: open(os.path.join(data, 'lithouse.db'), 'r+').close()),
        'new': attempt(lambda: open(os.path.join(data, 'new'), 'w').close()),
        'others': attempt(lambda: os.listdir(open('others').read())),
        'meta': attempt(lambda: open(os.path.join(os.path.dirname(state), 'new'), 'w').close()),
    },
}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("not tested: only root can run programs as other users");
    }
    is_root
}

/// A server whose one app lies in a folder of somebody else's, and that folder.
fn in_a_foreign_folder(lines: &str) -> (Server, PathBuf) {
    let (server, folder) = configured(lines);
    std::fs::set_permissions(server.folder(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("look.py"), LOOK).unwrap();
    (server, folder)
}

fn give_away(folder: &Path) {
    assert!(Command::new("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(folder).status().unwrap().success());
}

#[test]
fn an_app_in_another_users_folder_runs_as_that_user_and_reaches_only_what_is_its_own() {
    if !is_root() {
        return;
    }
    let (server, folder) = in_a_foreign_folder("command = \"/usr/bin/python3 look.py\"");
    let own = server.folder().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("serve.py"), super::SERVE).unwrap();
    let config = server.folder().join("lithouse.toml");
    let lines = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{lines}[apps.own]\ndir = \"own\"\ncommand = \"python3 serve.py\"\n")).unwrap();
    give_away(&folder);
    // As an earlier server may have left it.
    std::fs::create_dir_all(server.data().join("snippets")).unwrap();
    std::fs::set_permissions(server.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let server = server.up();
    server.wait_for_status("own", "running");
    let others = told(&server, "/apps/own/")["env"]["LITHOUSE_APP_DATA"].as_str().unwrap().to_owned();
    std::fs::write(folder.join("others"), others).unwrap();
    server.post("/api/apps/other/restart").expect(200);
    let app = server.wait_for_status("other", "running");
    let told = told(&server, "/apps/other/");
    assert_eq!(told["uids"], serde_json::json!([NOBODY, NOBODY, NOBODY]));
    assert!(!told["groups"].as_array().unwrap().contains(&Value::from(0)), "{told}");
    assert!(!told["gids"].as_array().unwrap().contains(&Value::from(0)), "{told}");
    for allowed in ["state", "launcher", "stdout"] {
        assert_eq!(told[allowed], "done", "{allowed}: {told}");
    }
    assert_eq!(told["back"], "PermissionError", "{told}");
    for (name, came) in told["refused"].as_object().unwrap() {
        assert_eq!(came, "PermissionError", "{name}: {told}");
    }
    // It ends with all others, although it is another user's.
    let pid = u32::try_from(app["pid"].as_u64().unwrap()).unwrap();
    server.post("/api/apps/other/stop").expect(200);
    server.wait_for_status("other", "stopped");
    assert!(!crate::server::is_alive(pid));
}

#[test]
fn what_the_owner_of_a_folder_cannot_reach_is_named() {
    if !is_root() {
        return;
    }
    let (server, folder) = in_a_foreign_folder("command = \"python3 look.py\"");
    give_away(&folder);
    std::fs::set_permissions(server.folder(), PermissionsExt::from_mode(0o700)).unwrap();
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    let reason = failed["reason"].as_str().unwrap();
    let closed = format!("`{}` is closed to that user", server.folder().canonicalize().unwrap().display());
    assert!(reason.contains("runs as its folder's owner (uid 65534)") && reason.contains(&closed), "{reason}");
}

#[test]
fn an_environment_for_another_users_folder_is_made_of_ready_packages_that_the_user_can_read_and_not_change() {
    if !is_root() {
        return;
    }
    let command = "python -c 'import six, os; print(os.access(six.__file__, os.W_OK), six.__cached__)' && exec python look.py";
    let (server, folder) = in_a_foreign_folder(&format!("command = \"{command}\"\n[hosting]\npython = \"/usr/bin/python3\""));
    std::fs::write(folder.join("requirements.txt"), "six==1.17.0\n").unwrap();
    give_away(&folder);
    let server = server.up();
    server.wait_for_status("other", "running");
    assert_eq!(told(&server, "/apps/other/")["uids"][0], NOBODY);
    // What it prints is read beside it, and comes a moment later.
    let line = wait_until_blocking("it has told", PATIENCE, || {
        let log = server.get("/api/apps/other/logs").expect(200).text();
        log.lines().find(|line| line.contains("False ")).map(str::to_owned).ok_or(log)
    });
    // Compiled by us, so that it need not be compiled at each start.
    let compiled = line.rsplit(' ').next().unwrap();
    assert!(Path::new(compiled).is_file(), "{line}");
}

#[test]
fn requirements_of_another_users_folder_that_lead_elsewhere_are_refused_and_nothing_of_them_is_shown() {
    if !is_root() {
        return;
    }
    let (server, folder) = in_a_foreign_folder("command = \"python look.py\"");
    std::os::unix::fs::symlink("/etc/shadow", folder.join("requirements.txt")).unwrap();
    give_away(&folder);
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("requirements.txt` is not a file of the folder's owner"), "{reason}");
    let log = server.get("/api/apps/other/logs?stream=build").expect(200).text();
    assert!(!log.contains("root:"), "{log}");
}

#[test]
fn roots_folder_with_another_users_file_in_it_is_not_served() {
    if !is_root() {
        return;
    }
    let (server, folder) = in_a_foreign_folder("command = \"python3 look.py\"");
    give_away(&folder.join("serve.py"));
    let server = server.up();
    server.get("/api/apps/other").expect_problem(404, "no_such_app");
    server.wait_until_said(&["belongs to another user, and the app would run as root"]);
}

#[test]
fn roots_folder_that_others_may_change_anywhere_is_not_served_and_tells_what_to_do() {
    if !is_root() {
        return;
    }
    let (server, folder) = in_a_foreign_folder("command = \"python3 serve.py\"");
    let lib = folder.join("lib");
    std::fs::create_dir(&lib).unwrap();
    std::fs::write(lib.join("part.py"), "").unwrap();
    give_away(&lib.join("part.py"));
    let mut server = server.up();
    let refused = |server: &Server, words: &str| {
        server.get("/api/apps/other").expect_problem(404, "no_such_app");
        server.wait_until_said(&[words]);
    };
    let part = lib.canonicalize().unwrap().join("part.py");
    refused(&server, &format!("`{}` in it belongs to another user, and the app would run as root", part.display()));
    std::fs::remove_file(&part).unwrap();
    for (path, mode) in [(folder.join("serve.py"), 0o666), (folder.clone(), 0o777)] {
        let before = std::fs::metadata(&path).unwrap().permissions();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        server.kill();
        server.start_again();
        refused(&server, &format!("`chmod go-w {}` ends that", path.canonicalize().unwrap().display()));
        std::fs::set_permissions(&path, before).unwrap();
    }
    server.kill();
    server.start_again();
    server.wait_for_status("other", "running");
}
