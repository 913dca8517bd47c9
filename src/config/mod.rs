//! Process settings; the only reader of the environment.

/// An environment variable, if it is set, is text and is not empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one room that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
