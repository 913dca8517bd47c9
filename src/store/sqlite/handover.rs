//! New outbox rows handed from the engine's commits to the channels in memory; a channel that lags reads from disk.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::queue::lock;
use crate::model::{ChannelName, DeliveryId, Notification};

/// Rows that may wait in memory per channel.
const MOST: usize = 4096;

/// A row as it is handed over.
pub(super) type OutboxRow = (DeliveryId, Notification);

/// The lines of all opened channels.
#[derive(Debug)]
pub(super) struct Handover {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last number committed, over all channels.
    published: DeliveryId,
    lines: HashMap<ChannelName, Line>,
}

#[derive(Debug)]
struct Line {
    /// Rows up to here may be on disk alone.
    floor: DeliveryId,
    rows: VecDeque<OutboxRow>,
    grown: Arc<Notify>,
}

/// What [`Handover::take`] found.
#[derive(Debug, PartialEq)]
pub(super) enum Handed {
    /// The next rows, and whether they are the last.
    Rows(Vec<OutboxRow>, bool),
    /// There are none yet.
    Nothing,
    /// There may be some on disk, up to here.
    OnDisk(DeliveryId),
}

impl Handover {
    /// Nothing in memory; rows up to `published` are on disk.
    pub(super) fn new(published: DeliveryId) -> Handover {
        Handover { state: Mutex::new(State { published, lines: HashMap::new() }) }
    }

    /// Begins a channel's line anew. Whoever waits on an older one is woken.
    pub(super) fn open(&self, channel: &ChannelName) -> Arc<Notify> {
        let grown = Arc::new(Notify::new());
        let mut state = lock(&self.state);
        let line = Line { floor: state.published, rows: VecDeque::new(), grown: grown.clone() };
        if let Some(older) = state.lines.insert(channel.clone(), line) {
            older.grown.notify_waiters();
        }
        grown
    }

    /// Rows are on disk, in ascending order.
    pub(super) fn publish(&self, rows: Vec<OutboxRow>) {
        let mut state = lock(&self.state);
        for (id, notification) in rows {
            state.published = state.published.max(id);
            if let Some(line) = state.lines.get_mut(&notification.channel) {
                line.rows.push_back((id, notification));
                if line.rows.len() > MOST
                    && let Some((dropped, _)) = line.rows.pop_front()
                {
                    line.floor = dropped;
                }
                line.grown.notify_waiters();
            }
        }
    }

    /// Takes a channel's rows behind `after`, at most `max`.
    pub(super) fn take(&self, channel: &ChannelName, after: DeliveryId, max: usize) -> Handed {
        let mut state = lock(&self.state);
        let published = state.published;
        let Some(line) = state.lines.get_mut(channel) else { return Handed::OnDisk(published) };
        if after < line.floor {
            return Handed::OnDisk(line.floor);
        }
        line.forget(after);
        let count = max.min(line.rows.len());
        match line.rows.drain(..count).collect::<Vec<_>>() {
            rows if rows.is_empty() => Handed::Nothing,
            rows => Handed::Rows(rows, line.rows.is_empty()),
        }
    }

    /// Whether there is nothing behind `after`, for a channel that has read all up to there from disk.
    pub(super) fn is_head(&self, channel: &ChannelName, after: DeliveryId) -> bool {
        let mut state = lock(&self.state);
        let published = state.published;
        let Some(line) = state.lines.get_mut(channel) else { return after >= published };
        line.forget(after);
        after >= line.floor && line.rows.is_empty()
    }
}

impl Line {
    /// Drops rows that were read from disk.
    fn forget(&mut self, after: DeliveryId) {
        while self.rows.front().is_some_and(|(id, _)| *id <= after) {
            self.rows.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupId, News, Reason, Severity, Timestamp};

    fn row(id: u64, channel: &str) -> OutboxRow {
        let channel = ChannelName::new(channel);
        let (why, severity, at) = ((Reason::Post, News::Opened), Severity::Warning, Timestamp(0));
        (DeliveryId(id), Notification::of_group(channel, GroupId(1), why, severity, at))
    }

    #[test]
    fn a_channel_gets_its_own_rows_and_those_before_its_line_from_disk() {
        let (ops, other) = (ChannelName::new("ops"), ChannelName::new("other"));
        let handover = Handover::new(DeliveryId(5));
        handover.open(&ops);
        handover.publish(vec![row(6, "ops"), row(7, "other"), row(8, "ops")]);
        assert_eq!(handover.take(&ops, DeliveryId(2), 9), Handed::OnDisk(DeliveryId(5)));
        assert_eq!(handover.take(&ops, DeliveryId(5), 1), Handed::Rows(vec![row(6, "ops")], false));
        assert!(!handover.is_head(&ops, DeliveryId(6)));
        assert_eq!(handover.take(&ops, DeliveryId(6), 9), Handed::Rows(vec![row(8, "ops")], true));
        assert!(handover.is_head(&ops, DeliveryId(8)));
        assert!(!handover.is_head(&ops, DeliveryId(4)), "there may be some on disk");
        assert_eq!(handover.take(&ops, DeliveryId(8), 9), Handed::Nothing);
        assert_eq!(handover.take(&other, DeliveryId(0), 9), Handed::OnDisk(DeliveryId(8)), "not opened");
    }

    #[test]
    fn a_channel_that_lags_too_far_is_sent_to_disk() {
        let ops = ChannelName::new("ops");
        let handover = Handover::new(DeliveryId(0));
        handover.open(&ops);
        let most = MOST as u64;
        handover.publish((1..=most + 3).map(|id| row(id, "ops")).collect());
        assert_eq!(handover.take(&ops, DeliveryId(0), 9), Handed::OnDisk(DeliveryId(3)));
        assert_eq!(handover.take(&ops, DeliveryId(3), 1), Handed::Rows(vec![row(4, "ops")], false));
    }
}
