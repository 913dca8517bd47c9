//! How fast a mute by chat is in force, and whether a chat's deadline holds, beside a load of callbacks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::bot::{Bot, Keeper, callback, client, until_told};
use super::{KEY, PATIENCE, folder, simulate};

/// What the chat's calls are signed with.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// One command so often.
const EVERY: Duration = Duration::from_millis(250);

/// Slack waits for so long.
const DEADLINE: Duration = Duration::from_secs(3);

/// Mutes streams by Slack's door while `rate` callbacks a second come (all that go, if 0), then has each of them break.
pub(crate) async fn measure(seconds: u64, rate: u64) {
    let keeper = Keeper::start().await;
    // What breaks besides is nobody's concern: what is measured is not to wait for a chat's pace.
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\n\
         channels:\n  hook: {{ type: webhook, url: \"http://{0}/hook\" }}\n\
         \x20 ops: {{ type: slack, webhook_url: \"http://{0}/slack\", channel: C1, signing_secret: {SECRET}, allow: everyone }}\n\
         defaults: {{ notify: [hook, ops], rate_limit: none }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [gop_too_large], where: {{ stream: [\"quiet*\", \"loud*\"] }} }}\n\
         \x20 - {{ name: video_stall, on: push_error, where: {{ stream: none }} }}\n",
        keeper.address()
    );
    let folder = folder(&rules);
    let bot = Bot::start(folder.path()).await;
    let url = bot.callback_url();
    let listen = url.trim_end_matches("/callback").to_owned();
    let load = {
        let (url, rate) = (url.clone(), rate.to_string());
        tokio::task::spawn_blocking(move || {
            let more: &[&str] = if rate == "0" { &[] } else { &["--rate", &rate] };
            simulate(&url, seconds, 64, more)
        })
    };
    let client = client();
    let (mut took, mut loud, started) = (Vec::new(), BTreeSet::new(), Instant::now());
    let mut tick = tokio::time::interval(EVERY);
    for number in 0.. {
        tick.tick().await;
        if started.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        let (quiet, other) = (format!("quiet{number}"), format!("loud{number}"));
        let body = format!(
            "command=%2Fpushwatch&text=mute+{quiet}+1h&channel_id=C1&channel_name=ops&user_id=U{number}&user_name=ann\
             &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1"
        );
        let began = Instant::now();
        let answer = slack(&client, &listen, body).await;
        took.push(began.elapsed());
        assert!(answer.contains("until"), "not muted: {answer}");
        for stream in [&quiet, &other] {
            let status = client.post(&url).body(callback(KEY, stream)).send().await.expect("answers").status();
            // Under a full load the queue may be full for a moment: the cloud would come again.
            if status == 200 && stream == &other {
                loud.insert(other.clone());
            }
        }
    }
    let load = load.await.expect("runs");
    // By messages of their own or in digests.
    let data = folder.path().join("data");
    let told = until_told(&data, &loud, PATIENCE).await;
    bot.stop();
    let muted = told.keys().filter(|stream| stream.starts_with("quiet")).count();
    let others = loud.iter().filter(|stream| told.contains_key(*stream)).count();
    took.sort();
    let quantile = |q: f64| took[((took.len() - 1) as f64 * q) as usize];
    println!(
        "{} mutes by Slack's door beside {:.0} accepted callbacks/s: in force and answered after p50 {:?}, p90 {:?}, p99 {:?}, \
         max {:?}; told although muted: {}; others told: {} of {}",
        took.len(),
        load["accepted"].as_f64().unwrap_or_default() / load["seconds"].as_f64().unwrap_or(1.0),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(1.0),
        muted,
        others,
        loud.len(),
    );
    let bound = if rate == 0 { DEADLINE } else { Duration::from_millis(100) };
    let holds = quantile(0.99) <= bound && quantile(1.0) <= DEADLINE && muted == 0 && others == loud.len();
    println!("{}", if holds { "HOLDS" } else { "DOES NOT HOLD" });
}

/// A slash command as Slack sends it.
async fn slack(client: &reqwest::Client, listen: &str, body: String) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("takes any key");
    mac.update(format!("v0:{now}:{body}").as_bytes());
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    let request = client
        .post(format!("{listen}/chat/slack/command"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-Slack-Request-Timestamp", now.to_string())
        .header("X-Slack-Signature", signature);
    let response = request.body(body).send().await.expect("answers");
    let status = response.status();
    let text = response.text().await.expect("a body");
    assert_eq!(status, 200, "{text}");
    text
}
