//! Whether callbacks can be taken and judged: one light per part, with a word why it is off. Besides, what operators
//! should know although all of it works.

use std::collections::BTreeMap;
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

/// What operators should know although callbacks are taken and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banner {
    /// Changed rules or templates were refused; older ones are in force.
    Refused,
    /// Push errors come, but no begin or end of any push.
    OnlyPushErrors,
    /// Callbacks come late.
    LateCallbacks,
    /// Channels refuse every message.
    Parked,
}

impl Banner {
    /// Its name in the answer of `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Banner::Refused => "rules_refused",
            Banner::OnlyPushErrors => "only_push_errors",
            Banner::LateCallbacks => "late_callbacks",
            Banner::Parked => "channels_parked",
        }
    }
}

/// The lights; all are off at the start. Shared by whoever learns that one changed.
#[derive(Debug)]
pub struct Readiness {
    lights: Mutex<[Result<(), String>; Part::ALL.len()]>,
    banners: Mutex<BTreeMap<Banner, String>>,
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
        let lights = Part::ALL.map(|_| Err("starting".to_owned()));
        Readiness { lights: Mutex::new(lights), banners: Mutex::default() }
    }

    /// The part works.
    pub fn on(&self, part: Part) {
        self.lights()[part as usize] = Ok(());
    }

    /// The part does not work, for this reason. Operators read it; it must hold no secret.
    pub fn off(&self, part: Part, why: &str) {
        self.lights()[part as usize] = Err(why.to_owned());
    }

    /// Shows a banner, in the place of an earlier one of its kind. Operators read it; it must hold no secret.
    pub fn show(&self, banner: Banner, text: String) {
        self.banners().insert(banner, text);
    }

    /// Takes a banner down.
    pub fn take_down(&self, banner: Banner) {
        self.banners().remove(&banner);
    }

    /// Whether all parts work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lights().iter().all(Result::is_ok)
    }

    /// `{"engine":"starting","ready":false,"rules":"ok","store":"ok"}`; with `"warnings":{"rules_refused":"…"}` if
    /// there are any.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let lights = self.lights();
        let mut answer = Map::new();
        answer.insert("ready".to_owned(), json!(lights.iter().all(Result::is_ok)));
        for (part, light) in Part::ALL.iter().zip(lights.iter()) {
            let word = light.as_ref().map_or_else(String::as_str, |()| "ok");
            answer.insert(part.as_str().to_owned(), json!(word));
        }
        let banners = self.banners();
        if !banners.is_empty() {
            let warnings: Map<_, _> =
                banners.iter().map(|(banner, text)| (banner.as_str().to_owned(), json!(text))).collect();
            answer.insert("warnings".to_owned(), Value::Object(warnings));
        }
        Value::Object(answer)
    }

    /// A light is never left half set, so a panic elsewhere does no harm here.
    fn lights(&self) -> MutexGuard<'_, [Result<(), String>; Part::ALL.len()]> {
        self.lights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn banners(&self) -> MutexGuard<'_, BTreeMap<Banner, String>> {
        self.banners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
