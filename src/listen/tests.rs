//! The listener on real sockets: what slow, silent, greedy and deaf clients get, and what others notice of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::make;
use poem::{Endpoint, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Limits, serve};
use crate::metrics::Metrics;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const SHORT: Duration = Duration::from_millis(100);
/// Nothing here takes as long, however busy the machine.
const LONG: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(endpoint: impl Endpoint + 'static, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (metrics, stop) = (Arc::new(Metrics::new()), CancellationToken::new());
        let task = tokio::spawn(serve(listener, Arc::new(endpoint), limits, metrics.clone(), stop.clone()));
        Server { address, metrics, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Whether a new connection is served; `false` if it is closed at once.
    async fn serves(&self) -> bool {
        exchange(&mut self.connect().await).await.is_some()
    }

    async fn ends(self) {
        timeout(LONG, self.task).await.expect("the server stops").unwrap();
    }
}

/// One request and its answer; `None` if the connection is closed instead.
async fn exchange(stream: &mut TcpStream) -> Option<String> {
    stream.write_all(REQUEST).await.ok()?;
    answer(stream).await
}

async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let mut part = [0; 1024];
        match timeout(LONG, stream.read(&mut part)).await.expect("an answer or an end") {
            Ok(0) | Err(_) => return None,
            Ok(n) => answer.extend_from_slice(&part[..n]),
        }
    }
    Some(String::from_utf8(answer).unwrap())
}

/// All that comes until the connection ends.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut rest = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("the connection ends");
    String::from_utf8(rest).unwrap()
}

fn done() -> impl Endpoint + 'static {
    make(|_| async { "done" })
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off_and_others_are_served_meanwhile() {
    let server = Server::start(done(), Limits { head: SHORT, ..Limits::default() }).await;
    let (mut read, mut write) = server.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        let mut tick = interval(SHORT / 10);
        for byte in b"GET / HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'y')) {
            tick.tick().await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    });
    assert!(server.serves().await);
    let said = rest(&mut read).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(server.serves().await);
    trickle.abort();
}

#[tokio::test]
async fn the_head_of_a_later_request_is_timed_too() {
    let limits = Limits { head: SHORT, idle: LONG * 10, ..Limits::default() };
    let server = Server::start(done(), limits).await;
    let mut stream = server.connect().await;
    exchange(&mut stream).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn who_never_says_anything_is_left_without_a_word() {
    let server = Server::start(done(), Limits { head: SHORT, ..Limits::default() }).await;
    assert_eq!(rest(&mut server.connect().await).await, "");
}

#[tokio::test]
async fn a_connection_may_idle_for_longer_than_a_head_may_take_but_not_for_ever() {
    let server = Server::start(done(), Limits { head: SHORT, idle: SHORT * 5, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        exchange(&mut stream).await.expect("still open");
        let mut byte = [0];
        assert!(timeout(SHORT * 2, stream.read(&mut byte)).await.is_err(), "open beyond the time for a head");
    }
    assert_eq!(rest(&mut stream).await, "", "closed without a word at last");
}

#[tokio::test]
async fn one_peer_gets_its_share_of_connections_and_the_rest_are_closed_and_counted() {
    let server = Server::start(done(), Limits { per_peer: 2, ..Limits::default() }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert!(exchange(&mut first).await.is_some() && exchange(&mut second).await.is_some());
    assert!(!server.serves().await);
    assert!(server.metrics.text().contains("pushwatch_connections_refused_total 1"));
    assert!(exchange(&mut first).await.is_some(), "the others don't notice");
    drop(first);
    while !server.serves().await {}
}

#[tokio::test]
async fn exempt_peers_are_bound_by_the_total() {
    let limits = Limits {
        per_peer: 1,
        connections: 2,
        exempt: vec!["127.0.0.0/8".parse().unwrap()].into(),
        ..Limits::default()
    };
    let server = Server::start(done(), limits).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert!(exchange(&mut first).await.is_some() && exchange(&mut second).await.is_some());
    assert!(!server.serves().await);
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_connection() {
    let flood = make(|_| async { vec![b'x'; 16 * 1024 * 1024] });
    let server = Server::start(flood, Limits { write: SHORT, connections: 1, ..Limits::default() }).await;
    let mut deaf = server.connect().await;
    deaf.write_all(REQUEST).await.unwrap();
    deaf.readable().await.unwrap();
    let freed = async {
        loop {
            let mut next = server.connect().await;
            let _ = next.write_all(REQUEST).await;
            if matches!(next.read(&mut [0; 64]).await, Ok(1..)) {
                break;
            }
        }
    };
    timeout(LONG, freed).await.expect("the only place becomes free");
}

#[tokio::test]
async fn a_head_without_end_is_refused_for_its_size() {
    let server = Server::start(done(), Limits::default()).await;
    let (mut read, mut write) = server.connect().await.into_split();
    let flood = tokio::spawn(async move {
        let _ = write.write_all(b"GET / HTTP/1.1\r\nx: ").await;
        while write.write_all(&[b'y'; 1024]).await.is_ok() {}
    });
    let said = rest(&mut read).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
    flood.await.unwrap();
}

#[tokio::test]
async fn stopping_lets_the_request_in_flight_finish_and_closes_idle_connections_at_once() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waiting = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        make(move |request: Request| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                if request.uri().path() == "/wait" {
                    begun.notify_one();
                    go_on.notified().await;
                }
                "done"
            }
        })
    };
    let server = Server::start(waiting, Limits { drain: LONG, ..Limits::default() }).await;
    let (mut busy, mut idle, mut silent) = (server.connect().await, server.connect().await, server.connect().await);
    exchange(&mut idle).await.unwrap();
    silent.write_all(b"GET").await.unwrap();
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    begun.notified().await;
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody new comes in");
    go_on.notify_one();
    assert!(answer(&mut busy).await.unwrap().contains("200 OK"));
    server.ends().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let begun = Arc::new(Notify::new());
    let stuck = {
        let begun = begun.clone();
        make(move |_| {
            begun.notify_one();
            std::future::pending::<Response>()
        })
    };
    let server = Server::start(stuck, Limits { drain: SHORT, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    server.stop.cancel();
    server.ends().await;
}

#[tokio::test]
async fn handlers_see_the_peer_and_a_request_outlives_its_caller() {
    let (begun, finished) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let endpoint = {
        let (begun, finished) = (begun.clone(), finished.clone());
        make(move |request: Request| {
            let (begun, finished) = (begun.clone(), finished.clone());
            async move {
                if request.uri().path() == "/slow" {
                    begun.notify_one();
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    finished.notify_one();
                }
                format!("{} done", request.remote_addr())
            }
        })
    };
    let server = Server::start(endpoint, Limits::default()).await;
    let mut stream = server.connect().await;
    let peer = stream.local_addr().unwrap();
    assert!(exchange(&mut stream).await.unwrap().ends_with(&format!("socket://{peer} done")));
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    begun.notified().await;
    stream.shutdown().await.unwrap();
    timeout(LONG, finished.notified()).await.expect("the handler runs to its end");
}
