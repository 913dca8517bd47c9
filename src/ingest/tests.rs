//! The door as its callers see it: every row of the contract's table, and the documented samples.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use md5::{Digest, Md5};
use poem::http::StatusCode;
use poem::test::{TestClient, TestResponse};
use poem::{Body, Response};
use tokio::sync::watch;

use super::{Ingest, Journal, endpoint};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{CallbackOutcome, Door, Event, EventKind, Input, NewEntry, Seq, Timestamp};
use crate::store::{Appended, StoreError};

const AS_PRINTED: &str = include_str!("../../tests/fixtures/push_error_as_printed.json");
const PUSH_ERROR: &str = include_str!("../../tests/fixtures/push_error.json");
const PUSH_BEGIN: &str = include_str!("../../tests/fixtures/push_begin.json");
const PUSH_END: &str = include_str!("../../tests/fixtures/push_end.json");
const KEY: &str = "testkey";

/// Keeps in memory; knows duplicates by identity, or fails on demand.
#[derive(Default)]
struct FakeJournal {
    kept: Mutex<Vec<NewEntry>>,
    error: Mutex<Option<StoreError>>,
    stuck: AtomicUsize,
}

impl Journal for FakeJournal {
    fn append(&self, entry: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>> {
        Box::pin(async move {
            if self.stuck.load(Ordering::Relaxed) > 0 {
                std::future::pending::<()>().await;
            }
            if let Some(error) = self.error.lock().unwrap().clone() {
                return Err(error);
            }
            let mut kept = self.kept.lock().unwrap();
            if kept.iter().any(|earlier| earlier.input.id() == entry.input.id()) {
                return Ok(Appended::Duplicate);
            }
            kept.push(entry);
            Ok(Appended::New(Seq(kept.len() as u64)))
        })
    }
}

struct House {
    journal: Arc<FakeJournal>,
    metrics: Arc<Metrics>,
    clock: Arc<Clock>,
    client: TestClient<Box<dyn poem::endpoint::DynEndpoint<Output = Response>>>,
}

fn with_key() -> Door {
    Door { keys: vec![KEY.into()], ..Door::default() }
}

fn house(door: Door) -> House {
    let (journal, metrics, clock) = (Arc::<FakeJournal>::default(), Arc::new(Metrics::new()), Arc::new(Clock::start()));
    let ingest =
        Arc::new(Ingest::new(watch::channel(Arc::new(door)).1, journal.clone(), clock.clone(), metrics.clone()));
    let public: Box<dyn poem::endpoint::DynEndpoint<Output = Response>> =
        Box::new(poem::endpoint::ToDynEndpoint(endpoint(ingest)));
    House { journal, metrics, clock, client: TestClient::new(public) }
}

#[tokio::test]
async fn each_callback_is_judged_by_the_door_as_it_is_when_it_comes() {
    let (journal, metrics, clock) = (Arc::<FakeJournal>::default(), Arc::new(Metrics::new()), Arc::new(Clock::start()));
    let (door, in_force) = watch::channel(Arc::new(with_key()));
    let client = TestClient::new(endpoint(Arc::new(Ingest::new(in_force, journal, clock.clone(), metrics))));
    let body = signed(PUSH_ERROR, clock.wall().secs() + 600);
    client.post("/callback").body(body.clone()).send().await.assert_status(StatusCode::OK);
    door.send_replace(Arc::new(Door { keys: vec!["another".into()], ..Door::default() }));
    client.post("/callback").body(body.clone()).send().await.assert_status(StatusCode::FORBIDDEN);
    door.send_replace(Arc::new(Door { keys: vec!["another".into(), KEY.into()], ..Door::default() }));
    client.post("/callback").body(body.clone()).send().await.assert_status(StatusCode::OK);
    door.send_replace(Arc::new(Door { path_secret: Some("s3cret".into()), ..with_key() }));
    client.post("/callback").body(body.clone()).send().await.assert_status(StatusCode::NOT_FOUND);
    client.post("/callback/s3cret").body(body).send().await.assert_status(StatusCode::OK);
}

impl House {
    async fn post(&self, path: &str, body: impl Into<Body>) -> TestResponse {
        self.client.post(path).body(body).send().await
    }

    /// Posts to the plain path; the answer's status and body.
    async fn answer(&self, body: impl Into<Body>) -> (u16, String) {
        let response = self.post("/callback", body).await.0;
        (response.status().as_u16(), response.into_body().into_string().await.unwrap())
    }

    /// Seconds from now on the wall.
    fn at(&self, offset: i64) -> i64 {
        self.clock.wall().secs() + offset
    }

    fn only(&self) -> Event {
        let kept = self.journal.kept.lock().unwrap();
        assert_eq!(kept.len(), 1);
        match &kept[0].input {
            Input::Callback(event) => (**event).clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The outcomes counted, and nothing else.
    #[track_caller]
    fn counted(&self, expected: &[(CallbackOutcome, usize)]) {
        let text = self.metrics.text();
        for outcome in CallbackOutcome::ALL {
            let count = expected.iter().find(|(o, _)| o == outcome).map_or(0, |(_, n)| *n);
            let line = format!("pushwatch_callbacks_total{{outcome=\"{}\"}} {count}\n", outcome.as_str());
            assert!(text.contains(&line), "{line} is missing in {text}");
        }
        let all: usize = expected.iter().map(|(_, n)| n).sum();
        assert!(text.contains(&format!("pushwatch_callback_seconds_count {all}\n")), "{text}");
    }
}

/// The body with a fresh signature in place of its own.
fn signed(body: &str, t: i64) -> String {
    signed_by(KEY, body, t)
}

fn signed_by(key: &str, body: &str, t: i64) -> String {
    let mut value: serde_json::Value = serde_json::from_str(body).unwrap();
    value["t"] = t.into();
    value["sign"] = hex::encode(Md5::digest(format!("{key}{t}"))).into();
    value.to_string()
}

const OK: &str = r#"{"code":0}"#;

#[tokio::test]
async fn other_paths_are_404_and_other_methods_405_without_a_banner() {
    let open = house(with_key());
    for path in ["/", "/callbac", "/callbacks", "/callback/", "/callback/x", "/CALLBACK", "//callback", "/metrics"] {
        let response = open.post(path, "").await.0;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(response.headers().is_empty(), "{path}");
        assert_eq!(response.into_body().into_string().await.unwrap(), "");
    }
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
        let response = open.client.request(method.parse().unwrap(), "/callback").send().await;
        response.assert_status(StatusCode::METHOD_NOT_ALLOWED);
        response.assert_header("allow", "POST");
        let other = open.client.request(method.parse().unwrap(), "/other").send().await;
        other.assert_status(StatusCode::NOT_FOUND);
    }
    open.counted(&[]);
}

#[tokio::test]
async fn with_a_path_secret_the_bare_path_is_404() {
    let house = house(Door { path_secret: Some("s3cret".into()), ..with_key() });
    let body = signed(PUSH_BEGIN, house.at(600));
    for path in
        ["/callback", "/callback/", "/callback/s3cre", "/callback/s3crett", "/callback/S3CRET", "/callback/s3cret/"]
    {
        house.post(path, body.clone()).await.assert_status(StatusCode::NOT_FOUND);
    }
    house.client.get("/callback/s3cret").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
    house.post("/callback/s3cret?from=cloud", body).await.assert_status_is_ok();
    house.counted(&[(CallbackOutcome::Accepted, 1)]);
}

#[tokio::test]
async fn foreign_callers_are_refused_before_their_body_is_read() {
    let house = house(Door { sources: vec!["192.0.2.0/24".parse().unwrap()], ..with_key() });
    let (status, answer) = house.answer("not even JSON").await;
    assert_eq!((status, answer.contains("\"code\":403")), (403, true));
    house.counted(&[(CallbackOutcome::Foreign, 1)]);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let house = house(Door { max_body: 1000, ..with_key() });
    assert_eq!(house.answer("x".repeat(1001)).await.0, 413);
    let (status, answer) = house.answer("x".repeat(1000)).await;
    assert_eq!(status, 400, "1000 bytes are read: {answer}");
    let announced = house.client.post("/callback").header("content-length", "99999999999").body("").send().await;
    announced.assert_status(StatusCode::PAYLOAD_TOO_LARGE);
    house.counted(&[(CallbackOutcome::Oversized, 2), (CallbackOutcome::Malformed, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_408() {
    let house = house(with_key());
    let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let (status, answer) = house.answer(Body::from_bytes_stream(never)).await;
    assert_eq!((status, answer.as_str()), (408, r#"{"code":408,"error":"the body did not arrive within 10 s"}"#));
    house.counted(&[(CallbackOutcome::Slow, 1)]);
}

#[tokio::test]
async fn the_sample_as_printed_is_400_and_names_the_place_of_the_missing_comma() {
    let house = house(with_key());
    let column = AS_PRINTED.find(r#""1.1.1.1""data_time""#).unwrap() + r#""1.1.1.1""#.len() + 1;
    let (status, answer) = house.answer(AS_PRINTED).await;
    assert_eq!(status, 400);
    let expected = format!(r#"{{"code":400,"error":"not JSON: expected `,` or `}}` at line 1 column {column}"}}"#);
    assert_eq!(answer, expected);
    house.counted(&[(CallbackOutcome::Malformed, 1)]);
}

#[tokio::test]
async fn what_is_no_callback_is_400() {
    let house = house(with_key());
    let bodies: [&[u8]; 8] =
        [b"", b"[]", b"{", b"null", b"{\"\xff\":1}", b"{}", b"{\"event_type\":[]}", b"{\"event_type\":1,\"t\":{}}"];
    for body in bodies {
        let (status, answer) = house.answer(body.to_vec()).await;
        assert_eq!((status, answer.starts_with(r#"{"code":400,"error":""#)), (400, true), "{answer}");
    }
    house.counted(&[(CallbackOutcome::Malformed, 8)]);
}

#[tokio::test]
async fn unsigned_is_401_and_says_what_to_set_where() {
    let house = house(with_key());
    for body in [r#"{"event_type":321}"#, r#"{"event_type":321,"t":1}"#, r#"{"event_type":321,"sign":"x","t":null}"#] {
        let (status, answer) = house.answer(body).await;
        assert_eq!(status, 401);
        assert!(answer.contains("callback key") && answer.contains("console"), "{answer}");
    }
    house.counted(&[(CallbackOutcome::Unsigned, 3)]);
}

#[tokio::test]
async fn listed_types_and_keyless_doors_take_unsigned_ones() {
    let listed = house(Door { unsigned_events: vec![314], path_secret: Some("s".into()), ..with_key() });
    listed.post("/callback/s", r#"{"event_type":314,"stream_id":"a"}"#).await.assert_text(OK).await;
    listed.post("/callback/s", r#"{"event_type":321}"#).await.assert_status(StatusCode::UNAUTHORIZED);
    listed.counted(&[(CallbackOutcome::Accepted, 1), (CallbackOutcome::Unsigned, 1)]);
    let open = house(Door { allow_unsigned: true, ..Door::default() });
    assert_eq!(open.answer(PUSH_ERROR).await, (200, OK.to_owned()), "nothing to verify its old signature with");
    open.counted(&[(CallbackOutcome::Accepted, 1)]);
}

#[tokio::test]
async fn wrong_and_expired_signatures_are_403() {
    let house = house(with_key());
    let forged = signed_by("another key", PUSH_ERROR, house.at(600));
    for body in [forged, signed(PUSH_ERROR, house.at(-70)), signed(PUSH_ERROR, house.at(1900))] {
        let (status, answer) = house.answer(body).await;
        assert_eq!((status, answer.starts_with(r#"{"code":403,"error":""#)), (403, true), "{answer}");
    }
    house.counted(&[(CallbackOutcome::BadSignature, 1), (CallbackOutcome::Expired, 2)]);
    assert!(house.journal.kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_sample_with_its_comma_and_a_fresh_signature_is_accepted_with_all_its_values() {
    let house = house(with_key());
    assert_eq!(house.answer(signed(PUSH_ERROR, house.at(600))).await, (200, OK.to_owned()));
    let event = house.only();
    assert_eq!(event.kind, EventKind::PushError);
    assert_eq!(event.stream.full(), "example.push.com/live/teststream");
    assert_eq!(event.session.as_deref(), Some("000000000000000000"));
    assert_eq!((event.appid.as_deref(), event.user_ip.as_deref()), (Some("12345678"), Some("1.1.1.1")));
    assert_eq!(event.happened_at, Some(Timestamp(1_670_588_074_971)));
    assert_eq!(event.report_interval, Some(5000));
    assert_eq!(event.unreadable, None);
    let found: Vec<_> = event
        .abnormal
        .iter()
        .flat_map(|a| a.details.iter().map(move |d| (a.kind.0, a.count, d.at.unwrap().0, d.value.unwrap())))
        .collect();
    let expected = [
        (6, 2, 1_670_588_070_569, 3046.0),
        (6, 2, 1_670_588_073_522, 2953.0),
        (7, 2, 1_670_588_070_532, 3009.0),
        (7, 2, 1_670_588_073_486, 2917.0),
    ];
    assert_eq!(found, expected);
    house.counted(&[(CallbackOutcome::Accepted, 1)]);
    assert!(house.metrics.text().contains("pushwatch_events_total{kind=\"push_error\"} 1"));
}

#[tokio::test]
async fn the_journals_copy_has_everything_but_the_signature_and_secrets() {
    let house = house(with_key());
    house.answer(signed(PUSH_ERROR, house.at(600))).await;
    let mut expected: serde_json::Value = serde_json::from_str(PUSH_ERROR).unwrap();
    expected.as_object_mut().unwrap().retain(|key, _| key != "t" && key != "sign");
    expected["stream_param"] = "stream_param=***".into();
    let kept = house.journal.kept.lock().unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept[0].body).unwrap(), expected);
}

#[tokio::test]
async fn a_retry_is_answered_200_and_does_nothing() {
    let house = house(with_key());
    assert_eq!(house.answer(signed(PUSH_END, house.at(600))).await, (200, OK.to_owned()));
    assert_eq!(house.answer(signed(PUSH_END, house.at(660))).await, (200, OK.to_owned()), "signed anew");
    house.only();
    house.counted(&[(CallbackOutcome::Accepted, 1), (CallbackOutcome::Duplicate, 1)]);
    assert!(house.metrics.text().contains("pushwatch_events_total{kind=\"push_end\"} 1"));
}

#[tokio::test]
async fn one_signature_may_serve_two_callbacks() {
    let house = house(with_key());
    let t = house.at(600);
    house.answer(signed(PUSH_BEGIN, t)).await;
    house.answer(signed(PUSH_END, t)).await;
    house.counted(&[(CallbackOutcome::Accepted, 2)]);
}

#[tokio::test]
async fn unreadable_fields_are_journaled_and_unknown_types_accepted() {
    let house = house(with_key());
    let body = r#"{"event_type":321,"stream_id":"a","abnormal_event":5,"appid":{}}"#;
    assert_eq!(house.answer(signed(body, house.at(600))).await, (200, OK.to_owned()));
    let event = house.only();
    assert_eq!(event.unreadable.as_deref(), Some("appid: not text; abnormal_event: not a list"));
    assert_eq!((event.kind, event.abnormal.len(), event.stream.stream()), (EventKind::PushError, 0, "a"));
    let unknown = signed(r#"{"event_type":99999,"x":{"y":[]}}"#, house.at(600));
    assert_eq!(house.answer(unknown).await, (200, OK.to_owned()));
    house.counted(&[(CallbackOutcome::Unreadable, 1), (CallbackOutcome::Accepted, 1)]);
    assert!(house.metrics.text().contains("pushwatch_events_total{kind=\"unknown\"} 1"));
}

#[tokio::test]
async fn what_cannot_be_kept_is_503_with_a_time_to_come_again() {
    for error in [StoreError::Overloaded("queue full".into()), StoreError::Closed, StoreError::Failed("disk".into())] {
        let house = house(with_key());
        *house.journal.error.lock().unwrap() = Some(error);
        let response = house.post("/callback", signed(PUSH_ERROR, house.at(600))).await;
        response.assert_status(StatusCode::SERVICE_UNAVAILABLE);
        response.assert_header("retry-after", "5");
        let answer = response.0.into_body().into_string().await.unwrap();
        assert!(answer.starts_with(r#"{"code":503,"error":""#) && !answer.contains("disk"), "{answer}");
        house.counted(&[(CallbackOutcome::Overloaded, 1)]);
        assert!(!house.metrics.text().contains("pushwatch_events_total{"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_before_the_commit_is_counted_once() {
    let house = house(with_key());
    house.journal.stuck.store(1, Ordering::Relaxed);
    let body = signed(PUSH_ERROR, house.at(600));
    let answer = tokio::time::timeout(std::time::Duration::from_secs(1), house.answer(body)).await;
    assert!(answer.is_err());
    house.counted(&[(CallbackOutcome::Overloaded, 1)]);
}

#[tokio::test]
async fn no_answer_or_kept_entry_holds_a_secret() {
    let house = house(with_key());
    let body = r#"{"event_type":0,"stream_id":"s?txSecret=5ecre7","errmsg":"bad txSecret=5ecre7","node":"txSecret%3D5ecre7",
        "stream_param":"txSecret=5ecre7&token=5ecre7"}"#;
    assert_eq!(house.answer(signed(body, house.at(600))).await.0, 200);
    let kept = house.journal.kept.lock().unwrap();
    assert!(!String::from_utf8_lossy(&kept[0].body).contains("5ecre7"));
    assert!(!format!("{:?}", kept[0]).contains("5ecre7"), "neither in the event");
    assert!(kept[0].input.id().is_some());
}

#[tokio::test]
async fn over_a_socket_sources_are_judged_through_trusted_proxies() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let nets = |net: &str| vec![net.parse().unwrap()];
    let door = Door { sources: nets("192.0.2.0/24"), trusted_proxies: nets("127.0.0.0/8"), ..with_key() };
    let (journal, metrics, clock) = (Arc::<FakeJournal>::default(), Arc::new(Metrics::new()), Arc::new(Clock::start()));
    let ingest = Arc::new(Ingest::new(watch::channel(Arc::new(door)).1, journal, clock.clone(), metrics.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let limits = crate::listen::Limits::default();
    tokio::spawn(crate::listen::serve(listener, Arc::new(endpoint(ingest)), limits, metrics.clone(), stop.clone()));
    let body = signed(PUSH_ERROR, clock.wall().secs() + 600);
    for (forwarded, status) in [
        ("x-forwarded-for: 192.0.2.7\r\n", "200"),
        ("x-forwarded-for: 6.6.6.6\r\nx-forwarded-for: 192.0.2.7, 127.0.0.9\r\n", "200"),
        ("x-forwarded-for: 192.0.2.7, 6.6.6.6\r\n", "403"),
        ("x-forwarded-for: 192.0.2.7\r\nx-forwarded-for: \u{fc}\r\n", "403"),
        ("", "403"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST /callback HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{forwarded}content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{forwarded}: {answer}");
        assert!(!answer.to_lowercase().contains("server:"), "no banner: {answer}");
    }
    stop.cancel();
}
