//! Moving to another root store, with a crash at every step, and copies that know the old one alone.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::*;
use super::world::*;
use crate::error::{Error, Result};
use crate::root::{Claim, MigratingRootStore, RootStore};

/// A vault that lives in `old`, has erased its first subject, and may move to `new`.
struct Move {
    old: World,
    new: World,
    values: Values,
}

impl Move {
    async fn begin() -> Self {
        let (old, new) = (World::new(), World::new());
        let mut values = Values::default();
        erase(&old, ERASURES[0], &mut values).await.unwrap();
        Self { old, new, values }
    }

    /// What the operator has configured: one store, or the way between.
    fn configured(&self, how: How) -> World {
        let mut world = match how {
            How::Old | How::Both => self.old.clone_from(Content::default()),
            How::New => self.new.clone_from(Content::default()),
        };
        world.disk = Arc::clone(&self.old.disk);
        world.target = (how == How::Both).then(|| Arc::clone(&self.new.store));
        world
    }

    async fn erase(&mut self, how: How, erasure: &'static str) -> Result<()> {
        let world = self.configured(how);
        erase(&world, erasure, &mut self.values).await
    }

    async fn end(mut self) {
        self.erase(How::New, ERASURES[2]).await.unwrap();
        check_done(&self.configured(How::New), &mut self.values).await;
        assert!(self.old.store.epochs().await.unwrap().is_empty());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Old,
    Both,
    New,
}

/// One process: opens the vault, finishes what was left, and erases if that is not yet done.
async fn erase(world: &World, erasure: &'static str, values: &mut Values) -> Result<()> {
    let mut writer = world.open().await?;
    values.check(world, writer.view());
    writer.finish().await?;
    if !world.is_committed(erasure) {
        match writer.run(&redraw(erasure), &erasure).await? {
            Outcome::Destroyed(evidence) => assert!(!world.roots().await.contains(&evidence.root)),
            Outcome::Pending(error) => return Err(error),
        }
    }
    values.check(world, writer.view());
    Ok(())
}

/// How many steps the one commit takes that moves the vault.
async fn steps() -> u32 {
    let mut moving = Move::begin().await;
    moving.old.disk.fuse.set(None);
    moving.erase(How::Both, ERASURES[1]).await.unwrap();
    moving.old.disk.fuse.steps()
}

#[test]
fn one_commit_moves_the_vault() {
    wait(async {
        let mut moving = Move::begin().await;
        let root = moving.old.store.epochs().await.unwrap();
        assert_eq!(root.len(), 1);
        moving.erase(How::Both, ERASURES[1]).await.unwrap();
        assert!(moving.old.store.epochs().await.unwrap().is_empty());
        let moved = moving.new.store.epochs().await.unwrap();
        assert!(moved.len() == 1 && moved != root);
        let stores = MigratingRootStore::new(Arc::clone(&moving.old.store), Arc::clone(&moving.new.store));
        assert!(stores.is_done().await.unwrap());
        moving.end().await;
    });
}

#[test]
fn a_crash_at_every_step_of_the_move() {
    wait(async {
        let steps = steps().await;
        assert!(steps > 40, "the fuse sees {steps} steps");
        for fuse in 0..steps {
            let mut moving = Move::begin().await;
            moving.old.disk.fuse.set(Some(fuse));
            assert!(moving.erase(How::Both, ERASURES[1]).await.is_err(), "fuse {fuse} did not burn");
            moving.old.disk.fuse.set(None);
            let current = moving.old.disk.state().unwrap().current.unwrap().root;
            let held = [moving.old.store.epochs().await.unwrap(), moving.new.store.epochs().await.unwrap()].concat();
            assert!(held.contains(&current), "fuse {fuse}: the committed root is gone");
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.end().await;
        }
    });
}

/// Whoever leaves one of the two stores out too early or too late is refused, and nothing is lost.
#[test]
fn a_store_that_is_left_out_too_early() {
    wait(async {
        for fuse in 0..steps().await {
            let mut moving = Move::begin().await;
            moving.old.disk.fuse.set(Some(fuse));
            assert!(moving.erase(How::Both, ERASURES[1]).await.is_err());
            moving.old.disk.fuse.set(None);
            let current = moving.old.disk.state().unwrap().current.unwrap().root;
            for (how, store) in [(How::Old, &moving.old.store), (How::New, &moving.new.store)] {
                if !store.epochs().await.unwrap().contains(&current) {
                    let refused = moving.configured(how).open().await.err().unwrap();
                    let said = match how {
                        How::New => matches!(refused, Error::UnderWay | Error::Unclaimed),
                        How::Old | How::Both => matches!(refused, Error::RootMissing { .. }),
                    };
                    assert!(said, "fuse {fuse} {how:?}: {refused}");
                }
            }
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.end().await;
        }
    });
}

/// The committed root is in the new store, but the one before is still in the old: the new one alone would
/// report it as gone because it is not there, and so would an empty one in the old one's place. No takeover helps.
#[test]
fn the_new_store_alone_is_refused_while_the_old_one_has_a_root() {
    wait(async {
        let mut refusals = 0;
        for fuse in 0..steps().await {
            let mut moving = Move::begin().await;
            moving.old.disk.fuse.set(Some(fuse));
            assert!(moving.erase(How::Both, ERASURES[1]).await.is_err());
            moving.old.disk.fuse.set(None);
            let old = moving.old.store.epochs().await.unwrap();
            let current = moving.old.disk.state().unwrap().current.unwrap().root;
            if !old.is_empty() && moving.new.store.epochs().await.unwrap().contains(&current) {
                let log = moving.old.log();
                let mut beside = World::new();
                beside.disk = Arc::clone(&moving.old.disk);
                beside.target = Some(Arc::clone(&moving.new.store));
                for world in [moving.configured(How::New), beside] {
                    for takeover in [Takeover::Refuse, Takeover::ClaimAnyway] {
                        let refused = world.open_with(takeover).await.err();
                        assert!(matches!(refused, Some(Error::UnderWay)), "fuse {fuse}: {refused:?}");
                    }
                }
                assert_eq!(moving.old.log(), log, "an epoch is called destroyed that is not");
                refusals += 1;
            }
            assert_eq!(moving.old.store.epochs().await.unwrap(), old, "nothing is destroyed by that");
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.end().await;
        }
        assert!(refusals > 5);
    });
}

#[test]
fn a_copy_that_knows_the_old_store_alone_is_refused_after_the_move() {
    wait(async {
        let mut moving = Move::begin().await;
        let copy = moving.old.clone_from(moving.old.disk.content.lock().clone());
        moving.erase(How::Both, ERASURES[1]).await.unwrap();
        for takeover in [Takeover::Refuse, Takeover::ClaimAnyway] {
            assert!(matches!(copy.open_with(takeover).await.err(), Some(Error::RootMissing { .. })));
        }
        moving.end().await;
    });
}

/// A snapshot of a disk that has the old store, too, from before the move, started with both stores after any step of
/// it, and after its end: it finds its root in its own copy of the old store, and those of the vault in the new one.
#[test]
fn a_copy_of_disk_and_old_store_from_before_the_move_destroys_nothing() {
    wait(async {
        let (steps, mut fenced, mut superseded) = (steps().await, 0, 0);
        for fuse in 0..=steps {
            let mut moving = Move::begin().await;
            // One that was started since, too: it is a vault of its own.
            let copies = [moving.old.copy(), moving.old.copy()];
            for _ in 0..3 {
                drop(copies[1].open().await.unwrap());
            }
            if fuse < steps {
                moving.old.disk.fuse.set(Some(fuse));
                assert!(moving.erase(How::Both, ERASURES[1]).await.is_err());
                moving.old.disk.fuse.set(None);
            } else {
                moving.erase(How::Both, ERASURES[1]).await.unwrap();
                moving.erase(How::New, ERASURES[2]).await.unwrap();
            }
            let (roots, claimed) =
                (moving.new.store.epochs().await.unwrap(), moving.new.store.claimed().await.unwrap());
            if roots.is_empty() {
                continue;
            }
            for mut copy in copies {
                let before = copy.store.claimed().await.unwrap();
                copy.target = Some(Arc::clone(&moving.new.store));
                for takeover in [Takeover::Refuse, Takeover::ClaimAnyway] {
                    match copy.open_with(takeover).await.err() {
                        Some(Error::Fenced) => fenced += 1,
                        Some(Error::Superseded) => superseded += 1,
                        other => panic!("fuse {fuse} {takeover:?}: {other:?}"),
                    }
                }
                assert_eq!(copy.store.claimed().await.unwrap(), before);
            }
            assert_eq!(moving.new.store.epochs().await.unwrap(), roots);
            assert_eq!(moving.new.store.claimed().await.unwrap(), claimed);
            if fuse < steps {
                moving.erase(How::Both, ERASURES[1]).await.unwrap();
            }
            moving.end().await;
        }
        assert!(fenced > 20 && superseded >= 4, "{fenced} {superseded}");
    });
}

/// Where it was before, a vault may go again; and so may one that gave a move up, and went on where it was.
#[test]
fn back_again_and_tried_again() {
    wait(async {
        let mut moving = Move::begin().await;
        moving.erase(How::Both, ERASURES[1]).await.unwrap();
        let mut back = moving.configured(How::New);
        back.target = Some(Arc::clone(&moving.old.store));
        erase(&back, ERASURES[2], &mut moving.values).await.unwrap();
        assert!(moving.new.store.epochs().await.unwrap().is_empty());
        check_done(&moving.configured(How::Old), &mut moving.values).await;

        for fuse in 0..steps().await {
            let mut moving = Move::begin().await;
            moving.old.disk.fuse.set(Some(fuse));
            assert!(moving.erase(How::Both, ERASURES[1]).await.is_err());
            moving.old.disk.fuse.set(None);
            // It may have moved already; otherwise it goes on as if nothing had been.
            for _ in 0..3 {
                drop(moving.configured(How::Old).open().await);
            }
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.erase(How::Both, ERASURES[2]).await.unwrap();
            moving.end().await;
        }
    });
}

#[test]
fn a_copy_that_starts_to_move_is_fenced_out_or_fences_out() {
    wait(async {
        let mut moving = Move::begin().await;
        let mut copy = moving.old.clone_from(moving.old.disk.content.lock().clone());
        copy.target = Some(Arc::clone(&moving.new.store));
        // The original starts again: the copy is from before that.
        let mut original = moving.configured(How::Both).open().await.unwrap();
        assert!(matches!(copy.open().await.err(), Some(Error::Fenced)));
        assert!(matches!(
            original.run(&redraw(ERASURES[1]), &ERASURES[1]).await.unwrap(),
            Outcome::Destroyed(evidence) if !evidence.was_absent
        ));
        drop(original);

        // The other way round: a copy of now that starts first takes the vault with it.
        let mut copy = moving.old.clone_from(moving.old.disk.content.lock().clone());
        copy.target = Some(Arc::clone(&moving.new.store));
        let mut original = moving.configured(How::Both).open().await.unwrap();
        let mut copied = copy.open_with(Takeover::ClaimAnyway).await.unwrap();
        let refused = original.run(&redraw(ERASURES[2]), &ERASURES[2]).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
        copied.run(&redraw(ERASURES[2]), &ERASURES[2]).await.unwrap();
        moving.values.check(&copy, copied.view());
    });
}

#[test]
fn a_new_store_of_another_vault_is_refused_and_costs_nothing() {
    wait(async {
        let mut moving = Move::begin().await;
        erase(&moving.new, ERASURES[0], &mut Values::default()).await.unwrap();
        let (theirs, before) = (moving.new.store.epochs().await.unwrap(), moving.old.store.claimed().await.unwrap());
        let refused = moving.erase(How::Both, ERASURES[1]).await;
        assert!(matches!(refused, Err(Error::ForeignVault)), "{refused:?}");
        assert_eq!(moving.old.store.claimed().await.unwrap(), before);
        assert_eq!(moving.new.store.epochs().await.unwrap(), theirs);
        moving.erase(How::Old, ERASURES[1]).await.unwrap();
    });
}

/// A founding that is cut short on two stores, goes on with the old one, and then moves.
#[test]
fn a_founding_on_two_stores_that_is_cut_short() {
    wait(async {
        for fuse in 0..40 {
            let mut moving = Move { old: World::new(), new: World::new(), values: Values::default() };
            moving.old.disk.fuse.set(Some(fuse));
            let _ = moving.erase(How::Both, ERASURES[0]).await;
            moving.old.disk.fuse.set(None);
            // Where it had arrived already, it is not in the old one any more.
            drop(moving.configured(How::Old).open().await);
            moving.erase(How::Both, ERASURES[0]).await.unwrap();
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.end().await;
        }
    });
}

/// A copy of an instant between announcing a claim and making it goes on with its old store alone, and then with both. What
/// the original did meanwhile in the new one is not its own.
#[test]
fn a_copy_from_between_announcing_and_claiming_is_fenced_out() {
    wait(async {
        let (steps, mut copies) = (steps().await, 0);
        for fuse in 0..steps {
            let mut moving = Move::begin().await;
            for fuse in [steps * 2 / 3, fuse] {
                moving.old.disk.fuse.set(Some(fuse));
                let _ = moving.erase(How::Both, ERASURES[1]).await;
                moving.old.disk.fuse.set(None);
            }
            let state = moving.old.disk.state().unwrap();
            let held = moving.old.store.claimed().await.unwrap().unwrap().incarnation;
            let Some(next) = state.claiming.filter(|next| *next != held && state.targets.len() == 2) else { continue };
            copies += 1;
            let mut copy = moving.old.copy();
            let stores = MigratingRootStore::new(Arc::clone(&moving.old.store), Arc::clone(&moving.new.store));
            stores.claim(state.vault, &state.known(), next).await.unwrap();
            let root = stores.create(&Claim { vault: state.vault, incarnation: next }).await.unwrap();

            drop(copy.open().await.unwrap());
            copy.target = Some(Arc::clone(&moving.new.store));
            assert!(matches!(copy.open().await.err(), Some(Error::Fenced)));
            assert!(moving.new.store.epochs().await.unwrap().contains(&root));
        }
        assert!(copies > 0, "no crash came in between");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any crashes under any configuration, right or wrong: in the end, the move can be made.
    #[test]
    fn crashes_and_changes_of_mind(
        attempts in prop::collection::vec((prop::sample::select(vec![How::Old, How::Both, How::New]), 0u32..80), 0..6),
    ) {
        wait(async {
            let mut moving = Move::begin().await;
            for (how, fuse) in attempts {
                moving.old.disk.fuse.set(Some(fuse));
                let _ = moving.erase(how, ERASURES[1]).await;
                moving.old.disk.fuse.set(None);
                let current = moving.old.disk.state().unwrap().current.unwrap().root;
                let held = [moving.old.store.epochs().await.unwrap(), moving.new.store.epochs().await.unwrap()].concat();
                assert!(held.contains(&current), "the committed root is gone");
            }
            // The erasure may have been committed in the old store; then the next epoch moves.
            moving.erase(How::Both, ERASURES[1]).await.unwrap();
            moving.erase(How::Both, ERASURES[2]).await.unwrap();
            moving.end().await;
        });
    }
}
