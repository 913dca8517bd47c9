//! What is read from the database before the writer starts, and the start.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use tracing::warn;

use super::error::{Fault, int};
use super::folder::Folder;
use super::handover::Handover;
use super::log::Log;
use super::queue::{Bounds, Queue};
use super::schema::{self, PAGE};
use super::seen::Seen;
use super::shards::{self, Standing};
use super::shared::{Shared, Watch};
use super::tail::Tail;
use super::upkeep::Upkeep;
use super::writer::Writer;
use super::{OpenError, Settings, journal, outbox};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{DeliveryId, Seq, Timestamp};
use crate::store::Shard;

/// Appends in one journal row.
const BATCH: usize = 512;
/// Bytes of bodies in one journal row.
const BATCH_BYTES: usize = 1 << 20;

/// A store that runs.
pub(super) struct Started {
    pub(super) shared: Arc<Shared>,
    pub(super) writer: JoinHandle<()>,
    /// When the store was last known to run before.
    pub(super) last_alive: Timestamp,
}

/// Takes the folder, opens or makes the database, and starts the writer.
pub(super) fn start(settings: Settings, clock: Arc<Clock>, metrics: Arc<Metrics>) -> Result<Started, OpenError> {
    let folder = Arc::new(Folder::hold(&settings.dir)?);
    let file = folder.database();
    let conn = with_reserve(&folder, || {
        let conn = schema::open(&file)?;
        folder.sync().map_err(|source| OpenError::Folder { dir: settings.dir.clone(), source })?;
        Ok(conn)
    })?;
    run(conn, folder, settings, (clock, metrics)).map_err(|fault| schema::refusal(&file, &fault))
}

/// Opens; if the disk is full, gives the reserve up and opens once more. The writer fills it again.
fn with_reserve<T>(folder: &Folder, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let error = match open() {
        Err(error @ (OpenError::Disk { .. } | OpenError::Folder { .. })) => error,
        opened => return opened,
    };
    match folder.release_reserve() {
        Ok(true) => {
            warn!("{error}; trying again without the reserve");
            open()
        }
        Ok(false) => Err(error),
        Err(kept) => {
            warn!("the reserve could not be given up: {kept}");
            Err(error)
        }
    }
}

fn run(
    mut conn: Connection,
    folder: Arc<Folder>,
    settings: Settings,
    (clock, metrics): (Arc<Clock>, Arc<Metrics>),
) -> Result<Started, Fault> {
    if let Some(bytes) = settings.hard_bytes {
        conn.pragma_update(None, "max_page_count", int(bytes / PAGE))?;
    }
    let was = Was::read(&conn)?;
    clock.not_before(was.last_alive);
    let seen = rebuild_seen(&conn, settings.dedup_horizon, clock.steady())?;
    let shared = Arc::new(was.share(&settings, clock, metrics));
    let noticing = shared.clone();
    let log = Log::start(&mut conn, &folder.database(), settings.wal_bytes, move |fault| {
        noticing.notice(&fault);
    })?;
    let writer = Writer {
        conn,
        folder,
        shared: shared.clone(),
        log,
        seen,
        standing: was.standing,
        upkeep: Upkeep::new(settings.max_bytes, settings.reserve_bytes),
        lookback: was.lookback,
        first_seq: was.first_seq,
        next_seq: was.next_seq,
        next_outbox: was.next_outbox,
        settings,
    };
    let writer = watched(shared.clone(), move || writer.run())?;
    Ok(Started { shared, writer, last_alive: was.last_alive })
}

/// Starts the writer thread, whose panic does not go unnoticed.
fn watched(shared: Arc<Shared>, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
        let _watch = Watch(shared);
        run();
    });
    thread.map_err(|error| Fault::Unreadable(format!("no thread: {error}")))
}

/// How things stood when the store last ran.
struct Was {
    standing: HashMap<Shard, Standing>,
    owned: Vec<Shard>,
    lookback: Duration,
    last_alive: Timestamp,
    first_seq: u64,
    next_seq: u64,
    next_outbox: u64,
}

impl Was {
    fn read(conn: &Connection) -> Result<Was, Fault> {
        let mut standing = shards::load(conn)?;
        // Leases of an earlier process are no longer good.
        standing.values_mut().for_each(|standing| standing.epoch += 1);
        let (oldest, newest) = (journal::tail(conn)?, journal::head(conn)?);
        let engine = standing.get(&Shard::Engine).copied().unwrap_or_default();
        // Numbers never start again, whatever has been pruned.
        let last_seq =
            newest.map_or(0, |span| span.last.0).max(engine.cursor.seq.0).max(shards::mark(conn, shards::JOURNAL)?);
        let taken = standing.iter().filter(|(shard, _)| **shard != Shard::Engine).map(|(_, s)| s.cursor.seq.0).max();
        let last_outbox = outbox::last_id(conn)?.0.max(taken.unwrap_or(0)).max(shards::mark(conn, shards::OUTBOX)?);
        let mut owned = vec![Shard::Engine];
        owned.extend(standing.keys().filter(|shard| **shard != Shard::Engine).cloned());
        for channel in outbox::channels(conn)? {
            let shard = Shard::Channel(channel);
            if !owned.contains(&shard) {
                owned.push(shard);
            }
        }
        Ok(Was {
            owned,
            lookback: Duration::from_millis(shards::mark(conn, shards::LOOKBACK)?),
            last_alive: newest.map_or(Timestamp(0), |span| span.at).max(engine.cursor.at),
            first_seq: oldest.map_or(last_seq + 1, |span| span.first.0),
            next_seq: last_seq + 1,
            next_outbox: last_outbox + 1,
            standing,
        })
    }

    fn share(&self, settings: &Settings, clock: Arc<Clock>, metrics: Arc<Metrics>) -> Shared {
        let head = Seq(self.next_seq - 1);
        Shared {
            queue: Queue::new(Bounds {
                appends: settings.queue,
                bytes: settings.queue_bytes,
                batch: BATCH,
                batch_bytes: BATCH_BYTES,
            }),
            tail: Tail::new(settings.tail, settings.tail_bytes, head, self.last_alive),
            handover: Handover::new(DeliveryId(self.next_outbox - 1)),
            clock,
            metrics,
            epochs: std::sync::Mutex::default(),
            owned: watch::Sender::new(self.owned.clone()),
            fatal: watch::Sender::new(None),
            maps: std::sync::Mutex::default(),
            horizon: AtomicU64::new(settings.dedup_horizon.as_millis().try_into().unwrap_or(u64::MAX)),
        }
    }
}

/// Identities within the horizon, read from their own column alone.
fn rebuild_seen(conn: &Connection, horizon: Duration, now: Timestamp) -> Result<Seen, Fault> {
    let mut seen = Seen::new(horizon);
    if let Some(first) = journal::first_since(conn, now - horizon)? {
        journal::ids_from(conn, first.first, |at, ids| ids.for_each(|id| seen.insert(at, id)))?;
        // What was read is not read again: its pages need not stay in memory.
        conn.execute_batch("PRAGMA shrink_memory")?;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;

    use super::super::queue::{Append, Op, Refused};
    use super::*;
    use crate::store::StoreError;
    use crate::store::samples::callback;

    fn full() -> OpenError {
        OpenError::Disk { file: "f".into(), detail: "database or disk is full".to_owned() }
    }

    #[test]
    fn if_the_writer_panics_nobody_waits_for_ever_and_the_process_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let conn = schema::open(&dir.path().join("db")).unwrap();
        let settings = Settings::for_testing(dir.path());
        let was = Was::read(&conn).unwrap();
        let shared = Arc::new(was.share(&settings, Arc::new(Clock::start()), Arc::new(Metrics::new())));
        let append = |number| {
            let (answer, answered) = oneshot::channel::<Result<_, StoreError>>();
            (Append { entry: callback(number), answer }, answered)
        };
        let put = || {
            let (answer, answered) = oneshot::channel::<Result<_, StoreError>>();
            (Op::Put { map: "m", key: "k".to_owned(), value: "v".to_owned(), answer }, answered)
        };
        let ((taken, in_work), (waiting, waits)) = (append(1), append(2));
        let (op, asked) = put();
        shared.queue.append(taken).unwrap();
        let theirs = shared.clone();
        let run = move || {
            let _work = theirs.queue.take(Duration::MAX);
            theirs.queue.append(waiting).unwrap();
            assert!(theirs.queue.ask(op));
            panic!("a bug");
        };
        assert!(watched(shared.clone(), run).unwrap().join().is_err());
        assert!(in_work.blocking_recv().is_err());
        assert!(waits.blocking_recv().is_err());
        assert!(asked.blocking_recv().is_err());
        assert_eq!(shared.queue.append(append(3).0), Err(Refused::Closed));
        assert!(!shared.queue.ask(put().0));
        assert!(shared.fatal().is_some_and(|why| why.contains("panicked")));
    }

    #[test]
    fn a_writer_that_ends_as_told_is_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::for_testing(dir.path());
        let started = start(settings, Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap();
        started.shared.queue.close();
        started.writer.join().unwrap();
        assert_eq!(started.shared.fatal(), None);
    }

    #[test]
    fn opening_on_a_full_disk_gives_the_reserve_up_and_tries_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::hold(dir.path()).unwrap();
        folder.fill_reserve(1000).unwrap();
        let reserve = dir.path().join("reserve");
        let opened = with_reserve(&folder, || if reserve.exists() { Err(full()) } else { Ok(7) });
        assert_eq!(opened.unwrap(), 7);
        let tries = Cell::new(0);
        let count = |error: OpenError| {
            tries.set(tries.get() + 1);
            Err::<(), _>(error)
        };
        assert!(matches!(with_reserve(&folder, || count(full())), Err(OpenError::Disk { .. })));
        assert_eq!(tries.get(), 1, "there is none left");
        folder.fill_reserve(1000).unwrap();
        assert!(matches!(with_reserve(&folder, || count(full())), Err(OpenError::Disk { .. })));
        assert_eq!(tries.get(), 3);
        folder.fill_reserve(1000).unwrap();
        let newer = || OpenError::Newer { file: "f".into(), found: 9, known: 1 };
        assert!(matches!(with_reserve(&folder, || count(newer())), Err(OpenError::Newer { .. })));
        assert!(reserve.exists() && tries.get() == 4, "no room would help");
    }
}
