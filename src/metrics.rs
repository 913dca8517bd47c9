//! What is counted: the metric families and the handles that other rooms hold. Knows only `model`.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::model::{
    CallbackOutcome, ChannelKind, ChannelName, ChatOutcome, DeliveryOutcome, DeliveryState, EventKind, Reason,
    RuleOutcome, State,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotificationLabels {
    channel: String,
    reason: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RowLabels {
    channel: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChatLabels {
    platform: &'static str,
    outcome: &'static str,
}

/// All metrics of the process. One is made in `app` and shared.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    callbacks: Vec<Counter>,
    callback_seconds: Histogram,
    events: Family<EventLabels, Counter>,
    rules: Family<RuleLabels, Counter>,
    incidents: Family<StateLabels, Gauge>,
    notifications: Family<NotificationLabels, Counter>,
    notification_delay: Family<ChannelLabels, Histogram, fn() -> Histogram>,
    possible_duplicates: Family<ChannelLabels, Counter>,
    outbox_rows: Family<RowLabels, Gauge>,
    chats: Family<ChatLabels, Counter>,
    rules_loaded: Gauge<f64, AtomicU64>,
    reload_failures: Counter,
    connections_refused: Counter,
    journal_rows: Gauge,
    journal_bytes: Gauge,
    commits: Counter,
}

/// 100 µs to 10 s.
fn callback_buckets() -> Histogram {
    Histogram::new([0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// 5 ms to an hour.
fn delay_buckets() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0])
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Registers every family, with every outcome of callbacks present from the start.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("pushwatch");
        let callbacks = Family::<OutcomeLabels, Counter>::default();
        let metrics = Metrics {
            callbacks: CallbackOutcome::ALL
                .iter()
                .map(|outcome| callbacks.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).clone())
                .collect(),
            callback_seconds: callback_buckets(),
            events: Family::default(),
            rules: Family::default(),
            incidents: Family::default(),
            notifications: Family::default(),
            notification_delay: Family::new_with_constructor(delay_buckets as fn() -> Histogram),
            possible_duplicates: Family::default(),
            outbox_rows: Family::default(),
            chats: Family::default(),
            rules_loaded: Gauge::default(),
            reload_failures: Counter::default(),
            connections_refused: Counter::default(),
            journal_rows: Gauge::default(),
            journal_bytes: Gauge::default(),
            commits: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("callbacks", "Requests at the callback door by outcome", callbacks);
        registry.register(
            "callback_seconds",
            "From the request's arrival to its answer",
            metrics.callback_seconds.clone(),
        );
        registry.register("events", "Callbacks kept, by kind", metrics.events.clone());
        registry.register("rule_outcomes", "What rules made of the events they listen to", metrics.rules.clone());
        registry.register("incidents", "Incidents by state", metrics.incidents.clone());
        registry.register("notifications", "Notifications that have their outcome", metrics.notifications.clone());
        registry.register(
            "notification_delay_seconds",
            "From falling due to the chat's yes",
            metrics.notification_delay.clone(),
        );
        registry.register(
            "possible_duplicates",
            "Posts repeated although an earlier call may have got through",
            metrics.possible_duplicates.clone(),
        );
        registry.register("outbox_rows", "Outbox rows without an outcome", metrics.outbox_rows.clone());
        registry.register("chat_commands", "Commands and clicks in chats, by outcome", metrics.chats.clone());
        registry.register(
            "rules_loaded_timestamp_seconds",
            "When the rules in force were loaded",
            metrics.rules_loaded.clone(),
        );
        registry.register("rules_reload_failures", "Refused reloads", metrics.reload_failures.clone());
        registry.register(
            "connections_refused",
            "Connections closed at once because too many were open",
            metrics.connections_refused.clone(),
        );
        registry.register("journal_rows", "Callbacks and other inputs in the journal", metrics.journal_rows.clone());
        registry.register("journal_bytes", "Size of the database file and its log", metrics.journal_bytes.clone());
        registry.register("store_commits", "Transactions committed to disk", metrics.commits.clone());
        for state in [State::Pending, State::Firing] {
            metrics.incidents.get_or_create(&StateLabels { state: state.as_str() }).set(0);
        }
        Metrics { registry, ..metrics }
    }

    /// A request at the callback door has its outcome, `seconds` after its arrival.
    pub fn callback(&self, outcome: CallbackOutcome, seconds: f64) {
        if let Some(counter) = self.callbacks.get(outcome as usize) {
            counter.inc();
        }
        self.callback_seconds.observe(seconds);
    }

    /// A callback of this kind was kept.
    pub fn event(&self, kind: EventKind) {
        self.events.get_or_create(&EventLabels { kind: kind.name() }).inc();
    }

    /// The counter of one rule's outcome; hold it rather than asking each time.
    #[must_use]
    pub fn rule_outcome(&self, rule: &str, outcome: RuleOutcome) -> Counter {
        self.rules.get_or_create(&RuleLabels { rule: rule.to_owned(), outcome: outcome.as_str() }).clone()
    }

    /// How many incidents are in a state now.
    pub fn incidents(&self, state: State, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.incidents.get_or_create(&StateLabels { state: state.as_str() }).set(count);
    }

    /// A notification has its outcome.
    pub fn notification(&self, channel: &ChannelName, reason: Reason, outcome: DeliveryOutcome) {
        let labels = NotificationLabels {
            channel: channel.as_str().to_owned(),
            reason: reason.as_str(),
            outcome: outcome.as_str(),
        };
        self.notifications.get_or_create(&labels).inc();
    }

    /// A chat took a notification `seconds` after it fell due.
    pub fn notification_delay(&self, channel: &ChannelName, seconds: f64) {
        let labels = ChannelLabels { channel: channel.as_str().to_owned() };
        self.notification_delay.get_or_create(&labels).observe(seconds);
    }

    /// A post was repeated although an earlier call may have got through.
    pub fn possible_duplicate(&self, channel: &ChannelName) {
        self.possible_duplicates.get_or_create(&ChannelLabels { channel: channel.as_str().to_owned() }).inc();
    }

    /// How many outbox rows of a channel are in a state now.
    pub fn outbox_rows(&self, channel: &ChannelName, state: DeliveryState, count: usize) {
        let labels = RowLabels { channel: channel.as_str().to_owned(), state: state.as_str() };
        self.outbox_rows.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Something that was typed or clicked in a chat has its outcome.
    pub fn chat(&self, kind: ChannelKind, outcome: ChatOutcome) {
        self.chats.get_or_create(&ChatLabels { platform: kind.as_str(), outcome: outcome.as_str() }).inc();
    }

    /// Rules came into force at this time, in seconds since the epoch.
    pub fn rules_loaded(&self, at_seconds: f64) {
        self.rules_loaded.set(at_seconds);
    }

    /// A reload was refused.
    pub fn reload_failed(&self) {
        self.reload_failures.inc();
    }

    /// A connection was closed at once because too many were open.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// The journal's size now.
    pub fn journal(&self, rows: u64, bytes: u64) {
        self.journal_rows.set(i64::try_from(rows).unwrap_or(i64::MAX));
        self.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A transaction reached the disk.
    pub fn store_commit(&self) {
        self.commits.inc();
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_callback_outcome_is_there_from_the_start_under_the_contract_names() {
        let metrics = Metrics::new();
        let text = metrics.text();
        for outcome in CallbackOutcome::ALL {
            let line = format!("pushwatch_callbacks_total{{outcome=\"{}\"}} 0", outcome.as_str());
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        metrics.callback(CallbackOutcome::Expired, 0.001);
        assert!(metrics.text().contains("pushwatch_callbacks_total{outcome=\"expired\"} 1"));
    }
}
