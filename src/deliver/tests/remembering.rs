//! Which messages are remembered for a trouble that may come back, and that the others are forgotten in the end.

use super::super::call::{Act, Spot};
use super::super::desk::Desk;
use super::super::retry::DAY;
use super::super::topic::Topic;
use super::*;
use crate::model::{Group, News, Notification, Severity};
use crate::store::ChannelState;

/// One more than is remembered of groups that are over.
const MANY: u64 = 10_001;

fn message(group: u64) -> Message {
    let (channel, platform_id) = (ChannelName::new("ops"), Some("17.1".to_owned()));
    let (group, stands_in) = (GroupId(group), Vec::new());
    Message { channel, group, platform_id, place: None, revision: 1, posted_at: Timestamp(1), stands_in, folded: None }
}

fn desk() -> Desk {
    let state = ChannelState { messages: (1..=MANY).map(message).collect(), ..ChannelState::default() };
    Desk::open(ChannelName::new("ops"), true, state)
}

fn group(closed_at: Option<Timestamp>) -> Group {
    let store = Fake::default();
    store.group(1, &ChannelName::new("ops"));
    let (group, _) = store.lock().groups[&GroupId(1)].clone();
    Group { closed_at, revision: 2, ..group }
}

/// Owes the first group an edit.
fn owe(desk: &mut Desk) {
    let (channel, group) = (ChannelName::new("ops"), GroupId(1));
    let notification =
        Notification::of_group(channel, group, (Reason::Edit, News::Changed), Severity::Info, Timestamp(1));
    desk.accept(DeliveryId(1), notification, Timestamp(1));
}

fn void(desk: &mut Desk, group: &Group) {
    desk.void(group.id, Some(group), "for the test", Timestamp(2));
}

fn die(desk: &mut Desk, group: &Group) {
    let mut flight =
        desk.begin(group, Act::Edit(Spot { id: "17.1".into(), place: None }), Vec::new(), Timestamp(2)).unwrap();
    flight.plain = true;
    desk.settle(&flight, Verdict::PermanentMessage { why: "no".into() }, Timestamp(2), 0.0);
}

#[test]
fn a_group_whose_last_row_came_to_nothing_is_forgotten_in_its_turn_if_it_is_over() {
    for end in [void, die] {
        for closed_at in [None, Some(Timestamp(2))] {
            let mut desk = desk();
            owe(&mut desk);
            assert_eq!(desk.queue.take(Timestamp(1)), Some(Topic::Group(GroupId(1))));
            end(&mut desk, &group(closed_at));
            assert!(desk.queue.get(Topic::Group(GroupId(1))).is_none());
            for id in 2..=MANY {
                desk.learn(GroupId(id), None, Timestamp(3));
            }
            assert_eq!(desk.is_told(GroupId(1)), closed_at.is_none());
            assert!(desk.is_told(GroupId(2)));
        }
    }
}

#[test]
fn a_group_whose_rows_expired_is_looked_up() {
    let mut desk = desk();
    desk.learn(GroupId(1), Some(&group(None)), Timestamp(1));
    assert_eq!(desk.doubtful(1), [GroupId(2)]);
    owe(&mut desk);
    desk.expire("refused", Timestamp(1) + DAY);
    assert_eq!(desk.doubtful(1), [GroupId(1)]);
}

#[tokio::test]
async fn messages_of_closed_groups_that_were_loaded_at_start_are_forgotten_in_their_turn() {
    let (world, chat) = (World::new(), FakeChat::slack(vec![]).await);
    let ops = slack(&chat.url, "C1");
    for id in 1..=MANY {
        let message = Message { channel: ops.name.clone(), ..message(id) };
        world.store.lock().messages.insert((ops.name.clone(), GroupId(id)), message);
        world.store.group(id, &ops.name);
        // The third is open still.
        if id != 3 {
            world.store.revise(id, |group, _| group.closed_at = Some(Timestamp(9)));
        }
    }
    world.store.group(MANY + 1, &ops.name);
    let worker = world.run(&ops);
    // Some are looked up at each turn.
    for _ in 0..MANY / 64 + 2 {
        world.pass(&ops, Duration::ZERO).await;
    }
    // One more closes.
    world.done(world.owe(&ops, MANY + 1, Reason::Post), DeliveryOutcome::Sent).await;
    world.store.revise(MANY + 1, |group, _| group.closed_at = Some(Timestamp(9)));
    world.done(world.owe(&ops, MANY + 1, Reason::Edit), DeliveryOutcome::Sent).await;
    assert_eq!(chat.methods(), ["chat.postMessage", "chat.update"]);
    let known = ["chat.update", "chat.postMessage"].as_slice();
    for (id, methods) in [(3, known), (2, known), (1, &known[1..])] {
        let before = chat.methods().len();
        world.pass(&ops, Duration::from_secs(10)).await;
        world.store.revise(id, |_, _| ());
        world.done(world.owe(&ops, id, Reason::Post), DeliveryOutcome::Sent).await;
        assert_eq!(chat.methods()[before..], *methods, "{id}");
    }
    world.finish(worker).await;
}
