//! Sends a plan over several connections, at its own pace, at a rate, or as fast as the server answers.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::callback::{Callback, Cast, Secrets};
use super::record::Record;
use super::scenario::Plan;
use super::signer::Signer;
use super::tally::Tally;
use super::wire::{Target, Wire, WireError};
use crate::clock::Clock;
use crate::model::Timestamp;

/// A schedule that has fallen behind by more than this is put back instead of being made up for in one burst.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// A timer may be this late without its request counting as one that had to wait.
const TICK: Duration = Duration::from_millis(2);

/// A server that is away for longer than this in the middle of a run is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// How fast a plan is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// At the times of the plan.
    Own,
    /// So many callbacks a second.
    Rate(f64),
    /// As fast as the server answers.
    Unbounded,
}

/// Everything one run needs.
pub(crate) struct Run {
    /// Where to.
    pub(crate) target: Target,
    /// Who plays.
    pub(crate) cast: Cast,
    /// What is sent.
    pub(crate) plan: Plan,
    /// How fast.
    pub(crate) pace: Pace,
    /// For how long at most.
    pub(crate) duration: Duration,
    /// How many at most.
    pub(crate) count: u64,
    /// Over how many connections; at least one.
    pub(crate) connections: usize,
    /// What signs; without a key, nothing does.
    pub(crate) key: Option<SecretString>,
    /// Where it is written down.
    pub(crate) record: Option<Record<BufWriter<File>>>,
    /// Ends it early: what is under way is finished, nothing more is begun.
    pub(crate) stop: CancellationToken,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The server can't be reached, or not any more.
    #[error("{0}")]
    Unreachable(#[from] WireError),
    /// What was sent can't be written down.
    #[error("can't write what was sent: {0}")]
    Record(#[from] io::Error),
}

/// Sends the plan and counts in `tally`. Ends when the plan, its time or its number is used up, or when stopped.
///
/// # Errors
/// [`RunError::Unreachable`] if no connection can be made at the start, or none any more for ten seconds.
pub(crate) async fn send(run: Run, clock: Arc<Clock>, tally: Arc<Tally>) -> Result<(), RunError> {
    // Each opened before any is used: a run with half of its connections would measure something else.
    let mut wires = Vec::with_capacity(run.connections);
    for _ in 0..run.connections.max(1) {
        wires.push(Wire::open(&run.target).await?);
    }
    let start = clock.stopwatch();
    let base = match run.pace {
        Pace::Own => clock.wall(),
        // Sent at another pace than it was lived, a story lies in the past as a whole: no event of the future.
        Pace::Rate(_) | Pace::Unbounded => clock.wall() - run.duration,
    };
    let shared = Arc::new(Shared {
        schedule: Mutex::new(Schedule {
            plan: run.plan,
            pace: run.pace,
            duration: run.duration,
            left: run.count,
            taken: 0,
            put_back: Duration::ZERO,
        }),
        record: Mutex::new(run.record),
        target: run.target,
        cast: run.cast,
        clock,
        tally,
        stop: run.stop,
        start,
        base,
    });
    let mut senders = JoinSet::new();
    for wire in wires {
        let signer = Signer::new(run.key.clone());
        senders.spawn(Sender { shared: Arc::clone(&shared), wire, signer }.go());
    }
    let mut outcome = Ok(());
    while let Some(ended) = senders.join_next().await {
        if let Ok(Err(error)) = ended {
            outcome = outcome.and(Err(error));
        }
    }
    let record = shared.record.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(record) = record {
        record.finish()?;
    }
    outcome
}

struct Shared {
    schedule: Mutex<Schedule>,
    record: Mutex<Option<Record<BufWriter<File>>>>,
    target: Target,
    cast: Cast,
    clock: Arc<Clock>,
    tally: Arc<Tally>,
    stop: CancellationToken,
    start: Instant,
    base: Timestamp,
}

impl Shared {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Hands the plan's callbacks out, each with the time when it is due.
struct Schedule {
    plan: Plan,
    pace: Pace,
    duration: Duration,
    left: u64,
    taken: u64,
    put_back: Duration,
}

impl Schedule {
    fn next(&mut self, elapsed: Duration) -> Option<(Duration, Callback)> {
        if self.left == 0 {
            return None;
        }
        let (offset, callback) = self.plan.next()?;
        let due = match self.pace {
            Pace::Own => Duration::from_millis(offset),
            Pace::Rate(rate) => {
                let due = Duration::from_secs_f64(self.taken as f64 / rate) + self.put_back;
                let behind = elapsed.saturating_sub(due);
                self.put_back += behind.saturating_sub(MOST_BEHIND);
                due
            }
            Pace::Unbounded => elapsed,
        };
        if due > self.duration || elapsed > self.duration + MOST_BEHIND {
            self.left = 0;
            return None;
        }
        self.left -= 1;
        self.taken += 1;
        Some((due, callback))
    }
}

struct Sender {
    shared: Arc<Shared>,
    wire: Wire,
    signer: Signer,
}

impl Sender {
    async fn go(mut self) -> Result<(), RunError> {
        while let Some((due, callback)) = self.take() {
            let early = due.saturating_sub(self.shared.elapsed());
            if !early.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(early) => {}
                    () = self.shared.stop.cancelled() => break,
                }
            }
            if self.wire.is_closed() {
                self.reopen().await?;
            }
            if let Err(error) = self.send(due, &callback).await? {
                tracing::debug!(%error, "a callback got no answer");
                self.reopen().await?;
            }
        }
        Ok(())
    }

    fn take(&self) -> Option<(Duration, Callback)> {
        if self.shared.stop.is_cancelled() {
            return None;
        }
        let mut schedule = self.shared.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = schedule.next(self.shared.elapsed());
        self.shared.tally.lock().behind = schedule.put_back;
        taken
    }

    /// Posts one callback and counts its end. The outer error is that of the record.
    async fn send(&mut self, due: Duration, callback: &Callback) -> io::Result<Result<(), WireError>> {
        let shared = &self.shared;
        let sent_at = shared.clock.wall();
        let at = callback.time(shared.base, sent_at);
        let mut body = Vec::with_capacity(1200);
        shared.cast.write_open(&mut body, callback, at, Secrets::Shown);
        self.signer.close(&mut body, sent_at);
        let begun = shared.elapsed();
        shared.tally.lock().sent += 1;
        let answer = self.wire.post(body).await;
        let ended = shared.elapsed();
        {
            let mut counts = shared.tally.lock();
            counts.took = counts.took.max(ended);
            match &answer {
                Ok(status) => {
                    match status {
                        200 => counts.accepted += 1,
                        _ => *counts.refused.entry(*status).or_default() += 1,
                    }
                    // One that had to wait for a free connection has waited for the server too.
                    let from = if begun.saturating_sub(due) > TICK { due } else { begun };
                    counts.latencies.record(ended.saturating_sub(from));
                }
                Err(_) => counts.failed += 1,
            }
        }
        let mut record = shared.record.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = record.as_mut() {
            record.sent(&shared.cast, callback, at, sent_at, answer.as_ref().ok().copied())?;
        }
        Ok(answer.map(|_| ()))
    }

    /// A server that restarts is waited for.
    async fn reopen(&mut self) -> Result<(), WireError> {
        let since = self.shared.elapsed();
        let mut pause = Duration::from_millis(20);
        loop {
            match Wire::open(&self.shared.target).await {
                Ok(wire) => {
                    self.wire = wire;
                    return Ok(());
                }
                Err(error) if self.shared.elapsed().saturating_sub(since) > GONE_AFTER => return Err(error),
                Err(_) if self.shared.stop.is_cancelled() => return Ok(()),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::{Scenario, plan};
    use super::*;

    fn schedule(scenario: Scenario, pace: Pace, left: u64) -> Schedule {
        let duration = Duration::from_secs(10);
        Schedule { plan: plan(scenario, 1, 2, duration), pace, duration, left, taken: 0, put_back: Duration::ZERO }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_rate_is_kept_to_within_bounds_and_then_put_back() {
        let mut schedule = schedule(Scenario::Steady, Pace::Rate(10.0), u64::MAX);
        assert_eq!(schedule.next(ms(0)).unwrap().0, ms(0));
        assert_eq!(schedule.next(ms(0)).unwrap().0, ms(100));
        // 900 ms late: made up for. 1.7 s late: 700 ms of them are given up.
        assert_eq!(schedule.next(ms(1100)).unwrap().0, ms(200));
        assert_eq!(schedule.put_back, ms(0));
        assert_eq!(schedule.next(ms(2000)).unwrap().0, ms(300));
        assert_eq!(schedule.put_back, ms(700));
        assert_eq!(schedule.next(ms(2000)).unwrap().0, ms(1100));
    }

    #[test]
    fn time_and_number_bound_every_pace() {
        let mut by_time = schedule(Scenario::Steady, Pace::Rate(10.0), u64::MAX);
        assert_eq!(std::iter::from_fn(|| by_time.next(ms(0))).take(1000).count(), 101);
        let mut by_count = schedule(Scenario::Steady, Pace::Unbounded, 7);
        assert_eq!(std::iter::from_fn(|| by_count.next(ms(0))).take(1000).count(), 7);
        let mut unbounded = schedule(Scenario::Steady, Pace::Unbounded, u64::MAX);
        assert!(unbounded.next(ms(9_999)).is_some());
        assert!(unbounded.next(ms(10_001)).is_none());
        assert!(unbounded.next(ms(0)).is_none(), "once over, always over");
        let mut own = schedule(Scenario::Steady, Pace::Own, u64::MAX);
        assert_eq!(std::iter::from_fn(|| own.next(ms(0))).take(1000).count(), 5);
    }
}
