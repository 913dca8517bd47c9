//! What is wrong with a line, said with what was expected and an example, in both languages. Pure.

use super::length::LengthMistake;
use super::{MAX_LINE, Verb, Voice, help};
use crate::model::Language;
use crate::render::clean::short;

/// Longest piece of what was typed that is shown, in characters.
const SHOWN: usize = 60;

/// What a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What it is about.
    Target,
    /// One stream.
    Stream,
    /// How long.
    Length,
    /// A number.
    Id,
    /// A number, or what it is about.
    IdOrTarget,
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It is longer than anything that makes sense.
    LongLine,
    /// It begins with no command's word.
    Unknown {
        /// What it begins with.
        word: String,
        /// What was perhaps meant.
        near: Option<Verb>,
    },
    /// It ends too early.
    Missing {
        /// In which command.
        verb: Verb,
        /// What is missing.
        part: Part,
    },
    /// The target is neither a stream nor matchers.
    Target {
        /// In which command.
        verb: Verb,
        /// What is wrong with it, in English.
        message: String,
        /// What to write instead, in English.
        hint: Option<String>,
    },
    /// A glob that is neither an id nor `DOMAIN/PATH/STREAM`.
    Glob {
        /// In which command.
        verb: Verb,
        /// As it was written.
        written: String,
    },
    /// No usable length of a mute.
    Length {
        /// As it was written.
        written: String,
        /// Why.
        why: LengthMistake,
    },
    /// The length before the target.
    Swapped {
        /// What is perhaps the target.
        target: String,
        /// The length.
        length: String,
    },
    /// Something that is no number.
    NoNumber {
        /// In which command.
        verb: Verb,
        /// As it was written.
        written: String,
    },
    /// Something that the command has no use for.
    TooMuch {
        /// Which command.
        verb: Verb,
        /// What is too much.
        extra: String,
    },
}

impl Mistake {
    /// For whoever typed it: what is wrong, what was expected, an example.
    #[must_use]
    pub fn text(&self, voice: &Voice) -> String {
        let said = match voice.language {
            Language::En => self.english(voice),
            Language::Zh => self.chinese(voice),
        };
        let Some(verb) = self.verb() else { return said };
        let (expected, example) = (help::usage(verb, voice), help::example(verb, voice));
        match (voice.language, help::of(verb).operands.is_empty()) {
            (Language::En, true) => format!("{said}\nExpected: {expected}"),
            (Language::Zh, true) => format!("{said}\n写法：{expected}"),
            (Language::En, false) => format!("{said}\nExpected: {expected}\nExample: {example}"),
            (Language::Zh, false) => format!("{said}\n写法：{expected}\n示例：{example}"),
        }
    }

    /// The command that was meant, if that is known.
    fn verb(&self) -> Option<Verb> {
        match self {
            Mistake::LongLine => None,
            Mistake::Unknown { near, .. } => *near,
            Mistake::Length { .. } | Mistake::Swapped { .. } => Some(Verb::Mute),
            Mistake::Missing { verb, .. }
            | Mistake::Target { verb, .. }
            | Mistake::Glob { verb, .. }
            | Mistake::NoNumber { verb, .. }
            | Mistake::TooMuch { verb, .. } => Some(*verb),
        }
    }

    fn english(&self, voice: &Voice) -> String {
        let help = format!("{}help", voice.prefix);
        match self {
            Mistake::LongLine => format!("That is too long to be a command: at most {MAX_LINE} bytes are read."),
            Mistake::Unknown { word, near: Some(near) } => {
                format!("There is no command “{}”. Did you mean {}?", shown(word), near.as_str())
            }
            Mistake::Unknown { word, near: None } => {
                format!("There is no command “{}”. {help} lists them all.", shown(word))
            }
            Mistake::Missing { part, .. } => match part {
                Part::Target => "Of what? A target is missing.".to_owned(),
                Part::Stream => "Which stream? Its id or full name is missing.".to_owned(),
                Part::Length => "For how long? A duration is missing.".to_owned(),
                Part::Id => "Which one? Its number is missing.".to_owned(),
                Part::IdOrTarget => "Which mute? Its number or its target is missing.".to_owned(),
            },
            Mistake::Target { message, hint, .. } => {
                let hint = hint.as_ref().map(|hint| format!("\nHint: {}", short(hint, 3 * SHOWN)));
                format!("The target can't be read: {}.{}", short(message, 3 * SHOWN), hint.unwrap_or_default())
            }
            Mistake::Glob { written, .. } => format!(
                "“{}” is neither a stream's id nor a full name: with slashes a target is DOMAIN/PATH/STREAM.",
                shown(written)
            ),
            Mistake::Length { written, why } => match why {
                LengthMistake::Unreadable => {
                    format!("“{}” is no duration: they look like 30m, 2h or 1d12h.", shown(written))
                }
                LengthMistake::NoUnit => {
                    let n = shown(written);
                    format!("“{n}” has no unit: {n}m are minutes, {n}h hours.")
                }
                LengthMistake::TooShort => "A mute lasts at least one minute.".to_owned(),
                LengthMistake::TooLong => {
                    "A mute lasts at most 30 days. What is always to be muted belongs into rules.yaml.".to_owned()
                }
                LengthMistake::NoEnd => {
                    "A mute always has an end, at most 30 days away. What is always to be muted belongs into rules.yaml."
                        .to_owned()
                }
            },
            Mistake::Swapped { target, length } => format!(
                "The target comes before the duration: {}mute {} {}",
                voice.prefix,
                shown(target),
                shown(length)
            ),
            Mistake::NoNumber { written, .. } => format!("“{}” is no number.", shown(written)),
            Mistake::TooMuch { verb, extra } => {
                format!("“{}” is too much: {} does not take it.", shown(extra), verb.as_str())
            }
        }
    }

    fn chinese(&self, voice: &Voice) -> String {
        let help = format!("{}help", voice.prefix);
        match self {
            Mistake::LongLine => format!("内容太长，不像命令：最多读取 {MAX_LINE} 字节。"),
            Mistake::Unknown { word, near: Some(near) } => {
                format!("没有“{}”这个命令。是不是 {}（{}）？", shown(word), near.as_str(), near.chinese())
            }
            Mistake::Unknown { word, near: None } => {
                format!("没有“{}”这个命令。{help} 可查看全部命令。", shown(word))
            }
            Mistake::Missing { part, .. } => match part {
                Part::Target => "缺少目标。".to_owned(),
                Part::Stream => "缺少流名或完整名称。".to_owned(),
                Part::Length => "缺少时长。".to_owned(),
                Part::Id => "缺少编号。".to_owned(),
                Part::IdOrTarget => "缺少静音的编号或目标。".to_owned(),
            },
            Mistake::Target { message, hint, .. } => {
                let hint = hint.as_ref().map(|hint| format!("\n提示：{}", short(hint, 3 * SHOWN)));
                format!("目标无法识别：{}{}", short(message, 3 * SHOWN), hint.unwrap_or_default())
            }
            Mistake::Glob { written, .. } => {
                format!("“{}”既不是流名也不是完整名称：带斜杠时应写 DOMAIN/PATH/STREAM。", shown(written))
            }
            Mistake::Length { written, why } => match why {
                LengthMistake::Unreadable => format!("“{}”不是时长：写法如 30m、2h、1d12h。", shown(written)),
                LengthMistake::NoUnit => {
                    let n = shown(written);
                    format!("“{n}”没有单位：{n}m 是分钟，{n}h 是小时。")
                }
                LengthMistake::TooShort => "静音至少 1 分钟。".to_owned(),
                LengthMistake::TooLong => "静音最长 30 天。需要一直静音的请写入 rules.yaml。".to_owned(),
                LengthMistake::NoEnd => "静音必须有结束时间，最长 30 天。需要一直静音的请写入 rules.yaml。".to_owned(),
            },
            Mistake::Swapped { target, length } => {
                format!("目标在前，时长在后：{}mute {} {}", voice.prefix, shown(target), shown(length))
            }
            Mistake::NoNumber { written, .. } => format!("“{}”不是编号。", shown(written)),
            Mistake::TooMuch { verb, extra } => {
                format!("多余的内容“{}”：{} 不需要它。", shown(extra), verb.as_str())
            }
        }
    }
}

fn shown(text: &str) -> String {
    short(text, SHOWN)
}
