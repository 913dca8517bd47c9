//! Whatever the text: no panic, no hang, a place for each mistake.

use proptest::prelude::*;

use super::{Diagnostic, load};

const SHIPPED: &str = include_str!("../../../rules.yaml");

fn check(text: &str) {
    let Err(mistakes) = load(text, "rules.yaml", &super::environment) else { return };
    assert!(!mistakes.is_empty());
    let lines = text.split('\n').count();
    for mistake in &mistakes {
        assert!((1..=lines).contains(&mistake.line()), "{mistake:?}");
        assert!(mistake.column() >= 1);
        assert!(!drawn(mistake).is_empty());
    }
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
    fn any_condition(field in "value|type|errcode|stream|count|push_duration|hour|weekday|any", condition in "\\PC{0,30}|[=!]~ ?[a-c.*+?(){}|\\[\\]\\\\^$0-9]{0,20}|(mon|fri|sun)?-?(tue|[0-9]{1,2})?|[<>=! ]{0,3}[0-9.e-]{0,6}[a-zA-Z*?]{0,4}") {
        let condition = serde_json::to_string(&condition).unwrap();
        for on in ["push_error", "push_end"] {
            check(&format!("{}rules: [ {{ name: a, on: {on}, where: {{ {field}: {condition} }} }} ]\n", super::HEAD));
        }
    }
}

#[test]
fn line_ends_and_byte_order_marks_are_borne() {
    let windows = SHIPPED.replace('\n', "\r\n");
    assert!(load(&windows, "rules.yaml", &|_| None).is_ok());
    assert!(load(&format!("\u{feff}{SHIPPED}"), "rules.yaml", &|_| None).is_ok());
}
