//! What a command is about: a stream by its id or full name, a glob, or matchers. Pure.

use std::fmt::Write as _;

use super::word::Written;
use super::{Mistake, Verb};
use crate::rules::Matchers;

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A stream: its id, or its full name `domain/path/stream`.
    Stream(Box<str>),
    /// Whatever these hold of; globs are made matchers.
    Matchers(Matchers),
}

/// Everything, as matchers: each incident has a rule.
const EVERYTHING: &str = "rule!=\"\"";

impl Target {
    /// Makes sense of what was written.
    pub(super) fn read(verb: Verb, written: Written) -> Result<Target, Mistake> {
        let matchers = |text: &str| {
            let read = Matchers::parse(text);
            read.map_err(|wrong| Mistake::Target { verb, message: wrong.message, hint: wrong.hint })
        };
        match written {
            Written::Quoted(name) => Ok(Target::Stream(name.into())),
            Written::Matchers(text) => {
                let list = matchers(&text)?;
                match list.doubt() {
                    Some(doubt) => Err(Mistake::Target { verb, message: doubt.message, hint: doubt.hint }),
                    None => Ok(Target::Matchers(list)),
                }
            }
            Written::Plain(name) if name.contains('*') => match glob(&name) {
                Some(text) => Ok(Target::Matchers(matchers(&text)?)),
                None => Err(Mistake::Glob { verb, written: name }),
            },
            Written::Plain(name) => Ok(Target::Stream(name.into())),
        }
    }
}

/// The matchers that a glob stands for: `DOMAIN/PATH/STREAM`, or a stream's id alone. `None` for another shape.
fn glob(written: &str) -> Option<String> {
    let parts: Vec<(&str, &str)> = match written.split_once('/') {
        None => vec![("stream", written)],
        Some((domain, rest)) => {
            let (path, stream) = rest.rsplit_once('/')?;
            vec![("domain", domain), ("path", path), ("stream", stream)]
        }
    };
    let mut text = String::new();
    for (label, part) in parts {
        let comma = if text.is_empty() { "" } else { ", " };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a String can't fail.
        let _ = match part.trim_matches('*') {
            "" if !part.is_empty() => Ok(()),
            _ if !part.contains('*') => write!(text, "{comma}{label}=\"{}\"", quoted(part)),
            _ => {
                let pattern: Vec<String> = part.split('*').map(regex::escape).collect();
                write!(text, "{comma}{label}=~\"{}\"", quoted(&pattern.join(".*")))
            }
        };
    }
    Some(if text.is_empty() { EVERYTHING.to_owned() } else { text })
}
