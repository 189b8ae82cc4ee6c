//! Rule 3: a slot is used once, and a burnt one is found.

use proptest::prelude::*;

use super::*;
use crate::error::Error;

/// What a use case does with the allocator, and when the process dies.
#[derive(Clone, Copy, Debug)]
enum Step {
    Commit,
    Abandon,
    /// Handed out, and neither committed nor dropped when the process dies.
    Crash,
    /// The process ends well and starts again.
    Restart,
    Epoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Commit),
        3 => Just(Step::Abandon),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        1 => Just(Step::Epoch),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_slot_is_given_twice_and_every_burnt_one_is_redrawn(steps in steps()) {
        let (disk, mut view) = founded();
        let tree = tenant(1);
        let mut durable_mark = 0;
        let mut allocator = SlotAllocator::resume(durable_mark);
        let mut given = BTreeSet::new();
        let mut owned = BTreeSet::new();
        let mut burnt = BTreeSet::new();

        for step in steps {
            let lease = match allocator.allocate() {
                Some(lease) => lease,
                None => {
                    let reservation = allocator.reservation(1).unwrap();
                    durable_mark = reservation.mark();
                    allocator.reserved(reservation);
                    allocator.allocate().unwrap()
                }
            };
            let slot = lease.slot().slot;
            prop_assert!(slot < durable_mark && slot != 0);
            prop_assert!(given.insert(slot), "slot {} was given twice", slot);
            match step {
                Step::Commit => {
                    lease.commit();
                    owned.insert(slot);
                }
                Step::Abandon => {
                    drop(lease);
                    burnt.insert(slot);
                    prop_assert!(allocator.burnt().contains(&slot));
                }
                Step::Crash => {
                    burnt.insert(slot);
                    allocator = SlotAllocator::resume(durable_mark);
                    // Whatever the dead process would still have noted, nobody reads.
                    drop(lease);
                }
                Step::Restart => {
                    lease.commit();
                    owned.insert(slot);
                    if let Some(released) = allocator.release() {
                        prop_assert!(allocator.allocate().is_none(), "what was given back is handed out");
                        durable_mark = released.mark();
                    }
                    prop_assert_eq!(durable_mark, slot + 1);
                    allocator = SlotAllocator::resume(durable_mark);
                }
                Step::Epoch => {
                    lease.commit();
                    owned.insert(slot);
                    // What recovery finds contains all that was burnt, and nothing that lives.
                    let found = burnt_slots(&view, &disk, tree, durable_mark, owned.iter().copied()).unwrap();
                    prop_assert!(found.is_disjoint(&owned));
                    let unredrawn = |slot: &&u64| view.generation(&disk, tree, **slot).unwrap() == 0;
                    prop_assert!(burnt.iter().filter(unredrawn).all(|slot| found.contains(slot)));
                    prop_assert!(allocator.burnt().is_subset(&found));

                    // Slots that are reserved and not given yet must not be redrawn: only those below.
                    let redrawn: BTreeSet<u64> = found.into_iter().filter(|slot| given.contains(slot)).collect();
                    let slots: Vec<_> = redrawn.iter().map(|slot| (tree, SlotRef::first(*slot))).collect();
                    view = erase(&disk, &view, &slots);
                    allocator.redrawn(&redrawn);
                    prop_assert!(allocator.burnt().is_empty());
                    let left = burnt_slots(&view, &disk, tree, durable_mark, owned.iter().copied()).unwrap();
                    prop_assert!(left.is_disjoint(&given));
                }
            }
        }
        for slot in &owned {
            prop_assert_eq!(view.generation(&disk, tree, *slot).unwrap(), 0);
        }
    }
}

#[test]
fn slot_0_is_never_handed_out() {
    let allocator = SlotAllocator::resume(0);
    assert!(allocator.allocate().is_none());
    let reservation = allocator.reservation(1).unwrap();
    assert_eq!(reservation.mark(), 64);
    allocator.reserved(reservation);
    assert_eq!(allocator.allocate().unwrap().slot(), SlotRef::first(1));
}

#[test]
fn a_reservation_counts_only_once_it_is_durable() {
    let allocator = SlotAllocator::resume(64);
    let reservation = allocator.reservation(100).unwrap();
    assert!(allocator.allocate().is_none());
    assert_eq!(allocator.mark(), 64);
    allocator.reserved(reservation);
    assert_eq!(reservation.mark(), 192);
    assert_eq!(allocator.allocate().unwrap().slot(), SlotRef::first(64));
}

#[test]
fn the_number_of_slots_ends() {
    let last = SlotAllocator::resume(SLOTS - 64);
    assert_eq!(last.reservation(64).unwrap().mark(), SLOTS);
    assert!(matches!(last.reservation(65), Err(Error::Exhausted(_))));
    for mark in [SLOTS, u64::MAX - 10] {
        assert!(matches!(SlotAllocator::resume(mark).reservation(5), Err(Error::Exhausted(_))));
    }
}

#[test]
fn owners_that_cannot_be_are_refused() {
    let (disk, view) = founded();
    let burnt = |owned: &[u64]| burnt_slots(&view, &disk, tenant(1), 64, owned.iter().copied());
    assert_eq!(burnt(&[]).unwrap().len(), 63);
    assert_eq!(burnt(&(0..64).collect::<Vec<_>>()).unwrap().len(), 0);
    assert!(matches!(burnt(&[64]), Err(Error::Corrupt { .. })));
    assert!(matches!(burnt(&[2, 1]), Err(Error::Corrupt { .. })));
    assert!(matches!(burnt(&[2, 2]), Err(Error::Corrupt { .. })));
}
