// SPDX-License-Identifier: Apache-2.0
//! `lithouse serve`: puts everything together, says where it is, and runs until it is told to end.

pub(crate) mod background;
mod house;
mod linger;
mod lock;
mod manager;
mod predecessor;
mod progress;
mod replace;
mod say;
mod signals;
mod snippets;
mod successor;
mod talk;
mod watch;
mod wish;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lithouse_engine::app::AppView;
use lithouse_engine::bundle;
use lithouse_engine::engine::{Engine, FolderApps, OpenError};
use lithouse_engine::home::Home;
use lithouse_engine::keeper::LogLimits;
use lithouse_engine::shared::{Settings, now_ms};
use lithouse_proxy::client::Scheme;
use lithouse_proxy::guard::ServedHosts;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::api::{Facts, Links};
use crate::config::{AuthMode, Config, Sandbox, Source};
use crate::edge::Gate;
use crate::refresh::{self, AppsError};
use crate::server::Doors;
use house::{Ground, House};
use lock::Lock;
pub(crate) use lock::is_held;
use predecessor::{Predecessor, Taken};
use say::say;
use signals::EndSignals;
use successor::Program;
use wish::Wish;
pub(crate) use wish::{Replacement, Wishes};

/// More apps than these are told as a number: they would push the address out of sight.
const MOST_ANNOUNCED: usize = 20;
const PROOF_TIMEOUT: Duration = Duration::from_secs(20);

/// What is set cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misconfigured(String);

/// Runs the server in the foreground.
pub(crate) async fn run(mut config: Config, source: Source) -> anyhow::Result<()> {
    // Each visitor takes two, and a limit for shells is soon reached. Apps get what we got.
    lithouse_engine::descriptors::raise();
    let asked = config.server.listen;
    let activated = manager::listener()?;
    if let Some(listener) = &activated {
        // Who may reach us is decided by where we listen, whoever has opened the listener.
        config.server.listen = listener.local_addr().context("could not use the listener")?;
    }
    // It is read once more when the data folder is ours; what is wrong is told before anything is begun.
    found_apps(&config)?;
    let gate = gate(&config).map_err(|error| anyhow::anyhow!("{error}\nhint: {}", error.hint))?;
    let program = Program::own().context("could not find our own program")?;
    let predecessor = Predecessor::of_this_process().await?;
    let home = Home::open(&config.server.data).map_err(|error| not_home(&config.server.data, &error))?;
    let start_log = || crate::logging::start(&home, &config.log);
    let (lock, doors, taken, end) = if let Some(predecessor) = predecessor {
        // The lock tells everybody that we are the server, and whoever reads that may tell us to end at once: that waits until we serve.
        let end = EndSignals::listen()?;
        let (lock, doors, taken) = predecessor.take_over(&config, &home).await?;
        start_log()?;
        (lock, doors, Some(taken), Some(end))
    } else {
        let lock = Lock::take(&home)?;
        start_log()?;
        let listener = match activated {
            Some(listener) => TcpListener::from_std(listener).context("could not use the listener")?,
            None => bind(config.server.listen).await?,
        };
        (lock, Doors { listener, control: control_socket(&home)? }, None, None)
    };
    let links = Arc::new(Links::new(config.server.public_base.as_ref(), doors.listener.local_addr()?));
    let (wishes, wanted) = Wishes::new();
    let ground = Ground { config, source, asked, home, gate, doors: Arc::new(doors), links, wishes };
    serve(&ground, lock, &program, wanted, taken.zip(end)).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| not_listening(address, &error))
}

/// Serves until the server is told to end, or a successor has taken its place and nothing is left of it.
async fn serve(
    ground: &Ground,
    mut lock: Lock,
    program: &Program,
    mut wanted: UnboundedReceiver<Wish>,
    taken: Option<(Taken, EndSignals)>,
) -> anyhow::Result<()> {
    if background::is_wanted() && taken.is_some() {
        // Our standard error is our predecessor's, which is the log already.
        background::be_on_own();
    }
    let mut house = House::open(ground, ground.config.clone()).await?;
    let (mut elders, mut end) = if let Some((taken, end)) = taken {
        (taken.serving().await, end)
    } else {
        // Whoever reads that we listen may tell us to end at once.
        let end = EndSignals::listen()?;
        announce(&ground.config, &house.engine, &ground.home, &ground.links, ground.gate)?;
        (Vec::new(), end)
    };
    if background::is_wanted() {
        background::be_on_own();
    }
    manager::told_ready();
    loop {
        let answer = tokio::select! {
            () = end.told() => break,
            wish = wanted.recv() => match wish {
                Some(Wish::Replace(answer)) => answer,
                Some(Wish::Stop) | None => break,
            },
        };
        let begun = tokio::select! {
            begun = replace::begin(ground, &house, program, &mut elders) => begun,
            () = wish::told(&mut end, &mut wanted) => break,
        };
        let mut is_told = false;
        let replaced = match begun {
            Ok(begun) => {
                let mut finishing = pin!(begun.finish(ground, &mut house, &mut lock));
                loop {
                    tokio::select! {
                        replaced = finishing.as_mut() => break replaced?,
                        () = wish::told(&mut end, &mut wanted), if !is_told => is_told = true,
                    }
                }
            }
            Err(error) => Err(error),
        };
        match replaced {
            Ok((successor, replacement)) => {
                // Whoever asked may have gone.
                let _ = answer.send(Ok(replacement));
                drop(lock);
                is_told |= wish::close(&mut wanted);
                return linger::linger(&ground.home, house, successor, &mut end, is_told).await;
            }
            Err(error) => {
                tracing::warn!(error = %error, "the server was not replaced");
                let _ = answer.send(Err(error));
                if is_told {
                    break;
                }
            }
        }
    }
    say("stopping: every app is ended, and starts again with the next `lithouse serve`")?;
    manager::told_stopping();
    for elder in &elders {
        predecessor::end(elder).await;
    }
    let ended = house.shut_down().await;
    let _ = std::fs::remove_file(ground.home.control_socket());
    drop(lock);
    ended
}

/// What the configuration and the folder name. Better no server than one without the folder that it was told of.
fn found_apps(config: &Config) -> anyhow::Result<FolderApps> {
    refresh::apps(config).map_err(|error| match error {
        AppsError::NoFolder(_) | AppsError::NoSuchFolder { .. } => {
            Misconfigured(format!("{error}\nhint: it holds one folder an app, each with an `app.py`")).into()
        }
        AppsError::Unreadable { .. } => error.into(),
    })
}

fn facts(config: &Config, home: &Home) -> Facts {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    Facts {
        started_at_ms: now_ms(),
        data: home.root().to_owned(),
        config: config.file.as_ref().map(absolute),
        folder: config.hosting.folder.as_ref().map(absolute),
        log: home.logs().join("controller.log"),
    }
}

/// Others could reach the server, and nobody said that they may.
#[derive(Debug, thiserror::Error)]
#[error("`{at}` can be reached by others, and this server has no accounts yet: everybody could run programs here")]
pub(crate) struct Reachable {
    at: String,
    /// The next step.
    pub(crate) hint: &'static str,
}

/// Only a loopback listener knows who asks; anything else needs the operator's word until there are accounts.
pub(crate) fn gate(config: &Config) -> Result<Gate, Reachable> {
    let (at, hint) = match (config.auth.mode, &config.server.public_base) {
        (AuthMode::None, _) => return Ok(Gate::Anybody),
        (AuthMode::Auto, _) if !config.server.listen.ip().is_loopback() => (
            config.server.listen.to_string(),
            "listen on 127.0.0.1, or say `--auth none` if everybody who can reach it may use it",
        ),
        (AuthMode::Auto, Some(base)) if !is_loopback_url(base) => (
            base.to_string(),
            "say `--auth none` if the server in front of it asks for credentials, or leave `--public-base` out",
        ),
        (AuthMode::Auto, _) => return Ok(Gate::LocalUser),
    };
    Err(Reachable { at, hint })
}

/// Why an address cannot be listened on, and what to do about it.
fn not_listening(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::AddrInUse => "another program has the port; choose another with `--listen`",
        ErrorKind::AddrNotAvailable => "this machine does not have that address; choose one of its own with `--listen`",
        ErrorKind::PermissionDenied => "this port is for privileged users; choose one from 1024 on with `--listen`",
        _ => "choose another address with `--listen`",
    };
    anyhow::anyhow!("could not listen on `{address}`: {error}\nhint: {hint}")
}

/// Why a folder cannot be the data folder, and what to do about it.
fn not_home(data: &Path, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "what lies there is no folder; choose another with `--data`",
        ErrorKind::PermissionDenied => "give it to the user who runs the server, or choose another with `--data`",
        ErrorKind::ReadOnlyFilesystem => "mount it for writing, or choose another with `--data`",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or choose another with `--data`",
        _ => "choose another with `--data`",
    };
    anyhow::anyhow!("could not use `{}` as the data folder: {error}\nhint: {hint}", data.display())
}

/// Why the data folder cannot be served, and what to do about it.
fn not_opened(error: OpenError, home: &Home) -> anyhow::Error {
    let hint = error.hint(home).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    anyhow::anyhow!("{:#}{hint}", anyhow::Error::new(error))
}

fn is_loopback_url(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn served_hosts(config: &Config, listen: SocketAddr) -> ServedHosts {
    let mut hosts = ServedHosts::loopback();
    if let Some(name) = config.server.public_base.as_ref().and_then(|url| url.host_str()) {
        hosts = hosts.with_name(name);
    }
    if !listen.ip().is_loopback() {
        hosts = hosts.with_any_address();
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if !name.is_empty() {
            hosts = hosts.with_name(&name);
        }
    }
    hosts
}

fn scheme(config: &Config) -> Scheme {
    match &config.server.public_base {
        Some(url) if url.scheme() == "https" => Scheme::Https,
        _ => Scheme::Http,
    }
}

fn settings(config: &Config, listen: SocketAddr) -> anyhow::Result<Settings> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let public =
        config.server.public_base.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    Ok(Settings {
        public_url: Links::new(config.server.public_base.as_ref(), listen).own().without_slash().to_owned(),
        public_address: public.unwrap_or_else(|| (listen.ip().to_string(), listen.port())),
        port_range: config.hosting.port_range.first()..=config.hosting.port_range.last(),
        start_timeout: config.hosting.start_timeout,
        stop_grace: config.hosting.stop_grace,
        proof_timeout: PROOF_TIMEOUT,
        log_limits: LogLimits { bytes: config.log.size, files: u32::try_from(config.log.keep).unwrap_or(u32::MAX) },
        limits: config.hosting.limits(),
        keep_releases: config.hosting.keep_releases,
        parallel_starts: cores * 2,
        parallel_builds: cores,
        build_timeout: config.hosting.build_timeout,
        python: config.hosting.python.clone(),
        uv: config.hosting.uv.clone(),
        program: own_program()?,
    })
}

fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("could not find our own program")
}

/// Only the owner of the data folder may open the socket: a folder that we made is closed to others, and in one that a person
/// made the socket's own mode closes it.
fn control_socket(home: &Home) -> anyhow::Result<UnixListener> {
    let path = home.control_socket();
    let make = || -> std::io::Result<UnixListener> {
        // The lock is ours, so whatever lies there is of a server that is gone.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = lithouse_engine::socket::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    };
    make().with_context(|| format!("could not listen on `{}`", path.display()))
}

fn announce(config: &Config, engine: &Engine, home: &Home, links: &Links, gate: Gate) -> anyhow::Result<()> {
    let base = links.own();
    if gate == Gate::Anybody {
        say("warning: auth is `none`: everybody who can reach this address may deploy and run programs here")?;
    }
    if config.snippets.enabled && config.snippets.sandbox == Sandbox::None {
        say("warning: snippets.sandbox is `none`: a snippet can do all that the user of this server can")?;
    }
    let apps = engine.apps();
    if let Some(none) = config.hosting.folder.as_deref().and_then(|folder| no_app_in(folder, &apps)) {
        say(&none)?;
    }
    if background::is_wanted() {
        // `lithouse start` tells where the server is.
        return Ok(());
    }
    say(&format!("listening on http://{}", links.listen))?;
    say(&format!("open         {}", base.home()))?;
    say(&format!("data         {}", home.root().display()))?;
    if apps.is_empty() && config.hosting.folder.is_none() {
        say("no app yet: `lithouse deploy DIR` brings the first one")?;
    }
    for app in apps.iter().take(MOST_ANNOUNCED) {
        say(&format!("app          {}  {}", base.app(&app.path_name), app.name))?;
    }
    if apps.len() > MOST_ANNOUNCED {
        say(&format!("             and {} more: `lithouse apps` lists them", apps.len() - MOST_ANNOUNCED))?;
    }
    Ok(())
}

/// Why no app of the folder is served, if none is.
fn no_app_in(folder: &Path, apps: &[Arc<AppView>]) -> Option<String> {
    let whole = folder.canonicalize().ok()?;
    if apps.iter().filter_map(|app| app.folder.as_deref()).any(|of_app| of_app.starts_with(&whole)) {
        return None;
    }
    let why = match whole.parent().filter(|_| bundle::find_entry(&whole).is_some()) {
        Some(above) => format!("it is an app itself; `lithouse serve {}` serves it", above.display()),
        None => "it holds one folder an app, each with an `app.py`".to_owned(),
    };
    Some(format!("no app in `{}`: {why}", folder.display()))
}
