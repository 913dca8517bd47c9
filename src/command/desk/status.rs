//! How one stream does.

use super::{Desk, LISTED, Stop, sight, standing};
use crate::command::Caller;
use crate::command::caller::may_cover;
use crate::command::find::Found;
use crate::command::reply::{Refusal, Reply, Status};
use crate::model::{Incident, State, StreamName};
use crate::rules::Matchers;
use crate::store::{StoreError, Which};

impl Desk {
    pub(super) async fn status(&self, caller: &Caller, name: &str) -> Result<Reply, Stop> {
        let stream = match self.find(caller, name).await {
            Found::One(stream) => stream,
            Found::Several(candidates) => return Err(Refusal::Ambiguous(candidates).into()),
            Found::None(near) => {
                let remembered = self.remembered(caller, name).await?;
                remembered.ok_or(Refusal::NoStream(near))?
            }
        };
        self.status_of(caller, stream).await
    }

    /// A stream of which nothing was heard within a day, but of which incidents are on record: something may fire yet.
    async fn remembered(&self, caller: &Caller, name: &str) -> Result<Option<StreamName>, StoreError> {
        let wanted = Which { stream: Some(name.to_owned()), most: LISTED, ..Which::default() };
        let sheet = self.lookup.incidents(wanted).await?;
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let mut seen = sheet.items.iter().filter(|incident| sight.incident(incident));
        let first = seen.next().and_then(|incident| incident.key.stream()).cloned();
        // Several of one id are not guessed at.
        Ok(first.filter(|first| seen.all(|incident| incident.key.stream() == Some(first))))
    }

    /// How this stream does.
    pub(super) async fn status_of(&self, caller: &Caller, stream: StreamName) -> Result<Reply, Stop> {
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let is_of = |incident: &Incident| incident.key.stream() == Some(&stream) && sight.incident(incident);
        let mut firing = Vec::new();
        self.each_firing(Some(stream.full().to_owned()), |incident| {
            if is_of(&incident) && firing.len() < LISTED {
                firing.push(incident);
            }
        })
        .await?;
        let wanted = Which {
            states: vec![State::Resolved],
            stream: Some(stream.full().to_owned()),
            most: LISTED,
            ..Which::default()
        };
        let over = self.lookup.incidents(wanted).await?;
        let last = over.items.into_iter().find(is_of);
        let covers = |text: &str| Matchers::parse(text).is_ok_and(|matchers| may_cover(&matchers, &stream));
        let mut mutes = self.mutes().await?;
        mutes.retain(|mute| covers(&mute.matchers));
        let mut mutes = self.visible(caller, mutes).await?;
        mutes.sort_by_key(|mute| mute.id);
        mutes.truncate(LISTED);
        let heard = self.handle.roster().get(&stream);
        Ok(Reply::Status(Box::new(Status {
            heard: heard.map(|heard| heard.last),
            hour: heard.map(|heard| heard.hour(self.clock.steady())).unwrap_or_default(),
            firing,
            last,
            mutes,
            standing: standing(&rules, |matchers| may_cover(matchers, &stream)),
            stream: stream.full().to_owned(),
        })))
    }
}
