//! Templates from the binary and from an operator's folder: parsed, linted and rendered on trial before use.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use handlebars::{Context, Template};

use super::book::{Book, Draft, Failure};
use super::digest::DigestStory;
use super::limits::Room;
use super::notice::NoticeStory;
use super::story::{Bounds, Story};
use super::{DigestView, NoticeView, Renderer, View, Wording, book, lint, place, sample};
use crate::model::{Catalogue, ChannelKind, Language};

/// A larger file is a mistake: no message is that long.
const MOST_BYTES: u64 = 64 * 1024;

/// A mistake in an operator's templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The file, or the folder itself.
    pub file: PathBuf,
    /// Line, counted from 1; 1 where no line is to blame.
    pub line: usize,
    /// Column, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl std::error::Error for TemplateProblem {}

/// The built-in templates alone.
pub(super) fn embedded() -> Renderer {
    let mut books: Vec<Book> = Vec::new();
    for language in Language::ALL {
        for kind in ChannelKind::ALL {
            let mut book = Book::empty(language, kind);
            for (wording, text) in Wording::ALL.into_iter().zip(texts(language, kind)) {
                // A built-in template that does not parse fails the tests; here it leaves the plain message.
                if let Ok(template) = Template::compile_with_name(text, wording.as_str().to_owned()) {
                    book.templates.register_template(wording.as_str(), template);
                }
            }
            debug_assert_eq!(books.len(), place(language, kind));
            books.push(book);
        }
    }
    Renderer { books }
}

/// The built-in templates with a folder's in their place.
pub(super) fn load(folder: Option<&Path>) -> Result<Renderer, Vec<TemplateProblem>> {
    let mut renderer = embedded();
    let Some(folder) = folder else { return Ok(renderer) };
    let mut problems = Vec::new();
    for path in files(folder, &mut problems) {
        match own(&mut renderer, folder, &path) {
            Ok(()) => {}
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() { Ok(renderer) } else { Err(problems) }
}

/// Every file below the folder, in order; hidden ones are passed over.
fn files(folder: &Path, problems: &mut Vec<TemplateProblem>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // `LANG/KIND/NAME.hbs` is the third level; what lies deeper is reported by its first folder.
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(problem(&folder, format!("cannot be read: {error}")));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() && depth < 2 {
                folders.push((path, depth + 1));
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Puts one file in the place of the built-in template of its name.
fn own(renderer: &mut Renderer, folder: &Path, path: &Path) -> Result<(), Vec<TemplateProblem>> {
    let one = |message: String| vec![problem(path, message)];
    let (language, kind, wording) = address(folder, path).map_err(one)?;
    let text = read(path).map_err(one)?;
    let template = Template::compile_with_name(&text, wording.as_str().to_owned()).map_err(|error| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        vec![TemplateProblem { file: path.to_owned(), line, column, message: error.reason().to_string() }]
    })?;
    let book = &mut renderer.books[place(language, kind)];
    let trials = trials(book, wording);
    let mistakes = lint::lint(&template, &names(&trials));
    if !mistakes.is_empty() {
        let located = |mistake: lint::Mistake| TemplateProblem {
            file: path.to_owned(),
            line: mistake.line,
            column: mistake.column,
            message: mistake.message,
        };
        return Err(mistakes.into_iter().map(located).collect());
    }
    book.templates.register_template(wording.as_str(), template);
    try_out(book, wording, &trials, path)
}

/// Renders a template with ordinary and hostile stories; each must come out as the platform takes it within some
/// bounds.
fn try_out(book: &Book, wording: Wording, trials: &[Vec<Draft>], path: &Path) -> Result<(), Vec<TemplateProblem>> {
    let room = Room::usual(book.kind);
    for trial in trials {
        let mut failures = trial.iter().filter_map(|draft| book.render(wording, room, draft).err());
        let Some(first) = failures.next() else { continue };
        // The first bounds are the widest: that it fits within others is enough.
        if matches!(first, Failure::Refused { .. }) && failures.count() + 1 < trial.len() {
            continue;
        }
        let (line, column) = first.place();
        let message = match first {
            Failure::Refused { .. } => format!("the platform would refuse the message: {}", first.reason()),
            Failure::Template(_) | Failure::Data(_) => first.reason(),
        };
        let (line, column) = (line.unwrap_or(1), column.unwrap_or(1));
        return Err(vec![TemplateProblem { file: path.to_owned(), line, column, message }]);
    }
    Ok(())
}

/// Which template a path names.
fn address(folder: &Path, path: &Path) -> Result<(Language, ChannelKind, Wording), String> {
    let expected = || {
        let kinds: Vec<&str> = ChannelKind::ALL.into_iter().map(ChannelKind::as_str).collect();
        let names: Vec<&str> = Wording::ALL.into_iter().map(Wording::as_str).collect();
        format!("unknown file: expected (en|zh)/({})/({}).hbs", kinds.join("|"), names.join("|"))
    };
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
    let [language, kind, file] = parts.as_slice() else { return Err(expected()) };
    let language = Language::ALL.into_iter().find(|known| known.as_str() == *language);
    let kind = ChannelKind::ALL.into_iter().find(|known| known.as_str() == *kind);
    let wording = Wording::ALL.into_iter().find(|known| file.strip_suffix(".hbs") == Some(known.as_str()));
    match (language, kind, wording) {
        (Some(language), Some(kind), Some(wording)) => Ok((language, kind, wording)),
        _ => Err(expected()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MOST_BYTES {
        return Err(format!("{size} bytes; at most {MOST_BYTES} are taken"));
    }
    fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

fn problem(file: &Path, message: String) -> TemplateProblem {
    TemplateProblem { file: file.to_owned(), line: 1, column: 1, message }
}

fn names(trials: &[Vec<Draft>]) -> lint::Names {
    let data = trials.iter().flatten().filter_map(|draft| draft.data.as_ref().ok());
    lint::names(data.map(Context::data))
}

/// The sample stories of a template, each within all bounds.
pub(super) fn trials(book: &Book, wording: Wording) -> Vec<Vec<Draft>> {
    let channel = sample::channel(book.kind, book.language);
    let catalogue = Catalogue::default();
    let now = sample::NOW;
    let draft = |mark, data| Draft { mark, plain: String::new(), summary: String::new(), data };
    match wording {
        Wording::Incident | Wording::Note => sample::ordinary()
            .iter()
            .chain(&sample::hostile())
            .map(|sample| {
                let incidents = &sample.incidents;
                let view = View { group: &sample.group, incidents, channel: &channel, catalogue: &catalogue, now };
                let story = |bounds| Story::of(&view, bounds);
                Bounds::ALL.iter().map(story).map(|story| draft(story.mark, book::data(&story))).collect()
            })
            .collect(),
        Wording::Digest | Wording::DigestNote => sample::digests()
            .iter()
            .map(|(_, gathered)| {
                let view = DigestView { gathered, channel: &channel, catalogue: &catalogue, now };
                let story = |bounds| DigestStory::of(&view, bounds);
                Bounds::ALL.iter().map(story).map(|story| draft(story.mark, book::data(&story))).collect()
            })
            .collect(),
        Wording::Notice => sample::notices()
            .iter()
            .map(|notice| {
                let view = NoticeView { notice, channel: &channel, catalogue: &catalogue, now };
                let story = |bounds| NoticeStory::of(&view, bounds);
                Bounds::ALL.iter().map(story).map(|story| draft(story.mark, book::data(&story))).collect()
            })
            .collect(),
    }
}

/// The built-in templates in the order of [`Wording::ALL`].
fn texts(language: Language, kind: ChannelKind) -> [&'static str; 5] {
    macro_rules! folder {
        ($folder:literal) => {
            [
                include_str!(concat!("../../templates/", $folder, "/incident.hbs")),
                include_str!(concat!("../../templates/", $folder, "/note.hbs")),
                include_str!(concat!("../../templates/", $folder, "/digest.hbs")),
                include_str!(concat!("../../templates/", $folder, "/digest_note.hbs")),
                include_str!(concat!("../../templates/", $folder, "/notice.hbs")),
            ]
        };
    }
    match (language, kind) {
        (Language::En, ChannelKind::Slack) => folder!("en/slack"),
        (Language::En, ChannelKind::Wecom) => folder!("en/wecom"),
        (Language::En, ChannelKind::Telegram) => folder!("en/telegram"),
        (Language::En, ChannelKind::Webhook) => folder!("en/webhook"),
        (Language::En, ChannelKind::Console) => folder!("en/console"),
        (Language::Zh, ChannelKind::Slack) => folder!("zh/slack"),
        (Language::Zh, ChannelKind::Wecom) => folder!("zh/wecom"),
        (Language::Zh, ChannelKind::Telegram) => folder!("zh/telegram"),
        (Language::Zh, ChannelKind::Webhook) => folder!("zh/webhook"),
        (Language::Zh, ChannelKind::Console) => folder!("zh/console"),
    }
}
