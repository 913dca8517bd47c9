//! Rule tests as operators write them: what is given, what is expected, and everything that is wrong with the file.
//!
//! [`Script::read`] makes the located tree, [`Script::compile`] turns it into [`Trial`]s, all mistakes at once, checked
//! against the rules they are about. Playing them is the command's business. Pure.

mod expect;
mod given;
mod order;
mod reader;
mod shape;
mod stand_in;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::RuleSet;
use super::diagnostic::{Diagnostic, Mistakes, quote};
use super::document::{self, Node};
use super::duration::{self, Bounds, DAY};
use super::reading;
use crate::model::{Cause, ChannelName, Input, Key, Severity, StreamName, Timestamp};
use reader::{Lines, Reader};

/// The longest a test's clock may run.
const LENGTH: Bounds = Bounds::secs(0, 366 * DAY);

/// A moment of a test, counted from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub Duration);

/// As it is written in a test: `0s`, `1m35s`, `1d12h`.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_zero() {
            true => f.write_str("0s"),
            false => f.write_str(&duration::show(self.0)),
        }
    }
}

/// One test, ready to be played.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its name, unique within the file.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// What the clock shows at offset zero.
    pub start: Timestamp,
    /// What happens, in the order in which it is received.
    pub steps: Vec<Step>,
    /// What must be decided, in the order of the file.
    pub expect: Vec<Expected>,
    /// When the test ends; what is decided at that very moment still counts.
    pub until: Offset,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its line in the file, from 1.
    pub line: usize,
    /// When it is received.
    pub received: Offset,
    /// What.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// This comes through the journal.
    Take(Box<Input>),
    /// A person takes the incident in hand that fires then.
    Acknowledge {
        /// Its rule.
        rule: String,
        /// What it is about.
        about: About,
        /// Who.
        by: String,
    },
}

/// What an incident is about, as a test names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A stream, or any push of it.
    Stream(StreamName),
    /// A key as it is shown: `push.example.com`, `*`.
    Key(String),
}

impl About {
    /// Whether an incident's key is meant.
    #[must_use]
    pub fn is(&self, key: &Key) -> bool {
        match self {
            About::Stream(stream) => key.stream() == Some(stream),
            About::Key(text) => key.to_string() == *text,
        }
    }
}

/// What may become of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// It opened, or came back.
    Firing,
    /// It grew worse.
    Escalated,
    /// People are told of it again, or at last.
    Repeated,
    /// It is over.
    Resolved,
    /// People are not told, or not yet.
    Suppressed,
}

impl Turn {
    const WORDS: [(&'static str, Turn); 5] = [
        ("firing", Turn::Firing),
        ("escalated", Turn::Escalated),
        ("repeated", Turn::Repeated),
        ("resolved", Turn::Resolved),
        ("suppressed", Turn::Suppressed),
    ];

    /// The word in `is:`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Turn::WORDS.iter().find(|(_, turn)| *turn == self).map_or("", |(word, _)| word)
    }
}

/// One `expect` line; what it leaves out is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Its line in the file, from 1.
    pub line: usize,
    /// When, to the millisecond.
    pub at: Option<Offset>,
    /// By which rule.
    pub rule: Option<String>,
    /// What.
    pub is: Option<Turn>,
    /// How bad.
    pub severity: Option<Severity>,
    /// About what.
    pub about: Option<About>,
    /// Who is notified, in any order; empty means nobody.
    pub notify: Option<Vec<ChannelName>>,
    /// How it ended.
    pub cause: Option<Cause>,
}

/// The words of `cause:`.
pub const CAUSES: [(&str, Cause); 6] = [
    ("quiet", Cause::Quiet),
    ("reconnected", Cause::Reconnected),
    ("ended", Cause::Ended),
    ("rule_removed", Cause::RuleRemoved),
    ("no_word", Cause::NoWord),
    ("heard", Cause::Heard),
];

/// A test file that is YAML, before it is looked at closely.
#[derive(Debug)]
pub struct Script {
    file: String,
    text: String,
    root: Node,
    mistakes: Mistakes,
    rules: Option<(String, Range<usize>)>,
}

impl Script {
    /// Reads a test file; `file_name` is for the mistakes.
    ///
    /// # Errors
    /// Why it is no YAML document.
    pub fn read(text: &str, file_name: &str) -> Result<Script, Vec<Diagnostic>> {
        if text.len() > document::MAX_BYTES {
            let limit = document::MAX_BYTES / 1024;
            return Err(vec![Diagnostic::about_file(file_name, format!("the file is larger than {limit} KiB"))]);
        }
        let mut mistakes = Mistakes::default();
        let mut root = match document::parse(text) {
            Ok(root) => root,
            Err(error) => {
                let at = error.at..error.at;
                match error.hint {
                    Some(hint) => mistakes.add_hinted(&at, error.message, hint),
                    None => mistakes.add(&at, error.message),
                }
                return Err(mistakes.into_diagnostics(file_name, text, &[]));
            }
        };
        given::fill_bodies(&mut root);
        let rules = reading::named(&root, "a test file", &mut Mistakes::default()).and_then(|top| {
            let scalar = reading::scalar(top.get("rules")?, "`rules`", &mut Mistakes::default())?;
            Some((scalar.text.to_owned(), scalar.span.clone()))
        });
        Ok(Script { file: file_name.to_owned(), text: text.to_owned(), root, mistakes, rules })
    }

    /// The path of the rules under test as it is written: relative to the test file's folder.
    #[must_use]
    pub fn rules(&self) -> Option<&str> {
        self.rules.as_ref().map(|(path, _)| path.as_str())
    }

    /// Notes that there is no using the rules file, as a mistake at its name. `why` completes "the rules file …".
    pub fn refuse_rules(&mut self, why: &str) {
        if let Some((path, span)) = &self.rules {
            let hint = "a path is relative to the folder of the test file";
            self.mistakes.add_hinted(span, format!("the rules file {} {why}", quote(path)), hint);
        }
    }

    /// The tests; names of rules and channels are checked against `rules`, if there are any.
    ///
    /// # Errors
    /// Every mistake of the file, by place, at least one.
    pub fn compile(mut self, rules: Option<&RuleSet>) -> Result<Vec<Trial>, Vec<Diagnostic>> {
        let mut reader = Reader { lines: Lines::new(&self.text), rules, out: &mut self.mistakes };
        let trials = reader.file(&self.root);
        match self.mistakes.is_empty() {
            true => Ok(trials),
            false => Err(self.mistakes.into_diagnostics(&self.file, &self.text, &[])),
        }
    }
}

/// Compiles a rules file for its tests: as [`super::load`], but secrets and addresses of `tencent` and `channels` that
/// come from the environment or from secret files are made up. They decide nothing, and a test must go the same way on
/// every machine.
///
/// # Errors
/// Every mistake of the file, by place, at least one.
pub fn load_rules(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<RuleSet, Vec<Diagnostic>> {
    super::read(text, file_name, env, stand_in::fill)
}
