//! The paths of the chats' doors: who is asked for what; everything else is 404 without a banner.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use poem::http::{HeaderMap, Method, StatusCode, Uri, header};
use poem::{Endpoint, Request, Response};
use tokio::task::JoinHandle;

use super::{Chat, slack, telegram, wecom};
use crate::listen::body::{self, BodyError};

/// Largest body: a click brings its whole message along.
const MOST: usize = 256 * 1024;

/// A call as it came: nothing of it is believed yet.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// A header's text, if it is text and there is just one.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        }
    }
}

/// The doors of all chats, under `/chat/`.
pub fn endpoint(chat: Arc<Chat>) -> impl Endpoint<Output = Response> {
    Doors { chat }
}

struct Doors {
    chat: Arc<Chat>,
}

impl Endpoint for Doors {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        let Some(door) = Door::of(&path).filter(|door| door.is_there(&self.chat)) else {
            return Ok(StatusCode::NOT_FOUND.into());
        };
        if !door.methods().contains(request.method()) {
            let allow = door.methods().iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
            return Ok(Response::builder()
                .status(StatusCode::METHOD_NOT_ALLOWED)
                .header(header::ALLOW, allow)
                .finish());
        }
        let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let body = match body::read(request.take_body(), announced, MOST).await {
            Ok(body) => body,
            Err(BodyError::Oversized) => return Ok(StatusCode::PAYLOAD_TOO_LARGE.into()),
            Err(BodyError::Slow) => return Ok(StatusCode::REQUEST_TIMEOUT.into()),
            Err(BodyError::CutOff) => return Ok(StatusCode::BAD_REQUEST.into()),
        };
        let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        let call = Call { method, uri, headers, body };
        Ok(match door {
            Door::SlackCommand => slack::command(&self.chat, &call).await,
            Door::SlackAction => slack::action(&self.chat, &call).await,
            Door::Telegram(channel) => telegram::update(&self.chat, channel, &call).await,
            Door::Wecom(channel) => wecom::call(&self.chat, channel, &call).await,
        })
    }
}

/// One of the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door<'p> {
    SlackCommand,
    SlackAction,
    Telegram(&'p str),
    Wecom(&'p str),
}

impl<'p> Door<'p> {
    fn of(path: &'p str) -> Option<Door<'p>> {
        let (platform, rest) = path.strip_prefix("/chat/")?.split_once('/')?;
        match (platform, rest) {
            ("slack", "command") => Some(Door::SlackCommand),
            ("slack", "action") => Some(Door::SlackAction),
            ("telegram", channel) if !channel.is_empty() && !channel.contains('/') => Some(Door::Telegram(channel)),
            ("wecom", channel) if !channel.is_empty() && !channel.contains('/') => Some(Door::Wecom(channel)),
            _ => None,
        }
    }

    /// Whether the rules in force have a channel for it: a door that nobody needs is no door.
    fn is_there(&self, chat: &Chat) -> bool {
        match self {
            Door::SlackCommand | Door::SlackAction => slack::is_there(chat),
            Door::Telegram(channel) => telegram::is_there(chat, channel),
            Door::Wecom(channel) => wecom::is_there(chat, channel),
        }
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Door::SlackCommand | Door::SlackAction | Door::Telegram(_) => &[Method::POST],
            Door::Wecom(_) => &[Method::GET, Method::POST],
        }
    }
}

/// What comes of `work` if it is done within `patience`. It goes on all the same: a command that was begun is followed.
pub(super) async fn within<T: Send + 'static>(
    patience: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Late<T>> {
    let mut task = tokio::spawn(work);
    match tokio::time::timeout(patience, &mut task).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Late(None)),
        Err(_) => Err(Late(Some(task))),
    }
}

/// Work that takes longer, or that broke.
pub(super) struct Late<T>(Option<JoinHandle<T>>);

impl<T> Late<T> {
    /// What comes of it in the end; `None` if it broke.
    pub(super) async fn done(self) -> Option<T> {
        self.0?.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_done_at_once_or_late_or_broken_and_waited_for_once() {
        let after = |secs| async move {
            tokio::time::sleep(Duration::from_secs(secs)).await;
            secs
        };
        let patience = Duration::from_secs(3);
        assert!(matches!(within(patience, after(1)).await, Ok(1)));
        let Err(late) = within(patience, after(9)).await else { panic!("it takes nine seconds") };
        assert_eq!(late.done().await, Some(9));
        let broken = within(patience, async move { assert_eq!(after(1).await, 2, "on purpose") }).await;
        let Err(broken) = broken else { panic!("it broke") };
        assert_eq!(broken.done().await, None);
    }
}
