//! A test message without a running server: the same words, the same call, the same judgement; nothing is kept.

use super::call::Act;
use super::console::Console;
use super::flight::Flight;
use super::orders::Tested;
use super::platform::{self, Means};
use super::topic::Topic;
use super::verdict::Verdict;
use super::wording::{Subject, word};
use super::{Tokens, http_client};
use crate::clock::Clock;
use crate::model::{Catalogue, Channel, DeliveryId, Notice, Reason};
use crate::render::{NoticeView, Renderer};

/// Calls made at most: the markup may be refused, and a chat may have moved.
const MOST_CALLS: usize = 3;

/// Sends one real test message to a channel and says what came of it.
pub async fn try_once(channel: &Channel, renderer: &Renderer, console: &Console, clock: &Clock) -> Tested {
    let (now, http, wecom_tokens) = (clock.wall(), http_client(), Tokens::new());
    let means = Means { http: &http, console, clock, wecom_tokens: &wecom_tokens };
    let (notice, catalogue) = (Notice::Test { channel: channel.name.clone() }, Catalogue::default());
    let view = NoticeView { notice: &notice, channel, catalogue: &catalogue, now };
    let subject = Subject::Notice(view);
    // No row carries it; the time tells it from the test before.
    let carrier = DeliveryId(u64::try_from(now.0).unwrap_or_default());
    let (mut plain, mut moved, mut last) = (false, None, None);
    for _ in 0..MOST_CALLS {
        let flight = Flight {
            topic: Topic::Notice(carrier),
            key: None,
            carrier,
            covered: 1,
            reason: Reason::Notice,
            act: Act::Post,
            revision: 0,
            closed: false,
            plain,
            template_error: None,
        };
        let (_, call) = word(flight, &subject, renderer, moved);
        let verdict = platform::make(channel, &call, means).await;
        match verdict {
            Verdict::PermanentMessage { .. } if !plain => plain = true,
            Verdict::Migrated { chat_id } if moved != Some(chat_id) => moved = Some(chat_id),
            _ => return tested(channel, &verdict, plain, moved),
        }
        last = Some(verdict);
    }
    let last = last.unwrap_or(Verdict::Unknown { why: "nothing was sent".to_owned() });
    tested(channel, &last, plain, moved)
}

/// Somebody should write the new id into the rules, even if the message got there.
fn tested(channel: &Channel, verdict: &Verdict, plain: bool, moved: Option<i64>) -> Tested {
    let tested = Tested::of(channel.kind(), verdict, plain);
    match moved {
        Some(chat_id) if tested.sent => {
            let advice = Tested::of(channel.kind(), &Verdict::Migrated { chat_id }, plain).advice;
            Tested { advice, ..tested }
        }
        _ => tested,
    }
}
