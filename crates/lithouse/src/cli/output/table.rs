// SPDX-License-Identifier: Apache-2.0
//! Plain aligned text: columns as wide as their widest cell, two blanks between them.

use unicode_width::UnicodeWidthStr;

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
    /// The columns that a narrow terminal can do without, by their titles, the first to go first.
    spare: &'static [&'static str],
}

impl Table {
    /// A table with a heading.
    pub(in crate::cli) fn titled(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| Cell::painted(title, Paint::Strong)).collect()], spare: &[] }
    }

    /// The same without these columns, one after the other, where a terminal is too narrow for all of them.
    pub(in crate::cli) fn sparing(self, titles: &'static [&'static str]) -> Self {
        Self { spare: titles, ..self }
    }

    /// Adds a row.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text for stdout, without a final line end.
    pub(in crate::cli) fn render(&self) -> String {
        self.render_with(colour::is_wanted(), terminal_width())
    }

    fn render_with(&self, in_colour: bool, room: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row: &Vec<Cell>| row.get(column));
            cells.map(|cell: &Cell| cell.text.width()).max().unwrap_or(0)
        };
        let mut shown: Vec<(usize, usize)> = (0..columns).map(|column| (column, width(column))).collect();
        let is_too_wide = |shown: &[(usize, usize)]| {
            let whole: usize = shown.iter().map(|(_, width)| width + BETWEEN).sum();
            room.is_some_and(|room| whole > room + BETWEEN)
        };
        for title in self.spare {
            let column = self.rows.first().and_then(|titles| titles.iter().position(|cell| cell.text == *title));
            if is_too_wide(&shown) {
                shown.retain(|(shown, _)| Some(*shown) != column);
            }
        }
        // Without the widest there may be room for others again, the last to go first.
        for title in self.spare.iter().rev() {
            let column = self.rows.first().and_then(|titles| titles.iter().position(|cell| cell.text == *title));
            let Some(column) = column.filter(|column| shown.iter().all(|(shown, _)| shown != column)) else { continue };
            let at = shown.partition_point(|(shown, _)| *shown < column);
            shown.insert(at, (column, width(column)));
            if is_too_wide(&shown) {
                shown.remove(at);
            }
        }
        let mut lines = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut line = String::new();
            let mut pending = 0;
            for (cell, width) in shown.iter().filter_map(|(column, width)| Some((row.get(*column)?, width))) {
                if !cell.text.is_empty() {
                    line.push_str(&" ".repeat(pending));
                    pending = 0;
                    match cell.paint.filter(|_| in_colour) {
                        Some(paint) => line.push_str(&paint.on(&cell.text)),
                        None => line.push_str(&cell.text),
                    }
                }
                pending += width - cell.text.width() + BETWEEN;
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

/// Blanks between two columns.
const BETWEEN: usize = 2;

/// How many columns there are where somebody sees it.
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
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
        assert_eq!(
            sample().render_with(false, None),
            "APP          STATUS   PID\né            running  12\nlonger  [2J  stopped"
        );
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = sample().render_with(true, None);
        assert!(coloured.contains("\x1b[32mrunning\x1b[0m"));
        let stripped = ["\x1b[32m", "\x1b[1m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(stripped, sample().render_with(false, None));
    }

    #[test]
    fn wide_letters_take_the_room_that_they_take() {
        let mut table = Table::default();
        table.row(["売上".into(), "a".into()]);
        table.row(["e\u{301}".into(), "b".into()]);
        assert_eq!(table.render_with(false, None), "売上  a\ne\u{301}     b");
    }

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_matter() {
        let table = sample().sparing(&["PID", "STATUS"]);
        assert_eq!(table.render_with(false, Some(25)), sample().render_with(false, None));
        assert_eq!(table.render_with(false, Some(24)), "APP          STATUS\né            running\nlonger  [2J  stopped");
        assert_eq!(table.render_with(false, Some(10)), "APP\né\nlonger  [2J");
        // What has room beside the others without the widest one is there again.
        let mut table = Table::titled(&["APP", "PID", "UP", "URL"]).sparing(&["UP", "PID", "URL"]);
        table.row(["sales".into(), "4242".into(), "5 d".into(), "http://127.0.0.1:8080/".into()]);
        assert_eq!(table.render_with(false, Some(29)), "APP    URL\nsales  http://127.0.0.1:8080/");
        assert_eq!(table.render_with(false, Some(28)), "APP    PID   UP\nsales  4242  5 d");
        assert_eq!(table.render_with(false, Some(12)), "APP    PID\nsales  4242");
    }
}
