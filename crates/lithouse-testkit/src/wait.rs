// SPDX-License-Identifier: Apache-2.0
//! Waits until something holds, with a deadline and, when it never does, with what was seen last.

use std::fmt::Debug;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// One look at something that is waited for.
pub trait Observation {
    /// What is known once it holds.
    type Held;
    /// What holds, or else what was seen instead.
    fn held(self) -> Result<Self::Held, String>;
}

impl<T> Observation for Option<T> {
    type Held = T;
    fn held(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

/// The error is the state that was seen instead.
impl<T, E: Debug> Observation for Result<T, E> {
    type Held = T;
    fn held(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

impl Observation for bool {
    type Held = ();
    fn held(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("that it does not hold".to_owned()) }
    }
}

/// Looks again and again until it holds; panics when the deadline has passed, saying what was seen last.
pub async fn wait_until<O: Observation>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> O) -> O::Held {
    let began = Instant::now();
    loop {
        match look().await.held() {
            Ok(held) => return held,
            Err(seen) if began.elapsed() > deadline => give_up(what, deadline, &seen),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// [`wait_until`] for tests without a runtime.
pub fn wait_until_blocking<O: Observation>(what: &str, deadline: Duration, mut look: impl FnMut() -> O) -> O::Held {
    let began = Instant::now();
    loop {
        match look().held() {
            Ok(held) => return held,
            Err(seen) if began.elapsed() > deadline => give_up(what, deadline, &seen),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[expect(clippy::panic, reason = "the caller is a test, and this is how a test fails")]
fn give_up(what: &str, deadline: Duration, seen: &str) -> ! {
    panic!("waited {deadline:?} until {what}; last seen: {seen}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_later_is_waited_for() {
        let mut looks = 0;
        let held = wait_until_blocking("three looks", Duration::from_secs(5), || {
            looks += 1;
            if looks == 3 { Ok("held") } else { Err(looks) }
        });
        assert_eq!(held, "held");
    }

    #[test]
    #[should_panic(expected = "until pigs fly; last seen: \"on the ground\"")]
    fn what_never_holds_is_reported_with_what_was_seen_last() {
        wait_until_blocking("pigs fly", Duration::from_millis(1), || Err::<(), _>("on the ground"));
    }
}
