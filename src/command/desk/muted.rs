//! What is muted: listed, as far as the caller may see it, and lifted.

use std::collections::HashMap;

use super::{Desk, LISTED, Stop, off_the_loop, sight, standing};
use crate::command::caller::may_cover;
use crate::command::find::{self, Found};
use crate::command::reply::{Refusal, Reply};
use crate::command::{Caller, Lift, Target};
use crate::core::Given;
use crate::model::{Input, Mute, StreamName};
use crate::rules::Matchers;
use crate::store::StoreError;

impl Desk {
    pub(super) async fn unmute(&self, caller: &Caller, lift: Lift) -> Result<Reply, Stop> {
        let wanted = match &lift {
            Lift::Id(_) => Vec::new(),
            Lift::Target(Target::Matchers(matchers)) => vec![matchers.to_string()],
            Lift::Target(Target::Stream(name)) => {
                let found = match self.find(caller, name).await {
                    Found::One(stream) => find::exactly(&stream),
                    Found::Several(candidates) => return Err(Refusal::Ambiguous(candidates).into()),
                    Found::None(_) => None,
                };
                // Perhaps it was muted before anything was heard of it.
                found.into_iter().chain(find::by_name(name)).map(|matchers| matchers.to_string()).collect()
            }
        };
        let mut book = self.book.lock().await;
        book.open(&self.handle, &*self.lookup).await?;
        let is_meant = |mute: &&Mute| match &lift {
            Lift::Id(id) => mute.id == *id,
            Lift::Target(_) => wanted.iter().any(|matchers| **matchers == *mute.matchers),
        };
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let meant: Vec<Mute> = book.in_force(self.clock.wall()).filter(is_meant).cloned().collect();
        let (lifted, others): (Vec<Mute>, Vec<Mute>) = meant.into_iter().partition(|mute| sight.may_lift(mute));
        if lifted.is_empty() {
            drop(book);
            let seen = self.visible(caller, others).await?;
            return Err(match (seen.first(), lift) {
                (Some(other), _) => Refusal::NotFromHere(other.id),
                (_, Lift::Id(id)) => Refusal::NoMute(Some(id)),
                (_, Lift::Target(_)) => Refusal::NoMute(None),
            }
            .into());
        }
        let mut is_late = false;
        for mute in &lifted {
            is_late |= self.handle.give(Input::Unmuted { id: mute.id }).await? == Given::Kept;
            book.take(mute.id);
        }
        Ok(if is_late { Reply::Late } else { Reply::Unmuted(lifted) })
    }

    pub(super) async fn list_mutes(&self, caller: &Caller) -> Result<Reply, Stop> {
        let rules = self.rules.current();
        let mutes = self.mutes().await?;
        let mut mutes = self.visible(caller, mutes).await?;
        mutes.sort_by_key(|mute| (mute.until, mute.id));
        let more = mutes.len().saturating_sub(LISTED);
        mutes.truncate(LISTED);
        let asked = rules.mutes.iter().map(|mute| mute.matchers.clone()).collect();
        let mut seen = self.seen(caller, asked).await?.into_iter();
        let standing = standing(&rules, |_| seen.next().unwrap_or(false));
        Ok(Reply::Mutes { mutes, standing, more })
    }

    /// Those that the caller may see: they can lift them, or see something that is covered.
    pub(super) async fn visible(&self, caller: &Caller, mutes: Vec<Mute>) -> Result<Vec<Mute>, StoreError> {
        let rules = self.rules.current();
        let sight = sight(&rules, caller);
        let (mut visible, others): (Vec<Mute>, Vec<Mute>) = mutes.into_iter().partition(|mute| sight.may_lift(mute));
        // What was set in another channel is that one's own.
        let wide = others.into_iter().filter(|mute| mute.within.is_none());
        let read = wide.filter_map(|mute| Some((Matchers::parse(&mute.matchers).ok()?, mute)));
        let (asked, wide): (Vec<Matchers>, Vec<Mute>) = read.unzip();
        let seen = self.seen(caller, asked).await?;
        visible.extend(wide.into_iter().zip(seen).filter(|(_, is_seen)| *is_seen).map(|(mute, _)| mute));
        Ok(visible)
    }

    /// Which of these matchers cover a stream that the caller can see: all are asked in one walk of the roster, and not on
    /// the loop.
    async fn seen(&self, caller: &Caller, asked: Vec<Matchers>) -> Result<Vec<bool>, StoreError> {
        if asked.is_empty() || caller.place.within().is_none() {
            return Ok(vec![true; asked.len()]);
        }
        let (handle, rules, now) = (self.handle.clone(), self.rules.current(), self.clock.steady());
        let caller = caller.clone();
        let look = move || {
            let (sight, mut asking) = (sight(&rules, &caller), Asking::new(&asked));
            handle.roster().each(now, |stream, _| asking.ask(stream, |stream| sight.stream(stream)));
            asking.seen
        };
        off_the_loop(look).await
    }
}

/// Matchers that no stream is known for yet: thousands may name a stream each, and no stream asks them all.
struct Asking<'m> {
    asked: &'m [Matchers],
    seen: Vec<bool>,
    by_stream: HashMap<&'m str, Vec<usize>>,
    by_more: Vec<usize>,
}

impl<'m> Asking<'m> {
    fn new(asked: &'m [Matchers]) -> Asking<'m> {
        let (mut by_stream, mut by_more): (HashMap<&str, Vec<usize>>, _) = (HashMap::new(), Vec::new());
        for (place, matchers) in asked.iter().enumerate() {
            match matchers.exactly("stream") {
                Some(stream) => by_stream.entry(stream).or_default().push(place),
                None => by_more.push(place),
            }
        }
        Asking { asked, seen: vec![false; asked.len()], by_stream, by_more }
    }

    fn ask(&mut self, stream: &StreamName, sees: impl FnOnce(&StreamName) -> bool) {
        let places = self.by_stream.get(stream.stream()).into_iter().flatten().chain(&self.by_more).copied();
        let covers = |place: &usize| !self.seen[*place] && may_cover(&self.asked[*place], stream);
        let covering: Vec<usize> = places.filter(covers).collect();
        if !covering.is_empty() && sees(stream) {
            covering.into_iter().for_each(|place| self.seen[place] = true);
            let seen = &self.seen;
            self.by_more.retain(|place| !seen[*place]);
        }
    }
}
