//! What a push's begin, its end, or a report of a newer push says about open incidents, whatever the rules. Pure.

use crate::model::{Cause, EventKind, Incident, IncidentId, Key, RuleOutcome, State};

use super::Engine;
use super::judge::count;
use super::report::Report;
use super::sessions::Standing;

impl Engine {
    /// Ends what this event says is over.
    pub(super) fn close_by_session(&mut self, report: &Report<'_>) {
        let cause = match report.event.kind {
            EventKind::PushBegin | EventKind::PushError => Cause::Reconnected,
            EventKind::PushEnd => Cause::Ended,
            _ => return,
        };
        if report.standing == Standing::Ended {
            return;
        }
        let mut over: Vec<IncidentId> = Vec::new();
        if !report.other_live {
            self.collect(&report.stream, report, &mut over);
        }
        if self.per_session {
            self.collect_by_session(report, &mut over);
        }
        if cause == Cause::Reconnected {
            self.count_back(report, &mut over);
        }
        for id in over {
            self.count_reconnect(id);
            self.resolve(id, cause);
        }
    }

    /// The incidents of single pushes: an end is the end of its own, and a newer push is word of all before it.
    fn collect_by_session(&self, report: &Report<'_>, over: &mut Vec<IncidentId>) {
        let (stream, session) = (&report.event.stream, report.event.session.as_deref());
        let Some(cell) = self.cells.get(&report.stream) else { return };
        for id in cell.sessions.ids(report.received) {
            let own = session == Some(id);
            if own == (report.event.kind == EventKind::PushEnd) || session.is_none() {
                self.collect(&Key::session(stream.clone(), id), report, over);
            }
        }
    }

    /// The incidents of a key that are over by this event.
    fn collect(&self, key: &Key, report: &Report<'_>, over: &mut Vec<IncidentId>) {
        let Some(cell) = self.cells.get(key) else { return };
        let ids = cell.incidents.iter().map(|(_, id)| *id);
        over.extend(ids.filter(|id| self.incidents.get(id).is_some_and(|incident| is_over(incident, report))));
    }

    /// A reconnect within the grace opens nothing, and is counted.
    fn count_reconnect(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id).filter(|incident| incident.state == State::Pending) else {
            return;
        };
        if let (true, Some(place)) = (incident.on.is_state(), self.places.get(&incident.rule)) {
            count(&mut self.tally, *place, RuleOutcome::Reconnected);
        }
    }
}

fn is_over(incident: &Incident, report: &Report<'_>) -> bool {
    let event = report.event;
    // A report that names no session can't be told from a late one but by its time.
    let late = event.session.is_none() && report.time <= incident.last_at;
    if incident.state == State::Resolved || incident.silence.is_some() || late {
        return false;
    }
    match event.kind {
        EventKind::PushEnd => incident.on == EventKind::PushError,
        EventKind::PushBegin => incident.on.is_state(),
        // After an end any report is of a newer push; what else changed its state may go on in the same one.
        _ => match incident.on {
            EventKind::PushEnd => true,
            on => {
                on.is_state()
                    && event.session.is_some()
                    && incident.session.is_some()
                    && event.session != incident.session
            }
        },
    }
}
