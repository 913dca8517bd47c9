//! What the bot begins with: the files, or what an earlier run left of good rules.

use std::sync::Arc;

use super::AppError;
use super::files::{Files, Loaded, Print, Wrong, WrongRules};
use super::kept::Kept;
use super::reload::InForce;
use crate::admin::Mistake;
use crate::model::Timestamp;
use crate::render::Renderer;

/// What to begin with: the files as they are; if they are wrong and an earlier run left good rules, those and whatever
/// else can be used, loudly, with the mistakes.
pub(super) async fn begin_with(
    read: Result<Loaded, Wrong>,
    (print, since): (Print, Timestamp),
    files: &Files,
    kept: &Kept,
) -> Result<(InForce, Vec<Mistake>), AppError> {
    let wrong = match read {
        Ok(Loaded { text, rules, renderer }) => {
            kept.keep(&rules.hash, &text).await?;
            let (rules, renderer) = (Arc::new(rules), Arc::new(renderer));
            return Ok((InForce { rules, renderer, print: Some(print), since }, Vec::new()));
        }
        Err(Wrong { rules: Some(WrongRules::NoKeys), .. }) => return Err(AppError::NoKeys),
        Err(wrong) => wrong,
    };
    let Some(last_good) = kept.last_good().await? else { return Err(wrong.into()) };
    let usable = match wrong.rules {
        None => files.load_rules().ok(),
        Some(_) => files.compile(&last_good).ok().map(|rules| (rules, last_good)),
    };
    let Some((rules, text)) = usable else { return Err(wrong.into()) };
    kept.keep(&rules.hash, &text).await?;
    let renderer = Renderer::load(files.templates.folder()).unwrap_or_else(|_| Renderer::embedded());
    let instead = match wrong.rules {
        None => "the built-in templates",
        Some(_) => "the last good rules",
    };
    tracing::error!("{wrong}\nUntil that is mended {instead} are in force");
    let (rules, renderer) = (Arc::new(rules), Arc::new(renderer));
    Ok((InForce { rules, renderer, print: None, since }, wrong.mistakes()))
}

impl From<Wrong> for AppError {
    fn from(wrong: Wrong) -> AppError {
        match wrong.rules {
            Some(WrongRules::Unreadable(error)) => AppError::NoRules(wrong.file, error),
            Some(WrongRules::NoKeys) => AppError::NoKeys,
            Some(WrongRules::Mistaken(_)) => AppError::BadRules(wrong.to_string()),
            None => AppError::BadTemplates(wrong.to_string()),
        }
    }
}
