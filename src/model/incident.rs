//! Incidents, and the groups of incidents that share one message.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AbnormalType, Ack, ChannelName, EventKind, Key, Seq, Severity, TallyId, Timestamp};

/// Number of an incident, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

/// Number of a group, counted from 1 per data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub u64);

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen, not yet told: the rule's `grace` (or `for`) runs.
    Pending,
    /// It is so.
    Firing,
    /// It is over; [`Incident::cause`] says how.
    Resolved,
}

impl State {
    /// The word for the store, the API and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Firing => "firing",
            State::Resolved => "resolved",
        }
    }
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No more reports for the rule's `resolve_after`: well again.
    Quiet,
    /// The push came back (a begin, or a report of a newer session): well again.
    Reconnected,
    /// The stream stopped: over, but not "well again".
    Ended,
    /// The rule is no longer in `rules.yaml`.
    RuleRemoved,
    /// A state without a word for 24 hours.
    NoWord,
    /// What was silent was heard again.
    Heard,
}

/// What was seen of one abnormal type within an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which.
    pub kind: AbnormalType,
    /// Occurrences, saturating.
    pub count: u64,
    /// The last measured value, in the catalogue's unit.
    pub last: Option<f64>,
    /// The worst measured value: the smallest for frame rates, else the largest.
    pub worst: Option<f64>,
    /// The cloud's own words, for a type without a catalogue entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<str>>,
}

/// Of what different values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// Streams.
    Stream,
    /// Pushes.
    Session,
    /// Pushers' addresses.
    UserIp,
}

impl Noun {
    /// The word in `distinct:`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Noun::Stream => "stream",
            Noun::Session => "session",
            Noun::UserIp => "user_ip",
        }
    }
}

/// How many different ones are in trouble together, where the rule's threshold counts that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// Of what.
    pub of: Noun,
    /// How many, the most in the rule's window at one time.
    pub number: u64,
}

/// How a push ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PushEnd {
    /// Why, by the cloud's number.
    #[serde(default)]
    pub errcode: Option<i64>,
    /// The cloud's words for it: hostile text.
    #[serde(default)]
    pub errmsg: Option<Box<str>>,
    /// How long the push had lasted, ms.
    #[serde(default)]
    pub push_duration: Option<u64>,
}

impl PushEnd {
    /// Nothing is known.
    pub const UNKNOWN: PushEnd = PushEnd { errcode: None, errmsg: None, push_duration: None };

    /// For an incident: nothing, if nothing is known.
    #[must_use]
    pub fn boxed(self) -> Option<Box<PushEnd>> {
        (self != PushEnd::UNKNOWN).then(|| Box::new(self))
    }
}

/// The fields of a [`PushEnd`] stand among those of its incident, empty or not.
mod end {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::PushEnd;

    #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(end: &Option<Box<PushEnd>>, serializer: S) -> Result<S::Ok, S::Error> {
        end.as_deref().unwrap_or(&PushEnd::UNKNOWN).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<PushEnd>>, D::Error> {
        PushEnd::deserialize(deserializer).map(PushEnd::boxed)
    }
}

/// One rule's finding about one stream, from its first report until it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Name of the rule that found it.
    pub rule: Arc<str>,
    /// The kind of callback the rule listens to.
    pub on: EventKind,
    /// For a rule on silence: how long nothing was heard before it fired, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<u64>,
    /// What it is about.
    #[serde(rename = "stream")]
    pub key: Key,
    /// What its group is known by (`group_by`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_key: Option<Box<Key>>,
    /// The rule's own labels.
    #[serde(default, skip_serializing_if = "no_labels")]
    pub labels: Labels,
    /// The rule's own words for the message: `summary`, `runbook_url`, …
    #[serde(default, skip_serializing_if = "no_labels")]
    pub annotations: Labels,
    /// The group whose message tells it; `None` while pending.
    pub group: Option<GroupId>,
    /// Where it is in its life.
    pub state: State,
    /// How it ended; set when resolved.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Never falls while it fires.
    pub severity: Severity,
    /// The cloud's time of the first report that counts.
    pub since: Timestamp,
    /// When it began to fire (our time); for a pending one, when it began to wait.
    pub opened_at: Timestamp,
    /// When it was over (our time).
    #[serde(default)]
    pub resolved_at: Option<Timestamp>,
    /// The cloud's time of the newest report.
    pub last_at: Timestamp,
    /// When that report was received: `quiet` counts from here.
    pub last_received: Timestamp,
    /// When it will be over if nothing more comes (pending: when it will fire).
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Callbacks that counted.
    pub reports: u64,
    /// Occurrences summed over all types, saturating.
    pub count: u64,
    /// Different streams, pushes or addresses, where the threshold is about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Box<Distinct>>,
    /// The abnormal types seen, ascending; empty for other kinds.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// How the push ended: of ends only, and so behind a pointer. See [`Incident::end`].
    #[serde(flatten, with = "end")]
    pub end: Option<Box<PushEnd>>,
    /// Session of the newest report.
    #[serde(default)]
    pub session: Option<Box<str>>,
    /// The pusher's address: hostile text.
    #[serde(default)]
    pub user_ip: Option<Box<str>>,
    /// The account: hostile text.
    #[serde(default)]
    pub appid: Option<Box<str>>,
    /// How often it came back after it was over.
    #[serde(default)]
    pub flaps: u32,
    /// For many ends of pushes together: streams that came back since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub back: u64,
    /// Channels that hear of it.
    #[serde(default)]
    pub notify: Arc<[ChannelName]>,
    /// A person said "I have it"; cleared when it grows worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Box<Ack>>,
    /// Posts about it are muted until then, by the wall clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// It is part of this one, which is told in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inhibited_by: Option<IncidentId>,
    /// The account of what a mute kept from people in which it counts: it was over and nobody had heard of it.
    #[serde(default, skip_serializing_if = "TallyId::is_none")]
    pub missed_in: TallyId,
    /// The last journal entry that is in these figures: a replay after a restart adds the later ones.
    #[serde(default)]
    pub seq: Seq,
}

impl Incident {
    /// What its group is known by.
    #[must_use]
    pub fn group_key(&self) -> &Key {
        self.group_key.as_deref().unwrap_or(&self.key)
    }

    /// The value of a label: built in, or the rule's own.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        match name {
            "rule" => Some(&self.rule),
            "severity" => Some(self.severity.as_str()),
            "stream" => self.key.stream().map(|stream| stream.stream()),
            "domain" => self.key.domain(),
            "path" => self.key.path(),
            "session" => match &self.key {
                Key::Session(push) => Some(&push.session),
                Key::Stream(_) => self.session.as_deref(),
                _ => None,
            },
            "user_ip" => match &self.key {
                Key::UserIp { user_ip } => Some(user_ip),
                Key::Stream(_) | Key::Session(_) => self.user_ip.as_deref(),
                _ => None,
            },
            "appid" => self.appid.as_deref(),
            own => self.labels.get(own).map(|value| &**value),
        }
    }

    /// How the push ended, as far as is known.
    #[must_use]
    pub fn end(&self) -> &PushEnd {
        self.end.as_deref().unwrap_or(&PushEnd::UNKNOWN)
    }

    /// Whether it fires now.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.state == State::Firing
    }

    /// The same without what no list of incidents shows: for one that may be forgotten before it is told.
    #[must_use]
    pub fn outline(&self) -> Incident {
        Incident {
            group_key: None,
            labels: Labels::default(),
            annotations: Labels::default(),
            end: self.end.clone().map(|end| Box::new(PushEnd { errmsg: None, ..*end })),
            notify: Arc::default(),
            ack: None,
            muted_until: None,
            ..self.clone()
        }
    }
}

/// Names and values of an operator's own, shared by all incidents of a rule.
pub type Labels = Arc<BTreeMap<Box<str>, Box<str>>>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn no_labels(labels: &Labels) -> bool {
    labels.is_empty()
}

/// What holds news of a group back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The rate limit: told when a token frees.
    RateLimit,
    /// A mute: told when it ends, if it still fires.
    Mute,
    /// An incident that it is part of: told when that one is over, if it still fires.
    Inhibition,
}

/// What a channel has been told of a group, as far as the engine has decided it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Which channel.
    pub channel: ChannelName,
    /// The worst severity people were notified of.
    pub severity: Severity,
    /// The last notification that was meant to reach people: `repeat_interval` counts from here.
    pub at: Timestamp,
    /// The channel was told that it is over; if it fires again since, people are to be notified anew.
    #[serde(default)]
    pub over: bool,
}

/// How far the messages of a group that can be edited have followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Since when they follow it: when the first was posted, or when it was told anew after all was over.
    pub since: Timestamp,
    /// When they were last brought up to date (the engine's time).
    pub at: Timestamp,
}

/// Incidents that share one message per channel: by default those of one stream, from the first that fires until
/// all are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// What it is about: by default what its first incident is about.
    #[serde(rename = "stream")]
    pub key: Key,
    /// When it opened (our time).
    pub opened_at: Timestamp,
    /// When all of it was over; `None` while anything fires or waits to be told.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// News is held back until then.
    #[serde(default)]
    pub held_until: Option<Timestamp>,
    /// By what it is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Holder>,
    /// Rises with every change that the message should show.
    pub revision: u64,
    /// What each channel has been told.
    #[serde(default)]
    pub told: Vec<Told>,
    /// How far its messages that can be edited have followed it; `None` while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
}
