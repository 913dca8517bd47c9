//! Recorded callbacks from JSON lines, as `export` and `simulate --out` write them. Made to go through millions.
//!
//! A line is `{"received_at":MS,"body":{…}}`. A bad line is named and passed over; a repeat of an earlier one does
//! nothing, as it would have done at the door.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use foldhash::quality::RandomState;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ingest;
use crate::model::{Entry, EventId, Input, Seq, Timestamp};

/// Longest line taken: the largest `max_body`, and room for the rest of the line.
const MAX_LINE: u64 = (16 << 20) + 4096;

/// The end of the file is looked through this far for its newest time.
const TAIL: u64 = MAX_LINE;

/// Bad lines that are shown.
pub(super) const SHOWN: usize = 10;

/// Repeats are known for this long, and up to twice as long: 30 minutes in which a signature lives, 20 of retries,
/// and some.
const HORIZON: Duration = Duration::from_secs(3600);

/// How far a line's time may lie behind that of a line before it without being mentioned: what several connections
/// write down at once is not in exact order.
const DISORDER: Duration = Duration::from_secs(60);

/// What a file of JSON lines holds, in order.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    since: Option<Timestamp>,
    /// The time of the entry before: time never goes back, as in the journal.
    at: Timestamp,
    seq: u64,
    repeats: Repeats,
    faults: Faults,
}

/// What was wrong with a file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Lines that are no callbacks.
    pub(super) bad: u64,
    /// The first of them: number and why.
    pub(super) shown: Vec<(u64, String)>,
    /// Callbacks that are far out of order, and count as of the time before them.
    pub(super) disordered: u64,
    /// Callbacks that came before.
    pub(super) repeated: u64,
}

/// The members of a line in any order, whatever else stands in it.
#[derive(Deserialize)]
struct Line<'a> {
    received_at: Option<i64>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    /// What the server answered, in what `simulate` writes.
    answer: Option<u16>,
    #[serde(borrow)]
    truth: Option<&'a RawValue>,
}

impl Lines<BufReader<File>> {
    /// Begins with what was received at `since` or later.
    pub(super) fn open(file: &Path, since: Option<Timestamp>) -> io::Result<Lines<BufReader<File>>> {
        Ok(Lines::new(BufReader::with_capacity(1 << 20, File::open(file)?), since))
    }
}

impl<R: BufRead> Lines<R> {
    fn new(input: R, since: Option<Timestamp>) -> Lines<R> {
        Lines {
            input,
            line: Vec::new(),
            number: 0,
            bytes: 0,
            since,
            at: Timestamp(0),
            seq: 0,
            repeats: Repeats::default(),
            faults: Faults::default(),
        }
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was wrong so far.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The next line, without its end; `false` at the end of the file.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        self.bytes += read as u64;
        self.number += 1;
        if read as u64 == MAX_LINE && self.line.last() != Some(&b'\n') {
            self.bad("longer than any callback".to_owned());
            self.skip_line()?;
            self.line.clear();
        }
        Ok(read > 0)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            self.line.clear();
            let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
            self.bytes += read as u64;
            if read == 0 || self.line.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }

    fn bad(&mut self, why: String) {
        self.faults.bad += 1;
        if self.faults.shown.len() < SHOWN {
            self.faults.shown.push((self.number, why));
        }
    }

    /// The entry of the line that was just read, if it is one.
    fn entry(&mut self) -> Result<Option<Entry>, String> {
        let line = self.line.trim_ascii();
        let (mut at, mut body) = match as_written(line) {
            Some(parts) => parts,
            None => match spelled_out(line)? {
                Some(parts) => parts,
                None => return Ok(None),
            },
        };
        if self.since.is_some_and(|since| at < since) {
            return Ok(None);
        }
        let (mut id, known) = self.repeats.look_up(body, at.max(self.at));
        if known {
            self.faults.repeated += 1;
            return Ok(None);
        }
        let mut read = ingest::recorded(body, wide(id));
        if read.is_err() {
            // It may have looked like one of `export`'s, and have more members.
            match spelled_out(line)? {
                Some(parts) => (at, body) = parts,
                None => return Ok(None),
            }
            id = self.repeats.look_up(body, at.max(self.at)).0;
            read = ingest::recorded(body, wide(id));
        }
        let event = read.map_err(|refusal| refusal.to_string())?;
        if self.seq > 0 && self.at.since(at) > DISORDER {
            self.faults.disordered += 1;
        }
        self.repeats.learn(id);
        self.at = at.max(self.at);
        self.seq += 1;
        Ok(Some(Entry { seq: Seq(self.seq), received_at: self.at, input: Input::Callback(Box::new(event)) }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        loop {
            match self.read_line() {
                Ok(true) if self.line.trim_ascii().is_empty() => {}
                Ok(true) => match self.entry() {
                    Ok(Some(entry)) => return Some(Ok(entry)),
                    Ok(None) => {}
                    Err(why) => self.bad(why),
                },
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The newest time in the last lines of a file.
pub(super) fn newest(file: &Path) -> io::Result<Option<Timestamp>> {
    let mut file = File::open(file)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = Vec::new();
    // Most often the last few lines are enough.
    for reach in [64 << 10, TAIL] {
        tail.clear();
        file.seek(SeekFrom::Start(length.saturating_sub(reach)))?;
        (&mut file).take(reach).read_to_end(&mut tail)?;
        let time = |line: &[u8]| as_written(line).or_else(|| spelled_out(line).ok()?).map(|(at, _)| at);
        let times = tail.split(|byte| *byte == b'\n').filter_map(|line| time(line.trim_ascii()));
        if let Some(newest) = times.max() {
            return Ok(Some(newest));
        }
    }
    Ok(None)
}

/// Time and body of a line in any spelling; `None` for a line that is there for others: a truth, or what no server
/// took.
fn spelled_out(line: &[u8]) -> Result<Option<(Timestamp, &[u8])>, String> {
    let Line { received_at, body, answer, truth } =
        serde_json::from_slice(line).map_err(|error| format!("no line of an export: {error}"))?;
    if truth.is_some() || answer.is_some_and(|status| status != 200) {
        return Ok(None);
    }
    match received_at.zip(body) {
        Some((at, body)) => Ok(Some((Timestamp(at), body.get().as_bytes()))),
        None => Err("no line of an export: it must have received_at and body".to_owned()),
    }
}

/// The line as `export` writes it, taken apart without reading it twice. What only looks like one has a body that
/// is no JSON.
fn as_written(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let rest = line.strip_prefix(b"{\"received_at\":")?;
    let digits = rest.iter().take(19).position(|byte| !byte.is_ascii_digit())?;
    let (at, rest) = rest.split_at(digits);
    let at = std::str::from_utf8(at).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"body\":")?;
    let body = rest.strip_suffix(b"}")?;
    let body = body.strip_suffix(b",\"answer\":200").unwrap_or(body);
    (body.first() == Some(&b'{') && body.last() == Some(&b'}')).then_some((Timestamp(at), body))
}

/// An identity within this run.
fn wide(hash: u64) -> EventId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&hash.to_le_bytes());
    EventId(id)
}

/// Which callbacks came within the horizon.
#[derive(Debug, Default)]
struct Repeats {
    state: RandomState,
    /// Since when `young` is filled.
    from: Timestamp,
    young: HashSet<u64, foldhash::fast::RandomState>,
    old: HashSet<u64, foldhash::fast::RandomState>,
}

impl Repeats {
    /// The body's identity, and whether it came before.
    fn look_up(&mut self, body: &[u8], at: Timestamp) -> (u64, bool) {
        if at.since(self.from) >= HORIZON {
            let is_over = at.since(self.from) >= HORIZON * 2;
            self.old = std::mem::take(&mut self.young);
            if is_over {
                self.old.clear();
            }
            self.from = at;
        }
        let mut hasher = self.state.build_hasher();
        hasher.write(body);
        let id = hasher.finish();
        (id, self.young.contains(&id) || self.old.contains(&id))
    }

    fn learn(&mut self, id: u64) {
        self.young.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(stream: &str) -> String {
        format!(r#"{{"abnormal_event":[{{"count":1,"type":16}}],"event_type":321,"stream_id":"{stream}"}}"#)
    }

    fn read(text: &str, since: Option<i64>) -> (Vec<(i64, String)>, Faults) {
        let mut lines = Lines::new(text.as_bytes(), since.map(Timestamp));
        let entries: Vec<Entry> = lines.by_ref().map(Result::unwrap).collect();
        let told = entries.into_iter().map(|entry| {
            let Input::Callback(event) = entry.input else { panic!("{entry:?}") };
            (entry.received_at.0, event.stream.stream().to_owned())
        });
        (told.collect(), lines.faults)
    }

    fn told(entries: &[(i64, &str)]) -> Vec<(i64, String)> {
        entries.iter().map(|(at, stream)| (*at, (*stream).to_owned())).collect()
    }

    #[test]
    fn lines_come_in_every_spelling() {
        let (a, b, c, d) = (body("a"), body("b"), body("c"), body("d"));
        let text = format!(
            "{{\"received_at\":1,\"body\":{a}}}\n\n{{ \"body\": {b}, \"more\": [1], \"received_at\" : 2 }}\r\n\
             {{\"received_at\":3,\"body\":{c},\"answer\":200}}\n{{\"received_at\":4,\"body\":{d},\"answer\":null}}"
        );
        let (entries, faults) = read(&text, None);
        assert_eq!(entries, told(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]));
        assert_eq!((faults.bad, faults.repeated), (0, 0));
    }

    #[test]
    fn a_bad_line_is_named_and_the_rest_goes_on() {
        let good = body("a");
        let text = format!(
            "nonsense\n{{\"received_at\":1,\"body\":{good}}}\n{{\"received_at\":2,\"body\":{{\"stream_id\":\"x\"}}}}\n\
             {{\"body\":{good}}}\n{{\"received_at\":3,\"body\":[1]}}\n{{\"received_at\":4,\"body\":{{\"event_type\":321}}"
        );
        let (entries, faults) = read(&text, None);
        assert_eq!(entries, told(&[(1, "a")]));
        let numbers: Vec<u64> = faults.shown.iter().map(|(number, _)| *number).collect();
        assert_eq!((faults.bad, numbers), (5, vec![1, 3, 4, 5, 6]));
        let why: Vec<&str> = faults.shown.iter().map(|(_, why)| why.as_str()).collect();
        assert!(why[0].starts_with("no line of an export: expected ident"), "{}", why[0]);
        assert_eq!(why[1], "event_type is missing");
        assert!(why[2].contains("it must have received_at and body"), "{}", why[2]);
        assert_eq!(why[3], "the body is not a JSON object");
    }

    #[test]
    fn at_most_ten_bad_lines_are_shown_and_all_are_counted() {
        let (_, faults) = read(&"?\n".repeat(25), None);
        assert_eq!((faults.bad, faults.shown.len()), (25, SHOWN));
    }

    #[test]
    fn what_no_server_took_and_the_truth_are_passed_over() {
        let text = format!(
            "{{\"received_at\":1,\"body\":{},\"answer\":503}}\n{{\"truth\":{{\"stream\":\"a\"}}}}\n",
            body("a")
        );
        let (entries, faults) = read(&text, None);
        assert_eq!((entries, faults.bad), (vec![], 0));
    }

    #[test]
    fn a_repeat_does_nothing_within_the_horizon_and_counts_again_long_after() {
        let line = |at: i64| format!("{{\"received_at\":{at},\"body\":{}}}\n", body("a"));
        let hour = 3_600_000;
        let text: String = [1, 2, hour / 2, hour, 4 * hour].map(line).concat();
        let (entries, faults) = read(&text, None);
        assert_eq!(entries, told(&[(1, "a"), (4 * hour, "a")]));
        assert_eq!(faults.repeated, 3);
    }

    #[test]
    fn time_never_goes_back_and_great_disorder_is_counted() {
        let line = |at: i64, stream: &str| format!("{{\"received_at\":{at},\"body\":{}}}\n", body(stream));
        let text = [line(100_000, "a"), line(99_000, "b"), line(1_000, "c"), line(100_001, "d")].concat();
        let (entries, faults) = read(&text, None);
        assert_eq!(entries, told(&[(100_000, "a"), (100_000, "b"), (100_000, "c"), (100_001, "d")]));
        assert_eq!(faults.disordered, 1);
    }

    #[test]
    fn it_begins_at_a_time_and_knows_the_newest() {
        let line = |at: i64, stream: &str| format!("{{\"received_at\":{at},\"body\":{}}}\n", body(stream));
        let text = [line(10, "a"), line(20, "b"), line(30, "c")].concat() + "{\"truth\":{}}\n";
        assert_eq!(read(&text, Some(20)).0, told(&[(20, "b"), (30, "c")]));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        assert_eq!(newest(file.path()).unwrap(), Some(Timestamp(30)));
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(newest(file.path()).unwrap(), None);
    }

    #[test]
    fn a_line_without_end_is_bad_and_bounded() {
        let long = format!("{{\"received_at\":1,\"body\":{{\"x\":\"{}\"}}}}\n", "x".repeat(20 << 20));
        let text = format!("{long}{{\"received_at\":2,\"body\":{}}}\n", body("a"));
        let (entries, faults) = read(&text, None);
        assert_eq!(entries, told(&[(2, "a")]));
        assert_eq!(faults.shown, [(1, "longer than any callback".to_owned())]);
    }

    proptest! {
        #[test]
        fn each_line_is_an_entry_or_bad_or_passed_over_whatever_it_holds(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            noise in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let line = |at: i64, stream: &str| format!("{{\"received_at\":{at},\"body\":{}}}\n", body(stream));
            let mut text = [line(10, "a"), line(20, "b")].concat().into_bytes();
            for (at, byte) in damage {
                let at = at.index(text.len());
                text[at] = byte;
            }
            text.extend(noise);
            text.extend(b"\n".iter().chain(line(30, "c").as_bytes()));
            let mut lines = Lines::new(text.as_slice(), None);
            let entries = lines.by_ref().map(Result::unwrap).collect::<Vec<_>>();
            let count = text.split(|byte| *byte == b'\n').count() as u64;
            prop_assert!(entries.len() as u64 + lines.faults.bad + lines.faults.repeated <= count);
            prop_assert!(entries.is_sorted_by_key(|entry| entry.received_at));
            prop_assert!(!entries.is_empty(), "the last line is whole");
        }
    }
}
