//! Writes down what was sent, line by line as `export` would, and at the end the truth: what was wrong with whom.
//!
//! ```text
//! {"received_at":1754623210123,"body":{…},"answer":200}
//! {"truth":{"stream":"push.example.com/live/gop-1","types":["gop_too_large"],"errcode":null,"from":…,"to":…,
//!           "reports":12,"occurrences":12,"clean":false}}
//! ```
//!
//! A report that was sent twice counts once; `clean` is an end that wants no alert.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::callback::{Callback, Cast, Secrets, What};
use super::scenario::is_clean;
use crate::model::{AbnormalType, Timestamp};

/// One trouble of one stream, as it really was.
#[derive(Debug, Default)]
struct Episode {
    stream: String,
    types: BTreeSet<AbnormalType>,
    errcode: Option<u8>,
    from: Timestamp,
    to: Timestamp,
    reports: u64,
    occurrences: u64,
    clean: bool,
}

/// The file that `--out` names.
#[derive(Debug)]
pub(crate) struct Record<W: Write> {
    out: W,
    episodes: BTreeMap<(u32, u32), Episode>,
}

impl Record<BufWriter<File>> {
    /// Makes the file anew.
    pub(crate) fn create(path: &Path) -> io::Result<Record<BufWriter<File>>> {
        Ok(Record::to(BufWriter::with_capacity(1 << 20, File::create(path)?)))
    }
}

impl<W: Write> Record<W> {
    /// Writes to `out`.
    pub(crate) fn to(out: W) -> Record<W> {
        Record { out, episodes: BTreeMap::new() }
    }

    /// A callback of the time `at` was sent at `sent`; `answer` is the status, if any came.
    pub(crate) fn sent(
        &mut self,
        cast: &Cast,
        callback: &Callback,
        at: Timestamp,
        sent: Timestamp,
        answer: Option<u16>,
    ) -> io::Result<()> {
        let mut line = format!("{{\"received_at\":{},\"body\":", sent.0).into_bytes();
        cast.write_open(&mut line, callback, at, Secrets::Masked);
        match answer {
            Some(status) => writeln!(line, "}},\"answer\":{status}}}")?,
            None => writeln!(line, "}},\"answer\":null}}")?,
        }
        self.learn(cast, callback, at);
        self.out.write_all(&line)
    }

    fn learn(&mut self, cast: &Cast, callback: &Callback, at: Timestamp) {
        let Some(number) = callback.episode.filter(|_| !callback.repeat) else { return };
        let fresh =
            || Episode { stream: cast.name(callback).full().to_owned(), from: at, to: at, ..Episode::default() };
        let episode = self.episodes.entry((callback.stream, number)).or_insert_with(fresh);
        episode.from = episode.from.min(at);
        episode.to = episode.to.max(at);
        episode.reports += 1;
        match &callback.what {
            What::Errors(troubles) => {
                for trouble in troubles {
                    episode.types.insert(trouble.kind);
                    episode.occurrences += u64::from(trouble.count);
                }
            }
            What::Sample => {
                episode.types.extend([AbnormalType(6), AbnormalType(7)]);
                episode.occurrences += 4;
            }
            What::End { errcode, .. } => {
                episode.errcode = Some(*errcode);
                episode.occurrences += 1;
                episode.clean = is_clean(&callback.what);
            }
            What::Begin => {}
        }
    }

    /// Writes the truth behind the callbacks, and hands the writer back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        for episode in self.episodes.values() {
            let truth = json!({"truth": {
                "stream": episode.stream,
                "types": episode.types.iter().map(AbnormalType::to_string).collect::<Vec<_>>(),
                "errcode": episode.errcode,
                "from": episode.from,
                "to": episode.to,
                "reports": episode.reports,
                "occurrences": episode.occurrences,
                "clean": episode.clean,
            }});
            writeln!(self.out, "{truth}")?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::super::scenario::{Scenario, plan};
    use super::*;

    fn record(scenario: Scenario) -> (Vec<Value>, Vec<Value>) {
        let cast = scenario.cast();
        let mut record = Record::to(Vec::new());
        for (at, callback) in plan(scenario, 3, 2, Duration::from_secs(60)) {
            let sent = Timestamp(1_000_000 + at as i64);
            record.sent(&cast, &callback, callback.time(Timestamp(1_000_000), sent), sent, Some(200)).unwrap();
        }
        let text = String::from_utf8(record.finish().unwrap()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.partition(|line| line.get("truth").is_none())
    }

    #[test]
    fn truth_follows_the_callbacks_and_counts_a_repeat_once() {
        let (sent, truth) = record(Scenario::Retries);
        assert_eq!(truth.len(), 2);
        let unique: BTreeSet<String> = sent.iter().map(|line| line["body"].to_string()).collect();
        assert!(unique.len() < sent.len(), "no repeat was sent");
        let reports: u64 = truth.iter().map(|line| line["truth"]["reports"].as_u64().unwrap()).sum();
        assert_eq!(reports, unique.len() as u64);
        let first = &truth[0]["truth"];
        assert_eq!(first["stream"], "push.example.com/live/retry-1");
        assert_eq!(first["types"], json!(["video_frames_late", "audio_frames_late"]));
        assert_eq!(first["occurrences"], json!(first["reports"].as_u64().unwrap() * 4));
        assert_eq!((&first["from"], &first["to"]), (&json!(1_000_000), &json!(1_035_000)));
    }

    #[test]
    fn lines_are_as_exported_with_secrets_masked() {
        let (sent, truth) = record(Scenario::CleanStops);
        for line in &sent {
            assert!(line["received_at"].is_i64() && line["answer"] == 200);
            assert!(line["body"].get("sign").is_none() && line["body"].get("t").is_none());
            assert_eq!(line["body"]["stream_param"], "txSecret=***&txTime=***");
        }
        assert!(!truth.is_empty());
        for line in &truth {
            assert_eq!(line["truth"]["clean"], true);
            assert!([json!(1), json!(2)].contains(&line["truth"]["errcode"]));
        }
    }
}
