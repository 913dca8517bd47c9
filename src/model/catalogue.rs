//! What is known of each trouble and stop reason: names, effect on viewers, cause, remedy, severity, unit.

use std::collections::BTreeMap;

use super::{AbnormalType, Language, Severity};

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
        let _ = (kind, language, &self.overrides);
        unimplemented!()
    }

    /// The default severity of an abnormal type; `Warning` for unknown ones.
    #[must_use]
    pub fn severity(&self, kind: AbnormalType) -> Severity {
        let _ = kind;
        unimplemented!()
    }

    /// The unit of a type's values; `None` for unknown types and those that are not measured.
    #[must_use]
    pub fn unit(kind: AbnormalType) -> Option<Unit> {
        match kind.0 {
            1..=4 | 6 | 7 | 12 => Some(Unit::Milliseconds),
            5 => Some(Unit::Bytes),
            15 => Some(Unit::Fps),
            16 => Some(Unit::Seconds),
            _ => None,
        }
    }

    /// What to say about a push that ended with this errcode.
    #[must_use]
    pub fn stop(&self, errcode: Option<i64>, language: Language) -> Text {
        let _ = (errcode, language);
        unimplemented!()
    }
}
