//! One call to a chat: what it does and what is to be said.

use std::time::Duration;

use crate::model::{Button, DeliveryId, Reason};
use crate::render::{Card, Sign};

/// Time for a connection to come about.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Time for the whole call, from its beginning to the last byte of the answer.
pub(crate) const WHOLE: Duration = Duration::from_secs(20);

/// A message in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The chat's id of it.
    pub(crate) id: String,
    /// Where it stands, if not in the channel's own target.
    pub(crate) place: Option<String>,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A message of its own.
    Post,
    /// The text of a message is replaced.
    Edit(Spot),
    /// An answer to a message, so that people notice.
    Note {
        /// Which message.
        to: Spot,
        /// Shown to the whole channel, not in the thread alone, or with a sound: as the chat knows the difference.
        broadcast: bool,
    },
}

impl Act {
    /// Whether doing it twice shows twice.
    pub(crate) fn can_double(&self) -> bool {
        match self {
            Act::Post | Act::Note { .. } => true,
            Act::Edit(_) => false,
        }
    }
}

/// The words of a call.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    /// In the platform's markup.
    Rich(String),
    /// Without any, after the markup was refused.
    Plain(String),
}

/// A call, ready to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What it does.
    pub(crate) act: Act,
    /// Its words.
    pub(crate) words: Words,
    /// The first line, without markup.
    pub(crate) summary: String,
    /// How it stands.
    pub(crate) sign: Sign,
    /// What a machine wants to know; for the generic webhook alone.
    pub(crate) facts: serde_json::Value,
    /// Why it is made.
    pub(crate) reason: Reason,
    /// The row that carries it; the same at each repetition.
    pub(crate) delivery: DeliveryId,
    /// The chat's new id, if it has moved (Telegram).
    pub(crate) moved: Option<i64>,
    /// What people can click below it; an edit shows these in place of those before.
    pub(crate) buttons: Vec<Button>,
    /// What a WeCom app sends in the place of rich words, where there are buttons.
    pub(crate) card: Option<Box<Card>>,
}

/// At most `limit` bytes of a text, cut at a character and then marked as cut.
pub(crate) fn cut_bytes(text: &str, limit: usize) -> String {
    const MARK: &str = "…";
    match text.len() <= limit {
        true => text.to_owned(),
        false => format!("{}{MARK}", &text[..text.floor_char_boundary(limit.saturating_sub(MARK.len()))]),
    }
}

/// The same, cut at the end of a line where the first one fits: markup does not go over lines, and stays whole.
pub(crate) fn cut_lines(text: &str, limit: usize) -> String {
    const MARK: &str = "\n…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = text.floor_char_boundary(limit.saturating_sub(MARK.len()));
    match text.as_bytes()[..=room].iter().rposition(|byte| *byte == b'\n') {
        Some(end) if end > 0 => format!("{}{MARK}", &text[..end]),
        _ => cut_bytes(text, limit),
    }
}

#[cfg(test)]
pub(crate) fn sample(act: Act, words: Words) -> Call {
    Call {
        act,
        words,
        summary: "cam1 <late>".into(),
        sign: Sign::Critical,
        facts: serde_json::json!({ "stream": "cam1" }),
        reason: Reason::Post,
        delivery: DeliveryId(7),
        moved: None,
        buttons: Vec::new(),
        card: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_keeps_to_the_bytes_and_says_so() {
        assert_eq!(cut_bytes("断流", 6), "断流");
        assert_eq!(cut_bytes("断流了", 8), "断…");
        assert_eq!(cut_bytes("abc", 2), "…");
    }

    #[test]
    fn lines_stay_whole_where_a_line_fits() {
        assert_eq!(cut_lines("one\ntwo", 7), "one\ntwo");
        assert_eq!(cut_lines("one\ntwo\nthree", 12), "one\ntwo\n…");
        assert_eq!(cut_lines("one\ntwo\nthree", 10), "one\n…");
        assert_eq!(cut_lines("断流断流断流断流", 12), "断流断…");
    }
}
