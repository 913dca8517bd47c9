//! The newest journal entries in memory, the stamps of new ones, and the watermark behind which none will come.
//!
//! Stamping, publishing and reading the watermark share one lock; that is what makes the watermark exact.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::queue::lock;
use crate::model::{Entry, Input, Seq, Timestamp};

/// Being deaf for no longer than this is not journaled.
const DEAF: Duration = Duration::from_secs(1);

/// Bounded memory of what was last published.
#[derive(Debug)]
pub(super) struct Tail {
    most: usize,
    most_bytes: usize,
    state: Mutex<State>,
    grown: Notify,
}

#[derive(Debug)]
struct State {
    /// Without gaps up to `head`.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The last published.
    head: Seq,
    /// The last stamp or watermark given: no stamp is below it.
    last: Timestamp,
    /// The stamp of the batch that is being committed.
    in_flight: Option<Timestamp>,
    /// The first refusal since the last success.
    refused: Option<Timestamp>,
}

/// A stamp for a batch, to be given back with [`Tail::publish`] or [`Tail::give_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When the batch is received.
    pub(super) at: Timestamp,
    /// Callbacks were refused from then until `at`, for long enough to be journaled.
    pub(super) deaf_since: Option<Timestamp>,
    refused: Option<Timestamp>,
}

/// What [`Tail::take`] found.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// The entries asked for, their watermark, and whether they are the last.
    Entries(Vec<Entry>, Timestamp, bool),
    /// There are none yet; the watermark.
    Nothing(Timestamp),
    /// They are no longer in memory; on disk they are, up to here.
    OnDisk(Seq),
}

impl Tail {
    /// A tail behind what is on disk, all of which was stamped at `last` or before.
    pub(super) fn new(most: usize, most_bytes: usize, head: Seq, last: Timestamp) -> Tail {
        let entries = VecDeque::new();
        let state = Mutex::new(State { entries, bytes: 0, head, last, in_flight: None, refused: None });
        Tail { most, most_bytes, state, grown: Notify::new() }
    }

    /// Stamps a batch that is about to be committed.
    pub(super) fn stamp(&self, now: Timestamp) -> Stamp {
        let mut state = lock(&self.state);
        let at = now.max(state.last);
        state.last = at;
        state.in_flight = Some(at);
        let refused = state.refused.take();
        Stamp { at, deaf_since: refused.filter(|since| at.since(*since) > DEAF), refused }
    }

    /// The batch is on disk: hands its entries on.
    pub(super) fn publish(&self, entries: impl Iterator<Item = Entry>) {
        let mut state = lock(&self.state);
        state.in_flight = None;
        for entry in entries {
            state.head = entry.seq;
            state.bytes += weight(&entry);
            state.entries.push_back(entry);
        }
        while state.entries.len() > self.most || state.bytes > self.most_bytes {
            if state.drop_oldest().is_none() {
                break;
            }
        }
        drop(state);
        self.grown.notify_waiters();
    }

    /// The batch could not be kept, which is a refusal.
    pub(super) fn give_up(&self, stamp: Stamp) {
        let mut state = lock(&self.state);
        state.in_flight = None;
        state.refuse(stamp.refused.unwrap_or(stamp.at));
    }

    /// An append was refused.
    pub(super) fn refuse(&self, now: Timestamp) {
        let mut state = lock(&self.state);
        let now = now.max(state.last);
        state.refuse(now);
    }

    /// The first refusal since the last success, if any, and whether that is long enough to be journaled.
    pub(super) fn refused(&self, now: Timestamp) -> Option<bool> {
        lock(&self.state).refused.map(|since| now.since(since) > DEAF)
    }

    /// Nothing is refused any more, and it did not last.
    pub(super) fn forgive(&self) {
        lock(&self.state).refused = None;
    }

    /// To be enabled before [`Tail::take`] is asked, so that no entry is missed in between.
    pub(super) fn grown(&self) -> Notified<'_> {
        self.grown.notified()
    }

    /// Takes the entries from `from` on, at most `max`, and forgets all before them.
    pub(super) fn take(&self, from: Seq, max: usize, now: Timestamp) -> Taken {
        let mut state = lock(&self.state);
        while state.entries.front().is_some_and(|entry| entry.seq < from) {
            state.drop_oldest();
        }
        if from > state.head {
            return Taken::Nothing(state.watermark(now));
        }
        match state.entries.front().map(|entry| entry.seq) {
            Some(first) if first == from => {}
            Some(first) => return Taken::OnDisk(Seq(first.0.saturating_sub(1))),
            None => return Taken::OnDisk(state.head),
        }
        let count = max.min(state.entries.len());
        let taken: Vec<Entry> = state.entries.drain(..count).collect();
        state.bytes -= taken.iter().map(weight).sum::<usize>();
        match taken.last() {
            // What follows may bear the same stamp.
            Some(&Entry { seq, received_at, .. }) if seq < state.head => Taken::Entries(taken, received_at, false),
            _ => Taken::Entries(taken, state.watermark(now), true),
        }
    }

    /// Whether nothing from `from` on is published.
    pub(super) fn is_head(&self, from: Seq) -> bool {
        from > lock(&self.state).head
    }
}

impl State {
    /// The time before which nothing will be stamped any more; all that is published is before it.
    fn watermark(&mut self, now: Timestamp) -> Timestamp {
        match (self.in_flight, self.refused) {
            // Below its stamp: its entries come later. (`last` is that stamp.)
            (Some(stamp), _) => stamp - Duration::from_millis(1),
            // Deaf: time stands still until `Resumed` says how long it took.
            (None, Some(_)) => self.last,
            (None, None) => {
                self.last = self.last.max(now);
                self.last
            }
        }
    }

    fn refuse(&mut self, at: Timestamp) {
        self.refused = Some(self.refused.map_or(at, |since| since.min(at)));
    }

    fn drop_oldest(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= weight(&entry);
        Some(entry)
    }
}

/// Roughly what an entry takes in memory.
fn weight(entry: &Entry) -> usize {
    match &entry.input {
        Input::Callback(event) => {
            let details: usize = event.abnormal.iter().map(|abnormal| 64 + 32 * abnormal.details.len()).sum();
            600 + event.stream.full().len() + event.errmsg.as_ref().map_or(0, |text| text.len()) + details
        }
        Input::Muted(mute) => 300 + mute.matchers.len() + mute.author.len() + mute.reason.len(),
        Input::Noticed(notice) => 300 + format!("{notice:?}").len(),
        Input::Resumed { .. }
        | Input::RulesLoaded { .. }
        | Input::ClockSet { .. }
        | Input::Unmuted { .. }
        | Input::Acknowledged { .. } => 150,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, at: i64) -> Entry {
        let input = Input::Resumed { from: Timestamp(0), to: Timestamp(0) };
        Entry { seq: Seq(seq), received_at: Timestamp(at), input }
    }

    fn tail() -> Tail {
        Tail::new(4, usize::MAX, Seq(0), Timestamp(0))
    }

    fn publish(tail: &Tail, seqs: std::ops::RangeInclusive<u64>, now: i64) -> Timestamp {
        let stamp = tail.stamp(Timestamp(now)).at;
        tail.publish(seqs.map(|seq| entry(seq, stamp.0)));
        stamp
    }

    #[test]
    fn no_stamp_is_below_a_watermark_given_before() {
        let tail = tail();
        assert_eq!(tail.take(Seq(1), 9, Timestamp(50)), Taken::Nothing(Timestamp(50)));
        assert_eq!(publish(&tail, 1..=1, 40), Timestamp(50), "a clock read earlier");
        assert_eq!(tail.take(Seq(1), 9, Timestamp(45)), Taken::Entries(vec![entry(1, 50)], Timestamp(50), true));
    }

    #[test]
    fn while_a_batch_is_in_flight_the_watermark_is_below_its_stamp() {
        let tail = tail();
        let stamp = tail.stamp(Timestamp(70));
        assert_eq!(tail.take(Seq(1), 9, Timestamp(90)), Taken::Nothing(Timestamp(69)));
        tail.publish([entry(1, stamp.at.0)].into_iter());
        assert_eq!(tail.take(Seq(1), 9, Timestamp(91)), Taken::Entries(vec![entry(1, 70)], Timestamp(91), true));
    }

    #[test]
    fn part_of_what_is_there_bears_its_own_time() {
        let tail = tail();
        publish(&tail, 1..=2, 10);
        publish(&tail, 3..=3, 20);
        assert!(!tail.is_head(Seq(3)) && tail.is_head(Seq(4)));
        let some = vec![entry(1, 10), entry(2, 10)];
        assert_eq!(tail.take(Seq(1), 2, Timestamp(99)), Taken::Entries(some, Timestamp(10), false));
    }

    #[test]
    fn what_no_longer_fits_is_on_disk() {
        let tail = tail();
        publish(&tail, 1..=7, 10);
        assert_eq!(tail.take(Seq(2), 9, Timestamp(10)), Taken::OnDisk(Seq(3)));
        let Taken::Entries(entries, ..) = tail.take(Seq(4), 9, Timestamp(10)) else { panic!("nothing taken") };
        assert_eq!(entries.len(), 4);
        assert_eq!(tail.take(Seq(7), 9, Timestamp(10)), Taken::OnDisk(Seq(7)), "each is handed out once");
    }

    #[test]
    fn while_deaf_time_stands_still_and_the_next_stamp_says_since_when() {
        let tail = tail();
        publish(&tail, 1..=1, 100);
        tail.refuse(Timestamp(200));
        tail.refuse(Timestamp(300));
        assert_eq!(tail.take(Seq(2), 9, Timestamp(5000)), Taken::Nothing(Timestamp(100)));
        let failed = tail.stamp(Timestamp(1000));
        assert_eq!(failed.deaf_since, None, "less than a second");
        tail.give_up(failed);
        assert_eq!(tail.refused(Timestamp(1000)), Some(false));
        let stamp = tail.stamp(Timestamp(5000));
        assert_eq!(stamp.deaf_since, Some(Timestamp(200)));
        tail.publish([entry(2, 5000)].into_iter());
        assert_eq!(tail.stamp(Timestamp(9000)).deaf_since, None);
    }
}
