//! `kill -9`, again and again, under load: nothing acknowledged is lost, nothing erased comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use lethe_tests::crash::{Storm, founded_after_all};
use lethe_tests::failpoints::{AT_FOUNDING, AT_START, AT_WORK};
use lethe_tests::{fresh_seed, lethe_failpoints, variable};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Says how often the server is killed.
const KILLS: &str = "LETHE_KILLS";
/// Repeats the choices of a run; how calls interleave is not repeated.
const SEED: &str = "LETHE_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_erased_comes_back() {
    let kills: usize = variable(KILLS).unwrap_or(200);
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed} {KILLS}={kills}");
    let mut storm = Storm::begin(seed).await;
    for _ in 0..kills {
        storm.live_and_die().await;
    }
    // Tenants are shredded among it, and keys rotated.
    let more = storm.live_until(|counts| {
        counts.acknowledged > kills && counts.erased > kills && counts.silos.0 > 0 && counts.silos.1 > 0
    });
    let lives = kills + more.await;
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.kills, counts.lost, counts.back), (lives, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_durable_step_loses_nothing_and_brings_nothing_back() {
    let binary = lethe_failpoints();
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
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
    for failpoint in AT_FOUNDING {
        founded_after_all(lethe_failpoints(), failpoint).await;
    }
}
