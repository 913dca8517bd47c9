//! The write-ahead log kept short: a thread of its own copies it into the database while the writer goes on, and
//! the writer does the small rest, after which the log begins anew.
//!
//! The thread alone would never be done under load, as there is always one more commit; the writer alone would
//! stall for as long as the copying takes.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::error::Fault;
use super::queue::lock;
use super::schema::PAGE;

/// The writer's side.
#[derive(Debug)]
pub(super) struct Log {
    /// Frames in the log since it began anew.
    frames: Arc<AtomicU32>,
    wish: Arc<Wish>,
    thread: Option<JoinHandle<()>>,
    /// Where the log may grow to.
    soft: u32,
    /// Where the next thing is done about it.
    next: u32,
    /// Frames at the last look.
    seen: u32,
    was_asked: bool,
    /// Frames when it was last quiet, and whether they have been copied.
    quiet: (u32, bool),
}

#[derive(Debug, Default)]
struct Wish {
    state: Mutex<Wished>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wished {
    run: bool,
    stop: bool,
    is_done: bool,
}

/// A frame is a page and its header.
const FRAME: u64 = PAGE + 24;

/// Stop the writer rather than let the log grow to this many times what it should be.
const HARD: u32 = 4;

impl Log {
    /// Starts the thread. `on_fault` hears of a copy that failed.
    pub(super) fn start(
        conn: &mut Connection,
        file: &Path,
        bytes: u64,
        on_fault: impl Fn(Fault) + Send + 'static,
    ) -> Result<Log, Fault> {
        let frames = Arc::new(AtomicU32::new(0));
        let counter = frames.clone();
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counter.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let own = Connection::open(file)?;
        own.busy_timeout(std::time::Duration::from_secs(5))?;
        own.pragma_update(None, "synchronous", "FULL")?;
        let wish = Arc::new(Wish::default());
        let theirs = wish.clone();
        let run = move || {
            while theirs.wait() {
                if let Err(fault) = checkpoint(&own) {
                    on_fault(fault);
                }
                lock(&theirs.state).is_done = true;
            }
        };
        let thread = std::thread::Builder::new().name("store-log".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Fault::Unreadable(format!("no thread: {error}")))?;
        let soft = u32::try_from(bytes / FRAME).unwrap_or(u32::MAX / HARD).clamp(16, u32::MAX / HARD);
        Ok(Log { frames, wish, thread: Some(thread), soft, next: soft, seen: 0, was_asked: false, quiet: (0, true) })
    }

    /// To be called between transactions.
    pub(super) fn tend(&mut self, conn: &Connection) -> Result<(), Fault> {
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.seen {
            // It began anew.
            self.next = self.soft;
        }
        self.seen = frames;
        if frames < self.next {
            return Ok(());
        }
        let is_done = self.was_asked && std::mem::take(&mut lock(&self.wish.state).is_done);
        if is_done || frames >= self.soft.saturating_mul(HARD).max(self.next) {
            self.was_asked = false;
            // Should a reader still use the log's end, it can't begin anew yet; then wait for some more.
            self.next = frames.saturating_add(self.soft / 4);
            return checkpoint(conn);
        }
        if !self.was_asked {
            self.was_asked = true;
            self.nudge();
        }
        Ok(())
    }

    /// To be called now and then: when nothing was added since the last call, has the log copied however short it
    /// is, so that a crash leaves little to do.
    pub(super) fn tidy(&mut self) {
        let frames = self.frames.load(Ordering::Relaxed);
        match self.quiet {
            (before, false) if before == frames && !self.was_asked => {
                self.quiet.1 = true;
                self.nudge();
            }
            (before, _) if before != frames => self.quiet = (frames, false),
            _ => {}
        }
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(&mut self) {
        lock(&self.wish.state).stop = true;
        self.wish.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did there would be nothing to do about it here.
            let _ = thread.join();
        }
    }

    fn nudge(&self) {
        let mut wished = lock(&self.wish.state);
        wished.run = true;
        wished.is_done = false;
        drop(wished);
        self.wish.changed.notify_all();
    }
}

impl Wish {
    /// Waits until there is something to do; `false` to stop.
    fn wait(&self) -> bool {
        let wished = lock(&self.state);
        let idle = |wished: &mut Wished| !wished.run && !wished.stop;
        let mut wished = self.changed.wait_while(wished, idle).unwrap_or_else(PoisonError::into_inner);
        wished.run = false;
        !wished.stop
    }
}

/// Copies what can be copied without waiting for anybody.
fn checkpoint(conn: &Connection) -> Result<(), Fault> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}
