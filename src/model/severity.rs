//! How bad a trouble is, in three steps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Ordered: `Info < Warning < Critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nobody has to get up.
    Info,
    /// Viewers may notice.
    Warning,
    /// Viewers do notice.
    Critical,
}

impl Severity {
    /// The word used in rules, metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
