//! Generated hostile names and texts through every template in every language on every platform: what comes out is
//! taken by the platform, and calls nobody.
//!
//! 60 cases as it is; `PUSHWATCH_HOSTILE=2000 cargo test hostile` for all. With `PUSHWATCH_HOSTILE_OUT=FILE` the
//! messages are also written there, a JSON object a line, for judges outside.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use pushwatch::model::{
    AbnormalType, Ack, Catalogue, Channel, ChannelKind, ChannelName, Incident, Key, Language, Receivers, StreamName,
    Target, Trouble, WecomApp, WecomDoor,
};
use pushwatch::render::html::{self, Piece};
use pushwatch::render::limits::Room;
use pushwatch::render::sample::{self, Sample};
use pushwatch::render::{DigestView, Gathered, Notice, NoticeView, Rendered, Renderer, View};
use serde_json::json;

/// Of what names are made that want to be more than names.
const PARTS: [&str; 56] = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<@U024BE7LH>",
    "<#C024BE7LR>",
    "<!subteam^S1>",
    "<!date^1^{date}|x>",
    "<http://evil.example|push.example.com>",
    "@all",
    "@channel",
    "@here",
    "@everyone",
    "<@all>",
    "<@ann>",
    "@ops_bot",
    "/mute",
    "/mute@alert_bot",
    "#evil",
    "$USD",
    "http://evil.example",
    "https://evil.example/?a=1&b=2",
    "evil.example",
    "tg://resolve?domain=x",
    "mailto:x@evil.example",
    "203.0.113.7",
    "<b>",
    "</b>",
    "</code>",
    "<a href=\"x\">",
    "<br>",
    "<font color=\"info\">",
    "</font>",
    "&lt;",
    "&#60;",
    "&apos;",
    "&",
    "<",
    ">",
    "`",
    "```",
    "*",
    "_",
    "~",
    "**",
    "[x](u)",
    "](http://evil.example)",
    "{{sign}}",
    "{{{x}}}",
    "\r\n",
    "\n✅ pushwatch — all clear\n",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{0}",
    "\u{1b}[2J",
    "]]>",
];

/// Letters of many kinds.
const LETTERS: [&str; 14] = [
    "cam1",
    "live",
    "流",
    "直播间",
    "😀",
    "👩‍👩‍👧",
    "é",
    "e\u{301}",
    "שלום",
    "مرحبا",
    "ไทย",
    "\u{1f3f4}\u{e0067}",
    "ﷺ",
    " ",
];

/// A text of a few parts, sometimes very long.
fn text(dice: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for _ in 0..dice.usize(0..8) {
        let part = match dice.u8(0..10) {
            0..=5 => PARTS[dice.usize(..PARTS.len())],
            6..=8 => LETTERS[dice.usize(..LETTERS.len())],
            _ => "",
        };
        text.push_str(part);
        if dice.u8(0..6) == 0 {
            text.push(dice.char('\0'..='\u{ffff}'));
        }
    }
    if dice.u8(0..12) == 0 { text.repeat(dice.usize(1..120)) } else { text }
}

/// An incident all of whose foreign words are hostile. The operator's own are ordinary.
fn case(dice: &mut fastrand::Rng) -> Sample {
    let ordinary = sample::ordinary();
    let mut sample = ordinary[dice.usize(..ordinary.len())].clone();
    let shared = |dice: &mut fastrand::Rng| -> Arc<str> { text(dice).into() };
    sample.group.key = match dice.u8(0..8) {
        0 => Key::UserIp { user_ip: shared(dice) },
        1 => Key::Domain { domain: shared(dice) },
        2 => Key::app(&text(dice), &text(dice)),
        3 => Key::Labels { labels: [("domain".into(), text(dice).into())].into() },
        4 => Key::session(StreamName::new(&text(dice), &text(dice), &text(dice)), &text(dice)),
        _ => Key::Stream(StreamName::new(&text(dice), &text(dice), &text(dice))),
    };
    for incident in &mut sample.incidents {
        incident.key = sample.group.key.clone();
        incident.end.get_or_insert_default().errmsg = Some(text(dice).into());
        incident.user_ip = Some(text(dice).into());
        incident.session = Some(text(dice).into());
        incident.appid = Some(text(dice).into());
        incident.ack = incident.ack.as_ref().map(|ack| Box::new(Ack { by: text(dice).into(), at: ack.at }));
        let unknown = AbnormalType(dice.u32(17..40));
        incident.troubles.push(Trouble {
            kind: unknown,
            count: dice.u64(..),
            last: None,
            worst: Some(f64::from_bits(dice.u64(..))),
            text: Some(text(dice).into()),
        });
    }
    sample
}

/// The messages of a case.
fn messages(
    sample: &Sample,
    dice: &mut fastrand::Rng,
    renderer: &Renderer,
    channel: &Channel,
) -> Vec<(&'static str, Rendered)> {
    let (catalogue, now) = (Catalogue::default(), sample::NOW);
    let view = View { group: &sample.group, incidents: &sample.incidents, channel, catalogue: &catalogue, now };
    let mut gathered = Gathered::new();
    let mut many: Vec<Incident> = sample.incidents.clone();
    many.extend((0..4).flat_map(|_| case(dice).incidents));
    many.iter().for_each(|incident| gathered.add(incident));
    let digest = DigestView { gathered: &gathered, channel, catalogue: &catalogue, now };
    let notice = match dice.u8(0..2) {
        0 => Notice::ChannelFailing { channel: ChannelName::new(&text(dice)), error: text(dice), waiting: 3 },
        _ => Notice::RulesRefused { problems: vec![text(dice); 3] },
    };
    vec![
        ("incident", renderer.incident(&view)),
        ("note", renderer.note(&view)),
        ("digest", renderer.digest(&digest)),
        ("digest_note", renderer.digest_note(&digest)),
        ("notice", renderer.notice(&NoticeView { notice: &notice, channel, catalogue: &catalogue, now })),
    ]
}

/// What would call somebody, or be a command or a link, in text that no code span protects.
fn acts(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    chars.iter().enumerate().any(|(at, c)| {
        let before = at.checked_sub(1).map_or(' ', |before| chars[before]);
        let after = &chars[at + 1..];
        let next = after.first().copied().unwrap_or(' ');
        match c {
            '@' => next.is_alphanumeric(),
            ':' => after.starts_with(&['/', '/']),
            '/' => next.is_ascii_alphabetic() && !before.is_alphanumeric(),
            '#' => next.is_alphabetic(),
            '.' => before.is_alphanumeric() && next.is_alphabetic(),
            _ => false,
        }
    })
}

/// A channel of each kind in a language, and WeCom's other door, which takes half as much.
fn channels(language: Language) -> Vec<Channel> {
    let mut channels: Vec<Channel> = ChannelKind::ALL.map(|kind| sample::channel(kind, language)).into();
    let app = WecomApp {
        corp_id: "ww1".to_owned(),
        agent_id: 1_000_002,
        secret: "s".to_owned().into(),
        to: Receivers::default(),
        callback: None,
    };
    let target = Target::Wecom { door: WecomDoor::App(Box::new(app)), api_url: String::new() };
    channels.push(Channel { target, ..sample::channel(ChannelKind::Wecom, language) });
    channels
}

fn accept(channel: &Channel, message: &str, rendered: &Rendered) {
    let (kind, text) = (channel.kind(), &rendered.text);
    assert_eq!(rendered.template_error, None, "{kind:?} {message}");
    assert_eq!(Room::of(channel).check(text), Ok(()), "{kind:?} {message}: {text}");
    for shown in [text, &rendered.plain, &rendered.summary] {
        let control = |c: char| c.is_control() && c != '\n';
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        assert!(!shown.chars().any(|c| control(c) || turns(c)), "{kind:?} {message}: {shown:?}");
    }
    match kind {
        ChannelKind::Slack => {
            // The operator's own links are no data of the cloud.
            let own = ["<https://wiki.example.com/run_book?a=1&amp;b=2>", "<https://grafana.example.com/d/live>"];
            let foreign = own.iter().fold(text.clone(), |text, link| text.replace(link, ""));
            assert!(!foreign.contains('<'), "{text}");
            let outside: String = foreign.split('`').step_by(2).collect();
            assert!(!acts(&outside), "{outside}");
        }
        ChannelKind::Telegram => {
            let mut inside = "";
            for piece in html::read(text).unwrap() {
                match piece {
                    Piece::Open { name, href } => {
                        let own = |href: &str| {
                            href.starts_with("https://wiki.example.com/")
                                || href.starts_with("https://grafana.example.com/")
                        };
                        assert!(["b", "code", "a"].contains(&name) && href.is_none_or(|href| own(&href)), "{text}");
                        inside = name;
                    }
                    Piece::Close(_) => inside = "",
                    Piece::Text(piece) => assert!(["code", "a"].contains(&inside) || !acts(&piece), "{piece}"),
                }
            }
        }
        ChannelKind::Wecom => {
            let colours = text.matches("<font color=\"").count() + text.matches("</font>").count();
            assert_eq!(text.matches('<').count(), colours, "{text}");
            assert_eq!(text.matches('`').count() % 2, 0, "{text}");
        }
        ChannelKind::Webhook | ChannelKind::Console => {}
    }
    if !matches!(kind, ChannelKind::Webhook | ChannelKind::Console) {
        assert!(!rendered.plain.contains(['<', '>', '&', '@', '`']) && !acts(&rendered.plain), "{}", rendered.plain);
    }
}

#[test]
fn no_name_breaks_a_message_or_calls_anybody() {
    let cases = std::env::var("PUSHWATCH_HOSTILE").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    let mut out = std::env::var_os("PUSHWATCH_HOSTILE_OUT").map(|path| BufWriter::new(File::create(path).unwrap()));
    let renderer = Renderer::embedded();
    for seed in 0..cases {
        let sample = case(&mut fastrand::Rng::with_seed(seed));
        for language in Language::ALL {
            for channel in channels(language) {
                let mut dice = fastrand::Rng::with_seed(seed ^ 0xfeed);
                for (message, rendered) in messages(&sample, &mut dice, &renderer, &channel) {
                    accept(&channel, message, &rendered);
                    if let Some(out) = &mut out {
                        let line = json!({
                            "case": seed, "channel": channel.kind().as_str(), "most": Room::of(&channel).most, "language": language.as_str(), "message": message,
                            "text": rendered.text, "plain": rendered.plain, "summary": rendered.summary,
                        });
                        writeln!(out, "{line}").unwrap();
                    }
                }
            }
        }
    }
}
