// SPDX-License-Identifier: Apache-2.0
//! What dead servers have left does no harm.

use std::path::Path;
use std::process::Command;

use lithouse_testkit::wait_until_blocking;

use super::house::House;
use crate::server::{PATIENCE, is_alive, signal};

impl House {
    /// `kill -9` of the server.
    pub(super) fn kill_server(&self) {
        let pid = self.pid();
        signal(pid, "KILL");
        wait_until_blocking("the server is gone", PATIENCE, || !is_alive(pid) && !is_held(&self.data().join("lithouse.lock")));
    }
}

/// A process that was killed is a zombie for a moment before its files are closed.
fn is_held(lock: &Path) -> bool {
    let file = std::fs::File::open(lock).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_err()
}

#[test]
fn after_a_kill_status_says_so_and_start_finds_the_apps_again() {
    let house = House::new().started();
    let (app, keeper) = (house.hello("sales"), house.keeper());
    house.kill_server();
    let words = format!("no server runs for the data folder `data`; its apps go on without it (keeper {keeper})");
    house.run("status").code(3).says(&words);
    house.run("start").code(0);
    assert_eq!(house.app_pid("sales"), app);
}

#[test]
fn stop_ends_the_apps_of_a_server_that_was_killed() {
    let house = House::new().started();
    let (app, keeper) = (house.hello("sales"), house.keeper());
    house.kill_server();
    house.run("stop").code(0).says("stopped, with all apps");
    assert!(!is_alive(app) && !is_alive(keeper));
    house.run("start").code(0);
    house.run("start sales").code(0).says("`sales` is running");
}

#[test]
fn stop_ends_a_server_whose_socket_was_taken_away() {
    let house = House::new().started();
    let pid = house.pid();
    std::fs::remove_file(house.data().join("control.sock")).unwrap();
    house.run("stop").code(0).says("stopped, with all apps");
    assert!(!is_alive(pid));
}

#[test]
fn files_of_a_machine_that_went_down_and_numbers_that_others_have_now_do_no_harm() {
    let house = House::new().started();
    let keeper = house.keeper();
    house.kill_server();
    signal(keeper, "KILL");
    let lock = house.data().join("keeper.lock");
    wait_until_blocking("the keeper is gone", PATIENCE, || !is_alive(keeper) && !is_held(&lock));
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    for lock in ["lithouse.lock", "keeper.lock"] {
        std::fs::write(house.data().join(lock), format!("{}\n", stranger.id())).unwrap();
    }
    assert!(house.data().join("control.sock").exists() && house.data().join("keeper.sock").exists());
    house.run("status").code(3).says("no server runs for the data folder `data`\n");
    house.run("stop").code(0).says("no server runs");
    assert!(is_alive(stranger.id()), "a stranger was ended");
    house.run("start").code(0);
    assert_ne!(house.pid(), stranger.id());
    house.run("stop").code(0);
    assert!(is_alive(stranger.id()), "a stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
