//! What there is: disks, a root store, a process, whoever calls, and an adversary who keeps every byte.
//!
//! Keys are ideal: a record opens with the key of its slot and with nothing else, a tree opens with its root. A tree is
//! what its root leads to: every slot's first key, but for the slots that were redrawn. Keys that are drawn for slots
//! seal nothing, since slots are not reused, and so they are not told apart.

use crate::set::Set;

pub(crate) type Slot = u8;
pub(crate) type Root = u8;
pub(crate) type Epoch = u8;

/// The first slot of the tree that nobody has at the beginning.
pub(crate) const FREE: Slot = 3;
/// How many slots a reservation makes durable.
pub(crate) const RESERVED_AT_ONCE: u8 = 2;
/// How many erasures are asked for.
pub(crate) const ERASURES: usize = 2;

/// Two people are enrolled at the beginning, the third enrolls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Person {
    Ada,
    Ben,
    Cleo,
}

impl Person {
    pub(crate) const ALL: [Self; 3] = [Self::Ada, Self::Ben, Self::Cleo];
}

/// Something for each person.
pub(crate) type Each<T> = [T; 3];

/// A database at one moment; as a mirror, without the rows of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    /// How many batches made it.
    pub(crate) sequence: u8,
    /// The epoch state: number and root of the committed epoch, the root that must still be destroyed, who claims.
    pub(crate) epoch: Epoch,
    pub(crate) root: Root,
    pub(crate) retiring: Option<Root>,
    pub(crate) incarnation: u8,
    pub(crate) claiming: Option<u8>,
    /// The committed tree's pages: which slots were redrawn.
    pub(crate) redrawn: Set,
    /// The high-water mark: the first slot that was never reserved.
    pub(crate) mark: Slot,
    /// The slots of each person's rows.
    pub(crate) rows: Each<Set>,
    /// The slots that each accepted erasure names, until its epoch is committed.
    pub(crate) intents: Each<Set>,
    /// The log: the epoch that each person's `ERASURE_COMMITTED` leaves, and the epochs with an `EPOCH_DESTROYED`.
    pub(crate) committed: Each<Option<Epoch>>,
    pub(crate) destroyed: Set,
}

impl Rows {
    pub(crate) fn owned(&self) -> Set {
        self.rows.iter().fold(Set::EMPTY, |all, slots| all.with(*slots))
    }

    /// Are both entries of the erasure in the log?
    pub(crate) fn proves(&self, person: Person) -> bool {
        self.committed[person as usize].is_some_and(|epoch| self.destroyed.has(epoch))
    }

    /// Is the erasure on its way, or done?
    pub(crate) fn knows_of(&self, person: Person) -> bool {
        !self.intents[person as usize].is_empty() || self.committed[person as usize].is_some()
    }

    /// What a mirror has of it.
    pub(crate) fn mirrored(&self) -> Self {
        Self { rows: [Set::EMPTY; 3], ..*self }
    }
}

/// The root store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RootStore {
    pub(crate) held: Set,
    /// How many roots were ever made: the next one's name.
    pub(crate) made: Root,
    /// The incarnation that holds the claim.
    pub(crate) claim: u8,
}

/// Every ciphertext that was ever on any disk, committed or torn. (Trees of roots that are destroyed are left out: no
/// root is made twice, so they open for nobody any more.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Images {
    /// Trees: the root that wraps each, and the slots that were redrawn in it. In order.
    pub(crate) trees: Vec<(Root, Set)>,
    /// The slots whose records were written, by person.
    pub(crate) records: Each<Set>,
}

impl Images {
    pub(crate) fn keep_tree(&mut self, root: Root, redrawn: Set) {
        self.trees.push((root, redrawn));
        self.trees.sort_unstable_by_key(|(root, redrawn)| (*root, redrawn.iter().collect::<Vec<_>>()));
    }

    /// Forgets what nobody can ever open again.
    pub(crate) fn drop_unreachable(&mut self, held: Set) {
        self.trees.retain(|(root, _)| held.has(*root));
    }

    /// Everything in it that whoever may unwrap under `held` can open.
    pub(crate) fn openable(&self, held: Set) -> Set {
        let written = self.records.iter().fold(Set::EMPTY, |all, slots| all.with(*slots));
        let reached = self.trees.iter().filter(|(root, _)| held.has(*root));
        reached.fold(Set::EMPTY, |all, (_, redrawn)| all.with(written.without(*redrawn)))
    }
}

/// What one epoch is about to redraw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    /// The slots of each erasure.
    pub(crate) erasures: Each<Set>,
    pub(crate) burnt: Set,
}

/// Where the one writer of epochs is: what it does next. Each step changes one durable thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    /// A start has announced an incarnation: it is to be claimed, then confirmed, then orphans are to be destroyed.
    Claim,
    Confirm,
    ClearUp,
    /// Serves; when there are intents, makes a root.
    Idle,
    Commit(Work, Root),
    /// Destroys the old root when the mirror has the commit.
    Destroy,
    DestroyOrphans,
    LogTheEnd,
    AwaitEnd,
    /// Of a flawed protocol: the root that should be gone by now.
    DestroyLate(Root),
    /// It refused to open.
    Refused,
}

/// The one enrolment: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Enrolment {
    Begin,
    AwaitMark(Slot),
    Write(Slot),
    Acknowledge(Slot),
}

/// What is in memory, and gone with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) writer: Writer,
    pub(crate) enrolment: Enrolment,
    /// The allocator.
    pub(crate) next: Slot,
    pub(crate) reserved: Slot,
    /// Slots that were handed out and not committed, in this run or one before.
    pub(crate) burnt: Set,
    /// Intents that this run does not know of. None, unless the protocol is flawed.
    pub(crate) overlooked: Set,
}

impl Process {
    /// A start: nothing is served until the key tree is opened and the rows are read.
    pub(crate) const START: Self = Self {
        writer: Writer::Claim,
        enrolment: Enrolment::Begin,
        next: 0,
        reserved: 0,
        burnt: Set::EMPTY,
        overlooked: Set::EMPTY,
    };

    pub(crate) const fn serves(&self) -> bool {
        !matches!(self.writer, Writer::Claim | Writer::Confirm | Writer::ClearUp | Writer::Refused)
    }
}

/// What whoever asked for an erasure was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Told {
    Nothing,
    /// Asked, not answered.
    Asked,
    Accepted,
    Shredded,
    /// Shredded, and there is a receipt.
    Receipt,
}

/// What is only remembered to be judged by. No step of the protocol depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// Slots that were ever handed out, and those that were handed out again.
    pub(crate) given: Set,
    pub(crate) given_twice: Set,
    /// What each person had on any disk when the erasure was asked for.
    pub(crate) covered: Each<Set>,
    /// What the last epoch that was begun owes: slots that were burnt when its work was taken.
    pub(crate) owed: Option<(Root, Set)>,
    /// The root of each epoch.
    pub(crate) root_of: [Root; 4],
    /// Records that somebody was told nobody can open.
    pub(crate) gone: Set,
    /// Burnt slots that were not redrawn when something was called shredded after them.
    pub(crate) left: Set,
    /// Slots of calls that failed after they were given one.
    pub(crate) failed: Set,
    /// There was a step that led back: the model could run in circles.
    pub(crate) turned_back: bool,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vault {
    /// The data disk, as far as it is synced.
    pub(crate) disk: Rows,
    /// Batches in the write-ahead log that are not synced, in order: the rows after each.
    pub(crate) unsynced: Vec<Rows>,
    pub(crate) mirror: Rows,
    pub(crate) roots: RootStore,
    pub(crate) images: Images,
    pub(crate) process: Option<Process>,
    pub(crate) erasures: Each<Told>,
    /// The slot under which the enrolment was acknowledged.
    pub(crate) enrolled: Option<Slot>,
    /// Crashes, and calls that end after they were given a slot, that may still happen.
    pub(crate) crashes: u8,
    pub(crate) failures: u8,
    pub(crate) ghost: Ghost,
}

impl Vault {
    /// A vault that serves, with Ada and Ben in it.
    pub(crate) fn begin(crashes: u8, failures: u8) -> Self {
        let rows = Rows {
            sequence: 0,
            epoch: 0,
            root: 0,
            retiring: None,
            incarnation: 0,
            claiming: None,
            redrawn: Set::EMPTY,
            mark: FREE,
            rows: [Set::of(1), Set::of(2), Set::EMPTY],
            intents: [Set::EMPTY; 3],
            committed: [None; 3],
            destroyed: Set::EMPTY,
        };
        let mut images = Images { trees: Vec::new(), records: rows.rows };
        images.keep_tree(rows.root, rows.redrawn);
        Self {
            disk: rows,
            unsynced: Vec::new(),
            mirror: rows.mirrored(),
            roots: RootStore { held: Set::of(rows.root), made: 1, claim: rows.incarnation },
            images,
            process: Some(Process { writer: Writer::Idle, next: FREE, reserved: FREE, ..Process::START }),
            erasures: [Told::Nothing; 3],
            enrolled: None,
            crashes,
            failures,
            ghost: Ghost { given: Set::range(1, FREE), ..Ghost::default() },
        }
    }

    /// The rows as the process sees them: all that was written.
    pub(crate) fn seen(&self) -> &Rows {
        self.unsynced.last().unwrap_or(&self.disk)
    }

    /// Writes a batch: to the write-ahead log, not synced.
    pub(crate) fn write(&mut self, change: impl FnOnce(&mut Rows)) {
        let mut rows = *self.seen();
        change(&mut rows);
        rows.sequence += 1;
        self.unsynced.push(rows);
    }

    pub(crate) fn sync(&mut self) {
        if let Some(rows) = self.unsynced.pop() {
            self.disk = rows;
            self.unsynced.clear();
        }
    }

    /// Every database that a crash right now may leave.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Rows> {
        std::iter::once(&self.disk).chain(&self.unsynced)
    }

    pub(crate) fn was_asked(&self, person: Person) -> bool {
        self.erasures[person as usize] != Told::Nothing
    }
}
