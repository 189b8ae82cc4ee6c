//! What the crate's calls leave behind in memory: scanned, not believed.
//!
//! The keys below are fixed, so that the test knows them without deriving them. They stand here as text,
//! and are compared masked, so that the test itself never holds what it looks for.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::random::dangerous::Counting;
use crate::record::{self, RecordContext, RecordKeys, RecordKind};
use crate::secret::{AuditKey, TransformSeed, VaultKey};
use crate::transform::KeyedTransform;
use crate::tree::{PageCache, SlotRef, TreeId, View};

const MASK: u8 = 0x5a;

/// Text of 32 bytes, or 16 of them at least, to be found in memory.
struct Needle {
    name: &'static str,
    masked: Vec<u8>,
}

impl Needle {
    fn new(name: &'static str, text: &str) -> Self {
        let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
        let masked =
            text.as_bytes().chunks_exact(2).map(|pair| (digit(pair[0]) << 4 | digit(pair[1])) ^ MASK).collect();
        Self { name, masked }
    }

    /// Is it at the start of `memory`, as it is or with every byte flipped by `pad`?
    fn is_at(&self, memory: &[u8], pad: u8) -> bool {
        memory.iter().zip(&self.masked).all(|(byte, masked)| byte ^ MASK ^ pad == *masked)
    }

    /// In how many places of the process's writable memory is it, in clear or as an HMAC key block?
    fn count(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let mut chunk = vec![0; 1 << 20];
        let mut found = 0;
        for range in writable() {
            let mut at = range.start;
            while at < range.end {
                let length = usize::try_from(range.end - at).unwrap().min(chunk.len());
                let Ok(read) = memory.read_at(&mut chunk[..length], at) else { break };
                for start in 0..read.saturating_sub(self.masked.len() - 1) {
                    let window = &chunk[start..start + self.masked.len()];
                    found += [0, 0x36, 0x5c].into_iter().filter(|pad| self.is_at(window, *pad)).count();
                }
                // Overlapping, so that nothing is missed between two chunks.
                at += (read as u64).max(64) - if read == chunk.len() { 63 } else { 0 };
            }
        }
        found
    }
}

fn writable() -> Vec<std::ops::Range<u64>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let parse = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        rest.starts_with("rw").then_some(range)
    };
    maps.lines().filter_map(parse).collect()
}

const VAULT: &str = "9b1c6c0f5d2e4a7788f1a3b5c7d9e0f20a1b2c3d4e5f60718293a4b5c6d7e8f9";
const ROOT: &str = "17809cc820fab8cfbc689f226ffb3e45c81e3b09c684edd1feb3a3a0999a7128";
const SUBJECT: &str = "19e55bee9002faa584efc9729672e89cdcd8e5d8e1b654c9f168c30e79f82a0d";
const AUDIT: &str = "2ff9332b8521404a30c08ee400fddc622e2e29d620f043c31cedd1bdd0a1f077";
const SEED: &str = "7b1759df572bc4e67b2bbeb757027cb79bd44f2ac8ae4e9925311bd737ee11eb";
const RECORD: &str = "daeacccc9b25fa8af798ca4437fa9a22768c359db84a9eebbf87f37170c5abc9";
const PLAINTEXT: &str = "8c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f5061728394a5b6c7d8e9fa0b";

fn vault_key() -> VaultKey {
    let needle = Needle::new("", VAULT);
    VaultKey::fill_with(|key| {
        key.iter_mut().zip(&needle.masked).for_each(|(byte, masked)| *byte = masked ^ MASK);
        Ok::<_, crate::Error>(())
    })
    .unwrap()
}

/// Everything a lookup, a seal, an open and a rotation touch; returns the sealed record.
#[inline(never)]
fn work() {
    let disk = crate::tree::tests::Disk::default();
    let view = View::new(&vault_key(), 0, Arc::new(PageCache::new(16)));
    let tree = TreeId::tenant(SlotRef::first(1)).unwrap();
    let subject = view.slot_key(&disk, tree, 5).unwrap().key;
    let audit = AuditKey::derive(&subject);
    let seed = TransformSeed::derive(&view.slot_key(&disk, tree, 0).unwrap().key, 0);
    KeyedTransform::new(&seed, 64).unwrap().rotate(&[0.5; 64]).unwrap();

    let plaintext = zeroize::Zeroizing::new(
        Needle::new("", PLAINTEXT).masked.iter().map(|masked| masked ^ MASK).collect::<Vec<u8>>(),
    );
    let context = RecordContext::new(SlotRef::first(1), SlotRef::first(5), RecordKind(1), b"id");
    let keys = RecordKeys::of_subject(&subject);
    let sealed = record::seal_with(&Counting::new("residue"), keys, &context, &plaintext).unwrap();
    assert_eq!(record::open(keys, &context, &sealed).unwrap(), plaintext);

    // While they are in use, the scan finds them: it would notice what is left.
    for needle in needles() {
        match needle.name {
            "vault key" | "slot key" | "audit key" | "transform seed" | "plaintext" | "root of a tenant's tree" => {
                assert!(needle.count() > 0, "{} is not found while in use", needle.name);
            }
            _ => {}
        }
    }
    drop((audit, seed));
}

fn needles() -> [Needle; 7] {
    [
        Needle::new("vault key", VAULT),
        Needle::new("root of a tenant's tree", ROOT),
        Needle::new("slot key", SUBJECT),
        Needle::new("audit key", AUDIT),
        Needle::new("transform seed", SEED),
        Needle::new("record key", RECORD),
        Needle::new("plaintext", PLAINTEXT),
    ]
}

#[test]
fn no_key_and_no_plaintext_is_left_in_memory() {
    work();
    for needle in needles() {
        assert_eq!(needle.count(), 0, "{} is left in memory", needle.name);
    }
    // Nor on the stack of a thread that ended, which the system keeps for the next.
    std::thread::spawn(work).join().unwrap();
    for needle in needles() {
        assert_eq!(needle.count(), 0, "{} is left in memory", needle.name);
    }
}
