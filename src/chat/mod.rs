//! The chats' doors: what people type and click in Slack, Telegram and WeCom, once it is known to come from there.
//!
//! Each platform has its folder: it checks who calls, reads what came into an `Author` and an `Asked`, and puts the
//! `Answer` back where the question came from. What is common is here: who may, how often, and that everything that is
//! followed or refused is on record.

mod door;
pub use door::endpoint;

mod flood;

mod slack;
mod telegram;
mod wecom;

use std::sync::Arc;

use crate::clock::Clock;
use crate::command::{self, Caller, Care, Desk, Place, Refusal, Reply, Voice};
use crate::core::Rulebook;
use crate::metrics::Metrics;
use crate::model::{Button, Channel, ChannelKind, ChatOutcome, Press, Verdict};
use crate::render;
use flood::{Flood, Pace};

/// Everything that the doors need.
pub struct Chat {
    desk: Arc<Desk>,
    rules: Arc<Rulebook>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    /// For answers that are sent by a call of our own.
    http: reqwest::Client,
    flood: Flood,
}

/// Who wrote or clicked. The platform says so, and was checked to be the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    /// As `allow` names them.
    pub(crate) id: Box<str>,
    /// As they call themselves: hostile text.
    pub(crate) name: Box<str>,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// A command as it was typed, without what the platform puts before it.
    Line(&'a str),
    /// A click.
    Press(Press),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Plain lines. Names in them are cleaned and cut, but not escaped for any platform.
    pub(crate) text: String,
    /// What can be clicked below it.
    pub(crate) buttons: Vec<Button>,
    /// How it went.
    pub(crate) verdict: Verdict,
}

impl Chat {
    /// The doors to this desk.
    #[must_use]
    pub fn new(
        desk: Arc<Desk>,
        rules: Arc<Rulebook>,
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
        http: reqwest::Client,
    ) -> Chat {
        Chat { desk, rules, clock, metrics, http, flood: Flood::new() }
    }

    /// What is answered in a channel; `None` is silence. `prefix` is what stands before commands there.
    ///
    /// Only for authors whom the platform vouches for, in a channel's own chat: everybody else is to hear nothing at all.
    pub(crate) async fn hear(
        &self,
        channel: &Channel,
        author: &Author,
        asked: Asked<'_>,
        prefix: &'static str,
    ) -> Option<Answer> {
        let caller = Caller {
            who: author.name.clone(),
            id: author.id.clone(),
            place: Place::Channel(channel.name.clone()),
            care: Care::AskBack,
        };
        let typed = match asked {
            Asked::Line(line) => line.to_owned(),
            Asked::Press(press) => format!("button {press}"),
        };
        let may = channel.allow.holds(&author.id);
        let now = self.clock.steady();
        let pace = match may {
            true => self.flood.command(&channel.name, &author.id, now),
            false => self.flood.stranger(&channel.name, now),
        };
        let reply = match (pace, may, asked) {
            (Pace::Silent, ..) => {
                self.count(channel.kind(), ChatOutcome::Flooded);
                return None;
            }
            (Pace::Warn, true, _) => self.desk.refuse(&caller, Refusal::TooFast, &typed).await,
            (_, false, _) => self.desk.refuse(&caller, Refusal::NotAllowed(author.id.clone()), &typed).await,
            (Pace::Go, true, Asked::Line(line)) => self.desk.follow(&caller, line).await,
            (Pace::Go, true, Asked::Press(press)) => self.desk.press(&caller, press).await,
        };
        self.count(channel.kind(), outcome(&reply));
        let voice = Voice { language: channel.language, zone: channel.timezone.clone(), prefix };
        let buttons = match &reply {
            Reply::Asked { id, .. } => vec![render::confirm(*id, channel.language)],
            _ => Vec::new(),
        };
        Some(Answer { text: command::text(&reply, &voice, self.clock.wall()), buttons, verdict: reply.verdict() })
    }

    /// Counts what became of a call at a chat's door.
    pub(crate) fn count(&self, kind: ChannelKind, outcome: ChatOutcome) {
        self.metrics.chat(kind, outcome);
    }
}

fn outcome(reply: &Reply) -> ChatOutcome {
    match (reply, reply.verdict()) {
        (Reply::Refused(Refusal::NotAllowed(_)), _) => ChatOutcome::Forbidden,
        (Reply::Refused(Refusal::TooFast), _) => ChatOutcome::Flooded,
        (_, Verdict::Done) => ChatOutcome::Done,
        (_, Verdict::Asked) => ChatOutcome::Asked,
        (_, Verdict::Refused) => ChatOutcome::Refused,
        (_, Verdict::Failed) => ChatOutcome::Failed,
    }
}

#[cfg(test)]
mod tests;
