//! The shape of what is sent to Slack, and what is read of its answers; its words are in the kit.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::call::{Spot, sample};
use super::super::wire::reply;
use super::*;
use crate::model::{GroupId, Press};

fn api(body: &str) -> Verdict {
    let reply = reply(200, &[], body);
    judge_api(reply.status, &reply.headers, &reply.body)
}

#[test]
fn the_answer_to_a_post_has_the_id_and_the_channel() {
    let ok = r#"{"ok":true,"channel":"C1","ts":"1700000000.000100"}"#;
    let sent = Verdict::Sent { platform_id: Some("1700000000.000100".into()), place: Some("C1".into()) };
    assert_eq!(api(ok), sent);
}

#[test]
fn what_slack_says_of_the_blocks_is_passed_on() {
    let body = r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be shorter"]}}"#;
    assert_eq!(api(body).why().unwrap(), "Slack says invalid_blocks ([ERROR] must be shorter)");
    let body = r#"{"ok":false,"error":"missing_scope","needed":"chat:write"}"#;
    assert_eq!(api(body).why().unwrap(), "Slack says missing_scope (needs chat:write)");
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
                "type": "mrkdwn",
                "verbatim": true
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
fn the_buttons_of_a_message_stand_below_its_text_and_keep_to_slacks_limits() {
    let group = GroupId(u64::MAX);
    let labels = [("Mute 1h", Press::Mute(group)), ("Ack", Press::Ack(group)), ("Details", Press::Details(group))];
    let buttons: Vec<Button> = labels.map(|(label, press)| Button { label, press }).into();
    let call = |text: &str| Call { buttons: buttons.clone(), ..sample(Act::Post, Words::Rich(text.into())) };
    let body = payload(&call("first\nrest"));
    insta::assert_json_snapshot!(body["attachments"][0]["blocks"]);
    let long = payload(&call(&format!("first\n{}", "流\n".repeat(1_500))));
    for body in [&body, &long, &payload(&call("first"))] {
        let blocks = body["attachments"][0]["blocks"].as_array().unwrap();
        let (actions, sections) = blocks.split_last().unwrap();
        assert!(blocks.len() <= 50 && sections.iter().all(|block| block["type"] == "section"));
        let elements = actions["elements"].as_array().unwrap();
        let ids: BTreeSet<&str> = elements.iter().map(|button| button["action_id"].as_str().unwrap()).collect();
        assert_eq!((elements.len(), ids.len()), (3, 3));
        for button in elements {
            let (text, value) = (button["text"]["text"].as_str().unwrap(), button["value"].as_str().unwrap());
            assert!(text.chars().count() <= 75 && value.len() <= 2_000);
            assert!(value.parse::<Press>().is_ok());
        }
    }
    let plain = payload(&Call { words: Words::Plain("first".into()), ..call("") });
    assert_eq!(plain["attachments"], json!([]), "what was refused may have been the buttons");
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
