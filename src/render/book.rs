//! The templates of one language and platform, and the way from a story to a message that the platform takes.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
};
use serde::Serialize;

use super::clean::{clean, cut_end};
use super::story::Bounds;
use super::{Rendered, Sign, Wording, markup};
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

/// A helper that writes its one parameter in the platform's markup.
fn dressed(kind: ChannelKind, dress: fn(ChannelKind, &str) -> String) -> Box<dyn HelperDef + Send + Sync> {
    Box::new(
        move |helper: &Helper<'_>,
              _: &Handlebars<'_>,
              _: &Context,
              _: &mut RenderContext<'_, '_>,
              out: &mut dyn Output|
              -> HelperResult {
            let param = helper.param(0).filter(|param| !param.is_value_missing());
            let param = param.ok_or(RenderErrorReason::ParamNotFoundForIndex("code or link", 0))?;
            match param.value() {
                serde_json::Value::String(text) => out.write(&dress(kind, text))?,
                other => out.write(&dress(kind, &other.to_string()))?,
            }
            Ok(())
        },
    )
}

/// A story as the templates' data.
pub(super) fn data(story: &impl Serialize) -> Result<Context, String> {
    Context::wraps(story).map_err(|error| error.to_string())
}

impl Book {
    /// A book without templates, strict, with the platform's escaping and its helpers `code` and `link`.
    pub(super) fn empty(language: Language, kind: ChannelKind) -> Book {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        templates.register_escape_fn(move |text| markup::escape(kind, text));
        for refused in ["log", "raw", "lookup"] {
            templates.unregister_helper(refused);
        }
        templates.register_helper("code", dressed(kind, markup::code));
        templates.register_helper("link", dressed(kind, markup::link));
        Book { language, kind, templates }
    }

    /// The message: the template's text within ever tighter bounds until the platform takes it, else the plain text
    /// with the template's error.
    pub(super) fn dress(&self, wording: Wording, draft: impl Fn(&Bounds) -> Draft) -> Rendered {
        let [first, tighter @ ..] = &Bounds::ALL;
        let full = draft(first);
        let (text, template_error) = match self.render(wording, &full) {
            Ok(text) => (Some(text), None),
            Err(Failure::Template(error)) => (None, Some(error)),
            Err(Failure::Refused(error)) => {
                let fitting = tighter.iter().find_map(|bounds| self.render(wording, &draft(bounds)).ok());
                let error = fitting.is_none().then_some(error);
                (fitting, error)
            }
        };
        let text = text.unwrap_or_else(|| {
            let error = template_error.as_deref().unwrap_or_default();
            self.instead(wording, &full.plain, error)
        });
        let (plain, summary) = match self.kind {
            ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram => {
                (markup::defuse(&full.plain), markup::defuse(&full.summary))
            }
            ChannelKind::Webhook | ChannelKind::Console => (full.plain, full.summary),
        };
        let plain = markup::fit_plain(self.kind, &plain, self.cut());
        Rendered { text, plain, sign: full.mark, summary, template_error }
    }

    /// The template's text, if the platform would take it.
    pub(super) fn render(&self, wording: Wording, draft: &Draft) -> Result<String, Failure> {
        let data = draft.data.as_ref().map_err(|error| Failure::Template(error.clone()))?;
        let text = self
            .templates
            .render_with_context(wording.as_str(), data)
            .map_err(|error| Failure::Template(self.describe(wording, &error)))?;
        let text = text.replace('\r', "");
        let text = text.trim_matches(['\n', ' ', '\t']);
        markup::check(self.kind, text)
            .map_err(|error| Failure::Refused(format!("{}: {}", self.file(wording), cut_end(&clean(&error), 160))))?;
        Ok(text.to_owned())
    }

    /// Where a template stands below the folder.
    pub(super) fn file(&self, wording: Wording) -> String {
        format!("{}/{}/{}.hbs", self.language.as_str(), self.kind.as_str(), wording.as_str())
    }

    fn describe(&self, wording: Wording, error: &RenderError) -> String {
        let reason = cut_end(&clean(&error.reason().to_string()), 160);
        match (error.line_no, error.column_no) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}: {reason}", self.file(wording)),
            _ => format!("{}: {reason}", self.file(wording)),
        }
    }

    /// What is sent in a broken template's place, in valid markup: the plain facts and the error. Escaping makes a
    /// character at most six long, so the last, shortest try always fits.
    fn instead(&self, wording: Wording, plain: &str, error: &str) -> String {
        let word = match self.language {
            Language::En => "template error",
            Language::Zh => "模板错误",
        };
        let error = if error.is_empty() { self.file(wording) } else { error.to_owned() };
        let tail = format!("\n({word}: {})", cut_end(&error, 200));
        let plain = match self.kind {
            ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Telegram => markup::defuse(plain),
            ChannelKind::Webhook | ChannelKind::Console => plain.to_owned(),
        };
        let attempt = |most: usize| {
            let cut = if plain.chars().count() > most { self.cut() } else { "" };
            let head: String = plain.chars().take(most).collect();
            markup::escape(self.kind, &format!("{head}{cut}{tail}"))
        };
        let fitting = [2_000, 1_000].into_iter().map(attempt).find(|text| markup::check(self.kind, text).is_ok());
        fitting.unwrap_or_else(|| attempt(240))
    }

    fn cut(&self) -> &'static str {
        match self.language {
            Language::En => " … cut",
            Language::Zh => " ……（已截断）",
        }
    }
}

/// Why there is no text.
#[derive(Debug)]
pub(super) enum Failure {
    /// The template itself fails.
    Template(String),
    /// The platform would refuse the result.
    Refused(String),
}
