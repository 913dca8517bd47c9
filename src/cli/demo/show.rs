//! What the demo plays: scenes of `simulate`, one after the other and some at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::exit::say;
use super::super::simulate::scenario::{Scenario, plan};
use super::super::simulate::sender::{self, Pace, Run};
use super::super::simulate::tally::Tally;
use super::super::simulate::wire::{Reach, Target};
use crate::clock::Clock;

/// A scenario with the second it begins at, its streams, its length in seconds and what is said of it.
struct Scene {
    from: u64,
    scenario: Scenario,
    streams: u32,
    length: u64,
    told: &'static str,
}

const fn scene(from: u64, scenario: Scenario, streams: u32, length: u64, told: &'static str) -> Scene {
    Scene { from, scenario, streams, length, told }
}

/// Troubles heal after two thirds of a scene, so that their end is seen within a minute.
const SHOW: [Scene; 7] = [
    scene(
        0,
        Scenario::Sample,
        1,
        5,
        "the callback that the cloud's documentation prints (its times are of 2022), freshly signed",
    ),
    scene(
        3,
        Scenario::CleanStops,
        1,
        30,
        "show-1 begins and stops properly, again and again: nobody should hear of it",
    ),
    scene(4, Scenario::Gop, 1, 20, "gop-1 sends a keyframe far too seldom"),
    scene(9, Scenario::UplinkLoss, 1, 35, "uplink-1 loses more and more of its frames"),
    scene(14, Scenario::BadEncoder, 1, 24, "encoder-1's clocks run wild: five troubles, one message"),
    scene(22, Scenario::Flapping, 1, 40, "flapper-1 drops out and comes back"),
    scene(30, Scenario::SiteDown, 3, 18, "a site with three halls loses its line"),
];

/// Where the show is played.
pub(super) struct Stage {
    /// The callback door.
    pub(super) listen: SocketAddr,
    /// The key to sign with.
    pub(super) key: String,
    /// How long.
    pub(super) length: Duration,
    /// Ends it.
    pub(super) over: CancellationToken,
}

/// What was sent in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// Callbacks sent.
    pub(super) sent: u64,
    /// Those answered 200.
    pub(super) accepted: u64,
}

/// A key for this run alone.
pub(super) fn made_up_key() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(32).collect()
}

/// Plays every scene that begins in time.
pub(super) async fn play(stage: Stage) -> Sent {
    let clock = Arc::new(Clock::start());
    let tally = Arc::new(Tally::default());
    let Ok(target) = Target::find(&format!("http://{}/callback", stage.listen), Reach::ThisMachine).await else {
        return Sent::default();
    };
    let mut scenes = JoinSet::new();
    for scene in SHOW {
        let run = Run {
            target: target.clone(),
            cast: scene.scenario.cast(),
            plan: plan(scene.scenario, scene.from, scene.streams, Duration::from_secs(scene.length)),
            pace: Pace::Own,
            duration: Duration::from_secs(scene.length),
            count: u64::MAX,
            connections: 1,
            key: Some(SecretString::from(stage.key.clone())),
            record: None,
            stop: stage.over.clone(),
        };
        let begins = Duration::from_secs(scene.from);
        if begins < stage.length {
            scenes.spawn(act(scene, begins, run, (Arc::clone(&clock), Arc::clone(&tally))));
        }
    }
    while scenes.join_next().await.is_some() {}
    let counts = tally.lock();
    Sent { sent: counts.sent, accepted: counts.accepted }
}

async fn act(scene: Scene, begins: Duration, run: Run, (clock, tally): (Arc<Clock>, Arc<Tally>)) {
    let over = run.stop.clone();
    tokio::select! {
        () = over.cancelled() => return,
        () = tokio::time::sleep(begins) => {}
    }
    announce(&scene);
    if let Err(error) = sender::send(run, clock, tally).await {
        tracing::warn!(%error, "a scene ended early");
    }
}

fn announce(scene: &Scene) {
    let (_, dim, plain) = super::dress();
    // Nobody may be reading any more, and then nothing is lost.
    let _ = say(&format!("\n{dim}· {:>2} s  {}{plain}\n", scene.from, scene.told));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_scene_is_the_sample_at_once_and_all_is_healed_within_a_minute() {
        assert!(SHOW[0].from == 0 && SHOW[0].scenario == Scenario::Sample);
        assert!(SHOW.is_sorted_by_key(|scene| scene.from));
        for scene in SHOW.iter().filter(|scene| scene.scenario != Scenario::Flapping) {
            let healed = match scene.scenario {
                Scenario::UplinkLoss | Scenario::BadEncoder => scene.length * 2 / 3,
                _ => scene.length,
            };
            // 8 s of quiet, counted from the last report.
            assert!(scene.from + healed + 8 < 60, "{:?} is not over in time", scene.scenario);
        }
    }

    #[test]
    fn keys_are_long_and_each_run_has_its_own() {
        assert_eq!(made_up_key().len(), 32);
        assert_ne!(made_up_key(), made_up_key());
    }
}
