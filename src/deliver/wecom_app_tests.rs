//! A WeCom app against a fake of it: its token, whom it tells, and what it makes of answers.

use std::sync::Arc;
use tokio::sync::Notify;

use super::super::call::{Act, sample};
use super::super::fake::{self, SECRET};
use super::super::fake_chat::{Answer, FakeChat};
use super::*;
use crate::model::{Channel, Target, WecomDoor};

/// A clock, the tokens, and a client.
#[derive(Default)]
struct Office {
    clock: Option<Clock>,
    tokens: Tokens,
}

impl Office {
    fn open() -> Office {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Office { clock: Some(Clock::start()), tokens: Tokens::new() }
    }

    fn clock(&self) -> &Clock {
        self.clock.as_ref().unwrap()
    }

    async fn tell(&self, channel: &Channel) -> Verdict {
        let Target::Wecom { door: WecomDoor::App(app), api_url } = &channel.target else { panic!() };
        let http = super::super::http_client();
        let line = Line { http: &http, api_url, clock: self.clock(), tokens: &self.tokens };
        tell(line, &channel.name, app, &sample(Act::Post, Words::Rich("late".into()))).await
    }

    fn pass(&self, secs: u64) {
        self.clock().not_before(self.clock().steady() + Duration::from_secs(secs));
    }
}

fn token(name: &str) -> Answer {
    let text = format!("{name}-{SECRET}");
    Answer::json(200, json!({ "errcode": 0, "errmsg": "ok", "access_token": text, "expires_in": 7200 }))
}

fn code(errcode: i64) -> Answer {
    Answer::json(200, json!({ "errcode": errcode, "errmsg": "no, from ip: 192.0.2.7" }))
}

/// What was asked: `gettoken`, or `send` with the token's name.
fn calls(chat: &FakeChat) -> Vec<String> {
    let shown = |path: String| match path.split_once("access_token=") {
        Some((_, token)) => format!("send {}", token.split('-').next().unwrap()),
        None => "gettoken".to_owned(),
    };
    chat.asked().into_iter().map(|asked| shown(asked.path)).collect()
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_before_it_expires() {
    let chat = FakeChat::start(vec![token("a"), code(0), code(0), token("b")], code(0)).await;
    let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
    assert_eq!(office.tell(&app).await, Verdict::sent());
    office.pass(6_800);
    assert_eq!(office.tell(&app).await, Verdict::sent());
    office.pass(101);
    assert_eq!(office.tell(&app).await, Verdict::sent());
    assert_eq!(calls(&chat), ["gettoken", "send a", "send a", "gettoken", "send b"]);
    let asked = chat.asked();
    assert!(asked[0].path.ends_with(&format!("/cgi-bin/gettoken?corpid=ww1&corpsecret=app-{SECRET}")));
    let want = json!({ "msgtype": "markdown", "markdown": { "content": "late" }, "agentid": 1_000_002,
        "touser": "Ann|bob", "toparty": "2", "totag": "7" });
    assert_eq!(asked[1].body, want);
}

#[tokio::test]
async fn a_token_that_wecom_dislikes_is_replaced_exactly_once() {
    for stale in STALE {
        let chat = FakeChat::start(vec![token("a"), code(stale), token("b")], code(0)).await;
        let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
        assert_eq!(office.tell(&app).await, Verdict::sent(), "{stale}");
        assert_eq!(calls(&chat), ["gettoken", "send a", "gettoken", "send b"]);

        let chat = FakeChat::start(vec![token("a"), code(stale), token("b")], code(stale)).await;
        let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
        assert!(matches!(office.tell(&app).await, Verdict::PermanentTarget { .. }), "{stale}");
        assert_eq!(calls(&chat).len(), 4);
    }
}

#[tokio::test]
async fn two_channels_of_one_app_wait_for_one_token() {
    let release = Arc::new(Notify::new());
    let held = Answer::Held(Arc::clone(&release), Box::new(token("a")));
    let chat = FakeChat::start(vec![held], code(0)).await;
    let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
    let free = async {
        chat.until(1).await;
        release.notify_one();
    };
    let (one, other, ()) = tokio::join!(office.tell(&app), office.tell(&app), free);
    assert_eq!((one, other), (Verdict::sent(), Verdict::sent()));
    assert_eq!(calls(&chat), ["gettoken", "send a", "send a"]);
}

#[tokio::test]
async fn a_wrong_secret_is_not_tried_again_and_again() {
    let chat = FakeChat::start(vec![], code(40001)).await;
    let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
    for (wait, asked) in [(0, 1), (299, 1), (2, 2), (301, 2), (300, 3)] {
        office.pass(wait);
        let verdict = office.tell(&app).await;
        let Verdict::PermanentTarget { why } = &verdict else { panic!("{verdict:?}") };
        assert!(why.contains("40001") && why.contains("not asked again") && !why.contains("192.0.2.7"), "{why}");
        assert_eq!(calls(&chat).len(), asked, "after {wait} s more");
    }
}

#[tokio::test]
async fn what_goes_wrong_with_the_token_is_no_message_of_unknown_fate() {
    for answer in [Answer::HangUp, Answer::Say(200, "", String::new()), Answer::Say(502, "", "<html></html>".into())] {
        let chat = FakeChat::start(vec![answer], token("a")).await;
        let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
        let verdict = office.tell(&app).await;
        assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
        assert_eq!(chat.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_of_unknown_fate_only_if_the_message_was_under_way() {
    let never = || Answer::Held(Arc::new(Notify::new()), Box::new(code(0)));
    for (script, calls, want) in [(vec![token("a"), never()], 2, "unknown"), (vec![never()], 1, "retry")] {
        let chat = FakeChat::start(script, code(0)).await;
        let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
        let time_out = async {
            chat.until(calls).await;
            tokio::time::pause();
            tokio::time::advance(WHOLE + Duration::from_secs(1)).await;
            tokio::time::resume();
        };
        let (verdict, ()) = tokio::join!(office.tell(&app), time_out);
        let class = match verdict {
            Verdict::Unknown { .. } => "unknown",
            Verdict::Retry { .. } => "retry",
            other => panic!("{other:?}"),
        };
        assert_eq!(class, want);
    }
}

#[tokio::test]
async fn receivers_that_are_left_out_are_told_once_and_none_left_is_a_target_that_takes_nothing() {
    let some = json!({ "errcode": 0, "invaliduser": "ann", "invalidtag": "7" });
    let all = json!({ "errcode": 0, "invaliduser": "ann", "unlicenseduser": "bob", "invalidparty": "2",
        "invalidtag": "7" });
    let chat = FakeChat::start(vec![token("a"), Answer::json(200, some)], Answer::json(200, all)).await;
    let (office, app) = (Office::open(), fake::wecom_app(&chat.url));
    assert_eq!(office.tell(&app).await, Verdict::sent());
    let Target::Wecom { door: WecomDoor::App(of), .. } = &app.target else { panic!() };
    assert!(!office.tokens.is_news(of, &app.name, "ann tag:7"), "it was said already");
    assert!(!office.tokens.is_news(of, &app.name, ""));
    assert!(office.tokens.is_news(of, &app.name, "ann"), "it is wrong again");
    let verdict = office.tell(&app).await;
    assert!(matches!(verdict, Verdict::PermanentTarget { .. }), "{verdict:?}");
}

#[test]
fn texts_keep_to_the_bytes_of_an_app() {
    let Target::Wecom { door: WecomDoor::App(app), .. } = &fake::wecom_app("").target.clone() else { panic!() };
    let lines = "<font color=\"warning\">断流断流断流</font>\n".repeat(60);
    let call = |words| sample(Act::Post, words);
    let rich = payload(app, &call(Words::Rich(lines)), 0);
    let content = rich["markdown"]["content"].as_str().unwrap();
    assert!(content.len() <= MARKDOWN && content.ends_with("</font>\n…"), "{content}");
    let plain = payload(app, &call(Words::Plain(format!("<@all> {}", "断".repeat(2000)))), 0);
    let content = plain["text"]["content"].as_str().unwrap();
    assert!(content.len() <= 2_048 && content.starts_with("‹@all>"), "{content}");
}
