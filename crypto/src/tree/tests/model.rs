//! Rules 1 and 2 against a naive map of slots.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::error::Error;

/// Slots that are watched in every tree: of several heights, some on the same pages.
const WATCHED: [u64; 12] = [0, 1, 2, 63, 64, 127, 128, 4095, 4096, 4097, 300_000, 1 << 40];
const TENANTS: u64 = 3;

/// What one epoch does.
#[derive(Clone, Debug)]
enum Step {
    Erase(Vec<(u64, usize)>),
    Shred(u64),
    Rotate(u64),
    /// A rewrite that is thrown away, as after a crash, and then done again.
    Abort(Vec<(u64, usize)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slots = || prop::collection::vec((1..=TENANTS, 0..WATCHED.len()), 0..6);
    let step = prop_oneof![
        6 => slots().prop_map(Step::Erase),
        1 => (1..=TENANTS).prop_map(Step::Shred),
        1 => (1..=TENANTS).prop_map(Step::Rotate),
        2 => slots().prop_map(Step::Abort),
    ];
    prop::collection::vec(step, 1..8)
}

/// The naive map: for each watched slot of each tenant's current tree, its key and generation.
#[derive(Default)]
struct Model {
    tenants: HashMap<u64, TreeId>,
    slots: HashMap<(TreeId, u64), ([u8; 32], u32)>,
    gone: Vec<TreeId>,
}

impl Model {
    fn read(&mut self, disk: &Disk, view: &View, tenant: u64) {
        let tree = view.tenant(disk, tenant).unwrap();
        self.tenants.insert(tenant, tree);
        for slot in WATCHED {
            let current = view.slot_key(disk, tree, slot).unwrap();
            self.slots.insert((tree, slot), (*current.key.expose(), current.generation));
        }
    }

    fn redraw(&self, slots: &[(u64, usize)]) -> Redraw {
        let mut redraw = Redraw::new();
        for (tenant, index) in slots {
            let (tree, slot) = (self.tenants[tenant], WATCHED[*index]);
            redraw.erase(tree, SlotRef { slot, generation: self.slots[&(tree, slot)].1 });
        }
        redraw
    }

    /// Compares every slot with the tree; those in `erased` must have changed and are taken over.
    fn check(&mut self, disk: &Disk, view: &View, erased: &Redraw) {
        let erased: BTreeSet<_> = erased.iter().map(|(tree, slot)| (tree, slot.slot)).collect();
        for ((tree, slot), (key, generation)) in &mut self.slots {
            let now = view.slot_key(disk, *tree, *slot).unwrap();
            if erased.contains(&(*tree, *slot)) {
                assert_ne!(now.key.expose(), key, "{tree} slot {slot} kept its value");
                assert_eq!(now.generation, *generation + 1);
                (*key, *generation) = (*now.key.expose(), now.generation);
            } else {
                assert_eq!(now.key.expose(), key, "{tree} slot {slot} lost its value");
                assert_eq!(now.generation, *generation);
            }
        }
        for tree in &self.gone {
            assert!(matches!(view.slot_key(disk, *tree, 1), Err(Error::TreeErased(_))));
        }
    }
}

/// Rule 1, of what one rewrite puts: no address twice, each page under a key of its own, all drawn in
/// this epoch; and everything it drops is there to be dropped.
fn check_rule_1(disk: &Disk, rewrite: &Rewrite, commitments: &mut BTreeSet<Vec<u8>>) {
    let stored = disk.addresses();
    let mut addresses = BTreeSet::new();
    for page in &rewrite.put {
        assert_eq!(page.address.epoch(), rewrite.epoch);
        assert!(addresses.insert(page.address));
        assert!(!stored.contains(&page.address), "a stored page would be overwritten");
        // Version byte, then the commitment, which is as good as a fingerprint of the page's key.
        assert!(commitments.insert(page.bytes[1..33].to_vec()), "a page key was used twice");
    }
    assert!(rewrite.dropped.iter().all(|address| stored.contains(address)));
    assert!(rewrite.dropped.is_sorted() && rewrite.put.is_sorted_by_key(|page| page.address));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_tree_agrees_with_a_map(steps in steps()) {
        let (disk, mut view) = founded();
        let mut model = Model::default();
        (1..=TENANTS).for_each(|tenant| model.read(&disk, &view, tenant));
        let mut commitments = BTreeSet::new();

        for step in steps {
            let mut redraw = Redraw::new();
            let mut shredded = None;
            match &step {
                Step::Erase(slots) => { redraw = model.redraw(slots); }
                Step::Abort(slots) => {
                    redraw = model.redraw(slots);
                    let aborted = rewrite(&view, &disk, &redraw).unwrap();
                    check_rule_1(&disk, &aborted, &mut commitments);
                    // Redone: the same pages put and dropped, under other keys.
                    let again = rewrite(&view, &disk, &redraw).unwrap();
                    prop_assert_eq!(&aborted.dropped, &again.dropped);
                    let names = |rewrite: &Rewrite| rewrite.put.iter().map(|page| page.address).collect::<Vec<_>>();
                    prop_assert_eq!(names(&aborted), names(&again));
                }
                Step::Rotate(tenant) => { redraw.rotate(model.tenants[tenant]); }
                Step::Shred(tenant) => {
                    let tree = model.tenants[tenant];
                    redraw.erase(TreeId::VAULT, tree.as_tenant().unwrap());
                    shredded = Some((*tenant, tree));
                }
            }
            let next = rewrite(&view, &disk, &redraw).unwrap();
            check_rule_1(&disk, &next, &mut commitments);
            disk.commit(&next);

            // Before the second batch, readers of the old epoch still find everything.
            model.check(&disk, &view, &Redraw::new());
            disk.drop_superseded(&next);
            view = next.view.with_cache(Arc::new(PageCache::new(64)));
            if let Some((tenant, tree)) = shredded {
                model.slots.retain(|(owner, _), _| *owner != tree);
                model.gone.push(tree);
                model.read(&disk, &view, tenant);
                prop_assert_eq!(&next.shredded, &[tree]);
            }
            model.check(&disk, &view, &redraw);
            view.authenticate(&disk).unwrap();
        }
        // Nothing is left on disk that the tree does not lead to.
        let reachable = reachable(&disk, &view);
        prop_assert_eq!(disk.addresses(), reachable);
    }
}

/// Every page that the tree refers to.
fn reachable(disk: &Disk, view: &View) -> BTreeSet<PageAddress> {
    use crate::tree::address::Place;
    use crate::tree::page::Page;

    let mut reached = BTreeSet::new();
    let mut open = Vec::new();
    if view.epoch() != 0 {
        open.push((PageAddress { place: Place::head(TreeId::VAULT), drawn: view.epoch() }, view.vault_page_key()));
    }
    while let Some((address, key)) = open.pop() {
        let stored = disk.page(&address).unwrap().unwrap();
        let page = Page::open(&key, &address, &stored).unwrap();
        reached.insert(address);
        for (digit, draw) in page.draws().filter(|(_, draw)| draw.written) {
            let place = address.place.child(digit).unwrap_or_else(|| {
                let slot = SlotRef { slot: address.place.slot(digit), generation: draw.generation };
                Place::head(TreeId::tenant(slot).unwrap())
            });
            open.push((PageAddress { place, drawn: draw.drawn }, page.page_key(digit)));
        }
    }
    reached
}
