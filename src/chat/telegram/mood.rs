//! What is said in the log about a bot that can't be asked, and when it is asked again. Pure.

use std::time::Duration;

use super::api::Trouble;
use crate::model::Timestamp;

/// Pause after one failure, doubled with each more.
const FIRST: Duration = Duration::from_secs(1);

/// Longest such pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Pause where somebody else asks for the same bot: each of us ends the other's question.
const CONTESTED: Duration = Duration::from_secs(30);

/// Pause where the token is wrong, or Telegram does not take what it is asked: only a person can mend that.
const HOPELESS: Duration = Duration::from_secs(900);

/// What goes on is said again after so long.
const REMIND: Duration = Duration::from_secs(3600);

/// Nothing is called well before it has been well for so long: two that ask for one bot take turns.
const CALM: Duration = Duration::from_secs(120);

/// How it goes with asking for a bot's updates.
#[derive(Debug, Default)]
pub(super) struct Mood {
    /// What was said last, when, and since when all is well again.
    said: Option<(Kind, Timestamp)>,
    well_since: Option<Timestamp>,
    streak: u32,
}

/// Kinds of trouble that a reader would mend in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody else asks too.
    Contested,
    /// Telegram was told to bring the updates elsewhere.
    Webhook,
    /// The token is wrong.
    Token,
    /// What it is asked is wrong.
    Refused,
    /// Too many calls.
    Limited,
    /// Anything else: network, Telegram itself.
    Other,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Commands are not heard, why, and what to do.
    Deaf(Kind),
    /// They are heard again.
    Well,
}

impl Kind {
    /// Of which kind a trouble is.
    pub(super) fn of(trouble: &Trouble) -> Kind {
        match trouble {
            Trouble::Limited { .. } => Kind::Limited,
            Trouble::Refused { code: 409, why, .. } if why.to_ascii_lowercase().contains("webhook") => Kind::Webhook,
            Trouble::Refused { code: 409, .. } => Kind::Contested,
            Trouble::Refused { code: 401 | 403 | 404, .. } => Kind::Token,
            Trouble::Refused { .. } => Kind::Refused,
            Trouble::Unreachable(_) | Trouble::Unknown(_) => Kind::Other,
        }
    }

    /// What to do about it.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Kind::Contested => {
                "another program asks for this bot's updates too, and Telegram gives each to one of us alone: stop the \
                 other one (perhaps a second pushwatch), or give pushwatch a bot of its own"
            }
            Kind::Webhook => {
                "a webhook is set for this bot, so Telegram gives updates to nobody who asks: if nothing else uses it, call \
                 deleteWebhook once; or give the channel a `webhook_secret`"
            }
            Kind::Token => "Telegram does not know this token: copy it anew from BotFather into rules.yaml's secrets",
            Kind::Refused => "Telegram does not take what rules.yaml says of this bot: mend what it names",
            Kind::Limited => "Telegram wants us to wait",
            Kind::Other => "trying again",
        }
    }
}

impl Mood {
    /// A question was answered: what to say, if anything.
    pub(super) fn well(&mut self, now: Timestamp) -> Option<Line> {
        self.streak = 0;
        let since = *self.well_since.get_or_insert(now);
        if self.said.is_none() || now.since(since) < CALM {
            return None;
        }
        self.said = None;
        Some(Line::Well)
    }

    /// A question came to nothing: what to say, if anything, and how long to wait; `dice` in `0.0..1.0`.
    pub(super) fn trouble(&mut self, trouble: &Trouble, now: Timestamp, dice: f64) -> (Option<Line>, Duration) {
        self.well_since = None;
        self.streak = self.streak.saturating_add(1);
        let kind = Kind::of(trouble);
        let spread = 0.5 + dice.clamp(0.0, 1.0) / 2.0;
        let pause = match (kind, trouble) {
            (_, Trouble::Limited { after }) => *after,
            (Kind::Token | Kind::Refused, _) => HOPELESS.mul_f64(spread),
            (Kind::Contested | Kind::Webhook, _) => CONTESTED.mul_f64(spread),
            _ => FIRST.saturating_mul(1 << (self.streak - 1).min(16)).min(LONGEST).mul_f64(spread),
        };
        // A single hiccup of the network is nothing to read about.
        let is_hiccup = kind == Kind::Other && self.streak < 3;
        let is_known = self.said.is_some_and(|(said, at)| said == kind && now.since(at) < REMIND);
        if is_hiccup || is_known {
            return (None, pause);
        }
        self.said = Some((kind, now));
        (Some(Line::Deaf(kind)), pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);

    fn refused(code: u16, why: &str) -> Trouble {
        Trouble::Refused { code, why: why.into(), moved: None }
    }

    #[test]
    fn who_takes_the_updates_away_is_told_apart() {
        let other = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        let hook = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook";
        assert_eq!(Kind::of(&refused(409, other)), Kind::Contested);
        assert_eq!(Kind::of(&refused(409, hook)), Kind::Webhook);
        assert_eq!(Kind::of(&refused(401, "Unauthorized")), Kind::Token);
        assert_eq!(Kind::of(&refused(404, "Not Found")), Kind::Token);
        assert_eq!(Kind::of(&refused(400, "Bad Request: bad webhook: HTTPS url must be provided")), Kind::Refused);
    }

    #[test]
    fn what_goes_on_is_said_once_and_again_after_an_hour() {
        let mut mood = Mood::default();
        let conflict = refused(409, "Conflict: terminated by other getUpdates request");
        assert_eq!(mood.trouble(&conflict, START, 0.5).0, Some(Line::Deaf(Kind::Contested)));
        for minute in 1..60 {
            let now = START + Duration::from_secs(60 * minute);
            // The other one's turn, then ours.
            assert_eq!(mood.well(now), None);
            assert_eq!(mood.trouble(&conflict, now, 0.5).0, None);
        }
        let now = START + Duration::from_secs(3600);
        assert_eq!(mood.trouble(&conflict, now, 0.5).0, Some(Line::Deaf(Kind::Contested)));
        assert_eq!(mood.well(now), None);
        assert_eq!(mood.well(now + CALM), Some(Line::Well));
        assert_eq!(mood.well(now + CALM * 2), None);
    }

    #[test]
    fn a_hiccup_is_not_worth_a_word_and_pauses_grow_to_a_minute() {
        let (mut mood, lost) = (Mood::default(), Trouble::Unreachable("x".into()));
        let said: Vec<(bool, u64)> = (0..9)
            .map(|_| {
                let (line, pause) = mood.trouble(&lost, START, 1.0);
                (line.is_some(), pause.as_secs())
            })
            .collect();
        let (lines, pauses): (Vec<bool>, Vec<u64>) = said.into_iter().unzip();
        assert_eq!(lines, [false, false, true, false, false, false, false, false, false]);
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(mood.well(START), None);
        assert_eq!(mood.trouble(&lost, START, 0.0).1, Duration::from_millis(500));
    }

    #[test]
    fn a_wrong_token_is_tried_rarely_and_a_limit_is_obeyed_in_full() {
        let mut mood = Mood::default();
        let (line, pause) = mood.trouble(&refused(401, "Unauthorized"), START, 0.0);
        assert_eq!((line, pause), (Some(Line::Deaf(Kind::Token)), HOPELESS / 2));
        let limited = Trouble::Limited { after: Duration::from_secs(700) };
        assert_eq!(mood.trouble(&limited, START, 0.0).1, Duration::from_secs(700));
    }
}
