//! Matchers over labels in Alertmanager's syntax: `stream=~"live_.*", severity!="info"`. Pure.
//!
//! ```text
//! list    = [ "{" ] matcher { "," matcher } [ "," ] [ "}" ]
//! matcher = label ( "=" | "!=" | "=~" | "!~" ) value
//! label   = word | quoted
//! value   = word | quoted
//! ```
//!
//! A word has no spaces, quotes, braces, commas or backslashes and none of `!`, `=`, `~`. In quotes `\"`, `\\` and `\n`
//! are a quote, a backslash and a line break; any other backslash stands for itself, so that `"a\.b"` is the pattern
//! that it looks like. A pattern must match the whole value.

use std::fmt;

use super::Pattern;
use super::diagnostic::{code, quote};

/// Longest list, in bytes, as it is written and in its canonical form: room for the longest names of a stream.
const MAX_TEXT: usize = 4 * 1024;

/// Most matchers in a list.
const MAX_MATCHERS: usize = 32;

/// What a word can't have, besides spaces.
const RESERVED: [char; 10] = ['{', '}', '!', '=', '~', ',', '\\', '"', '\'', '`'];

/// A list of matchers, all of which must hold. A label that is missing is the empty text. The default is the empty
/// list, which holds of everything; it can't be written.
///
/// `Display` gives the canonical text, which is read back as the same list; lists are equal if it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers {
    list: Vec<Matcher>,
}

/// One matcher.
#[derive(Clone, Debug)]
struct Matcher {
    label: Box<str>,
    value: Box<str>,
    test: Test,
    /// Where its value stood in the text.
    at: usize,
}

/// How a label's value is compared.
#[derive(Clone, Debug)]
enum Test {
    Is,
    IsNot,
    Like(Pattern),
    Unlike(Pattern),
}

/// Why a text is no list of matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MatcherError {
    /// Byte of the text at which it went wrong.
    pub at: usize,
    /// What is wrong, in words for operators.
    pub message: String,
    /// What to write instead, if that can be told.
    pub hint: Option<String>,
}

impl Matchers {
    /// Reads a list of matchers, with or without braces around it.
    ///
    /// # Errors
    /// Says where and what.
    pub fn parse(text: &str) -> Result<Matchers, MatcherError> {
        if text.len() > MAX_TEXT {
            return Err(too_long(text.len()));
        }
        let mut reader = Reader { text, at: 0 };
        let list = reader.list()?;
        let matchers = Matchers { list };
        // What is stored is the canonical form, and it must be readable too.
        match matchers.to_string().len() {
            long if long > MAX_TEXT => Err(too_long(long)),
            _ => Ok(matchers),
        }
    }

    /// Whether all hold. `label` gives a label's value.
    pub fn hold<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.list.iter().all(|matcher| matcher.holds(label(&matcher.label).unwrap_or("")))
    }

    /// Whether all may hold, as far as can be told: `label` gives `None` for a label that is not known yet, and the
    /// empty text for one that is missing.
    pub fn may_hold<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.list.iter().all(|matcher| label(&matcher.label).is_none_or(|value| matcher.holds(value)))
    }

    /// The one text, not empty, that a label must be for all to hold; `None` if there is no such matcher.
    #[must_use]
    pub fn exactly(&self, label: &str) -> Option<&str> {
        let exact = |matcher: &&Matcher| matches!(matcher.test, Test::Is) && *matcher.label == *label;
        self.list.iter().find(exact).map(|matcher| &*matcher.value).filter(|value| !value.is_empty())
    }

    /// The names of the labels that are asked for, in order; one may come twice.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|matcher| &*matcher.label)
    }

    /// What is legal, but reads as if it were meant otherwise: a glob where the exact text is asked for.
    ///
    /// No error of [`Matchers::parse`], since a stream may be called so and a mute of it must be readable.
    #[must_use]
    pub fn doubt(&self) -> Option<MatcherError> {
        let exact = self.list.iter().filter(|matcher| matches!(matcher.test, Test::Is | Test::IsNot));
        let glob = exact.into_iter().find(|matcher| matcher.value.contains('*'))?;
        let operator = if matches!(glob.test, Test::Is) { "=~" } else { "!~" };
        let pattern = regex::escape(&glob.value).replace("\\*", ".*");
        let pattern: String = pattern.chars().take(60).collect();
        Some(MatcherError {
            at: glob.at,
            message: format!("{} is taken as the exact text, star and all", quote(&glob.value)),
            hint: Some(format!("for any text, write {}{operator}{}", glob.label, Quoted(&pattern))),
        })
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Matcher { label, value, test, .. }) in self.list.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match is_word(label) {
                true => f.write_str(label)?,
                false => Quoted(label).fmt(f)?,
            }
            write!(f, "{}{}", test.operator(), Quoted(value))?;
        }
        Ok(())
    }
}

impl Matcher {
    fn holds(&self, value: &str) -> bool {
        match &self.test {
            Test::Is => value == &*self.value,
            Test::IsNot => value != &*self.value,
            Test::Like(pattern) => pattern.holds(value),
            Test::Unlike(pattern) => !pattern.holds(value),
        }
    }
}

/// By what it asks, wherever it stood.
impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        let of = |matcher: &Matcher| matcher.test.operator();
        self.label == other.label && self.value == other.value && of(self) == of(other)
    }
}

impl Eq for Matcher {}

impl Test {
    fn operator(&self) -> &'static str {
        match self {
            Test::Is => "=",
            Test::IsNot => "!=",
            Test::Like(_) => "=~",
            Test::Unlike(_) => "!~",
        }
    }
}

/// A text in quotes.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Reads a text from left to right.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn list(&mut self) -> Result<Vec<Matcher>, MatcherError> {
        const NONE: &str = "such as stream=~\"live_.*\", severity=\"critical\"; everything is rule!=\"\"";
        self.skip_spaces();
        let braced = self.take("{");
        let mut list = Vec::new();
        loop {
            self.skip_spaces();
            let is_over = self.rest().is_empty() || self.rest().starts_with('}');
            if is_over && list.is_empty() {
                return Err(error(self.at, "there is no matcher", NONE));
            }
            if is_over {
                break;
            }
            if list.len() == MAX_MATCHERS {
                let message = format!("these are more than {MAX_MATCHERS} matchers");
                return Err(error(self.at, message, "one `=~` with `a|b|c` does the work of several"));
            }
            list.push(self.matcher()?);
            self.skip_spaces();
            if !self.take(",") {
                break;
            }
        }
        let closes = self.at;
        match (braced, self.take("}")) {
            (true, false) if self.rest().is_empty() => {
                return Err(error(closes, "the `{` is never closed", "end the list with `}`"));
            }
            (false, true) => return Err(error(closes, "this `}` closes nothing", "begin the list with `{`")),
            _ => {}
        }
        self.skip_spaces();
        match self.rest().chars().next() {
            None => Ok(list),
            Some(_) if self.text[..self.at].trim_end().ends_with('}') => {
                Err(error(self.at, "something follows the closing `}`", "put all matchers inside the braces"))
            }
            Some(_) => {
                let hint = "separate matchers by commas, and put a value that has spaces or signs in \"quotes\"";
                Err(error(self.at, format!("a comma is missing before {}", quote(self.rest())), hint))
            }
        }
    }

    fn matcher(&mut self) -> Result<Matcher, MatcherError> {
        let begins = self.at;
        let label = match self.rest().starts_with('"') {
            true => self.quoted()?,
            false => self.word().to_owned(),
        };
        if label.is_empty() {
            let message = format!("a label's name is missing before {}", quote(self.rest()));
            return Err(error(begins, message, "such as stream=\"live_1\""));
        }
        self.skip_spaces();
        let operator = self.operator(&label)?;
        self.skip_spaces();
        let at = self.at;
        let value = self.value(&label, operator)?;
        let pattern =
            || Pattern::new(&value).map_err(|wrong| MatcherError { at, message: wrong.message, hint: wrong.hint });
        let test = match operator {
            "=~" => Test::Like(pattern()?),
            "!~" => Test::Unlike(pattern()?),
            "!=" => Test::IsNot,
            _ => Test::Is,
        };
        Ok(Matcher { label: label.into(), value: value.into(), test, at })
    }

    fn operator(&mut self, label: &str) -> Result<&'static str, MatcherError> {
        const WRONG: [(&str, &str); 7] =
            [("==", "="), ("=!", "!="), ("~=", "=~"), ("~!", "!~"), ("<>", "!="), ("!", "!="), ("~", "=~")];
        const RIGHT: [&str; 4] = ["=~", "!~", "!=", "="];
        let at = self.at;
        let right = RIGHT.into_iter().find(|operator| self.rest().starts_with(operator));
        let wrong = WRONG.iter().find(|(operator, _)| self.rest().starts_with(operator));
        match (right, wrong) {
            // `=!` begins like `=`, `!` like `!=`: the longer one is what was written.
            (Some(right), wrong) if wrong.is_none_or(|(wrong, _)| wrong.len() <= right.len()) => {
                self.at += right.len();
                Ok(right)
            }
            (_, Some((wrong, meant))) => {
                Err(error(at, format!("there is no `{wrong}`"), format!("did you mean `{meant}`?")))
            }
            _ => {
                let (label, value) = label.split_once([':', '<', '>']).unwrap_or((label, "…"));
                let message = format!("an operator is missing behind {}", quote(label));
                let value = Quoted(value.trim_start_matches(['<', '>']));
                let hint = format!("it is one of =, !=, =~ and !~, as in {}", code(&format!("{label}={value}")));
                Err(error(at, message, hint))
            }
        }
    }

    fn value(&mut self, label: &str, operator: &str) -> Result<String, MatcherError> {
        let at = self.at;
        let in_quotes = |reader: &Reader<'_>| {
            let end = reader.rest().find([',', ' ']).unwrap_or(reader.rest().len());
            let value = format!("{}{}", &reader.text[at..reader.at], &reader.rest()[..end]);
            // A backslash needs no doubling to be read.
            code(&format!("{label}{operator}\"{}\"", value.trim_matches(['\'', '`', '"'])))
        };
        match self.rest().chars().next() {
            Some('"') => return self.quoted(),
            Some('\'' | '`') => {
                let hint = format!("write {}", in_quotes(self));
                return Err(error(at, "values go in double quotes", hint));
            }
            _ => {}
        }
        let word = self.word();
        match self.rest().chars().next() {
            Some(c) if RESERVED.contains(&c) && !matches!(c, ',' | '}') => {
                let hint = format!("write {}", in_quotes(self));
                Err(error(self.at, format!("a value with `{c}` in it must be in double quotes"), hint))
            }
            _ if word.is_empty() => {
                let hint = format!("the empty text is written {}", code(&format!("{label}{operator}\"\"")));
                Err(error(at, format!("a value is missing behind {}", quote(&format!("{label}{operator}"))), hint))
            }
            _ => Ok(word.to_owned()),
        }
    }

    fn quoted(&mut self) -> Result<String, MatcherError> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match (c, chars.peek()) {
                ('"', _) => {
                    self.at += at + 1;
                    return Ok(text);
                }
                ('\\', Some((_, escaped @ ('"' | '\\' | 'n')))) => {
                    text.push(if *escaped == 'n' { '\n' } else { *escaped });
                    chars.next();
                }
                (c, _) => text.push(c),
            }
        }
        Err(error(self.at, "this quote is never closed", "end the value with `\"`; a quote in it is `\\\"`"))
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c: char| c.is_whitespace() || RESERVED.contains(&c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_there = self.rest().starts_with(sign);
        self.at += if is_there { sign.len() } else { 0 };
        is_there
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || RESERVED.contains(&c))
}

fn error(at: usize, message: impl Into<String>, hint: impl Into<String>) -> MatcherError {
    MatcherError { at, message: message.into(), hint: Some(hint.into()) }
}

fn too_long(bytes: usize) -> MatcherError {
    error(0, format!("a list of matchers has at most {MAX_TEXT} bytes, this one has {bytes}"), "write patterns instead")
}

#[cfg(test)]
mod tests;
