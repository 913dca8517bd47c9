//! Whether callbacks can be taken and judged: one light per part, with a word why it is off.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

/// What must work before `/readyz` says yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Callbacks can be committed.
    Store,
    /// The engine has taken in what the journal holds.
    Engine,
    /// Rules are in force.
    Rules,
}

impl Part {
    /// All of them, in the order shown.
    pub const ALL: [Part; 3] = [Part::Store, Part::Engine, Part::Rules];

    /// The word in the answer of `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Store => "store",
            Part::Engine => "engine",
            Part::Rules => "rules",
        }
    }
}

/// The lights; all are off at the start. Shared by whoever learns that one changed.
#[derive(Debug)]
pub struct Readiness {
    lights: Mutex<[Result<(), String>; Part::ALL.len()]>,
}

impl Default for Readiness {
    fn default() -> Readiness {
        Readiness::new()
    }
}

impl Readiness {
    /// All off: "starting".
    #[must_use]
    pub fn new() -> Readiness {
        Readiness { lights: Mutex::new(Part::ALL.map(|_| Err("starting".to_owned()))) }
    }

    /// The part works.
    pub fn on(&self, part: Part) {
        self.lights()[part as usize] = Ok(());
    }

    /// The part does not work, for this reason. Operators read it; it must hold no secret.
    pub fn off(&self, part: Part, why: &str) {
        self.lights()[part as usize] = Err(why.to_owned());
    }

    /// Whether all parts work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lights().iter().all(Result::is_ok)
    }

    /// `{"engine":"starting","ready":false,"rules":"ok","store":"ok"}`
    #[must_use]
    pub fn to_json(&self) -> Value {
        let lights = self.lights();
        let mut answer = Map::new();
        answer.insert("ready".to_owned(), json!(lights.iter().all(Result::is_ok)));
        for (part, light) in Part::ALL.iter().zip(lights.iter()) {
            let word = light.as_ref().map_or_else(String::as_str, |()| "ok");
            answer.insert(part.as_str().to_owned(), json!(word));
        }
        Value::Object(answer)
    }

    /// A light is never left half set, so a panic elsewhere does no harm here.
    fn lights(&self) -> MutexGuard<'_, [Result<(), String>; Part::ALL.len()]> {
        self.lights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
