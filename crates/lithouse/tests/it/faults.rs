// SPDX-License-Identifier: Apache-2.0
//! `kill -9` of the server at random instants, with a fixed seed: no accepted app is lost, no half-built environment is used, and
//! nothing is left over after the next start.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;

use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server};

const ROUNDS: u64 = 50;
const MOST_APPS: usize = 4;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, from: &'a [String]) -> Option<&'a String> {
        let sides = from.len() as u64;
        (sides > 0).then(|| &from[usize::try_from(self.roll(sides)).unwrap()])
    }
}

/// What the server has promised.
#[derive(Default)]
struct Promised {
    accepted: BTreeSet<String>,
    /// Deletions that were asked for: the app may be gone or not until the answer came.
    asked_away: BTreeSet<String>,
    gone: BTreeSet<String>,
}

#[test]
fn fifty_kills_at_random_instants_lose_nothing_and_leave_nothing() {
    let mut server = Server::start();
    let mut dice = Dice(20_261_120);
    let promised = Arc::new(Mutex::new(Promised::default()));
    for round in 0..ROUNDS {
        let wishes: Vec<u64> = (0..4).map(|_| dice.roll(8)).collect();
        let instant = Duration::from_millis(dice.roll(400));
        let seed = dice.roll(1 << 30);
        std::thread::scope(|scope| {
            let (asking, promised) = (&server, Arc::clone(&promised));
            let busy = scope.spawn(move || {
                let mut dice = Dice(seed);
                for wish in wishes {
                    ask(asking, wish, &mut dice, &promised);
                }
            });
            std::thread::sleep(instant); // The random instant of this round.
            crate::server::signal(asking.pid(), "KILL");
            busy.join().unwrap();
        });
        server.kill();
        server.start_again();
        check(&server, &promised.lock().unwrap(), round);
    }
    let promised = promised.lock().unwrap();
    let kept: Vec<String> = promised.accepted.difference(&promised.asked_away).cloned().collect();
    for app in &kept {
        server.wait_for(app, "settled", |seen| ["running", "stopped"].contains(&seen["status"].as_str().unwrap()));
    }
    // Among them are apps whose acceptance the server could not tell any more.
    for app in server.get("/api/apps").expect(200).json()["apps"].as_array().unwrap() {
        server.delete(&format!("/api/apps/{}", app["app_id"].as_str().unwrap())).expect(204);
    }
    check_nothing_is_left(&server);
}

/// One wish; the server may die in the middle of it.
fn ask(server: &Server, wish: u64, dice: &mut Dice, promised: &Mutex<Promised>) {
    let apps: Vec<String> = {
        let promised = promised.lock().unwrap();
        promised.accepted.difference(&promised.asked_away).cloned().collect()
    };
    match (wish, dice.pick(&apps)) {
        (0..=2, _) | (_, None) if apps.len() < MOST_APPS => {
            // Now and then an environment that must be built, so that builds are interrupted too.
            let requirements = if wish == 0 { format!("{STREAMLIT}six==1.1{}.0\n", dice.roll(8)) } else { STREAMLIT.to_owned() };
            if let Ok(answer) = server.try_post_form("/api/apps", Form::app(&requirements, HELLO))
                && answer.status == 201
            {
                promised.lock().unwrap().accepted.insert(answer.json()["app_id"].as_str().unwrap().to_owned());
            }
        }
        (3, Some(app)) => drop(server.try_post(&format!("/api/apps/{app}/restart"))),
        (4, Some(app)) => drop(server.try_post(&format!("/api/apps/{app}/stop"))),
        (5, Some(app)) => drop(server.try_post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, HELLO))),
        (6, Some(app)) => drop(server.try_post(&format!("/api/apps/{app}/start"))),
        (_, Some(app)) => {
            promised.lock().unwrap().asked_away.insert(app.clone());
            if server.try_delete(&format!("/api/apps/{app}")).is_ok_and(|answer| answer.status == 204) {
                promised.lock().unwrap().gone.insert(app.clone());
            }
        }
        (_, None) => {}
    }
}

/// What must hold right after a start.
fn check(server: &Server, promised: &Promised, round: u64) {
    let known: BTreeSet<String> = server.get("/api/apps").expect(200).json()["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|app| app["app_id"].as_str().unwrap().to_owned())
        .collect();
    for app in promised.accepted.difference(&promised.asked_away) {
        assert!(known.contains(app), "round {round}: the accepted app {app} is lost");
    }
    for app in &promised.gone {
        assert!(!known.contains(app), "round {round}: the deleted app {app} is back");
    }
    wait_until_blocking("every folder belongs to an app", PATIENCE, || {
        let known = server.get("/api/apps").json().to_string();
        let folders = std::fs::read_dir(server.data().join("apps")).unwrap().flatten();
        let strange: Vec<_> =
            folders.map(|entry| entry.file_name()).filter(|name| !known.contains(name.to_str().unwrap())).collect();
        if strange.is_empty() { Ok(()) } else { Err(strange) }
    });
    wait_until_blocking("every process belongs to an app", PATIENCE, || {
        let apps = server.get("/api/apps").json();
        let pids: Vec<u64> = apps["apps"].as_array().unwrap().iter().filter_map(|app| app["pid"].as_u64()).collect();
        let strange: Vec<_> = server
            .processes()
            .into_iter()
            .filter(|(pid, command)| {
                let is_app = command.contains("launch.py");
                is_app && !pids.contains(&u64::from(*pid))
            })
            .collect();
        // A candidate's process is not the app's own pid until it takes over, so this settles only with the app.
        if strange.is_empty() { Ok(()) } else { Err(strange) }
    });
}

fn check_nothing_is_left(server: &Server) {
    let left: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
    assert_eq!(left, []);
    let entries = |part: &str| {
        let entries = std::fs::read_dir(server.data().join(part)).unwrap().flatten();
        entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    assert_eq!(entries("apps"), Vec::<std::ffi::OsString>::new());
    assert_eq!(entries("tmp"), Vec::<std::ffi::OsString>::new());
    assert_eq!(entries("envs"), Vec::<std::ffi::OsString>::new());
    let logs = entries("logs");
    assert!(logs.iter().all(|log| ["controller.log", "website.log", "keeper.log"].contains(&log.to_str().unwrap())), "{logs:?}");
}
