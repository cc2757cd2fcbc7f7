// SPDX-License-Identifier: Apache-2.0
//! Wishes at random, and what the server has promised by answering them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::form::Form;
use crate::server::{HELLO, STREAMLIT, Server};

const MOST_APPS: usize = 4;

/// Random numbers that are the same for the same seed.
pub(crate) struct Dice(pub(super) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let sides = from.len() as u64;
        (sides > 0).then(|| &from[usize::try_from(self.roll(sides)).unwrap()])
    }
}

/// What the server has promised.
#[derive(Default)]
pub(crate) struct Promises(Mutex<Promised>);

#[derive(Default)]
pub(crate) struct Promised {
    /// Each accepted app with the statuses that it may come to rest in: one, or both while a wish was not answered.
    pub(crate) accepted: BTreeMap<String, BTreeSet<&'static str>>,
    /// Deletions that were asked for: the app may be gone or not until the answer came.
    pub(crate) asked_away: BTreeSet<String>,
    pub(crate) gone: BTreeSet<String>,
}

impl Promised {
    /// The apps that must be there.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.accepted.keys().filter(|app| !self.asked_away.contains(*app)).cloned().collect()
    }
}

impl Promises {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Promised> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One wish; the server may die in the middle of it.
    pub(crate) fn ask(&self, server: &Server, wish: u64, dice: &mut Dice) {
        let apps = self.lock().kept();
        match (wish, dice.pick(&apps)) {
            (0..=2, _) | (_, None) if apps.len() < MOST_APPS => {
                // Now and then an environment that must be built, so that builds are interrupted too.
                let requirements =
                    if wish == 0 { format!("{STREAMLIT}six==1.1{}.0\n", dice.roll(8)) } else { STREAMLIT.to_owned() };
                if let Ok(answer) = server.try_post_form("/api/apps", Form::app(&requirements, HELLO))
                    && answer.status == 201
                {
                    let app = answer.json()["app_id"].as_str().unwrap().to_owned();
                    self.lock().accepted.insert(app, BTreeSet::from(["running"]));
                }
            }
            (3, Some(app)) => self.want(server, app, "restart", "running"),
            (4, Some(app)) => self.want(server, app, "stop", "stopped"),
            (5, Some(app)) => drop(server.try_post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, HELLO))),
            (6, Some(app)) => self.want(server, app, "start", "running"),
            (_, Some(app)) => {
                self.lock().asked_away.insert(app.clone());
                if server.try_delete(&format!("/api/apps/{app}")).is_ok_and(|answer| answer.status == 204) {
                    self.lock().gone.insert(app.clone());
                }
            }
            (_, None) => {}
        }
    }

    fn want(&self, server: &Server, app: &str, verb: &str, rest: &'static str) {
        self.lock().accepted.get_mut(app).unwrap().insert(rest);
        if server.try_post(&format!("/api/apps/{app}/{verb}")).is_ok_and(|answer| answer.status == 200) {
            self.lock().accepted.insert(app.to_owned(), BTreeSet::from([rest]));
        }
    }
}
