//! What each rule said of one callback, in words for people who ask why there was an alert, or none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Entry, Holder, Incident, Input, RuleOutcome, State};
use crate::rules::{Measure, Noun, Rule};

use super::Engine;
use super::report::Finding;

/// What one rule made of one callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Its outcome, as metrics count it.
    pub outcome: RuleOutcome,
    /// One sentence with the numbers: why.
    pub because: String,
}

/// What was noted of one callback.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    said: HashMap<u32, (RuleOutcome, Option<Finding>)>,
}

impl Trace {
    /// A rule heard it and it did not match.
    pub(super) fn miss(&mut self, place: u32, outcome: RuleOutcome) {
        self.said.insert(place, (outcome, None));
    }

    /// A rule judged it.
    pub(super) fn found(&mut self, finding: &Finding, outcome: RuleOutcome) {
        self.said.insert(finding.place, (outcome, Some(finding.clone())));
    }
}

impl Engine {
    /// [`Engine::step`], and what every rule said of the callback, in the order of the file. For questions: it costs
    /// far more than a step.
    pub fn explain(&mut self, entry: &Entry) -> Vec<Verdict> {
        let Input::Callback(event) = &entry.input else {
            self.step(entry);
            return Vec::new();
        };
        self.trace = Some(Trace::default());
        self.step(entry);
        let said = self.trace.take().unwrap_or_default().said;
        let wall = self.wall.read(entry.seq, entry.received_at);
        let rules = Arc::clone(&self.rules);
        let verdict = |(place, rule): (u32, &Rule)| {
            let (outcome, because) = match said.get(&place) {
                Some((outcome, Some(finding))) => (*outcome, self.because(rule, *outcome, finding)),
                Some((outcome, None)) => {
                    let refusal = rule.refusal(event, wall);
                    (*outcome, refusal.unwrap_or_else(|| "the callback does not carry what it judges by".to_owned()))
                }
                None => (RuleOutcome::NoMatch, rule.refusal(event, wall).unwrap_or_default()),
            };
            Verdict { rule: Arc::clone(&rule.name), outcome, because }
        };
        (0u32..).zip(&rules.rules).map(verdict).collect()
    }

    /// Why a rule that matched came to its outcome.
    fn because(&self, rule: &Rule, outcome: RuleOutcome, finding: &Finding) -> String {
        let measured = measured(rule, finding);
        let open = self.cells.get(&finding.key).and_then(|cell| cell.incident(finding.place));
        let open = open.and_then(|id| self.incidents.get(&id));
        let number = open.map_or_else(|| "an incident".to_owned(), |incident| format!("incident #{}", incident.id.0));
        let kept_from_people = open.map_or("", |incident| match (incident.muted_until, incident.inhibited_by) {
            _ if !incident.is_firing() => "",
            (Some(_), _) => "; posts about it are muted",
            (None, Some(_)) => "; it is part of a wider incident, which is told in its place",
            (None, None) => self.held_words(incident),
        });
        let because = self.outcome_words(rule, outcome, (measured, number), open);
        format!("{because}{kept_from_people}")
    }

    /// What the rate limit does to an incident's news.
    fn held_words(&self, incident: &Incident) -> &'static str {
        let group = incident.group.and_then(|group| self.groups.get(&group));
        match group.and_then(|members| members.group.held_by) {
            Some(Holder::RateLimit) => "; the rate limit holds news of it back",
            Some(Holder::Mute | Holder::Inhibition) | None => "",
        }
    }

    fn outcome_words(
        &self,
        rule: &Rule,
        outcome: RuleOutcome,
        (measured, number): (String, String),
        open: Option<&Incident>,
    ) -> String {
        match outcome {
            RuleOutcome::Counted => measured,
            RuleOutcome::Opened => format!("{measured}: opened {number}"),
            RuleOutcome::Reopened => format!("{measured}: {number} came back"),
            RuleOutcome::Escalated => {
                let severity = open.map_or("", |incident| incident.severity.as_str());
                format!("{measured}: {number} grew {severity}")
            }
            RuleOutcome::Prolonged => format!("{measured}: {number} goes on"),
            RuleOutcome::Pending => match open.filter(|incident| incident.state == State::Pending) {
                Some(incident) if rule.lasting.is_some() => {
                    let lasting = show(rule.lasting.unwrap_or_default());
                    let so_far = show(incident.last_at.since(incident.since));
                    format!("{measured}: it lasts {so_far} of the {lasting} it has to")
                }
                _ => format!("waits {} for a reconnect", show(rule.grace.unwrap_or_default())),
            },
            RuleOutcome::Late => "older than what is known already: counted only".to_owned(),
            RuleOutcome::EndedSession => "of a push that has ended: opens nothing".to_owned(),
            RuleOutcome::OtherSessionLive => "another push of the stream goes on".to_owned(),
            RuleOutcome::Inactive => format!("{measured}: outside the rule's `active` times"),
            RuleOutcome::Heard => {
                format!("heard; an incident opens after {} without another", show(rule.silence.unwrap_or_default()))
            }
            RuleOutcome::NoMatch | RuleOutcome::Missing | RuleOutcome::Reconnected => measured,
        }
    }
}

/// `4 occurrences within 1m, fewer than 10`.
fn measured(rule: &Rule, finding: &Finding) -> String {
    let (sum, lowest) = (finding.reading.sum, rule.plan.lowest());
    let (one, many) = match rule.measure {
        Measure::Count => ("occurrence", "occurrences"),
        Measure::Reports => ("report", "reports"),
        Measure::Distinct(Noun::Stream) => ("stream", "streams"),
        Measure::Distinct(Noun::Session) => ("push", "pushes"),
        Measure::Distinct(Noun::UserIp) => ("address", "addresses"),
    };
    let what = if sum == 1 { one } else { many };
    let within = rule.within.map(|within| format!(" within {}", show(within))).unwrap_or_default();
    match (sum < lowest, lowest) {
        (true, _) => format!("{sum} {what}{within}, fewer than {lowest}"),
        (false, 1) => format!("{sum} {what}{within}, one is enough"),
        (false, _) => format!("{sum} {what}{within}, {lowest} are enough"),
    }
}

/// `1m30s`.
fn show(duration: Duration) -> String {
    let secs = duration.as_secs();
    let parts = [(secs / 86_400, "d"), (secs / 3600 % 24, "h"), (secs / 60 % 60, "m"), (secs % 60, "s")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { format!("{}ms", duration.subsec_millis()) } else { text }
}
