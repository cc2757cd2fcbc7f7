// SPDX-License-Identifier: Apache-2.0
//! A server of the real binary in a folder of its own. Nothing of it is left when it is dropped, whatever the test did.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Response;

use crate::contract::assert_documented;
use crate::form::Form;
use crate::store_of_envs;

/// The requirements of the environment that all tests share.
pub(crate) const STREAMLIT: &str = "streamlit==1.67.0\n";
/// An app that is quickly there.
pub(crate) const HELLO: &str = "import streamlit as st\nst.write('hello')\nprint('the script ran')\n";

/// Long enough for a cold build on a busy machine; reached only by failures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) struct Server {
    folder: TempDir,
    args: Vec<String>,
    /// Where the data folder lies in the folder.
    data_at: String,
    running: Option<Running>,
    /// Spares each server the fetching of its own uv.
    uv: Option<PathBuf>,
    agent: Agent,
}

struct Running {
    child: Child,
    url: String,
    said: Arc<Mutex<String>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?} {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A problem with this status and code, in full.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        assert_eq!(problem["request_id"], answer.headers["x-request-id"].to_str().unwrap(), "{problem}");
        problem
    }
}

impl Server {
    /// A server whose data folder holds the shared Streamlit environment.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments of `serve`.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let mut server = Self::prepare(args);
        server.uv = store_of_envs::uv();
        let server = server.up();
        // After the start, which removes environments that no app wants.
        store_of_envs::link_into(&server.data());
        server
    }

    /// A server with an empty data folder.
    pub(crate) fn start_without_environments() -> Self {
        Self::prepare(&[]).up()
    }

    /// A server whose data folder has used snippets before.
    pub(crate) fn start_with_snippets(args: &[&str]) -> Self {
        let server = Self::prepare(args);
        store_of_envs::put_snippets_into(&server.data());
        server.up()
    }

    /// A server that is not started yet, with the uv that all tests share.
    pub(crate) fn prepare_with_uv(args: &[&str]) -> Self {
        let mut server = Self::prepare(args);
        server.uv = store_of_envs::uv();
        server
    }

    /// A server that is not started yet, whose data folder lies at this path in its folder.
    pub(crate) fn prepare_in(data: &str) -> Self {
        let mut server = Self::prepare_with_uv(&[]);
        server.data_at = data.to_owned();
        server
    }

    /// A server that is not started yet.
    pub(crate) fn prepare(args: &[&str]) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let args = args.iter().map(ToString::to_string).collect();
        Self { folder: tempfile::tempdir().unwrap(), args, data_at: "data".to_owned(), running: None, uv: None, agent }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join(&self.data_at)
    }

    /// A folder beside the data folder, for the test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self) -> Command {
        self.command_under(&[])
    }

    /// The binary, started by another program that becomes it.
    pub(crate) fn command_under(&self, starter: &[&str]) -> Command {
        let mut words = starter.iter().chain(&[env!("CARGO_BIN_EXE_lithouse")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(self.folder.path()).env("LITHOUSE_DATA", self.data());
        command
    }

    /// Starts the server, or starts it again, and waits until it listens.
    pub(crate) fn up(mut self) -> Self {
        self.start_again();
        self
    }

    pub(crate) fn start_again(&mut self) {
        self.start_again_with_env(&[]);
    }

    pub(crate) fn start_again_with_env(&mut self, env: &[(&str, &str)]) {
        let mut command = self.command();
        command.envs(env.iter().copied());
        self.start_again_as(command);
    }

    pub(crate) fn start_again_as(&mut self, mut command: Command) {
        command.envs(self.uv.as_ref().map(|uv| ("LITHOUSE_UV", uv)));
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(&self.args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().unwrap();
        let hearing = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut said = hearing.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let url = wait_until_blocking("the server listens", PATIENCE, || {
            let said = said.lock().unwrap().clone();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}: {said}");
            }
            // Text, or the message of a line of JSON.
            let line = said.lines().find_map(|line| line.split_once("listening on ").map(|(_, url)| url));
            line.map(|url| url.trim_end_matches(|each| " \"}".contains(each)).to_owned()).ok_or(said)
        });
        self.running = Some(Running { child, url, said });
    }

    /// What it said on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.running.as_ref().unwrap().said.lock().unwrap().clone()
    }

    /// All that it said on standard error, once all of these are in it: what it says is read beside the test, and comes a moment later.
    #[track_caller]
    pub(crate) fn wait_until_said(&self, parts: &[&str]) -> String {
        wait_until_blocking(&format!("the server says {parts:?}"), PATIENCE, || {
            let said = self.said();
            if parts.iter().all(|part| said.contains(part)) { Ok(said) } else { Err(said) }
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().child.id()
    }

    pub(crate) fn keeper_pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("keeper.lock")).ok()?.trim().parse().ok()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.stop_by("TERM")
    }

    /// A signal that ends it, and how it ended.
    pub(crate) fn stop_by(&mut self, name: &str) -> ExitStatus {
        let mut running = self.running.take().unwrap();
        signal(running.child.id(), name);
        wait_until_blocking("the server ends", PATIENCE, || running.child.try_wait().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.as_ref().unwrap().url)
    }

    pub(crate) fn address(&self) -> String {
        self.url("").strip_prefix("http://").unwrap().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap()
    }

    pub(crate) fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.agent.get(self.url(path)).call().map(|response| read("GET", path, response))
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(self.agent.get(self.url(path)), |request, (name, value)| request.header(*name, *value));
        read("GET", path, request.call().unwrap())
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        self.try_post(path).unwrap()
    }

    pub(crate) fn try_post(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.agent.post(self.url(path)).send_empty().map(|response| read("POST", path, response))
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(self.agent.post(self.url(path)), |request, (name, value)| request.header(*name, *value));
        read("POST", path, request.send_empty().unwrap())
    }

    pub(crate) fn post_form(&self, path: &str, form: Form) -> Answer {
        self.try_post_form(path, form).unwrap()
    }

    pub(crate) fn try_post_form(&self, path: &str, form: Form) -> Result<Answer, ureq::Error> {
        let (kind, body) = form.finish();
        // An upload that is refused early ends its connection, which must not be used for the next request.
        let request = self.agent.post(self.url(path)).header("Connection", "close").content_type(kind);
        request.send(&body[..]).map(|response| read("POST", path, response))
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post_body(path, "application/json", body.to_string().as_bytes())
    }

    pub(crate) fn try_post_json(&self, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(self.url(path)).content_type("application/json");
        request.send(body.to_string().as_bytes()).map(|response| read("POST", path, response))
    }

    /// SIGKILL, without waiting for the end: whoever still asks is cut off.
    pub(crate) fn signal_end(&self) {
        signal(self.pid(), "KILL");
    }

    pub(crate) fn post_body(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        // As for a form: one that is refused before it was read ends its connection.
        let request = self.agent.post(self.url(path)).header("Connection", "close").content_type(kind);
        read("POST", path, request.send(body).unwrap())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.patch_with(path, &body.to_string())
    }

    pub(crate) fn patch_with(&self, path: &str, body: &str) -> Answer {
        read("PATCH", path, self.agent.patch(self.url(path)).content_type("application/json").send(body.as_bytes()).unwrap())
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Answer {
        // As for a form: one that is refused before it was read ends its connection.
        let request = self.agent.put(self.url(path)).header("Connection", "close");
        read("PUT", path, request.send(body).unwrap())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.try_delete(path).unwrap()
    }

    pub(crate) fn try_delete(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.agent.delete(self.url(path)).call().map(|response| read("DELETE", path, response))
    }

    /// Creates an app and tells its id.
    #[track_caller]
    pub(crate) fn create(&self, form: Form) -> String {
        let created = self.post_form("/api/apps", form).expect(201).json();
        created["app_id"].as_str().unwrap().to_owned()
    }

    /// An app that runs.
    #[track_caller]
    pub(crate) fn running_app(&self, script: &str) -> String {
        let app = self.create(Form::app(STREAMLIT, script));
        self.wait_for_status(&app, "running");
        app
    }

    pub(crate) fn app(&self, app: &str) -> Value {
        self.get(&format!("/api/apps/{app}")).expect(200).json()
    }

    /// The app, once it has this status.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, app: &str, status: &str) -> Value {
        self.wait_for(app, &format!("`{status}`"), |app| app["status"] == status)
    }

    /// The app, once it is so.
    #[track_caller]
    pub(crate) fn wait_for(&self, app: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_until_blocking(&format!("the app is {what}"), PATIENCE, || {
            let seen = self.app(app);
            if is_so(&seen) { Ok(seen) } else { Err(seen) }
        })
    }

    /// The app's own health endpoint, through us.
    pub(crate) fn is_healthy(&self, app: &str) -> bool {
        self.try_get(&format!("/apps/{app}/_stcore/health")).is_ok_and(|answer| answer.body == b"ok")
    }

    /// Every process that belongs to this data folder besides the server: keeper, apps, builds.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let data = self.data().canonicalize().unwrap_or_else(|_| self.data());
        let data = data.to_string_lossy().into_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| Some(*pid) != self.running.as_ref().map(|running| running.child.id()))
            .filter_map(|pid| {
                let read = |what| std::fs::read(format!("/proc/{pid}/{what}")).ok();
                let (command, environment) = (read("cmdline")?, read("environ")?);
                let command = String::from_utf8_lossy(&command).replace('\0', " ");
                let of_app = String::from_utf8_lossy(&environment).contains(&format!("{data}/"));
                (!command.is_empty() && (of_app || command.contains(&data))).then_some((pid, command))
            })
            .collect()
    }
}

impl Server {
    /// Every process that belongs to this folder and has not ended, also one that has not become its program yet.
    fn left(&self) -> Vec<(u32, String)> {
        let folder = self.folder().canonicalize().unwrap_or_else(|_| self.folder().to_owned());
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let works_here = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        let here = pids.filter(works_here).map(|pid| (pid, "a process in the folder".to_owned()));
        here.chain(self.processes()).filter(|(pid, _)| is_alive(*pid)).collect()
    }
}

/// The answer to a request, which the document of the API must tell of.
fn read(method: &str, path: &str, response: Response<ureq::Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).unwrap();
    let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes };
    assert_documented(method, path, &answer);
    answer
}

pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(running) = &self.running {
                eprintln!("the server said:\n{}", running.said.lock().unwrap());
            }
            for log in std::fs::read_dir(self.data().join("logs")).into_iter().flatten().flatten() {
                let text = std::fs::read_to_string(log.path()).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(30).collect();
                eprintln!("-- {}", log.path().display());
                last.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        if let Some(mut running) = self.running.take() {
            signal(running.child.id(), "KILL");
            let _ = running.child.wait();
        }
        if let Some(keeper) = self.keeper_pid().filter(|pid| is_alive(*pid)) {
            signal(keeper, "TERM");
            wait_until_blocking("the keeper ends", PATIENCE, || !is_alive(keeper));
        }
        // One that the server was just starting when it was killed had not written down its number yet.
        wait_until_blocking("nothing of the server is left", PATIENCE, || {
            let left = self.left();
            for (pid, _) in &left {
                signal(*pid, "KILL");
            }
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }
}
