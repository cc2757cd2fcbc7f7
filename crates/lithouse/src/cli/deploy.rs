// SPDX-License-Identifier: Apache-2.0
//! `deploy`: a folder becomes an app, or a new release of one.

mod pack;
mod upload;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lithouse_core::id::Key;

pub(super) use pack::PackError;

use super::app_name::AppName;
use super::client::{Client, Json};
use super::complete;
use super::failure::Failure;
use super::output;
use super::resource::{App, Release};
use super::watch::{self, BuildLog, Unattended, Way};
use upload::{Bundle, upload};

/// What to deploy, and as what.
#[derive(Debug, Args)]
pub(super) struct DeployArgs {
    /// Folder of the app, or an archive of it (`.zip`, `.tar.gz`)
    ///
    /// Left out of a folder are version control, virtual environments, bytecode and `node_modules`.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Key of the app, `[a-z0-9][a-z0-9-]*`; by default made of the folder's name
    ///
    /// If there is an app with this key, it gets a new release; a release that fails changes nothing.
    #[arg(long, value_name = "KEY", add = complete::apps())]
    key: Option<Key>,
    /// What people call the app
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the app is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Print the app as JSON instead of its URL
    #[arg(long)]
    pub(super) json: bool,
    /// Return once the upload is accepted, without waiting for the build
    #[arg(long)]
    no_wait: bool,
}

/// What the server made of the upload.
struct Accepted {
    number: Option<u32>,
    since: Option<output::Moment>,
}

/// Deploys and prints the URL.
pub(super) async fn run(client: &Client, args: DeployArgs) -> Result<(), Failure> {
    let began = Instant::now();
    let path = pack::existing(&args.path)?;
    let key = key_of(&args, &path)?;
    if path.is_dir() {
        pack::check_entry(&path)?;
    }
    let name = AppName::of_key(&key);
    let existing = existing(client, &name).await?;
    let bundle = Bundle::of(&path).await?;
    let accepted = match &existing {
        Some(app) => release(client, &name, app, bundle, &args).await?,
        None => create(client, &key, bundle, &args).await?,
    };
    if !args.no_wait {
        let unattended = Unattended::begin();
        let outcome = wait(client, &name, accepted).await;
        unattended.end();
        outcome?;
        output::note(&format!("`{name}` is ready after {:.1} s", began.elapsed().as_secs_f64()));
    }
    let app = client.get(&name.path("")).await?;
    if args.json { output::line(&app.pretty()) } else { output::line(&output::plain(&app.as_resource::<App>()?.access_url)) }
}

fn key_of(args: &DeployArgs, path: &Path) -> Result<Key, Failure> {
    if let Some(key) = &args.key {
        return Ok(key.clone());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = if path.is_dir() { &*name } else { name.split('.').next().unwrap_or_default() };
    Key::suggest(stem).ok_or_else(|| Failure::NoKey(path.to_owned()))
}

async fn existing(client: &Client, name: &AppName) -> Result<Option<App>, Failure> {
    match client.get(&name.path("")).await {
        Ok(answer) => Ok(Some(answer.as_resource()?)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn create(client: &Client, key: &Key, bundle: Bundle, args: &DeployArgs) -> Result<Accepted, Failure> {
    let mut fields = vec![("key", key.as_str())];
    fields.extend(args.name.as_deref().map(|name| ("name", name)));
    fields.extend(args.description.as_deref().map(|description| ("description", description)));
    let app: App = upload(client, "/api/apps", &fields, bundle).await?.as_resource()?;
    output::note(&format!("created the app `{key}`"));
    Ok(Accepted { number: app.release, since: app.created_at })
}

async fn release(client: &Client, name: &AppName, app: &App, bundle: Bundle, args: &DeployArgs) -> Result<Accepted, Failure> {
    let answer: Json = upload(client, &name.path("/releases"), &[], bundle).await?;
    let release: Release = answer.as_resource()?;
    output::note(&format!("accepted as release {} of `{name}`", release.number));
    let mut change = serde_json::Map::new();
    change.extend(args.name.clone().map(|value| ("name".to_owned(), value.into())));
    change.extend(args.description.clone().map(|value| ("description".to_owned(), value.into())));
    if !change.is_empty() {
        client.patch(&name.path(""), &change.into()).await?;
    }
    if app.is_stopped() {
        client.post(&name.path("/start")).await?;
    }
    Ok(Accepted { number: Some(release.number), since: release.created_at })
}

async fn wait(client: &Client, name: &AppName, accepted: Accepted) -> Result<Json, Failure> {
    // A server that does not tell a new app's release has given it the first.
    let number = accepted.number.unwrap_or(1);
    let mut log = BuildLog::since(client, name, accepted.since);
    watch::release(client, name, number, Way::Forward, &mut log).await
}
