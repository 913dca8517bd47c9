//! Who is answered what, by a real desk on a real store.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::core::{Core, Rooms};
use crate::model::{ChannelName, MuteId};
use crate::store::{Settings, Sqlite};

const RULES: &str = "version: 1\ntencent: { allow_unsigned: true }\nchannels:\n\
    \x20 ops: { type: telegram, token: '1:a', chat_id: -5, allow: [7], language: zh }\n\
    \x20 all: { type: telegram, token: '1:a', chat_id: -6, allow: everyone }\n\
    \x20 none: { type: telegram, token: '1:a', chat_id: -7 }\n\
    defaults: { notify: [ops] }\nrules: [ { name: gop, on: push_error, types: [16] } ]\n";

/// A chat whose core runs until it is dropped.
struct House {
    chat: Chat,
    store: Arc<Sqlite>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    async fn new() -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let (clock, metrics) = (Arc::new(Clock::start()), Arc::new(Metrics::new()));
        let store = Sqlite::open(Settings::for_testing(folder.path()), Arc::clone(&clock), Arc::clone(&metrics));
        let store = store.unwrap();
        let rules = Arc::new(crate::rules::load(RULES, "rules.yaml", &|_| None).unwrap());
        let rules = Arc::new(Rulebook::of_one(rules));
        let rooms = Rooms {
            store: Arc::clone(&store) as _,
            rules: Arc::clone(&rules),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let core = Core::open(rooms).await.unwrap();
        let (handle, stop) = (core.handle(), CancellationToken::new());
        let run = core.run(stop.clone());
        tokio::spawn(async move { run.await.unwrap() });
        let desk = Desk::new(
            handle,
            (&*store, Arc::clone(&store) as _, Arc::clone(&store) as _),
            Arc::clone(&rules),
            Arc::clone(&clock),
        );
        let desk = Arc::new(desk);
        let telegram = telegram::unlimited(&*store, &clock);
        let wecom = wecom::tests::silent(&*store);
        let chat = Chat::new(desk, rules, (clock, metrics), crate::deliver::http_client(), telegram, wecom);
        House { chat, store, stop, _folder: folder }
    }

    async fn hear(&self, channel: &str, id: &str, line: &str) -> Option<Answer> {
        let channel = Arc::clone(&self.chat.rules.current().channels[&ChannelName::new(channel)]);
        let author = Author { id: id.into(), name: format!("name of {id}").into() };
        self.chat.hear(&channel, &author, Asked::Line(line), "/").await
    }

    fn counted(&self, outcome: ChatOutcome) -> u64 {
        let text = self.chat.metrics.text();
        let head = format!("pushwatch_chat_commands_total{{platform=\"telegram\",outcome=\"{}\"}} ", outcome.as_str());
        text.lines().find_map(|line| line.strip_prefix(&head)).map_or(0, |count| count.parse().unwrap())
    }
}

#[tokio::test]
async fn whoever_is_named_commands_and_others_are_told_their_id_and_change_nothing() {
    let house = House::new().await;
    let stranger = house.hear("ops", "8", "mute cam1 1h").await.unwrap();
    assert!(stranger.text.contains('8') && stranger.text.contains("allow"), "{}", stranger.text);
    let nobody = house.hear("none", "7", "mute cam1 1h").await.unwrap();
    assert!(nobody.text.contains("Your user id is 7"), "{}", nobody.text);
    assert!(house.store.lookup_mutes().await.is_empty());
    assert_eq!(house.counted(ChatOutcome::Forbidden), 2);
    let named = house.hear("ops", "7", "mute cam1 1h").await.unwrap();
    assert!(named.text.contains("静音") && named.text.contains("/unmute 1"), "{}", named.text);
    assert_eq!(named.verdict, Verdict::Done);
    let anybody = house.hear("all", "8", "help").await.unwrap();
    assert!(anybody.text.contains("/mute TARGET"), "{}", anybody.text);
    assert_eq!(house.counted(ChatOutcome::Done), 2);
    assert_eq!(house.store.lookup_mutes().await, [MuteId(1)]);
    let who: Vec<(String, Verdict)> = house.store.lookup_records().await;
    assert_eq!(who.last().unwrap(), &("name of 8 (8)".to_owned(), Verdict::Refused), "strangers are on record too");
}

#[tokio::test]
async fn a_flood_of_one_is_told_so_once_and_strangers_get_few_answers() {
    let house = House::new().await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(house.hear("ops", "7", "mutes").await.map(|answer| answer.verdict));
    }
    assert_eq!(answers[..10], [Some(Verdict::Done); 10]);
    assert_eq!(answers[10..], [Some(Verdict::Refused), None]);
    let mut told = 0;
    for n in 0..9 {
        told += usize::from(house.hear("ops", &format!("9{n}"), "mutes").await.is_some());
    }
    assert_eq!((told, house.counted(ChatOutcome::Forbidden), house.counted(ChatOutcome::Flooded)), (5, 5, 6));
    assert_eq!(house.store.lookup_records().await.len(), 16, "what is met with silence is counted, not kept");
}

/// What the tests look up.
trait LookedUp {
    async fn lookup_mutes(&self) -> Vec<MuteId>;
    async fn lookup_records(&self) -> Vec<(String, Verdict)>;
}

impl LookedUp for Sqlite {
    async fn lookup_mutes(&self) -> Vec<MuteId> {
        crate::store::Lookup::mutes(self).await.unwrap().iter().map(|mute| mute.id).collect()
    }

    async fn lookup_records(&self) -> Vec<(String, Verdict)> {
        let page = crate::store::Lookup::records(self, None, 100).await.unwrap();
        page.items.into_iter().map(|(_, record)| (record.who.into(), record.verdict)).collect()
    }
}
