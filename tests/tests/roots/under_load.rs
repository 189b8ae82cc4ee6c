//! Moves under load, and `kill -9` at random moments of them: nothing is lost, nothing comes back.

use lethe_tests::crash::Storm;
use lethe_tests::{Vault, lethe_failpoints};

use crate::device::Device;
use crate::moving::ARRIVED;
use crate::stage::logs_again;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_are_killed_under_load_go_on() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let seed = lethe_tests::fresh_seed();
    println!("seed {seed}");
    // Lives before a move has ended, and how often the start of each is killed.
    let (lives, deaths) = if std::env::var_os("LETHE_SOAK").is_some() { (12, 12) } else { (1, 3) };
    let mut old = Device::files();
    let mut storm = Storm::begin_with(old.alone(Vault::setup()), seed).await;
    let stops = [Device::server(), Device::files(), Device::token(), Device::files(), Device::tpm(), Device::files()];
    for new in stops {
        for file in [&old, &new].into_iter().filter_map(Device::file) {
            storm.roots_may_be_in(file);
        }
        storm.after_each_death([&old, &new].into_iter().find_map(Device::tidy));
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
    let seed = lethe_tests::fresh_seed();
    println!("seed {seed}");
    let mut old = Device::files();
    let mut storm = Storm::begin_with(old.alone(Vault::setup()).binary(lethe_failpoints()), seed).await;
    for step in STEPS {
        let new = Device::files();
        for file in [&old, &new].into_iter().filter_map(Device::file) {
            storm.roots_may_be_in(file);
        }
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
