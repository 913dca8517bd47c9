//! The card that a WeCom app sends in a message's place where somebody may click: a message of WeCom's has no buttons. Pure.
//!
//! Its fields have little room, and what is too long there is cut off by the client. So the first line keeps its place,
//! what is most worth knowing comes next, and "Details" answers the rest. No template words it: its layout is WeCom's.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::markup::defuse;
use super::story::{Bounds, Line, Story};
use super::{Sign, View, buttons, title};
use crate::model::{Button, ChannelName, DeliveryId, GroupId, Language, Press};

/// What WeCom advises for each field, in columns: it counts in Chinese characters, which are two wide
/// (developer.work.weixin.qq.com, path 90372).
const TITLE: usize = 2 * 26;
const UNDER: usize = 2 * 30;
const TEXT: usize = 2 * 112;
const NAME: usize = 2 * 5;
const VALUE: usize = 2 * 26;
const SOURCE: usize = 2 * 13;

/// Most rows.
const ROWS: usize = 6;

/// What fits a card, before its fields are cut.
const BOUNDS: Bounds = Bounds { name: 40, full: 52, said: 52, lines: ROWS, text: 120 };

/// A card. Nothing in it is markup, a mention or a link but the addresses of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Of which message.
    pub group: GroupId,
    /// In which channel.
    pub channel: ChannelName,
    /// How it stands.
    pub sign: Sign,
    /// The severity, or what has become of it: the small word above.
    pub source: String,
    /// The first line; all that a lock screen shows.
    pub title: String,
    /// Below it.
    pub under: String,
    /// The running text, perhaps of several lines.
    pub text: String,
    /// Names and values, six at most.
    pub rows: Vec<Row>,
    /// What can be clicked; nothing once it is over.
    pub buttons: Vec<Button>,
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// Where it leads.
    pub url: Option<String>,
}

/// The card of a group.
#[must_use]
pub fn card(view: &View<'_>) -> Card {
    let story = Story::of(view, &BOUNDS);
    let pick = |en: &'static str, zh: &'static str| match view.channel.language {
        Language::En => en,
        Language::Zh => zh,
    };
    let summary = defuse(&story.summary());
    // What is cut off at the end of the first line stands whole in the second.
    let (under, often) = match summary.width() <= TITLE {
        true => (story.often.as_str(), None),
        false => (story.headline.as_str(), Some(story.often.as_str())),
    };
    let row = |name: &str, value: &str| Row { name: fit(name, NAME), value: fit(value, VALUE), url: None };
    let mut rows: Vec<Row> = Vec::new();
    match story.several {
        true => rows.extend(story.lines.iter().map(|line| row(&format!("#{}", line.id), &of_line(line)))),
        false => rows.extend(often.map(|often| row(pick("Seen", "次数"), often))),
    }
    if story.placed {
        rows.push(row(pick("Where", "位置"), &story.full));
    }
    let rule = story.rules.first().map(|rule| format!("{} · {rule}", story.numbers)).unwrap_or_default();
    if !story.several && !rule.is_empty() {
        rows.push(row(pick("Incident", "编号"), &rule));
    }
    rows.extend(
        story
            .own
            .links
            .iter()
            .map(|link| Row { url: Some(link.url.clone()), ..row(pick("Open", "打开"), &link.name) }),
    );
    rows.truncate(ROWS);
    let source = match story.mark {
        Sign::Critical | Sign::Warning | Sign::Info | Sign::Muted => story.severity,
        Sign::Well => pick("well again", "已恢复"),
        Sign::Ended => pick("over", "已结束"),
    };
    Card {
        group: view.group.id,
        channel: view.channel.name.clone(),
        sign: story.mark,
        source: fit(source, SOURCE),
        title: fit(&story.summary(), TITLE),
        under: fit(under, UNDER),
        text: fit(&text(&story, view.channel.language), TEXT),
        rows,
        buttons: buttons(view),
    }
}

/// The running text: what people did about it before all that was known anyway.
fn text(story: &Story, language: Language) -> String {
    let by = |ack: &super::own::Acknowledged| match language {
        Language::En => format!("{} has it since {}", ack.by, ack.at),
        Language::Zh => format!("{} 已于 {} 认领", ack.by, ack.at),
    };
    let labelled = |label: &str, text: &str| if text.is_empty() { String::new() } else { format!("{label}{text}") };
    let (cause, fix) = match language {
        Language::En => ("Likely cause: ", "Do: "),
        Language::Zh => ("可能原因：", "处理："),
    };
    let muted = labelled("🔇 ", &story.standing.muted);
    let mut lines: Vec<String> = story.standing.acks.iter().map(by).collect();
    lines.extend([muted, story.standing.part_of.clone(), story.own.summary.clone(), story.viewers.clone()]);
    lines.extend([labelled(fix, &story.fix), labelled(cause, &story.cause), story.own.description.clone()]);
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn of_line(line: &Line) -> String {
    let whose =
        if line.whose { format!("{} ", title::plain(line.about, line.named, &line.stream)) } else { String::new() };
    format!("{} {whose}{} · {}", line.sign, line.what, line.often)
}

/// Foreign text made inert, and cut to so many columns.
fn fit(text: &str, columns: usize) -> String {
    let text = defuse(text);
    if text.width() <= columns {
        return text;
    }
    // One column is for the sign that something is missing.
    let ends = text.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|end| text[..*end].width() < columns).last().unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Whose card it is that was sent under this name: of which message, in which channel. `None` for a name that is none of
/// ours; one that is may still be made up, and proves nothing.
#[must_use]
pub fn card_of(task: &str) -> Option<(GroupId, ChannelName)> {
    let mut parts = task.splitn(4, '-');
    let group = parts.next()?.parse().ok()?;
    let channel = parts.nth(2)?.replace('@', ".");
    Some((GroupId(group), ChannelName::new(&channel)))
}

impl Card {
    /// The name to send it under: digits, letters, `_`, `-` and `@`, at most 128 (path 90372). `dice` makes it a new one.
    #[must_use]
    pub fn task(&self, delivery: DeliveryId, dice: u64) -> String {
        // Names of channels may have dots, and no `@`.
        format!("{}-{}-{dice:x}-{}", self.group.0, delivery.0, self.channel.as_str().replace('.', "@"))
    }

    /// The number of its colour: grey 0, black 1, red 2, green 3.
    #[must_use]
    pub fn color(&self) -> u8 {
        match self.sign {
            Sign::Critical => 2,
            Sign::Warning => 1,
            Sign::Well => 3,
            Sign::Info | Sign::Ended | Sign::Muted => 0,
        }
    }

    /// As a message's `template_card`; `task` names it, by no other name than any card of the app before. Only cards with
    /// buttons can be sent.
    #[must_use]
    pub fn wecom(&self, task: &str) -> Value {
        let row = |row: &Row| match &row.url {
            None => json!({ "keyname": row.name, "value": row.value }),
            Some(url) => json!({ "type": 1, "keyname": row.name, "value": row.value, "url": url }),
        };
        let button = |button: &Button| json!({ "text": button.label, "style": style(button.press), "key": button.press.to_string() });
        json!({
            "card_type": "button_interaction",
            "source": { "desc": self.source, "desc_color": self.color() },
            "main_title": { "title": self.title, "desc": self.under },
            "sub_title_text": self.text,
            "horizontal_content_list": self.rows.iter().map(row).collect::<Vec<_>>(),
            "task_id": task,
            "button_list": self.buttons.iter().map(button).collect::<Vec<_>>(),
        })
    }
}

/// How a button of a card looks: 1 is the one to click, 2 the others.
#[must_use]
pub fn style(press: Press) -> u8 {
    match press {
        Press::Ack(_) | Press::Confirm(_) => 1,
        Press::Mute(_) | Press::Details(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ack, Catalogue, Channel, State, Timestamp};
    use crate::render::sample::{self, Sample, app};

    fn of(sample: &Sample, channel: &Channel) -> Card {
        let catalogue = Catalogue::default();
        let incidents: Vec<_> = sample
            .incidents
            .clone()
            .into_iter()
            .map(|mut incident| {
                incident.notify = [channel.name.clone()].into();
                incident
            })
            .collect();
        card(&View { group: &sample.group, incidents: &incidents, channel, catalogue: &catalogue, now: sample::NOW })
    }

    /// As it looks.
    fn look(card: &Card) -> String {
        let rows =
            card.rows.iter().map(|row| format!("{} | {} {}", row.name, row.value, row.url.as_deref().unwrap_or("")));
        let rows: Vec<String> = rows.collect();
        let buttons: Vec<String> = card.buttons.iter().map(|button| format!("[{}]", button.label)).collect();
        let Card { source, title, under, text, .. } = card;
        format!("({source})\n{title}\n{under}\n\n{text}\n\n{}\n{}", rows.join("\n"), buttons.join(" "))
    }

    #[test]
    fn cards_read_well_in_both_languages() {
        let mut looks = String::new();
        for language in Language::ALL {
            for sample in sample::ordinary() {
                looks.push_str(&format!("== {}\n{}\n\n", sample.name, look(&of(&sample, &app(language)))));
            }
        }
        insta::assert_snapshot!(looks.replace('\u{200b}', ""));
    }

    #[test]
    fn whatever_it_is_about_a_card_keeps_to_its_fields_and_holds_nothing_that_acts() {
        for language in Language::ALL {
            for sample in sample::ordinary().into_iter().chain(sample::hostile()) {
                let card = of(&sample, &app(language));
                let fields = [(&card.title, TITLE), (&card.under, UNDER), (&card.text, TEXT), (&card.source, SOURCE)];
                let rows = card.rows.iter().flat_map(|row| [(&row.name, NAME), (&row.value, VALUE)]);
                for (field, most) in fields.into_iter().chain(rows) {
                    assert!(field.width() <= most, "{}: {field}", sample.name);
                    assert!(!field.contains(['<', '>', '`', '@', '\u{202e}']) && !field.contains("://"), "{field}");
                }
                assert!(!card.title.trim().is_empty() && card.rows.len() <= ROWS && card.buttons.len() <= 3);
                assert!(!card.title.contains('\n') && !card.under.contains('\n'));
            }
        }
    }

    #[test]
    fn a_card_shows_what_people_did_and_offers_what_is_left() {
        let mut sample = sample::ordinary().into_iter().find(|sample| sample.incidents[0].is_firing()).unwrap();
        let channel = app(Language::En);
        sample.incidents[0].ack = Some(Box::new(Ack { by: "<ann>".into(), at: sample::NOW }));
        sample.incidents[0].muted_until = Some(Timestamp(sample::NOW.0 + 3_600_000));
        let card = of(&sample, &channel);
        assert!(card.text.starts_with("＜ann＞ has it since 12:05\n🔇 muted until 13:05"), "{}", card.text);
        let labels: Vec<&str> = card.buttons.iter().map(|button| button.label).collect();
        assert_eq!(labels, ["Mute 1h", "Details"]);
        sample.incidents.iter_mut().for_each(|incident| {
            incident.state = State::Resolved;
            incident.resolved_at = Some(sample::NOW);
        });
        assert!(of(&sample, &channel).buttons.is_empty());
    }

    #[test]
    fn a_name_of_a_card_says_whose_it_is_and_what_is_none_is_known() {
        let sample = sample::ordinary().remove(0);
        let mut channel = app(Language::En);
        channel.name = ChannelName::new("on-call.eu_1");
        let card = of(&sample, &channel);
        let task = card.task(DeliveryId(u64::MAX), u64::MAX);
        assert!(task.len() <= 128 && task.chars().all(|c| c.is_ascii_alphanumeric() || "_-@".contains(c)), "{task}");
        assert_eq!(card_of(&task), Some((card.group, channel.name)));
        for none in ["", "t1", "1-2-3", "x-2-3-ops", "-1-2-3-ops"] {
            assert_eq!(card_of(none), None, "{none}");
        }
        assert_eq!(card.wecom("t")["task_id"], "t");
        assert_eq!(card.wecom("t")["card_type"], "button_interaction");
    }
}
