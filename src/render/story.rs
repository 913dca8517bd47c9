//! What a message about one group says: every sentence ready-made, cleaned and bounded, but not yet escaped.

use serde::Serialize;

use super::clean::{cut_end, short};
use super::figures::{Figures, Moment};
use super::own::{Own, Standing};
use super::phrase::{Phrases, end, sign};
use super::title::{self, Title, name};
use super::{Sign, View};
use crate::model::catalogue::{Spread, joint_cause, spread_cause, spread_fix};
use crate::model::{AbnormalType, Distinct, EventKind, Incident, Key, Noun, State};

/// How long things may get, in characters, and how many lines. Tighter ones are tried when a platform's limit
/// would be broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The stream in the first line, and other single names.
    pub(super) name: usize,
    /// The stream's full name.
    pub(super) full: usize,
    /// The cloud's own words.
    pub(super) said: usize,
    /// Lines of incidents.
    pub(super) lines: usize,
    /// Each sentence of the catalogue.
    pub(super) text: usize,
}

impl Bounds {
    pub(super) const ALL: [Bounds; 3] = [
        Bounds { name: 64, full: 300, said: 160, lines: 8, text: 400 },
        Bounds { name: 40, full: 100, said: 60, lines: 4, text: 160 },
        Bounds { name: 24, full: 48, said: 24, lines: 2, text: 80 },
    ];
}

/// What the templates `incident` and `note` are given. Field names are what operators write in their templates.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    pub(super) sign: &'static str,
    /// `critical`, `warning`, `info`, `well` or `ended`.
    pub(super) state: &'static str,
    pub(super) firing: bool,
    pub(super) well: bool,
    pub(super) ended: bool,
    /// The worst severity: of what fires, else of all.
    pub(super) severity: &'static str,
    /// WeCom's colour word.
    pub(super) color: &'static str,
    /// Our own words before the name of what it is about, or in its place; empty for a stream.
    pub(super) about: &'static str,
    /// Whether `stream` is a name.
    pub(super) named: bool,
    /// The stream, or what else it is about.
    pub(super) stream: String,
    /// Whether `full` says more than `stream`.
    pub(super) placed: bool,
    pub(super) full: String,
    pub(super) domain: String,
    pub(super) path: String,
    pub(super) address: String,
    /// The first line after the stream.
    pub(super) headline: String,
    /// The same for a short reply: with the count, without the rest.
    pub(super) note: String,
    pub(super) often: String,
    pub(super) quiet: String,
    pub(super) viewers: String,
    pub(super) cause: String,
    pub(super) fix: String,
    /// The rule's own words.
    #[serde(flatten)]
    pub(super) own: Own,
    /// Acknowledged, muted, part of another.
    #[serde(flatten)]
    pub(super) standing: Standing,
    /// More than one incident: a line each in `lines`.
    pub(super) several: bool,
    pub(super) lines: Vec<Line>,
    pub(super) more: usize,
    /// `#12, #13`.
    pub(super) numbers: String,
    pub(super) rules: Vec<String>,
    /// `+3`, where there are more rules than named.
    pub(super) more_rules: String,
    pub(super) codes: String,
    pub(super) said: String,
    /// How many incidents it tells.
    pub(super) incidents: usize,
    /// Those of the incident that matters most.
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// The time of sending.
    pub(super) now: Moment,
    /// The channel's distance from UTC: `UTC+8`.
    pub(super) zone: String,
    #[serde(skip)]
    pub(super) mark: Sign,
}

/// One incident's line.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) sign: &'static str,
    pub(super) id: u64,
    /// The message is about something wider: the line says what it is about itself.
    pub(super) whose: bool,
    /// As in [`Story`].
    pub(super) about: &'static str,
    /// As in [`Story`].
    pub(super) named: bool,
    pub(super) stream: String,
    pub(super) rule: String,
    pub(super) severity: &'static str,
    pub(super) what: String,
    pub(super) often: String,
    /// Its own.
    #[serde(flatten)]
    pub(super) figures: Figures,
}

impl Story {
    /// The story of a view, within bounds.
    pub(super) fn of(view: &View<'_>, bounds: &Bounds) -> Story {
        let phrases = view.phrases();
        let told = ranked(view.incidents);
        let firing = told.first().is_some_and(|lead| lead.is_firing());
        let open: Vec<&Incident> = told.iter().copied().filter(|incident| incident.is_firing() == firing).collect();
        let lead = open.first().copied();
        let mark = lead.map_or(Sign::Ended, sign);
        let basis: &[&Incident] = if firing { &open } else { &[] };
        let advice = Advice::of(&phrases, basis);
        let headline = cut_end(&headline(&phrases, &open, firing), bounds.text);
        let mut often = lead.map(|lead| phrases.course(lead)).unwrap_or_default();
        let worst = lead.filter(|lead| !lead.is_firing()).and_then(|lead| phrases.worst(lead));
        if let Some(worst) = worst {
            often.push_str(&format!("{}{worst}", phrases.pick(", ", "，")));
        }
        let severity = open.iter().map(|incident| incident.severity).max();
        let text = |text: String| cut_end(&super::clean::clean(&text), bounds.text);
        let key = subject(&view.group.key, &told);
        let title = Title::of(key, bounds.name, &phrases);
        let full = full(key, bounds.full, &phrases);
        let of_stream = key.stream().is_some();
        let rules = distinct(told.iter().map(|incident| short(&incident.rule, bounds.name)));
        let (rules, more_rules) = capped(rules, bounds.lines);
        Story {
            sign: mark.as_str(),
            state: mark.word(),
            firing,
            well: mark == Sign::Well,
            ended: mark == Sign::Ended,
            severity: severity.map_or("", |severity| super::words::severity(severity, phrases.language)),
            color: mark.color(),
            about: title.about,
            named: title.named,
            placed: title.named && full != title.name,
            stream: title.name,
            full,
            domain: key.domain().map(|domain| name(domain, bounds.name, &phrases)).unwrap_or_default(),
            path: key.path().map(|path| name(path, bounds.name, &phrases)).unwrap_or_default(),
            // Of something wider it is only the last pusher's.
            address: told
                .iter()
                .filter(|_| of_stream)
                .find_map(|incident| incident.user_ip.as_deref())
                .map(|address| short(address, bounds.name))
                .unwrap_or_default(),
            note: note(&phrases, lead, &headline, &often),
            headline: text(headline),
            often,
            quiet: lead.and_then(|lead| phrases.quiet(lead)).unwrap_or_default(),
            viewers: text(advice.viewers),
            cause: text(advice.cause),
            fix: text(advice.fix),
            own: Own::of(lead, &phrases, bounds),
            standing: Standing::of(&open, &phrases, bounds),
            several: told.len() > 1,
            lines: told
                .iter()
                .take(bounds.lines)
                .map(|incident| Line::of(incident, Some(key), &phrases, bounds))
                .collect(),
            more: told.len().saturating_sub(bounds.lines),
            numbers: numbers(&told, bounds.lines, phrases.pick(", ", "、")),
            rules,
            more_rules,
            codes: listed(
                distinct(open.iter().flat_map(|incident| phrases.codes(incident))),
                bounds.lines,
                phrases.pick(", ", "、"),
            ),
            said: open
                .iter()
                .find_map(|incident| phrases.said(incident))
                .map(|said| short(said, bounds.said))
                .unwrap_or_default(),
            incidents: told.len(),
            figures: lead.map(|lead| Figures::of(lead, &phrases)).unwrap_or_default(),
            now: Moment::of(phrases.now, &phrases),
            zone: super::words::offset(phrases.now, phrases.zone),
            mark,
        }
    }

    /// The first line without markup.
    pub(super) fn summary(&self) -> String {
        format!("{} {} — {}", self.sign, self.title(), self.headline)
    }

    /// What it is about, among plain words.
    pub(super) fn title(&self) -> String {
        title::plain(self.about, self.named, &self.stream)
    }
}

impl Line {
    /// The line of an incident, in a message that is about `subject` or about many.
    pub(super) fn of(incident: &Incident, subject: Option<&Key>, phrases: &Phrases<'_>, bounds: &Bounds) -> Line {
        let title = Title::of(&incident.key, bounds.name, phrases);
        Line {
            sign: sign(incident).as_str(),
            id: incident.id.0,
            whose: subject.is_none_or(|subject| *subject != incident.key),
            about: title.about,
            named: title.named,
            stream: title.name,
            rule: short(&incident.rule, bounds.name),
            severity: super::words::severity(incident.severity, phrases.language),
            what: cut_end(&super::clean::clean(&phrases.what(incident)), bounds.text.min(120)),
            often: phrases.often(incident),
            figures: Figures::of(incident, phrases),
        }
    }
}

/// What a message is about: its group's key, or, where that is wider, what all of its incidents share.
fn subject<'k>(group: &'k Key, told: &[&'k Incident]) -> &'k Key {
    match (group, told) {
        (Key::Stream(_) | Key::Session(_), _) | (_, []) => group,
        (_, [first, rest @ ..]) if rest.iter().all(|incident| incident.key == first.key) => &first.key,
        _ => group,
    }
}

/// `domain/path/stream`, cut.
fn full(key: &Key, most: usize, phrases: &Phrases<'_>) -> String {
    match key {
        Key::All {} => Title::of(key, most, phrases).name,
        key => short(&key.to_string(), most),
    }
}

/// Different texts in their first order.
pub(super) fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

/// The first few of a list, and `+N` for the rest; empty where there is none.
pub(super) fn capped<T>(mut list: Vec<T>, most: usize) -> (Vec<T>, String) {
    let more = list.len().saturating_sub(most);
    list.truncate(most);
    (list, if more > 0 { format!("+{}", super::words::number(more as u64)) } else { String::new() })
}

/// The first few of a list in one text, with `+N`.
pub(super) fn listed(list: Vec<String>, most: usize, separator: &str) -> String {
    let (mut shown, more) = capped(list, most);
    if !more.is_empty() {
        shown.push(more);
    }
    shown.join(separator)
}

/// What viewers see, why, and what to do.
#[derive(Default)]
struct Advice {
    viewers: String,
    cause: String,
    fix: String,
}

impl Advice {
    /// From the firing incidents, what matters most first. Troubles seen together point to another cause than each
    /// alone; an operator's own words for the leading trouble go before that.
    fn of(phrases: &Phrases<'_>, firing: &[&Incident]) -> Advice {
        let Some(lead) = firing.first() else { return Advice::default() };
        if lead.silence.is_some() {
            return Advice::on_silence(phrases);
        }
        if lead.on == EventKind::PushEnd {
            let stop = phrases.catalogue.stop(lead.end().errcode, phrases.language);
            return Advice { viewers: stop.viewers, cause: stop.cause, fix: stop.fix };
        }
        let mut kinds: Vec<AbnormalType> = Vec::new();
        for trouble in firing.iter().flat_map(|incident| phrases.ranked(incident)) {
            if !kinds.contains(&trouble.kind) {
                kinds.push(trouble.kind);
            }
        }
        let Some(first) = kinds.first() else { return Advice::default() };
        let text = phrases.text(*first);
        // "not known" is worth saying only where nothing else is.
        let known = |kind: &&AbnormalType| kind.name().is_some() || phrases.catalogue.own(**kind).is_some();
        let mut effects = distinct(kinds.iter().filter(known).take(2).map(|kind| phrases.text(*kind).viewers));
        if effects.is_empty() {
            effects.push(text.viewers);
        }
        let mut advice = Advice { viewers: effects.join(phrases.pick("; ", "；")), cause: text.cause, fix: text.fix };
        let own = phrases.catalogue.own(*first);
        // Seen together means: on one stream.
        let one = title::streams(firing.iter().map(|incident| &incident.key)) == Some(1);
        let joint = joint_cause(&kinds, phrases.language).filter(|joint| one && !joint.by_absence);
        // What many have in common says more than what each of them has.
        let better = match spread(lead) {
            Some(spread) => Some((spread_cause(spread, phrases.language), spread_fix(spread, phrases.language))),
            None => joint.map(|joint| (joint.cause, joint.fix)),
        };
        if let Some((cause, fix)) = better {
            if own.is_none_or(|own| own.cause.is_none()) {
                advice.cause = cause.to_owned();
            }
            if own.is_none_or(|own| own.fix.is_none()) {
                advice.fix = fix.to_owned();
            }
        }
        advice
    }

    /// Callbacks that do not come: nobody but the operator knows what they should have told.
    fn on_silence(phrases: &Phrases<'_>) -> Advice {
        Advice {
            viewers: String::new(),
            cause: phrases
                .pick("what sends them has stopped, or they no longer reach us", "发起方已停止，或回调未能送达")
                .to_owned(),
            fix: phrases
                .pick(
                    "check that it still runs, then the callback template and its address in the console",
                    "先确认任务仍在运行，再检查控制台的回调模板和回调地址",
                )
                .to_owned(),
        }
    }
}

/// How far a trouble of many is spread; `None` where it is one stream's own.
fn spread(lead: &Incident) -> Option<Spread> {
    let many = lead.distinct.as_ref().is_some_and(|distinct| distinct.number > 1);
    match &lead.key {
        Key::UserIp { .. } if many => Some(Spread::Address),
        Key::App(_) | Key::Domain { .. } if many => Some(Spread::Domain),
        Key::All {} if many => Some(Spread::Many),
        _ => None,
    }
}

/// Those to be told, what matters most first: firing before over, worse before better, a stream that is down before
/// one that limps. Among those that are over, the last to end leads: it says how the whole ended.
fn ranked(incidents: &[Incident]) -> Vec<&Incident> {
    let mut told: Vec<&Incident> = incidents.iter().filter(|incident| incident.state != State::Pending).collect();
    told.sort_by_key(|incident| {
        let over = match incident.state {
            State::Resolved => incident.resolved_at.unwrap_or(incident.last_at).0,
            State::Pending | State::Firing => i64::MAX,
        };
        let rank = (over, incident.severity, incident.on == EventKind::PushEnd);
        (std::cmp::Reverse(rank), incident.id)
    });
    told
}

/// The first line after the stream.
fn headline(phrases: &Phrases<'_>, open: &[&Incident], firing: bool) -> String {
    let Some(lead) = open.first() else {
        return phrases.pick("nothing on record", "没有记录").to_owned();
    };
    let together = title::streams(open.iter().map(|incident| &incident.key)).filter(|streams| *streams > 1);
    if let (true, Some(streams)) = (firing, together) {
        let all = Distinct { of: Noun::Stream, number: streams as u64 };
        let names = distinct(open.iter().flat_map(|incident| phrases.names(incident)));
        return phrases.together(lead.on, all, &phrases.join(&names));
    }
    if firing {
        let more = match (open.len() - 1, phrases.language) {
            (0, _) => String::new(),
            (more, crate::model::Language::En) => format!(" (+{more} more)"),
            (more, crate::model::Language::Zh) => format!("（另有 {more} 项）"),
        };
        return format!("{}{more}", phrases.what(lead));
    }
    let from = open.iter().map(|incident| incident.since).min().unwrap_or(lead.since);
    let to = open.iter().map(|incident| end(incident)).max().unwrap_or(lead.since);
    let mut names: Vec<String> = Vec::new();
    for incident in open {
        for name in phrases.names(incident) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let names = phrases.join(&names);
    let many = lead.distinct.as_deref().filter(|_| open.len() == 1);
    let many = many.map(|distinct| phrases.aside(&phrases.distinct(*distinct))).unwrap_or_default();
    format!("{}{}{names}{many}", phrases.ending(lead, to.since(from)), phrases.pick(": ", "："))
}

/// A short reply: for what fires, how bad it is by now; for what is over, the headline.
fn note(phrases: &Phrases<'_>, lead: Option<&Incident>, headline: &str, often: &str) -> String {
    match lead {
        Some(lead) if lead.is_firing() => {
            let severity = super::words::severity(lead.severity, phrases.language);
            let (colon, comma) = (phrases.pick(": ", "："), phrases.pick(", ", "，"));
            super::clean::clean(&format!("{severity}{colon}{headline}{comma}{often}"))
        }
        _ => super::clean::clean(headline),
    }
}

/// `#12, #13`.
fn numbers(told: &[&Incident], most: usize, separator: &str) -> String {
    let mut ids: Vec<u64> = told.iter().map(|incident| incident.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    listed(ids.into_iter().map(|id| format!("#{id}")).collect(), most, separator)
}
