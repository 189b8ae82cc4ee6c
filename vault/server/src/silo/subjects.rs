use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use lethe_crypto::tree::SlotRef;
use lethe_domain::SubjectId;

use super::compact::CompactSlot;

/// Slots of one page.
const PAGE: u64 = 512;

/// Which slot a subject has. In RAM only, rebuilt at start from the sealed base rows; it holds keyed
/// digests of the ids, not the ids (rule 6).
///
/// Nothing of it is ever moved as a whole: there is no pause at any size. Of a million and more, a subject takes some 19 bytes:
/// 15 of its entry, two of the way to it from its slot, and a sixteenth in reserve; of few, each has a bucket of its own, and
/// takes up to 100.
#[derive(Default)]
pub(super) struct Subjects {
    hashers: [RandomState; 2],
    /// By the first 16 bits of the digest. An entry has the rest; a bucket is in the order of these.
    buckets: BTreeMap<u16, Vec<Entry>>,
    /// By the slot's number in pages of 512.
    pages: BTreeMap<u64, Page>,
    len: usize,
}

/// Fifteen bytes: there are millions.
#[derive(Clone, Copy, Default)]
struct Entry {
    rest: [u8; 10],
    slot: CompactSlot,
}

/// Slots in a row: in which bucket each one's owner is.
#[derive(Default)]
struct Page {
    /// A bit for each slot that has an owner.
    owned: [u64; PAGE as usize / 64],
    /// Of those, in their order.
    buckets: Vec<u16>,
}

impl Page {
    /// Where the slot's bucket is among the page's, and whether it is there.
    fn find(&self, slot: u64) -> (usize, bool) {
        let (word, bit) = ((slot % PAGE / 64) as usize, slot % 64);
        let before: u32 = self.owned[..word].iter().map(|word| word.count_ones()).sum();
        let below = self.owned[word] & ((1 << bit) - 1);
        ((before + below.count_ones()) as usize, self.owned[word] >> bit & 1 == 1)
    }

    fn flip(&mut self, slot: u64) {
        self.owned[(slot % PAGE / 64) as usize] ^= 1 << (slot % 64);
    }
}

impl Subjects {
    pub(super) fn find(&self, id: &SubjectId) -> Option<SlotRef> {
        self.owner(self.digest(id)).map(SlotRef::from)
    }

    /// Adds a subject. `false` where the id has another slot already, as have two base rows of one applicant, or the slot has
    /// another owner.
    pub(super) fn add(&mut self, id: &SubjectId, slot: CompactSlot) -> bool {
        let digest = self.digest(id);
        if let Some(known) = self.owner(digest) {
            return known == slot;
        }
        let (number, within) = page_of(slot);
        let page = self.pages.entry(number).or_default();
        let (in_page, false) = page.find(within) else { return false };
        let (in_bucket, rest) = parts(digest);
        let bucket = self.buckets.entry(in_bucket).or_default();
        insert(bucket, bucket.partition_point(|entry| entry.rest < rest), Entry { rest, slot });
        insert(&mut page.buckets, in_page, in_bucket);
        page.flip(within);
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, slot: CompactSlot) {
        let (number, within) = page_of(slot);
        let Some(page) = self.pages.get_mut(&number) else { return };
        let (in_page, true) = page.find(within) else { return };
        let in_bucket = remove(&mut page.buckets, in_page);
        page.flip(within);
        if page.buckets.is_empty() {
            self.pages.remove(&number);
        }
        if let Some(bucket) = self.buckets.get_mut(&in_bucket) {
            if let Some(at) = bucket.iter().position(|entry| entry.slot == slot) {
                remove(bucket, at);
            }
            if bucket.is_empty() {
                self.buckets.remove(&in_bucket);
            }
        }
        self.len -= 1;
    }

    fn owner(&self, digest: u128) -> Option<CompactSlot> {
        let (bucket, rest) = parts(digest);
        let bucket = self.buckets.get(&bucket)?;
        bucket.binary_search_by_key(&rest, |entry| entry.rest).ok().map(|at| bucket[at].slot)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// 96 bits of two independently keyed digests: a collision among 10 million ids has probability 1e-15.
    pub(super) fn digest(&self, id: &SubjectId) -> u128 {
        let [low, high] = &self.hashers;
        u128::from(high.hash_one(id) as u32) << 64 | u128::from(low.hash_one(id))
    }
}

/// The bucket of a digest of 96 bits, and what is left of it.
fn parts(digest: u128) -> (u16, [u8; 10]) {
    let [_, _, _, _, a, b, rest @ ..] = digest.to_be_bytes();
    (u16::from_be_bytes([a, b]), rest)
}

/// The page of a slot, and its number.
fn page_of(slot: CompactSlot) -> (u64, u64) {
    let SlotRef { slot, .. } = slot.into();
    (slot / PAGE, slot)
}

/// Inserts with little in reserve: doubling would leave half of it unused.
fn insert<T>(into: &mut Vec<T>, at: usize, value: T) {
    if into.len() == into.capacity() {
        into.reserve_exact(into.len() / 8 + 1);
    }
    into.insert(at, value);
}

/// Removes, and leaves nothing of it in what the vector keeps: whoever had the hashers could try ids on it.
fn remove<T: Copy + Default>(from: &mut Vec<T>, at: usize) -> T {
    let gone = from[at];
    let last = from.len() - 1;
    from.copy_within(at + 1.., at);
    from[last] = T::default();
    from.truncate(last);
    gone
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(number: u64) -> CompactSlot {
        CompactSlot::try_from(SlotRef::first(number)).unwrap()
    }

    #[test]
    fn an_id_has_one_slot_and_goes_with_it() {
        let mut subjects = Subjects::default();
        let (ann, bob) = (SubjectId::parse("ann").unwrap(), SubjectId::parse("bob").unwrap());
        assert!(subjects.add(&ann, at(1)));
        assert!(subjects.add(&ann, at(1)), "the same row again");
        assert!(!subjects.add(&ann, at(2)));
        assert!(!subjects.add(&bob, at(1)), "another's");
        assert!(subjects.add(&bob, at(3)));
        subjects.remove(at(1));
        assert_eq!(subjects.find(&ann), None);
        assert_eq!(subjects.find(&bob), Some(SlotRef::first(3)));
        assert_eq!(subjects.len(), 1);
    }

    #[test]
    fn as_many_as_share_their_buckets() {
        const COUNT: u64 = 300_000;
        let mut subjects = Subjects::default();
        let id = |number: u64| SubjectId::parse(&format!("p-{number}")).unwrap();
        // In no order, and with gaps, as templates have slots between.
        let slot = |number: u64| 1 + number * 2_654_435_761 % (1 << 20);
        for number in 0..COUNT {
            assert!(subjects.add(&id(number), at(slot(number))), "{number}");
        }
        let shared = subjects.buckets.values().filter(|bucket| bucket.len() > 2).count();
        assert!(shared > 30_000, "{shared}");
        (0..COUNT).filter(|number| number % 3 == 1).for_each(|number| subjects.remove(at(slot(number))));
        for number in 0..COUNT {
            let expected = (number % 3 != 1).then(|| SlotRef::first(slot(number)));
            assert_eq!(subjects.find(&id(number)), expected, "{number}");
        }
        assert_eq!(subjects.len() as u64, COUNT - COUNT / 3);
        (0..COUNT).for_each(|number| subjects.remove(at(slot(number))));
        assert!(subjects.len() == 0 && subjects.buckets.is_empty() && subjects.pages.is_empty());
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
                    prop_assert_eq!(subjects.add(&id(person), at(slot)), expected);
                } else if !add {
                    subjects.remove(at(slot));
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
