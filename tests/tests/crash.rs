//! `kill -9`, again and again, under load: nothing acknowledged is lost, nothing erased comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use lethe_tests::crash::{Storm, founded_after_all};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Says how often the server is killed.
const KILLS: &str = "LETHE_KILLS";
/// Repeats the choices of a run; how calls interleave is not repeated.
const SEED: &str = "LETHE_SEED";
/// Names a binary built with `--features failpoints`; without one those tests have nothing to run.
const FAILPOINT_BINARY: &str = "LETHE_FAILPOINT_BIN";

/// Durable steps that clients reach.
const AT_WORK: [&str; 13] = [
    "commit-before-write",
    "commit-before-follow",
    "commit-before-sync",
    "epoch-root-created",
    "epoch-key-wrapped",
    "epoch-committed",
    "epoch-published",
    "epoch-authenticated",
    "epoch-root-destroyed",
    "epoch-destruction-logged",
    "root-file-overwritten",
    "root-file-replica-written",
    "root-file-replica-wiped",
];
/// Durable steps of a start.
const AT_START: [&str; 3] = ["epoch-claiming", "epoch-claimed", "root-file-replica-claimed"];
/// Durable steps of the first start.
const AT_FOUNDING: [&str; 4] =
    ["epoch-founding", "epoch-founding-claimed", "epoch-founding-root-created", "epoch-founded"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_erased_comes_back() {
    let kills: usize = number(KILLS).unwrap_or(200);
    let seed: u64 = number(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed} {KILLS}={kills}");
    let mut storm = Storm::begin(seed).await;
    for _ in 0..kills {
        storm.live_and_die().await;
    }
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.kills, counts.lost, counts.back), (kills, 0, 0));
    assert!(counts.acknowledged > kills && counts.erased > kills, "the clients hardly worked: {counts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_durable_step_loses_nothing_and_brings_nothing_back() {
    let Some(binary) = failpoint_binary() else { return };
    let seed: u64 = number(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut storm = Storm::begin_with_failpoints(binary, seed).await;
    for failpoint in AT_START {
        storm.live_and_die_at(failpoint, 1).await;
    }
    for failpoint in AT_WORK {
        // At the first time, and at some later one, when others are on their way.
        for nth in [1, random.random_range(2..8)] {
            storm.live_and_die_at(failpoint, nth).await;
        }
    }
    println!("{}", storm.finish().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founding_that_was_cut_short_is_done_again() {
    let Some(binary) = failpoint_binary() else { return };
    for failpoint in AT_FOUNDING {
        founded_after_all(binary.clone(), failpoint).await;
    }
}

fn failpoint_binary() -> Option<PathBuf> {
    let binary = std::env::var_os(FAILPOINT_BINARY).map(PathBuf::from);
    if binary.is_none() {
        println!("skipped: {FAILPOINT_BINARY} names no binary built with failpoints");
    }
    binary
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}

fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}
