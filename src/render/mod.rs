//! Facts to text: handlebars templates, escaping and length per platform, plain fallback. A stand-in for now.

use crate::model::{Catalogue, Channel, Group, Incident, Timestamp};

/// What a text is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The group.
    pub group: &'a Group,
    /// Its incidents, as far as the channel hears of them.
    pub incidents: &'a [Incident],
    /// For whom.
    pub channel: &'a Channel,
    /// Words for troubles.
    pub catalogue: &'a Catalogue,
    /// When.
    pub now: Timestamp,
}

/// How it stands, for colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Viewers do notice.
    Critical,
    /// Viewers may notice.
    Warning,
    /// Worth knowing.
    Info,
    /// Well again.
    Well,
    /// Over, but not well again.
    Ended,
}

/// A text, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// In the platform's markup, within its limits.
    pub text: String,
    /// The same without markup.
    pub plain: String,
    /// For colours.
    pub sign: Sign,
    /// The first line.
    pub summary: String,
    /// Why the template was not used.
    pub template_error: Option<String>,
}

/// Makes texts.
#[derive(Debug)]
pub struct Renderer;

impl Renderer {
    /// With the embedded templates.
    #[must_use]
    pub fn embedded() -> Renderer {
        Renderer
    }

    /// The living message.
    #[must_use]
    pub fn incident(&self, view: &View<'_>) -> Rendered {
        stand_in("incident", view)
    }

    /// A short reply.
    #[must_use]
    pub fn note(&self, view: &View<'_>) -> Rendered {
        stand_in("note", view)
    }

    /// For the generic webhook.
    #[must_use]
    pub fn facts(&self, view: &View<'_>) -> serde_json::Value {
        serde_json::json!({ "stream": view.group.stream.full(), "revision": view.group.revision })
    }
}

fn stand_in(what: &str, view: &View<'_>) -> Rendered {
    let summary = format!("{what} of {}, revision {}", view.group.stream.stream(), view.group.revision);
    let sign = match view.incidents.iter().any(Incident::is_firing) {
        true => Sign::Critical,
        false => Sign::Well,
    };
    Rendered { text: summary.clone(), plain: format!("plain {summary}"), sign, summary, template_error: None }
}
