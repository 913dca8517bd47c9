//! The catalogue is complete in both languages and knows every documented number.

use super::*;

fn all() -> Vec<(String, &'static Entry)> {
    let mut entries: Vec<(String, &'static Entry)> = Vec::new();
    for number in 1..=16 {
        entries.push((format!("type {number}"), troubles::entry(AbnormalType(number)).unwrap()));
    }
    for (index, stop) in stops::GROUPS.into_iter().enumerate() {
        entries.push((format!("stop group {index}"), stop));
    }
    entries
}

#[test]
fn no_text_is_empty_too_long_or_left_in_the_other_language() {
    for (which, entry) in all() {
        for language in Language::ALL {
            let text = entry.words(language).text();
            for (field, most) in [(&text.name, 40), (&text.viewers, 80), (&text.cause, 160), (&text.fix, 160)] {
                assert!(!field.trim().is_empty(), "{which}");
                assert!(field.chars().count() <= most, "{which}: {field}");
                assert!(!field.contains(['<', '>', '`', '*', '\n']), "{which}: {field}");
                let chinese = field.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                assert_eq!(chinese, language == Language::Zh, "{which}: {field}");
            }
        }
    }
}

#[test]
fn what_is_measured_has_a_unit_and_a_word_for_the_worst() {
    for number in 0..=20 {
        let kind = AbnormalType(number);
        let unit = match number {
            1..=4 | 6 | 7 | 12 => Some(Unit::Milliseconds),
            5 => Some(Unit::Bytes),
            15 => Some(Unit::Fps),
            16 => Some(Unit::Seconds),
            _ => None,
        };
        assert_eq!(Catalogue::unit(kind), unit, "type {number}");
        for language in Language::ALL {
            assert_eq!(Catalogue::measure(kind, language).is_some_and(|word| !word.is_empty()), unit.is_some());
        }
    }
}

#[test]
fn unknown_types_have_a_name_and_a_severity() {
    let catalogue = Catalogue::default();
    for number in [0, 17, u32::MAX] {
        let kind = AbnormalType(number);
        assert_eq!(catalogue.trouble(kind, Language::En).name, format!("type {number}"));
        assert_eq!(catalogue.trouble(kind, Language::Zh).name, format!("类型 {number}"));
        assert_eq!(catalogue.severity(kind), Severity::Warning);
    }
}

#[test]
fn an_override_replaces_what_it_names_and_nothing_else() {
    let kind = AbnormalType(16);
    let own =
        Override { fix: Some("call the truck".into()), severity: Some(Severity::Critical), ..Override::default() };
    let catalogue = Catalogue::new(BTreeMap::from([(kind, own)]));
    let (text, built_in) = (catalogue.trouble(kind, Language::Zh), Catalogue::default().trouble(kind, Language::Zh));
    assert_eq!(text.fix, "call the truck");
    assert_eq!((text.name, text.cause), (built_in.name, built_in.cause));
    assert_eq!(catalogue.severity(kind), Severity::Critical);
    assert_eq!(catalogue.severity(AbnormalType(15)), Severity::Warning);
    let unknown = AbnormalType(40);
    let own = Override { name: Some("lip sync lost".into()), ..Override::default() };
    let catalogue = Catalogue::new(BTreeMap::from([(unknown, own)]));
    assert_eq!(catalogue.trouble(unknown, Language::En).name, "lip sync lost");
}

#[test]
fn every_errcode_of_the_table_falls_into_its_group() {
    let catalogue = Catalogue::default();
    let name = |code| catalogue.stop(code, Language::En).name;
    let groups: [(&[i64], &str); 10] = [
        (&[1, 2], "push stopped normally"),
        (&[3, 4, 35], "connection closed by the encoder's side"),
        (&[5, 9, 10, 11, 24, 38], "push cut by an error inside CSS"),
        (&[6, 23, 33], "push cut: bad RTMP data"),
        (&[7, 39], "push cut: a frame was too large"),
        (&[8, 20], "push cut: no data came"),
        (&[12, 13, 14, 15, 16, 17], "push cut by a network error"),
        (&[18, 19], "push refused"),
        (&[21], "push cut on request or replaced"),
        (&[37], "push stopped: nobody watched"),
    ];
    for (codes, group) in groups {
        for code in codes {
            assert_eq!(name(Some(*code)), group, "errcode {code}");
        }
    }
    for code in [0, 22, 25, 32, 34, 36, 40, -1, i64::MAX] {
        assert_eq!(name(Some(code)), "push ended for an unknown reason", "errcode {code}");
    }
    assert_eq!(name(None), "push ended");
    assert_eq!(catalogue.stop_severity(Some(1)), Severity::Info);
    assert_eq!(catalogue.stop_severity(Some(13)), Severity::Critical);
}
