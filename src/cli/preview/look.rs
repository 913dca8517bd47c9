//! A message as its platform shows it: markup read into styled stretches of text, line by line. Pure.

use crate::model::{Button, ChannelKind};
use crate::render::html::{self, Piece};
use crate::render::{Card, Row, Sign, style};

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) struck: bool,
    /// Set in code's typeface.
    pub(super) code: bool,
    pub(super) link: bool,
    pub(super) colour: Option<Colour>,
}

/// Colours that terminals have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Red,
    Orange,
    Blue,
    Green,
    Grey,
}

/// Text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) style: Style,
}

/// One line; `bar` is the coloured bar at its left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) bar: Option<Colour>,
    pub(super) spans: Vec<Span>,
}

impl Line {
    /// A line in one style.
    pub(super) fn of(text: &str, style: Style) -> Line {
        Line { bar: None, spans: vec![Span { text: text.to_owned(), style }] }
    }

    fn add(&mut self, text: &str, style: Style) {
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => self.spans.push(Span { text: text.to_owned(), style }),
        }
    }
}

/// A message as a platform shows it.
pub(super) fn look(kind: ChannelKind, text: &str, sign: Sign) -> Vec<Line> {
    match kind {
        ChannelKind::Slack => slack(text, sign),
        ChannelKind::Telegram => telegram(text),
        ChannelKind::Wecom => text.lines().map(wecom).collect(),
        ChannelKind::Webhook => text.lines().map(|line| Line::of(line, Style::default())).collect(),
        ChannelKind::Console => console(text, sign),
    }
}

/// A card of a WeCom app: the word above, the first line and what is below it, the text, the rows, the buttons.
pub(super) fn card(card: &Card) -> Vec<Line> {
    let (plain, grey) = (Style::default(), Style { colour: Some(Colour::Grey), ..Style::default() });
    let source = match card.sign {
        Sign::Critical => Style { colour: Some(Colour::Red), ..plain },
        Sign::Well => Style { colour: Some(Colour::Green), ..plain },
        Sign::Warning => plain,
        Sign::Info | Sign::Ended | Sign::Muted => grey,
    };
    // What only keeps characters apart is not seen.
    let line = |text: &str, style| Line::of(&text.replace('\u{200b}', ""), style);
    let mut lines = vec![line(&card.source, source), line(&card.title, Style { bold: true, ..plain })];
    lines.push(line(&card.under, grey));
    lines.extend(card.text.lines().map(|text| line(text, plain)));
    for Row { name, value, url } in &card.rows {
        let value = line(value, Style { link: url.is_some(), ..plain });
        lines.push(Line { spans: [line(&format!("{name}  "), grey).spans, value.spans].concat(), ..value });
    }
    let mut buttons = Line::default();
    for Button { label, press } in &card.buttons {
        // The one to click first stands out.
        buttons.add(&format!("[ {label} ]"), Style { bold: style(*press) == 1, ..plain });
        buttons.add("  ", plain);
    }
    lines.push(buttons);
    lines.retain(|line| line.spans.iter().any(|span| !span.text.is_empty()));
    lines
}

fn colour(sign: Sign) -> Colour {
    match sign {
        Sign::Critical => Colour::Red,
        Sign::Warning => Colour::Orange,
        Sign::Info => Colour::Blue,
        Sign::Well => Colour::Green,
        Sign::Ended | Sign::Muted => Colour::Grey,
    }
}

/// The first line stands alone, the others beside a bar in the sign's colour.
fn slack(text: &str, sign: Sign) -> Vec<Line> {
    let bar = |at: usize| (at > 0).then(|| colour(sign));
    text.lines().enumerate().map(|(at, line)| Line { bar: bar(at), ..mrkdwn(line) }).collect()
}

/// One line of Slack's mrkdwn. A mark counts at the edge of a word alone.
fn mrkdwn(text: &str) -> Line {
    let mut line = Line::default();
    let mut style = Style::default();
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if let Some((code, after)) = after.split_once('`').filter(|(code, _)| c == '`' && !code.is_empty()) {
            line.add(&entities(code), Style { code: true, ..style });
            (rest, before) = (after, '`');
            continue;
        }
        if let Some((link, after)) = after.split_once('>').filter(|_| c == '<') {
            let shown = link.split_once('|').map_or(link, |(_, name)| name);
            line.add(&entities(shown), Style { link: true, ..style });
            (rest, before) = (after, '>');
            continue;
        }
        let flag = match c {
            '*' => Some(&mut style.bold),
            '_' => Some(&mut style.italic),
            '~' => Some(&mut style.struck),
            _ => None,
        };
        let next = after.chars().next().unwrap_or(' ');
        match flag {
            Some(on) if *on && !before.is_whitespace() && !next.is_alphanumeric() => *on = false,
            Some(on) if !*on && !before.is_alphanumeric() && !next.is_whitespace() && closes(after, c) => *on = true,
            _ => {
                let end = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
                let entity = rest.find(';').filter(|_| c == '&').map_or(end, |end| end + 1);
                line.add(&entities(&rest[..entity]), style);
                rest = &rest[entity..];
                before = c;
                continue;
            }
        }
        (rest, before) = (after, c);
    }
    line
}

/// Whether a mark that would begin a style has one that ends it.
fn closes(after: &str, mark: char) -> bool {
    let mut before = ' ';
    after.char_indices().any(|(at, c)| {
        let next = after[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        let ends = c == mark && !before.is_whitespace() && !next.is_alphanumeric();
        before = c;
        ends
    })
}

/// Slack's three entities; what only keeps characters apart is not seen.
fn entities(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace('\u{200b}', "")
}

fn telegram(text: &str) -> Vec<Line> {
    let Ok(pieces) = html::read(text) else {
        return text.lines().map(|line| Line::of(line, Style::default())).collect();
    };
    let mut lines = vec![Line::default()];
    let mut open: Vec<&'static str> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Open { name, .. } => open.push(name),
            Piece::Close(_) => drop(open.pop()),
            Piece::Text(text) => {
                let any = |names: &[&str]| open.iter().any(|name| names.contains(name));
                let style = Style {
                    bold: any(&["b", "strong"]),
                    italic: any(&["i", "em"]),
                    struck: any(&["s", "strike", "del"]),
                    code: any(&["code", "pre"]),
                    link: any(&["a"]),
                    colour: None,
                };
                let text = text.replace('\u{200b}', "");
                for (at, part) in text.split('\n').enumerate() {
                    if at > 0 {
                        lines.push(Line::default());
                    }
                    if let Some(line) = lines.last_mut() {
                        line.add(part, style);
                    }
                }
            }
        }
    }
    lines
}

/// One line of WeCom's markdown: `**`, code, links and the colours of `<font>`.
fn wecom(text: &str) -> Line {
    const MARKS: [(&str, Option<Colour>); 4] = [
        ("<font color=\"warning\">", Some(Colour::Orange)),
        ("<font color=\"info\">", Some(Colour::Green)),
        ("<font color=\"comment\">", Some(Colour::Grey)),
        ("</font>", None),
    ];
    let mut line = Line::default();
    let mut style = Style::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((mark, colour)) = MARKS.into_iter().find(|(mark, _)| rest.starts_with(mark)) {
            style.colour = colour;
            rest = &rest[mark.len()..];
        } else if let Some(after) = rest.strip_prefix("**") {
            style.bold = !style.bold;
            rest = after;
        } else if let Some((code, after)) = rest.strip_prefix('`').and_then(|after| after.split_once('`')) {
            line.add(code, Style { code: true, ..style });
            rest = after;
        } else if let Some((name, after)) = linked(rest) {
            line.add(name, Style { link: true, ..style });
            rest = after;
        } else {
            let (text, after) = rest.split_at(c.len_utf8());
            if c != '\u{200b}' {
                line.add(text, style);
            }
            rest = after;
        }
    }
    line
}

/// What `[name](address)` at the beginning shows, and what comes after.
fn linked(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    (!name.contains(']')).then_some((name, after))
}

/// The first line in the sign's colour, as the console channel prints it.
fn console(text: &str, sign: Sign) -> Vec<Line> {
    let style = |at: usize| match at {
        0 => Style { bold: true, colour: Some(colour(sign)), ..Style::default() },
        _ => Style::default(),
    };
    text.lines().enumerate().map(|(at, line)| Line::of(line, style(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text with what is seen of its style.
    fn shown(lines: &[Line]) -> String {
        let span = |span: &Span| {
            let Style { bold, italic, struck, code, link, colour } = span.style;
            let marks = [(bold, 'b'), (italic, 'i'), (struck, 's'), (code, 'c'), (link, 'l')];
            let mut marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
            marks.extend(colour.map(|colour| format!("{colour:?}")));
            if marks.is_empty() { span.text.clone() } else { format!("[{marks} {}]", span.text) }
        };
        let line = |line: &Line| {
            let bar = line.bar.map(|bar| format!("{bar:?}| ")).unwrap_or_default();
            bar + &line.spans.iter().map(span).collect::<String>()
        };
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn slack_shows_a_bar_and_marks_at_the_edges_of_words() {
        let text = "🔴 `a&lt;b` — *late, 2*3 &amp; more* x\n*Do:* <https://h.example/a_b|read> aac_adts _y_ ~z~ \u{200b}*\n2 * 3";
        assert_eq!(
            shown(&look(ChannelKind::Slack, text, Sign::Critical)),
            "🔴 [c a<b] — [b late, 2*3 & more] x\nRed| [b Do:] [l read] aac_adts [i y] [s z] *\nRed| 2 * 3"
        );
    }

    #[test]
    fn telegram_shows_html_and_what_is_broken_as_it_is() {
        let text = "🟠 <code>a&lt;b</code> — <b>late\nby <i>x</i></b> <a href=\"https://h.example\">there</a>";
        assert_eq!(
            shown(&look(ChannelKind::Telegram, text, Sign::Warning)),
            "🟠 [c a<b] — [b late]\n[b by ][bi x] [l there]"
        );
        assert_eq!(shown(&look(ChannelKind::Telegram, "a <b", Sign::Warning)), "a <b");
    }

    #[test]
    fn wecom_shows_colours() {
        let text = "✅ `cam1` — <font color=\"info\">well **again**</font> [a](https://h.example) [b] ** c";
        assert_eq!(
            shown(&look(ChannelKind::Wecom, text, Sign::Well)),
            "✅ [c cam1] — [Green well ][bGreen again] [l a] [b] [b  c]"
        );
    }

    #[test]
    fn the_console_colours_its_first_line() {
        assert_eq!(shown(&look(ChannelKind::Console, "⚪ a\n   b", Sign::Ended)), "[bGrey ⚪ a]\n   b");
        assert_eq!(shown(&look(ChannelKind::Webhook, "⚪ *a*", Sign::Ended)), "⚪ *a*");
    }
}
