//! What pushwatch says about itself: a test, a channel that fails, rules that were refused, a time without ears.

use std::time::Duration;

use serde::Serialize;

use super::clean::{clean, short};
use super::story::{Bounds, Line, capped};
use super::{NoticeView, Sign, muting, words};
use crate::model::{Language, Notice};

/// What the template `notice` is given.
#[derive(Debug, Default, Serialize)]
pub(super) struct NoticeStory {
    pub(super) sign: &'static str,
    pub(super) state: &'static str,
    pub(super) color: &'static str,
    /// The other channel it is about; empty where there is none.
    pub(super) channel: String,
    pub(super) headline: String,
    /// What the mute it is about covers; empty where it is about none.
    pub(super) target: String,
    /// Who set it; empty where it stands in the rules.
    pub(super) by: String,
    /// Why; empty where nobody said.
    pub(super) reason: String,
    pub(super) lines: Vec<String>,
    /// What it kept from the channel and is over: the worst few.
    pub(super) worst: Vec<Line>,
    /// How many are not among the worst.
    pub(super) more: u64,
    /// What to type to make it last longer; empty where there is nothing to type.
    pub(super) command: String,
    /// Foreign words: errors and mistakes.
    pub(super) said: Vec<String>,
    #[serde(skip)]
    pub(super) mark: Sign,
}

impl NoticeStory {
    /// One that says nothing yet.
    pub(super) fn of_sign(mark: Sign) -> NoticeStory {
        let (sign, state, color) = (mark.as_str(), mark.word(), mark.color());
        NoticeStory { sign, state, color, mark, ..NoticeStory::default() }
    }

    /// The story of a notice, within bounds.
    pub(super) fn of(view: &NoticeView<'_>, bounds: &Bounds) -> NoticeStory {
        let (language, zone, now) = (view.channel.language, &view.channel.timezone, view.now);
        let pick = |en: &str, zh: &str| match language {
            Language::En => en.to_owned(),
            Language::Zh => zh.to_owned(),
        };
        let mistakes = |problems: &[String]| {
            let (mut shown, more) = capped(problems.iter().collect(), bounds.lines);
            let more = Some(&more).filter(|more| !more.is_empty());
            shown.extend(more);
            shown.into_iter().map(|problem| short(problem, bounds.full)).collect()
        };
        let (mark, channel, headline, lines, said) = match view.notice {
            Notice::Test { channel } => (
                Sign::Info,
                Some(channel),
                pick("a test message: this channel works", "测试消息：该渠道可用"),
                vec![pick("Nothing is wrong.", "没有异常，仅为连通性测试。")],
                Vec::new(),
            ),
            Notice::ChannelFailing { channel, error, waiting } => (
                Sign::Critical,
                Some(channel),
                pick("this channel cannot be reached", "该渠道无法送达"),
                vec![
                    match language {
                        Language::En if *waiting == 1 => "1 message waits for it.".to_owned(),
                        Language::En => format!("{} messages wait for it.", words::number(*waiting)),
                        Language::Zh => format!("有 {} 条消息等待发送。", words::number(*waiting)),
                    },
                    pick(
                        "Check its token, its target and the bot's membership, then reload the rules.",
                        "请检查 token、目标会话和机器人是否仍在群里，然后重新加载规则。",
                    ),
                ],
                vec![short(error, bounds.full)],
            ),
            Notice::ChannelRecovered { channel } => (
                Sign::Well,
                Some(channel),
                pick("this channel works again", "该渠道已恢复"),
                vec![pick("What was waiting is sent now.", "积压的消息正在发送。")],
                Vec::new(),
            ),
            Notice::RulesRefused { problems } => (
                Sign::Warning,
                None,
                pick("changed rules refused, the old ones stay in force", "新规则有误，已拒绝，旧规则继续生效"),
                vec![pick("Mend them and save again:", "请修正后重新保存：")],
                mistakes(problems),
            ),
            Notice::LastGoodRules { problems } => (
                Sign::Critical,
                None,
                pick("rules are broken, the last good ones are in force", "规则文件有误，正在使用上一份可用的规则"),
                vec![pick("Mend them and save again:", "请修正后重新保存：")],
                mistakes(problems),
            ),
            Notice::Deaf { from, to } => {
                let (span, offset) = (words::span(*from, *to, now, zone), words::offset(*from, zone));
                let length = words::duration(to.since(*from).max(Duration::from_secs(1)), language);
                (
                    Sign::Warning,
                    None,
                    match language {
                        Language::En => format!("took no callbacks for {length}"),
                        Language::Zh => format!("有 {length}未能接收回调"),
                    },
                    vec![match language {
                        Language::En => format!("{span} ({offset}). Streams may have been sick without a word here."),
                        Language::Zh => format!("{span} ({offset})，期间的推流异常可能没有告警。"),
                    }],
                    Vec::new(),
                )
            }
            Notice::OnlyPushErrors { reports } => (
                Sign::Warning,
                None,
                pick(
                    "only push errors arrive, no begin or end of any push",
                    "只收到推流异常回调，没有推流开始或断流回调",
                ),
                vec![
                    match language {
                        Language::En => format!("Push errors taken so far: {}.", words::number(*reports)),
                        Language::Zh => format!("目前已收到 {} 条推流异常回调。", words::number(*reports)),
                    },
                    pick(
                        "Subscribe push start and push interruption in the callback template: without them rules on push_end, and grace, see nothing.",
                        "请在回调模板中订阅推流和断流回调，否则 push_end 规则和 grace 不起作用。",
                    ),
                ],
                Vec::new(),
            ),
            Notice::LateCallbacks { median } => {
                let late = words::duration(Duration::from_millis(*median), language);
                (
                    Sign::Warning,
                    None,
                    match language {
                        Language::En => format!("callbacks come late: half of them after more than {late}"),
                        Language::Zh => format!("回调延迟：一半以上晚于 {late}"),
                    },
                    vec![pick(
                        "Check the callback address and this machine's clock: alerts are that late too.",
                        "请检查回调地址是否可达、本机时钟是否准确：告警也会同样延迟。",
                    )],
                    Vec::new(),
                )
            }
            Notice::DeadLetters { channel, count } => (
                Sign::Warning,
                Some(channel),
                match language {
                    Language::En if *count == 1 => "1 message was given up".to_owned(),
                    Language::En => format!("{} messages were given up", words::number(*count)),
                    Language::Zh => format!("有 {} 条消息放弃发送", words::number(*count)),
                },
                vec![pick("See them with: pushwatch deliveries --dead", "查看：pushwatch deliveries --dead")],
                Vec::new(),
            ),
            Notice::MuteEnds { mute, firing } => return muting::ends(view, (mute, *firing), bounds),
            Notice::MuteOver(missed) => return muting::over(view, missed, bounds),
        };
        NoticeStory {
            channel: channel.map(|channel| short(channel.as_str(), bounds.name)).unwrap_or_default(),
            headline: clean(&headline),
            lines,
            said,
            ..NoticeStory::of_sign(mark)
        }
    }

    /// The first line without markup.
    pub(super) fn summary(&self) -> String {
        match self.channel.as_str() {
            "" => format!("{} pushwatch — {}", self.sign, self.headline),
            channel => format!("{} pushwatch, {} — {}", self.sign, super::markup::quote(channel), self.headline),
        }
    }
}
