//! Ends of digests in bad moments: none is lost, and none is taken back.

use super::folding::last;
use super::model::{Happening, Sim};
use super::*;
use crate::model::{DigestId, News, Notification, Severity};

#[tokio::test]
async fn an_end_that_comes_while_the_first_post_is_tried_again_is_told() {
    for kind in ["slack", "wecom", "webhook"] {
        let (world, (chat, ops)) = (World::new(), a_chat(kind).await);
        let release = Arc::new(Notify::new());
        chat.script(Answer::json(500, json!({})));
        chat.script(Answer::Held(Arc::clone(&release), Box::new(any_yes())));
        world.storm(&ops, 1..=9);
        let worker = world.run(&ops);
        world.pass(&ops, Duration::from_millis(300)).await;
        chat.until(1).await;
        let failed = |kept: &Inner| kept.rows.values().any(|row| row.error.is_some() && row.outcome.is_none());
        world.store.until("failed", failed).await;
        // A member has news before the next try, and all are over during it.
        let reason = if ops.can_edit() { Reason::Reply } else { Reason::Post };
        world.owe_news(&ops, 1, (reason, News::Repeated), Severity::Critical);
        for _ in 0..10 {
            world.pass(&ops, Duration::from_secs(1)).await;
        }
        chat.until(2).await;
        world.calm(&ops, 1..=9);
        world.pass(&ops, Duration::ZERO).await;
        release.notify_one();
        world.settled(&ops).await;
        assert_eq!(world.noticed(), 2, "{kind}");
        assert!(last(&world, &chat).contains("well again"), "{kind}: {}", last(&world, &chat));
        world.finish(worker).await;
    }
}

#[tokio::test]
async fn a_first_word_that_is_owed_twice_after_a_crash_loses_no_end() {
    let (world, (chat, ops)) = (World::new(), a_chat("wecom").await);
    world.storm(&ops, 1..=9);
    let worker = world.run(&ops);
    world.settled(&ops).await;
    world.calm(&ops, 1..=9);
    let digest: u64 = world.store.lock().keyed.keys().next().unwrap().2.parse().unwrap();
    let why = (Reason::Post, News::Opened);
    let first = Notification::of_digest(ops.name.clone(), DigestId(digest), why, Severity::Critical, world.now());
    world.store.owe_row(first);
    world.settled(&ops).await;
    assert_eq!(world.noticed(), 2);
    assert!(last(&world, &chat).contains("well again"), "{}", last(&world, &chat));
    world.finish(worker).await;
}

/// What dice of the model's found once.
#[test]
fn what_was_found_before_stays_mended() {
    use Happening::{Break, Repeat, Time, Well, Worse};
    // A note that was under way when its digest was closed is made after a crash, when a member is back.
    let back = vec![
        (Break(19, 6), 0),
        (Well(21, 3), 1),
        (Worse(0, 1), 3),
        (Time(7_771), 0),
        (Time(11_629), 2),
        (Break(19, 3), 4),
        (Break(13, 11), 0),
        (Time(279_701), 1),
        (Well(14, 11), 2),
        (Break(12, 8), 0),
        (Break(0, 1), 2),
    ];
    // The first post is tried again, and a row that came between would have said what it says.
    let again = vec![(Break(18, 7), 0), (Well(0, 1), 5), (Repeat(11, 8), 0), (Time(400), 1)];
    for (can_edit, dice, happenings) in [(true, 7_960_597_442_795_112, back), (false, 1_212_616_916_658_938_892, again)]
    {
        let mut sim = Sim::new(can_edit, dice);
        for (what, turns) in happenings {
            sim.happen(what);
            for _ in 0..turns {
                sim.turn();
                sim.now = sim.now + Duration::from_millis(100);
            }
        }
        sim.end();
        sim.check();
    }
}
