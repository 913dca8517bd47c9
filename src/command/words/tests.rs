//! What is answered, word by word.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::*;
use crate::model::{AbnormalType, Ack, EventKind, IncidentId, Key, MuteId, Severity, State, StreamName, Trouble};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn mute(id: u64, reason: &str) -> Mute {
    Mute {
        id: MuteId(id),
        matchers: "stream=\"cam1\", domain=\"push.example.com\", path=\"live\"".into(),
        within: None,
        set_at: NOW,
        until: NOW + Duration::from_secs(7200),
        author: "ann\u{202e}".into(),
        reason: reason.into(),
    }
}

fn incident(id: u64) -> Incident {
    let mut incident: Incident = serde_json::from_value(serde_json::json!({
        "id": id, "rule": "gop_too_large", "on": EventKind::PushError, "stream": ["push.example.com", "live", "cam1\u{1b}"],
        "group": 1, "state": State::Firing, "severity": Severity::Critical, "since": NOW.0 - 600_000,
        "opened_at": NOW.0 - 600_000, "last_at": NOW.0, "last_received": NOW.0, "reports": 14, "count": 14,
    }))
    .unwrap();
    incident.troubles =
        vec![Trouble { kind: AbnormalType(16), count: 14, last: Some(12.0), worst: Some(14.0), text: None }];
    incident
}

fn covers(streams: usize, firing: usize) -> Covers {
    let some = (0..streams.min(10)).map(|n| format!("push.example.com/live/cam{n}")).collect();
    Covers { streams, firing, some }
}

#[test]
fn every_answer_in_both_languages() {
    let acked = Incident { ack: Some(Box::new(Ack { by: "ann".into(), at: NOW })), ..incident(12) };
    let over = Incident { state: State::Resolved, resolved_at: Some(NOW), ..incident(9) };
    let standing = Standing { matchers: "path=\"test\"".into(), reason: "tests".into(), at_times: true };
    let status = |firing: Vec<Incident>, last| {
        Reply::Status(Box::new(Status {
            stream: "push.example.com/live/cam1".into(),
            heard: Some(NOW - Duration::from_secs(5)),
            hour: [0, 0, 1, 2, 3, 5, 8, 13, 0, 0, 21, 40],
            firing,
            last,
            mutes: vec![mute(7, "swap")],
            standing: vec![standing.clone()],
        }))
    };
    let muted = |news, covers, unheard| Reply::Muted { mute: mute(7, "encoder swap"), news, covers, unheard };
    let replies = [
        muted(News::Set, covers(3, 1), None),
        muted(News::Longer, covers(1, 0), None),
        muted(News::Nothing, covers(0, 0), Some(vec!["cam10".into()])),
        Reply::Asked { id: 3, covers: covers(1234, 56), length: Duration::from_secs(7200) },
        Reply::Unmuted(vec![mute(7, "")]),
        Reply::Mutes { mutes: vec![mute(7, "swap"), mute(8, "")], standing: vec![standing.clone()], more: 3 },
        Reply::Mutes { mutes: Vec::new(), standing: Vec::new(), more: 0 },
        Reply::Incidents { items: vec![incident(12), acked.clone()], more: 1 },
        Reply::Incidents { items: Vec::new(), more: 0 },
        status(vec![acked.clone()], None),
        status(Vec::new(), Some(over)),
        status(Vec::new(), None),
        Reply::Acknowledged { incident: Box::new(incident(12)), before: None, others: 0 },
        Reply::Acknowledged { incident: Box::new(acked), before: Some("ann".into()), others: 0 },
        Reply::Rules(vec!["gop_too_large".into(), "stream_down".into()]),
        Reply::Rules(vec!["gop_too_large".into()]),
        Reply::Rules(Vec::new()),
        Reply::Late,
        Reply::Failed("the disk is full".into()),
        Reply::Refused(Refusal::Ambiguous(vec!["a/live/cam1".into(), "b/live/cam1".into()])),
        Reply::Refused(Refusal::NoStream(vec!["cam10".into(), "cam11".into()])),
        Reply::Refused(Refusal::NoMute(Some(MuteId(7)))),
        Reply::Refused(Refusal::NoMute(None)),
        Reply::Refused(Refusal::NotFromHere(MuteId(7))),
        Reply::Refused(Refusal::NoIncident(IncidentId(12))),
        Reply::Refused(Refusal::Over(IncidentId(12))),
        Reply::Refused(Refusal::NotYet(IncidentId(12))),
        Reply::Refused(Refusal::NothingAsked(3)),
        Reply::Refused(Refusal::TooMany),
        Reply::Refused(Refusal::TooLong),
        Reply::Refused(Refusal::Stale(Duration::from_secs(2520))),
    ];
    let mut shown = String::new();
    for reply in &replies {
        for (language, zone) in [(Language::En, "Europe/Berlin"), (Language::Zh, "Asia/Shanghai")] {
            let voice = Voice { language, zone: TimeZone::get(zone).unwrap(), prefix: "/" };
            writeln!(shown, "{}", text(reply, &voice, NOW)).unwrap();
        }
        shown.push('\n');
    }
    assert!(!shown.contains(['\u{1b}', '\u{202e}']));
    insta::assert_snapshot!(shown);
}

#[test]
fn answers_are_bounded_whatever_the_names() {
    let long = "流\u{202e}".repeat(5000);
    let stream = StreamName::new(&long, &long, &long);
    let wide = Incident { key: Key::Stream(stream), rule: long.as_str().into(), ..incident(1) };
    let mute = Mute { matchers: long.as_str().into(), author: long.as_str().into(), ..mute(1, &long) };
    for reply in [
        Reply::Incidents { items: vec![wide; 20], more: 0 },
        Reply::Mutes { mutes: vec![mute; 20], standing: Vec::new(), more: 0 },
        Reply::Refused(Refusal::Ambiguous(vec![long.clone(); 10])),
        Reply::Failed(long.clone()),
        Reply::Rules(vec![long.clone(); 5000]),
    ] {
        let text = text(&reply, &Voice::plain(), NOW);
        assert!(text.chars().count() < 12_000, "{}", text.chars().count());
    }
}

#[test]
fn a_chart_is_as_tall_as_its_most() {
    assert_eq!(chart(&[0; 12]), "▁▁▁▁▁▁▁▁▁▁▁▁");
    assert_eq!(chart(&[0, 1, 50, 100]), "▁▂▅█");
    assert_eq!(chart(&[u16::MAX, 1]), "█▂");
}
