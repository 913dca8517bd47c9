//! A line cut into words, as people and their phones write them: full-width signs, curly quotes, braces. Pure.

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    rest: &'t str,
}

/// A word that stands for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// In quotes, which are taken off: never a number, a pattern or matchers.
    Quoted(String),
    /// Matchers, or what can only be meant as such; signs outside quotes are plain ones, quotes straight.
    Matchers(String),
    /// Anything else, its signs plain ones.
    Plain(String),
}

/// Nothing to be seen: by it the messages in chats keep names from becoming links.
const APART: char = '\u{200b}';

/// The plain sign for a full-width or curly one.
pub(super) fn fold(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '“' | '”' | '„' | '‟' | '「' | '」' | '『' | '』' | '＂' => '"',
        '‘' | '’' | '‚' | '‛' => '\'',
        '。' | '｡' => '.',
        '、' => ',',
        '〜' => '~',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// A word in plain signs, without what only keeps them apart.
pub(super) fn plain(word: &str) -> String {
    word.chars().filter(|c| *c != APART).map(fold).collect()
}

/// Whether a quote that was opened is closed by this: a straight one, and a curly or cornered one that was opened as such.
fn closes(opened: char, c: char) -> bool {
    match opened {
        '"' | '\'' | '`' => c == opened,
        opened => fold(c) == fold(opened) && !matches!(c, '"' | '\''),
    }
}

impl<'t> Line<'t> {
    pub(super) fn new(text: &'t str) -> Line<'t> {
        Line { rest: text.trim() }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, as it was typed.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    /// Takes this off, in any case, if the line begins with it.
    pub(super) fn take(&mut self, prefix: &str) -> bool {
        let mut rest = self.rest.chars();
        let is_there = prefix.chars().all(|c| rest.next().is_some_and(|r| fold(r).eq_ignore_ascii_case(&c)));
        if is_there {
            self.rest = rest.as_str().trim_start();
        }
        is_there
    }

    /// The same line, from another place on.
    pub(super) fn go_on(&mut self, rest: &'t str) {
        self.rest = rest.trim_start();
    }

    /// The next word as it was typed, and what stands behind it.
    pub(super) fn peek(&self) -> (&'t str, &'t str) {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        self.rest.split_at(end)
    }

    /// Takes the next word, its signs made plain; `None` at the end.
    pub(super) fn word(&mut self) -> Option<String> {
        let (word, rest) = self.peek();
        self.go_on(rest);
        (!word.is_empty()).then(|| plain(word))
    }

    /// Takes the next target; `None` at the end.
    pub(super) fn target(&mut self) -> Option<Written> {
        let first = self.rest.chars().next()?;
        if let Some((quoted, rest)) = quoted(self.rest) {
            self.go_on(rest);
            return Some(Written::Quoted(quoted.to_owned()));
        }
        let in_braces = fold(first) == '{';
        let (text, rest) = scan(self.rest, in_braces);
        self.go_on(rest);
        Some(match in_braces || text.contains('=') || text.contains('"') {
            true => Written::Matchers(text),
            false => Written::Plain(text),
        })
    }
}

/// A text in quotes that the line begins with and that stands by itself.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut chars = text.char_indices();
    let (_, opened) = chars.next()?;
    if !matches!(fold(opened), '"' | '\'' | '`') {
        return None;
    }
    let (end, close) = chars.find(|(_, c)| closes(opened, *c))?;
    let rest = &text[end + close.len_utf8()..];
    let stands_alone = rest.chars().next().is_none_or(char::is_whitespace);
    let inner = &text[opened.len_utf8()..end];
    (stands_alone && !inner.trim().is_empty()).then_some((inner, rest))
}

/// A word up to the next blank outside quotes, or in braces up to the closing one; a comma at its end takes the next
/// word in. Signs outside quotes become plain ones, quotes straight ones.
fn scan(text: &str, in_braces: bool) -> (String, &str) {
    let mut out = String::new();
    let mut opened: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if let Some(quote) = opened {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if closes(quote, c) => {
                    opened = None;
                    out.push('"');
                    continue;
                }
                // The quote around it has become a straight one.
                '"' => out.push('\\'),
                _ => {}
            }
            out.push(c);
            continue;
        }
        let plain = fold(c);
        match plain {
            APART => continue,
            '"' => opened = Some(c),
            '}' if in_braces => {
                out.push('}');
                return (out, &text[at + c.len_utf8()..]);
            }
            c if c.is_whitespace() && !in_braces && !out.trim_end().ends_with(',') => return (out, &text[at..]),
            _ => {}
        }
        out.push(plain);
    }
    (out, "")
}
