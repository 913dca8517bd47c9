//! What goes out to Telegram besides messages about incidents: answers, toasts, the menu of commands. Pure.
//!
//! Telegram itself makes links, mentions, hashtags and commands of what looks like one in a text, and names are hostile.
//! So whatever is no plain word goes out marked as code: Telegram leaves that alone, and a tap copies it.

use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::wire::{KINDS, Spot};
use crate::command::{Verb, help};
use crate::model::{Button, Language};
use crate::render;
use crate::render::clean::cut_end;

/// Longest text, in characters.
const TEXT: usize = 4_096;

/// Longest toast, in units of UTF-16, to be on the safe side of "200 characters".
const TOAST: usize = 200;

/// Telegram drops marks beyond a hundred.
const MARKS: usize = 90;

/// Longest description of a command, in characters.
const DESCRIPTION: usize = 256;

/// `sendMessage`: an answer below the message that asked, in its topic.
pub(super) fn message(chat: i64, thread: Option<i64>, to: Spot, text: &str, buttons: &[Button]) -> Value {
    let text = cut_end(text.trim(), TEXT);
    let mut body = json!({
        "chat_id": chat,
        "text": text,
        "entities": entities(&text),
        "link_preview_options": { "is_disabled": true },
        "reply_parameters": { "message_id": to.message, "allow_sending_without_reply": true },
    });
    if let Some(thread) = thread {
        body["message_thread_id"] = json!(thread);
    }
    if !buttons.is_empty() {
        body["reply_markup"] = render::telegram_keyboard(buttons);
    }
    body
}

/// `answerCallbackQuery`; a loud one has to be closed by hand.
pub(super) fn toast(query: &str, text: &str, loudness: Loudness) -> Value {
    json!({ "callback_query_id": query, "text": cut_units(text), "show_alert": loudness == Loudness::Loud })
}

/// How a toast is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loudness {
    /// It fades.
    Quiet,
    /// It stays until it is closed.
    Loud,
}

/// Whether a text is all of what a toast can show.
pub(super) fn fits_toast(text: &str) -> bool {
    units(text) <= TOAST
}

/// `setMyCommands`, for people whose app speaks the language; English is for everybody else too.
pub(super) fn menu(language: Language) -> Value {
    let command =
        |(word, says): (&'static str, String)| json!({ "command": word, "description": cut_end(&says, DESCRIPTION) });
    let commands: Vec<Value> = help::menu(language).into_iter().map(command).collect();
    match language {
        Language::En => json!({ "commands": commands }),
        Language::Zh => json!({ "commands": commands, "language_code": "zh" }),
    }
}

/// `setWebhook`.
pub(super) fn webhook(url: &str, secret: &SecretString) -> Value {
    json!({ "url": url, "secret_token": secret.expose_secret(), "allowed_updates": KINDS })
}

/// The marks of a text.
fn entities(text: &str) -> Vec<Value> {
    let mut spans = spans(text);
    if spans.len() > MARKS {
        spans = std::iter::once(0..text.len()).collect();
    }
    let (mut at, mut seen) = (0, 0);
    spans
        .into_iter()
        .map(|span| {
            seen += units(&text[at..span.start]);
            let (offset, length) = (seen, units(&text[span.clone()]));
            (at, seen) = (span.end, seen + length);
            json!({ "type": "code", "offset": offset, "length": length })
        })
        .collect()
}

/// What is to be shown as it is, in bytes: words that Telegram might make something of. Those that stand together are
/// one, and so is a command of ours with what it is about.
fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for word in words(text) {
        let written = &text[word.clone()];
        let goes_on = spans.last().is_some_and(|last| {
            &text[last.end..word.start] == " " && {
                let is_command = text[last.clone()].strip_prefix('/').is_some_and(|verb| Verb::of(verb).is_some());
                is_command && (Verb::of(written).is_some() || written.bytes().all(|byte| byte.is_ascii_digit()))
            }
        });
        match (goes_on, is_plain(written)) {
            (true, _) => {
                if let Some(last) = spans.last_mut() {
                    last.end = word.end;
                }
            }
            (false, false) => spans.push(word),
            (false, true) => {}
        }
    }
    spans
}

/// The stretches between blanks, without the punctuation behind them in which no link ends; a full-width one it may.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let from = rest + text[rest..].find(|c: char| !c.is_whitespace())?;
        let to = text[from..].find(char::is_whitespace).map_or(text.len(), |length| from + length);
        rest = to;
        let inner = text[from..to].trim_end_matches(['.', ',', ';', ':', '!', '?', '…']);
        Some(from..from + inner.len())
    })
}

/// Whether Telegram surely makes nothing of a word: no address, no mention, no command, no tag but a number, and no
/// telephone.
fn is_plain(word: &str) -> bool {
    let digits = word.chars().filter(|c| c.is_numeric()).count();
    if digits >= 7 || word.contains(['@', '/', '$', '+', '\\', '＠', '／', '＄', '．', '｡']) {
        return is_offset(word);
    }
    let mut tags = word.split(['#', '＃']).skip(1);
    let is_tag = |rest: &str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        !rest[..end].bytes().all(|byte| byte.is_ascii_digit())
    };
    if tags.any(is_tag) {
        return false;
    }
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    match word.split_once('.') {
        None => true,
        Some((whole, part)) => {
            !part.contains('.') && is_digit(whole.chars().next_back()) && is_digit(part.chars().next())
        }
    }
}

/// `UTC+8`, `(UTC+05:30)`.
fn is_offset(word: &str) -> bool {
    let rest = word.trim_start_matches('(').strip_prefix("UTC+").map(|rest| rest.trim_end_matches(')'));
    rest.is_some_and(|rest| rest.len() <= 5 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'))
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn cut_units(text: &str) -> String {
    if fits_toast(text) {
        return text.to_owned();
    }
    let mut room = TOAST - 1;
    let kept = text.chars().take_while(|c| match room.checked_sub(c.len_utf16()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    });
    format!("{}…", kept.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::telegram::wire::Topic;

    fn marked(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn what_telegram_would_make_something_of_is_marked_and_words_are_not() {
        assert_eq!(
            marked("Muted until 14:30 UTC+8 (1 h), #5: stream=\"cam1\", domain=\"d.example\""),
            ["domain=\"d.example\""]
        );
        assert_eq!(
            marked("Covers now: 3 streams, 1 firing (push.example.com/live/a, b)"),
            ["(push.example.com/live/a"]
        );
        for hostile in [
            "https://evil.example",
            "evil.example",
            "@boss",
            "#tag",
            "$TON",
            "/mute",
            "a@b.example",
            "tg://x",
            "1.2.3.4",
        ] {
            assert_eq!(marked(hostile), [hostile]);
            assert_eq!(marked(&format!("by {hostile}, at 3.5 s.")), [hostile]);
        }
        assert_eq!(marked("call +8613800138000 or 13800138000"), ["+8613800138000", "13800138000"]);
        assert_eq!(marked("看 t.me/x。"), ["t.me/x。"], "a link goes on there");
        assert_eq!(marked("Nothing is wrong."), [""; 0]);
    }

    #[test]
    fn a_command_of_ours_is_one_mark_with_what_it_is_about() {
        assert_eq!(marked("To lift it: /unmute 5"), ["/unmute 5"]);
        assert_eq!(marked("More about one of them: /help mute"), ["/help mute"]);
        assert_eq!(marked("/mute TARGET DURATION — keep still"), ["/mute"]);
    }

    #[test]
    fn marks_are_counted_in_utf16() {
        let marks = entities("😀 静音 a.b 😀.c");
        assert_eq!(
            marks,
            [json!({ "type": "code", "offset": 6, "length": 3 }), json!({ "type": "code", "offset": 10, "length": 4 })]
        );
    }

    #[test]
    fn too_many_marks_are_one() {
        let text = "a.b ".repeat(200);
        let body = message(-1, None, SPOT, &text, &[]);
        assert_eq!(body["entities"], json!([{ "type": "code", "offset": 0, "length": 799 }]));
    }

    const SPOT: Spot = Spot { chat: -1, topic: Topic::Main, message: 9 };

    #[test]
    fn an_answer_stands_below_its_question_in_its_topic_and_within_limits() {
        let button = render::confirm(3, Language::En);
        let body = message(-1, Some(5), SPOT, &"😀".repeat(5000), &[button]);
        assert_eq!(body["text"].as_str().unwrap().chars().count(), TEXT);
        assert_eq!(body["message_thread_id"], 5);
        assert_eq!(body["reply_parameters"]["message_id"], 9);
        assert_eq!(body["reply_markup"]["inline_keyboard"][0][0]["callback_data"], "confirm:3");
        assert!(body.get("parse_mode").is_none());
    }

    #[test]
    fn a_toast_is_cut_by_utf16() {
        let long = toast("q", &"😀".repeat(150), Loudness::Loud);
        let text = long["text"].as_str().unwrap();
        assert!(units(text) <= TOAST && text.ends_with('…') && long["show_alert"] == true);
        assert_eq!(
            toast("q", "fine", Loudness::Quiet),
            json!({ "callback_query_id": "q", "text": "fine", "show_alert": false })
        );
    }

    #[test]
    fn the_menu_has_every_command_as_telegram_takes_them() {
        for language in Language::ALL {
            let menu = menu(language);
            let commands = menu["commands"].as_array().unwrap();
            assert_eq!(commands.len(), Verb::ALL.len());
            for command in commands {
                let (word, says) = (command["command"].as_str().unwrap(), command["description"].as_str().unwrap());
                assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()) && word.len() <= 32, "{word}");
                assert!((1..=DESCRIPTION).contains(&says.chars().count()), "{says}");
            }
        }
    }

    proptest! {
        #[test]
        fn marks_lie_in_the_text_in_order_and_hold_all_that_is_active(text in "([a-c./@#:$ 0-9😀静\n,()]|/mute | 5){0,60}") {
            let (mut at, mut outside) = (0, String::new());
            for span in spans(&text) {
                prop_assert!(at <= span.start && span.start < span.end && span.end <= text.len());
                outside.push_str(&text[at..span.start]);
                outside.push(' ');
                at = span.end;
            }
            outside.push_str(&text[at..]);
            prop_assert!(!outside.contains("://") && !outside.contains("@a") && !outside.contains("/a"), "{outside}");
            let _ = message(1, None, SPOT, &text, &[]);
        }
    }
}
