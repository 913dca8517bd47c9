//! What is known of each trouble and stop reason: names, effect on viewers, cause, remedy, severity, unit.

use std::collections::BTreeMap;

use super::{AbnormalType, Language, Severity};

mod joint;
pub use joint::{Joint, Spread, joint_cause, spread_cause, spread_fix};

mod stops;

mod troubles;

/// The unit of a type's measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Frames per second: the smaller, the worse.
    Fps,
    /// Bytes.
    Bytes,
}

/// What to say about a trouble, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Short name for the first line: `video late`.
    pub name: String,
    /// What viewers see.
    pub viewers: String,
    /// The likely cause.
    pub cause: String,
    /// One concrete step.
    pub fix: String,
}

/// An operator's own words for one abnormal type; what is `None` stays as built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Replaces [`Text::name`] in all languages.
    pub name: Option<String>,
    /// Replaces [`Text::viewers`].
    pub viewers: Option<String>,
    /// Replaces [`Text::cause`].
    pub cause: Option<String>,
    /// Replaces [`Text::fix`].
    pub fix: Option<String>,
    /// Replaces the default severity.
    pub severity: Option<Severity>,
}

/// The built-in texts with an operator's overrides on top.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    overrides: BTreeMap<AbnormalType, Override>,
}

impl Catalogue {
    /// The built-in texts under these overrides.
    #[must_use]
    pub fn new(overrides: BTreeMap<AbnormalType, Override>) -> Catalogue {
        Catalogue { overrides }
    }

    /// What to say about an abnormal type; an unknown one is called `type N`.
    #[must_use]
    pub fn trouble(&self, kind: AbnormalType, language: Language) -> Text {
        let mut text = match troubles::entry(kind) {
            Some(entry) => entry.words(language).text(),
            None => troubles::unknown(kind, language),
        };
        if let Some(own) = self.overrides.get(&kind) {
            let fields = [
                (&mut text.name, &own.name),
                (&mut text.viewers, &own.viewers),
                (&mut text.cause, &own.cause),
                (&mut text.fix, &own.fix),
            ];
            for (field, own) in fields {
                if let Some(own) = own {
                    field.clone_from(own);
                }
            }
        }
        text
    }

    /// An operator's own words for a type, if there are any: they go before a joint cause.
    #[must_use]
    pub fn own(&self, kind: AbnormalType) -> Option<&Override> {
        self.overrides.get(&kind)
    }

    /// The default severity of an abnormal type; `Warning` for unknown ones.
    #[must_use]
    pub fn severity(&self, kind: AbnormalType) -> Severity {
        let own = self.overrides.get(&kind).and_then(|own| own.severity);
        own.unwrap_or_else(|| troubles::entry(kind).map_or(Severity::Warning, |entry| entry.severity))
    }

    /// The unit of a type's values; `None` for unknown types and those that are not measured.
    #[must_use]
    pub fn unit(kind: AbnormalType) -> Option<Unit> {
        troubles::entry(kind).and_then(|entry| entry.unit)
    }

    /// What a type's worst value is called, to stand before it: `worst gap` (3.0 s). `None` where nothing is measured.
    #[must_use]
    pub fn measure(kind: AbnormalType, language: Language) -> Option<&'static str> {
        let words = troubles::entry(kind).filter(|entry| entry.unit.is_some())?.words(language);
        Some(words.measure)
    }

    /// What to say about a push that ended with this errcode.
    #[must_use]
    pub fn stop(&self, errcode: Option<i64>, language: Language) -> Text {
        stops::entry(errcode).words(language).text()
    }

    /// How bad the end of a push with this errcode is.
    #[must_use]
    pub fn stop_severity(&self, errcode: Option<i64>) -> Severity {
        stops::entry(errcode).severity
    }
}

/// One entry's words in one language.
struct Words {
    name: &'static str,
    viewers: &'static str,
    cause: &'static str,
    fix: &'static str,
    /// What the worst value is called; empty where nothing is measured.
    measure: &'static str,
}

impl Words {
    fn text(&self) -> Text {
        Text {
            name: self.name.to_owned(),
            viewers: self.viewers.to_owned(),
            cause: self.cause.to_owned(),
            fix: self.fix.to_owned(),
        }
    }
}

/// One entry of the catalogue in all languages.
struct Entry {
    severity: Severity,
    unit: Option<Unit>,
    en: Words,
    zh: Words,
}

impl Entry {
    fn words(&self, language: Language) -> &Words {
        match language {
            Language::En => &self.en,
            Language::Zh => &self.zh,
        }
    }
}

#[cfg(test)]
mod tests;
