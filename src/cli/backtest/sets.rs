//! The rule sets that are held against each other: those in force, and those of `--rules`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::source::Recording;
use crate::cli::check;
use crate::config;
use crate::rules::{Diagnostic, RuleSet, trial};
use crate::store::{Archive, StoreError};

/// A rule set and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Set {
    /// For people.
    pub(super) source: String,
    /// The rules. Secrets are made up: nobody is called.
    pub(super) rules: Arc<RuleSet>,
}

/// Why rules can't be judged by.
#[derive(Debug)]
pub(super) enum Unusable {
    /// There are none: what was looked for.
    None(String),
    /// They are wrong, or can't be read: ready to be shown.
    Wrong(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::None(why) | Unusable::Wrong(why) => f.write_str(why),
        }
    }
}

/// The rules in force: the last good text that the server kept in its data folder; for a file, or where none was
/// kept, the file of `--config`.
pub(super) fn in_force(recording: &Recording, config: &Path) -> Result<Set, Unusable> {
    if let Recording::Folder(dir) = recording {
        let archive = Archive::open(dir).map_err(|error| Unusable::Wrong(error.to_string()))?;
        let kept = last_good(&archive).map_err(|error| Unusable::Wrong(error.to_string()))?;
        if let Some(text) = kept {
            let source = format!("the rules last in force in {}", dir.display());
            return compile(&text, &config.display().to_string(), source);
        }
    }
    if !config.exists() {
        return Err(Unusable::None(format!("{} does not exist: --config names the rules in force", config.display())));
    }
    from_file(config)
}

/// The rules of a file.
pub(super) fn from_file(file: &Path) -> Result<Set, Unusable> {
    let name = file.display().to_string();
    let text = check::read(file).map_err(|why| Unusable::Wrong(format!("{name} {why}")))?;
    compile(&text, &name, name.clone())
}

/// The text of the rules that were last in force, as `serve` keeps it.
fn last_good(archive: &Archive) -> Result<Option<String>, StoreError> {
    archive.value("rules", "last_good")
}

fn compile(text: &str, file_name: &str, source: String) -> Result<Set, Unusable> {
    match trial::load_rules(text, file_name, &config::variable) {
        Ok(rules) => Ok(Set { source, rules: Arc::new(rules) }),
        Err(mistakes) => {
            let shown: Vec<String> = mistakes.iter().map(Diagnostic::to_string).collect();
            Err(Unusable::Wrong(format!("{source}:\n{}", shown.join("\n\n"))))
        }
    }
}
