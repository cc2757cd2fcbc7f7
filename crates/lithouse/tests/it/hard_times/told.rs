// SPDX-License-Identifier: Apache-2.0
//! What is told in a row, with what differs from run to run replaced: times, ids, pids, ports and folders.

use std::fmt::Write as _;
use std::process::Output;

use serde_json::Value;

use crate::server::{Answer, Server};

/// Said by every process that starts, at a number that is nobody's business.
const LONGEST_LOG: usize = 30;

pub(crate) struct Told {
    text: String,
    hidden: Vec<(String, &'static str)>,
}

impl Told {
    pub(crate) fn new(server: &Server) -> Self {
        let folder = server.folder().canonicalize().unwrap().display().to_string();
        Self { text: String::new(), hidden: vec![(folder, "FOLDER"), ("\u{1b}".to_owned(), "␛")] }
    }

    pub(crate) fn hide(&mut self, text: &str, by: &'static str) {
        self.hidden.push((text.to_owned(), by));
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn when(&mut self, what: &str) {
        let blank = if self.text.is_empty() { "" } else { "\n" };
        writeln!(self.text, "{blank}# {what}").unwrap();
    }

    pub(crate) fn app(&mut self, key: &str, app: &Value) {
        self.line(&format!("app `{key}` is {}", app["status"].as_str().unwrap()));
        if let Some(reason) = app["reason"].as_str() {
            self.line(&format!("  reason: {reason}"));
        }
        for line in app["reason_log"].as_array().unwrap() {
            let line = line.as_str().unwrap();
            // What uv says is its own affair, and tells versions and times.
            let of_build = line.split_once(" build | ").map(|(_, text)| text.trim_start());
            if of_build.is_none_or(|text| text.starts_with("failed:")) {
                self.line(&format!("  | {line}"));
            }
        }
    }

    pub(crate) fn log(&mut self, key: &str, log: &str, words: &[&str]) {
        self.line(&format!("log of `{key}`"));
        let is_told = |line: &&str| line.contains(" sys | ") || words.iter().any(|word| line.contains(word));
        let lines: Vec<&str> = log.lines().filter(is_told).collect();
        assert!(lines.len() <= LONGEST_LOG, "{lines:#?}");
        for line in lines {
            self.line(&format!("  | {line}"));
        }
    }

    pub(crate) fn answer(&mut self, what: &str, answer: &Answer) {
        self.line(&format!("{what} -> {}", answer.status));
        if answer.body.is_empty() {
            return;
        }
        let mut body = answer.json();
        if let Some(problem) = body.as_object_mut() {
            problem.remove("request_id");
        }
        let text = serde_json::to_string_pretty(&body).unwrap();
        for line in text.lines() {
            self.line(&format!("  {line}"));
        }
    }

    pub(crate) fn output(&mut self, command: &str, output: &Output) {
        self.line(&format!("$ {command}"));
        for (name, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
            // Of the app's own lines, which are set in, those are there that came before the end.
            for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.starts_with("  ")) {
                self.line(&format!("  {name}: {line}"));
            }
        }
        self.line(&format!("  exit code {}", output.status.code().map_or("none".to_owned(), |code| code.to_string())));
    }

    pub(crate) fn controller(&mut self, log: &str) {
        self.line("controller.log, from warnings on");
        for line in log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")) {
            self.line(&format!("  | {line}"));
        }
    }

    pub(crate) fn line(&mut self, line: &str) {
        let line = self.hidden.iter().fold(line.to_owned(), |line, (text, by)| line.replace(text, by));
        let words = line.split_inclusive([' ', '(', ')', '`', '"', ',', ';', '/', '=', ':', '-']);
        let mut plain = String::new();
        let mut before = String::new();
        for word in words {
            let end = word.len() - word.chars().next_back().filter(|end| !end.is_alphanumeric()).map_or(0, char::len_utf8);
            let (word, mark) = word.split_at(end);
            let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            let is_id = matches!(word.len(), 16 | 32) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let shown = match before.as_str() {
                _ if is_id => "ID",
                "pid " | "port " | "CONT " if is_number => "N",
                "127.0.0.1:" if is_number => "PORT",
                _ => word,
            };
            plain.push_str(shown);
            plain.push_str(mark);
            if !word.is_empty() {
                before = format!("{word}{mark}");
            }
        }
        self.text.push_str(without_time(&plain).trim_end());
        self.text.push('\n');
    }
}

/// The line without the moment at its beginning.
fn without_time(line: &str) -> String {
    let Some((head, rest)) = line.split_once("| ") else { return line.to_owned() };
    match rest.split_once("Z ") {
        Some((time, text)) if time.starts_with("20") && time.contains('T') && time.len() < 30 => format!("{head}| {text}"),
        _ => line.to_owned(),
    }
}
