//! Rules for judging alone: what the environment lacks is stood in for, as nobody is called.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::rules::{self, Diagnostic, RuleSet};

/// Values that fit wherever the words of `rules.yaml` take a secret, an id, an address or a network.
const VALUES: [&str; 3] = ["1", "https://stand-in.invalid/", "127.0.0.1"];

/// A rule set, and the variables that were stood in for.
#[derive(Debug)]
pub(super) struct Judging {
    /// The rules.
    pub(super) rules: RuleSet,
    /// Names of variables that are not set, and must be before `serve` takes these rules.
    pub(super) missing: Vec<String>,
}

/// Loads rules to judge by. A variable that is not set and has no default gets a value that fits where it stands.
///
/// # Errors
/// The mistakes that no value of a variable can mend.
pub(super) fn load(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Judging, Vec<Diagnostic>> {
    let asked = RefCell::new(BTreeSet::new());
    let whole = rules::load(text, file_name, &|name| {
        let value = env(name);
        if value.is_none() {
            asked.borrow_mut().insert(name.to_owned());
        }
        value
    });
    let mut mistakes = match whole {
        Ok(rules) => return Ok(Judging { rules, missing: Vec::new() }),
        Err(mistakes) => mistakes,
    };
    // Each mistake is about one place and so about one variable: what mends most is right.
    let mut values: BTreeMap<String, &str> = BTreeMap::new();
    for name in asked.into_inner() {
        let mut best = None;
        for value in VALUES {
            let lookup = |asked: &str| match asked == name {
                true => Some(value.to_owned()),
                false => env(asked).or_else(|| values.get(asked).map(|value| (*value).to_owned())),
            };
            match rules::load(text, file_name, &lookup) {
                Ok(rules) => {
                    let missing = values.into_keys().chain([name]).collect();
                    return Ok(Judging { rules, missing });
                }
                Err(left) if left.len() < mistakes.len() => (best, mistakes) = (Some(value), left),
                Err(_) => {}
            }
        }
        if let Some(value) = best {
            values.insert(name, value);
        }
    }
    Err(mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
version: 1
tencent: { keys: ["${KEY:-}"], sources: ["${NET}"] }
channels:
  ops: { type: slack, token: "${SLACK}", channel: "${PLACE}" }
  hook: { type: slack, webhook_url: "${HOOK}" }
  call: { type: telegram, token: "${TOKEN}", chat_id: "${CHAT}" }
defaults: { notify: [ops, hook, call] }
rules:
  - { name: gop, on: push_error, types: [16], threshold: { count: "${COUNT:-7}", within: 1m } }
"#;

    #[test]
    fn what_is_not_set_is_stood_in_for_and_named() {
        let judging = load(RULES, "rules.yaml", &|name| (name == "TOKEN").then(|| "7:x".to_owned())).unwrap();
        assert_eq!(judging.missing, ["CHAT", "HOOK", "NET", "PLACE", "SLACK"]);
        assert_eq!(judging.rules.channels.len(), 3);
    }

    #[test]
    fn a_default_stands_and_what_is_set_is_used() {
        let judging = load(RULES, "rules.yaml", &|_| None).unwrap();
        let plan = format!("{:?}", judging.rules.rules[0].plan);
        assert!(plan.contains('7'), "{plan}");
        assert!(!judging.missing.iter().any(|name| name == "COUNT" || name == "KEY"), "{:?}", judging.missing);
        let all = load("version: 1\nchannels: { c: { type: console } }\nrules: []\n", "rules.yaml", &|_| None);
        assert!(all.is_err() || all.unwrap().missing.is_empty());
    }

    #[test]
    fn mistakes_of_the_rules_themselves_are_all_that_is_left() {
        let text = RULES.replace("types: [16]", "types: [gop_to_large]").replace("within: 1m", "within: 1");
        let left = load(&text, "rules.yaml", &|_| None).unwrap_err();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.iter().all(|mistake| !mistake.message().contains("environment")), "{left:?}");
    }
}
