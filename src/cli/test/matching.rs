//! Which `expect` line is about which decision: each line takes one, and none may be left over. Pure.

use std::collections::VecDeque;

use super::play::Happened;
use crate::rules::trial::Expected;

/// What a line and a decision can disagree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    At,
    Rule,
    Is,
    Severity,
    About,
    Notify,
    Cause,
}

/// Who goes with whom.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matching {
    /// Lines without a decision, with one that comes near.
    pub(super) missing: Vec<(usize, Option<usize>)>,
    /// Decisions that no line is about, nor comes near.
    pub(super) unexpected: Vec<usize>,
}

/// In what a line differs from a decision; what the line leaves out is not compared.
pub(super) fn differences(line: &Expected, happened: &Happened) -> Vec<Point> {
    let points = [
        (Point::At, line.at.is_none_or(|at| at == happened.at)),
        (Point::Rule, line.rule.as_deref().is_none_or(|rule| *rule == *happened.rule)),
        (Point::Is, line.is.is_none_or(|is| is == happened.is)),
        (Point::Severity, line.severity.is_none_or(|severity| severity == happened.severity)),
        (Point::About, line.about.as_ref().is_none_or(|about| about.is(&happened.key))),
        (Point::Notify, line.notify.as_ref().is_none_or(|notify| *notify == happened.notify)),
        (Point::Cause, line.cause.is_none_or(|cause| happened.cause == Some(cause))),
    ];
    points.into_iter().filter(|(_, same)| !same).map(|(point, _)| point).collect()
}

/// Matches as many lines as can be, and as many decisions; news and the word that it was held back count as told about
/// as soon as one of the two is.
pub(super) fn match_up(lines: &[Expected], happened: &[Happened]) -> Matching {
    let fits: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| (0..happened.len()).filter(|at| differences(line, &happened[*at]).is_empty()).collect())
        .collect();
    let taken = assign(&fits, happened);
    let told = |at: usize| taken[at].is_some() || happened[at].twin.is_some_and(|twin| taken[twin].is_some());
    let missing: Vec<usize> = (0..lines.len()).filter(|line| !taken.contains(&Some(*line))).collect();
    let unexpected: Vec<usize> = (0..happened.len()).filter(|at| !told(*at)).collect();
    pair_near(lines, happened, missing, unexpected)
}

/// Who takes each decision. First every decision gets a line, where a pair of twins is one; then every line that is
/// left gets a decision, and a change along the way takes away nobody's partner for good.
fn assign(fits: &[Vec<usize>], happened: &[Happened]) -> Vec<Option<usize>> {
    // A pair is known by the place of its first.
    let home = |at: usize| happened[at].twin.map_or(at, |twin| twin.min(at));
    let homes: Vec<Vec<usize>> = fits.iter().map(|fits| fits.iter().map(|at| home(*at)).collect()).collect();
    let mut owners = vec![None; happened.len()];
    (0..fits.len()).for_each(|line| seat(line, &homes, &mut owners));
    let mut taken = vec![None; happened.len()];
    for (place, owner) in owners.iter().enumerate() {
        let Some(line) = *owner else { continue };
        if let Some(at) = fits[line].iter().find(|at| home(**at) == place) {
            taken[*at] = Some(line);
        }
    }
    for line in 0..fits.len() {
        if !taken.contains(&Some(line)) {
            seat(line, fits, &mut taken);
        }
    }
    taken
}

/// Finds a seat for a line, if need be by asking others to move: breadth first, each seat looked at once.
fn seat(line: usize, fits: &[Vec<usize>], owners: &mut [Option<usize>]) {
    let mut from: Vec<Option<usize>> = vec![None; owners.len()];
    let mut queue = VecDeque::from([line]);
    while let Some(asking) = queue.pop_front() {
        for seat in &fits[asking] {
            if from[*seat].is_some() {
                continue;
            }
            from[*seat] = Some(asking);
            match owners[*seat] {
                Some(owner) => queue.push_back(owner),
                None => return move_along(*seat, &from, owners),
            }
        }
    }
}

/// Everybody on the way from a line without a seat to the free one moves on by one.
fn move_along(free: usize, from: &[Option<usize>], owners: &mut [Option<usize>]) {
    let mut seat = free;
    while let Some(owner) = from[seat] {
        let left = owners.iter().position(|other| *other == Some(owner));
        owners[seat] = Some(owner);
        match left {
            Some(left) => seat = left,
            None => return,
        }
    }
}

/// Puts lines without a decision beside decisions without a line that come near: the same rule and the same turn, or
/// all the same but one thing.
fn pair_near(lines: &[Expected], happened: &[Happened], missing: Vec<usize>, unexpected: Vec<usize>) -> Matching {
    let mut near = Vec::new();
    for line in &missing {
        for at in &unexpected {
            let (expected, real) = (&lines[*line], &happened[*at]);
            let differ = differences(expected, real);
            let same = |point| !differ.contains(&point);
            let alike = same(Point::Rule) && expected.rule.is_some() && (same(Point::Is) || differ.len() == 1);
            if alike {
                let distance = expected.at.map_or(0, |at| at.0.abs_diff(real.at.0).as_millis());
                near.push((differ.len(), distance, *line, *at));
            }
        }
    }
    near.sort_unstable();
    let (mut of_line, mut used) = (vec![None; lines.len()], vec![false; happened.len()]);
    for (.., line, at) in near {
        if of_line[line].is_none() && !used[at] {
            of_line[line] = Some(at);
            used[at] = true;
        }
    }
    Matching {
        missing: missing.into_iter().map(|line| (line, of_line[line])).collect(),
        unexpected: unexpected.into_iter().filter(|at| !used[*at]).collect(),
    }
}
