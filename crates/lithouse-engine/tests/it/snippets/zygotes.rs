// SPDX-License-Identifier: Apache-2.0
//! What happens when the zygote, or a process that waits, meets its end.

use lithouse_engine::environment::Environments;
use lithouse_engine::snippets::{Event, Level, Request, Sandbox, Settings, Snippets, Status};
use lithouse_testkit::{wait_until, wait_until_blocking};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::lab::{Lab, PATIENCE, offer, open, program};
use super::processes::{is_stopped, processes, settled, signal, zygote};
use crate::environment::lab::settings;

/// The strongest level that this machine offers.
fn best() -> Lab {
    Lab::new(offer().best.unwrap_or(Level::None))
}

#[test]
fn a_zygote_that_is_killed_is_replaced_and_nobody_notices() {
    let lab = best();
    settled(&lab);
    for _ in 0..3 {
        let killed = zygote(&lab);
        signal(killed, Signal::KILL);
        wait_until_blocking("it is dead", PATIENCE, || !processes(&lab).iter().any(|process| process.pid == killed));
        assert_eq!(lab.run("print('served')").printed(), "served\n");
        assert_ne!(zygote(&lab), killed);
    }
    settled(&lab);
    let reason = lab.snippets.health().reason.unwrap();
    assert!(reason.contains("ended"), "{reason}");
}

#[test]
fn a_run_whose_zygote_is_killed_says_that_it_was_not_the_code() {
    let lab = best();
    settled(&lab);
    let outcome = lab.runtime.block_on(async {
        let (send, mut events) = mpsc::channel(16);
        let snippets = lab.snippets.clone();
        let run =
            tokio::spawn(async move { snippets.execute(open("print('on', flush=True)\nwhile True: pass"), Some(send)).await });
        assert!(matches!(events.recv().await, Some(Event::Stdout(_))));
        signal(zygote(&lab), Signal::KILL);
        drop(events);
        run.await.unwrap().unwrap()
    });
    assert_eq!((outcome.status, outcome.output.stdout.as_str()), (Status::Crashed, "on\n"));
    let message = outcome.error.unwrap().message;
    assert!(message.contains("not the code's fault"), "{message}");
    settled(&lab);
}

#[test]
fn a_zygote_that_does_not_answer_is_replaced() {
    let lab = best();
    settled(&lab);
    let stopped = zygote(&lab);
    signal(stopped, Signal::STOP);
    wait_until_blocking("it is stopped", PATIENCE, || is_stopped(stopped));
    // Those that are parked serve on; then one has to be forked.
    for _ in 0..5 {
        assert_eq!(lab.run("print('served')").printed(), "served\n");
    }
    settled(&lab);
    assert_ne!(zygote(&lab), stopped);
    let reason = lab.snippets.health().reason.unwrap();
    assert!(reason.contains("did not answer"), "{reason}");
}

#[test]
fn parked_processes_that_are_killed_are_not_given_to_anybody() {
    let lab = best();
    let zygote = zygote(&lab);
    for process in settled(&lab).iter().filter(|process| process.pid != zygote) {
        signal(process.pid, Signal::KILL);
    }
    for _ in 0..4 {
        assert_eq!(lab.run("print('served')").printed(), "served\n");
    }
    assert_eq!(settled(&lab).iter().filter(|process| process.pid == zygote).count(), 1, "the zygote serves on");
}

#[test]
fn an_old_zygote_is_replaced_and_no_run_waits_for_it() {
    let lab = Lab::with(offer().best.unwrap_or(Level::None), |settings| settings.forks_per_zygote = 12);
    settled(&lab);
    let first = zygote(&lab);
    lab.runtime.block_on(async {
        let clients = (0..4).map(|_| {
            let snippets = lab.snippets.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert_eq!(snippets.execute(open("print('served')"), None).await.unwrap().status, Status::Success);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    });
    wait_until_blocking("another one has taken its place", PATIENCE, || {
        let all = processes(&lab);
        if all.iter().any(|process| process.pid == first) { Err(all) } else { Ok(()) }
    });
    assert_eq!(lab.snippets.health().reason, None);
    settled(&lab);
}

#[test]
fn everything_ends_when_the_server_leaves() {
    let lab = best();
    settled(&lab);
    lab.runtime.block_on(async {
        let (send, mut events) = mpsc::channel(16);
        let snippets = lab.snippets.clone();
        let run =
            tokio::spawn(async move { snippets.execute(open("print('on', flush=True)\nwhile True: pass"), Some(send)).await });
        assert!(matches!(events.recv().await, Some(Event::Stdout(_))));
        lab.snippets.leave().await;
        assert_eq!(processes(&lab), []);
        drop(events);
        let outcome = run.await.unwrap().unwrap();
        assert_eq!(outcome.status, Status::Crashed, "{outcome:?}");
    });
}

#[test]
fn a_service_that_is_dropped_without_a_word_leaves_nothing_either() {
    let lab = Lab::new(Level::None);
    lab.runtime.block_on(async {
        lab.snippets.leave().await;
        let environments = Environments::open(lab.home.clone(), settings()).unwrap();
        let mut settings = Settings::new(program());
        settings.sandbox = Sandbox::Exactly(Level::None);
        let service = Snippets::open(lab.home.clone(), environments, settings);
        let other = service.clone();
        drop(service);
        let outcome = other.execute(Request::of("print('still there')"), None).await.unwrap();
        assert_eq!(outcome.output.stdout, "still there\n");
        assert!(!processes(&lab).is_empty());
        drop(other);
        wait_until("all is gone", PATIENCE, async || {
            let left = processes(&lab);
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    });
}
