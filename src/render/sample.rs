//! Made-up incidents, ordinary and hostile: for trying templates at load, for previews and for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;

use super::{Gathered, Notice};
use crate::model::{
    AbnormalType, Allow, Cause, Channel, ChannelKind, ChannelName, EventKind, Group, GroupId, Incident, IncidentId,
    Key, Language, PushEnd, Receivers, Seq, Severity, SlackDoor, State, StreamName, Target, Timestamp, Trouble,
    WecomApp, WecomCallback, WecomDoor,
};

mod muting;

mod wide;

/// The time of the samples: 2025-11-22T04:05:10Z, in the zone of their channels 12:05:10.
pub const NOW: Timestamp = Timestamp(1_763_784_310_000);

/// A group and its incidents in one state.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it shows.
    pub name: &'static str,
    /// The group.
    pub group: Group,
    /// Its incidents, ascending by number.
    pub incidents: Vec<Incident>,
}

/// A channel of a kind with made-up secrets, in UTC+8.
#[must_use]
pub fn channel(kind: ChannelKind, language: Language) -> Channel {
    let secret = || SecretString::from("sample");
    let api_url = String::new();
    let target = match kind {
        ChannelKind::Slack => Target::Slack {
            door: SlackDoor::Bot { token: secret(), channel: "C012345".to_owned() },
            api_url,
            inbound: None,
        },
        ChannelKind::Wecom => Target::Wecom { door: WecomDoor::Robot { key: secret() }, api_url },
        ChannelKind::Telegram => {
            Target::Telegram { token: secret(), chat_id: 1, thread_id: None, api_url, webhook: None }
        }
        ChannelKind::Webhook => Target::Webhook { url: secret(), headers: BTreeMap::new(), template: None },
        ChannelKind::Console => Target::Console,
    };
    Channel {
        name: ChannelName::new("ops"),
        target,
        language,
        min_severity: Severity::Info,
        fallback: None,
        timezone: TimeZone::fixed(jiff::tz::offset(8)),
        allow: Allow::Nobody,
    }
}

/// An app of WeCom that hears everybody: where buttons are, messages are cards.
#[must_use]
pub fn app(language: Language) -> Channel {
    let secret = || SecretString::from("sample");
    let app = WecomApp {
        corp_id: "ww1".to_owned(),
        agent_id: 1,
        secret: secret(),
        to: Receivers::default(),
        callback: Some(WecomCallback { token: secret(), encoding_aes_key: secret() }),
    };
    let target = Target::Wecom { door: WecomDoor::App(Box::new(app)), api_url: String::new() };
    Channel { target, allow: Allow::Everyone, ..channel(ChannelKind::Wecom, language) }
}

/// One sample for each state that a message can be in, and for each width of what it can be about.
#[must_use]
pub fn ordinary() -> Vec<Sample> {
    let late = || vec![trouble(6, 14, Some(3046.0)), trouble(7, 9, Some(3009.0))];
    let over = |mut incident: Incident, cause| {
        incident.state = State::Resolved;
        incident.cause = Some(cause);
        incident.last_at = ago(30);
        incident.last_received = ago(90);
        incident.resolved_at = Some(NOW);
        incident
    };
    let gop = || Incident {
        severity: Severity::Warning,
        ..push_error(13, "gop_too_large", vec![trouble(16, 3, Some(12.0))])
    };
    let first = || push_error(12, "uplink_stall", late());
    let single = Incident {
        reports: 1,
        count: 1,
        since: NOW,
        troubles: vec![trouble(6, 1, None)],
        ..push_error(12, "uplink_stall", Vec::new())
    };
    let unknown = Trouble { text: Some("lip sync error".into()), ..trouble(23, 4, Some(2.5)) };
    vec![
        sample("firing", vec![first()]),
        sample("single", vec![single]),
        sample(
            "several",
            vec![first(), gop(), over(push_error(14, "fps", vec![trouble(15, 2, Some(7.5))]), Cause::Quiet)],
        ),
        sample("well", vec![over(first(), Cause::Quiet)]),
        sample("well_several", vec![over(first(), Cause::Quiet), over(gop(), Cause::Quiet)]),
        sample("flapped", vec![over(Incident { flaps: 2, ..first() }, Cause::Reconnected)]),
        sample("ended", vec![over(first(), Cause::Ended)]),
        sample("rule_removed", vec![over(first(), Cause::RuleRemoved)]),
        sample("down", vec![push_end(15)]),
        sample("live_again", vec![over(push_end(15), Cause::Reconnected)]),
        sample("no_word", vec![over(push_end(15), Cause::NoWord)]),
        sample("unknown_type", vec![push_error(16, "anything", vec![unknown])]),
    ]
    .into_iter()
    .chain(wide::samples())
    .collect()
}

/// Names and texts that try to break out of a message.
#[must_use]
pub fn hostile() -> Vec<Sample> {
    let long = "流&<`*".repeat(600);
    let texts = [
        "",
        " ",
        "<!channel> <@U024BE7LH> @all",
        "<b>x</i></code>&apos;&copy;&#0;",
        "`*_~[x](http://evil.example)~_*`",
        "cam1 — well again\n✅ pushwatch — all clear",
        "\u{202e}gpj.1mac\u{2066}\u{200b}\u{0}\u{1b}[31m",
        "{{sign}} {{{x}}}",
        long.as_str(),
    ];
    let mut samples = Vec::new();
    for text in texts {
        let name = StreamName::new(text, text, text);
        let turn = samples.len();
        let dress = |incident: Incident| Incident {
            rule: text.into(),
            key: Key::Stream(name.clone()),
            user_ip: Some(text.into()),
            end: PushEnd { errmsg: Some(text.into()), ..incident.end().clone() }.boxed(),
            session: Some(text.into()),
            appid: Some(text.into()),
            ..incident
        };
        samples.extend(wide::hostile(text, turn));
        let odd = |kind| Trouble { text: Some(text.into()), ..trouble(kind, u64::MAX, Some(f64::MAX)) };
        let mut incidents = vec![
            dress(push_error(u64::MAX, "", (0..40).map(odd).collect())),
            dress(Incident {
                end: PushEnd { push_duration: Some(u64::MAX), ..push_end(2).end().clone() }.boxed(),
                ..push_end(2)
            }),
        ];
        incidents.extend((3..20).map(|id| dress(push_error(id, "", vec![odd(id as u32)]))));
        let mut one = sample("hostile", incidents);
        one.group.key = Key::Stream(name.clone());
        samples.push(one);
        let mut alone = sample("hostile_alone", vec![dress(push_end(1))]);
        alone.group.key = Key::Stream(name);
        samples.push(alone);
    }
    samples.push(Sample { incidents: Vec::new(), ..sample("empty", vec![push_end(1)]) });
    samples
}

/// Many streams of one domain and one network, each with the same trouble.
#[must_use]
pub fn storm(streams: u64) -> Vec<Incident> {
    let one = |id: u64| Incident {
        key: Key::Stream(StreamName::new("push.example.com", "live", &format!("cam{id}"))),
        user_ip: Some(format!("203.0.113.{}", id % 250).into()),
        count: 3 + id % 7,
        ..push_error(id, "uplink_stall", vec![trouble(6, 3, Some(3046.0 + id as f64))])
    };
    (1..=streams).map(one).collect()
}

/// The same storm after it is over.
#[must_use]
pub fn passed(mut storm: Vec<Incident>, cause: Cause) -> Vec<Incident> {
    for incident in &mut storm {
        incident.state = State::Resolved;
        incident.cause = Some(cause);
        incident.resolved_at = Some(NOW);
    }
    storm
}

/// Many streams with nothing in common, hostile domains among them.
#[must_use]
pub fn scattered(streams: u64) -> Vec<Incident> {
    let texts = ["push.example.com", "<!here>", "a`b", "\u{202e}x", "*&<b>"];
    let one = |id: u64| {
        let text = texts[(id % 5) as usize];
        Incident {
            key: Key::Stream(StreamName::new(&format!("{text}{}", id % 7), text, &format!("{text}{id}"))),
            user_ip: Some(text.into()),
            rule: text.into(),
            ..push_error(id, "", vec![trouble((id % 18) as u32, id, Some(id as f64))])
        }
    };
    (1..=streams).map(one).collect()
}

/// Incidents of different widths at once: streams, a domain, an address.
#[must_use]
pub fn mixed() -> Vec<Incident> {
    let mut all = storm(3);
    all.extend(wide::samples().into_iter().flat_map(|sample| sample.incidents).filter(Incident::is_firing));
    all
}

/// All of them in one.
#[must_use]
pub fn gathered(incidents: &[Incident]) -> Gathered {
    let mut gathered = Gathered::new();
    incidents.iter().for_each(|incident| gathered.add(incident));
    gathered
}

/// Storms in the course of their life, and some with nothing in common.
#[must_use]
pub fn digests() -> Vec<(&'static str, Gathered)> {
    let calming = |cause| {
        let mut streams = storm(2_000);
        let rest = streams.split_off(588);
        streams.extend(passed(rest, cause));
        streams
    };
    let mut parting = passed(storm(312), Cause::Quiet);
    let mut ending = calming(Cause::Quiet);
    for (at, cause) in [Cause::Ended, Cause::RuleRemoved].into_iter().enumerate() {
        let few = |streams: &mut Vec<Incident>| {
            let last = streams.len() - 1 - at;
            streams[last].cause = Some(cause);
        };
        few(&mut parting);
        few(&mut ending);
    }
    let mut several = storm(300);
    several.extend(storm(312).split_off(300).into_iter().map(|one| Incident {
        on: EventKind::PushEnd,
        end: PushEnd { errcode: Some(13), ..PushEnd::UNKNOWN }.boxed(),
        troubles: Vec::new(),
        ..one
    }));
    [
        ("firing", storm(312)),
        ("one stream", storm(1)),
        ("two kinds of trouble", several),
        ("most well again", calming(Cause::Quiet)),
        ("most over", ending),
        ("all well again", passed(storm(312), Cause::Reconnected)),
        ("all ended", passed(storm(312), Cause::Ended)),
        ("all over", parting),
        ("nothing in common", scattered(40)),
        ("nothing in common, over", passed(scattered(40), Cause::RuleRemoved)),
        ("of all widths", mixed()),
        ("empty", Vec::new()),
    ]
    .map(|(name, incidents)| (name, gathered(&incidents)))
    .into()
}

/// One of each notice.
#[must_use]
pub fn notices() -> Vec<Notice> {
    let channel = || ChannelName::new("on-call");
    let problems = || vec!["rules.yaml:12:7: unknown field `treshold`, did you mean `threshold`?".to_owned()];
    let mut notices = vec![
        Notice::Test { channel: channel() },
        Notice::ChannelFailing { channel: channel(), error: "Forbidden: bot was kicked".to_owned(), waiting: 1_200 },
        Notice::ChannelRecovered { channel: channel() },
        Notice::RulesRefused { problems: problems() },
        Notice::RulesRefused { problems: vec!["`<b>&*_\n@all".repeat(200); 40] },
        Notice::LastGoodRules { problems: problems() },
        Notice::Deaf { from: ago(400), to: NOW },
        Notice::DeadLetters { channel: ChannelName::new("<!channel>"), count: 3 },
        Notice::OnlyPushErrors { reports: 120 },
        Notice::LateCallbacks { median: 95_000 },
    ];
    notices.extend(muting::notices());
    notices
}

fn ago(secs: u64) -> Timestamp {
    NOW - Duration::from_secs(secs)
}

fn sample(name: &'static str, incidents: Vec<Incident>) -> Sample {
    let group = Group {
        id: GroupId(4),
        key: Key::Stream(StreamName::new("push.example.com", "live", "cam1")),
        opened_at: ago(120),
        closed_at: None,
        held_until: None,
        held_by: None,
        revision: 3,
        told: Vec::new(),
        shown: None,
    };
    Sample { name, group, incidents }
}

fn trouble(kind: u32, count: u64, worst: Option<f64>) -> Trouble {
    Trouble { kind: AbnormalType(kind), count, last: worst, worst, text: None }
}

fn push_error(id: u64, rule: &str, troubles: Vec<Trouble>) -> Incident {
    Incident {
        id: IncidentId(id),
        rule: rule.into(),
        on: EventKind::PushError,
        key: Key::Stream(StreamName::new("push.example.com", "live", "cam1")),
        silence: None,
        group_key: None,
        labels: Default::default(),
        annotations: Default::default(),
        group: Some(GroupId(4)),
        state: State::Firing,
        cause: None,
        severity: Severity::Critical,
        since: ago(120),
        opened_at: ago(118),
        resolved_at: None,
        last_at: NOW,
        last_received: NOW,
        deadline: None,
        reports: 5,
        count: troubles.iter().fold(0, |sum: u64, trouble| sum.saturating_add(trouble.count)),
        troubles,
        end: None,
        session: Some("2210464508206756938".into()),
        user_ip: Some("203.0.113.7".into()),
        appid: None,
        flaps: 0,
        back: 0,
        notify: [ChannelName::new("ops")].into(),
        ack: None,
        muted_until: None,
        inhibited_by: None,
        missed_in: Default::default(),
        distinct: None,
        seq: Seq(id),
    }
}

fn push_end(id: u64) -> Incident {
    Incident {
        on: EventKind::PushEnd,
        end: PushEnd { errcode: Some(13), errmsg: Some("network error".into()), push_duration: Some(7_500_000) }
            .boxed(),
        reports: 1,
        count: 1,
        ..push_error(id, "stream_down", Vec::new())
    }
}
