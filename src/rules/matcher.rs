//! Matchers over labels in Alertmanager's syntax: `stream=~"live_.*", severity!="info"`. Pure.

/// A list of matchers, all of which must hold. A label that is missing is the empty text.
#[derive(Clone, Debug, Default)]
pub struct Matchers {
    list: Vec<Matcher>,
}

/// One matcher.
#[derive(Clone, Debug)]
struct Matcher {
    label: Box<str>,
    value: Box<str>,
    equal: bool,
}

/// Why a text is no list of matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MatcherError {
    /// Byte of the text at which it went wrong.
    pub at: usize,
    /// What is wrong, in words for operators.
    pub message: String,
    /// What to write instead, if that can be told.
    pub hint: Option<String>,
}

impl Matchers {
    /// Reads a list of matchers, with or without braces around it.
    ///
    /// # Errors
    /// Says where and what.
    pub fn parse(text: &str) -> Result<Matchers, MatcherError> {
        let wrong = |at| MatcherError { at, message: "this is no matcher".to_owned(), hint: None };
        let Some((label, value)) = text.split_once('=') else { return Err(wrong(0)) };
        let value = value.trim().trim_matches('"');
        Ok(Matchers { list: vec![Matcher { label: label.trim().into(), value: value.into(), equal: true }] })
    }

    /// Whether all hold. `label` gives a label's value.
    pub fn hold<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.list.iter().all(|m| (label(&m.label).unwrap_or("") == &*m.value) == m.equal)
    }
}
