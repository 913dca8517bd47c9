//! Slack: slash commands and buttons, signed with the app's secret.

use poem::Response;
use poem::http::StatusCode;

use super::Chat;
use super::door::Call;

/// Whether any channel takes commands from Slack.
pub(super) fn is_there(_chat: &Chat) -> bool {
    false
}

pub(super) async fn command(_chat: &Chat, _call: &Call) -> Response {
    StatusCode::NOT_FOUND.into()
}

pub(super) async fn action(_chat: &Chat, _call: &Call) -> Response {
    StatusCode::NOT_FOUND.into()
}
