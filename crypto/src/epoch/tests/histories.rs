//! Random histories of enrolments, erasures and epochs, with the real writer, tree, allocator, records and file root store,
//! and crashes at any step of any of them. An adversary keeps every byte that was ever on its way to the disk, also of
//! writes that were torn, and may unwrap under every root that the store holds.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;

use super::super::*;
use super::world::*;
use crate::error::{BoxError, Result};
use crate::record::{self, RecordContext, RecordKeys, RecordKind};
use crate::root::RootStore as _;
use crate::tree::tests::adversary::{Adversary, Key};
use crate::tree::{
    Lease, PageAddress, PageCache, PageSource, Redraw, SlotAllocator, SlotRef, TreeId, View, burnt_slots,
};

const TENANT: SlotRef = SlotRef::first(1);
const SUBJECT: RecordKind = RecordKind(1);

/// A disk whose commits carry out accepted erasures.
struct People(Arc<Disk>);

impl PageSource for People {
    fn page(&self, address: &PageAddress) -> std::result::Result<Option<Vec<u8>>, BoxError> {
        self.0.page(address)
    }
}

#[async_trait]
impl Journal for People {
    /// Whose erasures an epoch carries out.
    type Batch = Vec<u32>;

    async fn load(&self) -> std::result::Result<Option<EpochState>, BoxError> {
        self.0.load().await
    }

    async fn save(&self, state: &EpochState) -> std::result::Result<(), BoxError> {
        self.0.save(state).await
    }

    async fn commit(&self, commit: Commit<'_>, people: &Vec<u32>) -> std::result::Result<(), BoxError> {
        let (from, to) = (commit.from.number, commit.to.number);
        self.0.commit_with(commit, |content| {
            for person in people {
                assert!(content.rows.intents.remove(person).is_some());
                assert!(content.rows.committed.insert(*person, from).is_none(), "{person} is committed twice");
            }
            content.log.push(Entry::Committed { erasure: "people", from, to });
        })
    }

    async fn publish(&self, state: &EpochState, view: &View) -> std::result::Result<(), BoxError> {
        self.0.publish(state, view).await
    }

    async fn destroyed(&self, destruction: Destruction<'_>) -> std::result::Result<(), BoxError> {
        self.0.destroyed(destruction).await
    }
}

/// What is in memory.
struct Process {
    writer: EpochWriter<People>,
    allocator: SlotAllocator,
    /// Slots that an earlier process handed out and never committed.
    burnt: BTreeSet<u64>,
}

/// A record that was on its way to the disk at some time, and the key of its slot.
#[derive(Clone)]
struct Written {
    person: u32,
    slot: u64,
    key: Key,
}

/// What is done wrongly, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Rows are deleted, slots are not redrawn.
    DeleteRowsOnly,
    /// Slots that a crash burnt are not looked for.
    OverlookBurnt,
}

struct History {
    world: World,
    tree: TreeId,
    flaw: Flaw,
    process: Option<Process>,
    /// How many people there are, and whose enrolment was not answered.
    people: u32,
    unanswered: Option<u32>,
    written: Vec<Written>,
    given: BTreeSet<u64>,
    /// Who was told that they are enrolled, that their erasure is accepted, that it is done.
    enrolled: BTreeMap<u32, u64>,
    accepted: BTreeSet<u32>,
    shredded: BTreeSet<u32>,
    /// Slots whose records nobody may open any more.
    gone: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enroll,
    /// Takes a slot and fails.
    Fail,
    /// Erases one of those who are enrolled.
    Erase(usize),
    Epoch,
    Restart,
}

impl History {
    fn new(flaw: Flaw) -> Self {
        Self {
            world: World::new(),
            tree: TreeId::tenant(TENANT).unwrap(),
            flaw,
            process: None,
            people: 0,
            unanswered: None,
            written: Vec::new(),
            given: BTreeSet::new(),
            enrolled: BTreeMap::new(),
            accepted: BTreeSet::new(),
            shredded: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Takes a step; with a fuse, the process dies after so many durable steps, and the next step begins with a start.
    async fn step(&mut self, step: Step, fuse: Option<u32>) {
        self.world.disk.fuse.set(fuse);
        let done = self.take(step).await;
        if done.is_err() {
            assert!(fuse.is_some(), "{step:?} failed: {done:?}");
            self.process = None;
        }
        self.world.disk.fuse.set(None);
        self.check_what_a_crash_leaves().await;
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        if matches!(step, Step::Restart) {
            self.process = None;
        }
        if self.process.is_none() {
            self.start().await?;
        }
        match step {
            Step::Enroll => self.enroll().await,
            Step::Fail => self.lease().map(drop),
            Step::Erase(index) => {
                let there: BTreeSet<u32> = self.rows().records.values().map(|(person, _)| *person).collect();
                match there.iter().nth(index % there.len().max(1)) {
                    Some(person) => self.erase(*person),
                    None => Ok(()),
                }
            }
            Step::Epoch => self.epoch().await,
            Step::Restart => Ok(()),
        }
    }

    fn rows(&self) -> Rows {
        self.world.disk.content.lock().rows.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Rows)) -> Result<()> {
        let changed = self.world.disk.change(|content| change(&mut content.rows));
        changed.map_err(|source| crate::Error::Journal { action: "changing", source })
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// As `opening.rs` of the vault does it.
    async fn start(&mut self) -> Result<()> {
        let journal = Arc::new(People(Arc::clone(&self.world.disk)));
        let cache = Arc::new(PageCache::new(8));
        let mut writer = EpochWriter::open(journal, self.world.start(), cache, Takeover::Refuse).await?;
        let rows = self.rows();
        let mark = rows.mark.max(1);
        let owned = rows.records.keys().copied();
        let mut burnt = burnt_slots(writer.view(), &*self.world.disk, self.tree, mark, owned)?;
        if self.flaw == Flaw::OverlookBurnt {
            burnt.clear();
        }
        writer.finish().await?;
        // A writer opens also where orphans cannot be destroyed yet; a process that is dead does nothing.
        self.change(|_| ())?;
        self.process = Some(Process { writer, allocator: SlotAllocator::resume(mark), burnt });
        self.tell(&BTreeSet::new()).await;
        Ok(())
    }

    fn lease(&mut self) -> Result<Lease> {
        let allocator = self.process().allocator.clone();
        if let Some(lease) = allocator.allocate() {
            assert!(self.given.insert(lease.slot().slot), "{} is given twice", lease.slot());
            return Ok(lease);
        }
        let reservation = allocator.reservation(1)?;
        self.change(|rows| rows.mark = reservation.mark())?;
        allocator.reserved(reservation);
        self.lease()
    }

    async fn enroll(&mut self) -> Result<()> {
        // Who was not answered asks again, unless they were erased in between.
        let rows = self.rows();
        let person =
            self.unanswered.filter(|person| !rows.intents.contains_key(person) && !rows.committed.contains_key(person));
        if let Some(person) = person
            && let Some((slot, _)) = rows.records.iter().find(|(_, (of, _))| *of == person)
        {
            self.enrolled.insert(person, *slot);
            self.unanswered = None;
            return Ok(());
        }
        let person = person.unwrap_or_else(|| {
            self.people += 1;
            self.people
        });
        self.unanswered = Some(person);
        let lease = self.lease()?;
        let slot = lease.slot();
        let key = self.process().writer.view().open_slot(&*self.world.disk, self.tree, slot)?.unwrap();
        let id = person.to_be_bytes();
        let context = RecordContext::new(TENANT, slot, SUBJECT, &id);
        let sealed = record::seal(RecordKeys::of_subject(&key), &context, b"embedding")?.into_bytes();
        self.written.push(Written { person, slot: slot.slot, key: *key.expose() });
        self.change(|rows| drop(rows.records.insert(slot.slot, (person, sealed))))?;
        lease.commit();
        self.enrolled.insert(person, slot.slot);
        self.unanswered = None;
        Ok(())
    }

    fn erase(&mut self, person: u32) -> Result<()> {
        // What it covers holds from when it is asked for, whoever was there to be told.
        self.change(|rows| {
            let slots = rows.records.iter().filter(|(_, (of, _))| *of == person).map(|(slot, _)| *slot).collect();
            rows.records.retain(|_, (of, _)| *of != person);
            rows.intents.insert(person, slots);
        })?;
        self.accepted.insert(person);
        Ok(())
    }

    /// As the vault's worker does it.
    async fn epoch(&mut self) -> Result<()> {
        let rows = self.rows();
        let (people, mut slots) = (rows.intents.keys().copied().collect(), self.process().burnt.clone());
        slots.extend(self.process().allocator.burnt());
        slots.extend(rows.intents.values().flatten());
        if self.flaw == Flaw::DeleteRowsOnly {
            slots.clear();
        }
        let mut redraw = Redraw::new();
        for slot in &slots {
            redraw.erase(self.tree, SlotRef::first(*slot));
        }
        let owed = self.given.iter().copied().filter(|slot| !rows.records.contains_key(slot)).collect();

        let process = self.process.as_mut().unwrap();
        let outcome = process.writer.run(&redraw, &people).await?;
        process.allocator.redrawn(&slots);
        process.burnt.clear();
        match outcome {
            Outcome::Destroyed(evidence) => assert!(!self.world.roots().await.contains(&evidence.root)),
            Outcome::Pending(failure) => return Err(failure),
        }
        self.tell(&owed).await;
        Ok(())
    }

    /// Everybody whose epoch has ended is told so. `owed` were burnt when its work was taken.
    async fn tell(&mut self, owed: &BTreeSet<u64>) {
        let ended = self.destroyed_epochs();
        let told = self.rows().committed.into_iter().filter(|(_, epoch)| ended.contains(epoch));
        self.shredded.extend(told.map(|(person, _)| person));
        self.gone.extend(owed);
        let theirs = self.written.iter().filter(|record| self.shredded.contains(&record.person));
        self.gone.extend(theirs.map(|record| record.slot));
        assert_eq!(self.world.roots().await, [self.process().writer.epoch().root], "one root at rest");
    }

    fn destroyed_epochs(&self) -> BTreeSet<u64> {
        let destroyed = |entry| match entry {
            Entry::Destroyed { epoch, .. } => Some(epoch),
            Entry::Committed { .. } => None,
        };
        self.world.log().into_iter().filter_map(destroyed).collect()
    }

    /// Of whatever state the disk is in, with or without a process.
    async fn check_what_a_crash_leaves(&self) {
        let (rows, ended) = (self.rows(), self.destroyed_epochs());
        if let Some(current) = self.world.disk.state().and_then(|state| state.current) {
            assert!(self.world.roots().await.contains(&current.root), "the committed root is gone");
        }
        for (person, slot) in &self.enrolled {
            let asked = rows.intents.contains_key(person) || rows.committed.contains_key(person);
            assert!(asked || rows.records.contains_key(slot), "{person} is lost");
        }
        for person in &self.accepted {
            assert!(rows.intents.contains_key(person) || rows.committed.contains_key(person), "{person} is forgotten");
        }
        for person in &self.shredded {
            assert!(ended.contains(&rows.committed[person]), "{person} was told shredded without both entries");
        }
        assert!(self.given.iter().all(|slot| *slot < rows.mark), "a slot at or above the mark was given");
    }

    /// Every key that the adversary reaches: from each vault key that a root of the store unwraps.
    async fn reached(&self) -> HashSet<Key> {
        let mut keys = Vec::new();
        let (pages, epochs) = {
            let images = self.world.disk.images.lock();
            (images.pages.clone(), images.epochs.clone())
        };
        let vault = self.world.disk.state().unwrap().vault;
        for root in self.world.roots().await {
            for epoch in &epochs {
                let context = epoch.wrapping_context(&vault);
                keys.extend(self.world.store.unwrap(root, &epoch.wrapped, &context).await.map(|key| *key.expose()));
            }
        }
        let slots: Vec<u64> = self.written.iter().map(|record| record.slot).collect();
        Adversary::new(&pages, &[(TENANT.slot, TENANT.generation)], &slots).keys_from(&keys)
    }

    /// Records that must be gone and are within reach.
    async fn within_reach(&self) -> Vec<u64> {
        let reached = self.reached().await;
        let written = self.written.iter().filter(|record| reached.contains(&record.key));
        written.map(|record| record.slot).filter(|slot| self.gone.contains(slot)).collect()
    }

    async fn check(&self) {
        let reached = self.reached().await;
        let (rows, view) = (self.rows(), self.process().writer.view());
        for Written { person, slot, key } in &self.written {
            assert!(!self.gone.contains(slot) || !reached.contains(key), "slot {slot} of {person} is within reach");
            if let Some((owner, sealed)) = rows.records.get(slot) {
                assert_eq!(owner, person);
                assert!(reached.contains(key), "slot {slot} lives and is out of reach: the adversary is too weak");
                let now = view.open_slot(&*self.world.disk, self.tree, SlotRef::first(*slot)).unwrap().unwrap();
                let id = person.to_be_bytes();
                let context = RecordContext::new(TENANT, SlotRef::first(*slot), SUBJECT, &id);
                let opened = record::open_bytes(RecordKeys::of_subject(&now), &context, sealed).unwrap();
                assert_eq!(opened.as_slice(), b"embedding");
            }
        }
    }

    /// Nothing crashes any more: what was begun ends.
    async fn end(&mut self) {
        self.step(Step::Restart, None).await;
        self.step(Step::Epoch, None).await;
        assert!(self.rows().intents.is_empty());
        assert!(self.accepted.is_subset(&self.shredded), "an accepted erasure never ends");
        self.check().await;
    }
}

fn steps() -> impl Strategy<Value = Vec<(Step, Option<u32>)>> {
    let step = prop_oneof![
        6 => Just(Step::Enroll),
        1 => Just(Step::Fail),
        4 => (0usize..8).prop_map(Step::Erase),
        4 => Just(Step::Epoch),
        1 => Just(Step::Restart),
    ];
    // An epoch has about 30 durable steps, a start about 20, an enrolment two or four.
    let fuse = prop_oneof![3 => Just(None), 1 => (0u32..4).prop_map(Some), 2 => (0u32..60).prop_map(Some)];
    prop::collection::vec((step, fuse), 1..40)
}

proptest! {
    #[test]
    fn whatever_crashes_what_is_shredded_is_out_of_reach_and_what_is_acknowledged_is_there(steps in steps()) {
        wait(async {
            let mut history = History::new(Flaw::None);
            for (step, fuse) in steps {
                history.step(step, fuse).await;
                if history.process.is_some() {
                    history.check().await;
                }
            }
            history.end().await;
        });
    }
}

/// A commit that is torn, and whose set then grows; an enrolment that is torn.
async fn torn(flaw: Flaw) -> History {
    let mut history = History::new(flaw);
    history.step(Step::Enroll, None).await;
    history.step(Step::Enroll, None).await;
    // The row is on its way when the process dies.
    history.step(Step::Enroll, Some(0)).await;
    history.step(Step::Erase(0), None).await;
    // The commit's bytes are on their way.
    let (written, mut fuse) = (history.world.disk.images.lock().pages.len(), 0);
    while history.world.disk.images.lock().pages.len() == written {
        history.step(Step::Epoch, Some(fuse)).await;
        fuse += 1;
    }
    assert!(history.shredded.is_empty() && history.process.is_none());
    history.step(Step::Erase(0), None).await;
    history.step(Step::Epoch, None).await;
    assert_eq!(history.shredded.len(), 2);
    assert_eq!(history.gone.len(), 3);
    history
}

#[test]
fn a_torn_commit_whose_set_grows_and_a_torn_enrolment() {
    wait(async {
        let mut history = torn(Flaw::None).await;
        assert!(history.within_reach().await.is_empty());
        history.end().await;
    });
}

#[test]
fn what_is_done_wrongly_is_within_reach() {
    wait(async {
        assert_eq!(torn(Flaw::DeleteRowsOnly).await.within_reach().await.len(), 3);
        assert_eq!(torn(Flaw::OverlookBurnt).await.within_reach().await.len(), 1);
    });
}
