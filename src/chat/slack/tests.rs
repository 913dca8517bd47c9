//! Slack's door on a real port, before a real core and store: what it follows, what it refuses, and what it answers.

use serde_json::json;

use super::signature::sign;
use crate::deliver::fake_chat::{Answer, FakeChat};

mod house;
use house::{Call, House, OTHER, SECRET, form, said, text_of};

#[tokio::test]
async fn every_command_is_followed_and_all_see_what_is_different_for_them() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let (id, mut answered) = (house.firing().await[0].id.0, 0);
    for (typed, shown, expected) in [
        ("mute cam1 2h the encoder", "in_channel", "ann: Muted until"),
        ("mute cam1 2h", "ephemeral", "Already muted"),
        ("mutes", "ephemeral", "#1 stream=\"cam1\""),
        ("status cam1", "ephemeral", "d/live/cam1"),
        ("incidents", "ephemeral", "d/live/cam1"),
        ("unmute 1", "in_channel", "ann: Mute #1"),
        (&format!("ack {id}"), "in_channel", "ann: You have incident"),
        (&format!("ack {id}"), "ephemeral", "ann has incident"),
        ("rules", "ephemeral", "gop"),
        ("help mute", "ephemeral", "/pushwatch mute cam1 2h"),
        ("", "ephemeral", "/pushwatch mute"),
        ("unmute 9", "ephemeral", "no mute #9"),
        ("moot cam1", "ephemeral", "no command"),
    ] {
        let by = if answered < 8 { "U1" } else { "U2" };
        answered += 1;
        let body = house.command(typed).replace("user_id=U1", &format!("user_id={by}"));
        let answer = said(house.send(&house.call("/chat/slack/command", body)).await);
        assert_eq!(answer["response_type"], shown, "{typed}: {answer}");
        assert!(text_of(&answer).contains(expected), "{typed}: {answer}");
    }
    let record = house.record().await;
    let last = record.last().unwrap();
    assert_eq!((&*last.who, &*last.place, &*last.what), ("ann (U1)", "ops", "mute cam1 2h the encoder"));
    assert_eq!(record.len(), 13);
    assert!(house.slack.asked().is_empty(), "all was answered at once");
}

#[tokio::test]
async fn no_forged_call_changes_or_tells_anything() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let id = house.firing().await[0].group.unwrap().0;
    let bodies = [
        ("/chat/slack/command", house.command("mute cam1 1h")),
        ("/chat/slack/action", house.click(&format!("ack:{id}"))),
    ];
    let mut forged = 0;
    for (path, body) in bodies {
        let call = house.call(path, body.clone());
        let now = house.now();
        let at = |secs: i64| Call {
            at: (now + secs).to_string(),
            signature: sign(SECRET, now + secs, &body),
            ..call.clone()
        };
        for (name, call) in [
            ("unsigned", Call { signature: String::new(), ..call.clone() }),
            ("without a time", Call { at: String::new(), ..call.clone() }),
            ("another secret", Call { signature: sign("guess", now, &body), ..call.clone() }),
            ("changed", Call { body: body.replace("U1", "U2"), ..call.clone() }),
            ("another time", Call { at: (now - 1).to_string(), ..call.clone() }),
            ("old", at(-360)),
            ("ahead", at(360)),
            ("cut", Call { signature: call.signature[..60].into(), ..call.clone() }),
        ] {
            assert_eq!(house.send(&call).await, (403, String::new()), "{name} {path}");
            house.assert_untouched(name).await;
            forged += 1;
        }
    }
    assert_eq!(house.counted("forged"), forged);
}

#[tokio::test]
async fn a_call_that_comes_again_changes_nothing_more() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let call = house.call("/chat/slack/command", house.command("mute cam1 1h"));
    assert!(text_of(&said(house.send(&call).await)).contains("Muted until"));
    house.types("unmute 1").await;
    for path in ["/chat/slack/command", "/chat/slack/action"] {
        let again = Call { path, signature: call.signature.replace('a', "A"), ..call.clone() };
        assert_eq!(house.send(&Call { path, ..call.clone() }).await, (403, String::new()));
        assert_eq!(house.send(&again).await, (403, String::new()), "the same in other letters");
    }
    assert_eq!((house.mutes().await.len(), house.record().await.len(), house.counted("forged")), (0, 2, 4));
}

#[tokio::test]
async fn where_no_channel_listens_there_is_silence() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let id = house.firing().await[0].group.unwrap().0;
    let (command, click) = (house.command("mute cam1 1h"), house.click(&format!("mute:{id}")));
    // Another channel; a direct message; one that takes no commands; one of another app, with its own secret or ours.
    let mut calls = Vec::new();
    for chat in ["C9", "D1", "C4", "C2"] {
        let body = command.replace("channel_id=C1", &format!("channel_id={chat}")).replace("=alerts", "=directmessage");
        calls.push(house.call("/chat/slack/command", body));
        calls.push(house.call("/chat/slack/action", click.replace("C1", chat)));
    }
    let signed = |call: Call| Call { signature: sign(OTHER, call.at.parse().unwrap(), &call.body), ..call };
    calls.push(signed(house.call("/chat/slack/command", command)));
    calls.push(signed(house.call("/chat/slack/action", click)));
    // No click of ours.
    calls.push(house.call("/chat/slack/action", house.click("delete:everything")));
    let modal = form(&[("payload", r#"{"type":"view_submission","user":{"id":"U1"}}"#)]);
    calls.push(house.call("/chat/slack/action", modal));
    let count = calls.len() as u64;
    for call in calls {
        assert_eq!(house.send(&call).await, (200, String::new()), "{}", call.body);
        house.assert_untouched(&call.body).await;
    }
    assert_eq!(house.counted("ignored"), count);
}

#[tokio::test]
async fn whoever_may_not_is_told_their_id_and_of_two_channels_of_a_chat_the_right_one_hears() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let by = |who: &str, text: &str| house.command(text).replace("user_id=U1", &format!("user_id={who}"));
    let refused = said(house.send(&house.call("/chat/slack/command", by("U9", "mute cam1 1h"))).await);
    assert_eq!(refused["response_type"], "ephemeral");
    assert!(text_of(&refused).contains("Your user id is U9"), "{refused}");
    let id = house.firing().await[0].group.unwrap().0;
    let click = house.click(&format!("ack:{id}")).replace("U1", "U9");
    assert_eq!(house.send(&house.call("/chat/slack/action", click)).await, (200, String::new()));
    house.slack.until(1).await;
    let refused = house.slack.asked()[0].body.clone();
    assert!(text_of(&refused).contains("Your user id is U9") && refused["response_type"] == "ephemeral", "{refused}");
    assert_eq!(house.mutes().await, []);
    assert!(house.firing().await[0].ack.is_none());
    assert_eq!(house.counted("forbidden"), 2);

    said(house.send(&house.call("/chat/slack/command", by("U3", "mutes"))).await);
    said(house.send(&house.call("/chat/slack/command", by("U2", "mutes"))).await);
    let places: Vec<String> = house.record().await.iter().map(|record| record.place.to_string()).collect();
    assert_eq!(places, ["ops", "night", "night", "night"], "the first by name where nobody allows it");
}

#[tokio::test]
async fn what_slack_does_not_send_is_refused_in_a_word() {
    let house = House::new().await;
    let command = house.call("/chat/slack/command", house.command("mutes"));
    let json = Call { kind: "application/json".into(), ..command.clone() };
    assert_eq!(house.send(&json).await.0, 415);
    for body in
        [format!("{}&text=mute+cam1+1h", house.command("mutes")), "a=b".into(), String::new(), house.click("ack:1")]
    {
        assert_eq!(house.send(&house.call("/chat/slack/command", body)).await.0, 400);
    }
    for body in [house.command("mutes"), "payload=%5B%5D".into(), "payload=1&payload=1".into()] {
        assert_eq!(house.send(&house.call("/chat/slack/action", body)).await.0, 400);
    }
    house.assert_untouched("malformed").await;
    let long = house.types(&format!("mute {} 1h", "x".repeat(20_000))).await;
    assert!(text_of(&long).len() < 1000 && long["response_type"] == "ephemeral", "{long}");
    let huge = house.call("/chat/slack/command", house.command(&"x".repeat(300 * 1024)));
    assert_eq!(house.send(&huge).await.0, 413);
    let kind = "Application/X-WWW-Form-Urlencoded; charset=utf-8".to_owned();
    assert_eq!(house.send(&Call { kind, ..house.call("/chat/slack/command", house.command("mutes")) }).await.0, 200);
}

#[tokio::test]
async fn slack_may_look_at_the_certificate() {
    let house = House::new().await;
    for path in ["/chat/slack/command", "/chat/slack/action"] {
        let signed = house.call(path, "ssl_check=1&token=x".into());
        let unsigned = Call { signature: String::new(), ..signed.clone() };
        for call in [&signed, &unsigned, &signed] {
            assert_eq!(house.send(call).await, (200, String::new()));
        }
        let smuggled = format!("ssl_check=1&{}", house.command("mute cam1 1h"));
        assert_eq!(house.send(&house.call(path, smuggled)).await, (200, String::new()));
    }
    house.assert_untouched("a check").await;
}

#[tokio::test]
async fn a_click_is_answered_to_who_clicked_and_a_double_click_is_one() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let id = house.firing().await[0].group.unwrap().0;
    for (n, (what, expected)) in
        [("ack", "You have incident"), ("mute", "Muted until"), ("details", "d/live/cam1")].into_iter().enumerate()
    {
        let answer = house.clicks(&format!("{what}:{id}"), n + 1).await;
        assert_eq!(answer.path, "/actions/1");
        assert_eq!(
            (&answer.body["response_type"], &answer.body["replace_original"]),
            (&json!("ephemeral"), &json!(false))
        );
        assert!(text_of(&answer.body).contains(expected), "{}", answer.body);
    }
    for what in ["ack", "mute", "details"] {
        let again = house.call("/chat/slack/action", house.click(&format!("{what}:{id}")));
        assert_eq!(house.send(&again).await, (200, String::new()));
    }
    let (mutes, incident) = (house.mutes().await, house.firing().await[0].clone());
    assert_eq!((mutes.len(), &*mutes[0].author), (1, "ann"));
    assert_eq!(&*incident.ack.unwrap().by, "ann");
    assert_eq!((house.record().await.len(), house.counted("ignored")), (3, 3));
    house.chat.finish().await;
    assert_eq!(house.slack.asked().len(), 3);
}

#[tokio::test]
async fn a_wide_mute_is_confirmed_by_its_button_and_all_see_it() {
    let house = House::new().await;
    let names: Vec<String> = (0..21).map(|n| format!("cam{n}")).collect();
    house.report(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let question = house.types("mute cam* 1h").await;
    assert_eq!(question["response_type"], "ephemeral");
    let button = &question["blocks"][1]["elements"][0];
    assert_eq!((&button["type"], &button["text"]["text"]), (&json!("button"), &json!("Yes, mute")));
    assert_eq!(house.mutes().await, []);
    let value = button["value"].as_str().unwrap();
    let stranger = house.call("/chat/slack/action", house.click(value).replace("U1", "U2"));
    assert_eq!(house.send(&stranger).await.0, 200);
    house.slack.until(1).await;
    assert!(text_of(&house.slack.asked()[0].body).contains("You were not asked"));
    assert_eq!(house.mutes().await, []);

    house.clicks(value, 3).await;
    let told: Vec<_> = house.slack.asked()[1..].iter().map(|asked| asked.body.clone()).collect();
    assert_eq!((&told[0]["replace_original"], told[0].get("response_type")), (&json!(true), None));
    assert_eq!((&told[1]["replace_original"], &told[1]["response_type"]), (&json!(false), &json!("in_channel")));
    assert!(text_of(&told[0]).starts_with("Muted until") && text_of(&told[1]).starts_with("ann: Muted until"));
    assert!(text_of(&told[1]).contains("21 streams"));
    assert_eq!(house.mutes().await.len(), 1);
}

#[tokio::test]
async fn answers_are_posted_to_slack_alone() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    let id = house.firing().await[0].group.unwrap().0;
    let elsewhere = FakeChat::start(Vec::new(), Answer::Say(200, "", "ok".into())).await;
    let click = house.click(&format!("details:{id}"));
    let host = |url: &str| url.trim_start_matches("http://").replace(':', "%3A");
    let odd = house.call("/chat/slack/action", click.replace(&host(&house.slack.url), &host(&elsewhere.url)));
    assert_ne!(odd.body, click);
    assert_eq!(house.send(&odd).await, (200, String::new()));
    // What Slack does not take, or sends elsewhere, is given up.
    let moved = format!("location: {}/\r\n", elsewhere.url);
    house.slack.script(Answer::Say(307, moved.leak(), String::new()));
    house.slack.script(Answer::Say(429, "retry-after: 86400\r\n", String::new()));
    house.slack.script(Answer::Say(502, "", String::new()));
    house.clicks(&format!("mute:{id}"), 1).await;
    house.clicks(&format!("ack:{id}"), 2).await;
    let unmute = house.call("/chat/slack/action", house.click(&format!("details:{id}")).replace("17.1", "17.2"));
    house.send(&unmute).await;
    house.slack.until(4).await;
    house.chat.finish().await;
    assert_eq!(house.slack.asked().len(), 4, "only what was surely not taken is posted again");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_slack_waits_comes_later() {
    let mut house = House::asleep().await;
    let answer = house.types("mute cam1 1h").await;
    assert_eq!(
        (&answer["response_type"], &answer["text"]),
        (&json!("ephemeral"), &json!("On it: this takes a moment."))
    );
    house.wake();
    house.slack.until(1).await;
    let late = house.slack.asked()[0].clone();
    assert_eq!(late.path, "/commands/1");
    assert!(!text_of(&late.body).is_empty(), "{}", late.body);
}

#[tokio::test]
async fn a_click_is_followed_in_the_channel_of_its_message_whatever_others_its_chat_has() {
    let house = House::new().await;
    house.report(&["cam1"]).await;
    house.report_of(13, &["cam1"]).await;
    let group = |rule: &'static str| {
        let house = &house;
        async move { house.firing().await.into_iter().find(|one| &*one.rule == rule).unwrap().group.unwrap().0 }
    };
    let (gop, site) = (group("gop").await, group("site").await);
    house.clicks(&format!("ack:{site}"), 1).await;
    house.clicks(&format!("ack:{gop}"), 2).await;
    // A question is answered where it was asked.
    let names: Vec<String> = (0..21).map(|n| format!("s{n}")).collect();
    house.report(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    house.clicks(&format!("mute:{site}"), 3).await;
    house.clicks("confirm:1", 4).await;
    let told = house.record().await;
    let told: Vec<_> = told.iter().rev().map(|record| (&*record.place, record.verdict)).collect();
    use crate::model::Verdict::{Asked, Done};
    assert_eq!(told, [("video", Done), ("ops", Done), ("video", Asked), ("video", Done)]);
    assert_eq!(house.mutes().await.len(), 1);
}
