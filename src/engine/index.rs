//! Rules by what they listen to, so that an event pays only for rules that can match. Pure.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::model::{AbnormalType, Event, EventKind};
use crate::rules::condition::TextField;
use crate::rules::{Demand, Rule};

/// From this many globs on a field, all of them are asked at once.
const MANY_GLOBS: usize = 8;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Places of rules in the file, by kind of event and abnormal type, and by what they demand besides.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Push error rules by abnormal type; a rule with several types stands under each.
    by_type: Map<AbnormalType, Bucket>,
    /// Push error rules for every type.
    any_type: Bucket,
    /// Rules on other kinds.
    by_kind: Map<EventKind, Bucket>,
}

/// Rules that listen to the same thing. Each stands at one place: under the plainest of its demands.
#[derive(Clone, Debug, Default)]
struct Bucket {
    /// Without a demand that could be looked up.
    always: Vec<u32>,
    by_text: Vec<(TextField, ByText)>,
    by_errcode: Map<i64, Vec<u32>>,
    /// All that demand an errcode.
    on_errcode: Vec<u32>,
}

/// Rules that demand certain texts of one field.
#[derive(Clone, Debug, Default)]
struct ByText {
    exact: Map<Box<str>, Vec<u32>>,
    patterns: Vec<(Box<str>, u32)>,
    globs: GlobSet,
    /// All of them: what an event does not carry can't be looked up, and is to be counted as missing.
    all: Vec<u32>,
}

impl Index {
    /// Indexes rules by their place.
    #[must_use]
    pub(super) fn new(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (place, rule) in (0u32..).zip(rules) {
            match (rule.on, rule.types.as_slice()) {
                (EventKind::PushError, []) => index.any_type.add(place, rule),
                (EventKind::PushError, types) => {
                    for kind in types {
                        index.by_type.entry(*kind).or_default().add(place, rule);
                    }
                }
                (kind, _) => index.by_kind.entry(kind).or_default().add(place, rule),
            }
        }
        let buckets = index.by_type.values_mut().chain(index.by_kind.values_mut());
        buckets.chain([&mut index.any_type]).for_each(Bucket::finish);
        index
    }

    /// Puts the places of rules that may match into `places`, ascending and without repeats.
    pub(super) fn candidates(&self, event: &Event, places: &mut Vec<u32>) {
        places.clear();
        match event.kind {
            EventKind::PushError => {
                self.any_type.candidates(event, places);
                for abnormal in &event.abnormal {
                    if let Some(bucket) = self.by_type.get(&abnormal.kind) {
                        bucket.candidates(event, places);
                    }
                }
            }
            kind => {
                if let Some(bucket) = self.by_kind.get(&kind) {
                    bucket.candidates(event, places);
                }
            }
        }
        places.sort_unstable();
        places.dedup();
    }
}

impl Bucket {
    fn add(&mut self, place: u32, rule: &Rule) {
        let rank = |demand: &Demand| match demand {
            Demand::Text { .. } => 0,
            Demand::Errcode(_) => 1,
            Demand::Glob { .. } => 2,
        };
        match rule.demands().into_iter().min_by_key(rank) {
            Some(Demand::Text { field, any_of }) => {
                let by_text = self.by_text(field);
                by_text.all.push(place);
                for text in any_of {
                    by_text.exact.entry(text).or_default().push(place);
                }
            }
            Some(Demand::Glob { field, pattern }) => {
                let by_text = self.by_text(field);
                by_text.all.push(place);
                by_text.patterns.push((pattern, place));
            }
            Some(Demand::Errcode(codes)) => {
                self.on_errcode.push(place);
                for code in codes {
                    self.by_errcode.entry(code).or_default().push(place);
                }
            }
            None => self.always.push(place),
        }
    }

    fn by_text(&mut self, field: TextField) -> &mut ByText {
        let at = self.by_text.iter().position(|(known, _)| *known == field).unwrap_or_else(|| {
            self.by_text.push((field, ByText::default()));
            self.by_text.len() - 1
        });
        &mut self.by_text[at].1
    }

    /// Makes one matcher of many globs; a few are as quickly asked one by one, with the rule's other conditions.
    fn finish(&mut self) {
        for (_, by_text) in &mut self.by_text {
            match (by_text.patterns.len() >= MANY_GLOBS).then(|| by_text.set()).flatten() {
                Some(globs) => by_text.globs = globs,
                None => self.always.extend(by_text.patterns.drain(..).map(|(_, place)| place)),
            }
        }
    }

    fn candidates(&self, event: &Event, places: &mut Vec<u32>) {
        places.extend_from_slice(&self.always);
        for (field, by_text) in &self.by_text {
            match field.of(event) {
                Some(text) => by_text.candidates(text, places),
                None => places.extend_from_slice(&by_text.all),
            }
        }
        match event.errcode {
            Some(code) => places.extend(self.by_errcode.get(&code).into_iter().flatten()),
            None => places.extend_from_slice(&self.on_errcode),
        }
    }
}

impl ByText {
    fn set(&self) -> Option<GlobSet> {
        let mut globs = GlobSetBuilder::new();
        for (pattern, _) in &self.patterns {
            globs.add(GlobBuilder::new(pattern).backslash_escape(true).build().ok()?);
        }
        globs.build().ok()
    }

    fn candidates(&self, text: &str, places: &mut Vec<u32>) {
        places.extend(self.exact.get(text).into_iter().flatten());
        if !self.patterns.is_empty() {
            let hits = self.globs.matches(text);
            places.extend(hits.into_iter().filter_map(|at| self.patterns.get(at)).map(|(_, place)| *place));
        }
    }
}
