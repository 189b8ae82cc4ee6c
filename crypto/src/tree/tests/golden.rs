//! Fixed keys and fixed randomness give fixed bytes: a change here is a change of the format.
//!
//! The derived keys were computed independently, with Python's `hmac` and `hashlib`, from the format's
//! description; the sealed pages were opened with Python's `cryptography`.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::random::dangerous::Counting;
use crate::secret::AuditKey;
use crate::tree::rewrite::rewrite_with;

fn counted_view() -> View {
    let key = VaultKey::fill_with(|key| {
        (0..).zip(key.iter_mut()).for_each(|(n, byte)| *byte = n);
        Ok::<_, crate::Error>(())
    });
    View::new(&key.unwrap(), 0, Arc::new(PageCache::new(16)))
}

#[test]
fn keys_of_unwritten_pages_are_fixed() {
    let (disk, view) = (Disk::default(), counted_view());
    let vault = key(&view, &disk, TreeId::VAULT, 0);
    assert_eq!(hex::encode(vault), "f20faf9b707c706dff93bc838dd7a324c2133488393f03de21490ffd741dea63");
    let expected = [
        (0, "0886e70c6e8e48bdf07601f571ddd2ad020a52db4ff7cbf24df4a500930e1335"),
        (5, "727da2ce4bc8edc0ce6f08467bc9bdb293d12a48d727b839d5d2725c61431aae"),
        (70, "df6b9dc8679916418257705a7fd0291e1c2b3662783b5f126a40ff426ea03cd9"),
        (300_000, "295be3cf51f135e543175fc0d044d5c93b7af22f7cf9e7dea26651f73c5db0e3"),
        (u64::MAX, "564851a532806241eefdb11197527d5bccffde5dcd545c9b41cb4ad50f50e5bf"),
    ];
    for (slot, expected) in expected {
        assert_eq!(hex::encode(key(&view, &disk, tenant(1), slot)), expected, "slot {slot}");
    }
}

#[test]
fn keys_derived_from_slots_are_fixed() {
    let (disk, view) = (Disk::default(), counted_view());
    let subject = view.slot_key(&disk, tenant(1), 5).unwrap().key;
    let audit = AuditKey::derive(&subject);
    assert_eq!(hex::encode(audit.expose()), "643290be27d11434b3d3a06131149bde896ee7f2733c641076646b50ff3bb602");
    let own = view.slot_key(&disk, tenant(1), 0).unwrap().key;
    let seed = crate::secret::TransformSeed::derive(&own, 0);
    assert_eq!(hex::encode(seed.expose()), "41cc1eb8f924364aee3b6b7793d673315a60a0b5515f217b9b018b543a812cda");
}

#[test]
fn rewritten_pages_are_fixed() {
    let (disk, view) = (Disk::default(), counted_view());
    let mut redraw = Redraw::new();
    redraw.erase(tenant(1), SlotRef::first(5)).erase(tenant(1), SlotRef::first(70));
    let rewrite = rewrite_with(&Counting::new("tree"), &view, &disk, &redraw).unwrap();

    let pages: Vec<_> = rewrite
        .put
        .iter()
        .map(|page| (hex::encode(page.address.encode()), page.bytes.len(), hex::encode(Sha256::digest(&page.bytes))))
        .collect();
    let pages: Vec<_> = pages.iter().map(|(address, length, sum)| (address.as_str(), *length, sum.as_str())).collect();
    assert_eq!(hex::encode(rewrite.vault_key.expose()), VAULT_KEY);
    assert_eq!(pages, PAGES);

    disk.commit(&rewrite);
    assert_eq!(hex::encode(key(&rewrite.view, &disk, tenant(1), 5)), REDRAWN);
}

const VAULT_KEY: &str = "ea4436c827cd193e8bc58a7d88ca5984f2feeddc9dba218c1d20335e1e3f3e96";
const REDRAWN: &str = "ae32f381f587b274530d46fbbc085d07e9b36027eb42aa3492b9fb2183f5e9bc";
/// (address, length, SHA-256 of the sealed page)
const PAGES: [(&str, usize, &str); 6] = [
    (
        "000000000000000000000000000000000000000000000000000000000001",
        556,
        "cd31c19978f0e07cd0d63299089b47280758f9ccb3e5ed7a619286daeefacbcc",
    ),
    (
        "000000000000000000000000010000000000000000000000000000000001",
        2941,
        "63928737c615d418ac2f188283502be337e48d895d649c3e8587be9a032e6c70",
    ),
    (
        "000000000000000100000000000000000000000000000000000000000001",
        556,
        "60d78a558be73cd2bab963c5e1b6988964055d43045aa57f6f5cb6bf00e7ae37",
    ),
    (
        "000000000000000100000000010000000000000000000000000000000001",
        2941,
        "c5d2a7777180ece74dc76096bdcbf9cd30fa76e4781e1a35f7d49f7c0bfb6288",
    ),
    (
        "000000000000000100000000020000000000000000010000000000000001",
        2941,
        "167a2a6deeb8bee8ff7af475f96c26c2c892b72d78b7e47a2ef1251efdad5258",
    ),
    (
        "000000000000000100000000020100000000000000000000000000000001",
        2941,
        "6c17895975b2c8b34e888ae36009544823bb24cbb2d79594bb4e863b4e9f0891",
    ),
];
