//! Process settings; the only reader of the environment.

/// An environment variable, if it is set, is text and is not empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one room that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An environment variable as it is, for `${VAR}` in rules.yaml: one that is set but empty is not a missing one.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one room that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
