//! When posts go out by themselves, when they wait for each other, and when they become one digest. Pure.

use std::time::Duration;

use crate::model::{DigestId, Timestamp};

/// More posts than this that are due at once are told by one message.
pub(crate) const MOST_ALONE: usize = 3;

/// Posts are gathered until none has come for so long,
const QUIET: Duration = Duration::from_millis(250);

/// and until so long after one went out by itself: of many that break in the same second one may be known first.
const SETTLE: Duration = Duration::from_secs(1);

/// But the first of them waits no longer than this.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// After a fold the storm is taken to be on for so long: what is due meanwhile waits for the next fold.
const STORM: Duration = Duration::from_secs(20);

/// But as long as people are told sparingly they hear no sooner again than after this.
pub(crate) const APART: Duration = Duration::from_secs(30);

/// People are told sparingly for so long after a fold: what else belongs to the storm is no surprise.
pub(crate) const SPARING: Duration = Duration::from_secs(60);

/// A digest is joined this long after it was posted, where the chat can edit; people look at it still.
pub(crate) const YOUNG: Duration = Duration::from_secs(60);

/// What posts wait in a channel that could make a call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    /// How many are due.
    pub(crate) due: usize,
    /// Since when there has been one without a break.
    pub(crate) since: Timestamp,
    /// When the last one came.
    pub(crate) last: Timestamp,
    /// When one last went out by itself.
    pub(crate) alone_at: Timestamp,
    /// When some were last folded.
    pub(crate) folded_at: Timestamp,
    /// What they can join.
    pub(crate) open: Open,
}

/// The digest that others can join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// There is none.
    None,
    /// There is none, for this chat can't edit.
    Never,
    /// Its post has not been begun: what joins it is told by the same call.
    Untold(DigestId),
    /// It was posted a short while ago, and will be edited; people noticed it last at this time.
    Told(DigestId, Timestamp),
}

/// What to do with the posts that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// They go out one by one.
    Alone,
    /// None goes out before then.
    Wait(Timestamp),
    /// They become part of this digest.
    Join(DigestId),
    /// They become part of this digest, and people are to notice: they are too few to be only counted.
    Tell(DigestId),
    /// They become a new digest.
    Anew,
}

impl Step {
    /// Before when no post goes out by itself; none, if they do now. Those that are to be folded never do.
    pub(crate) fn holds(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Step::Alone => None,
            Step::Wait(until) => Some(until),
            Step::Join(_) | Step::Tell(_) | Step::Anew => Some(now),
        }
    }
}

/// Decides. One post in a calm channel goes at once; what comes close to another is gathered first. While people are
/// told sparingly even two become a digest, and after one that went out by itself others wait as after a fold.
pub(crate) fn decide(scene: Scene, now: Timestamp) -> Step {
    let sparing = scene.open == Open::Never && now < scene.folded_at + SPARING;
    let storm_until = match scene.open {
        Open::Never if sparing => scene.folded_at.max(scene.alone_at) + APART,
        Open::Told(_, noticed_at) => noticed_at.max(scene.alone_at) + APART,
        Open::None | Open::Never | Open::Untold(_) => scene.folded_at + STORM,
    };
    let most_alone = if sparing { 1 } else { MOST_ALONE };
    let calm = now >= storm_until && now >= scene.alone_at + SETTLE;
    let gathered_at = (scene.last + QUIET).max(scene.alone_at + SETTLE).min(scene.since + PATIENCE);
    match (scene.due, scene.open) {
        (0, _) => Step::Alone,
        (1, Open::None | Open::Never | Open::Told(..)) if calm => Step::Alone,
        _ if now < gathered_at => Step::Wait(gathered_at),
        (_, Open::Untold(digest)) => Step::Join(digest),
        (due, Open::Told(digest, _)) if due > MOST_ALONE => Step::Join(digest),
        _ if now < storm_until => Step::Wait(storm_until),
        (due, Open::None | Open::Never) if due > most_alone => Step::Anew,
        (2.., Open::Told(digest, _)) => Step::Tell(digest),
        (_, Open::None | Open::Never | Open::Told(..)) => Step::Alone,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const DIGEST: DigestId = DigestId(7);

    fn after(millis: u64) -> Timestamp {
        NOW + Duration::from_millis(millis)
    }

    /// So many that came at once, in a channel that was calm.
    fn calm(due: usize) -> Scene {
        let never = Timestamp(0);
        Scene { due, since: NOW, last: NOW, alone_at: never, folded_at: never, open: Open::None }
    }

    #[test]
    fn one_in_a_calm_channel_goes_at_once_and_what_follows_it_closely_is_gathered() {
        assert_eq!(decide(calm(1), NOW), Step::Alone);
        let close = Scene { alone_at: NOW, since: after(40), last: after(40), ..calm(1) };
        assert_eq!(decide(close, after(40)), Step::Wait(after(1_000)));
        assert_eq!(decide(close, after(1_000)), Step::Alone);
        let later = Scene { since: after(900), last: after(900), ..close };
        assert_eq!(decide(later, after(1_000)), Step::Alone);
        assert_eq!(decide(calm(0), NOW), Step::Alone);
    }

    #[test]
    fn up_to_three_go_by_themselves_and_more_are_folded_once_no_more_come() {
        for (due, step) in [(2, Step::Alone), (3, Step::Alone), (4, Step::Anew), (10_000, Step::Anew)] {
            assert_eq!(decide(calm(due), NOW), Step::Wait(after(250)));
            assert_eq!(decide(calm(due), after(250)), step, "{due}");
        }
    }

    #[test]
    fn a_stream_of_posts_is_waited_for_no_longer_than_the_first_of_them_can_wait() {
        let streaming = Scene { last: after(1_490), ..calm(500) };
        assert_eq!(decide(streaming, after(1_490)), Step::Wait(after(1_500)));
        assert_eq!(decide(streaming, after(1_500)), Step::Anew);
    }

    #[test]
    fn the_next_digest_comes_no_sooner_than_twenty_seconds_after_the_last_one() {
        let storm = |due| Scene { folded_at: NOW, since: after(2_000), last: after(2_000), ..calm(due) };
        for due in [1, 3, 4, 500] {
            assert_eq!(decide(storm(due), after(5_000)), Step::Wait(after(20_000)), "{due}");
        }
        assert_eq!(decide(storm(3), after(20_000)), Step::Alone);
        assert_eq!(decide(storm(4), after(20_000)), Step::Anew);
    }

    #[test]
    fn where_nothing_can_be_edited_people_hear_once_in_thirty_seconds_for_a_minute() {
        let (open, at) = (Open::Never, after(2_000));
        let storm = |due| Scene { folded_at: NOW, since: at, last: at, open, ..calm(due) };
        for due in [1, 3, 4, 500] {
            assert_eq!(decide(storm(due), after(5_000)), Step::Wait(after(30_000)), "{due}");
        }
        for (due, step) in [(1, Step::Alone), (2, Step::Anew), (3, Step::Anew), (4, Step::Anew)] {
            assert_eq!(decide(storm(due), after(30_000)), step, "{due}");
            let again = Scene { alone_at: after(30_000), since: after(33_000), last: after(33_000), ..storm(due) };
            assert_eq!(decide(again, after(40_000)), Step::Wait(after(60_000)), "{due}");
        }
        for (due, step) in [(1, Step::Alone), (3, Step::Alone), (4, Step::Anew)] {
            assert_eq!(decide(storm(due), after(60_000)), step, "{due}, after the minute");
        }
    }

    #[test]
    fn a_young_digest_is_joined_by_many_and_one_that_is_not_told_yet_by_all() {
        let scene = |due, open| Scene { folded_at: NOW, since: after(2_000), last: after(2_000), open, ..calm(due) };
        let young = Open::Told(DIGEST, after(500));
        assert_eq!(decide(scene(4, young), after(2_100)), Step::Wait(after(2_250)));
        assert_eq!(decide(scene(4, young), after(2_250)), Step::Join(DIGEST));
        assert_eq!(decide(scene(3, young), after(2_250)), Step::Wait(after(30_500)));
        for (due, step) in [(1, Step::Alone), (2, Step::Tell(DIGEST)), (3, Step::Tell(DIGEST))] {
            assert_eq!(decide(scene(due, young), after(30_500)), step, "{due}");
            let again = Scene { alone_at: after(30_500), ..scene(due, young) };
            assert_eq!(decide(again, after(40_000)), Step::Wait(after(60_500)), "{due}");
        }
        assert_eq!(decide(scene(1, Open::Untold(DIGEST)), after(2_250)), Step::Join(DIGEST));
    }

    #[test]
    fn what_is_to_be_folded_does_not_go_out_by_itself_though_the_fold_has_to_wait() {
        assert_eq!((Step::Alone.holds(NOW), Step::Wait(after(9)).holds(NOW)), (None, Some(after(9))));
        for step in [Step::Join(DIGEST), Step::Tell(DIGEST), Step::Anew] {
            assert_eq!(step.holds(NOW), Some(NOW));
        }
    }

    proptest! {
        /// A channel that can't edit, with posts that come at these times of its first second, and of the minute after
        /// it, and calls that take so long.
        #[test]
        fn a_storm_of_one_second_is_told_by_three_posts_in_its_first_minute(
            storm in prop::collection::vec(0u64..1_000, 5..60),
            later in prop::collection::vec(1_000u64..60_000, 0..20),
            call in 1u64..900,
        ) {
            let mut comings = [storm, later].concat();
            comings.sort_unstable();
            let mut scene = Scene { open: Open::Never, ..calm(0) };
            let (mut free_at, mut came, mut told, mut posts) = (NOW, 0, 0, 0);
            for millis in (0..92_000).step_by(5) {
                let now = after(millis);
                let new = comings[came..].iter().take_while(|at| **at <= millis).count();
                if new > 0 {
                    came += new;
                    scene.since = if scene.due == 0 { now } else { scene.since };
                    scene.last = now;
                    scene.due += new;
                }
                if scene.due == 0 || now < free_at {
                    continue;
                }
                match decide(scene, now) {
                    Step::Wait(until) => prop_assert!(until > now),
                    Step::Alone => {
                        scene.due -= 1;
                        scene.alone_at = now;
                        (told, posts, free_at) = (told + 1, posts + u32::from(millis < 60_000), after(millis + call));
                    }
                    Step::Anew => {
                        prop_assert!(scene.due > 1);
                        scene.folded_at = now;
                        (told, posts) = (told + scene.due, posts + u32::from(millis < 60_000));
                        (scene.due, free_at) = (0, after(millis + call));
                    }
                    Step::Join(_) | Step::Tell(_) => prop_assert!(false, "there is nothing to join"),
                }
            }
            prop_assert_eq!(told, comings.len(), "nothing waits longer than half a minute");
            prop_assert!(posts <= 3, "{} posts", posts);
        }
    }
}
