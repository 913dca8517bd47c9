//! What is written, and what a load makes of it.

use super::*;
use crate::model::{EngineChanges, EngineState};

/// The records of one commit, as the disk gives them back.
fn read_back(changes: EngineChanges) -> EngineState {
    fn copy<T: serde::Serialize + serde::de::DeserializeOwned>(thing: &T) -> T {
        serde_json::from_str(&serde_json::to_string(thing).unwrap()).unwrap()
    }
    let keyed = changes.keyed.into_iter().filter_map(|keyed| Some((keyed.kind.to_owned(), keyed.key, keyed.value?)));
    let (incidents, groups) = (copy(&changes.incidents), copy(&changes.groups));
    EngineState { incidents, groups, keyed: keyed.collect() }
}

/// Takes in an input, and has what changed read back.
fn step(engine: &mut Engine, received: f64, input: Input) -> EngineState {
    let seq = Seq(engine.cursor().seq.0 + 1);
    engine.step(&Entry { seq, received_at: at(received), input });
    read_back(engine.take_changes())
}

fn gap(from: f64, to: f64) -> Input {
    Input::Resumed { from: at(from), to: at(to) }
}

/// Puts later records in the place of earlier ones.
fn overwrite(state: &mut EngineState, later: EngineState) {
    let has = |keyed: &[(String, String, String)], (kind, key, _): &(String, String, String)| {
        keyed.iter().any(|known| (&known.0, &known.1) == (kind, key))
    };
    state.incidents.retain(|old| !later.incidents.iter().any(|new| new.id == old.id));
    state.groups.retain(|old| !later.groups.iter().any(|new| new.id == old.id));
    state.keyed.retain(|old| !has(&later.keyed, old));
    state.incidents.extend(later.incidents);
    state.groups.extend(later.groups);
    state.keyed.extend(later.keyed);
}

fn gop() -> (Engine, EngineState) {
    let mut engine = Bench::rules(vec![rule("gop", &[16])]).engine;
    let state = step(&mut engine, 0.0, Input::Callback(Box::new(error("s", 0.0, &[(16, 1)]))));
    (engine, state)
}

fn loaded(state: EngineState, cursor: Cursor) -> Engine {
    let mut engine = Bench::rules(vec![rule("gop", &[16])]).engine;
    engine.load(state, cursor).unwrap();
    engine.loaded();
    engine
}

#[test]
fn a_name_is_in_memory_once_also_after_loading() {
    let (first, state) = gop();
    let engine = loaded(state, first.cursor());
    let incident = engine.incidents.values().next().unwrap();
    let group = &engine.groups.values().next().unwrap().group;
    let cell = engine.cells.key(&incident.key).unwrap();
    let text = |key: &Key| key.stream().unwrap().full().as_ptr();
    assert!(text(&incident.key) == text(cell) && text(&group.key) == text(cell));
    let known = engine.known(cell.stream().unwrap()).unwrap();
    assert!(known.full().as_ptr() == text(cell), "others can share it");
    let rule = &engine.rules.rules[0];
    assert!(Arc::ptr_eq(&incident.rule, &rule.name) && Arc::ptr_eq(&incident.labels, &rule.labels));
    let (name, _) = engine.rules.channels.get_key_value(&incident.notify[0]).unwrap();
    assert!(Arc::ptr_eq(&incident.notify[0].0, &name.0) && Arc::ptr_eq(&group.told[0].channel.0, &name.0));
}

#[test]
fn a_gap_writes_no_incident_anew_and_a_restart_knows_of_it_all_the_same() {
    let (mut engine, mut state) = gop();
    for (from, to) in [(10.0, 500.0), (550.0, 700.0)] {
        let changes = step(&mut engine, to, gap(from, to));
        assert!(changes.incidents.is_empty() && changes.groups.is_empty());
        overwrite(&mut state, changes);
    }
    let again = loaded(state, engine.cursor());
    // 90 s, and 490 and 150 of which nobody listened.
    for mut engine in [engine, again] {
        engine.take_effects();
        engine.advance(at(729.0));
        assert!(engine.take_effects().is_empty());
        engine.advance(at(731.0));
        let over: Vec<_> = engine.take_effects().into_iter().map(|effect| (effect.at, effect.is)).collect();
        assert_eq!(over, [(at(730.0), Resolved(Cause::Quiet))]);
    }
}

#[test]
fn what_was_not_written_yet_is_added_before_the_gap_that_followed_it() {
    let (mut engine, mut state) = gop();
    let report = |time: f64| Input::Callback(Box::new(error("s", time, &[(16, 1)])));
    // Prolonged, and not written: that waits for half a minute.
    let second = Entry { seq: Seq(2), received_at: at(5.0), input: report(5.0) };
    engine.step(&second);
    let third = Entry { seq: Seq(3), received_at: at(22.0), input: gap(12.0, 22.0) };
    engine.step(&third);
    let changes = read_back(engine.take_changes());
    assert!(changes.incidents.is_empty());
    overwrite(&mut state, changes);
    let mut again = loaded(state, engine.cursor());
    again.warm(&second);
    again.warm(&third);
    for mut engine in [engine, again] {
        engine.advance(at(30.0));
        let incident = engine.incidents.values().next().unwrap();
        assert_eq!((incident.reports, incident.deadline), (2, Some(at(5.0 + 90.0 + 10.0))));
    }
}

#[test]
fn with_too_many_gaps_all_is_written_anew_once() {
    let (mut engine, mut state) = gop();
    let mut rewritten = 0;
    for n in 1..=40 {
        let to = f64::from(n) * 100.0;
        let changes = step(&mut engine, to, gap(to - 99.0, to));
        rewritten += changes.incidents.len();
        overwrite(&mut state, changes);
        let mut again = loaded(state.clone(), engine.cursor());
        again.advance(engine.cursor().at);
        let deadline = |engine: &Engine| engine.incidents.values().next().unwrap().deadline;
        assert_eq!(deadline(&again), deadline(&engine), "after {n} gaps");
    }
    assert_eq!(rewritten, 1);
}
