//! Looking keys up, rotation, damage, and many threads at once.

use super::*;
use crate::error::Error;

#[test]
fn a_vault_that_never_erased_has_no_page() {
    let (disk, view) = founded();
    for slot in [0, 1, 63, 64, 1 << 20, u64::MAX] {
        assert_eq!(view.slot_key(&disk, tenant(3), slot).unwrap().generation, 0);
    }
    assert!(disk.addresses().is_empty());
}

#[test]
fn every_slot_of_every_tree_has_its_own_key() {
    let (disk, view) = founded();
    let mut keys = BTreeSet::new();
    let slots = [0, 1, 2, 63, 64, 65, 4095, 4096, 262_143, 262_144, u64::MAX];
    for tree in [tenant(1), tenant(2), tenant(64)] {
        for slot in slots {
            assert!(keys.insert(key(&view, &disk, tree, slot)), "{tree} slot {slot}");
        }
    }
    assert!(keys.insert(key(&view, &disk, TreeId::VAULT, 0)));
}

#[test]
fn the_root_of_a_tenants_tree_is_no_key_to_seal_under() {
    let (disk, view) = founded();
    assert!(matches!(view.slot_key(&disk, TreeId::VAULT, 1), Err(Error::VaultSlot(1))));
    assert!(view.tenant(&disk, 0).is_err());
    assert_eq!(view.tenant(&disk, 5).unwrap(), tenant(5));
}

#[test]
fn a_reference_from_the_future_is_an_error_and_one_from_the_past_is_none() {
    let (disk, view) = founded();
    let tree = tenant(1);
    let next = SlotRef { slot: 7, generation: 1 };
    assert!(matches!(view.open_slot(&disk, tree, next), Err(Error::FutureGeneration { .. })));

    let view = erase(&disk, &view, &[(tree, SlotRef::first(7))]);
    assert!(view.open_slot(&disk, tree, SlotRef::first(7)).unwrap().is_none());
    assert!(view.open_slot(&disk, tree, next).unwrap().is_some());
    assert_eq!(view.generation(&disk, tree, 7).unwrap(), 1);
}

#[test]
fn a_walk_finds_what_single_look_ups_find() {
    let (disk, view) = founded();
    let tree = tenant(1);
    // Pages are written on some of the ways, and not on others.
    let view =
        erase(&disk, &view, &[(tree, SlotRef::first(70)), (tree, SlotRef::first(5000)), (tree, SlotRef::first(3))]);
    let mut walk = view.walk(&disk, tree);
    let near = (0..200).chain(4990..5010).chain(262_140..262_150);
    let far = [u64::MAX, 0, 1 << 40, 71, 70, 5000, u64::MAX - 1, 3, 262_144, 63, 64, 5001];
    for slot in near.chain(far) {
        let (walked, single) = (walk.slot_key(slot).unwrap(), view.slot_key(&disk, tree, slot).unwrap());
        assert_eq!(walked.key.expose(), single.key.expose(), "slot {slot}");
        assert_eq!(walked.generation, single.generation, "slot {slot}");
    }
    assert!(walk.open_slot(SlotRef::first(70)).unwrap().is_none());
    assert!(walk.open_slot(SlotRef { slot: 70, generation: 1 }).unwrap().is_some());
    assert!(walk.open_slot(SlotRef { slot: 71, generation: 1 }).is_err());
}

#[test]
fn a_walk_goes_on_after_a_page_that_is_damaged_and_shows_the_epoch_it_was_begun_in() {
    let (disk, view) = founded();
    let tree = tenant(1);
    let view = erase(&disk, &view, &[(tree, SlotRef::first(70)), (tree, SlotRef::first(5000))]);
    let leaf = |slot: u64| {
        let of = |address: &PageAddress| {
            address.tree() == tree && address.place.is_leaf() && address.place.index == slot / 64
        };
        disk.addresses().into_iter().find(of).unwrap()
    };
    let damaged = leaf(70);
    let whole = disk.page(&damaged).unwrap().unwrap();
    disk.put(damaged, vec![1; whole.len()]);
    let cold = view.with_cache(Arc::new(PageCache::new(256)));
    let mut walk = cold.walk(&disk, tree);
    let before = *walk.slot_key(5000).unwrap().key.expose();
    assert!(walk.slot_key(70).is_err() && walk.slot_key(71).is_err());
    assert_eq!(walk.slot_key(5000).unwrap().key.expose(), &before);
    disk.put(damaged, whole);
    assert!(walk.slot_key(71).is_ok());

    let weak = cold.downgrade();
    drop(cold);
    assert!(!weak.is_gone(), "the walk reads it");
    drop(walk);
    assert!(weak.is_gone());
}

#[test]
fn rotation_changes_every_key_on_the_path_and_no_slot() {
    let (disk, view) = founded();
    let tree = tenant(1);
    let view = erase(&disk, &view, &[(tree, SlotRef::first(70)), (tree, SlotRef::first(5000))]);
    let before: Vec<_> = (0..6000).step_by(97).map(|slot| key(&view, &disk, tree, slot)).collect();
    let pages = disk.addresses();

    let rotated = rewrite(&view, &disk, Redraw::new().rotate(tree)).unwrap();
    disk.commit(&rotated);
    // The tenant's head page, and the vault's path to it: head and leaf. The rest stays as it was.
    assert_eq!(rotated.put.len(), 3);
    assert_eq!(rotated.dropped.len(), 3);
    assert!(rotated.dropped.iter().all(|page| pages.contains(page)));
    disk.drop_superseded(&rotated);
    let after: Vec<_> = (0..6000).step_by(97).map(|slot| key(&rotated.view, &disk, tree, slot)).collect();
    assert_eq!(before, after);
    assert_eq!(rotated.redrawn, 0);
}

#[test]
fn an_epoch_that_erases_nothing_still_changes_the_root() {
    let (disk, view) = founded();
    let key_before = key(&view, &disk, tenant(1), 9);
    let rolled = rewrite(&view, &disk, &Redraw::new()).unwrap();
    disk.commit(&rolled);
    assert_eq!(rolled.put.len(), 1);
    assert!(rolled.dropped.is_empty());
    assert_eq!(key(&rolled.view, &disk, tenant(1), 9), key_before);
    assert_eq!(rolled.view.authenticate(&disk).unwrap(), 1);
}

#[test]
fn repeating_an_erasure_redraws_nothing() {
    let (disk, view) = founded();
    let tree = tenant(1);
    let view = erase(&disk, &view, &[(tree, SlotRef::first(7))]);
    let redrawn = key(&view, &disk, tree, 7);

    let again = rewrite(&view, &disk, Redraw::new().erase(tree, SlotRef::first(7))).unwrap();
    disk.commit(&again);
    assert_eq!(again.redrawn, 0);
    assert_eq!(key(&again.view, &disk, tree, 7), redrawn);
}

#[test]
fn erasing_a_tenant_is_one_path_and_names_its_tree() {
    let (disk, view) = founded();
    let (gone, kept) = (tenant(1), tenant(2));
    let slots: Vec<_> = (0..500).map(|slot| (gone, SlotRef::first(slot * 80))).collect();
    let view = erase(&disk, &view, &slots);
    let kept_key = key(&view, &disk, kept, 3);

    // Erasures inside the tenant, in the same epoch, go with it.
    let mut redraw = Redraw::new();
    redraw.erase(TreeId::VAULT, SlotRef::first(1)).erase(gone, SlotRef::first(3));
    let shredded = rewrite(&view, &disk, &redraw).unwrap();
    disk.commit(&shredded);
    assert_eq!((shredded.put.len(), shredded.redrawn), (2, 1));
    assert_eq!(shredded.shredded, [gone]);
    disk.drop_superseded(&shredded);

    let view = shredded.view;
    assert!(disk.addresses().iter().all(|page| page.tree() == TreeId::VAULT));
    assert!(matches!(view.slot_key(&disk, gone, 3), Err(Error::TreeErased(tree)) if tree == gone));
    assert!(view.open_slot(&disk, gone, SlotRef::first(3)).unwrap().is_none());
    assert_eq!(key(&view, &disk, kept, 3), kept_key);

    // The slot's next tenant begins with a tree without pages, and can erase like any other.
    let next = view.tenant(&disk, 1).unwrap();
    assert_eq!(next.as_tenant(), Some(SlotRef { slot: 1, generation: 1 }));
    let key_before = key(&view, &disk, next, 4);
    let view = erase(&disk, &view, &[(next, SlotRef::first(3)), (gone, SlotRef::first(9))]);
    assert_eq!(key(&view, &disk, next, 4), key_before);
    assert_eq!(view.tenant(&disk, 1).unwrap(), next);
    assert!(view.authenticate(&disk).unwrap() > 2);
}

#[test]
fn a_missing_or_changed_page_is_corrupt_by_name() {
    let (disk, view) = founded();
    let tree = tenant(1);
    let view = erase(&disk, &view, &[(tree, SlotRef::first(7))]);
    for address in disk.addresses() {
        let page = disk.page(&address).unwrap().unwrap();
        for damaged in [None, Some(page[..page.len() - 1].to_vec()), Some(flipped(&page, 200)), Some(flipped(&page, 0))]
        {
            let broken = Disk::default();
            for other in disk.addresses() {
                broken.put(other, disk.page(&other).unwrap().unwrap());
            }
            broken.pages.lock().unwrap().remove(&address);
            damaged.into_iter().for_each(|bytes| broken.put(address, bytes));

            let cold = cold(&view);
            let error = cold.slot_key(&broken, tree, 7).unwrap_err();
            assert!(matches!(&error, Error::Corrupt { .. }), "{error}");
            assert!(error.to_string().contains(&address.to_string()), "{error}");
            assert!(cold.authenticate(&broken).is_err());
        }
    }
}

/// The same tree with an empty cache.
fn cold(view: &View) -> View {
    view.with_cache(Arc::new(PageCache::new(256)))
}

fn flipped(page: &[u8], position: usize) -> Vec<u8> {
    let mut page = page.to_vec();
    page[position] ^= 1;
    page
}

#[test]
fn pages_of_two_places_cannot_be_swapped() {
    let (disk, view) = founded();
    let view = erase(&disk, &view, &[(tenant(1), SlotRef::first(7)), (tenant(1), SlotRef::first(70))]);
    let addresses: Vec<_> = disk.addresses().into_iter().collect();
    for a in &addresses {
        for b in &addresses {
            if a != b {
                let bytes = disk.page(b).unwrap().unwrap();
                let swapped = Disk::default();
                addresses.iter().for_each(|page| swapped.put(*page, disk.page(page).unwrap().unwrap()));
                swapped.put(*a, bytes);
                assert!(cold(&view).authenticate(&swapped).is_err(), "{b} opened as {a}");
            }
        }
    }
}

#[test]
fn many_threads_see_the_same_keys_while_epochs_pass() {
    let (disk, mut view) = founded();
    let trees = [tenant(1), tenant(2)];
    let slots: Vec<u64> = (0..2_000).map(|n| n * 37).collect();
    let expected: Vec<[u8; 32]> =
        trees.iter().flat_map(|tree| slots.iter().map(|slot| key(&view, &disk, *tree, *slot))).collect();
    let views = Mutex::new(view.clone());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let view = views.lock().unwrap().clone();
                    let mut expected = expected.iter();
                    for tree in trees {
                        for slot in &slots {
                            assert_eq!(&key(&view, &disk, tree, *slot), expected.next().unwrap());
                        }
                    }
                }
            });
        }
        for round in 0..8 {
            // Slots between the ones that are looked at; old versions stay, as until the second batch.
            let mut redraw = Redraw::new();
            for slot in &slots {
                redraw.erase(trees[round % 2], SlotRef { slot: slot + 1 + round as u64, generation: 0 });
            }
            let rewrite = rewrite(&view, &disk, &redraw).unwrap();
            disk.commit(&rewrite);
            view = rewrite.view;
            *views.lock().unwrap() = view.clone();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_view_is_gone_when_its_last_handle_is() {
    let (_, view) = founded();
    let (weak, other) = (view.downgrade(), view.clone());
    drop(view);
    assert!(!weak.is_gone());
    drop(other);
    assert!(weak.is_gone());
}

/// Every page that is there and leads anywhere, of whatever epoch, and each that is damaged, by name.
#[test]
fn a_survey_finds_all_pages_and_names_those_that_do_not_open() {
    let (disk, view) = founded();
    assert!(view.survey(&disk).open.is_empty() && view.survey(&disk).closed.is_empty());
    let view = erase(&disk, &view, &[(tenant(1), SlotRef::first(70))]);
    let view = erase(&disk, &view, &[(tenant(2), SlotRef::first(5)), (tenant(1), SlotRef::first(9000))]);
    let survey = view.survey(&disk);
    assert!(survey.closed.is_empty());
    let found: BTreeSet<_> = survey.open.iter().copied().collect();
    assert_eq!((found.len(), &found), (survey.open.len(), &disk.addresses()), "each once, and nothing was left over");

    let damaged = *found.iter().find(|address| address.tree() == tenant(1) && address.place.is_head()).unwrap();
    disk.put(damaged, vec![1; 600]);
    let survey = view.survey(&disk);
    assert!(matches!(survey.closed.as_slice(), [(address, Error::Corrupt { .. })] if *address == damaged));
    // What is below it is there, and nothing leads to it.
    let below = found.iter().filter(|address| address.tree() == tenant(1)).count();
    assert_eq!(survey.open.len(), found.len() - below);
}
