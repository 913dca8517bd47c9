//! Whether the callbacks that come are those we need, and in time: what the rules can't see themselves. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Entry, EventKind, Input, Notice, Timestamp};

/// Push errors, and the time over which they came, after which the absence of any begin or end is no chance.
const MANY: u64 = 50;
const LONG: Duration = Duration::from_secs(10 * 60);

/// Over how many push errors the delay is judged, from how many on, and how often: not for each of them.
const SAMPLE: usize = 256;
const LEAST: usize = 64;
const JUDGED_EVERY: u64 = 32;

/// Half of the callbacks later than this is late.
const LATE: Duration = Duration::from_secs(30);

/// The same is said once in this time.
const REMIND: Duration = Duration::from_secs(24 * 3600);

/// What is wrong with the callbacks as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// Push errors come, but no begin or end of any push: grace, sessions and `push_end` are blind.
    OnlyPushErrors {
        /// Push errors taken so far.
        reports: u64,
    },
    /// Callbacks come late.
    LateCallbacks {
        /// The median of received minus happened, ms.
        median: u64,
    },
}

impl Warning {
    /// What the channels are told.
    #[must_use]
    pub fn notice(self) -> Notice {
        match self {
            Warning::OnlyPushErrors { reports } => Notice::OnlyPushErrors { reports },
            Warning::LateCallbacks { median } => Notice::LateCallbacks { median },
        }
    }

    /// Under which its last time is kept.
    pub(super) fn name(self) -> &'static str {
        match self {
            Warning::OnlyPushErrors { .. } => ONLY_PUSH_ERRORS,
            Warning::LateCallbacks { .. } => LATE_CALLBACKS,
        }
    }
}

pub(super) const ONLY_PUSH_ERRORS: &str = "only_push_errors";
pub(super) const LATE_CALLBACKS: &str = "late_callbacks";

/// What is known from earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Whether a begin or an end of a push has ever come.
    pub(super) heard_of_pushes: bool,
    /// When each warning was last told.
    pub(super) only_push_errors: Option<Timestamp>,
    pub(super) late_callbacks: Option<Timestamp>,
}

/// Looks at every callback once, as it comes.
#[derive(Debug)]
pub(super) struct Vitals {
    memory: Memory,
    push_errors: u64,
    first: Timestamp,
    last: Timestamp,
    /// Wall clock minus the journal's time, ms.
    ahead: i64,
    /// Received minus happened of the latest push errors, ms.
    delays: VecDeque<u64>,
    median: u64,
}

impl Vitals {
    pub(super) fn new(memory: Memory) -> Vitals {
        let (first, last) = (Timestamp(0), Timestamp(0));
        Vitals { memory, push_errors: 0, first, last, ahead: 0, delays: VecDeque::new(), median: 0 }
    }

    /// An entry that was judged before: all that counts is whether it speaks of a push.
    pub(super) fn recall(&mut self, entry: &Entry) {
        if let Input::Callback(event) = &entry.input {
            self.memory.heard_of_pushes |= matches!(event.kind, EventKind::PushBegin | EventKind::PushEnd);
        }
    }

    /// A new entry.
    pub(super) fn see(&mut self, entry: &Entry) {
        self.recall(entry);
        match &entry.input {
            Input::ClockSet { ahead } => self.ahead = *ahead,
            Input::Callback(event) if event.kind == EventKind::PushError => {
                if self.push_errors == 0 {
                    self.first = entry.received_at;
                }
                self.last = entry.received_at;
                self.push_errors += 1;
                if let Some(happened) = event.happened_at {
                    // The cloud's time is a wall clock's.
                    let received = entry.received_at.0.saturating_add(self.ahead);
                    self.note(u64::try_from(received.saturating_sub(happened.0)).unwrap_or(0));
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, delay: u64) {
        if self.delays.len() == SAMPLE {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
        if self.delays.len() >= LEAST && self.push_errors.is_multiple_of(JUDGED_EVERY) {
            let mut sample: Vec<u64> = self.delays.iter().copied().collect();
            let middle = sample.len() / 2;
            self.median = *sample.select_nth_unstable(middle).1;
        }
    }

    /// Whether a begin or an end of a push has ever come.
    pub(super) fn heard_of_pushes(&self) -> bool {
        self.memory.heard_of_pushes
    }

    /// What is wrong now.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + use<> {
        let blind = !self.memory.heard_of_pushes && self.push_errors >= MANY && self.last.since(self.first) >= LONG;
        let late = Duration::from_millis(self.median) > LATE;
        let (reports, median) = (self.push_errors, self.median);
        let blind = blind.then_some(Warning::OnlyPushErrors { reports });
        blind.into_iter().chain(late.then_some(Warning::LateCallbacks { median }))
    }

    /// What is wrong now and has not been told for a day.
    pub(super) fn due(&self, now: Timestamp) -> Option<Warning> {
        let told = |warning: &Warning| match warning {
            Warning::OnlyPushErrors { .. } => self.memory.only_push_errors,
            Warning::LateCallbacks { .. } => self.memory.late_callbacks,
        };
        self.warnings().find(|warning| told(warning).is_none_or(|at| now.since(at) >= REMIND))
    }

    /// It is being told.
    pub(super) fn told(&mut self, warning: Warning, now: Timestamp) {
        match warning {
            Warning::OnlyPushErrors { .. } => self.memory.only_push_errors = Some(now),
            Warning::LateCallbacks { .. } => self.memory.late_callbacks = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Seq, StreamName};

    fn entry(kind: EventKind, received: i64, happened: i64) -> Entry {
        let event = crate::model::Event {
            id: crate::model::EventId([0; 16]),
            kind,
            stream: StreamName::new("d", "p", "s"),
            session: None,
            appid: None,
            user_ip: None,
            node: None,
            happened_at: Some(Timestamp(happened)),
            report_interval: None,
            errcode: None,
            errmsg: None,
            push_duration: None,
            abnormal: Vec::new(),
            unreadable: None,
        };
        Entry { seq: Seq(1), received_at: Timestamp(received), input: Input::Callback(Box::new(event)) }
    }

    fn error(received: i64, delay: i64) -> Entry {
        entry(EventKind::PushError, received, received - delay)
    }

    /// `count` push errors over `span` ms.
    fn errors(vitals: &mut Vitals, count: i64, span: i64) {
        (0..count).for_each(|number| vitals.see(&error(span * number / (count - 1), 100)));
    }

    #[test]
    fn a_warning_where_only_push_errors_are_subscribed() {
        let warned = |count, span, begun: Option<EventKind>| {
            let mut vitals = Vitals::new(Memory::default());
            errors(&mut vitals, count, span);
            begun.into_iter().for_each(|kind| vitals.see(&entry(kind, span, span)));
            vitals.warnings().collect::<Vec<_>>()
        };
        assert_eq!(warned(50, 600_000, None), [Warning::OnlyPushErrors { reports: 50 }]);
        assert_eq!(warned(49, 600_000, None), [], "too few");
        assert_eq!(warned(50, 599_999, None), [], "too soon");
        assert_eq!(warned(50, 600_000, Some(EventKind::PushBegin)), []);
        assert_eq!(warned(50, 600_000, Some(EventKind::PushEnd)), []);
        assert_eq!(warned(50, 600_000, Some(EventKind::Record)), [Warning::OnlyPushErrors { reports: 50 }]);
    }

    #[test]
    fn a_begin_of_an_earlier_run_or_from_the_kept_stretch_is_not_forgotten() {
        let mut vitals = Vitals::new(Memory { heard_of_pushes: true, ..Memory::default() });
        errors(&mut vitals, 99, 900_000);
        assert_eq!(vitals.warnings().count(), 0);
        let mut vitals = Vitals::new(Memory::default());
        vitals.recall(&entry(EventKind::PushEnd, 0, 0));
        errors(&mut vitals, 99, 900_000);
        assert_eq!(vitals.warnings().count(), 0);
    }

    #[test]
    fn a_warning_when_the_median_of_received_minus_happened_passes_30_s_and_no_longer_than_that() {
        let mut vitals = Vitals::new(Memory { heard_of_pushes: true, ..Memory::default() });
        let mut feed = |count: i64, delay: i64| {
            (0..count).for_each(|_| vitals.see(&error(1_000_000, delay)));
            vitals.warnings().collect::<Vec<_>>()
        };
        assert_eq!(feed(128, 1_000), []);
        assert_eq!(feed(96, 40_000), [], "less than half of them");
        assert_eq!(feed(64, 40_000), [Warning::LateCallbacks { median: 40_000 }]);
        assert_eq!(feed(256, 30_000), [], "not later than 30 s");
    }

    #[test]
    fn a_step_of_the_wall_clock_makes_nothing_late() {
        let mut vitals = Vitals::new(Memory { heard_of_pushes: true, ..Memory::default() });
        let set = Input::ClockSet { ahead: -3_600_000 };
        vitals.see(&Entry { seq: Seq(1), received_at: Timestamp(0), input: set });
        // The journal's time is an hour ahead of what the cloud and the wall clock say.
        (0..256).for_each(|_| vitals.see(&error(9_000_000, 3_600_500)));
        assert_eq!(vitals.warnings().count(), 0);
    }

    #[test]
    fn each_warning_is_told_at_most_once_in_24_hours_over_restarts_too() {
        let day = REMIND.as_millis() as i64;
        let memory = Memory { only_push_errors: Some(Timestamp(1_000)), ..Memory::default() };
        let mut vitals = Vitals::new(memory);
        errors(&mut vitals, 50, 600_000);
        assert_eq!(vitals.due(Timestamp(999 + day)), None);
        let due = vitals.due(Timestamp(1_000 + day)).unwrap();
        assert_eq!(due.notice(), Notice::OnlyPushErrors { reports: 50 });
        vitals.told(due, Timestamp(1_000 + day));
        assert_eq!(vitals.due(Timestamp(1_001 + day)), None);
        assert_eq!(vitals.warnings().count(), 1, "it is still so");
    }
}
