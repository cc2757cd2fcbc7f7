// SPDX-License-Identifier: Apache-2.0
//! `start` and `stop` of the server.

use std::net::TcpListener;
use std::process::Command;

use lithouse_testkit::wait_until_blocking;

use super::house::{House, finish};
use crate::server::{HELLO, PATIENCE, Server, is_alive};

#[test]
fn start_returns_when_the_server_answers_and_a_second_one_says_that_it_runs() {
    let house = House::new();
    let started = house.run("start").code(0);
    let server = house.server();
    assert_eq!(started.stdout.trim(), server["url"]);
    let started = started.says(&format!("the server runs in the background (pid {})\n", server["pid"]));
    started.says(&format!("log: {}\n", server["log"].as_str().unwrap()));
    let again = house.run("start").code(0);
    assert_eq!(again.stdout.trim(), server["url"]);
    again.says(&format!("a server runs already (pid {})", server["pid"]));
    std::fs::create_dir(house.folder().join("others")).unwrap();
    house.run("start others").code(0).says("hint: it does not serve `");
    assert_eq!(house.server(), server);
}

#[test]
fn a_server_in_the_background_keeps_nothing_of_its_caller() {
    let house = House::new();
    // `cat` ends when nobody holds its pipe any more, and so does whatever reads descriptor 9.
    let mut shell = Command::new("sh");
    let lithouse = house.command();
    shell.current_dir(house.folder()).env("LITHOUSE_LISTEN", "127.0.0.1:0");
    shell.args(["-c", "{ { \"$0\" start 2>&1 9>&1 | cat; } 9>&1; } | cat"]).arg(lithouse.get_program());
    let run = finish(&mut shell).code(0);
    assert!(run.stdout.contains("the server runs in the background"), "{run:#?}");
    let pid = house.pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap();
    assert_eq!(session, pid.to_string(), "it has a session of its own");
    let open = |number: u8| std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
    assert_eq!((open(0), open(1)), ("/dev/null".into(), "/dev/null".into()));
    assert_eq!(open(2), house.data().join("logs/controller.log").canonicalize().unwrap());
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), house.folder().canonicalize().unwrap());
}

#[test]
fn a_server_that_cannot_start_is_heard_in_its_own_words() {
    let house = House::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = house.run(&format!("start --listen {address}")).code(1);
    assert_eq!(run.stdout, "");
    let words = format!(
        "error: could not listen on `{address}`: Address already in use (os error 98)\n\
         hint: another program has the port; choose another with `--listen`\n"
    );
    assert_eq!(run.stderr, words);
    house.run("start --listen nonsense").code(2).says("`--listen` is set to `nonsense`");
    wait_until_blocking("nothing is left", PATIENCE, || {
        let left = house.processes();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn of_two_starts_at_once_one_starts_and_the_other_says_so() {
    let house = House::new();
    let starts: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| house.run("start").code(0))).collect();
        starting.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let begun = starts.iter().filter(|run| run.stderr.contains("runs in the background")).count();
    let already = starts.iter().filter(|run| run.stderr.contains("a server runs already")).count();
    assert_eq!((begun, already), (1, 2), "{starts:#?}");
}

#[test]
fn stop_returns_when_the_server_and_every_app_are_gone_and_the_next_start_brings_them_back() {
    let house = House::new().started();
    let (app, server, keeper) = (house.hello("sales"), house.pid(), house.keeper());
    house.run("stop").code(0).says("the server is stopped, with all apps");
    assert!(!is_alive(app) && !is_alive(server) && !is_alive(keeper));
    assert_eq!(house.processes(), []);
    house.run("stop").code(0).says("no server runs for the data folder `data`");
    house.run("start").code(0);
    house.run("start sales").code(0).says("`sales` is running");
}

#[test]
fn a_word_after_start_is_a_folder_where_there_is_one_and_an_app_otherwise() {
    let house = House::new();
    let served = house.folder().join("many/sales");
    std::fs::create_dir_all(&served).unwrap();
    std::fs::write(served.join("app.py"), HELLO).unwrap();
    house.run("start sales").code(5).says("no server answers at `data/control.sock`");
    house.run("start many").code(0);
    assert_eq!(house.server()["folder"], served.parent().unwrap().canonicalize().unwrap().to_str().unwrap());
    house.run("stop sales").code(0);
    assert_eq!(house.app("sales")["status"], "stopped");
    house.run("start sales --no-wait").code(0).says("`sales` is");
    house.run("stop sales").code(0);
    // A folder of the app's name lies here, which the server does not serve.
    std::fs::create_dir(house.folder().join("sales")).unwrap();
    let started = house.run("start sales --no-wait").code(0).says("`sales` is");
    assert!(started.stdout.is_empty() && !started.stderr.contains("lithouse stop"), "{started:#?}");
    wait_until_blocking("it is started", PATIENCE, || {
        let app = house.app("sales");
        if app["status"] == "stopped" { Err(app) } else { Ok(()) }
    });
    house.run("start many").code(0).says("a server runs already");
    house.run("start ./sales").code(0).says("hint: it does not serve `");
    std::fs::remove_dir(house.folder().join("sales")).unwrap();
    house.run("start no-such-app").code(3).says("there is no app `no-such-app`");
    house.run("start no/such/folder").code(2).says("neither a folder nor a key");
    house.run("start sales --listen 127.0.0.1:1").code(2).says("takes no settings of a server");
}

#[test]
fn a_broken_configuration_takes_no_verb_away_from_a_server_that_runs() {
    let house = House::new();
    let file = house.folder().join("lithouse.toml");
    std::fs::write(&file, "[hosting\n").unwrap();
    let none = house.run("status").code(2).says("error: lithouse.toml:1:9: this is not TOML: ");
    assert!(none.stderr.ends_with("\nhint: mend it, or name the server's folder with `--data DIR`\n"), "{none:#?}");
    std::fs::remove_file(&file).unwrap();
    let house = house.started();
    let pid = house.pid();
    std::fs::write(&file, "[hosting\n").unwrap();
    let status = house.run("status --server --json").code(0).says("warning: lithouse.toml:1:9: this is not TOML: ");
    assert!(status.stderr.ends_with("\nhint: `--data DIR` names the server's folder\n"), "{status:#?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&status.stdout).unwrap()["pid"], pid);
    // Whoever names the folder needs no file.
    assert!(!house.run("apps --data data").code(0).stderr.contains("warning"));
    house.run("refresh").code(4).says("\nerror: lithouse.toml:1:9: this is not TOML: ");
    house.run("restart --server").code(4).says("\nerror: the successor would not serve: lithouse.toml:1:9: ");
    house.run("stop").code(0).says("the server is stopped, with all apps");
    assert!(!is_alive(pid));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn status_tells_every_app_and_the_server() {
    let house = House::new();
    let none = house.run("status").code(3);
    assert_eq!((none.stdout.as_str(), none.stderr.lines().count()), ("", 2), "{none:#?}");
    none.says("error: no server runs for the data folder `data`\nhint: `lithouse start --data data` starts it");
    let house = house.started();
    let app = house.hello("sales");
    let server = house.server();
    assert_eq!(server["apps"], serde_json::json!({"running": 1}));
    let status = house.run("status").code(0);
    let row: Vec<&str> = status.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["sales", "running", &app.to_string()], "{status:#?}");
    assert_eq!(row[3], house.app("sales")["port"].to_string(), "{status:#?}");
    status.says(&format!("server: pid {}, version ", server["pid"]));
}

#[test]
fn only_the_control_socket_ends_the_server() {
    let server = Server::start_without_environments();
    let told = server.get("/api/server").expect(200).json();
    assert_eq!((told["pid"].as_u64(), told["url"].as_str()), (Some(server.pid().into()), Some(server.url("/").as_str())));
    server.post("/api/server/stop").expect_problem(403, "control_socket_only");
    assert!(is_alive(server.pid()));
}

#[test]
fn in_the_background_each_line_is_in_the_log_once_and_with_its_time() {
    let house = House::new();
    std::fs::create_dir(house.folder().join("apps")).unwrap();
    house.run("start apps --watch").code(0);
    let log = || std::fs::read_to_string(house.data().join("logs/controller.log")).unwrap();
    let put = |key: &str| {
        let folder = house.folder().join("apps").join(key);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("app.py"), HELLO).unwrap();
        wait_until_blocking("it is taken", PATIENCE, || {
            if log().contains(&format!("added        {key}")) { Ok(()) } else { Err(log()) }
        });
    };
    put("first");
    // The successor tells of it at its start.
    std::fs::create_dir(house.folder().join("apps/Not A Key")).unwrap();
    std::fs::write(house.folder().join("apps/Not A Key/app.py"), HELLO).unwrap();
    house.run("restart --server").code(0);
    put("second");
    house.run("stop").code(0);
    let log = log();
    for line in ["added        first", "added        second", "stopping: every app is ended"] {
        assert_eq!(log.matches(line).count(), 1, "{line} in {log}");
    }
    assert!(log.contains(" WARN ") && log.contains("not served: `apps/Not A Key`"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
}
