// SPDX-License-Identifier: Apache-2.0
//! One row of the table: a server with a neighbour that must feel nothing, and all that is told.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lithouse_testkit::{free_ports, wait_until_blocking};
use serde_json::Value;

use super::told::Told;
use crate::faults::leftovers::{check_at_rest, check_nothing_is_left};
use crate::faults::promises::Promises;
use crate::server::{Answer, PATIENCE, Server};
use crate::snapshot::assert_frozen;

/// Answers everything with `hello`.
pub(super) const NEIGHBOUR: &str = "\
import os, socket
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])), backlog=512)
while True:
    visitor = door.accept()[0]
    try:
        visitor.recv(65536)
        visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello')
    except OSError: pass
    visitor.close()
";
const NEIGHBOURS_TABLE: &str = "[apps.neighbour]\ndir = \"of-neighbour\"\ncommand = \"exec python3 -S app.py\"\n";
/// Between two visits.
const PAUSE: Duration = Duration::from_millis(30);

pub(super) struct Row {
    name: &'static str,
    pub(super) server: Server,
    /// The configuration without the apps of the row.
    without: String,
    neighbour: Option<Neighbour>,
    told: Told,
}

/// A row in the making: its configuration is written, and nothing runs.
pub(super) struct Plan {
    name: &'static str,
    pub(super) server: Server,
    hosting: String,
    apps: String,
}

/// A range that no other row has: an app that opens its port by itself, or never, would meet the apps of another server there.
pub(super) fn ports_of_its_own(count: u16) -> String {
    let first = free_ports(count);
    format!("port_range = \"{first}-{}\"", first + count - 1)
}

impl Plan {
    /// A row by its name, with these lines of the table `[hosting]`.
    pub(super) fn of(name: &'static str, hosting: &str) -> Self {
        Self::with(name, hosting, Server::prepare_with_uv(&[]))
    }

    /// The same with a server that was prepared otherwise.
    pub(super) fn with(name: &'static str, hosting: &str, server: Server) -> Self {
        let mut plan = Self { name, server, hosting: hosting.to_owned(), apps: String::new() };
        if !hosting.contains("port_range") {
            plan.set(&ports_of_its_own(20));
        }
        plan.app("neighbour", NEIGHBOUR, "")
    }

    /// An app whose program is this Python, with further lines of its table.
    pub(super) fn app(self, key: &str, program: &str, lines: &str) -> Self {
        self.command(key, "exec python3 -S app.py", program, lines)
    }

    /// An app that is a line of the shell, with a program beside it.
    pub(super) fn command(mut self, key: &str, command: &str, program: &str, lines: &str) -> Self {
        let folder = self.folder(key);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), program).unwrap();
        writeln!(self.apps, "[apps.{key}]\ndir = \"of-{key}\"\ncommand = \"{command}\"\n{lines}").unwrap();
        self
    }

    pub(super) fn folder(&self, key: &str) -> PathBuf {
        self.server.folder().join(format!("of-{key}"))
    }

    /// Adds a line to the table `[hosting]`.
    pub(super) fn set(&mut self, line: &str) {
        self.hosting = format!("{line}\n{}", self.hosting);
    }

    pub(super) fn write_configuration(&self) {
        let text = format!("[hosting]\n{}\n{}", self.hosting, self.apps);
        std::fs::write(self.server.folder().join("lithouse.toml"), text).unwrap();
    }

    /// The row, with its server up and its neighbour visited all the time.
    pub(super) fn begin(self) -> Row {
        self.begin_with(&[])
    }

    /// The same with these variables.
    pub(super) fn begin_with(self, variables: &[(&'static str, String)]) -> Row {
        self.begin_under(&[], variables)
    }

    /// The same, started by another program that becomes the server.
    pub(super) fn begin_under(self, starter: &[&str], variables: &[(&'static str, String)]) -> Row {
        self.write_configuration();
        let without = format!("[hosting]\n{}\n{}", self.hosting, NEIGHBOURS_TABLE);
        let Self { name, mut server, .. } = self;
        let mut command = server.command_under(starter);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        server.start_again_as(command);
        let told = Told::new(&server);
        let mut row = Row { name, server, without, neighbour: None, told };
        row.visit();
        row
    }
}

impl Row {
    /// Begins to visit the neighbour, where nobody does so yet.
    pub(super) fn visit(&mut self) {
        if self.neighbour.is_none() {
            let pid = self.server.wait_for_status("neighbour", "running")["pid"].clone();
            self.neighbour = Some(Neighbour { pid, visits: Visits::to(self.server.address()) });
        }
    }

    /// Stops visiting, because the server itself goes away now; all visits up to here were answered.
    pub(super) fn rest(&mut self) {
        if let Some(Neighbour { pid, visits }) = self.neighbour.take() {
            visits.end();
            assert_eq!(self.server.app("neighbour")["pid"], pid, "the neighbour was restarted");
        }
    }

    pub(super) fn folder(&self, key: &str) -> PathBuf {
        self.server.folder().join(format!("of-{key}"))
    }

    /// Another server takes the place of this one, with a further line in the table `[hosting]`.
    pub(super) fn come_back_with(&mut self, line: &str) {
        self.without = self.without.replacen("[hosting]\n", &format!("[hosting]\n{line}\n"), 1);
        std::fs::write(self.server.folder().join("lithouse.toml"), &self.without).unwrap();
        self.rest();
        self.server.kill();
        self.server.start_again();
        self.visit();
    }

    /// Adds apps that do what the neighbour does to the configuration, and lets the server take them.
    pub(super) fn add(&self, keys: &[&str]) {
        let mut configuration = self.without.clone();
        for key in keys {
            let folder = self.folder(key);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("app.py"), NEIGHBOUR).unwrap();
            configuration.push_str(&NEIGHBOURS_TABLE.replace("neighbour", key));
        }
        self.declare(&configuration);
    }

    /// Replaces a text that differs from run to run in what is frozen.
    pub(super) fn hide(&mut self, text: &str, by: &'static str) {
        self.told.hide(text, by);
    }

    /// Adds a line of the test's own to what is frozen.
    pub(super) fn when(&mut self, what: &str) {
        self.told.when(what);
    }

    /// The app once it has this status, and all that its resource says of why.
    #[track_caller]
    pub(super) fn app(&mut self, key: &str, status: &str) -> Value {
        let app = self.server.wait_for_status(key, status);
        self.told.app(key, &app);
        app
    }

    /// What an app's resource says, under another name.
    pub(super) fn told(&mut self, name: &str, app: &Value) {
        self.told.app(name, app);
    }

    /// Waits until the app's log holds this.
    #[track_caller]
    pub(super) fn wait_for_line(&self, key: &str, words: &str) {
        wait_until_blocking(&format!("`{words}` is in the log"), PATIENCE, || {
            let text = self.server.get(&format!("/api/apps/{key}/logs?tail=5000")).expect(200).text();
            if text.contains(words) { Ok(()) } else { Err(text) }
        });
    }

    /// What an app's log says that is not the app's own, and of its own what holds one of these words.
    pub(super) fn log(&mut self, key: &str, words: &[&str]) {
        let text = self.server.get(&format!("/api/apps/{key}/logs?tail=5000")).expect(200).text();
        self.told.log(key, &text, words);
    }

    /// An answer of the API in full.
    pub(super) fn answer(&mut self, what: &str, answer: &Answer) {
        self.told.answer(what, answer);
    }

    /// What a command of the line says, and its exit code.
    pub(super) fn lithouse(&mut self, arguments: &[&str]) -> Output {
        let output = self.server.lithouse(arguments);
        self.told.output(&format!("lithouse {}", arguments.join(" ")), &output);
        output
    }

    /// What a command said that the test has run by itself.
    pub(super) fn output(&mut self, command: &str, output: &Output) {
        self.told.output(command, output);
    }

    /// Warnings and errors of the server's own log.
    pub(super) fn controller(&mut self) {
        let text = std::fs::read_to_string(self.server.data().join("logs/controller.log")).unwrap();
        self.told.controller(&text);
    }

    /// The neighbour is as it was, everything works, nothing is left, and what was told is what is frozen.
    #[track_caller]
    pub(super) fn end(self) {
        self.finish(());
    }

    /// The same; what lies under the data folder goes once nobody works there, and before the folder does.
    #[track_caller]
    pub(super) fn finish<T>(mut self, ground: T) {
        if self.told.text().is_empty() {
            self.controller();
        }
        self.declare(&self.without);
        self.rest();
        check_at_rest(&self.server, &Promises::default().lock(), self.name);
        let text = self.server.get("/apps/neighbour/").expect(200).text();
        assert_eq!(text, "hello");
        self.declare("");
        check_nothing_is_left(&self.server);
        assert!(self.server.stop().success());
        assert_eq!(self.server.processes(), []);
        drop(ground);
        assert_frozen(&format!("hard-times/{}.txt", self.name), self.told.text());
    }

    fn declare(&self, configuration: &str) {
        std::fs::write(self.server.folder().join("lithouse.toml"), configuration).unwrap();
        let refreshed = self.server.lithouse(&["refresh"]);
        assert!(refreshed.status.success(), "{}", String::from_utf8_lossy(&refreshed.stderr));
    }
}

struct Neighbour {
    pid: Value,
    visits: Visits,
}

/// Somebody who asks the neighbour all the time, until dropped.
pub(super) struct Visits {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    wrong: Arc<Mutex<BTreeSet<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Visits {
    fn to(address: String) -> Self {
        let mut visits = Self { is_over: Arc::default(), answered: Arc::default(), wrong: Arc::default(), thread: None };
        let (is_over, answered, wrong) = (Arc::clone(&visits.is_over), Arc::clone(&visits.answered), Arc::clone(&visits.wrong));
        visits.thread = Some(std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                match visit(&address) {
                    Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                    Err(why) => drop(wrong.lock().unwrap().insert(why)),
                }
                std::thread::sleep(PAUSE); // Its pace.
            }
        }));
        visits
    }

    fn end(self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait_until_blocking("the neighbour answers", PATIENCE, || {
            let wrong = self.wrong.lock().unwrap();
            assert!(wrong.is_empty(), "the neighbour felt it: {wrong:?}");
            self.answered.load(Ordering::Relaxed) > before
        });
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn visit(address: &str) -> Result<(), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /apps/neighbour/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello") => Ok(()),
        Ok(answer) => Err(answer),
        Err(error) => Err(error.to_string()),
    }
}
