//! Who is next, and when.

use super::*;
use crate::model::{ChannelName, DigestId};

fn group(id: u64) -> Topic {
    Topic::Group(crate::model::GroupId(id))
}

fn row(id: u64, reason: Reason, severity: Severity, at: i64) -> Row {
    let channel = ChannelName::new("ops");
    let (group, why) = (crate::model::GroupId(1), (reason, News::Opened));
    let notification = Notification::of_group(channel, group, why, severity, Timestamp(at));
    Row::new(DeliveryId(id), &notification)
}

fn order(queue: &mut Queue, now: i64) -> Vec<u64> {
    std::iter::from_fn(|| queue.take(Timestamp(now)).and_then(Topic::group)).map(|group| group.0).collect()
}

#[test]
fn the_worst_goes_first_then_the_oldest_and_nobody_before_its_time() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Post, Severity::Warning, 10));
    queue.insert(group(2), row(2, Reason::Post, Severity::Critical, 30));
    queue.insert(group(3), row(3, Reason::Post, Severity::Critical, 20));
    queue.insert(group(4), Row { not_before: Timestamp(99), ..row(4, Reason::Post, Severity::Critical, 5) });
    assert_eq!(order(&mut queue, 50), [3, 2, 1]);
    assert_eq!(queue.next_due(None), Some(Timestamp(99)));
    assert_eq!(order(&mut queue, 99), [4]);
    assert_eq!((queue.next_due(None), queue.len()), (None, 4));
}

#[test]
fn news_does_not_queue_behind_older_edits_of_its_severity() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Edit, Severity::Warning, 10));
    queue.insert(group(2), row(2, Reason::Edit, Severity::Critical, 20));
    queue.insert(group(3), row(3, Reason::Reply, Severity::Critical, 40));
    queue.insert(group(4), row(4, Reason::Post, Severity::Critical, 30));
    queue.insert(group(5), row(5, Reason::Edit, Severity::Critical, 5));
    queue.insert(group(5), row(6, Reason::Reply, Severity::Critical, 50));
    assert_eq!(order(&mut queue, 50), [5, 4, 3, 2, 1]);
}

#[test]
fn a_row_that_joins_raises_its_group_and_one_known_already_does_nothing() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Edit, Severity::Info, 10));
    queue.insert(group(2), row(2, Reason::Post, Severity::Warning, 10));
    assert_eq!(queue.take(Timestamp(10)), Some(group(2)));
    queue.put_back(group(2), Timestamp(10));
    queue.insert(group(1), row(3, Reason::Reply, Severity::Critical, 11));
    queue.insert(group(1), row(3, Reason::Reply, Severity::Critical, 11));
    assert_eq!(order(&mut queue, 11), [1, 2]);
    let entry = queue.get(group(1)).unwrap();
    assert_eq!((entry.rows().len(), entry.reason()), (2, Reason::Reply));
    assert_eq!(entry.carrier(usize::MAX).unwrap().id, DeliveryId(3));
}

#[test]
fn news_during_a_call_or_a_back_off_makes_the_group_due() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Post, Severity::Info, 0));
    assert_eq!(queue.take(Timestamp(0)), Some(group(1)));
    queue.insert(group(1), row(2, Reason::Edit, Severity::Info, 1));
    queue.put_back(group(1), Timestamp(500));
    assert_eq!(queue.take(Timestamp(1)), Some(group(1)));
    queue.put_back(group(1), Timestamp(500));
    assert_eq!(queue.take(Timestamp(1)), None);
    queue.insert(group(1), row(3, Reason::Edit, Severity::Info, 2));
    assert_eq!(queue.take(Timestamp(2)), Some(group(1)));
}

#[test]
fn the_carrier_is_the_row_of_unknown_fate_if_there_is_one() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Edit, Severity::Info, 0));
    queue.insert(group(1), row(2, Reason::Reply, Severity::Info, 0));
    queue.insert(group(1), row(3, Reason::Post, Severity::Info, 0));
    queue.insert(group(1), row(4, Reason::Post, Severity::Info, 0));
    assert_eq!(queue.get(group(1)).unwrap().carrier(usize::MAX).unwrap().id, DeliveryId(3));
    queue.change(group(1), DeliveryId(2), |row| row.state = DeliveryState::Sending);
    assert_eq!(queue.get(group(1)).unwrap().carrier(usize::MAX).unwrap().id, DeliveryId(2));
    assert_eq!(queue.sending(), 1);
}

#[test]
fn only_rows_that_a_call_covered_end_with_it() {
    let mut queue = Queue::default();
    for id in 1..=3 {
        queue.insert(group(1), row(id, Reason::Post, Severity::Info, id as i64));
    }
    assert_eq!(queue.take(Timestamp(9)), Some(group(1)));
    let ended: Vec<u64> = queue.remove(group(1), 2, |_| true).iter().map(|row| row.id.0).collect();
    assert_eq!((ended, queue.len()), (vec![1, 2], 1));
    queue.put_back(group(1), Timestamp(0));
    assert_eq!(queue.remove(group(1), usize::MAX, |_| true).len(), 1);
    assert!(queue.get(group(1)).is_none() && queue.next_due(None).is_none());
}

#[test]
fn rows_that_end_are_no_longer_among_those_whose_edit_was_made() {
    let mut queue = Queue::default();
    for id in 1..=4 {
        queue.insert(group(1), row(id, Reason::Post, Severity::Info, id as i64));
    }
    queue.get_mut(group(1)).unwrap().edited = 3;
    let ended = queue.remove(group(1), usize::MAX, |row| [2, 4].contains(&row.id.0));
    assert_eq!((ended.len(), queue.get(group(1)).unwrap().edited), (2, 2));
}

#[test]
fn waking_makes_all_due_and_the_old_are_found() {
    let mut queue = Queue::default();
    for id in 1..=3 {
        let not_before = Timestamp(1000);
        queue.insert(group(id), Row { not_before, ..row(id, Reason::Post, Severity::Info, id as i64) });
    }
    let mut older = queue.older(Timestamp(2));
    older.sort_unstable();
    assert_eq!(older, [group(1), group(2)]);
    assert_eq!(queue.take(Timestamp(5)), None);
    queue.wake();
    assert_eq!(order(&mut queue, 5), [1, 2, 3]);
}

#[test]
fn posts_are_held_and_counted_apart_and_edits_notices_and_digests_go_on() {
    let mut queue = Queue::default();
    queue.insert(group(1), row(1, Reason::Post, Severity::Critical, 10));
    queue.insert(group(2), row(2, Reason::Edit, Severity::Info, 10));
    queue.insert(Topic::Notice(DeliveryId(3)), row(3, Reason::Notice, Severity::Info, 11));
    queue.insert(Topic::Digest(DigestId(4)), row(4, Reason::Post, Severity::Info, 12));
    queue.insert(group(5), Row { not_before: Timestamp(70), ..row(5, Reason::Reply, Severity::Warning, 13) });
    queue.ripen(Timestamp(20));
    assert_eq!((queue.posts(), queue.first_posts(9)), (1, vec![GroupId(1)]));
    let mut held = || queue.take_but_posts(Timestamp(20));
    assert_eq!([held(), held()], [Some(Topic::Notice(DeliveryId(3))), Some(Topic::Digest(DigestId(4)))]);
    assert_eq!([held(), held()], [Some(group(2)), None]);
    assert_eq!(queue.next_due(Some(Timestamp(40))), Some(Timestamp(40)));
    assert_eq!(queue.next_due(None), Some(Timestamp(0)));
    // What was an edit becomes a post when there is news.
    queue.put_back(group(2), Timestamp(0));
    queue.insert(group(2), row(6, Reason::Reply, Severity::Critical, 14));
    queue.ripen(Timestamp(70));
    assert_eq!(queue.first_posts(9), [1, 2, 5].map(GroupId));
    assert_eq!((queue.first_posts(2).len(), queue.take(Timestamp(70))), (2, Some(group(1))));
}

#[test]
fn a_row_that_waits_is_small() {
    assert!(size_of::<Row>() <= 40, "{}", size_of::<Row>());
    assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
}
