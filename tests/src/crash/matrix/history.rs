//! The histories, and what is recorded of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_proto::v1::BackupState;

use super::Blow;
use super::points::{Alone, Kind, Operation, Point, points};
use super::way_out::ACCEPT_LOST;
use crate::crash::clients::Clients;
use crate::crash::history::Face;
use crate::crash::ledger::Ledger;
use crate::crash::{DIMENSION, SUBJECTS, TENANT};
use crate::crash::{inspect, work};
use crate::disk::{Device, Disks, Event, Fault, Image, Moment, Recorder, Trace};
use crate::failpoints::{FAILPOINTS, every};
use crate::time_travel::{Traced, is_root_file};
use crate::{Home, Setup, Vault};

/// Steps of each client between one thing and the next that happens to the vault.
const STEPS: usize = 8;

/// A history, and the disks of each of its moments.
pub(super) struct Recording {
    pub(super) kind: Kind,
    pub(super) disks: Disks,
    pub(super) points: Vec<Point>,
    /// What the clients' clock showed when it began.
    begun: u64,
    /// The clients, as they are at the end.
    pub(super) clients: Arc<Clients>,
    /// What became of backups.
    pub(super) backups: Arc<Backups>,
    /// When the mirror was written to, and whether a sync had made that sure: since when.
    pub(super) mirrored: Vec<(Moment, u64)>,
    /// What it was recorded of.
    pub(super) binary: PathBuf,
}

/// What became of backups, by the clients' clock.
#[derive(Default)]
pub(super) struct Backups {
    pub(super) made: Vec<Made>,
    /// When all but the newest were to be deleted.
    pub(super) pruned: u64,
}

/// A backup.
pub(super) struct Made {
    pub(super) number: u32,
    pub(super) begun: u64,
    /// When it was said to be done.
    pub(super) done: u64,
}

impl Backups {
    /// Those that were said to be done by then, and that nobody had deleted.
    pub(super) fn at(&self, clock: u64) -> impl Iterator<Item = &Made> {
        let kept = if self.pruned <= clock { self.made.len().saturating_sub(1) } else { 0 };
        self.made[kept..].iter().filter(move |made| made.done <= clock)
    }
}

impl Recording {
    fn new(kind: Kind, base: &Home, trace: Trace, lived: &Lived) -> Self {
        let begun = if kind == Kind::Life { 0 } else { lived.clients.ledger().now() };
        let (points, mirrored) = (points(&trace, kind, begun, &lived.alone), mirrored(&trace, begun));
        let disks = Disks::new(base.path(), trace);
        let (clients, backups) = (Arc::clone(&lived.clients), Arc::clone(&lived.backups));
        Self { kind, disks, points, begun, clients, backups, mirrored, binary: lived.binary.clone() }
    }

    /// How it may end.
    pub(super) fn blows(&self) -> Vec<Blow> {
        let liars: &[Device] = match self.kind {
            Kind::Life => &[Device::Data, Device::Mirror, Device::Root, Device::Backups],
            Kind::Restore => &[Device::Data, Device::Mirror, Device::Root],
            Kind::Move => &[Device::Data, Device::Mirror, Device::Root, Device::NewRoot],
        };
        let honest = [Blow::Killed, Blow::Torn, Blow::Twice];
        honest.into_iter().chain(liars.iter().map(|device| Blow::Lied(*device))).collect()
    }

    /// Whether a fault can do something to the vault at a point: the folder of backups is asked for only once it has one.
    pub(super) fn concerns(&self, blow: Blow, point: &Point) -> bool {
        blow != Blow::Lied(Device::Backups) || self.backups.at(point.clock).next().is_some()
    }

    /// When the first backup was said to be done.
    pub(super) fn first_backup(&self) -> u64 {
        self.backups.made.iter().map(|made| made.done).min().unwrap_or(0)
    }

    /// What clients knew at a moment.
    pub(super) fn clock(&self, at: Moment) -> u64 {
        let before = self.points.partition_point(|point| point.at <= at);
        before.checked_sub(1).map_or(self.begun, |last| self.points[last].clock)
    }
}

/// Two replicas of the root store, two mirrors, and backups, in folders of their own, by names that hold wherever the vault's
/// folder is: a vault knows its mirrors by their places, too.
pub(super) fn setup() -> Setup {
    let setup = Vault::setup().replicas(2).set("mirror.paths", "mirror:second-mirror").set("backup.path", "backups");
    setup.set("limits.deadline_ms", 600_000)
}

/// The same for a vault that moves to another root store, of two replicas, too.
pub(super) fn moving(home: &Path) -> Setup {
    let two = |folder: &str| {
        let paths = [0, 1].map(|number| home.join(folder).join(format!("{number}.root")).display().to_string());
        paths.join(":")
    };
    let setup = setup().without_replicas().set("root.from", "file").set("root.from_replicas", two("roots"));
    setup.set("root.replicas", two("moved"))
}

/// Has a binary with failpoints tell of each.
pub(super) fn telling(setup: Setup, binary: &Path) -> Setup {
    setup.binary(binary.to_owned()).env(FAILPOINTS, &every("print"))
}

/// Lives through a life, a move and a restore.
pub(super) async fn record(binary: &Path, seed: u64) -> (Vec<Recording>, Traced) {
    let failing = |setup: Setup| telling(setup, binary);
    let (life, home, lived) = life(binary, seed).await;

    let lost = Home::copy_of(home.path());
    lost.lose_data();
    let base = Home::copy_of(lost.path());
    let recorder = Recorder::of(&lost);
    let folder = lost.backups().display().to_string();
    let ran =
        recorder.watch(failing(setup())).run(&lost, &["restore", "--backup", &folder, ACCEPT_LOST[0], ACCEPT_LOST[1]]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let restore = Recording::new(Kind::Restore, &base, recorder.read(), &lived);
    restore.is_all(&lost);

    let base = Home::copy_of(home.path());
    let recorder = Recorder::of(&home);
    let ran = recorder.watch(failing(moving(home.path()))).run(&home, &["root", "migrate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let moved = Recording::new(Kind::Move, &base, recorder.read(), &lived);
    moved.is_all(&home);

    let recordings = vec![life, moved, restore];
    let logs = recordings.iter().flat_map(|recording| recording.disks.everything("log"));
    let mut root_files = Vec::new();
    let devices = [Device::Root, Device::SecondRoot, Device::NewRoot, Device::SecondNewRoot];
    for recording in &recordings {
        recording.disks.versions(&devices, |_, bytes| {
            if is_root_file(bytes) {
                root_files.push(bytes.to_vec());
            }
        });
    }
    let traced = Traced::new(logs, &root_files);
    (recordings, traced)
}

impl Recording {
    /// The trace tells the whole truth: nothing was written that it does not have, by mapped memory or otherwise.
    fn is_all(&self, home: &Home) {
        let end = self.points.last().expect("a history has durable steps").at;
        let image = self.disks.image(Moment::MAX, Fault::death(0));
        let differences = image.differences(&Image::read(home.path()));
        assert!(differences.is_empty(), "the trace ({end}) tells other contents of {differences:?}");
    }
}

/// What is known of a life, beside its trace.
struct Lived {
    binary: PathBuf,
    clients: Arc<Clients>,
    backups: Arc<Backups>,
    alone: Vec<Alone>,
}

async fn life(binary: &Path, seed: u64) -> (Recording, Home, Lived) {
    let home = Home::new();
    let base = Home::copy_of(home.path());
    let recorder = Recorder::of(&home);
    let vault = recorder.watch(telling(setup(), binary)).start_in(home).await;
    let tenant = vault.tenant(TENANT).with_model(DIMENSION).judging(0.9, 0.9).await;
    let ids = (b'a'..).take(SUBJECTS).map(|letter| format!("applicant-{}", char::from(letter)));
    let mut ledger = Ledger::of(ids);
    ledger.recorder = Some(recorder.clone());
    let clients = Arc::new(Clients::of(&vault, &tenant, ledger, seed).await);
    let mut backups = Backups::default();
    let mut alone = Vec::new();
    for chapter in 0..4 {
        let working = work::for_a_while(&clients, seed ^ (chapter << 32), STEPS);
        match chapter {
            0 | 2 => {
                let begun = clients.ledger().tick();
                let ((), made) = tokio::join!(working, clients.operator.back_up());
                let made = made.unwrap();
                assert_eq!(made.state(), BackupState::Done, "{made:?}");
                let number = made.name["backups/".len()..].parse().unwrap();
                backups.made.push(Made { number, begun, done: clients.ledger().tick() });
            }
            1 => {
                working.await;
                let begun = clients.ledger().tick();
                for of_vault in [false, true] {
                    clients.rotate_another(of_vault, false).await.expect("nobody kills the server now");
                }
                alone.push((Operation::Rotation, begun..clients.ledger().tick()));
                vault.restart().await;
            }
            _ => {
                working.await;
                let silo = a_silo(&vault, &clients).await;
                let begun = clients.ledger().tick();
                clients.shred(silo).await.expect("nobody kills the server now");
                alone.push((Operation::TenantShred, begun..clients.ledger().tick()));
                backups.pruned = clients.ledger().tick();
                drop(clients.operator.prune_backups(1).await.unwrap());
            }
        }
        inspect::receipts(&clients, false).await;
        for of_vault in [false, true] {
            clients.take_checkpoint(of_vault).await.expect("nobody kills the server now");
        }
    }
    vault.stop().await;
    clients.ledger().recorder = None;
    let lived = Lived { binary: binary.to_owned(), clients, backups: Arc::new(backups), alone };
    let recording = Recording::new(Kind::Life, &base, recorder.read(), &lived);
    recording.is_all(vault.home());
    let home = Home::copy_of(vault.home().path());
    (recording, home, lived)
}

/// A tenant with somebody in it, who is to go with it.
async fn a_silo(vault: &Vault, clients: &Clients) -> usize {
    let silo = vault.tenant("silo").with_model(DIMENSION).judging(0.9, 0.9).await;
    let enrolled = silo.enroller().enroll("applicant", &clients.vector(Face::MAX)).await.unwrap();
    let name = enrolled.template.unwrap().name;
    let key = silo.admin().key().unwrap().to_owned();
    clients.new_silo(silo.id().to_owned(), key, vec![name], false)
}

/// When the mirror's log was written to, with the clock of what a later writing must have had before it: what was
/// acknowledged before the writing that came before.
fn mirrored(trace: &Trace, begun: u64) -> Vec<(Moment, u64)> {
    let mut of_mirror = std::collections::HashSet::new();
    let (mut clock, mut before) = (begun, begun);
    let mut found = Vec::new();
    for (place, event) in trace.events.iter().enumerate() {
        match event {
            Event::Began => of_mirror.clear(),
            Event::Marked(now) => clock = *now,
            Event::Opened { file, path, .. } => {
                let is_log = path.extension().is_some_and(|extension| extension == "log");
                match is_log && Device::of(path) == Device::Mirror {
                    true => drop(of_mirror.insert(*file)),
                    false => drop(of_mirror.remove(file)),
                }
            }
            Event::Wrote { file, .. } if of_mirror.contains(file) => {
                found.push((place + 1, before));
                before = clock;
            }
            Event::Wrote { .. }
            | Event::SyncBegan { .. }
            | Event::SyncEnded { .. }
            | Event::Resized { .. }
            | Event::Renamed { .. }
            | Event::Linked { .. }
            | Event::Unlinked(_)
            | Event::MadeFolder(_)
            | Event::RemovedFolder(_)
            | Event::Said(_) => {}
        }
    }
    found
}
