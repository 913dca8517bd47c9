//! Matchers: what is read as what, what is refused with which words, and equality with a naive model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

/// Whether a list holds of a stream's labels.
fn holds(text: &str) -> bool {
    let labels = BTreeMap::from([("stream", "live_1"), ("domain", "push.example.com"), ("severity", "critical")]);
    let matchers = Matchers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    matchers.hold(|label| labels.get(label).copied())
}

#[test]
fn each_operator_and_each_way_to_write_a_list() {
    for text in [
        "stream=live_1",
        "stream=\"live_1\"",
        "{stream=\"live_1\"}",
        " { stream = \"live_1\" , severity != \"info\" , } ",
        "stream=~\"live_.*\",severity=critical,",
        "stream=~live_.*",
        "stream=~\"live_\\d\"",
        "domain=~\"push\\.example\\.com\"",
        "stream!~\"test.*\",domain!=other",
        "\"stream\"=\"live_1\"",
        "{stream=live_1}",
        "stream=~live_1|live_2",
        "stream=live_1,stream!=live_2",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in ["stream=live", "stream=~live", "stream=~ive_1", "stream=live_1,severity=info", "stream!~\"live_.*\""] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn a_label_that_is_missing_is_the_empty_text() {
    assert!(holds("team=\"\"") && holds("team!=a") && holds("team=~\".*\"") && holds("team!~\".+\""));
    assert!(!holds("team!=\"\"") && !holds("team=a") && !holds("team=~\".+\""));
}

#[test]
fn escapes_are_those_of_alertmanager() {
    let value = |text: &str| Matchers::parse(&format!("a=\"{text}\"")).unwrap().list[0].value.to_string();
    assert_eq!(value(r#"say \"hi\""#), r#"say "hi""#);
    assert_eq!(value(r"a\\b"), r"a\b");
    assert_eq!(value(r"a\nb"), "a\nb");
    assert_eq!(value(r"a\.b\d"), r"a\.b\d");
    assert_eq!(value("{a=b, c}!~"), "{a=b, c}!~");
}

#[test]
fn the_canonical_text_is_one_for_all_spellings() {
    let canonical = |text: &str| Matchers::parse(text).unwrap().to_string();
    let wanted = r#"stream=~"live_.*", severity!="info""#;
    assert_eq!(canonical(wanted), wanted);
    assert_eq!(canonical("{ stream =~ live_.*,\"severity\" != info, }"), wanted);
    assert_eq!(canonical(r#""two words"="a\"b\nc\d""#), r#""two words"="a\"b\nc\\d""#);
    assert_eq!(Matchers::parse("a=b").unwrap(), Matchers::parse(" {a=\"b\"} ").unwrap());
    assert_ne!(Matchers::parse("a=b").unwrap(), Matchers::parse("a=~b").unwrap());
    assert_ne!(Matchers::parse("a=b,c=d").unwrap(), Matchers::parse("a=b").unwrap());
}

#[test]
fn labels_are_named_in_order() {
    let matchers = Matchers::parse("stream=~\"a.*\", team=x, stream!=ab").unwrap();
    assert_eq!(matchers.labels().collect::<Vec<_>>(), ["stream", "team", "stream"]);
}

#[test]
fn what_is_not_known_yet_may_hold() {
    let may = |text: &str| {
        Matchers::parse(text).unwrap().may_hold(|label| match label {
            "stream" => Some("live_1"),
            "path" => Some(""),
            _ => None,
        })
    };
    assert!(may("stream=live_1,rule=gop") && may("rule!~\".*\"") && may("path=\"\",severity=critical"));
    assert!(!may("stream=live_2,rule=gop") && !may("path=live,rule=gop"));
}

#[test]
fn the_empty_list_holds_of_everything_and_is_never_read() {
    assert!(Matchers::default().hold(|_| None));
    assert!(Matchers::parse("").is_err() && Matchers::parse("{}").is_err());
}

#[test]
fn what_is_refused_says_where_and_what_to_write() {
    let mut shown = String::new();
    for text in [
        "",
        "{ }",
        "stream",
        "stream:live",
        "stream live_1",
        "stream==\"live_1\"",
        "stream=!live_1",
        "stream~=\"live_.*\"",
        "stream<>live_1",
        "stream!live_1",
        "stream=",
        "stream=,severity=info",
        "=live_1",
        "stream=live 1",
        "stream=a{2}",
        "stream=~live_\\d+",
        "stream='live_1'",
        "stream=`live_1`",
        "stream=\"live_1",
        "stream=\"live_1\\\"",
        "stream=live_1 severity=info",
        "stream=live_1 and severity=info",
        "stream=live_1; severity=info",
        "{stream=live_1",
        "stream=live_1}",
        "{stream=live_1} severity=info",
        "{stream=live_1}}",
        "{{stream=live_1}}",
        "a=b,,c=d",
        "stream=~\"live_*\"",
        "流=~\"*.example.com\"",
        "stream=~\"(live\"",
        "domain=push.example.com,stream=~\"a)|(b\"",
        "stream=~\"(?=a)b\"",
    ] {
        let MatcherError { at, message, hint } = Matchers::parse(text).expect_err(text);
        assert!(text.is_char_boundary(at), "{text}: {at}");
        writeln!(shown, "{text}\n{}^ {message}\n  help: {}", " ".repeat(at), hint.unwrap_or_default()).unwrap();
    }
    assert_snapshot!(shown);
}

#[test]
fn lists_are_bounded() {
    let many = |count: usize| (0..count).map(|n| format!("a{n}=b,")).collect::<String>();
    assert!(Matchers::parse(&many(32)).is_ok());
    assert!(Matchers::parse(&many(33)).unwrap_err().message.contains("more than 32"));
    assert!(Matchers::parse(&format!("a=\"{}\"", "b".repeat(4092))).is_ok());
    assert!(
        Matchers::parse(&format!("a=\"{}\"", "b".repeat(4093))).unwrap_err().message.contains("at most 4096 bytes")
    );
    // Written it is short enough, stored it would not be: each backslash is doubled.
    assert!(Matchers::parse(&format!("a=\"{}\"", "\\x".repeat(2000))).unwrap_err().message.contains("at most"));
    let hostile =
        [format!("a=~\"{}\"", "(a?){99}".repeat(100)), "{".repeat(4096), "a=\"".repeat(1000), "\\".repeat(4096)];
    for text in &hostile {
        assert!(Matchers::parse(text).is_err());
    }
}

#[test]
fn a_glob_where_the_exact_text_is_asked_for_is_doubted() {
    let doubt = |text: &str| Matchers::parse(text).unwrap().doubt();
    let found = doubt("severity=info, stream=\"live_*\"").unwrap();
    assert_eq!((found.at, &*found.message), (22, "`live_*` is taken as the exact text, star and all"));
    assert_eq!(found.hint.as_deref(), Some("for any text, write stream=~\"live_.*\""));
    assert_eq!(doubt("domain!=*.com").unwrap().hint.as_deref(), Some("for any text, write domain!~\".*\\\\.com\""));
    assert_eq!(doubt("stream=~\"live_.*\", severity=info"), None);
}

/// A matcher as the naive model has it, with its pattern in plain words.
#[derive(Clone, Debug)]
struct Naive {
    label: &'static str,
    equal: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Text(String),
    Exactly(String),
    Begins(String),
    OneOf(String, String),
}

impl Naive {
    fn written(&self, spaces: &str) -> String {
        let escaped = |text: &str| regex::escape(text);
        let value = match &self.wanted {
            Wanted::Text(text) => text.clone(),
            Wanted::Exactly(text) => escaped(text),
            Wanted::Begins(text) => format!("(?s:{}.*)", escaped(text)),
            Wanted::OneOf(one, other) => format!("{}|{}", escaped(one), escaped(other)),
        };
        let sign = match (&self.wanted, self.equal) {
            (Wanted::Text(_), true) => "=",
            (Wanted::Text(_), false) => "!=",
            (_, true) => "=~",
            (_, false) => "!~",
        };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{}{spaces}{sign}{spaces}\"{value}\"", self.label)
    }

    fn holds(&self, value: &str) -> bool {
        let fits = match &self.wanted {
            Wanted::Text(text) | Wanted::Exactly(text) => value == text,
            Wanted::Begins(text) => value.starts_with(text),
            Wanted::OneOf(one, other) => value == one || value == other,
        };
        fits == self.equal
    }
}

fn naive() -> impl Strategy<Value = Naive> {
    let text = || "[a-b.*\"\\\\\n{}=,~|() 流]{0,3}";
    let wanted = prop_oneof![
        text().prop_map(Wanted::Text),
        text().prop_map(Wanted::Exactly),
        text().prop_map(Wanted::Begins),
        (text(), text()).prop_map(|(one, other)| Wanted::OneOf(one, other)),
    ];
    let label = prop::sample::select(vec!["stream", "domain", "team"]);
    (label, any::<bool>(), wanted).prop_map(|(label, equal, wanted)| Naive { label, equal, wanted })
}

proptest! {
    #[test]
    fn equality_with_a_naive_model(
        list in prop::collection::vec(naive(), 1..4),
        spaces in " {0,2}",
        stream in "[a-b.*\"\\\\\n{}=,~|() 流]{0,3}",
        domain in prop::option::of("[ab]{0,2}"),
    ) {
        let written: Vec<String> = list.iter().map(|naive| naive.written(&spaces)).collect();
        let matchers = Matchers::parse(&format!("{{{}}}", written.join(",")))?;
        let label = |label: &str| match label {
            "stream" => Some(stream.as_str()),
            "domain" => domain.as_deref(),
            _ => None,
        };
        let wanted = list.iter().all(|naive| naive.holds(label(naive.label).unwrap_or("")));
        prop_assert_eq!(matchers.hold(label), wanted, "{:?}", written);
        prop_assert_eq!(&Matchers::parse(&matchers.to_string())?, &matchers);
    }

    #[test]
    fn nothing_makes_it_panic_and_what_is_read_is_read_back(
        text in "\\PC{0,60}|[a-b =!~,{}\"\\\\*.\n]{0,40}|(stream|\"a b\"|流)(=|!=|=~|!~)(\"[^\"\\\\]{0,9}\"|[a-z.*]{0,5})(,? ?[a-z]=[a-z]){0,3},?",
    ) {
        match Matchers::parse(&text) {
            Ok(matchers) => {
                let canonical = matchers.to_string();
                let again = Matchers::parse(&canonical).unwrap_or_else(|error| panic!("{canonical}: {error}"));
                prop_assert_eq!(&again, &matchers);
                prop_assert_eq!(again.to_string(), canonical);
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.at) && !error.message.is_empty()),
        }
    }
}
