//! The accept loop: hyper connections with limits of time and number that drive any poem endpoint.
//!
//! poem's own server has no time limit for heads or bodies, spins when out of file descriptors and leaves Nagle's
//! algorithm on; hence this one. It knows nothing of what it serves.

mod admission;
pub mod body;
mod connection;
mod limits;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::Endpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::metrics::Metrics;
use admission::{Admission, Place};

pub use limits::{Exempt, Limits};

/// After an accept failed for want of file descriptors or memory: trying again at once would only burn the processor.
const BACK_OFF: Duration = Duration::from_millis(50);
/// What connections get beyond [`Limits::drain`] before they are left behind.
const SLACK: Duration = Duration::from_secs(1);

/// Serves an endpoint until `stop`, then lets requests in flight finish within [`Limits::drain`]; idle connections are
/// closed at once. Handlers see the peer as poem's `RemoteAddr`.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: Arc<E>,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) where
    E: Endpoint + 'static,
{
    let limits = Arc::new(limits);
    let admission = Admission::new(&limits);
    let connections = TaskTracker::new();
    // A flood gets a line at its 1st, 2nd, 4th, 8th, … occurrence.
    let (mut refused, mut failed) = (0u64, 0u64);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match admission.admit(peer.ip()) {
                Some(place) => {
                    let stop = stop.clone();
                    connections.spawn(drive(stream, peer, endpoint.clone(), limits.clone(), stop, place));
                }
                None => {
                    metrics.connection_refused();
                    refused += 1;
                    // Dropping the stream closes it.
                    if refused.is_power_of_two() {
                        warn!(%peer, refused, "connection closed at once: too many are open");
                    }
                }
            },
            Err(error) if is_the_peers(&error) => debug!(%error, "a connection was gone before it was accepted"),
            Err(error) => {
                failed += 1;
                if failed.is_power_of_two() {
                    warn!(%error, failed, "cannot accept connections");
                }
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain + SLACK, connections.wait()).await.is_err() {
        warn!(left = connections.len(), "some connections did not finish in time");
    }
}

async fn drive<E>(
    stream: TcpStream,
    peer: SocketAddr,
    endpoint: Arc<E>,
    limits: Arc<Limits>,
    stop: CancellationToken,
    place: Place,
) where
    E: Endpoint + 'static,
{
    if let Err(error) = connection::drive(stream, peer, endpoint, &limits, stop).await {
        debug!(%peer, %error, "connection ended badly");
    }
    drop(place);
}

/// Errors of one connection that say nothing about the next.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
