// SPDX-License-Identifier: Apache-2.0
//! Plain aligned text: columns as wide as their widest cell, two blanks between them.

use super::colour::{self, Paint};
use super::plain;

/// One cell.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// A cell in a colour.
    pub(in crate::cli) fn painted(text: &str, paint: Paint) -> Self {
        Self { text: plain(text), paint: Some(paint) }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: plain(text.as_ref()), paint: None }
    }
}

/// Rows of cells.
#[derive(Debug, Default)]
pub(in crate::cli) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with a heading.
    pub(in crate::cli) fn titled(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| Cell::painted(title, Paint::Strong)).collect()] }
    }

    /// Adds a row.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text for stdout, without a final line end.
    pub(in crate::cli) fn render(&self) -> String {
        self.render_with(colour::is_wanted())
    }

    fn render_with(&self, in_colour: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row: &Vec<Cell>| row.get(column));
            cells.map(|cell: &Cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut line = String::new();
            let mut pending = 0;
            for (cell, width) in row.iter().zip(&widths) {
                if !cell.text.is_empty() {
                    line.push_str(&" ".repeat(pending));
                    pending = 0;
                    match cell.paint.filter(|_| in_colour) {
                        Some(paint) => line.push_str(&paint.on(&cell.text)),
                        None => line.push_str(&cell.text),
                    }
                }
                pending += width - cell.text.chars().count() + 2;
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::titled(&["APP", "STATUS", "PID"]);
        table.row(["é".into(), Cell::painted("running", Paint::Good), "12".into()]);
        table.row(["longer\n\x1b[2J".into(), "stopped".into(), "".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        assert_eq!(sample().render_with(false), "APP          STATUS   PID\né            running  12\nlonger  [2J  stopped");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = sample().render_with(true);
        assert!(coloured.contains("\x1b[32mrunning\x1b[0m"));
        let stripped = ["\x1b[32m", "\x1b[1m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(stripped, sample().render_with(false));
    }
}
