//! The templates of one language and platform, and the way from a story to a message that the platform takes.

use handlebars::{Context, Handlebars, RenderError};
use serde::Serialize;

use super::clean::{clean, cut_end};
use super::limits::{Refusal, Room};
use super::story::Bounds;
use super::words::number;
use super::{Rendered, Sign, Wording, functions, markup};
use crate::model::{ChannelKind, Language};

/// One language on one platform.
pub(super) struct Book {
    pub(super) language: Language,
    pub(super) kind: ChannelKind,
    pub(super) templates: Handlebars<'static>,
}

/// A story as a template takes it, with what is said without one.
pub(super) struct Draft {
    pub(super) mark: Sign,
    pub(super) plain: String,
    pub(super) summary: String,
    pub(super) data: Result<Context, String>,
}

/// A story as the templates' data.
pub(super) fn data(story: &impl Serialize) -> Result<Context, String> {
    Context::wraps(story).map_err(|error| error.to_string())
}

impl Book {
    /// A book without templates, strict, with the platform's escaping and what templates may call.
    pub(super) fn empty(language: Language, kind: ChannelKind) -> Book {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        templates.register_escape_fn(move |text| markup::escape(kind, text));
        for refused in ["log", "raw", "lookup"] {
            templates.unregister_helper(refused);
        }
        functions::register(&mut templates, language, kind);
        Book { language, kind, templates }
    }

    /// The message: the template's text within ever tighter bounds until the platform takes it, then without its last
    /// lines, else the plain text; the last two with what is wrong with the template.
    pub(super) fn dress(&self, wording: Wording, room: Room, draft: impl Fn(&Bounds) -> Draft) -> Rendered {
        let [first, tighter @ ..] = &Bounds::ALL;
        let full = draft(first);
        let mut made = self.render(wording, room, &full);
        for bounds in tighter {
            if let Err(Failure::Refused { .. }) = made {
                made = self.render(wording, room, &draft(bounds));
            }
        }
        let (text, template_error) = match made {
            Ok(text) => (text, None),
            Err(failure) => {
                let error = self.describe(wording, &failure);
                let text = self.cut(room, &failure).unwrap_or_else(|| self.instead(room, &full.plain, &error));
                (text, Some(error))
            }
        };
        let (plain, summary) = match self.kind {
            ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram => {
                (markup::defuse(&full.plain), markup::defuse(&full.summary))
            }
            ChannelKind::Webhook | ChannelKind::Console => (full.plain, full.summary),
        };
        let plain = room.cut_plain(&plain, |missing| self.characters_cut(missing));
        Rendered { text, plain, sign: full.mark, summary, template_error }
    }

    /// The template's text, if the platform would take it.
    pub(super) fn render(&self, wording: Wording, room: Room, draft: &Draft) -> Result<String, Failure> {
        let data = draft.data.as_ref().map_err(|error| Failure::Data(error.clone()))?;
        let text = self.templates.render_with_context(wording.as_str(), data).map_err(Failure::Template)?;
        let text = text.replace('\r', "");
        let text = text.trim_matches(['\n', ' ', '\t']).to_owned();
        match room.check(&text) {
            Ok(()) => Ok(text),
            Err(why) => Err(Failure::Refused { text, why }),
        }
    }

    /// Where a template stands below the folder.
    pub(super) fn file(&self, wording: Wording) -> String {
        format!("{}/{}/{}.hbs", self.language.as_str(), self.kind.as_str(), wording.as_str())
    }

    /// A failure with its place: `en/slack/incident.hbs:2:1: …`.
    fn describe(&self, wording: Wording, failure: &Failure) -> String {
        let (line, column) = failure.place();
        match line {
            Some(line) => format!("{}:{line}:{}: {}", self.file(wording), column.unwrap_or(1), failure.reason()),
            None => format!("{}: {}", self.file(wording), failure.reason()),
        }
    }

    /// A text that is too long without its last lines.
    fn cut(&self, room: Room, failure: &Failure) -> Option<String> {
        let Failure::Refused { text, why: Refusal::Long { .. } } = failure else { return None };
        room.cut_lines(text, |missing| match self.language {
            Language::En if missing == 1 => "… 1 line cut".to_owned(),
            Language::En => format!("… {} lines cut", number(missing as u64)),
            Language::Zh => format!("…… 已截断 {} 行", number(missing as u64)),
        })
    }

    /// What is sent in a broken template's place, in valid markup: the plain facts and the error. Escaping makes a
    /// character at most six long, so the last, shortest try always fits.
    fn instead(&self, room: Room, plain: &str, error: &str) -> String {
        let word = match self.language {
            Language::En => "template error",
            Language::Zh => "模板错误",
        };
        // Set apart, so that the name of the file can be copied.
        let tail = format!("\n{word}: {}", markup::code(self.kind, &cut_end(error, 200)));
        let plain = match self.kind {
            ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram => markup::defuse(plain),
            ChannelKind::Webhook | ChannelKind::Console => plain.to_owned(),
        };
        let length = plain.chars().count();
        let attempt = |most: usize| {
            let cut = if length > most { self.characters_cut(length - most) } else { String::new() };
            let head: String = plain.chars().take(most).collect();
            format!("{}{tail}", markup::escape(self.kind, &format!("{head}{cut}")))
        };
        let fitting = [2_000, 1_000, 500].into_iter().map(attempt).find(|text| room.check(text).is_ok());
        fitting.unwrap_or_else(|| attempt(160))
    }

    fn characters_cut(&self, missing: usize) -> String {
        let missing = number(missing as u64);
        match self.language {
            Language::En => format!(" … {missing} characters cut"),
            Language::Zh => format!(" ……（已截断 {missing} 字）"),
        }
    }
}

/// Why there is no text.
#[derive(Debug)]
pub(super) enum Failure {
    /// The story is no data.
    Data(String),
    /// The template itself fails.
    Template(RenderError),
    /// The platform would refuse the result.
    Refused {
        /// The result.
        text: String,
        /// Why.
        why: Refusal,
    },
}

impl Failure {
    /// Line and column in the template, where it is known.
    pub(super) fn place(&self) -> (Option<usize>, Option<usize>) {
        match self {
            Failure::Template(error) => (error.line_no, error.column_no),
            Failure::Data(_) | Failure::Refused { .. } => (None, None),
        }
    }

    /// What is wrong.
    pub(super) fn reason(&self) -> String {
        let reason = match self {
            Failure::Data(error) => error.clone(),
            Failure::Template(error) => error.reason().to_string(),
            Failure::Refused { why, .. } => why.to_string(),
        };
        cut_end(&clean(&reason), 160)
    }
}
