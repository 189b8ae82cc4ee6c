//! The file store against what disks, operators and crashes do to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::layout::{BLOCK, FILE};
use super::*;

mod abandoning;
mod sealing;

/// A directory with `replicas` files' names in it.
struct Files {
    directory: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    fn new(replicas: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = (0..replicas).map(|n| directory.path().join(format!("roots-{n}"))).collect();
        Self { directory, paths }
    }

    fn options(&self) -> FileRootStoreOptions {
        FileRootStoreOptions { replicas: self.paths.clone(), ..FileRootStoreOptions::new("", self.directory.path()) }
    }

    fn open(&self) -> Result<FileRootStore> {
        FileRootStore::open(self.options())
    }

    fn open_claimed(&self) -> (FileRootStore, Claim) {
        let store = self.open().unwrap();
        wait(store.claim(VAULT, &[], FIRST)).unwrap();
        (store, Claim { vault: VAULT, incarnation: FIRST })
    }
}

const VAULT: VaultId = VaultId::from_bytes([1; 16]);
const FIRST: Incarnation = Incarnation::from_bytes([2; 16]);
const SECOND: Incarnation = Incarnation::from_bytes([3; 16]);
const THIRD: Incarnation = Incarnation::from_bytes([4; 16]);

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn vault_key(fill: u8) -> VaultKey {
    VaultKey::fill_with(|key| {
        key.fill(fill);
        Ok::<_, Error>(())
    })
    .unwrap()
}

/// Each replica is read by itself: what one of them has is not said of the other.
#[test]
fn a_replica_is_inspected_without_the_others() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    assert!(matches!(ReplicaState::read(&files.paths[0]), Err(Error::Locked(_))));
    drop(store);
    edit(&files.paths[1], |bytes| bytes[layout::offset(0) as usize + 20] ^= 1);
    let before: Vec<_> = files.paths.iter().map(|path| fs::read(path).unwrap()).collect();

    let whole = ReplicaState { claim: Some(claim), roots: vec![root], damaged: 0 };
    assert_eq!(ReplicaState::read(&files.paths[0]).unwrap(), whole);
    let torn = ReplicaState { roots: vec![], damaged: 1, ..whole };
    assert_eq!(ReplicaState::read(&files.paths[1]).unwrap(), torn);
    assert!(matches!(ReplicaState::read(&files.directory.path().join("none")), Err(Error::ReplicaMissing(_))));
    let after: Vec<_> = files.paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(before, after);
}

/// Who only looks needs no lock, and changes nothing, whatever is damaged.
#[test]
fn roots_are_read_of_a_store_that_is_in_use() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"context")).unwrap();
    edit(&files.paths[1], |bytes| bytes[slot_block(0)].fill(9));
    let before: Vec<_> = files.paths.iter().map(|path| fs::read(path).unwrap()).collect();

    let reader = FileRootReader::read(&files.paths, &RootSeal::None).unwrap();
    assert_eq!((reader.epochs(), reader.claimed()), (vec![root], Some(claim)));
    let key = reader.unwrap(root, &wrapped, b"context").unwrap();
    assert_eq!(key.expose(), vault_key(7).expose());
    assert!(matches!(reader.unwrap(root, &wrapped, b"another"), Err(Error::NotAuthentic)));
    let none = RootId::from_bytes([9; 16]);
    assert!(matches!(reader.unwrap(none, &wrapped, b"context"), Err(Error::NoSuchRoot(_))));
    let missing = [files.paths[0].clone(), files.directory.path().join("none")];
    assert!(matches!(FileRootReader::read(&missing, &RootSeal::None), Err(Error::ReplicaMissing(_))));
    let credential = RootSeal::Credential(RootCredential::from_slice(&[1; 32]).unwrap());
    assert!(matches!(FileRootReader::read(&files.paths, &credential), Err(Error::Credential(_))));
    assert_eq!(before, files.paths.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>());
    drop(store);
}

/// Changes a file behind the store's back.
fn edit(path: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn slot_block(slot: usize) -> std::ops::Range<usize> {
    let start = (layout::HEADERS + slot) * BLOCK;
    start..start + BLOCK
}

/// The key that a replica holds for the root in slot 0.
fn key_on_disk(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()[slot_block(0)][32..64].to_vec()
}

fn holds(path: &Path, needle: &[u8]) -> bool {
    fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
}

#[test]
fn a_key_is_wrapped_once_and_unwrapped_after_a_restart() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"context")).unwrap();
    let again = wait(store.wrap(&claim, root, &vault_key(8), b"context"));
    assert!(matches!(again, Err(Error::AlreadyWrapped(id)) if id == root));
    drop(store);

    let store = files.open().unwrap();
    assert_eq!(wait(store.claimed()).unwrap(), Some(claim));
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    assert_eq!(wait(store.unwrap(root, &wrapped, b"context")).unwrap().expose(), &[7; 32]);
    assert!(matches!(wait(store.unwrap(root, &wrapped, b"another")), Err(Error::NotAuthentic)));
    assert!(matches!(wait(store.wrap(&claim, root, &vault_key(8), b"context")), Err(Error::AlreadyWrapped(_))));
    for position in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[position] ^= 1;
        assert!(wait(store.unwrap(root, &changed, b"context")).is_err(), "byte {position}");
    }
}

#[test]
fn a_wrapped_key_opens_under_its_own_root_only() {
    let files = Files::new(1);
    let (store, claim) = files.open_claimed();
    let (a, b) = (wait(store.create(&claim)).unwrap(), wait(store.create(&claim)).unwrap());
    let wrapped = wait(store.wrap(&claim, a, &vault_key(7), b"")).unwrap();
    assert!(matches!(wait(store.unwrap(b, &wrapped, b"")), Err(Error::NotAuthentic)));
}

#[test]
fn a_destroyed_root_is_in_no_byte_of_any_replica() {
    let files = Files::new(3);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let kept = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    let key = key_on_disk(&files.paths[0]);
    assert!(files.paths.iter().all(|path| holds(path, &key)));

    let evidence = wait(store.destroy(&claim, root)).unwrap();
    assert_eq!((evidence.store, evidence.root, evidence.replicas), (StoreKind::File, root, 3));
    assert!(!evidence.was_absent);
    for path in &files.paths {
        assert!(!holds(path, &key) && !holds(path, root.as_bytes()));
        assert!(fs::read(path).unwrap()[slot_block(0)].iter().all(|byte| *byte == 0));
    }
    assert_eq!(wait(store.epochs()).unwrap(), [kept]);
    assert!(matches!(wait(store.unwrap(root, &wrapped, b"")), Err(Error::NoSuchRoot(_))));
    assert!(wait(store.destroy(&claim, root)).unwrap().was_absent, "destroying may be repeated");
}

/// A crash between two replicas of a destruction: the root still exists, and is destroyed again.
#[test]
fn a_half_destroyed_root_exists_until_it_is_destroyed_everywhere() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    let key = key_on_disk(&files.paths[0]);
    drop(store);
    for half in [0x00, 0xa5] {
        edit(&files.paths[0], |bytes| bytes[slot_block(0)].fill(half));
        let store = files.open().unwrap();
        assert_eq!(wait(store.epochs()).unwrap(), [root]);
        // Not destroyed after all: whoever unwraps gives it back to the replica that lost it.
        assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
        assert_eq!(key_on_disk(&files.paths[0]), key);
    }
    edit(&files.paths[0], |bytes| bytes[slot_block(0)].fill(0xa5));
    let store = files.open().unwrap();
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    assert!(files.paths.iter().all(|path| !holds(path, &key)));
    assert!(wait(store.epochs()).unwrap().is_empty());
}

/// One device lies, or a write is torn: what is left of a root in a damaged block goes with it.
#[test]
fn remains_in_a_damaged_slot_are_destroyed_too() {
    let files = Files::new(1);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let kept = wait(store.create(&claim)).unwrap();
    let key = key_on_disk(&files.paths[0]);
    drop(store);
    // The key is whole, but the id and the checksum are not.
    edit(&files.paths[0], |bytes| bytes[slot_block(0)][16..32].fill(0xee));

    let store = files.open().unwrap();
    assert_eq!(wait(store.epochs()).unwrap(), [kept]);
    assert!(holds(&files.paths[0], &key));
    wait(store.destroy(&claim, root)).unwrap();
    assert!(!holds(&files.paths[0], &key));
    assert_eq!(wait(store.epochs()).unwrap(), [kept]);
}

#[test]
fn a_damaged_copy_of_another_root_is_left_alone() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let kept = wait(store.create(&claim)).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, kept, &vault_key(7), b"")).unwrap();
    drop(store);
    edit(&files.paths[0], |bytes| bytes[slot_block(0)][40] ^= 1);
    let store = files.open().unwrap();
    wait(store.destroy(&claim, root)).unwrap();
    assert_eq!(wait(store.unwrap(kept, &wrapped, b"")).unwrap().expose(), &[7; 32]);
}

/// Every prefix of a slot write, as a torn write leaves it: the root exists or it does not, nothing breaks.
#[test]
fn a_torn_slot_write_is_told() {
    let files = Files::new(1);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    drop(store);
    let written = fs::read(&files.paths[0]).unwrap()[slot_block(0)].to_vec();
    for length in (0..100).chain([511, 512, 513, BLOCK]) {
        edit(&files.paths[0], |bytes| {
            let block = &mut bytes[slot_block(0)];
            block.fill(0);
            block[..length].copy_from_slice(&written[..length]);
        });
        let store = files.open().unwrap();
        let exists = wait(store.epochs()).unwrap() == [root];
        // What was not written any more may be zeros that are there already.
        let whole = written[length.min(96)..96].iter().all(|byte| *byte == 0);
        assert_eq!(exists, whole, "length {length}");
        assert!(wait(store.create(&claim)).is_ok(), "another slot is taken");
        drop(store);
        edit(&files.paths[0], |bytes| bytes[slot_block(1)].fill(0));
    }
}

/// A claim is written over the older header: a torn one leaves the newer, and the claim is repeated.
#[test]
fn a_torn_header_write_leaves_the_claim_before() {
    let files = Files::new(1);
    let (store, _) = files.open_claimed();
    drop(store);
    let before = fs::read(&files.paths[0]).unwrap();
    let store = files.open().unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    drop(store);
    let after = fs::read(&files.paths[0]).unwrap();
    let changed = (0..FILE).find(|position| before[*position] != after[*position]).unwrap();
    let block = changed / BLOCK * BLOCK;
    for length in (0..140).chain([512]) {
        let mut torn = before.clone();
        torn[block..block + length].copy_from_slice(&after[block..block + length]);
        fs::write(&files.paths[0], &torn).unwrap();
        let store = files.open().unwrap();
        let held = wait(store.claimed()).unwrap().unwrap().incarnation;
        let whole = torn[block..block + 136] == after[block..block + 136];
        assert_eq!(held, if whole { SECOND } else { FIRST }, "length {length}");
        assert!(wait(store.claim(VAULT, &[FIRST], SECOND)).is_ok());
    }
}

#[test]
fn a_file_without_a_whole_header_is_corrupt() {
    let files = Files::new(1);
    drop(files.open_claimed());
    edit(&files.paths[0], |bytes| bytes[..2 * BLOCK].fill(0x55));
    assert!(matches!(files.open(), Err(Error::Corrupt { .. })));
    edit(&files.paths[0], |bytes| bytes.fill(0));
    assert!(matches!(files.open(), Err(Error::Corrupt { .. })));
    fs::write(&files.paths[0], [0; 100]).unwrap();
    assert!(matches!(files.open(), Err(Error::Corrupt { .. })));
}

#[test]
fn claims_are_compare_and_swap() {
    let files = Files::new(1);
    let store = files.open().unwrap();
    assert_eq!(wait(store.claimed()).unwrap(), None);
    assert!(matches!(wait(store.claim(VAULT, &[FIRST], SECOND)), Err(Error::Unclaimed)));
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    assert!(matches!(wait(store.claim(VAULT, &[], SECOND)), Err(Error::Fenced)));
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(store.claim(VAULT, &[FIRST], THIRD)), Err(Error::Fenced)));
    let other = VaultId::from_bytes([9; 16]);
    assert!(matches!(wait(store.claim(other, &[], THIRD)), Err(Error::ForeignVault)));
    assert!(matches!(wait(store.claim(other, &[SECOND], THIRD)), Err(Error::ForeignVault)));
}

#[test]
fn who_was_fenced_out_changes_nothing() {
    let files = Files::new(1);
    let (store, old) = files.open_claimed();
    let root = wait(store.create(&old)).unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(store.create(&old)), Err(Error::Fenced)));
    assert!(matches!(wait(store.wrap(&old, root, &vault_key(1), b"")), Err(Error::Fenced)));
    assert!(matches!(wait(store.destroy(&old, root)), Err(Error::Fenced)));
    let foreign = Claim { vault: VaultId::from_bytes([9; 16]), incarnation: SECOND };
    assert!(matches!(wait(store.destroy(&foreign, root)), Err(Error::ForeignVault)));
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
}

/// A crash between two replicas of a claim: the newer header counts, and is completed.
#[test]
fn replicas_that_disagree_about_the_claim_are_brought_together() {
    let files = Files::new(2);
    drop(files.open_claimed());
    let before = fs::read(&files.paths[1]).unwrap();
    let store = files.open().unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    drop(store);
    fs::write(&files.paths[1], before).unwrap();

    let store = files.open().unwrap();
    assert_eq!(wait(store.claimed()).unwrap().unwrap().incarnation, SECOND);
    drop(store);
    fs::remove_file(&files.paths[0]).unwrap();
    let abandonment = ReplicaAbandonment::prepare(files.options(), &files.paths[..1]).unwrap();
    assert_eq!(wait(abandonment.store().claimed()).unwrap().unwrap().incarnation, SECOND);
}

/// A replica that comes back from the past brings destroyed roots with it: they count, and go.
#[test]
fn a_replica_from_the_past_makes_its_roots_exist_again() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let kept = wait(store.create(&claim)).unwrap();
    let past = fs::read(&files.paths[1]).unwrap();
    wait(store.destroy(&claim, root)).unwrap();
    drop(store);
    fs::write(&files.paths[1], past).unwrap();

    let store = files.open().unwrap();
    assert!(wait(store.epochs()).unwrap().contains(&root));
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    assert_eq!(wait(store.epochs()).unwrap(), [kept]);
}

/// Slots are used again, so where one replica has a root of the past, another may have the one that counts.
#[test]
fn a_root_of_the_past_goes_without_the_one_that_has_its_place_today() {
    let files = Files::new(2);
    let (store, claim) = files.open_claimed();
    let old = wait(store.create(&claim)).unwrap();
    let past = fs::read(&files.paths[1]).unwrap();
    wait(store.destroy(&claim, old)).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    drop(store);
    fs::write(&files.paths[1], past).unwrap();

    let store = files.open().unwrap();
    assert_eq!(wait(store.epochs()).unwrap().len(), 2);
    assert!(!wait(store.destroy(&claim, old)).unwrap().was_absent);
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok(), "the root that counts is still there");
    assert_eq!(key_on_disk(&files.paths[0]), key_on_disk(&files.paths[1]), "and in both replicas again");
}

#[test]
fn a_store_grows_by_a_replica() {
    let files = Files::new(2);
    let one = FileRootStoreOptions { replicas: files.paths[..1].to_vec(), ..files.options() };
    let store = FileRootStore::open(one).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let claim = Claim { vault: VAULT, incarnation: FIRST };
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    drop(store);

    let store = files.open().unwrap();
    assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
    assert_eq!(key_on_disk(&files.paths[0]), key_on_disk(&files.paths[1]));
    assert_eq!(wait(store.destroy(&claim, root)).unwrap().replicas, 2);
    assert!(!store.medium().states(MediumStatement::Abandoned));
}

#[test]
fn a_crash_while_making_the_store_is_repaired() {
    let files = Files::new(2);
    drop(files.open().unwrap());
    fs::remove_file(&files.paths[1]).unwrap();
    fs::write(files.paths[1].with_extension("new"), b"half").unwrap();
    drop(files.open().unwrap());
    assert!(files.paths[1].exists());
}

#[test]
fn a_replica_of_another_store_is_refused() {
    let (files, others) = (Files::new(2), Files::new(1));
    drop(files.open().unwrap());
    drop(others.open().unwrap());
    fs::copy(&others.paths[0], &files.paths[1]).unwrap();
    assert!(matches!(files.open(), Err(Error::ReplicaForeign(path)) if path == files.paths[1]));
}

#[test]
fn a_second_opener_is_locked_out() {
    let files = Files::new(2);
    let store = files.open().unwrap();
    assert!(matches!(files.open(), Err(Error::Locked(_))));
    drop(store);
    assert!(files.open().is_ok());
}

#[test]
fn files_are_private_and_must_stay_so() {
    let files = Files::new(1);
    drop(files.open().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files.paths[0]), 0o600);
    for wrong in [0o640, 0o604, 0o660, 0o666, 0o610] {
        fs::set_permissions(&files.paths[0], fs::Permissions::from_mode(wrong)).unwrap();
        assert!(matches!(files.open(), Err(Error::Permissions { mode, .. }) if mode == wrong));
    }
    fs::set_permissions(&files.paths[0], fs::Permissions::from_mode(0o600)).unwrap();
    assert!(files.open().is_ok());
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let files = Files::new(1);
    let target = files.directory.path().join("elsewhere");
    symlink(&target, &files.paths[0]).unwrap();
    assert!(matches!(files.open(), Err(Error::Io { .. })));
    assert!(!target.exists());
    fs::remove_file(&files.paths[0]).unwrap();
    drop(files.open().unwrap());
    fs::rename(&files.paths[0], &target).unwrap();
    symlink(&target, &files.paths[0]).unwrap();
    assert!(matches!(files.open(), Err(Error::Io { .. })));
}

#[test]
fn the_store_fills_up_and_says_so() {
    let files = Files::new(1);
    let (store, claim) = files.open_claimed();
    let mut roots: Vec<_> = (0..SLOTS).map(|_| wait(store.create(&claim)).unwrap()).collect();
    roots.sort_unstable();
    assert_eq!(wait(store.epochs()).unwrap(), roots);
    assert!(matches!(wait(store.create(&claim)), Err(Error::RootStoreFull)));
    wait(store.destroy(&claim, roots[3])).unwrap();
    assert!(wait(store.create(&claim)).is_ok());
}

#[test]
fn a_store_beside_the_data_says_so() {
    let files = Files::new(1);
    let store = files.open().unwrap();
    assert!(store.medium().states(MediumStatement::NotSeparate));

    // Memory is another device than any disk that tests run on; if it is the same, so it is said.
    if let Ok(memory) = tempfile::tempdir_in("/dev/shm") {
        let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
        let options = FileRootStoreOptions::new(memory.path().join("roots"), files.directory.path());
        let same = device(memory.path()) == device(files.directory.path());
        let mirror = memory.path().join("mirror");
        let options = FileRootStoreOptions { live: vec![mirror.clone()], ..options };
        let store = FileRootStore::open(options).unwrap();
        wait(store.claim(VAULT, &[], FIRST)).unwrap();
        let claim = Claim { vault: VAULT, incarnation: FIRST };
        let said = || {
            let evidence = wait(store.destroy(&claim, wait(store.create(&claim)).unwrap())).unwrap();
            evidence.medium.states(MediumStatement::NotSeparate)
        };
        assert_eq!((store.medium().states(MediumStatement::NotSeparate), said()), (same, same));
        // A mirror that is there only now, after an empty folder that it was to be mounted on.
        fs::create_dir(&mirror).unwrap();
        assert_eq!(said(), same);
        fs::write(mirror.join("CURRENT"), b"").unwrap();
        assert!(said());

        // Backups, also before there are any.
        for backups in ["backups", "not/there/yet"] {
            let mut options = FileRootStoreOptions::new(memory.path().join("others"), files.directory.path());
            options.backups = vec![memory.path().join(backups)];
            assert!(FileRootStore::open(options).unwrap().medium().states(MediumStatement::NotSeparate));
        }
    }
}

#[test]
fn an_unknown_version_is_refused_not_overwritten() {
    let files = Files::new(1);
    drop(files.open_claimed());
    let rewrite = |bytes: &mut [u8], block: usize, length: usize| {
        bytes[block + 8] = 9;
        let sum: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            &bytes[block..block + length],
        ))
        .into();
        bytes[block + length..block + length + 32].copy_from_slice(&sum);
    };
    edit(&files.paths[0], |bytes| [0, BLOCK].into_iter().for_each(|block| rewrite(bytes, block, 104)));
    assert!(matches!(files.open(), Err(Error::Corrupt { .. })));
}
