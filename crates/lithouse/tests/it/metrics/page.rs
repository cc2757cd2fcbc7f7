// SPDX-License-Identifier: Apache-2.0
//! A strict reader of Prometheus text, version 0.0.4: what it does not know, or what comes in another order, is an error.

use std::collections::{BTreeMap, BTreeSet};

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// The kind of each metric.
    pub(super) kinds: BTreeMap<String, String>,
    /// The value of each series: a name with its labels as they are written, such as `x_total{a="b"}`.
    series: BTreeMap<String, f64>,
}

impl Page {
    #[track_caller]
    pub(super) fn read(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
    }

    /// The value of one series.
    pub(super) fn get(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// The series that have this in them.
    pub(super) fn with(&self, part: &str) -> Vec<&str> {
        self.series.keys().filter(|series| series.contains(part)).map(String::as_str).collect()
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut page = Self { kinds: BTreeMap::new(), series: BTreeMap::new() };
        let mut current: Option<(String, String)> = None;
        let mut helped = None;
        if !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        for line in text.lines() {
            let wrong = |what: &str| Err(format!("{what}: `{line}`"));
            if let Some(help) = line.strip_prefix("# HELP ") {
                let Some((name, words)) = help.split_once(' ') else { return wrong("no help") };
                if !is_name(name) || words.trim().is_empty() || page.kinds.contains_key(name) {
                    return wrong("odd help");
                }
                helped = Some(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let Some((name, kind)) = kind.split_once(' ') else { return wrong("no kind") };
                if helped.take().as_deref() != Some(name) || !["counter", "gauge", "histogram"].contains(&kind) {
                    return wrong("a kind without help");
                }
                page.kinds.insert(name.to_owned(), kind.to_owned());
                current = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (series, value) = sample(line)?;
                let Some((name, kind)) = &current else { return wrong("a value of nothing") };
                let bare = series.split('{').next().unwrap_or_default();
                let is_of_it = if kind == "histogram" {
                    ["_bucket", "_sum", "_count"].iter().any(|end| bare.strip_suffix(end) == Some(name))
                } else {
                    bare == name
                };
                if !is_of_it || helped.is_some() {
                    return wrong("a value of something else");
                }
                if kind != "gauge" && (value.is_nan() || value < 0.0) {
                    return wrong("a count below zero");
                }
                if page.series.insert(series, value).is_some() {
                    return wrong("a series that is there twice");
                }
            }
        }
        page.check_histograms()?;
        Ok(page)
    }

    /// Buckets rise to `+Inf`, which has as many as the count.
    fn check_histograms(&self) -> Result<(), String> {
        for (name, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (series, value) in self.series.iter().filter(|(series, _)| series.starts_with(&format!("{name}_bucket{{"))) {
                let (rest, bound) = series.split_once("le=\"").ok_or_else(|| format!("no bound in `{series}`"))?;
                let bound = bound.strip_suffix("\"}").ok_or_else(|| format!("odd bound in `{series}`"))?;
                let labels = rest.rsplit('{').next().unwrap_or_default().trim_end_matches(',').to_owned();
                buckets.entry(labels).or_default().push((number(bound).ok_or("no bound")?, *value));
            }
            if buckets.is_empty() {
                return Err(format!("`{name}` has no buckets"));
            }
            for (labels, mut buckets) in buckets {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                let count = self.get(&format!("{name}_count{labels}")).ok_or_else(|| format!("`{name}{labels}` has no count"))?;
                self.get(&format!("{name}_sum{labels}")).ok_or_else(|| format!("`{name}{labels}` has no sum"))?;
                let last = buckets.last().copied();
                let rises = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1 && pair[0].0 < pair[1].0);
                if !rises || last != Some((f64::INFINITY, count)) {
                    return Err(format!("`{name}{labels}` does not add up: {buckets:?}, {count}"));
                }
            }
        }
        Ok(())
    }
}

/// A series and its value.
fn sample(line: &str) -> Result<(String, f64), String> {
    let wrong = |what: &str| Err(format!("{what}: `{line}`"));
    let Some((series, value)) = line.rsplit_once(' ') else { return wrong("no value") };
    let Some(value) = number(value) else { return wrong("no number") };
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, Some(labels)),
        None => (series, None),
    };
    if !is_name(name) {
        return wrong("no name");
    }
    if let Some(labels) = labels {
        let mut rest = labels;
        let mut names = BTreeSet::new();
        loop {
            let Some((name, after)) = rest.split_once("=\"") else { return wrong("no label") };
            if !is_name(name) || name.contains(':') || !names.insert(name) {
                return wrong("an odd label");
            }
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next() {
                    Some((at, '"')) => break at,
                    Some((_, '\\')) if matches!(characters.next(), Some((_, '\\' | '"' | 'n'))) => {}
                    Some((_, other)) if other != '\\' => {}
                    _ => return wrong("a label without an end"),
                }
            };
            match &after[end + 1..] {
                "}" => break,
                more => match more.strip_prefix(',') {
                    Some(next) => rest = next,
                    None => return wrong("odd labels"),
                },
            }
        }
    }
    Ok((series.to_owned(), value))
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ if text.chars().all(|each| each.is_ascii_digit() || "+-.e".contains(each)) => text.parse().ok(),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

#[test]
fn what_is_not_in_the_format_is_found() {
    let good =
        "# HELP a_total Words.\n# TYPE a_total counter\na_total{b=\"c\\\"\\n\\\\\",d=\"e f\"} 1\na_total{b=\"d\"} 1.5e-3\n";
    Page::parse(good).unwrap();
    for (from, to) in [
        ("# HELP a_total Words.\n", ""),
        ("TYPE a_total", "TYPE a"),
        ("counter", "number"),
        ("a_total{b=\"d\"}", "other{b=\"d\"}"),
        ("b=\"d\"}", "b=\"d}"),
        ("b=\"d\"}", "b=\"d\",}"),
        ("b=\"d\"}", "9=\"d\"}"),
        ("b=\"d\"}", "b=\"c\\\"\\n\\\\\",d=\"e f\"}"),
        ("1.5e-3", "nothing"),
        ("1.5e-3", "-1"),
        ("e-3\n", "e-3"),
        ("1.5e-3", "1.5e-3 \n# EOF"),
    ] {
        let bad = good.replace(from, to);
        assert!(Page::parse(&bad).is_err(), "{bad}");
    }
    let histogram = "# HELP h Words.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    Page::parse(histogram).unwrap();
    for (from, to) in [("+Inf\"} 2", "+Inf\"} 3"), ("0.1\"} 1", "0.1\"} 7"), ("h_sum 3\n", ""), ("h_count", "h_number")] {
        let bad = histogram.replace(from, to);
        assert!(Page::parse(&bad).is_err(), "{bad}");
    }
}
