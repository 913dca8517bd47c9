//! `preview`: what people will read: each message as each platform shows it, without any server or network.

mod look;
mod page;
mod rule;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::args::Output;
use super::check::read;
use super::exit::{Exit, say};
use super::serve::templates_in;
use crate::config;
use crate::model::{Catalogue, Channel, ChannelKind, DeliveryId, Language, Notice};
use crate::render::sample::{self, Sample};
use crate::render::{self, Card, DigestView, Gathered, NoticeView, Rendered, Renderer, View};
use crate::rules::{RuleSet, trial};
use page::{Column, Ink};

const EXAMPLES: &str = "Examples:
  pushwatch preview                                   # the usual messages on every chat, en beside zh
  pushwatch preview --channel telegram --message incident
  pushwatch preview --rule gop_too_large --lang zh    # with this rule's labels and annotations
  pushwatch preview --templates my-templates --all | less -R

No secrets are needed and nothing is sent. docs/templates.md says how messages are changed.
Exit status: 0 shown, 1 a template or the rules are wrong, 2 usage.";

/// The width of what is no terminal.
const WIDTH: u16 = 120;

/// Show each message as each platform shows it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PreviewArgs {
    /// One platform alone
    #[arg(long, env = "PUSHWATCH_CHANNEL", value_enum, value_name = "KIND")]
    channel: Option<Kind>,
    /// One language alone
    #[arg(long, env = "PUSHWATCH_LANG", value_enum)]
    lang: Option<Lang>,
    /// One kind of message alone
    #[arg(long, env = "PUSHWATCH_MESSAGE", value_enum, value_name = "KIND")]
    message: Option<Message>,
    /// What this rule would say
    #[arg(long, env = "PUSHWATCH_RULE", value_name = "NAME")]
    rule: Option<String>,
    /// The rules: for your own words in `catalogue`, and for --rule
    #[arg(long, env = "PUSHWATCH_CONFIG", value_name = "FILE", default_value = "rules.yaml")]
    config: PathBuf,
    /// Folder of your own message templates
    #[arg(long, env = "PUSHWATCH_TEMPLATES", value_name = "DIR", default_value = "templates")]
    templates: PathBuf,
    /// Every made-up case, not the usual ones alone
    #[arg(long, env = "PUSHWATCH_ALL")]
    all: bool,
    /// Columns of the terminal, if not as wide as it is
    #[arg(long, env = "PUSHWATCH_WIDTH", value_name = "N", value_parser = clap::value_parser!(u16).range(20..=1000))]
    width: Option<u16>,
    /// How the messages are printed: as they look, or the raw texts
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// A platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Slack,
    Wecom,
    Telegram,
    Webhook,
    Console,
}

impl Kind {
    fn of(self) -> ChannelKind {
        match self {
            Kind::Slack => ChannelKind::Slack,
            Kind::Wecom => ChannelKind::Wecom,
            Kind::Telegram => ChannelKind::Telegram,
            Kind::Webhook => ChannelKind::Webhook,
            Kind::Console => ChannelKind::Console,
        }
    }
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lang {
    En,
    Zh,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Message {
    /// About one stream, or what else a rule watches
    Incident,
    /// A short reply to it
    Note,
    /// About many streams at once, and the short reply to it
    Digest,
    /// About pushwatch itself
    Notice,
}

/// Shows what was asked for.
pub(super) fn run(args: &PreviewArgs) -> Exit {
    let colours = io::stdout().is_terminal() && config::variable("NO_COLOR").is_none();
    let seen = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
    let width = args.width.or(seen).unwrap_or(WIDTH);
    match preview(args, usize::from(width), if colours { Ink::Ansi } else { Ink::Plain }) {
        Ok(text) => {
            // Whoever closed our output knows enough.
            let _ = say(&text);
            Exit::Fine
        }
        Err(why) => Exit::wrong(why),
    }
}

/// What is printed. The error says all that is wrong.
fn preview(args: &PreviewArgs, width: usize, ink: Ink) -> Result<String, String> {
    let lines = |problems: Vec<String>| problems.join("\nerror: ");
    let renderer = Renderer::load(templates_in(&args.templates).as_deref())
        .map_err(|problems| lines(problems.iter().map(ToString::to_string).collect()))?;
    let rules = rules(args)?;
    let catalogue = rules.as_ref().map(|rules| (*rules.catalogue).clone()).unwrap_or_default();
    let shows = shows(args, rules.as_ref(), &catalogue)?;
    let kinds = match (args.channel, args.output) {
        (Some(kind), _) => vec![kind.of()],
        (None, Output::Text) => {
            vec![ChannelKind::Slack, ChannelKind::Telegram, ChannelKind::Wecom, ChannelKind::Console]
        }
        (None, Output::Json) => ChannelKind::ALL.to_vec(),
    };
    let languages = match args.lang {
        Some(Lang::En) => vec![Language::En],
        Some(Lang::Zh) => vec![Language::Zh],
        None => Language::ALL.to_vec(),
    };
    let channel = |kind, language| {
        let channel = sample::channel(kind, language);
        match &rules {
            Some(rules) => Channel { timezone: rules.timezone.clone(), ..channel },
            None => channel,
        }
    };
    let mut items: Vec<Value> = Vec::new();
    let mut text = String::new();
    for show in &shows {
        text.push_str(&format!(
            "── {}, {} {}\n",
            show.message,
            show.name,
            "─".repeat(width.min(100).saturating_sub(30))
        ));
        let (mut columns, mut cards) = (Vec::new(), Vec::new());
        for kind in &kinds {
            for language in &languages {
                let channel = channel(*kind, *language);
                let rendered = show.rendered(&renderer, &channel, &catalogue);
                let card = show.card(&channel, &catalogue);
                items.push(item(show, &channel, &rendered, card.as_ref()));
                if let Some(card) = card {
                    let title = format!("{} app {}", kind.as_str(), language.as_str());
                    cards.push(Column { title, lines: look::card(&card) });
                }
                let title = format!("{} {}", kind.as_str(), language.as_str());
                columns.push(Column { title, lines: look::look(*kind, &rendered.text, rendered.sign) });
            }
        }
        // One language beside the other, or one platform beside the other.
        let across = if languages.len() > 1 { languages.len() } else { kinds.len() };
        columns.append(&mut cards);
        text.extend(columns.chunks(across).map(|row| page::columns(row, width, ink)));
    }
    match args.output {
        Output::Text => Ok(text),
        Output::Json => Ok(format!("{}\n", json!({ "items": items }))),
    }
}

/// The rules, where there are any: those that were asked for must be there.
fn rules(args: &PreviewArgs) -> Result<Option<RuleSet>, String> {
    let asked = args.rule.is_some() || args.config != Path::new("rules.yaml");
    if !asked && !args.config.exists() {
        return Ok(None);
    }
    let name = args.config.display().to_string();
    let text = read(&args.config).map_err(|why| format!("{name} {why}"))?;
    let found = trial::load_rules(&text, &name, &config::variable);
    found.map(Some).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
}

/// A made-up case and its kind of message.
struct Show {
    message: &'static str,
    name: String,
    case: Case,
}

enum Case {
    Incident(Sample),
    Note(Sample),
    Digest(Box<Gathered>),
    DigestNote(Box<Gathered>),
    Notice(Notice),
}

impl Show {
    fn rendered(&self, renderer: &Renderer, channel: &Channel, catalogue: &Catalogue) -> Rendered {
        let now = sample::NOW;
        let group = |sample: &'_ Sample, render: fn(&Renderer, &View<'_>) -> Rendered| {
            render(renderer, &View { group: &sample.group, incidents: &sample.incidents, channel, catalogue, now })
        };
        match &self.case {
            Case::Incident(sample) => group(sample, Renderer::incident),
            Case::Note(sample) => group(sample, Renderer::note),
            Case::Digest(gathered) => renderer.digest(&DigestView { gathered, channel, catalogue, now }),
            Case::DigestNote(gathered) => renderer.digest_note(&DigestView { gathered, channel, catalogue, now }),
            Case::Notice(notice) => renderer.notice(&NoticeView { notice, channel, catalogue, now }),
        }
    }
}

impl Show {
    /// The card that an app of WeCom sends in its place, if it is one with buttons.
    fn card(&self, channel: &Channel, catalogue: &Catalogue) -> Option<Card> {
        let (ChannelKind::Wecom, Case::Incident(sample)) = (channel.kind(), &self.case) else { return None };
        let app = Channel { timezone: channel.timezone.clone(), ..sample::app(channel.language) };
        let (group, incidents) = (&sample.group, &sample.incidents);
        let card = render::card(&View { group, incidents, channel: &app, catalogue, now: sample::NOW });
        (!card.buttons.is_empty()).then_some(card)
    }
}

/// What is to be shown, in order.
fn shows(args: &PreviewArgs, rules: Option<&RuleSet>, catalogue: &Catalogue) -> Result<Vec<Show>, String> {
    const INCIDENTS: [&str; 8] =
        ["firing", "several", "down", "domain", "own_words", "partly_in_hand", "well", "ended"];
    const NOTES: [&str; 3] = ["firing", "down", "well"];
    const DIGESTS: [&str; 4] = ["firing", "most well again", "all well again", "all over"];
    let (samples, digests) = match (&args.rule, rules) {
        (Some(name), Some(rules)) => {
            let found = rules.rules.iter().find(|rule| *rule.name == **name);
            let found = found.ok_or_else(|| unknown(name, rules))?;
            (rule::samples(found, catalogue), rule::digests(found, catalogue))
        }
        _ => (sample::ordinary(), sample::digests()),
    };
    let everything = args.all || args.rule.is_some();
    let wanted = |message| args.message.is_none_or(|only| only == message);
    let usual = |usual: &[&str], name: &str| everything || usual.contains(&name);
    let mut shows = Vec::new();
    let mut add = |message, name: &str, case| shows.push(Show { message, name: name.replace('_', " "), case });
    for sample in samples.iter().filter(|sample| wanted(Message::Incident) && usual(&INCIDENTS, sample.name)) {
        add("incident", sample.name, Case::Incident(sample.clone()));
    }
    for sample in samples.iter().filter(|sample| wanted(Message::Note) && usual(&NOTES, sample.name)) {
        add("note", sample.name, Case::Note(sample.clone()));
    }
    for (name, gathered) in digests.iter().filter(|(name, _)| wanted(Message::Digest) && usual(&DIGESTS, name)) {
        add("digest", name, Case::Digest(Box::new(gathered.clone())));
        add("digest note", name, Case::DigestNote(Box::new(gathered.clone())));
    }
    if wanted(Message::Notice) && args.rule.is_none() {
        for (at, notice) in sample::notices().into_iter().enumerate() {
            let long = matches!(&notice, Notice::RulesRefused { problems } if problems.len() > 3);
            if args.all || !long {
                add("notice", &format!("{}", at + 1), Case::Notice(notice));
            }
        }
    }
    Ok(shows)
}

fn unknown(name: &str, rules: &RuleSet) -> String {
    let known: Vec<&str> = rules.rules.iter().map(|rule| &*rule.name).collect();
    format!("there is no rule `{}`; there are {}", super::table::name(name), known.join(", "))
}

fn item(show: &Show, channel: &Channel, rendered: &Rendered, card: Option<&Card>) -> Value {
    json!({
        "message": show.message,
        "case": show.name,
        "channel": channel.kind().as_str(),
        "language": channel.language.as_str(),
        "text": rendered.text,
        "plain": rendered.plain,
        "summary": rendered.summary,
        "state": rendered.sign.word(),
        "template_error": rendered.template_error,
        "card": card.map(|card| card.wecom(&card.task(DeliveryId(1), 1))),
    })
}
