//! Columns of text for terminals: aligned by what is seen, numbers grouped. Pure.

use unicode_width::UnicodeWidthStr as _;

use crate::model::Timestamp;
use crate::render::clean::short;

/// Longest name shown, in characters; a longer one keeps both ends.
const NAME: usize = 60;

/// Rows of cells, the first column to the left, the others to the right.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row. A row of one cell is a heading and takes no part in the widths.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each with its end, two blanks between columns and none at the end.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let in_column = |at: usize| self.rows.iter().filter(|row| row.len() > 1).filter_map(move |row| row.get(at));
        let widths: Vec<usize> =
            (0..columns).map(|at| in_column(at).map(|cell| width(cell)).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                let blanks = " ".repeat(wide.saturating_sub(width(cell)));
                match at {
                    0 => line.extend([cell.as_str(), &blanks]),
                    _ => line.extend(["  ", &blanks, cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Hostile text for a cell: harmless, on one line, of bounded length.
pub(super) fn name(text: &str) -> String {
    short(text, NAME)
}

/// `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `+12`, `-3`, `=`.
pub(super) fn change(from: u64, to: u64) -> String {
    match to.checked_sub(from) {
        Some(0) => "=".to_owned(),
        Some(more) => format!("+{}", number(more)),
        None => format!("-{}", number(from - to)),
    }
}

/// `2026-11-22 18:52:20Z`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{}Z", whole.replace('T', " ")),
        None => text.replace('T', " "),
    }
}

/// Cells of a terminal that a text takes.
fn width(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_changes_have_a_sign() {
        let shown = [0, 7, 999, 1000, 12_345, 1_234_567, u64::MAX].map(number);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567", "18,446,744,073,709,551,615"]);
        assert_eq!([(3, 3), (3, 15), (5000, 2)].map(|(from, to)| change(from, to)), ["=", "+12", "-4,998"]);
    }

    #[test]
    fn moments_are_shown_to_the_second() {
        assert_eq!(moment(Timestamp(1_700_000_000_123)), "2023-11-14 22:13:20Z");
        assert_eq!(moment(Timestamp(1_700_000_000_000)), "2023-11-14 22:13:20Z");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::default();
        table.row(["a heading that is long".to_owned()]);
        table.row(["流一".to_owned(), "1".to_owned(), String::new()]);
        table.row(["cam12".to_owned(), "10,000".to_owned(), "=".to_owned()]);
        assert_eq!(table.text(), "a heading that is long\n流一        1\ncam12  10,000  =\n");
    }

    #[test]
    fn hostile_names_are_shown_and_do_not_act() {
        assert_eq!(name("a\u{1b}[2Jb\n"), "a␛[2Jb␤");
        assert_eq!(name(&"x".repeat(500)).chars().count(), NAME);
    }
}
