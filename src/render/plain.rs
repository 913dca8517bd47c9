//! The built-in plain message: the same facts without any template, for when rich text fails or is refused.

use super::digest::DigestStory;
use super::markup::quote;
use super::notice::NoticeStory;
use super::own::Acknowledged;
use super::story::{Line, Story};
use super::title;
use crate::model::Language;

/// The whole message of a group.
pub(super) fn incident(story: &Story, language: Language) -> String {
    let label = Labels::of(language);
    let own = &story.own;
    let mut lines = vec![story.summary(), own.summary.clone(), own.description.clone()];
    lines.push(label.with(label.viewers, &story.viewers));
    if story.several {
        lines.extend(story.lines.iter().map(row));
        if story.more > 0 {
            lines.push(label.more(&super::words::number(story.more as u64)));
        }
    } else {
        lines.push(story.often.clone());
    }
    lines.push(story.quiet.clone());
    lines.extend(story.standing.acks.iter().map(|ack| label.acknowledged(ack)));
    lines.extend([&story.standing.muted, &story.standing.part_of].map(String::clone));
    lines.push(label.with(label.cause, &story.cause));
    lines.push(label.with(label.fix, &story.fix));
    lines.extend(own.links.iter().map(|link| label.with(&link.name, &link.url)));
    lines.extend(own.notes.iter().map(|note| label.with(&note.name, &note.value)));
    let address = if story.address.is_empty() { String::new() } else { format!(" · {}", quote(&story.address)) };
    if story.placed {
        lines.push(label.with(label.place, &format!("{}{address}", quote(&story.full))));
    }
    let said = if story.said.is_empty() { String::new() } else { quote(&story.said) };
    lines.push(dotted(&[&story.numbers, &quoted(&story.rules, &story.more_rules), &story.codes, &said]));
    joined(lines)
}

/// A short reply.
pub(super) fn note(story: &Story) -> String {
    format!("{} {} — {} ({})", story.sign, story.title(), story.note, story.numbers)
}

/// Many streams at once.
pub(super) fn digest(story: &DigestStory, language: Language) -> String {
    let label = Labels::of(language);
    let mut lines = vec![story.summary(language), story.recovered.clone(), label.with(label.cause, &story.cause)];
    lines.extend(story.worst.iter().map(row));
    if story.more > 0 {
        lines.push(label.rest(&super::words::number(story.more)));
    }
    let domains = quoted(&story.domains, &story.more_domains);
    lines.push(dotted(&[&domains, &quoted(&story.rules, &story.more_rules), &story.codes]));
    joined(lines)
}

/// A short reply about many streams.
pub(super) fn digest_note(story: &DigestStory, language: Language) -> String {
    let summary = story.summary(language);
    match (story.recovered.as_str(), language) {
        ("", _) => summary,
        (recovered, Language::En) => format!("{summary} ({recovered})"),
        (recovered, Language::Zh) => format!("{summary}（{recovered}）"),
    }
}

/// About pushwatch itself.
pub(super) fn notice(story: &NoticeStory, language: Language) -> String {
    let label = Labels::of(language);
    let mut lines = vec![story.summary(), label.set_by(story)];
    lines.extend(story.lines.iter().cloned());
    lines.extend(story.worst.iter().map(row));
    if story.more > 0 {
        lines.push(label.more(&super::words::number(story.more)));
    }
    if !story.command.is_empty() {
        lines.push(label.with(label.longer, &quote(&story.command)));
    }
    lines.extend(story.said.iter().map(|said| quote(said)));
    joined(lines)
}

fn row(line: &Line) -> String {
    let title = format!("{} ", title::plain(line.about, line.named, &line.stream));
    let whose = if line.whose { title.as_str() } else { "" };
    format!("{} {whose}#{} {} · {}", line.sign, line.id, line.what, line.often)
}

fn quoted(names: &[String], more: &str) -> String {
    let mut names: Vec<String> = names.iter().map(|name| quote(name)).collect();
    if !more.is_empty() {
        names.push(more.to_owned());
    }
    names.join(", ")
}

fn dotted(parts: &[&str]) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn joined(lines: Vec<String>) -> String {
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

struct Labels {
    viewers: &'static str,
    cause: &'static str,
    fix: &'static str,
    place: &'static str,
    longer: &'static str,
    colon: &'static str,
    language: Language,
}

impl Labels {
    fn of(language: Language) -> Labels {
        match language {
            Language::En => Labels {
                viewers: "Viewers",
                cause: "Likely cause",
                fix: "Do",
                place: "Where",
                longer: "To make it longer",
                colon: ": ",
                language,
            },
            Language::Zh => Labels {
                viewers: "观众",
                cause: "可能原因",
                fix: "处理",
                place: "位置",
                longer: "需要延长",
                colon: "：",
                language,
            },
        }
    }

    fn with(&self, label: &str, text: &str) -> String {
        if text.is_empty() { String::new() } else { format!("{label}{}{text}", self.colon) }
    }

    fn acknowledged(&self, ack: &Acknowledged) -> String {
        let (by, at) = (quote(&ack.by), &ack.at);
        match (self.language, ack.which.as_str()) {
            (Language::En, "") => format!("acknowledged by {by} at {at}"),
            (Language::En, which) => format!("acknowledged by {by} at {at} ({which})"),
            (Language::Zh, "") => format!("{by} 已于 {at} 确认"),
            (Language::Zh, which) => format!("{by} 已于 {at} 确认（{which}）"),
        }
    }

    /// The mute that a notice is about; empty where it is about none.
    fn set_by(&self, story: &NoticeStory) -> String {
        let [target, by, reason] = [&story.target, &story.by, &story.reason].map(|text| quote(text));
        if story.target.is_empty() {
            return String::new();
        }
        let by = match (self.language, story.by.is_empty()) {
            (_, true) => String::new(),
            (Language::En, false) => format!(", set by {by}"),
            (Language::Zh, false) => format!("，由 {by} 设置"),
        };
        let reason = if story.reason.is_empty() { String::new() } else { format!(" — {reason}") };
        format!("{target}{by}{reason}")
    }

    /// The rest of a digest, and where it is.
    fn rest(&self, count: &str) -> String {
        match self.language {
            Language::En => format!("… and {count} more; list them with: pushwatch incidents"),
            Language::Zh => format!("…… 另有 {count} 项，完整列表：pushwatch incidents"),
        }
    }

    fn more(&self, count: &str) -> String {
        match self.language {
            Language::En => format!("… and {count} more"),
            Language::Zh => format!("…… 另有 {count} 项"),
        }
    }
}
