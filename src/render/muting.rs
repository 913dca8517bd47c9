//! What a notice says of a mute: that it ends soon and how to make it longer; and what it kept back, once it is over.

use super::clean::{clean, short};
use super::notice::NoticeStory;
use super::own::minute;
use super::phrase::Phrases;
use super::story::{Bounds, Line};
use super::words::{number, offset};
use super::{NoticeView, Sign};
use crate::model::{ChannelKind, Language, Missed, Mute};

/// How much longer it is proposed to last.
const LONGER: &str = "2h";

/// A mute ends soon, and so many troubles fire under it.
pub(super) fn ends(view: &NoticeView<'_>, (mute, firing): (&Mute, u64), bounds: &Bounds) -> NoticeStory {
    let phrases = view.phrases();
    let id = mute.id.0;
    let clock = minute(mute.until, &phrases).unwrap_or_else(|| "?".to_owned());
    let at = format!("{clock} ({})", offset(mute.until, phrases.zone));
    let headline = match (phrases.language, firing) {
        (Language::En, 0) => format!("mute #{id} ends at {at}; nothing fires under it now"),
        (Language::En, 1) => format!("mute #{id} ends at {at}; 1 trouble fires under it now"),
        (Language::En, many) => format!("mute #{id} ends at {at}; {} troubles fire under it now", number(many)),
        (Language::Zh, 0) => format!("静音 #{id} 将于 {at} 结束，当前没有被静音的异常"),
        (Language::Zh, many) => format!("静音 #{id} 将于 {at} 结束，当前有 {} 项异常被静音", number(many)),
    };
    let then = phrases.pick("What still fires then is told.", "届时仍未恢复的异常会发出通知。");
    NoticeStory {
        headline: clean(&headline),
        target: short(&mute.matchers, bounds.full),
        by: short(&mute.author, bounds.name),
        reason: short(&mute.reason, bounds.said),
        lines: vec![then.to_owned()],
        command: command(view, mute, bounds),
        ..NoticeStory::of_sign(Sign::Muted)
    }
}

/// What to type where it is told: the same mute again lasts longer. Empty for one too long to be shown whole.
fn command(view: &NoticeView<'_>, mute: &Mute, bounds: &Bounds) -> String {
    let typed = format!("mute {{{}}} {LONGER}", mute.matchers);
    let command = match (&mute.within, view.channel.kind()) {
        (Some(within), kind) if *within == view.channel.name => match kind {
            ChannelKind::Slack => format!("/pushwatch {typed}"),
            ChannelKind::Telegram => format!("/{typed}"),
            ChannelKind::Wecom | ChannelKind::Webhook | ChannelKind::Console => typed,
        },
        // It was set from a terminal, or over HTTP: in a chat the same words would set another.
        _ => format!("pushwatch mute '{{{}}}' {LONGER}", mute.matchers.replace('\'', "'\\''")),
    };
    let is_whole = clean(&command) == command && command.chars().count() <= bounds.full;
    if is_whole { command } else { String::new() }
}

/// A mute is over; what it kept from the channel.
pub(super) fn over(view: &NoticeView<'_>, missed: &Missed, bounds: &Bounds) -> NoticeStory {
    let phrases = view.phrases();
    let worst: Vec<Line> =
        missed.worst.iter().take(bounds.lines).map(|incident| Line::of(incident, None, &phrases, bounds)).collect();
    let told = phrases.pick("What still fires is told by itself.", "仍未恢复的异常另行通知。");
    NoticeStory {
        headline: clean(&format!("{}{}", subject(missed, &phrases), kept_back(missed, &phrases))),
        target: short(&missed.matchers, bounds.full),
        by: short(&missed.author, bounds.name),
        reason: short(&missed.reason, bounds.said),
        lines: if missed.firing > 0 { vec![told.to_owned()] } else { Vec::new() },
        more: missed.over.saturating_sub(worst.len() as u64),
        worst,
        ..NoticeStory::of_sign(Sign::Info)
    }
}

/// `mute #5 ended: `.
fn subject(missed: &Missed, phrases: &Phrases<'_>) -> String {
    if missed.others > 0 {
        let all = number(missed.others.saturating_add(1));
        return match (phrases.language, missed.lifted) {
            (Language::En, false) => format!("{all} mutes ended: "),
            (Language::En, true) => format!("{all} mutes were lifted: "),
            (Language::Zh, false) => format!("{all} 个静音已结束："),
            (Language::Zh, true) => format!("{all} 个静音已解除："),
        };
    }
    match (phrases.language, missed.mute, missed.lifted) {
        (Language::En, Some(id), false) => format!("mute #{} ended: ", id.0),
        (Language::En, Some(id), true) => format!("mute #{} was lifted: ", id.0),
        (Language::En, None, _) => "a standing mute ended: ".to_owned(),
        (Language::Zh, Some(id), false) => format!("静音 #{} 已结束：", id.0),
        (Language::Zh, Some(id), true) => format!("静音 #{} 已解除：", id.0),
        (Language::Zh, None, _) => "常设静音时段已结束：".to_owned(),
    }
}

/// `3 troubles were kept back, 2 are over, 1 still fires`.
fn kept_back(missed: &Missed, phrases: &Phrases<'_>) -> String {
    let Missed { over, firing, .. } = *missed;
    let all = over.saturating_add(firing);
    let (over_is, firing_is) = (if over == 1 { "is" } else { "are" }, if firing == 1 { "fires" } else { "fire" });
    match (phrases.language, firing, over) {
        (Language::En, 0, 1) => "1 trouble was kept back and is over".to_owned(),
        (Language::En, 0, _) => format!("{} troubles were kept back and are over", number(all)),
        (Language::En, ..) => format!(
            "{} troubles were kept back, {} {over_is} over, {} still {firing_is}",
            number(all),
            number(over),
            number(firing)
        ),
        (Language::Zh, 0, 1) => "期间有 1 项异常未通知，已结束".to_owned(),
        (Language::Zh, 0, _) => format!("期间有 {} 项异常未通知，均已结束", number(all)),
        (Language::Zh, ..) => format!(
            "期间有 {} 项异常未通知，其中 {} 项已结束，{} 项仍未恢复",
            number(all),
            number(over),
            number(firing)
        ),
    }
}
