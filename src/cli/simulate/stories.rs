//! What each scenario does to a stream in one reporting interval. Pure: all chance comes from the seed.

use super::callback::{Callback, Happened, REPORT_INTERVAL, Trouble, What};
use super::scenario::Scenario;
use crate::model::AbnormalType;

/// The cloud waits this long for a dead push before it calls it ended, ms.
const CLOUD_WAITS: u64 = 70_000;

/// A callback with the time to send it, ms after the start.
pub(crate) type Cue = (u64, Callback);

/// Where a scenario is played.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Which.
    pub(crate) scenario: Scenario,
    /// How many streams.
    pub(crate) streams: u32,
    /// How many reporting intervals.
    pub(crate) rounds: u64,
    /// Where chance comes from.
    pub(crate) rng: fastrand::Rng,
}

/// One stream in one interval.
#[derive(Clone, Copy)]
struct Scene {
    stream: u32,
    round: u64,
    /// When this stream reports in this interval, ms after the start.
    at: u64,
}

impl Scene {
    fn cue(self, session: u32, episode: Option<u32>, what: What) -> Cue {
        let happened = match what {
            What::Sample => Happened::WhenSent,
            _ => Happened::At(self.at),
        };
        (self.at, Callback { stream: self.stream, session, happened, episode, repeat: false, what })
    }

    fn later(self, millis: u64) -> Scene {
        Scene { at: self.at + millis, ..self }
    }
}

impl Stage {
    /// What happens to `stream` in interval number `round`.
    pub(crate) fn play(&mut self, stream: u32, round: u64) -> Vec<Cue> {
        // Evenly spread, as encoders that started at different times are; a site fails all at once.
        let phase = match self.scenario {
            Scenario::SiteDown => self.rng.u64(..500),
            Scenario::Storm => self.rng.u64(..1000),
            _ => u64::from(stream) * REPORT_INTERVAL / u64::from(self.streams),
        };
        let scene = Scene { stream, round, at: round.saturating_mul(REPORT_INTERVAL) + phase };
        match self.scenario {
            Scenario::Steady => self.steady(scene),
            Scenario::BadEncoder => self.bad_encoder(scene),
            Scenario::UplinkLoss => self.uplink_loss(scene),
            Scenario::Gop => self.gop(scene),
            Scenario::SiteDown => self.site_down(scene),
            Scenario::Storm => self.storm(scene),
            Scenario::Flapping => self.flapping(scene),
            Scenario::CleanStops => clean_stops(scene),
            Scenario::Retries => self.retries(scene),
            Scenario::Sample => sample(scene),
        }
    }

    /// Two late video frames and two late audio frames, as in the documented sample.
    ///
    /// Sent as fast as can be, several reports of a stream may fall into one millisecond. Their gaps tell them apart:
    /// they go through all of 3000 values (1009 shares no factor with it) before one comes again.
    fn steady(&self, scene: Scene) -> Vec<Cue> {
        let start = self.rng.clone().u64(..3000);
        let gap = 1000 + u32::try_from((start + scene.round % 3000 * 1009) % 3000).unwrap_or(0);
        let (_, mut callback) = scene.cue(1, Some(1), late_frames(gap, gap + 93));
        callback.happened = Happened::WhenSent;
        vec![(scene.at, callback)]
    }

    fn bad_encoder(&mut self, scene: Scene) -> Vec<Cue> {
        let mut cues = Vec::new();
        if scene.round == 0 {
            cues.push(scene.cue(1, None, What::Begin));
        }
        if scene.round < self.healed() {
            let jump = self.rng.u32(1200..3000);
            let mut troubles = vec![
                trouble(1, [self.rng.u32(40..900), self.rng.u32(40..900)]),
                trouble(2, [self.rng.u32(20..200)]),
                trouble(3, [jump]),
                trouble(4, [jump - 37]),
                trouble(12, [self.rng.u32(60..400)]),
            ];
            if scene.round % 3 == 1 {
                troubles.push(trouble(8, [0]));
            }
            cues.push(scene.later(400).cue(1, Some(1), What::Errors(troubles)));
        }
        cues
    }

    fn uplink_loss(&mut self, scene: Scene) -> Vec<Cue> {
        if scene.round >= self.healed() {
            return Vec::new();
        }
        let step = u32::try_from(scene.round.min(15)).unwrap_or(15);
        let gap = 1100 + 500 * step + self.rng.u32(..300);
        let mut what = late_frames(gap, gap + self.rng.u32(..200));
        if let What::Errors(troubles) = &mut what
            && step >= 3
        {
            troubles.push(trouble(15, [15 - step.min(10)]));
        }
        vec![scene.cue(1, Some(1), what)]
    }

    fn gop(&mut self, scene: Scene) -> Vec<Cue> {
        // Each encoder keeps to its own wrong setting.
        let seconds = 11 + scene.stream % 8;
        vec![scene.cue(1, Some(1), What::Errors(vec![trouble(16, [seconds])]))]
    }

    /// Two reports, then nothing arrives any more, and the cloud ends the push once it has waited long enough.
    fn site_down(&mut self, scene: Scene) -> Vec<Cue> {
        let last_report = 1.min(self.rounds - 1);
        let ends = (last_report + CLOUD_WAITS / REPORT_INTERVAL).min((self.rounds * 3 / 4).max(last_report));
        let mut cues = Vec::new();
        if scene.round <= last_report {
            let gap = self.rng.u32(3000..8000);
            cues.push(scene.cue(1, Some(1), late_frames(gap, gap + 120)));
        }
        if scene.round == ends {
            let lasted = 3_600_000 + ends * REPORT_INTERVAL;
            cues.push(scene.later(600).cue(1, Some(2), What::End { errcode: 12, lasted }));
        }
        cues
    }

    /// A tenth is undecodable, three tenths have a wrong keyframe interval, the others stall; of these one in eleven
    /// grows worse from the fourth report on. Nine of ten are well after half of the time, every tenth after three
    /// quarters of it.
    fn storm(&mut self, scene: Scene) -> Vec<Cue> {
        let number = scene.stream + 1;
        let bad_rounds = if number.is_multiple_of(10) { self.rounds * 3 / 4 } else { self.rounds / 2 };
        if scene.round >= bad_rounds.max(1) {
            return Vec::new();
        }
        let gap = self.rng.u32(3000..8000);
        let what = match number % 10 {
            3 => What::Errors(vec![trouble(10, [0])]),
            5..=7 => What::Errors(vec![trouble(16, [11 + number % 8])]),
            _ if number.is_multiple_of(11) && scene.round >= 3 => {
                What::Errors(vec![trouble(6, [gap; 40]), trouble(7, [gap - 37; 40])])
            }
            _ => late_frames(gap, gap + 120),
        };
        vec![scene.cue(1, Some(1), what)]
    }

    /// Half a minute's circle: two bad reports, the push drops, it comes back as a new one, and is well for a while.
    fn flapping(&mut self, scene: Scene) -> Vec<Cue> {
        let circle = u32::try_from(scene.round / 6).unwrap_or(u32::MAX / 4);
        let (session, trouble) = (circle + 1, circle * 2 + 1);
        match scene.round % 6 {
            0 | 1 => {
                let gap = self.rng.u32(2000..5000);
                vec![scene.cue(session, Some(trouble), late_frames(gap, gap + 50))]
            }
            2 => vec![scene.cue(session, Some(trouble + 1), What::End { errcode: 3, lasted: 20_000 })],
            3 => vec![scene.cue(session + 1, None, What::Begin)],
            _ => Vec::new(),
        }
    }

    fn retries(&mut self, scene: Scene) -> Vec<Cue> {
        if scene.round >= self.healed() {
            return Vec::new();
        }
        let gap = self.rng.u32(1500..4500);
        let (at, callback) = scene.cue(1, Some(1), late_frames(gap, gap + 80));
        // One of four arrives late, so behind younger ones.
        let sent = if self.rng.u8(..4) == 0 { at + self.rng.u64(1000..8000) } else { at };
        let mut cues = vec![(sent, callback.clone())];
        let mut again = sent;
        for _ in 0..self.rng.u8(..3) {
            again += self.rng.u64(1000..9000);
            cues.push((again, Callback { repeat: true, ..callback.clone() }));
        }
        cues
    }

    /// The interval from which on all is well: after two thirds of the time.
    fn healed(&self) -> u64 {
        (self.rounds * 2 / 3).max(1)
    }
}

/// A push of ten seconds, stopped by its client; five seconds later the next.
fn clean_stops(scene: Scene) -> Vec<Cue> {
    let push = u32::try_from(scene.round / 3).unwrap_or(u32::MAX - 1) + 1;
    let errcode = if scene.stream.is_multiple_of(2) { 1 } else { 2 };
    match scene.round % 3 {
        0 => vec![scene.cue(push, None, What::Begin)],
        2 => vec![scene.cue(push, Some(push), What::End { errcode, lasted: 2 * REPORT_INTERVAL })],
        _ => Vec::new(),
    }
}

fn sample(scene: Scene) -> Vec<Cue> {
    if scene.round == 0 { vec![scene.cue(1, Some(1), What::Sample)] } else { Vec::new() }
}

/// Two late frames each of video and audio; the audio's come a few ms earlier, in a burst.
fn late_frames(first: u32, second: u32) -> What {
    What::Errors(vec![trouble(6, [first, second]), trouble(7, [first - 37, second - 36])])
}

fn trouble<const N: usize>(kind: u32, values: [u32; N]) -> Trouble {
    Trouble { kind: AbnormalType(kind), count: u32::try_from(N).unwrap_or(1), values: values.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use clap::ValueEnum as _;

    use super::super::scenario::{is_clean, plan};
    use super::*;

    fn play(scenario: Scenario) -> Vec<Cue> {
        plan(scenario, 7, 4, Duration::from_secs(60)).take(500).collect()
    }

    fn ends(cues: &[Cue]) -> usize {
        cues.iter().filter(|(_, callback)| matches!(callback.what, What::End { .. })).count()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
        for scenario in Scenario::value_variants() {
            assert_eq!(play(*scenario), play(*scenario));
            assert!(!play(*scenario).is_empty());
        }
        let other = plan(Scenario::UplinkLoss, 8, 4, Duration::from_secs(60)).collect::<Vec<_>>();
        assert_ne!(other, play(Scenario::UplinkLoss));
    }

    #[test]
    fn times_of_sending_never_go_back_and_something_comes_at_once() {
        for scenario in Scenario::value_variants() {
            let cues = play(*scenario);
            assert!(cues.is_sorted_by_key(|(at, _)| *at), "{scenario:?}");
            assert!(cues[0].0 < 500, "{scenario:?} begins at {} ms", cues[0].0);
        }
    }

    #[test]
    fn all_but_steady_end_with_their_time_and_any_time_will_do() {
        for scenario in Scenario::value_variants().iter().filter(|scenario| **scenario != Scenario::Steady) {
            for seconds in [0, 1, 5, 300] {
                let cues: Vec<Cue> = plan(*scenario, 1, 2, Duration::from_secs(seconds)).take(10_000).collect();
                assert!(cues.len() < 10_000, "{scenario:?} goes on after {seconds} s");
            }
        }
        assert_eq!(plan(Scenario::Steady, 1, 2, Duration::from_secs(1)).take(10_000).count(), 10_000);
    }

    #[test]
    fn steady_reports_of_a_stream_differ_for_3000_rounds() {
        let gaps: BTreeSet<u32> = plan(Scenario::Steady, 5, 1, Duration::ZERO)
            .take(3000)
            .map(|(_, callback)| match &callback.what {
                What::Errors(troubles) => troubles[0].values[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(gaps.len(), 3000);
    }

    #[test]
    fn clean_stops_are_clean_and_nothing_but_pushes() {
        let cues = play(Scenario::CleanStops);
        assert!(ends(&cues) > 4);
        for (_, callback) in &cues {
            assert!(callback.what == What::Begin || is_clean(&callback.what), "{callback:?}");
        }
    }

    #[test]
    fn uplinks_grow_worse_and_heal_at_two_thirds() {
        let cues = play(Scenario::UplinkLoss);
        let gaps: Vec<u32> = cues
            .iter()
            .filter(|(_, callback)| callback.stream == 0)
            .map(|(_, callback)| match &callback.what {
                What::Errors(troubles) => troubles[0].values[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(gaps.len(), 8);
        assert!(gaps.is_sorted(), "{gaps:?}");
        assert!(cues.iter().all(|(at, _)| *at < 40_000));
    }

    #[test]
    fn a_site_fails_within_half_a_second_and_every_push_of_it_ends_once() {
        let cues = play(Scenario::SiteDown);
        let first: BTreeSet<u32> = cues.iter().filter(|(at, _)| *at < 500).map(|(_, c)| c.stream).collect();
        assert_eq!(first.len(), 4);
        assert_eq!(ends(&cues), 4);
        let long: Vec<Cue> = plan(Scenario::SiteDown, 7, 4, Duration::from_secs(600)).collect();
        let end = long.iter().find(|(_, c)| matches!(c.what, What::End { .. })).unwrap();
        assert!(end.0 >= 75_000, "the cloud waits 70 s after the last frame, not {} ms", end.0);
    }

    #[test]
    fn a_storm_breaks_within_a_second_some_grow_worse_and_the_last_are_well_after_three_quarters() {
        let cues: Vec<Cue> = plan(Scenario::Storm, 7, 40, Duration::from_secs(60)).collect();
        let broken: BTreeSet<u32> = cues.iter().filter(|(at, _)| *at < 1000).map(|(_, c)| c.stream).collect();
        assert_eq!(broken.len(), 40);
        let last = |stream: u32| cues.iter().filter(|(_, c)| c.stream == stream).map(|(at, _)| *at).max().unwrap();
        assert!((25_000..30_000).contains(&last(0)) && (40_000..45_000).contains(&last(9)));
        let counts = |stream: u32| -> Vec<u32> {
            let of = cues.iter().filter(|(_, c)| c.stream == stream);
            of.map(|(_, c)| match &c.what {
                What::Errors(troubles) => troubles[0].count,
                other => panic!("{other:?}"),
            })
            .collect()
        };
        assert_eq!(counts(0), [2; 6]);
        assert_eq!(counts(10), [2, 2, 2, 40, 40, 40]);
    }

    #[test]
    fn retries_repeat_word_for_word_after_the_original_and_come_out_of_order() {
        let cues = play(Scenario::Retries);
        let mut seen: Vec<&Callback> = Vec::new();
        let mut out_of_order = false;
        for (_, callback) in &cues {
            let original = seen.iter().any(|old| Callback { repeat: false, ..callback.clone() } == **old);
            assert_eq!(callback.repeat, original, "{callback:?}");
            let Happened::At(at) = callback.happened else { panic!("{callback:?}") };
            out_of_order |= seen.iter().any(|old| {
                old.stream == callback.stream && matches!(old.happened, Happened::At(before) if before > at)
            });
            if !callback.repeat {
                seen.push(callback);
            }
        }
        assert!(cues.iter().any(|(_, callback)| callback.repeat));
        assert!(out_of_order);
    }

    #[test]
    fn flapping_comes_back_as_a_new_push() {
        let cues = play(Scenario::Flapping);
        let sessions: BTreeSet<u32> = cues.iter().map(|(_, callback)| callback.session).collect();
        assert_eq!(sessions, BTreeSet::from([1, 2, 3]));
        assert_eq!(ends(&cues), 8);
    }
}
