//! Moves under load, and `kill -9` at random moments of them: nothing is lost, nothing comes back.

use std::sync::Arc;

use lethe_tests::crash::Storm;
use lethe_tests::failpoints::{AT_START, AT_WORK, OF_SERVERS, OF_TOKENS, OF_TPMS};
use lethe_tests::{Device, Vault, lethe_failpoints};
use rand::SeedableRng as _;
use rand::seq::{IteratorRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use crate::moving::ARRIVED;
use crate::on_every_store;
use crate::stage::logs_again;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_are_killed_under_load_go_on() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let seed = lethe_tests::fresh_seed();
    println!("seed {seed}");
    // Lives before a move has ended, and how often the start of each is killed.
    let (lives, deaths) = if is_soak() { (12, 12) } else { (1, 3) };
    let mut old = Arc::new(Device::files());
    let mut storm = Storm::begin_with(old.alone(Vault::setup()), seed).await;
    storm.roots_may_be_on(&old);
    let stops = [Device::server(), Device::files(), Device::token(), Device::files(), Device::tpm(), Device::files()];
    for new in stops.map(Arc::new) {
        storm.roots_may_be_on(&new);
        storm.after_each_death([&old, &new].into_iter().find_map(|device| device.tidy()));
        let (arrived, keys) = (storm.vault().log().matches(ARRIVED).count(), old.root_keys());
        storm.vault().reconfigure(|setup| new.coming_from(&old, setup));
        for _ in 0..lives {
            storm.live_and_die_in_recovery(deaths).await;
        }
        logs_again(storm.vault(), ARRIVED, arrived).await;
        storm.vault().stop().await;
        old.is_empty(&keys);
        storm.vault().reconfigure(|setup| new.alone(setup));
        storm.vault().start().await;
        storm.live_and_die().await;
        storm.after_each_death(new.tidy());
        old = new;
    }
    storm.live_until(|counts| counts.acknowledged > 50 && counts.erased > 20).await;
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.lost, counts.back), (0, 0));
}

/// Durable steps of a move.
const STEPS: [&str; 12] = [
    "root-migrating-claimed",
    "root-file-replica-claimed",
    "epoch-claiming",
    "epoch-claimed",
    "epoch-root-created",
    "epoch-key-wrapped",
    "epoch-committed",
    "epoch-published",
    "epoch-authenticated",
    "root-migrating-destroyed",
    "epoch-root-destroyed",
    "epoch-destruction-logged",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_durable_step_of_a_move_loses_nothing_and_brings_nothing_back() {
    let turns = STEPS.map(|step| (step, Device::files as fn() -> Device));
    crashes_on_the_way(&turns).await;
}

on_every_store!(a_crash_on_the_way_there_and_back:
    a_crash_on_the_way_to_a_token_and_back = (Device::token, &OF_TOKENS),
    a_crash_on_the_way_to_a_server_and_back = (Device::server, &OF_SERVERS),
    a_crash_on_the_way_to_a_tpm_and_back = (Device::tpm, &OF_TPMS),
);

/// Crashes of moves from files to another store, and of moves back: at every step in a soak, at two of each otherwise.
async fn a_crash_on_the_way_there_and_back((there, all): (fn() -> Device, &[&'static str])) {
    let of_both = STEPS.into_iter().filter(|step| !step.starts_with("root-file-"));
    let there_steps: Vec<_> = of_both.clone().chain(all.iter().copied()).collect();
    let back_steps: Vec<_> = of_both.chain(all[all.len() - 2..].iter().copied()).collect();
    let number = if is_soak() { usize::MAX } else { 2 };
    let (there_steps, back_steps) = (some(&there_steps, number), some(&back_steps, number));
    let mut turns = Vec::new();
    for number in 0..there_steps.len().max(back_steps.len()) {
        turns.push((there_steps[number % there_steps.len()], there));
        turns.push((back_steps[number % back_steps.len()], Device::files as fn() -> Device));
    }
    crashes_on_the_way(&turns).await;
}

/// Makes a device.
type New = fn() -> Device;

/// Moves a vault from store to store, and has it die at a step of each move.
async fn crashes_on_the_way(turns: &[(&str, New)]) {
    let seed = lethe_tests::fresh_seed();
    println!("seed {seed}");
    let mut old = Arc::new(Device::files());
    let mut storm = Storm::begin_with(old.alone(Vault::setup()).binary(lethe_failpoints()), seed).await;
    storm.roots_may_be_on(&old);
    for (step, new) in turns {
        println!("{step}, from {}", old.name());
        let new = Arc::new(new());
        storm.roots_may_be_on(&new);
        storm.after_each_death([&old, &new].into_iter().find_map(|device| device.tidy()));
        let keys = old.root_keys();
        storm.vault().stop().await;
        storm.vault().reconfigure(|setup| new.coming_from(&old, setup));
        storm.live_and_die_at(step, 1).await;
        // Whatever is left of it, a command finishes.
        storm.vault().stop().await;
        let moved = storm.vault().run(&["root", "migrate"]);
        assert_eq!(moved.code, Some(0), "{step}: {moved:?}");
        old.is_empty(&keys);
        storm.vault().reconfigure(|setup| new.alone(setup));
        storm.vault().start().await;
        storm.live_and_die().await;
        old = new;
    }
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.lost, counts.back), (0, 0));
}

on_every_store!(a_crash_at_any_durable_step:
    a_crash_at_any_durable_step_on_a_token = Device::token(),
    a_crash_at_any_durable_step_on_a_server = Device::server(),
    a_crash_at_any_durable_step_on_a_tpm = Device::tpm(),
);

/// Dies at every step of an epoch that a store takes by itself, and at those around them: at all in a soak, at some otherwise.
async fn a_crash_at_any_durable_step(device: Device) {
    let seed = lethe_tests::fresh_seed();
    println!("seed {seed}");
    let device = Arc::new(device);
    let mut storm = Storm::begin_with(device.alone(Vault::setup()).binary(lethe_failpoints()), seed).await;
    storm.roots_may_be_on(&device);
    storm.after_each_death(device.tidy());
    let around: Vec<_> = AT_START.into_iter().chain(AT_WORK).filter(|step| !step.starts_with("root-file-")).collect();
    for round in 0..if is_soak() { 4 } else { 1 } {
        for step in device.steps().iter().copied().chain(some(&around, if is_soak() { usize::MAX } else { 2 })) {
            println!("{step}");
            // A start is made once in a life.
            let at_start = AT_START.contains(&step) || step == OF_TOKENS[0];
            storm.live_and_die_at(step, if at_start { 1 } else { round + 1 }).await;
        }
    }
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.lost, counts.back), (0, 0));
    // That each step kills is seen to where it does; whether at work or in recovery depends on what the life before had left.
    assert!(counts.kills > 0 && counts.erased > 5, "{counts}");
}

/// So many of these, chosen at random; or all of them.
fn some(steps: &[&'static str], number: usize) -> Vec<&'static str> {
    let mut random = ChaCha8Rng::seed_from_u64(lethe_tests::fresh_seed());
    let mut chosen = steps.iter().copied().choose_multiple(&mut random, number.min(steps.len()));
    chosen.shuffle(&mut random);
    chosen
}

fn is_soak() -> bool {
    std::env::var_os("LETHE_SOAK").is_some()
}
