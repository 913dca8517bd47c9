//! Which streams were heard of within the last day, and how often in the last hour: what a mute covers now, and which
//! stream an id means. Kept in memory, and in the data folder to the hour.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher as _;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::FixedState;
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::model::{Event, EventKind, StreamName, Timestamp};
use crate::store::{Store, StoreError, Table};

/// The table in which they are kept.
pub(super) const TABLE: &str = "streams";

/// Something is looked for to be kept this often, and at most one part is.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Streams not heard of for so long are forgotten.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Reports are counted by five minutes.
const SLOT: Duration = Duration::from_secs(300);

/// Slots kept: an hour.
const SLOTS: usize = 12;

/// Parts that are locked, and kept, by themselves.
const SHARDS: usize = 64;

/// Streams of a part at most: 262,144 in all, about 40 MB.
const MOST: usize = 4096;

/// A stream is kept anew when it was last heard of so much later than is kept.
const COARSE: Duration = Duration::from_secs(3600);

/// Streams that are heard of. The core writes, commands read; nothing is locked for longer than one part takes.
pub struct Roster {
    shards: Vec<Mutex<Shard>>,
    /// The part that was kept last.
    turn: AtomicUsize,
}

/// What is known of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When it was last heard of, by the journal's time.
    pub last: Timestamp,
    /// The five minutes of the newest report.
    newest: i64,
    /// Reports of trouble by five minutes, the newest last.
    counts: [u16; SLOTS],
}

#[derive(Default)]
struct Shard {
    streams: HashMap<StreamName, (Heard, Timestamp), FixedState>,
    /// Something is not kept that should be.
    is_dirty: bool,
}

impl Heard {
    /// Reports of trouble in the hour before `now` by five minutes, the newest last.
    #[must_use]
    pub fn hour(&self, now: Timestamp) -> [u16; SLOTS] {
        let mut counts = self.counts;
        shift(&mut counts, slot(now).saturating_sub(self.newest));
        counts
    }

    fn note(&mut self, at: Timestamp, is_trouble: bool) {
        self.last = self.last.max(at);
        if !is_trouble {
            return;
        }
        let slot = slot(at);
        if slot > self.newest {
            shift(&mut self.counts, slot.saturating_sub(self.newest));
            self.newest = slot;
        }
        if let Some(count) = self.counts.last_mut() {
            *count = count.saturating_add(1);
        }
    }
}

fn slot(at: Timestamp) -> i64 {
    at.0.div_euclid(SLOT.as_millis() as i64)
}

/// Moves all counts so many slots towards the past.
fn shift(counts: &mut [u16; SLOTS], by: i64) {
    let by = usize::try_from(by).unwrap_or(0).min(SLOTS);
    counts.rotate_left(by);
    let gone = SLOTS - by;
    counts[gone..].fill(0);
}

impl Default for Roster {
    fn default() -> Roster {
        Roster { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), turn: AtomicUsize::new(0) }
    }
}

impl Roster {
    /// Takes note of a callback, received at this time of the journal.
    pub(super) fn see(&self, event: &Event, at: Timestamp) {
        let Some(shard) = self.shards.get(place(&event.stream)) else { return };
        let mut shard = lock(shard);
        let is_trouble = event.kind == EventKind::PushError;
        if let Some((heard, kept)) = shard.streams.get_mut(&event.stream) {
            heard.note(at, is_trouble);
            let is_stale = at.since(*kept) >= COARSE;
            shard.is_dirty |= is_stale;
            return;
        }
        if shard.streams.len() >= MOST {
            shard.streams.retain(|_, (heard, _)| at.since(heard.last) < REMEMBERED);
        }
        if shard.streams.len() < MOST {
            let mut heard = Heard::default();
            heard.note(at, is_trouble);
            shard.streams.insert(event.stream.clone(), (heard, Timestamp(0)));
            shard.is_dirty = true;
        }
    }

    /// Shows every stream that was heard of within a day before `now`, in no order.
    pub fn each(&self, now: Timestamp, mut show: impl FnMut(&StreamName, &Heard)) {
        for shard in &self.shards {
            let shard = lock(shard);
            let living = shard.streams.iter().filter(|(_, (heard, _))| now.since(heard.last) < REMEMBERED);
            living.for_each(|(name, (heard, _))| show(name, heard));
        }
    }

    /// What is known of one stream.
    #[must_use]
    pub fn get(&self, stream: &StreamName) -> Option<Heard> {
        let shard = self.shards.get(place(stream))?;
        lock(shard).streams.get(stream).map(|(heard, _)| *heard)
    }

    /// Keeps what changes, part by part, without end. May be dropped at any time.
    pub async fn tend(&self, store: &dyn Store, clock: &Clock) {
        let table = store.table(TABLE);
        let mut turn = tokio::time::interval(KEEP_EVERY);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            if let Err(error) = self.keep(&*table, clock.steady()).await {
                tracing::warn!(%error, "which streams are heard of can't be kept just now");
            }
        }
    }

    /// Takes back what an earlier run kept. What can't be read is left out: it comes again with the next callback.
    ///
    /// # Errors
    /// [`StoreError`] if the store can't be read.
    pub(super) async fn recall(&self, table: &dyn Table) -> Result<(), StoreError> {
        for (at, shard) in self.shards.iter().enumerate() {
            let Some(text) = table.get(&at.to_string()).await? else { continue };
            let kept: Vec<(StreamName, Timestamp)> = serde_json::from_str(&text).unwrap_or_default();
            let mut shard = lock(shard);
            for (stream, last) in kept.into_iter().take(MOST) {
                let (heard, kept) = shard.streams.entry(stream).or_default();
                heard.last = heard.last.max(last);
                *kept = last;
            }
        }
        Ok(())
    }

    /// Puts names in place of its own that are in memory already.
    pub(super) fn share(&self, known: impl Fn(&StreamName) -> Option<StreamName>) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let streams = mem::take(&mut shard.streams).into_iter();
            shard.streams = streams.map(|(name, heard)| (known(&name).unwrap_or(name), heard)).collect();
        }
    }

    /// Keeps the next part that has changed, if any has.
    ///
    /// # Errors
    /// [`StoreError`] if the store can't take it; it is tried again in its turn.
    async fn keep(&self, table: &dyn Table, now: Timestamp) -> Result<(), StoreError> {
        let from = self.turn.load(Ordering::Relaxed);
        let changed = (1..=SHARDS).map(|step| (from + step) % SHARDS).find_map(|at| {
            let mut shard = lock(self.shards.get(at)?);
            if !std::mem::take(&mut shard.is_dirty) {
                return None;
            }
            shard.streams.retain(|_, (heard, _)| now.since(heard.last) < REMEMBERED);
            let streams = shard.streams.iter_mut().map(|(name, (heard, kept))| {
                *kept = heard.last;
                (name.clone(), heard.last)
            });
            let mut streams: Vec<(StreamName, Timestamp)> = streams.collect();
            streams.sort();
            Some((at, streams))
        });
        let Some((at, streams)) = changed else { return Ok(()) };
        self.turn.store(at, Ordering::Relaxed);
        // Names and numbers always have a JSON form.
        let text = serde_json::to_string(&streams).unwrap_or_default();
        let kept = table.put(&at.to_string(), &text).await;
        if let (Err(_), Some(shard)) = (&kept, self.shards.get(at)) {
            lock(shard).is_dirty = true;
        }
        kept
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}

fn place(stream: &StreamName) -> usize {
    FixedState::default().hash_one(stream) as usize % SHARDS
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing in here is left half-done by a panic.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use tokio::sync::watch;

    use super::*;
    use crate::model::EventId;

    fn event(stream: &str, kind: EventKind) -> Event {
        Event {
            id: EventId([0; 16]),
            kind,
            stream: StreamName::new("push.example.com", "live", stream),
            session: None,
            appid: None,
            user_ip: None,
            node: None,
            happened_at: None,
            report_interval: None,
            errcode: None,
            errmsg: None,
            push_duration: None,
            abnormal: Vec::new(),
            unreadable: None,
        }
    }

    const DAY: i64 = 24 * 3600 * 1000;

    fn names(roster: &Roster, now: i64) -> Vec<String> {
        let mut names = Vec::new();
        roster.each(Timestamp(now), |name, _| names.push(name.stream().to_owned()));
        names.sort();
        names
    }

    /// A table in memory.
    #[derive(Default)]
    struct Shelf(Mutex<HashMap<String, String>>);

    impl Table for Shelf {
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
            Box::pin(async move { Ok(self.0.lock().unwrap().get(key).cloned()) })
        }

        fn put<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
            self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
            Box::pin(async { Ok(()) })
        }

        fn watch(&self) -> watch::Receiver<u64> {
            watch::channel(0).1
        }
    }

    #[test]
    fn streams_are_known_for_a_day_and_their_hour_moves_on() {
        let roster = Roster::default();
        let minute = |minutes: i64| Timestamp(DAY + minutes * 60_000);
        for minutes in [0, 1, 7, 7, 8, 58] {
            roster.see(&event("a", EventKind::PushError), minute(minutes));
        }
        roster.see(&event("b", EventKind::PushBegin), minute(3));
        let heard = |name: &str| roster.get(&StreamName::new("push.example.com", "live", name)).unwrap();
        assert_eq!(heard("a").hour(minute(59)), [2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(heard("a").hour(minute(61)), [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(heard("a").hour(minute(58 + 120)), [0; SLOTS]);
        assert_eq!(heard("b").hour(minute(59)), [0; SLOTS], "a begin is no trouble");
        assert_eq!(names(&roster, DAY), ["a", "b"]);
        assert_eq!(names(&roster, 2 * DAY + 4 * 60_000), ["a"]);
        assert_eq!(names(&roster, 3 * DAY), [""; 0]);
    }

    #[test]
    fn a_late_stamp_does_not_count_into_the_past_or_go_back() {
        let mut heard = Heard::default();
        heard.note(Timestamp(DAY), true);
        heard.note(Timestamp(DAY - 3_600_000), true);
        assert_eq!((heard.last, heard.hour(Timestamp(DAY))[SLOTS - 1]), (Timestamp(DAY), 2));
        heard.note(Timestamp(i64::MAX), true);
        heard.note(Timestamp(i64::MIN), true);
        assert_eq!(heard.hour(Timestamp(i64::MIN)), heard.counts, "absurd times are no trouble");
    }

    #[test]
    fn a_part_is_bounded_and_gives_way_to_what_is_heard_of_now() {
        let roster = Roster::default();
        let part = place(&event("new", EventKind::PushError).stream);
        let numbered = (0..).map(|n: u32| event(&n.to_string(), EventKind::PushError));
        let beside = numbered.filter(|event| place(&event.stream) == part);
        beside.take(MOST + 10).for_each(|event| roster.see(&event, Timestamp(DAY)));
        assert_eq!(names(&roster, DAY).len(), MOST);
        roster.see(&event("new", EventKind::PushError), Timestamp(3 * DAY));
        assert_eq!(names(&roster, 3 * DAY), ["new"]);
    }

    #[tokio::test]
    async fn what_was_heard_survives_a_restart_to_the_hour() {
        let (roster, shelf) = (Roster::default(), Shelf::default());
        for n in 0..500 {
            roster.see(&event(&format!("cam{n}"), EventKind::PushError), Timestamp(DAY + n));
        }
        for _ in 0..SHARDS {
            roster.keep(&shelf, Timestamp(DAY)).await.unwrap();
        }
        let written = shelf.0.lock().unwrap().len();
        roster.see(&event("cam7", EventKind::PushError), Timestamp(DAY + 600_000));
        roster.keep(&shelf, Timestamp(DAY)).await.unwrap();
        assert!(roster.shards.iter().all(|shard| !lock(shard).is_dirty), "ten minutes are not worth a write");
        let again = Roster::default();
        again.recall(&shelf).await.unwrap();
        assert_eq!((names(&again, DAY), written), (names(&roster, DAY), SHARDS));
        roster.see(&event("cam7", EventKind::PushError), Timestamp(DAY + 3_700_000));
        roster.keep(&shelf, Timestamp(DAY)).await.unwrap();
        let last = StreamName::new("push.example.com", "live", "cam7");
        let again = Roster::default();
        again.recall(&shelf).await.unwrap();
        assert_eq!(again.get(&last).unwrap().last, Timestamp(DAY + 3_700_000));
    }

    #[test]
    fn a_name_that_is_in_memory_already_is_kept_once() {
        let roster = Roster::default();
        for name in ["a", "b"] {
            roster.see(&event(name, EventKind::PushError), Timestamp(DAY));
        }
        let known = event("a", EventKind::PushError).stream;
        roster.share(|name| (*name == known).then(|| known.clone()));
        let mut shared = Vec::new();
        roster.each(Timestamp(DAY), |name, heard| {
            shared.push((name.stream().to_owned(), name.full().as_ptr() == known.full().as_ptr(), heard.last));
        });
        shared.sort();
        assert_eq!(shared, [("a".to_owned(), true, Timestamp(DAY)), ("b".to_owned(), false, Timestamp(DAY))]);
    }
}
