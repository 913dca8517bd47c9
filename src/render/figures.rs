//! The bare figures behind the sentences, for operators who write sentences of their own.

use serde::Serialize;

use super::phrase::{Phrases, end};
use super::words;
use crate::model::catalogue::Unit;
use crate::model::{Catalogue, EventKind, Incident, State, Timestamp};

/// A time: what functions of templates take, and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    /// Since 1970.
    pub(super) ms: i64,
    /// RFC 3339 in the channel's zone; `None` for times that no calendar has.
    pub(super) local: Option<String>,
}

impl Moment {
    /// A time as the channel's people see it.
    pub(super) fn of(at: Timestamp, phrases: &Phrases<'_>) -> Moment {
        Moment { ms: at.0, local: words::rfc3339(at, phrases.zone) }
    }
}

/// Of one incident.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    /// The cloud's time of the first report; not known where there is no incident.
    pub(super) since: Option<Moment>,
    /// The cloud's time of the newest report.
    pub(super) last: Option<Moment>,
    /// When it was over; not known while it fires.
    pub(super) until: Option<Moment>,
    /// From `since` to `until`, or to now: ms.
    pub(super) lasted: u64,
    /// Occurrences.
    pub(super) count: u64,
    /// Callbacks that counted.
    pub(super) reports: u64,
    /// How often it came back after it was over.
    pub(super) flaps: u32,
    /// The worst measured value of the trouble that matters most; not known where none is measured.
    pub(super) measured: Option<f64>,
    /// Its unit: `ms`, `s`, `fps` or `bytes`; empty where it has none.
    pub(super) unit: &'static str,
    /// Why the push ended; not known for other troubles.
    pub(super) errcode: Option<i64>,
    /// How long the push had lasted when it ended: ms.
    pub(super) pushed: Option<u64>,
}

impl Figures {
    /// Those of an incident.
    pub(super) fn of(incident: &Incident, phrases: &Phrases<'_>) -> Figures {
        let over = Some(end(incident)).filter(|_| incident.state == State::Resolved);
        let lasted = over.unwrap_or(phrases.now).since(incident.since);
        let worst = phrases.ranked(incident).into_iter().find_map(|trouble| {
            let value = trouble.worst.filter(|value| value.is_finite())?;
            Some((value, Catalogue::unit(trouble.kind)))
        });
        let ended = |on| on == EventKind::PushEnd;
        Figures {
            since: Some(Moment::of(incident.since, phrases)),
            last: Some(Moment::of(incident.last_at, phrases)),
            until: over.map(|over| Moment::of(over, phrases)),
            lasted: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            count: incident.count,
            reports: incident.reports,
            flaps: incident.flaps,
            measured: worst.map(|(value, _)| value),
            unit: worst.and_then(|(_, unit)| unit).map_or("", unit),
            errcode: incident.end().errcode.filter(|_| ended(incident.on)),
            pushed: incident.end().push_duration.filter(|_| ended(incident.on)),
        }
    }
}

/// A unit's word for machines.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Fps => "fps",
        Unit::Bytes => "bytes",
    }
}
