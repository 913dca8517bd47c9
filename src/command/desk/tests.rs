//! Commands against a real store and a real core: what they change, what they answer, and to whom.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::command::Place;
use crate::core::{Core, Rooms};
use crate::metrics::Metrics;
use crate::model::{
    Abnormal, AbnormalType, ChannelName, Event, EventId, EventKind, Language, MuteId, NewEntry, Press, Timestamp,
    Verdict,
};
use crate::store::{Settings, Shard, Sqlite};

const PLAIN: &str = "channels: { ops: { type: console } }\ndefaults: { notify: [ops] }\n\
                     rules: [ { name: gop, on: push_error, types: [16] } ]\n";

const ROUTED: &str = "channels: { ops: { type: console }, acme: { type: console } }\ndefaults: { notify: [ops] }\n\
                      rules: [ { name: gop, on: push_error, types: [16] } ]\n\
                      routes: [ { match: 'domain=acme.example', notify: [acme] } ]\n\
                      mutes: [ { match: 'stream=test', reason: tests } ]\n";

/// A running core on a folder, and a desk.
struct House {
    folder: Arc<tempfile::TempDir>,
    store: Arc<Sqlite>,
    clock: Arc<Clock>,
    desk: Desk,
    handle: Handle,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl House {
    async fn new(rules: &str) -> House {
        House::on(Arc::new(tempfile::tempdir().unwrap()), rules).await
    }

    async fn on(folder: Arc<tempfile::TempDir>, rules: &str) -> House {
        let (clock, metrics) = (Arc::new(Clock::start()), Arc::new(Metrics::new()));
        let store = Sqlite::open(Settings::for_testing(folder.path()), Arc::clone(&clock), Arc::clone(&metrics));
        let store = store.unwrap();
        let text = format!("version: 1\ntencent: {{ allow_unsigned: true }}\n{rules}");
        let rules = Arc::new(crate::rules::load(&text, "rules.yaml", &|_| None).unwrap());
        let rules = Arc::new(Rulebook::of_one(rules));
        let rooms =
            Rooms { store: Arc::clone(&store) as _, rules: Arc::clone(&rules), clock: Arc::clone(&clock), metrics };
        let core = Core::open(rooms).await.unwrap();
        let (handle, stop) = (core.handle(), CancellationToken::new());
        let run = core.run(stop.clone());
        let task = tokio::spawn(async move { run.await.unwrap() });
        let desk = Desk::new(
            handle.clone(),
            (&*store, Arc::clone(&store) as _, Arc::clone(&store) as _),
            rules,
            Arc::clone(&clock),
        );
        House { folder, store, clock, desk, handle, stop, task }
    }

    async fn restart(self, rules: &str) -> House {
        self.stop.cancel();
        self.task.await.unwrap();
        self.store.close().await;
        House::on(self.folder, rules).await
    }

    /// A push error of a stream, without waiting for what comes of it.
    async fn append(&self, domain: &str, stream: &str) {
        let event = Event {
            id: EventId((u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..))).to_le_bytes()),
            kind: EventKind::PushError,
            stream: crate::model::StreamName::new(domain, "live", stream),
            session: Some("1".into()),
            appid: None,
            user_ip: None,
            node: None,
            happened_at: Some(self.clock.steady()),
            report_interval: Some(5000),
            errcode: None,
            errmsg: None,
            push_duration: None,
            abnormal: vec![Abnormal { kind: AbnormalType(16), count: 1, details: Vec::new(), text: None }],
            unreadable: None,
        };
        let entry = NewEntry { input: Input::Callback(Box::new(event)), body: Bytes::from_static(b"{}") };
        self.store.append(&Shard::Engine, entry).await.unwrap();
    }

    /// All that was appended is judged and committed.
    async fn settle(&self) {
        assert_eq!(self.handle.give(Input::Unmuted { id: MuteId(u64::MAX) }).await.unwrap(), Given::InForce);
    }

    async fn report(&self, streams: &[(&str, &str)]) {
        for (domain, stream) in streams {
            self.append(domain, stream).await;
        }
        self.settle().await;
    }

    async fn ops(&self, line: &str) -> Reply {
        self.desk.follow(&caller("ann", "ops"), line).await
    }

    async fn firing(&self) -> Vec<Incident> {
        let wanted = Which { states: vec![State::Firing], most: 500, ..Which::default() };
        self.store.incidents(wanted).await.unwrap().items
    }
}

fn caller(who: &str, channel: &str) -> Caller {
    Caller { who: who.into(), id: who.into(), place: Place::Channel(ChannelName::new(channel)), care: Care::AskBack }
}

fn muted(reply: Reply) -> (Mute, News, Covers) {
    match reply {
        Reply::Muted { mute, news, covers, .. } => (mute, news, covers),
        other => panic!("{other:?}"),
    }
}

fn refused(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mute_is_in_force_when_it_is_answered_and_says_what_it_covers() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1"), ("d", "cam2")]).await;
    let (mute, news, covers) = muted(house.ops("mute cam1 2h the encoder").await);
    assert_eq!((mute.id, news, &*mute.author, &*mute.reason), (MuteId(1), News::Set, "ann", "the encoder"));
    assert_eq!(&*mute.matchers, "stream=\"cam1\", domain=\"d\", path=\"live\"");
    assert_eq!((covers.streams, covers.firing, covers.some), (1, 1, vec!["d/live/cam1".to_owned()]));
    let held: Vec<bool> = house.firing().await.iter().map(|incident| incident.muted_until.is_some()).collect();
    assert_eq!(held, [false, true], "newest first");
    assert_eq!(house.store.mutes().await.unwrap(), [mute]);
}

#[tokio::test]
async fn the_same_again_is_one_mute_which_is_made_longer_and_never_shorter() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    let (first, ..) = muted(house.ops("mute cam1 2h why").await);
    let (again, news, _) = muted(house.desk.follow(&caller("bob", "ops"), "mute cam1 2h").await);
    assert_eq!((&again, news), (&first, News::Nothing), "a second click");
    assert_eq!(
        muted(house.ops("mute cam1 30m").await),
        (first.clone(), News::Nothing, muted(house.ops("mute cam1 30m").await).2)
    );
    let (longer, news, _) = muted(house.desk.follow(&caller("bob", "ops"), "mute cam1 3h").await);
    assert_eq!((longer.id, news, &*longer.author, &*longer.reason), (first.id, News::Longer, "bob", "why"));
    assert!(longer.until > first.until);
    assert_eq!(house.store.mutes().await.unwrap(), [longer]);
}

#[tokio::test]
async fn an_id_of_several_streams_lists_them_and_one_of_none_is_muted_with_a_word() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1"), ("e", "cam1"), ("d", "camera")]).await;
    assert_eq!(
        refused(house.ops("mute cam1 2h").await),
        Refusal::Ambiguous(vec!["d/live/cam1".to_owned(), "e/live/cam1".to_owned()])
    );
    assert_eq!(muted(house.ops("mute e/live/cam1 2h").await).2.streams, 1);
    let Reply::Muted { mute, unheard, .. } = house.ops("mute camers 2h").await else { panic!() };
    assert_eq!((&*mute.matchers, unheard), ("stream=\"camers\"", Some(vec!["camera".to_owned()])));
    assert_eq!(refused(house.ops("status camers").await), Refusal::NoStream(vec!["camera".to_owned()]));
}

#[tokio::test]
async fn more_than_twenty_streams_are_asked_back_and_confirmed_by_who_was_asked() {
    let house = House::new(PLAIN).await;
    let names: Vec<String> = (0..21).map(|n| format!("cam{n}")).collect();
    let streams: Vec<(&str, &str)> = names.iter().map(|name| ("d", name.as_str())).collect();
    house.report(&streams).await;
    assert_eq!(muted(house.ops("mute cam1* 2h").await).2.streams, 11);
    let Reply::Asked { id, covers, .. } = house.ops("mute cam* 2h all").await else { panic!() };
    assert_eq!((covers.streams, covers.firing), (21, 21));
    assert_eq!(house.desk.mutes().await.unwrap().len(), 1, "nothing yet");
    let bob = house.desk.follow(&caller("bob", "ops"), &format!("confirm {id}")).await;
    assert_eq!(refused(bob), Refusal::NothingAsked(id));
    let (mute, ..) = muted(house.ops(&format!("confirm {id}")).await);
    assert_eq!((&*mute.matchers, &*mute.reason), ("stream=~\"cam.*\"", "all"));
    assert_eq!(refused(house.ops(&format!("confirm {id}")).await), Refusal::NothingAsked(id));
    let sure = Caller { care: Care::GoAhead, ..caller("ann", "ops") };
    assert_eq!(muted(house.desk.follow(&sure, "mute d/*/* 1h").await).2.streams, 21);
}

#[tokio::test]
async fn mutes_are_lifted_by_number_or_by_what_they_were_set_for() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    muted(house.ops("mute cam1 2h").await);
    let (glob, ..) = muted(house.ops("mute cam* 2h").await);
    assert_eq!(house.ops("unmute cam*").await, Reply::Unmuted(vec![glob]));
    let Reply::Unmuted(lifted) = house.ops("unmute d/live/cam1").await else { panic!() };
    assert_eq!(lifted.len(), 1);
    house.settle().await;
    assert!(house.firing().await.iter().all(|incident| incident.muted_until.is_none()));
    assert!(house.store.mutes().await.unwrap().is_empty());
    assert_eq!(refused(house.ops("unmute 1").await), Refusal::NoMute(Some(MuteId(1))));
    assert_eq!(refused(house.ops("unmute cam1").await), Refusal::NoMute(None));
}

#[tokio::test]
async fn a_mute_that_is_lifted_while_nobody_judges_is_not_said_to_be_lifted_yet() {
    let mut house = House::new(PLAIN).await;
    muted(house.ops("mute cam1 2h").await);
    house.stop.cancel();
    (&mut house.task).await.unwrap();
    assert_eq!(house.ops("unmute 1").await, Reply::Late);
}

#[tokio::test]
async fn a_channel_lists_what_is_muted_of_its_streams_and_nothing_else() {
    let house = House::new(ROUTED).await;
    house.report(&[("acme.example", "cam1"), ("other.example", "cam2"), ("other.example", "test")]).await;
    let operator = Caller { place: Place::Operators, care: Care::GoAhead, ..caller("root", "") };
    for line in ["mute cam1 2h", "mute cam2 2h", "mute nothing 2h", "mute acme.example/*/* 3h"] {
        muted(house.desk.follow(&operator, line).await);
    }
    let mut listed = Vec::new();
    for who in [&caller("eve", "acme"), &caller("ann", "ops"), &operator] {
        let Reply::Mutes { mutes, standing, .. } = house.desk.follow(who, "mutes").await else { panic!() };
        listed.push((mutes.iter().map(|mute| mute.id.0).collect::<Vec<_>>(), standing.len()));
    }
    assert_eq!(listed, [(vec![1, 4], 0), (vec![2], 1), (vec![1, 2, 3, 4], 1)]);
    assert_eq!(refused(house.desk.follow(&caller("eve", "acme"), "unmute 1").await), Refusal::NotFromHere(MuteId(1)));
    assert_eq!(refused(house.desk.follow(&caller("eve", "acme"), "unmute 2").await), Refusal::NoMute(Some(MuteId(2))));
}

#[tokio::test]
async fn mutes_survive_a_restart_and_their_numbers_go_on() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    let (mute, ..) = muted(house.ops("mute cam1 2h").await);
    muted(house.ops("mute other 1h").await);
    house.ops("unmute 2").await;
    let house = house.restart(PLAIN).await;
    assert_eq!(house.desk.mutes().await.unwrap(), [mute]);
    house.report(&[("d", "cam1")]).await;
    assert!(house.firing().await[0].muted_until.is_some());
    assert_eq!(muted(house.ops("mute third 1h").await).0.id, MuteId(3), "2 was given before");
    assert_eq!(muted(house.ops("mute cam1 2h").await).2.streams, 1, "heard of before the restart");
}

#[tokio::test]
async fn somebody_has_an_incident_in_hand_once_it_fires() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    let id = house.firing().await[0].id;
    let Reply::Acknowledged { incident, before, .. } = house.ops(&format!("ack {}", id.0)).await else { panic!() };
    assert_eq!((&*incident.ack.unwrap().by, before), ("ann", None));
    let bob = house.desk.follow(&caller("bob", "ops"), &format!("ack #{}", id.0)).await;
    let Reply::Acknowledged { before, .. } = bob else { panic!() };
    assert_eq!(before.as_deref(), Some("ann"));
    assert_eq!(refused(house.ops("ack 99").await), Refusal::NoIncident(IncidentId(99)));
}

#[tokio::test]
async fn a_channel_commands_only_what_it_is_told() {
    let house = House::new(ROUTED).await;
    house.report(&[("acme.example", "cam1"), ("other.example", "cam1")]).await;
    let (acme, ops) = (caller("eve", "acme"), caller("ann", "ops"));
    let follow = async |caller: &Caller, line: &str| house.desk.follow(caller, line).await;
    // Of one id each sees its own stream.
    let (mute, _, covers) = muted(follow(&acme, "mute cam1 2h").await);
    assert!(mute.matchers.contains("acme.example") && covers.streams == 1, "{mute:?}");
    let (wide, _, covers) = muted(follow(&acme, "mute * 2h").await);
    assert_eq!((covers.streams, covers.firing), (1, 1));
    house.settle().await;
    let held: Vec<(bool, bool)> = house
        .firing()
        .await
        .iter()
        .map(|incident| (incident.key.domain() == Some("acme.example"), incident.muted_until.is_some()))
        .collect();
    assert!(held.iter().all(|(ours, held)| ours == held), "whoever sees little stills little: {held:?}");
    let foreign = house.firing().await.into_iter().find(|i| i.key.domain() == Some("other.example")).unwrap().id;
    assert_eq!(refused(follow(&acme, &format!("ack {}", foreign.0)).await), Refusal::NoIncident(foreign));
    let Reply::Incidents { items, more } = follow(&acme, "incidents").await else { panic!() };
    assert!(items.iter().all(|incident| incident.key.domain() == Some("acme.example")) && more == 0);
    assert_eq!(refused(follow(&acme, "status other.example/live/cam1").await), Refusal::NoStream(Vec::new()));
    assert_eq!(refused(follow(&ops, &format!("unmute {}", wide.id.0)).await), Refusal::NoMute(Some(wide.id)));
    let Reply::Mutes { mutes, standing, .. } = follow(&ops, "mutes").await else { panic!() };
    assert_eq!((mutes.len(), standing.len()), (0, 0), "nothing of it covers what is heard of here");
    let Reply::Unmuted(_) = follow(&acme, &format!("unmute {}", wide.id.0)).await else { panic!() };
}

#[tokio::test]
async fn a_stream_is_looked_up_with_what_is_wrong_and_what_is_muted() {
    let house = House::new(ROUTED).await;
    house.report(&[("d", "cam1"), ("d", "cam1"), ("d", "test")]).await;
    house.ops("mute cam1 2h swap").await;
    let Reply::Status(status) = house.ops("status cam1").await else { panic!() };
    assert_eq!((status.stream.as_str(), status.hour[11], status.firing.len()), ("d/live/cam1", 2, 1));
    assert_eq!((status.mutes.len(), status.standing.len()), (1, 0));
    let Reply::Status(test) = house.ops("status test").await else { panic!() };
    assert_eq!(
        test.standing,
        [Standing { matchers: "stream=\"test\"".into(), reason: "tests".into(), at_times: false }]
    );
    for language in Language::ALL {
        let voice = Voice { language, ..Voice::plain() };
        for reply in [house.ops("status cam1").await, house.ops("incidents").await, house.ops("mutes").await] {
            let text = words::text(&reply, &voice, house.clock.wall());
            assert!(text.contains("cam1"), "{text}");
        }
    }
}

#[tokio::test]
async fn every_command_is_on_record_also_what_was_none() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    for line in ["mute cam1 2h", "mut cam1", "ack 99", "help\u{1b}[2J"] {
        house.ops(line).await;
    }
    let page = house.store.records(None, 10).await.unwrap();
    let told: Vec<(&str, &str, &str, Verdict)> =
        page.items.iter().map(|(_, r)| (&*r.who, &*r.place, &*r.what, r.verdict)).collect();
    assert_eq!(
        told,
        [
            ("ann", "ops", "help␛[2J", Verdict::Refused),
            ("ann", "ops", "ack 99", Verdict::Refused),
            ("ann", "ops", "mut cam1", Verdict::Refused),
            ("ann", "ops", "mute cam1 2h", Verdict::Done),
        ]
    );
    assert!(page.items[3].1.answer.contains("Covers now: 1 stream, 1 firing"), "{}", page.items[3].1.answer);
    assert!(page.items[0].1.at > Timestamp(1_600_000_000_000));
}

const DOMAINS: &str = "channels: { ops: { type: console }, acme: { type: console } }\ndefaults: { notify: [ops] }\n\
                       rules: [ { name: gop, on: push_error, types: [16] },\n\
                       { name: site.all, on: push_error, per: domain, threshold: { distinct: stream, count: 2, within: 1m } } ]\n";

#[tokio::test]
async fn a_click_does_what_its_message_is_about_and_twice_does_no_more() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    let group = house.firing().await[0].group.unwrap();
    let ann = caller("ann", "ops");
    let press = async |press: Press| house.desk.press(&ann, press).await;
    let (mute, news, _) = muted(press(Press::Mute(group)).await);
    assert_eq!(
        (&*mute.matchers, news, mute.until.since(mute.set_at).as_secs()),
        ("stream=\"cam1\", domain=\"d\", path=\"live\"", News::Set, 3600)
    );
    assert_eq!(muted(press(Press::Mute(group)).await).1, News::Nothing);
    for before in [None, Some("ann")] {
        let Reply::Acknowledged { before: had, others: 0, .. } = press(Press::Ack(group)).await else { panic!() };
        assert_eq!(had.as_deref(), before);
    }
    let Reply::Status(status) = press(Press::Details(group)).await else { panic!() };
    assert_eq!(status.stream, "d/live/cam1");
    assert_eq!(refused(press(Press::Mute(crate::model::GroupId(99))).await), Refusal::OldButton);
    assert_eq!(refused(press(Press::Confirm(99)).await), Refusal::NothingAsked(99));
    assert_eq!(refused(house.desk.press(&caller("eve", "acme"), Press::Ack(group)).await), Refusal::OldButton);
    let page = house.store.records(None, 20).await.unwrap();
    assert_eq!(&*page.items.last().unwrap().1.what, &*format!("button mute:{}", group.0), "on record");
}

#[tokio::test]
async fn a_click_under_a_wider_trouble_mutes_that_and_no_stream_of_it() {
    let house = House::new(DOMAINS).await;
    house.report(&[("d", "cam1"), ("d", "cam2"), ("e", "cam3")]).await;
    let wide = house.firing().await.into_iter().find(|incident| &*incident.rule == "site.all").unwrap();
    let (mute, ..) = muted(house.desk.press(&caller("ann", "ops"), Press::Mute(wide.group.unwrap())).await);
    assert_eq!(&*mute.matchers, "rule=~\"site\\\\.all\", domain=\"d\"");
    house.settle().await;
    for incident in house.firing().await {
        assert_eq!(incident.muted_until.is_some(), &*incident.rule == "site.all", "{incident:?}");
    }
    let reply = house.desk.press(&caller("ann", "ops"), Press::Details(wide.group.unwrap())).await;
    assert!(matches!(reply, Reply::Incidents { items, .. } if items.len() == 1));
}

#[tokio::test]
async fn a_stream_that_was_silent_for_a_day_is_looked_up_by_its_incidents() {
    let house = House::new(PLAIN).await;
    house.report(&[("d", "cam1")]).await;
    let group = house.firing().await[0].group.unwrap();
    house.clock.not_before(house.clock.steady() + Duration::from_secs(25 * 3600));
    for reply in [
        house.desk.press(&caller("ann", "ops"), Press::Details(group)).await,
        house.ops("status cam1").await,
        house.ops("status d/live/cam1").await,
    ] {
        let Reply::Status(status) = reply else { panic!("{reply:?}") };
        assert_eq!(status.stream, "d/live/cam1");
    }
    assert_eq!(refused(house.ops("status cam2").await), Refusal::NoStream(Vec::new()));
    assert_eq!(
        refused(house.desk.follow(&caller("eve", "acme"), "status cam1").await),
        Refusal::NoStream(Vec::new()),
        "not what is told elsewhere"
    );
}
