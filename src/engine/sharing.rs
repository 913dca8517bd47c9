//! What was loaded is a copy of its own of every name; what is known already takes its place. Pure.

use std::sync::Arc;

use crate::model::{ChannelName, Group, Incident, Key, Labels};

use super::{Engine, NO_RULE};

impl Engine {
    /// The same key, as it is known.
    pub(super) fn shared_key(&self, key: &Key) -> Key {
        self.cells.key(key).unwrap_or(key).clone()
    }

    /// Has an incident of the rule at this place share its texts.
    pub(super) fn share_incident(&mut self, incident: &mut Incident, place: u32) {
        incident.key = self.shared_key(&incident.key);
        incident.group_key = incident.group_key.take().map(|key| Box::new(self.shared_key(&key)));
        let known = |name: &ChannelName| self.rules.channels.get_key_value(name).map(|(known, _)| known.clone());
        // Nobody is behind a channel that was taken out of the rules.
        let notify: Vec<ChannelName> = incident.notify.iter().filter_map(known).collect();
        incident.notify = self.audiences.share(&notify);
        incident.troubles.shrink_to_fit();
        if place != NO_RULE
            && let Some(rule) = self.rules.rules.get(place as usize)
        {
            incident.rule = Arc::clone(&rule.name);
            share_labels(&mut incident.labels, &rule.labels);
            share_labels(&mut incident.annotations, &rule.annotations);
        }
    }

    /// Has a group share its texts.
    pub(super) fn share_group(&self, group: &mut Group) {
        group.key = self.shared_key(&group.key);
        self.share_channels(group.told.iter_mut().map(|told| &mut told.channel));
        group.told.shrink_to_fit();
    }

    fn share_channels<'a>(&self, names: impl Iterator<Item = &'a mut ChannelName>) {
        for name in names {
            if let Some((known, _)) = self.rules.channels.get_key_value(name) {
                *name = known.clone();
            }
        }
    }
}

fn share_labels(labels: &mut Labels, known: &Labels) {
    if labels == known {
        *labels = Arc::clone(known);
    }
}
