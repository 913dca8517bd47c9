//! `given` lines to steps: repetitions are written out, sessions and mutes numbered, and all is put in order. Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::given::{Deed, Line};
use super::{Action, Offset, Step};
use crate::model::{Event, EventId, EventKind, Input, Mute, MuteId, StreamName, Timestamp};
use crate::rules::diagnostic::{Mistakes, quote};

/// Most steps of one test: a day of one stream's reports, five times over.
const MAX_STEPS: u64 = 100_000;

/// Most memory that the steps of one test may take, in bytes, roughly.
const MAX_BYTES: u64 = 128 * 1024 * 1024;

/// One repetition of a line.
struct Act<'l> {
    line: &'l Line,
    at: Duration,
    received: Duration,
    /// Of a callback.
    stream: Option<&'l StreamName>,
    session: Option<Box<str>>,
}

/// The steps in the order in which they are received; at the same moment, in the order of the file.
pub(super) fn steps(start: Timestamp, lines: Vec<Line>, out: &mut Mistakes) -> Option<Vec<Step>> {
    let mut acts = write_out(&lines, out)?;
    number_sessions(&mut acts);
    acts.sort_by_key(|act| act.received);
    let mut mutes = Mutes::default();
    let steps: Vec<Option<Step>> = (1u128..)
        .zip(acts)
        .map(|(number, act)| {
            let received = Offset(act.received);
            let (line, now) = (act.line.line, start + act.received);
            let take = |input| Some(Step { line, received, action: Action::Take(Box::new(input)) });
            match &act.line.deed {
                Deed::Callback { event, .. } => {
                    let mut event = event.clone();
                    if let Some(stream) = act.stream {
                        event.stream.clone_from(stream);
                    }
                    stamp(&mut event, number, start + act.at);
                    event.session = act.session;
                    take(Input::Callback(event))
                }
                Deed::Mute { matchers, duration, reason, author } => {
                    let id = mutes.set(matchers);
                    take(Input::Muted(Box::new(Mute {
                        id,
                        matchers: matchers.clone(),
                        within: None,
                        set_at: now,
                        until: now + *duration,
                        author: author.clone(),
                        reason: reason.clone(),
                    })))
                }
                Deed::Unmute { which } => match mutes.find(which) {
                    Some(id) => take(Input::Unmuted { id }),
                    None => {
                        let message = match which.parse::<u64>() {
                            Ok(number) => format!("there is no mute {number} before this"),
                            Err(_) => format!("there is no mute with the matchers {} before this", quote(which)),
                        };
                        out.add_hinted(&act.line.span, message, "mutes are numbered from 1 in the order of time");
                        None
                    }
                },
                Deed::Ack { rule, about, by } => {
                    let (rule, about, by) = (rule.clone(), about.clone(), by.clone());
                    Some(Step { line, received, action: Action::Acknowledge { rule, about, by } })
                }
            }
        })
        .collect();
    steps.into_iter().collect()
}

/// Every repetition of every line.
fn write_out<'l>(lines: &'l [Line], out: &mut Mistakes) -> Option<Vec<Act<'l>>> {
    let (mut count, mut bytes) = (0u64, 0u64);
    let mut acts = Vec::new();
    for line in lines {
        let streams: Vec<Option<&StreamName>> = match &line.deed {
            Deed::Callback { streams, .. } => streams.iter().map(Some).collect(),
            Deed::Mute { .. } | Deed::Unmute { .. } | Deed::Ack { .. } => vec![None],
        };
        let times = u64::from(line.times).saturating_mul(streams.len() as u64);
        count = count.saturating_add(times);
        bytes = bytes.saturating_add(times.saturating_mul(weight(&line.deed)));
        if count > MAX_STEPS || bytes > MAX_BYTES {
            let message = format!("a test has at most {MAX_STEPS} steps, repetitions included, and fewer large ones");
            out.add(&line.span, message);
            return None;
        }
        for n in 0..line.times {
            let later = line.every.saturating_mul(n);
            let act =
                |stream| Act { line, at: line.at + later, received: line.received + later, stream, session: None };
            acts.extend(streams.iter().copied().map(act));
        }
    }
    Some(acts)
}

/// Bytes of one repetition, roughly.
fn weight(deed: &Deed) -> u64 {
    let Deed::Callback { event, .. } = deed else { return 256 };
    let texts = [&event.session, &event.appid, &event.user_ip, &event.node, &event.errmsg];
    let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
    let details: usize = event.abnormal.iter().map(|abnormal| 64 + 32 * abnormal.details.len()).sum();
    (384 + texts + details) as u64
}

/// Gives every callback that names no session one: `1` at first, the next number from each `push_begin` on. By the time
/// at which things happen, so that what is received late is still of the session that it was about.
fn number_sessions(acts: &mut [Act<'_>]) {
    let mut numbers: HashMap<&StreamName, u64> = HashMap::new();
    let mut by_time: Vec<&mut Act<'_>> = acts.iter_mut().collect();
    by_time.sort_by_key(|act| act.at);
    for act in by_time {
        let (Deed::Callback { event, .. }, Some(stream)) = (&act.line.deed, act.stream) else { continue };
        if event.session.is_some() {
            act.session.clone_from(&event.session);
            continue;
        }
        let number = match (numbers.get_mut(stream), event.kind) {
            (Some(number), EventKind::PushBegin) => {
                *number += 1;
                *number
            }
            (Some(number), _) => *number,
            (None, _) => *numbers.entry(stream).or_insert(1),
        };
        act.session = Some(number.to_string().into());
    }
}

/// Gives a callback its identity and its time.
fn stamp(event: &mut Event, number: u128, at: Timestamp) {
    event.id = EventId(number.to_be_bytes());
    event.happened_at = Some(at);
    for detail in event.abnormal.iter_mut().flat_map(|abnormal| &mut abnormal.details) {
        detail.at = Some(at);
    }
}

/// The mutes that were set so far, in the order of their numbers.
#[derive(Default)]
struct Mutes<'l> {
    set: Vec<&'l str>,
}

impl<'l> Mutes<'l> {
    fn set(&mut self, matchers: &'l str) -> MuteId {
        self.set.push(matchers);
        MuteId(self.set.len() as u64)
    }

    /// By number, or the last one with these matchers.
    fn find(&self, which: &str) -> Option<MuteId> {
        let number = match which.parse::<u64>() {
            Ok(number) => (1..=self.set.len() as u64).contains(&number).then_some(number),
            Err(_) => self.set.iter().rposition(|matchers| *matchers == which).map(|at| at as u64 + 1),
        };
        number.map(MuteId)
    }
}
