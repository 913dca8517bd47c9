//! Updates as python-telegram-bot writes them (`tests/updates.tsv`: a name, and the update), and whatever else may come.

use proptest::prelude::*;

use super::*;
use crate::model::GroupId;

const UPDATES: &str = include_str!("tests/updates.tsv");
const GROUP: i64 = -1_001_234_567_890;

fn read_named(name: &str) -> What {
    let line = UPDATES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')).unwrap();
    update(line.as_bytes()).unwrap().what
}

fn said(name: &str) -> Said {
    match read_named(name) {
        What::Said(said) => said,
        other => panic!("{name}: {other:?}"),
    }
}

fn order(word: &str, bot: Option<&str>, rest: &str) -> Order {
    Order { word: word.into(), bot: bot.map(Into::into), rest: rest.into() }
}

fn by(id: &str, name: &str) -> Author {
    Author { id: id.into(), name: name.into() }
}

#[test]
fn a_command_in_a_topic_by_its_utf16_length() {
    let said = said("topic");
    assert_eq!(said.order, order("mute", Some("alert_bot"), "cam🔕1 30m"));
    assert_eq!(said.spot, Spot { chat: GROUP, topic: Topic::Thread(5), message: 11 });
    assert_eq!((said.author, said.is_private), (by("7", "Ann Lee"), false));
    assert_eq!(said.at, Timestamp(1_767_312_000_000));
}

#[test]
fn a_thread_of_answers_is_no_topic() {
    let said = said("reply");
    assert_eq!((said.spot.topic, said.order), (Topic::Main, order("ack", None, "12")));
}

#[test]
fn anonymous_admins_are_their_group_and_channels_are_themselves() {
    assert_eq!(said("anonymous").author, by("-1001234567890", "Alerts"));
    let post = said("channel");
    assert_eq!((post.author, post.order), (by("-1009", "Status"), order("incidents", None, "")));
}

#[test]
fn alone_with_us_any_text_is_a_line() {
    let said = said("private");
    assert_eq!((said.is_private, said.order), (true, order("", None, "status cam1")));
}

#[test]
fn what_was_edited_forwarded_or_written_by_a_bot_is_no_command_nor_what_stands_later_or_under_a_photo() {
    for name in ["edited", "forwarded", "via", "bot", "later", "photo", "inline"] {
        assert_eq!(read_named(name), What::Nothing, "{name}");
    }
}

#[test]
fn clicks_also_below_messages_that_are_too_old_to_be_shown() {
    let What::Clicked(click) = read_named("click") else { panic!() };
    assert_eq!((click.press, &*click.query), (Some(Press::Mute(GroupId(3))), "4382bfdwdsb323b2d9"));
    assert_eq!((click.author, click.spot.topic), (by("7", "Ann Lee"), Topic::Main));
    let What::Clicked(old) = read_named("old_click") else { panic!() };
    assert_eq!((old.press, old.spot.topic), (Some(Press::Ack(GroupId(3))), Topic::Unknown));
}

#[test]
fn a_group_that_moved() {
    assert_eq!(read_named("moved"), What::Moved { from: -100, to: -1003 });
}

#[test]
fn an_update_that_can_not_be_read_is_nothing_and_has_its_number_all_the_same() {
    for text in [
        r#"{"update_id":4}"#,
        r#"{"update_id":4,"message":5}"#,
        r#"{"update_id":4,"message":{"message_id":"x"}}"#,
        r#"{"update_id":4,"poll":{}}"#,
    ] {
        assert_eq!(update(text.as_bytes()), Some(Update { id: 4, what: What::Nothing }), "{text}");
    }
    for text in ["", "[]", "{}", r#"{"update_id":"4"}"#, r#"{"update_id":4.5}"#, "\u{0}"] {
        assert_eq!(update(text.as_bytes()), None, "{text}");
    }
    let list = updates(r#"[{"update_id":4},{"what":1},7,{"update_id":6,"message":null}]"#).unwrap();
    assert_eq!(list.iter().map(|update| update.id).collect::<Vec<_>>(), [4, 6]);
    assert_eq!(updates("{}"), None);
}

#[test]
fn a_length_that_cuts_a_character_or_passes_the_end_is_no_command() {
    let text = "/a😀b";
    assert_eq!(split(text, 2), Some(("/a", "😀b")));
    assert_eq!(split(text, 3), None);
    assert_eq!(split(text, 4), Some(("/a😀", "b")));
    assert_eq!(split(text, 5), Some((text, "")));
    assert_eq!(split(text, 6), None);
    assert_eq!(split(text, usize::MAX), None);
}

#[test]
fn a_click_with_data_that_is_not_ours_or_too_long_presses_nothing() {
    for data in ["mute:03", "drop:1", &"mute:1".repeat(20), ""] {
        let text = UPDATES.replace("\"mute:3\"", &format!("{data:?}"));
        let line = text.lines().find_map(|line| line.strip_prefix("click\t")).unwrap();
        let What::Clicked(click) = update(line.as_bytes()).unwrap().what else { panic!() };
        assert_eq!(click.press, None, "{data}");
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_makes_it_panic(line in 0usize..15, cut in 0usize..900, byte: u8, text in ".*", length: usize, offset: i64) {
        let mut json = UPDATES.lines().nth(line).unwrap().split_once('\t').unwrap().1.as_bytes().to_vec();
        let at = cut % json.len();
        json[at] = byte;
        let _ = update(&json);
        let _ = update(&json[..at]);
        let entities = serde_json::json!([{ "type": "bot_command", "offset": offset % 2, "length": length % 40 }]);
        let message = serde_json::json!({ "update_id": 1, "message": {
            "message_id": 1, "date": i64::MAX, "chat": { "id": i64::MIN, "type": "group" }, "from": { "id": 1, "first_name": text },
            "text": format!("/{text}"), "entities": entities } });
        prop_assert!(update(message.to_string().as_bytes()).is_some());
    }
}
