//! rules.yaml: read with every mistake found at once, compiled into the set that the engine judges by.
//!
//! [`load`] goes three steps: `document` makes a tree in which everything knows its place, `env` resolves references
//! to the environment and to secret files, `compile` turns it into a [`RuleSet`]. All three note mistakes and go on.

pub mod compiled;
pub use compiled::{GroupBy, Measure, Plan, RateLimit, Route, Rule, RuleSet, StandingMute};

pub use crate::model::Noun;

pub mod condition;
pub use condition::Condition;

mod matching;
pub use matching::Matching;

mod refusal;

mod demand;
pub use demand::Demand;

pub mod pattern;
pub use pattern::Pattern;

pub mod matcher;
pub use matcher::Matchers;

pub mod interval;
pub use interval::TimeInterval;

pub mod diagnostic;
pub use diagnostic::Diagnostic;

pub mod trial;

mod compile;

mod shape;

pub mod schema;

mod reading;

mod env;

mod duration;

mod mask;

mod document;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use diagnostic::Mistakes;

/// Reads and compiles a rules file.
///
/// `file_name` is for the mistakes, and its folder is where relative secret files are looked for; `env` is asked for
/// each environment variable that the file refers to.
///
/// # Errors
///
/// Every mistake found, by place, at least one. None of them shows a secret.
pub fn load(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<RuleSet, Vec<Diagnostic>> {
    read(text, file_name, env, |_| {})
}

/// [`load`], with a look at the tree before references are resolved.
fn read(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
    prepare: impl FnOnce(&mut document::Node),
) -> Result<RuleSet, Vec<Diagnostic>> {
    if text.len() > document::MAX_BYTES {
        let limit = document::MAX_BYTES / 1024;
        return Err(vec![Diagnostic::about_file(file_name, format!("the file is larger than {limit} KiB"))]);
    }
    let mut mistakes = Mistakes::default();
    let mut root = match document::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let at = error.at..error.at;
            match error.hint {
                Some(hint) => mistakes.add_hinted(&at, error.message, hint),
                None => mistakes.add(&at, error.message),
            }
            return Err(mistakes.into_diagnostics(file_name, text, &mask::guess(text)));
        }
    };
    let secrets = mask::find(&root);
    mask::veil(&mut root, &secrets);
    prepare(&mut root);
    let folder = Path::new(file_name).parent().unwrap_or(Path::new(""));
    env::resolve(&mut root, &env::Sources { variable: env, folder }, &mut mistakes);
    let hash = hex::encode(Md5::digest(text.as_bytes()));
    match compile::compile(&root, hash, &mut mistakes) {
        Some(rules) => Ok(rules),
        None => Err(mistakes.into_diagnostics(file_name, text, &secrets)),
    }
}

/// The secret files that a rules file refers to, so that a change of one can be noticed; of a text that is no YAML none.
/// The parameters are those of [`load`].
#[must_use]
pub fn secret_files(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    // Most name none, and this is asked every few seconds.
    if text.len() <= document::MAX_BYTES
        && text.contains("file")
        && let Ok(root) = document::parse(text)
    {
        let folder = Path::new(file_name).parent().unwrap_or(Path::new(""));
        env::secret_files(&root, &env::Sources { variable: env, folder }, &mut files);
    }
    files
}
