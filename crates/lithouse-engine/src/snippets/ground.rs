// SPDX-License-Identifier: Apache-2.0
//! Everything that has to be there before a zygote can be: the level of confinement, the environment, our files, the slots.

mod empty;
mod python;
mod reach;
mod tools;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lithouse_sandbox::Limits;
use lithouse_sandbox::cgroup::{self, Cgroups};
use lithouse_sandbox::level::{self, Finding, Level, Offer};
use lithouse_sandbox::zygote::{CACHE, FIRST_UID, Spec};
use tokio::task::spawn_blocking;

use self::empty::empty;
use super::environment::{EnvironmentError, Place};
use super::limits::DISK_BYTES;
use super::settings::{Sandbox, Settings};
use super::zygote::Zygote;
use crate::environment::{Environment, Environments};
use crate::home::Home;
use crate::keeper::mark_of_home;

/// The prepared ground.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) level: Level,
    pub(super) spec: Spec,
    /// The slots' control groups, where there are any.
    groups: Vec<Arc<cgroup::Group>>,
    place: Mutex<Option<Cgroups>>,
    /// What others cannot read of all that a run needs.
    closed: Option<PathBuf>,
    /// Kept from being collected.
    _environment: Environment,
}

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum GroundError {
    #[error("this machine offers no sandbox{}", missing(.0, None))]
    NoLevel(Offer),
    #[error("this machine does not offer the sandbox `{level}` that `snippets.sandbox` asks for{}", missing(offer, Some(*level)))]
    NotThisLevel { level: Level, offer: Offer },
    #[error("there are no control groups for the sandbox `full`: {0}")]
    NoGroups(String),
    #[error("their environment could not be built: {0}")]
    Environment(#[from] EnvironmentError),
    #[error("could not ask `{}` for its files: {source}", python.display())]
    Python { python: PathBuf, source: io::Error },
    #[error("could not write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the path `{}` is no text; move the data folder, or choose another Python", path.display())]
    NotText { path: PathBuf },
    #[error("the preparation broke off: {0}")]
    Broken(String),
}

impl GroundError {
    /// The next step, where we know it.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::NoLevel(_) | Self::NotThisLevel { .. } | Self::NoGroups(_) => {
                Some("`lithouse doctor` tells what is missing and the command that mends it".to_owned())
            }
            Self::Environment(EnvironmentError::Prepare(error)) => error.hint().map(str::to_owned),
            Self::Environment(EnvironmentError::Write { .. }) | Self::Write { .. } => {
                Some("check who owns the data folder, and whether its disk is full".to_owned())
            }
            Self::Python { .. } | Self::NotText { .. } | Self::Broken(_) => None,
        }
    }

    /// Whether it may be otherwise in a while without anybody doing something.
    pub(super) fn may_pass(&self) -> bool {
        !matches!(self, Self::NoLevel(_) | Self::NotThisLevel { .. })
    }
}

/// How far the preparation is.
#[derive(Debug)]
pub(super) enum Progress {
    /// The machine was looked at.
    Looked(Offer, Option<Level>),
    /// An environment has to be built.
    Building,
}

/// What is prepared, and from what.
pub(super) struct Preparation {
    pub(super) home: Home,
    pub(super) environments: Environments,
    pub(super) settings: Arc<Settings>,
    pub(super) place: Place,
    pub(super) slots: u32,
}

impl Preparation {
    /// Prepares the ground. Dropping the future ends a build that is going on.
    pub(super) async fn run(self, tell: impl Fn(Progress)) -> Result<Ground, GroundError> {
        let offer = self.look().await?;
        let wanted = choose(self.settings.sandbox, &offer);
        tell(Progress::Looked(offer.clone(), wanted.as_ref().ok().copied()));
        let level = wanted.map_err(|wanted| match wanted {
            Some(level) => GroundError::NotThisLevel { level, offer: offer.clone() },
            None => GroundError::NoLevel(offer.clone()),
        })?;
        let environment = if let Some(environment) = self.place.find(&self.environments) {
            environment
        } else {
            tell(Progress::Building);
            self.place.prepare(&self.environments).await?
        };
        let tools = self.home.tools().join("snippets");
        tools::write(&tools).map_err(|source| GroundError::Write { path: tools.clone(), source })?;
        let (spec, closed) = self.spec(level, &environment, &tools).await?;
        let (groups, place) = if level == Level::Full { self.groups(&spec).await? } else { (Vec::new(), None) };
        Ok(Ground { level, spec, groups, place: Mutex::new(place), closed, _environment: environment })
    }

    /// Looks at the machine without making anything on it.
    pub(super) async fn look_only(self) -> Result<Progress, GroundError> {
        let offer = self.look().await?;
        let level = choose(self.settings.sandbox, &offer).ok();
        Ok(Progress::Looked(offer, level))
    }

    async fn look(&self) -> Result<Offer, GroundError> {
        if self.settings.sandbox == Sandbox::Exactly(Level::None) {
            return Ok(Offer { best: None, findings: Vec::new() });
        }
        let program = self.settings.program.clone();
        spawn_blocking(move || level::probe(&program)).await.map_err(|error| GroundError::Broken(error.to_string()))
    }

    async fn spec(&self, level: Level, environment: &Environment, tools: &Path) -> Result<(Spec, Option<PathBuf>), GroundError> {
        let python = environment.python.clone();
        let of_python =
            python::readable(&python).await.map_err(|source| GroundError::Python { python: python.clone(), source })?;
        let mut readable = vec![environment.path.clone(), python.clone(), tools.to_owned()];
        readable.extend(of_python);
        let own = self.home.snippets();
        let (cache, workspace) = (own.join("cache"), own.join("slots"));
        for folder in [&cache, &workspace] {
            let made = std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)));
            made.map_err(|source| GroundError::Write { path: folder.clone(), source })?;
        }
        let is_apart = level.has_namespaces();
        if let Some(path) = readable.iter().chain([&cache, &workspace]).find(|path| path.to_str().is_none()) {
            return Err(GroundError::NotText { path: path.clone() });
        }
        let limits = Limits { disk: DISK_BYTES, ..Limits::new(self.settings.memory, level) };
        let reachable = |path: &PathBuf| reach::is_open(path) && (is_apart || reach::can_be_walked_to(path));
        let closed = readable.iter().chain([&cache, &workspace]).find(|path| !reachable(path)).cloned();
        let cache_inside = if is_apart { Path::new(CACHE).to_owned() } else { cache.clone() };
        let spec = Spec {
            level,
            python,
            args: vec!["-I".to_owned(), "-B".to_owned(), tools.join("zygote.py").display().to_string()],
            env: variables(&environment.path, &cache_inside),
            readable,
            cache,
            workspace,
            slots: self.slots,
            limits,
            own_uids: closed.is_none(),
        };
        Ok((spec, closed))
    }

    /// One control group for each slot, made once.
    async fn groups(&self, spec: &Spec) -> Result<(Vec<Arc<cgroup::Group>>, Option<Cgroups>), GroundError> {
        let mark = mark_of_home(&self.home).map_err(|source| GroundError::Write { path: self.home.root().to_owned(), source })?;
        let (slots, limits) = (spec.slots, spec.limits);
        let made = spawn_blocking(move || {
            let place = Cgroups::find(&mark[..16]).map_err(|missing| missing.reason)?;
            let group = |index| place.slot(index, &limits).map(Arc::new).map_err(|error| error.to_string());
            let groups = (0..slots).map(group).collect::<Result<Vec<_>, String>>()?;
            Ok::<_, String>((groups, Some(place)))
        });
        made.await.map_err(|error| GroundError::Broken(error.to_string()))?.map_err(GroundError::NoGroups)
    }
}

/// The level to use; otherwise the one that was asked for and is not there, if one was.
fn choose(sandbox: Sandbox, offer: &Offer) -> Result<Level, Option<Level>> {
    match sandbox {
        Sandbox::Best => offer.best.filter(|best| *best != Level::None).ok_or(None),
        Sandbox::Exactly(level) if offer.has(level) => Ok(level),
        Sandbox::Exactly(level) => Err(Some(level)),
    }
}

/// The whole environment of the zygote. Nothing of ours leaks into it.
fn variables(environment: &Path, cache: &Path) -> Vec<(String, String)> {
    let (environment, cache) = (environment.display(), cache.display());
    let mut variables = vec![
        ("PATH".to_owned(), format!("{environment}/bin:/usr/bin:/bin")),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("TZ".to_owned(), "UTC".to_owned()),
        ("VIRTUAL_ENV".to_owned(), environment.to_string()),
        ("MPLBACKEND".to_owned(), "agg".to_owned()),
        ("MPLCONFIGDIR".to_owned(), cache.to_string()),
        ("XDG_CACHE_HOME".to_owned(), cache.to_string()),
    ];
    // A zygote with threads cannot be forked, and a run has one core.
    for library in ["OPENBLAS", "OMP", "MKL", "NUMEXPR", "BLIS"] {
        variables.push((format!("{library}_NUM_THREADS"), "1".to_owned()));
    }
    variables
}

impl Ground {
    /// The control group of a slot, if there is one.
    pub(super) fn group(&self, slot: u32) -> Option<Arc<cgroup::Group>> {
        usize::try_from(slot).ok().and_then(|slot| self.groups.get(slot)).map(Arc::clone)
    }

    /// How much private memory a child may map: what it has of its zygote, and its own share.
    pub(super) fn data_limit(&self, zygote: &Zygote) -> u64 {
        zygote.memory + self.spec.limits.memory
    }

    /// Whether runs have user ids that nothing else has, seen at a process that is confined; and why not, if they have none.
    pub(super) fn own_user_ids(&self, user: u32) -> Finding {
        let available = user >= FIRST_UID;
        let detail = match &self.closed {
            _ if available => format!("each run is a user of its own, {user} for one"),
            Some(path) if self.level != Level::None => {
                format!("runs have user id {user}: others cannot read `{}`, which a run needs", path.display())
            }
            _ => format!("runs have user id {user}: only root can give others away, and not where its own ids are few"),
        };
        Finding { layer: "own user ids".to_owned(), available, detail }
    }

    /// Makes a slot ready for its next run, once nothing lives in it. May wait for the kernel.
    pub(super) fn clean(&self, slot: u32) -> io::Result<()> {
        if let Some(group) = self.group(slot) {
            group.kill()?;
            group.reset()?;
        }
        if self.level.has_namespaces() { Ok(()) } else { empty(&self.spec.slot_folder(slot)) }
    }

    /// Takes back what was made on the machine. Nothing may run any more.
    pub(super) fn clear(&self) -> io::Result<()> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        place.map_or(Ok(()), Cgroups::remove)
    }
}

/// The layers that are not there, with what mends them.
fn missing(offer: &Offer, level: Option<Level>) -> String {
    let of_level = level.map(|level| format!("level {level}"));
    let findings = offer.findings.iter().filter(|finding| !finding.available);
    let mut named: Vec<String> = findings
        .filter(|finding| of_level.as_ref().is_none_or(|layer| finding.layer == *layer))
        .map(|finding| format!("{}: {}", finding.layer, finding.detail))
        .collect();
    named.truncate(4);
    if named.is_empty() { String::new() } else { format!(" ({})", named.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(best: Option<Level>, levels: &[(&str, bool)]) -> Offer {
        let finding = |(layer, available): &(&str, bool)| Finding {
            layer: format!("level {layer}"),
            available: *available,
            detail: "because".to_owned(),
        };
        Offer { best, findings: levels.iter().map(finding).collect() }
    }

    #[test]
    fn the_best_level_is_taken_and_none_only_by_name() {
        let all = offer(Some(Level::Standard), &[("full", false), ("standard", true), ("basic", true)]);
        assert_eq!(choose(Sandbox::Best, &all), Ok(Level::Standard));
        assert_eq!(choose(Sandbox::Exactly(Level::Basic), &all), Ok(Level::Basic));
        assert_eq!(choose(Sandbox::Exactly(Level::Full), &all), Err(Some(Level::Full)));
        let nothing = offer(None, &[("full", false), ("standard", false), ("basic", false)]);
        assert_eq!(choose(Sandbox::Best, &nothing), Err(None));
        assert_eq!(choose(Sandbox::Best, &offer(Some(Level::None), &[])), Err(None));
        assert_eq!(choose(Sandbox::Exactly(Level::None), &nothing), Ok(Level::None));
        let refusal = GroundError::NotThisLevel { level: Level::Full, offer: all };
        assert!(refusal.to_string().ends_with("asks for (level full: because)"), "{refusal}");
    }
}
