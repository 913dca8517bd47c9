//! Facts to text: what each chat is told, in its own markup and within its limits. Cannot fail because of content.
//!
//! A view of incidents becomes a story (sentences, cleaned and bounded), the story goes through a handlebars
//! template, and the result is checked as the platform would check it. What does not fit is rendered again with
//! tighter bounds; what still fails becomes the built-in plain message, which names the template's error. Pure: no
//! clock and no I/O, except in [`Renderer::load`].

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::{Catalogue, Channel, ChannelKind, Group, Incident, Language, Severity, Timestamp};

pub mod clean;

pub mod markup;

pub mod html;

pub mod limits;
use limits::Room;

pub mod words;

mod phrase;

mod title;

mod own;

mod story;

mod fault;

mod figures;

mod gathered;
pub use gathered::Gathered;

mod digest;

mod notice;
pub use crate::model::Notice;

mod muting;

mod plain;

mod buttons;
pub use buttons::{buttons, confirm, slack_actions, telegram_keyboard};

mod card;
pub use card::{Card, Row, card, card_of, style};

mod facts;
pub use facts::{digest_facts, facts, notice_facts};

mod functions;

mod book;

mod lint;

mod load;
pub use load::TemplateProblem;

pub mod sample;

/// A group's incidents, as one channel is to be told of them.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The group.
    pub group: &'a Group,
    /// Those told in this channel, ascending by number. Pending ones are left out by the renderer.
    pub incidents: &'a [Incident],
    /// The channel: its platform, language and zone.
    pub channel: &'a Channel,
    /// What to say about troubles.
    pub catalogue: &'a Catalogue,
    /// The time of sending.
    pub now: Timestamp,
}

/// Many streams' incidents, as one digest tells them.
#[derive(Clone, Copy, Debug)]
pub struct DigestView<'a> {
    /// The incidents of all members.
    pub gathered: &'a Gathered,
    /// The channel: its platform, language and zone.
    pub channel: &'a Channel,
    /// What to say about troubles.
    pub catalogue: &'a Catalogue,
    /// The time of sending.
    pub now: Timestamp,
}

/// What one channel is to be told about pushwatch itself.
#[derive(Clone, Copy, Debug)]
pub struct NoticeView<'a> {
    /// What.
    pub notice: &'a Notice,
    /// The channel: its platform, language and zone.
    pub channel: &'a Channel,
    /// What to say about troubles.
    pub catalogue: &'a Catalogue,
    /// The time of sending.
    pub now: Timestamp,
}

/// The templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wording {
    /// The message of a group.
    Incident,
    /// A short reply to it: worse, again, well.
    Note,
    /// Many groups at once.
    Digest,
    /// A short reply to it: much worse, again, all over.
    DigestNote,
    /// About pushwatch itself.
    Notice,
}

impl Wording {
    /// All of them.
    pub const ALL: [Wording; 5] =
        [Wording::Incident, Wording::Note, Wording::Digest, Wording::DigestNote, Wording::Notice];

    /// The template's file name without `.hbs`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Wording::Incident => "incident",
            Wording::Note => "note",
            Wording::Digest => "digest",
            Wording::DigestNote => "digest_note",
            Wording::Notice => "notice",
        }
    }
}

/// The state in one sign; colour is never alone, the words say it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// Fires, critical.
    Critical,
    /// Fires, warning.
    Warning,
    /// Fires, info; or about pushwatch itself, and no alarm.
    #[default]
    Info,
    /// Well again.
    Well,
    /// Over, but not well again.
    Ended,
    /// Kept still on purpose.
    Muted,
}

impl Sign {
    /// The sign of what fires.
    fn of(severity: Severity) -> Sign {
        match severity {
            Severity::Critical => Sign::Critical,
            Severity::Warning => Sign::Warning,
            Severity::Info => Sign::Info,
        }
    }

    /// 🔴 🟠 🔵 ✅ ⚪ 🔇
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::Critical => "🔴",
            Sign::Warning => "🟠",
            Sign::Info => "🔵",
            Sign::Well => "✅",
            Sign::Ended => "⚪",
            Sign::Muted => "🔇",
        }
    }

    /// The word for templates and webhooks.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Sign::Critical => "critical",
            Sign::Warning => "warning",
            Sign::Info => "info",
            Sign::Well => "well",
            Sign::Ended => "ended",
            Sign::Muted => "muted",
        }
    }

    /// The word in WeCom's `<font color>`: orange-red, grey or green.
    fn color(self) -> &'static str {
        match self {
            Sign::Critical | Sign::Warning => "warning",
            Sign::Well => "info",
            Sign::Info | Sign::Ended | Sign::Muted => "comment",
        }
    }
}

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// In the platform's markup, within its limits.
    pub text: String,
    /// The same facts without markup; contains nothing that any platform takes for markup or a mention.
    pub plain: String,
    /// The state in one sign.
    pub sign: Sign,
    /// The first line without markup: all that a lock screen shows.
    pub summary: String,
    /// What is wrong with the template, where `text` is not what it should have made.
    pub template_error: Option<String>,
}

/// All templates, parsed.
pub struct Renderer {
    books: Vec<book::Book>,
}

impl Renderer {
    /// The built-in templates.
    #[must_use]
    pub fn embedded() -> Renderer {
        load::embedded()
    }

    /// The built-in templates with those of a folder in their place. Each is parsed, linted and rendered on trial
    /// with ordinary and hostile incidents.
    ///
    /// # Errors
    /// Everything that is wrong in the folder, all at once; nothing of it is used then.
    pub fn load(folder: Option<&Path>) -> Result<Renderer, Vec<TemplateProblem>> {
        load::load(folder)
    }

    /// The message of a group. What it says follows from the incidents' states.
    #[must_use]
    pub fn incident(&self, view: &View<'_>) -> Rendered {
        self.story(Wording::Incident, view)
    }

    /// A short reply to the message of a group.
    #[must_use]
    pub fn note(&self, view: &View<'_>) -> Rendered {
        self.story(Wording::Note, view)
    }

    /// Many groups in one message. What it says follows from how they stand.
    #[must_use]
    pub fn digest(&self, view: &DigestView<'_>) -> Rendered {
        self.gathered(Wording::Digest, view)
    }

    /// A short reply to the message of many groups.
    #[must_use]
    pub fn digest_note(&self, view: &DigestView<'_>) -> Rendered {
        self.gathered(Wording::DigestNote, view)
    }

    /// A message about pushwatch itself.
    #[must_use]
    pub fn notice(&self, view: &NoticeView<'_>) -> Rendered {
        self.book(view.channel).dress(Wording::Notice, Room::of(view.channel), |bounds| {
            let story = notice::NoticeStory::of(view, bounds);
            let (plain, summary) = (plain::notice(&story, view.channel.language), story.summary());
            book::Draft { mark: story.mark, plain, summary, data: book::data(&story) }
        })
    }

    fn gathered(&self, wording: Wording, view: &DigestView<'_>) -> Rendered {
        let language = view.channel.language;
        self.book(view.channel).dress(wording, Room::of(view.channel), |bounds| {
            let story = digest::DigestStory::of(view, bounds);
            let plain = match wording {
                Wording::DigestNote => plain::digest_note(&story, language),
                Wording::Digest | Wording::Incident | Wording::Note | Wording::Notice => {
                    plain::digest(&story, language)
                }
            };
            book::Draft { mark: story.mark, plain, summary: story.summary(language), data: book::data(&story) }
        })
    }

    fn story(&self, wording: Wording, view: &View<'_>) -> Rendered {
        self.book(view.channel).dress(wording, Room::of(view.channel), |bounds| {
            let story = story::Story::of(view, bounds);
            let plain = match wording {
                Wording::Note => plain::note(&story),
                Wording::Incident | Wording::Digest | Wording::DigestNote | Wording::Notice => {
                    plain::incident(&story, view.channel.language)
                }
            };
            book::Draft { mark: story.mark, plain, summary: story.summary(), data: book::data(&story) }
        })
    }

    fn book(&self, channel: &Channel) -> &book::Book {
        &self.books[place(channel.language, channel.kind())]
    }
}

/// Where the book of a language and platform stands.
fn place(language: Language, kind: ChannelKind) -> usize {
    language as usize * ChannelKind::ALL.len() + kind as usize
}

impl<'a> View<'a> {
    fn phrases(&self) -> phrase::Phrases<'a> {
        phrase::Phrases {
            catalogue: self.catalogue,
            language: self.channel.language,
            zone: &self.channel.timezone,
            now: self.now,
        }
    }
}

impl<'a> NoticeView<'a> {
    fn phrases(&self) -> phrase::Phrases<'a> {
        phrase::Phrases {
            catalogue: self.catalogue,
            language: self.channel.language,
            zone: &self.channel.timezone,
            now: self.now,
        }
    }
}

impl<'a> DigestView<'a> {
    fn phrases(&self) -> phrase::Phrases<'a> {
        phrase::Phrases {
            catalogue: self.catalogue,
            language: self.channel.language,
            zone: &self.channel.timezone,
            now: self.now,
        }
    }
}

#[cfg(test)]
mod tests;
