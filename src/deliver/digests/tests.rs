//! Digests and their members: what is absorbed, who leaves, what is owed, and when it ends.

use super::*;
use crate::model::News;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const STORM: DigestId = DigestId(7);

fn after(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

/// A digest of ten groups that are so bad, not told yet.
fn untold(can_edit: bool, severity: Severity) -> Digests {
    let mut digests = Digests::new(can_edit, Vec::new(), std::iter::empty());
    digests.begin(STORM, severity, NOW);
    for group in 1..=10 {
        assert_eq!(digests.attach(STORM, GroupId(group), severity, NOW), None);
    }
    assert_eq!(digests.claim(STORM, Want::Edit), Some(Want::First));
    digests
}

/// All members are looked at: those from `sick` on fire.
fn look(digests: &mut Digests, sick: u64) {
    digests.look(STORM);
    for group in 1..=10 {
        digests.see(STORM, GroupId(group), group < sick);
    }
    digests.looked(STORM);
}

/// The same, posted.
fn told(can_edit: bool, severity: Severity) -> Digests {
    let mut digests = untold(can_edit, severity);
    say(&mut digests, 1, NOW);
    digests
}

/// Posts it or edits it, while those from `sick` on fire.
fn say(digests: &mut Digests, sick: u64, at: Timestamp) {
    digests.call(STORM);
    look(digests, sick);
    digests.called(STORM);
    let first = digests.known(STORM).is_none();
    let (posted_at, revision) = (digests.known(STORM).map_or(at, |known| known.posted_at), digests.revision(STORM));
    let known = Known { platform_id: Some("1".into()), posted_at, revision, ..Known::default() };
    digests.set_known(STORM, known);
    digests.shown(STORM, sick > 10, at);
    if first {
        digests.noted(STORM, sick > 10, at);
    }
}

fn absorbed() -> Heard {
    Heard::Absorbed { digest: STORM, again: false }
}

fn resolve(digests: &mut Digests, groups: std::ops::RangeInclusive<u64>) {
    for group in groups {
        assert_eq!(digests.hear(GroupId(group), (News::Resolved, Severity::Warning), NOW), absorbed());
    }
}

#[test]
fn nothing_leaves_a_digest_whose_first_post_will_say_it_all() {
    let mut digests = untold(true, Severity::Warning);
    let all = [News::Opened, News::Reopened, News::Escalated, News::Repeated, News::Resolved, News::Changed];
    for news in all {
        assert_eq!(digests.hear(GroupId(1), (news, Severity::Critical), NOW), absorbed(), "{news:?}");
    }
    assert_eq!(digests.hear(GroupId(99), (News::Opened, Severity::Critical), NOW), Heard::Stranger);
    assert_eq!((digests.severity(STORM), digests.claim(STORM, Want::Edit)), (Severity::Critical, None));
    assert_eq!(digests.open(NOW), Open::Untold(STORM));
}

#[test]
fn a_member_leaves_when_it_is_worse_than_told_or_back_after_it_was_shown_well() {
    let mut digests = told(true, Severity::Warning);
    let mut hear = |news, severity| digests.hear(GroupId(1), (news, severity), after(300));
    assert_eq!(hear(News::Escalated, Severity::Critical), Heard::Leaves);
    assert_eq!(hear(News::Opened, Severity::Warning), Heard::Leaves, "something else is wrong with it");
    assert_eq!(hear(News::Released, Severity::Warning), absorbed());
    assert_eq!(hear(News::Resolved, Severity::Warning), absorbed());
    assert_eq!(hear(News::Reopened, Severity::Warning), absorbed(), "nobody was shown that it was well");
    assert_eq!(hear(News::Resolved, Severity::Warning), absorbed());
    say(&mut digests, 2, after(310));
    assert_eq!(digests.hear(GroupId(1), (News::Reopened, Severity::Warning), after(320)), Heard::Leaves);
    assert_eq!(digests.home(GroupId(1)), Some(STORM), "folded, it returns");
}

#[test]
fn people_are_reminded_once_in_two_minutes() {
    let mut digests = told(true, Severity::Warning);
    let repeat = |digests: &mut Digests, group, secs| {
        digests.hear(GroupId(group), (News::Repeated, Severity::Warning), after(secs))
    };
    assert_eq!(repeat(&mut digests, 1, 119), absorbed(), "they have just been told");
    assert_eq!(repeat(&mut digests, 1, 120), Heard::Absorbed { digest: STORM, again: true });
    assert_eq!(digests.claim(STORM, Want::Again), Some(Want::Again));
    assert_eq!(digests.claim(STORM, Want::Again), None);
    digests.noted(STORM, false, after(121));
    assert_eq!(repeat(&mut digests, 2, 130), absorbed());
}

#[test]
fn a_digest_that_is_over_is_closed_once_all_was_said() {
    for (can_edit, severity, first) in [
        (true, Severity::Warning, Want::OverQuietly),
        (true, Severity::Critical, Want::Over),
        (false, Severity::Warning, Want::Over),
    ] {
        let mut digests = told(can_edit, severity);
        resolve(&mut digests, 1..=9);
        assert_eq!(digests.judge(STORM, after(60)), None);
        resolve(&mut digests, 10..=10);
        assert_eq!(digests.judge(STORM, after(61)), Some(first), "{can_edit} {severity:?}");
        assert_eq!(digests.claim(STORM, first), Some(first));
        say(&mut digests, 11, after(62));
        if severity == Severity::Critical || !can_edit {
            assert_eq!(digests.judge(STORM, after(62)), Some(Want::Over), "the note is still owed");
            digests.noted(STORM, true, after(62));
        }
        assert_eq!((digests.judge(STORM, after(63)), digests.is_open(STORM)), (None, false));
        // What is still on its way ends with it, and what is new does not.
        assert_eq!(digests.hear(GroupId(1), (News::Resolved, Severity::Warning), after(64)), absorbed());
        assert_eq!(digests.hear(GroupId(1), (News::Reopened, Severity::Warning), after(64)), Heard::Leaves);
        assert_eq!(digests.claim(STORM, Want::Edit), None);
        assert_eq!(digests.chore(after(63 + 3_600)), Some(Chore::Forget(STORM)));
        digests.forget(STORM);
        assert_eq!(digests.hear(GroupId(2), (News::Resolved, Severity::Warning), NOW), Heard::Stranger);
        assert_eq!((digests.seats.len(), digests.next_chore()), (0, None));
    }
}

#[test]
fn a_chat_that_cannot_edit_is_owed_no_edit_and_its_told_digest_is_not_joined() {
    let mut digests = told(false, Severity::Warning);
    assert_eq!(digests.claim(STORM, Want::Edit), None);
    assert_eq!(digests.claim(STORM, Want::Worse), Some(Want::Worse));
    assert_eq!(digests.open(after(1)), Open::Never);
    assert_eq!(told(true, Severity::Warning).open(after(59)), Open::Told(STORM, NOW));
    assert_eq!(told(true, Severity::Warning).open(after(60)), Open::None);
}

#[test]
fn those_that_outlive_nine_of_ten_by_ten_minutes_are_found_once() {
    let mut digests = told(true, Severity::Warning);
    resolve(&mut digests, 1..=8);
    assert_eq!((digests.judge(STORM, after(60)), digests.next_chore()), (None, None), "eight of ten");
    resolve(&mut digests, 9..=9);
    digests.judge(STORM, after(100));
    assert_eq!(digests.chore(after(699)), None);
    assert_eq!(digests.chore(after(700)), Some(Chore::Straggle(STORM)));
    look(&mut digests, 10);
    assert_eq!(digests.straggle(STORM, after(700)), [(GroupId(10), Severity::Warning)]);
    assert_eq!((digests.chore(after(701)), digests.home(GroupId(10))), (None, None));
    assert_eq!(digests.hear(GroupId(10), (News::Opened, Severity::Warning), after(701)), Heard::Leaves);
    assert!(digests.straggle(STORM, after(1_400)).is_empty());
    assert_eq!(digests.part(GroupId(10)), Some(STORM));
    assert_eq!(digests.judge(STORM, after(701)), Some(Want::Over), "longer than five minutes");
}

#[test]
fn the_last_member_stays_so_that_the_digest_has_an_end() {
    let mut digests = told(true, Severity::Warning);
    for group in 1..=9 {
        assert_eq!(digests.part(GroupId(group)), Some(STORM));
    }
    assert_eq!((digests.part(GroupId(10)), digests.judge(STORM, NOW)), (None, None));
    resolve(&mut digests, 10..=10);
    assert_eq!(digests.judge(STORM, NOW), Some(Want::OverQuietly));
}

#[test]
fn the_last_member_returns_though_it_outlives_the_others_for_the_text_has_to_be_brought_to_its_end() {
    let mut digests = told(true, Severity::Warning);
    resolve(&mut digests, 1..=9);
    digests.judge(STORM, NOW);
    look(&mut digests, 10);
    assert_eq!(digests.straggle(STORM, after(700)).len(), 1);
    assert_eq!(digests.home(GroupId(10)), None);
    for group in 1..=9 {
        digests.part(GroupId(group));
    }
    assert_eq!(digests.home(GroupId(10)), Some(STORM));
}

#[test]
fn where_nothing_can_be_edited_members_go_to_the_next_digest_and_one_that_all_left_ends_without_a_word() {
    let (mut digests, next) = (told(false, Severity::Warning), DigestId(8));
    assert_eq!((digests.home(GroupId(1)), digests.end_at(STORM)), (None, after(60)));
    digests.begin(next, Severity::Critical, after(30));
    resolve(&mut digests, 1..=2);
    for group in 3..=10 {
        assert_eq!(digests.attach(next, GroupId(group), Severity::Critical, after(30)), Some(STORM));
    }
    assert_eq!(digests.judge(STORM, after(30)), Some(Want::Over), "the two that are left are well");
    for group in 1..=2 {
        digests.attach(next, GroupId(group), Severity::Critical, after(30));
    }
    assert_eq!((digests.judge(STORM, after(30)), digests.is_open(STORM)), (None, false));
    assert_eq!(digests.chore(after(30 + 3_600)), Some(Chore::Forget(STORM)));
    assert!(digests.is_open(next));
}

#[test]
fn edits_follow_the_post_after_five_seconds_and_each_other_after_fifteen() {
    let mut digests = told(true, Severity::Warning);
    assert_eq!(digests.edit_at(STORM), after(5));
    say(&mut digests, 1, after(6));
    assert_eq!((digests.edit_at(STORM), digests.note_at(STORM, NOW)), (after(21), after(30)));
}

#[test]
fn after_a_restart_members_are_looked_at_before_anything_is_said() {
    let mut before = told(true, Severity::Critical);
    resolve(&mut before, 1..=9);
    before.judge(STORM, after(50));
    let kept = serde_json::to_string(&before.kept(STORM).unwrap()).unwrap();
    assert_eq!(Digests::read("parked", "7", &kept), None);
    let kept = Digests::read(DIGEST, "7", &kept).unwrap();
    let members = (1..=10).map(|group| (GroupId(group), before.seat(GroupId(group)).unwrap()));
    let mut digests = Digests::new(true, vec![kept], members);
    assert_eq!(digests.chore(after(60)), Some(Chore::Look(STORM)));
    resolve(&mut digests, 10..=10);
    assert_eq!(digests.judge(STORM, after(60)), None);
    look(&mut digests, 11);
    assert_eq!(digests.judge(STORM, after(60)), Some(Want::Over));
    assert_eq!((digests.chore(after(649)), digests.chore(after(650))), (None, Some(Chore::Straggle(STORM))));
    assert_eq!(digests.folded_at(), NOW);
}

#[test]
fn a_restart_does_not_notify_people_anew_any_sooner() {
    let mut before = told(false, Severity::Critical);
    before.noted(STORM, false, after(31));
    let kept = serde_json::to_string(&before.kept(STORM).unwrap()).unwrap();
    let kept = Digests::read(DIGEST, "7", &kept).unwrap();
    let digests = Digests::new(false, vec![kept], std::iter::empty());
    assert_eq!((digests.note_at(STORM, after(40)), digests.note_at(STORM, after(80))), (after(70), after(61)));
    assert_eq!((before.note_at(STORM, NOW), digests.note_at(STORM, NOW)), (after(61), after(61)));
}

#[test]
fn a_place_in_a_digest_is_small() {
    assert!(size_of::<(GroupId, Seat)>() <= 24, "{}", size_of::<(GroupId, Seat)>());
}
