//! No secret is in what is kept, logged or shown, whatever a chat answers.

use tracing_subscriber::fmt::MakeWriter;

use super::super::fake::SECRET;
use super::*;
use crate::model::Notice;

#[derive(Clone)]
struct Log(Paper);

impl MakeWriter<'_> for Log {
    type Writer = Paper;

    fn make_writer(&self) -> Paper {
        self.0.clone()
    }
}

/// Answers that repeat what they can of the request, as error pages do.
fn answers() -> Vec<Answer> {
    let page = format!("<html>no /bot123:{SECRET}/ nor /services/{SECRET} nor {SECRET}</html>");
    let description = format!("Not Found: /bot123:{SECRET}/sendMessage");
    vec![
        Answer::HangUp,
        Answer::Say(404, "", page.clone()),
        Answer::Say(200, "", page),
        Answer::Say(200, "", String::new()),
        Answer::json(404, json!({ "ok": false, "error_code": 404, "description": description })),
        Answer::json(200, json!({ "ok": false, "error": format!("xoxb-{SECRET}") })),
        Answer::json(200, json!({ "errcode": 93000, "errmsg": format!("invalid key {SECRET}") })),
        Answer::Say(302, "location: http://127.0.0.1:9/\r\n", String::new()),
        Answer::Say(500, "", "rollup_error".into()),
    ]
}

#[tokio::test]
async fn no_failure_of_any_chat_tells_a_secret() {
    let log = Paper(Arc::default());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(Log(log.clone()))
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (http, mut seen) = (client(), String::new());
    for answer in answers() {
        // Other tests run without a subscriber and may have made the log lines look unwanted at the same moment.
        tracing::callsite::rebuild_interest_cache();
        let chat = FakeChat::start(vec![], answer).await;
        for base in [chat.url.clone(), format!("http://{nobody}"), "not an address".to_owned()] {
            let channels =
                [slack(&base, "C1"), slack_webhook(&base), wecom(&base, SECRET), telegram(&base, 7), webhook(&base)];
            for channel in channels {
                let world = World::with(Arc::default(), http.clone());
                let id = world.owe(&channel, 1, Reason::Post);
                let test = Notice::Test { channel: channel.name.clone() };
                let notice = world.store.owe_notice(&channel.name, test, world.now());
                let worker = world.run(&channel);
                let asked = |row: &Delivery| row.error.is_some() || row.outcome.is_some();
                world.store.until("an answer", |kept| asked(&kept.rows[&id]) || asked(&kept.rows[&notice])).await;
                world.stop.cancel();
                worker.await.unwrap().unwrap();
                let kept = world.store.lock();
                seen += &format!("{:?} {:?} {:?} {channel:?}\n", kept.rows, kept.attempts, kept.tables);
            }
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("not told yet"), "nothing was logged");
    for text in [&seen, &logged] {
        let leak = text.find(SECRET).map(|at| &text[at.saturating_sub(200)..at + 20]);
        assert_eq!(leak, None);
    }
}
