//! The same facts as JSON, for webhooks. Text is as it came, cleaned of nothing: JSON carries it safely.
//!
//! A time is an object: `ms` since 1970, and `local`, RFC 3339 in the channel's zone. `null` means not known.

use serde_json::{Value, json};

use super::clean::cut_end;
use super::figures::{Moment, unit};
use super::phrase::Phrases;
use super::story::{Bounds, Story};
use super::{DigestView, Notice, NoticeView, View};
use crate::model::{Catalogue, EventKind, Incident, Key, Labels, Scope, StreamName, Timestamp, Trouble};

/// A group's facts.
///
/// `version` (1), `kind` (`incident`), `state` (`critical`, `warning`, `info`, `well`, `ended`), `summary`, `group`
/// (number), `revision`, `stream` {`scope`, `domain`, `path`, `id`, `full`}, `viewers`, `cause`, `fix` (empty when over),
/// and `incidents`, each: `id`, `rule`, `on`, `state`, `ended_by`, `severity`, `name`, `since`, `last_at`, `opened_at`,
/// `resolved_at`, `reports`, `count`, `flaps`, `troubles` [{`type`, `name`, `text`, `said`, `count`, `last`, `worst`, `unit`}],
/// `errcode`, `errmsg`, `push_duration_ms`, `session`, `user_ip`, `appid`, `stream`, `silence_ms` (a rule on silence),
/// `distinct` {`of`, `number`}, `labels`, `annotations` (names to values; of each at most 32, values of at most 2,000
/// characters), `ack` {`by`, `at`}, `muted_until`, `inhibited_by` (number of an incident).
///
/// `scope` is the `per` of the rule: `stream`, `session`, `app`, `domain`, `user_ip` or `all`; `null` for a group by
/// other labels. `domain`, `path` and `id` are `null` where it is wider than that.
#[must_use]
pub fn facts(view: &View<'_>) -> Value {
    let phrases = view.phrases();
    let [bounds, ..] = &Bounds::ALL;
    let story = Story::of(view, bounds);
    json!({
        "version": 1,
        "kind": "incident",
        "state": story.state,
        "summary": story.summary(),
        "group": view.group.id.0,
        "revision": view.group.revision,
        "stream": stream(&view.group.key),
        "viewers": story.viewers,
        "cause": story.cause,
        "fix": story.fix,
        "incidents": view.incidents.iter().map(|one| incident(one, &phrases)).collect::<Vec<_>>(),
    })
}

/// A digest's facts: `version`, `kind` (`digest`), `state`, `summary`, `counted` (`streams`, or `incidents` where some
/// are about something else), `total` and how many of them are `firing`, `well`, `ended` and `closed` (no longer
/// watched), `since` and `until` of those that fire, else of all, `domain` and `from` where they share one (`null`
/// where not), `recovered`, `cause`, and the five `worst` incidents in the shape of [`facts`].
#[must_use]
pub fn digest_facts(view: &DigestView<'_>) -> Value {
    let (phrases, gathered) = (view.phrases(), view.gathered);
    let [bounds, ..] = &Bounds::ALL;
    let story = super::digest::DigestStory::of(view, bounds);
    let (open, counted) = (gathered.open(), gathered.counted());
    json!({
        "version": 1,
        "kind": "digest",
        "state": story.state,
        "summary": story.summary(view.channel.language),
        "counted": if gathered.of_streams() { "streams" } else { "incidents" },
        "total": gathered.total(),
        "firing": counted.sick,
        "well": counted.well,
        "ended": counted.ended,
        "closed": counted.closed,
        "since": open.since.map(|at| Moment::of(at, &phrases)),
        "until": open.until.filter(|_| gathered.is_over()).map(|at| Moment::of(at, &phrases)),
        "domain": open.domain(),
        "from": open.origin(),
        "recovered": story.recovered,
        "cause": story.cause,
        "worst": open.worst().map(|one| incident(one, &phrases)).collect::<Vec<_>>(),
    })
}

/// A notice's facts: `version`, `kind` (`notice`), `state`, `summary`, `lines`, `said`, and `mute`: `null` where it is
/// about none, else {`id` (`null` for one that stands in the rules), `others` (so many more are told together), `matchers`, `author`, `reason`, `until` (of one that
/// ends soon), `lifted`, `over` and `firing` (how many troubles), `worst` of those that are over, in the shape of
/// [`facts`]}.
#[must_use]
pub fn notice_facts(view: &NoticeView<'_>) -> Value {
    let [bounds, ..] = &Bounds::ALL;
    let story = super::notice::NoticeStory::of(view, bounds);
    json!({
        "version": 1,
        "kind": "notice",
        "state": story.state,
        "summary": story.summary(),
        "lines": story.lines,
        "said": story.said,
        "mute": mute(view),
    })
}

fn mute(view: &NoticeView<'_>) -> Value {
    let phrases = view.phrases();
    match view.notice {
        Notice::MuteEnds { mute, firing } => json!({
            "id": mute.id,
            "others": 0,
            "matchers": mute.matchers,
            "author": mute.author,
            "reason": mute.reason,
            "until": Moment::of(mute.until, &phrases),
            "lifted": false,
            "over": 0,
            "firing": firing,
            "worst": [],
        }),
        Notice::MuteOver(missed) => json!({
            "id": missed.mute,
            "others": missed.others,
            "matchers": missed.matchers,
            "author": missed.author,
            "reason": missed.reason,
            "until": null,
            "lifted": missed.lifted,
            "over": missed.over,
            "firing": missed.firing,
            "worst": missed.worst.iter().map(|one| incident(one, &phrases)).collect::<Vec<_>>(),
        }),
        _ => Value::Null,
    }
}

fn incident(incident: &Incident, phrases: &Phrases<'_>) -> Value {
    let time = |at: Timestamp| Moment::of(at, phrases);
    json!({
        "id": incident.id.0,
        "rule": &*incident.rule,
        "on": incident.on.name(),
        "state": incident.state.as_str(),
        "ended_by": incident.cause,
        "severity": incident.severity.as_str(),
        "name": phrases.name(incident),
        "stream": stream(&incident.key),
        "since": time(incident.since),
        "last_at": time(incident.last_at),
        "opened_at": time(incident.opened_at),
        "resolved_at": incident.resolved_at.map(time),
        "reports": incident.reports,
        "count": incident.count,
        "flaps": incident.flaps,
        "troubles": incident.troubles.iter().map(|one| trouble(one, phrases)).collect::<Vec<_>>(),
        "errcode": incident.end().errcode.filter(|_| incident.on == EventKind::PushEnd),
        "errmsg": incident.end().errmsg,
        "push_duration_ms": incident.end().push_duration,
        "session": incident.session,
        "user_ip": incident.user_ip,
        "appid": incident.appid,
        "silence_ms": incident.silence,
        "distinct": incident.distinct,
        "labels": named(&incident.labels),
        "annotations": named(&incident.annotations),
        "ack": incident.ack.as_ref().map(|ack| json!({ "by": ack.by, "at": time(ack.at) })),
        "muted_until": incident.muted_until.map(time),
        "inhibited_by": incident.inhibited_by.map(|id| id.0),
    })
}

/// An operator's own names and values, as they are but for their length.
fn named(labels: &Labels) -> Value {
    const MOST: usize = 32;
    const LONGEST: usize = 2_000;
    let pairs = labels.iter().take(MOST);
    let pairs = pairs.map(|(name, value)| (cut_end(name, LONGEST), Value::from(cut_end(value, LONGEST))));
    Value::Object(pairs.collect())
}

fn trouble(trouble: &Trouble, phrases: &Phrases<'_>) -> Value {
    let unit = Catalogue::unit(trouble.kind).map(unit);
    json!({
        "type": trouble.kind.0,
        "name": trouble.kind.to_string(),
        "text": phrases.text(trouble.kind).name,
        "said": trouble.text,
        "count": trouble.count,
        "last": trouble.last,
        "worst": trouble.worst,
        "unit": unit,
    })
}

fn stream(key: &Key) -> Value {
    let id = key.stream().map(StreamName::stream);
    let scope = key.scope().map(Scope::as_str);
    json!({ "scope": scope, "domain": key.domain(), "path": key.path(), "id": id, "full": key.to_string() })
}
