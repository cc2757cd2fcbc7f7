// SPDX-License-Identifier: Apache-2.0
//! Every path of an app's life, as tables: events in, effects and status out.

use super::*;

const R1: ReleaseNumber = ReleaseNumber(1);
const R2: ReleaseNumber = ReleaseNumber(2);

fn instance(number: u8) -> InstanceId {
    InstanceId::from_bytes([0, 0, 0, 0, 0, 0, 0, number])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An app that was just created with release 1.
fn created() -> Lifecycle {
    let stored = Stored {
        desired: Desired::Running,
        restart_on_crash: true,
        active: None,
        pending: Some((R1, false)),
        failed: None,
        unproved: None,
        standing: None,
        memory: Memory::default(),
    };
    let (life, effects) = Lifecycle::resume(stored, Vec::new(), None);
    assert_eq!(effects, [Effect::Prepare(R1)]);
    life
}

/// What is stored of an app whose release 1 should serve.
fn ran() -> Stored {
    Stored {
        desired: Desired::Running,
        restart_on_crash: true,
        active: Some(R1),
        pending: None,
        failed: None,
        unproved: None,
        standing: None,
        memory: Memory::default(),
    }
}

impl Lifecycle {
    fn after(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        for event in events {
            self.apply(event, Duration::ZERO);
        }
        self
    }

    fn says(&self) -> AppStatus {
        self.status().0
    }

    fn why(&self) -> String {
        self.status().1.unwrap_or_default()
    }
}

fn prepared(release: ReleaseNumber, number: u8) -> Event {
    Event::Prepared { release, instance: instance(number) }
}

fn spawned(number: u8) -> Event {
    Event::Spawned { instance: instance(number), pid: 1000 + u32::from(number) }
}

fn healthy(number: u8) -> Event {
    Event::Healthy { instance: instance(number) }
}

fn ended(number: u8, ending: Ending) -> Event {
    Event::Ended { instance: instance(number), ending }
}

fn stopped(number: u8) -> Event {
    ended(number, Ending::Stopped { forced: false })
}

fn released(release: ReleaseNumber) -> Event {
    Event::Released { release, proven: false }
}

/// An app whose release 1 runs as instance 1.
fn running() -> Lifecycle {
    created().after([prepared(R1, 1), spawned(1), healthy(1), Event::Proved { instance: instance(1), verdict: Ok(()) }])
}

#[test]
fn a_first_release_is_built_started_and_serves_as_soon_as_its_process_exists() {
    let mut life = created();
    assert_eq!(life.says(), AppStatus::Starting);
    assert_eq!(life.apply(Event::BuildWaits { release: R1 }, Duration::ZERO), []);
    assert_eq!((life.says(), life.why().as_str()), (AppStatus::Starting, "waiting for other builds to end"));
    assert_eq!(life.apply(Event::BuildBegan { release: R1 }, Duration::ZERO), []);
    assert_eq!(life.says(), AppStatus::Building);
    assert_eq!(life.serving(), None);
    assert_eq!(life.apply(prepared(R1, 1), Duration::ZERO), [Effect::Spawn { instance: instance(1), release: R1 }]);
    assert_eq!(life.apply(spawned(1), Duration::ZERO), [Effect::AwaitHealth(instance(1))]);
    assert_eq!((life.says(), life.serving(), life.pid()), (AppStatus::Starting, Some(&instance(1)), Some(1001)));
    assert_eq!(life.apply(healthy(1), Duration::ZERO), [Effect::Activate(R1), Effect::Prove(instance(1))]);
    assert_eq!((life.says(), life.active()), (AppStatus::Running, Some(R1)));
    let proof = Event::Proved { instance: instance(1), verdict: Ok(()) };
    assert_eq!(life.apply(proof, Duration::ZERO), [Effect::Settle { release: R1, reason: None }]);
}

#[test]
fn a_first_release_that_ends_or_is_stopped_before_its_proof_is_settled_all_the_same() {
    let serving = || created().after([prepared(R1, 1), spawned(1), healthy(1)]);
    let crashed = serving().apply(ended(1, Ending::Exited { code: 7 }), Duration::ZERO);
    assert!(matches!(&crashed[0], Effect::Settle { release: R1, reason: Some(reason) } if reason.contains("exit code 7")));
    let stopped = serving().apply(Event::StopAsked, Duration::ZERO);
    assert_eq!(stopped[0], Effect::Settle { release: R1, reason: None });
    let stored = Stored {
        desired: Desired::Running,
        restart_on_crash: true,
        active: Some(R1),
        pending: None,
        failed: None,
        unproved: Some(R1),
        standing: None,
        memory: Memory::default(),
    };
    let (_, effects) = Lifecycle::resume(stored, Vec::new(), None);
    assert_eq!(effects, [Effect::Settle { release: R1, reason: None }, Effect::Prepare(R1)]);
}

#[test]
fn a_first_release_whose_script_raises_runs_and_tells_why() {
    let verdict = Err("the script raised `ValueError: no`".to_owned());
    let life = created().after([prepared(R1, 1), spawned(1), healthy(1), Event::Proved { instance: instance(1), verdict }]);
    assert_eq!(life.says(), AppStatus::Running);
    assert_eq!(life.why(), "the script raised `ValueError: no`");
}

#[test]
fn a_session_that_broke_because_its_process_was_restarted_says_nothing_of_the_app() {
    let verdict = Err("the app closed the session before its script was over".to_owned());
    let proof = Event::Proved { instance: instance(1), verdict };
    let serving = || created().after([prepared(R1, 1), spawned(1), healthy(1)]);
    let again = || [prepared(R1, 2), spawned(2), healthy(2)];
    let before_the_end = serving().after([Event::RestartAsked, proof.clone(), stopped(1)]).after(again());
    let after_it = serving().after([Event::RestartAsked, stopped(1), proof]).after(again());
    for life in [before_the_end, after_it] {
        assert_eq!(life.status(), (AppStatus::Running, None));
    }
}

#[test]
fn a_first_release_that_cannot_be_built_or_started_has_failed_and_can_be_tried_again() {
    let reason = "`nope` does not exist".to_owned();
    let mut life = created();
    let effects = life.apply(Event::PrepareFailed { release: R1, reason: reason.clone() }, Duration::ZERO);
    assert_eq!(effects, [Effect::CancelPrepare(R1), Effect::FailRelease { release: R1, reason: reason.clone() }]);
    assert_eq!(life.status(), (AppStatus::Failed, Some(reason)));
    assert_eq!(life.apply(Event::StartAsked, Duration::ZERO), [Effect::Prepare(R1)]);

    let exits = created().after([prepared(R1, 1), spawned(1), ended(1, Ending::Exited { code: 3 })]);
    assert_eq!(exits.says(), AppStatus::Failed);
    assert!(exits.why().contains("exit code 3"), "{}", exits.why());

    let hangs =
        created().after([prepared(R1, 1), spawned(1), Event::StartTimedOut { instance: instance(1), seconds: 120, seen: None }]);
    assert_eq!(hangs.says(), AppStatus::Failed);
    assert!(hangs.why().contains("never became healthy within 120 s"), "{}", hangs.why());
}

#[test]
fn a_crash_is_followed_by_restarts_with_growing_pauses() {
    let mut life = running();
    for (number, pause) in [(1, 1), (2, 2), (3, 4)] {
        let effects = life.apply(ended(number, Ending::Exited { code: 1 }), Duration::ZERO);
        let turn = u32::from(number);
        assert_eq!(effects, [Effect::WakeAfter { pause: seconds(pause), turn }]);
        assert_eq!((life.says(), life.serving()), (AppStatus::Starting, None));
        assert!(life.why().contains("exit code 1"), "{}", life.why());
        assert_eq!(life.apply(Event::PauseOver { turn }, Duration::ZERO), [Effect::Prepare(R1)]);
        life = life.after([prepared(R1, number + 1), spawned(number + 1), healthy(number + 1)]);
        assert_eq!((life.says(), life.restarts()), (AppStatus::Running, turn));
    }
    let effects = life.apply(ended(4, Ending::OutOfMemory { limit: None }), seconds(60));
    assert_eq!(effects, [Effect::WakeAfter { pause: seconds(1), turn: 4 }], "a minute of health forgets the failures");
    assert!(life.why().contains("ran out of memory"), "{}", life.why());
}

#[test]
fn a_crash_is_final_where_restarts_are_not_wanted() {
    let mut life = running();
    life.set_restart_on_crash(false);
    assert_eq!(life.apply(ended(1, Ending::Signalled { signal: 11 }), Duration::ZERO), []);
    assert_eq!(life.says(), AppStatus::Crashed);
    assert!(life.why().contains("SIGSEGV"), "{}", life.why());
    assert_eq!(life.apply(Event::StartAsked, Duration::ZERO), [Effect::Prepare(R1)]);
}

#[test]
fn an_app_that_died_with_the_keeper_starts_again_without_a_pause_and_tells_until_it_runs() {
    let mut life = running();
    let effects = life.apply(ended(1, Ending::LostWithKeeper), Duration::ZERO);
    assert_eq!(effects, [Effect::Prepare(R1)]);
    assert!(life.why().contains("keeper"), "{}", life.why());
    let back = life.after([prepared(R1, 2), spawned(2), healthy(2)]);
    assert_eq!((back.status(), back.restarts()), ((AppStatus::Running, None), 0));
}

#[test]
fn what_the_proof_found_of_a_serving_release_is_told_until_another_takes_its_place() {
    let verdict = Err("the script raised `ValueError: no`".to_owned());
    let life = created().after([prepared(R1, 1), spawned(1), healthy(1), Event::Proved { instance: instance(1), verdict }]);
    let again =
        life.after([ended(1, Ending::Exited { code: 1 }), Event::PauseOver { turn: 1 }, prepared(R1, 2), spawned(2), healthy(2)]);
    assert_eq!(again.why(), "the script raised `ValueError: no`");
    let replaced = again.after([released(R2), prepared(R2, 3), spawned(3), healthy(3)]);
    let replaced = replaced.after([Event::Proved { instance: instance(3), verdict: Ok(()) }]);
    assert_eq!(replaced.status(), (AppStatus::Running, None));
}

#[test]
fn a_stop_ends_the_process_and_a_pause_that_was_due_does_not_start_it() {
    let mut life = running();
    assert_eq!(life.apply(Event::StopAsked, Duration::ZERO), [Effect::Terminate(instance(1))]);
    assert_eq!((life.says(), life.serving(), life.pid()), (AppStatus::Stopping, None, Some(1001)));
    assert_eq!(life.apply(stopped(1), Duration::ZERO), []);
    assert_eq!((life.says(), life.pid()), (AppStatus::Stopped, None));

    let mut waiting = running().after([ended(1, Ending::Exited { code: 1 }), Event::StopAsked]);
    assert_eq!(waiting.apply(Event::PauseOver { turn: 1 }, Duration::ZERO), []);
    assert_eq!(waiting.says(), AppStatus::Stopped);
}

#[test]
fn a_restart_waits_for_the_old_process_and_a_start_during_a_stop_is_not_forgotten() {
    let mut life = running();
    assert_eq!(life.apply(Event::RestartAsked, Duration::ZERO), [Effect::Terminate(instance(1))]);
    assert_eq!(life.apply(stopped(1), Duration::ZERO), [Effect::Prepare(R1)]);

    let mut stopping = running().after([Event::StopAsked, Event::StartAsked]);
    assert_eq!(stopping.desired(), Desired::Running);
    assert_eq!(stopping.apply(stopped(1), Duration::ZERO), [Effect::Prepare(R1)]);
}

#[test]
fn a_stop_during_the_first_build_gives_it_up_and_a_start_takes_it_up_again() {
    let mut life = created();
    assert_eq!(life.apply(Event::StopAsked, Duration::ZERO), [Effect::CancelPrepare(R1)]);
    assert_eq!(life.says(), AppStatus::Stopped);
    assert_eq!(life.apply(prepared(R1, 1), Duration::ZERO), [], "a result that was on its way changes nothing");
    assert_eq!(life.apply(Event::StartAsked, Duration::ZERO), [Effect::Prepare(R1)]);
}

#[test]
fn a_new_release_takes_over_only_when_healthy_and_proved() {
    let mut life = running().after([released(R2), prepared(R2, 2), spawned(2)]);
    assert_eq!((life.says(), life.serving()), (AppStatus::Running, Some(&instance(1))));
    assert_eq!(life.apply(healthy(2), Duration::ZERO), [Effect::Prove(instance(2))]);
    assert_eq!(life.serving(), Some(&instance(1)));
    let effects = life.apply(Event::Proved { instance: instance(2), verdict: Ok(()) }, Duration::ZERO);
    assert_eq!(effects, [Effect::Activate(R2), Effect::Terminate(instance(1)), Effect::Settle { release: R2, reason: None }]);
    assert_eq!((life.serving(), life.active()), (Some(&instance(2)), Some(R2)));
    assert_eq!(life.apply(stopped(1), Duration::ZERO), []);
    assert_eq!(life.says(), AppStatus::Running);
}

#[test]
fn a_failed_release_keeps_the_old_one_serving_and_says_so() {
    let verdict = Err("the script raised `NameError`".to_owned());
    let proof = Event::Proved { instance: instance(2), verdict };
    let failures: [(Vec<Event>, bool); 4] = [
        (vec![Event::PrepareFailed { release: R2, reason: "no wheel".into() }], false),
        (vec![prepared(R2, 2), spawned(2), ended(2, Ending::Exited { code: 1 })], false),
        (vec![prepared(R2, 2), spawned(2), Event::StartTimedOut { instance: instance(2), seconds: 120, seen: None }], true),
        (vec![prepared(R2, 2), spawned(2), healthy(2), proof], true),
    ];
    for (events, is_alive) in failures {
        let life = running().after([released(R2)]).after(events.clone());
        assert_eq!((life.says(), life.serving(), life.active()), (AppStatus::Running, Some(&instance(1)), Some(R1)));
        assert!(life.why().starts_with("release 2 failed"), "{}", life.why());
        assert_eq!(life.instances().contains(&instance(2)), is_alive, "{events:?}");
    }
}

#[test]
fn going_back_to_a_release_that_served_before_needs_no_proof() {
    let mut life = running().after([Event::Released { release: R2, proven: true }, prepared(R2, 2), spawned(2)]);
    let effects = life.apply(healthy(2), Duration::ZERO);
    assert_eq!(effects, [Effect::Activate(R2), Effect::Terminate(instance(1)), Effect::Settle { release: R2, reason: None }]);
}

#[test]
fn two_releases_in_a_row_leave_only_the_newer_one() {
    let r3 = ReleaseNumber(3);
    let mut life = running().after([released(R2), prepared(R2, 2), spawned(2)]);
    let effects = life.apply(released(r3), Duration::ZERO);
    assert_eq!(effects[0], Effect::Terminate(instance(2)));
    assert!(matches!(&effects[1], Effect::FailRelease { release: R2, .. }), "{effects:?}");
    assert_eq!(effects[2], Effect::Prepare(r3));
    assert_eq!(life.candidate(), Some(r3));
}

#[test]
fn a_release_for_a_stopped_app_is_made_active_without_a_process() {
    let mut life = running().after([Event::StopAsked, stopped(1), released(R2)]);
    assert_eq!(life.apply(prepared(R2, 2), Duration::ZERO), [Effect::Activate(R2), Effect::Settle { release: R2, reason: None }]);
    assert_eq!((life.says(), life.active()), (AppStatus::Stopped, Some(R2)));
}

#[test]
fn a_deletion_waits_for_every_process_and_ignores_all_else() {
    let mut life = running().after([released(R2), prepared(R2, 2), spawned(2)]);
    let effects = life.apply(Event::DeleteAsked, Duration::ZERO);
    assert_eq!(effects, [Effect::Terminate(instance(1)), Effect::Terminate(instance(2))]);
    assert_eq!(life.apply(Event::StartAsked, Duration::ZERO), []);
    assert_eq!(life.apply(stopped(2), Duration::ZERO), []);
    assert_eq!(life.apply(stopped(1), Duration::ZERO), [Effect::Purge]);

    let mut building = created();
    assert_eq!(building.apply(Event::DeleteAsked, Duration::ZERO), [Effect::CancelPrepare(R1), Effect::Purge]);
}

#[test]
fn a_server_that_comes_back_takes_up_what_is_alive_and_ends_what_should_not_be() {
    let found = |release, number| Found { instance: instance(number), release, pid: 1000 + u32::from(number) };
    let stored = ran();
    let (life, effects) = Lifecycle::resume(stored.clone(), vec![found(R1, 1), found(R2, 2), found(R1, 3)], None);
    assert_eq!(life.serving(), Some(&instance(1)));
    assert_eq!(effects, [Effect::AwaitHealth(instance(1)), Effect::Terminate(instance(2)), Effect::Terminate(instance(3))]);

    assert_eq!(life.status(), (AppStatus::Running, None));

    let (_, effects) = Lifecycle::resume(Stored { desired: Desired::Stopped, ..stored.clone() }, vec![found(R1, 1)], None);
    assert_eq!(effects, [Effect::Terminate(instance(1))]);
    let (_, effects) = Lifecycle::resume(stored.clone(), Vec::new(), None);
    assert_eq!(effects, [Effect::Prepare(R1)]);
    let (_, effects) = Lifecycle::resume(Stored { desired: Desired::Deleted, ..stored.clone() }, vec![found(R1, 1)], None);
    assert_eq!(effects, [Effect::Terminate(instance(1))]);
    let (_, effects) = Lifecycle::resume(Stored { desired: Desired::Deleted, ..stored }, Vec::new(), None);
    assert_eq!(effects, [Effect::Purge]);
}

/// An app whose release 1 runs as instance 1, taken up by a server that came back.
fn taken_up() -> Lifecycle {
    Lifecycle::resume(ran(), vec![Found { instance: instance(1), release: R1, pid: 1001 }], None).0
}

fn timed_out(number: u8) -> Event {
    Event::StartTimedOut { instance: instance(number), seconds: 2, seen: None }
}

#[test]
fn a_process_that_served_and_does_not_answer_a_server_that_came_back_goes_on_and_is_told_of_until_it_does() {
    let mut life = taken_up();
    assert_eq!(life.apply(timed_out(1), Duration::ZERO), []);
    assert_eq!((life.says(), life.why().as_str()), (AppStatus::Running, SILENT));
    assert_eq!((life.serving(), life.pid()), (Some(&instance(1)), Some(1001)));
    life.apply(healthy(1), seconds(5));
    assert_eq!(life.status(), (AppStatus::Running, None));
    // It is not asked again, and a late news of the time-out changes nothing.
    assert_eq!(life.apply(timed_out(1), seconds(6)), []);
    assert_eq!(life.status(), (AppStatus::Running, None));

    let mut stopped = taken_up().after([timed_out(1)]);
    assert_eq!(stopped.apply(Event::StopAsked, Duration::ZERO), [Effect::Terminate(instance(1))]);
    assert_eq!(stopped.status(), (AppStatus::Stopping, None));
}

#[test]
fn a_process_that_a_server_took_up_and_that_ends_before_it_answers_has_crashed() {
    let mut life = taken_up().after([timed_out(1)]);
    life.set_restart_on_crash(false);
    life.apply(ended(1, Ending::Exited { code: 1 }), Duration::ZERO);
    assert_eq!(life.says(), AppStatus::Crashed);
    assert!(!life.why().contains(SILENT), "{}", life.why());
    let effects = taken_up().apply(ended(1, Ending::Exited { code: 1 }), Duration::ZERO);
    assert_eq!(effects, [Effect::WakeAfter { pause: seconds(1), turn: 1 }]);
}

#[test]
fn a_process_that_a_server_took_up_and_whose_port_is_anothers_is_ended_and_moves() {
    let mut life = taken_up();
    let taken = Event::PortTaken { instance: instance(1), port: 9, by: None };
    assert_eq!(life.apply(taken, Duration::ZERO), [Effect::Terminate(instance(1))]);
    assert_eq!(life.apply(stopped(1), Duration::ZERO), [Effect::Prepare(R1)]);
}

#[test]
fn a_first_start_that_a_server_left_behind_begins_anew() {
    let stored = Stored {
        desired: Desired::Running,
        restart_on_crash: true,
        active: None,
        pending: Some((R1, false)),
        failed: None,
        unproved: None,
        standing: None,
        memory: Memory::default(),
    };
    let (life, effects) = Lifecycle::resume(stored, vec![Found { instance: instance(1), release: R1, pid: 1001 }], None);
    assert_eq!(effects, [Effect::Terminate(instance(1)), Effect::Prepare(R1)]);
    assert_eq!(life.says(), AppStatus::Starting);
}

/// A small generator with a fixed seed, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn whatever_happens_no_process_is_forgotten_and_a_deletion_always_comes_to_its_end() {
    for seed in 0..500 {
        let mut dice = Dice(seed);
        let mut life = created();
        let mut alive: Vec<InstanceId> = Vec::new();
        let mut releases = 1;
        let mut next = 0_u8;
        for _ in 0..60 {
            let event = match dice.roll(12) {
                0 => Event::StartAsked,
                1 => Event::StopAsked,
                2 => Event::RestartAsked,
                3 => {
                    releases += 1;
                    released(ReleaseNumber(releases))
                }
                4 | 5 => {
                    next += 1;
                    let release = life.candidate().or(life.active()).unwrap_or(R1);
                    Event::Prepared { release, instance: instance(next) }
                }
                6 => Event::PauseOver { turn: life.turn },
                7 => Event::PrepareFailed { release: ReleaseNumber(releases), reason: "no".into() },
                8 if !alive.is_empty() => {
                    let gone = alive.remove(usize::try_from(dice.roll(alive.len() as u64)).unwrap());
                    Event::Ended { instance: gone, ending: Ending::Exited { code: 1 } }
                }
                _ if alive.is_empty() => Event::StartAsked,
                kind => {
                    let instance = alive[usize::try_from(dice.roll(alive.len() as u64)).unwrap()].clone();
                    match kind {
                        9 => Event::Healthy { instance },
                        10 => Event::StartTimedOut { instance, seconds: 9, seen: None },
                        _ => Event::Proved { instance, verdict: if dice.roll(2) == 0 { Ok(()) } else { Err("no".into()) } },
                    }
                }
            };
            for effect in life.apply(event, seconds(1)) {
                if let Effect::Spawn { instance, .. } = effect {
                    alive.push(instance.clone());
                    life.apply(Event::Spawned { instance, pid: 7 }, seconds(1));
                }
            }
            let mut known = life.instances();
            known.sort();
            let before = known.len();
            known.dedup();
            assert_eq!(known.len(), before, "seed {seed}: an instance is in two places");
            alive.sort();
            assert_eq!(known, alive, "seed {seed}");
        }
        let mut purged = life.apply(Event::DeleteAsked, seconds(1)).contains(&Effect::Purge);
        for gone in alive {
            assert!(!purged, "seed {seed}: purged while a process lived");
            purged = life
                .apply(Event::Ended { instance: gone, ending: Ending::OutOfMemory { limit: None } }, seconds(1))
                .contains(&Effect::Purge);
        }
        assert!(purged, "seed {seed}");
    }
}

#[test]
fn a_deletion_that_goes_on_after_a_crash_prepares_nothing_of_what_was_on_its_way() {
    let stored = Stored { desired: Desired::Deleted, pending: Some((R2, false)), ..ran() };
    let (_, effects) = Lifecycle::resume(stored.clone(), Vec::new(), None);
    assert_eq!(effects, [Effect::Purge]);
    let (_, effects) = Lifecycle::resume(Stored { active: None, ..stored }, Vec::new(), None);
    assert_eq!(effects, [Effect::Purge]);
}

#[test]
fn an_app_that_is_down_by_nobodys_wish_is_told_from_one_that_is_on_its_way_or_was_stopped() {
    let crash = || ended(1, Ending::Exited { code: 1 });
    let given_up = |life: Lifecycle| {
        let mut life = life;
        life.set_restart_on_crash(false);
        life
    };
    let no_environment = Event::PrepareFailed { release: R1, reason: "no".to_owned() };
    for (what, life, has_stopped) in [
        ("on its way", created(), false),
        ("running", running(), false),
        ("its first release failed", created().after([no_environment.clone()]), true),
        ("waiting for its next try", running().after([crash()]), true),
        ("crashed", given_up(running()).after([crash()]), true),
        ("trying again", running().after([crash(), Event::StartAsked]), false),
        ("cannot be built any more", running().after([crash(), Event::StartAsked, no_environment]), true),
        ("being stopped", running().after([Event::StopAsked]), false),
        ("stopped", running().after([Event::StopAsked, stopped(1)]), false),
        ("stopped after a crash", running().after([crash(), Event::StopAsked]), false),
        ("being deleted", running().after([Event::DeleteAsked]), false),
        ("with a newer release on its way", running().after([crash(), released(R2)]), true),
    ] {
        assert_eq!(life.has_stopped_by_itself(), has_stopped, "{what}: {life:?}");
    }
}

#[test]
fn an_app_that_never_ran_is_failed_until_somebody_stops_it_and_is_tried_again_by_a_start() {
    let failed = |release| Event::PrepareFailed { release, reason: "no".to_owned() };
    let mut life = created().after([failed(R1)]);
    assert_eq!(life.status(), (AppStatus::Failed, Some("no".to_owned())));
    assert_eq!((life.apply(Event::StopAsked, Duration::ZERO), life.status()), (vec![], (AppStatus::Stopped, None)));
    // A later release that fails is news again.
    let again = life.clone().after([released(R2), failed(R2)]);
    assert_eq!(again.says(), AppStatus::Failed);
    assert_eq!(life.apply(Event::StartAsked, Duration::ZERO), [Effect::Prepare(R1)]);
    assert_eq!(life.after([failed(R1)]).says(), AppStatus::Failed);

    let stored = Stored { active: None, failed: Some((R1, "no".to_owned())), ..ran() };
    let status = |desired| Lifecycle::resume(Stored { desired, ..stored.clone() }, Vec::new(), None).0.says();
    assert_eq!((status(Desired::Running), status(Desired::Stopped)), (AppStatus::Failed, AppStatus::Stopped));
}

#[test]
fn a_process_is_on_its_way_only_while_something_is_prepared_for_it() {
    let failed = Event::PrepareFailed { release: R1, reason: "no".to_owned() };
    for (what, life, is_preparing) in [
        ("on its way", created(), true),
        ("its first release failed", created().after([failed]), false),
        ("stopped on its way", created().after([Event::StopAsked]), false),
        ("started again", created().after([Event::StopAsked, Event::StartAsked]), true),
        ("running", running(), false),
        ("stopped", running().after([Event::StopAsked, stopped(1)]), false),
        ("started after a stop", running().after([Event::StopAsked, stopped(1), Event::StartAsked]), true),
        ("with a newer release on its way", running().after([released(R2)]), true),
    ] {
        assert_eq!(life.is_preparing(), is_preparing, "{what}: {life:?}");
    }
}

fn port_taken(number: u8) -> Event {
    Event::PortTaken { instance: instance(number), port: 8501, by: Some("`nginx` (pid 7)".to_owned()) }
}

#[test]
fn a_start_whose_port_somebody_else_has_taken_is_tried_with_another_one() {
    // Found by its watcher while it runs, or told by its end.
    let mut life = created().after([prepared(R1, 1), spawned(1)]);
    assert_eq!(life.apply(port_taken(1), Duration::ZERO), [Effect::Terminate(instance(1)), Effect::Prepare(R1)]);
    let mut life = life.after([stopped(1), prepared(R1, 2), spawned(2)]);
    let ending = Ending::PortTaken { port: 8502, by: None };
    assert_eq!(life.apply(ended(2, ending), Duration::ZERO), [Effect::Prepare(R1)]);
    let life = life.after([prepared(R1, 3), spawned(3), healthy(3)]);
    assert_eq!(life.status(), (AppStatus::Running, None));
}

#[test]
fn a_restart_whose_port_is_taken_again_and_again_tells_who_has_it() {
    let mut life = running().after([ended(1, Ending::Exited { code: 1 }), Event::PauseOver { turn: 1 }]);
    for number in 2..12 {
        life = life.after([prepared(R1, number), spawned(number)]);
        assert_eq!(life.apply(port_taken(number), Duration::ZERO), [Effect::Terminate(instance(number))]);
        assert_eq!(life.apply(stopped(number), Duration::ZERO), [Effect::Prepare(R1)]);
        assert_eq!(life.why(), "port 8501 is in use by `nginx` (pid 7); the app is started with another port");
    }
    let life = life.after([prepared(R1, 12), spawned(12), port_taken(12), stopped(12)]);
    assert!(life.why().contains("`nginx` (pid 7); it is started again after a pause of"), "{}", life.why());
}

#[test]
fn a_server_that_takes_over_goes_on_with_what_an_earlier_one_knew_of_crashes() {
    let waiting = running().after([ended(1, Ending::Exited { code: 1 })]);
    let taken_over = |life: &Lifecycle| {
        let stored = Stored { restart_on_crash: life.restart_on_crash, memory: life.memory(), ..ran() };
        Lifecycle::resume(stored, Vec::new(), None)
    };
    let (mut life, effects) = taken_over(&waiting);
    assert_eq!(life.status(), waiting.status());
    assert_eq!(effects, [Effect::WakeAfter { pause: seconds(1), turn: 1 }]);
    life.apply(Event::PauseOver { turn: 1 }, Duration::ZERO);
    let life = life.after([prepared(R1, 2), spawned(2), healthy(2)]);
    assert_eq!(life.memory(), Memory { restarts: 1, failures: 1, down: None });
    let life = life.after([ended(2, Ending::Exited { code: 1 })]);
    let (life, effects) = taken_over(&life);
    assert_eq!((life.restarts(), effects), (1, vec![Effect::WakeAfter { pause: seconds(2), turn: 1 }]));

    let mut crashed = running();
    crashed.set_restart_on_crash(false);
    let crashed = crashed.after([ended(1, Ending::Exited { code: 1 })]);
    let (life, effects) = taken_over(&crashed);
    assert_eq!((life.status(), effects), (crashed.status(), vec![]));
    assert!(life.has_stopped_by_itself());
}

#[test]
fn an_end_that_no_server_heard_of_is_a_crash_like_any_other_unless_it_was_asked_for() {
    let missed = |ending| Lifecycle::resume(ran(), Vec::new(), Some(ending));
    let (life, effects) = missed(Ending::Exited { code: 3 });
    assert_eq!((life.says(), effects), (AppStatus::Starting, vec![Effect::WakeAfter { pause: seconds(1), turn: 1 }]));
    assert!(life.why().contains("exit code 3"), "{}", life.why());
    for asked in [Ending::Stopped { forced: false }, Ending::LostWithKeeper] {
        assert_eq!(missed(asked).1, [Effect::Prepare(R1)]);
    }
    let stays = Stored { restart_on_crash: false, ..ran() };
    let (life, effects) = Lifecycle::resume(stays, Vec::new(), Some(Ending::Signalled { signal: 9 }));
    assert_eq!((life.says(), effects), (AppStatus::Crashed, vec![]));
    let unwanted = Stored { desired: Desired::Stopped, ..ran() };
    let (life, effects) = Lifecycle::resume(unwanted, Vec::new(), Some(Ending::Exited { code: 3 }));
    assert_eq!((life.says(), effects), (AppStatus::Stopped, vec![]));
}
