// SPDX-License-Identifier: Apache-2.0
//! What an operator can set of the snippet service.

use std::path::PathBuf;
use std::time::Duration;

use lithouse_sandbox::level::Level;

use super::templates::Template;

/// How strongly runs are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// As strongly as the machine can; never without confinement.
    #[default]
    Best,
    /// Exactly so, or runs are refused.
    Exactly(Level),
}

/// The settings of the snippet service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many runs there may be at a time; at least one.
    pub workers: usize,
    /// How long a run may take that does not say so itself.
    pub timeout: Duration,
    /// How much memory a run may take, in bytes.
    pub memory: u64,
    /// Whether a run may ask for the policy `open`.
    pub allow_open: bool,
    /// Requirements to install beside numpy, pandas, matplotlib and plotly.
    pub packages: Vec<String>,
    /// Libraries that the policy `restricted` allows beside those four.
    pub libraries: Vec<String>,
    /// How strongly runs are confined.
    pub sandbox: Sandbox,
    /// Templates to offer beside the built-in ones; one with the name of a built-in one takes its place.
    pub templates: Vec<Template>,
    /// How many processes one warm Python forks before another one takes its place, and how long it is used at most: all its forks
    /// share its hash seed and its addresses.
    pub forks_per_zygote: u64,
    /// See `forks_per_zygote`.
    pub zygote_life: Duration,
    /// Our own program, for its hidden verbs.
    pub program: PathBuf,
}

impl Settings {
    /// The defaults: a worker for each core, half a minute, 512 MB, nothing added, as strongly confined as can be.
    pub fn new(program: PathBuf) -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            timeout: Duration::from_secs(30),
            memory: 512_000_000,
            allow_open: false,
            packages: Vec::new(),
            libraries: Vec::new(),
            sandbox: Sandbox::Best,
            templates: Vec::new(),
            forks_per_zygote: 10_000,
            zygote_life: Duration::from_secs(30 * 60),
            program,
        }
    }
}
