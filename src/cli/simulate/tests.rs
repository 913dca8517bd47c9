//! The whole of `simulate` against a real server that records what it gets.

use std::sync::Mutex;

use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{Endpoint, Request, Response, Server};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Answers each request by what `answer` makes of its body, and remembers the bodies.
struct Cloudside {
    seen: Arc<Mutex<Vec<Value>>>,
    answer: fn(&Value) -> u16,
}

impl Endpoint for Cloudside {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        assert_eq!(request.uri().path(), "/callback/s3cret");
        assert_eq!(request.header("content-type"), Some("application/json"));
        let body: Value = serde_json::from_slice(&request.take_body().into_vec().await?).unwrap();
        let status = poem::http::StatusCode::from_u16((self.answer)(&body)).unwrap();
        self.seen.lock().unwrap().push(body);
        Ok(Response::builder().status(status).body("{\"code\":0}"))
    }
}

/// Starts the server and returns the address to post to.
async fn serve(answer: fn(&Value) -> u16) -> (String, Arc<Mutex<Vec<Value>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].as_socket_addr().unwrap().to_owned();
    let endpoint = Cloudside { seen: Arc::clone(&seen), answer };
    tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
    (format!("http://{address}/callback/s3cret"), seen)
}

async fn run_of(url: &str, scenario: Scenario, count: u64) -> Run {
    Run {
        target: Target::find(url, Reach::ThisMachine).await.unwrap(),
        cast: scenario.cast(),
        plan: scenario::plan(scenario, 1, 5, Duration::from_secs(30)),
        pace: Pace::Unbounded,
        duration: Duration::from_secs(30),
        count,
        connections: 4,
        key: Some(SecretString::from("testkey".to_owned())),
        record: None,
        stop: CancellationToken::new(),
    }
}

async fn send(run: Run) -> (Result<(), RunError>, tally::Counts) {
    let tally = Arc::new(Tally::default());
    let outcome = sender::send(run, Arc::new(Clock::start()), Arc::clone(&tally)).await;
    let counts = tally.lock().clone();
    (outcome, counts)
}

#[tokio::test]
async fn all_that_is_sent_is_signed_fresh_and_unique() {
    let (url, seen) = serve(|_| 200).await;
    let (outcome, counts) = send(run_of(&url, Scenario::Steady, 500).await).await;
    outcome.unwrap();
    assert_eq!((counts.sent, counts.accepted, counts.failed, counts.refusals()), (500, 500, 0, 0));
    assert!(counts.latencies.quantile(0.5) > Duration::ZERO);
    let now = Clock::start().wall().secs();
    let mut identities = std::collections::BTreeSet::new();
    for mut body in seen.lock().unwrap().drain(..) {
        let body = body.as_object_mut().unwrap();
        let t = body.remove("t").unwrap().as_i64().unwrap();
        assert!((now + 570..=now + 600).contains(&t), "{t}");
        let mut wanted = Vec::new();
        signer::Signer::new(Some(SecretString::from("testkey".to_owned())))
            .close(&mut wanted, crate::model::Timestamp::from_secs(t - 600));
        let sign = body.remove("sign").unwrap();
        assert!(String::from_utf8(wanted).unwrap().contains(sign.as_str().unwrap()));
        identities.insert(format!("{body:?}"));
    }
    assert_eq!(identities.len(), 500);
}

#[tokio::test]
async fn refusals_are_counted_by_status_and_do_not_end_the_run() {
    let (url, _) = serve(|body| if body["stream_id"] == "cam-1" { 403 } else { 200 }).await;
    let (outcome, counts) = send(run_of(&url, Scenario::Steady, 50).await).await;
    outcome.unwrap();
    assert_eq!((counts.accepted, counts.refused.get(&403)), (40, Some(&10)));
}

#[tokio::test]
async fn a_story_sent_in_one_go_lies_in_the_past_and_the_file_says_what_was_sent() {
    let (url, seen) = serve(|_| 200).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.jsonl");
    let mut run = run_of(&url, Scenario::Gop, u64::MAX).await;
    run.record = Some(Record::create(&path).unwrap());
    let (outcome, counts) = send(run).await;
    outcome.unwrap();
    assert_eq!(counts.accepted, 5 * 6);
    let now = Clock::start().wall().0;
    assert!(seen.lock().unwrap().iter().all(|body| body["data_time"].as_i64().unwrap() <= now));
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["answer"] == 200).count(), 30);
    assert_eq!(lines.iter().filter(|line| line["truth"]["types"] == json!(["gop_too_large"])).count(), 5);
    assert_eq!(lines.len(), 35);
}

#[tokio::test]
async fn the_sample_is_sent_once_to_the_letter() {
    let (url, seen) = serve(|_| 200).await;
    let (outcome, counts) = send(run_of(&url, Scenario::Sample, u64::MAX).await).await;
    outcome.unwrap();
    assert_eq!(counts.sent, 1);
    let body = seen.lock().unwrap().remove(0);
    assert_eq!(body["stream_id"], "teststream");
    assert_eq!(body["data_time"], 1_670_588_074_971_i64);
    assert_eq!(
        body["abnormal_event"][1]["detail"][1]["desc"],
        "audio frame arrive interval too long, interval=2917(msec)"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so_without_the_path() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let (outcome, counts) = send(run_of(&format!("http://{address}/callback/s3cret"), Scenario::Gop, 1).await).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, RunError::Unreachable(_)));
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert_eq!(counts.sent, 0);
}

#[tokio::test]
async fn a_stopped_run_ends_although_its_plan_goes_on() {
    let (url, _) = serve(|_| 200).await;
    let mut run = run_of(&url, Scenario::Gop, u64::MAX).await;
    run.pace = Pace::Own;
    run.stop.cancel();
    let (outcome, counts) = send(run).await;
    outcome.unwrap();
    assert_eq!(counts.sent, 0);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_nothing_was_said_costs_no_callback() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callback/s3cret", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.unwrap() > 0 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        }
    });
    let mut run = run_of(&url, Scenario::Gop, 4).await;
    (run.pace, run.connections) = (Pace::Rate(20.0), 1);
    let (outcome, counts) = send(run).await;
    outcome.unwrap();
    assert_eq!((counts.accepted, counts.failed), (4, 0));
}
