//! The scenarios by name, and the plan of one: which callback is sent when. Pure: the same seed gives the same plan.

use std::collections::BTreeMap;
use std::time::Duration;

use super::callback::{Callback, Cast, REPORT_INTERVAL, What};
use super::stories;

/// What goes wrong, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Every stream reports late frames in each interval: the load to measure with
    Steady,
    /// Encoders whose clocks jump: up to six troubles of one stream in each report
    BadEncoder,
    /// Uplinks that lose more and more, then heal
    UplinkLoss,
    /// Keyframe intervals far too long, all the time
    Gop,
    /// All streams of one site fail in the same moment, and the cloud ends them
    SiteDown,
    /// Every stream breaks within the same second, some grow worse, and all get well by and by
    Storm,
    /// Streams that break, drop, come back and break again
    Flapping,
    /// Pushes that begin and are stopped properly: no alert is wanted
    CleanStops,
    /// Late frames whose callbacks come again with a fresh signature, and out of order
    Retries,
    /// The documented 321, to the letter but for its signature: one callback
    Sample,
}

impl Scenario {
    /// How many streams it plays with unless told.
    pub(crate) fn usual_streams(self) -> u32 {
        match self {
            Scenario::Steady => 1000,
            Scenario::SiteDown => 50,
            Scenario::Storm => 10_000,
            Scenario::CleanStops => 10,
            Scenario::Sample => 1,
            Scenario::BadEncoder | Scenario::UplinkLoss | Scenario::Gop | Scenario::Flapping | Scenario::Retries => 3,
        }
    }

    /// Who plays.
    pub(crate) fn cast(self) -> Cast {
        let (prefix, domain) = match self {
            Scenario::Steady => ("cam", "push.example.com"),
            Scenario::BadEncoder => ("encoder", "push.example.com"),
            Scenario::UplinkLoss => ("uplink", "push.example.com"),
            Scenario::Gop => ("gop", "push.example.com"),
            Scenario::SiteDown => ("hall", "site.example.com"),
            Scenario::Storm => ("storm", "push.example.com"),
            Scenario::Flapping => ("flapper", "push.example.com"),
            Scenario::CleanStops => ("show", "push.example.com"),
            Scenario::Retries => ("retry", "push.example.com"),
            Scenario::Sample => ("teststream", "example.push.com"),
        };
        Cast { prefix, domain, one_address: self == Scenario::SiteDown }
    }
}

/// The plan of a scenario: callbacks with the time to send each, in ms after the start, never going back.
///
/// A steady plan never ends; the others end with `duration`. One reporting interval is made at a time, so a long plan
/// costs no more memory than a short one.
pub(crate) fn plan(scenario: Scenario, seed: u64, streams: u32, duration: Duration) -> Plan {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Plan {
        stage: stories::Stage {
            scenario,
            streams: if scenario == Scenario::Sample { 1 } else { streams.max(1) },
            rounds: if scenario == Scenario::Steady { u64::MAX } else { millis.div_ceil(REPORT_INTERVAL).max(1) },
            rng: fastrand::Rng::with_seed(seed),
        },
        round: 0,
        made: 0,
        queue: BTreeMap::new(),
    }
}

/// See [`plan`].
#[derive(Debug)]
pub(crate) struct Plan {
    stage: stories::Stage,
    round: u64,
    made: u64,
    /// By sending time and, within it, the order of making.
    queue: BTreeMap<(u64, u64), Callback>,
}

impl Iterator for Plan {
    type Item = (u64, Callback);

    fn next(&mut self) -> Option<(u64, Callback)> {
        loop {
            let made_up_to = self.round.saturating_mul(REPORT_INTERVAL);
            let all_made = self.round >= self.stage.rounds;
            match self.queue.first_entry() {
                Some(first) if all_made || first.key().0 < made_up_to => {
                    let ((at, _), callback) = first.remove_entry();
                    return Some((at, callback));
                }
                _ if all_made => return None,
                _ => self.make_round(),
            }
        }
    }
}

impl Plan {
    fn make_round(&mut self) {
        for stream in 0..self.stage.streams {
            for (at, callback) in self.stage.play(stream, self.round) {
                self.queue.insert((at, self.made), callback);
                self.made += 1;
            }
        }
        self.round += 1;
    }
}

/// Whether an end with this errcode is a proper stop that wants no alert.
pub(crate) fn is_clean(what: &What) -> bool {
    matches!(what, What::End { errcode: 1 | 2, .. })
}
