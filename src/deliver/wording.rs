//! Finds the words for a call: in the channel's language and markup, and as facts for machines.

use super::call::{Act, Call, Words};
use super::flight::Flight;
use crate::model::{Channel, ChannelKind, Target, WecomDoor};
use crate::render::{self, DigestView, NoticeView, Renderer, View};

/// What a call is to tell, as it is now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A group's incidents.
    Group(View<'a>),
    /// The members of a digest.
    Digest(DigestView<'a>),
    /// pushwatch itself.
    Notice(NoticeView<'a>),
}

impl Subject<'_> {
    fn channel(&self) -> &Channel {
        match self {
            Subject::Group(view) => view.channel,
            Subject::Digest(view) => view.channel,
            Subject::Notice(view) => view.channel,
        }
    }
}

/// Finds the words of a call that was begun; `moved` is the chat's new id, if it has one.
pub(crate) fn word(
    mut flight: Flight,
    subject: &Subject<'_>,
    renderer: &Renderer,
    moved: Option<i64>,
) -> (Flight, Call) {
    let rendered = match (subject, &flight.act) {
        (Subject::Notice(view), _) => renderer.notice(view),
        (Subject::Digest(view), Act::Note { .. }) => renderer.digest_note(view),
        (Subject::Digest(view), Act::Post | Act::Edit(_)) => renderer.digest(view),
        (Subject::Group(view), Act::Note { .. }) => renderer.note(view),
        (Subject::Group(view), Act::Post | Act::Edit(_)) => renderer.incident(view),
    };
    let channel = subject.channel();
    let facts = match (channel.kind(), subject) {
        (ChannelKind::Webhook, Subject::Group(view)) => render::facts(view),
        (ChannelKind::Webhook, Subject::Digest(view)) => render::digest_facts(view),
        (ChannelKind::Webhook, Subject::Notice(view)) => render::notice_facts(view),
        (ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram | ChannelKind::Console, _) => {
            serde_json::Value::Null
        }
    };
    if let Some(error) = &rendered.template_error {
        let (group, delivery) = (flight.topic.group().map(|group| group.0), flight.carrier.0);
        tracing::warn!(channel = %channel.name, group, delivery, %error, "template failed, built-in text sent");
    }
    flight.template_error = rendered.template_error;
    let card = match (subject, &flight.act) {
        (Subject::Group(view), Act::Post) if has_cards(channel) => Some(Box::new(render::card(view))),
        _ => None,
    };
    let call = Call {
        act: flight.act.clone(),
        words: if flight.plain { Words::Plain(rendered.plain) } else { Words::Rich(rendered.text) },
        summary: rendered.summary,
        sign: rendered.sign,
        facts,
        reason: flight.reason,
        delivery: flight.carrier,
        moved,
        buttons: match (subject, &flight.act) {
            (Subject::Group(view), Act::Post | Act::Edit(_)) => render::buttons(view),
            (Subject::Group(_), Act::Note { .. }) | (Subject::Digest(_) | Subject::Notice { .. }, _) => Vec::new(),
        },
        card: card.filter(|card| !card.buttons.is_empty()),
    };
    (flight, call)
}

/// Whether a channel's buttons are on cards.
fn has_cards(channel: &Channel) -> bool {
    matches!(&channel.target, Target::Wecom { door: WecomDoor::App(_), .. })
}
