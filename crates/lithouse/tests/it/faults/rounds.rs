// SPDX-License-Identifier: Apache-2.0
//! `kill -9` at random instants, with fixed seeds: no accepted app is lost, no half-built environment is used, no line of a log is
//! lost, clients are cut off and served again, and nothing is left over after the next start.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::clients::{COUNTING, Clients, number_in};
use super::leftovers::{check, check_at_rest, check_nothing_is_left};
use super::promises::{Dice, Promises};
use crate::server::Server;

pub(super) const SMALL_LOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/small-logs.toml");
/// So often the apps may come to rest, which takes its time.
const REST_EVERY: u64 = 10;

#[test]
fn fifty_kills_of_the_server_lose_nothing_and_leave_nothing_1() {
    Rounds::begin(20_261_120).run(50);
}

#[test]
fn fifty_kills_of_the_server_lose_nothing_and_leave_nothing_2() {
    Rounds::begin(19_700_101).run(50);
}

#[test]
fn fifty_kills_of_the_server_lose_nothing_and_leave_nothing_3() {
    Rounds::begin(31_415_926).run(50);
}

#[test]
fn fifty_kills_of_the_server_lose_nothing_and_leave_nothing_4() {
    Rounds::begin(27_182_818).run(50);
}

/// `make soak`: the seed is printed, to be put into `SOAK_SEED` when it found something.
#[test]
#[ignore = "takes SOAK_SECONDS"]
fn soak_kills_of_the_server_at_random_instants() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("SOAK_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    println!("SOAK_SEED={seed}");
    let (began, time) = (Instant::now(), Duration::from_secs(number("SOAK_SECONDS").unwrap_or(120)));
    let mut rounds = Rounds::begin(seed);
    while began.elapsed() < time {
        rounds.some(REST_EVERY);
    }
    rounds.end();
}

struct Rounds {
    server: Server,
    dice: Dice,
    promises: Promises,
    /// The app that nobody wishes anything of: it counts, and has clients.
    witness: String,
    pid: u64,
    clients: Clients,
    done: u64,
}

impl Rounds {
    fn begin(seed: u64) -> Self {
        // Logs are put aside at any moment too.
        let server = Server::start_with(&["--config", SMALL_LOGS]);
        let witness = server.running_app(COUNTING);
        let pid = server.app(&witness)["pid"].as_u64().unwrap();
        let clients = Clients::of(&witness);
        clients.come_to(&server);
        Self { server, dice: Dice(seed), promises: Promises::default(), witness, pid, clients, done: 0 }
    }

    fn run(mut self, rounds: u64) {
        self.some(rounds);
        self.end();
    }

    fn some(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.round();
            self.done += 1;
            if self.done.is_multiple_of(REST_EVERY) {
                let promised = self.promises.lock();
                check_at_rest(&self.server, &promised, &format!("after round {}", self.done));
            }
        }
    }

    fn round(&mut self) {
        self.clients.wait_until_served();
        let wishes: Vec<u64> = (0..4).map(|_| self.dice.roll(8)).collect();
        let instant = Duration::from_millis(self.dice.roll(400));
        let mut dice = Dice(self.dice.roll(1 << 30));
        let (server, promises) = (&self.server, &self.promises);
        std::thread::scope(|scope| {
            scope.spawn(move || wishes.into_iter().for_each(|wish| promises.ask(server, wish, &mut dice)));
            std::thread::sleep(instant); // The random instant of this round.
            server.signal_end();
        });
        self.server.kill();
        self.clients.wait_until_cut_off();
        self.server.start_again();
        self.clients.come_to(&self.server);
        check(&self.server, &self.promises.lock(), &format!("round {}", self.done));
        let seen = self.server.app(&self.witness);
        assert_eq!(seen["pid"].as_u64(), Some(self.pid), "round {}: an app ended with the server: {seen}", self.done);
    }

    fn end(self) {
        self.clients.wait_until_served();
        check_at_rest(&self.server, &self.promises.lock(), "at the end");
        self.clients.check();
        drop(self.clients);
        // While it writes on, its files are put aside under whoever reads them.
        self.server.post(&format!("/api/apps/{}/stop", self.witness)).expect(200);
        self.server.wait_for_status(&self.witness, "stopped");
        let log = self.server.data().join(format!("logs/{}.log", self.witness));
        let numbers = numbers_in(&log);
        assert!(PathBuf::from(format!("{}.1", log.display())).exists(), "the log was never put aside");
        assert!(
            numbers.iter().copied().eq(0..numbers.len() as u64),
            "lines of the log are missing, or twice there, or out of order"
        );
        check_nothing_is_left(&self.server);
    }
}

/// What [`COUNTING`] has printed, of all files of its log.
pub(super) fn numbers_in(log: &Path) -> Vec<u64> {
    let rotated = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let mut files: Vec<PathBuf> = (1..1000).map(rotated).take_while(|file| file.exists()).collect();
    files.reverse();
    files.push(log.to_owned());
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    // Of a line that is just being written, half may be there.
    let whole = |text: String| text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned();
    texts.map(whole).flat_map(|text| text.lines().filter_map(number_in).collect::<Vec<_>>()).collect()
}
