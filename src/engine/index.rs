//! Rules by what they listen to, so that an event pays only for rules that can match. Pure.

use std::collections::HashMap;

use crate::model::{AbnormalType, Event, EventKind};
use crate::rules::Rule;

/// Places of rules in the file, by kind of event and abnormal type.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Push error rules by abnormal type; a rule with several types stands under each.
    by_type: HashMap<AbnormalType, Vec<u32>, foldhash::fast::FixedState>,
    /// Push error rules for every type.
    any_type: Vec<u32>,
    /// Rules on other kinds.
    by_kind: HashMap<EventKind, Vec<u32>, foldhash::fast::FixedState>,
}

impl Index {
    /// Indexes rules by their place.
    #[must_use]
    pub(super) fn new(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (place, rule) in (0u32..).zip(rules) {
            match (rule.on, rule.types.as_slice()) {
                (EventKind::PushError, []) => index.any_type.push(place),
                (EventKind::PushError, types) => {
                    for kind in types {
                        index.by_type.entry(*kind).or_default().push(place);
                    }
                }
                (kind, _) => index.by_kind.entry(kind).or_default().push(place),
            }
        }
        index
    }

    /// Puts the places of rules that may match into `places`, ascending and without repeats.
    pub(super) fn candidates(&self, event: &Event, places: &mut Vec<u32>) {
        places.clear();
        match event.kind {
            EventKind::PushError => {
                places.extend_from_slice(&self.any_type);
                for abnormal in &event.abnormal {
                    if let Some(rules) = self.by_type.get(&abnormal.kind) {
                        places.extend_from_slice(rules);
                    }
                }
                places.sort_unstable();
                places.dedup();
            }
            kind => {
                if let Some(rules) = self.by_kind.get(&kind) {
                    places.extend_from_slice(rules);
                }
            }
        }
    }
}
