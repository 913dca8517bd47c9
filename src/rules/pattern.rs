//! Regular expressions as monitoring tools take them: the whole text must match, and compiling is bounded. Pure.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::diagnostic::quote;

/// Longest pattern, in bytes: what a list of matchers may be long.
const MAX_PATTERN: usize = 1024;

/// Largest compiled form, in bytes. `\w` knows all alphabets and takes 50 KiB by itself.
const MAX_COMPILED: usize = 256 * 1024;

/// A regular expression that a whole text must match, as in Prometheus and Alertmanager: `live` does not match
/// `live_1`, `live.*` does. Equal to another by its text. Matching takes time in proportion to the text.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    compiled: Regex,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong, in words for operators.
    pub message: String,
    /// What to write instead, if that can be told.
    pub hint: Option<String>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// A text that can only be meant as a glob (`live_*`) is refused, although some are legal: as a regular
    /// expression it would hardly match anything.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let wrong = |message: String, hint: Option<String>| PatternError { message, hint };
        if text.len() > MAX_PATTERN {
            let message = format!("a regular expression has at most {MAX_PATTERN} bytes, this one has {}", text.len());
            return Err(wrong(message, None));
        }
        if is_glob(text) {
            let hint = format!("any text is `.*` in a regular expression: `{}`", translate(text));
            return Err(wrong(format!("{} is a glob, not a regular expression", quote(text)), Some(hint)));
        }
        let build = |pattern: &str| {
            RegexBuilder::new(pattern).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).nest_limit(50).build()
        };
        // By itself first: `a)|(b` is wrong, though it would be legal between the anchors.
        match build(text).and_then(|_| build(&format!("^(?:{text})$"))) {
            Ok(compiled) => Ok(Pattern { text: text.into(), compiled }),
            Err(regex::Error::CompiledTooBig(_)) => {
                let hint = "repeat less; `[0-9A-Za-z_]` is far smaller than `\\w`, `[0-9]` than `\\d`";
                Err(wrong(format!("{} grows too large", quote(text)), Some(hint.to_owned())))
            }
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                let message = format!("{} is no regular expression: {reason}", quote(text));
                Err(wrong(message, advice(reason).map(str::to_owned)))
            }
        }
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Whether a text has stars where only globs have them, and nothing that only regular expressions have.
pub(super) fn is_glob(text: &str) -> bool {
    const OF_EXPRESSIONS: [char; 11] = ['(', ')', '[', ']', '{', '}', '|', '^', '$', '+', '\\'];
    text.contains('*') && !text.contains(OF_EXPRESSIONS) && (text.starts_with('*') || !text.contains(".*"))
}

/// A glob as a regular expression.
fn translate(glob: &str) -> String {
    let mut pattern = String::new();
    for c in glob.chars().take(60) {
        match c {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '.' => pattern.push_str("\\."),
            c => pattern.extend(c.escape_debug()),
        }
    }
    pattern
}

/// What to do about an error, by the regex library's words for it.
fn advice(reason: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 6] = [
        ("unclosed character class", "close it with `]`, or write `\\[` for the sign itself"),
        ("unclosed group", "close it with `)`, or write `\\(` for the sign itself"),
        ("unopened group", "open it with `(`, or write `\\)` for the sign itself"),
        ("repetition operator missing", "`*`, `+` and `?` follow what they repeat: any text is `.*`"),
        ("look-around", "say what must match, and what must not with `!~`"),
        ("backreferences", "write the text out again"),
    ];
    ADVICE.iter().find(|(words, _)| reason.contains(words)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> (String, String) {
        let error = Pattern::new(text).unwrap_err();
        (error.message, error.hint.unwrap_or_default())
    }

    #[test]
    fn the_whole_text_must_match() {
        let pattern = Pattern::new("live|cam").unwrap();
        assert!(pattern.holds("live") && pattern.holds("cam"));
        assert!(!pattern.holds("live_1") && !pattern.holds("xcam") && !pattern.holds("live\n"));
        assert!(Pattern::new("live_.*").unwrap().holds("live_流"));
        assert!(Pattern::new("").unwrap().holds("") && !Pattern::new("").unwrap().holds("a"));
        assert!(Pattern::new("(?i)LIVE.[0-9]{2}").unwrap().holds("live_07"));
    }

    #[test]
    fn nobody_escapes_the_anchors() {
        for text in ["a)|(?:b", "a)|(b", ")(", "(?x)a #", "a\\"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        let pattern = Pattern::new("(?m)a$").unwrap();
        assert!(pattern.holds("a") && !pattern.holds("ab"));
    }

    #[test]
    fn globs_are_told_from_regular_expressions() {
        for glob in ["live_*", "*.example.com", "*", "*.*", "a*b", "cam-?-*", "live/*"] {
            assert!(refused(glob).0.contains("is a glob"), "{glob}");
        }
        assert!(refused("*.example.com").1.contains("`.*\\.example\\.com`"));
        for regex in ["push.*", "live_.*", "ab+", "(ab)*", "[0-9]*", "a{2}", "x", "live_\\d*", "push.*-a*"] {
            assert!(Pattern::new(regex).is_ok(), "{regex}");
        }
    }

    #[test]
    fn mistakes_say_what_to_do() {
        assert_eq!(refused("[a").0, "`[a` is no regular expression: unclosed character class");
        assert!(refused("[a").1.contains("`\\[`"));
        assert!(refused("(?=a)b").1.contains("!~"));
        assert!(refused("(a)\\1").0.contains("backreferences"));
        assert!(refused("+a").1.contains("`.*`"));
        assert!(refused("\\w{1,99}").1.contains("[0-9A-Za-z_]"));
        assert!(refused(&"a".repeat(1025)).0.contains("at most 1024 bytes"));
    }

    #[test]
    fn what_explodes_is_refused_at_once() {
        for text in ["((((((a{9}){9}){9}){9}){9}){9}){9}", "\\w{1000}", &"(".repeat(1000)] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        // What is legal takes time in proportion to the text, however much it could go back and forth.
        assert!(!Pattern::new("(a|a?)+b").unwrap().holds(&"a".repeat(50_000)));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,60}|[a-c.*+?(){}|\\[\\]\\\\^$0-9,:<>PiuxUsm-]{0,30}", subject in "\\PC{0,60}") {
            if let Ok(pattern) = Pattern::new(&text) {
                let _ = pattern.holds(&subject);
            }
        }

        #[test]
        fn escaped_text_matches_itself_alone(text in "\\PC{0,40}", other in "\\PC{0,40}") {
            if let Ok(pattern) = Pattern::new(&regex::escape(&text)) {
                prop_assert!(pattern.holds(&text));
                prop_assert_eq!(pattern.holds(&other), text == other);
            }
        }
    }
}
