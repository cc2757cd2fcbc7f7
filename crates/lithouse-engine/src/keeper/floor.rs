// SPDX-License-Identifier: Apache-2.0
//! The floor: the one task that owns all instances and does everything that is done to them.
//!
//! What happens outside comes in as a [`Message`], a signal or the passing of time, one after another. No step waits for anything:
//! what takes time is a task that sends a message when it is done, so that every question is answered at once, also while apps
//! are being started and stopped.

mod replace;
mod watch;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lithouse_core::id::InstanceId;
use rustix::process::WaitOptions;
use time::OffsetDateTime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::allowance::{self, Allowance};
use super::belonging::{Family, members};
use super::diary::Diary;
use super::door::{Outbox, Reply, Socket};
use super::drain::{Drain, Remark, at};
use super::exits::{Entered, Exit};
use super::groups::Groups;
use super::instance::{Instance, Stage};
use super::launch::{Launch, Spawned};
use super::listener::listen;
use super::lock::Lock;
use super::log_file::LogFile;
use super::memory::MemoryWatch;
use super::processes;
use super::spawn::{Spawner, refusal};
use super::wire::{Answer, Refusal, Request, Said, frame};
use replace::Asked;
use watch::Root;

/// The grace when a signal, and not the server, ends the keeper.
const GRACE_BY_SIGNAL: Duration = Duration::from_secs(10);

/// Between two looks for processes that are to be killed.
const SWEEP_EVERY: Duration = Duration::from_millis(10);

/// A process that SIGKILL does not end in this time hangs in the kernel; the instance's end is reported all the same.
const SWEEP_FOR: Duration = Duration::from_secs(5);

/// Between two looks at things that announce themselves by nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at memory that no group holds.
const WEIGH_EVERY: Duration = Duration::from_millis(500);

/// What happens outside.
#[derive(Debug)]
pub(super) enum Message {
    /// A connection asks for something.
    Request(Request, Reply),
    /// Somebody has come in.
    Arrived,
    /// A connection wants to hear of endings.
    Subscribe(Outbox),
    /// An instance's process has become its program, or has not.
    Entered(InstanceId, Entered),
    /// An instance's log is complete.
    Drained(InstanceId),
}

/// All instances, and what is needed to look after them.
#[derive(Debug)]
pub(super) struct Floor {
    spawner: Spawner,
    groups: Groups,
    diary: Diary,
    root: Root,
    lock: Lock,
    socket: mpsc::UnboundedSender<oneshot::Sender<io::Result<Socket>>>,
    us: i32,
    instances: HashMap<InstanceId, Instance>,
    subscribers: Vec<Outbox>,
    inbox: mpsc::UnboundedReceiver<Message>,
    /// Given to the tasks that report back.
    to_inbox: mpsc::UnboundedSender<Message>,
    next_sweep: Instant,
    /// As long as nobody has come in: when it is clear that nobody will.
    awaits_until: Option<Instant>,
    /// Once the keeper is to end: who waits for it.
    closing: Option<Vec<Reply>>,
    /// Once it is to become another program.
    replacing: Option<Asked>,
}

/// What a floor needs of the keeper around it.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) spawner: Spawner,
    pub(super) groups: Groups,
    pub(super) diary: Diary,
    pub(super) root: PathBuf,
    pub(super) lock: Lock,
    /// Asks the door for its socket.
    pub(super) socket: mpsc::UnboundedSender<oneshot::Sender<io::Result<Socket>>>,
    /// When the keeper ends if nobody has come in until then.
    pub(super) awaits_until: Option<Instant>,
}

/// The signals that mean something to the keeper.
#[derive(Debug)]
pub(super) struct Signals {
    child: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Caught so that it does nothing.
    hangup: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Floor {
    pub(super) fn new(around: Around, to_inbox: mpsc::UnboundedSender<Message>, inbox: mpsc::UnboundedReceiver<Message>) -> Self {
        let Around { spawner, groups, diary, root, lock, socket, awaits_until } = around;
        Self {
            spawner,
            groups,
            diary,
            root: Root::at(root),
            lock,
            socket,
            us: rustix::process::getpid().as_raw_nonzero().get(),
            instances: HashMap::new(),
            subscribers: Vec::new(),
            inbox,
            to_inbox,
            next_sweep: Instant::now(),
            awaits_until,
            closing: None,
            replacing: None,
        }
    }

    /// Runs until the keeper is told to end and every instance has ended; answers who waits for that.
    pub(super) async fn run(mut self, mut signals: Signals) -> Vec<Reply> {
        let (mut look, mut weigh) = (interval(LOOK_EVERY), interval(WEIGH_EVERY));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        weigh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                // The floor holds a sender itself, so there is always a next message.
                Some(message) = self.inbox.recv() => self.hear(message),
                _ = signals.child.recv() => {}
                _ = signals.terminate.recv() => self.close(GRACE_BY_SIGNAL, None),
                _ = signals.interrupt.recv() => self.close(GRACE_BY_SIGNAL, None),
                _ = signals.hangup.recv() => {}
                () = at(wake_at) => {}
                _ = look.tick() => self.look_around(),
                () = at(self.awaits_until) => self.leave_if_nobody_came(),
                _ = weigh.tick(), if self.has_memory_to_watch() => self.weigh(),
            }
            self.reap();
            self.lose_patience();
            self.sweep();
            if self.closing.is_some() && self.instances.values().all(Instance::has_ended) {
                self.groups.leave();
                return self.closing.unwrap_or_default();
            }
            self.replace_if_asked(&mut signals).await;
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Request(request, reply) => self.answer(request, reply),
            Message::Arrived => self.awaits_until = None,
            Message::Subscribe(outbox) => {
                self.subscribers.retain(|subscriber| !subscriber.is_closed());
                self.subscribers.push(outbox);
            }
            Message::Entered(instance, entered) => self.entered(&instance, entered),
            Message::Drained(instance) => self.drained(&instance),
        }
    }

    fn answer(&mut self, request: Request, reply: Reply) {
        let answer = match request {
            Request::List => {
                let mut reports: Vec<_> = self.instances.values().map(Instance::report).collect();
                reports.sort_by_key(|report| report.started_at);
                Answer::Instances(reports)
            }
            Request::Spawn { launch } => return self.spawn(&launch, reply),
            Request::Terminate { instance, grace_ms } => match self.instances.get_mut(&instance) {
                Some(known) => {
                    known.stop(Duration::from_millis(grace_ms));
                    Answer::Done
                }
                None => Answer::Refused(Refusal::UnknownInstance { instance }),
            },
            Request::Forget { instance } => match self.instances.get(&instance) {
                Some(known) if known.has_ended() => {
                    self.instances.remove(&instance);
                    Answer::Done
                }
                Some(_) => Answer::Refused(Refusal::StillAlive { instance }),
                None => Answer::Refused(Refusal::UnknownInstance { instance }),
            },
            Request::Peaks => {
                let running = self.instances.values().filter(|instance| instance.is_running());
                Answer::Peaks(running.filter_map(|known| Some((known.id.clone(), known.allowance.peak()?))).collect())
            }
            Request::Limit { instance, may_take } => match self.instances.get_mut(&instance) {
                Some(known) => match known.allowance.change(may_take) {
                    Ok(()) => Answer::Done,
                    Err(error) => Answer::Refused(Refusal::NotLimited { reason: error.to_string() }),
                },
                None => Answer::Refused(Refusal::UnknownInstance { instance }),
            },
            Request::Replace(asked) => return self.ask_for_replacement(asked, reply),
            Request::Shutdown { grace_ms } => return self.close(Duration::from_millis(grace_ms), Some(reply)),
        };
        reply.send(answer);
    }

    fn spawn(&mut self, launch: &Launch, reply: Reply) {
        match self.bring_up(launch) {
            Ok(mut instance) => {
                // Answered once the program runs, or has failed to.
                instance.spawning = Some(reply);
                self.instances.insert(launch.instance.clone(), instance);
            }
            Err(refusal) => {
                reply.send(Answer::Refused(refusal));
            }
        }
    }

    fn bring_up(&mut self, launch: &Launch) -> Result<Instance, Refusal> {
        if self.closing.is_some() || self.replacing.is_some() {
            return Err(Refusal::ShuttingDown);
        }
        let id = &launch.instance;
        if self.instances.contains_key(id) {
            return Err(Refusal::InstanceExists { instance: id.clone() });
        }
        check(launch)?;
        let (listener, listen) = launch.listen.map(listen).transpose()?.unzip();
        let listen = listen.or(launch.binds);
        let group = self.groups.make(id, &launch.may_take);
        let limits = allowance::of_each_process(launch, group.is_ok());
        let born = match self.spawner.spawn(launch, limits, listener.as_ref()) {
            Ok(born) => born,
            Err(refusal) => {
                if let Ok(group) = group {
                    self.groups.remove(group);
                }
                return Err(refusal);
            }
        };
        let number = born.pid.as_raw_nonzero().get();
        // It waits for its specification, so that nothing of the app runs before.
        let group = group.and_then(|group| match group.add(number) {
            Ok(()) => Ok(group),
            Err(error) => {
                self.groups.remove(group);
                Err(format!("it could not be put into its group: {error}"))
            }
        });
        // It is ours and not reaped, so its number still means it.
        let started = processes::started(number).unwrap_or_default();
        let (log, remarks) = mpsc::unbounded_channel();
        let _ = log.send(Remark::Line(format!("started, pid {number}")));
        if let Some(told) = allowance::not_held(&launch.may_take, &group) {
            let _ = log.send(Remark::Line(told));
        }
        self.drain(id.clone(), Drain::new(born.out, born.err, LogFile::new(launch.log.clone(), launch.log_limits), remarks));
        let (to_inbox, instance) = (self.to_inbox.clone(), id.clone());
        tokio::spawn(async move {
            let entered = born.channel.converse().await;
            let _ = to_inbox.send(Message::Entered(instance, entered));
        });
        Ok(Instance {
            id: id.clone(),
            app: launch.app.clone(),
            release: launch.release,
            program: launch.program.clone(),
            cwd: launch.cwd.clone(),
            listen,
            started_at: OffsetDateTime::now_utc(),
            listener,
            log,
            allowance: Allowance::new(launch.may_take, group.ok()),
            memory: MemoryWatch::new(born.pid),
            family: Family { instance: id.as_str().to_owned(), pid: number, started },
            pid: born.pid,
            entered: None,
            spawning: None,
            stopping: None,
            halt: None,
            stage: Stage::Running,
        })
    }

    /// Sets the task to work that fills the log.
    fn drain(&self, instance: InstanceId, drain: Drain) {
        let to_inbox = self.to_inbox.clone();
        tokio::spawn(async move {
            if drain.run().await {
                let _ = to_inbox.send(Message::Drained(instance));
            }
        });
    }

    fn entered(&mut self, id: &InstanceId, entered: Entered) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.entered = Some(entered);
        if entered == Entered::Running
            && let Some(reply) = instance.spawning.take()
        {
            reply.send(Answer::Spawned(Spawned {
                pid: instance.pid_number(),
                listen: instance.listen,
                started_at: instance.started_at,
            }));
        }
        instance.settle();
    }

    /// An instance is over. Its end is kept until it is acknowledged, unless whoever wanted it is told now that there is none.
    fn drained(&mut self, id: &InstanceId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if instance.has_ended() {
            return;
        }
        instance.drained();
        let Stage::Ended { ending, .. } = &instance.stage else { return };
        if let Some(reply) = instance.spawning.take() {
            let refusal = match instance.entered {
                Some(Entered::Failed(failure)) => refusal(&instance.program, &instance.cwd, failure),
                _ if instance.stopping.is_some() => Refusal::StoppedMeanwhile,
                _ => Refusal::NotStarted { program: instance.program.clone(), reason: ending.to_string() },
            };
            if reply.send(Answer::Refused(refusal)) && instance.stopping.is_none() {
                self.instances.remove(id);
                return;
            }
        }
        let report = instance.report();
        self.tell(&Said::Ended { report });
    }

    fn tell(&mut self, news: &Said) {
        if let Ok(news) = frame(news) {
            self.subscribers.retain(|subscriber| subscriber.send(news.clone()));
        }
    }

    /// Takes note of every child that has ended, ours and those orphaned to us, and of those of ours that were halted.
    fn reap(&mut self) {
        let news = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        while let Ok(Some((pid, status))) = rustix::process::wait(news) {
            let is_it = |instance: &&mut Instance| instance.pid == pid && instance.is_running();
            if status.stopped() || status.continued() {
                let instance = self.instances.values_mut().find(is_it);
                let report = instance.and_then(|known| known.halted(status.stopped()).then(|| known.report()));
                if let Some(report) = report {
                    self.tell(&Said::Halted { report });
                }
                continue;
            }
            self.next_sweep = Instant::now();
            let Some(id) = self.instances.values_mut().find(is_it).map(|known| known.id.clone()) else { continue };
            let Some(mut instance) = self.instances.remove(&id) else { continue };
            let others_ran_out = || self.instances.values().any(|other| other.allowance.ran_out());
            if instance.exited(Exit::of(status), others_ran_out) {
                self.disregard_kills();
            }
            self.instances.insert(id, instance);
        }
    }

    /// Has those killed whose grace is over, and tells of those that stay halted.
    fn lose_patience(&mut self) {
        let now = Instant::now();
        let mut halted = Vec::new();
        for instance in self.instances.values_mut() {
            if instance.is_overdue(now) {
                instance.force();
                self.next_sweep = now;
            }
            if instance.halt_counts(now) {
                halted.push(instance.report());
            }
        }
        for report in halted {
            self.tell(&Said::Halted { report });
        }
    }

    /// Kills what is left of the instances that have ended or must end.
    fn sweep(&mut self) {
        let now = Instant::now();
        let (targets, others): (Vec<_>, Vec<_>) =
            self.instances.values().filter(|instance| !instance.has_ended()).partition(|instance| instance.is_to_be_swept());
        if targets.is_empty() || now < self.next_sweep {
            return;
        }
        let others: Vec<Family> = others.into_iter().map(|instance| instance.family.clone()).collect();
        let oldest = targets.iter().map(|instance| instance.family.started).min().unwrap_or_default();
        let snapshot = processes::snapshot(oldest);
        let mut swept = Vec::new();
        for instance in targets {
            let mut left = members(&instance.family, &others, self.us, &snapshot);
            let grouped = instance.allowance.processes();
            left.extend(snapshot.iter().filter(|process| grouped.contains(&process.pid)));
            for process in &left {
                processes::kill(process);
            }
            if let Stage::Sweeping { since, .. } = instance.stage
                && (left.is_empty() || now > since + SWEEP_FOR)
            {
                if !left.is_empty() {
                    self.diary.note(&format!("{} processes of instance {} do not end", left.len(), instance.id));
                }
                swept.push(instance.id.clone());
            }
        }
        for id in swept {
            if let Some(instance) = self.instances.get_mut(&id) {
                if let Stage::Sweeping { is_swept, .. } = &mut instance.stage {
                    *is_swept = true;
                }
                if let Some(group) = instance.allowance.leave_group() {
                    self.groups.remove(group);
                }
                instance.settle();
            }
        }
        self.next_sweep = Instant::now() + SWEEP_EVERY;
    }

    /// Ends every instance, and then the keeper.
    fn close(&mut self, grace: Duration, reply: Option<Reply>) {
        if self.closing.is_none() {
            self.diary.note("ending, with all apps");
        }
        self.closing.get_or_insert_default().extend(reply);
        for instance in self.instances.values_mut() {
            instance.stop(grace);
        }
    }

    /// When there is something to do even if nothing happens.
    fn wake_at(&self) -> Option<Instant> {
        let is_sweeping = self.instances.values().any(Instance::is_to_be_swept);
        let sweep = is_sweeping.then_some(self.next_sweep);
        let replace = self.replacing.as_ref().map(Asked::patience);
        self.instances.values().filter_map(Instance::deadline).chain(sweep).chain(replace).min()
    }
}

fn check(launch: &Launch) -> Result<(), Refusal> {
    let id = launch.instance.as_str();
    let wrong = if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        "the instance's id holds more than letters, digits and `-`"
    } else if !launch.log.is_absolute() {
        "the path of its log is not absolute"
    } else if !launch.cwd.is_absolute() {
        "the path of its working folder is not absolute"
    } else {
        return Ok(());
    };
    Err(Refusal::NotALaunch { reason: wrong.to_owned() })
}
