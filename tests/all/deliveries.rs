//! What an operator sees and does about a channel that fails: the real binary, its commands, and a webhook that can refuse.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::endpoint::make;
use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{Response, Server};
use serde_json::Value;

use crate::bot::{Bot, Keeper, callback, client};

const KEY: &str = "deliverieskey";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook whose answer can be changed.
struct Gate {
    address: std::net::SocketAddr,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Gate {
    async fn start(status: u16) -> Gate {
        let (status, taken) = (Arc::new(AtomicU16::new(status)), Arc::new(Mutex::new(Vec::new())));
        let (answer, keep) = (Arc::clone(&status), Arc::clone(&taken));
        let endpoint = make(move |mut request: poem::Request| {
            let (answer, keep) = (Arc::clone(&answer), Arc::clone(&keep));
            async move {
                let body = request.take_body().into_string().await.unwrap();
                let status = StatusCode::from_u16(answer.load(Ordering::Relaxed)).unwrap();
                if status.is_success() {
                    keep.lock().unwrap().push(serde_json::from_str(&body).unwrap());
                }
                Response::builder().status(status).body("no")
            }
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        Gate { address, status, taken }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn has(&self, stream: &str) -> bool {
        self.taken.lock().unwrap().iter().any(|body| body["facts"]["stream"]["id"] == stream)
    }
}

/// How a command ended, and what it printed.
async fn command(folder: &Path, server: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    command.args(arguments).args(["--server", server]).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        while !holds().await {
            again.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "in vain: {what}");
}

async fn report(bot: &Bot, stream: &str) {
    let answer = client().post(bot.callback_url()).body(callback(KEY, stream)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

fn items(listed: &str) -> Vec<Value> {
    let listed: Value = serde_json::from_str(listed).unwrap();
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_channel_that_refuses_is_parked_seen_tested_mended_and_what_was_given_up_is_sent_anew() {
    let (gate, keeper, folder) = (Gate::start(302).await, Keeper::start().await, tempfile::tempdir().unwrap());
    let rules = format!(
        "version: 1\ntencent: {{ keys: [{KEY}] }}\nchannels:\n\
         \x20 ops: {{ type: webhook, url: \"http://{}/hook/hunter2hunter2\", fallback: oncall }}\n\
         \x20 oncall: {{ type: webhook, url: \"http://{}/hook\" }}\n\
         defaults: {{ notify: [ops] }}\nrules: [ {{ name: gop, on: push_error, types: [16] }} ]\n",
        gate.address,
        keeper.address()
    );
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let bot = Bot::start(folder.path()).await;
    let (folder, server) = (folder.path(), bot.admin_url().to_owned());
    let run = async |arguments: &[&str]| command(folder, &server, arguments).await;

    report(&bot, "cam1").await;
    let told = keeper.messages(1).await;
    assert_eq!((told.len(), &told[0]["reason"]), (1, &Value::from("notice")));
    assert!(told[0].to_string().contains("cannot be reached"), "{told:?}");
    let (status, ready) = bot.admin("/readyz").await;
    let shown: Value = serde_json::from_str(&ready).unwrap();
    let parked = shown["warnings"]["channels_parked"].as_str().unwrap_or_default();
    assert!(status == 200 && parked.starts_with("ops refuses every message"), "{ready}");

    let (exit, said, _) = run(&["notify", "ops"]).await;
    assert!(exit == 1 && said.contains("not sent") && said.contains("302") && said.contains("`headers`"), "{said}");
    let (exit, _, why) = run(&["notify", "opps"]).await;
    assert!(exit == 1 && why.contains("it has: oncall, ops"), "{why}");
    let (exit, listed, _) = run(&["deliveries", "--state", "pending", "--channel", "ops"]).await;
    assert!(exit == 0 && listed.contains("cam1") && listed.contains("302"), "{listed}");

    gate.answers(200);
    let (exit, said, _) = run(&["notify", "ops", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((exit, &said["sent"], &said["answer"]), (0, &Value::from(true), &Value::from("sent")));
    until("what waited is told", async || gate.has("cam1")).await;
    assert!(keeper.messages(2).await[1].to_string().contains("works again"));
    until("nothing is shown as parked", async || !bot.admin("/readyz").await.1.contains("channels_parked")).await;

    gate.answers(413);
    report(&bot, "cam2").await;
    until("a dead letter", async || items(&run(&["deliveries", "--dead", "--output", "json"]).await.1).len() == 1)
        .await;
    assert!(bot.metrics().await.contains(r#"pushwatch_outbox_rows{channel="ops",state="dead"} 1"#));
    let dead = items(&run(&["deliveries", "--dead", "--output", "json"]).await.1).remove(0);
    let id = dead["id"].to_string();
    assert_eq!((&dead["outcome"], &dead["news"]), (&Value::from("dead"), &Value::from("opened")));
    gate.answers(200);
    let (exit, said, _) = run(&["retry", &id]).await;
    assert_eq!((exit, said.as_str()), (0, "1 delivery is on its way again\n"));
    until("it is told after all", async || gate.has("cam2")).await;
    let (exit, listed, _) = run(&["deliveries", "--dead"]).await;
    assert_eq!((exit, listed.as_str()), (0, "none\n"));
    let (exit, _, why) = run(&["retry", &id]).await;
    assert!(exit == 1 && why.contains("only what was given up"), "{why}");
    let (exit, said, _) = run(&["retry", "--channel", "ops"]).await;
    assert_eq!((exit, said.as_str()), (0, "nothing was given up there\n"));

    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert!(log.contains("refuses every message") && !log.contains("hunter2"), "{log}");
    bot.stop();
    let (exit, _, why) = run(&["deliveries"]).await;
    assert!(exit == 3 && why.contains("can't be reached"), "{why}");
    let (exit, said, _) = run(&["notify", "ops"]).await;
    assert!(exit == 0 && said.contains("no server could be reached"), "{said}");
}
