//! One test of a file: its name, its clock, its lines; and what all lines need to be read. Pure.

use std::collections::HashSet;
use std::ops::Range;

use super::given;
use super::shape::Section;
use super::{About, Expected, LENGTH, Offset, Trial, order, shape};
use crate::model::{ChannelName, StreamName, Timestamp};
use crate::rules::RuleSet;
use crate::rules::diagnostic::{Mistakes, nearest, quote};
use crate::rules::document::{Kind, Node};
use crate::rules::reading::{self, Fields, Scalar};

/// Where a test's clock starts if it doesn't say: Monday 2026-01-05, nine o'clock in UTC.
pub(super) const START: Timestamp = Timestamp(1_767_603_600_000);

/// Most tests of one file, and most `given` or `expect` lines of one test.
pub(super) const MAX_LINES: usize = 2_000;

/// Most streams of one line.
const MAX_STREAMS: u32 = 1_000;

/// What reading a line of a test takes.
pub(super) struct Reader<'a> {
    /// Where lines begin.
    pub(super) lines: Lines,
    /// What the tests are about; names are not checked without.
    pub(super) rules: Option<&'a RuleSet>,
    /// What is wrong.
    pub(super) out: &'a mut Mistakes,
}

impl Reader<'_> {
    /// All tests of a file that have no mistake.
    pub(super) fn file(&mut self, root: &Node) -> Vec<Trial> {
        if matches!(root.kind, Kind::Null) {
            self.out.add_hinted(&root.span, "the file says nothing", "it needs `rules` and `tests`");
            return Vec::new();
        }
        let Some(top) = self.section(root, &shape::TOP) else { return Vec::new() };
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
        let fields = self.section(node, &shape::TEST)?;
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
        let expected: Vec<Expected> = lines.iter().filter_map(|node| self.expected(node)).flatten().collect();
        if let Some(node) = expect.filter(|_| expected.len() > MAX_LINES) {
            self.out.add(&node.span, format!("a test expects at most {MAX_LINES} things, repetitions included"));
        }
        let last = self.last(&given, &expected);
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
            expect: expected,
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

    /// A mapping with the keys of a section; others are noted.
    pub(super) fn section<'n>(&mut self, node: &'n Node, section: &Section) -> Option<Fields<'n>> {
        let fields = reading::named(node, section.what, self.out)?;
        let Kind::Map(entries) = &node.kind else { return Some(fields) };
        let keys = || section.keys.iter().copied();
        for (key, _) in entries.iter().filter(|(key, _)| !section.keys.contains(&&*key.text)) {
            let message = format!("{} has no key {}", section.what, quote(&key.text));
            match nearest(&key.text, keys()).filter(|_| !self.out.is_flooded()) {
                Some(word) => self.out.add_hinted(&key.span, message, format!("did you mean `{word}`?")),
                None => self.out.add_hinted(&key.span, message, format!("it has: {}", reading::join(keys()))),
            }
        }
        Some(fields)
    }

    /// The value of a key that must be there.
    pub(super) fn required<'n>(&mut self, fields: &Fields<'n>, key: &str, hint: &str) -> Option<&'n Node> {
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

    /// `domain/path/stream_id`; a stream's id may have slashes. `cam{1..20}` are twenty streams.
    pub(super) fn streams(&mut self, node: &Node) -> Option<Vec<StreamName>> {
        let scalar = reading::scalar(node, "`stream`", self.out)?;
        let Some((before, numbers, after)) = braces(scalar.text) else {
            return self.stream_name(scalar, scalar.text).map(|stream| vec![stream]);
        };
        let Some((first, last)) = range(numbers) else {
            let message = format!("{} is no range of numbers", quote(&format!("{{{numbers}}}")));
            let hint = format!("cam{{1..20}} are twenty streams; at most {MAX_STREAMS}");
            self.out.add_hinted(scalar.span, message, hint);
            return None;
        };
        // As in a shell, zeros before the first number are kept.
        let width = numbers.split("..").next().filter(|first| first.starts_with('0')).map_or(0, str::len);
        let names = (first..=last).map(|n| self.stream_name(scalar, &format!("{before}{n:0width$}{after}")));
        names.collect()
    }

    fn stream_name(&mut self, scalar: Scalar<'_>, name: &str) -> Option<StreamName> {
        let mut parts = name.splitn(3, '/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(domain), Some(path), Some(stream)) => Some(StreamName::new(domain, path, stream)),
            _ => {
                let message = format!("{} is no full name of a stream", quote(scalar.written));
                self.out.add_hinted(scalar.span, message, "write DOMAIN/PATH/STREAM: push.example.com/live/cam1");
                None
            }
        }
    }

    /// What incidents are about: `stream`, or `key` for all that is no stream.
    pub(super) fn abouts(&mut self, fields: &Fields<'_>) -> Vec<About> {
        if let (Some(_), Some(key)) = (fields.key("stream"), fields.key("key")) {
            self.out.add_hinted(key, "both `stream` and `key` are given", "remove one of the two");
        }
        if let Some(node) = fields.get("stream") {
            return self.streams(node).unwrap_or_default().into_iter().map(About::Stream).collect();
        }
        let key = fields.get("key").and_then(|node| reading::scalar(node, "`key`", self.out));
        key.map(|key| About::Key(key.text.to_owned())).into_iter().collect()
    }

    /// What one incident is about.
    pub(super) fn about(&mut self, fields: &Fields<'_>) -> Option<About> {
        let mut abouts = self.abouts(fields);
        if let Some(node) = fields.get("stream").filter(|_| abouts.len() > 1) {
            self.out.add(&node.span, "one stream is meant here, and these are several");
        }
        abouts.pop()
    }

    /// The name of a rule that there is.
    pub(super) fn rule(&mut self, node: &Node) -> Option<String> {
        let scalar = reading::scalar(node, "`rule`", self.out)?;
        if let Some(rules) = self.rules {
            let names = || rules.rules.iter().map(|rule| &*rule.name);
            self.known(scalar, "rule", names, "the rules file has no enabled rule of this name")?;
        }
        Some(scalar.text.to_owned())
    }

    /// The name of a channel that there is.
    pub(super) fn channel(&mut self, node: &Node) -> Option<ChannelName> {
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

/// What stands before, in and after the first braces with a range in them.
fn braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (numbers, after) = rest.split_once('}')?;
    numbers.contains("..").then_some((before, numbers, after))
}

/// `1..20`, both included.
fn range(numbers: &str) -> Option<(u32, u32)> {
    let (first, last) = numbers.split_once("..")?;
    let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
    (first <= last && last - first < MAX_STREAMS && numbers.len() <= 20).then_some((first, last))
}

/// Line numbers of a text.
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn new(text: &str) -> Lines {
        Lines { starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// The line in which a place begins, from 1.
    pub(super) fn of(&self, span: &Range<usize>) -> usize {
        self.starts.partition_point(|start| *start <= span.start)
    }
}
