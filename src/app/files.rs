//! What `rules.yaml`, its secret files and the templates say now: read as a whole, with every mistake, or recognised
//! as what was read before.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use crate::admin::Mistake;
use crate::config;
use crate::render::{Renderer, TemplateProblem};
use crate::rules::{self, Diagnostic, RuleSet};

/// Most of a file that is read: above the largest that any of them may be, so that those are refused by name.
const MAX_READ: u64 = 2 * 1024 * 1024;

/// Most files below the templates' folder that are looked at.
const MAX_FILES: usize = 1_000;

/// Deeper folders hold no template.
const MAX_DEPTH: usize = 3;

/// Where the operator's own templates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Templates {
    /// There are none: the built-in ones serve.
    BuiltIn,
    /// In this folder, which must be there.
    In(PathBuf),
    /// In this folder, if it is there.
    PerhapsIn(PathBuf),
}

impl Templates {
    /// The folder, if templates are to be read from one now.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Templates::BuiltIn => None,
            Templates::In(folder) => Some(folder),
            Templates::PerhapsIn(folder) => folder.exists().then_some(folder),
        }
    }

    /// Where changes are to be looked for.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Templates::BuiltIn => None,
            Templates::In(folder) | Templates::PerhapsIn(folder) => Some(folder),
        }
    }
}

/// The files that can be read anew.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// rules.yaml.
    pub(super) rules: PathBuf,
    /// The templates.
    pub(super) templates: Templates,
}

/// By which contents are recognised; says nothing about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    /// Of rules.yaml and the secret files that it refers to.
    pub(super) rules: [u8; 16],
    /// Of the templates.
    pub(super) templates: [u8; 16],
}

/// Files without a mistake.
pub(super) struct Loaded {
    pub(super) text: String,
    pub(super) rules: RuleSet,
    pub(super) renderer: Renderer,
}

/// What is wrong with `rules.yaml`.
#[derive(Debug)]
pub(super) enum WrongRules {
    /// It can't be read.
    Unreadable(io::Error),
    /// It has these mistakes.
    Mistaken(Vec<Diagnostic>),
    /// With it anybody could send callbacks.
    NoKeys,
}

/// Everything that is wrong with the files; at least one thing is.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) file: PathBuf,
    pub(super) rules: Option<WrongRules>,
    pub(super) templates: Vec<TemplateProblem>,
}

/// Said where no key is configured.
pub(super) const NO_KEYS: &str = "no callback key is set, so anybody could send callbacks. Set the key of your callback \
    template (Tencent Cloud console: Live > Event Center > Live Callback) in the variable that tencent.keys names, \
    TENCENT_CALLBACK_KEY in the shipped rules.yaml; or say tencent.allow_unsigned: true if only the cloud can reach this \
    address";

impl Files {
    /// Reads everything.
    pub(super) fn load(&self) -> Result<Loaded, Wrong> {
        let rules = self.load_rules();
        let renderer = Renderer::load(self.templates.folder());
        match (rules, renderer) {
            (Ok((rules, text)), Ok(renderer)) => Ok(Loaded { text, rules, renderer }),
            (rules, renderer) => Err(Wrong {
                file: self.rules.clone(),
                rules: rules.err(),
                templates: renderer.err().unwrap_or_default(),
            }),
        }
    }

    /// The rules as written, and their text.
    pub(super) fn load_rules(&self) -> Result<(RuleSet, String), WrongRules> {
        let bytes = read(&self.rules).map_err(WrongRules::Unreadable)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
            WrongRules::Unreadable(io::Error::other(format!("line {line} is not UTF-8 text")))
        })?;
        let rules = self.compile(&text).map_err(WrongRules::Mistaken)?;
        match rules.door.keys.is_empty() && !rules.door.allow_unsigned {
            true => Err(WrongRules::NoKeys),
            false => Ok((rules, text)),
        }
    }

    /// The rules of a text, as if it stood in the file.
    pub(super) fn compile(&self, text: &str) -> Result<RuleSet, Vec<Diagnostic>> {
        rules::load(text, &self.rules.display().to_string(), &config::variable)
    }

    /// By what the contents are recognised. A file that can't be read has a print, too.
    pub(super) fn print(&self) -> Print {
        let text = read(&self.rules);
        let (mut rules, mut templates) = (Md5::new(), Md5::new());
        add(&mut rules, &self.rules, &text);
        let text = text.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        for secret in rules::secret_files(&text, &self.rules.display().to_string(), &config::variable) {
            add(&mut rules, &secret, &read(&secret));
        }
        if let Some(folder) = self.templates.folder() {
            for file in below(folder) {
                add(&mut templates, &file, &read(&file));
            }
            templates.update(b"a folder");
        }
        Print { rules: rules.finalize().into(), templates: templates.finalize().into() }
    }
}

impl Wrong {
    /// The mistakes by place.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let file = self.file.display().to_string();
        let whole = |message: String| vec![Mistake { file: file.clone(), line: 1, column: 1, message, hint: None }];
        let mut mistakes = match &self.rules {
            None => Vec::new(),
            Some(WrongRules::Unreadable(error)) => whole(format!("can't be read: {error}")),
            Some(WrongRules::NoKeys) => whole(NO_KEYS.to_owned()),
            Some(WrongRules::Mistaken(found)) => found.iter().map(of_rules).collect(),
        };
        mistakes.extend(self.templates.iter().map(|problem| Mistake {
            file: problem.file.display().to_string(),
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            hint: None,
        }));
        mistakes
    }
}

/// As `check` shows it.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown: Vec<String> = match &self.rules {
            None => Vec::new(),
            Some(WrongRules::Unreadable(error)) => vec![format!("can't read {}: {error}", self.file.display())],
            Some(WrongRules::NoKeys) => vec![NO_KEYS.to_owned()],
            Some(WrongRules::Mistaken(found)) => found.iter().map(ToString::to_string).collect(),
        };
        shown.extend(self.templates.iter().map(|problem| format!("error: {problem}")));
        f.write_str(&shown.join("\n"))
    }
}

fn of_rules(found: &Diagnostic) -> Mistake {
    Mistake {
        file: found.file().to_owned(),
        line: found.line(),
        column: found.column(),
        message: found.message().to_owned(),
        hint: found.hint().map(str::to_owned),
    }
}

/// The beginning of a regular file.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    // Before opening: a pipe would block and a device never end.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn add(print: &mut Md5, file: &Path, contents: &io::Result<Vec<u8>>) {
    print.update(file.as_os_str().as_encoded_bytes());
    match contents {
        Ok(bytes) => {
            print.update([0, 1]);
            print.update((bytes.len() as u64).to_le_bytes());
            print.update(bytes);
        }
        Err(error) => print.update(format!("\0\0{}", error.kind())),
    }
}

/// Every file below a folder, in order; hidden ones are passed over, as the templates' reader does.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_name().to_string_lossy().starts_with('.') {
                true => {}
                false if path.is_dir() && depth < MAX_DEPTH => folders.push((path, depth + 1)),
                false if found.len() < MAX_FILES => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const RULES: &str = "version: 1\ntencent: { keys: [{ file: key }] }\nchannels: { c: { type: console } }\n\
                         defaults: { notify: [c] }\nrules: [{ name: a, on: push_error }]\n";

    fn files(folder: &Path) -> Files {
        fs::write(folder.join("rules.yaml"), RULES).unwrap();
        fs::write(folder.join("key"), "one").unwrap();
        Files { rules: folder.join("rules.yaml"), templates: Templates::PerhapsIn(folder.join("templates")) }
    }

    #[test]
    fn a_change_of_the_rules_a_secret_file_or_a_template_is_a_change_and_a_mere_touch_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let first = files.print();
        fs::write(&files.rules, RULES).unwrap();
        assert_eq!(files.print(), first);
        fs::write(folder.path().join("key"), "two").unwrap();
        let second = files.print();
        assert_eq!((second.rules == first.rules, second.templates == first.templates), (false, true));
        fs::create_dir_all(folder.path().join("templates/en/slack")).unwrap();
        let third = files.print();
        assert_eq!((third.rules == second.rules, third.templates == second.templates), (true, false));
        fs::write(folder.path().join("templates/en/slack/note.hbs"), "x").unwrap();
        let fourth = files.print();
        assert_ne!(fourth, third);
        fs::remove_file(&files.rules).unwrap();
        assert_ne!(files.print().rules, fourth.rules, "gone is a change, too");
    }

    #[test]
    fn all_mistakes_are_found_at_once_with_their_places_and_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        assert!(files.load().is_ok());
        let text = RULES.replace("{ file: key }", "hunter2hunter2").replace("on: push_error", "on: push_eror, on2: 1");
        fs::write(&files.rules, text).unwrap();
        fs::create_dir_all(folder.path().join("templates/en/slack")).unwrap();
        fs::write(folder.path().join("templates/en/slack/note.hbs"), "ok\n{{#if").unwrap();
        let wrong = files.load().err().unwrap();
        let mistakes = wrong.mistakes();
        assert_eq!(mistakes.len(), 3, "{wrong}");
        assert!(mistakes[0].line == 5 && mistakes[0].file.ends_with("rules.yaml"), "{mistakes:?}");
        assert!(mistakes[2].file.ends_with("note.hbs"), "{mistakes:?}");
        assert!(!format!("{wrong}{wrong:?}{mistakes:?}").contains("hunter2"));
    }

    #[test]
    fn no_keys_no_text_and_no_file_are_mistakes_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let said = |bytes: &[u8]| {
            fs::write(&files.rules, bytes).unwrap();
            files.load().err().unwrap().mistakes()[0].to_string()
        };
        assert!(said(RULES.replace("[{ file: key }]", "[]").as_bytes()).contains("anybody could send"));
        assert!(said(b"version: 1\n\xff\n").contains("line 2 is not UTF-8"));
        fs::remove_file(&files.rules).unwrap();
        assert!(files.load().err().unwrap().to_string().starts_with("can't read "));
    }
}
