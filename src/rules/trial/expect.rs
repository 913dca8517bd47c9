//! `expect` lines. Pure.

use super::{CAUSES, Expected, LENGTH, Offset, Reader, Turn, shape};
use crate::model::{ChannelName, Severity};
use crate::rules::diagnostic::quote;
use crate::rules::document::Node;
use crate::rules::reading;

const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

impl Reader<'_> {
    /// One `expect` line.
    pub(super) fn expected(&mut self, node: &Node) -> Option<Expected> {
        let fields = reading::fields(node, &shape::EXPECT, self.out)?;
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
        let about = self.about(&fields);
        Some(Expected { line: self.lines.of(&node.span), at: at.map(Offset), rule, is, severity, about, notify, cause })
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
