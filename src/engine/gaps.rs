//! Times in which nobody listened: by how much each moved the deadlines of what was open. Pure.
//!
//! A gap moves every deadline there is, a hundred thousand of them perhaps, and most are looked at again only after
//! many a minute. So it is remembered itself in place of writing all incidents anew: a written incident has the gaps up
//! to its [`Incident::seq`](crate::model::Incident::seq) in its deadline, and the later ones are added when it is loaded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Seq, State};

use super::Engine;

/// Gaps remembered at most; the next one has all incidents written anew.
const MOST: usize = 32;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    /// The entry that says so.
    seq: Seq,
    /// How long it was, ms.
    millis: u64,
}

/// Those that may be missing in what is written, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    list: Vec<Gap>,
    /// So many are in the deadlines in memory: all but just after loading.
    added: usize,
}

impl Gaps {
    /// As written.
    pub(super) fn load(list: Vec<Gap>) -> Gaps {
        Gaps { list, added: 0 }
    }

    /// To be written.
    pub(super) fn list(&self) -> &[Gap] {
        &self.list
    }

    /// The next one that is not in the deadlines in memory, of those before an entry.
    fn next(&mut self, before: Seq) -> Option<Gap> {
        let gap = self.list.get(self.added).copied().filter(|gap| gap.seq < before)?;
        self.added += 1;
        Some(gap)
    }

    /// Takes note of one that was added; `false` if there are too many, and all of them are forgotten.
    fn note(&mut self, gap: Gap) -> bool {
        let has_room = self.list.len() < MOST;
        match has_room {
            true => self.list.push(gap),
            false => self.list.clear(),
        }
        self.added = self.list.len();
        has_room
    }
}

impl Engine {
    /// Moves the deadlines of everything that is open by a gap in which we heard nothing.
    pub(super) fn shift(&mut self, seq: Seq, by: Duration) {
        let gap = Gap { seq, millis: by.as_millis().try_into().unwrap_or(u64::MAX) };
        self.add_gap(gap);
        self.dirty_counters = true;
        if !self.gaps.note(gap) {
            let open = self.incidents.values().filter(|incident| incident.state != State::Resolved);
            self.dirty_incidents.extend(open.map(|incident| incident.id));
        }
        for (key, cell) in self.cells.iter_mut() {
            for (_, watch) in &mut cell.watches {
                watch.last = watch.last + by;
                watch.written = watch.written + by;
                self.dirty_cells.insert(key.clone());
            }
        }
    }

    /// Adds the gaps before an entry to what was loaded. A replay has to come to them in their turn: the report before
    /// one may have to be added first.
    pub(super) fn add_gaps(&mut self, before: Seq) {
        while let Some(gap) = self.gaps.next(before) {
            self.add_gap(gap);
        }
    }

    fn add_gap(&mut self, gap: Gap) {
        let open = self.incidents.values_mut().filter(|incident| incident.state != State::Resolved);
        for incident in open.filter(|incident| incident.seq < gap.seq) {
            incident.deadline = incident.deadline.map(|deadline| deadline + Duration::from_millis(gap.millis));
            incident.seq = gap.seq;
        }
    }
}
