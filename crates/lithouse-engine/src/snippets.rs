// SPDX-License-Identifier: Apache-2.0
//! Snippets: a piece of Python is run in a sandbox, and answered with what came of it.
//!
//! Owns the environment that snippets run in, the warm Python (the zygote) in it, and the processes that are forked from that and
//! parked in their sandbox before any code comes. A run takes a parked one; each serves one run, ever. How a process is confined is
//! the sandbox's affair, and what happens inside of it Python's; everything that comes out of it is hostile until it is checked here.

mod board;
mod channel;
mod child;
mod crash;
mod ending;
mod environment;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod ground;
mod health;
pub mod limits;
mod listener;
mod memory;
mod outcome;
mod output;
mod pool;
mod request;
mod result;
mod run;
mod settings;
mod templates;
mod zygote;

use std::sync::Arc;
use std::time::Duration;

use lithouse_core::durations::DurationCounts;
use lithouse_core::policy::{Policy, Python, Rules};
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

pub use lithouse_core::policy::{Issue, Mode};
pub use lithouse_sandbox::level::{Finding, Level};

pub(crate) use self::environment::wanted_environment;
pub use self::error::ExecuteError;
pub use self::health::{Health, State, ZygoteHealth};
pub use self::outcome::{Outcome, Output, RunError, Status, Variables};
pub use self::request::{InputFile, Request};
pub use self::settings::{Sandbox, Settings};
pub use self::templates::Template;

use self::board::Board;
use self::child::Child;
use self::environment::Place;
use self::ground::Preparation;
use self::pool::{Message, Outbox, Pool};
use self::run::{Ran, Task};
use crate::environment::Environments;
use crate::home::Home;

/// How often a run is given another child because the one it had was gone before it began.
const MOST_CHILDREN: usize = 5;
/// The code of the issue that Python itself tells better.
const SYNTAX_ERROR: &str = "syntax_error";

/// What a run produces, as it comes.
#[derive(Debug)]
pub enum Event {
    /// A piece of standard output; all pieces together are that of the outcome.
    Stdout(String),
    /// A piece of standard error; likewise.
    Stderr(String),
    /// A chart that was shown, as it stands in the outcome.
    Chart(Arc<RawValue>),
}

/// The snippet service of a data folder. Cheap to clone; with the last clone everything of it ends.
#[derive(Clone)]
pub struct Snippets {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Arc<Settings>,
    policy: Policy,
    templates: Vec<Template>,
    board: Arc<Board>,
    pool: Outbox,
    places_after_the_end: Arc<Semaphore>,
    _ends_the_pool: DropGuard,
}

/// Tells the pool when a run stops waiting before it is answered.
struct GivingUp<'a>(&'a Outbox);

impl Drop for GivingUp<'_> {
    fn drop(&mut self) {
        self.0.send(Message::GaveUp);
    }
}

impl Snippets {
    /// Opens the service. For who never uses it the machine is looked at, and nothing built or started; a data folder that has used
    /// it before is warmed up at once. To be called within a runtime, which must last as long as the service.
    pub fn open(home: Home, environments: Environments, settings: Settings) -> Self {
        let settings = Arc::new(Settings { workers: settings.workers.max(1), ..settings });
        let place = Place::new(&home, &settings.packages);
        let board = Arc::new(Board::new(settings.workers, place.clone()));
        let unwanted = CancellationToken::new();
        let was_used_before = wanted_environment(&home).is_some();
        let prepared_with = Arc::clone(&settings);
        let preparation = move || Preparation {
            home: home.clone(),
            environments: environments.clone(),
            place: place.clone(),
            slots: pool::slots_for(prepared_with.workers),
            settings: Arc::clone(&prepared_with),
        };
        let pool = Pool::start(Arc::clone(&settings), Arc::clone(&board), preparation, unwanted.clone(), was_used_before);
        let templates = templates::all(&settings.templates);
        let mut rules = Rules::default();
        rules.libraries.extend(settings.libraries.iter().cloned());
        let policy = Policy::new(rules);
        let places_after_the_end = Arc::new(run::places_after_the_end());
        let shared =
            Shared { settings, policy, templates, board, pool, places_after_the_end, _ends_the_pool: unwanted.drop_guard() };
        Self { shared: Arc::new(shared) }
    }

    /// Runs a piece of code to its end. Dropping the future ends the run. Events come while it runs, if somebody wants them.
    pub async fn execute(&self, request: Request, events: Option<mpsc::Sender<Event>>) -> Result<Outcome, ExecuteError> {
        let timeout = request.check(&self.shared.settings)?;
        let outcome = match self.refusal(&request) {
            Some(outcome) => outcome,
            None => self.run(&request, timeout, events).await?,
        };
        self.shared.board.ran(outcome.status, Duration::from_millis(outcome.execution_time));
        Ok(outcome)
    }

    /// All that the policy has to say about a piece of code. Nothing is run. Once Python is warm, its version is the one that the
    /// code is read for.
    pub fn check(&self, code: &str, mode: Mode) -> Vec<Issue> {
        let python = self.shared.board.python().and_then(|version| Python::of_interpreter(&version));
        self.shared.policy.check(code, mode, python)
    }

    /// Code to begin with.
    pub fn templates(&self) -> &[Template] {
        &self.shared.templates
    }

    /// How the service is. Never waits.
    pub fn health(&self) -> Health {
        self.shared.board.health()
    }

    /// How long the code of runs took since the server came up.
    pub fn durations(&self) -> DurationCounts {
        self.shared.board.took()
    }

    /// Ends every run and every process of the service, and takes back what it has made on the machine.
    pub async fn leave(&self) {
        let (reply, left) = oneshot::channel();
        self.shared.pool.send(Message::Leave(reply));
        // A pool that is gone has left already.
        let _ = left.await;
    }

    /// The outcome of code that the policy does not let through. Code that is no Python is run all the same: Python says best
    /// what is wrong with it.
    fn refusal(&self, request: &Request) -> Option<Outcome> {
        let issues = self.check(&request.code, request.mode);
        let is_refused = issues.iter().any(|issue| issue.code != SYNTAX_ERROR);
        is_refused.then(|| Outcome::rejected(&issues))
    }

    async fn run(
        &self,
        request: &Request,
        timeout: Duration,
        events: Option<mpsc::Sender<Event>>,
    ) -> Result<Outcome, ExecuteError> {
        let task = Arc::new(Task::new(request, timeout, self.shared.settings.memory, events.is_some()));
        for attempt in 0..MOST_CHILDREN {
            let child = self.child(attempt > 0).await?;
            // A task of its own, so that its time runs whether or not anybody looks; it ends with this future.
            let places = Arc::clone(&self.shared.places_after_the_end);
            let run = AbortOnDropHandle::new(tokio::spawn(run::run(child, Arc::clone(&task), events.clone(), places)));
            match run.await {
                Ok(Ran::Out(outcome)) => return Ok(*outcome),
                Ok(Ran::NotBegun) => {}
                Err(error) => {
                    tracing::error!(error = %error, "a run broke off");
                    break;
                }
            }
        }
        Err(ExecuteError::Unavailable {
            reason: "the processes for runs end before they are given code".to_owned(),
            hint: Some("the server's log, `logs/controller.log`, has Python's own words".to_owned()),
            retry_after: Some(Duration::from_secs(5)),
        })
    }

    async fn child(&self, has_waited: bool) -> Result<Box<Child>, ExecuteError> {
        let (reply, answer) = oneshot::channel();
        self.shared.pool.send(Message::Take { reply, has_waited });
        let giving_up = GivingUp(&self.shared.pool);
        let answer = answer.await;
        // Answered: nobody gives up any more.
        std::mem::forget(giving_up);
        answer.unwrap_or_else(|_| {
            Err(ExecuteError::Unavailable { reason: "the server is stopping".to_owned(), hint: None, retry_after: None })
        })
    }
}
