//! What a digest says: the pattern that many sick streams have in common first, then the worst few.

use serde::Serialize;

use super::fault::Fault;
use super::figures::Moment;
use super::gathered::{Gathered, Standings};
use super::phrase::Phrases;
use super::story::{Bounds, Line, capped, listed};
use super::words::number;
use super::{DigestView, Sign};
use crate::model::Language;
use crate::model::catalogue::{Spread, spread_cause};

/// What the templates `digest` and `digest_note` are given.
#[derive(Debug, Serialize)]
pub(super) struct DigestStory {
    pub(super) sign: &'static str,
    pub(super) state: &'static str,
    pub(super) firing: bool,
    pub(super) well: bool,
    pub(super) ended: bool,
    pub(super) color: &'static str,
    /// How many the first line is about: `312 streams`; `9 incidents` where not all of them are a stream's.
    pub(super) counted: String,
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
    /// How many are not among the worst.
    pub(super) more: u64,
    /// The domains, where there are several.
    pub(super) domains: Vec<String>,
    /// `+3`, where there are more domains than named.
    pub(super) more_domains: String,
    pub(super) rules: Vec<String>,
    /// `+3`, where there are more rules than named.
    pub(super) more_rules: String,
    pub(super) codes: String,
    pub(super) counts: Numbers,
    /// The cloud's time of the first report: of what fires, else of all.
    pub(super) since: Option<Moment>,
    /// When the last of them was over; not known while any fires.
    pub(super) until: Option<Moment>,
    /// From `since` to `until`, or to now: ms.
    pub(super) lasted: u64,
    /// The time of sending.
    pub(super) now: Moment,
    /// The channel's distance from UTC: `UTC+8`.
    pub(super) zone: String,
    #[serde(skip)]
    pub(super) mark: Sign,
}

/// How many there are and how they stand.
#[derive(Debug, Serialize)]
pub(super) struct Numbers {
    /// What is counted: `streams`, or `incidents` where some are about something else.
    pub(super) of: &'static str,
    pub(super) total: u64,
    pub(super) firing: u64,
    pub(super) well: u64,
    /// The push stopped: not well.
    pub(super) ended: u64,
    /// No longer watched.
    pub(super) closed: u64,
}

impl Numbers {
    fn of(gathered: &Gathered) -> Numbers {
        let Standings { sick, well, ended, closed } = gathered.counted();
        let of = match gathered.counts() {
            Counts::Streams => "streams",
            Counts::Incidents => "incidents",
        };
        Numbers { of, total: gathered.total(), firing: sick, well, ended, closed }
    }
}

impl DigestStory {
    /// The story of a digest, within bounds.
    pub(super) fn of(view: &DigestView<'_>, bounds: &Bounds) -> DigestStory {
        let (phrases, gathered) = (view.phrases(), view.gathered);
        let (open, counted, firing) = (gathered.open(), gathered.counted(), !gathered.is_over());
        let mark = mark(gathered);
        let streams = if firing { counted.sick } else { counted.over() };
        let (domain, from) = (open.domain(), open.origin());
        let spread = match (&from, domain, open.domains.names().count()) {
            (Some(_), ..) => Some(Spread::Address),
            (None, Some(_), _) => Some(Spread::Domain),
            (None, None, 0..=2) => None,
            (None, None, _) => Some(Spread::Everywhere),
        };
        let shown = open.worst().take(bounds.lines);
        let lines: Vec<Line> = shown.map(|lead| Line::of(lead, None, &phrases, bounds)).collect();
        let more = streams.saturating_sub(lines.len() as u64);
        let short = |name: &str| super::clean::short(name, bounds.name);
        let several = open.domains.names().filter(|_| open.domains.names().count() > 1);
        let several = several.map(|domain| super::title::name(domain, bounds.name, &phrases));
        let (domains, more_domains) = capped(several.collect(), 3);
        let (rules, more_rules) = capped(open.rules.names().map(|name| short(name)).collect(), bounds.lines);
        let until = open.until.filter(|_| !firing);
        let lasted = open.since.map(|since| until.unwrap_or(phrases.now).since(since));
        let headline = super::clean::clean(&headline(&phrases, gathered));
        DigestStory {
            sign: mark.as_str(),
            state: mark.word(),
            firing,
            well: mark == Sign::Well,
            ended: mark == Sign::Ended,
            color: mark.color(),
            counted: gathered.counts().words(streams, phrases.language),
            domain: domain.map(|domain| super::title::name(domain, bounds.name, &phrases)).unwrap_or_default(),
            headline: super::clean::cut_end(&headline, bounds.text),
            from: from.unwrap_or_default(),
            recovered: if firing { recovered(&phrases, gathered) } else { String::new() },
            cause: spread
                .filter(|_| firing && streams > 1)
                .map(|spread| spread_cause(spread, phrases.language).to_owned())
                .unwrap_or_default(),
            worst: lines,
            more,
            domains,
            more_domains: or_more(more_domains, open.domains.beyond(), &phrases),
            rules,
            more_rules: or_more(more_rules, open.rules.beyond(), &phrases),
            codes: codes(&phrases, gathered, bounds.lines.min(4)),
            counts: Numbers::of(gathered),
            since: open.since.map(|at| Moment::of(at, &phrases)),
            until: until.map(|at| Moment::of(at, &phrases)),
            lasted: lasted.and_then(|lasted| u64::try_from(lasted.as_millis()).ok()).unwrap_or_default(),
            now: Moment::of(phrases.now, &phrases),
            zone: super::words::offset(phrases.now, phrases.zone),
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

impl Gathered {
    fn counts(&self) -> Counts {
        if self.of_streams() { Counts::Streams } else { Counts::Incidents }
    }
}

impl Counts {
    /// `312 streams`.
    fn words(self, many: u64, language: Language) -> String {
        let number = number(many);
        match (language, self) {
            (Language::En, Counts::Streams) => format!("{number} stream{}", if many == 1 { "" } else { "s" }),
            (Language::En, Counts::Incidents) => format!("{number} incident{}", if many == 1 { "" } else { "s" }),
            (Language::Zh, Counts::Streams) => format!("{number} 路流"),
            (Language::Zh, Counts::Incidents) => format!("{number} 项异常"),
        }
    }

    /// The Chinese measure word.
    fn unit(self) -> &'static str {
        match self {
            Counts::Streams => "路",
            Counts::Incidents => "项",
        }
    }
}

/// The worst sign of what fires; of what is over, well only if all are.
fn mark(gathered: &Gathered) -> Sign {
    let Standings { sick, well, ended, closed } = gathered.counted();
    match gathered.severity() {
        Some(severity) if sick > 0 => Sign::of(severity),
        Some(_) if well > 0 && ended + closed == 0 => Sign::Well,
        Some(_) | None => Sign::Ended,
    }
}

/// What most of them have, and since when; once all are over, how it ended and how long it lasted.
fn headline(phrases: &Phrases<'_>, gathered: &Gathered) -> String {
    let open = gathered.open();
    let (Some(from), Some(to)) = (open.since, open.until) else {
        return phrases.pick("nothing on record", "没有记录").to_owned();
    };
    let (names, comma) = (names(phrases, gathered), phrases.pick(", ", "，"));
    if !gathered.is_over() {
        return format!("{names}{comma}{}", phrases.since(from));
    }
    let length = match to.since(from) {
        short if short < std::time::Duration::from_secs(1) => String::new(),
        length => {
            let length = super::words::duration(length, phrases.language);
            format!("{comma}{} {length}", phrases.pick("lasted", "持续"))
        }
    };
    let (span, offset) = (phrases.span(from, to), super::words::offset(from, phrases.zone));
    let colon = phrases.pick(": ", "：");
    format!("{}{length}{comma}{span} ({offset}){colon}{names}", ending(phrases, gathered))
}

/// What is wrong with most of them; with how many, where it is not the same with all.
fn names(phrases: &Phrases<'_>, gathered: &Gathered) -> String {
    let faults = faults(phrases, gathered);
    let same = faults.iter().all(|(_, count)| *count == gathered.open().number);
    let name = |(fault, count): &(Fault, u64)| match same || !gathered.one_each() {
        true => fault.name(phrases),
        false => format!("{}{}", fault.name(phrases), phrases.aside(&number(*count))),
    };
    phrases.join(&faults.iter().map(name).collect::<Vec<_>>())
}

/// What is wrong, the most frequent first.
fn faults(phrases: &Phrases<'_>, gathered: &Gathered) -> Vec<(Fault, u64)> {
    let mut faults: Vec<(Fault, u64)> = gathered.open().faults.counts().map(|(fault, count)| (*fault, count)).collect();
    faults.sort_by_key(|(fault, count)| (std::cmp::Reverse((*count, fault.severity(phrases))), *fault));
    faults
}

/// How those that are over ended: `well again`; `over (9,000 well again, 1,000 ended)`.
fn ending(phrases: &Phrases<'_>, gathered: &Gathered) -> String {
    let Standings { well, ended, closed, .. } = gathered.counted();
    match (well, ended, closed) {
        (_, 0, 0) => phrases.pick("well again", "已恢复").to_owned(),
        (0, _, 0) => phrases.pick("ended", "推流已停止").to_owned(),
        (0, 0, _) => phrases.pick("no longer watched", "不再监控").to_owned(),
        _ => format!("{}{}", phrases.pick("over", "已结束"), phrases.aside(&standings(phrases, gathered, None))),
    }
}

/// `9,412 of 10,000 well again, 88 ended`; empty before the first is.
fn recovered(phrases: &Phrases<'_>, gathered: &Gathered) -> String {
    let all = number(gathered.total());
    let standings = |all| standings(phrases, gathered, all);
    match (gathered.counted().over(), phrases.language) {
        (0, _) => String::new(),
        (_, Language::En) => standings(Some(&all)),
        (_, Language::Zh) => format!("{all} {}中 {}", gathered.counts().unit(), standings(None)),
    }
}

/// `9,412 well again, 88 ended`; English has the whole, where one is given, after the first number.
fn standings(phrases: &Phrases<'_>, gathered: &Gathered, all: Option<&str>) -> String {
    let Standings { well, ended, closed, .. } = gathered.counted();
    let parts =
        [(well, "well again", "已恢复"), (ended, "ended", "已停止推流"), (closed, "no longer watched", "不再监控")];
    let parts = parts.into_iter().filter(|(many, ..)| *many > 0).enumerate();
    let parts = parts.map(|(at, (many, en, zh))| match (phrases.language, all.filter(|_| at == 0)) {
        (Language::En, Some(all)) => format!("{} of {all} {en}", number(many)),
        (Language::En, None) => format!("{} {en}", number(many)),
        (Language::Zh, _) => format!("{} {}{zh}", number(many), gathered.counts().unit()),
    });
    parts.collect::<Vec<_>>().join(phrases.pick(", ", "，"))
}

/// `+253`, with a word where more were not counted by name.
fn or_more(more: String, beyond: u64, phrases: &Phrases<'_>) -> String {
    match (more.as_str(), beyond) {
        ("", _) | (_, 0) => more,
        _ => format!("{more}{}", phrases.pick(" or more", " 以上")),
    }
}

fn codes(phrases: &Phrases<'_>, gathered: &Gathered, most: usize) -> String {
    let codes = faults(phrases, gathered).into_iter().filter_map(|(fault, _)| fault.code(phrases));
    listed(codes.collect(), most, phrases.pick(", ", "、"))
}
