//! Any durable step may be the last: whatever a death, a power cut or a lying device leaves, nothing acknowledged is lost and
//! nothing shredded comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use lethe_tests::crash::matrix::{Matrix, Operation};
use lethe_tests::{fresh_seed, lethe_failpoints, variable};

/// Says how many steps of each operation are judged under each fault; 0 for all.
const CASES: &str = "LETHE_CASES";
/// Repeats the choices of a run; how calls interleave is not repeated.
const SEED: &str = "LETHE_SEED";
/// Steps of each operation under each fault.
const USUAL: usize = 2;

fn cases() -> Option<usize> {
    let usual = if std::env::var_os("LETHE_SOAK").is_some() { 0 } else { USUAL };
    Some(variable(CASES).unwrap_or(usual)).filter(|cases| *cases > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_step_is_the_last_nothing_is_lost_and_nothing_comes_back() {
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed}");
    let mut matrix = Matrix::record(lethe_failpoints(), seed).await;
    println!("durable steps: {:?}", matrix.steps());
    let cases = cases();
    let report = matrix.judge(cases).await;
    println!("{report}");
    for operation in Operation::ALL {
        assert!(report.covers(operation), "{operation} was not judged under every fault");
    }
    assert_eq!(matrix.unreached(), Vec::<&str>::new(), "failpoints of which nothing is known");
    let total = report.total();
    assert!(total.bitten > total.cases / 4, "the faults hardly did anything");
    assert_eq!((total.lost, total.leaked, total.wrong), (0, 0, 0), "{:#?}", report.faults);
    assert!(total.led_out > 0, "no lying device was ever noticed");
    assert!(cases.is_some() || total.damaged > 0, "no backup was damaged by the device that lied");
}

/// Disks on which nothing was durable for a while: the same judge finds what is lost, and what is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn where_no_sync_was_honest_losses_and_leaks_are_found() {
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed}");
    let mut matrix = Matrix::record(lethe_failpoints(), seed).await;
    // What a few cases find is chance, and enough of them find both.
    let (mut lost, mut leaked) = (0, 0);
    for _ in 0..8 {
        let report = matrix.judge_the_impossible(8).await;
        println!("{report}");
        let total = report.total();
        (lost, leaked) = (lost + total.lost, leaked + total.leaked);
        if lost > 0 && leaked > 0 {
            return;
        }
    }
    panic!("{lost} cases were found to have lost something, and {leaked} to have brought somebody back");
}
