//! Each letter of WeCom's is followed once, however often it is brought: WeCom's own repeats, and copies by others.
//!
//! WeCom brings a letter again, three times at most, when it has no answer within 5 seconds; such a repeat gets the answer
//! of the first, which it waits for. The very same call, sealed at the same time with the same nonce, that comes more often
//! or later is a copy, and gets none. What was followed is kept in the store too, so that nothing is followed again after
//! a restart.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, watch};

use crate::model::Timestamp;
use crate::store::{StoreError, Table};

/// Letters remembered; more than anybody's colleagues write in [`KEPT`].
const MOST: usize = 20_000;

/// How long: a signature lives for 5 minutes before and after its time.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// How long after the first WeCom's own repeats come: three, 5 seconds each, and some.
const REPEATS: Duration = Duration::from_secs(60);

/// The first and three repeats.
const MOST_TIMES: u32 = 4;

/// Seals remembered of one letter.
const MOST_SEALS: usize = 16;

/// Letters that are kept over a restart: the latest that were followed.
const MOST_STORED: usize = 200;

/// Where in the table they are.
const KEY: &str = "followed";

/// By what a letter is known: a hash of its app and id.
pub(super) type Mark = [u8; 16];

/// The mark of a letter to an app.
pub(super) fn mark(corp_id: &str, agent_id: i64, letter: &str) -> Mark {
    let mut hash = Sha256::new();
    for part in [corp_id.as_bytes(), &agent_id.to_be_bytes(), letter.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hash.finalize()[..16]);
    mark
}

/// What is answered to a letter at once: a message for its author, or none.
pub(super) type Said = Option<Arc<str>>;

/// Where the answer will be, once there is one.
pub(super) type Answering = watch::Receiver<Option<Said>>;

/// What to do about a letter.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is new: follow it, and say here what is answered.
    First(watch::Sender<Option<Said>>, Answering),
    /// WeCom's repeat: the same answer.
    Again(Answering),
    /// It was followed before a restart; its answer is gone.
    Before,
    /// Neither: somebody made a copy.
    Copy,
}

/// Which letters came.
pub(super) struct Once {
    table: Arc<dyn Table>,
    opened: OnceCell<()>,
    heard: Mutex<Heard>,
    /// Held while the table is written: a later list must not be overtaken by an earlier one.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Heard {
    known: HashMap<Mark, Known>,
    /// The oldest first.
    order: VecDeque<Mark>,
    /// With the wall clock's time, the oldest first.
    followed: VecDeque<(Mark, Timestamp)>,
}

struct Known {
    first: Timestamp,
    times: u32,
    /// Signatures of the calls that brought it.
    seals: Vec<Box<str>>,
    /// None: from before a restart.
    answering: Option<Answering>,
}

impl Once {
    /// What is remembered in this table.
    pub(super) fn new(table: Arc<dyn Table>) -> Once {
        Once { table, opened: OnceCell::new(), heard: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    /// What to do about a letter that comes now, in a call with this signature. `steady` and `wall` are the clock's two hands.
    ///
    /// # Errors
    /// [`StoreError`] while it can't be read what was followed before the last restart.
    pub(super) async fn turn(
        &self,
        (mark, seal): (Mark, &str),
        (steady, wall): (Timestamp, Timestamp),
    ) -> Result<Turn, StoreError> {
        let open = || async {
            let kept: String = self.table.get(KEY).await?.unwrap_or_default();
            self.lock().restore(&kept, (steady, wall));
            Ok::<(), StoreError>(())
        };
        self.opened.get_or_try_init(open).await?;
        Ok(self.lock().turn((mark, seal), steady))
    }

    /// A letter was followed: keeps that over a restart; resolves once it is on disk.
    ///
    /// # Errors
    /// [`StoreError`]; then a restart forgets it.
    pub(super) async fn keep(&self, mark: Mark, wall: Timestamp) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let list = self.lock().follow(mark, wall);
        self.table.put(KEY, &list).await
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Nothing in here can panic half-way through a change.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn turn(&mut self, (mark, seal): (Mark, &str), now: Timestamp) -> Turn {
        while let Some(oldest) = self.order.front() {
            let is_old = self.known.get(oldest).is_none_or(|known| now.since(known.first) > KEPT);
            if !is_old && self.order.len() < MOST {
                break;
            }
            self.known.remove(oldest);
            self.order.pop_front();
        }
        let Some(known) = self.known.get_mut(&mark) else {
            let (said, answering) = watch::channel(None);
            let seals = vec![seal.into()];
            self.add(mark, Known { first: now, times: 1, seals, answering: Some(answering.clone()) });
            return Turn::First(said, answering);
        };
        known.times = known.times.saturating_add(1);
        let is_sealed_anew = known.seals.len() < MOST_SEALS && known.seals.iter().all(|known| **known != *seal);
        if is_sealed_anew {
            known.seals.push(seal.into());
        }
        let is_repeat = known.times <= MOST_TIMES && now.since(known.first) <= REPEATS;
        match (&known.answering, is_sealed_anew || is_repeat) {
            (_, false) => Turn::Copy,
            (Some(answering), true) => Turn::Again(answering.clone()),
            (None, true) => Turn::Before,
        }
    }

    fn add(&mut self, mark: Mark, known: Known) {
        if self.known.insert(mark, known).is_none() {
            self.order.push_back(mark);
        }
    }

    /// Notes what was followed; the list is what to keep.
    fn follow(&mut self, mark: Mark, wall: Timestamp) -> String {
        self.followed.push_back((mark, wall));
        self.followed.retain(|(_, at)| wall.0.abs_diff(at.0) <= KEPT.as_millis() as u64);
        while self.followed.len() > MOST_STORED {
            self.followed.pop_front();
        }
        let written = self.followed.iter().map(|(mark, at)| format!("{}@{}", hex::encode(mark), at.0));
        written.collect::<Vec<_>>().join(" ")
    }

    /// Takes in what an earlier run kept. Whatever can't be read is left out.
    fn restore(&mut self, kept: &str, (steady, wall): (Timestamp, Timestamp)) {
        for written in kept.split_whitespace().take(MOST_STORED) {
            let Some((hash, at)) = written.split_once('@') else { continue };
            let mut mark = Mark::default();
            let (Ok(()), Ok(at)) = (hex::decode_to_slice(hash, &mut mark), at.parse()) else { continue };
            // By the steady hand it was as long ago as by the wall clock; if that was set back since, it is just now.
            let first = steady - wall.since(Timestamp(at));
            self.add(mark, Known { first, times: 1, seals: Vec::new(), answering: None });
            self.followed.push_back((mark, Timestamp(at)));
        }
    }
}
