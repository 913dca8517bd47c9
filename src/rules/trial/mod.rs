//! Rule tests as operators write them: what is given, what is expected, and everything that is wrong with the file.
//!
//! [`Script::read`] makes the located tree, [`Script::compile`] turns it into [`Trial`]s, all mistakes at once, checked
//! against the rules they are about. Playing them is the command's business. Pure.

mod expect;
mod given;
mod order;
mod shape;
mod stand_in;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::RuleSet;
use super::diagnostic::{Diagnostic, Mistakes, nearest, quote};
use super::document::{self, Kind, Node};
use super::duration::{self, Bounds, DAY};
use super::reading::{self, Fields, Scalar};
use crate::model::{Cause, ChannelName, Input, Key, Severity, StreamName, Timestamp};

/// The longest a test's clock may run.
const LENGTH: Bounds = Bounds::secs(0, 366 * DAY);

/// Where a test's clock starts if it doesn't say: Monday 2026-01-05, nine o'clock in UTC.
const START: Timestamp = Timestamp(1_767_603_600_000);

/// Most tests of one file, and most `given` or `expect` lines of one test.
const MAX_LINES: usize = 2_000;

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

/// What reading a line of a test takes.
struct Reader<'a> {
    lines: Lines,
    rules: Option<&'a RuleSet>,
    out: &'a mut Mistakes,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> Vec<Trial> {
        if matches!(root.kind, Kind::Null) {
            self.out.add_hinted(&root.span, "the file says nothing", "it needs `rules` and `tests`");
            return Vec::new();
        }
        let Some(top) = reading::fields(root, &shape::TOP, self.out) else { return Vec::new() };
        match top.get("rules") {
            Some(node) => _ = reading::scalar(node, "`rules`", self.out),
            None if top.key("rules").is_some() => {}
            None => self.out.add_hinted(top.at, "`rules` is missing", "the path of the rules.yaml under test"),
        }
        let tests = self.required(&top, "tests", "a list of tests, each with `name`, `given` and `expect`");
        let tests = tests.map_or(&[][..], |node| self.lines_of(node, "`tests`"));
        if top.get("tests").is_some_and(|node| matches!(&node.kind, Kind::Seq(items) if items.is_empty())) {
            self.out.add(top.at, "`tests` is empty: nothing would be tested");
        }
        let mut names = HashSet::new();
        let trials = tests.iter().filter_map(|node| self.trial(node, &mut names)).collect();
        self.out.within(None);
        trials
    }

    fn trial(&mut self, node: &Node, names: &mut HashSet<String>) -> Option<Trial> {
        self.out.within(None);
        let fields = reading::fields(node, &shape::TEST, self.out)?;
        let name = self.required(&fields, "name", "say what the test is about, in a few words");
        let name = name.and_then(|node| reading::scalar(node, "`name`", self.out));
        if let Some(name) = name {
            if !names.insert(name.text.to_owned()) {
                self.out.add(name.span, format!("another test is called {} already", quote(name.text)));
            }
            self.out.within(Some(format!("test {}", quote(name.text))));
        }
        let start = fields.get("start").map_or(Some(START), |node| self.start(node));
        let given = self.required(&fields, "given", "what happens, line by line");
        let given = given.map_or(&[][..], |node| self.lines_of(node, "`given`"));
        let given: Vec<given::Line> = given.iter().filter_map(|node| self.given(node)).collect();
        let expect = self.required(&fields, "expect", "what must be decided; `expect: []` for nothing at all");
        let lines = expect.map_or(&[][..], |node| self.lines_of(node, "`expect`"));
        let nothing = expect.is_some() && lines.is_empty();
        let expect: Vec<Expected> = lines.iter().filter_map(|node| self.expected(node)).collect();
        let last = self.last(&given, &expect);
        let until = match fields.get("until") {
            Some(node) => self.until(node, last),
            None if nothing && fields.key("until").is_none() => {
                let hint = "`until: 10m` says how long nothing may happen";
                self.out.add_hinted(fields.at, "`until` is missing: nothing is expected, but for how long?", hint);
                None
            }
            None => Some(last),
        };
        let steps = order::steps(start?, given, self.out)?;
        let name = name?;
        Some(Trial {
            name: name.text.to_owned(),
            line: self.lines.of(name.span),
            start: start?,
            steps,
            expect,
            until: until?,
        })
    }

    /// The time of the last line of all.
    fn last(&self, given: &[given::Line], expect: &[Expected]) -> Offset {
        let given = given.iter().map(given::Line::last);
        given.chain(expect.iter().filter_map(|line| line.at)).max().unwrap_or_default()
    }

    fn until(&mut self, node: &Node, last: Offset) -> Option<Offset> {
        let until = Offset(reading::duration(node, "`until`", LENGTH, self.out)?);
        if until < last {
            let hint = format!("the last line is at {last}");
            self.out.add_hinted(&node.span, "the test ends before its last line", hint);
            return None;
        }
        Some(until)
    }

    /// A moment with its offset or zone.
    fn start(&mut self, node: &Node) -> Option<Timestamp> {
        /// Before the cloud's callbacks and long after: whatever is outside is a slip.
        const YEARS: Range<i64> = 946_684_800_000..4_102_444_800_000;
        let scalar = reading::scalar(node, "`start`", self.out)?;
        let text = scalar.text;
        let moment = text.parse::<jiff::Timestamp>().or_else(|_| text.parse::<jiff::Zoned>().map(|z| z.timestamp()));
        match moment.map(|moment| moment.as_millisecond()) {
            Ok(millis) if YEARS.contains(&millis) => Some(Timestamp(millis)),
            Ok(_) => {
                self.out.add(scalar.span, "`start` must lie between the years 2000 and 2100");
                None
            }
            Err(_) => {
                let hint = "2026-01-05T09:00:00+08:00, 2026-01-05T01:00:00Z or 2026-01-05T09:00[Asia/Shanghai]";
                self.out.add_hinted(scalar.span, format!("{} is no moment in time", quote(scalar.written)), hint);
                None
            }
        }
    }

    /// The value of a key that must be there.
    fn required<'n>(&mut self, fields: &Fields<'n>, key: &str, hint: &str) -> Option<&'n Node> {
        if fields.key(key).is_none() {
            self.out.add_hinted(fields.at, format!("`{key}` is missing"), hint);
        }
        fields.get(key)
    }

    /// A list of lines, not too many.
    fn lines_of<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        let items = reading::list(node, what, self.out);
        if items.len() > MAX_LINES {
            self.out.add(&node.span, format!("{what} has {} lines; at most {MAX_LINES} are read", items.len()));
            return &items[..MAX_LINES];
        }
        items
    }

    /// `domain/path/stream_id`; a stream's id may have slashes.
    fn stream(&mut self, node: &Node) -> Option<StreamName> {
        let scalar = reading::scalar(node, "`stream`", self.out)?;
        let mut parts = scalar.text.splitn(3, '/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(domain), Some(path), Some(stream)) => Some(StreamName::new(domain, path, stream)),
            _ => {
                let message = format!("{} is no full name of a stream", quote(scalar.written));
                self.out.add_hinted(scalar.span, message, "write DOMAIN/PATH/STREAM: push.example.com/live/cam1");
                None
            }
        }
    }

    /// What an incident is about: `stream`, or `key` for all that is no stream.
    fn about(&mut self, fields: &Fields<'_>) -> Option<About> {
        if let (Some(_), Some(key)) = (fields.key("stream"), fields.key("key")) {
            self.out.add_hinted(key, "both `stream` and `key` are given", "remove one of the two");
        }
        let stream = fields.get("stream").and_then(|node| self.stream(node)).map(About::Stream);
        stream.or_else(|| {
            let scalar = reading::scalar(fields.get("key")?, "`key`", self.out)?;
            Some(About::Key(scalar.text.to_owned()))
        })
    }

    /// The name of a rule that there is.
    fn rule(&mut self, node: &Node) -> Option<String> {
        let scalar = reading::scalar(node, "`rule`", self.out)?;
        if let Some(rules) = self.rules {
            let names = || rules.rules.iter().map(|rule| &*rule.name);
            self.known(scalar, "rule", names, "the rules file has no enabled rule of this name")?;
        }
        Some(scalar.text.to_owned())
    }

    /// The name of a channel that there is.
    fn channel(&mut self, node: &Node) -> Option<ChannelName> {
        let scalar = reading::scalar(node, "the name of a channel", self.out)?;
        if let Some(rules) = self.rules {
            let names = || rules.channels.keys().map(ChannelName::as_str);
            self.known(scalar, "channel", names, "the rules file has no channel of this name")?;
        }
        Some(ChannelName::new(scalar.text))
    }

    fn known<'n, I: Iterator<Item = &'n str>>(
        &mut self,
        scalar: Scalar<'_>,
        what: &str,
        names: impl Fn() -> I,
        otherwise: &str,
    ) -> Option<()> {
        if names().any(|name| name == scalar.text) {
            return Some(());
        }
        let message = format!("there is no {what} {}", quote(scalar.written));
        match nearest(scalar.written, names()) {
            Some(near) => self.out.add_hinted(scalar.span, message, format!("did you mean `{near}`?")),
            None => self.out.add_hinted(scalar.span, message, otherwise),
        }
        None
    }
}

/// Line numbers of a text.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Lines {
        Lines { starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// The line in which a place begins, from 1.
    fn of(&self, span: &Range<usize>) -> usize {
        self.starts.partition_point(|start| *start <= span.start)
    }
}
