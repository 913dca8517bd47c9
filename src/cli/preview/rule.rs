//! Made-up incidents of one rule, as its own would look: its kind, width, threshold, labels and annotations.

use std::time::Duration;

use crate::model::catalogue::Unit;
use crate::model::{
    AbnormalType, Catalogue, Cause, Distinct, EventKind, Incident, Key, PushEnd, Scope, Severity, State, StreamName,
    Trouble,
};
use crate::render::Gathered;
use crate::render::sample::{self, Sample};
use crate::rules::{Measure, Plan, Rule};

/// The rule's message in the course of its life.
pub(super) fn samples(rule: &Rule, catalogue: &Catalogue) -> Vec<Sample> {
    let Some(model) = sample::ordinary().into_iter().next() else { return Vec::new() };
    let firing = incident(rule, catalogue, 1);
    let mut cases = vec![("firing", firing.clone())];
    match cause(rule) {
        Cause::Quiet => {
            cases.extend([("well again", over(&firing, Cause::Quiet)), ("ended", over(&firing, Cause::Ended))]);
        }
        cause => cases.push(("well again", over(&firing, cause))),
    }
    let sample = |(name, incident): (&'static str, Incident)| {
        let mut group = model.group.clone();
        group.key = incident.key.clone();
        Sample { name, group, incidents: vec![incident] }
    };
    cases.into_iter().map(sample).collect()
}

/// Many of its incidents at once.
pub(super) fn digests(rule: &Rule, catalogue: &Catalogue) -> Vec<(&'static str, Gathered)> {
    let all: Vec<Incident> = (1..=312).map(|number| incident(rule, catalogue, number)).collect();
    let well: Vec<Incident> = all.iter().map(|one| over(one, cause(rule))).collect();
    vec![("firing", sample::gathered(&all)), ("all well again", sample::gathered(&well))]
}

/// How a trouble of its kind ends well.
fn cause(rule: &Rule) -> Cause {
    match (rule.silence, rule.on) {
        (Some(_), _) => Cause::Heard,
        (None, EventKind::PushEnd) => Cause::Reconnected,
        (None, _) => Cause::Quiet,
    }
}

fn over(firing: &Incident, cause: Cause) -> Incident {
    let quiet = Duration::from_secs(90);
    Incident {
        state: State::Resolved,
        cause: Some(cause),
        last_at: sample::NOW - quiet,
        last_received: sample::NOW - quiet,
        resolved_at: Some(sample::NOW),
        ..firing.clone()
    }
}

/// The incident of stream `cam{number}`, or of whatever the rule is about.
fn incident(rule: &Rule, catalogue: &Catalogue, number: u64) -> Incident {
    let base = sample::storm(number).pop().unwrap_or_else(|| sample::storm(1).remove(0));
    let troubles = troubles(rule);
    let lowest = rule.plan.lowest();
    let ends = rule.on == EventKind::PushEnd && rule.silence.is_none();
    let severity = match &rule.plan {
        Plan::Levels(levels) => levels.first().map_or(Severity::Warning, |(_, severity)| *severity),
        Plan::Catalogue { .. } if ends => catalogue.stop_severity(Some(13)),
        Plan::Catalogue { .. } => {
            troubles.iter().map(|one| catalogue.severity(one.kind)).max().unwrap_or(Severity::Warning)
        }
    };
    let stream = StreamName::new("push.example.com", "live", &format!("cam{number}"));
    let domain = || format!("push{}.example.com", if number == 1 { String::new() } else { number.to_string() });
    Incident {
        rule: rule.name.clone(),
        on: rule.on,
        silence: rule.silence.map(|silence| u64::try_from(silence.as_millis()).unwrap_or(u64::MAX)),
        key: match rule.per {
            Scope::Stream => Key::Stream(stream),
            Scope::Session => Key::session(stream, "2210464508206756938"),
            Scope::App => Key::app(&domain(), "live"),
            Scope::Domain => Key::Domain { domain: domain().into() },
            Scope::UserIp => Key::UserIp { user_ip: format!("203.0.113.{}", number % 250).into() },
            Scope::All => Key::All {},
        },
        labels: rule.labels.clone(),
        annotations: rule.annotations.clone(),
        severity,
        count: troubles.iter().map(|trouble| trouble.count).sum::<u64>().max(lowest),
        troubles,
        distinct: match rule.measure {
            Measure::Distinct(of) => Some(Box::new(Distinct { of, number: lowest.max(2) })),
            Measure::Count | Measure::Reports => None,
        },
        end: ends.then(|| {
            let said = Some("network error".into());
            Box::new(PushEnd { errcode: Some(13), errmsg: said, push_duration: Some(7_500_000) })
        }),
        ..base
    }
}

/// Two of the types it counts, with values as they come.
fn troubles(rule: &Rule) -> Vec<Trouble> {
    if rule.on != EventKind::PushError {
        return Vec::new();
    }
    let late = [AbnormalType(6), AbnormalType(7)];
    let kinds = if rule.types.is_empty() { &late[..] } else { &rule.types[..] };
    let each = rule.plan.lowest().div_ceil(kinds.len().min(2) as u64).max(1);
    let value = |kind| {
        Catalogue::unit(kind).map(|unit| match unit {
            Unit::Milliseconds => 3046.0,
            Unit::Seconds => 12.0,
            Unit::Fps => 7.5,
            Unit::Bytes => 70_000.0,
        })
    };
    let trouble = |kind| Trouble { kind, count: each, last: value(kind), worst: value(kind), text: None };
    kinds.iter().copied().take(2).map(trouble).collect()
}
