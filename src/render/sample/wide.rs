//! Made-up incidents of something wider than a stream, of silence, and with what people say and do about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{NOW, Sample, ago, push_end, push_error, sample, trouble};
use crate::model::{
    Ack, Cause, Distinct, EventKind, Incident, IncidentId, Key, Labels, Noun, State, StreamName, Timestamp,
};

/// One of each.
pub(super) fn samples() -> Vec<Sample> {
    let late = |id| push_error(id, "site_incident", vec![trouble(6, 212, Some(4100.0)), trouble(7, 90, Some(3009.0))]);
    let many = |of, number| Some(Box::new(Distinct { of, number }));
    let streams = |key| Incident { key, distinct: many(Noun::Stream, 23), ..late(31) };
    let domain = || Key::Domain { domain: "push.example.com".into() };
    let path = Key::app("push.example.com", "live");
    let address = || Key::UserIp { user_ip: "203.0.113.7".into() };
    let session = Key::session(stream("cam1"), "2210464508206756938");
    let team: Arc<[_]> = [("team".into(), "sports".into()), ("domain".into(), "push.example.com".into())].into();
    let other = Incident { key: Key::Stream(stream("cam2")), ..push_end(33) };
    let over = |incident: Incident, cause| Incident {
        state: State::Resolved,
        cause: Some(cause),
        last_at: ago(30),
        last_received: ago(90),
        resolved_at: Some(NOW),
        ..incident
    };
    let counted =
        Incident { distinct: many(Noun::UserIp, 2), ..push_error(32, "two_pushers", vec![trouble(1, 9, None)]) };
    let began = Incident { on: EventKind::PushBegin, troubles: Vec::new(), count: 40, ..streams(domain()) };
    let owned = || Incident {
        annotations: annotations(),
        labels: labels(&[("team", "sports"), ("tier", "gold")]),
        ..push_error(14, "gop_too_large", vec![trouble(16, 3, Some(12.0))])
    };
    vec![
        about("domain", domain(), vec![streams(domain())]),
        about("domain_well", domain(), vec![over(streams(domain()), Cause::Quiet)]),
        about("path", path.clone(), vec![Incident { distinct: None, ..streams(path) }]),
        about("address", address(), vec![streams(address())]),
        about("all", Key::All {}, vec![streams(Key::All {})]),
        about("session", session.clone(), vec![Incident { key: session, ..late(31) }]),
        about("domain_begins", domain(), vec![began]),
        sample("addresses", vec![counted]),
        about("labels", Key::Labels { labels: team.clone() }, vec![late(31), other.clone()]),
        about("labels_of_one", Key::Labels { labels: team }, vec![other]),
        sample("silence", vec![silence(41)]),
        sample("heard", vec![over(silence(41), Cause::Heard)]),
        sample("own_words", vec![owned()]),
        sample("own_words_well", vec![over(owned(), Cause::Quiet)]),
        sample("in_hand", vec![Incident { ack: acknowledged("ann"), muted_until: Some(NOW + HOUR), ..late(12) }]),
        sample(
            "partly_in_hand",
            vec![
                Incident { ack: acknowledged("ann"), ..late(12) },
                Incident { muted_until: Some(Timestamp::MAX), ..owned() },
                Incident { inhibited_by: Some(IncidentId(7)), ..push_end(15) },
            ],
        ),
    ]
}

/// Every text of theirs is this one; their width is whose turn it is.
pub(super) fn hostile(text: &str, turn: usize) -> Vec<Sample> {
    let name: Arc<str> = text.into();
    let keys = [
        Key::app(&name, &name),
        Key::Domain { domain: name.clone() },
        Key::UserIp { user_ip: name.clone() },
        Key::session(StreamName::new(text, text, text), &name),
        Key::Labels { labels: [(text.into(), text.into()), ("b".into(), text.into())].into() },
        Key::All {},
    ];
    let names = ["summary", "description", "runbook_url", "x_url", "note", text];
    let mut own: BTreeMap<Box<str>, Box<str>> = names.map(|name| (name.into(), text.into())).into();
    let address = format!("https://h.example/{text}").into_boxed_str();
    own.extend((0..9).map(|number| (format!("{text}{number}_url").into(), address.clone())));
    let own: Labels = Arc::new(own);
    let dress = |incident: Incident| Incident {
        rule: text.into(),
        annotations: own.clone(),
        labels: own.clone(),
        ack: acknowledged(text),
        muted_until: Some(Timestamp(i64::MAX - 1)),
        inhibited_by: Some(IncidentId(u64::MAX)),
        distinct: Some(Box::new(Distinct { of: Noun::Session, number: u64::MAX })),
        ..incident
    };
    let key = keys[turn / 4 % keys.len()].clone();
    let odd = (1..20).map(|id| dress(push_error(id, "", vec![trouble(id as u32, u64::MAX, Some(f64::MIN))])));
    let unknown = EventKind::Unknown(i64::MIN);
    let silent = Incident { key: key.clone(), silence: Some(u64::MAX), on: unknown, ..silence(1) };
    vec![about("hostile_wide", key.clone(), odd.collect()), about("hostile_silence", key, vec![dress(silent)])]
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

fn about(name: &'static str, key: Key, incidents: Vec<Incident>) -> Sample {
    let mut sample = sample(name, incidents);
    sample.group.key = key;
    sample
}

fn stream(id: &str) -> StreamName {
    StreamName::new("push.example.com", "live", id)
}

/// No relay callbacks for five minutes.
fn silence(id: u64) -> Incident {
    Incident {
        on: EventKind::Relay,
        silence: Some(300_000),
        since: ago(420),
        last_at: ago(420),
        last_received: ago(420),
        user_ip: None,
        ..push_error(id, "relay_silent", Vec::new())
    }
}

fn acknowledged(by: &str) -> Option<Box<Ack>> {
    Some(Box::new(Ack { by: by.into(), at: ago(60) }))
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Arc::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn annotations() -> Labels {
    labels(&[
        ("summary", "Players of this event start late"),
        (
            "description",
            "The encoder of the stadium sends a keyframe every 12 s.\nIts settings were changed on Monday.\n",
        ),
        ("runbook_url", "https://wiki.example.com/run_book?a=1&b=2"),
        ("dashboard_url", "https://grafana.example.com/d/live"),
        ("ticket_url", "OPS-17"),
        ("phone", "stadium control room, ext. 4021"),
    ])
}
