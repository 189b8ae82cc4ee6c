use std::cmp::Reverse;
use std::collections::HashMap;

/// A bounded memory: what was touched lately, and what was touched before that. When the young are too many they
/// become the old, and of the old those are forgotten that nothing speaks for.
pub(super) struct Generations<T> {
    young: HashMap<u64, T>,
    old: HashMap<u64, T>,
    most: usize,
}

impl<T> Generations<T> {
    /// Remembers at most `most` in each of two generations.
    pub(super) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most }
    }

    pub(super) fn take(&mut self, key: u64) -> Option<T> {
        self.young.remove(&key).or_else(|| self.old.remove(&key))
    }

    /// Remembers. At a turnover the heaviest outlive it, up to half a generation: `weight` gives `None` for what may be
    /// forgotten. So nobody is let off by a flood of others.
    pub(super) fn put(&mut self, key: u64, value: T, weight: impl Fn(&T) -> Option<u32>) {
        if self.young.len() >= self.most {
            let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            let weighed = forgotten.into_iter().filter_map(|(key, value)| Some((weight(&value)?, key, value)));
            let mut kept: Vec<_> = weighed.collect();
            kept.sort_unstable_by_key(|(weight, ..)| Reverse(*weight));
            kept.truncate(self.most / 2);
            self.young.extend(kept.into_iter().map(|(_, key, value)| (key, value)));
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_weighs_outlives_a_flood() {
        let mut memory = Generations::new(100);
        let weight = |value: &u32| (*value > 0).then_some(*value);
        memory.put(u64::MAX, 7, weight);
        for key in 0..1_000_000 {
            memory.put(key, 0, weight);
            assert!(memory.young.len() <= 100 && memory.old.len() <= 100);
        }
        assert_eq!(memory.take(u64::MAX), Some(7));
        assert_eq!(memory.take(u64::MAX), None);
        assert_eq!(memory.take(0), None, "what weighs nothing is forgotten");
        // If everything weighs, the heaviest stay, and there is still room for what is new.
        for key in 0..1000_u32 {
            memory.put(key.into(), key + 1, weight);
            assert!(memory.young.len() <= 100 && memory.old.len() <= 100);
        }
        assert_eq!(memory.take(999), Some(1000));
    }
}
