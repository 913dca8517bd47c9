//! Lifelike entries and changes for tests of the store.

use bytes::Bytes;

use crate::model::{
    Abnormal, AbnormalType, Attempt, ChannelName, Cursor, Delivery, DeliveryId, DeliveryOutcome, DeliveryState, Detail,
    EngineChanges, EngineState, Event, EventId, EventKind, Group, GroupId, Incident, IncidentId, Input, Key, Message,
    NewEntry, News, Notice, Notification, PushEnd, Reason, Seq, Severity, State, StreamName, Timestamp, Told,
};
use crate::store::{Changes, ChannelChanges, Commit, Parts};

/// A push error of about 950 bytes, of one of 10,000 streams; equal numbers are duplicates of each other.
pub(crate) fn callback(number: u64) -> NewEntry {
    let mixed = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let stream = format!("cam{}", number % 10_000);
    let at = 1_700_000_000_000 + number as i64;
    let details = |desc: &str| {
        (0..3)
            .map(|i| format!(r#"{{"occur_time":{},"desc":"{desc} {} ms"}}"#, at - 900 * i, 3000 + (number + 7) % 997))
            .collect::<Vec<_>>()
            .join(",")
    };
    let body = format!(
        r#"{{"event_type":321,"appid":1250000000,"app":"push.example.com","appname":"live","stream_id":"{stream}","stream_param":"***","sequence":"{:020}","data_time":{at},"report_interval":5000,"user_ip":"203.0.113.{}","idc_id":"ingest-{:04}","abnormal_event":[{{"type":6,"type_desc_en":"video frame arrived late","type_desc_cn":"视频帧到达延迟","count":3,"detail":[{}]}},{{"type":7,"type_desc_en":"audio frame arrived late","type_desc_cn":"音频帧到达延迟","count":3,"detail":[{}]}}],"customer_visible":1,"nonce":"{:032x}"}}"#,
        mixed as u64,
        number % 250,
        number % 40,
        details("video DTS lags"),
        details("audio DTS lags"),
        mixed,
    );
    let abnormal = |kind| Abnormal {
        kind: AbnormalType(kind),
        count: 3,
        details: (0..3).map(|i| Detail { at: Some(Timestamp(at - 900 * i)), value: Some(3120.0) }).collect(),
        text: None,
    };
    let event = Event {
        id: EventId(mixed.to_le_bytes()),
        kind: EventKind::PushError,
        stream: StreamName::new("push.example.com", "live", &stream),
        session: Some(format!("{:020}", mixed as u64).into()),
        appid: Some("1250000000".into()),
        user_ip: Some(format!("203.0.113.{}", number % 250).into()),
        node: Some(format!("ingest-{:04}", number % 40).into()),
        happened_at: Some(Timestamp(at)),
        report_interval: Some(5000),
        errcode: None,
        errmsg: None,
        push_duration: None,
        abnormal: vec![abnormal(6), abnormal(7)],
        unreadable: None,
    };
    NewEntry { input: Input::Callback(Box::new(event)), body: Bytes::from(body) }
}

/// The channel that samples go to.
pub(crate) fn ops() -> ChannelName {
    ChannelName::new("ops")
}

/// A firing incident of the group of the same number.
pub(crate) fn incident(number: u64) -> Incident {
    Incident {
        id: IncidentId(number),
        seq: Seq(1),
        rule: "uplink_stall".into(),
        on: EventKind::PushError,
        key: Key::Stream(StreamName::new("push.example.com", "live", &format!("cam{number}"))),
        silence: None,
        group_key: None,
        labels: Default::default(),
        annotations: Default::default(),
        group: Some(GroupId(number)),
        state: State::Firing,
        cause: None,
        severity: Severity::Warning,
        since: Timestamp(1),
        opened_at: Timestamp(2),
        resolved_at: None,
        last_at: Timestamp(3),
        last_received: Timestamp(4),
        deadline: Some(Timestamp(5)),
        reports: 1,
        count: 3,
        troubles: Vec::new(),
        end: PushEnd { errmsg: Some("a \"quoted\" 流".into()), ..PushEnd::UNKNOWN }.boxed(),
        session: None,
        user_ip: None,
        appid: None,
        flaps: 0,
        back: 0,
        notify: [ops()].into(),
        ack: None,
        muted_until: None,
        inhibited_by: None,
        missed_in: Default::default(),
        distinct: None,
    }
}

/// An open group that `ops` was told of.
pub(crate) fn group(number: u64) -> Group {
    Group {
        id: GroupId(number),
        key: incident(number).key,
        opened_at: Timestamp(2),
        closed_at: None,
        held_until: None,
        held_by: None,
        revision: 1,
        told: vec![Told { channel: ops(), severity: Severity::Warning, at: Timestamp(2), over: false }],
        shown: None,
    }
}

/// A post that a channel is owed about a group.
pub(crate) fn notification(channel: &ChannelName, group: u64) -> Notification {
    let why = (Reason::Post, News::Opened);
    Notification::of_group(channel.clone(), GroupId(group), why, Severity::Warning, Timestamp(2))
}

/// A notice that a channel is owed.
pub(crate) fn notice(channel: &ChannelName) -> Notification {
    let problems = vec!["rules.yaml:12:7: unknown field `it's`\n\u{0}流".to_owned()];
    Notification::of_notice(channel.clone(), Notice::RulesRefused { problems }, Severity::Warning, Timestamp(2))
}

/// That row, sent at `at`.
pub(crate) fn sent(id: u64, notification: &Notification, at: Timestamp) -> Delivery {
    Delivery {
        id: DeliveryId(id),
        notification: notification.clone(),
        state: DeliveryState::Done,
        attempts: 1,
        not_before: Timestamp(0),
        outcome: Some(DeliveryOutcome::Sent),
        error: None,
        possible_duplicate: false,
        done_at: Some(at),
    }
}

/// The message of a group in `ops`.
pub(crate) fn message(group: u64) -> Message {
    Message {
        channel: ops(),
        group: GroupId(group),
        platform_id: Some("1700000000.000100".to_owned()),
        place: Some("C012345".to_owned()),
        revision: 1,
        posted_at: Timestamp(9),
        stands_in: Vec::new(),
        folded: None,
    }
}

/// A call counted against a budget.
pub(crate) fn attempt(at: Timestamp) -> Attempt {
    Attempt { budget: "b".to_owned(), at }
}

/// An engine commit up to an entry.
pub(crate) fn engine(seq: u64, at: Timestamp, changes: EngineChanges) -> Commit {
    Commit { cursor: Cursor { seq: Seq(seq), at }, changes: Changes::Engine(changes) }
}

/// A channel commit up to a row.
pub(crate) fn channel(id: u64, changes: ChannelChanges) -> Commit {
    Commit { cursor: Cursor { seq: Seq(id), at: Timestamp(0) }, changes: Changes::Channel(changes) }
}

/// All parts of a state in one.
pub(crate) async fn whole(mut parts: Parts) -> EngineState {
    let mut state = EngineState::default();
    while let Some(part) = parts.next().await.unwrap() {
        assert!(part.keyed.is_empty() || state.groups.is_empty(), "keyed state comes first");
        assert!(part.groups.is_empty() || state.incidents.is_empty(), "incidents come last");
        state.keyed.extend(part.keyed);
        state.groups.extend(part.groups);
        state.incidents.extend(part.incidents);
    }
    state
}
