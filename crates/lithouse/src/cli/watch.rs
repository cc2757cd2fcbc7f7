// SPDX-License-Identifier: Apache-2.0
//! Waiting for what was asked for: a release that becomes active or fails, an app that settles.
//!
//! The API has no event for either, so they are asked for again and again. A server that is gone for a moment, as in an
//! upgrade, is waited for.

mod build_log;
mod patience;

pub(super) use build_log::BuildLog;

use super::app_name::AppName;
use super::client::{Client, ClientError, Json};
use super::failure::Failure;
use super::output::{self, Progress};
use super::resource::{App, Release};
pub(super) use patience::Patience;

/// So many crashes in a row are no start.
const RESTARTS_BEFORE_GIVING_UP: u32 = 3;

/// How a release is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A new one; a newer one may take its place.
    Forward,
    /// An earlier one.
    Back,
}

/// The list of an app's releases.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Releases {
    pub(super) releases: Vec<Release>,
}

/// Says, if the command is interrupted while it waits, what goes on without it.
#[derive(Debug)]
pub(super) struct Unattended {
    is_over: bool,
}

impl Unattended {
    /// From now on the server does it by itself.
    pub(super) fn begin() -> Self {
        Self { is_over: false }
    }

    /// It was waited for.
    pub(super) fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Unattended {
    fn drop(&mut self) {
        if !self.is_over {
            output::note("the server goes on with it");
        }
    }
}

enum Fate {
    OnItsWay(Box<App>),
    Stopped,
    Active,
    Replaced(u32),
    Failed { reason: String, serving: Option<u32> },
}

/// Waits until the release is what visitors get, and the app runs with it; shows its build meanwhile.
pub(super) async fn release(
    client: &Client,
    app: &AppName,
    number: u32,
    way: Way,
    log: &mut BuildLog<'_>,
) -> Result<Json, Failure> {
    let mut patience = Patience::default();
    let mut stopped_before = false;
    let moving = Progress::of(&format!("release {number} of `{app}`: on its way"));
    loop {
        let mut is_stopped = false;
        match progress(client, app, number, way).await {
            Ok(Fate::Active) => break,
            Ok(Fate::Replaced(by)) => {
                output::note(&format!("release {by} has taken its place already"));
                break;
            }
            Ok(Fate::Failed { reason, serving }) => {
                log.drain().await;
                show_last_words(client, app, log).await;
                return Err(Failure::ReleaseFailed { app: app.to_string(), release: number, reason, serving });
            }
            // Twice, since a start that was just asked for may not have begun.
            Ok(Fate::Stopped) if stopped_before => {
                return Err(Failure::StoppedMeanwhile { app: app.to_string(), release: number });
            }
            Ok(Fate::Stopped) => is_stopped = true,
            Ok(Fate::OnItsWay(resource)) => {
                // While an earlier release serves, the app's status says nothing of this one.
                let state = if resource.is_passing() { &resource.status } else { "on its way" };
                moving.tell(&format!("release {number} of `{app}`: {state}"));
                patience.restore();
            }
            Err(error) => patience.excuse(error)?,
        }
        stopped_before = is_stopped;
        log.follow_for(patience.pause()).await;
    }
    log.drain().await;
    drop(moving);
    let (resource, answer) = settled(client, app).await?;
    if resource.is_serving() || resource.is_stopped() { Ok(answer) } else { Err(not_as_asked(&resource)) }
}

async fn progress(client: &Client, app: &AppName, number: u32, way: Way) -> Result<Fate, ClientError> {
    let list: Releases = client.get(&app.path("/releases")).await?.as_resource()?;
    let active = list.releases.iter().find(|release| release.active).map(|release| release.number);
    let Some(release) = list.releases.iter().find(|release| release.number == number) else {
        return Ok(Fate::Failed { reason: "it is not listed any more".to_owned(), serving: active });
    };
    if release.active {
        return Ok(Fate::Active);
    }
    match release.state.as_str() {
        "failed" => {
            let reason = release.reason.clone().unwrap_or_else(|| "the server does not say why".to_owned());
            Ok(Fate::Failed { reason, serving: active })
        }
        "ready" if way == Way::Forward && active > Some(number) => Ok(Fate::Replaced(active.unwrap_or(number))),
        _ => {
            let app: App = client.get(&app.path("")).await?.as_resource()?;
            Ok(if app.status == "stopped" { Fate::Stopped } else { Fate::OnItsWay(Box::new(app)) })
        }
    }
}

/// Waits until the app is in a status that lasts. Tells why it takes so long, where the server knows.
pub(super) async fn settled(client: &Client, app: &AppName) -> Result<(App, Json), Failure> {
    let mut patience = Patience::default();
    let mut told: Option<String> = None;
    let mut restarts = None;
    let moving = Progress::of(&format!("waiting for `{app}`"));
    loop {
        match client.get(&app.path("")).await.and_then(|answer| Ok((answer.as_resource::<App>()?, answer))) {
            Ok((resource, answer)) => {
                patience.restore();
                let first = *restarts.get_or_insert(resource.restarts);
                if !resource.is_passing() || resource.restarts >= first + RESTARTS_BEFORE_GIVING_UP {
                    return Ok((resource, answer));
                }
                moving.tell(&format!("`{app}`: {}", resource.status));
                if resource.reason.is_some() && resource.reason != told {
                    let reason = resource.reason.as_deref().unwrap_or_default();
                    output::note(&format!("{}: {}", resource.status, output::plain(reason)));
                    told = resource.reason;
                }
            }
            Err(error) => patience.excuse(error)?,
        }
        tokio::time::sleep(patience.pause()).await;
    }
}

/// Waits until an app is gone that is being removed; `cause` is why that has to be waited for.
pub(super) async fn gone(client: &Client, app: &AppName, cause: ClientError) -> Result<(), Failure> {
    let mut patience = Patience::default();
    loop {
        match client.get(&app.path("")).await.and_then(|answer| answer.as_resource::<App>()) {
            Err(error) if error.is_not_found() => return Ok(()),
            Ok(resource) if resource.status == "stopping" => patience.restore(),
            // It was never begun.
            Ok(_) => return Err(cause.into()),
            Err(error) => patience.excuse(error)?,
        }
        tokio::time::sleep(patience.pause()).await;
    }
}

/// The failure of an app that is not what it should be, after its last words.
pub(super) fn not_as_asked(app: &App) -> Failure {
    for line in app.reason_log.iter().flatten() {
        output::note(&format!("  {}", output::plain(super::log_line::LogLine::parse(line).text)));
    }
    Failure::NotAsAsked { app: app.label().to_owned(), claim: app.claim(), reason: app.reason.clone() }
}

/// Shows the last log lines that the server keeps with the reason, if the build log did not show them.
async fn show_last_words(client: &Client, app: &AppName, log: &BuildLog<'_>) {
    let Ok(answer) = client.get(&app.path("")).await else { return };
    let Ok(resource) = answer.as_resource::<App>() else { return };
    for line in resource.reason_log.iter().flatten() {
        let text = super::log_line::LogLine::parse(line).text;
        if !log.has_shown(text) {
            output::note(&format!("  {}", output::plain(text)));
        }
    }
}
