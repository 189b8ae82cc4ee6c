use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use lethe_crypto::tree::SlotRef;
use lethe_domain::SubjectId;

/// Which slot a subject has. In RAM only, rebuilt at start from the sealed base rows; it holds keyed
/// digests of the ids, not the ids (rule 6).
#[derive(Default)]
pub(super) struct Subjects {
    hashers: [RandomState; 2],
    by_id: HashMap<u128, SlotRef>,
    by_slot: HashMap<SlotRef, u128>,
}

impl Subjects {
    pub(super) fn find(&self, id: &SubjectId) -> Option<SlotRef> {
        self.by_id.get(&self.digest(id)).copied()
    }

    /// Adds a subject. `false` where the id has another slot already: two base rows of one applicant.
    pub(super) fn add(&mut self, id: &SubjectId, slot: SlotRef) -> bool {
        let digest = self.digest(id);
        if self.by_id.get(&digest).is_some_and(|known| *known != slot) {
            return false;
        }
        self.by_id.insert(digest, slot);
        self.by_slot.insert(slot, digest);
        true
    }

    pub(super) fn remove(&mut self, slot: SlotRef) {
        if let Some(digest) = self.by_slot.remove(&slot) {
            self.by_id.remove(&digest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Two independently keyed 64-bit digests: a collision among 10 million ids has probability 1e-25.
    pub(super) fn digest(&self, id: &SubjectId) -> u128 {
        let [low, high] = &self.hashers;
        u128::from(high.hash_one(id)) << 64 | u128::from(low.hash_one(id))
    }
}

#[cfg(test)]
mod tests {
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
}
