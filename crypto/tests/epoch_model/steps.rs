//! What may happen next. Steps of different threads interleave in every order; a step is what happens to one durable
//! thing at once.

use crate::flaws::Flaw;
use crate::set::Set;
use crate::vault::{
    ERASURES, Each, Enrolment, Person, Process, RESERVED_AT_ONCE, Root, Rows, Slot, Told, Vault, Work, Writer,
};

/// A step. The writer's and the enrolment's are named by what they are at.
///
/// Promises take no step: they are made at the first moment at which they may be, and a promise that holds when it is made
/// early holds when it is made late. The exception is the enrolment's, as a crash before it makes its caller ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The process dies, or the power fails: of the batches that were not synced, so many are kept. The others are torn:
    /// their bytes stay where an adversary finds them.
    Crash {
        kept: usize,
    },
    Start,
    /// The write-ahead log is synced.
    Sync,
    /// The mirror has what is synced, and has synced it.
    Mirror,
    Write(Writer),
    Enroll(Enrolment),
    /// The enrolment fails with a slot in its hands.
    Fail,
    Erase(Person),
}

/// The protocol, or one with a flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub(crate) flaw: Option<Flaw>,
    /// How many crashes, and how many calls that end after they were given a slot, there are at most.
    pub(crate) crashes: u8,
    pub(crate) failures: u8,
}

impl Protocol {
    fn has(self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Every step that may be next.
    pub(crate) fn steps(self, vault: &Vault) -> Vec<Step> {
        let Some(process) = &vault.process else { return vec![Step::Start] };
        let mut steps = Vec::new();
        if vault.crashes > 0 {
            steps.extend((0..=vault.unsynced.len()).map(|kept| Step::Crash { kept }));
        }
        if !vault.unsynced.is_empty() {
            steps.push(Step::Sync);
        }
        if vault.mirror != vault.disk.mirrored() && process.writer != Writer::Refused {
            steps.push(Step::Mirror);
        }
        if self.may_write(vault, process) {
            steps.push(Step::Write(process.writer));
        }
        if process.serves() {
            if self.may_enroll(vault, process) {
                steps.push(Step::Enroll(process.enrolment));
            }
            if vault.failures > 0 && matches!(process.enrolment, Enrolment::Write(_)) {
                steps.push(Step::Fail);
            }
            let erased = Person::ALL.into_iter().filter(|person| may_erase(vault, process, *person));
            steps.extend(erased.map(Step::Erase));
        }
        steps
    }

    /// Is the writer waiting for nothing?
    fn may_write(self, vault: &Vault, process: &Process) -> bool {
        match process.writer {
            Writer::Idle => self.waiting(vault, process).iter().any(|slots| !slots.is_empty()),
            Writer::Destroy => {
                let root = vault.seen().root;
                let synced = vault.disk.root == root || self.has(Flaw::DestroyUnsynced);
                let skips = self.has(Flaw::DestroyBeforeMirrors) || self.has(Flaw::DestroyUnsynced);
                synced && (skips || vault.mirror.root == root)
            }
            Writer::AwaitEnd | Writer::Refused => false,
            _ => true,
        }
    }

    /// Intents, which the writer knows of as soon as they are written.
    fn waiting(self, vault: &Vault, process: &Process) -> Each<Set> {
        vault.seen().intents.map(|slots| slots.without(process.overlooked))
    }

    fn may_enroll(self, vault: &Vault, process: &Process) -> bool {
        match process.enrolment {
            Enrolment::Begin => vault.enrolled.is_none(),
            Enrolment::AwaitMark(mark) => {
                let synced = vault.disk.mark >= mark || self.has(Flaw::HandOutUnsynced);
                let skips = self.has(Flaw::HandOutUnsynced) || self.has(Flaw::HandOutUnmirrored);
                synced && (skips || vault.mirror.mark >= mark)
            }
            Enrolment::Write(_) => true,
            Enrolment::Acknowledge(slot) => {
                let rows = if self.has(Flaw::AcknowledgeUnsynced) { vault.seen() } else { &vault.disk };
                rows.owned().has(slot)
            }
        }
    }

    /// Takes a step.
    pub(crate) fn take(self, vault: &mut Vault, step: Step) {
        match step {
            Step::Crash { kept } => crash(vault, kept),
            Step::Start => self.start(vault),
            Step::Sync => self.sync(vault),
            Step::Mirror => {
                vault.mirror = vault.disk.mirrored();
                issue_receipts(vault);
            }
            Step::Write(at) => {
                let next = self.write(vault, at);
                remember(vault, |process| process.writer = next);
                vault.images.drop_unreachable(vault.roots.held);
            }
            Step::Enroll(at) => self.enroll(vault, at),
            Step::Fail => self.fail(vault),
            Step::Erase(person) => self.erase(vault, person),
        }
    }

    fn write(self, vault: &mut Vault, at: Writer) -> Writer {
        match at {
            Writer::Claim => {
                vault.roots.claim = vault.disk.claiming.unwrap_or(vault.roots.claim + 1);
                Writer::Confirm
            }
            Writer::Confirm => {
                let claim = vault.roots.claim;
                vault.write(|rows| (rows.incarnation, rows.claiming) = (claim, None));
                vault.sync();
                self.serve_if_clear(vault)
            }
            Writer::ClearUp => {
                destroy_an_orphan(vault);
                self.serve_if_clear(vault)
            }
            Writer::Idle => self.begin(vault),
            Writer::Commit(work, root) => self.commit(vault, work, root),
            Writer::Destroy => self.destroy(vault),
            Writer::DestroyOrphans => {
                destroy_an_orphan(vault);
                self.end_if_clear(vault)
            }
            Writer::LogTheEnd => self.log_the_end(vault),
            Writer::DestroyLate(root) => {
                vault.roots.held = vault.roots.held.without(Set::of(root));
                Writer::AwaitEnd
            }
            Writer::AwaitEnd | Writer::Refused => at,
        }
    }

    /// A start: is the vault this store's, and nobody else's? Then announces a new incarnation.
    fn start(self, vault: &mut Vault) {
        let (disk, roots) = (vault.disk, vault.roots);
        let fenced = roots.claim != disk.incarnation && Some(roots.claim) != disk.claiming;
        let refused = vault.mirror.sequence > disk.sequence || !roots.held.has(disk.root) || fenced;
        vault.process =
            Some(Process { writer: if refused { Writer::Refused } else { Writer::Claim }, ..Process::START });
        if !refused && !self.has(Flaw::ClaimUnannounced) {
            let next = 1 + roots.claim.max(disk.claiming.unwrap_or(0));
            vault.write(|rows| (rows.incarnation, rows.claiming) = (roots.claim, Some(next)));
            vault.sync();
        }
    }

    /// When no orphan is left, reads the rows and serves.
    fn serve_if_clear(self, vault: &mut Vault) -> Writer {
        if self.has(Flaw::TrustTheNewestRoot) {
            vault.roots.held = Set::of(vault.roots.made - 1);
        }
        let leaves = self.has(Flaw::KeepOrphans) || self.has(Flaw::RedoWithOrphan);
        if !orphans(vault).is_empty() && !leaves {
            return Writer::ClearUp;
        }
        let rows = vault.disk;
        let unowned = Set::range(1, rows.mark).without(rows.owned()).without(rows.redrawn);
        let again = unowned.iter().next().filter(|_| self.has(Flaw::HandOutAgain));
        let (no_burnt, no_intents) = (self.has(Flaw::OverlookBurnt), self.has(Flaw::OverlookIntents));
        remember(vault, |process| {
            (process.next, process.reserved) = (again.unwrap_or(rows.mark), rows.mark);
            process.burnt = if no_burnt { Set::EMPTY } else { unowned };
            process.overlooked = if no_intents { union(rows.intents) } else { Set::EMPTY };
        });
        // Intents that are there were accepted, and what is logged is said to whoever asks.
        self.accept(vault);
        say(vault, |person| rows.proves(person));
        issue_receipts(vault);
        if rows.retiring.is_some() { Writer::Destroy } else { Writer::Idle }
    }

    /// What waited for a sync: calls, and the end of an epoch.
    fn sync(self, vault: &mut Vault) {
        vault.sync();
        self.accept(vault);
        let Some(process) = vault.process else { return };
        match process.writer {
            Writer::AwaitEnd if vault.disk.retiring.is_none() => {
                tell(vault);
                remember(vault, |process| process.writer = Writer::Idle);
            }
            Writer::Destroy if self.has(Flaw::TellAtCommit) => tell(vault),
            _ => {}
        }
    }

    fn accept(self, vault: &mut Vault) {
        for person in Person::ALL {
            let rows = if self.has(Flaw::AcceptUnsynced) { vault.seen() } else { &vault.disk };
            if vault.erasures[person as usize] == Told::Asked && rows.knows_of(person) {
                vault.erasures[person as usize] = Told::Accepted;
            }
        }
    }

    /// Takes what there is to erase, and makes a root for it.
    fn begin(self, vault: &mut Vault) -> Writer {
        let Some(process) = vault.process else { return Writer::Refused };
        let orphan = orphans(vault).iter().next().filter(|_| self.has(Flaw::RedoWithOrphan));
        let root = orphan.unwrap_or(vault.roots.made);
        vault.roots.held = vault.roots.held.with(Set::of(root));
        vault.roots.made = vault.roots.made.max(root + 1);

        let rows = vault.seen();
        let in_use = match process.enrolment {
            Enrolment::Write(slot) => Set::of(slot),
            Enrolment::Begin | Enrolment::AwaitMark(_) | Enrolment::Acknowledge(_) => Set::EMPTY,
        };
        let unowned = vault.ghost.given.without(rows.owned()).without(in_use).without(union(rows.intents));
        vault.ghost.owed = Some((root, unowned.without(rows.redrawn)));
        Writer::Commit(Work { erasures: self.waiting(vault, &process), burnt: process.burnt }, root)
    }

    /// The one batch of a commit. Its bytes are on the disk from here on, whatever becomes of it.
    fn commit(self, vault: &mut Vault, work: Work, root: Root) -> Writer {
        let redraw = if self.has(Flaw::DeleteRowsOnly) { Set::EMPTY } else { union(work.erasures).with(work.burnt) };
        vault.write(|rows| {
            rows.redrawn = rows.redrawn.with(redraw);
            rows.retiring = Some(rows.root);
            for person in Person::ALL {
                if !work.erasures[person as usize].is_empty() {
                    rows.intents[person as usize] = Set::EMPTY;
                    rows.committed[person as usize] = Some(rows.epoch);
                }
            }
            (rows.root, rows.epoch) = (root, rows.epoch + 1);
        });
        vault.images.keep_tree(root, vault.seen().redrawn);
        vault.ghost.root_of[usize::from(vault.seen().epoch)] = root;
        let redrawn = vault.seen().redrawn;
        remember(vault, |process| process.burnt = process.burnt.without(redrawn));
        Writer::Destroy
    }

    fn destroy(self, vault: &mut Vault) -> Writer {
        let rows = *vault.seen();
        // Only when the committed tree opens.
        let Some(retiring) = rows.retiring.filter(|_| vault.roots.held.has(rows.root)) else { return Writer::Refused };
        if self.has(Flaw::LogBeforeDestroying) {
            vault.write(end);
            return Writer::DestroyLate(retiring);
        }
        if !self.has(Flaw::KeepTheOldRoot) {
            vault.roots.held = vault.roots.held.without(Set::of(retiring));
        }
        if self.has(Flaw::TellUnlogged) {
            tell(vault);
        }
        self.end_if_clear(vault)
    }

    fn end_if_clear(self, vault: &Vault) -> Writer {
        let leaves = self.has(Flaw::KeepOrphans);
        if orphans(vault).is_empty() || leaves { Writer::LogTheEnd } else { Writer::DestroyOrphans }
    }

    fn log_the_end(self, vault: &mut Vault) -> Writer {
        vault.write(end);
        if self.has(Flaw::TellUnsynced) {
            tell(vault);
        }
        Writer::AwaitEnd
    }

    /// One change: the rows go, the intent is there.
    fn erase(self, vault: &mut Vault, person: Person) {
        vault.ghost.covered[person as usize] = vault.images.records[person as usize];
        vault.erasures[person as usize] = Told::Asked;
        let person = person as usize;
        vault.write(|rows| rows.intents[person] = std::mem::take(&mut rows.rows[person]));
        if self.has(Flaw::AcceptUnsynced) {
            self.accept(vault);
        }
    }

    fn enroll(self, vault: &mut Vault, at: Enrolment) {
        match at {
            Enrolment::Begin => {
                let Some(process) = vault.process else { return };
                // Whoever asks again after a crash is told what became of the first time.
                if let Some(slot) = vault.seen().rows[Person::Cleo as usize].iter().next() {
                    vault.enrolled = Some(slot);
                } else if process.next < process.reserved {
                    lease(vault);
                } else {
                    let mark = process.next + RESERVED_AT_ONCE;
                    vault.write(|rows| rows.mark = mark);
                    remember(vault, |process| process.enrolment = Enrolment::AwaitMark(mark));
                }
            }
            Enrolment::AwaitMark(mark) => {
                remember(vault, |process| process.reserved = mark);
                lease(vault);
            }
            Enrolment::Write(slot) => {
                let cleo = Person::Cleo as usize;
                vault.write(|rows| rows.rows[cleo] = rows.rows[cleo].with(Set::of(slot)));
                vault.images.records[cleo] = vault.images.records[cleo].with(Set::of(slot));
                remember(vault, |process| process.enrolment = Enrolment::Acknowledge(slot));
            }
            Enrolment::Acknowledge(slot) => {
                vault.enrolled = Some(slot);
                remember(vault, |process| process.enrolment = Enrolment::Begin);
            }
        }
    }

    fn fail(self, vault: &mut Vault) {
        vault.failures -= 1;
        let Some(Process { enrolment: Enrolment::Write(slot), .. }) = vault.process else { return };
        vault.ghost.failed = vault.ghost.failed.with(Set::of(slot));
        let noted = if self.has(Flaw::OverlookFailed) { Set::EMPTY } else { Set::of(slot) };
        remember(vault, |process| {
            process.burnt = process.burnt.with(noted);
            process.enrolment = Enrolment::Begin;
        });
    }
}

fn crash(vault: &mut Vault, kept: usize) {
    vault.crashes -= 1;
    if let Some(last) = kept.checked_sub(1) {
        vault.disk = vault.unsynced[last];
    }
    vault.unsynced.clear();
    vault.process = None;
    for person in Person::ALL {
        // Nobody was told anything, and nothing is there: it was never asked.
        if vault.erasures[person as usize] == Told::Asked && !vault.disk.knows_of(person) {
            vault.erasures[person as usize] = Told::Nothing;
            vault.ghost.covered[person as usize] = Set::EMPTY;
        }
    }
}

/// One call at a time has a person's lock. Ada and Ben are the same, so Ada goes first.
fn may_erase(vault: &Vault, process: &Process, person: Person) -> bool {
    let asked = Person::ALL.into_iter().filter(|other| vault.was_asked(*other)).count();
    !vault.was_asked(person)
        && asked < ERASURES
        && (person != Person::Cleo || process.enrolment == Enrolment::Begin)
        && (person != Person::Ben || vault.was_asked(Person::Ada))
        && !vault.seen().rows[person as usize].is_empty()
}

/// The second batch of a commit.
fn end(rows: &mut Rows) {
    rows.retiring = None;
    rows.destroyed = rows.destroyed.with(Set::of(rows.epoch - 1));
}

/// Hands out the next slot.
fn lease(vault: &mut Vault) {
    let mut slot: Slot = 0;
    remember(vault, |process| {
        slot = process.next;
        process.next += 1;
        process.enrolment = Enrolment::Write(slot);
    });
    if vault.ghost.given.has(slot) {
        vault.ghost.given_twice = vault.ghost.given_twice.with(Set::of(slot));
    }
    vault.ghost.given = vault.ghost.given.with(Set::of(slot));
}

/// Everybody whose erasure is committed learns that it is done.
fn tell(vault: &mut Vault) {
    let rows: Rows = *vault.seen();
    say(vault, |person| rows.committed[person as usize].is_some());
    if let Some((root, owed)) = vault.ghost.owed
        && root == rows.root
    {
        vault.ghost.left = vault.ghost.left.with(owed.without(rows.redrawn));
        vault.ghost.gone = vault.ghost.gone.with(owed);
        vault.ghost.owed = None;
    }
}

/// A receipt bears a checkpoint, which is signed when the mirror has what it covers.
fn issue_receipts(vault: &mut Vault) {
    for person in Person::ALL {
        if vault.erasures[person as usize] == Told::Shredded && vault.mirror.proves(person) {
            vault.erasures[person as usize] = Told::Receipt;
        }
    }
}

fn destroy_an_orphan(vault: &mut Vault) {
    if let Some(orphan) = orphans(vault).iter().next() {
        vault.roots.held = vault.roots.held.without(Set::of(orphan));
    }
}

fn say(vault: &mut Vault, shredded: impl Fn(Person) -> bool) {
    for person in Person::ALL.into_iter().filter(|person| shredded(*person)) {
        let told = &mut vault.erasures[person as usize];
        *told = (*told).max(Told::Shredded);
        vault.ghost.gone = vault.ghost.gone.with(vault.ghost.covered[person as usize]);
    }
}

/// Roots of no epoch.
fn orphans(vault: &Vault) -> Set {
    let rows = vault.seen();
    let retiring = rows.retiring.map_or(Set::EMPTY, Set::of);
    vault.roots.held.without(Set::of(rows.root)).without(retiring)
}

fn union(sets: Each<Set>) -> Set {
    sets.into_iter().fold(Set::EMPTY, Set::with)
}

fn remember(vault: &mut Vault, change: impl FnOnce(&mut Process)) {
    if let Some(process) = &mut vault.process {
        change(process);
    }
}
