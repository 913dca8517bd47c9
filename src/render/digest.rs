//! What a digest says: the pattern that many sick streams have in common first, then the worst few.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::phrase::{Phrases, end, sign};
use super::story::{Bounds, Line, capped, listed};
use super::words::number;
use super::{DigestView, Sign};
use crate::model::catalogue::{Spread, spread_cause};
use crate::model::{EventKind, Incident, Key, Language, Severity, State};

/// So many streams are named.
const WORST: usize = 5;

/// What the template `digest` is given.
#[derive(Debug, Serialize)]
pub(super) struct DigestStory {
    pub(super) sign: &'static str,
    pub(super) state: &'static str,
    pub(super) firing: bool,
    pub(super) color: &'static str,
    /// How many the first line is about: `312 streams`; `9 incidents` where not all of them are a stream's.
    pub(super) counted: String,
    /// The number in it: those that are sick, or all once all are over.
    pub(super) streams: String,
    /// One alone: for the plural.
    pub(super) single: bool,
    /// The domain they share; empty when there are several, or some lie in none.
    pub(super) domain: String,
    /// What they have, since when: `video late, since 12:03:10 (UTC+8)`.
    pub(super) headline: String,
    /// The address or network they share; empty where there is none.
    pub(super) from: String,
    /// `9,412 of 10,000 well again`; empty before the first is.
    pub(super) recovered: String,
    pub(super) cause: String,
    pub(super) worst: Vec<Line>,
    /// Those beyond the named; empty when there are none.
    pub(super) more: String,
    /// The domains, where there are several.
    pub(super) domains: Vec<String>,
    /// `+3`, where there are more domains than named.
    pub(super) more_domains: String,
    pub(super) rules: Vec<String>,
    /// `+3`, where there are more rules than named.
    pub(super) more_rules: String,
    pub(super) codes: String,
    #[serde(skip)]
    pub(super) mark: Sign,
}

impl DigestStory {
    /// The story of a digest, within bounds.
    pub(super) fn of(view: &DigestView<'_>, bounds: &Bounds) -> DigestStory {
        let phrases = view.phrases();
        let told: Vec<&Incident> = view.incidents.iter().filter(|incident| incident.state != State::Pending).collect();
        let sick: Vec<&Incident> = told.iter().copied().filter(|incident| incident.is_firing()).collect();
        let firing = !sick.is_empty();
        let open = if firing { &sick } else { &told };
        let counts = Counts::of(&told);
        let worst = worst(open, counts);
        let mark = mark(open);
        let streams = worst.len();
        let domains = distinct_domains(open);
        let in_one = domains.len() == 1 && open.iter().all(|incident| incident.key.domain().is_some());
        let from = common_address(open);
        let spread = match (&from, domains.len()) {
            (Some(_), _) => Some(Spread::Address),
            (None, 1) => Some(Spread::Domain).filter(|_| in_one),
            (None, 0 | 2) => None,
            (None, _) => Some(Spread::Everywhere),
        };
        let shown = WORST.min(bounds.lines);
        let lines: Vec<Line> = worst.iter().take(shown).map(|lead| Line::of(lead, None, &phrases, bounds)).collect();
        let more = streams - lines.len();
        let shared = |domain: &&&str| super::title::name(domain, bounds.name, &phrases);
        let short = |name: &str| super::clean::short(name, bounds.name);
        let several = if domains.len() > 1 { domains.clone() } else { Vec::new() };
        let (shown_domains, more_domains) = capped(several, 3);
        let (shown_rules, more_rules) = capped(rules(open), bounds.lines);
        DigestStory {
            sign: mark.as_str(),
            state: mark.word(),
            firing,
            color: mark.color(),
            counted: counts.words(streams, phrases.language),
            streams: number(streams as u64),
            single: streams == 1,
            domain: domains.first().filter(|_| in_one).as_ref().map(shared).unwrap_or_default(),
            headline: super::clean::cut_end(&super::clean::clean(&headline(&phrases, open, firing)), bounds.text),
            from: from.unwrap_or_default(),
            recovered: recovered(&phrases, &told, streams, counts).filter(|_| firing).unwrap_or_default(),
            cause: spread
                .filter(|_| firing && streams > 1)
                .map(|spread| spread_cause(spread, phrases.language).to_owned())
                .unwrap_or_default(),
            worst: lines,
            more: if more > 0 { number(more as u64) } else { String::new() },
            domains: shown_domains.into_iter().map(short).collect(),
            more_domains,
            rules: shown_rules.into_iter().map(short).collect(),
            more_rules,
            codes: codes(&phrases, open, bounds.lines.min(4)),
            mark,
        }
    }

    /// The first line without markup.
    pub(super) fn summary(&self, language: Language) -> String {
        let domain = if self.domain.is_empty() { String::new() } else { super::markup::quote(&self.domain) };
        let subject = match (language, domain.is_empty()) {
            (_, true) => self.counted.clone(),
            (Language::En, false) => format!("{} of {domain}", self.counted),
            (Language::Zh, false) => format!("{domain} 的 {}", self.counted),
        };
        let from = match (language, self.from.as_str()) {
            (_, "") => String::new(),
            (Language::En, from) => format!(" — all from {from}"),
            (Language::Zh, from) => format!("，均来自 {from}"),
        };
        format!("{} {subject}{}{}{from}", self.sign, if language == Language::En { ": " } else { "：" }, self.headline)
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    /// Streams: all incidents are about one.
    Streams,
    /// Incidents: some are about something wider, or about single pushes.
    Incidents,
}

impl Counts {
    fn of(told: &[&Incident]) -> Counts {
        match told.iter().all(|incident| matches!(incident.key, Key::Stream(_))) {
            true => Counts::Streams,
            false => Counts::Incidents,
        }
    }

    /// `312 streams`.
    fn words(self, many: usize, language: Language) -> String {
        let number = number(many as u64);
        match (language, self) {
            (Language::En, Counts::Streams) => format!("{number} stream{}", if many == 1 { "" } else { "s" }),
            (Language::En, Counts::Incidents) => format!("{number} incident{}", if many == 1 { "" } else { "s" }),
            (Language::Zh, Counts::Streams) => format!("{number} 路流"),
            (Language::Zh, Counts::Incidents) => format!("{number} 项异常"),
        }
    }

    /// How many these are.
    fn count(self, incidents: &[&Incident]) -> usize {
        match self {
            Counts::Incidents => incidents.len(),
            Counts::Streams => {
                let mut keys: Vec<&Key> = incidents.iter().map(|incident| &incident.key).collect();
                keys.sort_unstable();
                keys.dedup();
                keys.len()
            }
        }
    }
}

/// One incident a stream, its worst, where streams are counted; worst first.
fn worst<'i>(open: &[&'i Incident], counts: Counts) -> Vec<&'i Incident> {
    if counts == Counts::Incidents {
        let mut all = open.to_vec();
        all.sort_by_key(|incident| (std::cmp::Reverse(rank(incident)), incident.id));
        return all;
    }
    let mut leads: BTreeMap<&Key, &Incident> = BTreeMap::new();
    for incident in open {
        let lead = leads.entry(&incident.key).or_insert(incident);
        if rank(incident) > rank(lead) {
            *lead = incident;
        }
    }
    let mut leads: Vec<&Incident> = leads.into_values().collect();
    leads.sort_by_key(|incident| (std::cmp::Reverse(rank(incident)), incident.id));
    leads
}

fn rank(incident: &Incident) -> (Severity, bool, u64) {
    (incident.severity, incident.on == EventKind::PushEnd, incident.count)
}

/// The worst sign of what fires; of what is over, well only if all are.
fn mark(open: &[&Incident]) -> Sign {
    if open.iter().any(|incident| !incident.is_firing()) {
        let all_well = open.iter().all(|incident| sign(incident) == Sign::Well);
        return if all_well { Sign::Well } else { Sign::Ended };
    }
    let worst = open.iter().max_by_key(|incident| incident.severity);
    worst.map_or(Sign::Ended, |incident| sign(incident))
}

/// What most of them have, and since when.
fn headline(phrases: &Phrases<'_>, open: &[&Incident], firing: bool) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for incident in open {
        *counts.entry(phrases.name(incident)).or_default() += 1;
    }
    let mut names: Vec<(String, usize)> = counts.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
    let names = phrases.join(&names);
    let from = open.iter().map(|incident| incident.since).min();
    let Some(from) = from else { return phrases.pick("nothing on record", "没有记录").to_owned() };
    if firing {
        return format!("{names}{}{}", phrases.pick(", ", "，"), phrases.since(from));
    }
    let to = open.iter().map(|incident| end(incident)).max().unwrap_or(from);
    let (span, offset) = (phrases.span(from, to), super::words::offset(from, phrases.zone));
    let well = mark(open) == Sign::Well;
    match (phrases.language, well) {
        (Language::En, true) => format!("well again, were broken {span} ({offset}): {names}"),
        (Language::En, false) => format!("over, were broken {span} ({offset}): {names}"),
        (Language::Zh, true) => format!("已恢复，异常时段 {span} ({offset})：{names}"),
        (Language::Zh, false) => format!("已结束，异常时段 {span} ({offset})：{names}"),
    }
}

/// `9,412 of 10,000 well again`.
fn recovered(phrases: &Phrases<'_>, told: &[&Incident], sick: usize, counts: Counts) -> Option<String> {
    let all = counts.count(told);
    let over = all.checked_sub(sick).filter(|over| *over > 0)?;
    let any_ended = told.iter().any(|incident| sign(incident) == Sign::Ended);
    let (over, all) = (number(over as u64), number(all as u64));
    let unit = if counts == Counts::Streams { "路" } else { "项" };
    Some(match (phrases.language, any_ended) {
        (Language::En, false) => format!("{over} of {all} well again"),
        (Language::En, true) => format!("{over} of {all} over (well again or ended)"),
        (Language::Zh, false) => format!("{all} {unit}中已恢复 {over} {unit}"),
        (Language::Zh, true) => format!("{all} {unit}中已恢复或结束 {over} {unit}"),
    })
}

/// The address, or the network of one site, that all of them push from. Only a well-formed one counts, so nothing
/// hostile can come of it.
fn common_address(open: &[&Incident]) -> Option<String> {
    let mut addresses = Vec::with_capacity(open.len());
    for incident in open {
        // Of something wider than a stream the incident knows the last pusher's alone.
        let address = match &incident.key {
            Key::UserIp { user_ip } => user_ip,
            key => key.stream().and(incident.user_ip.as_deref())?,
        };
        addresses.push(address.trim().parse::<IpAddr>().ok()?);
    }
    let first = *addresses.first()?;
    if addresses.iter().all(|address| *address == first) {
        return Some(first.to_string());
    }
    let network = match first {
        IpAddr::V4(address) => ipnet::IpNet::new(address.into(), 24),
        IpAddr::V6(address) => ipnet::IpNet::new(address.into(), 48),
    }
    .ok()?
    .trunc();
    addresses.iter().all(|address| network.contains(address)).then(|| network.to_string())
}

fn distinct_domains<'i>(open: &[&'i Incident]) -> Vec<&'i str> {
    let mut domains: Vec<&str> = open.iter().filter_map(|incident| incident.key.domain()).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}

fn rules<'i>(open: &[&'i Incident]) -> Vec<&'i str> {
    let mut rules: Vec<&str> = open.iter().map(|incident| &*incident.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn codes(phrases: &Phrases<'_>, open: &[&Incident], most: usize) -> String {
    let mut codes: Vec<String> = Vec::new();
    for incident in open {
        for code in phrases.codes(incident) {
            if codes.len() <= most && !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    listed(codes, most, phrases.pick(", ", "、"))
}
