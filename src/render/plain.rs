//! The built-in plain message: the same facts without any template, for when rich text fails or is refused.

use super::digest::DigestStory;
use super::markup::quote;
use super::notice::NoticeStory;
use super::story::{Line, Story};
use crate::model::Language;

/// The whole message of a group.
pub(super) fn incident(story: &Story, language: Language) -> String {
    let label = Labels::of(language);
    let mut lines = vec![story.summary(), label.with(label.viewers, &story.viewers)];
    if story.several {
        lines.extend(story.lines.iter().map(|line| row(line, false)));
        if story.more > 0 {
            lines.push(label.more(&super::words::number(story.more as u64)));
        }
    } else {
        lines.push(story.often.clone());
    }
    lines.push(story.quiet.clone());
    lines.push(label.with(label.cause, &story.cause));
    lines.push(label.with(label.fix, &story.fix));
    let address = if story.address.is_empty() { String::new() } else { format!(" · {}", quote(&story.address)) };
    lines.push(label.with(label.place, &format!("{}{address}", quote(&story.full))));
    let said = if story.said.is_empty() { String::new() } else { quote(&story.said) };
    lines.push(dotted(&[&story.numbers, &quoted(&story.rules, &story.more_rules), &story.codes, &said]));
    joined(lines)
}

/// A short reply.
pub(super) fn note(story: &Story) -> String {
    format!("{} {} — {} ({})", story.sign, quote(&story.stream), story.note, story.numbers)
}

/// Many streams at once.
pub(super) fn digest(story: &DigestStory, language: Language) -> String {
    let label = Labels::of(language);
    let mut lines = vec![story.summary(language), story.recovered.clone(), label.with(label.cause, &story.cause)];
    lines.extend(story.worst.iter().map(|line| row(line, true)));
    if !story.more.is_empty() {
        lines.push(label.more(&story.more));
    }
    let domains = quoted(&story.domains, &story.more_domains);
    lines.push(dotted(&[&domains, &quoted(&story.rules, &story.more_rules), &story.codes]));
    joined(lines)
}

/// About pushwatch itself.
pub(super) fn notice(story: &NoticeStory) -> String {
    let mut lines = vec![story.summary()];
    lines.extend(story.lines.iter().cloned());
    lines.extend(story.said.iter().map(|said| quote(said)));
    joined(lines)
}

fn row(line: &Line, named: bool) -> String {
    let name = if named { format!("{} ", quote(&line.stream)) } else { String::new() };
    format!("{} {name}#{} {} · {}", line.sign, line.id, line.what, line.often)
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
    colon: &'static str,
    language: Language,
}

impl Labels {
    fn of(language: Language) -> Labels {
        match language {
            Language::En => {
                Labels { viewers: "Viewers", cause: "Likely cause", fix: "Do", place: "Where", colon: ": ", language }
            }
            Language::Zh => {
                Labels {
                    viewers: "观众", cause: "可能原因", fix: "处理", place: "位置", colon: "：", language
                }
            }
        }
    }

    fn with(&self, label: &str, text: &str) -> String {
        if text.is_empty() { String::new() } else { format!("{label}{}{text}", self.colon) }
    }

    fn more(&self, count: &str) -> String {
        match self.language {
            Language::En => format!("… and {count} more"),
            Language::Zh => format!("…… 另有 {count} 项"),
        }
    }
}
