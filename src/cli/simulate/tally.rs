//! Counts what was sent and how it was answered, and says so in text or JSON.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// Steps of a bucket's width within each power of two: a quantile is off by at most 1/64.
const STEPS: u64 = 64;

/// Latencies by size, in µs, with a bucket's width growing with the latency. 22 powers of two reach 2 minutes.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { buckets: vec![0; 22 * STEPS as usize], count: 0, max: 0 }
    }
}

impl Latencies {
    /// Takes one in.
    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket_of(micros).min(self.buckets.len() - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// The latency that the share `quantile` (0 to 1) of all does not exceed; zero when there are none.
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        let wanted = ((self.count as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(top_of(bucket).min(self.max));
            }
        }
        Duration::from_micros(self.max)
    }
}

/// Below 128 µs each µs has its bucket; above, each power of two is cut into 64.
fn bucket_of(micros: u64) -> usize {
    let power = micros.max(1).ilog2().saturating_sub(STEPS.ilog2());
    (u64::from(power) * STEPS + (micros >> power)) as usize
}

fn top_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let power = (bucket / STEPS).saturating_sub(1);
    ((bucket - power * STEPS + 1) << power) - 1
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests begun.
    pub(crate) sent: u64,
    /// Answered 200.
    pub(crate) accepted: u64,
    /// Answered otherwise, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Never answered.
    pub(crate) failed: u64,
    /// From the moment it was due to the answer.
    pub(crate) latencies: Latencies,
    /// By how much the schedule was put back because the server or this machine could not keep up.
    pub(crate) behind: Duration,
    /// From the start to the last answer.
    pub(crate) took: Duration,
}

impl Counts {
    /// How many were refused, over all statuses.
    pub(crate) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    fn rate(&self) -> f64 {
        (self.accepted + self.refusals()) as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let statuses: Vec<String> = self.refused.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        let statuses = if statuses.is_empty() { String::new() } else { format!("  ({})", statuses.join(", ")) };
        let quantile = |quantile| shown(self.latencies.quantile(quantile));
        let mut text = format!(
            "sent      {} in {:.1} s\naccepted  {}\nrefused   {}{statuses}\nfailed    {}\nanswered  {:.1} a second\n\
             latency   p50 {}   p90 {}   p99 {}   max {}\n",
            self.sent,
            self.took.as_secs_f64(),
            self.accepted,
            self.refusals(),
            self.failed,
            self.rate(),
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(1.0),
        );
        if !self.behind.is_zero() {
            text.push_str(&format!("behind    {:.1} s: the rate could not be kept\n", self.behind.as_secs_f64()));
        }
        text
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let millis = |quantile| self.latencies.quantile(quantile).as_micros() as f64 / 1000.0;
        json!({
            "sent": self.sent,
            "accepted": self.accepted,
            "refused": self.refused.iter().map(|(status, n)| (status.to_string(), n)).collect::<BTreeMap<_, _>>(),
            "failed": self.failed,
            "seconds": self.took.as_secs_f64(),
            "per_second": self.rate(),
            "behind_seconds": self.behind.as_secs_f64(),
            "latency_ms": {"p50": millis(0.5), "p90": millis(0.9), "p99": millis(0.99), "max": millis(1.0)},
        })
    }
}

fn shown(latency: Duration) -> String {
    let millis = latency.as_secs_f64() * 1000.0;
    match millis {
        ..10.0 => format!("{millis:.2} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

/// Counts that several connections add to while somebody else looks on.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

impl Tally {
    /// To read or to add.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_a_ramp_are_right_within_a_sixtyfourth() {
        let mut latencies = Latencies::default();
        for micros in 1..=100_000 {
            latencies.record(Duration::from_micros(micros));
        }
        for (quantile, exact) in [(0.5, 50_000.0), (0.9, 90_000.0), (0.99, 99_000.0)] {
            let found = latencies.quantile(quantile).as_micros() as f64;
            assert!((found / exact - 1.0).abs() < 1.0 / 64.0, "p{quantile}: {found} for {exact}");
        }
        assert_eq!(latencies.quantile(1.0), Duration::from_millis(100));
        assert_eq!(Latencies::default().quantile(0.99), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_latency_lies_in_its_bucket(micros in 0_u64..120_000_000) {
            let bucket = bucket_of(micros);
            prop_assert!(top_of(bucket) >= micros);
            prop_assert!(bucket == 0 || top_of(bucket - 1) < micros);
            prop_assert!(top_of(bucket) - micros <= micros / 64);
            prop_assert!(bucket < Latencies::default().buckets.len());
        }
    }

    #[test]
    fn refusals_are_told_by_status() {
        let mut counts = Counts { sent: 12, accepted: 7, failed: 1, took: Duration::from_secs(2), ..Counts::default() };
        counts.refused = BTreeMap::from([(403, 3), (503, 1)]);
        counts.latencies.record(Duration::from_micros(812));
        insta::assert_snapshot!(counts.text(), @r"
        sent      12 in 2.0 s
        accepted  7
        refused   4  (403: 3, 503: 1)
        failed    1
        answered  5.5 a second
        latency   p50 0.81 ms   p90 0.81 ms   p99 0.81 ms   max 0.81 ms
        ");
        assert_eq!(counts.json()["refused"], json!({"403": 3, "503": 1}));
    }
}
