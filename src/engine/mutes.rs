//! People's mutes by number, and by the stream that they name: of thousands few are asked about an incident. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Incident, MuteId};

use super::Map;
use super::mute::{Cover, Muted};

/// The mutes in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Mutes {
    all: BTreeMap<MuteId, Muted>,
    /// Those that ask for one stream by its id.
    by_stream: Map<Box<str>, Vec<Arc<Cover>>>,
    /// The others.
    by_more: Vec<Arc<Cover>>,
}

impl Mutes {
    /// Puts one in, in the place of the one of its number.
    pub(super) fn insert(&mut self, muted: Muted) {
        let cover = Arc::clone(&muted.cover);
        self.remove(cover.mute.id);
        self.all.insert(cover.mute.id, muted);
        match cover.matchers.exactly("stream") {
            Some(stream) => self.by_stream.entry(stream.into()).or_default().push(cover),
            None => self.by_more.push(cover),
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, id: MuteId) -> Option<Muted> {
        let muted = self.all.remove(&id)?;
        match muted.cover.matchers.exactly("stream") {
            Some(stream) => {
                if let Some(covers) = self.by_stream.get_mut(stream) {
                    covers.retain(|cover| cover.mute.id != id);
                    if covers.is_empty() {
                        self.by_stream.remove(stream);
                    }
                }
            }
            None => self.by_more.retain(|cover| cover.mute.id != id),
        }
        Some(muted)
    }

    /// One of them.
    pub(super) fn get(&self, id: MuteId) -> Option<&Muted> {
        self.all.get(&id)
    }

    /// What has come of one of them; what it covers stays as it is.
    pub(super) fn get_mut(&mut self, id: MuteId) -> Option<&mut Muted> {
        self.all.get_mut(&id)
    }

    /// All of them, by number.
    pub(super) fn values(&self) -> impl Iterator<Item = &Muted> {
        self.all.values()
    }

    /// Those that cover an incident, in no order.
    pub(super) fn covering(&self, incident: &Incident) -> impl Iterator<Item = &Cover> {
        let named = incident.label("stream").and_then(|stream| self.by_stream.get(stream));
        let asked = named.into_iter().flatten().chain(&self.by_more);
        asked.map(|cover| &**cover).filter(|cover| cover.covers(incident))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ChannelName, Key, Mute, StreamName, Timestamp};
    use crate::rules::Matchers;

    const ASKED: [&str; 12] = [
        "stream=a",
        "stream=b",
        "stream=a, domain=d",
        "stream=a, stream=b",
        "stream=\"\"",
        "stream=\"\", rule!=x",
        "stream!=a",
        "stream=~\"a|b\"",
        "stream=a, severity=warning",
        "domain=d",
        "rule!=\"\"",
        "stream!~\"a.*\", domain=e",
    ];

    fn muted(id: u64, asked: usize, is_within: bool) -> Muted {
        let mute = Mute {
            id: MuteId(id),
            matchers: ASKED[asked].into(),
            within: is_within.then(|| ChannelName::new("elsewhere")),
            set_at: Timestamp(0),
            until: Timestamp(1),
            author: "ann".into(),
            reason: "".into(),
        };
        let matchers = Matchers::parse(ASKED[asked]).unwrap();
        Muted { cover: Arc::new(Cover { mute, matchers }), since: Timestamp(0), is_announced: false, tally: None }
    }

    fn incidents() -> Vec<Incident> {
        let stream = |domain: &str, id: &str| Key::Stream(StreamName::new(domain, "live", id));
        let keys = [
            stream("d", "a"),
            stream("e", "a"),
            stream("d", "b"),
            stream("d", ""),
            Key::Domain { domain: "d".into() },
            Key::All {},
        ];
        keys.into_iter().map(|key| Incident { key, ..crate::store::samples::incident(1) }).collect()
    }

    proptest! {
        #[test]
        fn those_that_cover_an_incident_are_the_same_as_if_each_were_asked(
            steps in prop::collection::vec((0u64..8, 0..ASKED.len(), any::<bool>(), 0u8..4), 1..60),
        ) {
            let mut mutes = Mutes::default();
            for (id, asked, is_within, what) in steps {
                match what {
                    0 => prop_assert_eq!(mutes.get(MuteId(id)).is_some(), mutes.remove(MuteId(id)).is_some()),
                    _ => mutes.insert(muted(id, asked, is_within)),
                }
                for incident in incidents() {
                    let mut found: Vec<MuteId> = mutes.covering(&incident).map(|cover| cover.mute.id).collect();
                    found.sort_unstable();
                    let each = mutes.values().filter(|muted| muted.cover.covers(&incident));
                    prop_assert_eq!(found, each.map(|muted| muted.cover.mute.id).collect::<Vec<_>>());
                }
            }
            let ids: Vec<MuteId> = mutes.values().map(|muted| muted.cover.mute.id).collect();
            ids.into_iter().for_each(|id| _ = mutes.remove(id));
            prop_assert!(mutes.by_stream.is_empty() && mutes.by_more.is_empty(), "nothing is left behind");
        }
    }
}
