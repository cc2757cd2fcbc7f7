// SPDX-License-Identifier: Apache-2.0
//! `start` without an app: the server in the background, until it answers.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Args;
use lithouse_engine::home::Home;
use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::address::Address;
use super::client::Client;
use super::failure::Failure;
use super::output::{self, Progress};
use super::power::{self, PowerArgs};
use super::resource::Server;
use super::serve::ServeFlags;
use crate::config::Config;
use crate::serve::{background, is_held};

const PAUSE: Duration = Duration::from_millis(25);
/// When a person is told that we wait.
const SOON: Duration = Duration::from_secs(2);
/// How long another server that is just coming up is waited for.
const ANOTHER: Duration = Duration::from_secs(10);

/// What is started.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    pub(super) serve: ServeFlags,
    /// With an app: return once the server has accepted it
    #[arg(long)]
    pub(super) no_wait: bool,
}

/// Starts the server with these arguments, and waits until it answers.
///
/// If one runs that does not serve the folder and has the app, the app is started.
pub(super) async fn run(config: &Config, arguments: &[OsString], app: Option<&PowerArgs>) -> Result<(), Failure> {
    let client = Client::new(Address::Socket(config.server.data.join("control.sock")), None)?;
    if let Some(server) = answering(&client).await {
        return already(&client, &server, config, app).await;
    }
    let mut child = spawn(arguments)?;
    let pid = child.id().unwrap_or_default();
    tokio::select! {
        biased;
        Ok(()) = tokio::signal::ctrl_c() => {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // One that has ended needs no telling.
                let _ = rustix::process::kill_process(pid, Signal::TERM);
                output::note("the server ends again");
            }
            Err(Failure::Interrupted)
        }
        outcome = until_it_answers(&client, &mut child, pid, config, app) => outcome,
    }
}

async fn until_it_answers(
    client: &Client,
    child: &mut Child,
    pid: u32,
    config: &Config,
    app: Option<&PowerArgs>,
) -> Result<(), Failure> {
    let stderr = child.stderr.take();
    let listening = tokio::spawn(async move {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            // What cannot be read was not said.
            let _ = stderr.read_to_end(&mut said).await;
        }
        String::from_utf8_lossy(&said).trim_end().to_owned()
    });
    let began = Instant::now();
    let mut is_told = false;
    let _progress = Progress::of("waiting until the server answers");
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::Background)? {
            let said = listening.await.unwrap_or_default();
            // Another `start` may have been quicker.
            return match another(client, &config.server.data).await {
                Some(server) => already(client, &server, config, app).await,
                None => Err(Failure::NotStarted { said, code: status.code() }),
            };
        }
        if let Some(server) = answering(client).await.filter(|server| server.pid == pid) {
            // It lets go of its standard error once it answers.
            let said = tokio::time::timeout(SOON, listening).await.map(Result::unwrap_or_default).unwrap_or_default();
            if !said.is_empty() {
                output::complain(&said);
            }
            output::line(&output::plain(&server.url))?;
            output::note(&format!("the server runs in the background (pid {pid})"));
            output::note(&format!("log: {}", output::plain(&server.log)));
            return Ok(());
        }
        if began.elapsed() > SOON && !std::mem::replace(&mut is_told, true) {
            output::note("waiting until the server answers");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The server that answers there now.
async fn answering(client: &Client) -> Option<Server> {
    client.get("/api/server").await.ok()?.as_resource().ok()
}

/// The server that has the data folder, once it answers.
async fn another(client: &Client, data: &Path) -> Option<Server> {
    let began = Instant::now();
    while began.elapsed() < ANOTHER && is_held(&Home::at(data)).unwrap_or(false) {
        if let Some(server) = answering(client).await {
            return Some(server);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// A server runs: it is told, and what of it is not as asked; or the app of that name is meant.
async fn already(client: &Client, server: &Server, config: &Config, app: Option<&PowerArgs>) -> Result<(), Failure> {
    let folder = config.hosting.folder.as_deref().map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
    let other = folder.filter(|folder| server.folder.as_deref().map(Path::new) != Some(folder.as_path()));
    if let (Some(_), Some(app)) = (&other, app) {
        match client.get(&app.app.path("")).await {
            Ok(_) => return power::start(client, app).await,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    output::line(&output::plain(&server.url))?;
    output::note(&format!("a server runs already (pid {}) with the data folder `{}`", server.pid, output::plain(&server.data)));
    if let Some(folder) = other {
        output::note(&format!("hint: it does not serve `{}`; `lithouse stop` ends it, and then it can be started with that", {
            output::plain(&folder.display().to_string())
        }));
    }
    Ok(())
}

fn spawn(arguments: &[OsString]) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(Failure::Background)?;
    let mut command = Command::new(program);
    command.args(arguments).env(background::VARIABLE, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(Failure::Background)
}
