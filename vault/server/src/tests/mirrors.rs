//! Mirrors: they have what the store has, nothing is destroyed without them, and they tell of a store put back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lethe_domain::{Purpose, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::EraseSubject;
use tokio::time::Instant;

use super::{Open, PATIENCE, config, copy};
use crate::erasure::{Erasure, ErasureState};
use crate::opening::{self, OpenError};
use crate::store::{Key, RowKind, Store, StoreError, StoreOptions};
use crate::{Error, subject};

const FACE: [f32; 64] = [0.5; 64];

/// What a database has of a kind, by key.
fn rows(folder: &Path, kind: RowKind) -> Vec<(Key, Vec<u8>)> {
    let mut rows = Vec::new();
    let scanned = Store::read_only(folder).unwrap().scan(kind, &Key::prefix(kind), |key, value| {
        rows.push((key, value.to_vec()));
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    rows
}

/// A vault in which people have come and gone.
async fn lived_in() -> (Open, TenantId) {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    for subject in ["ann", "ben", "cia"] {
        open.enroll(&tenant, subject, &model, &FACE).await;
    }
    erase(&open, &tenant, "ann", PATIENCE).await;
    (open, tenant)
}

async fn erase(open: &Open, tenant: &TenantId, subject: &str, wait: Duration) -> Erasure {
    let call = open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let subject = SubjectId::parse(subject).unwrap();
    subject::erase(&open.vault, call, &subject, RequestId::random(), None, Some(Instant::now() + wait)).await.unwrap()
}

async fn refusal(folder: &Path) -> StoreError {
    match opening::open(&config(folder)).await {
        Err(OpenError::Vault(Error::Store(refusal))) => refusal,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the vault opened"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_has_every_row_but_those_of_subjects() {
    let (open, tenant) = lived_in().await;
    let open = open.reopen().await;
    erase(&open, &tenant, "ben", PATIENCE).await;
    open.vault.close().await;
    let Open { folder, vault } = open;
    // It may still be tidying up its files, which would be missed.
    drop(vault);
    let (db, mirror) = (folder.path().join("db"), folder.path().join("mirror"));
    let with_subjects =
        [RowKind::Subject, RowKind::Template, RowKind::Sketch, RowKind::SubjectRequest, RowKind::Census];
    // Each database has its own.
    let own = [RowKind::Position, RowKind::TreeMark, RowKind::RowsMark, RowKind::LogMark];
    for kind in RowKind::ALL {
        let (ours, theirs) = (rows(&db, kind), rows(&mirror, kind));
        if with_subjects.contains(&kind) {
            assert!(theirs.is_empty(), "{kind:?}");
        } else if !own.contains(&kind) {
            assert_eq!(ours, theirs, "{kind:?}");
        }
    }
    for kind in
        [RowKind::Page, RowKind::Epoch, RowKind::HighWater, RowKind::LogEntry, RowKind::Receipt, RowKind::Mirror]
    {
        assert!(!rows(&mirror, kind).is_empty(), "{kind:?} was compared with nothing");
    }
}

/// Also where the mirror was away for a while: it is copied to, then follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_was_away_keeps_erasures_pending_and_catches_up() {
    let (open, tenant) = lived_in().await;
    let (mirror, aside) = (open.folder.path().join("mirror"), open.folder.path().join("aside"));
    open.vault.close().await;
    std::fs::rename(&mirror, &aside).unwrap();
    let open = open.reopen_closed().await;

    let erasure = erase(&open, &tenant, "ben", Duration::from_millis(500)).await;
    assert_eq!(erasure.state, ErasureState::Pending);
    let silo = open.silo(&tenant);
    assert!(silo.subject(&SubjectId::parse("ben").unwrap()).is_none(), "accepted is gone from sight");
    assert!(open.vault.store.mirrors()[0].fault().is_some());
    assert!(!mirror.exists(), "a mirror is not made anew where one was");
    // Whatever goes on meanwhile, nothing is destroyed.
    let epochs = rows_of(&open, RowKind::EpochEnd);

    std::fs::rename(&aside, &mirror).unwrap();
    let state = open.vault.eraser.wait(silo.tree, erasure.receipt, Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(state, ErasureState::Shredded);
    assert_eq!(rows_of(&open, RowKind::EpochEnd), epochs + 1);
    assert!(open.vault.store.mirrors()[0].fault().is_none());
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);
    let db = folder.path().join("db");
    for kind in [RowKind::Page, RowKind::Epoch, RowKind::LogEntry, RowKind::LogNode, RowKind::LogHead] {
        assert_eq!(rows(&db, kind), rows(&mirror, kind), "{kind:?}");
    }
}

fn rows_of(open: &Open, kind: RowKind) -> usize {
    let mut count = 0;
    let scanned = open.vault.store.scan(kind, &Key::prefix(kind), |_, _| {
        count += 1;
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    count
}

/// Rolled back within one epoch and one run: only a mirror can tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_is_refused() {
    let (open, tenant) = lived_in().await;
    let open = open.reopen().await;
    let (db, copied) = (open.folder.path().join("db"), open.folder.path().join("copied"));
    // A copy of a running database: what RocksDB recovers of it is a state that was once there.
    copy(&db, &copied);
    let model = lethe_domain::ModelId::parse("model", "1").unwrap();
    open.enroll(&tenant, "dan", &model, &FACE).await;
    let sequence = open.vault.store.barrier().await.unwrap();
    open.vault.store.mirrored(sequence).await.unwrap();
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);

    let aside = folder.path().join("aside");
    std::fs::rename(&db, &aside).unwrap();
    std::fs::rename(&copied, &db).unwrap();
    let refused = refusal(folder.path()).await;
    assert!(matches!(&refused, StoreError::Behind { lost, .. } if *lost > 0), "{refused}");
    assert!(refused.to_string().contains("lethe restore"), "{refused}");

    std::fs::remove_dir_all(&db).unwrap();
    std::fs::rename(&aside, &db).unwrap();
    opening::open(&config(folder.path())).await.unwrap().vault.close().await;
}

/// The mirror tells it also where it came back only when the store was open already: it is not overwritten, and nothing
/// is destroyed.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_while_its_mirror_was_away_is_found_out() {
    let (open, tenant) = lived_in().await;
    let open = open.reopen().await;
    let (db, copied) = (open.folder.path().join("db"), open.folder.path().join("copied"));
    let (mirror, aside) = (open.folder.path().join("mirror"), open.folder.path().join("aside"));
    copy(&db, &copied);
    let model = lethe_domain::ModelId::parse("model", "1").unwrap();
    for number in 0..20 {
        open.enroll(&tenant, &format!("dan-{number}"), &model, &FACE).await;
    }
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);
    std::fs::remove_dir_all(&db).unwrap();
    std::fs::rename(&copied, &db).unwrap();
    std::fs::rename(&mirror, &aside).unwrap();

    let vault = opening::open(&config(folder.path())).await.unwrap().vault;
    let open = Open { vault, folder };
    let before = rows(&aside, RowKind::LogHead);
    std::fs::rename(&aside, &mirror).unwrap();
    let pending = erase(&open, &tenant, "ben", Duration::from_secs(2)).await;
    assert_eq!(pending.state, ErasureState::Pending);
    let fault = open.found_out("different ways").await;
    assert!(fault.contains("lethe restore"), "{fault}");
    assert_eq!(rows(&mirror, RowKind::LogHead), before);
    open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_not_left_out_nor_exchanged() {
    let (open, _) = lived_in().await;
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);
    let other = Open::fresh().await;
    other.vault.close().await;

    let with = |paths: Vec<PathBuf>| {
        let mut config = config(folder.path());
        config.mirror.paths = Some(paths);
        async move { opening::open(&config).await.map(drop).unwrap_err().to_string() }
    };
    let left_out = with(vec![]).await;
    assert!(left_out.contains("lethe mirror drop"), "{left_out}");
    let foreign = with(vec![other.folder.path().join("mirror")]).await;
    assert!(foreign.contains("another vault's"), "{foreign}");
    // Another folder, which holds the mirror, is as good.
    let moved = folder.path().join("moved");
    std::fs::rename(folder.path().join("mirror"), &moved).unwrap();
    let mut config = config(folder.path());
    config.mirror.paths = Some(vec![moved]);
    opening::open(&config).await.unwrap().vault.close().await;
}

/// A start that was cut short after it made a mirror, and before that was on record.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_never_got_on_record_is_taken_up_again() {
    let (open, _) = lived_in().await;
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);
    let (db, second) = (folder.path().join("db"), folder.path().join("second"));
    let mirrors = vec![folder.path().join("mirror"), second.clone()];
    let options = StoreOptions { mirrors: mirrors.clone(), ..StoreOptions::default() };
    let store = Store::open(&db, &options).unwrap();
    store.begin_mirroring().unwrap();
    let begun = store.new_mirrors()[0].id;
    store.mirrored(store.barrier().await.unwrap()).await.unwrap();
    store.close();
    drop(store);

    let with = |paths: Vec<PathBuf>| {
        let mut config = config(folder.path());
        config.mirror.paths = Some(paths);
        config
    };
    let vault = opening::open(&with(mirrors)).await.unwrap().vault;
    assert_eq!(vault.store.mirrors()[1].id, begun);
    let sequence = vault.store.barrier().await.unwrap();
    vault.store.mirrored(sequence).await.unwrap();
    vault.close().await;
    drop(vault);
    // On record by now: once dropped, it is none of this vault's any more.
    let only = with(vec![folder.path().join("mirror")]);
    crate::drop_mirror(&only, begun).await.unwrap();
    let dropped = with(vec![folder.path().join("mirror"), second]);
    let refused = opening::open(&dropped).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("was dropped"), "{refused}");
    opening::open(&only).await.unwrap().vault.close().await;
}

/// Its disk is lost, and another is in its place already.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_dropped_where_another_is_to_take_its_folder() {
    let (open, _) = lived_in().await;
    let mirror = open.vault.store.mirrors()[0].clone();
    open.vault.close().await;
    let Open { folder, vault } = open;
    drop(vault);
    std::fs::remove_dir_all(&mirror.path).unwrap();
    crate::drop_mirror(&config(folder.path()), mirror.id).await.unwrap();
    assert!(!mirror.path.exists(), "dropping one makes no other");
    let vault = opening::open(&config(folder.path())).await.unwrap().vault;
    let states = vault.store.mirrors();
    assert!(states.len() == 1 && states[0].id != mirror.id && states[0].path == mirror.path, "{states:?}");
    vault.close().await;
}

/// Slots that a mirror does not know of would be given again after a restore: none is used before it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_in_the_mirror_before_its_slots_are_used() {
    let (open, _) = lived_in().await;
    let sequence = open.vault.store.barrier().await.unwrap();
    let marks = |folder: &Path| rows(folder, RowKind::HighWater);
    // Not closed: what the mirror has now is what a disaster would leave.
    let copied = open.folder.path().join("copied");
    copy(&open.folder.path().join("mirror"), &copied);
    let in_store: Vec<_> = marks(&open.folder.path().join("db"));
    assert_eq!(marks(&copied), in_store, "at sequence {sequence}");
}
