// SPDX-License-Identifier: Apache-2.0
//! Looks at everything once, when the page is asked for.

use std::sync::Arc;

use lithouse_core::app::AppStatus;
use lithouse_core::route::CLASSES;
use lithouse_engine::app::AppView;
use lithouse_engine::engine::Engine;
use lithouse_engine::snippets::Snippets;

use super::text::{Family, Page};
use super::{declare, process};
use crate::api::Site;
use crate::api::health::Seen;

/// The whole page.
pub(crate) async fn collect(site: &Site) -> Result<String, prometheus::Error> {
    let mut page = Page::default();
    let mut family = Family::of(&declare::BUILD_INFO);
    family.add(&[env!("CARGO_PKG_VERSION")], 1.0);
    page.push(family);
    let seen = Seen::now(site).await;
    let mut degraded = Family::of(&declare::DEGRADED);
    for (part, fault) in seen.faults() {
        degraded.add(&[part], f64::from(fault.is_some()));
    }
    page.push(degraded);
    requests(&mut page, site);
    apps(&mut page, &site.engine).await;
    builds(&mut page, &site.engine);
    if let Some(service) = &site.snippets {
        snippets(&mut page, service);
    }
    machine(&mut page, &seen);
    process::collect(&mut page);
    page.text()
}

fn requests(page: &mut Page, site: &Site) {
    let mut answered = Family::of(&declare::HTTP_REQUESTS);
    site.counts.each(|handler, method, status, count| answered.add(&[handler, method, status], as_float(count)));
    page.push(answered);
    let mut took = Family::of(&declare::HTTP_DURATION);
    for (handler, durations) in site.counts.durations() {
        took.add_durations(&[handler], &durations);
    }
    page.push(took);
    page.one(&declare::ACCESS_LOG_LOST, as_float(site.access.lost()));
}

async fn apps(page: &mut Page, engine: &Engine) {
    let apps = engine.apps();
    let mut by_status = Family::of(&declare::APPS);
    for status in AppStatus::ALL {
        let count = apps.iter().filter(|app| app.status == status).count();
        by_status.add(&[status.as_str()], as_float(count as u64));
    }
    page.push(by_status);
    let counts: Vec<_> = apps.iter().map(|app| (name(app), engine.usage_counts(&app.id))).collect();
    let mut answered = Family::of(&declare::APP_REQUESTS);
    for (app, counts) in &counts {
        // What never came is left out: with a thousand apps it would be most of the page.
        for (class, count) in CLASSES.iter().zip(counts.answers).filter(|(_, count)| *count > 0) {
            answered.add(&[app, class], as_float(count));
        }
    }
    page.push(answered);
    let figures = [
        (&declare::APP_WEBSOCKETS, counts.iter().map(|(_, counts)| counts.streams).collect::<Vec<_>>()),
        (&declare::APP_RECEIVED, counts.iter().map(|(_, counts)| counts.received).collect()),
        (&declare::APP_SENT, counts.iter().map(|(_, counts)| counts.sent).collect()),
        (&declare::APP_RESTARTS, apps.iter().map(|app| u64::from(app.restarts)).collect()),
    ];
    for (metric, values) in figures {
        let mut family = Family::of(metric);
        for ((app, _), value) in counts.iter().zip(values) {
            family.add(&[app], as_float(value));
        }
        page.push(family);
    }
    let uses = engine.usage(apps.iter().filter_map(|app| app.pid).collect()).await;
    let (mut memory, mut cpu) = (Family::of(&declare::APP_MEMORY), Family::of(&declare::APP_CPU));
    for app in &apps {
        if let Some(of_app) = app.pid.and_then(|pid| uses.get(&pid)) {
            memory.add(&[name(app)], as_float(of_app.memory));
            cpu.add(&[name(app)], of_app.cpu);
        }
    }
    page.push(memory);
    page.push(cpu);
}

/// What people call it in addresses and commands: its key, else its id.
fn name(app: &Arc<AppView>) -> &str {
    app.key.as_ref().map_or(app.id.as_str(), lithouse_core::id::Key::as_str)
}

fn builds(page: &mut Page, engine: &Engine) {
    let counts = engine.environments().build_counts();
    let mut ended = Family::of(&declare::BUILDS);
    for (result, count) in [("succeeded", counts.succeeded), ("failed", counts.failed), ("cancelled", counts.cancelled)] {
        ended.add(&[result], as_float(count));
    }
    page.push(ended);
    let mut took = Family::of(&declare::BUILD_DURATION);
    took.add_durations(&[], &counts.took);
    page.push(took);
    page.one(&declare::BUILDS_RUNNING, as_float(counts.running));
    page.one(&declare::BUILDS_WAITING, as_float(counts.waiting));
}

fn snippets(page: &mut Page, service: &Snippets) {
    let health = service.health();
    let mut runs = Family::of(&declare::SNIPPET_RUNS);
    for (status, count) in health.runs {
        runs.add(&[status.as_str()], as_float(count));
    }
    page.push(runs);
    let mut took = Family::of(&declare::SNIPPET_DURATION);
    took.add_durations(&[], &service.durations());
    page.push(took);
    page.one(&declare::SNIPPETS_RUNNING, as_float(health.running as u64));
    page.one(&declare::SNIPPETS_QUEUED, as_float(health.queued as u64));
    page.one(&declare::SNIPPETS_PARKED, as_float(health.parked as u64));
    page.one(&declare::SNIPPET_WORKERS, as_float(health.workers as u64));
}

fn machine(page: &mut Page, seen: &Seen) {
    let keeper = seen.keeper();
    page.one(&declare::KEEPER_UP, f64::from(keeper.pid.is_some()));
    page.one(&declare::KEEPER_LOSSES, as_float(keeper.losses));
    if let Some(room) = seen.disk().room {
        page.one(&declare::DISK_FREE, as_float(room.free));
        page.one(&declare::DISK_SIZE, as_float(room.size));
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers; up to 2^53 they are exact")]
fn as_float(number: u64) -> f64 {
    number as f64
}
