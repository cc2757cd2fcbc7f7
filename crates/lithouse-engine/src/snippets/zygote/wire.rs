// SPDX-License-Identifier: Apache-2.0
//! What server and zygote say to each other: one JSON object a message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the zygote is asked for. Three descriptors go with it: channel, standard output and standard error of the child.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    Fork { run: u64, slot: u32, uid: u32, data_limit: u64 },
}

/// What it says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// Once, when it is warm.
    Ready(Ready),
    /// A child is born; its pidfd goes with it.
    Forked { run: u64 },
    /// No child could be made.
    Failed { run: u64, message: String },
    /// A child was reaped.
    Ended(Ended),
}

/// The warm interpreter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(in crate::snippets) struct Ready {
    pub(in crate::snippets) python: String,
    /// What it has imported.
    pub(in crate::snippets) libraries: BTreeMap<String, String>,
    /// How long it took.
    pub(in crate::snippets) seconds: f64,
}

/// The end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(in crate::snippets) struct Ended {
    run: u64,
    /// As `wait` tells it.
    pub(in crate::snippets) status: i32,
}

impl Ended {
    pub(super) fn run(&self) -> u64 {
        self.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_form_that_python_reads_and_writes() {
        let ask = serde_json::to_string(&Ask::Fork { run: 17, slot: 3, uid: 4, data_limit: 9 }).unwrap();
        assert_eq!(ask, r#"{"fork":{"run":17,"slot":3,"uid":4,"data_limit":9}}"#);
        let read = |text: &str| serde_json::from_str::<Said>(text).unwrap();
        let ready = read(r#"{"ready":{"python":"3.11.7","libraries":{"numpy":"2.4.6"},"seconds":1.9}}"#);
        assert!(matches!(ready, Said::Ready(ready) if ready.libraries["numpy"] == "2.4.6"));
        assert!(matches!(read(r#"{"forked":{"run":17}}"#), Said::Forked { run: 17 }));
        assert!(matches!(read(r#"{"failed":{"run":17,"message":"no"}}"#), Said::Failed { run: 17, .. }));
        let ended = read(r#"{"ended":{"run":17,"status":9,"max_rss":1000,"cpu":0.5}}"#);
        assert!(matches!(ended, Said::Ended(Ended { run: 17, status: 9 })));
    }
}
