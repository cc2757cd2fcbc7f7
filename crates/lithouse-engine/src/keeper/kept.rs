// SPDX-License-Identifier: Apache-2.0
//! An instance on its way from one program of the keeper's process to the next.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::allowance::Allowance;
use super::belonging::Family;
use super::drain::{KeptDrain, Remark};
use super::exits::Entered;
use super::handover::Held;
use super::instance::{Halt, Instance, Stage, Stopping};
use super::memory::MemoryWatch;

/// All of an [`Instance`] that outlives a program; `D` is a descriptor, or its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept<D> {
    id: InstanceId,
    app: AppId,
    release: ReleaseNumber,
    program: PathBuf,
    cwd: PathBuf,
    listen: Option<SocketAddr>,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    listener: Option<D>,
    allowance: Allowance,
    memory: MemoryWatch,
    family: Family,
    pid: i32,
    entered: Option<Entered>,
    stopping: Option<Stopping>,
    halt: Option<Halt>,
    stage: Stage,
    /// None once its log is complete.
    drain: Option<KeptDrain<D>>,
}

impl<D> Kept<D> {
    /// The same with other descriptors.
    pub(super) fn map<E>(self, mut each: impl FnMut(D) -> io::Result<E>) -> io::Result<Kept<E>> {
        Ok(Kept {
            id: self.id,
            app: self.app,
            release: self.release,
            program: self.program,
            cwd: self.cwd,
            listen: self.listen,
            started_at: self.started_at,
            listener: self.listener.map(&mut each).transpose()?,
            allowance: self.allowance,
            memory: self.memory,
            family: self.family,
            pid: self.pid,
            entered: self.entered,
            stopping: self.stopping,
            halt: self.halt,
            stage: self.stage,
            drain: self.drain.map(|drain| drain.map(&mut each)).transpose()?,
        })
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = &D> {
        self.listener.iter().chain(self.drain.iter().flat_map(KeptDrain::descriptors))
    }
}

/// What of an instance another program is to take up, with what the task of its log left.
pub(super) fn keep(instance: Instance, drain: Option<KeptDrain<Held>>) -> Kept<Held> {
    Kept {
        id: instance.id,
        app: instance.app,
        release: instance.release,
        program: instance.program,
        cwd: instance.cwd,
        listen: instance.listen,
        started_at: instance.started_at,
        listener: instance.listener.map(|listener| OwnedFd::from(listener).into()),
        allowance: instance.allowance,
        memory: instance.memory,
        family: instance.family,
        pid: instance.pid.as_raw_nonzero().get(),
        entered: instance.entered,
        stopping: instance.stopping,
        halt: instance.halt,
        stage: instance.stage,
        drain,
    }
}

/// The instance as it was, and what its log's task needs. What has no number of a process was none.
pub(super) fn take_up(kept: Kept<Held>, log: mpsc::UnboundedSender<Remark>) -> Option<(Instance, Option<KeptDrain<Held>>)> {
    let instance = Instance {
        pid: Pid::from_raw(kept.pid)?,
        id: kept.id,
        app: kept.app,
        release: kept.release,
        program: kept.program,
        cwd: kept.cwd,
        listen: kept.listen,
        started_at: kept.started_at,
        listener: kept.listener.map(|listener| OwnedFd::from(listener).into()),
        log,
        allowance: kept.allowance,
        memory: kept.memory,
        family: kept.family,
        entered: kept.entered,
        // Whoever waited has lost the connection.
        spawning: None,
        stopping: kept.stopping,
        halt: kept.halt,
        stage: kept.stage,
    };
    Some((instance, kept.drain))
}
