//! Whole epochs: the writer that the vault uses, on the store under test.

use lethe_crypto::epoch::{EpochWriter, Outcome, Takeover};
use lethe_crypto::root::{FileRootStore, FileRootStoreOptions, MigratingRootStore};
use lethe_crypto::tree::{PageCache, Redraw, SlotRef, TreeId};
use lethe_crypto::{Error, Result};

use super::journal::Disk;
use super::*;

fn tenant() -> TreeId {
    TreeId::tenant(SlotRef::first(1)).unwrap()
}

fn erase(slot: u64) -> Redraw {
    let mut redraw = Redraw::new();
    redraw.erase(tenant(), SlotRef::first(slot));
    redraw
}

fn start(disk: &Arc<Disk>, store: &Arc<dyn RootStore>) -> Result<EpochWriter<Disk>> {
    let cache = Arc::new(PageCache::new(16));
    wait(EpochWriter::open(Arc::clone(disk), Arc::clone(store), cache, Takeover::Refuse))
}

fn lives(writer: &EpochWriter<Disk>, disk: &Disk, slot: u64) -> bool {
    writer.view().open_slot(disk, tenant(), SlotRef::first(slot)).unwrap().is_some()
}

fn commit(writer: &mut EpochWriter<Disk>, slot: u64) {
    match wait(writer.run(&erase(slot), &())).unwrap() {
        Outcome::Destroyed(evidence) => assert!(!evidence.was_absent),
        Outcome::Pending(error) => panic!("{}", words(&error)),
    }
}

pub fn epochs_run_on_it_over_restarts(fixture: &dyn Fixture) {
    let disk = Arc::new(Disk::default());
    for slot in 1..4 {
        let store = fixture.open();
        let mut writer = start(&disk, &store).unwrap();
        assert!((slot..5).all(|slot| lives(&writer, &disk, slot)));
        commit(&mut writer, slot);
        assert!((1..=slot).all(|slot| !lives(&writer, &disk, slot)));
        assert_eq!(wait(store.epochs()).unwrap(), [writer.epoch().root]);
    }
    let content = disk.0.lock().unwrap();
    assert_eq!(content.destroyed.len(), 3);
    assert!(content.destroyed.iter().all(|evidence| evidence.store == fixture.kind()));
}

pub fn an_orphan_is_destroyed_at_the_next_start(fixture: &dyn Fixture) {
    let disk = Arc::new(Disk::default());
    let store = fixture.open();
    drop(start(&disk, &store).unwrap());
    let held = wait(store.claimed()).unwrap().unwrap();
    let root = wait(store.epochs()).unwrap();
    // A commit that died after it had made its root, and one that died after wrapping.
    wait(store.create(&held)).unwrap();
    let orphan = wait(store.create(&held)).unwrap();
    wait(store.wrap(&held, orphan, &vault_key(7), b"")).unwrap();
    assert_eq!(wait(store.epochs()).unwrap().len(), 3);
    drop(store);

    let store = fixture.open();
    let mut writer = start(&disk, &store).unwrap();
    assert_eq!(wait(store.epochs()).unwrap(), root);
    commit(&mut writer, 1);
}

pub fn a_clone_is_fenced_out(fixture: &dyn Fixture) {
    let disk = Arc::new(Disk::default());
    let store = fixture.open();
    let mut writer = start(&disk, &store).unwrap();
    commit(&mut writer, 1);
    let clone = disk.copy();
    drop(writer);
    let mut writer = start(&disk, &store).unwrap();
    assert!(matches!(start(&clone, &store).err(), Some(Error::Fenced)));
    commit(&mut writer, 2);
    assert!(matches!(start(&clone, &store).err(), Some(Error::RootMissing { .. })));
    let another = Arc::new(Disk::default());
    assert!(matches!(start(&another, &store).err(), Some(Error::ForeignVault)));
    assert_eq!(wait(store.epochs()).unwrap(), [writer.epoch().root]);
}

pub fn a_vault_moves_here_from_a_file_and_back(fixture: &dyn Fixture) {
    let (disk, directory) = (Arc::new(Disk::default()), tempfile::tempdir().unwrap());
    let options = FileRootStoreOptions::new(directory.path().join("roots"), directory.path());
    let file: Arc<dyn RootStore> = Arc::new(FileRootStore::open(options).unwrap());
    commit(&mut start(&disk, &file).unwrap(), 1);

    let here = fixture.open();
    let moving = Arc::new(MigratingRootStore::new(Arc::clone(&file), Arc::clone(&here)));
    assert!(!wait(moving.is_done()).unwrap());
    let both: Arc<dyn RootStore> = Arc::clone(&moving) as _;
    commit(&mut start(&disk, &both).unwrap(), 2);
    assert!(wait(moving.is_done()).unwrap());
    assert!(wait(file.epochs()).unwrap().is_empty());
    // The root that moved the vault was destroyed in the file, as the evidence says.
    assert_eq!(disk.0.lock().unwrap().destroyed[1].store, StoreKind::File);
    let mut writer = start(&disk, &here).unwrap();
    commit(&mut writer, 3);
    assert!(lives(&writer, &disk, 4) && !lives(&writer, &disk, 3));
    drop(writer);

    let back: Arc<dyn RootStore> = Arc::new(MigratingRootStore::new(Arc::clone(&here), Arc::clone(&file)));
    commit(&mut start(&disk, &back).unwrap(), 4);
    assert!(wait(here.epochs()).unwrap().is_empty());
    let writer = start(&disk, &file).unwrap();
    assert!(lives(&writer, &disk, 5) && !lives(&writer, &disk, 4));
}
