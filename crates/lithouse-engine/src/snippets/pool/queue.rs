// SPDX-License-Identifier: Apache-2.0
//! Who waits for a child: first come, first served, up to a number.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::snippets::child::Child;
use crate::snippets::error::ExecuteError;

/// What whoever waits is told in the end.
pub(in crate::snippets) type Answer = Result<Box<Child>, ExecuteError>;

/// Where a waiting run is told.
pub(in crate::snippets) type Reply = oneshot::Sender<Answer>;

/// The waiting runs, the longest waiting first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Reply>,
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&mut self) -> usize {
        self.forget_gone();
        self.waiting.len()
    }

    /// Takes one more; first in line if it has waited before.
    pub(super) fn push(&mut self, reply: Reply, has_waited: bool) {
        if has_waited {
            self.waiting.push_front(reply);
        } else {
            self.waiting.push_back(reply);
        }
    }

    /// The one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Reply> {
        self.forget_gone();
        self.waiting.pop_front()
    }

    /// Tells everybody the same.
    pub(super) fn refuse_all(&mut self, error: &ExecuteError) {
        for reply in self.waiting.drain(..) {
            // Whoever has gone needs no answer.
            let _ = reply.send(Err(error.clone()));
        }
    }

    /// Whoever has gone waits no more.
    fn forget_gone(&mut self) {
        self.waiting.retain(|reply| !reply.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_gone_is_not_waited_for() {
        let mut queue = Queue::default();
        let mut told = Vec::new();
        for has_waited in [false, false, true] {
            let (reply, answer) = oneshot::channel();
            queue.push(reply, has_waited);
            told.push(answer);
        }
        assert_eq!(queue.len(), 3);
        told.remove(0).close();
        drop(told.remove(0));
        assert_eq!(queue.len(), 1);
        queue.refuse_all(&ExecuteError::OpenNotAllowed);
        assert_eq!(queue.len(), 0);
        assert_eq!(told.remove(0).try_recv().unwrap().unwrap_err(), ExecuteError::OpenNotAllowed);
    }

    #[test]
    fn who_has_waited_before_is_next() {
        let mut queue = Queue::default();
        let mut told = Vec::new();
        for has_waited in [false, false, true] {
            let (reply, answer) = oneshot::channel();
            queue.push(reply, has_waited);
            told.push(answer);
        }
        let mut turn = || queue.pop().unwrap().send(Err(ExecuteError::OpenNotAllowed)).unwrap();
        turn();
        assert!(told[2].try_recv().is_ok() && told[0].try_recv().is_err());
        turn();
        assert!(told[0].try_recv().is_ok() && told[1].try_recv().is_err());
    }
}
