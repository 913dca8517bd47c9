//! The grammar of commands, and the parser. Pure.
//!
//! ```text
//! line     = [ "/" ] [ "pushwatch" ] command
//! command  = "mute" TARGET LENGTH [ REASON ]
//!          | "unmute" ( ID | TARGET )
//!          | "mutes"
//!          | "incidents" [ TARGET ]
//!          | "status" STREAM
//!          | "ack" ID
//!          | "rules"
//!          | "help" [ COMMAND ]
//!          | "confirm" ID
//! TARGET   = STREAM | GLOB | matchers, with or without braces: {stream=~"live_.*", rule="gop_too_large"}
//! STREAM   = a stream's id, or DOMAIN/PATH/STREAM; in quotes if it has blanks, or reads like something else
//! GLOB     = an id or DOMAIN/PATH/STREAM with "*" for any text
//! LENGTH   = numbers with units, the largest first: 30m, 2h, 1d12h, 1天12小时; 1 minute to 30 days
//! ID       = [ "#" ] number
//! REASON   = the rest of the line
//! ```
//!
//! Each command has other words too, also Chinese ones (静音 mute, 取消静音 unmute, 状态 status, 帮助 help, …), behind
//! which no blank is needed. Case does not matter in commands and lengths. Full-width signs, letters and digits and
//! curly quotes, as phones write them, are the plain ones, but for those in quotes and in a reason. A colon may follow the
//! command's word. Zero-width spaces outside quotes are nothing: chats' messages have them in names, which people copy.

use std::time::Duration;

use super::length::{self, LengthMistake};
use super::target::Target;
use super::word::{Line, Written};
use super::{Command, Lift, MAX_LINE, MAX_REASON, Mistake, Part, Verb};
use crate::model::{IncidentId, MuteId};
use crate::render::clean::{clean, cut_end};

/// Reads a line.
///
/// # Errors
/// [`Mistake`]: what was expected in its place.
pub fn parse(text: &str) -> Result<Command, Mistake> {
    if text.len() > MAX_LINE {
        return Err(Mistake::LongLine);
    }
    let mut line = Line::new(text);
    line.take("/");
    let verb = match verb(&mut line)? {
        Some(verb) => verb,
        None => return Ok(Command::Help(None)),
    };
    let command = match verb {
        Verb::Mute => return mute(line),
        Verb::Unmute => Command::Unmute(lift(&mut line)?),
        Verb::Mutes => Command::Mutes,
        Verb::Incidents => match line.target() {
            None => Command::Incidents(None),
            Some(written) => Command::Incidents(Some(Target::read(verb, written)?)),
        },
        Verb::Status => match line.target() {
            None => return Err(Mistake::Missing { verb, part: Part::Stream }),
            Some(Written::Plain(name) | Written::Quoted(name) | Written::Matchers(name)) => {
                Command::Status(name.into())
            }
        },
        Verb::Ack => Command::Ack(IncidentId(number(verb, &mut line)?)),
        Verb::Rules => Command::Rules,
        Verb::Help => match line.word() {
            None => Command::Help(None),
            Some(word) => Command::Help(Some(known(word.trim_start_matches('/'))?)),
        },
        Verb::Confirm => Command::Confirm(number(verb, &mut line)?),
    };
    match line.is_empty() {
        true => Ok(command),
        false => Err(Mistake::TooMuch { verb, extra: line.rest().to_owned() }),
    }
}

/// Reads a target that stands alone: what has blanks in it and is not matchers is a stream's name.
///
/// # Errors
/// [`Mistake`]: what was expected in its place.
pub fn target(text: &str) -> Result<Target, Mistake> {
    if text.len() > MAX_LINE {
        return Err(Mistake::LongLine);
    }
    let (verb, mut line) = (Verb::Mute, Line::new(text));
    match line.target() {
        None => Err(Mistake::Missing { verb, part: Part::Target }),
        Some(written) if line.is_empty() => Target::read(verb, written),
        Some(Written::Matchers(first)) => Target::read(verb, Written::Matchers(format!("{first} {}", line.rest()))),
        Some(_) => Ok(Target::Stream(text.trim().into())),
    }
}

/// Reads the length of a mute that stands alone.
///
/// # Errors
/// [`Mistake`]: what was expected in its place.
pub fn length(text: &str) -> Result<Duration, Mistake> {
    let plain = fold(text.trim());
    length::parse(&plain).map_err(|why| Mistake::Length { written: plain, why })
}

/// Takes the command's word; `None` if there is nothing at all.
fn verb(line: &mut Line<'_>) -> Result<Option<Verb>, Mistake> {
    let (mut word, mut rest) = line.peek();
    if fold(word).eq_ignore_ascii_case("pushwatch") {
        line.go_on(rest);
        (word, rest) = line.peek();
    }
    if word.is_empty() {
        return Ok(None);
    }
    let plain = fold(word);
    if let Some(verb) = Verb::of(plain.strip_suffix(':').unwrap_or(&plain)) {
        line.go_on(rest);
        return Ok(Some(verb));
    }
    match Verb::at_start(line.rest()) {
        Some((verb, rest)) => {
            line.go_on(rest);
            line.take(":");
            Ok(Some(verb))
        }
        None => Err(unknown(plain)),
    }
}

/// The command of a word.
fn known(word: &str) -> Result<Verb, Mistake> {
    Verb::of(word).ok_or_else(|| unknown(word.to_owned()))
}

fn unknown(word: String) -> Mistake {
    Mistake::Unknown { near: Verb::near(&word), word }
}

fn mute(mut line: Line<'_>) -> Result<Command, Mistake> {
    let verb = Verb::Mute;
    let Some(written) = line.target() else { return Err(Mistake::Missing { verb, part: Part::Target }) };
    let length = line.word();
    if let (Written::Plain(first), second) = (&written, &length)
        && length::is_meant(first)
        && !second.as_deref().is_some_and(length::is_meant)
    {
        return Err(match second {
            None => Mistake::Missing { verb, part: Part::Target },
            Some(second) => Mistake::Swapped { target: second.clone(), length: first.clone() },
        });
    }
    let target = Target::read(verb, written)?;
    let Some(length) = length else { return Err(Mistake::Missing { verb, part: Part::Length }) };
    let length = length::parse(&length).map_err(|why| match why {
        LengthMistake::Unreadable if length.is_empty() => Mistake::Missing { verb, part: Part::Length },
        why => Mistake::Length { written: length, why },
    })?;
    Ok(Command::Mute { target, length, reason: reason(line.rest()) })
}

fn lift(line: &mut Line<'_>) -> Result<Lift, Mistake> {
    let verb = Verb::Unmute;
    match line.target() {
        None => Err(Mistake::Missing { verb, part: Part::IdOrTarget }),
        Some(Written::Plain(word)) => match id(&word) {
            Some(id) => Ok(Lift::Id(MuteId(id))),
            None => Ok(Lift::Target(Target::read(verb, Written::Plain(word))?)),
        },
        Some(written) => Ok(Lift::Target(Target::read(verb, written)?)),
    }
}

fn number(verb: Verb, line: &mut Line<'_>) -> Result<u64, Mistake> {
    let Some(word) = line.word() else { return Err(Mistake::Missing { verb, part: Part::Id }) };
    id(&word).ok_or(Mistake::NoNumber { verb, written: word })
}

/// `12`, `#12`.
fn id(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('#').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|id| is_number && *id <= i64::MAX as u64)
}

/// A reason as it is kept: one clean line.
#[must_use]
pub fn reason(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    cut_end(&clean(&cut_end(&line.join(" "), MAX_REASON)), MAX_REASON)
}

fn fold(word: &str) -> String {
    super::word::plain(word)
}
