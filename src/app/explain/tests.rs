//! What each rule said of a stream's callbacks, by the rules in force, from a bounded run of the journal.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::metrics::Metrics;
use crate::model::{Door, NewEntry};
use crate::store::{Settings, Shard, Sqlite, Store};

const RULES: &str = r#"
version: 1
channels: { screen: { type: console } }
defaults: { notify: [screen] }
rules:
  - { name: stall, on: push_error, types: [6], threshold: { count: 3, within: 1m }, severity: warning }
  - { name: gop, on: push_error, types: [16], severity: warning }
  - { name: down, on: push_end, severity: critical }
"#;

const SECOND: Duration = Duration::from_secs(1);

struct Server {
    dir: tempfile::TempDir,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
}

impl Server {
    fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Clock::start());
        let store = Sqlite::open(Settings::for_testing(dir.path()), Arc::clone(&clock), Arc::new(Metrics::new()));
        Server { dir, store: store.unwrap(), clock }
    }

    fn explainer(&self) -> Explainer {
        let rules = crate::rules::load(RULES, "rules.yaml", &|_| None).unwrap();
        let book = Arc::new(Rulebook::of_one(Arc::new(rules)));
        Explainer::new(self.dir.path().to_owned(), book, Arc::clone(&self.clock))
    }

    async fn explain(&self, stream: &str, last: usize) -> Result<Explanation, NotExplained> {
        self.explainer().explain(stream.to_owned(), last).await
    }

    async fn post(&self, mut body: serde_json::Value) {
        self.clock.not_before(self.clock.steady() + 5 * SECOND);
        body["data_time"] = json!(self.clock.steady().0);
        let open = Door { allow_unsigned: true, ..Door::default() };
        let (event, body) = ingest::admit(&open, body.to_string().as_bytes(), Timestamp(0)).unwrap();
        self.append(Input::Callback(Box::new(event)), body).await;
    }

    async fn append(&self, input: Input, body: Bytes) {
        self.store.append(&Shard::Engine, NewEntry { input, body }).await.unwrap();
    }
}

fn late(path: &str, stream: &str, count: u32) -> serde_json::Value {
    let detail = json!([{ "occur_time": 1, "desc": "video frame late 3046 ms" }]);
    json!({"event_type": 321, "domain": "push.example.com", "path": path, "stream_id": stream, "sequence": "9",
        "abnormal_event": [{ "type": 6, "count": count, "detail": detail }]})
}

fn outcomes(explanation: &Explanation, rule: &str) -> Vec<RuleOutcome> {
    let said = explanation.callbacks.iter().flat_map(|callback| &callback.rules).filter(|said| said.rule == rule);
    said.map(|said| said.outcome).collect()
}

#[tokio::test]
async fn each_rule_says_what_it_made_of_each_callback() {
    let server = Server::start();
    server.append(Input::RulesLoaded { hash: "x".into() }, Bytes::new()).await;
    for count in [1, 1, 2, 1] {
        server.post(late("live", "cam1", count)).await;
        server.post(late("live", "other", 1)).await;
    }
    let told = server.explain("push.example.com/live/cam1", 20).await.unwrap();
    assert_eq!(told.stream, "push.example.com/live/cam1");
    let seqs: Vec<u64> = told.callbacks.iter().map(|callback| callback.seq.0).collect();
    assert_eq!(seqs, [2, 4, 6, 8]);
    use RuleOutcome::{Counted, NoMatch, Opened, Prolonged};
    assert_eq!(outcomes(&told, "stall"), [Counted, Counted, Opened, Prolonged]);
    assert_eq!(outcomes(&told, "gop"), [NoMatch; 4]);
    let third = &told.callbacks[2];
    assert_eq!((third.kind.as_str(), &third.others), ("push_error", &vec!["down".to_owned()]));
    assert_eq!(third.rules.iter().map(|said| said.rule.as_str()).collect::<Vec<_>>(), ["stall", "gop"]);
    assert!(third.rules[0].because.ends_with("opened an incident"), "{:?}", third.rules[0]);
    assert!(third.summary.starts_with("2 × video_frames_late"), "{}", third.summary);
    assert!(told.note.contains("rules in force") && !told.note.contains("older"), "{}", told.note);
    server.store.close().await;
}

#[tokio::test]
async fn the_last_ones_are_judged_with_the_windows_that_those_before_them_filled() {
    let server = Server::start();
    for _ in 0..6 {
        server.post(late("live", "cam1", 1)).await;
    }
    let told = server.explain("cam1", 2).await.unwrap();
    assert_eq!(told.callbacks.iter().map(|callback| callback.seq.0).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(outcomes(&told, "stall"), [RuleOutcome::Prolonged; 2]);
    server.store.close().await;
}

#[tokio::test]
async fn an_id_of_several_streams_has_candidates_and_an_unknown_one_says_where_it_was_looked_for() {
    let server = Server::start();
    for path in ["live", "vod"] {
        server.post(late(path, "cam1", 1)).await;
    }
    let candidates = vec!["push.example.com/live/cam1".to_owned(), "push.example.com/vod/cam1".to_owned()];
    assert_eq!(server.explain("cam1", 20).await, Err(NotExplained::Ambiguous(candidates)));
    assert_eq!(server.explain("push.example.com/vod/cam1", 20).await.unwrap().callbacks.len(), 1);
    let Err(NotExplained::Unknown(why)) = server.explain("cam", 20).await else { panic!("cam is nobody") };
    assert!(why.contains("whole journal"), "{why}");
    server.clock.not_before(server.clock.steady() + DAY + SECOND);
    let Err(NotExplained::Unknown(why)) = server.explain("cam1", 20).await else { panic!("cam1 is a day ago") };
    assert!(why.contains("24 h back"), "{why}");
    server.store.close().await;
}

#[tokio::test]
async fn one_question_at_a_time() {
    let server = Server::start();
    let explainer = server.explainer();
    let turn = Arc::clone(&explainer.turn).acquire_owned().await.unwrap();
    assert_eq!(explainer.explain("cam1".to_owned(), 1).await, Err(NotExplained::Busy));
    drop(turn);
    assert!(matches!(explainer.explain("cam1".to_owned(), 1).await, Err(NotExplained::Unknown(_))));
    server.store.close().await;
}

#[test]
fn numbers_of_a_fresh_engines_incidents_are_not_told() {
    let told = |because, outcome| without_number(because, outcome);
    let opened = told("3 occurrences, 3 are enough: opened incident #12", RuleOutcome::Opened);
    assert_eq!(opened, "3 occurrences, 3 are enough: opened an incident");
    assert_eq!(told("4 counted: incident #1 goes on", RuleOutcome::Prolonged), "4 counted: the incident goes on");
    assert_eq!(told("not enough", RuleOutcome::Counted), "not enough");
}
