//! What was asked back and waits for a word: wide mutes, for five minutes. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Caller, Place};
use crate::model::Timestamp;
use crate::rules::Matchers;

/// Nobody remembers for longer what was asked.
pub(super) const EXPIRES: Duration = Duration::from_secs(300);

/// Questions kept at most; the oldest go.
const MOST: usize = 256;

/// A mute that waits for a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    pub(super) matchers: Matchers,
    pub(super) length: Duration,
    pub(super) reason: String,
}

/// Questions by their number.
#[derive(Debug, Default)]
pub(super) struct Asked {
    last: u64,
    waiting: VecDeque<Question>,
}

#[derive(Debug)]
struct Question {
    id: u64,
    who: Box<str>,
    /// Names can be taken, this can't.
    author: Box<str>,
    place: Place,
    until: Timestamp,
    wide: Wide,
}

impl Asked {
    /// Keeps a question; the same of the same person keeps its number. `now` is steady time.
    pub(super) fn ask(&mut self, caller: &Caller, wide: Wide, now: Timestamp) -> u64 {
        self.waiting.retain(|question| question.until > now);
        let until = now + EXPIRES;
        let mut known = self.waiting.iter_mut();
        if let Some(question) = known.find(|question| question.is_of(caller) && question.wide == wide) {
            question.until = until;
            return question.id;
        }
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.last += 1;
        let (id, who, author, place) = (self.last, caller.who.clone(), caller.id.clone(), caller.place.clone());
        self.waiting.push_back(Question { id, who, author, place, until, wide });
        id
    }

    /// Whether somebody was asked this, in the same place.
    pub(super) fn waits(&self, caller: &Caller, id: u64, now: Timestamp) -> bool {
        self.waiting.iter().any(|question| question.id == id && question.until > now && question.is_of(caller))
    }

    /// Takes the answer "yes" of whoever was asked, in the same place.
    pub(super) fn take(&mut self, caller: &Caller, id: u64, now: Timestamp) -> Option<Wide> {
        self.waiting.retain(|question| question.until > now);
        let at = self.waiting.iter().position(|question| question.id == id && question.is_of(caller))?;
        self.waiting.remove(at).map(|question| question.wide)
    }
}

impl Question {
    fn is_by(&self, caller: &Caller) -> bool {
        // At the operators' door there is only the name.
        self.author == caller.id && (!caller.id.is_empty() || self.who == caller.who)
    }

    fn is_of(&self, caller: &Caller) -> bool {
        self.is_by(caller) && self.place == caller.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Care;
    use crate::model::ChannelName;

    fn caller(who: &str, channel: &str) -> Caller {
        Caller {
            who: who.into(),
            id: who.into(),
            place: Place::Channel(ChannelName::new(channel)),
            care: Care::AskBack,
        }
    }

    fn wide(secs: u64) -> Wide {
        let matchers = Matchers::parse("rule!=\"\"").unwrap();
        Wide { matchers, length: Duration::from_secs(secs), reason: String::new() }
    }

    #[test]
    fn only_who_was_asked_answers_once_in_the_same_place_and_in_time() {
        let mut asked = Asked::default();
        let at = |secs: i64| Timestamp(secs * 1000);
        let ann = caller("ann", "ops");
        let id = asked.ask(&ann, wide(60), at(0));
        assert_eq!(asked.ask(&ann, wide(60), at(10)), id, "a double click asks once");
        assert_ne!(asked.ask(&ann, wide(61), at(10)), id);
        assert_eq!(asked.take(&caller("bob", "ops"), id, at(20)), None);
        assert_eq!(asked.take(&caller("ann", "acme"), id, at(20)), None);
        assert_eq!(asked.take(&ann, id + 9, at(20)), None);
        assert_eq!(asked.take(&Caller { who: "ann".into(), ..caller("bob", "ops") }, id, at(20)), None);
        assert_eq!(asked.take(&Caller { who: "Ann".into(), ..caller("ann", "ops") }, id, at(309)), Some(wide(60)));
        assert_eq!(asked.take(&ann, id, at(309)), None);
        let late = asked.ask(&ann, wide(60), at(400));
        assert_eq!(asked.take(&ann, late, at(700)), None);
    }

    #[test]
    fn questions_are_bounded() {
        let mut asked = Asked::default();
        for n in 0..2000 {
            asked.ask(&caller(&n.to_string(), "ops"), wide(60), Timestamp(0));
        }
        assert_eq!(asked.waiting.len(), MOST);
    }
}
