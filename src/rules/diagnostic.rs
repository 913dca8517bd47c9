//! A mistake in rules.yaml as an operator sees it: file, line and column, the line itself with a marker, a hint.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask;

/// Widest line shown, in characters; of a longer one the part around the marker.
const MAX_SHOWN: usize = 160;

/// Most mistakes shown of one file: past that it is not the file people meant.
const MAX_MISTAKES: usize = 100;

/// Most mistakes kept for sorting; a hostile file makes no more memory than this.
const MAX_KEPT: usize = 10 * MAX_MISTAKES;

/// One mistake. `Display` draws it; secrets in the shown line are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    file: String,
    line: usize,
    column: usize,
    message: String,
    hint: Option<String>,
    shown: String,
    marker: Range<usize>,
    /// How many mistakes it stands for: those past the first hundred are one.
    mistakes: usize,
}

impl Diagnostic {
    /// A mistake about the whole file, such as its size.
    pub(super) fn about_file(file: &str, message: impl Into<String>) -> Diagnostic {
        let (shown, marker) = (String::new(), 0..0);
        Diagnostic {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message: message.into(),
            hint: None,
            shown,
            marker,
            mistakes: 1,
        }
    }

    /// The file's name as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many mistakes it stands for.
    #[must_use]
    pub fn mistakes(&self) -> usize {
        self.mistakes
    }

    /// Line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, if that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = Group::with_title(Level::ERROR.primary_title(self.message.as_str()));
        if self.shown.is_empty() {
            group = group.element(Origin::path(self.file.as_str()).line(self.line).char_column(self.column));
        } else {
            let marker = AnnotationKind::Primary.span(self.marker.clone());
            let snippet = Snippet::source(self.shown.as_str()).line_start(self.line).path(self.file.as_str());
            group = group.element(snippet.annotation(marker));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let drawn = Renderer::plain().term_width(MAX_SHOWN + 40).render(&[group]);
        for (index, line) in drawn.lines().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            match line.split_once("--> ") {
                // The drawing counts columns in the line as shown; the true one is before masking and cutting.
                Some((indent, _)) if index == 1 => {
                    write!(f, "{separator}{indent}--> {}:{}:{}", self.file, self.line, self.column)?;
                }
                _ => write!(f, "{separator}{line}")?,
            }
        }
        Ok(())
    }
}

/// A mistake while it is collected: a place and words.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

/// Mistakes of one text, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    uncounted: usize,
    context: Option<String>,
}

impl Mistakes {
    /// Notes one.
    pub(super) fn add(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.note(span, message.into(), None);
    }

    /// Notes one and what to do about it.
    pub(super) fn add_hinted(&mut self, span: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.note(span, message.into(), Some(hint.into()));
    }

    /// Says what the mistakes noted from here on are about: "rule `a`".
    pub(super) fn within(&mut self, context: Option<String>) {
        self.context = context;
    }

    /// Whether none was made.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were made: to see whether there were more in between.
    pub(super) fn count(&self) -> usize {
        self.found.len() + self.uncounted
    }

    /// Whether so many were made that looking for hints is not worth the time.
    pub(super) fn is_flooded(&self) -> bool {
        self.found.len() > MAX_MISTAKES
    }

    fn note(&mut self, span: &Range<usize>, message: String, hint: Option<String>) {
        if self.found.len() >= MAX_KEPT {
            self.uncounted += 1;
            return;
        }
        let message = match &self.context {
            Some(context) => format!("{context}: {message}"),
            None => message,
        };
        self.found.push(Mistake { span: span.clone(), message, hint });
    }

    /// Ready to be shown, by place; bytes in `secrets` are masked.
    pub(super) fn into_diagnostics(mut self, file: &str, text: &str, secrets: &[Range<usize>]) -> Vec<Diagnostic> {
        self.found.sort_by_key(|mistake| mistake.span.start);
        let rest = self.found.len().saturating_sub(MAX_MISTAKES) + self.uncounted;
        self.found.truncate(MAX_MISTAKES);
        let lines = Lines::new(text);
        let mut all: Vec<_> = self.found.into_iter().map(|mistake| lines.locate(file, mistake, secrets)).collect();
        if rest > 0 {
            let more = format!("and {rest} more {}", if rest == 1 { "mistake" } else { "mistakes" });
            all.push(Diagnostic { mistakes: rest, ..Diagnostic::about_file(file, more) });
        }
        all
    }
}

/// The starts of a text's lines, so that many mistakes are located without reading it again for each.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Lines<'t> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    fn locate(&self, file: &str, mistake: Mistake, secrets: &[Range<usize>]) -> Diagnostic {
        let at = self.text.floor_char_boundary(mistake.span.start);
        let index = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let line = start..start + self.text[start..end].trim_end().len();
        let at = at.min(line.end.max(start));
        let marked = at..mistake.span.end.clamp(at, line.end);
        let (shown, marker) = mask::show(self.text, &line, &marked, secrets);
        let (shown, marker) = window(&shown, marker);
        Diagnostic {
            file: file.to_owned(),
            line: index + 1,
            column: self.text[start..at].chars().count() + 1,
            message: mistake.message,
            hint: mistake.hint,
            shown,
            marker,
            mistakes: 1,
        }
    }
}

/// The part of a long line around its marker.
fn window(shown: &str, marker: Range<usize>) -> (String, Range<usize>) {
    if shown.len() <= MAX_SHOWN {
        return (shown.to_owned(), marker);
    }
    let start = shown.floor_char_boundary(marker.start.saturating_sub(MAX_SHOWN / 2));
    let end = shown.floor_char_boundary((start + MAX_SHOWN).min(shown.len()));
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < shown.len() { "…" } else { "" });
    let moved = |at: usize| at.clamp(start, end) - start + before.len();
    let marker = moved(marker.start)..moved(marker.end);
    (format!("{before}{}{after}", &shown[start..end]), marker)
}

/// A value in a message: short, on one line, its control characters spelled out.
pub(super) fn quote(value: &str) -> String {
    const LONGEST: usize = 60;
    let shown: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    let more = if value.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

/// What stands in the file, or could: short, and as it would be typed.
pub(super) fn code(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

/// The legal word nearest to what was written, if one is near enough to be meant.
pub(super) fn nearest<'a>(written: &str, legal: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(64).flat_map(char::to_lowercase).collect();
    let near = legal.into_iter().filter_map(|word| {
        let distance = strsim::damerau_levenshtein(&written, word);
        let length = word.chars().count();
        // The beginning of a word is meant as the word; words of two letters are all near each other.
        let begins = written.len() > 2 && word.starts_with(&written);
        (begins || length > 2 && distance <= (length / 3).max(1)).then_some((distance, word))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}
