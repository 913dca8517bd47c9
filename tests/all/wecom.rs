//! WeCom's app from end to end, by the real binary: it is told by a card, somebody clicks, writes, and is answered. The
//! calls are sealed here by the published scheme alone, not by the code that opens them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aes::Aes256;
use base64::Engine as _;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{IntoResponse, Server};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio::sync::Notify;

use crate::bot::{Bot, callback, client};

const KEY: &str = "wecomkey";
const TOKEN: &str = "QDG6eK";
const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const CORP: &str = "ww1";

/// qyapi.weixin.qq.com: gives a token and takes what is sent.
#[derive(Clone, Default)]
struct Api(Arc<(Mutex<Vec<Value>>, Notify)>);

impl Api {
    async fn start() -> (Api, String) {
        let api = Api::default();
        let kept = api.clone();
        let endpoint = make(move |mut request: poem::Request| {
            let kept = kept.clone();
            async move {
                if request.uri().path().ends_with("/gettoken") {
                    return json!({ "errcode": 0, "access_token": "tok", "expires_in": 7200 })
                        .to_string()
                        .into_response();
                }
                let body = request.take_body().into_string().await.unwrap();
                kept.0.0.lock().unwrap().push(serde_json::from_str(&body).unwrap());
                kept.0.1.notify_waiters();
                json!({ "errcode": 0, "errmsg": "ok", "msgid": "m" }).to_string().into_response()
            }
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        (api, url)
    }

    /// All that was sent, once it is so much.
    async fn sent(&self, count: usize) -> Vec<Value> {
        let enough = async {
            loop {
                let more = self.0.1.notified();
                if self.0.0.lock().unwrap().len() >= count {
                    return;
                }
                more.await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(20), enough).await;
        let sent = self.0.0.lock().unwrap().clone();
        assert_eq!(sent.len(), count, "{sent:?}");
        sent
    }
}

async fn house() -> (Api, tempfile::TempDir, Bot) {
    let ((api, url), folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels:\n  ops: {{ type: wecom, corp_id: {CORP}, agent_id: 7, \
         secret: s, to: [ann, bob], callback_token: {TOKEN}, encoding_aes_key: {AES_KEY}, allow: [ann], \
         api_url: \"{url}\" }}\ndefaults: {{ notify: [ops] }}\n\
         rules:\n  - {{ name: gop, on: push_error, types: [16], severity: critical }}\n"
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let bot = Bot::start(folder.path()).await;
    (api, folder, bot)
}

fn key() -> ([u8; 32], [u8; 16]) {
    let config = base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let lax = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let key: [u8; 32] = lax.decode(format!("{AES_KEY}=")).unwrap().try_into().unwrap();
    (key, key[..16].try_into().unwrap())
}

fn seal(text: &str) -> (String, String) {
    let mut plain = b"0123456789abcdef".to_vec();
    plain.extend((text.len() as u32).to_be_bytes());
    plain.extend(text.as_bytes());
    plain.extend(CORP.as_bytes());
    let missing = 32 - plain.len() % 32;
    plain.extend(vec![missing as u8; missing]);
    let (key, iv) = key();
    let cbc = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
    let encrypted = base64::prelude::BASE64_STANDARD.encode(cbc.encrypt_padded_vec::<NoPadding>(&plain));
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let signature = sign(&at, "n1", &encrypted);
    (format!("msg_signature={signature}&timestamp={at}&nonce=n1"), encrypted)
}

fn sign(at: &str, nonce: &str, encrypted: &str) -> String {
    let mut parts = [TOKEN, at, nonce, encrypted];
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

fn part<'x>(xml: &'x str, name: &str) -> &'x str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
    let text = rest.split_once(&format!("</{name}>")).unwrap().0;
    text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text)
}

fn open(envelope: &str) -> String {
    let [encrypted, signature, at, nonce] =
        ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"].map(|name| part(envelope, name));
    assert_eq!(sign(at, nonce, encrypted), signature);
    let (key, iv) = key();
    let cipher = base64::prelude::BASE64_STANDARD.decode(encrypted).unwrap();
    let plain =
        cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into()).decrypt_padded_vec::<NoPadding>(&cipher).unwrap();
    let length = u32::from_be_bytes(plain[16..20].try_into().unwrap()) as usize;
    assert!(plain[20 + length..].starts_with(CORP.as_bytes()));
    String::from_utf8(plain[20..20 + length].to_vec()).unwrap()
}

/// What WeCom is answered when somebody does something; decrypted, if it is not nothing.
async fn bring(bot: &Bot, from: &str, inside: &str) -> String {
    let letter = format!(
        "<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
         <CreateTime>1700000000</CreateTime>{inside}<AgentID>7</AgentID></xml>"
    );
    let (query, encrypted) = seal(&letter);
    let url = format!("{}?{query}", bot.callback_url().replace("/callback", "/chat/wecom/ops"));
    let body = format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
    let answer = client().post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    match answer.text().await.unwrap() {
        nothing if nothing.is_empty() => nothing,
        envelope => open(&envelope),
    }
}

async fn say(bot: &Bot, from: &str, words: &str) -> String {
    let id: u64 = fastrand::u64(..);
    let text = format!("<MsgType>text</MsgType><Content><![CDATA[{words}]]></Content><MsgId>{id}</MsgId>");
    part(&bring(bot, from, &text).await, "Content").to_owned()
}

async fn click(bot: &Bot, from: &str, key: &str, task: &str) -> String {
    let inside = format!(
        "<MsgType>event</MsgType><Event>template_card_event</Event><EventKey>{key}</EventKey><TaskId>{task}</TaskId>\
         <CardType>button_interaction</CardType><ResponseCode>rc</ResponseCode>"
    );
    bring(bot, from, &inside).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_told_by_a_card_whose_buttons_do_what_they_say_and_show_what_was_done() {
    let (api, _folder, bot) = house().await;
    let answer = client().post(bot.callback_url()).body(callback(KEY, "cam1")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let told = api.sent(1).await.remove(0);
    let card = &told["template_card"];
    assert_eq!(
        (&told["msgtype"], &told["touser"], &told["agentid"]),
        (&json!("template_card"), &json!("ann|bob"), &json!(7))
    );
    assert!(card["main_title"]["title"].as_str().unwrap().starts_with("🔴 cam1"), "{card}");
    let keys: Vec<&str> = card["button_list"].as_array().unwrap().iter().map(|b| b["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["mute:1", "ack:1", "details:1"]);
    let task = card["task_id"].as_str().unwrap();

    // Bob may not, and his click changes nothing.
    assert_eq!(click(&bot, "bob", "ack:1", task).await, "");
    let refused = api.sent(2).await.remove(1);
    assert!(refused["touser"] == "bob" && refused["text"]["content"].as_str().unwrap().contains("bob"), "{refused}");

    let shown = click(&bot, "ann", "ack:1", task).await;
    assert_eq!((part(&shown, "MsgType"), part(&shown, "ToUserName")), ("update_template_card", "ann"));
    assert!(part(&shown, "SubTitleText").starts_with("ann has it since "), "{shown}");
    assert!(!shown.contains("ack:1") && shown.contains("mute:1") && shown.contains("details:1"), "{shown}");
    assert_eq!(part(&shown, "TaskId"), task);
    let said = api.sent(3).await.remove(2);
    assert!(
        said["touser"] == "ann" && said["text"]["content"].as_str().unwrap().contains("no more reminders"),
        "{said}"
    );
    assert_eq!(said["toparty"], Value::Null, "nobody else hears it");

    // A double click: the same event, brought twice.
    assert_eq!(click(&bot, "ann", "ack:1", task).await, shown);
    let muted = click(&bot, "ann", "mute:1", task).await;
    assert!(part(&muted, "SubTitleText").contains("muted until"), "{muted}");
    api.sent(4).await;
    assert!(say(&bot, "ann", "mutes").await.contains("#1"));
    let (_, audit) = bot.admin("/api/v1/audit").await;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let done: Vec<String> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|item| {
            format!(
                "{} {} {}",
                item["who"].as_str().unwrap(),
                item["what"].as_str().unwrap(),
                item["verdict"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(done, ["bob button ack:1 refused", "ann button ack:1 done", "ann button mute:1 done", "ann mutes done"]);
    bot.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_followed_is_not_followed_again_after_a_restart() {
    let (_api, folder, bot) = house().await;
    let letter = "<MsgType>text</MsgType><Content>静音 cam1 2小时 检修</Content><MsgId>1</MsgId>";
    let said = bring(&bot, "ann", letter).await;
    assert!(part(&said, "Content").contains("#1"), "{said}");
    assert!(say(&bot, "ann", "取消静音 1").await.contains("lifted"));
    bot.kill();
    let bot = Bot::start(folder.path()).await;
    assert_eq!(bring(&bot, "ann", letter).await, "");
    assert!(say(&bot, "ann", "静音列表").await.contains("Nothing is muted"));
    assert!(say(&bot, "eve", "静音 cam1 2h").await.contains("eve"));
    assert!(say(&bot, "ann", "mutes").await.contains("Nothing is muted"));
    let metrics = bot.metrics().await;
    let counted = |outcome: &str| {
        let line = format!("pushwatch_chat_commands_total{{platform=\"wecom\",outcome=\"{outcome}\"}} ");
        metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap_or("0").to_owned()
    };
    assert_eq!([counted("done"), counted("forbidden"), counted("ignored"), counted("forged")], ["2", "1", "1", "0"]);
    bot.stop();
}
