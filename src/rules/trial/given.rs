//! `given` lines: callbacks, mutes and acknowledgements, with the time of each. Pure.

use std::ops::Range;
use std::time::Duration;

use super::reader::Reader;
use super::{About, LENGTH, Offset, shape};
use crate::model::catalogue::Unit;
use crate::model::{Abnormal, AbnormalType, Catalogue, Detail, Event, EventId, EventKind, StreamName, Timestamp};
use crate::rules::Matchers;
use crate::rules::diagnostic::{nearest, quote};
use crate::rules::document::{Key, Kind, Node};
use crate::rules::duration::{self, Bounds, DAY};
use crate::rules::reading::{self, Fields};

/// How often the cloud reports push errors, ms, unless a line says otherwise.
const REPORT_INTERVAL: u32 = 5_000;

/// Most repetitions of one line.
const MAX_TIMES: i64 = 100_000;

/// Longest text of a callback, in bytes.
const MAX_TEXT: usize = 1024;

/// Entries of one push error, and values of one entry, at most.
const MAX_ENTRIES: usize = 100;

/// A line as it was read; times count from the test's start.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) line: usize,
    /// Where to point if something is wrong with it as a whole.
    pub(super) span: Range<usize>,
    /// When it happens, the first time.
    pub(super) at: Duration,
    /// When that is received.
    pub(super) received: Duration,
    /// From one repetition to the next.
    pub(super) every: Duration,
    /// How often in all, at least 1.
    pub(super) times: u32,
    pub(super) deed: Deed,
}

impl Line {
    /// When it is received for the last time.
    pub(super) fn last(&self) -> Offset {
        let rest = self.every.saturating_mul(self.times.saturating_sub(1));
        Offset(self.received.saturating_add(rest))
    }
}

/// What a line does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// A callback of each of these streams; the event's own stream, time and session are still open.
    Callback { event: Box<Event>, streams: Vec<StreamName> },
    /// A mute.
    Mute { matchers: Box<str>, duration: Duration, reason: Box<str>, author: Box<str> },
    /// A mute's end: its number, or the matchers it was set with.
    Unmute { which: Box<str> },
    /// An acknowledgement.
    Ack { rule: String, about: About, by: String },
}

/// `push_begin:` with nothing after it says all there is to say: reads it as `push_begin: {}`.
pub(super) fn fill_bodies(root: &mut Node) {
    let Kind::Map(top) = &mut root.kind else { return };
    for test in top.iter_mut().filter(|(key, _)| key.text == "tests").flat_map(|(_, tests)| items(tests)) {
        let Kind::Map(entries) = &mut test.kind else { continue };
        for line in entries.iter_mut().filter(|(key, _)| key.text == "given").flat_map(|(_, given)| items(given)) {
            let Kind::Map(entries) = &mut line.kind else { continue };
            for (key, body) in entries {
                let bodiless = event_kind(&key.text).is_some_and(|kind| kind != EventKind::PushError);
                if bodiless && matches!(body.kind, Kind::Null) {
                    body.kind = Kind::Map(Vec::new());
                }
            }
        }
    }
}

fn items(node: &mut Node) -> &mut [Node] {
    match &mut node.kind {
        Kind::Seq(items) => items,
        _ => &mut [],
    }
}

/// A kind of callback by name or number.
fn event_kind(word: &str) -> Option<EventKind> {
    EventKind::from_name(word).or_else(|| word.parse().ok().map(EventKind::from_code))
}

fn is_deed(word: &str) -> bool {
    shape::DEEDS.contains(&word) || event_kind(word).is_some()
}

impl Reader<'_> {
    /// One `given` line.
    pub(super) fn given(&mut self, node: &Node) -> Option<Line> {
        let fields = reading::named(node, "a `given` line", self.out)?;
        let Kind::Map(entries) = &node.kind else { return None };
        let all_known = entries.iter().fold(true, |known, (key, _)| self.check_key(key) && known);
        let at = self.required(&fields, "at", "when it happens, from the start of the test: 0s, 1m30s");
        let at = at.and_then(|node| reading::duration(node, "`at`", LENGTH, self.out));
        let received = match fields.get("received") {
            Some(node) => reading::duration(node, "`received`", LENGTH, self.out).filter(|received| {
                let early = at.is_some_and(|at| *received < at);
                if early {
                    let hint = "`received` counts from the start of the test, like `at`";
                    self.out.add_hinted(&node.span, "received before it happens", hint);
                }
                !early
            }),
            None => at,
        };
        let repeat = self.repetition(&fields);
        let deed = match entries.iter().any(|(key, _)| is_deed(&key.text)) {
            true => self.deed(&fields, entries),
            false => {
                // A misspelt word was reported as such.
                if all_known {
                    let hint =
                        "such as `push_error: [gop_too_large]`, `push_begin:`, `push_end: { errcode: 5 }`, `mute`";
                    self.out.add_hinted(fields.at, "the line does not say what happens", hint);
                }
                None
            }
        };
        let (every, times) = repeat?;
        let line = Line {
            line: self.lines.of(&node.span),
            span: fields.at.clone(),
            at: at?,
            received: received?,
            every,
            times,
            deed: deed?,
        };
        if LENGTH.check(line.last().0).is_err() {
            self.out.add(&line.span, "its last repetition is more than 366 days after the test's start");
            return None;
        }
        Some(line)
    }

    /// Whether a key is legal here; what is wrong is noted.
    fn check_key(&mut self, key: &Key) -> bool {
        let plain = || shape::WHEN.into_iter().chain(shape::SENDER).chain(shape::DEEDS);
        if plain().any(|word| word == key.text) || is_deed(&key.text) {
            return true;
        }
        let message = format!("a `given` line has no key {}", quote(&key.text));
        match nearest(&key.text, plain().chain(EventKind::names())) {
            Some(word) => self.out.add_hinted(&key.span, message, format!("did you mean `{word}`?")),
            None => {
                let hint = format!("it has: {}, and the name or number of a callback", reading::join(plain()));
                self.out.add_hinted(&key.span, message, hint);
            }
        }
        false
    }

    /// (`every`, `times`): both or none.
    pub(super) fn repetition(&mut self, fields: &Fields<'_>) -> Option<(Duration, u32)> {
        match (fields.key("every"), fields.key("times")) {
            (None, None) => return Some((Duration::ZERO, 1)),
            (Some(at), None) => self.out.add_hinted(at, "`times` is missing: how often?", "every: 5s, times: 12"),
            (None, Some(at)) => self.out.add_hinted(at, "`every` is missing: how far apart?", "every: 5s, times: 12"),
            (Some(_), Some(_)) => {}
        }
        let every = fields.get("every").and_then(|node| reading::duration(node, "`every`", LENGTH, self.out));
        let times = fields.get("times").and_then(|node| reading::integer(node, "`times`", 1..=MAX_TIMES, self.out));
        Some((every?, u32::try_from(times?).ok()?))
    }

    /// The one thing that a line is about.
    fn deed(&mut self, fields: &Fields<'_>, entries: &[(Key, Node)]) -> Option<Deed> {
        let mut deeds = entries.iter().filter(|(key, _)| is_deed(&key.text));
        let (key, node) = deeds.next()?;
        if let Some((second, _)) = deeds.find(|(second, _)| second.text != key.text) {
            let message = format!("two things on one line: {} and {}", quote(&key.text), quote(&second.text));
            self.out.add_hinted(&second.span, message, "give each a line of its own");
            return None;
        }
        let kind = event_kind(&key.text);
        if kind.is_none() {
            for (alien, _) in entries.iter().filter(|(key, _)| shape::SENDER.contains(&&*key.text)) {
                let message = format!("{} has no effect on {}", quote(&alien.text), quote(&key.text));
                self.out.add_hinted(&alien.span, message, "it belongs to callbacks");
            }
        }
        if matches!(node.kind, Kind::Null | Kind::Broken) {
            return None;
        }
        match (kind, key.text.as_str()) {
            (Some(kind), _) => self.callback(kind, fields, node),
            (None, "mute") => self.mute(node),
            (None, "unmute") => {
                let which = reading::scalar(node, "`unmute`", self.out)?;
                Some(Deed::Unmute { which: which.text.into() })
            }
            (None, _) => self.ack(node),
        }
    }

    fn callback(&mut self, kind: EventKind, fields: &Fields<'_>, body: &Node) -> Option<Deed> {
        let stream = self.required(fields, "stream", "whose callback it is: push.example.com/live/cam1");
        let streams = stream.and_then(|node| self.streams(node));
        let mut text = |key: &str| fields.get(key).and_then(|node| self.text(node, key));
        let (session, user_ip, appid, node) = (text("session"), text("user_ip"), text("appid"), text("node"));
        let interval = fields.get("report_interval").and_then(|node| {
            let bounds = Bounds::secs(1, DAY);
            reading::duration(node, "`report_interval`", bounds, self.out).map(|d| d.as_millis() as u32)
        });
        let mut event = Event {
            id: EventId([0; 16]),
            kind,
            stream: StreamName::new("", "", ""),
            session,
            appid,
            user_ip,
            node,
            happened_at: None,
            report_interval: None,
            errcode: None,
            errmsg: None,
            push_duration: None,
            abnormal: Vec::new(),
            unreadable: None,
        };
        match kind {
            EventKind::PushError => {
                event.report_interval = interval.or(Some(REPORT_INTERVAL));
                event.abnormal = self.entries(body)?;
            }
            _ => {
                let body = self.section(body, &shape::BODY)?;
                let every = i64::MIN..=i64::MAX;
                event.report_interval = interval;
                event.errcode =
                    body.get("errcode").and_then(|node| reading::integer(node, "`errcode`", every, self.out));
                event.errmsg = body.get("errmsg").and_then(|node| self.text(node, "errmsg"));
                event.push_duration = body.get("push_duration").and_then(|node| {
                    let lasted = reading::duration(node, "`push_duration`", LENGTH, self.out)?;
                    u64::try_from(lasted.as_millis()).ok()
                });
            }
        }
        Some(Deed::Callback { event: Box::new(event), streams: streams? })
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<Box<str>> {
        let scalar = reading::scalar(node, &format!("`{key}`"), self.out)?;
        if scalar.text.len() > MAX_TEXT {
            self.out.add(scalar.span, format!("`{key}` is longer than {MAX_TEXT} bytes"));
            return None;
        }
        Some(scalar.text.into())
    }

    /// The abnormal entries of a push error: a list, or one alone.
    fn entries(&mut self, node: &Node) -> Option<Vec<Abnormal>> {
        let items = match &node.kind {
            Kind::Map(_) => std::slice::from_ref(node),
            _ => reading::list(node, "`push_error`", self.out),
        };
        if items.is_empty() {
            let hint = "such as [ { type: gop_too_large, count: 1 } ]";
            self.out.add_hinted(&node.span, "a push error without an entry says nothing", hint);
        }
        self.check_length(node, items.len());
        let entries: Vec<Option<Abnormal>> = items.iter().take(MAX_ENTRIES).map(|item| self.entry(item)).collect();
        entries.into_iter().collect()
    }

    fn check_length(&mut self, node: &Node, length: usize) {
        if length > MAX_ENTRIES {
            self.out.add(&node.span, format!("a list of {length}: at most {MAX_ENTRIES} are read"));
        }
    }

    /// One entry; a type alone is one occurrence of it.
    fn entry(&mut self, node: &Node) -> Option<Abnormal> {
        let unmeasured = |kind, count| Abnormal { kind, count, details: vec![detail(None)], text: None };
        if matches!(node.kind, Kind::Text { .. }) {
            return self.abnormal_type(node).map(|kind| unmeasured(kind, 1));
        }
        let fields = self.section(node, &shape::ENTRY)?;
        let kind = self.required(&fields, "type", "a name such as gop_too_large, or a number");
        let kind = kind.and_then(|node| self.abnormal_type(node));
        let bounds = 1..=i64::from(u32::MAX);
        let count = fields.get("count").map(|node| reading::integer(node, "`count`", bounds, self.out));
        if let (Some(_), Some(second)) = (fields.key("value"), fields.key("values")) {
            self.out.add_hinted(second, "both `value` and `values` are given", "put them all into `values`");
        }
        let unit = kind.and_then(Catalogue::unit);
        let values = match (fields.get("value"), fields.get("values")) {
            (Some(value), _) => std::slice::from_ref(value),
            (None, Some(values)) => reading::list(values, "`values`", self.out),
            (None, None) => &[],
        };
        self.check_length(node, values.len());
        let values: Vec<Option<f64>> = values.iter().take(MAX_ENTRIES).map(|node| self.measured(node, unit)).collect();
        let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
        let count = match count {
            Some(count) => u32::try_from(count?).ok()?,
            None => u32::try_from(values.len().max(1)).ok()?,
        };
        let kind = kind?;
        if values.is_empty() {
            return Some(unmeasured(kind, count));
        }
        Some(Abnormal {
            kind,
            count,
            details: values.into_iter().map(|value| detail(Some(value))).collect(),
            text: None,
        })
    }

    fn abnormal_type(&mut self, node: &Node) -> Option<AbnormalType> {
        let scalar = reading::scalar(node, "`type`", self.out)?;
        match (scalar.text.parse::<u32>(), AbnormalType::from_name(scalar.text)) {
            (Ok(number), _) if number > 0 => return Some(AbnormalType(number)),
            (_, Some(kind)) => return Some(kind),
            _ => {}
        }
        let message = format!("there is no abnormal type {}", quote(scalar.written));
        match nearest(scalar.written, AbnormalType::NAMES) {
            Some(near) => self.out.add_hinted(scalar.span, message, format!("did you mean `{near}`?")),
            None => {
                let all = reading::join(AbnormalType::NAMES.into_iter());
                self.out.add_hinted(scalar.span, message, format!("they are: {all}"));
            }
        }
        None
    }

    /// A measured value in the catalogue's unit; times may be written with theirs.
    fn measured(&mut self, node: &Node, unit: Option<Unit>) -> Option<f64> {
        let scalar = reading::scalar(node, "`value`", self.out)?;
        if let Some(number) = scalar.text.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return Some(number);
        }
        match (unit, duration::parse(scalar.text)) {
            (Some(Unit::Milliseconds), Ok(time)) => return Some(time.as_secs_f64() * 1000.0),
            (Some(Unit::Seconds), Ok(time)) => return Some(time.as_secs_f64()),
            _ => {}
        }
        let hint = match unit {
            Some(Unit::Milliseconds) => "this type is measured in milliseconds: 1500, or 1500ms, or 1.5s",
            Some(Unit::Seconds) => "this type is measured in seconds: 12, or 12s",
            Some(Unit::Fps) => "this type is measured in frames per second: 7.5",
            Some(Unit::Bytes) => "this type is measured in bytes: 70000",
            None => "a number",
        };
        self.out.add_hinted(scalar.span, format!("{} is no measured value", quote(scalar.written)), hint);
        None
    }

    fn mute(&mut self, node: &Node) -> Option<Deed> {
        let fields = self.section(node, &shape::MUTE)?;
        let matchers = self.required(&fields, "matchers", "what is muted: 'stream=\"cam1\"'").and_then(|node| {
            let scalar = reading::scalar(node, "`matchers`", self.out)?;
            match Matchers::parse(scalar.text) {
                Ok(_) => Some(scalar.text.into()),
                Err(error) => {
                    let hint = "Alertmanager's syntax: 'stream=~\"live_.*\", severity!=\"critical\"'";
                    self.out.add_hinted(scalar.span, format!("`matchers`: {error}"), hint);
                    None
                }
            }
        });
        let length = self.required(&fields, "duration", "a mute always ends: `duration: 1h`");
        let length = length.and_then(|node| reading::duration(node, "`duration`", Bounds::secs(1, 30 * DAY), self.out));
        let mut text = |key: &str| fields.get(key).and_then(|node| self.text(node, key));
        let (reason, author) = (text("reason").unwrap_or_default(), text("author"));
        let author = author.unwrap_or_else(|| "a test".into());
        Some(Deed::Mute { matchers: matchers?, duration: length?, reason, author })
    }

    fn ack(&mut self, node: &Node) -> Option<Deed> {
        let fields = self.section(node, &shape::ACK)?;
        let rule = self.required(&fields, "rule", "the rule whose incident somebody takes in hand");
        let rule = rule.and_then(|node| self.rule(node));
        if fields.key("stream").or(fields.key("key")).is_none() {
            self.out.add_hinted(fields.at, "`stream` is missing", "whose incident; `key` for what is no stream");
        }
        let about = self.about(&fields);
        let by = fields.get("by").and_then(|node| self.text(node, "by"));
        Some(Deed::Ack { rule: rule?, about: about?, by: by.map_or_else(|| "a test".to_owned(), String::from) })
    }
}

fn detail(value: Option<f64>) -> Detail {
    // The time is set with the callback's.
    Detail { at: None::<Timestamp>, value }
}
