//! What is claimed of every state, whatever happened before.

use stateright::{Model, Property};

use crate::set::Set;
use crate::steps::{Protocol, Step};
use crate::vault::{ERASURES, Enrolment, FREE, Person, Rows, Told, Vault, Writer};

pub(crate) const GONE_FOR_GOOD: &str = "nothing shredded can be opened with any past image and the roots that are held";
pub(crate) const BURNT_ARE_REDRAWN: &str =
    "slots burnt before an epoch are redrawn when its erasures are called shredded";
pub(crate) const NOTHING_IS_LOST: &str = "nothing acknowledged is lost";
pub(crate) const SOMETHING_OPENS: &str = "whatever a crash leaves, the store holds its root";
pub(crate) const MIRROR_OPENS: &str = "the store holds the mirror's root";
pub(crate) const MIRROR_KNOWS_SLOTS: &str = "the mirror's mark is above every slot that was given";
pub(crate) const SLOTS_ARE_USED_ONCE: &str = "a slot is used once";
pub(crate) const ONE_ROOT: &str = "one root at rest";
pub(crate) const ROOTS_WRAP_ONCE: &str = "a root wraps one tree";
pub(crate) const BOTH_ENTRIES: &str = "who was told shredded has both entries in the log, for good";
pub(crate) const LOG_IS_TRUE: &str = "no root is held whose destruction is logged";
pub(crate) const NEVER_REFUSED: &str = "after a crash the vault opens";
pub(crate) const ALL_ENDS_WELL: &str = "where nothing is left to do, all is done";
pub(crate) const MOVES_ON: &str = "no step leads back";

impl Model for Protocol {
    type State = Vault;
    type Action = Step;

    fn init_states(&self) -> Vec<Vault> {
        vec![Vault::begin(self.crashes, self.failures)]
    }

    fn actions(&self, vault: &Vault, steps: &mut Vec<Step>) {
        steps.extend(self.steps(vault));
    }

    fn next_state(&self, vault: &Vault, step: Step) -> Option<Vault> {
        let mut next = vault.clone();
        self.take(&mut next, step);
        next.ghost.turned_back |= progress(&next) <= progress(vault);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(GONE_FOR_GOOD, |_, vault: &Vault| {
                vault.images.openable(vault.roots.held).and(vault.ghost.gone).is_empty()
            }),
            Property::always(BURNT_ARE_REDRAWN, |_, vault: &Vault| vault.ghost.left.is_empty()),
            Property::always(NOTHING_IS_LOST, |_, vault: &Vault| vault.outcomes().all(|rows| keeps_all(vault, rows))),
            Property::always(SOMETHING_OPENS, |_, vault: &Vault| {
                vault.outcomes().all(|rows| vault.roots.held.has(rows.root))
            }),
            Property::always(MIRROR_OPENS, |_, vault: &Vault| vault.roots.held.has(vault.mirror.root)),
            Property::always(MIRROR_KNOWS_SLOTS, |_, vault: &Vault| {
                vault.ghost.given.is_within(Set::range(0, vault.mirror.mark))
            }),
            Property::always(SLOTS_ARE_USED_ONCE, |_, vault: &Vault| vault.ghost.given_twice.is_empty()),
            Property::always(ONE_ROOT, |_, vault: &Vault| {
                let rests = vault.process.is_some_and(|process| process.writer == Writer::Idle);
                !rests || vault.roots.held == Set::of(vault.disk.root)
            }),
            Property::always(ROOTS_WRAP_ONCE, |_, vault: &Vault| {
                vault.images.trees.windows(2).all(|trees| trees[0].0 != trees[1].0)
            }),
            Property::always(BOTH_ENTRIES, |_, vault: &Vault| {
                Person::ALL.into_iter().all(|person| match vault.erasures[person as usize] {
                    Told::Nothing | Told::Asked | Told::Accepted => true,
                    Told::Shredded => vault.outcomes().all(|rows| rows.proves(person)),
                    // What strangers were shown must also be in what a lost disk is restored from.
                    Told::Receipt => vault.outcomes().chain([&vault.mirror]).all(|rows| rows.proves(person)),
                })
            }),
            Property::always(LOG_IS_TRUE, |_, vault: &Vault| {
                vault.outcomes().flat_map(|rows| rows.destroyed.iter()).all(|epoch| {
                    let root = vault.ghost.root_of[usize::from(epoch)];
                    !vault.roots.held.has(root)
                })
            }),
            Property::always(NEVER_REFUSED, |_, vault: &Vault| {
                vault.process.is_none_or(|process| process.writer != Writer::Refused)
            }),
            Property::always(ALL_ENDS_WELL, |protocol: &Self, vault: &Vault| {
                let stuck = protocol.steps(vault).iter().all(|step| matches!(step, Step::Crash { .. }));
                !stuck || is_done(vault)
            }),
            Property::always(MOVES_ON, |_, vault: &Vault| !vault.ghost.turned_back),
            Property::sometimes("two erasures share an epoch", |_, vault: &Vault| {
                is_done(vault) && vault.disk.epoch == 1
            }),
            Property::sometimes("each erasure has an epoch of its own", |_, vault: &Vault| {
                is_done(vault) && vault.disk.epoch == 2
            }),
            Property::sometimes("who enrolled is erased", |_, vault: &Vault| {
                is_done(vault) && vault.was_asked(Person::Cleo)
            }),
            Property::sometimes("a torn commit and a torn record outlast the crashes", |_, vault: &Vault| {
                let torn = vault.images.records[Person::Cleo as usize].len() > 1;
                is_done(vault) && vault.crashes == 0 && vault.roots.made > 1 + vault.disk.epoch && torn
            }),
            Property::sometimes("a root is destroyed, and a crash comes before that is logged", |_, vault: &Vault| {
                vault.process.is_none() && vault.disk.retiring.is_some_and(|retiring| !vault.roots.held.has(retiring))
            }),
            Property::sometimes("slots of a crash and of a failed call are redrawn", |_, vault: &Vault| {
                let redrawn = vault.disk.redrawn.without(Set::range(0, FREE));
                is_done(vault)
                    && !vault.ghost.failed.is_empty()
                    && vault.ghost.failed.is_within(redrawn)
                    && !redrawn.without(vault.ghost.failed).without(vault.ghost.covered[2]).is_empty()
            }),
            Property::sometimes("who was erased is enrolled again by a call that was repeated", |_, vault: &Vault| {
                is_done(vault) && vault.was_asked(Person::Cleo) && !vault.disk.rows[Person::Cleo as usize].is_empty()
            }),
        ]
    }
}

/// Does this database have all that anybody was told it has, under a root that is held?
fn keeps_all(vault: &Vault, rows: &Rows) -> bool {
    let reached = vault.images.trees.contains(&(rows.root, rows.redrawn)) && vault.roots.held.has(rows.root);
    Person::ALL.into_iter().all(|person| match vault.erasures[person as usize] {
        Told::Nothing => {
            let enrolled = match person {
                Person::Ada => Set::of(1),
                Person::Ben => Set::of(2),
                Person::Cleo => vault.enrolled.map_or(Set::EMPTY, Set::of),
            };
            reached && enrolled.is_within(rows.rows[person as usize].without(rows.redrawn))
        }
        // Between the two, also who is still enrolled may be found.
        Told::Asked => true,
        Told::Accepted | Told::Shredded | Told::Receipt => rows.knows_of(person),
    })
}

/// Nobody waits for anything.
fn is_done(vault: &Vault) -> bool {
    let told = |told: Told| vault.erasures.iter().filter(|erasure| **erasure == told).count();
    let idle = vault.process.is_some_and(|process| process.writer == Writer::Idle);
    let rows = &vault.disk;
    idle && vault.unsynced.is_empty()
        && vault.mirror == rows.mirrored()
        && told(Told::Receipt) == ERASURES
        && told(Told::Nothing) == Person::ALL.len() - ERASURES
        && vault.enrolled.is_some()
        && rows.intents.iter().all(|slots| slots.is_empty())
        && (rows.incarnation, rows.claiming, rows.retiring) == (vault.roots.claim, None, None)
        && vault.roots.held == Set::of(rows.root)
}

/// How far everything is. It grows with every step, so there is no way round in a circle: whoever goes on ends, and
/// [`ALL_ENDS_WELL`] says where.
fn progress(vault: &Vault) -> [u8; 10] {
    let (writer, enrolment) = vault.process.map_or((0, 0), |process| {
        let writer = match process.writer {
            Writer::Claim => 1,
            Writer::Confirm => 2,
            Writer::ClearUp => 3,
            Writer::Destroy => 4,
            Writer::DestroyOrphans => 5,
            Writer::LogTheEnd => 6,
            Writer::AwaitEnd | Writer::DestroyLate(_) => 7,
            Writer::Idle => 8,
            Writer::Commit(..) => 9,
            Writer::Refused => 10,
        };
        let enrolment = match process.enrolment {
            Enrolment::Begin => 0,
            Enrolment::AwaitMark(_) => 1,
            Enrolment::Write(_) => 2,
            Enrolment::Acknowledge(_) => 3,
        };
        (writer, enrolment)
    });
    [
        u8::MAX - vault.crashes,
        u8::MAX - vault.failures,
        vault.seen().sequence,
        vault.disk.sequence,
        vault.mirror.sequence,
        writer,
        vault.roots.made - vault.roots.held.len(),
        u8::from(vault.enrolled.is_some()),
        enrolment,
        vault.erasures.iter().map(|told| *told as u8).sum(),
    ]
}
