//! Replicas that are lost for good, and turn up all the same.

use super::*;

impl Files {
    fn without(&self, lost: &[usize]) -> Result<ReplicaAbandonment> {
        let lost: Vec<_> = lost.iter().map(|at| self.paths[*at].clone()).collect();
        ReplicaAbandonment::prepare(self.options(), &lost)
    }

    fn abandon(&self, lost: &[usize]) {
        let abandonment = self.without(lost).unwrap();
        assert!(!abandonment.is_done());
        abandonment.carry_out().unwrap();
    }

    /// A store of these replicas alone.
    fn only(&self, replicas: &[usize]) -> Result<FileRootStore> {
        let replicas = replicas.iter().map(|at| self.paths[*at].clone()).collect();
        FileRootStore::open(FileRootStoreOptions { replicas, ..self.options() })
    }
}

fn is_abandoned(store: &FileRootStore) -> bool {
    store.medium().states(MediumStatement::Abandoned)
}

/// A store with a root that has wrapped a key, closed.
fn with_a_root(replicas: usize) -> (Files, Claim, RootId, Vec<u8>) {
    let files = Files::new(replicas);
    let (store, claim) = files.open_claimed();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    (files, claim, root, wrapped)
}

#[test]
fn a_missing_replica_is_refused_unless_abandoned_and_receipts_say_so() {
    let (files, claim, root, wrapped) = with_a_root(2);
    assert!(!is_abandoned(&files.open().unwrap()));
    fs::remove_file(&files.paths[1]).unwrap();
    assert!(matches!(files.open(), Err(Error::ReplicaMissing(path)) if path == files.paths[1]));
    assert!(!files.paths[1].exists());
    assert!(matches!(files.only(&[0]), Err(Error::ReplicaMissing(_))));

    files.abandon(&[1]);
    let again = files.without(&[1]).unwrap();
    assert!(again.is_done());
    again.carry_out().unwrap();
    drop(again);
    let store = files.only(&[0]).unwrap();
    assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
    drop(store);
    // Another medium in its place: it is a replica like any.
    let store = files.open().unwrap();
    assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
    assert_eq!(key_on_disk(&files.paths[0]), key_on_disk(&files.paths[1]));
    assert!(is_abandoned(&store), "for ever");
    let evidence = wait(store.destroy(&claim, root)).unwrap();
    assert!(evidence.medium.states(MediumStatement::Abandoned) && evidence.replicas == 2);
}

#[test]
fn what_is_not_lost_is_not_abandoned() {
    let (files, ..) = with_a_root(3);
    let before: Vec<_> = files.paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(matches!(files.without(&[1]), Err(Error::ReplicaPresent(path)) if path == files.paths[1]));
    assert!(matches!(files.without(&[0, 1, 2]), Err(Error::LastReplica)));
    assert!(matches!(files.without(&[]), Err(Error::ReplicaCount { held: 3, named: 3 })));
    let store = files.open().unwrap();
    assert!(matches!(files.without(&[1]), Err(Error::Locked(_))));
    drop(store);

    let lost = files.directory.path().join("lost");
    fs::rename(&files.paths[1], &lost).unwrap();
    // Others are not named, or are lost as well.
    let fewer = FileRootStoreOptions { replicas: files.paths[..2].to_vec(), ..files.options() };
    let refused = ReplicaAbandonment::prepare(fewer, &files.paths[1..2]);
    assert!(matches!(refused, Err(Error::ReplicaCount { held: 3, named: 2 })), "{refused:?}");
    fs::rename(&files.paths[2], files.directory.path().join("lost-too")).unwrap();
    assert!(matches!(files.without(&[1]), Err(Error::ReplicaMissing(path)) if path == files.paths[2]));
    fs::rename(files.directory.path().join("lost-too"), &files.paths[2]).unwrap();

    // In its place: another store; the right one, that others may read.
    let other = Files::new(1);
    drop(other.open().unwrap());
    fs::copy(&other.paths[0], &files.paths[1]).unwrap();
    assert!(matches!(files.without(&[1]), Err(Error::ReplicaForeign(path)) if path == files.paths[1]));
    fs::copy(&lost, &files.paths[1]).unwrap();
    fs::set_permissions(&files.paths[1], fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(files.without(&[1]), Err(Error::Permissions { .. })));
    fs::set_permissions(&files.paths[1], fs::Permissions::from_mode(0o600)).unwrap();
    let after: Vec<_> = files.paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(before, after, "something that was refused was written");

    // One whose headers are both gone is as good as lost, and is left as it is.
    edit(&files.paths[1], |bytes| bytes[..2 * BLOCK].fill(0x55));
    let damaged = fs::read(&files.paths[1]).unwrap();
    files.abandon(&[1]);
    assert_eq!(fs::read(&files.paths[1]).unwrap(), damaged);
    assert!(is_abandoned(&files.only(&[0, 2]).unwrap()));
}

#[test]
fn several_are_abandoned_at_once() {
    let (files, _, root, wrapped) = with_a_root(3);
    fs::remove_file(&files.paths[0]).unwrap();
    fs::remove_file(&files.paths[2]).unwrap();
    files.abandon(&[0, 2]);
    let store = files.only(&[1]).unwrap();
    assert!(is_abandoned(&store) && wait(store.unwrap(root, &wrapped, b"")).is_ok());
}

/// Whatever was written last before a crash: it is done or is done again, and is known of ever after.
#[test]
fn an_abandonment_that_is_cut_short_is_repeated() {
    let (files, _, root, wrapped) = with_a_root(3);
    let lost = fs::read(&files.paths[2]).unwrap();
    fs::remove_file(&files.paths[2]).unwrap();
    let before: Vec<_> = files.paths[..2].iter().map(|path| fs::read(path).unwrap()).collect();
    files.abandon(&[2]);
    let after: Vec<_> = files.paths[..2].iter().map(|path| fs::read(path).unwrap()).collect();
    let headers: Vec<usize> =
        [0, BLOCK].into_iter().filter(|at| before[0][*at..*at + 136] != after[0][*at..*at + 136]).collect();
    assert_eq!(headers, [0, BLOCK], "both headers know of it");
    // The older header is written over first; in each round the first replica before the second.
    let newest = Header::decode(&before[0][..BLOCK]).unwrap().map(|header| header.sequence);
    let other = Header::decode(&before[0][BLOCK..2 * BLOCK]).unwrap().map(|header| header.sequence);
    let order = if newest > other { [BLOCK, 0] } else { [0, BLOCK] };
    for written in 0..=4 {
        for torn in [0, 60, BLOCK] {
            for (at, path) in files.paths[..2].iter().enumerate() {
                let mut bytes = before[at].clone();
                for step in 0..written {
                    let (round, replica) = (step / 2, step % 2);
                    if replica == at {
                        let length = if step + 1 == written { torn } else { BLOCK };
                        let block = order[round]..order[round] + length;
                        bytes[block.clone()].copy_from_slice(&after[at][block]);
                    }
                }
                fs::write(path, bytes).unwrap();
            }
            let abandonment = files.without(&[2]).unwrap();
            abandonment.carry_out().unwrap();
            drop(abandonment);
            let store = files.only(&[0, 1]).unwrap();
            assert!(is_abandoned(&store) && wait(store.unwrap(root, &wrapped, b"")).is_ok(), "{written} {torn}");
            drop(store);
            // It turns up at once, with a header of its own: what happened is known all the same.
            fs::write(&files.paths[2], &lost).unwrap();
            fs::set_permissions(&files.paths[2], fs::Permissions::from_mode(0o600)).unwrap();
            for order in [[0, 1, 2], [2, 1, 0]] {
                assert!(is_abandoned(&files.only(&order).unwrap()), "{written} {torn}");
            }
            fs::remove_file(&files.paths[2]).unwrap();
        }
    }
}

/// One that turns up after all has the roots of its day. They exist until they are destroyed on it, too.
#[test]
fn an_abandoned_replica_that_turns_up_is_one_from_the_past() {
    let (files, claim, old, wrapped_by_old) = with_a_root(2);
    let away = files.directory.path().join("away");
    fs::rename(&files.paths[1], &away).unwrap();
    files.abandon(&[1]);
    let store = files.only(&[0]).unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(store.destroy(&claim, old)), Err(Error::Fenced)));
    let claim = Claim { incarnation: SECOND, ..claim };
    wait(store.destroy(&claim, old)).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(8), b"")).unwrap();
    drop(store);

    // Alone it is no store: there were two, and whose the newer claim is it cannot know.
    fs::rename(&away, &files.paths[1]).unwrap();
    assert!(matches!(files.only(&[1]), Err(Error::ReplicaMissing(_))));
    // In front of the other, and behind it.
    for order in [[1, 0], [0, 1]] {
        let store = files.only(&order).unwrap();
        assert_eq!(wait(store.claimed()).unwrap(), Some(claim), "the newer claim counts");
        assert!(wait(store.epochs()).unwrap().contains(&old) == (order == [1, 0]), "it is back until it is destroyed");
        assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().expose(), &[8; 32]);
        wait(store.destroy(&claim, old)).unwrap();
        assert_eq!(wait(store.epochs()).unwrap(), [root]);
        assert!(matches!(wait(store.unwrap(old, &wrapped_by_old, b"")), Err(Error::NoSuchRoot(_))));
        assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok() && is_abandoned(&store));
    }
    assert_eq!(key_on_disk(&files.paths[0]), key_on_disk(&files.paths[1]), "a replica like any again");
}
