use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use lethe_crypto::tree::SlotRef;
use lethe_domain::SubjectId;

/// Which slot a subject has. In RAM only, rebuilt at start from the sealed base rows; it holds keyed
/// digests of the ids, not the ids (rule 6).
///
/// A subject takes 24 bytes, an eighth of that in reserve at most, and 6 to 12 bytes in each of the two tables.
#[derive(Default)]
pub(super) struct Subjects {
    hashers: [RandomState; 2],
    /// In no order: the last one takes the place of one that goes.
    entries: Vec<Entry>,
    /// Places among the entries, by digest and by slot.
    by_id: HashTable<u32>,
    by_slot: HashTable<u32>,
}

/// Without the padding that a digest and a slot would have: there are millions.
#[derive(Clone, Copy, Default)]
#[repr(C, packed(4))]
struct Entry {
    low: u64,
    high: u32,
    slot: SlotRef,
}

impl Entry {
    fn new(digest: u128, slot: SlotRef) -> Self {
        Self { low: digest as u64, high: (digest >> 64) as u32, slot }
    }

    fn digest(&self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }
}

impl Subjects {
    pub(super) fn find(&self, id: &SubjectId) -> Option<SlotRef> {
        self.place_of(self.digest(id)).map(|place| self.entries[place].slot)
    }

    /// Adds a subject. `false` where the id has another slot already, as have two base rows of one applicant; or where there
    /// are 2³² subjects.
    pub(super) fn add(&mut self, id: &SubjectId, slot: SlotRef) -> bool {
        let digest = self.digest(id);
        if let Some(place) = self.place_of(digest) {
            return self.entries[place].slot == slot;
        }
        let Ok(place) = u32::try_from(self.entries.len()) else { return false };
        if self.entries.len() == self.entries.capacity() {
            // By an eighth: doubling would leave half of it unused.
            self.entries.reserve_exact(self.entries.len() / 8 + 64);
        }
        self.entries.push(Entry::new(digest, slot));
        let Self { hashers, entries, by_id, by_slot } = self;
        by_id.insert_unique(short(digest), place, |&at| short(entries[at as usize].digest()));
        by_slot.insert_unique(hashers[0].hash_one(slot), place, |&at| hashers[0].hash_one(entries[at as usize].slot));
        true
    }

    pub(super) fn remove(&mut self, slot: SlotRef) {
        let Self { hashers, entries, by_id, by_slot } = self;
        let hash = |slot: SlotRef| hashers[0].hash_one(slot);
        let Ok(found) = by_slot.find_entry(hash(slot), |&at| entries[at as usize].slot == slot) else { return };
        let (place, _) = found.remove();
        if let Ok(found) = by_id.find_entry(short(entries[place as usize].digest()), |&at| at == place) {
            found.remove();
        }
        // Not left behind in what the vector keeps: whoever had the hashers could try ids on it.
        let last = entries.len() - 1;
        entries.swap(place as usize, last);
        entries[last] = Entry::default();
        entries.truncate(last);
        let last = last as u32;
        if let Some(moved) = entries.get(place as usize) {
            for at in [
                by_id.find_mut(short(moved.digest()), |&at| at == last),
                by_slot.find_mut(hash(moved.slot), |&at| at == last),
            ] {
                at.into_iter().for_each(|at| *at = place);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// 96 bits of two independently keyed digests: a collision among 10 million ids has probability 1e-15.
    pub(super) fn digest(&self, id: &SubjectId) -> u128 {
        let [low, high] = &self.hashers;
        u128::from(high.hash_one(id) as u32) << 64 | u128::from(low.hash_one(id))
    }

    fn place_of(&self, digest: u128) -> Option<usize> {
        let found = self.by_id.find(short(digest), |&at| self.entries[at as usize].digest() == digest);
        found.map(|&at| at as usize)
    }
}

/// A digest is a hash: half of it will do.
fn short(digest: u128) -> u64 {
    digest as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_one_slot_and_goes_with_it() {
        let mut subjects = Subjects::default();
        let (ann, bob) = (SubjectId::parse("ann").unwrap(), SubjectId::parse("bob").unwrap());
        assert!(subjects.add(&ann, SlotRef::first(1)));
        assert!(subjects.add(&ann, SlotRef::first(1)), "the same row again");
        assert!(!subjects.add(&ann, SlotRef::first(2)));
        assert!(subjects.add(&bob, SlotRef::first(3)));
        subjects.remove(SlotRef::first(1));
        assert_eq!(subjects.find(&ann), None);
        assert_eq!(subjects.find(&bob), Some(SlotRef::first(3)));
        assert_eq!(subjects.len(), 1);
    }

    proptest! {
        #[test]
        fn subjects_are_a_map(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..40), 1..400)) {
            let mut subjects = Subjects::default();
            let mut map: BTreeMap<u64, u64> = BTreeMap::new();
            let id = |number: u64| SubjectId::parse(&format!("p-{number}")).unwrap();
            for (add, person, slot) in steps {
                // A slot has one owner, as in a tree.
                let owned = map.iter().find(|(_, at)| **at == slot).map(|(person, _)| *person);
                if add && owned.is_none_or(|owner| owner == person) {
                    let expected = *map.entry(person).or_insert(slot) == slot;
                    prop_assert_eq!(subjects.add(&id(person), SlotRef::first(slot)), expected);
                } else if !add {
                    subjects.remove(SlotRef::first(slot));
                    map.retain(|_, at| *at != slot);
                }
                prop_assert_eq!(subjects.len(), map.len());
                for person in 0..40 {
                    prop_assert_eq!(subjects.find(&id(person)), map.get(&person).copied().map(SlotRef::first));
                }
            }
        }
    }
}
