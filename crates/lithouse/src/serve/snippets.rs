// SPDX-License-Identifier: Apache-2.0
//! The snippet service, as the configuration has it.

use lithouse_engine::engine::Engine;
use lithouse_engine::home::Home;
use lithouse_engine::snippets::{Level, Sandbox, Settings, Snippets, Template};

use super::own_program;
use crate::config::{self, Config};

/// Opens it, unless it is turned off.
pub(super) fn open(config: &Config, home: &Home, engine: &Engine) -> anyhow::Result<Option<Snippets>> {
    if !config.snippets.enabled {
        return Ok(None);
    }
    let settings = settings(&config.snippets)?;
    Ok(Some(Snippets::open(home.clone(), engine.environments().clone(), settings)))
}

fn settings(config: &config::Snippets) -> anyhow::Result<Settings> {
    Ok(Settings {
        workers: config.workers,
        timeout: config.timeout,
        memory: config.memory,
        allow_open: config.allow_open,
        packages: config.packages.clone(),
        libraries: config.libraries.clone(),
        sandbox: sandbox(config.sandbox),
        templates: config.templates.iter().map(template).collect(),
        ..Settings::new(own_program()?)
    })
}

fn sandbox(wanted: config::Sandbox) -> Sandbox {
    match wanted {
        config::Sandbox::Auto => Sandbox::Best,
        config::Sandbox::Full => Sandbox::Exactly(Level::Full),
        config::Sandbox::Standard => Sandbox::Exactly(Level::Standard),
        config::Sandbox::Basic => Sandbox::Exactly(Level::Basic),
        config::Sandbox::None => Sandbox::Exactly(Level::None),
    }
}

fn template(template: &config::Template) -> Template {
    Template {
        name: template.name.clone(),
        title: template.title.clone(),
        description: template.description.clone(),
        code: template.code.clone(),
    }
}
