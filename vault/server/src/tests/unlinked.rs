//! The log, once a person is erased: every key that is left is tried, and every row is looked at; no entry leads to her any
//! more, and the log proves what it did before (O29).

use std::collections::BTreeSet;

use lethe_crypto::log::entry::Entry;
use lethe_crypto::log::merkle::{Frontier, Hash};
use lethe_crypto::secret::{AuditKey, SlotKey};
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{Purpose, Reason, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{EraseSubject, ListSubjectEntries, Verify};

use super::{Open, capture, soon};
use crate::audit::{self, Filter, Span};
use crate::authentication;
use crate::erasure::ErasureState;
use crate::store::{Key, RowKind, StoreError};
use crate::subject;

const PEOPLE: usize = 6;
const GONE: [usize; 2] = [1, 4];

fn face(person: usize) -> Vec<f32> {
    (0..64).map(|i| ((i * (person + 1)) as f32).sin() + 0.1).collect()
}

fn name(person: usize) -> String {
    format!("person-{person}")
}

/// All entries of a log.
fn log(open: &Open, tree: TreeId) -> Vec<Entry> {
    let mut entries = Vec::new();
    let prefix = Key::prefix_of_tree(RowKind::LogEntry, tree);
    open.vault
        .store
        .scan(RowKind::LogEntry, &prefix, |_, line| {
            entries.push(Entry::decode(line).unwrap());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    entries
}

/// Which entries of a log are about whom this key is of.
fn about(open: &Open, tree: TreeId, log: &[Entry], key: &SlotKey) -> BTreeSet<u64> {
    let (origin, key) = (audit::log_of(&open.vault, tree).unwrap().origin, AuditKey::derive(key));
    let ours = |(index, entry): (u64, &Entry)| entry.belongs_to(&origin, index, &key).then_some(index);
    (0..).zip(log).filter_map(ours).collect()
}

/// Every key that can be had of a running vault: all slots that were ever handed out, of all trees.
fn keys(open: &Open) -> Vec<SlotKey> {
    let trees = open.vault.silos.all().iter().map(|silo| silo.tree).chain([TreeId::VAULT]).collect::<Vec<_>>();
    let slots = trees.into_iter().flat_map(|tree| {
        let mark = open.vault.keys.allocator(tree).unwrap().mark();
        (0..mark).map(move |slot| (tree, SlotRef::first(slot)))
    });
    // Roots of tenants' trees are no slots that rows are sealed under.
    slots.filter_map(|(tree, slot)| open.vault.keys.slot(tree, slot).ok().flatten()).collect()
}

/// What the filter gives of a person.
async fn found(open: &Open, tenant: &TenantId, person: usize) -> crate::Result<BTreeSet<u64>> {
    let (mut found, mut start) = (BTreeSet::new(), 0);
    loop {
        let call = open.may::<ListSubjectEntries>(tenant, Role::PrivacyOfficer, Purpose::Audit).await;
        let subject = SubjectId::parse(&name(person)).unwrap();
        let span = Span { start, most: 3 };
        let page = audit::list_of_subject(&open.vault, call, &subject, Filter::default(), span).await?;
        found.extend(page.entries.iter().map(|(index, _)| *index));
        match page.next {
            Some(next) => start = next,
            None => return Ok(found),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_somebody_is_erased_no_key_that_is_left_tells_which_entries_were_about_them() {
    let mut open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "model", 64, None).await;
    for person in 0..PEOPLE {
        open.enroll(&bank, &name(person), &model, &face(person)).await;
        open.describe(&bank, &name(person)).await;
        for of in [person, person + 1] {
            let call = open.may::<Verify>(&bank, Role::Authenticator, Purpose::Authentication).await;
            let subject = SubjectId::parse(&name(person)).unwrap();
            authentication::verify(&open.vault, call, &subject, capture(&model, &face(of))).await.unwrap();
        }
    }
    let tree = open.silo(&bank).tree;

    // While they live, the filter finds exactly what their keys make, and everything that is about anybody is somebody's.
    let mut whose = Vec::new();
    for person in 0..PEOPLE {
        let slot = open.silo(&bank).subject(&SubjectId::parse(&name(person)).unwrap()).unwrap();
        let key = open.vault.keys.slot(tree, slot).unwrap().unwrap();
        let entries = log(&open, tree);
        let ours = about(&open, tree, &entries, &key);
        assert!(ours.len() >= 4, "{person}: {ours:?}");
        let mut found = found(&open, &bank, person).await.unwrap();
        // That the first page was looked at is about the person, too, and on the second.
        found.retain(|index| *index < entries.len() as u64);
        assert_eq!(found, ours, "{person}");
        whose.push((key, slot));
    }
    let entries = log(&open, tree);
    let of_person: Vec<_> = whose.iter().map(|(key, _)| about(&open, tree, &entries, key)).collect();
    let about_anybody: BTreeSet<u64> =
        (0..).zip(&entries).filter(|(_, entry)| entry.pseudonym.is_some()).map(|(index, _)| index).collect();
    assert_eq!(of_person.iter().flatten().copied().collect::<BTreeSet<_>>(), about_anybody);
    assert_eq!(of_person.iter().map(BTreeSet::len).sum::<usize>(), about_anybody.len(), "an entry is about one person");
    let size = entries.len();
    let mut kept = Frontier::new();
    entries.iter().for_each(|entry| drop(kept.append(entry.leaf())));

    for person in GONE {
        let call = open.may::<EraseSubject>(&bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let subject = SubjectId::parse(&name(person)).unwrap();
        let erased = subject::erase(&open.vault, call, &subject, RequestId::random(), None, soon()).await.unwrap();
        assert_eq!(erased.state, ErasureState::Shredded);
    }
    // The same name is somebody else now, to the log.
    open.enroll(&bank, &name(GONE[0]), &model, &face(GONE[0])).await;

    for _ in ["at once", "after a restart"] {
        let now = log(&open, tree);
        assert_eq!(now[..size], entries[..], "nothing of the log is gone or changed");
        let mut again = Frontier::new();
        for entry in &now[..size] {
            again.append(Hash::leaf(&entry.encode()));
        }
        assert_eq!(again.root(), kept.root());

        let keys = keys(&open);
        assert!(keys.len() >= PEOPLE, "{}", keys.len());
        let matched: BTreeSet<u64> = keys.iter().flat_map(|key| about(&open, tree, &now[..size], key)).collect();
        for (person, of_person) in of_person.iter().enumerate() {
            let theirs = of_person.iter().filter(|index| matched.contains(index)).count();
            let expected = if GONE.contains(&person) { 0 } else { of_person.len() };
            assert_eq!(theirs, expected, "{person}");
        }
        // By what was her name nothing is found, but what is about who has it now.
        let unknown = found(&open, &bank, GONE[1]).await.unwrap_err();
        assert_eq!(unknown.reason(), Reason::SubjectNotFound);
        let others = found(&open, &bank, GONE[0]).await.unwrap();
        assert!(!others.is_empty() && others.iter().all(|index| *index as usize >= size), "{others:?}");

        for (_, slot) in GONE.map(|person| &whose[person]) {
            let subject = *slot;
            for key in [Key::Subject { tree, subject }, Key::Dossier { tree, subject }] {
                assert!(open.vault.store.get(&key).unwrap().is_none(), "{key:?}");
            }
            assert!(open.vault.keys.slot(tree, subject).unwrap().is_none(), "{subject:?} has a key");
        }
        // Pseudonyms are in entries alone, each once; and no row outside of the log has the name or a pseudonym.
        let pseudonyms: Vec<_> = now.iter().filter_map(|entry| entry.pseudonym).collect();
        assert_eq!(pseudonyms.iter().collect::<BTreeSet<_>>().len(), pseudonyms.len());
        for kind in RowKind::ALL.into_iter().filter(|kind| *kind != RowKind::LogEntry) {
            open.vault
                .store
                .scan(kind, &Key::prefix(kind), |key, value| {
                    let row = [key.encode(), value.to_vec()].concat();
                    let has = |needle: &[u8]| row.windows(needle.len()).any(|window| window == needle);
                    for person in GONE {
                        assert!(!has(name(person).as_bytes()), "{key:?}");
                    }
                    for pseudonym in &pseudonyms {
                        assert!(!has(pseudonym.as_bytes()), "{key:?}");
                    }
                    Ok::<_, StoreError>(())
                })
                .unwrap();
        }
        open = open.reopen().await;
    }
}
