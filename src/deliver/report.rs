//! What is counted and logged of calls and rows.

use super::flight::{Ended, Flight};
use crate::metrics::Metrics;
use crate::model::{ChannelName, DeliveryOutcome, Key, Reason, Timestamp};

/// A call came to nothing, and its row waits.
pub(crate) fn put_off(channel: &ChannelName, flight: &Flight, why: &str) {
    let (group, stream) = (flight.topic.group().map(|group| group.0), shown(flight.key.as_ref()));
    tracing::warn!(%channel, group, stream, delivery = flight.carrier.0, why, "not told yet");
}

/// A row got its outcome, and that is kept.
pub(crate) fn ended(channel: &ChannelName, ended: &Ended, metrics: &Metrics, now: Timestamp) {
    metrics.notification(channel, ended.row.reason, ended.outcome);
    if matches!(ended.outcome, DeliveryOutcome::Sent | DeliveryOutcome::SentPlain) {
        metrics.notification_delay(channel, now.since(ended.row.at).as_secs_f64());
    }
    let (group, delivery) = (ended.topic.group().map(|group| group.0), ended.row.id.0);
    let (reason, outcome) = (ended.row.reason.as_str(), ended.outcome.as_str());
    let (stream, why) = (shown(ended.key.as_ref()), ended.error.as_deref());
    match (ended.outcome, ended.row.reason) {
        (DeliveryOutcome::Dead, _) => {
            tracing::error!(%channel, group, stream, delivery, reason, outcome, why, "notification given up");
        }
        // Nobody waits for news about streams here, but somebody may for word of pushwatch itself.
        (DeliveryOutcome::Void, Reason::Notice) => {
            tracing::warn!(%channel, delivery, reason, outcome, why, "notice not told");
        }
        (DeliveryOutcome::Void | DeliveryOutcome::Folded, _) | (_, Reason::Edit) => {
            tracing::debug!(%channel, group, stream, delivery, reason, outcome, why, "notification done");
        }
        _ => tracing::info!(%channel, group, stream, delivery, reason, outcome, why, "notification done"),
    }
}

/// A key, its control characters shown harmlessly.
fn shown(key: Option<&Key>) -> Option<String> {
    key.map(|key| format!("{:?}", key.to_string()))
}
