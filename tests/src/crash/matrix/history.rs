//! The histories, and what is recorded of them.

use std::path::Path;
use std::sync::Arc;

use lethe_proto::v1::BackupState;

use super::Blow;
use super::points::{Kind, Point, points};
use super::way_out::ACCEPT_LOST;
use crate::crash::clients::Clients;
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
    /// Backups, by number, and the clock when each was begun.
    pub(super) backups: Arc<Vec<(u32, u64)>>,
    /// When the mirror was written to, and whether a sync had made that sure: since when.
    pub(super) mirrored: Vec<(Moment, u64)>,
}

impl Recording {
    fn new(kind: Kind, base: &Home, trace: Trace, clients: &Arc<Clients>, backups: &Arc<Vec<(u32, u64)>>) -> Self {
        let begun = if kind == Kind::Life { 0 } else { clients.ledger().now() };
        let (points, mirrored) = (points(&trace, kind, begun), mirrored(&trace, begun));
        let disks = Disks::new(base.path(), trace);
        let (clients, backups) = (Arc::clone(clients), Arc::clone(backups));
        Self { kind, disks, points, begun, clients, backups, mirrored }
    }

    /// How it may end.
    pub(super) fn blows(&self) -> Vec<Blow> {
        let liars: &[Device] = match self.kind {
            Kind::Life | Kind::Restore => &[Device::Data, Device::Mirror, Device::Root],
            Kind::Move => &[Device::Data, Device::Mirror, Device::Root, Device::NewRoot],
        };
        [Blow::Killed, Blow::Torn].into_iter().chain(liars.iter().map(|device| Blow::Lied(*device))).collect()
    }

    /// What clients knew at a moment.
    pub(super) fn clock(&self, at: Moment) -> u64 {
        let before = self.points.partition_point(|point| point.at <= at);
        before.checked_sub(1).map_or(self.begun, |last| self.points[last].clock)
    }
}

/// Two replicas of the root store, mirror and backups in folders of their own, by names that hold wherever the vault's folder
/// is: a vault knows its mirror by its place, too.
pub(super) fn setup() -> Setup {
    let setup = Vault::setup().replicas(2).set("mirror.paths", "mirror").set("backup.path", "backups");
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

/// Lives through a life, a move and a restore.
pub(super) async fn record(binary: &Path, seed: u64) -> (Vec<Recording>, Traced) {
    let failing = |setup: Setup| setup.binary(binary.to_owned()).env(FAILPOINTS, &every("print"));
    let (life, home) = life(failing(setup()), seed).await;
    let (clients, backups) = (&life.clients, &life.backups);

    let lost = Home::copy_of(home.path());
    lost.lose_data();
    let base = Home::copy_of(lost.path());
    let recorder = Recorder::of(&lost);
    let folder = lost.backups().display().to_string();
    let ran =
        recorder.watch(failing(setup())).run(&lost, &["restore", "--backup", &folder, ACCEPT_LOST[0], ACCEPT_LOST[1]]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let restore = Recording::new(Kind::Restore, &base, recorder.read(), clients, backups);
    restore.is_all(&lost);

    let base = Home::copy_of(home.path());
    let recorder = Recorder::of(&home);
    let ran = recorder.watch(failing(moving(home.path()))).run(&home, &["root", "migrate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let moved = Recording::new(Kind::Move, &base, recorder.read(), clients, backups);
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

async fn life(setup: Setup, seed: u64) -> (Recording, Home) {
    let home = Home::new();
    let base = Home::copy_of(home.path());
    let recorder = Recorder::of(&home);
    let vault = recorder.watch(setup).start_in(home).await;
    let tenant = vault.tenant(TENANT).with_model(DIMENSION).judging(0.9, 0.9).await;
    let ids = (b'a'..).take(SUBJECTS).map(|letter| format!("applicant-{}", char::from(letter)));
    let mut ledger = Ledger::of(ids);
    ledger.recorder = Some(recorder.clone());
    let clients = Arc::new(Clients::of(&vault, &tenant, ledger, seed).await);
    let mut backups = Vec::new();
    for chapter in 0..4 {
        let working = work::for_a_while(&clients, seed ^ (chapter << 32), STEPS);
        match chapter {
            0 | 2 => {
                let clock = clients.ledger().tick();
                let ((), made) = tokio::join!(working, clients.operator.back_up());
                let made = made.unwrap();
                assert_eq!(made.state(), BackupState::Done, "{made:?}");
                backups.push((made.name["backups/".len()..].parse().unwrap(), clock));
            }
            1 => {
                working.await;
                vault.restart().await;
            }
            _ => {
                working.await;
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
    let recording = Recording::new(Kind::Life, &base, recorder.read(), &clients, &Arc::new(backups));
    recording.is_all(vault.home());
    let home = Home::copy_of(vault.home().path());
    (recording, home)
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
