//! Holds the architecture: who may import whom, files that say what they are for and stay small, SQL in one room.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The table of `src/lib.rs`: a room (file or folder of `src/`) and the rooms it may name. `*` is every room but
/// those after the `-`.
const TABLE: [(&str, &[&str]); 19] = [
    ("model", &[]),
    ("clock", &["model"]),
    ("metrics", &["model"]),
    ("rules", &["model"]),
    ("engine", &["model", "rules"]),
    ("store", &["model", "clock", "metrics"]),
    ("render", &["model"]),
    ("core", &["model", "rules", "engine", "store", "clock", "metrics"]),
    ("deliver", &["model", "render", "store", "clock", "metrics"]),
    (
        "command",
        &[
            "model",
            "rules",
            "core",
            "clock",
            "store::{Lookup, Reader, Sheet, Store, StoreError, Table, Which}",
            "render::{clean, words}",
        ],
    ),
    (
        "chat",
        &[
            "model",
            "rules",
            "core",
            "command",
            "listen",
            "render",
            "clock",
            "metrics",
            "store::{Store, StoreError, Table}",
        ],
    ),
    ("listen", &["metrics"]),
    ("ingest", &["model", "core", "listen", "clock", "metrics", "store::{Appended, StoreError}"]),
    ("admin", &["model", "core", "listen", "clock", "metrics"]),
    ("config", &["model"]),
    ("app", &["*", "-", "cli"]),
    ("cli", &["*"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Longest production file, and longest `tests.rs` beside one.
const MAX_LINES: usize = 450;
const MAX_TEST_LINES: usize = 700;

/// What only the store may say. Words of SQL as they stand at the head of a statement.
const SQL: [&str; 8] = [
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
];

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sources(&root.join("src"));
    assert!(files.len() > 20, "found only {} files: is this test looking at the right folder?", files.len());
    let mut mistakes = String::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let path = file.strip_prefix(root.join("src")).unwrap().to_str().unwrap().replace('\\', "/");
        for mistake in judge(&path, &text) {
            writeln!(mistakes, "  src/{path}: {mistake}").unwrap();
        }
    }
    assert!(mistakes.is_empty(), "against the house's rules (the table is in src/lib.rs):\n{mistakes}");
}

#[test]
fn every_room_has_its_line_in_the_table_and_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for entry in fs::read_dir(root.join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.trim_end_matches(".rs").to_owned();
        assert!(
            TABLE.iter().any(|(known, _)| *known == room),
            "src/{name} has no line in the table of tests/all/house.rs"
        );
        let told = ["main", "lib"].contains(&room.as_str()) || page.contains(&format!("`{room}`"));
        assert!(told, "`{room}` is missing in the table in src/lib.rs");
    }
}

#[test]
fn the_judge_sees_what_is_wrong_and_nothing_else() {
    let head = "//! What for.\n";
    let finds = |path: &str, code: &str| judge(path, &format!("{head}{code}")).join("; ");
    assert_eq!(finds("engine/window.rs", "use crate::model::Event;\nuse crate::rules::Rule;\n"), "");
    assert!(finds("engine/window.rs", "use crate::store::Store;\n").contains("`store`"));
    assert!(finds("engine/window.rs", "use crate::{model::Event, deliver::{a, b}};\n").contains("`deliver`"));
    assert!(finds("engine/window.rs", "fn f() { crate::clock::Clock::start(); }\n").contains("`clock`"));
    assert!(finds("engine/window.rs", "pub(in crate::engine) fn f() {}\n").is_empty());
    assert!(finds("engine/window.rs", "use super::super::store::Store;\n").contains("leaves its room"));
    assert!(finds("engine/mod.rs", "use super::store::Store;\n").contains("leaves its room"));
    assert_eq!(finds("engine/a/b.rs", "use super::super::Engine;\n"), "");
    assert_eq!(finds("engine/window.rs", "// crate::store is no friend\nconst A: &str = \"crate::store\";\n"), "");
    assert_eq!(
        finds("engine/window.rs", "#[cfg(test)]\nmod tests {\n use crate::store::Store; fn f() { '{'; }\n}\n"),
        ""
    );
    assert!(finds("engine/window.rs", "#[cfg(test)]\nmod tests {}\nuse crate::store::S;\n").contains("`store`"));
    assert_eq!(finds("engine/tests.rs", "use crate::store::Store;\n"), "");
    assert_eq!(finds("ingest/mod.rs", "use crate::store::{Appended, StoreError};\n"), "");
    assert_eq!(finds("ingest/mod.rs", "use crate::store::StoreError;\n"), "");
    assert!(finds("ingest/mod.rs", "use crate::store::{Appended, Store};\n").contains("`store`"));
    assert!(finds("app.rs", "use crate::cli::Args;\n").contains("`cli`"));
    assert_eq!(finds("cli/serve.rs", "use crate::app::App;\n"), "");
    assert!(finds("engine/window.rs", "use crate::nowhere::X;\n").contains("`nowhere`"));
    assert!(finds("core.rs", "const Q: &str = \"SELECT 1 FROM journal\";\n").contains("SQL"));
    assert_eq!(finds("core.rs", "// SELECT 1\nconst Q: &str = \"select a stream\";\n"), "");
    assert!(finds("core.rs", "use rusqlite::Connection;\n").contains("rusqlite"));
    assert_eq!(finds("store/sqlite.rs", "use rusqlite::Connection;\nconst Q: &str = \"SELECT 1\";\n"), "");
    assert!(judge("core.rs", "use std::fs;\n").join("").contains("//!"));
    assert!(finds("core.rs", &"\n".repeat(MAX_LINES)).contains("lines"));
    assert_eq!(finds("engine/tests.rs", &"\n".repeat(MAX_LINES)), "");
}

/// Everything that `text`, the file at `path` below `src/`, does against the rules.
fn judge(path: &str, text: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
    if !text.starts_with("//! ") {
        mistakes.push("does not begin with a `//!` line that says what it is for".to_owned());
    }
    let (lines, most) = (text.lines().count(), if is_test { MAX_TEST_LINES } else { MAX_LINES });
    if lines > most {
        mistakes.push(format!("has {lines} lines, more than {most}: split it by topic"));
    }
    if is_test {
        return mistakes;
    }
    let (mut code, mut strings) = lex(text);
    blank_tests(&mut code, &mut strings);
    let room = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
    if room != "store" {
        if code.contains("rusqlite") {
            mistakes.push("names rusqlite, which only `store` may know".to_owned());
        }
        if let Some(word) = SQL.iter().find(|word| strings.contains(**word)) {
            mistakes.push(format!("holds SQL ({}), which only `store` may", word.trim()));
        }
    }
    let allowed = TABLE.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
    for (other, what) in crate_paths(&code) {
        if other != room && !allows(allowed, &other, &what) {
            mistakes.push(format!("names `{other}` ({what}), which `{room}` may not know"));
        }
    }
    if leaves_by_super(path, &code) {
        mistakes.push("leaves its room by `super::`: write `crate::room::`, so that it can be seen".to_owned());
    }
    mistakes
}

/// Whether a line of the table allows `crate::other::what`.
fn allows(allowed: &[&str], other: &str, what: &str) -> bool {
    if let Some((&"*", rest)) = allowed.split_first() {
        return TABLE.iter().any(|(name, _)| *name == other) && !rest.contains(&other);
    }
    allowed.iter().any(|entry| match entry.split_once("::") {
        None => *entry == other,
        Some((room, names)) => {
            let known: Vec<&str> = names.trim_matches(['{', '}']).split(", ").collect();
            room == other && what.trim_matches(['{', '}']).split(',').all(|name| known.contains(&name.trim()))
        }
    })
}

/// Every `crate::room::…` in the code: the room, and what of it is named.
fn crate_paths(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("crate::") {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + "crate::".len()..];
        // `$crate` and `my_crate` are other things; `pub(in crate::room)` grants and does not import.
        let is_part_of_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
        if is_part_of_a_word {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(list) => found.extend(split_list(list).iter().map(|path| room_and_rest(path))),
            None => found.push(room_and_rest(rest)),
        }
    }
    found
}

/// `store::{A, B};…` to (`store`, `{A, B}`).
fn room_and_rest(path: &str) -> (String, String) {
    let path = path.trim_start();
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    let (room, rest) = path.split_at(end);
    let rest = rest.strip_prefix("::").unwrap_or("");
    let what = match rest.strip_prefix('{') {
        Some(list) => format!("{{{}}}", split_list(list).join(", ")),
        None => rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
    };
    (room.to_owned(), what)
}

/// The items of a use list, given from behind its opening brace, split at the commas of its own level.
fn split_list(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(c);
        }
    }
    items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// Whether a chain of `super::` climbs to the crate itself.
fn leaves_by_super(path: &str, code: &str) -> bool {
    let parts = path.split('/').count();
    let depth = if path.ends_with("/mod.rs") { parts - 1 } else { parts };
    code.contains(&"super::".repeat(depth))
}

/// The text twice, position by position: once with comments and strings blanked, once with only the strings left.
fn lex(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut strings) = (String::new(), String::new());
    let mut put = |c: char, is_code: bool, is_string: bool| {
        let blank = if c == '\n' { '\n' } else { ' ' };
        code.push(if is_code { c } else { blank });
        strings.push(if is_string { c } else { blank });
    };
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let (length, is_string) = match rest {
            ['/', '/', ..] => (rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()), false),
            ['/', '*', ..] => (rest.windows(2).position(|w| w == ['*', '/']).map_or(rest.len(), |end| end + 2), false),
            ['r', '"' | '#', ..] if !follows_word(&chars, at) => (raw_string(rest), true),
            ['"', ..] => (quoted(rest, '"'), true),
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => (quoted(rest, '\''), false),
            _ => (0, false),
        };
        for c in &rest[..length] {
            put(*c, false, is_string);
        }
        if length == 0 {
            put(chars[at], true, false);
        }
        at += length.max(1);
    }
    (code, strings)
}

fn follows_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

/// Length of a quoted literal, its quotes included.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Length of `r"…"` or `r#"…"#`; 0 for a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut close = vec!['"'];
    close.resize(1 + hashes, '#');
    let body = 2 + hashes;
    rest[body..].windows(close.len()).position(|w| w == close).map_or(rest.len(), |end| body + end + close.len())
}

/// Blanks every item under `#[cfg(test)]`, up to its closing brace or semicolon.
fn blank_tests(code: &mut String, strings: &mut String) {
    let mut chars: Vec<char> = code.chars().collect();
    let mut texts: Vec<char> = strings.chars().collect();
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    while let Some(start) = chars.windows(mark.len()).position(|w| w == mark) {
        let mut depth = 0;
        let mut end = chars.len();
        for (at, c) in chars.iter().enumerate().skip(start + mark.len()) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' => {}
                _ => continue,
            }
            if depth == 0 {
                end = at + 1;
                break;
            }
        }
        chars[start..end].fill(' ');
        texts[start..end].fill(' ');
    }
    *code = chars.into_iter().collect();
    *strings = texts.into_iter().collect();
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
