//! Moves under load, and `kill -9` at random moments of them: nothing is lost, nothing comes back.

use lethe_tests::Vault;
use lethe_tests::crash::Storm;

use crate::device::Device;
use crate::moving::ARRIVED;
use crate::stage::logs_again;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_are_killed_under_load_go_on() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let seed = rand::random();
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
        if let Some(tidy) = new.tidy() {
            storm.after_each_death(tidy);
        }
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
        old = new;
    }
    let counts = storm.finish().await;
    println!("{counts}");
    assert_eq!((counts.lost, counts.back), (0, 0));
    assert!(counts.acknowledged > 50 && counts.erased > 20, "the clients hardly worked: {counts}");
}
