//! A map of large things, each in a place of its own: a table of them has room for twice as many, and while it grows
//! is there twice. Pure.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// The map.
#[derive(Clone, Debug)]
pub(super) struct Boxes<K, V> {
    map: HashMap<K, Box<V>, foldhash::fast::FixedState>,
}

impl<K, V> Default for Boxes<K, V> {
    fn default() -> Boxes<K, V> {
        Boxes { map: HashMap::default() }
    }
}

impl<K: Eq + Hash, V> Boxes<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|value| &**value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key).map(|value| &mut **value)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    /// A key as it is in here.
    pub(super) fn key(&self, key: &K) -> Option<&K> {
        self.map.get_key_value(key).map(|(known, _)| known)
    }

    pub(super) fn entry(&mut self, key: K) -> Entry<'_, K, Box<V>> {
        self.map.entry(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.map.insert(key, Box::new(value));
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.map.remove(key).map(|value| *value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values().map(|value| &**value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut().map(|value| &mut **value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.map.iter_mut().map(|(key, value)| (key, &mut **value))
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}
