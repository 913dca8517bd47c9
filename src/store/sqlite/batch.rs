//! The appends of one turn: repeats told apart, the rest packed, and everybody answered once it is known how it went.

use bytes::Bytes;
use foldhash::{HashSet, HashSetExt};

use super::error::Fault;
use super::packed::{self, Packed};
use super::queue::{Answer, Append};
use super::seen::Seen;
use super::tail::{Stamp, Tail};
use crate::model::{Entry, Input, NewEntry, Seq, Timestamp};
use crate::store::{Appended, StoreError};

/// Appends on their way into one journal row.
#[derive(Debug)]
pub(super) struct Batch {
    entries: Vec<NewEntry>,
    /// Whom to tell: the place of the entry, or `None` for a repeat.
    answers: Vec<(Answer<Appended>, Option<usize>)>,
}

impl Batch {
    /// Sorts out repeats of what is kept and of each other. Repeats wait for the batch, too: it may hold the original.
    pub(super) fn admit(appends: Vec<Append>, seen: &Seen) -> Batch {
        let mut entries = Vec::with_capacity(appends.len() + 1);
        let mut answers = Vec::with_capacity(appends.len());
        let mut here = HashSet::with_capacity(appends.len());
        for Append { entry, answer } in appends {
            let is_new = entry.input.id().is_none_or(|id| !seen.contains(&id) && here.insert(id));
            answers.push((answer, is_new.then_some(entries.len())));
            if is_new {
                entries.push(entry);
            }
        }
        Batch { entries, answers }
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are to keep.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Puts in front that we could not listen until now.
    pub(super) fn resume(&mut self, from: Timestamp, to: Timestamp) {
        self.entries.insert(0, NewEntry { input: Input::Resumed { from, to }, body: Bytes::new() });
        self.answers.iter_mut().filter_map(|(_, place)| place.as_mut()).for_each(|place| *place += 1);
    }

    /// The columns of the row.
    pub(super) fn pack(&mut self) -> Result<Packed, Fault> {
        packed::pack(&mut self.entries)
    }

    /// It is on disk, numbered from `first` on: remembers the identities, hands the entries on, and only then
    /// answers, so that whoever was answered finds the entry where the engine takes it.
    pub(super) fn kept(self, first: Seq, stamp: Stamp, seen: &mut Seen, tail: &Tail) {
        self.entries.iter().filter_map(|entry| entry.input.id()).for_each(|id| seen.insert(stamp.at, id));
        tail.publish((first.0..).map(Seq).zip(self.entries).map(|(seq, entry)| Entry {
            seq,
            received_at: stamp.at,
            input: entry.input,
        }));
        for (answer, place) in self.answers {
            let appended = place.map_or(Appended::Duplicate, |place| Appended::New(Seq(first.0 + place as u64)));
            // Whoever asked may have gone.
            let _ = answer.send(Ok(appended));
        }
    }

    /// There was nothing to keep: all are repeats.
    pub(super) fn answer_repeats(self) {
        for (answer, _) in self.answers {
            let _ = answer.send(Ok(Appended::Duplicate));
        }
    }

    /// Nothing of it is kept.
    pub(super) fn refuse(self, error: &StoreError) {
        for (answer, _) in self.answers {
            let _ = answer.send(Err(error.clone()));
        }
    }
}
