//! Plays one rule test: its steps through the engine that `serve` runs, on a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Effect, Engine, Transition};
use crate::model::{Cause, ChannelName, Entry, IncidentId, Input, Key, Seq, Severity, Timestamp};
use crate::rules::RuleSet;
use crate::rules::trial::{About, Action, Offset, Trial, Turn};

/// Most decisions of one test that are looked at: past that nobody reads a list of them.
const MAX_EVENTS: usize = 10_000;

/// What was decided during a test.
#[derive(Debug, Default)]
pub(super) struct Play {
    /// In order.
    pub(super) happened: Vec<Happened>,
    /// What could not be done, with the line that asked for it.
    pub(super) stuck: Vec<(usize, String)>,
    /// It was stopped at [`MAX_EVENTS`] decisions.
    pub(super) flooded: bool,
    /// Places of the decisions that made what fires now fire.
    firing: Vec<usize>,
}

/// One decision of the engine, as tests see it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happened {
    pub(super) at: Offset,
    pub(super) rule: Arc<str>,
    pub(super) is: Turn,
    /// How it ended, where it did.
    pub(super) cause: Option<Cause>,
    pub(super) severity: Severity,
    pub(super) key: Key,
    /// By name.
    pub(super) notify: Vec<ChannelName>,
    pub(super) incident: IncidentId,
    /// The place of the decision that says the same: news and the word that it was held back.
    pub(super) twin: Option<usize>,
}

/// Plays a test to its end.
pub(super) fn play(trial: &Trial, rules: Arc<RuleSet>) -> Play {
    let mut stage = Stage { engine: Engine::new(rules), start: trial.start, play: Play::default() };
    for (seq, step) in (1..).zip(&trial.steps).take_while(|(_, step)| step.received <= trial.until) {
        let received_at = trial.start + step.received.0;
        // What falls due before is decided before: an acknowledgement is of what fires now.
        stage.advance(received_at);
        let input = match &step.action {
            Action::Take(input) => input.as_ref().clone(),
            Action::Acknowledge { rule, about, by } => {
                let Some(incident) = stage.play.fires(rule, about) else {
                    let why = format!("`ack`: no incident of {rule} fires there at {}", step.received);
                    if stage.play.stuck.iter().all(|(line, _)| *line != step.line) {
                        stage.play.stuck.push((step.line, why));
                    }
                    continue;
                };
                Input::Acknowledged { incident, by: by.as_str().into() }
            }
        };
        stage.engine.step(&Entry { seq: Seq(seq), received_at, input });
        stage.collect();
        if stage.play.flooded {
            return stage.play;
        }
    }
    stage.advance(trial.start + trial.until.0);
    stage.play
}

struct Stage {
    engine: Engine,
    start: Timestamp,
    play: Play,
}

impl Stage {
    /// Lets time come, one timer after the other, so that a test that goes on for ever is noticed.
    fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.engine.next_due().filter(|due| *due < now && !self.play.flooded) {
            self.engine.advance(due);
            self.collect();
        }
        if !self.play.flooded {
            self.engine.advance(now);
            self.collect();
        }
    }

    fn collect(&mut self) {
        for effect in self.engine.take_effects() {
            if self.play.happened.len() >= MAX_EVENTS {
                self.play.flooded = true;
                return;
            }
            self.play.add(happened(effect, self.start));
        }
        // Nobody writes them here.
        let _ = self.engine.take_changes();
    }
}

impl Play {
    fn add(&mut self, mut happened: Happened) {
        if happened.is == Turn::Suppressed {
            let place = self.happened.len();
            let twin = self.happened.iter().rposition(|news| {
                let news_of_it = matches!(news.is, Turn::Firing | Turn::Escalated | Turn::Repeated);
                news_of_it && news.incident == happened.incident && news.at == happened.at && news.twin.is_none()
            });
            if let Some(twin) = twin {
                self.happened[twin].twin = Some(place);
                happened.twin = Some(twin);
            }
        }
        match happened.is {
            Turn::Firing => self.firing.push(self.happened.len()),
            Turn::Resolved => self.firing.retain(|at| self.happened[*at].incident != happened.incident),
            Turn::Escalated | Turn::Repeated | Turn::Suppressed => {}
        }
        self.happened.push(happened);
    }

    /// The last incident of a rule that fires now.
    fn fires(&self, rule: &str, about: &About) -> Option<IncidentId> {
        let firing = self.firing.iter().rev().map(|at| &self.happened[*at]);
        firing.filter(|h| *h.rule == *rule && about.is(&h.key)).map(|h| h.incident).next()
    }
}

fn happened(effect: Effect, start: Timestamp) -> Happened {
    let (is, cause) = match effect.is {
        Transition::Opened | Transition::Reopened => (Turn::Firing, None),
        Transition::Escalated => (Turn::Escalated, None),
        // What was held back is let go: people are told of it once more, or at last.
        Transition::Repeated | Transition::Released => (Turn::Repeated, None),
        Transition::Resolved(cause) => (Turn::Resolved, Some(cause)),
        Transition::Suppressed => (Turn::Suppressed, None),
    };
    let mut notify = effect.notify;
    notify.sort_unstable();
    Happened {
        at: Offset(Duration::from_millis(u64::try_from(effect.at.0.saturating_sub(start.0)).unwrap_or(0))),
        rule: effect.rule,
        is,
        cause,
        severity: effect.severity,
        key: effect.key,
        notify,
        incident: effect.incident,
        twin: None,
    }
}
