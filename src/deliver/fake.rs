//! For tests: a store in memory (channel shards only), and channels of every kind.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::fake_chat::PATIENCE;
use crate::model::{
    Allow, Attempt, Channel, ChannelName, Cursor, Delivery, DeliveryId, DeliveryState, DigestId, EventKind, Group,
    GroupId, Incident, IncidentId, Key, Language, Message, NewEntry, News, Notice, Notification, Reason, Receivers,
    Severity, SlackDoor, State as Life, StreamName, Target, Timestamp, WecomApp, WecomCallback, WecomDoor,
};
use crate::store::{
    Appended, Batch, Changes, ChannelChanges, ChannelState, Commit, Fate, Items, Lease, Listed, Opened, Page, Reader,
    Seated, Shard, State, Store, StoreError, Table, Wanted,
};

/// In every credential of the channels below; must never be seen anywhere.
pub(crate) const SECRET: &str = "s3cr3t";

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) rows: BTreeMap<DeliveryId, Delivery>,
    pub(crate) messages: HashMap<(ChannelName, GroupId), Message>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) groups: HashMap<GroupId, (Group, Vec<Incident>)>,
    pub(crate) tables: HashMap<String, String>,
    /// By channel, kind and key.
    pub(crate) keyed: BTreeMap<(ChannelName, String, String), String>,
    pub(crate) commits: Vec<ChannelChanges>,
    /// How many commits fail from here on.
    pub(crate) failing: u32,
    cursors: HashMap<ChannelName, Cursor>,
    handed: HashMap<ChannelName, DeliveryId>,
    epochs: HashMap<ChannelName, u64>,
}

impl Inner {
    fn owe(&mut self, notification: Notification) -> DeliveryId {
        let id = DeliveryId(self.rows.len() as u64 + 1);
        let delivery = Delivery {
            id,
            notification,
            state: DeliveryState::Pending,
            attempts: 0,
            not_before: Timestamp(0),
            outcome: None,
            error: None,
            possible_duplicate: false,
            done_at: None,
        };
        self.rows.insert(id, delivery);
        id
    }
}

/// A store that forgets nothing until it is dropped.
pub(crate) struct Fake {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<u64>,
}

impl Default for Fake {
    fn default() -> Fake {
        Fake { inner: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl Fake {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Adds a group with one critical, firing incident that `channel` hears of.
    pub(crate) fn group(&self, id: u64, channel: &ChannelName) {
        let stream = StreamName::new("push.example.com", "live", &format!("cam{id}"));
        let incident = incident(&stream, channel);
        let group = Group {
            id: GroupId(id),
            key: Key::Stream(stream),
            opened_at: Timestamp(1),
            closed_at: None,
            held_until: None,
            held_by: None,
            revision: 1,
            told: Vec::new(),
            shown: None,
        };
        self.lock().groups.insert(GroupId(id), (group, vec![incident]));
    }

    /// Changes a group.
    pub(crate) fn revise(&self, id: u64, change: impl FnOnce(&mut Group, &mut Vec<Incident>)) {
        let mut inner = self.lock();
        let (group, incidents) = inner.groups.get_mut(&GroupId(id)).unwrap();
        group.revision += 1;
        change(group, incidents);
    }

    /// The engine owes a channel something.
    pub(crate) fn owe(&self, channel: &ChannelName, group: u64, reason: Reason, at: Timestamp) -> DeliveryId {
        let (channel, group) = (channel.clone(), GroupId(group));
        let news = match reason {
            // Its end, which is shown at once.
            Reason::Edit => News::Resolved,
            Reason::Reply => News::Escalated,
            Reason::Post | Reason::Notice => News::Opened,
        };
        self.owe_row(Notification::of_group(channel, group, (reason, news), Severity::Critical, at))
    }

    /// pushwatch has something to say about itself.
    pub(crate) fn owe_notice(&self, channel: &ChannelName, notice: Notice, at: Timestamp) -> DeliveryId {
        self.owe_row(Notification::of_notice(channel.clone(), notice, Severity::Warning, at))
    }

    /// A channel is owed just this.
    pub(crate) fn owe_row(&self, notification: Notification) -> DeliveryId {
        let id = self.lock().owe(notification);
        self.changed.send_modify(|version| *version += 1);
        id
    }

    pub(crate) fn row(&self, id: DeliveryId) -> Delivery {
        self.lock().rows[&id].clone()
    }

    /// Waits until something holds of what is kept.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Inner) -> bool) {
        let mut changed = self.changed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds(&self.lock()) {
                changed.changed().await.unwrap();
            }
        });
        assert!(waited.await.is_ok(), "in vain: {what}; rows: {:#?}", self.lock().rows);
    }

    fn name(shard: &Shard) -> ChannelName {
        match shard {
            Shard::Channel(name) => name.clone(),
            Shard::Engine => panic!("no engine here"),
        }
    }
}

impl Store for Fake {
    fn append(&self, _: &Shard, _: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>> {
        panic!("delivery appends nothing")
    }

    fn owned(&self) -> watch::Receiver<Vec<Shard>> {
        panic!("delivery does not ask")
    }

    fn open(&self, shard: Shard, _: Duration) -> BoxFuture<'_, Result<Opened, StoreError>> {
        Box::pin(async move {
            let mut inner = self.lock();
            let name = Fake::name(&shard);
            let cursor = inner.cursors.get(&name).copied().unwrap_or_default();
            inner.handed.insert(name.clone(), DeliveryId(cursor.seq.0));
            let open = |row: &&Delivery| row.notification.channel == name && row.outcome.is_none();
            let deliveries = inner.rows.values().filter(open).filter(|row| row.id.0 <= cursor.seq.0).cloned().collect();
            let messages = inner.messages.values().filter(|message| message.channel == name).cloned().collect();
            let mine = inner.keyed.iter().filter(|((channel, ..), _)| *channel == name);
            let keyed = mine.map(|((_, kind, key), value)| (kind.clone(), key.clone(), value.clone())).collect();
            let state = ChannelState { deliveries, messages, attempts: inner.attempts.clone(), keyed };
            let epoch = inner.epochs.entry(name).or_default();
            *epoch += 1;
            let lease = Lease { shard, epoch: *epoch };
            Ok(Opened { lease, cursor, state: State::Channel(state), last_alive: Timestamp(0) })
        })
    }

    fn next<'a>(&'a self, lease: &'a Lease, max: usize, wait: Duration) -> BoxFuture<'a, Result<Batch, StoreError>> {
        let mut changed = self.changed.subscribe();
        Box::pin(async move {
            let name = Fake::name(&lease.shard);
            let more = async {
                loop {
                    let rows: Vec<_> = {
                        let mut inner = self.lock();
                        let handed = inner.handed[&name];
                        let new = inner.rows.values().filter(|row| row.id > handed && row.notification.channel == name);
                        let rows: Vec<_> = new.take(max).map(|row| (row.id, row.notification.clone())).collect();
                        if let Some((last, _)) = rows.last() {
                            inner.handed.insert(name.clone(), *last);
                        }
                        rows
                    };
                    if !rows.is_empty() {
                        return rows;
                    }
                    changed.changed().await.unwrap();
                }
            };
            let rows = tokio::time::timeout(wait, more).await.unwrap_or_default();
            Ok(Batch { items: Items::Outbox(rows), watermark: Timestamp(0), at_head: true })
        })
    }

    fn commit<'a>(&'a self, lease: &'a Lease, commit: Commit) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let name = Fake::name(&lease.shard);
            {
                let mut inner = self.lock();
                if inner.epochs[&name] != lease.epoch {
                    return Err(StoreError::Fenced(lease.shard.clone()));
                }
                if inner.failing > 0 {
                    inner.failing -= 1;
                    return Err(StoreError::Failed("the disk says no".into()));
                }
                let Changes::Channel(changes) = commit.changes else { panic!("not for a channel") };
                let before = inner.cursors.insert(name.clone(), commit.cursor).unwrap_or_default();
                assert!(before.seq <= commit.cursor.seq, "the cursor went back");
                for row in &changes.deliveries {
                    assert!(row.id.0 <= commit.cursor.seq.0, "a row beyond the cursor");
                    assert_eq!(inner.rows[&row.id].notification, row.notification);
                    inner.rows.insert(row.id, row.clone());
                }
                for message in &changes.messages {
                    inner.messages.insert((name.clone(), message.group), message.clone());
                }
                inner.attempts.extend(changes.attempts.iter().cloned());
                for notification in &changes.owed {
                    inner.owe(notification.clone());
                }
                for keyed in &changes.keyed {
                    let key = (name.clone(), keyed.kind.to_owned(), keyed.key.clone());
                    match &keyed.value {
                        Some(value) => inner.keyed.insert(key, value.clone()),
                        None => inner.keyed.remove(&key),
                    };
                }
                inner.commits.push(changes);
            }
            self.changed.send_modify(|version| *version += 1);
            Ok(())
        })
    }

    fn table(&self, name: &'static str) -> Arc<dyn Table> {
        Arc::new(FakeTable { name, inner: Arc::clone(&self.inner) })
    }
}

impl Reader for Fake {
    fn deliveries(&self, wanted: Wanted) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let inner = self.lock();
            let is_wanted = |row: &&Delivery| {
                let fate = match row.state {
                    DeliveryState::Pending | DeliveryState::Sending => Fate::Pending,
                    DeliveryState::Done => Fate::Sent,
                    DeliveryState::Dead => Fate::Dead,
                };
                wanted.fate.is_none_or(|wanted| wanted == fate)
                    && wanted.before.is_none_or(|before| row.id < before)
                    && wanted.channel.as_ref().is_none_or(|channel| row.notification.channel == *channel)
            };
            let rows = inner.rows.values().rev().filter(is_wanted).take(wanted.most);
            let items: Vec<Listed> = rows.map(|row| Listed { delivery: row.clone(), key: None }).collect();
            let next = items.last().filter(|_| items.len() == wanted.most).map(|last| last.delivery.id);
            Ok(Page { items, next })
        })
    }

    fn delivery(&self, id: DeliveryId) -> BoxFuture<'_, Result<Option<Delivery>, StoreError>> {
        Box::pin(async move { Ok(self.lock().rows.get(&id).cloned()) })
    }

    fn dead<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let inner = self.lock();
            let dead = |row: &&Delivery| row.state == DeliveryState::Dead && row.notification.channel == *channel;
            Ok(inner.rows.values().filter(dead).count() as u64)
        })
    }

    fn group(&self, id: GroupId) -> BoxFuture<'_, Result<Option<(Group, Vec<Incident>)>, StoreError>> {
        Box::pin(async move { Ok(self.lock().groups.get(&id).cloned()) })
    }

    fn members<'a>(
        &'a self,
        channel: &'a ChannelName,
        digest: DigestId,
        after: GroupId,
        max: usize,
    ) -> BoxFuture<'a, Result<Vec<Seated>, StoreError>> {
        Box::pin(async move {
            let inner = self.lock();
            let seated = |message: &&Message| message.folded.is_some_and(|folded| folded.digest == digest);
            let mine = inner.messages.values().filter(|message| message.channel == *channel).filter(seated);
            let mut behind: Vec<&Message> = mine.filter(|message| message.group > after).collect();
            behind.sort_unstable_by_key(|message| message.group);
            behind.truncate(max);
            let member = |message: &Message| {
                let incidents = inner.groups.get(&message.group).map(|(_, incidents)| incidents.clone());
                let (group, stands_in) = (message.group, message.stands_in.clone());
                Seated { group, stands_in, incidents: incidents.unwrap_or_default() }
            };
            Ok(behind.into_iter().map(member).collect())
        })
    }
}

struct FakeTable {
    name: &'static str,
    inner: Arc<Mutex<Inner>>,
}

impl Table for FakeTable {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        let value = self.inner.lock().unwrap().tables.get(&format!("{}/{key}", self.name)).cloned();
        Box::pin(async move { Ok(value) })
    }

    fn put<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.lock().unwrap().tables.insert(format!("{}/{key}", self.name), value.to_owned());
        Box::pin(async { Ok(()) })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        panic!("delivery does not watch")
    }
}

fn incident(stream: &StreamName, channel: &ChannelName) -> Incident {
    Incident {
        id: IncidentId(1),
        rule: "gop_too_large".into(),
        on: EventKind::PushError,
        key: Key::Stream(stream.clone()),
        silence: None,
        group_key: None,
        labels: Default::default(),
        annotations: Default::default(),
        group: None,
        state: Life::Firing,
        cause: None,
        severity: Severity::Critical,
        since: Timestamp(1),
        opened_at: Timestamp(1),
        resolved_at: None,
        last_at: Timestamp(1),
        last_received: Timestamp(1),
        deadline: None,
        reports: 1,
        count: 1,
        troubles: Vec::new(),
        end: None,
        session: None,
        user_ip: None,
        appid: None,
        flaps: 0,
        back: 0,
        notify: [channel.clone()].into(),
        ack: None,
        muted_until: None,
        inhibited_by: None,
        missed_in: Default::default(),
        distinct: None,
        seq: crate::model::Seq(0),
    }
}

pub(crate) fn channel(name: &str, target: Target) -> Arc<Channel> {
    Arc::new(Channel {
        name: ChannelName::new(name),
        target,
        language: Language::En,
        min_severity: Severity::Info,
        fallback: None,
        timezone: TimeZone::UTC,
        allow: Allow::Nobody,
    })
}

pub(crate) fn slack(api_url: &str, room: &str) -> Arc<Channel> {
    let door = SlackDoor::Bot { token: format!("xoxb-{SECRET}").into(), channel: room.into() };
    channel("slack", Target::Slack { door, api_url: api_url.into(), inbound: None })
}

pub(crate) fn slack_webhook(url: &str) -> Arc<Channel> {
    let door = SlackDoor::Webhook { url: format!("{url}/services/{SECRET}").into() };
    channel("slackhook", Target::Slack { door, api_url: String::new(), inbound: None })
}

pub(crate) fn wecom(api_url: &str, key: &str) -> Arc<Channel> {
    channel("wecom", Target::Wecom { door: WecomDoor::Robot { key: key.into() }, api_url: api_url.into() })
}

/// A WeCom app that tells two users, a department and a tag, and has a callback.
pub(crate) fn wecom_app(api_url: &str) -> Arc<Channel> {
    let app = WecomApp {
        corp_id: "ww1".into(),
        agent_id: 1_000_002,
        secret: format!("app-{SECRET}").into(),
        to: Receivers { users: vec!["Ann".into(), "bob".into()], parties: vec![2], tags: vec![7] },
        callback: Some(WecomCallback {
            token: format!("token-{SECRET}").into(),
            encoding_aes_key: format!("aes-{SECRET}").into(),
        }),
    };
    channel("wecomapp", Target::Wecom { door: WecomDoor::App(Box::new(app)), api_url: api_url.into() })
}

pub(crate) fn telegram(api_url: &str, chat_id: i64) -> Arc<Channel> {
    let token = format!("123:{SECRET}").into();
    channel("telegram", Target::Telegram { token, chat_id, thread_id: None, api_url: api_url.into(), webhook: None })
}

pub(crate) fn webhook(url: &str) -> Arc<Channel> {
    let headers = BTreeMap::from([("x-key".to_owned(), format!("h-{SECRET}").into())]);
    channel("webhook", Target::Webhook { url: format!("{url}/{SECRET}").into(), headers, template: None })
}
