//! A cache of bounded size, whose values are fresh for a limited time.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::TimeDelta;
use sharelink_domain::Timestamp;

/// Caches values for `max_age`. If their total weight would exceed `capacity`, drops the oldest values.
#[derive(Debug)]
pub(crate) struct RecentCache<K, V> {
    max_age: TimeDelta,
    capacity: usize,
    entries: HashMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    inserted_at: Timestamp,
}

impl<K: Clone + Eq + Hash, V: Clone> RecentCache<K, V> {
    pub(crate) fn new(max_age: TimeDelta, capacity: usize) -> Self {
        Self { max_age, capacity, entries: HashMap::new() }
    }

    /// Returns a fresh value.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entry = self.entries.get(key)?;
        self.is_fresh(entry, now).then(|| entry.value.clone())
    }

    /// Inserts a value. A value heavier than the whole cache is not cached.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize, now: Timestamp) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|_, entry| self.is_fresh(entry, now));
        entries.insert(key, Entry { value, weight, inserted_at: now });
        while entries.values().map(|entry| entry.weight).sum::<usize>() > self.capacity {
            let oldest =
                entries.iter().min_by_key(|(_, entry)| entry.inserted_at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            entries.remove(&oldest);
        }
        self.entries = entries;
    }

    /// Compares the absolute age: a value inserted before the clock was set back must not stay fresh until the
    /// clock catches up.
    fn is_fresh(&self, entry: &Entry<V>, now: Timestamp) -> bool {
        (now - entry.inserted_at).abs() < self.max_age
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        time(NOW) + TimeDelta::seconds(seconds)
    }

    fn cache(capacity: usize) -> RecentCache<&'static str, u8> {
        RecentCache::new(TimeDelta::minutes(1), capacity)
    }

    #[test]
    fn value_is_fresh_until_its_maximum_age() {
        let mut cache = cache(10);
        cache.insert("a", 1, 1, at(0));
        assert_eq!(cache.get(&"a", at(59)), Some(1));
        assert_eq!(cache.get(&"a", at(60)), None);
        assert_eq!(cache.get(&"a", at(-60)), None, "the clock was set back");
        assert_eq!(cache.get(&"b", at(0)), None);
    }

    #[test]
    fn oldest_values_make_room_for_a_new_one() {
        let mut cache = cache(10);
        for (seconds, key) in [(0, "a"), (1, "b"), (2, "c")] {
            cache.insert(key, 1, 3, at(seconds));
        }
        cache.insert("d", 1, 4, at(3));
        let is_cached = ["a", "b", "c", "d"].map(|key| cache.get(&key, at(3)).is_some());
        assert_eq!(is_cached, [false, true, true, true]);
    }

    #[test]
    fn expired_values_do_not_take_up_capacity() {
        let mut cache = cache(2);
        cache.insert("a", 1, 1, at(0));
        cache.insert("b", 1, 1, at(60));
        cache.insert("c", 1, 1, at(61));
        assert_eq!((cache.get(&"b", at(61)), cache.get(&"c", at(61))), (Some(1), Some(1)));
        assert_eq!(cache.entries.len(), 2);
    }

    #[test]
    fn value_over_the_capacity_is_not_cached() {
        let mut cache = cache(2);
        cache.insert("a", 1, 3, at(0));
        assert_eq!(cache.get(&"a", at(0)), None);
    }
}
