//! The real binary on real ports, and a webhook that keeps what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{IntoResponse, Server};
use tokio::sync::Notify;

/// A running `pushwatch serve`; killed when dropped.
pub(crate) struct Bot {
    child: Child,
    listen: String,
    admin: String,
    data: std::path::PathBuf,
}

impl Bot {
    /// Starts on free ports with `rules.yaml` and `data` in this folder, and waits for the line that says ready.
    pub(crate) async fn start(folder: &Path) -> Bot {
        Bot::start_at(folder, "127.0.0.1:0").await
    }

    /// As [`Bot::start`], with its callbacks at this address.
    pub(crate) async fn start_at(folder: &Path, listen: &str) -> Bot {
        let data = folder.join("data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pushwatch"))
            .arg("serve")
            .args(["--listen", listen, "--admin-listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(folder.join("rules.yaml"))
            .arg("--data-dir")
            .arg(&data)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let ready = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            line
        });
        let line = tokio::time::timeout(Duration::from_secs(30), ready).await.expect("ready in time").unwrap();
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("ready"), "{line:?}\n{}", log());
        let listen = words.next().and_then(|word| word.strip_prefix("listen=")).unwrap().to_owned();
        let admin = words.next().and_then(|word| word.strip_prefix("admin=")).unwrap().to_owned();
        Bot { child, listen, admin, data }
    }

    /// Where callbacks go.
    pub(crate) fn callback_url(&self) -> String {
        format!("{}/callback", self.listen)
    }

    /// Where operators come in.
    #[allow(dead_code, reason = "the load bench, which shares this file, has no use for it")]
    pub(crate) fn admin_url(&self) -> &str {
        &self.admin
    }

    /// An admin page's text.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        let answer = client().get(format!("{}{path}", self.admin)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What an order to the admin API is answered.
    #[allow(dead_code, reason = "the load bench shares this file and orders nothing")]
    pub(crate) async fn order(&self, path: &str) -> (u16, serde_json::Value) {
        let answer = client().post(format!("{}{path}", self.admin)).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// What is counted.
    pub(crate) async fn metrics(&self) -> String {
        self.admin("/metrics").await.1
    }

    /// What `export` prints beside the running server.
    pub(crate) fn export_text(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_pushwatch"))
            .args(["export", "--data-dir"])
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The streams of all callbacks in the journal.
    pub(crate) fn export(&self) -> Vec<String> {
        let lines = self.export_text();
        let stream = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["body"]["stream_id"].as_str().unwrap().to_owned()
        };
        lines.lines().map(stream).collect()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with short patience, so that a test that can't go on fails instead of waiting.
pub(crate) fn client() -> reqwest::Client {
    // Fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

/// The fields `sign` and `t` for a callback sent now.
pub(crate) fn signature(key: &str) -> (String, u64) {
    let t = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
    (hex::encode(Md5::digest(format!("{key}{t}"))), t)
}

/// A signed push error about a stream, as the cloud sends it.
pub(crate) fn callback(key: &str, stream: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (sign, t) = signature(key);
    let stream = serde_json::Value::from(stream);
    format!(
        r#"{{"abnormal_event":[{{"count":1,"detail":[{{"desc":"gop too large","occur_time":{now}}}],"type":16}}],
        "appid":1,"data_time":{now},"domain":"push.example.com","event_type":321,"path":"live","report_interval":5000,
        "sequence":"1","stream_id":{stream},"stream_param":"txSecret=hidden&txTime=1","sign":"{sign}","t":{t}}}"#
    )
}

/// The streams that were told, by what is on record in a data folder: by messages of their own, or by a digest that was
/// sent. Says in how many of them; a digest counts once.
#[allow(dead_code, reason = "the load bench, which shares this file, has no use for it")]
pub(crate) fn told_on_record(data: &Path) -> BTreeMap<String, usize> {
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(data.join("pushwatch.db"), read_only).unwrap();
    let mut statement = conn
        .prepare(
            "SELECT g.stream, 'row' || o.id FROM incident_groups g JOIN outbox o ON o.group_id = g.id \
             WHERE o.outcome IN ('sent', 'sent_plain') \
             UNION SELECT g.stream, 'digest' || m.digest FROM incident_groups g JOIN messages m ON m.group_id = g.id \
             JOIN outbox d ON d.digest = m.digest WHERE d.outcome IN ('sent', 'sent_plain')",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let (key, _): (String, String) = row.unwrap();
        *told.entry(key.rsplit('/').next().unwrap().to_owned()).or_default() += 1;
    }
    told
}

/// The numbers of the rows that were sent, by the record.
#[allow(dead_code, reason = "the load bench, which shares this file, has no use for it")]
pub(crate) fn sent_on_record(data: &Path) -> BTreeSet<u64> {
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(data.join("pushwatch.db"), read_only).unwrap();
    let mut statement = conn.prepare("SELECT id FROM outbox WHERE outcome IN ('sent', 'sent_plain')").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    rows.map(|id| id.unwrap().cast_unsigned()).collect()
}

/// Waits until all these streams are told on record, or its patience ends.
#[allow(dead_code, reason = "the load bench, which shares this file, has no use for it")]
pub(crate) async fn until_told(data: &Path, streams: &BTreeSet<String>, patience: Duration) -> BTreeMap<String, usize> {
    let start = Instant::now();
    loop {
        let told = told_on_record(data);
        if streams.iter().all(|stream| told.contains_key(stream)) || start.elapsed() > patience {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A webhook that answers 200 and keeps which streams it heard of.
pub(crate) struct Keeper {
    address: SocketAddr,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    streams: Mutex<BTreeMap<String, usize>>,
    first: Mutex<BTreeMap<String, Instant>>,
    bodies: Mutex<Vec<serde_json::Value>>,
    news: Notify,
}

impl Keeper {
    /// Listens on a free port.
    pub(crate) async fn start() -> Keeper {
        let heard = Arc::new(Heard::default());
        let keep = Arc::clone(&heard);
        let endpoint = make(move |mut request: poem::Request| {
            let keep = Arc::clone(&keep);
            async move {
                let body = request.take_body().into_string().await.unwrap();
                let json: serde_json::Value = serde_json::from_str(&body).unwrap();
                let stream = json["facts"]["stream"]["id"].as_str().unwrap_or_default().to_owned();
                keep.first.lock().unwrap().entry(stream.clone()).or_insert_with(Instant::now);
                *keep.streams.lock().unwrap().entry(stream).or_default() += 1;
                keep.bodies.lock().unwrap().push(json);
                keep.news.notify_waiters();
                "ok".into_response()
            }
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
        Keeper { address, heard }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it was sent this many messages in all, and returns them.
    pub(crate) async fn messages(&self, count: usize) -> Vec<serde_json::Value> {
        let enough = async {
            loop {
                let news = self.heard.news.notified();
                if self.heard.bodies.lock().unwrap().len() >= count {
                    return;
                }
                news.await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(20), enough).await;
        self.heard.bodies.lock().unwrap().clone()
    }

    /// When it first heard of each stream.
    #[allow(dead_code, reason = "for the load bench, which shares this file")]
    pub(crate) fn arrivals(&self) -> BTreeMap<String, Instant> {
        self.heard.first.lock().unwrap().clone()
    }

    /// Waits until it has heard of all these streams, or its patience ends; says how often it heard of each.
    pub(crate) async fn wait_for(&self, streams: &BTreeSet<String>, patience: Duration) -> BTreeMap<String, usize> {
        let all = async {
            loop {
                let news = self.heard.news.notified();
                if streams.iter().all(|stream| self.heard.streams.lock().unwrap().contains_key(stream)) {
                    return;
                }
                news.await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
        self.heard.streams.lock().unwrap().clone()
    }
}
