//! Messages on a terminal: wrapped by what is seen, side by side where the width allows. Pure.

use unicode_width::UnicodeWidthChar as _;

use super::look::{Colour, Line, Span, Style};

/// A narrower column can't be read.
const NARROW: usize = 40;
/// A wider one neither.
const WIDE: usize = 100;
/// Blanks between columns.
const GAP: usize = 3;

/// Whether styles are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// In a terminal's escape sequences.
    Ansi,
    /// Not at all.
    Plain,
}

/// A message under its heading.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// `Telegram, en`.
    pub(super) title: String,
    /// What is shown.
    pub(super) lines: Vec<Line>,
}

/// Columns side by side, as many as fit into the width, the others below.
pub(super) fn columns(columns: &[Column], width: usize, ink: Ink) -> String {
    let fitting = ((width + GAP) / (NARROW + GAP)).clamp(1, columns.len().max(1));
    // Rows of the same length, where they can't be all in one.
    let across = columns.len().div_ceil(columns.len().div_ceil(fitting).max(1)).max(1);
    let each = ((width + GAP) / across).saturating_sub(GAP).clamp(NARROW.min(width).max(1), WIDE);
    let mut text = String::new();
    for row in columns.chunks(across) {
        let wrapped: Vec<Vec<Line>> = row.iter().map(|column| wrapped(column, each)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut out = String::new();
            for (place, lines) in wrapped.iter().enumerate() {
                let empty = Line::default();
                let line = lines.get(at).unwrap_or(&empty);
                out.push_str(&painted(line, ink));
                if place + 1 < wrapped.len() {
                    out.push_str(&" ".repeat((each + GAP).saturating_sub(width_of(line))));
                }
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// The column's heading and lines, none wider than `most`.
fn wrapped(column: &Column, most: usize) -> Vec<Line> {
    let title = Style { colour: Some(Colour::Grey), ..Style::default() };
    let mut lines = wrap(&Line::of(&column.title, title), most);
    lines.extend(column.lines.iter().flat_map(|line| wrap(line, most)));
    lines
}

/// One line as several: broken after a blank where there is one, else between characters.
fn wrap(line: &Line, most: usize) -> Vec<Line> {
    let most = most.saturating_sub(if line.bar.is_some() { 2 } else { 0 }).max(2);
    let chars: Vec<(char, Style)> =
        line.spans.iter().flat_map(|span| span.text.chars().map(|c| (c, span.style))).collect();
    let mut lines = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        let (mut used, mut end, mut blank) = (0, 0, None);
        while let Some((c, _)) = rest.get(end) {
            used += c.width().unwrap_or(0);
            if used > most {
                break;
            }
            end += 1;
            if *c == ' ' || (is_wide(*c) && !opens(*c) && !rest.get(end).is_some_and(|(next, _)| closes(*next))) {
                blank = Some(end);
            }
        }
        let whole = end == rest.len();
        let end = if whole { end } else { blank.filter(|blank| *blank > 0).unwrap_or(end.max(1)) };
        lines.push(Line { bar: line.bar, spans: spans(&rest[..end]) });
        rest = &rest[end..];
        if rest.is_empty() {
            return lines;
        }
    }
}

/// Nothing is left at the end of a line that belongs to what follows, and the other way round.
fn opens(c: char) -> bool {
    matches!(c, '（' | '「' | '“')
}

fn closes(c: char) -> bool {
    matches!(c, '）' | '」' | '”' | '，' | '。' | '、' | '；' | '：')
}

/// Chinese breaks after any character.
fn is_wide(c: char) -> bool {
    c.width() == Some(2)
}

fn spans(chars: &[(char, Style)]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (c, style) in chars {
        match spans.last_mut() {
            Some(last) if last.style == *style => last.text.push(*c),
            _ => spans.push(Span { text: c.to_string(), style: *style }),
        }
    }
    spans
}

/// Cells that a line takes.
fn width_of(line: &Line) -> usize {
    let bar = if line.bar.is_some() { 2 } else { 0 };
    let cells = |span: &Span| span.text.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
    bar + line.spans.iter().map(cells).sum::<usize>()
}

fn painted(line: &Line, ink: Ink) -> String {
    let mut out = String::new();
    if let Some(bar) = line.bar {
        let style = Style { colour: Some(bar), ..Style::default() };
        out.push_str(&paint("▌ ", style, ink));
    }
    for span in &line.spans {
        out.push_str(&paint(&span.text, span.style, ink));
    }
    out
}

fn paint(text: &str, style: Style, ink: Ink) -> String {
    let Style { bold, italic, struck, code, link, colour } = style;
    let colour = colour.map(|colour| match colour {
        Colour::Red => "31",
        Colour::Orange => "33",
        Colour::Blue => "34",
        Colour::Green => "32",
        Colour::Grey => "90",
    });
    let marks = [(bold, "1"), (italic, "3"), (struck, "9"), (code, "36"), (link, "4")];
    let marks = marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark).chain(colour);
    let marks = marks.collect::<Vec<_>>().join(";");
    match (ink, marks.is_empty()) {
        (Ink::Plain, _) | (Ink::Ansi, true) => text.to_owned(),
        (Ink::Ansi, false) => format!("\u{1b}[{marks}m{text}\u{1b}[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(title: &str, lines: &[&str]) -> Column {
        let lines = lines.iter().map(|line| Line::of(line, Style::default())).collect();
        Column { title: title.to_owned(), lines }
    }

    #[test]
    fn columns_stand_side_by_side_by_what_is_seen() {
        let both = [column("en", &["🔴 late", "x"]), column("zh", &["🔴 视频卡顿", "观众：花屏", "三"])];
        let wide = columns(&both, 100, Ink::Plain);
        let ends: Vec<usize> = wide
            .lines()
            .filter(|line| line.len() > 48)
            .map(|line| {
                let at = line.find("视频").or(line.find("观众")).or(line.find("zh")).unwrap_or(line.len());
                line[..at].chars().map(|c| c.width().unwrap_or(0)).sum()
            })
            .collect();
        assert!(wide.starts_with("en") && ends.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 3), "{wide}");
        let narrow = columns(&both, 60, Ink::Plain);
        assert_eq!(narrow, "en\n🔴 late\nx\n\nzh\n🔴 视频卡顿\n观众：花屏\n三\n\n");
    }

    #[test]
    fn long_lines_are_broken_at_blanks_and_between_chinese_characters() {
        let lines = wrap(&Line::of("one two three", Style::default()), 8);
        let texts: Vec<&str> = lines.iter().map(|line| line.spans[0].text.as_str()).collect();
        assert_eq!(texts, ["one two ", "three"]);
        let lines = wrap(&Line { bar: Some(Colour::Red), ..Line::of("视频帧到达间隔", Style::default()) }, 8);
        assert!(lines.iter().all(|line| width_of(line) <= 8 && line.bar.is_some()));
        assert_eq!(lines.len(), 3);
        let lines = wrap(&Line::of("视频卡顿（#1）", Style::default()), 11);
        let texts: Vec<&str> = lines.iter().map(|line| line.spans[0].text.as_str()).collect();
        assert_eq!(texts, ["视频卡顿", "（#1）"]);
        let lines = wrap(&Line::of(&"x".repeat(25), Style::default()), 10);
        assert_eq!(lines.len(), 3);
        assert_eq!(wrap(&Line::default(), 10).len(), 1);
    }

    #[test]
    fn styles_are_shown_where_the_terminal_can() {
        let line = Line {
            bar: Some(Colour::Red),
            spans: vec![Span { text: "x".to_owned(), style: Style { bold: true, code: true, ..Style::default() } }],
        };
        assert_eq!(painted(&line, Ink::Plain), "▌ x");
        assert_eq!(painted(&line, Ink::Ansi), "\u{1b}[31m▌ \u{1b}[0m\u{1b}[1;36mx\u{1b}[0m");
    }
}
