//! Buttons under messages: what a click asks for, as it travels through the chat and back.

use std::fmt;
use std::str::FromStr;

use super::GroupId;

/// What a click asks for. Its text comes back from the chat as it was sent, or as somebody forged it: it names things, and
/// proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Press {
    /// Keep still for an hour about what a message is about.
    Mute(GroupId),
    /// "I have it": all that fires in a message.
    Ack(GroupId),
    /// How what a message is about does just now.
    Details(GroupId),
    /// Go on with what was asked back under this number.
    Confirm(u64),
}

/// Longest text of a click that is looked at, in bytes. Telegram's limit for `callback_data`, the narrowest.
pub const MAX_PRESS: usize = 64;

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Press::Mute(group) => write!(f, "mute:{}", group.0),
            Press::Ack(group) => write!(f, "ack:{}", group.0),
            Press::Details(group) => write!(f, "details:{}", group.0),
            Press::Confirm(id) => write!(f, "confirm:{id}"),
        }
    }
}

/// It is no click of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no button of pushwatch")]
pub struct NoPress;

impl FromStr for Press {
    type Err = NoPress;

    fn from_str(text: &str) -> Result<Press, NoPress> {
        let (what, number) = text.split_once(':').ok_or(NoPress)?;
        // Only as it is written above: no sign, no leading zero.
        let id: u64 = number.parse().map_err(|_| NoPress)?;
        let press = match what {
            "mute" => Press::Mute(GroupId(id)),
            "ack" => Press::Ack(GroupId(id)),
            "details" => Press::Details(GroupId(id)),
            "confirm" => Press::Confirm(id),
            _ => return Err(NoPress),
        };
        if press.to_string() == text { Ok(press) } else { Err(NoPress) }
    }
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it says: pushwatch's own words.
    pub label: &'static str,
    /// What it asks for.
    pub press: Press,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_comes_back_as_it_was_sent() {
        for id in [0, 7, u64::MAX] {
            for press in
                [Press::Mute(GroupId(id)), Press::Ack(GroupId(id)), Press::Details(GroupId(id)), Press::Confirm(id)]
            {
                let text = press.to_string();
                assert!(text.len() <= MAX_PRESS);
                assert_eq!(text.parse(), Ok(press));
            }
        }
    }

    #[test]
    fn whatever_else_comes_is_none() {
        for text in
            ["", "mute", "mute:", "mute:-1", "mute:+1", "mute:01", "mute:1 ", "Mute:1", "mute:18446744073709551616"]
        {
            assert_eq!(text.parse::<Press>(), Err(NoPress), "{text}");
        }
    }
}
