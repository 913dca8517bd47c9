//! What is said to Slack: an answer as blocks in which nothing is markup. Pure.

use serde_json::{Map, Value, json};

use crate::chat::Answer;
use crate::model::{ChannelKind, Language};
use crate::render;
use crate::render::clean::short;

/// Longest text of a section block. Slack does not say what it counts; UTF-16 units are the strictest reading.
const SECTION: usize = 3_000;

/// Longest answer: blocks that are fine one by one are refused somewhere above 13,000 characters in all.
const MOST: usize = 9_000;

/// Longest line of the notification.
const LINE: usize = 300;

/// Longest name of an author.
const NAME: usize = 80;

/// Who sees an answer, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner<'a> {
    /// Whoever asked, and nobody else.
    Privately,
    /// Everybody in the channel; this one did it.
    Aloud(&'a str),
    /// Whoever asked, in place of the question.
    InItsPlace,
}

/// The message.
pub(super) fn message(answer: &Answer, manner: Manner<'_>) -> Value {
    let text = match manner {
        Manner::Aloud(who) => format!("{}: {}", short(who, NAME), answer.text),
        Manner::Privately | Manner::InItsPlace => answer.text.clone(),
    };
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("…");
    let mut blocks: Vec<Value> = sections(&text).iter().map(|text| section(text)).collect();
    if !answer.buttons.is_empty() {
        blocks.push(render::slack_actions(&answer.buttons));
    }
    let mut message = Map::new();
    message.insert("text".into(), json!(render::markup::escape(ChannelKind::Slack, &short(line, LINE))));
    message.insert("blocks".into(), json!(blocks));
    match manner {
        Manner::Privately => message.insert("response_type".into(), json!("ephemeral")),
        Manner::Aloud(_) => message.insert("response_type".into(), json!("in_channel")),
        Manner::InItsPlace => None,
    };
    // Where there is a message that was clicked: leave it, or take its place.
    message.insert("replace_original".into(), json!(manner == Manner::InItsPlace));
    Value::Object(message)
}

/// What is said at once where the answer takes longer.
pub(super) fn wait(language: Language) -> Value {
    let text = match language {
        Language::En => "On it: this takes a moment.",
        Language::Zh => "正在处理，请稍候。",
    };
    json!({ "response_type": "ephemeral", "text": text })
}

/// Plain text stays what it is: no markup, mention, link or emoji is made of a name.
fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } })
}

/// A text cut into blocks' worth, at the ends of lines where it can; what is too long ends in `…`.
fn sections(text: &str) -> Vec<String> {
    let mut sections = Vec::new();
    let (mut rest, mut room) = (text.trim_matches('\n'), MOST);
    while !rest.is_empty() {
        let (section, after) = rest.split_at(end(rest, SECTION.min(room)));
        room = room.saturating_sub(section.encode_utf16().count());
        if !section.trim().is_empty() {
            sections.push(section.trim_end_matches('\n').to_owned());
        }
        rest = after.trim_start_matches('\n');
        if room < SECTION / 10 && !rest.is_empty() {
            sections.push("…".to_owned());
            break;
        }
    }
    if sections.is_empty() {
        sections.push("…".to_owned());
    }
    sections
}

/// Where a part of the text ends that has at most `most` units: behind a line if there is one, but in its middle at least.
fn end(text: &str, most: usize) -> usize {
    let mut units = 0;
    let too_far = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > most
    });
    match too_far {
        None => text.len(),
        Some((limit, _)) => match text[..limit].rfind('\n') {
            Some(newline) if newline >= limit / 2 => newline + 1,
            _ => limit,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Audience;
    use crate::model::{Button, Press, Verdict};

    fn answer(text: &str) -> Answer {
        Answer { text: text.into(), buttons: Vec::new(), verdict: Verdict::Done, audience: Audience::Author }
    }

    #[test]
    fn an_answer_is_plain_text_and_its_line_is_inert() {
        let text = "Muted until 14:30: <!channel> *x* & <@U1>\nTo lift it: /pushwatch unmute 1";
        insta::assert_json_snapshot!(message(&answer(text), Manner::Aloud("ann <!here>")));
        let private = message(&answer(text), Manner::Privately);
        assert_eq!((&private["response_type"], &private["replace_original"]), (&json!("ephemeral"), &json!(false)));
        assert_eq!(private["blocks"][0]["text"]["text"], text);
        let instead = message(&answer(text), Manner::InItsPlace);
        assert_eq!((instead.get("response_type"), &instead["replace_original"]), (None, &json!(true)));
    }

    #[test]
    fn a_question_has_its_button() {
        let button = Button { label: "Yes, mute", press: Press::Confirm(7) };
        let question = message(&Answer { buttons: vec![button], ..answer("Really?") }, Manner::Privately);
        assert_eq!(question["blocks"][1]["elements"][0]["value"], "confirm:7");
    }

    #[test]
    fn a_long_answer_is_cut_between_lines() {
        let line = format!("{}\n", "流".repeat(999));
        let cut = sections(&line.repeat(20));
        assert_eq!(cut.len(), 4);
        assert!(cut[..3].iter().all(|section| *section == line.repeat(3).trim_end()), "{cut:?}");
        assert_eq!(cut[3], "…");
        assert_eq!(sections(&"x".repeat(3001)), ["x".repeat(3000), "x".into()]);
        assert_eq!(sections("\n\n"), ["…"]);
        assert_eq!(sections("a\n\nb"), ["a\n\nb"]);
    }

    proptest! {
        #[test]
        fn every_answer_keeps_to_slacks_limits(text in "(.|\n){0,400}", times in 1usize..60) {
            let said = message(&answer(&text.repeat(times)), Manner::Aloud(&text));
            let blocks = said["blocks"].as_array().unwrap();
            let texts: Vec<&str> = blocks.iter().map(|block| block["text"]["text"].as_str().unwrap()).collect();
            prop_assert!((1..=50).contains(&blocks.len()));
            for text in &texts {
                prop_assert!((1..=3000).contains(&text.encode_utf16().count()));
            }
            prop_assert!(texts.iter().map(|text| text.encode_utf16().count()).sum::<usize>() <= MOST + 1);
            let line = said["text"].as_str().unwrap();
            prop_assert!(!line.is_empty() && !line.contains(['<', '>', '\n']), "{}", line);
        }
    }
}
