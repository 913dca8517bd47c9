//! Telegram: updates, asked for or brought.

use poem::Response;
use poem::http::StatusCode;

use super::Chat;
use super::door::Call;

/// Whether this channel takes commands here.
pub(super) fn is_there(_chat: &Chat, _channel: &str) -> bool {
    false
}

pub(super) async fn update(_chat: &Chat, _channel: &str, _call: &Call) -> Response {
    StatusCode::NOT_FOUND.into()
}
