// SPDX-License-Identifier: Apache-2.0
//! One task owns one app: its life, its processes, its timers, its folder. Everybody else sends it messages and looks at its view.
//!
//! `lithouse-core` decides what happens; this performs it and reports back what came of it.

mod ask;
mod command;
mod declare;
mod folder;
mod launch;
mod mail;
mod perform;
mod prepare;
mod retention;
mod staging;
mod venv;
mod view;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lithouse_core::app::Desired;
use lithouse_core::ending::Ending;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use lithouse_core::lifecycle::{Effect, Event, Found, Lifecycle, Memory, Stored};
use lithouse_core::route::PathPrefix;
use lithouse_sandbox::entry::RunAs;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{Instrument, Span};

use crate::environment::Environment;
use crate::keeper::{InstanceReport, InstanceState};
use crate::log::format_line;
use crate::ports::Port;
use crate::shared::Shared;
use crate::sockets::{self, Listener};
use crate::store::{AppRecord, ReleaseRecord, ReleaseState, StoreError};

use mail::{Inbox, Outbox, mail};

pub(crate) use ask::checked_entry;
pub use ask::{Ask, AskError, Change, LimitChange, LimitsChange, Naming};
pub(crate) use declare::{Done, Redeclared};
pub use folder::FolderError;
pub(crate) use folder::{blocking, take_release};
pub use view::AppView;

/// What reaches an app's task.
pub(crate) enum Message {
    /// Something happened.
    Event(Event),
    /// The environment of a release is ready, and there is room to start it.
    Prepared(ReleaseNumber, Launchable, OwnedSemaphorePermit),
    /// Somebody wants something; told once it is stored and begun.
    Ask(Ask, oneshot::Sender<Result<(), AskError>>),
    /// What a folder or the configuration says of the app now; told what came of it once that is stored and begun.
    Declared(Box<Redeclared>, oneshot::Sender<Result<Done, AskError>>),
    /// What the keeper holds of this app, after the server came (back) to it.
    Census(Vec<InstanceReport>),
    /// A process was halted by a signal, or goes on.
    Halted(InstanceId, bool),
    /// The most memory that a process used at once that is about to be told to have ended.
    Peak(Option<u64>),
    /// The removal of what is left should be tried once more.
    PurgeAgain,
    /// Another server takes the app up; told once nothing is done here any more.
    Leave(oneshot::Sender<()>),
}

/// What is needed to start a release besides its files.
#[derive(Debug, Clone)]
pub(crate) struct Launchable {
    /// The virtual environment; none for a command that needs none.
    pub(crate) venv: Option<PathBuf>,
    pub(crate) entry: String,
    /// Keeps the environment from being collected; none for one that a person made.
    held: Option<Environment>,
    /// The user that it runs as; none for our own.
    user: Option<RunAs>,
    /// What the files were before anything was made of them, if they are a person's folder.
    fingerprint: Option<String>,
}

impl Launchable {
    fn of(environment: Environment, entry: String) -> Self {
        Self { venv: Some(environment.path.clone()), entry, held: Some(environment), user: None, fingerprint: None }
    }

    /// With a virtual environment that a person made, or with none.
    fn without_ours(venv: Option<PathBuf>, entry: String) -> Self {
        Self { venv, entry, held: None, user: None, fingerprint: None }
    }
}

/// How others reach an app's task.
#[derive(Clone)]
pub(crate) struct AppHandle {
    pub(crate) inbox: Outbox,
    pub(crate) view: watch::Receiver<Arc<AppView>>,
}

impl AppHandle {
    /// Sends a wish and waits until it is stored and begun.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<(), AskError> {
        let (answer, answered) = oneshot::channel();
        self.inbox.send(Message::Ask(ask, answer)).map_err(|_| AskError::Gone)?;
        answered.await.map_err(|_| AskError::Gone)?
    }

    /// Tells the app what is declared of it, and waits until that is stored and begun.
    pub(crate) async fn redeclare(&self, declared: Redeclared) -> Result<Done, AskError> {
        let (answer, answered) = oneshot::channel();
        self.inbox.send(Message::Declared(Box::new(declared), answer)).map_err(|_| AskError::Gone)?;
        answered.await.map_err(|_| AskError::Gone)?
    }

    /// Sends what happened. An app whose task is over needs no news.
    pub(crate) fn tell(&self, message: Message) {
        let _ = self.inbox.send(message);
    }
}

/// What the keeper holds of an app at the start of its task.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) reports: Vec<InstanceReport>,
    /// Whether what its process is made of has changed since that was started.
    pub(crate) is_replaced: bool,
    /// Whether the keeper was there before this server, so that apps go on where an earlier one was.
    pub(crate) is_of_earlier_server: bool,
}

/// One process of the app.
struct Process {
    port: Port,
    /// Its own process, by which its listener is known.
    pid: Option<u32>,
    /// Whether requests may go to its port: always, unless it opens the port by itself and was not seen to have done so.
    is_open: bool,
    /// What it sees of its path.
    sees: PathPrefix,
    started_at: OffsetDateTime,
    /// Keeps the environment from being collected while this runs.
    _environment: Option<Environment>,
    /// Held from the start until it is healthy, so that not everything starts at once.
    permit: Option<OwnedSemaphorePermit>,
    watching: Option<AbortHandle>,
    /// An earlier server has left it: it served, so that it is probed for as long as it lives.
    is_taken_up: bool,
    /// A signal has halted it.
    is_halted: bool,
}

pub(crate) struct AppTask {
    shared: Arc<Shared>,
    record: AppRecord,
    life: Lifecycle,
    inbox: Inbox,
    outbox: Outbox,
    view: watch::Sender<Arc<AppView>>,
    processes: HashMap<InstanceId, Process>,
    /// What was prepared for instances that the life is about to want.
    ready: HashMap<InstanceId, (Launchable, OwnedSemaphorePermit)>,
    preparing: HashMap<ReleaseNumber, JoinHandle<()>>,
    /// A port that was promised before there was a process.
    promised: Option<Port>,
    /// What the files of a person's folder were when the start that is under way was asked for.
    starting_as: Option<String>,
    /// What is to be done first, and what the keeper held then.
    first: Option<(Vec<Effect>, Census)>,
    /// The most memory that the last process to end used at once, in bytes, until there is another one.
    last_peak: Option<u64>,
    epoch: Instant,
    /// A release has come to its place, or to nothing, so that others may be superfluous.
    has_settled: bool,
    /// The release that was active before the one that is, as far as this server knows.
    replaced: Option<ReleaseNumber>,
    is_purged: bool,
}

impl AppTask {
    /// Takes up the life of an app whose rows are stored.
    pub(crate) async fn start(shared: Arc<Shared>, record: AppRecord, promised: Option<Port>) -> Result<AppHandle, StoreError> {
        let releases = shared.store.releases(&record.id).await?;
        let mut task = Self::prepare_to_run(shared, record, &releases, Census::default());
        task.promised = promised;
        task.refresh_folder().await;
        task.publish();
        task.shared.registry.publish();
        let handle = AppHandle { inbox: task.outbox.clone(), view: task.view.subscribe() };
        tokio::spawn(task.live(Span::current()));
        Ok(handle)
    }

    /// Makes an app known, of which the rows are stored and the keeper may hold processes. Its route is made with the next table,
    /// and nothing is done yet.
    pub(crate) fn prepare_to_run(shared: Arc<Shared>, record: AppRecord, releases: &[ReleaseRecord], census: Census) -> Self {
        let (life, effects) =
            Lifecycle::resume(stored(&record, releases, &census), found(&census.reports), missed(&record, &census.reports));
        let (outbox, inbox) = mail();
        let (view, watcher) = watch::channel(Arc::new(AppView::of_record(&record)));
        let handle = AppHandle { inbox: outbox.clone(), view: watcher };
        let processes = census
            .reports
            .iter()
            .filter(|report| matches!(report.state, InstanceState::Alive))
            .map(|report| (report.instance.clone(), Process::adopted(report, &record, &shared)))
            .collect();
        shared.registry.insert(&handle);
        let task = Self {
            shared,
            record,
            life,
            inbox,
            outbox,
            view,
            processes,
            ready: HashMap::new(),
            preparing: HashMap::new(),
            last_peak: census.reports.iter().max_by_key(|report| report.started_at).and_then(|report| report.memory_peak),
            promised: None,
            starting_as: None,
            first: Some((effects, census)),
            epoch: Instant::now(),
            has_settled: false,
            replaced: None,
            is_purged: false,
        };
        task.show();
        task
    }

    /// Lets it live.
    pub(crate) fn begin(self) {
        tokio::spawn(async move {
            self.refresh_folder().await;
            self.live(Span::none()).await;
        });
    }

    /// `span` is of what caused its beginning.
    async fn live(mut self, span: Span) {
        if let Some((effects, census)) = self.first.take() {
            self.begin_with(effects, &census).instrument(span).await;
        }
        self.run().await;
    }

    async fn begin_with(&mut self, effects: Vec<Effect>, census: &Census) {
        self.perform(effects).await;
        self.forget_endings(&census.reports).await;
        if census.is_replaced && census.reports.iter().any(|report| matches!(report.state, InstanceState::Alive)) {
            self.replace().await;
        }
    }

    async fn run(mut self) {
        while !self.is_purged {
            let Some((span, message)) = self.inbox.recv().await else { return };
            if let Message::Leave(left) = message {
                return self.leave(left).await;
            }
            self.take(message).instrument(span).await;
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.happen(event).await,
            Message::Prepared(release, launchable, permit) => self.prepared(release, launchable, permit).await,
            Message::Halted(instance, is_halted) => {
                if let Some(process) = self.processes.get_mut(&instance) {
                    process.is_halted = is_halted;
                    self.publish();
                }
            }
            Message::Peak(peak) => self.last_peak = peak,
            Message::PurgeAgain => self.purge().await,
            // Seen to by whoever takes the messages out.
            Message::Leave(_) => {}
            Message::Census(census) => self.compare(census).await,
            Message::Declared(declared, answer) => {
                let result = self.redeclare(*declared).await;
                // Whoever asked may have gone; what is declared stands all the same.
                let _ = answer.send(result);
            }
            Message::Ask(ask, answer) => {
                let wish = ask.word();
                let result = self.answer(ask).await;
                match &result {
                    Ok(()) => tracing::info!(app = %self.id(), wish, "a wish was taken"),
                    Err(error) => tracing::info!(app = %self.id(), wish, error = %error, "a wish was refused"),
                }
                // Whoever asked may have gone; the wish stands all the same.
                let _ = answer.send(result);
            }
        }
    }

    /// Does nothing any more, and never ends: whoever looks at the app sees its last view, and not that it is gone.
    async fn leave(mut self, left: oneshot::Sender<()>) {
        for (_, preparing) in self.preparing.drain() {
            preparing.abort();
            let _ = preparing.await;
        }
        for process in self.processes.values() {
            process.watching.iter().for_each(AbortHandle::abort);
        }
        let _ = left.send(());
        std::future::pending::<()>().await;
    }

    async fn happen(&mut self, mut event: Event) {
        if let Event::Ended { instance, ending } = &mut event {
            *ending = self.explained(instance, ending.clone());
        }
        if let Event::Healthy { instance } = &event
            && let Some(process) = self.processes.get_mut(instance)
        {
            process.is_open = true;
        }
        if let Event::Ended { instance, .. } = &event {
            if let Some(watching) = self.processes.remove(instance).and_then(|process| process.watching) {
                watching.abort();
            }
            self.forget(instance).await;
        }
        let started = if let Event::Healthy { instance } = &event { Some(instance.clone()) } else { None };
        let effects = self.life.apply(event, self.epoch.elapsed());
        self.perform(effects).await;
        // Not before that is stored and told: the next start may begin then.
        if let Some(process) = started.and_then(|instance| self.processes.get_mut(&instance)) {
            process.permit = None;
        }
    }

    /// Brings what is known of the processes to what the keeper says.
    async fn compare(&mut self, census: Vec<InstanceReport>) {
        for instance in self.life.instances() {
            let report = census.iter().find(|report| report.instance == instance);
            let ending = match report.map(|report| &report.state) {
                Some(InstanceState::Alive) => continue,
                Some(InstanceState::Ended { ending, .. }) => ending.clone(),
                None => {
                    self.tell_log(&Ending::LostWithKeeper.to_string());
                    Ending::LostWithKeeper
                }
            };
            self.happen(Event::Ended { instance, ending }).await;
        }
        for report in &census {
            let is_known = self.life.instances().contains(&report.instance);
            if !is_known && matches!(report.state, InstanceState::Alive) {
                self.perform(vec![Effect::Terminate(report.instance.clone())]).await;
            }
        }
        self.forget_endings(&census).await;
    }

    async fn forget_endings(&self, census: &[InstanceReport]) {
        for report in census {
            if matches!(report.state, InstanceState::Ended { .. }) {
                self.forget(&report.instance).await;
            }
        }
    }

    /// Why a process ended that never served, where more can be known than how.
    fn explained(&self, instance: &InstanceId, ending: Ending) -> Ending {
        let process = self.processes.get(instance).filter(|process| !process.is_open);
        let (Some(process), Some(command)) = (process, &self.record.recipe.command) else { return ending };
        if matches!(ending, Ending::Stopped { .. } | Ending::LostWithKeeper) {
            return ending;
        }
        // Nothing of it lives any more, so whoever listens there now has kept it from doing so.
        match sockets::stranger(process.port.number()) {
            Listener::Stranger(by) => Ending::PortTaken { port: process.port.number(), by },
            Listener::Nobody | Listener::Instance => {
                command::explained(ending, command, &self.shared.home.run_log(self.record.log_name()))
            }
        }
    }

    /// Adds a line of our own to the app's log, for what the keeper cannot tell there.
    fn tell_log(&self, text: &str) {
        let line = format_line(OffsetDateTime::now_utc(), "sys", text);
        let path = self.shared.home.run_log(self.record.log_name());
        let written = File::options().create(true).append(true).open(path).and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(app = %self.id(), error = %error, "the app's log could not be written");
        }
    }

    async fn forget(&self, instance: &InstanceId) {
        // A keeper that is gone has forgotten already.
        let _ = self.shared.keeper().forget(instance).await;
    }

    fn id(&self) -> &AppId {
        &self.record.id
    }

    /// Sends a message to this task itself after a pause.
    fn later(&self, pause: Duration, event: Event) -> AbortHandle {
        let outbox = self.outbox.clone();
        let waiting = async move {
            tokio::time::sleep(pause).await;
            let _ = outbox.send(Message::Event(event));
        };
        tokio::spawn(waiting.in_current_span()).abort_handle()
    }
}

impl Process {
    fn adopted(report: &InstanceReport, record: &AppRecord, shared: &Shared) -> Self {
        Self {
            port: shared.ports.adopt(report.listen.map_or(0, |address| address.port())),
            pid: report.pid,
            is_open: record.recipe.command.is_none(),
            sees: record.sees(),
            started_at: report.started_at,
            _environment: None,
            permit: None,
            watching: None,
            is_taken_up: true,
            is_halted: report.is_halted,
        }
    }
}

fn stored(record: &AppRecord, releases: &[ReleaseRecord], census: &Census) -> Stored {
    let served = |number| releases.iter().any(|release| release.number == number && release.served);
    let failed = releases
        .iter()
        .filter(|release| release.state == ReleaseState::Failed && record.active < Some(release.number))
        .max_by_key(|release| release.number);
    // What an app in a person's folder lacked when it failed may be there by now.
    let is_tried_again =
        record.folder.is_some() && record.desired == Desired::Running && record.active.is_none() && record.wanted.is_none();
    let wanted = record.wanted.or(is_tried_again.then_some(record.head));
    Stored {
        desired: record.desired,
        restart_on_crash: record.restart_on_crash,
        active: record.active,
        pending: wanted.map(|number| (number, served(number))),
        failed: failed.filter(|_| !is_tried_again).map(|release| (release.number, release.reason.clone().unwrap_or_default())),
        standing: releases
            .iter()
            .find(|release| record.active == Some(release.number))
            .and_then(|release| release.reason.clone()),
        unproved: releases
            .iter()
            .find(|release| record.active == Some(release.number) && release.state == ReleaseState::Pending)
            .map(|release| release.number),
        memory: if census.is_of_earlier_server && !census.is_replaced { record.memory.clone() } else { Memory::default() },
    }
}

/// How the process of the active release ended while no server listened, if it is gone.
fn missed(record: &AppRecord, census: &[InstanceReport]) -> Option<Ending> {
    let of_active = census.iter().filter(|report| record.active == Some(report.release));
    match &of_active.max_by_key(|report| report.started_at)?.state {
        InstanceState::Ended { ending, .. } => Some(ending.clone()),
        InstanceState::Alive => None,
    }
}

fn found(census: &[InstanceReport]) -> Vec<Found> {
    census
        .iter()
        .filter(|report| matches!(report.state, InstanceState::Alive))
        .filter_map(|report| {
            let pid = report.pid?;
            Some(Found { instance: report.instance.clone(), release: report.release, pid })
        })
        .collect()
}

impl AppRecord {
    /// What its process sees of its path: Streamlit knows the whole of it.
    fn sees(&self) -> PathPrefix {
        if self.recipe.command.is_some() { self.recipe.prefix } else { PathPrefix::Keep }
    }

    /// The release whose files a person sees in the app's folder.
    pub(crate) fn shown_release(&self) -> ReleaseNumber {
        self.active.unwrap_or(self.head)
    }
}
