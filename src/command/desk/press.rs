//! Buttons: the same commands, about whatever the message is about.

use std::time::Duration;

use super::{Desk, LISTED, Stop, find, rank};
use crate::command::caller::Sight;
use crate::command::reply::{Refusal, Reply};
use crate::command::{Caller, Command, Place, Target};
use crate::model::{Group, GroupId, Incident, Press};
use crate::store::StoreError;

/// How long a button mutes for.
const MUTED: Duration = Duration::from_secs(3600);

impl Desk {
    /// Follows a click, and puts it on record.
    pub async fn press(&self, caller: &Caller, press: Press) -> Reply {
        let caller = super::named(caller);
        let done = self.pressed(&caller, press).await;
        self.answer(&caller, &format!("button {press}"), done).await
    }

    /// Whether a click belongs to where it would be followed: its message was told there, or its question asked.
    ///
    /// # Errors
    /// [`StoreError`] while it can't be read.
    pub async fn knows(&self, caller: &Caller, press: Press) -> Result<bool, StoreError> {
        match press {
            Press::Mute(group) | Press::Ack(group) | Press::Details(group) => {
                Ok(self.message(&caller.place, group).await?.is_some())
            }
            Press::Confirm(id) => Ok(self.asked().waits(&super::named(caller), id, self.clock.steady())),
        }
    }

    async fn pressed(&self, caller: &Caller, press: Press) -> Result<Reply, Stop> {
        match press {
            Press::Confirm(id) => self.obey(caller, Command::Confirm(id)).await,
            Press::Mute(group) => {
                let incidents = self.told(caller, group).await?;
                let matchers = find::about(&incidents).ok_or(Refusal::TooLong)?;
                self.mute(caller, Target::Matchers(matchers), MUTED, String::new()).await
            }
            Press::Ack(group) => {
                let incidents = self.told(caller, group).await?;
                let firing = incidents.iter().filter(|incident| incident.is_firing()).map(|incident| incident.id);
                self.acknowledge_all(caller, firing.collect(), &incidents).await
            }
            Press::Details(group) => {
                let mut incidents = self.told(caller, group).await?;
                let stream = incidents.first().and_then(|incident| incident.key.stream()).cloned();
                match stream {
                    Some(stream) if incidents.iter().all(|incident| incident.key.stream() == Some(&stream)) => {
                        self.status_of(caller, stream).await
                    }
                    _ => {
                        incidents.sort_by_key(|incident| (!incident.is_firing(), rank(incident)));
                        let more = incidents.len().saturating_sub(LISTED);
                        incidents.truncate(LISTED);
                        Ok(Reply::Incidents { items: incidents, more })
                    }
                }
            }
        }
    }

    /// The incidents of a message, as far as they are told where the click comes from.
    async fn told(&self, caller: &Caller, group: GroupId) -> Result<Vec<Incident>, Stop> {
        match self.message(&caller.place, group).await? {
            Some((_, incidents)) => Ok(incidents),
            None => Err(Refusal::OldButton.into()),
        }
    }

    /// A message's group and incidents, as far as they are told in a place; `None` where nothing is.
    ///
    /// # Errors
    /// [`StoreError`] while it can't be read.
    pub async fn message(&self, place: &Place, group: GroupId) -> Result<Option<(Group, Vec<Incident>)>, StoreError> {
        let Some((group, mut incidents)) = self.reader.group(group).await? else { return Ok(None) };
        let rules = self.rules.current();
        let sight = Sight { rules: &rules, channel: place.within() };
        incidents.retain(|incident| sight.incident(incident));
        Ok((!incidents.is_empty()).then_some((group, incidents)))
    }
}
