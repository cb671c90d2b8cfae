//! A table of so many entries: the one that was not asked for longest makes room.

use std::collections::{BTreeMap, HashMap};

/// By the hash of whatever it is of, so that an entry is of one size whatever a caller writes.
#[derive(Debug)]
pub(super) struct Recent<V> {
    size: usize,
    /// Counts what was asked for.
    asked: u64,
    entries: HashMap<u64, Entry<V>>,
    /// By when they were asked for last.
    order: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Entry<V> {
    asked: u64,
    value: V,
}

impl<V> Recent<V> {
    /// Without entries, and never with more than so many.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            asked: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// The entry of this key, if there is one.
    pub(super) fn find(&mut self, key: u64) -> Option<&mut V> {
        let entry = self.entries.get_mut(&key)?;
        self.order.remove(&entry.asked);
        self.asked += 1;
        self.order.insert(self.asked, key);
        entry.asked = self.asked;
        Some(&mut entry.value)
    }

    /// The entry of this key, made if there is none.
    pub(super) fn find_or(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) {
            if self.entries.len() >= self.size
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.entries.remove(&oldest);
            }
            self.asked += 1;
            let (asked, value) = (self.asked, make());
            self.order.insert(asked, key);
            self.entries.insert(key, Entry { asked, value });
        }
        self.find(key).expect("it is there")
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, key: u64) {
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&entry.asked);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_not_asked_for_longest_makes_room() {
        let mut table = Recent::new(3);
        for key in 1..=3 {
            *table.find_or(key, || 0) += 1;
        }
        assert_eq!(table.find(1), Some(&mut 1));
        *table.find_or(4, || 0) += 1;
        assert_eq!(table.find(2), None);
        assert_eq!(table.len(), 3);
        assert_eq!(*table.find_or(1, || 0), 1, "it was kept");
        table.remove(3);
        table.remove(3);
        assert_eq!(table.find(3), None);
        assert_eq!(table.len(), 2);
        for key in 10..1000 {
            table.find_or(key, || 0);
            assert!(table.len() <= 3);
        }
    }
}
