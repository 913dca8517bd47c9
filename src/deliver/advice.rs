//! What to do about a chat's answer, in words for whoever runs pushwatch. Pure.

use super::verdict::Verdict;
use crate::model::ChannelKind;

/// The kind of answer, and what to do about it; `plain` if the message was sent without markup.
pub(crate) fn on(kind: ChannelKind, verdict: &Verdict, plain: bool) -> (&'static str, String) {
    match verdict {
        Verdict::Sent { .. } | Verdict::NotModified if plain => {
            ("sent_plain", "It refused the markup and took the plain text: run `pushwatch check`, and look at your \
              own template `notice` if you have one.".to_owned())
        }
        Verdict::Sent { .. } | Verdict::NotModified => ("sent", sent(kind).to_owned()),
        Verdict::RateLimited { after } => (
            "rate_limited",
            format!("Nothing is wrong with the channel; too much was sent to it. Try again in {} s.", after.as_secs()),
        ),
        Verdict::Retry { .. } => (
            "retry",
            "The way there, or the chat itself, is in trouble. Look at the network, DNS and proxy of this machine, at \
             `api_url` if you set one, and at the platform's status page; then try again."
                .to_owned(),
        ),
        Verdict::Unknown { .. } => (
            "unknown",
            "The message went out and no clear answer came back: look in the chat whether it is there. If it often \
             is so, look at the proxy or firewall between."
                .to_owned(),
        ),
        Verdict::Unrecognised { .. } => (
            "unrecognised",
            "pushwatch does not know this answer. Look it up in the platform's own list of errors; alerts are tried \
             again in plain text."
                .to_owned(),
        ),
        Verdict::PermanentMessage { .. } => (
            "message_refused",
            "The chat is there and refuses this text, even without markup: run `pushwatch check`, and look at your own \
             template `notice` if you have one."
                .to_owned(),
        ),
        Verdict::PermanentTarget { .. } => ("channel_refused", refused(kind).to_owned()),
        Verdict::Migrated { chat_id } => {
            ("migrated", format!("The chat has a new id: put `chat_id: {chat_id}` into rules.yaml and reload."))
        }
        Verdict::Gone { .. } => ("gone", "The chat speaks of a message that is not there: try again.".to_owned()),
    }
}

fn sent(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Console => "It stands on the server's standard output. Nothing to do.",
        ChannelKind::Webhook => "The endpoint took it. Nothing to do.",
        ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram => "It stands in the chat. Nothing to do.",
    }
}

/// The usual causes, the most likely first.
fn refused(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Slack => {
            "Invite the bot to the channel (`/invite @NAME`), see that `channel` is the channel's id, that the token \
             begins with xoxb- and has the scope chat:write; a webhook's address is made anew in the app's settings. \
             Then reload the rules and test again."
        }
        ChannelKind::Wecom => {
            "See that the robot is still in the group and that `key` is what follows `key=` in its webhook address; \
             for an app see its `secret`, `agent_id`, its members, and that this machine's address is among its \
             trusted ones. Then reload the rules and test again."
        }
        ChannelKind::Telegram => {
            "See that the bot is in the group and may write there, that `chat_id` is right (groups have negative ids), \
             that `thread_id` is a topic of it, and that the token is @BotFather's latest. Then reload the rules and \
             test again."
        }
        ChannelKind::Webhook => {
            "See that `url` is the endpoint's own address (redirects are not followed) and that `headers` carry what \
             it wants for admission. Then reload the rules and test again."
        }
        ChannelKind::Console => "See where the server's standard output goes.",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::orders::Tested;
    use super::*;

    #[test]
    fn every_class_of_answer_has_its_word_and_its_advice() {
        let why = || "Slack says x".to_owned();
        let verdicts = [
            Verdict::sent(),
            Verdict::RateLimited { after: Duration::from_secs(30) },
            Verdict::Retry { why: why() },
            Verdict::Unknown { why: why() },
            Verdict::Unrecognised { why: why() },
            Verdict::PermanentMessage { why: why() },
            Verdict::PermanentTarget { why: why() },
            Verdict::Migrated { chat_id: -1003 },
            Verdict::Gone { why: why() },
        ];
        for kind in ChannelKind::ALL {
            let tested: Vec<Tested> = verdicts.iter().map(|verdict| Tested::of(kind, verdict, false)).collect();
            for (one, two) in tested.iter().zip(tested.iter().skip(1)) {
                assert_ne!(one.answer, two.answer);
            }
            assert!(tested.iter().all(|tested| tested.advice.ends_with(['.', ')']) && !tested.said.is_empty()));
            assert_eq!(tested.iter().filter(|tested| tested.sent).count(), 1);
            assert!(tested[7].advice.contains("chat_id: -1003"), "{:?}", tested[7]);
        }
        assert_eq!(Tested::of(ChannelKind::Slack, &Verdict::sent(), true).answer, "sent_plain");
    }
}
