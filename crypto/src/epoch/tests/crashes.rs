//! A crash at every step, and two in a row: nothing committed is lost, nothing destroyed too early.

use super::world::*;
use crate::error::Error;

/// Runs the application with a fuse until it is through, checking the number of roots after each crash.
async fn live_with(world: &World, fuses: &[u32]) -> bool {
    let mut values = Values::default();
    let mut crashed = false;
    for fuse in fuses {
        world.disk.fuse.set(Some(*fuse));
        crashed |= live(world, &mut values).await.is_err();
        world.disk.fuse.set(None);
        check_roots(world).await;
    }
    live(world, &mut values).await.unwrap();
    check_done(world, &mut values).await;
    crashed
}

/// After a crash the store holds the committed root, the one before if it is retiring, and orphans; never
/// is the committed one missing.
async fn check_roots(world: &World) {
    let roots = world.roots().await;
    let Some(state) = world.disk.state() else {
        return assert!(roots.is_empty());
    };
    if let Some(current) = &state.current {
        assert!(roots.contains(&current.root), "the committed root is gone");
    }
    // The current, a retiring one, and one orphan for each of two crashes.
    assert!(roots.len() <= 4, "{roots:?}");
}

/// How many steps the whole life takes when nothing goes wrong.
async fn steps() -> u32 {
    let world = World::new();
    live(&world, &mut Values::default()).await.unwrap();
    world.disk.fuse.steps()
}

#[test]
fn a_crash_at_every_step() {
    wait(async {
        let steps = steps().await;
        assert!(steps > 40, "the fuse sees {steps} steps");
        for fuse in 0..steps {
            assert!(live_with(&World::new(), &[fuse]).await, "fuse {fuse} did not burn");
        }
        assert!(!live_with(&World::new(), &[steps]).await);
    });
}

#[test]
fn two_crashes_in_a_row() {
    wait(async {
        let steps = steps().await;
        for first in 0..steps {
            // The second within what the restart does, which is less than a whole life; every third step,
            // and for the next first one the steps between.
            for second in (first % 3..40).step_by(3) {
                live_with(&World::new(), &[first, second]).await;
            }
        }
    });
}

#[test]
fn many_crashes_in_a_row_do_not_fill_the_root_store() {
    wait(async {
        let steps = steps().await;
        for fuse in (0..steps).step_by(5) {
            let world = World::new();
            let mut values = Values::default();
            for _ in 0..20 {
                world.disk.fuse.set(Some(fuse));
                let _ = live(&world, &mut values).await;
            }
            world.disk.fuse.set(None);
            live(&world, &mut values).await.unwrap();
            check_done(&world, &mut values).await;
        }
    });
}

/// A write whose outcome is unknown ends the writer, not the vault.
#[test]
fn after_a_failed_journal_write_only_opening_again_helps() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        *world.disk.faults.commit.lock() = true;
        let failed = writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await;
        assert!(matches!(failed, Err(Error::Journal { .. })));
        *world.disk.faults.commit.lock() = false;
        assert!(matches!(writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await, Err(Error::MustReopen)));
        assert!(matches!(writer.finish().await, Err(Error::MustReopen)));
        assert_eq!(world.roots().await.len(), 2, "the orphan is left for recovery");
        drop(writer);

        let mut values = Values::default();
        live(&world, &mut values).await.unwrap();
        check_done(&world, &mut values).await;
    });
}
