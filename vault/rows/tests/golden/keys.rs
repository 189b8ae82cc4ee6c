//! Row keys, every kind.

use std::collections::BTreeMap;
use std::path::Path;

use lethe_crypto::tree::{PageAddress, SlotRef, TreeId};
use lethe_domain::{
    CaseId, CredentialId, DisclosureId, NotificationId, ProposalId, ReceiptId, RightsRequestId, WatchlistEntryId,
};
use lethe_rows::MirrorId;
use lethe_rows::keys::{Key, RowKind, TemplateAt};

/// Fields that are told apart at sight: a tenant is 01…0c, S is 11…1c, T is 21…2c, a gallery 31…34, a profile 41…44,
/// sixteen bytes of any name 51…60, a number 61…68, a level 71.
fn fixed() -> Vec<(Key, &'static str)> {
    let slot = |slot, generation| SlotRef { slot, generation };
    let tenant = slot(0x0102_0304_0506_0708, 0x090a_0b0c);
    let tree = TreeId::tenant(tenant).unwrap();
    let subject = slot(0x1112_1314_1516_1718, 0x191a_1b1c);
    let thing = slot(0x2122_2324_2526_2728, 0x292a_2b2c);
    let at = TemplateAt { subject, thing };
    let (gallery, profile) = (0x3132_3334, 0x4142_4344);
    let id: [u8; 16] = std::array::from_fn(|n| 0x51 + n as u8);
    let (receipt, credential) = (ReceiptId::from_bytes(id), CredentialId::from_bytes(id));
    let number = 0x6162_6364_6566_6768;
    let mut page = [0; 30];
    page[..12].copy_from_slice(&tree.encode());
    page[12..14].copy_from_slice(&[3, 1]);
    page[14..22].copy_from_slice(&5_u64.to_be_bytes());
    page[22..].copy_from_slice(&u64::to_be_bytes(number));
    vec![
        (Key::Format, "01"),
        (Key::Epoch, "02"),
        (Key::HighWater { tree }, "03 0102030405060708090a0b0c"),
        (
            Key::Page(PageAddress::decode(&page).unwrap()),
            "04 0102030405060708090a0b0c 03 01 0000000000000005 6162636465666768",
        ),
        (Key::Intent { tree, receipt }, "05 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60"),
        (Key::EpochEnd { number }, "06 6162636465666768"),
        (Key::Position, "07"),
        (Key::Mirror { id: MirrorId::from_bytes(id) }, "08 5152535455565758595a5b5c5d5e5f60"),
        (Key::Restoring, "09"),
        (Key::Statements, "0a"),
        (Key::History, "0b"),
        (Key::TreeMark { number }, "0f 6162636465666768"),
        (Key::Tenant { tenant }, "10 0102030405060708090a0b0c"),
        (Key::Credential { tree, credential }, "11 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60"),
        (Key::Profile { tree, number: profile }, "12 0102030405060708090a0b0c 41424344"),
        (Key::Receipt { tree, receipt }, "13 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60"),
        (Key::TenantRequest { tree, tag: id }, "14 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60"),
        (Key::LogKey { tree }, "15 0102030405060708090a0b0c"),
        (Key::Census { tree, gallery, profile }, "16 0102030405060708090a0b0c 31323334 41424344"),
        (Key::Shredded { tenant }, "17 0102030405060708090a0b0c"),
        (Key::Watchlist { tree, number: profile }, "18 0102030405060708090a0b0c 41424344"),
        (Key::SigningKey { tree, tag: id }, "19 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60"),
        (
            Key::Attestation { tree, until: number, tag: id },
            "1a 0102030405060708090a0b0c 6162636465666768 5152535455565758595a5b5c5d5e5f60",
        ),
        (Key::RowsMark { number }, "1f 6162636465666768"),
        (Key::Subject { tree, subject }, "20 0102030405060708090a0b0c 1112131415161718191a1b1c"),
        (
            Key::Template { tree, gallery, at, profile },
            "21 0102030405060708090a0b0c 31323334 1112131415161718191a1b1c 2122232425262728292a2b2c 41424344",
        ),
        (
            Key::Sketch { tree, gallery, profile, at },
            "22 0102030405060708090a0b0c 31323334 41424344 1112131415161718191a1b1c 2122232425262728292a2b2c",
        ),
        (
            Key::SubjectRequest { tree, subject, tag: id },
            "23 0102030405060708090a0b0c 1112131415161718191a1b1c 5152535455565758595a5b5c5d5e5f60",
        ),
        (Key::Dossier { tree, subject }, "24 0102030405060708090a0b0c 1112131415161718191a1b1c"),
        (Key::Held { tree, subject }, "25 0102030405060708090a0b0c 1112131415161718191a1b1c"),
        (
            Key::WatchlistEntry { tree, list: profile, entry: WatchlistEntryId::from_bytes(id), slot: thing },
            "26 0102030405060708090a0b0c 41424344 5152535455565758595a5b5c5d5e5f60 2122232425262728292a2b2c",
        ),
        (Key::Listed { tree, subject }, "27 0102030405060708090a0b0c 1112131415161718191a1b1c"),
        (
            Key::Proposal { tree, proposal: ProposalId::from_bytes(id) },
            "28 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60",
        ),
        (
            Key::Disclosure { tree, subject, disclosure: DisclosureId::from_bytes(id) },
            "29 0102030405060708090a0b0c 1112131415161718191a1b1c 5152535455565758595a5b5c5d5e5f60",
        ),
        (
            Key::Evidence { tree, tag: id, slot: thing },
            "2a 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60 2122232425262728292a2b2c",
        ),
        (
            Key::Request { tree, request: RightsRequestId::from_bytes(id) },
            "2b 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60",
        ),
        (Key::Asked { tree, subject }, "2c 0102030405060708090a0b0c 1112131415161718191a1b1c"),
        (
            Key::Notification { tree, notification: NotificationId::from_bytes(id) },
            "2d 0102030405060708090a0b0c 5152535455565758595a5b5c5d5e5f60",
        ),
        (
            Key::Case { tree, subject, case: CaseId::from_bytes(id) },
            "2e 0102030405060708090a0b0c 1112131415161718191a1b1c 5152535455565758595a5b5c5d5e5f60",
        ),
        (Key::LogHead { tree }, "30 0102030405060708090a0b0c"),
        (Key::LogEntry { tree, index: number }, "31 0102030405060708090a0b0c 6162636465666768"),
        (Key::LogNode { tree, level: 0x71, index: number }, "32 0102030405060708090a0b0c 71 6162636465666768"),
        (Key::LogSuccession { tree, size: number }, "33 0102030405060708090a0b0c 6162636465666768"),
        (Key::LogMark { number }, "3f 6162636465666768"),
    ]
}

fn bytes(hex_digits: &str) -> Vec<u8> {
    hex::decode(hex_digits.replace(' ', "")).unwrap()
}

#[test]
fn keys_are_fixed() {
    for (key, expected) in fixed() {
        assert_eq!(hex::encode(key.encode()), expected.replace(' ', ""), "{key:?}");
        assert_eq!(Key::decode(&bytes(expected)).unwrap(), key);
    }
    let kinds: Vec<_> = fixed().iter().map(|(key, _)| key.kind()).collect();
    assert_eq!(kinds, RowKind::ALL, "every kind has a fixture");
}

/// The vault's own rows name its tree by zeros.
#[test]
fn keys_of_the_vaults_own_rows_are_fixed() {
    let tree = TreeId::VAULT;
    for (key, expected) in [
        (Key::HighWater { tree }, "03 000000000000000000000000"),
        (Key::LogHead { tree }, "30 000000000000000000000000"),
        (Key::LogEntry { tree, index: 258 }, "31 000000000000000000000000 0000000000000102"),
    ] {
        assert_eq!(hex::encode(key.encode()), expected.replace(' ', ""), "{key:?}");
        assert_eq!(Key::decode(&bytes(expected)).unwrap(), key);
    }
    // A tree of slot 0 that was redrawn is nobody's.
    assert!(Key::decode(&bytes("30 0000000000000000 00000001")).is_err());
}

#[test]
fn prefixes_are_fixed() {
    let tree = TreeId::tenant(SlotRef { slot: 2, generation: 1 }).unwrap();
    let subject = SlotRef { slot: 3, generation: 0 };
    for (prefix, expected) in [
        (Key::prefix(RowKind::Sketch), "22"),
        (Key::prefix_of_tree(RowKind::Template, tree), "21 000000000000000200000001"),
        (Key::prefix_of_templates(tree, 7, subject), "21 000000000000000200000001 00000007 000000000000000300000000"),
        (Key::prefix_of_evidence(tree, &[7; 16]), "2a 000000000000000200000001 07070707070707070707070707070707"),
        (Key::bound_of_attestations(tree, 7), "1a 000000000000000200000001 0000000000000007"),
        (Key::prefix_of_watchlist(tree, 7), "26 000000000000000200000001 00000007"),
        (
            Key::prefix_of_entry(tree, 7, WatchlistEntryId::from_bytes([9; 16])),
            "26 000000000000000200000001 00000007 09090909090909090909090909090909",
        ),
        (Key::prefix_of_requests(tree, subject), "23 000000000000000200000001 000000000000000300000000"),
        (Key::prefix_of_disclosures(tree, subject), "29 000000000000000200000001 000000000000000300000000"),
        (Key::prefix_of_cases(tree, subject), "2e 000000000000000200000001 000000000000000300000000"),
    ] {
        assert_eq!(hex::encode(prefix), expected.replace(' ', ""));
    }
}

/// The table of row keys in the document says of every kind how long its keys are.
#[test]
fn the_document_names_every_kind_and_its_length() {
    let format = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/FORMAT.md")).unwrap();
    let documented: BTreeMap<u8, usize> = format
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let kind = u8::from_str_radix(cells.next()?.strip_suffix('`')?, 16).ok()?;
            Some((kind, cells.next()?.parse().ok()?))
        })
        .collect();
    let known: BTreeMap<u8, usize> = fixed().iter().map(|(key, hex)| (key.kind() as u8, bytes(hex).len())).collect();
    assert_eq!(documented, known);
}
