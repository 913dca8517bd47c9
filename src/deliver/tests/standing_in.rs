//! Something critical waits too long for a channel: its fallback tells it, follows it, and closes it.

use tokio::sync::mpsc;

use super::*;
use crate::model::{Cause, Incident, IncidentId, News, Notification, Severity};

/// The work of a channel that falls back on another.
fn falls_back(channel: &Arc<Channel>, fallback: &Arc<Channel>) -> Assignment {
    let hearers = vec![fallback.name.clone()];
    Assignment {
        channel: Arc::clone(channel),
        fallback: Some(Arc::clone(fallback)),
        hearers,
        orders: mpsc::channel(1).1,
    }
}

fn room(chat: &FakeChat) -> Arc<Channel> {
    let mut room = (*slack(&chat.url, "C2")).clone();
    room.name = ChannelName::new("room");
    Arc::new(room)
}

/// Rows of a channel, oldest first.
fn rows(world: &World, channel: &Channel) -> Vec<Delivery> {
    let kept = world.store.lock();
    let mine =
        |row: &&Delivery| row.notification.channel == channel.name && row.notification.group() == Some(GroupId(1));
    kept.rows.values().filter(mine).cloned().collect()
}

async fn told(world: &World, channel: &Channel, count: usize) {
    let mine = |kept: &Inner| {
        let mine = |row: &&Delivery| {
            row.notification.channel == channel.name
                && row.notification.group() == Some(GroupId(1))
                && row.outcome.is_some()
        };
        kept.rows.values().filter(mine).count() == count
    };
    world.store.until(&format!("{count} told"), mine).await;
}

#[tokio::test]
async fn the_fallback_tells_what_waits_for_three_minutes_and_closes_it_over_a_restart() {
    let (down, chat) =
        (FakeChat::start(vec![], Answer::Say(502, "", "down".into())).await, FakeChat::slack(vec![]).await);
    let (world, hook, room) = (World::new(), webhook(&down.url), room(&chat));
    let own = world.owe(&hook, 1, Reason::Post);
    let workers = [world.run_as(falls_back(&hook, &room)), world.run(&room)];
    world.failed(own, 1).await;
    world.pass(&hook, Duration::from_secs(170)).await;
    assert_eq!(rows(&world, &room), []);
    world.pass(&hook, Duration::from_secs(15)).await;
    told(&world, &room, 1).await;
    let row = rows(&world, &room).remove(0);
    assert_eq!((row.outcome, row.notification.stands_in.as_ref()), (Some(DeliveryOutcome::Sent), Some(&hook.name)));
    assert!(chat.asked()[0].body.to_string().contains("cam1"), "the incident that concerns the other channel");
    assert_eq!(world.message(&room, 1).unwrap().stands_in, vec![hook.name.clone()]);
    assert!(world.store.row(own).outcome.is_none(), "its own channel is still owed it");
    world.stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }

    // After a restart the end is passed on too, and the message shows it though the incident never concerned the room.
    let (later, world) = (world.now(), World::over(world.store));
    world.context.clock.not_before(later + Duration::from_secs(5));
    let workers = [world.run_as(falls_back(&hook, &room)), world.run(&room)];
    world.store.revise(1, |group, incidents| {
        group.closed_at = Some(later);
        for incident in incidents {
            (incident.state, incident.cause, incident.resolved_at) = (State::Resolved, Some(Cause::Quiet), Some(later));
        }
    });
    let why = (Reason::Post, News::Resolved);
    world.store.owe_row(Notification::of_group(hook.name.clone(), GroupId(1), why, Severity::Critical, world.now()));
    world.store.until("passed on", |kept| kept.keyed.is_empty()).await;
    world.pass(&room, Duration::from_secs(5)).await;
    told(&world, &room, 2).await;
    assert_eq!(chat.methods()[..2], ["chat.postMessage", "chat.update"]);
    assert!(chat.asked()[1].body.to_string().contains("✅"), "{}", chat.asked()[1].body);
    world.stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_members_of_a_digest_that_waits_are_told_by_the_fallback() {
    let down = FakeChat::start(vec![], Answer::Say(502, "", "down".into())).await;
    let (world, hook, chat) = (World::new(), webhook(&down.url), FakeChat::slack(vec![]).await);
    let room = room(&chat);
    let own: Vec<DeliveryId> = (1..=6).map(|group| world.owe(&hook, group, Reason::Post)).collect();
    // One was muted since, and is told nobody.
    world.store.revise(6, |_, incidents| incidents[0].muted_until = Some(Timestamp::MAX));
    // One of them has a trouble that concerns the fallback as well, which is over.
    world.store.revise(3, |_, incidents| {
        let (id, notify, state) = (IncidentId(99), vec![room.name.clone()], State::Resolved);
        incidents.push(Incident { id, notify: notify.into(), state, ..incidents[0].clone() });
    });
    let workers = [world.run_as(falls_back(&hook, &room)), world.run(&room)];
    for id in own {
        world.done(id, DeliveryOutcome::Folded).await;
    }
    down.until(1).await;
    world.pass(&hook, Duration::from_secs(190)).await;
    let told = |kept: &Inner| {
        let mine = |row: &&Delivery| row.notification.stands_in.as_ref() == Some(&hook.name) && row.outcome.is_some();
        kept.rows.values().filter(mine).count() == 5
    };
    world.store.until("five told by the fallback", told).await;
    chat.until(1).await;
    let asked = chat.asked();
    assert!(asked.len() <= 2, "in a digest of its own");
    let said = asked[0].body.to_string();
    assert!(said.contains("5 streams"), "all that it stands in for, not only what is its own: {said}");
    let passed =
        world.store.lock().keyed.keys().filter(|(name, kind, _)| *name == hook.name && kind == "passed_on").count();
    assert_eq!(passed, 5);
    world.stop.cancel();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
}
