//! `backtest`: what rules would have said about recorded callbacks, beside what the rules in force say.
//!
//! The engine is the one that judges live. Each rule set has a fresh one; what both are shown before `--since` fills
//! their windows and does not count. At the end nothing goes on beyond the last entry's time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Output, duration};
use super::exit::{Exit, say};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::model::{Entry, Input, Timestamp};

mod compare;
mod lines;
mod sets;
mod side;
mod source;
mod text;

use compare::{Judged, Report};
use sets::{Set, Unusable};
use side::Side;
use source::{Recording, Source, Stretch};

const EXAMPLES: &str = "Examples:
  What a changed file would have said today, beside the rules in force:
    pushwatch backtest --since 24h --rules new.yaml --data-dir /var/lib/pushwatch
  The same on another machine, from what `pushwatch export` printed:
    pushwatch backtest --input callbacks.jsonl --config rules.yaml --rules new.yaml
  What the rules in force have to say, by rule and by stream:
    pushwatch backtest --since 24h --data-dir /var/lib/pushwatch

The rules in force are those that the server kept in its data folder; with --input, or where it kept none, those of
--config. It runs beside the server. Secrets need not be set: nobody is called.

Exit status: 0 it ran, whatever it found, 1 rules are wrong or nothing could be read, 2 usage.";

/// What counts back from the end of a journal unless told otherwise.
const USUAL: Duration = Duration::from_secs(24 * 3600);

/// The progress bar is moved on after so many entries.
const STRIDE: u64 = 4096;

/// Show what rules would have said about recorded callbacks, beside what the rules in force say
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BacktestArgs {
    /// From when on it counts: back from now for a journal (24h if not given), back from its newest line for a file
    /// (all of it if not given)
    #[arg(long, env = "PUSHWATCH_SINCE", value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// The rules to try; without them only the rules in force are shown
    #[arg(long, env = "PUSHWATCH_RULES", value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The server's data folder
    #[arg(long, env = "PUSHWATCH_DATA_DIR", value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// JSON lines as `export` prints them, in place of a data folder
    #[arg(long, env = "PUSHWATCH_INPUT", value_name = "FILE.jsonl")]
    input: Option<PathBuf>,
    /// The rules in force, with --input or where the data folder has none
    #[arg(long, env = "PUSHWATCH_CONFIG", value_name = "FILE", default_value = "rules.yaml")]
    config: PathBuf,
    /// How many streams are shown
    #[arg(long, env = "PUSHWATCH_TOP", default_value_t = 20)]
    top: usize,
    /// How to print the result
    #[arg(long, env = "PUSHWATCH_OUTPUT", value_enum, default_value = "text")]
    output: Output,
}

/// Judges and compares.
pub(super) fn run(args: &BacktestArgs) -> Exit {
    match report(args, Clock::start().wall()) {
        Ok((report, exit)) => {
            let shown = match args.output {
                Output::Json => format!("{}\n", text::json(&report)),
                Output::Text if report.callbacks == 0 => format!("{}\n", report.notes.join("\n")),
                Output::Text => text::text(&report, args.top),
            };
            // Whoever closed our output knows enough.
            let _ = say(&shown);
            exit
        }
        Err(why) => Exit::wrong(why),
    }
}

/// All that there is to say, and how the command ends.
fn report(args: &BacktestArgs, now: Timestamp) -> Result<(Report, Exit), String> {
    let recording = match &args.input {
        Some(file) => Recording::File(file.clone()),
        None => Recording::Folder(args.data_dir.clone()),
    };
    let sets = sets(args, &recording)?;
    let back = args.since.or_else(|| args.input.is_none().then_some(USUAL));
    let since = back.map(|back| Ok::<_, String>(recording.end(now)? - back)).transpose()?;
    let lookback = sets.iter().map(|(_, set)| Engine::lookback(&set.rules)).max().unwrap_or_default();
    let stretch = Stretch::new(since, lookback);
    let mut source = recording.open(stretch.from)?;
    let mut sides: Vec<Side> =
        sets.iter().map(|(_, set)| Side::new(Arc::clone(&set.rules), since.unwrap_or(Timestamp(i64::MIN)))).collect();
    let mut report = play(&mut source, &mut sides, since)?;
    let judged = |((name, set), side): (&(&'static str, Set), Side)| Judged {
        name,
        source: set.source.clone(),
        hash: set.rules.hash.clone(),
        tally: side.finish(),
    };
    report.sides = sets.iter().zip(sides).map(judged).collect();
    let exit = note(&mut report, &sets, &source, (&recording, args.since.is_some()));
    Ok((report, exit))
}

/// The rules in force, and those to be tried.
fn sets(args: &BacktestArgs, recording: &Recording) -> Result<Vec<(&'static str, Set)>, String> {
    let tried = args.rules.as_deref().map(sets::from_file).transpose().map_err(|why| why.to_string())?;
    let in_force = match (sets::in_force(recording, &args.config), &tried) {
        (Ok(set), _) => Some(set),
        // What is tried can be shown alone.
        (Err(Unusable::None(_)), Some(_)) => None,
        (Err(why), _) => return Err(why.to_string()),
    };
    Ok([("in force", in_force), ("new", tried)].into_iter().filter_map(|(name, set)| Some((name, set?))).collect())
}

/// Shows every entry to every side, in order.
fn play(source: &mut Source, sides: &mut [Side], since: Option<Timestamp>) -> Result<Report, String> {
    let mut report = Report { since, ..Report::default() };
    let bar = progress(source);
    let (mut callbacks, mut read) = (0u64, 0u64);
    while let Some(entry) = source.next() {
        let entry = entry?;
        read += 1;
        if read.is_multiple_of(STRIDE) {
            bar.set_position(source.done(&entry));
            bar.set_message(per_second(callbacks, bar.elapsed()));
        }
        match &entry.input {
            // Each side has rules of its own from the start; and what was noticed then is none of its news.
            Input::RulesLoaded { .. } | Input::Noticed(_) => continue,
            Input::Acknowledged { incident, .. } => {
                if let Some((rule, key)) = source.incident(*incident) {
                    sides.iter_mut().for_each(|side| side.acknowledge(&entry, &rule, &key));
                }
                continue;
            }
            Input::Callback(_) => {
                callbacks += 1;
                count(&mut report, &entry);
            }
            Input::Resumed { .. } | Input::ClockSet { .. } | Input::Muted(_) | Input::Unmuted { .. } => {}
        }
        for side in sides.iter_mut() {
            side.step(&entry);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

fn count(report: &mut Report, entry: &Entry) {
    if report.since.is_some_and(|since| entry.received_at < since) {
        report.warm_up += 1;
        return;
    }
    report.callbacks += 1;
    let first = report.between.map_or(entry.received_at, |(first, _)| first);
    report.between = Some((first, entry.received_at));
}

/// Drawn on standard error, where somebody looks on.
fn progress(source: &Source) -> ProgressBar {
    let bar = ProgressBar::new(source.total());
    let what = match source {
        Source::Journal(_) => "{bar:30} {human_pos} of {human_len} callbacks, {msg}, {eta} to go",
        Source::Lines(..) => "{bar:30} {bytes} of {total_bytes}, {msg}, {eta} to go",
    };
    // The template is ours: were it wrong, the usual one serves.
    bar.with_style(ProgressStyle::with_template(what).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn per_second(callbacks: u64, elapsed: Duration) -> String {
    let each = callbacks as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{} a second", super::table::number(each as u64))
}

/// Notes what readers should know, and how the command ends.
fn note(report: &mut Report, sets: &[(&str, Set)], source: &Source, asked: (&Recording, bool)) -> Exit {
    let (recording, since_given) = asked;
    let mut exit = Exit::Fine;
    let mut notes = Vec::new();
    if let Some(faults) = source.faults() {
        for (number, why) in &faults.shown {
            notes.push(format!("line {number} was passed over: {}", super::table::name(why)));
        }
        if faults.bad > lines::SHOWN as u64 {
            notes.push(format!("{} lines in all were passed over", super::table::number(faults.bad)));
        }
        if faults.disordered > 0 {
            let count = super::table::number(faults.disordered);
            notes.push(format!(
                "{count} lines are older than a line before them by more than a minute, and count as of its time: \
                 sort the file by received_at"
            ));
        }
        if faults.bad > 0 && report.callbacks + report.warm_up + faults.repeated == 0 {
            exit = Exit::Wrong;
        }
    }
    if source.unreadable() > 0 {
        let count = super::table::number(source.unreadable());
        notes.push(format!("{count} entries were kept by another version of pushwatch, and can't be read"));
    }
    if report.callbacks == 0 && exit == Exit::Fine {
        notes.push(nothing(report.since, recording, since_given));
    }
    if let [(name @ "new", _)] = sets {
        notes.push(format!(
            "there are no rules in force to compare with, so the {name} ones stand alone: give --config"
        ));
    }
    report.notes = notes;
    exit
}

/// What to do where nothing was recorded.
fn nothing(since: Option<Timestamp>, recording: &Recording, since_given: bool) -> String {
    let name = recording.name();
    match (recording, since) {
        (Recording::Folder(_), Some(since)) => {
            let longer = if since_given { "a longer --since" } else { "--since 72h" };
            format!(
                "No callback in {name} was received since {}. Try {longer}; or see whether callbacks come in at \
                 all: pushwatch_callbacks_total at /metrics.",
                super::table::moment(since)
            )
        }
        _ => format!("There is no callback in {name}. `pushwatch export > FILE` prints those of a data folder."),
    }
}

#[cfg(test)]
mod tests;
