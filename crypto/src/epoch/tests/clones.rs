//! A second writer, a clone of the data directory, an old snapshot (rule 5).

use super::super::*;
use super::world::*;
use crate::error::Error;
use crate::tree::Redraw;

async fn can_commit(writer: &mut EpochWriter<Disk>) -> Result<(), Error> {
    match writer.run(&Redraw::new(), &"nothing").await {
        Ok(Outcome::Destroyed(_)) => Ok(()),
        Ok(Outcome::Pending(error)) | Err(error) => Err(error),
    }
}

#[test]
fn a_clone_that_starts_fences_out_the_running_one() {
    wait(async {
        let world = World::new();
        let mut original = world.open().await.unwrap();
        let clone = world.clone_from(world.disk.content.lock().clone());
        let mut copy = clone.open().await.unwrap();

        let root = original.epoch().root;
        assert!(matches!(original.run(&redraw(ERASURES[0]), &ERASURES[0]).await, Err(Error::Fenced)));
        assert!(!world.is_committed(ERASURES[0]));
        assert_eq!(world.roots().await, [root]);
        can_commit(&mut copy).await.unwrap();
    });
}

/// The clone starts while the original is between its commit and the destruction.
#[test]
fn a_clone_that_starts_in_the_middle_of_a_commit() {
    wait(async {
        let world = World::new();
        let mut original = world.open().await.unwrap();
        let before = world.disk.content.lock().clone();
        *world.disk.faults.mirror.lock() = true;
        original.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        *world.disk.faults.mirror.lock() = false;

        // The clone knows nothing of the commit; for it the new root is an orphan.
        let clone = world.clone_from(before);
        let mut copy = clone.open().await.unwrap();
        assert_eq!(world.roots().await, [copy.epoch().root]);
        // The original destroys nothing on behalf of a vault that is another's now: the one tree that
        // is left stays, and nothing is called shredded.
        assert!(original.finish().await.is_err());
        assert_eq!(world.roots().await, [copy.epoch().root]);
        assert!(!world.log().iter().any(|entry| matches!(entry, Entry::Destroyed { .. })));
        can_commit(&mut copy).await.unwrap();
        drop(original);
        assert!(matches!(world.open().await.err(), Some(Error::RootMissing { .. })));
    });
}

#[test]
fn after_a_clone_the_original_must_take_over_explicitly() {
    wait(async {
        let world = World::new();
        drop(world.open().await.unwrap());
        let clone = world.clone_from(world.disk.content.lock().clone());
        drop(clone.open().await.unwrap());

        let error = world.open().await.err().unwrap();
        assert!(matches!(error, Error::Fenced) && error.to_string().contains("take the vault over"), "{error}");
        let mut original = world.open_with(Takeover::ClaimAnyway).await.unwrap();
        can_commit(&mut original).await.unwrap();
        drop(original);
        assert!(world.open().await.is_ok());
        // And the clone is the past now.
        for takeover in [Takeover::Refuse, Takeover::ClaimAnyway] {
            assert!(matches!(clone.open_with(takeover).await.err(), Some(Error::RootMissing { .. })));
        }
    });
}

#[test]
fn an_empty_directory_does_not_found_a_vault_in_anothers_root_store() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let empty = world.clone_from(Content::default());
        assert!(matches!(empty.open().await.err(), Some(Error::ForeignVault)));
        assert!(empty.disk.state().is_none());
        can_commit(&mut writer).await.unwrap();
    });
}

/// Every state that the disk ever was in, started as a snapshot after the original has gone on: it never
/// destroys anything of the original, and never runs on an older tree.
#[test]
fn a_snapshot_of_any_moment_started_later() {
    wait(async {
        let world = World::new();
        world.disk.keep_snapshots();
        live(&world, &mut Values::default()).await.unwrap();
        let snapshots = world.disk.snapshots();
        assert!(snapshots.len() > 40);
        let mut original = world.open().await.unwrap();
        let root = original.epoch().root;

        let mut opened = 0;
        for (moment, snapshot) in snapshots.into_iter().enumerate() {
            let current = snapshot.state().and_then(|state| state.current);
            let clone = world.clone_from(snapshot);
            match clone.open().await {
                Err(Error::Fenced | Error::RootMissing { .. } | Error::ForeignVault) => {}
                Err(error) => panic!("moment {moment}: {error}"),
                Ok(_) => {
                    assert_eq!(current.map(|epoch| epoch.root), Some(root), "moment {moment}");
                    opened += 1;
                    // The clone is the vault now; give it back for the next moment.
                    original = world.open_with(Takeover::ClaimAnyway).await.unwrap();
                }
            }
            assert_eq!(world.roots().await, [root], "moment {moment}");
        }
        assert_eq!(opened, 0, "the original has claimed since every one of them");
        can_commit(&mut original).await.unwrap();
        Values::default().check(&world, original.view());
    });
}

/// As before, but the snapshot starts at the moment it is taken from, while the original still runs:
/// whatever happens, at most one of the two can commit.
#[test]
fn a_clone_of_any_moment_started_at_once() {
    wait(async {
        let steps = {
            let world = World::new();
            live(&world, &mut Values::default()).await.unwrap();
            world.disk.fuse.steps()
        };
        for fuse in 0..steps {
            let world = World::new();
            let mut values = Values::default();
            world.disk.fuse.set(Some(fuse));
            let _ = live(&world, &mut values).await;
            world.disk.fuse.set(None);

            let clone = world.clone_from(world.disk.content.lock().clone());
            let Ok(mut copy) = clone.open().await else { panic!("fuse {fuse}: a consistent copy opens") };
            copy.finish().await.unwrap();
            values.check(&clone, copy.view());
            can_commit(&mut copy).await.unwrap();

            let held = world.roots().await;
            let restarted = world.open().await;
            assert!(restarted.is_err(), "fuse {fuse}: both opened");
            assert_eq!(world.roots().await, held, "fuse {fuse}");
            values.check(&clone, copy.view());
        }
    });
}

/// A copy of what the disk was at any step of a start, among them the one at which the next incarnation is
/// announced and not yet claimed: it may win, but then the one that was starting is fenced out.
#[test]
fn a_clone_of_any_moment_of_a_start() {
    wait(async {
        for moment in 0.. {
            let world = World::new();
            drop(world.open().await.unwrap());
            world.disk.keep_snapshots();
            let mut original = world.open().await.unwrap();
            let Some(snapshot) = world.disk.snapshots().into_iter().nth(moment) else {
                return assert!(moment > 8, "a start has {moment} steps");
            };
            let clone = world.clone_from(snapshot);
            match clone.open().await {
                Ok(mut copy) => {
                    assert!(matches!(can_commit(&mut original).await, Err(Error::Fenced)), "moment {moment}");
                    can_commit(&mut copy).await.unwrap();
                }
                Err(error) => {
                    assert!(matches!(error, Error::Fenced), "moment {moment}: {error}");
                    can_commit(&mut original).await.unwrap();
                }
            }
        }
    });
}
