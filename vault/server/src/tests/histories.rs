//! Which of several copies of a vault is the vault: databases and mirrors that were put back, left behind, or restored
//! elsewhere. None of them is written over what is newer, and no slot is given twice (rule 3).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{prove_consistency, verify_consistency};
use lethe_crypto::tree::TreeId;
use lethe_domain::{ModelId, Purpose, RequestId, Role, Roles, SubjectId, TenantId};
use lethe_policy::operation::{CreateCredential, EraseSubject, GetTenant, RevokeCredential};
use tokio::time::Instant;

use super::{Open, PATIENCE, config, copy};
use crate::access::ApiKey;
use crate::audit::{SignedCheckpoint, checkpoint};
use crate::config::Config;
use crate::erasure::ErasureState;
use crate::opening;
use crate::restoration::{Restored, Source, restore};
use crate::store::{Backups, Change, Key, MirrorId, Opening, RowKind, Store, StoreOptions};
use crate::tenant::Asked;
use crate::vault::Vault;
use crate::{Error, drop_mirror, list_mirrors, subject, tenant};

const FACE: [f32; 64] = [0.5; 64];

/// A folder with all that a vault has: data, roots, mirrors, backups.
struct Place {
    open: Open,
    tenant: TenantId,
    model: ModelId,
    mirrors: Vec<&'static str>,
}

impl Place {
    async fn with(mirrors: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = opening::open(&settings(folder.path(), mirrors)).await.unwrap().vault;
        let open = Open { vault, folder };
        let tenant = open.tenant("bank").await;
        let model = open.model(&tenant, "model", 64, None).await;
        let place = Self { open, tenant, model, mirrors: mirrors.to_vec() };
        place.enroll("ann").await;
        place
    }

    fn at(&self, part: &str) -> PathBuf {
        self.open.folder.path().join(part)
    }

    async fn enroll(&self, subject: &str) {
        self.open.enroll(&self.tenant, subject, &self.model, &FACE).await;
    }

    /// What leaves an entry in the tenant's log, and nothing else.
    async fn look(&self) {
        let call = self.open.may::<GetTenant>(&self.tenant, Role::TenantAdmin, Purpose::Administration).await;
        tenant::get(&self.open.vault, call).await.unwrap();
    }

    async fn erase(&self, subject: &str, wait: Duration) -> crate::erasure::Erasure {
        let call = self.open.may::<EraseSubject>(&self.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let id = SubjectId::parse(subject).unwrap();
        subject::erase(&self.open.vault, call, &id, RequestId::random(), None, Some(Instant::now() + wait))
            .await
            .unwrap()
    }

    async fn key(&self) -> ApiKey {
        let call = self.open.may::<CreateCredential>(&self.tenant, Role::TenantAdmin, Purpose::Administration).await;
        let roles = Roles::only(Role::FraudAnalyst);
        let issued = tenant::create_credential(&self.open.vault, call, Asked::of(roles), None).await.unwrap();
        issued.api_key.unwrap()
    }

    async fn revoke(&self, key: &ApiKey) {
        let call = self.open.may::<RevokeCredential>(&self.tenant, Role::TenantAdmin, Purpose::Administration).await;
        tenant::revoke_credential(&self.open.vault, call, key.credential()).await.unwrap();
    }

    /// Everything is in every mirror.
    async fn settle(&self) {
        let sequence = self.open.vault.store.barrier().await.unwrap();
        self.open.vault.store.mirrored(sequence).await.unwrap();
    }

    fn back_up(&self) {
        let vault = &self.open.vault;
        Backups::own(&self.at("backups"), &vault.id, false).unwrap().create(&vault.store, 0).unwrap();
    }

    async fn signed(&self, tree: TreeId) -> Checkpoint {
        let SignedCheckpoint { note, verifier, .. } = checkpoint(&self.open.vault, tree).await.unwrap();
        Checkpoint::open(note.as_bytes(), &verifier).unwrap()
    }

    fn tree(&self) -> TreeId {
        self.open.silo(&self.tenant).tree
    }

    fn knows(&self, subject: &str) -> bool {
        self.open.silo(&self.tenant).subject(&SubjectId::parse(subject).unwrap()).is_some()
    }

    async fn close(self) -> Closed {
        self.open.vault.close().await;
        let Self { open: Open { vault, folder }, tenant, model, mirrors } = self;
        drop(vault);
        Closed { folder, tenant, model, mirrors }
    }
}

/// The same with nobody in it.
struct Closed {
    folder: tempfile::TempDir,
    tenant: TenantId,
    model: ModelId,
    mirrors: Vec<&'static str>,
}

impl Closed {
    fn at(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Puts something in the place of something else.
    fn put(&self, from: &str, to: &str) {
        self.lose(to);
        std::fs::rename(self.at(from), self.at(to)).unwrap();
    }

    fn lose(&self, part: &str) {
        drop(std::fs::remove_dir_all(self.at(part)));
    }

    fn settings(&self) -> Config {
        settings(self.folder.path(), &self.mirrors)
    }

    async fn try_open(&self) -> Result<Arc<Vault>, String> {
        opening::open(&self.settings()).await.map(|opened| opened.vault).map_err(|refused| refused.to_string())
    }

    async fn refusal(&self) -> String {
        self.try_open().await.map(drop).unwrap_err()
    }

    async fn open(self) -> Place {
        let vault = self.try_open().await.unwrap();
        let Self { folder, tenant, model, mirrors } = self;
        Place { open: Open { vault, folder }, tenant, model, mirrors }
    }

    async fn restore(&self, source: Source<'_>) -> Result<Restored, String> {
        restore(&self.settings(), source).await.map_err(|refused| refused.to_string())
    }

    fn registered(&self, folder: &str) -> MirrorId {
        let path = self.at(folder);
        let mut mirrors = list_mirrors(&self.settings()).unwrap().into_iter();
        mirrors.find(|mirror| mirror.path == path).unwrap().id
    }
}

fn settings(folder: &Path, mirrors: &[&str]) -> Config {
    let mut config = config(&folder.join("data"));
    config.root.replicas = vec![folder.join("roots")];
    config.mirror.paths = Some(mirrors.iter().map(|mirror| folder.join(mirror)).collect());
    config
}

/// Every row of a database that is open elsewhere, or nowhere.
fn rows(folder: &Path) -> Vec<(Key, Vec<u8>)> {
    let (mut rows, store) = (Vec::new(), Store::read_only(folder).unwrap());
    for kind in RowKind::ALL {
        let scanned = store.scan(kind, &Key::prefix(kind), |key, value| {
            rows.push((key, value.to_vec()));
            Ok::<_, Error>(())
        });
        scanned.unwrap();
    }
    rows
}

fn from(backups: &Path) -> Source<'_> {
    Source { backup: Some((backups, None)), ..Source::default() }
}

/// Put back, started without its mirror, and grown past it: no length tells any more, at whichever start the mirror comes
/// back.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_and_grew_past_its_mirror_is_refused() {
    let place = Place::with(&["a"]).await;
    place.settle().await;
    copy(&place.at("data").join("db"), &place.at("copied"));
    place.enroll("dan").await;
    let (tree, before) = (place.tree(), place.signed(place.tree()).await);
    let dan = place.open.silo(&place.tenant).subject(&SubjectId::parse("dan").unwrap()).unwrap();
    let closed = place.close().await;
    closed.put("copied", "data/db");
    closed.put("a", "a-now");

    let place = closed.open().await;
    for _ in 0..50 {
        place.look().await;
    }
    let call = place.open.try_enroll(&place.tenant, "eve", &place.model, &FACE);
    assert!(call.await.is_err(), "a slot is used that the mirror may know of");
    let closed = place.close().await;
    // Once more, so that the run in which it grew is not the one in which the mirror is back.
    let place = closed.open().await;
    place.look().await;
    let (here, aside) = (place.at("a"), place.at("a-now"));
    let then = rows(&aside);
    std::fs::rename(&aside, &here).unwrap();
    let erasure = place.erase("ann", Duration::from_secs(2)).await;
    assert_eq!(erasure.state, ErasureState::Pending);
    place.open.found_out("different ways").await;
    let call = place.open.try_enroll(&place.tenant, "eve", &place.model, &FACE);
    assert!(call.await.is_err());
    assert!(checkpoint(&place.open.vault, tree).await.is_err(), "a log is signed that forks the other");
    let closed = place.close().await;
    assert!(rows(&closed.at("a")) == then, "the mirror was written to");

    let refused = closed.refusal().await;
    assert!(refused.contains("different ways") && refused.contains("lethe restore"), "{refused}");
    let dropped = drop_mirror(&closed.settings(), closed.registered("a")).await.unwrap_err().to_string();
    assert!(dropped.contains("different ways"), "{dropped}");
    assert!(rows(&closed.at("a")) == then, "the mirror was written to");
    // The way out. What was done since is given up only when told so; ann's rows are gone, so her keys go.
    let refused = closed.restore(Source::default()).await.unwrap_err();
    assert!(refused.contains("--accept-loss"), "{refused}");
    let source = Source { accept_loss: true, accept_lost: 1, take_over: true, ..Source::default() };
    let restored = closed.restore(source).await.unwrap();
    assert_eq!((restored.back.subjects, restored.enrolled_since), (0, 1), "{restored:?}");
    assert!(restored.lost_slots >= 4, "{restored:?}");
    let place = closed.open().await;
    place.enroll("eve").await;
    let eve = place.open.silo(&place.tenant).subject(&SubjectId::parse("eve").unwrap()).unwrap();
    assert!(eve.slot > dan.slot + 1, "slots of dan are given again");
    let after = place.signed(tree).await;
    let proof = prove_consistency(&place.open.vault.store.nodes(tree), before.size, after.size).unwrap();
    verify_consistency(before.size, &before.root, after.size, &after.root, &proof).unwrap();
    place.close().await;
}

/// The one that stopped following an hour ago is not the truth, in whatever order they are named.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_mirrors_the_newer_one_is_restored_from() {
    for order in [["a", "b"], ["b", "a"]] {
        let mut place = Place::with(&["a", "b"]).await;
        place.back_up();
        let key = place.key().await;
        place.settle().await;
        copy(&place.at("b"), &place.at("b-old"));
        place.revoke(&key).await;
        assert!(place.open.vault.authenticate(&key, None).is_err());
        place.settle().await;
        place.mirrors = order.to_vec();
        let closed = place.close().await;
        closed.put("b-old", "b");
        closed.lose("data");
        closed.restore(from(&closed.at("backups"))).await.unwrap();
        let place = closed.open().await;
        assert!(place.open.vault.authenticate(&key, None).is_err(), "a revoked key is let in again: {order:?}");
        place.settle().await;
        assert!(place.knows("ann"));
        place.close().await;
    }
}

/// Two that went different ways are not chosen between.
#[tokio::test(flavor = "multi_thread")]
async fn mirrors_that_went_different_ways_are_not_guessed_between() {
    let place = Place::with(&["a", "b"]).await;
    place.back_up();
    place.settle().await;
    let closed = place.close().await;
    let (a, b) = (closed.registered("a"), closed.registered("b"));
    copy(&closed.at("data/db"), &closed.at("kept"));
    for (there, away) in [("a", "b"), ("b", "a")] {
        closed.lose("data/db");
        copy(&closed.at("kept"), &closed.at("data/db"));
        closed.put(away, "aside");
        // A claim of its own each: what a clone of the data, with a clone of the roots, would do.
        copy_file(&closed.at("roots"), &closed.at("roots-then"));
        let vault = closed.try_open().await.unwrap();
        vault.close().await;
        drop(vault);
        std::fs::rename(closed.at("roots-then"), closed.at("roots")).unwrap();
        closed.put("aside", away);
        assert!(closed.at(there).exists());
    }
    closed.lose("data");
    let backups = closed.at("backups");
    let refused = closed.restore(from(&backups)).await.unwrap_err();
    assert!(refused.contains("different ways") && refused.contains("--lost-mirror"), "{refused}");
    assert!(!closed.at("data/db").exists());
    let lost = [b];
    let source = Source { lost_mirrors: &lost, take_over: true, ..from(&backups) };
    let restored = closed.restore(source).await.unwrap();
    assert_eq!(restored.back.subjects, 1);
    let left: Vec<_> = list_mirrors(&closed.settings()).unwrap().into_iter().map(|mirror| mirror.id).collect();
    assert_eq!(left, [a]);
}

fn copy_file(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

/// One command ends it, though a try before came half-way; and the record has what all tries have removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_lost_with_the_data_is_given_up_within_the_restore() {
    let place = Place::with(&["a", "b"]).await;
    place.enroll("ben").await;
    place.back_up();
    place.erase("ben", PATIENCE).await;
    place.enroll("cia").await;
    let closed = place.close().await;
    let (a, lost) = (closed.registered("a"), [closed.registered("b")]);
    closed.lose("data");
    let backups = closed.at("backups");
    let source = Source { accept_lost: 1, ..from(&backups) };

    // It cannot follow: what is lost is redrawn, and the root that it had cannot go.
    let opening = Opening::Restoring(vec![a, lost[0]]);
    let broken = Store::open(&closed.at("b"), &StoreOptions { opening, ..StoreOptions::default() }).unwrap();
    let mut change = Change::new();
    for (key, _) in rows_of(&broken, RowKind::LogNode) {
        change.put(key, vec![9; 32]);
    }
    broken.commit(change).await.unwrap();
    broken.close();
    drop(broken);
    let failed = closed.restore(source.clone()).await.unwrap_err();
    assert!(failed.contains("epoch journal"), "{failed}");
    let refused = closed.refusal().await;
    assert!(refused.contains("was not finished"), "{refused}");
    let dropped = drop_mirror(&closed.settings(), lost[0]).await.unwrap_err().to_string();
    assert!(dropped.contains("was not finished"), "{dropped}");

    let restored = closed.restore(Source { lost_mirrors: &lost, ..source }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.erased.subjects), (1, 1), "{restored:?}");
    assert_eq!((restored.lost_slots, restored.enrolled_since), (2, 1), "{restored:?}");
    assert!(Store::read_only(&closed.at("data/db")).unwrap().get(&Key::Restoring).unwrap().is_none());
    let place = Closed { mirrors: vec!["a"], ..closed }.open().await;
    place.settle().await;
    let closed = place.close().await;
    let entries: Vec<_> = rows(&closed.at("a"))
        .into_iter()
        .filter_map(|(key, value)| matches!(key, Key::LogEntry { tree, .. } if tree == TreeId::VAULT).then_some(value))
        .map(|entry| String::from_utf8(entry).unwrap())
        .collect();
    let told: Vec<_> = entries.iter().filter(|entry| entry.contains("VAULT_RESTORED")).collect();
    assert!(
        told.len() == 1 && told[0].contains("\"lost_slots\":2") && told[0].contains("\"subjects_erased\":1"),
        "{told:?}"
    );
    assert_eq!(entries.iter().filter(|entry| entry.contains("MIRROR_DROPPED")).count(), 1);
}

/// The old host is switched on again, with the mirror that has followed the new one since.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_left_behind_writes_nothing_over_the_mirror() {
    let place = Place::with(&["a"]).await;
    place.back_up();
    place.settle().await;
    copy(&place.at("a"), &place.at("a-then"));
    for name in ["bank1", "bank2", "bank3"] {
        place.open.tenant(name).await;
    }
    for _ in 0..20 {
        place.look().await;
    }
    let closed = place.close().await;
    closed.put("data", "old-host");
    closed.put("a-then", "a");
    closed.restore(from(&closed.at("backups"))).await.unwrap();
    let place = closed.open().await;
    place.enroll("new").await;
    let closed = place.close().await;

    closed.put("data", "new-host");
    closed.put("old-host", "data");
    let (mirror, database) = (rows(&closed.at("a")), rows(&closed.at("data/db")));
    let refused = closed.refusal().await;
    assert!(refused.contains("different ways"), "{refused}");
    // Nor while the mirror is away: the root store knows better.
    closed.put("a", "aside");
    closed.refusal().await;
    closed.put("aside", "a");
    assert!(rows(&closed.at("a")) == mirror && rows(&closed.at("data/db")) == database, "something was written");

    closed.put("data", "old-host");
    closed.put("new-host", "data");
    let place = closed.open().await;
    assert!(place.knows("new"));
    place.settle().await;
    place.close().await;
}

/// What is newer than its mirror needs no restore: it is refused, and the vault starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_newer_than_its_mirror_is_not_restored_unasked() {
    let place = Place::with(&["a"]).await;
    place.settle().await;
    copy(&place.at("a"), &place.at("a-old"));
    place.look().await;
    let closed = place.close().await;
    closed.put("a-old", "a");
    for _ in 0..2 {
        let refused = closed.restore(Source::default()).await.unwrap_err();
        assert!(refused.contains("start the server"), "{refused}");
    }
    let place = closed.open().await;
    place.settle().await;
    assert!(place.knows("ann"));
    place.close().await;
}

/// What was begun with one backup is not ended with the consent that was meant for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_goes_on_with_the_backup_that_it_was_begun_with() {
    let place = Place::with(&["a"]).await;
    place.enroll("ben").await;
    place.back_up();
    let damaged = rows_of(&place.open.vault.store, RowKind::Subject).pop().unwrap();
    let (key, mut value) = damaged;
    *value.last_mut().unwrap() ^= 1;
    let mut change = Change::new();
    change.put(key, value);
    place.open.vault.store.commit(change).await.unwrap();
    place.back_up();
    let closed = place.close().await;
    closed.lose("data");
    let (backups, db) = (closed.at("backups"), closed.at("data/db"));
    let numbered =
        |number, accept_loss| Source { backup: Some((&backups, Some(number))), accept_loss, ..Source::default() };
    let refused = closed.restore(numbered(2, false)).await.unwrap_err();
    assert!(refused.contains("rows are damaged"), "{refused}");
    let refused = closed.restore(numbered(1, true)).await.unwrap_err();
    assert!(refused.contains("backup 2") && refused.contains("move"), "{refused}");
    let elsewhere = closed.at("other-backups");
    std::fs::create_dir(&elsewhere).unwrap();
    let refused = closed.restore(Source { accept_loss: true, ..from(&elsewhere) }).await.unwrap_err();
    assert!(refused.contains("backup 2"), "{refused}");
    // The way out that it names.
    std::fs::rename(&db, closed.at("aside")).unwrap();
    let restored = closed.restore(numbered(1, false)).await.unwrap();
    assert_eq!((restored.back.subjects, restored.corrupt.subjects), (2, 0), "{restored:?}");
}

fn rows_of(store: &Store, kind: RowKind) -> Vec<(Key, Vec<u8>)> {
    let mut rows = Vec::new();
    let scanned = store.scan(kind, &Key::prefix(kind), |key, value| {
        rows.push((key, value.to_vec()));
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    rows
}

/// Who was enrolled since the backup is not given up unasked. Slots that a crash left reserved go, too, and are nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_lost_is_told_before_it_is() {
    let place = Place::with(&["a"]).await;
    place.back_up();
    place.enroll("ben").await;
    place.settle().await;
    // As a crash leaves it: with slots reserved.
    copy(&place.at("a"), &place.at("a-now"));
    let closed = place.close().await;
    closed.put("a-now", "a");
    closed.lose("data");
    let backups = closed.at("backups");
    let refused = closed.restore(from(&backups)).await.unwrap_err();
    assert!(refused.contains("up to 1 templates") && refused.contains("--accept-lost 1"), "{refused}");
    let restored = closed.restore(Source { accept_lost: 1, ..from(&backups) }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.enrolled_since), (1, 1), "{restored:?}");
    assert!(restored.lost_slots > 1000, "{restored:?}");
    assert_eq!(restored.epoch, restored.lost_slots.div_ceil(1000), "an epoch for each thousand slots");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_where_only_reserved_slots_are_without_a_row() {
    let place = Place::with(&["a"]).await;
    place.settle().await;
    copy(&place.at("data/db"), &place.at("kept"));
    copy(&place.at("a"), &place.at("a-now"));
    let closed = place.close().await;
    closed.put("a-now", "a");
    closed.put("kept", "data/db");
    let restored = closed.restore(Source::default()).await.unwrap();
    assert_eq!((restored.back.subjects, restored.enrolled_since), (1, 0), "{restored:?}");
    assert!(restored.lost_slots > 1000, "{restored:?}");
}

/// What is answered as accepted is in the mirror by then: it outlives the disk.
#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_erasure_and_a_revocation_are_mirrored_when_they_are_answered() {
    let place = Place::with(&["a"]).await;
    let key = place.key().await;
    place.settle().await;
    let in_mirror = |name: &str, kind| {
        let copied = place.at(name);
        copy(&place.at("a"), &copied);
        rows_of(&Store::read_only(&copied).unwrap(), kind)
    };
    place.revoke(&key).await;
    let credentials = in_mirror("after-revocation", RowKind::Credential);
    assert_eq!(credentials, rows_of(&place.open.vault.store, RowKind::Credential));
    assert!(in_mirror("before-erasure", RowKind::Receipt).is_empty());
    place.erase("ann", Duration::ZERO).await;
    assert_eq!(in_mirror("after-erasure", RowKind::Receipt).len(), 1);
    place.close().await;
}

/// An empty folder may be a disk that is not mounted: nothing is made there that would be in a restore's way.
#[tokio::test(flavor = "multi_thread")]
async fn no_vault_is_founded_where_a_mirror_or_the_roots_know_one() {
    let place = Place::with(&["a"]).await;
    place.back_up();
    let closed = place.close().await;
    closed.lose("data");
    let refused = closed.refusal().await;
    assert!(refused.contains("there is no database") && refused.contains("lethe restore"), "{refused}");
    assert!(!closed.at("data/db").exists());
    closed.put("a", "aside");
    let refused = closed.refusal().await;
    assert!(refused.contains("belongs to another vault"), "{refused}");
    assert!(!closed.at("data/db").exists() && !closed.at("a").exists());
    closed.put("aside", "a");
    closed.restore(from(&closed.at("backups"))).await.unwrap();
}

/// The mirror's disk had not kept what was written to it first.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_on_record_and_empty_is_filled() {
    let place = Place::with(&["a"]).await;
    let closed = place.close().await;
    let id = closed.registered("a");
    closed.lose("a");
    // An empty database, as RocksDB leaves one that was just made.
    let nothing = Store::open(&closed.at("a"), &StoreOptions::default()).unwrap();
    nothing.close();
    drop(nothing);
    let place = closed.open().await;
    place.settle().await;
    assert_eq!(place.open.vault.store.mirrors()[0].id, id);
    let receipts = place.erase("ann", PATIENCE).await;
    assert_eq!(receipts.state, ErasureState::Shredded);
    place.close().await;
}

/// It keeps erasures pending, not the vault from starting; and it can be given up where it lies.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_mirror_can_be_dropped() {
    let place = Place::with(&["a"]).await;
    let closed = place.close().await;
    std::fs::write(closed.at("a").join("CURRENT"), "garbage").unwrap();
    let place = closed.open().await;
    assert_eq!(place.erase("ann", Duration::from_secs(1)).await.state, ErasureState::Pending);
    let closed = place.close().await;
    drop_mirror(&closed.settings(), closed.registered("a")).await.unwrap();
    let place = Closed { mirrors: vec!["c"], ..closed }.open().await;
    place.settle().await;
    place.close().await;
}

/// Two at once would remove each other's files.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_restored_by_one_process_at_a_time() {
    let place = Place::with(&["a"]).await;
    place.back_up();
    let closed = place.close().await;
    closed.lose("data/db");
    let other = std::fs::File::open(closed.at("data")).unwrap();
    other.try_lock().unwrap();
    let refused = closed.restore(from(&closed.at("backups"))).await.unwrap_err();
    assert!(refused.contains("another process"), "{refused}");
    drop(other);
    closed.restore(from(&closed.at("backups"))).await.unwrap();
}

/// What lies in a folder that somebody names is theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_verified_over_what_somebody_has() {
    let place = Place::with(&["a"]).await;
    place.back_up();
    let mine = place.at("mine");
    std::fs::create_dir_all(mine.join("scratch")).unwrap();
    std::fs::write(mine.join("scratch/notes"), "mine").unwrap();
    let backups = Backups::open(&place.at("backups")).unwrap();
    let refused = backups.verify(1, Some(&mine), 0).unwrap_err().to_string();
    assert!(refused.contains("is there already"), "{refused}");
    assert_eq!(std::fs::read_to_string(mine.join("scratch/notes")).unwrap(), "mine");
    std::fs::remove_dir_all(mine.join("scratch")).unwrap();
    backups.verify(1, Some(&mine), 0).unwrap();
    assert!(!mine.join("scratch").exists());
    place.close().await;
}
