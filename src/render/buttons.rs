//! The buttons under a message about incidents. Pure.

use serde_json::{Value, json};

use super::View;
use crate::model::{Button, Incident, Language, Press};

/// What can be done about a message's incidents where the channel has buttons: nothing once all of them are over.
#[must_use]
pub fn buttons(view: &View<'_>) -> Vec<Button> {
    let View { group, channel, .. } = view;
    // What is told in another channel's stead is not this one's to judge.
    let is_here = |incident: &&Incident| incident.is_firing() && incident.notify.contains(&channel.name);
    let firing = || view.incidents.iter().filter(is_here);
    if !channel.has_buttons() || firing().next().is_none() {
        return Vec::new();
    }
    let button = |press| Button { label: label(press, channel.language), press };
    let mut buttons = vec![button(Press::Mute(group.id))];
    if firing().any(|incident: &Incident| incident.ack.is_none()) {
        buttons.push(button(Press::Ack(group.id)));
    }
    buttons.push(button(Press::Details(group.id)));
    buttons
}

/// The button under a question.
#[must_use]
pub fn confirm(id: u64, language: Language) -> Button {
    let press = Press::Confirm(id);
    Button { label: label(press, language), press }
}

/// As a block of Slack's: `{"type":"actions",…}`. At least one button; their kinds differ, so their `action_id`s do.
#[must_use]
pub fn slack_actions(buttons: &[Button]) -> Value {
    let element = |button: &Button| {
        json!({
            "type": "button",
            "action_id": kind(button.press),
            "value": button.press.to_string(),
            "text": { "type": "plain_text", "text": button.label },
        })
    };
    json!({ "type": "actions", "elements": buttons.iter().map(element).collect::<Vec<_>>() })
}

/// As Telegram's `reply_markup`: one row.
#[must_use]
pub fn telegram_keyboard(buttons: &[Button]) -> Value {
    let key = |button: &Button| json!({ "text": button.label, "callback_data": button.press.to_string() });
    json!({ "inline_keyboard": [buttons.iter().map(key).collect::<Vec<_>>()] })
}

/// A word for what a button does.
fn kind(press: Press) -> &'static str {
    match press {
        Press::Mute(_) => "mute",
        Press::Ack(_) => "ack",
        Press::Details(_) => "details",
        Press::Confirm(_) => "confirm",
    }
}

fn label(press: Press, language: Language) -> &'static str {
    match (press, language) {
        (Press::Mute(_), Language::En) => "Mute 1h",
        (Press::Mute(_), Language::Zh) => "静音 1 小时",
        (Press::Ack(_), Language::En) => "Ack",
        (Press::Ack(_), Language::Zh) => "认领",
        (Press::Details(_), Language::En) => "Details",
        (Press::Details(_), Language::Zh) => "详情",
        (Press::Confirm(_), Language::En) => "Yes, mute",
        (Press::Confirm(_), Language::Zh) => "确认静音",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Ack, Allow, Catalogue, ChannelKind, State, Timestamp};
    use crate::render::sample;

    #[test]
    fn there_are_buttons_where_somebody_may_click_them_while_something_fires() {
        let sample = sample::ordinary().into_iter().find(|sample| sample.incidents.iter().any(Incident::is_firing));
        let mut sample = sample.unwrap();
        let mut channel = sample::channel(ChannelKind::Telegram, Language::En);
        let catalogue = Catalogue::default();
        for incident in &mut sample.incidents {
            incident.notify = [channel.name.clone()].into();
        }
        let labels = |sample: &sample::Sample, channel: &crate::model::Channel| -> Vec<&str> {
            let view = View {
                group: &sample.group,
                incidents: &sample.incidents,
                channel,
                catalogue: &catalogue,
                now: Timestamp(0),
            };
            buttons(&view).into_iter().map(|button| button.label).collect()
        };
        assert_eq!(labels(&sample, &channel), [""; 0], "nobody may click them");
        channel.allow = Allow::These(BTreeSet::from(["7".into()]));
        assert_eq!(labels(&sample, &channel), ["Mute 1h", "Ack", "Details"]);
        for incident in &mut sample.incidents {
            incident.ack = Some(Box::new(Ack { by: "ann".into(), at: Timestamp(0) }));
        }
        assert_eq!(labels(&sample, &channel), ["Mute 1h", "Details"]);
        let robot = sample::channel(ChannelKind::Wecom, Language::En);
        assert_eq!(labels(&sample, &robot), [""; 0], "a robot hears nothing");
        let mut elsewhere = channel.clone();
        elsewhere.name = crate::model::ChannelName::new("fallback");
        assert_eq!(labels(&sample, &elsewhere), [""; 0]);
        for incident in &mut sample.incidents {
            incident.state = State::Resolved;
        }
        assert_eq!(labels(&sample, &channel), [""; 0]);
    }
}
