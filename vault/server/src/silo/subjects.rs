use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use lethe_crypto::tree::SlotRef;
use lethe_domain::SubjectId;

use super::compact::CompactSlot;

/// Slots of one page.
const PAGE: u64 = 512;

/// Entries of one block.
const BLOCK: usize = 16;

/// Blocks of one chunk.
const CHUNK: usize = 1024;

/// Entries of a bucket, on average: a bucket's last block is half empty, and a look at somebody reads all of its blocks.
const BUCKET: usize = 96;

/// No block.
const NONE: u32 = u32::MAX;

/// Which slot a subject has. In RAM only, rebuilt at start from the sealed base rows; it holds keyed
/// digests of the ids, not the ids (rule 6).
///
/// Buckets split one at a time as subjects come (linear hashing; Litwin 1980), and entries are never moved all together: there is no
/// pause at any size, and no size at which half of them are empty. A subject takes 16 bytes of its entry, two of the way to
/// it from its slot, and a tenth in reserve. What those leave who go is kept for who comes.
#[derive(Default)]
pub(super) struct Subjects {
    hashers: [RandomState; 2],
    buckets: Vec<Bucket>,
    blocks: Blocks,
    /// By the slot's number in pages of 512.
    pages: BTreeMap<u64, Page>,
    len: usize,
}

/// Its entries are in no order.
#[derive(Clone, Copy)]
struct Bucket {
    /// The block that is not full, unless all are.
    first: u32,
    len: u32,
}

/// Sixteen bytes: there are millions.
#[derive(Clone, Copy, Default)]
struct Entry {
    digest: Digest,
    slot: CompactSlot,
}

/// 88 bits of two independently keyed digests: a collision among 10 million ids has probability 2e-13.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Digest([u8; 11]);

impl Digest {
    /// What a page keeps of it.
    fn short(self) -> u16 {
        self.low() as u16
    }

    /// What tells its bucket.
    fn low(self) -> u64 {
        let Self([a, b, c, d, e, f, g, h, ..]) = self;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Blocks of entries, as chunks that never move once they are full.
#[derive(Default)]
struct Blocks {
    chunks: Vec<Vec<Block>>,
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Block {
    entries: [Entry; BLOCK],
    next: u32,
}

impl Blocks {
    fn get(&self, number: u32) -> &Block {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    fn get_mut(&mut self, number: u32) -> &mut Block {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// An empty one in front of another.
    fn take(&mut self, next: u32) -> u32 {
        let block = Block { entries: [Entry::default(); BLOCK], next };
        if let Some(number) = self.free.pop() {
            *self.get_mut(number) = block;
            return number;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::new());
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let last = &mut self.chunks[before / CHUNK];
        last.push(block);
        (before + last.len() - 1) as u32
    }

    fn put(&mut self, bucket: &mut Bucket, entry: Entry) {
        let within = bucket.len as usize % BLOCK;
        if within == 0 {
            bucket.first = self.take(bucket.first);
        }
        self.get_mut(bucket.first).entries[within] = entry;
        bucket.len += 1;
    }

    /// Where in a bucket an entry is: its block, and its number there. All blocks are looked at, so that it takes as long for somebody
    /// who is not there.
    fn find(&self, bucket: Bucket, wanted: impl Fn(&Entry) -> bool) -> Option<(u32, usize)> {
        let (mut number, mut rest, mut found) = (bucket.first, bucket.len as usize, None);
        while rest > 0 {
            let (block, here) = (self.get(number), (rest - 1) % BLOCK + 1);
            found = block.entries[..here].iter().position(&wanted).map(|at| (number, at)).or(found);
            (number, rest) = (block.next, rest - here);
        }
        found
    }

    /// Takes an entry out: the last one takes its place, and nothing of it is left, as whoever had the hashers could try ids on it.
    fn take_out(&mut self, bucket: &mut Bucket, (number, at): (u32, usize)) {
        bucket.len -= 1;
        let (first, within) = (bucket.first, bucket.len as usize % BLOCK);
        let last = std::mem::take(&mut self.get_mut(first).entries[within]);
        if (number, at) != (first, within) {
            self.get_mut(number).entries[at] = last;
        }
        if within == 0 {
            bucket.first = self.get(first).next;
            self.free.push(first);
        }
    }

    /// Gives all entries of a bucket, and takes it apart.
    fn drain(&mut self, bucket: Bucket) -> Vec<Entry> {
        let (mut number, mut rest) = (bucket.first, bucket.len as usize);
        let mut entries = Vec::with_capacity(rest);
        while rest > 0 {
            let (block, here) = (self.get_mut(number), (rest - 1) % BLOCK + 1);
            entries.extend(block.entries[..here].iter_mut().map(std::mem::take));
            let next = block.next;
            self.free.push(number);
            (number, rest) = (next, rest - here);
        }
        entries
    }
}

/// Slots in a row: in which bucket each one's owner is.
#[derive(Default)]
struct Page {
    /// A bit for each slot that has an owner.
    owned: [u64; PAGE as usize / 64],
    /// Of those, in their order, what the digest of the owner's id ends with.
    digests: Vec<u16>,
}

impl Page {
    /// Which of the page's digests is the slot's, or would be; and whether it is there.
    fn find(&self, slot: u64) -> (usize, bool) {
        let (word, bit) = ((slot % PAGE / 64) as usize, slot % 64);
        let before: u32 = self.owned[..word].iter().map(|word| word.count_ones()).sum();
        let below = self.owned[word] & ((1 << bit) - 1);
        ((before + below.count_ones()) as usize, self.owned[word] >> bit & 1 == 1)
    }

    fn flip(&mut self, slot: u64) {
        self.owned[(slot % PAGE / 64) as usize] ^= 1 << (slot % 64);
    }

    fn insert(&mut self, at: usize, digest: u16) {
        if self.digests.len() == self.digests.capacity() {
            // By an eighth: doubling would leave half of it unused.
            self.digests.reserve_exact(self.digests.len() / 8 + 4);
        }
        self.digests.insert(at, digest);
    }

    fn remove(&mut self, at: usize) -> u16 {
        let (gone, last) = (self.digests[at], self.digests.len() - 1);
        self.digests.copy_within(at + 1.., at);
        self.digests[last] = 0;
        self.digests.truncate(last);
        gone
    }
}

impl Subjects {
    pub(super) fn find(&self, id: &SubjectId) -> Option<SlotRef> {
        self.owner(self.short_digest(id)).map(SlotRef::from)
    }

    /// Adds a subject. `false` where the id has another slot already, as have two base rows of one applicant, or the slot has
    /// another owner.
    pub(super) fn add(&mut self, id: &SubjectId, slot: CompactSlot) -> bool {
        let digest = self.short_digest(id);
        if let Some(known) = self.owner(digest) {
            return known == slot;
        }
        let (number, within) = page_of(slot);
        let page = self.pages.entry(number).or_default();
        let (at, false) = page.find(within) else { return false };
        page.insert(at, digest.short());
        page.flip(within);
        if self.len >= BUCKET * self.buckets.len() {
            self.split();
        }
        let number = bucket_of(digest.low(), self.buckets.len());
        self.blocks.put(&mut self.buckets[number], Entry { digest, slot });
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, slot: CompactSlot) {
        let (number, within) = page_of(slot);
        let Some(page) = self.pages.get_mut(&number) else { return };
        let (at, true) = page.find(within) else { return };
        let short = page.remove(at);
        page.flip(within);
        if page.digests.is_empty() {
            self.pages.remove(&number);
        }
        for number in buckets_of(short, self.buckets.len()) {
            let bucket = &mut self.buckets[number];
            if let Some(place) = self.blocks.find(*bucket, |entry| entry.slot == slot) {
                self.blocks.take_out(bucket, place);
                self.len -= 1;
                return;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// 96 bits of two independently keyed digests.
    pub(super) fn digest(&self, id: &SubjectId) -> u128 {
        let [low, high] = &self.hashers;
        u128::from(high.hash_one(id) as u32) << 64 | u128::from(low.hash_one(id))
    }

    fn short_digest(&self, id: &SubjectId) -> Digest {
        let [a, b, c, d, e, f, g, h, i, j, k, ..] = self.digest(id).to_le_bytes();
        Digest([a, b, c, d, e, f, g, h, i, j, k])
    }

    fn owner(&self, digest: Digest) -> Option<CompactSlot> {
        let bucket = *self.buckets.get(bucket_of(digest.low(), self.buckets.len()))?;
        let (number, at) = self.blocks.find(bucket, |entry| entry.digest == digest)?;
        Some(self.blocks.get(number).entries[at].slot)
    }

    /// Makes one bucket more, of a part of one that there is.
    fn split(&mut self) {
        let count = self.buckets.len() + 1;
        self.buckets.push(Bucket { first: NONE, len: 0 });
        if count == 1 {
            return;
        }
        let from = (count - 1) - (1 << (count - 1).ilog2());
        let whole = std::mem::replace(&mut self.buckets[from], Bucket { first: NONE, len: 0 });
        for entry in self.blocks.drain(whole) {
            let number = bucket_of(entry.digest.low(), count);
            self.blocks.put(&mut self.buckets[number], entry);
        }
    }
}

/// Which of so many buckets a digest is in: they are split in their order.
fn bucket_of(low: u64, count: usize) -> usize {
    let all = (count.max(1) as u64).next_power_of_two();
    let number = low & (all - 1);
    (if number < count as u64 { number } else { number & (all / 2 - 1) }) as usize
}

/// In which of so many buckets a digest may be of which the last bits are known: in one, of more than six million subjects in two, and
/// so on.
fn buckets_of(short: u16, count: usize) -> impl Iterator<Item = usize> {
    let all = (count as u64).next_power_of_two().max(1 << u16::BITS);
    (u64::from(short)..all).step_by(1 << u16::BITS).map(move |low| bucket_of(low, count))
}

/// The page of a slot, and its number.
fn page_of(slot: CompactSlot) -> (u64, u64) {
    let SlotRef { slot, .. } = slot.into();
    (slot / PAGE, slot)
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
    fn as_many_as_split_buckets() {
        const COUNT: u64 = 300_000;
        let mut subjects = Subjects::default();
        let id = |number: u64| SubjectId::parse(&format!("p-{number}")).unwrap();
        // In no order, and with gaps, as templates have slots between.
        let slot = |number: u64| 1 + number * 2_654_435_761 % (1 << 20);
        for number in 0..COUNT {
            assert!(subjects.add(&id(number), at(slot(number))), "{number}");
        }
        assert_eq!(subjects.buckets.len(), COUNT as usize / BUCKET);
        (0..COUNT).filter(|number| number % 3 == 1).for_each(|number| subjects.remove(at(slot(number))));
        for number in 0..COUNT {
            let expected = (number % 3 != 1).then(|| SlotRef::first(slot(number)));
            assert_eq!(subjects.find(&id(number)), expected, "{number}");
        }
        assert_eq!(subjects.len() as u64, COUNT - COUNT / 3);
        (0..COUNT).for_each(|number| subjects.remove(at(slot(number))));
        assert!(subjects.len() == 0 && subjects.pages.is_empty());
        let blocks = || subjects.blocks.chunks.iter().flatten();
        assert_eq!(subjects.blocks.free.len(), blocks().count(), "none is lost");
        let left = blocks().flat_map(|block| &block.entries).filter(|entry| entry.digest != Digest::default());
        assert_eq!(left.count(), 0, "nothing is left of who was removed");
        let digests = (0..COUNT).filter(|number| subjects.find(&id(*number)).is_some());
        assert_eq!(digests.count(), 0);
    }

    proptest! {
        #[test]
        fn a_digest_is_in_one_of_the_buckets_that_its_last_bits_leave(low: u64, count in 1_usize..1 << 20) {
            let bucket = bucket_of(low, count);
            prop_assert!(bucket < count);
            prop_assert!(buckets_of(low as u16, count).any(|number| number == bucket));
        }

        #[test]
        fn a_split_moves_entries_of_one_bucket_alone(low: u64, count in 1_usize..1 << 20) {
            let from = count - (1 << count.ilog2());
            let (before, after) = (bucket_of(low, count), bucket_of(low, count + 1));
            prop_assert!(before == after || (before == from && after == count), "{} {} {}", before, after, from);
        }

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
