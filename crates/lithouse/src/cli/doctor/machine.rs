// SPDX-License-Identifier: Apache-2.0
//! The kernel, and the confinement that it offers.

use lithouse_sandbox::level::{self, Level, Offer};

use time::OffsetDateTime;

use super::super::output::size;
use super::Check;
use crate::config::{Config, Sandbox};

/// The oldest kernel that has all that is used.
const OLDEST: (u32, u32) = (5, 10);

pub(super) fn kernel() -> Check {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    kernel_of(&release)
}

fn kernel_of(release: &str) -> Check {
    const NAME: &str = "kernel";
    let needed = format!("{}.{} or newer is needed", OLDEST.0, OLDEST.1);
    match version(release) {
        Some(version) if version >= OLDEST => Check::ok(NAME, format!("Linux {release}")),
        Some(_) => Check::fail(NAME, format!("Linux {release}; {needed}"), "upgrade the system, or move to a newer one"),
        None => Check::warn(NAME, format!("`{release}` is not understood; {needed}"), "see what `uname -r` says"),
    }
}

/// The two first numbers.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|each: char| !each.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What confines code here: snippets at the level that the machine offers, apps and builds not at all.
pub(super) async fn sandbox(config: &Config) -> Check {
    const NAME: &str = "sandbox";
    if !config.snippets.enabled {
        return Check::warn(NAME, APPS, "let nobody deploy whom you would not give a login");
    }
    if config.snippets.sandbox == Sandbox::None {
        let detail = "snippets run without confinement: `snippets.sandbox` is `none`";
        return Check::warn(NAME, detail, "take `snippets.sandbox` out of the configuration");
    }
    match look().await {
        Ok(offer) => sandbox_of(config.snippets.sandbox, &offer),
        Err(error) => Check::warn(NAME, format!("could not be looked at: {error}"), "run `lithouse doctor` again"),
    }
}

/// What holds apps to their limits here.
pub(super) async fn limits() -> Check {
    match look().await {
        Ok(offer) => limits_of(&offer),
        Err(error) => Check::warn(LIMITS, format!("could not be looked at: {error}"), "run `lithouse doctor` again"),
    }
}

const LIMITS: &str = "app limits";

fn limits_of(offer: &Offer) -> Check {
    const WITHOUT: &str = "without a cgroup: memory is watched, processes are counted by user, the processor is not held";
    match offer.findings.iter().find(|finding| finding.layer == "cgroup") {
        Some(finding) if finding.available => Check::ok(LIMITS, format!("held by cgroups, {}", finding.detail)),
        Some(finding) => Check::warn(LIMITS, WITHOUT, finding.detail.clone()),
        None => Check::warn(LIMITS, WITHOUT, "run the server as root, or as a systemd service with `Delegate=yes`"),
    }
}

const APPS: &str = "apps and builds run with all rights of this user";

/// Each visitor takes two of them.
const FEW_FILES: u64 = 1024;

pub(super) fn open_files() -> Check {
    open_files_of(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)
}

fn open_files_of(most: Option<u64>) -> Check {
    const NAME: &str = "open files";
    match most {
        Some(most) if most < FEW_FILES => {
            let detail = format!("{most} at a time, enough for {} visitors", most.saturating_sub(100) / 2);
            Check::warn(NAME, detail, "run `ulimit -n 65536` before the start, or give the service `LimitNOFILE=65536`")
        }
        Some(most) => Check::ok(NAME, format!("{most} at a time")),
        None => Check::ok(NAME, "as many as there are"),
    }
}

/// An app of Streamlit with pandas, and the snippets' warm Python, take about a third of it each.
const LITTLE_MEMORY: u64 = 500_000_000;

pub(super) fn memory() -> Check {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    // Within a container, its own limit.
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|limit| limit.trim().parse().ok());
    memory_of(&told, limit)
}

fn memory_of(told: &str, limit: Option<u64>) -> Check {
    const NAME: &str = "memory";
    let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let bytes = |name| line(name)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024);
    let Some(free) = bytes("MemAvailable").map(|free| limit.map_or(free, |limit| free.min(limit))) else {
        return Check::warn(NAME, "how much is free is not known", "see what `free -h` says");
    };
    let detail = format!("{} available", size(free));
    if free < LITTLE_MEMORY {
        let fix = "end what is not needed, give the machine more, or hold apps with `hosting.memory`";
        Check::warn(NAME, format!("{detail}; an app of Streamlit with pandas takes about 150 MB"), fix)
    } else {
        Check::ok(NAME, detail)
    }
}

pub(super) fn clock() -> Check {
    clock_of(OffsetDateTime::now_utc())
}

fn clock_of(now: OffsetDateTime) -> Check {
    const NAME: &str = "clock";
    let told = format!("{} {:02}:{:02} UTC", now.date(), now.hour(), now.minute());
    if now.year() < 2026 {
        let detail = format!("{told}, which is past; certificates of package registries are refused, and builds fail");
        return Check::warn(NAME, detail, "sudo timedatectl set-ntp true");
    }
    Check::ok(NAME, told)
}

/// Tries it, in a process of its own.
async fn look() -> anyhow::Result<Offer> {
    let program = std::env::current_exe()?;
    Ok(tokio::task::spawn_blocking(move || level::probe(&program)).await?)
}

/// Whether what is wanted is offered; if not, what is missing.
fn sandbox_of(wanted: Sandbox, offer: &Offer) -> Check {
    const NAME: &str = "sandbox";
    let level = match wanted {
        Sandbox::Auto => offer.best,
        Sandbox::Full => Some(Level::Full).filter(|level| offer.has(*level)),
        Sandbox::Standard => Some(Level::Standard).filter(|level| offer.has(*level)),
        Sandbox::Basic => Some(Level::Basic).filter(|level| offer.has(*level)),
        Sandbox::None => Some(Level::None),
    };
    let missing: Vec<_> = offer.findings.iter().filter(|finding| !finding.available).collect();
    // What a level lacks is told by its layers; where none of them is missing, by itself.
    let layers: Vec<_> = missing.iter().filter(|finding| !finding.layer.starts_with("level ")).collect();
    let causes = if layers.is_empty() { missing.iter().collect() } else { layers };
    let causes: Vec<String> = causes.iter().map(|finding| format!("{}: {}", finding.layer, finding.detail)).collect();
    let (fix, missing) = (causes.join("; "), missing.first());
    match (level, missing) {
        (Some(level), None) => Check::ok(NAME, format!("snippets run at level `{level}`; {APPS}")),
        (Some(level), Some(_)) => Check::warn(NAME, format!("snippets run at level `{level}`; {APPS}"), fix),
        (None, _) if wanted == Sandbox::Auto => Check::warn(NAME, "no snippet can be run: this machine offers no sandbox", fix),
        (None, _) => {
            Check::warn(NAME, "no snippet can be run: this machine does not offer the level that `snippets.sandbox` names", fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use lithouse_sandbox::level::Finding;

    use super::super::Status;
    use super::*;

    #[test]
    fn limits_of_apps_are_held_by_cgroups_or_the_way_to_them_is_told() {
        let offer = |available, detail: &str| {
            let finding = level::Finding { layer: "cgroup".to_owned(), available, detail: detail.to_owned() };
            Offer { best: None, findings: vec![finding] }
        };
        let held = limits_of(&offer(true, "version 2, in `/sys/fs/cgroup`"));
        assert_eq!((held.status, held.detail.as_str()), (Status::Ok, "held by cgroups, version 2, in `/sys/fs/cgroup`"));
        let missing = limits_of(&offer(false, "run it with `Delegate=yes`"));
        assert_eq!((missing.status, missing.fix.as_deref()), (Status::Warn, Some("run it with `Delegate=yes`")));
    }

    #[test]
    fn what_is_missing_of_the_sandbox_is_told_with_what_mends_it() {
        let finding = |layer: &str, available| Finding { layer: layer.to_owned(), available, detail: "do that".to_owned() };
        let all = Offer { best: Some(Level::Full), findings: vec![finding("cgroup", true), finding("level full", true)] };
        assert_eq!(sandbox_of(Sandbox::Auto, &all).status, Status::Ok);
        assert_eq!(sandbox_of(Sandbox::Full, &all).status, Status::Ok);
        let findings = vec![finding("cgroup", false), finding("level full", false), finding("level standard", true)];
        let less = Offer { best: Some(Level::Standard), findings };
        for (wanted, level) in [(Sandbox::Auto, true), (Sandbox::Standard, true), (Sandbox::Full, false)] {
            let check = sandbox_of(wanted, &less);
            assert_eq!((check.status, check.fix.as_deref()), (Status::Warn, Some("cgroup: do that")), "{wanted:?}");
            assert_eq!(check.detail.contains("`standard`"), level, "{}", check.detail);
        }
        let nothing = Offer { best: None, findings: vec![finding("Landlock", false)] };
        assert!(sandbox_of(Sandbox::Auto, &nothing).detail.contains("no snippet can be run"));
    }

    #[test]
    fn every_layer_that_is_missing_is_named() {
        let finding = |layer: &str, available| Finding { layer: layer.to_owned(), available, detail: "do that".to_owned() };
        let findings =
            vec![finding("namespaces", false), finding("Landlock", false), finding("cgroup", true), finding("level full", false)];
        let check = sandbox_of(Sandbox::Auto, &Offer { best: None, findings });
        assert_eq!(check.fix.as_deref(), Some("namespaces: do that; Landlock: do that"));
    }

    #[test]
    fn little_room_and_a_clock_that_is_past_are_told() {
        assert_eq!(open_files_of(Some(256)).detail, "256 at a time, enough for 78 visitors");
        assert_eq!((open_files_of(Some(1024)).status, open_files_of(None).status), (Status::Ok, Status::Ok));
        let told = "MemTotal:       8000000 kB\nMemAvailable:    400000 kB\n";
        let memory = memory_of(told, None);
        assert_eq!(memory.detail, "390 MB available; an app of Streamlit with pandas takes about 150 MB");
        let plenty = told.replace("400000", "4000000");
        assert_eq!((memory_of(&plenty, None).status, memory_of(&plenty, Some(1 << 20)).status), (Status::Ok, Status::Warn));
        assert_eq!(memory_of("", None).status, Status::Warn);
        let clock = |year| clock_of(time::Date::from_calendar_date(year, time::Month::March, 4).unwrap().midnight().assume_utc());
        assert_eq!((clock(2027).status, clock(2027).detail.as_str()), (Status::Ok, "2027-03-04 00:00 UTC"));
        assert_eq!((clock(1970).status, clock(1970).fix.as_deref()), (Status::Warn, Some("sudo timedatectl set-ntp true")));
    }

    #[test]
    fn a_kernel_is_judged_by_its_first_two_numbers() {
        for (release, status) in [
            ("6.1.0-26-amd64", Status::Ok),
            ("5.10.102.1-microsoft-standard-WSL2", Status::Ok),
            ("5.9.16", Status::Fail),
            ("4.18.0-553.el8.x86_64", Status::Fail),
            ("10.0", Status::Ok),
            ("unknown", Status::Warn),
            ("", Status::Warn),
        ] {
            assert_eq!(kernel_of(release).status, status, "{release}");
        }
    }
}
