//! Holds docs/templates.md against what templates are really given, and the two languages against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use handlebars::Template;
use serde_json::Value;

use super::*;

const MANUAL: &str = include_str!("../../../docs/templates.md");

/// Field and kind of each row of the table under a heading.
fn described(heading: &str) -> BTreeMap<String, String> {
    let (_, section) = MANUAL.split_once(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        (cells[0].trim_matches(['|', ' ', '`']).to_owned(), cells[1].trim().to_owned())
    };
    rows.map(row).collect()
}

/// Path and kind of each field in the data, without what lies below `lines` and `worst`.
fn given(trials: &[Value]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for trial in trials {
        collect(trial, "", &mut fields);
    }
    fields
}

fn collect(data: &Value, path: &str, fields: &mut BTreeMap<String, String>) {
    let Value::Object(map) = data else { return };
    for (name, value) in map {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let kind = match value {
            Value::Null => "",
            Value::Bool(_) => "yes or no",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(fields) if fields.contains_key("local") => "time",
            Value::Object(_) => "fields",
        };
        let known = fields.entry(path.clone()).or_default();
        assert!(known.is_empty() || kind.is_empty() || known == kind, "{path} is {known} and {kind}");
        if !kind.is_empty() {
            *known = kind.to_owned();
        }
        match value {
            Value::Array(items) if !["lines", "worst"].contains(&path.as_str()) => {
                items.iter().for_each(|item| collect(item, &path, fields));
            }
            Value::Object(_) if kind == "fields" => collect(value, &path, fields),
            _ => {}
        }
    }
}

/// What the templates of a wording are tried out with.
fn trials(wording: Wording) -> Vec<Value> {
    let book = book::Book::empty(Language::En, ChannelKind::Slack);
    let drafts = load::trials(&book, wording).into_iter().flatten();
    drafts.map(|draft| draft.data.unwrap().data().clone()).collect()
}

#[test]
fn the_manual_names_every_field_and_no_other() {
    let incidents = trials(Wording::Incident);
    let digests = trials(Wording::Digest);
    let below = |trials: &[Value], list: &str| -> Vec<Value> {
        trials.iter().flat_map(|trial| trial[list].as_array().unwrap().clone()).collect()
    };
    assert_eq!(given(&incidents), described("`incident` and `note`"));
    assert_eq!(given(&below(&incidents, "lines")), described("Each of `lines` and `worst`"));
    assert_eq!(given(&below(&digests, "worst")), described("Each of `lines` and `worst`"));
    assert_eq!(given(&digests), described("`digest` and `digest_note`"));
    assert_eq!(given(&trials(Wording::Notice)), described("`notice`"));
}

#[test]
fn the_manual_names_what_templates_may_call_and_what_fits() {
    for call in functions::NAMES {
        assert!(MANUAL.contains(&format!("| `{{{{{call} ")), "{call}");
    }
    for condition in lint::CONDITIONS {
        assert!(MANUAL.contains(&format!("`{condition}`")), "{condition}");
    }
    for wording in Wording::ALL {
        assert!(MANUAL.contains(&format!("`{}`", wording.as_str())), "{wording:?}");
    }
    for kind in ChannelKind::ALL {
        let most = words::number(Room::usual(kind).most as u64);
        let rows = MANUAL.lines().filter(|line| line.starts_with("| ") && line.contains(&format!("| {most} |")));
        assert!(rows.count() >= 1, "{kind:?} takes {most}");
    }
}

#[test]
fn its_example_passes() {
    let (_, example) = MANUAL.split_once("`templates/en/slack/incident.hbs`").unwrap();
    let example =
        example.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    let example: String = example.map(|line| format!("{}\n", &line[4..])).collect();
    assert_eq!(problems(&[("en/slack/incident.hbs", &example)]), Vec::<String>::new());
    let folder = folder(&[("en/slack/incident.hbs", &example)]);
    let renderer = Renderer::load(Some(folder.path())).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (catalogue, channel) = (Catalogue::default(), sample::channel(ChannelKind::Slack, Language::En));
    let text = |name: &str| {
        let sample = sample::ordinary().into_iter().find(|sample| sample.name == name).unwrap();
        renderer.incident(&view(&sample, &channel, &catalogue)).text
    };
    let firing = text("firing");
    assert!(firing.contains("\nfor 2 min, since 12:03 (UTC+8), 5 reports\n"), "{firing}");
    assert!(firing.ends_with("<!here> please have a look"), "{firing}");
    assert!(text("own_words").contains("<https://wiki.example.com/run_book?a=1&amp;b=2|Runbook>"));
    assert!(text("well").ends_with("\nit lasted 1 min 30 s"), "{}", text("well"));
}

/// The built-in files of a language, by their path below it.
fn files(language: &str) -> BTreeMap<String, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates").join(language);
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(&root).unwrap().flatten() {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            let path = file.path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    files
}

/// What a template names: fields and calls.
fn words_of(text: &str) -> BTreeSet<String> {
    let inside = text.split("{{").skip(1).filter_map(|part| part.split_once("}}")).map(|(inside, _)| inside);
    let words = inside.flat_map(|inside| inside.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn both_languages_are_complete() {
    let (en, zh) = (files("en"), files("zh"));
    assert_eq!(en.len(), ChannelKind::ALL.len() * Wording::ALL.len());
    assert_eq!(en.keys().collect::<Vec<_>>(), zh.keys().collect::<Vec<_>>());
    for (name, text) in &en {
        assert_eq!(words_of(text), words_of(&zh[name]), "{name}");
    }
    // Nothing of one language is left in the other's sentences.
    let channel = |language| sample::channel(ChannelKind::Console, language);
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    for sample in sample::ordinary() {
        let text = renderer.incident(&view(&sample, &channel(Language::En), &catalogue)).text;
        assert!(!text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{text}");
    }
}

#[test]
fn the_built_in_templates_have_no_mistake() {
    for language in Language::ALL {
        for wording in Wording::ALL {
            let data = trials(wording);
            let names = lint::names(data.iter());
            for (name, text) in files(language.as_str()) {
                if name.ends_with(&format!("/{}.hbs", wording.as_str())) {
                    let template = Template::compile(&text).unwrap();
                    assert_eq!(lint::lint(&template, &names), [], "{name}");
                }
            }
        }
    }
}
