//! `kill -9`, again and again, under load: nothing acknowledged is lost, nothing erased comes back.

use lethe_tests::crash::Storm;

/// Says how often the server is killed.
const KILLS: &str = "LETHE_KILLS";
/// Repeats the choices of a run; how calls interleave is not repeated.
const SEED: &str = "LETHE_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_erased_comes_back() {
    let kills: usize = number(KILLS).unwrap_or(30);
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

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}

fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}
