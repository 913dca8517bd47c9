//! Reads a request's body within its bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use poem::Body;

/// A body has to be there by then, however it trickles.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// So much beyond the limit is read and thrown away: a caller who is still writing when we answer and close may
/// never see the answer.
const SURPLUS: usize = 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than allowed.
    Oversized,
    /// It did not arrive in time.
    Slow,
    /// The caller went away in the middle of it.
    CutOff,
}

/// The whole body, at most `limit` bytes of it; `announced` is what its head says of its length.
pub async fn read(body: Body, announced: Option<u64>, limit: usize) -> Result<Bytes, BodyError> {
    let most = u64::try_from(limit.saturating_add(SURPLUS)).unwrap_or(u64::MAX);
    if announced.is_some_and(|length| length > most) {
        return Err(BodyError::Oversized);
    }
    match tokio::time::timeout(PATIENCE, collect(body, limit)).await {
        Ok(result) => result,
        Err(_) => Err(BodyError::Slow),
    }
}

/// The usual body is one frame, which is handed on as it is.
async fn collect(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut body: http_body_util::combinators::BoxBody<Bytes, std::io::Error> = body.into();
    let (mut first, mut rest, mut length) = (Bytes::new(), BytesMut::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::CutOff)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > limit {
            (first, rest) = (Bytes::new(), BytesMut::new());
            if length > limit.saturating_add(SURPLUS) {
                break;
            }
        } else if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    match (length > limit, rest.is_empty()) {
        (true, _) => Err(BodyError::Oversized),
        (false, true) => Ok(first),
        (false, false) => Ok(rest.freeze()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    fn in_frames(frames: Vec<Result<Bytes, io::Error>>) -> Body {
        Body::from_bytes_stream(stream::iter(frames))
    }

    #[tokio::test]
    async fn frames_are_joined_up_to_the_limit() {
        let frames = || vec![Ok(Bytes::from("ab")), Ok(Bytes::new()), Ok(Bytes::from("cd")), Ok(Bytes::from("e"))];
        assert_eq!(read(in_frames(frames()), None, 5).await.unwrap(), "abcde");
        assert_eq!(read(in_frames(frames()), Some(5), 4).await, Err(BodyError::Oversized));
        assert_eq!(read(Body::from("abc"), Some(3), 3).await.unwrap(), "abc");
        assert_eq!(read(Body::empty(), Some(0), 3).await.unwrap(), "");
    }

    #[tokio::test]
    async fn an_endless_body_is_left_after_the_surplus() {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 1024])));
        assert_eq!(read(Body::from_bytes_stream(endless), None, 10).await, Err(BodyError::Oversized));
    }

    #[tokio::test]
    async fn a_huge_announcement_is_not_even_waited_for() {
        let never = Body::from_bytes_stream(stream::pending::<Result<Bytes, io::Error>>());
        assert_eq!(read(never, Some(u64::MAX), 10).await, Err(BodyError::Oversized));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_slow_although_it_never_stops() {
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>(Bytes::from("x")), ()))
        });
        let trickle = Body::from_bytes_stream(Box::pin(trickle));
        assert_eq!(read(trickle, None, 1000).await, Err(BodyError::Slow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_cut_off() {
        let broken = in_frames(vec![Ok(Bytes::from("ab")), Err(io::ErrorKind::UnexpectedEof.into())]);
        assert_eq!(read(broken, None, 10).await, Err(BodyError::CutOff));
    }
}
