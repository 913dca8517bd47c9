//! "I have it": one incident, or all that fire in a message.

use futures_util::future::join_all;

use super::{Desk, Stop, sight};
use crate::command::Caller;
use crate::command::reply::{Refusal, Reply};
use crate::core::Given;
use crate::model::{Incident, IncidentId, Input, State};

/// So many are acknowledged at once.
const TOGETHER: usize = 64;

impl Desk {
    pub(super) async fn acknowledge(&self, caller: &Caller, id: IncidentId) -> Result<Reply, Stop> {
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let read = async || {
            let found = self.lookup.incident(id).await?.map(|(incident, _)| incident);
            found.filter(|incident| sight.incident(incident)).ok_or_else(|| Stop::from(Refusal::NoIncident(id)))
        };
        let incident = read().await?;
        match incident.state {
            State::Resolved => return Err(Refusal::Over(id).into()),
            State::Pending => return Err(Refusal::NotYet(id).into()),
            State::Firing => {}
        }
        if let Some(before) = incident.ack.as_ref().map(|ack| ack.by.clone()) {
            return Ok(Reply::Acknowledged { incident: Box::new(incident), before: Some(before), others: 0 });
        }
        match self.handle.give(Input::Acknowledged { incident: id, by: caller.who.clone() }).await? {
            Given::Kept => Ok(Reply::Late),
            // It may have been over before.
            Given::InForce => match read().await? {
                incident if incident.ack.is_some() => {
                    Ok(Reply::Acknowledged { incident: Box::new(incident), before: None, others: 0 })
                }
                _ => Err(Refusal::Over(id).into()),
            },
        }
    }

    pub(super) async fn acknowledge_all(
        &self,
        caller: &Caller,
        firing: Vec<IncidentId>,
        known: &[Incident],
    ) -> Result<Reply, Stop> {
        let mut done: Option<Reply> = None;
        // Together, so that they are waited for once; all of a message may be many.
        let mut replies = Vec::new();
        for some in firing.chunks(TOGETHER) {
            let some = join_all(some.iter().map(|id| self.acknowledge(caller, *id))).await;
            let is_late = some.iter().any(|reply| matches!(reply, Ok(Reply::Late)));
            replies.extend(some);
            if is_late {
                return Ok(Reply::Late);
            }
        }
        for reply in replies {
            let reply = match reply {
                Ok(reply) => reply,
                // It was over just then; the others may not be.
                Err(Stop::Refused(Refusal::Over(_))) => continue,
                Err(stop) => return Err(stop),
            };
            done = Some(match (done.take(), reply) {
                (None, reply) => reply,
                (Some(Reply::Acknowledged { incident, before: None, others }), Reply::Acknowledged { before, .. }) => {
                    Reply::Acknowledged { incident, before: None, others: others + usize::from(before.is_none()) }
                }
                // Somebody had the first: what is new is worth more words.
                (Some(Reply::Acknowledged { .. }), reply) => reply,
                (Some(reply), _) => reply,
            });
        }
        match (done, known.last()) {
            (Some(reply), _) => Ok(reply),
            (None, Some(last)) => Err(Refusal::Over(last.id).into()),
            (None, None) => Err(Refusal::OldButton.into()),
        }
    }
}
