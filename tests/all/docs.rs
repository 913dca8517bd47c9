//! What is written from the code says what the code says: the page about troubles, the JSON Schema of rules.yaml.

use std::fmt::Write as _;
use std::path::Path;

use pushwatch::model::catalogue::{Catalogue, Text};
use pushwatch::model::{AbnormalType, Language};
use pushwatch::rules::schema;

const HEAD: &str = "# What goes wrong with a push

What pushwatch knows of each trouble, in the words of its messages. `catalogue:` in `rules.yaml` replaces the words and
severities of the push errors by your own.

Written from the catalogue: `PUSHWATCH_WRITE_DOCS=1 cargo test --test all docs`.
";

#[test]
fn the_page_about_troubles_is_the_catalogue() {
    hold("docs/troubles.md", &write_page());
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_of_the_code() {
    hold("docs/rules.schema.json", &format!("{:#}\n", schema::json()));
}

#[test]
fn the_manifest_for_slack_can_be_pasted_and_leads_to_our_doors() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/chat.md")).unwrap();
    let at = page.find("   display_information:").unwrap();
    let block = page[at..].split("   ```").next().unwrap();
    let manifest: String =
        block.lines().map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect();
    let manifest: serde_json::Value = serde_saphyr::from_str(&manifest).unwrap();
    let command = &manifest["features"]["slash_commands"][0];
    assert_eq!((&command["command"], &command["should_escape"]), (&"/pushwatch".into(), &false.into()));
    assert_eq!(command["url"], "https://pushwatch.example.com/chat/slack/command");
    let interactivity = &manifest["settings"]["interactivity"];
    assert_eq!(interactivity["request_url"], "https://pushwatch.example.com/chat/slack/action");
    assert_eq!(manifest["oauth_config"]["scopes"]["bot"], serde_json::json!(["chat:write", "commands"]));
}

/// Holds a file against its text, or writes it anew if that is asked for.
fn hold(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var("PUSHWATCH_WRITE_DOCS").is_ok() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{file} is not what the code says: PUSHWATCH_WRITE_DOCS=1 writes it anew");
}

fn write_page() -> String {
    let catalogue = Catalogue::default();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Push errors (event 321)\n");
    for (number, name) in (1..).zip(AbnormalType::NAMES) {
        let kind = AbnormalType(number);
        write!(page, "\n### {number} · `{name}` · {}\n\n", catalogue.severity(kind)).unwrap();
        for language in Language::ALL {
            write_text(&mut page, &catalogue.trouble(kind, language));
        }
    }
    page.push_str("\n## The end of a push (event 0), by `errcode`\n");
    let mut groups: Vec<(Text, Text, Vec<String>)> = Vec::new();
    for code in 0..=40 {
        let [english, chinese] = Language::ALL.map(|language| catalogue.stop(Some(code), language));
        match groups.iter_mut().find(|(known, ..)| *known == english) {
            Some((.., codes)) => codes.push(code.to_string()),
            None => groups.push((english, chinese, vec![code.to_string()])),
        }
    }
    for (english, chinese, codes) in groups {
        write!(page, "\n### {}\n\n", codes.join(", ")).unwrap();
        write_text(&mut page, &english);
        write_text(&mut page, &chinese);
    }
    page
}

fn write_text(page: &mut String, text: &Text) {
    let parts = [&text.viewers, &text.cause, &text.fix].map(|part| part.as_str());
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    writeln!(page, "- **{}** — {}", text.name, said.join(" · ")).unwrap();
}
