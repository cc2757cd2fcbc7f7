// SPDX-License-Identifier: Apache-2.0
//! The end of the pool: nothing of it is left on the machine.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{COME_AGAIN_LATER, Message, Phase, Pool, refuse};
use crate::snippets::error::ExecuteError;
use crate::snippets::zygote::Zygote;

impl Pool {
    /// Ends every process, and takes back what was made on the machine.
    pub(super) async fn leave(&mut self, inbox: &mut mpsc::UnboundedReceiver<Message>) {
        let stopping = ExecuteError::Unavailable {
            reason: "the server is stopping".to_owned(),
            hint: None,
            retry_after: Some(COME_AGAIN_LATER),
        };
        self.queue.refuse_all(&stopping);
        self.tasks.abort_all();
        self.parked.clear();
        for (_, process) in &self.running {
            process.kill();
        }
        let zygotes: Vec<Arc<Zygote>> = self.zygote.take().into_iter().chain(self.old.drain(..)).collect();
        for zygote in &zygotes {
            zygote.stop().await;
        }
        for (_, process) in self.running.drain(..) {
            process.end().await;
        }
        inbox.close();
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Vacated { process: Some(process), .. } => process.end().await,
                Message::Take { reply, .. } => refuse(reply, stopping.clone()),
                Message::Warmed(warmed) => {
                    if let Ok(zygote) = *warmed {
                        zygote.stop().await;
                    }
                }
                _ => {}
            }
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Unused);
        if let Phase::Prepared(ground) = phase {
            let cleared = tokio::task::spawn_blocking(move || ground.clear()).await.map_err(std::io::Error::other).flatten();
            if let Err(error) = cleared {
                tracing::warn!(error = %error, "the snippets' control groups could not be removed");
            }
        }
    }
}
