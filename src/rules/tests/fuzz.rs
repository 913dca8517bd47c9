//! Whatever the text: no panic, no hang, a place for each mistake.

use proptest::prelude::*;

use super::schema::{EVERY_KEY, plain, refusals_of};
use super::{Diagnostic, load, trees};

const SHIPPED: &str = include_str!("../../../rules.yaml");

/// Whether the file is accepted.
fn check(text: &str) -> bool {
    let Err(mistakes) = load(text, "rules.yaml", &super::environment) else {
        // What has no plain form (a float that is no number) is nothing that a schema speaks of.
        let refusals = plain(text).map(|tree| refusals_of(&tree)).unwrap_or_default();
        assert!(refusals.is_empty(), "the schema refuses what the reader takes: {refusals:#?}\n{text}");
        return true;
    };
    assert!(!mistakes.is_empty() && mistakes.len() <= 101);
    let lines: Vec<&str> = text.split('\n').collect();
    for mistake in &mistakes {
        let line = lines.get(mistake.line() - 1).unwrap_or_else(|| panic!("no such line: {mistake:?}"));
        assert!((1..=line.chars().count() + 1).contains(&mistake.column()), "no such column: {mistake:?}");
        assert!(!drawn(mistake).is_empty());
    }
    false
}

fn drawn(mistake: &Diagnostic) -> String {
    mistake.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}|[-:{}\\[\\]\"'&*#|>,!%@`$~ \t\n\ra-c0-9]{0,200}|(\\s|[a-z]+: ?|- |流|\u{1b}){0,60}") {
        check(&text);
    }

    #[test]
    fn the_shipped_file_with_a_piece_cut_out_and_another_put_in(
        from in 0..SHIPPED.len(),
        length in 0usize..80,
        piece in "[-:{}\\[\\]\"'&*#>!$ \t\na-z0-9]{0,12}|流|\u{feff}|: \\{\\}|- - |\"\"|null|&a \\*a|9e999|\\$\\{X\\}",
    ) {
        let from = SHIPPED.floor_char_boundary(from);
        let to = SHIPPED.floor_char_boundary((from + length).min(SHIPPED.len()));
        check(&format!("{}{piece}{}", &SHIPPED[..from], &SHIPPED[to..]));
    }

    #[test]
    fn a_file_of_every_key_with_a_piece_cut_out_and_another_put_in(
        from in 0..EVERY_KEY.len(),
        length in 0usize..40,
        piece in "[-:{}\\[\\]\"'&*#>!$ \ta-z0-9]{0,8}|流|: \\{\\}|\"\"|null|-1|9e999|0s|99d|push_end|silence|[a-z_]{3,8}: |\\$\\{X\\}",
    ) {
        let to = (from + length).min(EVERY_KEY.len());
        check(&format!("{}{piece}{}", &EVERY_KEY[..from], &EVERY_KEY[to..]));
    }

    #[test]
    fn any_tree_of_the_keys(seed in any::<u64>()) {
        check(&trees::file(seed));
    }

    #[test]
    fn any_condition(field in "value|type|errcode|stream|count|push_duration|hour|weekday|any", condition in "\\PC{0,30}|[=!]~ ?[a-c.*+?(){}|\\[\\]\\\\^$0-9]{0,20}|(mon|fri|sun)?-?(tue|[0-9]{1,2})?|[<>=! ]{0,3}[0-9.e-]{0,6}[a-zA-Z*?]{0,4}") {
        let condition = serde_json::to_string(&condition).unwrap();
        for on in ["push_error", "push_end"] {
            check(&format!("{}rules: [ {{ name: a, on: {on}, where: {{ {field}: {condition} }} }} ]\n", super::HEAD));
        }
    }
}

/// The property above would say nothing of accepted files if none were.
#[test]
fn trees_of_the_keys_are_accepted_now_and_then() {
    let accepted = (0..400).filter(|seed| check(&trees::file(*seed))).count();
    assert!((20..380).contains(&accepted), "{accepted} of 400");
}

/// The largest file, each line of it wrong in a way that asks for a hint among all names.
#[test]
fn a_large_file_of_mistakes_ends_soon() {
    let rule = |i: usize| {
        format!(
            "- {{ name: rule_{i}, on: push_error, inhibits: [rul_{i}, rule_{}], group_by: [lab_{i}], labels: {{ l{i}: x }}, active: [n{i}] }}\n",
            i + 1
        )
    };
    let mut text = format!("{}rules:\n", super::HEAD);
    for i in 0.. {
        let next = rule(i);
        if text.len() + next.len() > 1024 * 1024 {
            break;
        }
        text += &next;
    }
    #[expect(clippy::disallowed_methods, reason = "measures the test itself")]
    let begun = std::time::Instant::now();
    let mistakes = load(&text, "rules.yaml", &|_| None).unwrap_err();
    assert_eq!(mistakes.len(), 101);
    // Unoptimised and on a shared machine; a release build takes a tenth.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn line_ends_and_byte_order_marks_are_borne() {
    let windows = SHIPPED.replace('\n', "\r\n");
    assert!(load(&windows, "rules.yaml", &|_| None).is_ok());
    assert!(load(&format!("\u{feff}{SHIPPED}"), "rules.yaml", &|_| None).is_ok());
}

/// The places of all single values of a tree.
fn leaves(tree: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match tree {
        serde_json::Value::Array(items) => {
            (0..).zip(items).for_each(|(n, item)| leaves(item, &format!("{path}/{n}"), found));
        }
        serde_json::Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

/// What the environment gives may be a secret, wherever it stands: no mistake shows it, whoever can't read it.
#[test]
fn what_the_environment_gave_is_in_no_mistake() {
    let tree = plain(EVERY_KEY).unwrap();
    let mut places = Vec::new();
    leaves(&tree, "", &mut places);
    assert!(places.len() > 100, "{}", places.len());
    let mut refused = 0;
    for place in places {
        for value in ["=~ hunter2", "hunter2[*", "hunter2=\"*\", hunter2!=\"(\""] {
            let mut tree = tree.clone();
            *tree.pointer_mut(&place).unwrap() = "${S}".into();
            let mistakes = load(&tree.to_string(), "rules.yaml", &|_| Some(value.to_owned())).err().unwrap_or_default();
            for mistake in &mistakes {
                assert!(!drawn(mistake).contains("hunter2"), "{place}: {value}\n{mistake}");
            }
            refused += usize::from(!mistakes.is_empty());
        }
    }
    assert!(refused > 150, "{refused}");
}
