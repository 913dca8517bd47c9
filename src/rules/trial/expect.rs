//! `expect` lines. Pure.

use super::reader::{MAX_LINES, Reader};
use super::{About, CAUSES, Expected, LENGTH, Offset, Turn, shape};
use crate::model::{ChannelName, Severity};
use crate::rules::diagnostic::quote;
use crate::rules::document::Node;
use crate::rules::reading;

const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

impl Reader<'_> {
    /// One `expect` line, as often as it says.
    pub(super) fn expected(&mut self, node: &Node) -> Option<Vec<Expected>> {
        let fields = self.section(node, &shape::EXPECT)?;
        if fields.iter().next().is_none() {
            self.out.add_hinted(&node.span, "an empty line", "say `at`, `rule` and `is` at least");
            return None;
        }
        let at = fields.get("at").and_then(|node| reading::duration(node, "`at`", LENGTH, self.out));
        let rule = fields.get("rule").and_then(|node| self.rule(node));
        let is = fields.get("is").and_then(|node| reading::choice(node, "`is`", &Turn::WORDS, self.out));
        let severity =
            fields.get("severity").and_then(|node| reading::choice(node, "`severity`", &SEVERITIES, self.out));
        let notify = fields.get("notify").map(|node| self.notified(node));
        let cause = fields.get("cause").and_then(|node| reading::choice(node, "`cause`", &CAUSES, self.out));
        if let (Some(key), Some(turn)) = (fields.key("cause"), is)
            && turn != Turn::Resolved
        {
            let hint = "`cause` goes with `is: resolved`";
            self.out.add_hinted(key, format!("what is {} has no cause", turn.as_str()), hint);
        }
        let abouts = self.abouts(&fields);
        let line = self.lines.of(&node.span);
        let expected = Expected { line, at: at.map(Offset), rule, is, severity, about: None, notify, cause };
        let (every, times) = self.repetition(&fields)?;
        if let (Some(key), None) = (fields.key("every"), fields.key("at")) {
            self.out.add_hinted(key, "`every` repeats `at`, and there is none", "say when it is expected first");
        }
        if (times as usize).saturating_mul(abouts.len().max(1)) > MAX_LINES {
            self.out.add(&node.span, format!("an `expect` line is repeated at most {MAX_LINES} times"));
            return None;
        }
        let last = every.saturating_mul(times.saturating_sub(1)).saturating_add(at.unwrap_or_default());
        if LENGTH.check(last).is_err() {
            self.out.add(&node.span, "its last repetition is more than 366 days after the test's start");
            return None;
        }
        // A line about several streams is a line about each.
        let abouts: Vec<Option<About>> = match abouts.is_empty() {
            true => vec![None],
            false => abouts.into_iter().map(Some).collect(),
        };
        let repeated = (0..times).flat_map(|n| {
            let at = at.map(|at| Offset(at.saturating_add(every.saturating_mul(n))));
            abouts.iter().map(move |about| (at, about.clone()))
        });
        Some(repeated.map(|(at, about)| Expected { at, about, ..expected.clone() }).collect())
    }

    /// Channels, each once, by name.
    fn notified(&mut self, node: &Node) -> Vec<ChannelName> {
        let mut names: Vec<ChannelName> = Vec::new();
        for item in reading::list(node, "`notify`", self.out) {
            let Some(name) = self.channel(item) else { continue };
            match names.binary_search(&name) {
                Ok(_) => self.out.add(&item.span, format!("{} is listed twice", quote(name.as_str()))),
                Err(place) => names.insert(place, name),
            }
        }
        names
    }
}
