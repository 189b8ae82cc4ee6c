//! The durable steps in a trace.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::disk::{Device, Event, Moment, Trace};

/// A moment right before or after a durable step.
pub(crate) struct Point {
    pub(crate) at: Moment,
    pub(crate) operation: Operation,
    /// Which step.
    pub(crate) step: String,
    /// The newest moment of the clients' clock that had come.
    pub(crate) clock: u64,
}

/// What a durable step is a step of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// The first start.
    Founding,
    /// A later start.
    Start,
    /// Batches of enrolments, replacements, deletions and accepted erasures.
    Enrolment,
    /// The batches of an epoch.
    EpochCommit,
    /// Roots made and destroyed.
    RootSwap,
    /// The wrapping of a tenant's keys, and of the vault's, made anew.
    Rotation,
    /// A tenant shredded, with everybody in it.
    TenantShred,
    /// A mirror that follows.
    MirrorUpdate,
    /// Backups made and deleted.
    Backup,
    /// A move to another root store.
    Migration,
    /// A restore.
    Restore,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Founding,
        Self::Start,
        Self::Enrolment,
        Self::EpochCommit,
        Self::RootSwap,
        Self::Rotation,
        Self::TenantShred,
        Self::MirrorUpdate,
        Self::Backup,
        Self::Migration,
        Self::Restore,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Founding => "founding",
            Self::Start => "start",
            Self::Enrolment => "enrolment",
            Self::EpochCommit => "epoch commit",
            Self::RootSwap => "root swap",
            Self::Rotation => "rotation",
            Self::TenantShred => "tenant shred",
            Self::MirrorUpdate => "mirror update",
            Self::Backup => "backup",
            Self::Migration => "migration",
            Self::Restore => "restore",
        })
    }
}

/// What a recording is of: of a life, steps tell by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Life,
    Move,
    Restore,
}

/// When nothing else was done, by the clients' clock.
pub(super) type Alone = (Operation, Range<u64>);

/// Reads the points out of a trace, one after the other. `clock` is what the clients' clock showed when it began.
pub(super) fn points(trace: &Trace, kind: Kind, clock: u64, alone: &[Alone]) -> Vec<Point> {
    let (open, syncs) = (HashMap::new(), HashMap::new());
    let mut reader = Reader { kind, clock, alone, starting: true, committing: false, open, syncs };
    let events = trace.events.iter().enumerate();
    events.flat_map(|(place, event)| reader.read(place + 1, event)).collect()
}

struct Reader<'a> {
    kind: Kind,
    clock: u64,
    alone: &'a [Alone],
    /// Nobody has called since the program began.
    starting: bool,
    /// The batch of an epoch is on its way.
    committing: bool,
    open: HashMap<u32, PathBuf>,
    syncs: HashMap<u64, PathBuf>,
}

/// What a program with failpoints that print says at one.
const SAID: (&str, &str) = ("failpoint ", " executed");

impl Reader<'_> {
    fn read(&mut self, at: Moment, event: &Event) -> Vec<Point> {
        let mut points = Vec::new();
        match event {
            Event::Began => {
                (self.starting, self.committing) = (true, false);
                self.open.clear();
            }
            Event::Marked(clock) => {
                self.clock = *clock;
                self.starting = false;
            }
            Event::Opened { file, path, .. } => drop(self.open.insert(*file, path.clone())),
            Event::SyncBegan { file, sync } => {
                let path = self.open[file].clone();
                points.push(self.point(at, format!("before a sync of {}", path.display()), self.of_file(&path)));
                self.syncs.insert(*sync, path);
            }
            Event::SyncEnded { sync } => {
                let path = self.syncs.remove(sync).expect("what ends has begun");
                points.push(self.point(at, format!("after a sync of {}", path.display()), self.of_file(&path)));
            }
            Event::Renamed { new, .. } => {
                points.push(self.point(at, format!("after a rename to {}", new.display()), self.of_file(new)));
            }
            Event::Said(line) => {
                for said in line.split(SAID.0).skip(1).filter_map(|rest| rest.split_once(SAID.1)) {
                    let failpoint = said.0;
                    match failpoint {
                        "epoch-key-wrapped" | "epoch-root-destroyed" => self.committing = true,
                        "epoch-committed" | "epoch-destruction-logged" => self.committing = false,
                        _ => {}
                    }
                    points.push(self.point(at, failpoint.to_owned(), self.of_failpoint(failpoint)));
                }
            }
            Event::Wrote { .. }
            | Event::Resized { .. }
            | Event::Linked { .. }
            | Event::Unlinked(_)
            | Event::MadeFolder(_)
            | Event::RemovedFolder(_) => {}
        }
        points
    }

    fn point(&self, at: Moment, step: String, operation: Operation) -> Point {
        let operation = match self.kind {
            Kind::Life if self.clock == 0 => Operation::Founding,
            Kind::Life if self.starting => Operation::Start,
            Kind::Life => {
                let alone = self.alone.iter().find(|(_, during)| during.contains(&self.clock));
                alone.map_or(operation, |(alone, _)| *alone)
            }
            Kind::Move => Operation::Migration,
            Kind::Restore => Operation::Restore,
        };
        Point { at, operation, step, clock: self.clock }
    }

    fn of_file(&self, path: &Path) -> Operation {
        match Device::of(path) {
            Device::Mirror | Device::SecondMirror => Operation::MirrorUpdate,
            Device::Backups => Operation::Backup,
            Device::Root | Device::SecondRoot | Device::NewRoot | Device::SecondNewRoot => Operation::RootSwap,
            Device::Data | Device::Home if self.committing => Operation::EpochCommit,
            Device::Data | Device::Home => Operation::Enrolment,
        }
    }

    fn of_failpoint(&self, failpoint: &str) -> Operation {
        let begins = |prefix| failpoint.starts_with(prefix);
        match () {
            () if begins("root-") || failpoint == "epoch-root-created" || failpoint == "epoch-root-destroyed" => {
                Operation::RootSwap
            }
            () if begins("epoch-") => Operation::EpochCommit,
            () if begins("mirror-") => Operation::MirrorUpdate,
            () if begins("backup-") => Operation::Backup,
            () if self.committing => Operation::EpochCommit,
            () => Operation::Enrolment,
        }
    }
}
