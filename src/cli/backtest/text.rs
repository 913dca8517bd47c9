//! A backtest's result for people and for machines. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{Judged, Report, Row};
use super::side::{Counts, Tally};
use crate::cli::table::{Table, change, moment, name, number};

/// What stands where a side does not know a rule.
const UNKNOWN: &str = "–";

/// For people: who said how much, then the differences by rule and by stream.
pub(super) fn text(report: &Report, top: usize) -> String {
    let mut text = head(report);
    text.push_str(&totals(report));
    text.push('\n');
    text.push_str(&rules(report));
    text.push_str(&keys(report, top));
    for note in &report.notes {
        // Writing to a String can't fail.
        let _ = writeln!(text, "\nnote: {note}");
    }
    text
}

fn head(report: &Report) -> String {
    let mut text = format!("{} callbacks", number(report.callbacks));
    if let Some((first, last)) = report.between {
        let _ = write!(text, " from {} to {}", moment(first), moment(last));
    }
    if report.warm_up > 0 {
        let _ = write!(text, "; {} before them to warm up", number(report.warm_up));
    }
    text.push_str("\n\n");
    let widest = report.sides.iter().map(|side| side.name.len()).max().unwrap_or(0);
    for Judged { name, source, hash, tally } in &report.sides {
        let (rules, hash) = (tally.rules.len(), hash.get(..8).unwrap_or(hash));
        let s = if rules == 1 { "" } else { "s" };
        let _ = writeln!(text, "{name:<widest$}  {source} ({rules} rule{s}, {hash})");
    }
    text.push('\n');
    text
}

fn totals(report: &Report) -> String {
    let mut table = Table::default();
    table.row([String::new()].into_iter().chain(heads(report)));
    let mut row = |what: &str, figure: fn(&Tally) -> u64| {
        let figures: Vec<u64> = report.sides.iter().map(|side| figure(&side.tally)).collect();
        table.row([what.to_owned()].into_iter().chain(cells(&figures)));
    };
    row("incidents", |tally| tally.total.incidents);
    row("came back", |tally| tally.total.reopened);
    row("messages", |tally| tally.total.messages);
    row("edits", |tally| tally.edits);
    row("still firing at the end", |tally| tally.firing);
    table.text()
}

/// The columns of one figure.
fn heads(report: &Report) -> impl Iterator<Item = String> {
    let is_two = report.sides.len() > 1;
    let names: Vec<String> = report.sides.iter().map(|side| side.name.to_owned()).collect();
    names.into_iter().chain(is_two.then(|| "change".to_owned()))
}

fn cells(figures: &[u64]) -> Vec<String> {
    let mut cells: Vec<String> = figures.iter().map(|figure| number(*figure)).collect();
    if let [one, other] = figures {
        cells.push(change(*one, *other));
    }
    cells
}

fn rules(report: &Report) -> String {
    let (silent, told): (Vec<Row>, Vec<Row>) =
        report.rules().into_iter().partition(|row| row.is_nothing() && row.is_same());
    let (same, apart): (Vec<Row>, Vec<Row>) = told.into_iter().partition(Row::is_same);
    let mut text = String::new();
    let is_two = report.sides.len() > 1;
    if !(same.is_empty() && apart.is_empty()) {
        let mut table = table("Rules", report);
        for row in apart {
            table.row(line(&row));
        }
        if is_two && !same.is_empty() {
            table.row(["the same on both sides:".to_owned()]);
        }
        for row in same {
            table.row(line(&row));
        }
        text.push_str(&table.text());
    }
    if !silent.is_empty() {
        let names: Vec<String> = silent.iter().map(|row| name(&row.name)).collect();
        let _ = writeln!(text, "nothing said: {}", names.join(", "));
    }
    text
}

fn keys(report: &Report, top: usize) -> String {
    let is_two = report.sides.len() > 1;
    let keys = report.keys();
    let wanted: Vec<&Row> = keys.iter().filter(|row| !is_two || row.difference() > 0).collect();
    if wanted.is_empty() {
        return match is_two && !keys.is_empty() {
            true => format!("\nThe same of each of the {} streams.\n", number(keys.len() as u64)),
            false => String::new(),
        };
    }
    let shown = wanted.len().min(top);
    let which = match is_two {
        true => format!("Streams ({} of {} that differ)", number(shown as u64), number(wanted.len() as u64)),
        false => format!("Streams ({} of {})", number(shown as u64), number(wanted.len() as u64)),
    };
    let mut table = table(&which, report);
    for row in wanted.into_iter().take(top) {
        table.row(line(row));
    }
    format!("\n{}", table.text())
}

/// A table with the heads for incidents and messages.
fn table(title: &str, report: &Report) -> Table {
    let mut table = Table::default();
    let columns = heads(report).count();
    if columns == 1 {
        table.row([title, "incidents", "messages"].map(str::to_owned));
        return table;
    }
    // Over the last column of its figure.
    let over = |what: &str| {
        (0..columns).map(|at| if at + 1 == columns { what.to_owned() } else { String::new() }).collect::<Vec<_>>()
    };
    table.row([String::new()].into_iter().chain(over("incidents")).chain(over("messages")));
    table.row([title.to_owned()].into_iter().chain(heads(report)).chain(heads(report)));
    table
}

fn line(row: &Row) -> Vec<String> {
    let figures: [fn(&Counts) -> u64; 2] = [|counts| counts.incidents, |counts| counts.messages];
    let mut cells = vec![name(&row.name)];
    for figure in figures {
        let shown = |side: &Option<Counts>| side.as_ref().map_or_else(|| UNKNOWN.to_owned(), |c| number(figure(c)));
        cells.extend(row.sides.iter().map(shown));
        if let [one, other] = row.sides.as_slice() {
            let of = |side: &Option<Counts>| side.as_ref().map_or(0, figure);
            cells.push(change(of(one), of(other)));
        }
    }
    cells
}

/// For machines: everything, times in ms.
pub(super) fn json(report: &Report) -> Value {
    json!({
        "callbacks": report.callbacks,
        "warm_up": report.warm_up,
        "since": report.since,
        "first": report.between.map(|(first, _)| first),
        "last": report.between.map(|(_, last)| last),
        "sides": report.sides.iter().map(side).collect::<Vec<_>>(),
        "rules": report.rules().iter().map(|row| compared("rule", row, report)).collect::<Vec<_>>(),
        "streams": report.keys().iter().map(|row| compared("stream", row, report)).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn side(side: &Judged) -> Value {
    let mut value = counts(side.tally.total);
    value["name"] = json!(key(side.name));
    value["source"] = json!(side.source);
    value["hash"] = json!(side.hash);
    value["rules"] = json!(side.tally.rules.len());
    value["edits"] = json!(side.tally.edits);
    value["firing"] = json!(side.tally.firing);
    value
}

fn compared(what: &str, row: &Row, report: &Report) -> Value {
    let mut value = json!({ what: row.name, "same": row.is_same() });
    for (side, said) in report.sides.iter().zip(&row.sides) {
        value[key(side.name)] = said.map_or(Value::Null, counts);
    }
    value
}

fn counts(counts: Counts) -> Value {
    json!({ "incidents": counts.incidents, "reopened": counts.reopened, "messages": counts.messages })
}

fn key(name: &str) -> String {
    name.replace(' ', "_")
}
