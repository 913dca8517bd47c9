//! One connection: hyper's HTTP/1 on a stream that keeps an eye on the time.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::Limits;

/// Said to a caller whose head does not come to an end.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves one connection to its end. After `stop` it closes if it is idle, else it has [`Limits::drain`] to finish.
pub(super) async fn drive<E>(
    stream: TcpStream,
    peer: SocketAddr,
    endpoint: Arc<E>,
    limits: &Limits,
    stop: CancellationToken,
) -> Result<(), hyper::Error>
where
    E: Endpoint + 'static,
{
    // Without it small answers may wait for the acknowledgement of the ones before. Failing costs only speed.
    let _ = stream.set_nodelay(true);
    let local = LocalAddr(stream.local_addr().map(Addr::socket).unwrap_or_default());
    let remote = RemoteAddr(Addr::socket(peer));
    let turn = Arc::new(Turn::default());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        turn.set(Turn::OURS);
        let response = endpoint.get_response((request, local.clone(), remote.clone(), Scheme::HTTP).into());
        let turn = &turn;
        async move {
            let response = response.await;
            turn.set(Turn::NOBODYS);
            Ok::<hyper::Response<_>, Infallible>(response.into())
        }
    });
    let connection = http1::Builder::new()
        // Ours tells a slow head from an idle connection, hyper's does not.
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes.max(Limits::LEAST_HEAD_BYTES))
        // A caller who hangs up does not undo what a handler has begun.
        .half_close(true)
        .serve_connection(TokioIo::new(Watched::new(stream, turn.clone(), limits)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // The connection first: what has arrived when we stop is still taken.
        biased;
        ended = connection.as_mut() => return ended,
        () = stop.cancelled() => {}
    }
    if turn.get() == Turn::CALLERS {
        return Ok(());
    }
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(limits.drain, connection).await.unwrap_or(Ok(()))
}

/// Whose turn it is on a connection: told by the service, read by the stream.
#[derive(Debug, Default)]
struct Turn(AtomicU8);

impl Turn {
    /// The caller has begun a head, or has just connected.
    const CALLERS: u8 = 0;
    /// A handler is at work and sees to its own time, the body's too.
    const OURS: u8 = 1;
    /// Between requests.
    const NOBODYS: u8 = 2;

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, turn: u8) {
        self.0.store(turn, Ordering::Relaxed);
    }
}

/// What the read timer is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Armed {
    No,
    Head,
    Idle,
}

/// A stream that ends when a head takes too long, nothing happens for too long, or nobody reads what is written.
///
/// Arming a timer costs a lock, so a request that arrives in one piece never does: the idle timer set once goes on
/// over any number of requests, and when it rings it is set anew if there has been one since.
struct Watched {
    stream: TcpStream,
    turn: Arc<Turn>,
    head: Duration,
    idle: Duration,
    write: Duration,
    armed: Armed,
    /// Bytes came since the timer was armed.
    heard: bool,
    /// Bytes came at all: who never said anything is not answered.
    ever_heard: bool,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn new(stream: TcpStream, turn: Arc<Turn>, limits: &Limits) -> Watched {
        Watched {
            stream,
            turn,
            head: limits.head,
            idle: limits.idle,
            write: limits.write,
            armed: Armed::No,
            heard: false,
            ever_heard: false,
            read_timer: Box::pin(tokio::time::sleep(limits.head)),
            write_timer: None,
        }
    }

    fn arm(&mut self, armed: Armed, time: Duration) {
        self.armed = armed;
        self.heard = false;
        self.read_timer.set(tokio::time::sleep(time));
    }

    /// Called when there is nothing to read: either waits on, or gives up.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.turn.get() {
            Turn::CALLERS => {
                if self.armed != Armed::Head {
                    self.arm(Armed::Head, self.head);
                }
                ready!(self.read_timer.as_mut().poll(cx));
                if self.ever_heard {
                    // hyper has nothing under way while it waits for a head. If there's no room, closing says it too.
                    let _ = self.stream.try_write(TOO_SLOW);
                }
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Turn::NOBODYS => loop {
                if self.armed != Armed::Idle {
                    self.arm(Armed::Idle, self.idle);
                }
                ready!(self.read_timer.as_mut().poll(cx));
                if !self.heard {
                    // The end of the stream: hyper closes an idle connection without a word.
                    return Poll::Ready(Ok(()));
                }
                self.armed = Armed::No;
            },
            _ => Poll::Pending,
        }
    }

    fn poll_written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let write = self.write;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(write)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending => this.poll_patience(cx),
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    (this.heard, this.ever_heard) = (true, true);
                    if this.turn.get() == Turn::NOBODYS {
                        this.turn.set(Turn::CALLERS);
                        // A timer left from an earlier head is not this one's.
                        if this.armed == Armed::Head {
                            this.armed = Armed::No;
                        }
                    }
                }
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.poll_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
