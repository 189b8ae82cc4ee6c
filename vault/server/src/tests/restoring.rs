//! Restore drills: whatever is left of a vault, with its mirror.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{prove_consistency, verify_consistency};
use lethe_crypto::tree::TreeId;
use lethe_domain::{ModelId, Occasion, Purpose, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{ContestWatchlistEntry, EraseSubject, RemoveWatchlistEntry};

use super::{Open, config, copy, soon};
use crate::audit::{SignedCheckpoint, checkpoint};
use crate::erasure::ErasureState;
use crate::opening::{self, OpenError};
use crate::restoration::{Restored, Source, restore};
use crate::store::{Backups, Change, Key, Opening, RowKind, Store, StoreError, StoreOptions};
use crate::vault::Vault;
use crate::{Error, subject, templates};

/// A vault whose root keys and mirror are outside of its data folder, as they should be.
struct House {
    folder: tempfile::TempDir,
    tenant: TenantId,
    model: ModelId,
}

impl House {
    async fn with(people: &[&str]) -> (Self, Arc<Vault>) {
        let folder = tempfile::tempdir().unwrap();
        let open = Open { vault: opening::open(&settings(folder.path())).await.unwrap().vault, folder };
        let purposes = [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention];
        let tenant = open.tenant_for("bank", &purposes).await;
        let model = open.model(&tenant, "model", 64, None).await;
        for person in people {
            open.enroll(&tenant, person, &model, &face(person)).await;
        }
        let Open { folder, vault } = open;
        (Self { folder, tenant, model }, vault)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    async fn open(&self) -> Arc<Vault> {
        opening::open(&settings(self.folder.path())).await.unwrap().vault
    }

    async fn restore(&self, source: Source<'_>) -> Result<Restored, OpenError> {
        restore(&settings(self.folder.path()), source).await
    }

    async fn enroll(&self, vault: &Arc<Vault>, person: &str) {
        let open = Borrowed(vault);
        open.enroll(&self.tenant, person, &self.model).await;
    }

    async fn erase(&self, vault: &Arc<Vault>, person: &str) {
        let call =
            Borrowed(vault).may::<EraseSubject>(&self.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let id = SubjectId::parse(person).unwrap();
        let erased = subject::erase(vault, call, &id, RequestId::random(), None, soon()).await.unwrap();
        assert_eq!(erased.state, ErasureState::Shredded);
    }

    /// The stored template of a person, if the vault knows them.
    fn template(&self, vault: &Vault, person: &str) -> Option<Vec<f32>> {
        let silo = vault.silos.find(&self.tenant).unwrap();
        let slot = silo.subject(&SubjectId::parse(person).unwrap())?;
        let found = templates::of_subject(&vault.store, &vault.keys, &silo, slot, None).unwrap();
        assert!(found.len() <= 1);
        Some(found.first()?.record.embedding.components().to_vec())
    }
}

/// A vault that is somebody else's to close.
struct Borrowed<'a>(&'a Arc<Vault>);

impl Borrowed<'_> {
    async fn enroll(&self, tenant: &TenantId, person: &str, model: &ModelId) {
        let call = self.may::<lethe_policy::operation::Enroll>(tenant, Role::Enroller, Purpose::Authentication).await;
        let enrolment = crate::enrollment::Enrolment {
            subject: SubjectId::parse(person).unwrap(),
            capture: super::capture(model, &face(person)),
            request: None,
        };
        crate::enrollment::enroll(self.0, &call, enrolment).await.unwrap();
    }

    /// Something that is known of a person.
    async fn describe(&self, tenant: &TenantId, person: &str) {
        let call =
            self.may::<lethe_policy::operation::UpdateSubject>(tenant, Role::Enroller, Purpose::Administration).await;
        let (subject, age) = (SubjectId::parse(person).unwrap(), Some(lethe_domain::AgeBand::Adult));
        crate::subject::update(self.0, call, &subject, crate::subject::Description { age, ..Default::default() })
            .await
            .unwrap();
    }

    async fn outlasting(&self, tenant: &TenantId, person: &str) -> (lethe_domain::Consent, crate::request::Filed) {
        super::outlasting(self.0, tenant, person).await
    }

    async fn may<O: lethe_policy::operation::Kind>(
        &self,
        tenant: &TenantId,
        role: Role,
        purpose: Purpose,
    ) -> lethe_policy::Authorized<O> {
        super::may(self.0, tenant, role, purpose).await
    }
}

fn settings(folder: &Path) -> crate::config::Config {
    let mut config = config(&folder.join("data"));
    config.root.replicas = vec![folder.join("roots")];
    config.mirror.paths = Some(vec![folder.join("mirror")]);
    config
}

/// One direction a person, none like another.
fn face(person: &str) -> Vec<f32> {
    let seed = person.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (0..64_u32).map(|i| f32::from((seed.wrapping_mul(i + 1) >> 16) as i16)).collect()
}

async fn signed(vault: &Vault, tree: TreeId) -> Checkpoint {
    let SignedCheckpoint { note, verifier, .. } = checkpoint(vault, tree).await.unwrap();
    Checkpoint::open(note.as_bytes(), &verifier).unwrap()
}

async fn expect_no_fork(vault: &Vault, tree: TreeId, before: &Checkpoint) {
    let after = signed(vault, tree).await;
    assert_eq!(after.origin, before.origin);
    let proof = prove_consistency(&vault.store.nodes(tree), before.size, after.size).unwrap();
    verify_consistency(before.size, &before.root, after.size, &after.root, &proof).unwrap();
}

/// The whole data folder is lost. What comes back is what an old backup has, less who was erased since.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_backup_under_the_keys_of_today() {
    let (house, vault) = House::with(&["ann", "ben", "cia"]).await;
    house.erase(&vault, "cia").await;
    back_up(&house, &vault);
    house.enroll(&vault, "dan").await;
    house.erase(&vault, "ben").await;
    house.enroll(&vault, "eva").await;
    let ann = house.template(&vault, "ann").unwrap();
    let tree = vault.silos.find(&house.tenant).unwrap().tree;
    let (ours, theirs) = (signed(&vault, tree).await, signed(&vault, TreeId::VAULT).await);
    let mark = vault.keys.allocator(tree).unwrap().mark();
    vault.close().await;
    drop(vault);
    std::fs::remove_dir_all(house.data()).unwrap();

    let backups = house.backups();
    let source = Source { backup: Some((&backups, None)), accept_lost: 3, ..Source::default() };
    let restored = house.restore(source).await.unwrap();
    assert_eq!((restored.back.subjects, restored.back.templates), (1, 1), "{restored:?}");
    assert_eq!((restored.erased.subjects, restored.erased.templates), (1, 1), "{restored:?}");
    assert_eq!(restored.corrupt, Default::default(), "{restored:?}");
    assert!(restored.lost_slots >= 4, "two people with a template each: {restored:?}");

    let vault = house.open().await;
    assert_eq!(house.template(&vault, "ann").unwrap(), ann);
    for gone in ["ben", "cia", "dan", "eva"] {
        assert_eq!(house.template(&vault, gone), None, "{gone}");
    }
    expect_no_fork(&vault, tree, &ours).await;
    expect_no_fork(&vault, TreeId::VAULT, &theirs).await;
    assert!(vault.keys.allocator(tree).unwrap().mark() >= mark.min(1 + 2 * 5), "slots of who is lost are given again");
    house.enroll(&vault, "dan").await;
    house.erase(&vault, "ann").await;
    vault.close().await;
}

/// Evidence of a consent, a request, an entry of a watch list, and whom to tell of an erasure are in the mirror: of who was erased since the backup, and of who is lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_people_outlives_a_restore() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    let before = Borrowed(&vault).outlasting(&house.tenant, "ann").await;
    // It works on the vault alone.
    let open = Open { vault: Arc::clone(&vault), folder: tempfile::tempdir().unwrap() };
    let mut entries = open.watched(&house.tenant, &["ann", "ann"]).await;
    back_up(&house, &vault);
    house.enroll(&vault, "dan").await;
    entries.extend(open.watched(&house.tenant, &["ben", "dan"]).await);
    // What was contested or removed since the backup comes back so, or not at all.
    let call =
        open.may::<ContestWatchlistEntry>(&house.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let fraud = entries[0].list.id.clone();
    entries[0] = crate::watchlist::contest(&vault, call, &fraud, entries[0].id, None).await.unwrap();
    let call = open.may::<RemoveWatchlistEntry>(&house.tenant, Role::FraudAnalyst, Purpose::FraudPrevention).await;
    let entry = entries.remove(1).id;
    let target = crate::watchlist::Target { list: fraud.clone(), entry, request: RequestId::random(), until: soon() };
    crate::watchlist::remove(&vault, call, target).await.unwrap();
    let since = [
        Borrowed(&vault).outlasting(&house.tenant, "ben").await,
        Borrowed(&vault).outlasting(&house.tenant, "dan").await,
    ];
    let told = open.disclosed(&house.tenant, "ben").await;
    let asked_about = open.contested(&house.tenant, "ann").await;
    for subject in ["ben", "dan"] {
        open.contested(&house.tenant, subject).await;
    }
    drop(open);
    house.erase(&vault, "ben").await;
    let tree = vault.silos.find(&house.tenant).unwrap().tree;
    vault.close().await;
    drop(vault);
    std::fs::remove_dir_all(house.data()).unwrap();
    let backups = house.backups();
    let source = Source { backup: Some((&backups, None)), accept_lost: 9, ..Source::default() };
    let restored = house.restore(source).await.unwrap();
    assert_eq!(restored.corrupt, Default::default(), "{restored:?}");

    let vault = house.open().await;
    assert!(house.template(&vault, "ann").is_some() && house.template(&vault, "dan").is_none());
    // Twice: no later epoch takes their slots for burnt.
    for _ in 0..2 {
        for (consent, (id, request)) in since.iter().chain([&before]) {
            let call = Borrowed(&vault).may(&house.tenant, Role::Auditor, Purpose::Audit).await;
            assert_eq!(crate::evidence::get(&vault, call, consent.id).await.unwrap().consent, *consent);
            let call = Borrowed(&vault).may(&house.tenant, Role::Auditor, Purpose::Audit).await;
            assert_eq!(crate::request::get(&vault, call, *id).await.unwrap(), (*id, request.clone()));
        }
        let call = Borrowed(&vault).may(&house.tenant, Role::Auditor, Purpose::Audit).await;
        let owed = crate::notification::list(&vault, call, true, 0, 9).await.unwrap().notifications;
        assert_eq!(owed.len(), 1, "{owed:?}");
        let call = Borrowed(&vault).may(&house.tenant, Role::Auditor, Purpose::Audit).await;
        let back = crate::watchlist::list_entries(&vault, call, &fraud, 0, 9).await.unwrap().entries;
        let (mut back, mut known): (Vec<_>, Vec<_>) = (
            back.into_iter().map(|filed| (filed.id, filed.entry)).collect(),
            entries.iter().map(|filed| (filed.id, filed.entry.clone())).collect(),
        );
        back.sort_by_key(|(id, _)| *id);
        known.sort_by_key(|(id, _)| *id);
        assert_eq!(back, known);
        assert_eq!((owed[0].1.occasion, &owed[0].1.disclosures[..]), (Occasion::Erased, &[told][..]));
        house.enroll(&vault, "eva").await;
        house.erase(&vault, "eva").await;
    }
    let mut asked = Vec::new();
    vault
        .store
        .scan(RowKind::Asked, &Key::prefix_of_tree(RowKind::Asked, tree), |key, _| {
            asked.push(key);
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(asked.len(), 1, "what leads from people to requests is there for who is back: {asked:?}");
    let mut cases = Vec::new();
    vault
        .store
        .scan(RowKind::Case, &Key::prefix_of_tree(RowKind::Case, tree), |key, _| {
            cases.push(key);
            Ok::<_, Error>(())
        })
        .unwrap();
    assert!(
        matches!(cases[..], [Key::Case { case, .. }] if case == asked_about),
        "and what is asked about them: {cases:?}"
    );
    let pressing = vault.silos.find(&house.tenant).unwrap().unanswered.pressing(lethe_domain::Timestamp::now());
    assert_eq!(pressing.all, 3);
    vault.close().await;
}

/// Nothing but the mirror tells that the database is not what it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_brought_up_to_its_mirror() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    let (db, copied) = (house.data().join("db"), house.folder.path().join("copied"));
    vault.close().await;
    drop(vault);
    copy(&db, &copied);
    let vault = house.open().await;
    house.erase(&vault, "ben").await;
    house.enroll(&vault, "dan").await;
    vault.close().await;
    drop(vault);
    std::fs::remove_dir_all(&db).unwrap();
    std::fs::rename(&copied, &db).unwrap();

    assert!(opening::open(&settings(house.folder.path())).await.is_err());
    let restored = house.restore(Source { accept_lost: 1, ..Source::default() }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.erased.subjects), (1, 1), "{restored:?}");
    let vault = house.open().await;
    assert!(house.template(&vault, "ann").is_some());
    assert!(house.template(&vault, "ben").is_none() && house.template(&vault, "dan").is_none());
    vault.close().await;
}

/// What does not open although its key is there is not thrown away unasked; and a gallery that lost a template, or the
/// sketch of one, answers afterwards, for it has neither.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_reported_before_anything_is_given_up() {
    for (kind, damaged) in [(RowKind::Template, 1), (RowKind::Sketch, 2)] {
        let (house, vault) = House::with(&["ann", "ben"]).await;
        let mut row = None;
        let scanned = vault.store.scan(kind, &Key::prefix(kind), |key, value| {
            row = Some((key, value.to_vec()));
            Ok::<_, Error>(())
        });
        scanned.unwrap();
        let (key, mut value) = row.unwrap();
        *value.last_mut().unwrap() ^= 1;
        let mut change = Change::new();
        // Deleted and written again, so that there is still one of it.
        change.delete(key.clone()).put(key, value);
        vault.store.commit(change).await.unwrap();
        back_up(&house, &vault);
        vault.close().await;
        drop(vault);
        std::fs::remove_dir_all(house.data()).unwrap();

        let backups = house.backups();
        let backup = Some((backups.as_path(), Some(1)));
        let refused = house.restore(Source { backup, ..Source::default() }).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{damaged} rows are damaged")) && refused.contains("--accept-loss"),
            "{refused}"
        );
        let unfinished = opening::open(&settings(house.folder.path())).await.map(drop).unwrap_err().to_string();
        assert!(unfinished.contains("was not finished"), "{unfinished}");

        // The same command again, and the loss accepted.
        let restored = house.restore(Source { backup, accept_loss: true, ..Source::default() }).await.unwrap();
        let (back, corrupt) = (restored.back, restored.corrupt);
        // A sketch, and what two enrolments answered.
        assert_eq!((back.subjects, back.templates, back.others), (2, 1, 3), "{kind:?}: {restored:?}");
        assert_eq!((corrupt.subjects, corrupt.templates, corrupt.others), (0, 1, 1), "{kind:?}: {restored:?}");
        assert_eq!(restored.lost_slots, 1, "the key of what is given up goes");
        let vault = house.open().await;
        let silo = vault.silos.find(&house.tenant).unwrap();
        for model in silo.models() {
            assert!(model.fault().is_none(), "{kind:?}: {:?}", model.fault());
        }
        drop(silo);
        vault.close().await;
    }
}

/// A backup is of its day; what people asked for since is not forgotten with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_asked_for_after_a_backup_holds_after_its_restore() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    Borrowed(&vault).describe(&house.tenant, "ann").await;
    back_up(&house, &vault);
    // Since then: one is restricted, one comes and is described, and one is described and erased.
    let officer = Borrowed(&vault);
    let call = officer
        .may::<lethe_policy::operation::RestrictSubject>(
            &house.tenant,
            Role::PrivacyOfficer,
            Purpose::DataSubjectRequest,
        )
        .await;
    let ground = lethe_domain::RestrictionGround::Other;
    crate::subject::restrict(&vault, call, &SubjectId::parse("ann").unwrap(), ground).await.unwrap();
    for person in ["dan", "eve"] {
        house.enroll(&vault, person).await;
        officer.describe(&house.tenant, person).await;
    }
    house.erase(&vault, "eve").await;
    vault.close().await;
    drop(vault);
    std::fs::remove_dir_all(house.data()).unwrap();

    let backups = house.backups();
    let backup = Some((backups.as_path(), Some(1)));
    let restored = house.restore(Source { backup, accept_lost: 4, ..Source::default() }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.corrupt.sum()), (2, 0), "{restored:?}");
    let vault = house.open().await;
    let silo = vault.silos.find(&house.tenant).unwrap();
    let known = |person: &str| {
        let slot = silo.subject(&SubjectId::parse(person).unwrap())?;
        Some(crate::dossiers::of(&vault, &silo, slot).unwrap())
    };
    assert_eq!(known("ann").unwrap().restriction.map(|restriction| restriction.ground), Some(ground));
    assert_eq!(known("ben").unwrap(), lethe_domain::Dossier::default());
    assert!(known("dan").is_none() && known("eve").is_none());
    let mut dossiers = 0;
    let counted = vault.store.scan(RowKind::Dossier, &Key::prefix(RowKind::Dossier), |_, _| {
        dossiers += 1;
        Ok::<_, Error>(())
    });
    counted.unwrap();
    assert_eq!(dossiers, 1, "what is known of nobody is gone");
    drop(silo);
    vault.close().await;
}

/// What must not be done with somebody is not known any more: then nothing is done, and all of the person goes.
#[tokio::test(flavor = "multi_thread")]
async fn whose_dossier_is_damaged_is_given_up_and_not_processed_as_if_there_were_none() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    Borrowed(&vault).describe(&house.tenant, "ben").await;
    let mut row = None;
    let scanned = vault.store.scan(RowKind::Dossier, &Key::prefix(RowKind::Dossier), |key, value| {
        row = Some((key, value.to_vec()));
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    let (key, mut value) = row.unwrap();
    *value.last_mut().unwrap() ^= 1;
    let mut change = Change::new();
    change.put(key, value);
    vault.store.commit(change).await.unwrap();
    back_up(&house, &vault);
    vault.close().await;
    drop(vault);
    std::fs::remove_dir_all(house.data()).unwrap();

    let backups = house.backups();
    let backup = Some((backups.as_path(), Some(1)));
    let refused = house.restore(Source { backup, ..Source::default() }).await.unwrap_err().to_string();
    assert!(refused.contains("rows are damaged") && refused.contains("--accept-loss"), "{refused}");
    let restored = house.restore(Source { backup, accept_loss: true, ..Source::default() }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.back.templates, restored.lost_slots), (1, 1, 2), "{restored:?}");
    let vault = house.open().await;
    assert!(house.template(&vault, "ann").is_some() && house.template(&vault, "ben").is_none());
    let silo = vault.silos.find(&house.tenant).unwrap();
    assert!(silo.models().iter().all(|model| model.fault().is_none()), "the gallery that is left is whole");
    drop(silo);
    vault.close().await;
}

/// The disk lost what it had made durable, of one family of rows, and nothing that is left speaks of it but the marks.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::wildcard_enum_match_arm, reason = "no other row is of a person")]
async fn what_lost_rows_between_others_is_refused_and_given_up_only_when_that_is_asked() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    vault.close().await;
    drop(vault);
    // From here on there are marks after the first.
    let vault = house.open().await;
    let silo = vault.silos.find(&house.tenant).unwrap();
    let ben = silo.subject(&SubjectId::parse("ben").unwrap()).unwrap();
    let mut change = Change::new();
    change.delete(Key::Subject { tree: silo.tree, subject: ben }).delete(Key::RowsMark { number: 0 });
    let mut census = None;
    for kind in [RowKind::Template, RowKind::Sketch, RowKind::SubjectRequest, RowKind::Census] {
        let scanned = vault.store.scan(kind, &Key::prefix(kind), |key, value| {
            let is_bens = match key {
                Key::Template { at, .. } | Key::Sketch { at, .. } => at.subject == ben,
                Key::SubjectRequest { subject, .. } => subject == ben,
                _ => false,
            };
            if is_bens {
                change.delete(key);
            } else if let Key::Census { .. } = key {
                census = Some((key, value.to_vec()));
            }
            Ok::<_, Error>(())
        });
        scanned.unwrap();
    }
    drop(silo);
    vault.store.commit(change).await.unwrap();
    // It was written later, and counts them.
    let (key, count) = census.unwrap();
    let mut change = Change::new();
    change.put(key, count);
    vault.store.commit(change).await.unwrap();
    vault.close().await;
    drop(vault);

    let refused = opening::open(&settings(house.folder.path())).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("is not whole") && refused.contains("with a backup"), "{refused}");
    let refused = house.restore(Source { accept_lost: 100, ..Source::default() }).await.unwrap_err().to_string();
    assert!(refused.contains("is not whole") && refused.contains("--accept-loss"), "{refused}");
    let refused = house.restore(Source { accept_loss: true, ..Source::default() }).await.unwrap_err().to_string();
    assert!(refused.contains("--accept-lost 2"), "{refused}");
    // From here on it is as whole as it will be, and a number has to be agreed to all the same.
    let refused = house.restore(Source { accept_lost: 1, ..Source::default() }).await.unwrap_err().to_string();
    assert!(refused.contains("--accept-lost 2"), "{refused}");
    let restored = house.restore(Source { accept_lost: 2, ..Source::default() }).await.unwrap();
    assert_eq!((restored.back.subjects, restored.lost_slots), (1, 2), "{restored:?}");

    let vault = house.open().await;
    assert!(house.template(&vault, "ann").is_some() && house.template(&vault, "ben").is_none());
    let silo = vault.silos.find(&house.tenant).unwrap();
    assert!(silo.models().iter().all(|model| model.fault().is_none()), "the gallery that is left is whole");
    drop(silo);
    house.enroll(&vault, "ben").await;
    vault.close().await;
    drop(vault);
    house.open().await.close().await;
}

/// Of the key tree and of logs the mirror has everything.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_of_the_tree_or_the_logs_is_taken_from_the_mirror() {
    let lost =
        [(Key::TreeMark { number: 0 }, RowKind::Page, false), (Key::LogMark { number: 0 }, RowKind::LogEntry, true)];
    for (mark, kind, accept_loss) in lost {
        let (house, vault) = House::with(&["ann", "ben"]).await;
        house.erase(&vault, "ben").await;
        vault.close().await;
        drop(vault);
        // From here on there are marks after the first.
        let vault = house.open().await;
        let mirror = vault.store.mirrors()[0].id;
        let mut rows = Vec::new();
        let scanned = vault.store.scan(kind, &Key::prefix(kind), |key, value| {
            rows.push((key, value.to_vec()));
            Ok::<_, Error>(())
        });
        scanned.unwrap();
        vault.close().await;
        drop(vault);
        // Behind the mirror's back.
        let options = StoreOptions { opening: Opening::Restoring(vec![mirror]), ..StoreOptions::default() };
        let store = Store::open(&house.data().join("db"), &options).unwrap();
        let mut change = Change::new();
        change.delete(mark);
        for (key, _) in &rows {
            change.delete(key.clone());
        }
        store.commit(change).await.unwrap();
        drop(store);

        let refused = opening::open(&settings(house.folder.path())).await.map(drop).unwrap_err().to_string();
        assert!(refused.contains("`lethe restore` takes them from the mirror"), "{refused}");
        if accept_loss {
            let refused = house.restore(Source::default()).await.unwrap_err().to_string();
            assert!(refused.contains("--accept-loss"), "{refused}");
        }
        let restored = house.restore(Source { accept_loss, ..Source::default() }).await.unwrap();
        assert_eq!((restored.back.subjects, restored.lost_slots), (1, 0), "{kind:?}: {restored:?}");
        let vault = house.open().await;
        for (key, value) in rows {
            assert_eq!(vault.store.get(&key).unwrap(), Some(value), "{key:?}");
        }
        assert!(house.template(&vault, "ann").is_some());
        vault.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_fork_or_mix_vaults_is_refused() {
    let (house, vault) = House::with(&["ann"]).await;
    back_up(&house, &vault);
    vault.close().await;
    drop(vault);
    let (other, vault) = House::with(&["zoe"]).await;
    vault.close().await;
    drop(vault);

    // A database is in the way.
    let backups = house.backups();
    let source = Source { backup: Some((&backups, None)), ..Source::default() };
    let refused = house.restore(source.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("move it away"), "{refused}");
    // Another vault's backup under this vault's mirror.
    std::fs::remove_dir_all(other.data()).unwrap();
    let refused = other.restore(source.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("another vault"), "{refused}");
    assert_eq!(std::fs::read_dir(other.data()).unwrap().count(), 0, "what does not fit is not left there");
    // No mirror at all.
    std::fs::remove_dir_all(house.data()).unwrap();
    let (mirror, aside) = (house.folder.path().join("mirror"), house.folder.path().join("aside"));
    std::fs::rename(&mirror, &aside).unwrap();
    let refused = house.restore(source.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("names no mirror"), "{refused}");
    assert!(!house.data().exists(), "nothing is copied before it is known to be of use");
    std::fs::rename(&aside, &mirror).unwrap();
    let nothing = house.restore(Source::default()).await.unwrap_err().to_string();
    assert!(nothing.contains("name a folder of backups"), "{nothing}");
    house.restore(source).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_listed_verified_and_pruned() {
    let (house, vault) = House::with(&["ann"]).await;
    let backups = Backups::own(&house.backups(), &vault.id, false).unwrap();
    let first = backups.create(&vault.store, 0).unwrap();
    house.enroll(&vault, "ben").await;
    let second = backups.create(&vault.store, 0).unwrap();
    assert_eq!((first.number, second.number, backups.next()), (1, 2, 3));
    assert_eq!(backups.list(), [first, second]);
    let elsewhere = house.folder.path().join("elsewhere");
    assert!(backups.verify(2, None, 0).unwrap() > backups.verify(1, Some(&elsewhere), 0).unwrap());
    for scratch in [house.backups().join("scratch"), elsewhere.join("scratch")] {
        assert!(!scratch.exists());
    }
    let full = |refused| assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    full(backups.create(&vault.store, u64::MAX).unwrap_err());
    full(backups.verify(1, None, u64::MAX).unwrap_err());
    assert!(!house.backups().join("scratch").exists());
    backups.prune(1).unwrap();
    assert_eq!(backups.list(), [second]);
    assert!(matches!(backups.verify(1, None, 0), Err(StoreError::NoSuchBackup { number: 1, .. })));
    assert_eq!(backups.next(), 3, "a number does not come again");
    vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_backups_is_one_vaults_and_is_not_made_by_looking() {
    let (house, vault) = House::with(&["ann"]).await;
    back_up(&house, &vault);
    let (other, stranger) = House::with(&["zoe"]).await;
    let refused = Backups::own(&house.backups(), &stranger.id, false).map(drop).unwrap_err();
    assert!(refused.to_string().contains(&vault.id.to_string()), "{refused}");
    for nowhere in [other.backups(), other.data()] {
        assert!(matches!(Backups::open(&nowhere), Err(StoreError::NoBackups { .. })));
    }
    assert!(!other.backups().exists() && !other.data().join("meta").exists());
    vault.close().await;
    stranger.close().await;
}

/// A row of a backup that cannot be read is found before it is needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_not_sound() {
    let (house, vault) = House::with(&["ann", "ben"]).await;
    // Closed and opened, so that rows are in table files, too.
    vault.close().await;
    drop(vault);
    let vault = house.open().await;
    back_up(&house, &vault);
    vault.close().await;
    let backups = Backups::open(&house.backups()).unwrap();
    backups.verify(1, None, 0).unwrap();
    let mut damaged = 0;
    for file in std::fs::read_dir(house.backups().join("shared_checksum")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        damaged += 1;
    }
    assert!(damaged > 0);
    backups.verify(1, None, 0).unwrap_err();
    assert!(!house.backups().join("scratch").exists());
}

/// A backup that cannot even be listed any more is named, and no older one is taken in its place unasked.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_list_is_damaged_is_named() {
    let (house, vault) = House::with(&["ann"]).await;
    back_up(&house, &vault);
    house.enroll(&vault, "ben").await;
    back_up(&house, &vault);
    vault.close().await;
    drop(vault);
    std::fs::write(house.backups().join("meta").join("2"), "").unwrap();
    let backups = Backups::open(&house.backups()).unwrap();
    assert_eq!((backups.list().len(), backups.damaged()), (1, vec![2]));
    for fault in [backups.newest().map(drop), backups.verify(2, None, 0).map(drop)] {
        assert!(matches!(fault, Err(StoreError::Backup { number: 2, .. })), "{fault:?}");
    }
    std::fs::remove_dir_all(house.data()).unwrap();
    let folder = house.backups();
    let source = |number| Source { backup: Some((&folder, number)), accept_lost: 1, ..Source::default() };
    let refused = house.restore(source(None)).await.unwrap_err().to_string();
    assert!(refused.contains("backup 2 of"), "{refused}");
    let restored = house.restore(source(Some(1))).await.unwrap();
    assert_eq!((restored.back.subjects, restored.lost_slots > 0), (1, true), "{restored:?}");
}

fn back_up(house: &House, vault: &Vault) {
    Backups::own(&house.backups(), &vault.id, false).unwrap().create(&vault.store, 0).unwrap();
}
