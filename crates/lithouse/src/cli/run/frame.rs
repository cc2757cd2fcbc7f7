// SPDX-License-Identifier: Apache-2.0
//! A data frame as a table of bounded size.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::output::{self, Cell, Table};

/// How much of it is printed.
const ROWS: usize = 20;
const COLUMNS: usize = 10;
const CELL: usize = 30;

/// A data frame.
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    name: String,
    columns: Vec<String>,
    index: Vec<Value>,
    data: Vec<Vec<Value>>,
    shape: [u64; 2],
}

impl Frame {
    /// A heading with its size, and the table.
    pub(super) fn render(&self) -> String {
        let titles = self.columns.iter().take(COLUMNS).map(|title| shortened(title));
        let titles: Vec<String> = std::iter::once(String::new()).chain(titles).collect();
        let mut table = Table::titled(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        for (label, row) in self.index.iter().zip(&self.data).take(ROWS) {
            let cells = std::iter::once(label).chain(row.iter().take(COLUMNS));
            table.row(cells.map(|value| Cell::from(shortened(&text(value)))));
        }
        let [rows, columns] = self.shape;
        let heading = format!("{} ({}, {})", output::plain(&self.name), counted(rows, "row"), counted(columns, "column"));
        let more: Vec<String> = [(rows, ROWS.min(self.data.len()), "row"), (columns, COLUMNS.min(self.columns.len()), "column")]
            .into_iter()
            .filter_map(|(all, shown, what)| {
                let more = all.saturating_sub(shown as u64);
                (more > 0).then(|| format!("{} more", counted(more, what)))
            })
            .collect();
        let more = if more.is_empty() { String::new() } else { format!("\n… {}", more.join(", ")) };
        format!("{heading}\n{}{more}", table.render())
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A cell as a person reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "NaN".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or(f64::NAN)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Six digits after the point at most, as pandas prints it; very small and very large numbers with an exponent.
fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CELL) {
        Some((border, _)) => format!("{}…", &text[..border]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_says_what_it_leaves_out() {
        let rows: Vec<Value> = (0..30).map(|row| json!([f64::from(row) / 4.0, null, "x\ny"])).collect();
        let index: Vec<i32> = (0..30).collect();
        let frame = json!({"name": "sales", "columns": ["price", "b", "c"], "index": index, "data": rows, "shape": [1000, 3]});
        let frame: Frame = serde_json::from_value(frame).unwrap();
        let told = frame.render();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "sales (1000 rows, 3 columns)");
        assert_eq!(lines[1].trim_end(), "    price  b    c");
        assert_eq!(lines[2], "0   0.0    NaN  x y");
        assert_eq!(lines[3], "1   0.25   NaN  x y");
        assert_eq!((lines.len(), lines[22]), (23, "… 980 rows more"));
    }

    #[test]
    fn numbers_are_short() {
        for (value, told) in [(0.0, "0.0"), (1.5, "1.5"), (1.0 / 3.0, "0.333333"), (2e20, "2.00000e20"), (-1e-7, "-1.00000e-7")] {
            assert_eq!(float(value), told);
        }
    }
}
