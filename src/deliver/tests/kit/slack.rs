//! Slack's words, by the Web API's and the webhooks' documentation, and what it takes of a text.

use super::super::super::fake;
use super::*;

/// Longest text of a section, UTF-16 units.
const SECTION: usize = 3_000;

/// Above some 13,000 characters in all, Slack refuses what is legal block by block; held well below.
const WHOLE_MESSAGE: usize = 10_000;

pub(super) fn bot() -> Kind {
    Kind { channel: |url| fake::slack(url, "C1"), yes, before: 0, by_status: false, rows: words_of_the_api, inspect }
}

pub(super) fn hook() -> Kind {
    Kind {
        channel: fake::slack_webhook,
        yes: || Answer::Say(200, "", "ok".into()),
        before: 0,
        by_status: false,
        rows: words_of_webhooks,
        inspect,
    }
}

fn words_of_the_api() -> Vec<Row> {
    use Comes::{Anew, Plain, PlainLater, Refused, Retry, Sent, Unknown, Wait};
    let table = [
        (Wait(60), "ratelimited rate_limited"),
        (Wait(300), "message_limit_exceeded"),
        (Unknown, "internal_error fatal_error"),
        (
            Retry,
            "service_unavailable request_timeout team_added_to_org org_login_required external_channel_migrating \
             update_failed",
        ),
        (
            Refused,
            "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope \
             not_allowed_token_type no_permission channel_not_found not_in_channel is_archived restricted_action \
             restricted_action_thread_only_channel ekm_access_denied messages_tab_disabled app_access_restricted",
        ),
        (
            Plain,
            "no_text invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long too_many_attachments \
             attachment_payload_limit_exceeded metadata_too_large",
        ),
        // A post has no message that could be gone: something else is wrong over there.
        (Retry, "message_not_found"),
        (PlainLater, "a_word_of_next_year"),
    ];
    let said = |word: &str| Answer::json(200, json!({ "ok": false, "error": word }));
    let each = |(comes, words): (Comes, &'static str)| {
        words.split_whitespace().map(move |word| row(word, said(word), comes)).collect::<Vec<_>>()
    };
    let mut rows: Vec<Row> = table.into_iter().flat_map(each).collect();
    for word in ["message_not_found", "cant_update_message", "edit_window_closed", "is_inactive", "block_mismatch"] {
        rows.push(edit_row(word, said(word), Anew));
    }
    let limited = || json!({ "ok": false, "error": "ratelimited" }).to_string();
    rows.extend([
        row("ratelimited, and how long", Answer::Say(429, "retry-after: 217\r\n", limited()), Wait(217)),
        row("ratelimited inside a 200", Answer::Say(200, "retry-after: 30\r\n", limited()), Wait(30)),
        row("a new word with a 429", Answer::Say(429, "retry-after: 9\r\n", no_text("new_word")), Wait(9)),
        row("a new word with a 500", Answer::Say(500, "", no_text("new_word")), Retry),
        row("a secret for a word", said(&format!("xoxb-{SECRET}")), PlainLater),
        row("no without a word", Answer::json(200, json!({ "ok": false })), Unknown),
        row("a yes that is none", Answer::json(200, json!({ "ok": "true" })), Unknown),
        edit_row("an edit is made", yes(), Sent),
        edit_row("an edit that came to nothing", Answer::HangUp, Unknown),
        edit_row("an edit refused", said("invalid_blocks"), Plain),
        edit_row("an edit too many", Answer::Say(429, "retry-after: 30\r\n", limited()), Wait(30)),
    ]);
    rows
}

fn no_text(word: &str) -> String {
    json!({ "ok": false, "error": word }).to_string()
}

fn words_of_webhooks() -> Vec<Row> {
    use Comes::{Plain, PlainLater, Refused, Retry, Sent, Unknown, Wait};
    let table = [
        (200, "ok\n", Sent),
        (400, "invalid_payload", Plain),
        (400, "no_text", Plain),
        (400, "invalid_blocks", Plain),
        (400, "invalid_attachments", Plain),
        (400, "too_many_attachments", Plain),
        (400, "user_not_found", Plain),
        (200, "no_text", Plain),
        (403, "action_prohibited", Refused),
        (403, "invalid_token", Refused),
        (403, "posting_to_general_channel_denied", Refused),
        (404, "channel_not_found", Refused),
        (404, "no_service", Refused),
        (404, "no_team", Refused),
        (404, "no_active_hooks", Refused),
        (410, "channel_is_archived", Refused),
        (429, "rate_limited", Wait(60)),
        (500, "rollup_error", Retry),
        (503, "something_else", Retry),
        (400, "a_word_of_next_year", PlainLater),
        (200, "OK", Unknown),
    ];
    let each = |(status, word, comes): (u16, &str, Comes)| row(word, Answer::Say(status, "", word.into()), comes);
    let mut rows: Vec<Row> = table.map(each).into();
    rows.push(row(
        "rate_limited, and how long",
        Answer::Say(429, "retry-after: 30\r\n", "rate_limited".into()),
        Wait(30),
    ));
    rows
}

fn inspect(asked: &Asked) -> bool {
    let body = &asked.body;
    let first = body["text"].as_str().unwrap();
    let attachments = body["attachments"].as_array().unwrap();
    let blocks = attachments.iter().flat_map(|attachment| attachment["blocks"].as_array().unwrap());
    let texts: Vec<&str> = blocks.map(|block| block["text"]["text"].as_str().unwrap()).collect();
    let units = |text: &str| text.encode_utf16().count();
    assert!(texts.iter().all(|text| (1..=SECTION).contains(&units(text))), "{body}");
    assert!(texts.len() <= 50 && attachments.len() <= 100);
    assert!(units(first) + texts.iter().map(|text| units(text)).sum::<usize>() <= WHOLE_MESSAGE, "{body}");
    for text in texts.iter().chain([&first]) {
        hold_harmless(text);
        // What is left of `<` after escaping is a link of our own, never `<!channel>` or `<@U…>`.
        let markup = text.match_indices('<').map(|(at, _)| &text[at..]);
        assert!(markup.into_iter().all(|rest| rest.starts_with("<http")), "{text}");
    }
    attachments.is_empty()
}
