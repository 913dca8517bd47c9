//! What people have to say about an incident themselves: the words of its rule, who has it in hand, why it is quiet.

use serde::Serialize;

use super::clean::{clean, cut_end, cut_middle, short};
use super::markup::web_address;
use super::phrase::Phrases;
use super::story::{Bounds, listed};
use super::words;
use crate::model::{Incident, Labels, Timestamp};

/// Links, notes and labels shown of one rule, at most.
const MOST: usize = 6;

/// The rule's own words, as templates take them. Foreign text, like the name of a stream.
#[derive(Debug, Default, Serialize)]
pub(super) struct Own {
    /// Annotation `summary`; empty once it is over, like all but the labels.
    pub(super) summary: String,
    /// Annotation `description`.
    pub(super) description: String,
    /// Annotations that hold a web address; a `_url` at the end of their names is left out.
    pub(super) links: Vec<Link>,
    /// The other annotations.
    pub(super) notes: Vec<Pair>,
    /// The rule's labels. No built-in template shows them.
    pub(super) labels: Vec<Pair>,
}

/// A web address to follow.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    /// What it leads to: `Runbook`.
    pub(super) name: String,
    /// Where: for `{{link url}}`.
    pub(super) url: String,
}

/// A name and its value.
#[derive(Debug, Serialize)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
}

/// How people have dealt with it, as templates take it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Standing {
    /// Who has it in hand.
    pub(super) acks: Vec<Acknowledged>,
    /// `muted until 14:30`; empty where it is not muted.
    pub(super) muted: String,
    /// `part of #12`; empty where it is not.
    pub(super) part_of: String,
}

/// Somebody said "I have it".
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Acknowledged {
    /// Who: hostile text.
    pub(super) by: String,
    /// `12:03`.
    pub(super) at: String,
    /// `#12`, where other incidents of the message are not in hand; else empty.
    pub(super) which: String,
}

impl Own {
    /// The words of the leading incident's rule.
    pub(super) fn of(lead: Option<&Incident>, phrases: &Phrases<'_>, bounds: &Bounds) -> Own {
        let Some(lead) = lead else { return Own::default() };
        let most = MOST.min(bounds.lines);
        let labels = lead.labels.iter().take(most);
        let labels = labels.map(|(name, value)| Pair { name: short(name, NAME), value: short(value, bounds.name) });
        let mut own = Own { labels: labels.collect(), ..Own::default() };
        if !lead.is_firing() {
            return own;
        }
        own.summary = said(&lead.annotations, "summary", bounds);
        own.description = said(&lead.annotations, "description", bounds);
        for (name, value) in lead.annotations.iter().filter(|(name, _)| !matches!(&***name, "summary" | "description"))
        {
            let address = web_address(value).map(|url| (name.strip_suffix("_url").unwrap_or(name), url));
            match address {
                Some((name, url)) if own.links.len() < most => {
                    own.links.push(Link { name: link_name(name, phrases), url });
                }
                None if own.notes.len() < most => {
                    own.notes.push(Pair { name: short(name, NAME), value: line(value, bounds.said) });
                }
                Some(_) | None => {}
            }
        }
        own
    }
}

/// Characters of an annotation's or a label's name.
const NAME: usize = 40;

impl Standing {
    /// Of the incidents that a message leads with: all that fire, or all that are over.
    pub(super) fn of(open: &[&Incident], phrases: &Phrases<'_>, bounds: &Bounds) -> Standing {
        let firing = || open.iter().copied().filter(|incident| incident.is_firing());
        let most = 3.min(bounds.lines);
        let mut acks: Vec<(String, String, Vec<u64>)> = Vec::new();
        let mut mutes: Vec<(Option<String>, Vec<u64>)> = Vec::new();
        for incident in firing() {
            if let Some(ack) = &incident.ack {
                let (by, at) = (short(&ack.by, bounds.name), minute(ack.at, phrases).unwrap_or_default());
                match acks.iter_mut().find(|(known, when, _)| (known, when) == (&by, &at)) {
                    Some((.., ids)) => ids.push(incident.id.0),
                    None => acks.push((by, at, vec![incident.id.0])),
                }
            }
            if let Some(until) = incident.muted_until {
                let until = minute(until, phrases);
                match mutes.iter_mut().find(|(known, _)| *known == until) {
                    Some((_, ids)) => ids.push(incident.id.0),
                    None => mutes.push((until, vec![incident.id.0])),
                }
            }
        }
        let all = firing().count();
        let which = |ids: &[u64]| match ids.len() < all {
            true => listed(ids.iter().map(|id| format!("#{id}")).collect(), bounds.lines, ", "),
            false => String::new(),
        };
        acks.truncate(most);
        let acks = acks.into_iter().map(|(by, at, ids)| Acknowledged { by, at, which: which(&ids) });
        let muted = mutes.iter().map(|(until, ids)| {
            let words = phrases.muted(until.as_deref());
            match which(ids).as_str() {
                "" => words,
                some => format!("{words}{}", phrases.aside(some)),
            }
        });
        let mut sources: Vec<u64> = open.iter().filter_map(|incident| Some(incident.inhibited_by?.0)).collect();
        sources.sort_unstable();
        sources.dedup();
        let sources = listed(sources.into_iter().map(|id| format!("#{id}")).collect(), most, ", ");
        Standing {
            acks: acks.collect(),
            muted: listed(muted.collect(), most, phrases.pick(", ", "，")),
            part_of: if sources.is_empty() { sources } else { phrases.part_of(&sources) },
        }
    }
}

/// An annotation as one line of running text.
fn said(annotations: &Labels, name: &str, bounds: &Bounds) -> String {
    annotations.get(name).map(|text| line(text, bounds.text)).unwrap_or_default()
}

/// Operators write on several lines; a message has one for each of their texts.
fn line(text: &str, most: usize) -> String {
    // Cleaning lengthens a character at most elevenfold and shortens none.
    let bounded = cut_end(text, most.saturating_mul(2).max(64));
    cut_end(&clean(&bounded.split_whitespace().collect::<Vec<_>>().join(" ")), most)
}

/// `runbook` → `Runbook`; what operators call by another name keeps it.
fn link_name(name: &str, phrases: &Phrases<'_>) -> String {
    match name {
        "runbook" => phrases.pick("Runbook", "处理手册").to_owned(),
        "dashboard" => phrases.pick("Dashboard", "监控面板").to_owned(),
        name => cut_middle(&clean(&name.replace('_', " ")), NAME),
    }
}

/// `12:03`, with as much of the date as is not plain; `None` where no calendar has it: for ever.
pub(super) fn minute(at: Timestamp, phrases: &Phrases<'_>) -> Option<String> {
    let clock = words::clock(at, phrases.now, phrases.zone);
    clock.rsplit_once(':').map(|(minute, _)| minute.to_owned())
}
