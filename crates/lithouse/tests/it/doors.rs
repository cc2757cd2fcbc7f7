// SPDX-License-Identifier: Apache-2.0
//! Who may ask, and what an app may know.

use std::process::Stdio;

use crate::form::Form;
use crate::server::{HELLO, PATIENCE, Server};
use lithouse_testkit::wait_until_blocking;

#[test]
fn a_foreign_host_is_refused_and_every_loopback_name_is_served() {
    let server = Server::start_without_environments();
    for host in ["evil.example", "127.0.0.1.evil.example", "169.254.169.254", ""] {
        server.get_with("/api/apps", &[("Host", host)]).expect_problem(403, "host_not_served");
    }
    for host in ["localhost", "localhost:9999", "app.localhost", "127.0.0.1", "[::1]:8080"] {
        server.get_with("/api/apps", &[("Host", host)]).expect(200);
    }
}

#[test]
fn a_page_of_another_origin_can_change_nothing_and_open_no_websocket() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let stop = format!("/api/apps/{app}/stop");
    server.post_with(&stop, &[("Origin", "http://evil.example")]).expect_problem(403, "foreign_origin");
    server.post_with(&stop, &[("Origin", "null")]).expect_problem(403, "foreign_origin");
    server.post_with(&stop, &[("Sec-Fetch-Site", "cross-site")]).expect_problem(403, "foreign_origin");
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Origin", "http://evil.example"),
    ];
    server.get_with(&format!("/apps/{app}/_stcore/stream"), &upgrade).expect_problem(403, "foreign_origin");
    assert_eq!(server.app(&app)["status"], "running");
    server.post_with(&stop, &[("Origin", &server.url("")), ("Sec-Fetch-Site", "same-origin")]).expect(200);
}

#[test]
fn a_request_that_somebody_passed_on_is_not_the_local_users() {
    let server = Server::start_without_environments();
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let problem = server.get_with("/api/apps", &[(header, "192.0.2.1")]).expect_problem(401, "not_signed_in");
        assert!(problem["hint"].is_string(), "{problem}");
    }
    server.get_with("/health", &[("X-Forwarded-For", "192.0.2.1")]).expect(200);
}

#[test]
fn another_user_of_this_machine_is_not_let_in() {
    let server = Server::start_without_environments();
    // Only root can become somebody else.
    if !rustix::process::getuid().is_root() {
        eprintln!("skipped: this needs root");
        return;
    }
    let script = "import os, socket, sys\nhost, port = sys.argv[1].split(':')\nos.setuid(65534)\n\
                  s = socket.socket(); s.connect((host, int(port)))\n\
                  s.sendall(f'GET /api/apps HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n'.encode())\nprint(s.recv(12).decode())\n";
    let asked = std::process::Command::new("python3").args(["-c", script, &server.address()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), "HTTP/1.1 401", "{asked:?}");
}

#[test]
fn listening_where_others_reach_it_is_refused_unless_it_is_said_in_so_many_words() {
    let server = Server::prepare(&[]);
    for args in [&["--listen", "0.0.0.0:0"][..], &["--listen", "127.0.0.1:0", "--public-base", "https://apps.example.com"]] {
        let refused = server.command().arg("serve").args(args).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("--auth none"), "{args:?}: {said}");
    }
    let said_to = |args: &[&str]| {
        let refused = server.command().arg("serve").args(args).stdin(Stdio::null()).output().unwrap();
        assert!(!refused.status.success(), "{refused:?}");
        String::from_utf8(refused.stderr).unwrap()
    };
    let said = said_to(&["--listen", "0.0.0.0:0", "--public-base", "https://apps.example.com"]);
    assert!(said.starts_with("error: `0.0.0.0:0` can be") && said.contains("\nhint: listen on 127.0.0.1, or"), "{said}");
    let said = said_to(&["--listen", "127.0.0.1:0", "--public-base", "https://apps.example.com"]);
    assert!(said.starts_with("error: `https://apps.example.com/` can be"), "{said}");
    let hint = "\nhint: say `--auth none` if the server in front of it asks for credentials, or leave `--public-base` out\n";
    assert!(said.ends_with(hint), "{said}");
    let open = Server::prepare(&["--public-base", "https://apps.example.com/team", "--auth", "none"]).up();
    open.wait_until_said(&["warning: auth is `none`"]);
    open.get_with("/api/apps", &[("Host", "apps.example.com"), ("X-Forwarded-For", "192.0.2.1")]).expect(200);
    let created = open.post_form("/api/apps", Form::app("six\n", HELLO).text("key", "x")).expect(201).json();
    assert_eq!(created["access_url"], "https://apps.example.com/team/apps/x/");
}

#[test]
fn an_address_that_cannot_be_listened_on_is_told_with_cause_and_hint() {
    let server = Server::prepare(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let in_use = (&*address, "Address already in use", "another program has the port; choose another with `--listen`");
    // Of the range for documentation, which no machine has.
    let strange = ("192.0.2.1:0", "", "this machine does not have that address; choose one of its own with `--listen`");
    for (listen, cause, hint) in [in_use, strange] {
        let command = ["serve", "--auth", "none", "--listen", listen];
        let refused = server.command().args(command).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{said}");
        assert!(said.starts_with(&format!("error: could not listen on `{listen}`: {cause}")), "{said}");
        assert!(said.ends_with(&format!("\nhint: {hint}\n")), "{said}");
    }
}

#[test]
fn a_connection_is_watched_for_a_client_that_vanishes() {
    use std::io::{Read, Write};
    let server = Server::start_without_environments();
    let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    write!(client, "GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", server.address()).unwrap();
    assert_ne!(client.read(&mut [0; 64]).unwrap(), 0);
    let ends = [client.peer_addr(), client.local_addr()].map(|end| format!(":{:04X}", end.unwrap().port()));
    wait_until_blocking("the kernel has a timer for the idle connection", PATIENCE, || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let line = table.lines().find(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1])
        });
        // The timer's kind: 2 is that of an idle connection.
        let line = line.ok_or_else(|| table.clone())?;
        if line.split_whitespace().nth(5).unwrap().starts_with("02:") { Ok(()) } else { Err(line.to_owned()) }
    });
}

#[test]
fn nothing_of_the_servers_environment_reaches_an_app() {
    let mut server = Server::prepare(&[]);
    server.start_again_with_env(&[
        ("LITHOUSE_SECRET", "ours"),
        ("AWS_SECRET_ACCESS_KEY", "theirs"),
        ("STREAMLIT_SERVER_ENABLE_CORS", "false"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONPATH", "/nowhere"),
    ]);
    crate::store_of_envs::link_into(&server.data());
    let script = "import os, json, streamlit as st\nst.write('x')\nprint('ENV', json.dumps(dict(v.split('=', 1) for v in open('/proc/self/environ').read().split(chr(0)) if v)))\n\
                  print('FDS', sorted(os.readlink(f'/proc/self/fd/{f}') for f in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{f}')))\n";
    let app = server.running_app(script);
    let log = wait_until_blocking("the script ran", PATIENCE, || {
        let log = server.get(&format!("/api/apps/{app}/logs")).text();
        if log.contains("out | FDS") { Ok(log) } else { Err(log) }
    });
    let line = |mark: &str| log.lines().find_map(|line| line.split_once(mark)).unwrap().1.to_owned();
    let environment: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line("out | ENV ")).unwrap();
    for name in environment.keys() {
        let known = [
            "PATH",
            "VIRTUAL_ENV",
            "HOME",
            "PORT",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "TZ",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "REQUESTS_CA_BUNDLE",
            "LITHOUSE_APP_ID",
            "LITHOUSE_APP_DATA",
            "LITHOUSE_APP_PREFIX",
            "LITHOUSE_APP_URL",
            "LITHOUSE_INSTANCE",
            "LITHOUSE_KEEPER_HOME",
        ];
        let proxies = ["http_proxy", "https_proxy", "no_proxy"];
        let is_ours = name.starts_with("STREAMLIT_SERVER_")
            || name.starts_with("STREAMLIT_BROWSER_")
            || name.starts_with("STREAMLIT_GLOBAL_");
        assert!(known.contains(&name.as_str()) || proxies.contains(&name.to_lowercase().as_str()) || is_ours, "{name} leaks");
    }
    assert!(!environment.contains_key("STREAMLIT_SERVER_ENABLE_CORS"));
    assert!(!line("out | FDS").contains("lithouse.db") && !line("out | FDS").contains("lithouse.lock"), "{log}");
}
