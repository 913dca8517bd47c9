//! Explains a stream's last callbacks: a bounded run of the journal through a fresh engine. Nothing is stored per rule.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::admin::{Explain, Explained, Explanation, NotExplained, Said};
use crate::clock::Clock;
use crate::core::Rulebook;
use crate::engine::{Engine, Verdict};
use crate::ingest;
use crate::model::catalogue::{Catalogue, Unit};
use crate::model::{Entry, Event, EventId, EventKind, Input, RuleOutcome, Seq, StreamName, Timestamp};
use crate::render::clean::short;
use crate::rules::RuleSet;
use crate::store::{Archive, Begin, StoreError};

/// The journal is gone through no further back than this.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Entries gone through at most, back and forth: about a second of work each way.
const MOST: u64 = 200_000;

/// Time for looking back, and as much again for judging.
const PATIENCE: Duration = Duration::from_secs(4);

/// The engine's effects and changes are thrown away after so many entries.
const DRAIN: usize = 512;

/// Names shown where an id is not enough.
const CANDIDATES: usize = 20;

/// Longest summary of a callback, in characters.
const SUMMARY: usize = 300;

/// Answers one question at a time, from the data folder.
#[derive(Debug)]
pub(super) struct Explainer {
    dir: PathBuf,
    rules: Arc<Rulebook>,
    clock: Arc<Clock>,
    turn: Arc<Semaphore>,
}

/// What is asked.
#[derive(Debug)]
struct Question {
    dir: PathBuf,
    stream: String,
    last: usize,
    rules: Arc<RuleSet>,
    clock: Arc<Clock>,
}

/// A stream's callbacks found in the journal.
#[derive(Debug)]
struct Found {
    stream: StreamName,
    /// Ascending.
    seqs: Vec<Seq>,
    /// When the first of them was received.
    from: Timestamp,
    /// Why there may be more of them.
    cut: Option<String>,
}

impl Explainer {
    /// Explains by the rules in force what is in the journal of this data folder.
    pub(super) fn new(dir: PathBuf, rules: Arc<Rulebook>, clock: Arc<Clock>) -> Explainer {
        Explainer { dir, rules, clock, turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Explain for Explainer {
    fn explain(&self, stream: String, last: usize) -> BoxFuture<'_, Result<Explanation, NotExplained>> {
        Box::pin(async move {
            let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return Err(NotExplained::Busy) };
            let (dir, clock, rules) = (self.dir.clone(), Arc::clone(&self.clock), self.rules.current());
            let question = Question { dir, stream, last, rules, clock };
            // It goes on to its end, and keeps its turn, even if nobody waits for the answer any more.
            let answer = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                question.answer()
            });
            answer.await.unwrap_or_else(|error| Err(NotExplained::Failed(error.to_string())))
        })
    }
}

impl Question {
    fn answer(&self) -> Result<Explanation, NotExplained> {
        let found = self.find()?;
        let wanted: BTreeSet<Seq> = found.seqs.iter().copied().collect();
        let lookback = Engine::lookback(&self.rules);
        let mut entries = self.open()?.entries(Begin::Time(found.from - lookback), read_body).map_err(failed)?;
        let is_short = entries.total() > MOST;
        if is_short {
            let begin = Seq((entries.end().0 + 1).saturating_sub(MOST));
            entries = self.open()?.entries(Begin::Entry(begin), read_body).map_err(failed)?;
        }
        let mut engine = Engine::new(Arc::clone(&self.rules));
        let (watch, mut run, mut since, mut out_of_time) = (self.clock.stopwatch(), 0u64, None, false);
        let mut callbacks = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            since = since.or(Some(entry.received_at));
            run += 1;
            if (run as usize).is_multiple_of(DRAIN) {
                engine.take_effects();
                engine.take_owed();
                engine.take_tally(|_, _, _| {});
                out_of_time = watch.elapsed() > PATIENCE;
                if out_of_time {
                    break;
                }
            }
            match &entry.input {
                // The rules are those of now from the start; numbers of incidents are not those of then.
                Input::RulesLoaded { .. } | Input::Noticed(_) | Input::Acknowledged { .. } => {}
                Input::Callback(event) if wanted.contains(&entry.seq) => {
                    callbacks.push(explained(&entry, event, &self.rules, engine.explain(&entry)));
                    if callbacks.len() == wanted.len() {
                        break;
                    }
                }
                _ => engine.step(&entry),
            }
        }
        let mut note = format!(
            "Judged anew by the rules in force ({}), from {run} journal entries since {}: what was open before then is \
             not known here.",
            self.rules.hash.get(..8).unwrap_or(&self.rules.hash),
            since.unwrap_or(found.from),
        );
        if is_short {
            note.push_str(&format!(" Windows may lack what came more than {MOST} entries ago."));
        }
        if out_of_time {
            note.push_str(&format!(" It took longer than {} s: the newest callbacks are missing.", PATIENCE.as_secs()));
        }
        if let Some(cut) = &found.cut {
            note.push_str(&format!(" There may be older callbacks: {cut}."));
        }
        Ok(Explanation { stream: found.stream.full().to_owned(), callbacks, note })
    }

    fn open(&self) -> Result<Archive, NotExplained> {
        Archive::open(&self.dir).map_err(|error| NotExplained::Failed(error.to_string()))
    }

    /// Goes back from the journal's end until there are enough callbacks of the stream.
    fn find(&self) -> Result<Found, NotExplained> {
        let archive = self.open()?;
        let head = archive.head().map_err(failed)?.unwrap_or_default();
        let (watch, oldest) = (self.clock.stopwatch(), self.clock.steady() - DAY);
        let mut matches = Matches { question: self, named: BTreeMap::new() };
        let (mut at, mut run) = (Seq(head.0 + 1), 0);
        let cut = loop {
            let page = archive.before(at, read_body).map_err(failed)?;
            let Some(first) = page.first() else { break None };
            at = first.seq;
            run += page.len() as u64;
            let is_old = first.received_at < oldest;
            if matches.take(page.iter().rev().filter(|entry| entry.received_at >= oldest)).is_break() {
                break None;
            }
            if is_old {
                break Some(format!("the journal was searched {} h back", DAY.as_secs() / 3600));
            }
            if run >= MOST || watch.elapsed() > PATIENCE {
                break Some(format!("the journal was searched {run} entries back, to {}", first.received_at));
            }
        };
        let searched = cut.clone().unwrap_or_else(|| "the whole journal was searched".to_owned());
        matches.settle(cut).map_err(|ambiguous| match ambiguous.is_empty() {
            true => NotExplained::Unknown(format!("no callback of this stream was found: {searched}")),
            false => NotExplained::Ambiguous(ambiguous),
        })
    }
}

/// Callbacks that may be meant, newest first, by the full name of their stream.
struct Matches<'q> {
    question: &'q Question,
    named: BTreeMap<StreamName, Vec<(Seq, Timestamp)>>,
}

impl Matches<'_> {
    /// Takes entries in, newest first, until there are enough.
    fn take<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> ControlFlow<()> {
        for entry in entries {
            let Input::Callback(event) = &entry.input else { continue };
            let asked = self.question.stream.as_str();
            if event.stream.full() != asked && event.stream.stream() != asked {
                continue;
            }
            if !self.named.contains_key(&event.stream) && self.named.len() >= CANDIDATES {
                return ControlFlow::Break(());
            }
            let seqs = self.named.entry(event.stream.clone()).or_default();
            seqs.push((entry.seq, entry.received_at));
            // Of an id there may be more streams further back; but whoever asks for one that calls all the time
            // means that one.
            if seqs.len() >= self.question.last {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// The one stream that is meant, or the names of those that may be.
    fn settle(mut self, cut: Option<String>) -> Result<Found, Vec<String>> {
        let full = self.named.keys().find(|name| name.full() == self.question.stream).cloned();
        let only = || (self.named.len() == 1).then(|| self.named.keys().next().cloned()).flatten();
        let Some(stream) = full.or_else(only) else {
            return Err(self.named.keys().map(|name| name.full().to_owned()).collect());
        };
        let mut seqs = self.named.remove(&stream).unwrap_or_default();
        seqs.truncate(self.question.last);
        seqs.reverse();
        let from = seqs.first().map_or(Timestamp(0), |(_, at)| *at);
        Ok(Found { stream, seqs: seqs.into_iter().map(|(seq, _)| seq).collect(), from, cut })
    }
}

fn failed(error: StoreError) -> NotExplained {
    NotExplained::Failed(format!("the journal can't be read: {error}"))
}

fn read_body(body: &[u8], id: EventId) -> Option<Event> {
    ingest::recorded(body, id).ok()
}

/// A callback with what was said of it, sorted for reading.
fn explained(entry: &Entry, event: &Event, rules: &RuleSet, verdicts: Vec<Verdict>) -> Explained {
    let listens = |name: &str| rules.rules.iter().any(|rule| *rule.name == *name && rule.on == event.kind);
    let (ours, others): (Vec<Verdict>, Vec<Verdict>) = verdicts.into_iter().partition(|said| listens(&said.rule));
    let mut rules: Vec<Said> = ours.into_iter().map(said).collect();
    rules.sort_by_key(|said| said.outcome == RuleOutcome::NoMatch);
    Explained {
        seq: entry.seq,
        received_at: entry.received_at,
        happened_at: event.happened_at,
        kind: match event.kind {
            EventKind::Unknown(code) => code.to_string(),
            kind => kind.name().to_owned(),
        },
        summary: short(&summary(event), SUMMARY),
        rules,
        others: others.into_iter().map(|said| said.rule.to_string()).collect(),
    }
}

fn said(Verdict { rule, outcome, because }: Verdict) -> Said {
    Said { rule: rule.to_string(), outcome, because: without_number(&because, outcome) }
}

/// The numbers of incidents are those of a fresh engine, and no one else's.
fn without_number(because: &str, outcome: RuleOutcome) -> String {
    const NUMBERED: &str = "incident #";
    let Some((before, after)) = because.split_once(NUMBERED) else { return because.to_owned() };
    let article = if outcome == RuleOutcome::Opened { "an" } else { "the" };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{article} incident{after}")
}

/// What a callback says, in a line.
fn summary(event: &Event) -> String {
    let mut parts = Vec::new();
    match event.kind {
        EventKind::PushError => parts.extend(event.abnormal.iter().map(|abnormal| {
            let values: Vec<f64> = abnormal.details.iter().filter_map(|detail| detail.value).collect();
            let unit = match Catalogue::unit(abnormal.kind) {
                Some(Unit::Milliseconds) => "ms",
                Some(Unit::Seconds) => "s",
                Some(Unit::Fps) => "fps",
                Some(Unit::Bytes) => "bytes",
                None => "",
            };
            match values.as_slice() {
                [] => format!("{} × {}", abnormal.count, abnormal.kind),
                [only] => format!("{} × {} ({only} {unit})", abnormal.count, abnormal.kind),
                values => {
                    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    format!("{} × {} ({least} to {most} {unit})", abnormal.count, abnormal.kind)
                }
            }
        })),
        _ => {
            parts.extend(event.errcode.map(|code| format!("errcode {code}")));
            parts.extend(event.errmsg.as_deref().map(ToOwned::to_owned));
            parts.extend(event.push_duration.map(|ms| format!("after {} s", ms / 1000)));
        }
    }
    parts.extend(event.session.as_deref().map(|session| format!("push {session}")));
    parts.extend(event.unreadable.as_deref().map(|why| format!("not readable: {why}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests;
