//! The restore drill: a vault lives, its whole data directory is lost, and every backup that was made is restored from
//! that same disaster (O38). Who was erased stays erased, whichever backup it is (O19).

use std::ops::Range;
use std::time::{Duration, Instant};

use lethe_tests::{Cli, Device, Home, Setup, Tenant, Vault};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::aftermath::{check, goes_on};
use crate::history::{DIMENSION, History, World};

/// Steps of a history, and backups in it.
const USUAL: (usize, usize) = (150, 8);
const SOAK: (usize, usize) = (400, 16);
/// The same where roots are not in a file.
const USUAL_ELSEWHERE: (usize, usize) = (40, 3);
const SOAK_ELSEWHERE: (usize, usize) = (200, 8);
/// Kills of a restore before it is let to its end.
const KILLS: u32 = 4;

fn size(device: &Device) -> (usize, usize) {
    match (device, is_soak()) {
        (Device::Files(_), false) => USUAL,
        (Device::Files(_), true) => SOAK,
        (_, false) => USUAL_ELSEWHERE,
        (_, true) => SOAK_ELSEWHERE,
    }
}

fn is_soak() -> bool {
    std::env::var_os("LETHE_SOAK").is_some()
}

fn setup(device: &Device) -> Setup {
    device.alone(Vault::setup().apart())
}

/// What is left of a vault, and what is known of it.
struct Disaster {
    /// The mirror, the backups and the operator's key. Never touched: each restore gets a copy.
    left: Home,
    /// The roots, of which each restore gets a copy, too.
    device: Device,
    bank: Tenant,
    history: History,
}

impl Disaster {
    async fn strike(device: Device, seed: u64) -> Self {
        let (steps, backups) = size(&device);
        let vault = setup(&device).start().await;
        let bank = vault.tenant("bank").with_model(DIMENSION).judging(0.8, 0.7).await;
        let history = History::of(&vault, &bank, seed, steps, backups).await;
        if seed.is_multiple_of(2) {
            vault.kill().await;
        } else {
            vault.stop().await;
        }
        vault.home().lose_data();
        let left = Home::copy_of(vault.home().path());
        Self { left, device, bank, history }
    }

    /// What is left, for one restore.
    fn copy(&self) -> (Home, Device) {
        (Home::copy_of(self.left.path()), self.device.copy())
    }

    /// What a restore of this backup must bring back.
    fn expected(&self, number: u32) -> World {
        self.history.backups[&number].restored(&self.history.now)
    }

    async fn check(&self, home: Home, device: &Device, number: u32, random: &mut ChaCha8Rng) {
        let vault = setup(device).start_in(home).await;
        check(&vault, &self.bank, &self.history, &self.expected(number), random).await;
        goes_on(&vault, &self.bank, random).await;
    }
}

fn restore(home: &Home, device: &Device, number: u32) -> Cli {
    // Whoever came after the backup is lost, however many they are.
    let restore = setup(device).cli(home, &["restore", "--accept-lost", "1000000"]);
    restore.arg("--number").arg(number.to_string()).arg("--backup").arg(home.backups())
}

fn count(report: &Value, of: &str, what: &str) -> usize {
    usize::try_from(report[of][what].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_is_restored_from_the_same_disaster() {
    let seeds = if is_soak() { 0..6 } else { 0..3 };
    restores_all(Device::files, seeds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_is_restored_with_roots_on_a_token() {
    restores_all_with(Device::token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_is_restored_with_roots_on_a_server() {
    restores_all_with(Device::server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_is_restored_with_roots_on_a_tpm() {
    restores_all_with(Device::tpm).await;
}

async fn restores_all_with(device: fn() -> Device) {
    if !lethe_roots_testing::skipped() {
        restores_all(device, 0..if is_soak() { 2 } else { 1 }).await;
    }
}

async fn restores_all(device: fn() -> Device, seeds: Range<u64>) {
    for seed in seeds {
        let disaster = Disaster::strike(device(), seed).await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut back, mut erased) = (0, 0);
        for (&number, then) in &disaster.history.backups {
            let (home, device) = disaster.copy();
            let report = restore(&home, &device, number).run().one();
            let expected = disaster.expected(number);
            assert_eq!(count(&report, "back", "subjects"), expected.people.len(), "{number}: {report}");
            assert_eq!(count(&report, "back", "templates"), expected.templates(), "{number}: {report}");
            let gone = (then.people.len() - expected.people.len(), then.templates() - expected.templates());
            assert_eq!(
                (count(&report, "erased", "subjects"), count(&report, "erased", "templates")),
                gone,
                "{number}: {report}"
            );
            for what in ["subjects", "templates", "others"] {
                assert_eq!(count(&report, "corrupt", what), 0, "{number}: {report}");
            }
            back += expected.templates();
            erased += gone.1;
            disaster.check(home, &device, number, &mut random).await;
        }
        eprintln!(
            "seed {seed}: {} backups, {} templates ever, {back} back, {erased} stayed erased, {} receipts, {} checkpoints",
            disaster.history.backups.len(),
            disaster.history.ever.len(),
            disaster.history.receipts.len(),
            disaster.history.checkpoints.len(),
        );
        assert!(back > 0 && erased > 0, "a history that shows nothing");
    }
}

/// Killed at any moment and run again, as often as it takes, a restore comes to the same end.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_is_run_again() {
    let disaster = Disaster::strike(Device::files(), 100).await;
    let mut random = ChaCha8Rng::seed_from_u64(100);
    let numbers: Vec<_> = disaster.history.backups.keys().copied().collect();
    // The fastest of some: one alone may have waited for the disk.
    let clean = (0..3).map(|_| {
        let (home, device) = disaster.copy();
        let began = Instant::now();
        restore(&home, &device, numbers[0]).run().one();
        began.elapsed()
    });
    let usual = clean.min().unwrap();
    let rounds = if is_soak() { 40 } else { 8 };
    let mut cut = 0;
    for round in 0..rounds {
        let number = numbers[round % numbers.len()];
        let (home, device) = disaster.copy();
        for kill in 0..KILLS {
            // The first comes before it can be done.
            let delay = if kill == 0 { Duration::ZERO } else { usual.mul_f64(random.random_range(0.0..0.8)) };
            if restore(&home, &device, number).kill_after(delay.max(Duration::from_millis(1))).await {
                // It was done: once more would find a vault in the way.
                break;
            }
            cut += 1;
        }
        let last = restore(&home, &device, number).run();
        // Where the end came before the kill there is nothing left to restore.
        assert!(last.status.success() || last.errors.contains("move it away"), "{last:?}");
        disaster.check(home, &device, number, &mut random).await;
    }
    eprintln!("{cut} of {} restores were killed; one takes {usual:?}", rounds * KILLS as usize);
    assert!(cut > 0);
}

/// The same after a second disaster, which finds the backup of a vault that was restored itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_vault_is_restored_again() {
    let disaster = Disaster::strike(Device::files(), 200).await;
    let mut random = ChaCha8Rng::seed_from_u64(200);
    let (&first, _) = disaster.history.backups.first_key_value().unwrap();
    let (&last, _) = disaster.history.backups.last_key_value().unwrap();
    let (home, device) = disaster.copy();
    restore(&home, &device, last).run().one();
    let vault = setup(&device).start_in(home).await;
    check(&vault, &disaster.bank, &disaster.history, &disaster.expected(last), &mut random).await;
    let again = vault.operator().back_up().await.unwrap().name["backups/".len()..].parse::<u32>().unwrap();
    vault.kill().await;
    vault.home().lose_data();
    // What the first restore lost is lost: an older backup has its rows, and no key opens them.
    let known = disaster.expected(last);
    for (number, expected) in [(again, known.clone()), (first, disaster.history.backups[&first].restored(&known))] {
        let (home, device) = (Home::copy_of(vault.home().path()), device.copy());
        let report = restore(&home, &device, number).run().one();
        assert_eq!(count(&report, "back", "templates"), expected.templates(), "{number}: {report}");
        let vault = setup(&device).start_in(home).await;
        check(&vault, &disaster.bank, &disaster.history, &expected, &mut random).await;
    }
}
