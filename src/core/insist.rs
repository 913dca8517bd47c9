//! Asking the store again where it said no: what was decided is kept before anything else is.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;

/// Pause before what failed is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// Tries once we were told to stop.
const LAST_TRIES: u32 = 5;

/// Asks until it goes through.
///
/// Once stopped it is tried a few times more: the journal has all that led to it, and the next start decides the
/// same again.
///
/// # Errors
/// What can't be mended by asking again, and anything once stopped.
pub(super) async fn insist<'a, T>(
    what: &str,
    stop: &CancellationToken,
    ask: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut last_tries = LAST_TRIES;
    loop {
        match ask().await {
            Err(StoreError::Overloaded(why) | StoreError::Failed(why)) => {
                tracing::error!(%why, "{what} failed and is tried again; nothing is decided until it goes through");
                if stop.is_cancelled() {
                    last_tries -= 1;
                }
                if last_tries == 0 {
                    return Err(StoreError::Failed(why));
                }
                tokio::time::sleep(RETRY).await;
            }
            answered => return answered,
        }
    }
}
