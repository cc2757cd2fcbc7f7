// SPDX-License-Identifier: Apache-2.0
//! Under a service manager: units, socket activation, and what it is told.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use lithouse_testkit::wait_until_blocking;

use super::house::{House, finish};
use crate::server::{PATIENCE, is_alive, signal};
use crate::snapshot::assert_frozen;

/// Becomes a server that inherits a listener, as systemd has it.
const ACTIVATOR: &str = "import os, socket, sys\n\
    listener = socket.create_server(('127.0.0.1', 0))\n\
    print(listener.getsockname()[1], flush=True)\n\
    os.dup2(listener.fileno(), 3)\n\
    os.set_inheritable(3, True)\n\
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
    os.execv(sys.argv[1], [sys.argv[1], 'serve'])\n";

#[test]
fn the_units_are_as_they_were_read_over_and_systemd_takes_them() {
    let house = House::new();
    let print = |words: &str| {
        let folder = house.folder().canonicalize().unwrap().display().to_string();
        let mut command = house.command();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env_remove("LITHOUSE_LISTEN");
        let text = finish(command.args(["service", "print"]).args(words.split_whitespace())).code(0).stdout;
        text.replace(env!("CARGO_BIN_EXE_lithouse"), "/usr/bin/lithouse").replace(&folder, "/srv")
    };
    assert_frozen("service/system.txt", &print("apps --listen 127.0.0.1:9000 --stop-grace 20s"));
    let people = print("--user --socket");
    assert_frozen("service/user-with-socket.txt", &people);
    let programs: serde_json::Value = serde_json::from_str(&print("--user --socket --json")).unwrap();
    let units = programs["units"].as_array().unwrap().iter();
    let texts = units.map(|unit| format!("# {}\n{}", unit["name"].as_str().unwrap(), unit["text"].as_str().unwrap()));
    assert_eq!(texts.collect::<Vec<_>>().join("\n").trim_end(), people.trim_end());
}

#[test]
fn units_are_installed_and_what_a_person_changed_stays() {
    let house = House::new();
    let install = |words: &str| {
        let mut command = house.command();
        command.env("XDG_CONFIG_HOME", house.folder().join("config"));
        finish(command.args(["service", "install", "--user"]).args(words.split_whitespace()))
    };
    let unit = house.folder().join("config/systemd/user/lithouse.service");
    let told = install("").code(0);
    assert_eq!(told.stdout, format!("{}\n", unit.display()));
    told.says("systemctl --user daemon-reload\n  systemctl --user enable --now lithouse.service\n");
    if Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let mut verify = Command::new("systemd-analyze");
        let verified = finish(verify.args(["verify", "--man=no"]).arg(&unit));
        let ours = verified.stderr.lines().filter(|line| line.contains("lithouse.service"));
        // Which the unit says of itself.
        let is_for_newer = |line: &&str| line.contains("'DelegateSubgroup'") && line.contains("ignoring");
        let ours: Vec<&str> = ours.filter(|line| !is_for_newer(line)).collect();
        assert_eq!(ours, Vec::<&str>::new());
    }
    install("").code(0);
    let changed = std::fs::read_to_string(&unit).unwrap().replace("RestartSec=2", "RestartSec=9");
    std::fs::write(&unit, &changed).unwrap();
    install("").code(4).says("is there already and says something else");
    assert_eq!(std::fs::read_to_string(&unit).unwrap(), changed);
    install("--force").code(0);
    assert_ne!(std::fs::read_to_string(&unit).unwrap(), changed);
}

#[test]
fn a_listener_of_the_service_manager_is_served_and_it_is_told_of_each_main_process() {
    let house = House::new();
    let told = UnixDatagram::bind(house.folder().join("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut bytes = [0; 4096];
        let length = told.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut activator = Command::new("python3");
    let lithouse = house.command();
    activator.args(["-c", ACTIVATOR]).arg(lithouse.get_program()).current_dir(house.folder());
    activator
        .env("NOTIFY_SOCKET", house.folder().join("notify"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = activator.spawn().unwrap();
    assert_eq!(hear(), format!("READY=1\nMAINPID={}\n", server.id()));
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut port).unwrap();
    assert_eq!(house.server()["listen"], format!("127.0.0.1:{}", port.trim()));
    let keeper = house.keeper();
    assert!(!is_listener(keeper, port.trim()), "the keeper keeps the port");
    house.run("restart --server").code(0);
    let second = house.pid();
    assert_eq!(hear(), format!("READY=1\nMAINPID={second}\n"));
    wait_until_blocking("the first process ends", PATIENCE, || server.try_wait().unwrap());
    assert_eq!(house.server()["listen"], format!("127.0.0.1:{}", port.trim()));
    signal(second, "TERM");
    assert_eq!(hear(), "STOPPING=1\n");
    wait_until_blocking("the server is gone", PATIENCE, || !is_alive(second));
}

/// Whether the process holds the socket that listens on that port.
fn is_listener(pid: u32, port: &str) -> bool {
    let port = format!(":{:04X}", port.parse::<u16>().unwrap());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let inodes: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1].ends_with(&port) && fields[3] == "0A")
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
}
