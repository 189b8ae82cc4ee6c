//! A vault with one tenant and any number of people: its tree is lazy, so that those whom nobody erases take no room.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::BoxError;
use lethe_crypto::epoch::{EpochWriter, Outcome, Takeover};
use lethe_crypto::root::{FileRootStore, FileRootStoreOptions};
use lethe_crypto::tree::{FAN_OUT, HEIGHTS, PageCache, Redraw, SlotRef, TreeId, View, rewrite};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::disk::{Counts, Disk};

/// Leaves that the product keeps in memory.
const LEAVES: usize = 16_384;
/// Of so many rewritings of one epoch the fastest counts: they are the same.
const REWRITINGS: usize = 3;
/// People whose keys are looked up.
const LOOK_UPS: u64 = 200;
/// Caches that are filled to see what one takes: the first ones get memory that others gave back.
const CACHES: usize = 3;

/// Tells one key from another.
type Tag = [u8; lethe_crypto::tag::LENGTH];

pub(crate) struct Vault {
    people: u64,
    tree: TreeId,
    disk: Arc<Disk>,
    writer: EpochWriter<Disk>,
    runtime: Runtime,
    /// How often a slot was erased, if it was.
    generations: HashMap<u64, u32>,
    random: u64,
    _roots: TempDir,
}

/// What a run of epochs took.
pub(crate) struct Erased {
    pub(crate) counts: Counts,
    /// Rewriting the tree in memory.
    pub(crate) rewriting: Duration,
    /// Epochs from beginning to end, with what the root store syncs.
    pub(crate) epochs: Duration,
}

/// What looking a key up takes.
pub(crate) struct LookUp {
    pub(crate) reads: f64,
    pub(crate) read: f64,
    pub(crate) time: Duration,
}

/// What pages take in memory, where every page is written.
pub(crate) struct Memory {
    pub(crate) inner: u64,
    pub(crate) leaves: u64,
    pub(crate) bytes: u64,
}

impl Vault {
    pub(crate) fn found(people: u64) -> Result<Self, BoxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (roots, disk) = (TempDir::new()?, Arc::new(Disk::default()));
        let store = FileRootStore::open(FileRootStoreOptions::new(roots.path().join("roots"), roots.path()))?;
        let cache = Arc::new(PageCache::new(LEAVES));
        let opened = EpochWriter::open(Arc::clone(&disk), Arc::new(store), cache, Takeover::Refuse);
        let writer = runtime.block_on(opened)?;
        let (tree, generations, random) = (TreeId::tenant(SlotRef::first(1))?, HashMap::new(), people);
        Ok(Self { people, tree, disk, writer, runtime, generations, random, _roots: roots })
    }

    /// Epochs that erase so many people each, whoever they are. Somebody may be erased again: it costs the same.
    pub(crate) fn erase(&mut self, crowd: u64, epochs: u64) -> Result<Erased, BoxError> {
        let mut erased = Erased { counts: Counts::default(), rewriting: Duration::ZERO, epochs: Duration::ZERO };
        for _ in 0..epochs {
            let people = self.draw(crowd);
            let slots: Vec<u64> = people.iter().copied().flat_map(own_slots).collect();
            let stays = (0..self.people).find(|person| !people.contains(person));
            let alive: Vec<u64> = stays.into_iter().flat_map(own_slots).collect();
            let before = (self.keys(&slots)?, self.keys(&alive)?);
            erased.rewriting += self.rewrite(&slots)?;
            let (from, start) = (self.disk.counts(), Instant::now());
            self.run(&slots)?;
            erased.epochs += start.elapsed();
            erased.counts = erased.counts.plus(&self.disk.counts().since(&from));
            let after = (self.keys(&slots)?, self.keys(&alive)?);
            // A tree that forgets nobody, or somebody else, would be a measurement of nothing.
            if before.0.iter().zip(&after.0).any(|(before, after)| before == after) || before.1 != after.1 {
                return Err("the tree does not forget whom it should".into());
            }
        }
        Ok(erased)
    }

    /// Fastest of several, as what else the machine does only adds to it.
    fn rewrite(&self, slots: &[u64]) -> Result<Duration, BoxError> {
        let redraw = self.redraw(slots);
        let mut fastest = Duration::MAX;
        for _ in 0..REWRITINGS {
            let start = Instant::now();
            let rewritten = rewrite(self.writer.view(), &*self.disk, &redraw)?;
            fastest = fastest.min(start.elapsed());
            drop(rewritten);
        }
        Ok(fastest)
    }

    fn run(&mut self, slots: &[u64]) -> Result<(), BoxError> {
        let redraw = self.redraw(slots);
        match self.runtime.block_on(self.writer.run(&redraw, &()))? {
            Outcome::Destroyed(_) => {}
            Outcome::Pending(error) => return Err(error.into()),
        }
        slots.iter().for_each(|slot| *self.generations.entry(*slot).or_default() += 1);
        Ok(())
    }

    fn redraw(&self, slots: &[u64]) -> Redraw {
        let mut redraw = Redraw::new();
        for &slot in slots {
            let generation = self.generations.get(&slot).copied().unwrap_or(0);
            redraw.erase(self.tree, SlotRef { slot, generation });
        }
        redraw
    }

    /// Looks up those who were erased, whose way is written from the root to the leaf: with no page in memory, and with
    /// the inner ones; and the same people in a tree that nobody was ever erased from.
    pub(crate) fn look_up(&self) -> Result<[LookUp; 3], BoxError> {
        let slots: Vec<u64> = self.generations.keys().copied().take(LOOK_UPS as usize).collect();
        let view = self.writer.view();
        let cold = self.look_up_each(&slots, || view.with_cache(Arc::new(PageCache::new(0))))?;
        let inner = view.with_cache(Arc::new(PageCache::new(0)));
        self.look_up_each(&slots, || inner.clone())?;
        let warm = self.look_up_each(&slots, || inner.clone())?;
        let fresh = Self::found(self.people)?;
        let untouched = fresh.writer.view();
        fresh.look_up_each(&slots, || untouched.clone())?;
        let unwritten = fresh.look_up_each(&slots, || untouched.clone())?;
        Ok([cold, warm, unwritten])
    }

    fn look_up_each(&self, slots: &[u64], view: impl Fn() -> View) -> Result<LookUp, BoxError> {
        let (from, mut times) = (self.disk.counts(), Vec::with_capacity(slots.len()));
        for &slot in slots {
            let view = view();
            let start = Instant::now();
            view.slot_key(&*self.disk, self.tree, slot)?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let (counts, many) = (self.disk.counts().since(&from), slots.len().max(1) as f64);
        let time = times.get(times.len() / 2).copied().unwrap_or_default();
        Ok(LookUp { reads: counts.reads as f64 / many, read: counts.read as f64 / many, time })
    }

    /// Writes every page of the tree, and takes all of them into memory.
    pub(crate) fn memory(&mut self) -> Result<Memory, BoxError> {
        let leaves: Vec<u64> = (0..slots_of(self.people)).step_by(FAN_OUT).map(|slot| slot.max(1)).collect();
        self.run(&leaves)?;
        let (mut caches, mut bytes) = (Vec::new(), 0);
        for _ in 0..CACHES {
            let (before, cache) = (resident()?, Arc::new(PageCache::new(usize::MAX)));
            let view = self.writer.view().with_cache(Arc::clone(&cache));
            for &slot in &leaves {
                view.slot_key(&*self.disk, self.tree, slot)?;
            }
            bytes = resident()?.saturating_sub(before);
            caches.push(cache);
        }
        let (inner, leaves) = caches.last().map_or((0, 0), |cache| cache.len());
        Ok(Memory { inner: inner as u64, leaves: leaves as u64, bytes })
    }

    /// People, each once, drawn at random.
    fn draw(&mut self, crowd: u64) -> BTreeSet<u64> {
        let mut people = BTreeSet::new();
        while (people.len() as u64) < crowd {
            // SplitMix64.
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            people.insert((z ^ (z >> 31)) % self.people);
        }
        people
    }

    /// Keys of slots, by what is made with them.
    fn keys(&self, slots: &[u64]) -> Result<Vec<Tag>, BoxError> {
        let key = |slot: &u64| {
            let slot = self.writer.view().slot_key(&*self.disk, self.tree, *slot)?;
            Ok::<_, BoxError>(lethe_crypto::tag::tag(&slot.key, "receipt", &[]))
        };
        slots.iter().map(key).collect()
    }
}

/// A person's slots: its own and its template's. Slot 0 is the tenant's.
fn own_slots(person: u64) -> [u64; 2] {
    [2 * person + 1, 2 * person + 2]
}

/// One more than the last slot of so many people.
fn slots_of(people: u64) -> u64 {
    2 * people + 1
}

/// How many pages above the leaves there are when all are written: in the tenant's tree, and two of the vault's.
pub(crate) fn inner_pages(people: u64) -> u64 {
    let last = u128::from(slots_of(people) - 1);
    let fan_out = FAN_OUT as u128;
    // The head pages of both trees. The vault's leaf is a leaf.
    let mut pages = 2;
    for height in 1..=HEIGHTS as u32 {
        let first = if height == 1 { 0 } else { fan_out.pow(height - 1) };
        if first > last {
            break;
        }
        let end = last.min(fan_out.pow(height) - 1);
        for level in 1..height {
            let below = fan_out.pow(level + 1);
            pages += end / below - first / below + 1;
        }
    }
    u64::try_from(pages).unwrap_or(u64::MAX)
}

impl Counts {
    fn since(&self, before: &Self) -> Self {
        Self {
            pages: self.pages - before.pages,
            written: self.written - before.written,
            reads: self.reads - before.reads,
            read: self.read - before.read,
        }
    }

    fn plus(&self, more: &Self) -> Self {
        Self {
            pages: self.pages + more.pages,
            written: self.written + more.written,
            reads: self.reads + more.reads,
            read: self.read + more.read,
        }
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
