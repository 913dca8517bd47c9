//! How each command is written and what it does, in both languages. A command without help does not compile.

use std::fmt::Write as _;

use super::{Verb, Voice};
use crate::model::Language;

/// What help says of a command.
pub(super) struct Help {
    /// What follows its word.
    pub(super) operands: &'static str,
    /// An example of what follows its word.
    pub(super) example: &'static str,
    /// What it does, English and Chinese.
    says: (&'static str, &'static str),
    /// What else there is to know.
    more: (&'static str, &'static str),
}

/// Help on one command.
pub(super) fn of(verb: Verb) -> Help {
    let help = |operands, example, says, more| Help { operands, example, says, more };
    match verb {
        Verb::Mute => help(
            "TARGET DURATION [REASON]",
            "cam1 2h",
            ("keep still about a stream, or many, for a while", "在一段时间内不再通知某路或某些流"),
            (
                "TARGET is a stream's id (cam1), its full name with * for any text (push.example.com/live/cam*), or \
                 matchers: {stream=~\"live_.*\", rule=\"gop_too_large\"}. DURATION is like 30m, 2h or 1d12h, at most 30d. \
                 Posts stop, messages are still brought up to date, and what was told is told to be over.",
                "TARGET 可以是流名（cam1）、带 * 的完整名称（push.example.com/live/cam*），或匹配条件：\
                 {stream=~\"live_.*\", rule=\"gop_too_large\"}。时长如 30m、2h、1d12h，最长 30d。\
                 静音期间不再发新通知，已有消息照常更新，已通知过的故障恢复时仍会告知。",
            ),
        ),
        Verb::Unmute => help(
            "ID or TARGET",
            "12",
            ("lift a mute", "取消静音"),
            (
                "ID is the number that the mute was answered with; a TARGET lifts the mutes that were set for just that.",
                "ID 是设置静音时返回的编号；写 TARGET 则取消为该目标设置的静音。",
            ),
        ),
        Verb::Mutes => help(
            "",
            "",
            ("what is muted, until when, by whom and why", "查看所有静音：截止时间、设置人和原因"),
            (
                "Mutes that stand in rules.yaml are listed too; those can't be lifted from a chat.",
                "rules.yaml 中的常设静音也会列出，但不能在聊天中取消。",
            ),
        ),
        Verb::Incidents => help(
            "[TARGET]",
            "cam1",
            ("what is wrong now, of everything or of a target", "查看当前未恢复的故障，可按目标筛选"),
            ("TARGET is written as for mute.", "TARGET 的写法与静音相同。"),
        ),
        Verb::Status => help(
            "STREAM",
            "cam1",
            ("how a stream does: since when, what, how often", "查看一路流的状态：起始时间、问题、次数"),
            (
                "STREAM is its id, or its full name where several have that id.",
                "STREAM 是流名；同名流有多路时请写完整名称。",
            ),
        ),
        Verb::Ack => help(
            "INCIDENT",
            "12",
            ("say \"I have it\": reminders stop until it grows worse", "认领故障：除非恶化，不再重复提醒"),
            ("INCIDENT is the number in its message.", "INCIDENT 是消息中的故障编号。"),
        ),
        Verb::Rules => help("", "", ("what is watched for", "查看生效中的规则"), ("", "")),
        Verb::Help => help("[COMMAND]", "mute", ("how to write commands", "查看命令的写法"), ("", "")),
        Verb::Confirm => help(
            "ID",
            "3",
            ("go on with a mute that covers many streams", "确认覆盖很多流的静音"),
            (
                "ID is the number that you were asked with. Only who asked for the mute can confirm it, within 5 minutes.",
                "ID 是询问时给出的编号。只有发起静音的人可以在 5 分钟内确认。",
            ),
        ),
    }
}

/// An example of a whole command, as it is typed here.
pub(super) fn example(verb: Verb, voice: &Voice) -> String {
    written(verb, of(verb).example, voice)
}

/// How a command is written here, with the words for its operands.
pub(super) fn usage(verb: Verb, voice: &Voice) -> String {
    written(verb, of(verb).operands, voice)
}

fn written(verb: Verb, operands: &str, voice: &Voice) -> String {
    format!("{}{} {operands}", voice.prefix, verb.as_str()).trim_end().to_owned()
}

/// All commands for a chat's own menu: the word, and in a line how it goes on and what it does.
#[must_use]
pub fn menu(language: Language) -> Vec<(&'static str, String)> {
    let line = |verb: Verb| {
        let help = of(verb);
        let says = match language {
            Language::En => help.says.0,
            Language::Zh => help.says.1,
        };
        match help.operands {
            "" => says.to_owned(),
            operands => format!("{operands} — {says}"),
        }
    };
    Verb::ALL.map(|verb| (verb.as_str(), line(verb))).into()
}

/// What `help COMMAND` answers, or `help`: every line by itself.
#[must_use]
pub fn text(verb: Option<Verb>, voice: &Voice) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    match verb {
        None => {
            for verb in Verb::ALL {
                let says = of(verb).says;
                let _ = writeln!(text, "{} — {}", usage(verb, voice), voice.pick(says.0, says.1));
            }
            let more = format!("{}help mute", voice.prefix);
            let _ = match voice.language {
                Language::En => write!(text, "More about one of them: {more}"),
                Language::Zh => write!(text, "查看某个命令的详细说明：{more}"),
            };
        }
        Some(verb) => {
            let help = of(verb);
            let _ = writeln!(text, "{} — {}", usage(verb, voice), voice.pick(help.says.0, help.says.1));
            let more = voice.pick(help.more.0, help.more.1);
            if !more.is_empty() {
                let _ = writeln!(text, "{more}");
            }
            let example = voice.pick("Example", "示例");
            let _ = write!(text, "{example}: {}", self::example(verb, voice));
            let _ = write!(text, "\n{}: {}", voice.pick("In Chinese", "中文命令"), verb.chinese());
        }
    }
    text
}
