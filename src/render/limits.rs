//! What each platform takes: how much, counted in its own unit, and markup that it can read. Pure.

use std::fmt;

use super::html::{self, Piece};
use crate::model::{Channel, ChannelKind, Target, WecomDoor};

/// In UTF-16 units, the strictest reading of Slack's "characters". A block takes 3,000, a message somewhat above
/// 13,000 over all blocks; nobody reads as much at night.
const SLACK_MOST: usize = 2_900;
/// Code points after parsing.
const TELEGRAM_MOST: usize = 4_096;
/// Bytes before parsing.
const TELEGRAM_RAW: usize = 32_768;
/// Formatted stretches; Telegram drops those beyond without a word.
const TELEGRAM_ENTITIES: usize = 100;
/// Bytes of a group robot's markdown.
const WECOM_MOST: usize = 4_096;
/// Bytes of an app's markdown; WeCom says nothing of what it leaves out of a longer one.
const WECOM_APP_MOST: usize = 2_048;
/// Bytes of WeCom's plain text.
const WECOM_PLAIN: usize = 2_048;
/// Our own bound where the platform names none, in characters.
const OTHER_MOST: usize = 8_000;

/// What the messages of a channel have to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The platform.
    pub kind: ChannelKind,
    /// How much it takes, in its [`Unit`].
    pub most: usize,
}

/// What a platform counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Slack: UTF-16 units.
    Utf16,
    /// Telegram: code points that are seen, after parsing.
    Seen,
    /// WeCom: bytes of UTF-8.
    Bytes,
    /// Code points.
    Characters,
}

/// Why a platform would not take a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing to be seen.
    Empty,
    /// There is too much.
    Long {
        /// Of what: `bytes`.
        unit: &'static str,
        /// How much.
        size: usize,
        /// How much is taken.
        most: usize,
    },
    /// The markup can't be read; says why.
    Markup(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Empty => f.write_str("the message is empty"),
            Refusal::Long { unit, size, most } => write!(f, "{size} {unit}, and {most} is the most"),
            Refusal::Markup(why) => f.write_str(why),
        }
    }
}

impl Room {
    /// That of a channel.
    #[must_use]
    pub fn of(channel: &Channel) -> Room {
        let room = Room::usual(channel.kind());
        match &channel.target {
            Target::Wecom { door: WecomDoor::App(_), .. } => Room { most: WECOM_APP_MOST, ..room },
            Target::Wecom { door: WecomDoor::Robot { .. }, .. }
            | Target::Slack { .. }
            | Target::Telegram { .. }
            | Target::Webhook { .. }
            | Target::Console => room,
        }
    }

    /// That of a platform's usual door.
    #[must_use]
    pub fn usual(kind: ChannelKind) -> Room {
        let most = match kind {
            ChannelKind::Slack => SLACK_MOST,
            ChannelKind::Telegram => TELEGRAM_MOST,
            ChannelKind::Wecom => WECOM_MOST,
            ChannelKind::Webhook | ChannelKind::Console => OTHER_MOST,
        };
        Room { kind, most }
    }

    /// What is counted.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self.kind {
            ChannelKind::Slack => Unit::Utf16,
            ChannelKind::Telegram => Unit::Seen,
            ChannelKind::Wecom => Unit::Bytes,
            ChannelKind::Webhook | ChannelKind::Console => Unit::Characters,
        }
    }

    /// Whether the platform would take this text: its length, and markup that it can read.
    ///
    /// # Errors
    /// Says in English what is wrong.
    pub fn check(self, text: &str) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        match self.kind {
            ChannelKind::Slack => {
                self.most(text.encode_utf16().count(), "characters")?;
                check_mrkdwn(text).map_err(Refusal::Markup)
            }
            ChannelKind::Telegram => self.check_html(text),
            ChannelKind::Wecom => {
                self.most(text.len(), "bytes")?;
                check_markdown(text).map_err(Refusal::Markup)
            }
            ChannelKind::Webhook | ChannelKind::Console => self.most(text.chars().count(), "characters"),
        }
    }

    fn most(self, size: usize, unit: &'static str) -> Result<(), Refusal> {
        if size > self.most { Err(Refusal::Long { unit, size, most: self.most }) } else { Ok(()) }
    }

    fn check_html(self, text: &str) -> Result<(), Refusal> {
        if text.len() > TELEGRAM_RAW {
            return Err(Refusal::Long { unit: "bytes with markup", size: text.len(), most: TELEGRAM_RAW });
        }
        let (mut seen, mut entities, mut blank) = (0, 0, true);
        for piece in html::read(text).map_err(Refusal::Markup)? {
            match piece {
                Piece::Text(text) => {
                    seen += text.chars().count();
                    blank &= text.trim().is_empty();
                }
                Piece::Open { .. } => entities += 1,
                Piece::Close(_) => {}
            }
        }
        match (blank, entities > TELEGRAM_ENTITIES) {
            (true, _) => Err(Refusal::Empty),
            (false, true) => {
                Err(Refusal::Long { unit: "formatted stretches", size: entities, most: TELEGRAM_ENTITIES })
            }
            (false, false) => self.most(seen, "characters"),
        }
    }

    /// As many whole lines of a text as the platform takes with a last one after them; that one says how many are
    /// missing. `None` where not even one fits.
    #[must_use]
    pub fn cut_lines(self, text: &str, missing: impl Fn(usize) -> String) -> Option<String> {
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        ends.iter().enumerate().rev().find_map(|(at, end)| {
            let cut = format!("{}\n{}", &text[..*end], missing(ends.len() - at));
            self.check(&cut).is_ok().then_some(cut)
        })
    }

    /// The longest beginning of a plain text that the platform takes with a tail after it; that says how many
    /// characters are missing.
    #[must_use]
    pub fn cut_plain(self, text: &str, missing: impl Fn(usize) -> String) -> String {
        let fits = |text: &str| match self.kind {
            ChannelKind::Slack => text.encode_utf16().count() <= self.most,
            ChannelKind::Telegram | ChannelKind::Webhook | ChannelKind::Console => text.chars().count() <= self.most,
            ChannelKind::Wecom => text.len() <= self.most.min(WECOM_PLAIN),
        };
        if fits(text) {
            return text.to_owned();
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let cut = |kept: usize| format!("{}{}", &text[..ends[kept]], missing(ends.len() - kept));
        // A shorter text may have a longer number after it, never so much longer that it fits less.
        let (mut least, mut most) = (0, ends.len() - 1);
        while least < most {
            let middle = most - (most - least) / 2;
            if fits(&cut(middle)) { least = middle } else { most = middle - 1 }
        }
        cut(least)
    }
}

/// Slack's mrkdwn: data has no `<`, so those that are left are the template's own: links, dates, mentions on purpose.
fn check_mrkdwn(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('<') {
        let inside = text[at + 1..].split_once('>').map(|(inside, _)| inside).filter(|inside| !inside.contains('\n'));
        let known = ["http://", "https://", "mailto:", "!", "@", "#"];
        if !inside.is_some_and(|inside| known.iter().any(|start| inside.starts_with(start))) {
            return Err("a < that begins no link, date or mention (write &lt;)".to_owned());
        }
    }
    Ok(())
}

/// WeCom's markdown: data has no `<`, so those that are left are the template's own: colours, mentions on purpose.
fn check_markdown(text: &str) -> Result<(), String> {
    let mut coloured = false;
    for (at, _) in text.match_indices('<') {
        let (inside, _) = text[at + 1..].split_once('>').ok_or("a < without a >")?;
        coloured = match (inside, coloured) {
            ("font color=\"info\"" | "font color=\"comment\"" | "font color=\"warning\"", false) => true,
            ("/font", true) => false,
            (mention, coloured) if mention.starts_with('@') => coloured,
            _ => {
                return Err(format!(
                    "<{inside}>: WeCom knows <font color=\"info|comment|warning\">, each closed before the next, and <@user>"
                ));
            }
        };
    }
    if coloured { Err("<font> is not closed".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ChannelKind, text: &str) -> Result<(), Refusal> {
        Room::usual(kind).check(text)
    }

    #[test]
    fn each_platform_counts_in_its_own_unit() {
        let long = |kind, text: &str| matches!(check(kind, text), Err(Refusal::Long { .. }));
        for (kind, fits, too_long) in [
            (ChannelKind::Slack, "a".repeat(2_900), "a".repeat(2_901)),
            (ChannelKind::Slack, "😀".repeat(1_450), "😀".repeat(1_451)),
            (ChannelKind::Telegram, "😀".repeat(4_096), "😀".repeat(4_097)),
            (ChannelKind::Telegram, "&lt;".repeat(4_096), "&lt;".repeat(4_097)),
            (ChannelKind::Telegram, format!("<b>{}</b>", "a".repeat(4_096)), format!("<b>{}</b>", "a".repeat(4_097))),
            (ChannelKind::Telegram, "&#000060;".repeat(3_640), "&#000060;".repeat(3_641)),
            (ChannelKind::Telegram, "<b>a</b>".repeat(100), "<b>a</b>".repeat(101)),
            (ChannelKind::Wecom, "流".repeat(1_365), "流".repeat(1_366)),
            (ChannelKind::Console, "流".repeat(8_000), "流".repeat(8_001)),
        ] {
            assert_eq!(check(kind, &fits), Ok(()), "{kind:?}");
            assert!(long(kind, &too_long), "{kind:?}");
        }
    }

    #[test]
    fn broken_markup_is_known_before_the_platform_says_so() {
        for kind in ChannelKind::ALL {
            assert_eq!(check(kind, " \n"), Err(Refusal::Empty));
        }
        assert_eq!(check(ChannelKind::Telegram, "<b> </b>"), Err(Refusal::Empty));
        let bad = |kind, text| assert!(matches!(check(kind, text), Err(Refusal::Markup(_))), "{kind:?} {text}");
        let good = |kind, text| assert_eq!(check(kind, text), Ok(()), "{kind:?}");
        good(ChannelKind::Telegram, "<b>a <code>x</code></b> &lt; &#39;");
        bad(ChannelKind::Telegram, "<b>a");
        good(ChannelKind::Slack, "*a* <https://x.example|y> <!date^1^{time}|x>");
        good(ChannelKind::Slack, "an operator's own <!here> or <@U1>");
        for text in ["a < b", "<b>a</b>", "<https://x.example\n>", "<"] {
            bad(ChannelKind::Slack, text);
        }
        good(ChannelKind::Wecom, "<font color=\"info\">a</font> <@ann> <font color=\"warning\">b</font>");
        for text in ["<font color=\"red\">a</font>", "<font color=\"info\">a", "</font>", "<b>", "a < b"] {
            bad(ChannelKind::Wecom, text);
        }
        bad(ChannelKind::Wecom, "<font color=\"info\">a<font color=\"info\">b</font></font>");
    }

    #[test]
    fn a_cut_ends_at_a_character_and_says_how_much_is_missing() {
        for kind in ChannelKind::ALL {
            let room = Room::usual(kind);
            let text = "流😀".repeat(9_000);
            let cut = room.cut_plain(&text, |missing| format!(" … {missing} cut"));
            assert_eq!(room.check(&cut), Ok(()));
            let (kept, missing) = cut.split_once(" … ").unwrap();
            let missing: usize = missing.strip_suffix(" cut").unwrap().parse().unwrap();
            assert_eq!(kept.chars().count() + missing, 18_000);
            assert!(text.starts_with(kept));
            assert_eq!(room.cut_plain("short", |_| String::new()), "short");
        }
        let plain = Room::usual(ChannelKind::Wecom).cut_plain(&"流".repeat(900), |missing| format!("+{missing}"));
        assert!(plain.len() <= WECOM_PLAIN && plain.len() > WECOM_PLAIN - 4, "{}", plain.len());
    }

    #[test]
    fn whole_lines_go_where_they_do_not_fit_and_markup_stays_whole() {
        let room = Room { kind: ChannelKind::Telegram, most: 40 };
        let text = "<b>first</b>\n<i>second\nthird</i>\nfourth, which is much too long for that";
        let cut = |text: &str, most| Room { most, ..room }.cut_lines(text, |missing| format!("{missing} cut"));
        assert_eq!(cut(text, 40).unwrap(), "<b>first</b>\n<i>second\nthird</i>\n1 cut");
        assert_eq!(cut(text, 22).unwrap(), "<b>first</b>\n3 cut");
        assert_eq!(cut(text, 8), None);
        assert_eq!(cut("one line", 4), None);
    }
}
