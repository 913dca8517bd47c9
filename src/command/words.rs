//! What is answered, in the caller's words: plain lines, in English and Chinese. Pure.
//!
//! The texts carry hostile names, cleaned and cut; whoever sends them escapes them for the platform.

use std::time::Duration;

use super::reply::{Covers, News, Refusal, Reply, Standing, Status};
use super::{Voice, help};
use crate::model::{Incident, Language, Mute, Timestamp};
use crate::render::clean::short;
use crate::render::words::{clock, duration, number, offset, severity, times};

/// Longest name shown, in characters.
const NAME: usize = 80;

/// Longest matchers shown, in characters.
const MATCHERS: usize = 160;

/// Names of streams shown in a line.
const SOME: usize = 3;

/// The answer as text; `now` by the wall clock.
#[must_use]
pub fn text(reply: &Reply, voice: &Voice, now: Timestamp) -> String {
    Speaker { voice, now }.say(reply)
}

/// Who speaks, and when.
struct Speaker<'v> {
    voice: &'v Voice,
    now: Timestamp,
}

impl Speaker<'_> {
    fn say(&self, reply: &Reply) -> String {
        match reply {
            Reply::Muted { mute, news, covers, unheard } => self.muted(mute, *news, covers, unheard.as_deref()),
            Reply::Asked { id, covers, length } => self.asked(*id, covers, *length),
            Reply::Unmuted(mutes) => self.lines(mutes, |mute| {
                let what = short(&mute.matchers, MATCHERS);
                self.pick(
                    format!("Mute #{} of {what} is lifted: what still fires is told now.", mute.id.0),
                    format!("静音 #{}（{what}）已取消：仍未恢复的故障会立即通知。", mute.id.0),
                )
            }),
            Reply::Mutes { mutes, standing, more } => self.mutes(mutes, standing, *more),
            Reply::Incidents { items, more } => self.incidents(items, *more),
            Reply::Status(status) => self.status(status),
            Reply::Acknowledged { incident, before, others } => self.acknowledged(incident, before.as_deref(), *others),
            Reply::Rules(names) if names.is_empty() => {
                self.pick("No rule is heard of here.".to_owned(), "这里没有规则。".to_owned())
            }
            Reply::Rules(names) => {
                let list: Vec<String> = names.iter().take(100).map(|name| short(name, NAME)).collect();
                let (count, list) = (number(names.len() as u64), list.join(", "));
                let plural = if names.len() == 1 { "" } else { "s" };
                self.pick(format!("{count} rule{plural}: {list}"), format!("共 {count} 条规则：{list}"))
            }
            Reply::Help(verb) => help::text(*verb, self.voice),
            Reply::Refused(refusal) => self.refused(refusal),
            Reply::Late => self.pick(
                "This is kept and will come into force; there is much to do just now.".to_owned(),
                "已记录，稍后生效：当前负载较高。".to_owned(),
            ),
            Reply::Failed(why) => {
                let why = short(why, MATCHERS);
                self.pick(
                    format!("This could not be done, or not all of it: {why}. Try again in a moment."),
                    format!("操作未完成或未全部完成：{why}。请稍后重试。"),
                )
            }
        }
    }

    fn acknowledged(&self, incident: &Incident, before: Option<&str>, others: usize) -> String {
        let (id, name) = (incident.id.0, short(&incident.key.name(), NAME));
        let (en, zh) = match others {
            0 => (String::new(), String::new()),
            1 => (" and one more".to_owned(), "等 2 个".to_owned()),
            more => (format!(" and {} more", number(more as u64)), format!("等 {} 个", number(more as u64 + 1))),
        };
        match before {
            None => self.pick(
                format!("You have incident #{id} ({name}){en}: no more reminders until it is over or grows worse."),
                format!("已认领故障 #{id}（{name}）{zh}：恢复或恶化前不再重复提醒。"),
            ),
            Some(who) => {
                let who = short(who, NAME);
                self.pick(
                    format!("{who} has incident #{id} ({name}) in hand."),
                    format!("故障 #{id}（{name}）已由 {who} 认领。"),
                )
            }
        }
    }

    fn muted(&self, mute: &Mute, news: News, covers: &Covers, unheard: Option<&[String]>) -> String {
        let (id, what, until) = (mute.id.0, short(&mute.matchers, MATCHERS), self.until(mute.until));
        // Counted from when it was set: the milliseconds since would make 59 minutes of an hour.
        let from = if news == News::Nothing { self.now } else { mute.set_at };
        let length = duration(mute.until.since(from), self.voice.language);
        let who = short(&mute.author, NAME);
        let mut text = match news {
            News::Set => self.pick(
                format!("Muted until {until} ({length}), #{id}: {what}"),
                format!("已静音至 {until}（{length}），编号 #{id}：{what}"),
            ),
            News::Longer => self.pick(
                format!("Muted longer, until {until} ({length}), #{id}: {what}"),
                format!("静音已延长至 {until}（{length}），编号 #{id}：{what}"),
            ),
            News::Nothing => self.pick(
                format!("Already muted until {until} ({length}) by {who}, #{id}: {what}"),
                format!("已由 {who} 静音至 {until}（{length}），编号 #{id}：{what}"),
            ),
        };
        text.push('\n');
        text.push_str(&match unheard {
            None => self.covers(covers),
            Some(near) => self.unheard(near),
        });
        if !mute.reason.is_empty() {
            let reason = short(&mute.reason, super::MAX_REASON);
            text.push_str(&self.pick(format!("\nReason: {reason}"), format!("\n原因：{reason}")));
        }
        let lift = format!("{}unmute {id}", self.voice.prefix);
        text.push_str(&self.pick(format!("\nTo lift it: {lift}"), format!("\n取消：{lift}")));
        text
    }

    fn asked(&self, id: u64, covers: &Covers, length: Duration) -> String {
        let (covers, length) = (self.covers(covers), duration(length, self.voice.language));
        let confirm = format!("{}confirm {id}", self.voice.prefix);
        self.pick(
            format!("That is a lot to mute for {length}. {covers}\nIf it is meant, say within 5 minutes: {confirm}"),
            format!("静音范围较大（{length}）。{covers}\n确认请在 5 分钟内发送：{confirm}"),
        )
    }

    /// `Covers now: 3 streams, 1 firing (a, b, c)`.
    fn covers(&self, covers: &Covers) -> String {
        let (streams, firing) = (number(covers.streams as u64), number(covers.firing as u64));
        let some: Vec<String> = covers.some.iter().take(SOME).map(|name| short(name, NAME)).collect();
        let dots = if covers.streams > some.len() { ", …" } else { "" };
        let some = if some.is_empty() { String::new() } else { format!(" ({}{dots})", some.join(", ")) };
        let plural = if covers.streams == 1 { "" } else { "s" };
        self.pick(
            format!("Covers now: {streams} stream{plural}, {firing} firing{some}"),
            format!("当前覆盖：{streams} 路流，{firing} 个未恢复{some}"),
        )
    }

    fn unheard(&self, near: &[String]) -> String {
        let near: Vec<String> = near.iter().map(|name| short(name, NAME)).collect();
        let mut text = self.pick(
            "Nothing was heard of such a stream within a day.".to_owned(),
            "过去一天内没有收到这路流的消息。".to_owned(),
        );
        if !near.is_empty() {
            let near = near.join(", ");
            text.push_str(&self.pick(format!(" Did you mean {near}?"), format!("是不是 {near}？")));
        }
        text
    }

    fn mutes(&self, mutes: &[Mute], standing: &[Standing], more: usize) -> String {
        if mutes.is_empty() && standing.is_empty() {
            return self.pick("Nothing is muted.".to_owned(), "没有静音。".to_owned());
        }
        let mut lines: Vec<String> = mutes.iter().map(|mute| self.mute(mute)).collect();
        if more > 0 {
            lines.push(self.more(more));
        }
        lines.extend(standing.iter().map(|standing| self.standing(standing)));
        lines.join("\n")
    }

    fn mute(&self, mute: &Mute) -> String {
        let Mute { id, matchers, until, author, reason, .. } = mute;
        let (what, until, who) = (short(matchers, MATCHERS), self.until(*until), short(author, NAME));
        let reason = if reason.is_empty() { String::new() } else { format!(": {}", short(reason, super::MAX_REASON)) };
        self.pick(
            format!("#{} {what} until {until}, by {who}{reason}", id.0),
            format!("#{} {what} 至 {until}，{who}{reason}", id.0),
        )
    }

    fn standing(&self, standing: &Standing) -> String {
        let (what, reason) = (short(&standing.matchers, MATCHERS), short(&standing.reason, super::MAX_REASON));
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let times = if standing.at_times { self.voice.pick(", at times", "（按时段）") } else { "" };
        self.pick(
            format!("always {what}{times}, by rules.yaml{reason}"),
            format!("常设 {what}{times}，来自 rules.yaml{reason}"),
        )
    }

    fn incidents(&self, items: &[Incident], more: usize) -> String {
        if items.is_empty() {
            return self.pick("Nothing fires.".to_owned(), "没有未恢复的故障。".to_owned());
        }
        let mut lines: Vec<String> = items.iter().map(|incident| self.incident(incident)).collect();
        if more > 0 {
            lines.push(self.more(more));
        }
        lines.join("\n")
    }

    /// `#12 critical push.example.com/live/cam1: gop_too_large since 12:03:10, 14 times, ann has it`.
    fn incident(&self, incident: &Incident) -> String {
        let language = self.voice.language;
        let (id, name) = (incident.id.0, short(&incident.key.to_string(), NAME));
        let (level, rule) = (severity(incident.severity, language), short(&incident.rule, NAME));
        let since = clock(incident.since, self.now, &self.voice.zone);
        let often = times(incident.count.max(incident.reports), language);
        let mut text = self.pick(
            format!("#{id} {level} {name}: {rule} since {since}, {often}"),
            format!("#{id} {level} {name}：{rule}，自 {since} 起，{often}"),
        );
        if let Some(ack) = &incident.ack {
            let who = short(&ack.by, NAME);
            text.push_str(&self.pick(format!(", {who} has it"), format!("，{who} 已认领")));
        }
        if let Some(until) = incident.muted_until {
            let until = self.until(until);
            text.push_str(&self.pick(format!(", muted until {until}"), format!("，静音至 {until}")));
        }
        text
    }

    fn status(&self, status: &Status) -> String {
        let mut lines = vec![short(&status.stream, 2 * NAME)];
        if let Some(heard) = status.heard {
            let at = clock(heard, self.now, &self.voice.zone);
            lines.push(self.pick(format!("last heard of {at}"), format!("最近一次回调 {at}")));
        }
        let reports: u64 = status.hour.iter().map(|count| u64::from(*count)).sum();
        if reports > 0 {
            let (chart, reports) = (chart(&status.hour), times(reports, self.voice.language));
            lines.push(self.pick(
                format!("last hour {chart} reported {reports}, by 5 min"),
                format!("最近一小时 {chart} 上报 {reports}，每格 5 分钟"),
            ));
        }
        match (status.firing.as_slice(), &status.last) {
            ([], None) => lines.push(self.pick("Nothing is wrong.".to_owned(), "一切正常。".to_owned())),
            ([], Some(last)) => {
                let over = last.resolved_at.map(|at| clock(at, self.now, &self.voice.zone)).unwrap_or_default();
                let (id, rule) = (last.id.0, short(&last.rule, NAME));
                lines.push(self.pick(
                    format!("Nothing is wrong; the last was #{id} {rule}, over since {over}."),
                    format!("一切正常；上一次是 #{id} {rule}，{over} 恢复。"),
                ));
            }
            (firing, _) => {
                for incident in firing {
                    lines.push(self.incident(incident));
                    lines.extend(self.values(incident));
                }
            }
        }
        let muted = self.voice.pick("muted: ", "静音：");
        lines.extend(status.mutes.iter().map(|mute| format!("{muted}{}", self.mute(mute))));
        lines.extend(status.standing.iter().map(|standing| format!("{muted}{}", self.standing(standing))));
        lines.join("\n")
    }

    /// The last values of what was measured.
    fn values(&self, incident: &Incident) -> Option<String> {
        let language = self.voice.language;
        let values: Vec<String> = incident
            .troubles
            .iter()
            .filter_map(|trouble| {
                let unit = crate::model::Catalogue::unit(trouble.kind);
                let last = crate::render::words::value(trouble.last?, unit, language)?;
                Some(format!("{} {last}", trouble.kind))
            })
            .take(5)
            .collect();
        let last = self.voice.pick("last values: ", "最近数值：");
        (!values.is_empty()).then(|| format!("  {last}{}", values.join(", ")))
    }

    fn refused(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::Mistake(mistake) => mistake.text(self.voice),
            Refusal::Ambiguous(candidates) => {
                let names: Vec<String> =
                    candidates.iter().map(|name| format!("\n  {}", short(name, 2 * NAME))).collect();
                self.pick(
                    format!("Several streams have that id. Write one of them in full:{}", names.concat()),
                    format!("有多路流使用这个名称，请写完整名称：{}", names.concat()),
                )
            }
            Refusal::NoStream(near) => self.unheard(near),
            Refusal::NoMute(Some(id)) => {
                self.pick(format!("There is no mute #{} here.", id.0), format!("这里没有静音 #{}。", id.0))
            }
            Refusal::NoMute(None) => {
                let list = format!("{}mutes", self.voice.prefix);
                self.pick(
                    format!("No mute was set for just that. {list} lists them with their numbers."),
                    format!("没有为该目标单独设置的静音。{list} 可查看所有静音及编号。"),
                )
            }
            Refusal::NotFromHere(id) => self.pick(
                format!(
                    "Mute #{} was set elsewhere and covers more than is told here: it can't be lifted from here.",
                    id.0
                ),
                format!("静音 #{} 在别处设置，覆盖范围超出本群，不能在这里取消。", id.0),
            ),
            Refusal::NoIncident(id) => {
                self.pick(format!("There is no incident #{} here.", id.0), format!("这里没有故障 #{}。", id.0))
            }
            Refusal::Over(id) => {
                self.pick(format!("Incident #{} is over already.", id.0), format!("故障 #{} 已恢复。", id.0))
            }
            Refusal::NotYet(id) => self.pick(
                format!("Incident #{} is not told yet: it may pass by itself.", id.0),
                format!("故障 #{} 尚未通知，可能会自行恢复。", id.0),
            ),
            Refusal::NothingAsked(id) => self.pick(
                format!("You were not asked #{id}, or longer than 5 minutes ago. Write the mute again."),
                format!("没有等待你确认的 #{id}，或已超过 5 分钟。请重新输入静音命令。"),
            ),
            Refusal::TooMany => self.pick(
                "There are too many mutes already. One with matchers does the work of many.".to_owned(),
                "静音数量已达上限。请用匹配条件合并。".to_owned(),
            ),
            Refusal::TooLong => self.pick(
                "This name is too long for a mute. Cover it with a glob or matchers.".to_owned(),
                "名称过长，请改用通配符或匹配条件。".to_owned(),
            ),
            Refusal::NotAllowed(id) => {
                let id = short(id, NAME);
                self.pick(
                    format!(
                        "You may not give commands here yet. Your user id is {id}: an operator can add it to `allow` of \
                         this channel in rules.yaml."
                    ),
                    format!("您还没有在这里下达命令的权限。您的用户 ID 是 {id}，可请管理员将其加入 rules.yaml 中该通道的 `allow`。"),
                )
            }
            Refusal::TooFast => self.pick(
                "That is too many commands at once. Nothing was changed; wait a few seconds.".to_owned(),
                "命令过于频繁，未做任何更改，请稍候几秒。".to_owned(),
            ),
            Refusal::Stale(age) => {
                let age = duration(*age, self.voice.language);
                self.pick(
                    format!(
                        "This was sent {age} ago and has come only now, so it was not followed, nor was anything else \
                         from then. Send it again if it is still meant."
                    ),
                    format!("这条命令于 {age} 前发出，现在才收到，因此没有执行，同期的其他命令也没有。如仍需要，请重新发送。"),
                )
            }
            Refusal::OldButton => self.pick(
                "This button is too old, or about something that is not told here.".to_owned(),
                "该按钮已失效，或所涉内容不在此处通知。".to_owned(),
            ),
        }
    }

    fn more(&self, more: usize) -> String {
        let more = number(more as u64);
        self.pick(format!("… and {more} more"), format!("……还有 {more} 条"))
    }

    fn until(&self, at: Timestamp) -> String {
        if at == Timestamp::MAX {
            return self.voice.pick("further notice", "另行通知").to_owned();
        }
        let zone = &self.voice.zone;
        format!("{} {}", clock(at, self.now, zone), offset(at, zone))
    }

    fn lines<T>(&self, items: &[T], line: impl Fn(&T) -> String) -> String {
        items.iter().take(20).map(line).collect::<Vec<_>>().join("\n")
    }

    fn pick(&self, en: String, zh: String) -> String {
        match self.voice.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }
}

/// Counts as a row of blocks, the tallest for the most.
fn chart(counts: &[u16]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = usize::from(counts.iter().copied().max().unwrap_or(0)).max(1);
    let block = |count: &u16| match usize::from(*count) * (BLOCKS.len() - 1) {
        0 => BLOCKS[0],
        scaled => BLOCKS[scaled.div_ceil(most).min(BLOCKS.len() - 1)],
    };
    counts.iter().map(block).collect()
}

#[cfg(test)]
mod tests;
