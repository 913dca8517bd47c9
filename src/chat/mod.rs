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
pub use telegram::{Delivery, Telegram};

mod wecom;
pub use wecom::{Courier, Wecom};

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::command::{self, Caller, Care, Desk, News, Place, Refusal, Reply, Voice};
use crate::core::Rulebook;
use crate::metrics::Metrics;
use crate::model::{Button, Channel, ChannelKind, ChatOutcome, Press, Verdict};
use crate::render;
use flood::{Flood, Pace};

/// How long answers that are under way are waited for at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Everything that the doors need.
pub struct Chat {
    desk: Arc<Desk>,
    rules: Arc<Rulebook>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    /// For answers that are sent by a call of our own.
    http: reqwest::Client,
    flood: Flood,
    slack: slack::Seen,
    telegram: Telegram,
    wecom: Wecom,
    /// What is still to be done for calls that have their answer.
    later: TaskTracker,
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
    /// A command that was typed too long ago to be followed.
    Late {
        /// As it was typed.
        line: &'a str,
        /// How long ago.
        age: Duration,
    },
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
    /// Whom it concerns.
    pub(crate) audience: Audience,
}

/// Whom an answer concerns, where a chat can tell the author alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever asked.
    Author,
    /// All in the chat: something is different for them now.
    Everybody,
}

impl Chat {
    /// The doors to this desk.
    #[must_use]
    pub fn new(
        desk: Arc<Desk>,
        rules: Arc<Rulebook>,
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
        http: reqwest::Client,
        telegram: Telegram,
        wecom: Wecom,
    ) -> Chat {
        let slack = slack::Seen::new(clock.steady());
        Chat {
            desk,
            rules,
            clock,
            metrics,
            http,
            flood: Flood::new(),
            slack,
            telegram,
            wecom,
            later: TaskTracker::new(),
        }
    }

    /// Asks those chats that are to be asked for what people type and click, until `stop`.
    pub async fn listen(self: Arc<Self>, stop: CancellationToken) {
        telegram::listen(self, stop).await;
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
        let caller = caller(channel, author);
        let typed = match asked {
            Asked::Line(line) | Asked::Late { line, .. } => line.to_owned(),
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
            (Pace::Go, true, Asked::Late { age, .. }) => self.desk.refuse(&caller, Refusal::Stale(age), &typed).await,
            (Pace::Go, true, Asked::Press(press)) => self.desk.press(&caller, press).await,
        };
        self.count(channel.kind(), outcome(&reply));
        let voice = Voice { language: channel.language, zone: channel.timezone.clone(), prefix };
        let buttons = match &reply {
            Reply::Asked { id, .. } => vec![render::confirm(*id, channel.language)],
            _ => Vec::new(),
        };
        let text = command::text(&reply, &voice, self.clock.wall());
        Some(Answer { text, buttons, verdict: reply.verdict(), audience: audience(&reply) })
    }

    /// Those of the channels of one chat in which a click belongs; all of them, where it belongs in none.
    pub(crate) async fn meant(&self, channels: Vec<Arc<Channel>>, author: &Author, press: Press) -> Vec<Arc<Channel>> {
        let mut meant = Vec::new();
        for channel in channels.iter().filter(|_| channels.len() > 1) {
            // While that can't be read, following it says so.
            if self.desk.knows(&caller(channel, author), press).await.unwrap_or(false) {
                meant.push(Arc::clone(channel));
            }
        }
        if meant.is_empty() { channels } else { meant }
    }

    /// Waits for the answers that are under way, once no more calls come in; not for long.
    pub async fn finish(&self) {
        self.telegram.stop_waiting();
        self.later.close();
        if tokio::time::timeout(LAST_ANSWERS, self.later.wait()).await.is_err() {
            tracing::warn!(left = self.later.len(), "some answers to commands did not go out in time");
        }
    }

    /// Counts what became of a call at a chat's door.
    pub(crate) fn count(&self, kind: ChannelKind, outcome: ChatOutcome) {
        self.metrics.chat(kind, outcome);
    }
}

/// Somebody in a channel's chat.
fn caller(channel: &Channel, author: &Author) -> Caller {
    Caller {
        who: author.name.clone(),
        id: author.id.clone(),
        place: Place::Channel(channel.name.clone()),
        care: Care::AskBack,
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

fn audience(reply: &Reply) -> Audience {
    match reply {
        Reply::Muted { news: News::Set | News::Longer, .. }
        | Reply::Unmuted(_)
        | Reply::Acknowledged { before: None, .. } => Audience::Everybody,
        Reply::Muted { news: News::Nothing, .. }
        | Reply::Acknowledged { before: Some(_), .. }
        | Reply::Asked { .. }
        | Reply::Mutes { .. }
        | Reply::Incidents { .. }
        | Reply::Status(_)
        | Reply::Rules(_)
        | Reply::Help(_)
        | Reply::Refused(_)
        | Reply::Late
        | Reply::Failed(_) => Audience::Author,
    }
}

#[cfg(test)]
mod tests;
