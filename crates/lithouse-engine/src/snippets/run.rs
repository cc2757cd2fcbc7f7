// SPDX-License-Identifier: Apache-2.0
//! One run in its child: code in, result and output out, and an end in any case.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::Event;
use super::channel::{ChannelError, frame};
use super::child::Child;
use super::crash;
use super::ending::{Bounds, Cut, Seen, ending};
use super::limits::{CHARTS, CHARTS_BYTES, OUTPUT_BYTES};
use super::listener::{ENDED_AND_WAITING, Listener};
use super::memory;
use super::outcome::{Outcome, Output, Status, Variables};
use super::output::Buffer;
use super::request::Request;
use super::result::{self, ChildResult, Malformed, Said};

/// A child ends by itself when its time is over, and tells where it was. If it does not, it is ended this much later.
const GRACE: Duration = Duration::from_millis(300);
/// How long a child may take to read what it is sent.
const READS_WITHIN: Duration = Duration::from_secs(10);
/// How often the memory of a child is looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// A frame longer than this is looked at where it holds up nobody else.
const LONG_FRAME: usize = 256 << 10;

/// What a child is asked to do.
pub(super) struct Task {
    frame: Vec<u8>,
    bounds: Bounds,
}

/// Places for what ended runs leave to be heard.
pub(super) fn places_after_the_end() -> Semaphore {
    Semaphore::new(ENDED_AND_WAITING)
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Ask<'a> {
    Run { code: &'a str, timeout: f64, files: Vec<File<'a>>, stdin: Option<&'a str>, stream: bool },
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    data: &'a str,
}

impl Task {
    /// The task of a request that was checked.
    pub(super) fn new(request: &Request, timeout: Duration, memory: u64, stream: bool) -> Self {
        let files = request.files.iter().map(|file| File { name: &file.name, data: &file.data }).collect();
        let ask =
            Ask::Run { code: &request.code, timeout: timeout.as_secs_f64(), files, stdin: request.stdin.as_deref(), stream };
        // The request is within its limits, which are far below that of a frame.
        Self { frame: frame(&ask).unwrap_or_default(), bounds: Bounds { timeout, memory } }
    }
}

/// How it went.
pub(super) enum Ran {
    /// To an end.
    Out(Box<Outcome>),
    /// The child was gone before it had the code, or went with its zygote before anybody heard of it: another one may have the code.
    /// What it did is gone too, as nothing of a run reaches beyond its sandbox.
    NotBegun,
}

/// Gives a child its task and waits for the end. The child is ended and its slot free again when this returns or is dropped.
pub(super) async fn run(
    mut child: Box<Child>,
    task: Arc<Task>,
    events: Option<mpsc::Sender<Event>>,
    places_after_the_end: Arc<Semaphore>,
) -> Ran {
    let sent = timeout(READS_WITHIN, child.channel.send(&task.frame)).await;
    if !matches!(sent, Ok(Ok(()))) {
        return Ran::NotBegun;
    }
    let began = Instant::now();
    let mut run = Run {
        bounds: task.bounds,
        began,
        buffers: (Buffer::new(), Buffer::new()),
        listener: Listener::new(events),
        charts: Vec::new(),
        chart_bytes: 0,
        reading: None,
        held_back: String::new(),
        end: None,
        is_unread: false,
    };
    run.follow(&mut child).await;
    if run.is_unread {
        return Ran::NotBegun;
    }
    let took = began.elapsed();
    let rest = (child.stdout.finish(&mut run.buffers.0), child.stderr.finish(&mut run.buffers.1));
    run.listener.note(Event::Stdout, rest.0);
    run.note_error(rest.1);
    let exit = if run.has_no_end_of_its_own() { child.status().await } else { None };
    if run.has_no_end_of_its_own() && exit.is_none() && child.zygote.is_gone() && run.has_shown_nothing(&child) {
        return Ran::NotBegun;
    }
    let (outcome, listener) = run.conclude(child, took, exit);
    // Only now, with the slot free again: whoever listens may be slow.
    listener.deliver_rest(&places_after_the_end).await;
    Ran::Out(Box::new(outcome))
}

struct Run {
    bounds: Bounds,
    began: Instant,
    buffers: (Buffer, Buffer),
    listener: Listener,
    /// Those that were shown while it ran.
    charts: Vec<Arc<RawValue>>,
    chart_bytes: usize,
    /// A long frame that is being read.
    reading: Option<Reading>,
    /// Of standard error, what may be Python's report of its own end, which nobody hears.
    held_back: String,
    end: Option<End>,
    is_unread: bool,
}

/// A frame that is read where it holds up nobody: neither the clock nor the look at the memory.
type Reading = JoinHandle<Result<Said, Malformed>>;

/// What ended the following.
enum End {
    Cut(Cut),
    Result(Box<ChildResult>),
    Malformed(Malformed),
    /// The process is gone.
    Exit,
}

impl Run {
    /// Follows the child until it has ended, or must be.
    async fn follow(&mut self, child: &mut Child) {
        let deadline = self.began + self.bounds.timeout + GRACE;
        let mut looks = interval(LOOKS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let process = Arc::clone(&child.process);
        let mut is_listening = true;
        while self.end.is_none() && !self.is_unread {
            let may_read = self.listener.has_room();
            tokio::select! {
                biased;
                () = sleep_until(deadline) => self.time_is_over(child).await,
                _ = looks.tick(), if child.baseline.is_some() => self.look_at_memory(child),
                said = read_to_its_end(&mut self.reading), if self.reading.is_some() => self.hear(said),
                frame = child.channel.receive(), if is_listening && may_read && self.reading.is_none() => match frame {
                    Err(ChannelError::Ended) => is_listening = false,
                    Err(ChannelError::Unread) => self.is_unread = true,
                    frame => self.take(frame),
                },
                text = child.stdout.read(&mut self.buffers.0), if child.stdout.is_open() && may_read => {
                    self.listener.note(Event::Stdout, text);
                    self.count_output(child);
                }
                text = child.stderr.read(&mut self.buffers.1), if child.stderr.is_open() && may_read => {
                    self.note_error(text);
                    self.count_output(child);
                }
                () = process.end() => self.process_is_gone(child).await,
                () = self.listener.deliver_one(), if self.listener.has_pending() => {}
            }
        }
    }

    /// Whether the process just ended, with no word of its own and by no doing of ours.
    fn has_no_end_of_its_own(&self) -> bool {
        matches!(self.end, Some(End::Exit) | None)
    }

    fn has_shown_nothing(&self, child: &Child) -> bool {
        child.stdout.written() == 0 && child.stderr.written() == 0 && self.charts.is_empty()
    }

    fn take(&mut self, frame: Result<Vec<u8>, ChannelError>) {
        match frame {
            Ok(frame) if frame.len() > LONG_FRAME => {
                self.reading = Some(tokio::task::spawn_blocking(move || result::read(&frame)));
            }
            Ok(frame) => self.hear(result::read(&frame)),
            Err(error) => self.hear(Err(Malformed::from_words(error.to_string()))),
        }
    }

    fn hear(&mut self, said: Result<Said, Malformed>) {
        let malformed = match said {
            Ok(Said::Result(result)) => {
                self.end = Some(End::Result(result));
                return;
            }
            Ok(Said::Chart(chart)) => {
                self.chart_bytes += chart.get().len();
                if self.charts.len() < CHARTS && self.chart_bytes <= CHARTS_BYTES {
                    let chart: Arc<RawValue> = chart.into();
                    self.listener.push(Event::Chart(Arc::clone(&chart)));
                    self.charts.push(chart);
                    return;
                }
                Malformed::from_words("there are more or larger charts than a run may show".to_owned())
            }
            Ok(Said::Parked | Said::Refused { .. }) => Malformed::from_words("it came at a wrong time".to_owned()),
            Err(malformed) => malformed,
        };
        self.end = Some(End::Malformed(malformed));
    }

    /// Takes what is there already: the child may have been in time, and we late.
    async fn take_what_came(&mut self, child: &mut Child) {
        loop {
            if self.reading.is_some() {
                let said = read_to_its_end(&mut self.reading).await;
                self.hear(said);
            }
            if self.end.is_some() {
                return;
            }
            match child.channel.receive_now() {
                Ok(Some(frame)) => self.take(Ok(frame)),
                Err(ChannelError::Unread) => {
                    self.is_unread = true;
                    return;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The process ends at its time, whatever is still to be read of it.
    async fn time_is_over(&mut self, child: &mut Child) {
        child.process.kill();
        self.take_what_came(child).await;
        if self.end.is_none() {
            self.is_unread = false;
            self.end = Some(End::Cut(Cut::Time));
        }
    }

    async fn process_is_gone(&mut self, child: &mut Child) {
        self.take_what_came(child).await;
        if self.end.is_none() && !self.is_unread {
            self.end = Some(End::Exit);
        }
    }

    fn note_error(&mut self, mut text: String) {
        if !self.held_back.is_empty() {
            self.held_back.push_str(&text);
            return;
        }
        if let Some(at) = crash::beginning(&text) {
            self.held_back = text.split_off(at);
        }
        self.listener.note(Event::Stderr, text);
    }

    fn count_output(&mut self, child: &Child) {
        if child.stdout.written() + child.stderr.written() > OUTPUT_BYTES && self.end.is_none() {
            child.process.kill();
            self.end = Some(End::Cut(Cut::Output));
        }
    }

    fn look_at_memory(&mut self, child: &Child) {
        let Some(held) = memory::held_by(child.process.pid) else { return };
        if child.baseline.is_some_and(|baseline| held.saturating_sub(baseline) > self.bounds.memory) {
            child.process.kill();
            self.end = Some(End::Cut(Cut::Memory));
        }
    }

    /// Puts the outcome together; the child ends here.
    fn conclude(mut self, child: Box<Child>, took: Duration, exit: Option<ExitStatus>) -> (Outcome, Listener) {
        let (cut, told, malformed) = match self.end {
            Some(End::Cut(cut)) => (Some(cut), None, None),
            Some(End::Result(result)) => (None, Some(result), None),
            Some(End::Malformed(malformed)) => (None, None, Some(malformed.to_string())),
            Some(End::Exit) | None => (None, None, None),
        };
        let seen = Seen {
            cut,
            ran_out_of_memory: child.ran_out_of_memory(),
            told: told.as_ref().map(|result| (result.status, result.error.clone())),
            malformed,
            zygote_is_gone: exit.is_none() && child.zygote.is_gone(),
            exit,
        };
        let was_ended_by_a_signal = exit.is_some_and(|exit| exit.signal().is_some());
        let (status, error) = ending(seen, self.bounds);
        let wall = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let execution_time = told.as_ref().map_or(wall, |result| result.execution_time.min(wall));
        let Child { stdout, stderr, .. } = *child;
        let mut stderr = stderr.into_text();
        let before = stderr.0.len();
        let error = match error {
            Some(error) if status == Status::Crashed && was_ended_by_a_signal => Some(crash::explain(&mut stderr.0, error)),
            error => error,
        };
        let heard = self.held_back.len().saturating_sub(before - stderr.0.len());
        self.held_back.truncate(self.held_back.floor_char_boundary(heard));
        self.listener.note(Event::Stderr, std::mem::take(&mut self.held_back));
        let output = put_together(told, &self.charts, stdout.into_text(), stderr);
        (Outcome { status, execution_time, output, error }, self.listener)
    }
}

fn put_together(
    told: Option<Box<ChildResult>>,
    shown: &[Arc<RawValue>],
    (stdout, stdout_is_cut): (String, bool),
    (stderr, stderr_is_cut): (String, bool),
) -> Output {
    let mut truncated: Vec<String> = Vec::new();
    truncated.extend(stdout_is_cut.then(|| "stdout".to_owned()));
    truncated.extend(stderr_is_cut.then(|| "stderr".to_owned()));
    if let Some(result) = told {
        truncated.extend(result.truncated);
        let ChildResult { charts, dataframes, variables, files, .. } = *result;
        Output { stdout, stderr, charts, dataframes, variables, files, truncated }
    } else {
        let charts = shown.iter().map(|chart| (**chart).to_owned()).collect();
        Output { stdout, stderr, charts, variables: Variables::default(), truncated, ..Output::default() }
    }
}

/// Waits until a frame is read. Nothing is lost when this is dropped before.
async fn read_to_its_end(reading: &mut Option<Reading>) -> Result<Said, Malformed> {
    let Some(running) = reading else { return std::future::pending().await };
    let said = running.await.unwrap_or_else(|error| Err(Malformed::from_words(error.to_string())));
    *reading = None;
    said
}
