// SPDX-License-Identifier: Apache-2.0
//! The task that owns zygotes, slots and the queue. Everybody else sends it messages; there is no lock on any of it.
//!
//! It keeps one more child parked than there may be runs at a time, hands them out in the order in which runs came, and fills up
//! behind their backs. Zygotes are replaced when they are old, and when they fail.

mod backoff;
mod calm;
mod children;
mod leave;
mod queue;
mod slots;
mod zygotes;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

pub(super) use self::queue::Reply;

use self::backoff::Backoff;
use self::calm::Calm;
use self::queue::Queue;
use self::slots::{Slots, Use};
use super::board::Board;
use super::child::{Child, ChildProcess, ParkError};
use super::error::ExecuteError;
use super::ground::{Ground, GroundError, Preparation, Progress};
use super::health::State;
use super::settings::Settings;
use super::zygote::{StartError, Zygote};

/// As many runs may wait for each worker.
const WAITING_PER_WORKER: usize = 4;
/// How long a preparation that failed is left alone: for whoever asks again, and for nobody.
const PAUSE_WHEN_ASKED: Duration = Duration::from_secs(10);
const PAUSE_BY_ITSELF: Duration = Duration::from_secs(60);
/// What whoever could not be served is told to wait.
const COME_AGAIN_SOON: Duration = Duration::from_secs(1);
const COME_AGAIN_LATER: Duration = Duration::from_secs(5);
/// How long the end of everything may take.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// What the pool is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A run wants a child. One that has waited before is next.
    Take { reply: Reply, has_waited: bool },
    /// A run wants none any more.
    GaveUp,
    /// What the machine offers, while nobody has asked for anything.
    LookedAhead(Progress),
    /// How far the preparation is.
    Progress(Progress),
    /// It is done.
    Prepared(Box<Result<Ground, GroundError>>),
    /// A zygote is warm, or will never be.
    Warmed(Box<Result<Zygote, StartError>>),
    /// A zygote is gone.
    Gone { zygote: u64, how: String },
    /// A child waits in its slot.
    Parked(Box<Child>),
    /// It could not.
    NotParked { zygote: u64, error: ParkError },
    /// A slot's child is dropped.
    Vacated { slot: u32, process: Option<Arc<ChildProcess>> },
    /// A slot is empty.
    Cleaned(u32),
    /// Everything is to end.
    Leave(oneshot::Sender<()>),
}

/// The way to the pool.
#[derive(Debug, Clone)]
pub(super) struct Outbox(mpsc::UnboundedSender<Message>);

impl Outbox {
    /// Where the pool is gone there is nothing left to be told.
    pub(super) fn send(&self, message: Message) {
        let _ = self.0.send(message);
    }

    /// Says that a slot is to be cleared.
    pub(super) fn vacated(&self, slot: u32, process: Option<Arc<ChildProcess>>) {
        self.send(Message::Vacated { slot, process });
    }
}

/// How far the pool is.
enum Phase {
    /// Nobody has asked yet.
    Unused,
    Preparing,
    /// Nothing can be run; since when, and why.
    Unprepared {
        since: Instant,
        error: GroundError,
    },
    Prepared(Arc<Ground>),
}

/// The state of the task.
pub(super) struct Pool {
    settings: Arc<Settings>,
    workers: usize,
    outbox: Outbox,
    board: Arc<Board>,
    preparation: Box<dyn Fn() -> Preparation + Send>,
    phase: Phase,
    zygote: Option<Arc<Zygote>>,
    warmed_at: Instant,
    forks: u64,
    is_warming: bool,
    backoff: Backoff,
    reason: Option<String>,
    /// Zygotes that have a successor; each ends with the last of its children.
    old: Vec<Arc<Zygote>>,
    slots: Slots,
    parked: VecDeque<Box<Child>>,
    running: Vec<(u32, Arc<ChildProcess>)>,
    queue: Queue,
    calm: Calm,
    /// When the children that are missing are forked, if that is put off.
    forks_at: Option<Instant>,
    tasks: JoinSet<()>,
    last_zygote: u64,
    last_run: u64,
}

impl Pool {
    /// Starts the task. It ends when it is told to leave, and when `unwanted` is cancelled.
    pub(super) fn start(
        settings: Arc<Settings>,
        board: Arc<Board>,
        preparation: impl Fn() -> Preparation + Send + 'static,
        unwanted: CancellationToken,
        warm_up_now: bool,
    ) -> Outbox {
        let (send, inbox) = mpsc::unbounded_channel();
        let outbox = Outbox(send);
        let workers = settings.workers;
        let mut pool = Self {
            settings,
            workers,
            outbox: outbox.clone(),
            board,
            preparation: Box::new(preparation),
            phase: Phase::Unused,
            zygote: None,
            warmed_at: Instant::now(),
            forks: 0,
            is_warming: false,
            backoff: Backoff::default(),
            reason: None,
            old: Vec::new(),
            slots: Slots::new(slots_for(workers)),
            parked: VecDeque::new(),
            running: Vec::new(),
            queue: Queue::default(),
            calm: Calm::new(Instant::now()),
            forks_at: None,
            tasks: JoinSet::new(),
            last_zygote: 0,
            last_run: 0,
        };
        if warm_up_now {
            pool.prepare();
        } else {
            pool.look_ahead();
        }
        tokio::spawn(pool.run(inbox, unwanted));
        outbox
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>, unwanted: CancellationToken) {
        let mut told: Option<oneshot::Sender<()>> = None;
        while told.is_none() {
            self.advance();
            let wake = self.wakes_at();
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(Message::Leave(reply)) => told = Some(reply),
                    Some(message) => self.take(message),
                    None => break,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                () = unwanted.cancelled() => break,
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            }
        }
        if timeout(LEAVES_WITHIN, self.leave(&mut inbox)).await.is_err() {
            tracing::warn!("not everything of the snippets had ended when the server left");
        }
        if let Some(told) = told {
            // Whoever asked may have gone.
            let _ = told.send(());
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Take { reply, has_waited } => self.take_run(reply, has_waited),
            Message::LookedAhead(progress) if matches!(self.phase, Phase::Unused) => self.take_progress(progress),
            Message::Progress(progress) => self.take_progress(progress),
            Message::Prepared(prepared) => self.take_prepared(*prepared),
            Message::Warmed(warmed) => self.take_warmed(*warmed),
            Message::Gone { zygote, how } => self.zygote_is_gone(zygote, &how),
            Message::Parked(child) => self.take_parked(child),
            Message::NotParked { zygote, error } => self.take_not_parked(zygote, &error),
            Message::Vacated { slot, process } => self.clean(slot, process),
            Message::Cleaned(slot) => self.slots.set(slot, Use::Free),
            // The queue looks for itself; the others were seen to before.
            Message::GaveUp | Message::Leave(_) | Message::LookedAhead(_) => {}
        }
    }

    /// A run waits, or is told at once why it need not.
    fn take_run(&mut self, reply: Reply, has_waited: bool) {
        match &self.phase {
            Phase::Unused => self.prepare(),
            Phase::Unprepared { since, error } => {
                let refusal = unavailable(error);
                if error.may_pass() && since.elapsed() > PAUSE_WHEN_ASKED {
                    self.prepare();
                } else {
                    return refuse(reply, refusal);
                }
            }
            Phase::Preparing if self.board.state() == State::Building => return refuse(reply, self.board.building()),
            Phase::Prepared(_) if self.backoff.is_hopeless() && self.zygote.is_none() => return refuse(reply, self.hopeless()),
            Phase::Preparing | Phase::Prepared(_) => {}
        }
        let waiting = self.queue.len();
        let is_served_at_once = waiting == 0 && !self.parked.is_empty() && self.slots.running() < self.workers;
        if waiting >= WAITING_PER_WORKER * self.workers && !is_served_at_once && !has_waited {
            return refuse(reply, ExecuteError::Busy { waiting, retry_after: COME_AGAIN_SOON });
        }
        self.queue.push(reply, has_waited);
    }

    /// Why nothing can be run although all is prepared.
    fn hopeless(&self) -> ExecuteError {
        ExecuteError::Unavailable {
            reason: self.reason.clone().unwrap_or_else(|| "Python does not start".to_owned()),
            hint: Some("the server's log, `logs/controller.log`, has Python's own words".to_owned()),
            retry_after: Some(COME_AGAIN_LATER),
        }
    }

    /// Does whatever is due.
    fn advance(&mut self) {
        self.try_preparing_again();
        self.start_zygote_if_due();
        self.hand_out();
        self.fill_up();
        self.let_old_ones_go();
        self.tell_board();
    }

    /// Gives parked children to whoever waits.
    fn hand_out(&mut self) {
        while self.slots.running() < self.workers {
            if self.parked.is_empty() {
                return;
            }
            let Some(reply) = self.queue.pop() else { return };
            let Some(child) = self.parked.pop_front() else { return };
            let (slot, zygote, process) = (child.body.slot(), child.zygote.id, Arc::clone(&child.process));
            match reply.send(Ok(child)) {
                Ok(()) => {
                    self.calm.begun(Instant::now());
                    self.slots.set(slot, Use::Running(zygote));
                    self.running.push((slot, process));
                }
                // Whoever asked has gone at this very moment.
                Err(Ok(child)) => self.parked.push_front(child),
                Err(Err(_)) => {}
            }
        }
    }

    /// When something is due that no message tells of.
    fn wakes_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Unused | Phase::Preparing => None,
            Phase::Prepared(_) if self.forks_at.is_some() => self.forks_at,
            Phase::Unprepared { since, error } => error.may_pass().then(|| *since + PAUSE_BY_ITSELF),
            Phase::Prepared(_) if self.is_warming => None,
            Phase::Prepared(_) if self.zygote.is_none() => self.backoff.not_before(),
            Phase::Prepared(_) => {
                Some((self.warmed_at + self.settings.zygote_life).max(self.backoff.not_before().unwrap_or(self.warmed_at)))
            }
        }
    }

    fn tell_board(&mut self) {
        let reason = self.reason.clone();
        match &self.phase {
            Phase::Unused => {}
            Phase::Preparing if self.board.state() == State::Building => {}
            Phase::Preparing => self.board.set_state(State::Warming, None),
            Phase::Unprepared { error, .. } => self.board.set_state(State::Failed, Some(error.to_string())),
            Phase::Prepared(_) if self.zygote.is_some() => self.board.set_state(State::Ready, reason),
            Phase::Prepared(_) if self.backoff.is_hopeless() => self.board.set_state(State::Failed, reason),
            Phase::Prepared(_) => self.board.set_state(State::Warming, reason),
        }
        self.board.count(self.slots.running(), self.queue.len(), self.slots.parked(), self.forks);
    }
}

/// How many slots so many workers need: those that run, as many and one that are parked, and one that is just being changed.
pub(super) fn slots_for(workers: usize) -> u32 {
    u32::try_from(workers * 2 + 2).unwrap_or(u32::MAX)
}

fn refuse(reply: Reply, error: ExecuteError) {
    // Whoever has gone needs no answer.
    let _ = reply.send(Err(error));
}

fn unavailable(error: &GroundError) -> ExecuteError {
    ExecuteError::Unavailable {
        reason: error.to_string(),
        hint: error.hint(),
        retry_after: error.may_pass().then_some(PAUSE_WHEN_ASKED),
    }
}
