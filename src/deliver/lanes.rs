//! Which budgets a channel's calls draw on: the platforms' published limits, and where they are held. Pure.

use std::time::Duration;

use md5::{Digest, Md5};
use secrecy::ExposeSecret;

use super::budget::{Cap, Lane, Pace};
use super::call::Act;
use crate::model::{Channel, SlackDoor, Target, WecomDoor};

const MINUTE: Duration = Duration::from_secs(60);

/// Held below 20 a minute (WeCom robot; Telegram group, edits included): we count calls when they begin and the chat
/// when they arrive, so one that is slow on its way may fall into the next one's minute.
const PER_MINUTE: Cap = Cap { calls: 17, within: MINUTE };

/// Nobody waits for an edit, and somebody does for news: edits may use two thirds of what is counted.
const EDITS_PER_MINUTE: Cap = Cap { calls: 11, within: MINUTE };

/// A few at once, then spread over the minute, so that the next trouble does not wait for a whole window.
const SPREAD: Pace = Pace { burst: 6, every: Duration::from_millis(3_334) };

/// A WeCom app may write to a member 30 times a minute and 1,000 times an hour; what is more is dropped without a word.
/// Sixteen a minute are at most 976 in any hour.
const APP_PER_MINUTE: Cap = Cap { calls: 16, within: MINUTE };

/// Slack takes one message a second per channel and forgives short bursts.
const SLACK: Pace = Pace { burst: 3, every: Duration::from_millis(1_100) };

/// Slack takes 50 edits a minute from an app in a workspace (tier 3).
const SLACK_EDITS: Cap = Cap { calls: 45, within: MINUTE };

/// Telegram takes one message a second per chat.
const TELEGRAM: Pace = Pace { burst: 1, every: Duration::from_millis(1_050) };

/// The budgets of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lanes {
    /// Of the credential and the target, for every call.
    pub(crate) target: Lane,
    /// Of the credential and the method, for edits.
    pub(crate) edits: Option<Lane>,
}

impl Lanes {
    /// The budgets of a channel.
    pub(crate) fn of(channel: &Channel) -> Lanes {
        let lane = |credential: &str, target: &str, pace: Option<Pace>, cap: Option<Cap>| Lane {
            key: key(channel.kind().as_str(), credential, target),
            pace,
            cap,
        };
        match &channel.target {
            Target::Slack { door: SlackDoor::Bot { token, channel }, .. } => Lanes {
                target: lane(token.expose_secret(), channel, Some(SLACK), None),
                edits: Some(lane(token.expose_secret(), "chat.update", None, Some(SLACK_EDITS))),
            },
            Target::Slack { door: SlackDoor::Webhook { url }, .. } => {
                Lanes { target: lane(url.expose_secret(), "", Some(SLACK), None), edits: None }
            }
            Target::Wecom { door: WecomDoor::Robot { key }, .. } => {
                Lanes { target: lane(key.expose_secret(), "", Some(SPREAD), Some(PER_MINUTE)), edits: None }
            }
            Target::Wecom { door: WecomDoor::App(app), .. } => {
                // Of the app, whoever it writes to: who is in a department, and so in two channels, only WeCom knows.
                let agent = app.agent_id.to_string();
                Lanes { target: lane(&app.corp_id, &agent, Some(SPREAD), Some(APP_PER_MINUTE)), edits: None }
            }
            Target::Telegram { token, chat_id, .. } => {
                // Groups and channels have negative ids.
                let cap = (*chat_id < 0).then_some(PER_MINUTE);
                let target = lane(token.expose_secret(), &chat_id.to_string(), Some(TELEGRAM), cap);
                let method = format!("{chat_id} editMessageText");
                let edits = cap.map(|_| lane(token.expose_secret(), &method, None, Some(EDITS_PER_MINUTE)));
                Lanes { target, edits }
            }
            Target::Webhook { url, .. } => Lanes { target: lane(url.expose_secret(), "", None, None), edits: None },
            Target::Console => Lanes { target: lane(channel.name.as_str(), "", None, None), edits: None },
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.target).chain(&self.edits)
    }

    /// Those that a call draws on.
    pub(crate) fn of_call(&self, act: &Act) -> Vec<&Lane> {
        match act {
            Act::Edit(_) => self.all().collect(),
            Act::Post | Act::Note { .. } => vec![&self.target],
        }
    }
}

/// A name that two channels of one robot share and that gives no secret away: 48 bits of a hash of a long secret.
fn key(kind: &str, credential: &str, target: &str) -> String {
    let mut hash = Md5::new();
    hash.update(credential.as_bytes());
    hash.update([0]);
    hash.update(target.as_bytes());
    format!("{kind}-{}", hex::encode(&hash.finalize()[..6]))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{channel, slack, telegram, wecom, wecom_app};
    use super::*;

    #[test]
    fn channels_of_one_robot_share_a_budget_and_others_do_not() {
        let (one, other) = (wecom("http://a", "key-1"), wecom("http://b", "key-1"));
        assert_eq!(Lanes::of(&one), Lanes::of(&other));
        assert_ne!(Lanes::of(&one), Lanes::of(&wecom("http://a", "key-2")));
        assert_ne!(Lanes::of(&telegram("", -100)).target.key, Lanes::of(&telegram("", -200)).target.key);
    }

    #[test]
    fn edits_of_one_slack_token_share_a_budget_over_its_channels() {
        let (one, other) = (Lanes::of(&slack("", "C1")), Lanes::of(&slack("", "C2")));
        assert_ne!(one.target, other.target);
        assert_eq!(one.edits, other.edits);
    }

    #[test]
    fn limits_are_held_below_the_published_ones() {
        assert_eq!(Lanes::of(&wecom("", "k")).target.cap, Some(Cap { calls: 17, within: MINUTE }));
        assert_eq!(Lanes::of(&telegram("", -100)).target.cap, Some(Cap { calls: 17, within: MINUTE }));
        assert_eq!(Lanes::of(&telegram("", 7)).target.cap, None);
        assert_eq!(Lanes::of(&telegram("", 7)).edits, None);
        let edits = Lanes::of(&telegram("", -100)).edits.unwrap();
        assert!(edits.cap.unwrap().calls * 3 <= PER_MINUTE.calls * 2);
        assert_ne!(edits.key, Lanes::of(&telegram("", -100)).target.key);
        assert!(!Lanes::of(&channel("hook", Target::Console)).target.is_limited());
    }

    #[test]
    fn a_wecom_app_has_one_budget_whoever_it_writes_to_and_is_held_below_what_is_dropped_in_silence() {
        let app = Lanes::of(&wecom_app("http://a"));
        assert_eq!(app, Lanes::of(&wecom_app("http://b")));
        let Cap { calls, within } = app.target.cap.unwrap();
        assert!(within == MINUTE && calls < 30 && calls * 61 < 1_000, "{calls} a minute");
        assert_ne!(app.target.key, Lanes::of(&wecom("", "k")).target.key);
    }

    #[test]
    fn a_budgets_name_holds_no_secret() {
        let lanes = Lanes::of(&wecom("", "super-secret"));
        assert!(!format!("{lanes:?}").contains("secret"));
        assert_eq!(lanes.target.key.len(), "wecom-".len() + 12);
    }
}
