//! Which rules a hash in the journal stands for: the set in force, those before it, and texts kept for a restart.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::rules::RuleSet;

/// Compiled sets kept besides the one in force: a reload needs the one before, a start perhaps one more.
const KEPT: usize = 4;

/// Turns a kept text into rules; `None` if that is no longer possible.
type Compile = Box<dyn Fn(&str) -> Option<RuleSet> + Send + Sync>;

/// The rules by the hash of their text.
pub struct Rulebook {
    sets: Mutex<Sets>,
    compile: Compile,
    changes: watch::Sender<()>,
}

struct Sets {
    current: Arc<RuleSet>,
    /// The newest last; each hash once.
    earlier: VecDeque<Arc<RuleSet>>,
    texts: HashMap<String, String>,
}

impl Rulebook {
    /// With the set in force, the texts kept from earlier runs as (hash, text), and what makes rules of a text.
    pub fn new(
        current: Arc<RuleSet>,
        texts: impl IntoIterator<Item = (String, String)>,
        compile: impl Fn(&str) -> Option<RuleSet> + Send + Sync + 'static,
    ) -> Rulebook {
        let sets = Sets { current, earlier: VecDeque::new(), texts: texts.into_iter().collect() };
        Rulebook { sets: Mutex::new(sets), compile: Box::new(compile), changes: watch::Sender::new(()) }
    }

    /// Only this set, for ever.
    #[must_use]
    pub fn of_one(current: Arc<RuleSet>) -> Rulebook {
        Rulebook::new(current, [], |_| None)
    }

    /// The set that is in force, or will be once the core comes to it.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        Arc::clone(&self.lock().current)
    }

    /// Puts another set in the place of the one in force; it may bear the same hash.
    pub fn put(&self, rules: Arc<RuleSet>) {
        let mut sets = self.lock();
        let before = std::mem::replace(&mut sets.current, rules);
        sets.keep(before);
        drop(sets);
        self.changes.send_replace(());
    }

    /// Changes whenever another set is put in the place of the one in force.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The set of a hash. One that nobody knows any more, or whose text no longer makes rules, is taken for the one in
    /// force: judging by that is better than not judging.
    #[must_use]
    pub fn of(&self, hash: &str) -> Arc<RuleSet> {
        let mut sets = self.lock();
        if sets.current.hash == hash {
            return Arc::clone(&sets.current);
        }
        if let Some(known) = sets.earlier.iter().find(|set| set.hash == hash) {
            return Arc::clone(known);
        }
        match sets.texts.get(hash).and_then(|text| (self.compile)(text)) {
            // Under the name by which it was asked for, whatever the compiler calls it: asked again, it is the same.
            Some(rules) => {
                let rules = Arc::new(RuleSet { hash: hash.to_owned(), ..rules });
                sets.keep(Arc::clone(&rules));
                rules
            }
            None => {
                tracing::warn!(
                    hash,
                    "earlier rules can't be had any more: what came under them is judged by the present ones"
                );
                Arc::clone(&sets.current)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        // Nothing in here is left half-done by a panic.
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sets {
    fn keep(&mut self, set: Arc<RuleSet>) {
        self.earlier.retain(|known| known.hash != set.hash);
        self.earlier.push_back(set);
        if self.earlier.len() > KEPT {
            self.earlier.pop_front();
        }
    }
}

impl fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rulebook").field("current", &self.lock().current.hash).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Arc<RuleSet> {
        Arc::new(compile(text).unwrap())
    }

    fn compile(text: &str) -> Option<RuleSet> {
        crate::rules::load(text, "rules.yaml", &|_| None).ok()
    }

    fn text(name: &str) -> String {
        format!(
            "version: 1\ntencent: {{ allow_unsigned: true }}\nchannels: {{ c: {{ type: console }} }}\n\
             defaults: {{ notify: [c] }}\nrules:\n  - {{ name: {name}, on: push_error }}\n"
        )
    }

    #[test]
    fn a_hash_finds_the_set_in_force_the_one_before_and_a_text_of_an_earlier_run() {
        let (now, next, old) = (set(&text("now")), set(&text("next")), set(&text("old")));
        let book = Rulebook::new(Arc::clone(&now), [(old.hash.clone(), text("old"))], compile);
        assert!(Arc::ptr_eq(&book.of(&now.hash), &now));
        let found = book.of(&old.hash);
        assert_eq!(&*found.rules[0].name, "old");
        assert!(Arc::ptr_eq(&found, &book.of(&old.hash)), "compiled once: else the engine would begin anew each time");
        book.put(Arc::clone(&next));
        assert!(Arc::ptr_eq(&book.of(&next.hash), &next) && Arc::ptr_eq(&book.of(&now.hash), &now));
        assert!(Arc::ptr_eq(&book.current(), &next));
    }

    #[test]
    fn a_replaced_set_of_the_same_hash_is_another_one() {
        let (one, other) = (set(&text("a")), set(&text("a")));
        let book = Rulebook::of_one(Arc::clone(&one));
        let mut changes = book.changes();
        book.put(Arc::clone(&other));
        assert!(Arc::ptr_eq(&book.of(&one.hash), &other));
        assert!(changes.has_changed().unwrap() && Arc::ptr_eq(&book.current(), &other));
        changes.mark_unchanged();
        assert!(!changes.has_changed().unwrap());
    }

    #[test]
    fn what_no_longer_compiles_or_was_never_kept_is_judged_by_the_set_in_force() {
        let now = set(&text("now"));
        let book = Rulebook::new(Arc::clone(&now), [("gone".to_owned(), "version: 9".to_owned())], compile);
        assert!(Arc::ptr_eq(&book.of("gone"), &now));
        assert!(Arc::ptr_eq(&book.of("unheard of"), &now));
    }
}
