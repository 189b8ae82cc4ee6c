//! What must wait for what, and what an operator is told.

use std::sync::Arc;

use super::super::*;
use super::world::*;
use crate::error::Error;
use crate::root::{RootId, RootStore as _};
use crate::tree::Redraw;

#[test]
fn while_the_root_cannot_be_destroyed_erasures_are_pending() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let old = writer.epoch().root;
        *world.disk.faults.destroy.lock() = true;
        let outcome = writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        assert!(matches!(outcome, Outcome::Pending(Error::RootStore { .. })), "{outcome:?}");
        assert_eq!(writer.retiring().map(|retiring| retiring.root), Some(old));
        assert!(matches!(world.log()[..], [Entry::Committed { from: 0, to: 1, .. }]));

        // Verify and search go on with the new tree; further epochs wait.
        let mut values = Values::default();
        values.check(&world, writer.view());
        assert!(writer.finish().await.is_err());
        assert!(writer.run(&redraw(ERASURES[1]), &ERASURES[1]).await.is_err());
        assert_eq!(writer.epoch().number, 1);

        // Also over a restart, which serves what is committed.
        drop(writer);
        let mut writer = world.open().await.unwrap();
        values.check(&world, writer.view());
        assert!(writer.retiring().is_some() && world.roots().await.contains(&old));

        *world.disk.faults.destroy.lock() = false;
        let evidence = writer.finish().await.unwrap().unwrap();
        assert_eq!((evidence.root, evidence.was_absent), (old, false));
        assert_eq!(world.log()[1..], [Entry::Destroyed { epoch: 0, root: old }]);
        assert!(writer.finish().await.unwrap().is_none());
    });
}

#[test]
fn nothing_is_destroyed_before_the_mirrors_acknowledge() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let old = writer.epoch().root;
        *world.disk.faults.mirror.lock() = true;
        for _ in 0..3 {
            let outcome = match writer.retiring() {
                None => writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap(),
                Some(_) => Outcome::Pending(writer.finish().await.unwrap_err()),
            };
            assert!(matches!(outcome, Outcome::Pending(Error::Journal { .. })));
            assert!(world.roots().await.contains(&old));
        }
        *world.disk.faults.mirror.lock() = false;
        assert_eq!(writer.finish().await.unwrap().unwrap().root, old);
        assert_eq!(world.roots().await, [writer.epoch().root]);
    });
}

/// A page that the commit wrote and the disk lost: the old root is all that is left, and stays.
#[test]
fn nothing_is_destroyed_while_the_new_tree_does_not_open() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let old = writer.epoch().root;
        *world.disk.faults.mirror.lock() = true;
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        *world.disk.faults.mirror.lock() = false;

        let pages = world.disk.content.lock().pages.clone();
        for (lost, bytes) in &pages {
            world.disk.content.lock().pages.remove(lost);
            assert!(matches!(writer.finish().await, Err(Error::Corrupt { .. })), "{lost}");
            assert!(world.roots().await.contains(&old));
            world.disk.content.lock().pages.insert(*lost, bytes.clone());
        }
        assert!(writer.finish().await.unwrap().is_some());
    });
}

#[test]
fn a_state_that_is_not_what_was_committed_stops_the_writer() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let before = world.disk.content.lock().state.clone();
        *world.disk.faults.mirror.lock() = true;
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        *world.disk.faults.mirror.lock() = false;
        world.disk.content.lock().state = before;
        assert!(matches!(writer.finish().await, Err(Error::MustReopen)));
        assert_eq!(world.roots().await.len(), 2);
    });
}

#[test]
fn a_root_that_the_store_does_not_hold_refuses_the_start_and_destroys_nothing() {
    wait(async {
        let world = World::new();
        live(&world, &mut Values::default()).await.unwrap();
        let roots = world.roots().await;
        let claimed = world.store.claimed().await.unwrap();
        {
            let mut content = world.disk.content.lock();
            let mut state = content.state().unwrap();
            let missing = RootId::from_bytes([7; 16]);
            state.current.as_mut().unwrap().root = missing;
            content.state = Some(state.encode().unwrap());
        }
        for takeover in [Takeover::Refuse, Takeover::ClaimAnyway] {
            let error = world.open_with(takeover).await.err().unwrap();
            assert!(matches!(error, Error::RootMissing { epoch: 3, .. }), "{error}");
            assert!(error.to_string().contains("adopt a mirror"), "the way out is named");
        }
        assert_eq!(world.roots().await, roots);
        assert_eq!(world.store.claimed().await.unwrap(), claimed);
    });
}

#[test]
fn a_failed_wrap_leaves_no_orphan_and_commits_nothing() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        *world.disk.faults.wrap.lock() = true;
        assert!(matches!(writer.run(&Redraw::new(), &"nothing").await, Err(Error::RootStore { .. })));
        assert_eq!(world.roots().await, [writer.epoch().root]);
        *world.disk.faults.wrap.lock() = false;
        assert!(matches!(writer.run(&Redraw::new(), &"nothing").await, Ok(Outcome::Destroyed(_))));
        assert_eq!(writer.epoch().number, 1);
    });
}

/// Readers of the old view are drained before its root dies: the writer itself holds no handle of it.
#[test]
fn the_writer_lets_go_of_the_old_view() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let old = writer.view().downgrade();
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        assert!(old.is_gone());
        assert_eq!(writer.view().epoch(), 1);
    });
}

#[test]
fn superseded_pages_leave_the_cache() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let mut values = Values::default();
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        values.check(&world, writer.view());
        writer.run(&redraw(ERASURES[2]), &ERASURES[2]).await.unwrap();
        values.check(&world, writer.view());
        let (inner, leaves) = writer.view().cache().len();
        assert!(inner + leaves <= world.disk.content.lock().pages.len());
    });
}

/// A replica that comes back from the past brings roots along: nothing is shredded before they are gone.
#[test]
fn roots_that_turn_up_are_destroyed_before_anything_is_shredded() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        *world.disk.faults.mirror.lock() = true;
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        *world.disk.faults.mirror.lock() = false;
        let claim = world.store.claimed().await.unwrap().unwrap();
        world.store.create(&claim).await.unwrap();
        assert_eq!(world.roots().await.len(), 3);

        assert!(writer.finish().await.unwrap().is_some());
        assert_eq!(world.roots().await, [writer.epoch().root]);
    });
}

/// A writer that is opened again, in the process of one that failed, with the cache that readers share.
#[test]
fn opening_again_empties_the_cache() {
    wait(async {
        let world = World::new();
        let mut writer = world.open().await.unwrap();
        let mut values = Values::default();
        writer.run(&redraw(ERASURES[0]), &ERASURES[0]).await.unwrap();
        values.check(&world, writer.view());
        let cache = Arc::clone(writer.view().cache());
        assert!(!cache.is_empty());
        drop(writer);
        let writer = world.open_sharing(Arc::clone(&cache), Takeover::Refuse).await.unwrap();
        assert!(cache.is_empty());
        values.check(&world, writer.view());
    });
}
