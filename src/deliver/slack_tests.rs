//! Slack's error table, and the shape of what is sent to it.

use proptest::prelude::*;

use super::super::call::{Spot, sample};
use super::super::wire::reply;
use super::*;

fn api(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
    let reply = reply(status, headers, body);
    judge_api(reply.status, &reply.headers, &reply.body)
}

fn hook(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
    let reply = reply(status, headers, body);
    judge_webhook(reply.status, &reply.headers, &reply.body)
}

/// The verdict's name, which is what the tables compare.
fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Sent { .. } => "sent",
        Verdict::NotModified => "not modified",
        Verdict::RateLimited { .. } => "limited",
        Verdict::Retry { .. } => "retry",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Unrecognised { .. } => "unrecognised",
        Verdict::PermanentMessage { .. } => "message",
        Verdict::PermanentTarget { .. } => "target",
        Verdict::Migrated { .. } => "migrated",
        Verdict::Gone { .. } => "gone",
    }
}

#[test]
fn every_word_of_the_web_api_has_its_class_inside_a_200() {
    let table = [
        ("limited", "ratelimited rate_limited message_limit_exceeded"),
        ("unknown", "internal_error fatal_error"),
        (
            "retry",
            "service_unavailable request_timeout team_added_to_org org_login_required external_channel_migrating \
             update_failed",
        ),
        (
            "target",
            "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope \
             not_allowed_token_type no_permission channel_not_found not_in_channel is_archived restricted_action \
             restricted_action_thread_only_channel ekm_access_denied messages_tab_disabled app_access_restricted",
        ),
        (
            "message",
            "no_text invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long too_many_attachments \
             attachment_payload_limit_exceeded metadata_too_large",
        ),
        ("gone", "message_not_found cant_update_message edit_window_closed is_inactive block_mismatch"),
        ("unrecognised", "a_word_of_next_year"),
    ];
    for (want, words) in table {
        for word in words.split_whitespace() {
            let verdict = api(200, &[], &format!(r#"{{"ok":false,"error":"{word}"}}"#));
            assert_eq!(class(&verdict), want, "{word}");
        }
    }
}

#[test]
fn every_word_of_a_webhook_has_its_class() {
    let table = [
        (200, "ok", "sent"),
        (200, "ok\n", "sent"),
        (400, "invalid_payload", "message"),
        (400, "no_text", "message"),
        (400, "invalid_blocks", "message"),
        (400, "invalid_attachments", "message"),
        (400, "too_many_attachments", "message"),
        (400, "user_not_found", "message"),
        (403, "action_prohibited", "target"),
        (403, "invalid_token", "target"),
        (403, "posting_to_general_channel_denied", "target"),
        (404, "channel_not_found", "target"),
        (404, "no_service", "target"),
        (404, "no_team", "target"),
        (404, "no_active_hooks", "target"),
        (410, "channel_is_archived", "target"),
        (429, "rate_limited", "limited"),
        (429, "", "limited"),
        (500, "rollup_error", "retry"),
        (503, "something_else", "retry"),
        (504, "", "unknown"),
        (400, "a_word_of_next_year", "unrecognised"),
        (200, "", "unknown"),
        (200, "<html>sign in</html>", "unknown"),
        (200, "no_text", "message"),
        (302, "", "target"),
    ];
    for (status, body, want) in table {
        assert_eq!(class(&hook(status, &[], body)), want, "{status} {body}");
    }
}

#[test]
fn a_post_is_sent_only_if_the_body_says_so() {
    let ok = r#"{"ok":true,"channel":"C1","ts":"1700000000.000100"}"#;
    let sent = Verdict::Sent { platform_id: Some("1700000000.000100".into()), place: Some("C1".into()) };
    assert_eq!(api(200, &[], ok), sent);
    for body in ["", "{}", "null", "[]", "ok", "<html></html>", r#"{"ok":"true"}"#, r#"{"ok":false}"#] {
        assert_eq!(class(&api(200, &[], body)), "unknown", "{body}");
    }
    assert_eq!(class(&api(502, &[], "<html></html>")), "retry");
    assert_eq!(class(&api(500, &[], r#"{"ok":false,"error":"new_word"}"#)), "retry");
}

#[test]
fn retry_after_is_taken_from_the_header_in_full() {
    let wait = |verdict| match verdict {
        Verdict::RateLimited { after } => after.as_secs(),
        other => panic!("{other:?}"),
    };
    let limited = r#"{"ok":false,"error":"ratelimited"}"#;
    assert_eq!(wait(api(429, &[("retry-after", "217")], limited)), 217);
    assert_eq!(wait(api(200, &[("retry-after", "3")], limited)), 3);
    assert_eq!(wait(api(429, &[], limited)), 60);
    assert_eq!(wait(hook(429, &[("retry-after", "30")], "rate_limited")), 30);
    assert_eq!(wait(api(429, &[("retry-after", "9")], r#"{"ok":false,"error":"new_word"}"#)), 9);
}

#[test]
fn what_slack_says_of_the_blocks_is_passed_on() {
    let body = r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be shorter"]}}"#;
    assert_eq!(api(200, &[], body).why().unwrap(), "Slack says invalid_blocks ([ERROR] must be shorter)");
    let body = r#"{"ok":false,"error":"missing_scope","needed":"chat:write"}"#;
    assert_eq!(api(200, &[], body).why().unwrap(), "Slack says missing_scope (needs chat:write)");
}

#[test]
fn a_message_has_its_first_line_above_the_rest_beside_a_colour_and_no_unfurling() {
    let text = "🔴 `cam1` — *&lt;late&gt;*\n*Do:* wait\n\n*Where:* here\n";
    let body = Value::Object(payload(&sample(Act::Post, Words::Rich(text.into()))));
    insta::assert_json_snapshot!(body, @r##"
    {
      "attachments": [
        {
          "blocks": [
            {
              "text": {
                "text": "*Do:* wait\n\n*Where:* here",
                "type": "mrkdwn"
              },
              "type": "section"
            }
          ],
          "color": "#d00000"
        }
      ],
      "text": "🔴 `cam1` — *&lt;late&gt;*",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "##);
}

#[test]
fn a_single_line_has_no_attachment_and_an_edit_to_it_drops_the_old_one() {
    for text in ["*cam1* late", "\n*cam1* late\n \n"] {
        let body = payload(&sample(Act::Post, Words::Rich(text.into())));
        assert_eq!((&body["text"], &body["attachments"]), (&json!("*cam1* late"), &json!([])), "{text:?}");
    }
    let body = payload(&sample(Act::Post, Words::Rich(" \n".into())));
    assert_eq!((&body["text"], &body["attachments"]), (&json!("cam1 &lt;late&gt;"), &json!([])));
}

#[test]
fn a_plain_message_drops_the_blocks_and_wakes_nobody() {
    let spot = Spot { id: "1.2".into(), place: None };
    let body = payload(&sample(Act::Edit(spot), Words::Plain("<!channel> & co".into())));
    assert_eq!(body["text"], "&lt;!channel&gt; &amp; co");
    assert_eq!(body["attachments"], json!([]));
    let long = payload(&sample(Act::Post, Words::Plain("&".repeat(5000))));
    let text = long["text"].as_str().unwrap();
    assert!(text.ends_with("&amp;…") && text.chars().count() <= PLAIN + 1, "{}", &text[text.len() - 20..]);
}

#[test]
fn a_long_text_is_cut_between_lines_and_not_inside_a_link() {
    let line = format!("{}\n", "y".repeat(1999));
    assert_eq!(sections(&line.repeat(3)), vec!["y".repeat(1999); 3]);
    let link = format!("{}<https://example.com|details>", "x".repeat(2990));
    assert_eq!(sections(&link), ["x".repeat(2990), "<https://example.com|details>".to_owned()]);
    let entity = format!("{}&amp;z", "x".repeat(2998));
    assert_eq!(sections(&entity), ["x".repeat(2998), "&amp;z".to_owned()]);
    assert!(sections(" \n").is_empty());
}

proptest! {
    // Each case is several thousand characters.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_message_says_each_word_once_and_keeps_to_the_limits(
        lines in prop::collection::vec("[a&;<>😀断]{0,4000}", 1..4),
    ) {
        let text = lines.join("\n");
        let body = payload(&sample(Act::Post, Words::Rich(text.clone())));
        let attachments = body["attachments"].as_array().unwrap();
        let blocks = attachments.iter().flat_map(|attachment| attachment["blocks"].as_array().unwrap());
        let sections = blocks.map(|block| block["text"]["text"].as_str().unwrap().to_owned());
        let said: Vec<String> = std::iter::once(body["text"].as_str().unwrap().to_owned()).chain(sections).collect();
        for part in &said {
            prop_assert!(!part.trim().is_empty() && part.encode_utf16().count() <= SECTION);
        }
        for attachment in attachments {
            prop_assert!(!attachment["blocks"].as_array().unwrap().is_empty());
        }
        let bare = |text: &str| text.replace('\n', "");
        if !bare(&text).is_empty() {
            prop_assert_eq!(bare(&said.concat()), bare(&text));
        }
    }

    #[test]
    fn sections_keep_to_the_limit_and_lose_no_word(lines in prop::collection::vec("[a&;<>😀断]{0,4000}", 0..4)) {
        let text = lines.join("\n");
        let sections = sections(&text);
        for section in &sections {
            prop_assert!(section.encode_utf16().count() <= SECTION);
            prop_assert!(!section.trim().is_empty());
        }
        let bare = |text: &str| text.replace('\n', "");
        prop_assert_eq!(bare(&sections.concat()), bare(&text));
    }
}
