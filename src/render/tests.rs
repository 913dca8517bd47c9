//! Every message on every platform in every language: snapshots, hostile names, broken templates.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::model::{AbnormalType, Cause, Key, StreamName, Trouble};

fn view<'a>(sample: &'a sample::Sample, channel: &'a Channel, catalogue: &'a Catalogue) -> View<'a> {
    View { group: &sample.group, incidents: &sample.incidents, channel, catalogue, now: sample::NOW }
}

#[test]
fn what_people_read() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    for kind in ChannelKind::ALL {
        for language in Language::ALL {
            let channel = sample::channel(kind, language);
            let mut page = String::new();
            let mut add = |name: &str, rendered: &Rendered| {
                assert_eq!(rendered.template_error, None, "{name}");
                assert_eq!(Room::usual(kind).check(&rendered.text), Ok(()), "{name}");
                page.push_str(&format!("=== {name}\n{}\n\n", rendered.text));
            };
            for sample in sample::ordinary() {
                let view = view(&sample, &channel, &catalogue);
                add(&format!("incident, {}", sample.name), &renderer.incident(&view));
                add(&format!("note, {}", sample.name), &renderer.note(&view));
            }
            for (name, gathered) in &sample::digests() {
                let view = DigestView { gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW };
                add(&format!("digest, {name}"), &renderer.digest(&view));
                add(&format!("digest note, {name}"), &renderer.digest_note(&view));
            }
            for notice in sample::notices() {
                let view = NoticeView { notice: &notice, channel: &channel, catalogue: &catalogue, now: sample::NOW };
                add("notice", &renderer.notice(&view));
            }
            insta::assert_snapshot!(format!("{}_{}", language.as_str(), kind.as_str()), page);
        }
    }
}

#[test]
fn what_a_notice_proposes_to_type_makes_the_same_mute_longer() {
    use crate::command::{Command, Target, parse};
    let Some(Notice::MuteEnds { mute, .. }) =
        sample::notices().into_iter().find(|notice| matches!(notice, Notice::MuteEnds { .. }))
    else {
        panic!()
    };
    let matchers = r#"stream=~"live_.*|a\.b", rule!="x \"y\"", user_ip="::1""#;
    let notice =
        Notice::MuteEnds { mute: Box::new(crate::model::Mute { matchers: matchers.into(), ..*mute }), firing: 1 };
    let catalogue = Catalogue::default();
    for (kind, before) in [(ChannelKind::Slack, "/pushwatch "), (ChannelKind::Telegram, "/"), (ChannelKind::Wecom, "")]
    {
        let channel = sample::channel(kind, Language::En);
        let view = NoticeView { notice: &notice, channel: &channel, catalogue: &catalogue, now: sample::NOW };
        let typed = notice::NoticeStory::of(&view, &story::Bounds::ALL[0]).command;
        assert!(typed.starts_with(&format!("{before}mute ")), "{typed}");
        let Ok(Command::Mute { target: Target::Matchers(read), .. }) = parse(&typed) else { panic!("{typed}") };
        assert_eq!(read, crate::rules::Matchers::parse(matchers).unwrap(), "{typed}");
    }
}

#[test]
fn the_plain_text_says_the_same() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    for language in Language::ALL {
        let channel = sample::channel(ChannelKind::Telegram, language);
        let mut page = String::new();
        for sample in sample::ordinary() {
            let rendered = renderer.incident(&view(&sample, &channel, &catalogue));
            assert!(rendered.plain.starts_with(&rendered.summary), "{}", sample.name);
            page.push_str(&format!("=== {}, {:?}\n{}\n\n", sample.name, rendered.sign, rendered.plain));
        }
        for (name, gathered) in &sample::digests() {
            let view = DigestView { gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW };
            let rendered = renderer.digest(&view);
            assert!(rendered.plain.starts_with(&rendered.summary), "{name}");
            page.push_str(&format!("=== digest, {name}, {:?}\n{}\n\n", rendered.sign, rendered.plain));
        }
        insta::assert_snapshot!(format!("{}_plain", language.as_str()), page);
    }
}

#[test]
fn what_webhooks_are_given() {
    let (catalogue, channel) = (Catalogue::default(), sample::channel(ChannelKind::Webhook, Language::En));
    let samples = sample::ordinary();
    insta::assert_json_snapshot!("facts", facts(&view(&samples[0], &channel, &catalogue)));
    for (name, gathered) in
        [("digest_facts", sample::storm(2)), ("digest_facts_over", sample::passed(sample::storm(2), Cause::Ended))]
    {
        let gathered = sample::gathered(&gathered);
        let view = DigestView { gathered: &gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW };
        insta::assert_json_snapshot!(name, digest_facts(&view));
    }
    let notices = sample::notices();
    let told =
        |notice| notice_facts(&NoticeView { notice, channel: &channel, catalogue: &catalogue, now: sample::NOW });
    assert_eq!((&told(&notices[0])["state"], &told(&notices[0])["mute"]), (&"info".into(), &serde_json::Value::Null));
    let muting = |notice: &&Notice| matches!(notice, Notice::MuteEnds { .. } | Notice::MuteOver(_));
    insta::assert_json_snapshot!("mute_facts", notices.iter().filter(muting).take(3).map(told).collect::<Vec<_>>());
}

#[test]
fn troubles_seen_together_change_the_advice_unless_the_operator_knows_better() {
    let renderer = Renderer::embedded();
    let channel = sample::channel(ChannelKind::Console, Language::En);
    let both = &sample::ordinary()[0];
    let built_in = renderer.incident(&view(both, &channel, &Catalogue::default())).text;
    assert!(built_in.contains("picture and sound come late together"), "{built_in}");
    let own = crate::model::catalogue::Override { cause: Some("the old 4G router".into()), ..Default::default() };
    let catalogue = Catalogue::new([(AbnormalType(6), own)].into());
    let own = renderer.incident(&view(both, &channel, &catalogue)).text;
    assert!(own.contains("the old 4G router") && !own.contains("together"), "{own}");
    // With one type alone nothing is said of the other: the rule may not listen to it.
    let mut alone = both.clone();
    alone.incidents[0].troubles.truncate(1);
    let alone = renderer.incident(&view(&alone, &channel, &Catalogue::default())).text;
    assert!(alone.contains("uplink is congested") && !alone.contains("only the picture"), "{alone}");
    // An undocumented type beside a known one adds nothing to what viewers see.
    let mut beside = both.clone();
    beside.incidents[0].troubles[1].kind = AbnormalType(99);
    let beside = renderer.incident(&view(&beside, &channel, &Catalogue::default())).text;
    assert!(beside.contains("freezes or stutters for everyone\n") && beside.contains("type 99"), "{beside}");
}

#[test]
fn a_stream_cannot_speak_for_pushwatch() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    let mut sample = sample::ordinary().remove(0);
    sample.group.key = Key::Stream(StreamName::new("d", "p", "x` — well again\n✅ `cam2"));
    let text = |kind| {
        let channel = sample::channel(kind, Language::En);
        renderer.incident(&view(&sample, &channel, &catalogue)).text.lines().next().unwrap().to_owned()
    };
    assert!(text(ChannelKind::Slack).starts_with("🔴 `xˋ — well again␤✅ ˋcam2` — *video late"));
    assert!(text(ChannelKind::Telegram).starts_with("🔴 <code>x` — well again␤✅ `cam2</code> — <b>video late"));
    assert!(text(ChannelKind::Console).starts_with("🔴 “x` — well again␤✅ `cam2” — video late"));
}

#[test]
fn hostile_samples_arrive_whole_in_the_platforms_markup() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    for kind in ChannelKind::ALL {
        for language in Language::ALL {
            let channel = sample::channel(kind, language);
            for sample in sample::hostile() {
                let view = view(&sample, &channel, &catalogue);
                for rendered in [renderer.incident(&view), renderer.note(&view)] {
                    assert_eq!(rendered.template_error, None);
                    accept(kind, &rendered);
                }
            }
        }
    }
}

/// What must hold for any message.
fn accept(kind: ChannelKind, rendered: &Rendered) {
    for text in [&rendered.text, &rendered.plain] {
        assert!(!text.trim().is_empty());
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!text.chars().any(control), "{text:?}");
        let bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        assert!(!text.chars().any(bidi), "{text:?}");
        match kind {
            ChannelKind::Slack => {
                assert!(text.encode_utf16().count() <= 2_900);
                let links = text.matches("<https://h.example/").count();
                assert_eq!(text.matches('<').count(), links, "{text}");
                let ampersands = text.matches('&').count();
                let entities =
                    ["&amp;", "&lt;", "&gt;"].iter().map(|entity| text.matches(entity).count()).sum::<usize>();
                assert_eq!(ampersands, entities, "{text}");
            }
            ChannelKind::Wecom => {
                assert!(text.len() <= 4_096);
                let fonts = text.matches("<font color=\"").count() + text.matches("</font>").count();
                assert_eq!(text.matches('<').count(), fonts, "{text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{text}");
            }
            ChannelKind::Telegram => assert!(text.len() <= 32_768),
            ChannelKind::Webhook | ChannelKind::Console => assert!(text.chars().count() <= 8_000),
        }
    }
    match kind {
        ChannelKind::Telegram => strict_html(&rendered.text),
        ChannelKind::Slack | ChannelKind::Wecom | ChannelKind::Webhook | ChannelKind::Console => {}
    }
    assert!(rendered.plain.len() <= 2_048 || kind != ChannelKind::Wecom);
    assert!(!rendered.summary.contains('\n') && !rendered.summary.is_empty());
    if !matches!(kind, ChannelKind::Webhook | ChannelKind::Console) {
        assert!(!rendered.plain.contains(['<', '>', '&', '@', '`']), "{}", rendered.plain);
    }
}

/// A stricter reading than the platform's, written apart from [`limits`]: only `b`, `code` and links to the
/// samples' host, none inside another, and four entities.
fn strict_html(text: &str) {
    let mut bare = text.to_owned();
    for entity in ["&amp;", "&lt;", "&gt;", "&quot;"] {
        bare = bare.replace(entity, "");
    }
    assert!(!bare.contains('&'), "{text}");
    let mut open: Vec<String> = Vec::new();
    for piece in bare.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        match tag {
            "b" | "code" => {
                assert!(open.is_empty(), "{text}");
                open.push(tag.to_owned());
            }
            link if link.starts_with("a href=\"https://h.example/") && link.matches('"').count() == 2 => {
                assert!(open.is_empty(), "{text}");
                open.push("a".to_owned());
            }
            tag => assert_eq!(open.pop().as_deref(), tag.strip_prefix('/'), "{text}"),
        }
    }
    assert!(open.is_empty(), "{text}");
}

/// Any text, often with fragments of markup in it.
fn nasty() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        any::<String>(),
        "[<>&`*_~@!#\\[\\]()|{}\"'/ ]{1,8}",
        prop::sample::select(vec![
            "<!channel>",
            "<@U1>",
            "<@all>",
            "@all",
            "@channel",
            "</code>",
            "<b>",
            "<font color=\"info\">",
            "&lt;",
            "&#60;",
            "http://evil.example",
            "\u{202e}",
            "\u{200b}",
            "\r\n",
            "\u{0}",
            "{{sign}}",
            "流",
            "😀",
            "e\u{301}",
            "]]>",
            "``",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

mod manual;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_of_the_cloud_breaks_a_message(
        texts in prop::collection::vec(nasty(), 6),
        which in 0..28_usize,
        values in prop::collection::vec((any::<u32>(), any::<u64>(), any::<f64>()), 0..6),
        times in prop::collection::vec(any::<i64>(), 4),
        repeat in 1..80_usize,
    ) {
        let mut sample = sample::ordinary().remove(which);
        let long = texts[2].repeat(repeat);
        let text = || std::sync::Arc::from(texts[0].as_str());
        sample.group.key = match repeat % 5 {
            0 => Key::UserIp { user_ip: text() },
            1 => Key::Domain { domain: text() },
            2 => Key::Labels { labels: [(texts[0].as_str().into(), long.as_str().into())].into() },
            _ => Key::Stream(StreamName::new(&texts[0], &texts[1], &long)),
        };
        let first = &mut sample.incidents[0];
        first.key = sample.group.key.clone();
        first.end.get_or_insert_default().errmsg = Some(texts[3].clone().into());
        first.user_ip = Some(texts[4].clone().into());
        first.rule = texts[5].as_str().into();
        // Not an address alone, which would be the operator's own link.
        first.annotations = std::sync::Arc::new(
            [("summary", 0), ("description", 1), ("x", 2), (texts[5].as_str(), 3)]
                .map(|(name, text)| (name.into(), format!("{} .", texts[text].repeat(repeat)).into()))
                .into(),
        );
        first.labels = first.annotations.clone();
        first.ack = Some(Box::new(crate::model::Ack { by: texts[4].clone().into(), at: Timestamp(times[1]) }));
        first.muted_until = Some(Timestamp(times[2]));
        first.since = Timestamp(times[0]);
        first.last_at = Timestamp(times[1]);
        first.last_received = Timestamp(times[2]);
        first.resolved_at = first.resolved_at.map(|_| Timestamp(times[3]));
        first.end.get_or_insert_default().push_duration = Some(times[0].unsigned_abs());
        first.troubles.extend(values.iter().map(|(kind, count, worst)| Trouble {
            kind: AbnormalType(*kind), count: *count, last: None, worst: Some(*worst), text: Some(texts[3].clone().into()),
        }));
        let catalogue = Catalogue::default();
        BOOK.with(|renderer| {
            for kind in ChannelKind::ALL {
                for language in Language::ALL {
                    let channel = sample::channel(kind, language);
                    let view = view(&sample, &channel, &catalogue);
                    let gathered = sample::gathered(&sample.incidents);
                    let digest = DigestView { gathered: &gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW };
                    for rendered in [renderer.incident(&view), renderer.note(&view), renderer.digest(&digest), renderer.digest_note(&digest)] {
                        assert_eq!(rendered.template_error, None);
                        accept(kind, &rendered);
                    }
                    assert!(facts(&view).is_object());
                }
            }
        });
    }

    #[test]
    fn no_operators_words_break_a_message(words in prop::collection::vec(nasty(), 4), repeat in 1..200_usize) {
        let own = crate::model::catalogue::Override {
            name: Some(words[0].repeat(repeat)), viewers: Some(words[1].repeat(repeat)),
            cause: Some(words[2].repeat(repeat)), fix: Some(words[3].repeat(repeat)), severity: None,
        };
        let catalogue = Catalogue::new([(AbnormalType(6), own)].into());
        let sample = sample::ordinary().remove(0);
        BOOK.with(|renderer| {
            for kind in ChannelKind::ALL {
                let channel = sample::channel(kind, Language::En);
                let rendered = renderer.incident(&view(&sample, &channel, &catalogue));
                assert_eq!(rendered.template_error, None);
                accept(kind, &rendered);
            }
        });
    }
}

thread_local! {
    static BOOK: Renderer = Renderer::embedded();
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The problems of a folder, without the folder's own path.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let found = Renderer::load(Some(folder.path())).err().unwrap_or_default();
    let prefix = format!("{}/", folder.path().display());
    found.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

#[test]
fn a_folder_overrides_single_files_and_keeps_the_rest() {
    let folder = folder(&[("en/slack/incident.hbs", "HEY {{code stream}}\r\n"), (".git/HEAD", "x")]);
    let renderer = Renderer::load(Some(folder.path())).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (catalogue, sample) = (Catalogue::default(), sample::ordinary().remove(0));
    let text = |kind, language| {
        let channel = sample::channel(kind, language);
        renderer.incident(&view(&sample, &channel, &catalogue)).text
    };
    assert_eq!(text(ChannelKind::Slack, Language::En), "HEY `cam1`");
    assert!(text(ChannelKind::Slack, Language::Zh).contains("视频"));
    assert!(text(ChannelKind::Telegram, Language::En).contains("video late"));
}

#[test]
fn every_mistake_in_a_folder_is_named_with_its_place() {
    assert_eq!(problems(&[]), Vec::<String>::new());
    assert_eq!(problems(&[("en/slack/incident.hbs", "{{sign}}\n {{#if streem}}x{{/if}}")]).len(), 1);
    let found = problems(&[
        ("en/slack/incident.hbs", "{{sign}}\n {{streem}}"),
        ("zh/wecom/note.hbs", "{{#if firing}}"),
        ("en/telegram/incident.hbs", "<p>{{headline}}</p>"),
        ("en/telegram/note.hbs", "{{{stream}}}"),
        ("en/wecom/digest.hbs", "{{#if firing}}x{{/if}}"),
        ("en/slack/incidents.hbs", "x"),
        ("fr/slack/incident.hbs", "x"),
        ("README.md", "x"),
        ("en/slack/old/incident.hbs", "x"),
    ]);
    let starts = |start: &str| assert!(found.iter().any(|one| one.starts_with(start)), "{start}: {found:#?}");
    starts("en/slack/incident.hbs:2:2: unknown field `streem` (did you mean `stream`?)");
    starts("zh/wecom/note.hbs:1:");
    starts("en/telegram/incident.hbs:1:1: the platform would refuse the message: Telegram does not know the tag <p>");
    starts("en/telegram/note.hbs:1:1: {{{…}}} and {{&…}} are not escaped");
    starts("en/wecom/digest.hbs:1:1: the platform would refuse the message: the message is empty");
    starts("en/slack/incidents.hbs:1:1: unknown file: expected (en|zh)/");
    starts("fr/slack/incident.hbs:1:1: unknown file");
    starts("README.md:1:1: unknown file");
    starts("en/slack/old:1:1: unknown file");
    assert_eq!(found.len(), 9, "{found:#?}");
    assert_eq!(problems(&[("en/slack/note.hbs", &"x".repeat(70_000))]).len(), 1);
    assert!(Renderer::load(Some(Path::new("/nonexistent/templates"))).is_err());
}

#[test]
fn a_template_that_fails_all_the_same_gives_the_plain_facts_and_names_the_error() {
    for kind in ChannelKind::ALL {
        for language in Language::ALL {
            let mut renderer = Renderer::embedded();
            let book = &mut renderer.books[place(language, kind)];
            book.templates.register_template_string("incident", "a\n{{nothing}}").unwrap();
            let (catalogue, channel) = (Catalogue::default(), sample::channel(kind, language));
            for sample in sample::ordinary().iter().chain(&sample::hostile()) {
                let rendered = renderer.incident(&view(sample, &channel, &catalogue));
                accept(kind, &rendered);
                let error = rendered.template_error.unwrap();
                assert!(
                    error.contains(&format!("{}/{}/incident.hbs:2:1", language.as_str(), kind.as_str())),
                    "{error}"
                );
                assert!(rendered.text.contains("incident.hbs:2:1"), "{}", rendered.text);
            }
        }
    }
}

#[test]
fn fewer_lines_come_before_a_cut() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    let channel = sample::channel(ChannelKind::Slack, Language::En);
    let mut sample = sample::ordinary().remove(0);
    let one = sample.incidents[0].clone();
    sample.incidents = (1..=30)
        .map(|id| Incident { id: crate::model::IncidentId(id), rule: "<".repeat(64).into(), ..one.clone() })
        .collect();
    sample.group.key = Key::Stream(StreamName::new("d", "p", &"<".repeat(900)));
    let text = renderer.incident(&view(&sample, &channel, &catalogue)).text;
    assert!(text.contains("… and ") && text.contains("*Do:*"), "{text}");
}

#[test]
fn words_of_operators_and_names_of_authors_call_nobody() {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    let evil = "@all <!channel> <@U1> <@all> [x](http://evil.example)";
    let mut sample = sample::ordinary().remove(0);
    let names = ["summary", "description", "phone"];
    let words = names.map(|name| (name.into(), evil.into())).into();
    let first = &mut sample.incidents[0];
    first.annotations = std::sync::Arc::new(words);
    first.ack = Some(Box::new(crate::model::Ack { by: evil.into(), at: sample::NOW }));
    for language in Language::ALL {
        let text = |kind| {
            let channel = sample::channel(kind, language);
            let rendered = renderer.incident(&view(&sample, &channel, &catalogue));
            assert_eq!(rendered.template_error, None);
            accept(kind, &rendered);
            rendered.text
        };
        let slack = text(ChannelKind::Slack);
        assert_eq!(slack.matches("&lt;!channel&gt;").count(), 4, "{slack}");
        let telegram = text(ChannelKind::Telegram);
        let outside: String = telegram.split("<code>").map(|part| part.rsplit("</code>").next().unwrap()).collect();
        assert_eq!(outside.matches("@\u{200b}all").count(), 6, "{outside}");
        assert!(!outside.contains("@a") && !outside.contains("@U"), "{outside}");
        let wecom = text(ChannelKind::Wecom);
        assert_eq!(wecom.matches("＜@\u{200b}all＞").count() + wecom.matches("＜@all＞").count(), 4, "{wecom}");
        assert_eq!(wecom.matches("［x］").count(), 3, "not a link outside code: {wecom}");
    }
}

#[test]
fn machines_are_told_of_width_labels_hands_and_silence() {
    let (catalogue, channel) = (Catalogue::default(), sample::channel(ChannelKind::Webhook, Language::En));
    let facts_of = |name: &str| {
        let sample = sample::ordinary().into_iter().find(|sample| sample.name == name).unwrap();
        facts(&view(&sample, &channel, &catalogue))
    };
    let domain = facts_of("domain");
    let wanted = serde_json::json!({
        "scope": "domain", "domain": "push.example.com", "path": null, "id": null, "full": "push.example.com",
    });
    assert_eq!((&domain["stream"], &domain["incidents"][0]["stream"]), (&wanted, &wanted));
    assert_eq!(domain["incidents"][0]["distinct"], serde_json::json!({ "of": "stream", "number": 23 }));
    assert_eq!(facts_of("address")["stream"]["scope"], "user_ip");
    assert_eq!(facts_of("all")["stream"]["scope"], "all");
    assert_eq!(facts_of("labels")["stream"]["scope"], serde_json::Value::Null);
    assert_eq!(facts_of("silence")["incidents"][0]["silence_ms"], 300_000);
    let own = &facts_of("own_words_well")["incidents"][0];
    assert_eq!(own["labels"], serde_json::json!({ "team": "sports", "tier": "gold" }));
    assert_eq!(own["annotations"]["runbook_url"], "https://wiki.example.com/run_book?a=1&b=2");
    let held = &facts_of("in_hand")["incidents"][0];
    assert_eq!((&held["ack"]["by"], &held["ack"]["at"]["ms"]), (&"ann".into(), &(sample::NOW.0 - 60_000).into()));
    assert_eq!(held["muted_until"]["local"], "2025-11-22T13:05:10+08:00");
    let part = facts_of("partly_in_hand");
    let sources: Vec<_> = part["incidents"].as_array().unwrap().iter().map(|one| &one["inhibited_by"]).collect();
    assert_eq!(sources, [&serde_json::Value::Null, &serde_json::Value::Null, &7.into()]);
}

#[test]
fn a_digest_of_mixed_widths_counts_incidents_and_claims_nothing_in_common() {
    let (catalogue, channel) = (Catalogue::default(), sample::channel(ChannelKind::Webhook, Language::En));
    let told = |incidents: &[Incident]| {
        let gathered = sample::gathered(incidents);
        digest_facts(&DigestView { gathered: &gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW })
    };
    let streams = told(&sample::storm(3));
    assert_eq!((&streams["domain"], &streams["from"]), (&"push.example.com".into(), &"203.0.113.0/24".into()));
    let wide = |key: Key| Incident { key, ..sample::storm(1).remove(0) };
    let mut mixed = sample::storm(3);
    mixed.push(wide(Key::All {}));
    let mixed = told(&mixed);
    assert_eq!(
        (&mixed["domain"], &mixed["from"], &mixed["cause"]),
        (&serde_json::Value::Null, &serde_json::Value::Null, &"".into())
    );
    assert!(mixed["summary"].as_str().unwrap().starts_with("🔴 4 incidents: video late"), "{mixed}");
    let address = told(&[wide(Key::UserIp { user_ip: "203.0.113.9".into() }), sample::storm(1).remove(0)]);
    assert_eq!(address["from"], "203.0.113.0/24", "the key's own address, not the last pusher's");
    let domain = told(&[wide(Key::Domain { domain: "push.example.com".into() }), sample::storm(1).remove(0)]);
    assert_eq!((&domain["domain"], &domain["from"]), (&"push.example.com".into(), &serde_json::Value::Null));
}
