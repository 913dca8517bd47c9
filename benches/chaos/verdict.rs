//! Holds what the chats were told, and what is on record, against what was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::chats::ledger::Ledger;
use crate::chats::reading::{Subject, is_over, recovered, subject};
use crate::chats::{Act, Chat, Fake, Kind};

/// How the simulation's streams are called.
const PREFIX: &str = "storm-";

/// The first readable message is there within this.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

/// So many messages at most in the first minute.
const FIRST_MINUTE: usize = 3;

/// A run that is over.
pub(crate) struct Run<'a> {
    /// Where its data and logs are.
    pub(crate) folder: &'a Path,
    /// When the storm broke.
    pub(crate) start: Instant,
    /// How many streams were in trouble.
    pub(crate) total: u64,
    /// How long after the end of all trouble everything was told; none if it never was.
    pub(crate) told_after: Option<Duration>,
    /// Most memory held, kB.
    pub(crate) most_kb: u64,
}

/// What a channel was told in the end.
#[derive(Default)]
struct Ending {
    /// Streams whose own last message says that it is over.
    over: u64,
    /// Streams whose own last message says that it goes on.
    firing: Vec<String>,
    /// Streams that digests say are over.
    counted: u64,
    /// The first lines of digests that say that it goes on.
    open: Vec<String>,
}

impl Run<'_> {
    /// Prints the figures and what does not hold; says whether all does.
    pub(crate) fn judge(&self, fakes: &[Fake]) -> bool {
        let ledger = Ledger::of(self.folder);
        let (rows, doubted) = (ledger.rows(), ledger.doubted());
        let mut broken = Vec::new();
        println!(
            "\n{:<11} {:>8} {:>6} {:>6} {:>6} {:>7} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6}",
            "channel",
            "requests",
            "posts",
            "notes",
            "edits",
            "first s",
            "in minute",
            "own over",
            "digests",
            "no reply",
            "twice",
            "doubt"
        );
        for fake in fakes {
            let (name, chat) = (fake.kind.name(), fake.chat());
            let ending = ending(fake.kind, &chat);
            // One that came three times is on record once.
            let twice = doubles(&chat).into_values().collect::<BTreeSet<_>>().len() as u64;
            let doubted = doubted.get(name).copied().unwrap_or(0);
            let first = chat.calls.first().map(|call| call.at.saturating_duration_since(self.start));
            let in_minute = chat.posts(self.start, Duration::from_secs(60));
            let of = |sort: fn(&Act) -> bool| chat.calls.iter().filter(|call| sort(&call.act)).count();
            let lost = chat.calls.iter().filter(|call| !call.answered).count();
            println!(
                "{name:<11} {:>8} {:>6} {:>6} {:>6} {:>7.2} {in_minute:>9} {:>8} {:>8} {lost:>8} {twice:>6} {doubted:>6}",
                chat.requests,
                of(|act| *act == Act::Post),
                of(|act| matches!(act, Act::Note { .. })),
                of(|act| *act == Act::Edit),
                first.map_or(f64::NAN, |first| first.as_secs_f64()),
                ending.over,
                ending.counted,
            );
            let mut must = |holds: bool, what: String| {
                if !holds {
                    broken.push(format!("{name}: {what}"));
                }
            };
            must(first.is_some_and(|first| first <= FIRST_WITHIN), format!("the first message came after {first:?}"));
            must(in_minute <= FIRST_MINUTE, format!("{in_minute} messages in the first minute"));
            let told = ending.over + ending.counted;
            must(told >= self.total, format!("the end of {} streams was not told", self.total.saturating_sub(told)));
            let (firing, open) = (&ending.firing, &ending.open);
            // Where nothing is edited a digest may say that they are well.
            let stale = fake.kind.edits() && !firing.is_empty();
            must(!stale, format!("{} streams are said to be broken, as {:?}", firing.len(), firing.first()));
            must(open.is_empty(), format!("{} digests say that it goes on: {open:?}", open.len()));
            must(doubted >= twice, format!("{twice} came twice, {doubted} are on record as possible duplicates"));
            for (sort, (times, first)) in &chat.faults {
                must(false, format!("{sort}, {times} times: {first:#?}"));
            }
            if chat.crossed > 0 {
                println!("            {} calls were on their way when the chat said \"wait\"", chat.crossed);
            }
        }
        println!();
        for (channel, outcomes) in &rows {
            println!("outbox {channel:<11} {outcomes:?}");
        }
        let pending = ledger.pending();
        let settled = self.told_after.map_or("never".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
        println!("all told {settled} after the last trouble; most memory {} MB\n", self.most_kb / 1000);
        if pending > 0 {
            broken.push(format!("{pending} notifications have no outcome"));
        }
        let dead: u64 = rows.values().filter_map(|outcomes| outcomes.get("dead")).sum();
        if dead > 0 {
            broken.push(format!("{dead} notifications were given up"));
        }
        match broken.is_empty() {
            true => println!("HOLDS: every last state is told, within every limit and no earlier than asked"),
            false => println!("DOES NOT HOLD:\n- {}", broken.join("\n- ")),
        }
        broken.is_empty()
    }
}

/// What people know once all is over.
fn ending(kind: Kind, chat: &Chat) -> Ending {
    let mut own: BTreeMap<String, bool> = BTreeMap::new();
    let mut ending = Ending::default();
    let mut digests: BTreeMap<u64, (u64, bool, String)> = BTreeMap::new();
    for call in &chat.calls {
        let over = is_over(&call.text);
        match (subject(&call.text, PREFIX), call.act) {
            (Subject::Stream(stream), _) => _ = own.insert(stream, over),
            // Where nothing is edited each digest of an end is a message of its own.
            (Subject::Many(many), _) if !kind.edits() => ending.counted += if over { many } else { 0 },
            (Subject::Many(many), Act::Post | Act::Edit) => {
                let first = call.text.lines().next().unwrap_or_default().to_owned();
                let all = recovered(&call.text).map_or(many, |(_, all)| all);
                digests.insert(call.id, (all, over, first));
            }
            (Subject::Many(_), Act::Note { .. }) | (Subject::Other, _) => {}
        }
    }
    let doubles = doubles(chat);
    for (id, (all, over, first)) in digests {
        match over {
            true => ending.counted += all,
            // What people deleted says nothing any more; and nobody knows of one that came again after a crash.
            false if chat.messages.contains_key(&id) && !doubles.contains_key(&id) => ending.open.push(first),
            false => {}
        }
    }
    ending.over = own.values().filter(|over| **over).count() as u64;
    ending.firing = own.into_iter().filter(|(_, over)| !over).map(|(stream, _)| stream).collect();
    ending
}

/// The messages that came again although nobody had deleted them: all but the last of each, by what tells them apart.
fn doubles(chat: &Chat) -> BTreeMap<u64, String> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut doubles = BTreeMap::new();
    for call in chat.calls.iter().filter(|call| call.act != Act::Edit && !chat.deleted.contains(&call.id)) {
        // The webhook's messages carry a number of their own; elsewhere the same words are the same message.
        let name = call.delivery.map_or_else(|| call.text.clone(), |delivery| delivery.to_string());
        if let Some(earlier) = seen.insert(name.clone(), call.id) {
            doubles.insert(earlier, name);
        }
    }
    doubles
}
