// SPDX-License-Identifier: Apache-2.0
//! What holds of everything that the process of a snippet says: the foreign code in it may have written every byte.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::io::Write;

use serde_json::Value;
use serde_json::value::RawValue;

use super::channel::Channel;
use super::crash;
use super::outcome::{RunError, Status};
use super::result::{self, Said};

/// Reads the input as a frame, as a stream of frames, and as standard error: what passes is sound JSON in one line of bounded depth,
/// and what does not is told briefly.
pub fn snippet_result(input: &[u8]) {
    frame(input);
    stream(input);
    words(&String::from_utf8_lossy(input));
}

fn frame(bytes: &[u8]) {
    match result::read(bytes) {
        Ok(Said::Parked) => {}
        Ok(Said::Refused { step, message, .. }) => assert!(step.len() + message.len() < bytes.len() * 4 + 100),
        Ok(Said::Chart(chart)) => sound(&chart),
        Ok(Said::Result(result)) => {
            assert_eq!(result.error.is_none(), result.status == Status::Success, "{result:?}");
            assert!(result.execution_time <= 1_000_000_000, "{result:?}");
            result.charts.iter().chain(&result.dataframes).chain(&result.files).for_each(|raw| sound(raw));
            result.variables.0.iter().for_each(|(_, raw)| sound(raw));
            // As it goes into the answer.
            let text = serde_json::to_string(&result.variables).expect("variables are JSON");
            let names = serde_json::from_str::<serde_json::Map<String, Value>>(&text).expect("an object");
            assert_eq!(names.len(), result.variables.0.len());
        }
        Err(malformed) => {
            let complaint = malformed.to_string();
            assert!(!complaint.is_empty() && complaint.len() < 400, "{complaint}");
        }
    }
}

/// What is put into an answer, and into one line of an event stream.
fn sound(raw: &RawValue) {
    let text = raw.get();
    assert!(!text.contains(['\n', '\r']), "{text}");
    let value: Value = serde_json::from_str(text).expect("what passes is JSON");
    assert!(depth(&value) <= 64, "{text}");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Frames one after the other, until the stream ends or breaks off.
fn stream(bytes: &[u8]) {
    // More would wait for room in the socket.
    let bytes = &bytes[..bytes.len().min(64 << 10)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        let (mut channel, mut theirs) = Channel::pair().expect("a socket");
        theirs.write_all(bytes).expect("room in the socket");
        drop(theirs);
        let mut received = 0;
        while let Ok(bytes) = channel.receive().await {
            received += bytes.len() + 4;
            frame(&bytes);
        }
        assert!(received <= bytes.len());
    });
}

/// What it wrote of its own end.
fn words(text: &str) {
    let error = RunError { kind: "Crashed".to_owned(), message: String::new(), line: None, column: None, traceback: None };
    let mut rest = text.to_owned();
    let _ = crash::explain(&mut rest, error);
    assert!(text.starts_with(&rest));
    assert!(crash::beginning(text).is_none_or(|at| text.is_char_boundary(at)));
}
