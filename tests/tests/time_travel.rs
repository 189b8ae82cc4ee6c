//! Who has every past image of the data, and the current root, opens nothing that was erased, and everything that was
//! not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use lethe_tests::time_travel::{History, Report};
use lethe_tests::{Device, fresh_seed, lethe_failpoints, variable};

/// Says how many operations a history has.
const HISTORY: &str = "LETHE_HISTORY";
/// Repeats the choices of a run; how calls interleave is not repeated.
const SEED: &str = "LETHE_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_erased_can_be_opened_with_every_past_image_and_everything_live_can() {
    let operations: usize = variable(HISTORY).unwrap_or(300);
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed} {HISTORY}={operations}");
    let mut history = History::begin_with_failpoints(lethe_failpoints(), seed).await;
    history.live(operations, true).await;
    let report = history.conclude().await;
    println!("{report}");
    nothing_erased_is_open(&report);
    everything_happened(&report, operations);
    assert!(report.last().shredded_administration.all > 0, "no tenant was shredded: {report}");
    assert!(report.counts.by_name["deaths amid a tenant's shredding"] > 0 && report.counts.by_name["rotations"] > 0);
    assert!(report.counts.aborted > 1 && report.counts.burnt > 0, "nothing was lost to a power cut: {report}");
    assert!(report.last().burnt.all > 0 && report.last().burnt_entries.all > 0, "no slot was burnt: {report}");
    assert!(report.counts.by_name["clones that took over"] > 0 && report.counts.by_name["clones refused"] > 0);
    assert!(report.embeddings > 0 && report.shredded > 0);
    assert_eq!(report.residues, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_erased_can_be_opened_with_roots_on_a_token() {
    with_roots_on(Device::token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_erased_can_be_opened_with_roots_on_a_server() {
    with_roots_on(Device::server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_erased_can_be_opened_with_roots_on_a_tpm() {
    with_roots_on(Device::tpm).await;
}

/// The same adversary, who has what is in another kind of root store; a shorter history, unless told otherwise.
async fn with_roots_on(device: fn() -> Device) {
    if lethe_roots_testing::skipped() {
        return;
    }
    let operations: usize = variable(HISTORY).unwrap_or(72);
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed} {HISTORY}={operations}");
    let mut history = History::begin_on(device(), lethe_failpoints(), seed).await;
    history.live(operations, true).await;
    let report = history.conclude().await;
    println!("{report}");
    nothing_erased_is_open(&report);
    everything_happened(&report, operations);
    assert!(report.counts.by_name["deaths at a step"] > 4 && report.counts.deaths > 8, "{report}");
    assert!(report.embeddings > 0 && report.shredded > 0);
    assert_eq!(report.residues, Vec::<String>::new());
}

/// A vault that deletes rows and calls that erasure: the adversary opens it all, or the other test says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_erased_is_opened_where_only_rows_are_deleted() {
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed}");
    let operations = 60;
    let mut history = History::begin_naively(lethe_failpoints(), seed).await;
    history.live(operations, false).await;
    let report = history.conclude().await;
    println!("{report}");
    for verdict in &report.verdicts {
        assert!(verdict.erased.is_all() && verdict.erased_entries.is_all(), "{verdict}");
        assert!(verdict.live.is_all() && verdict.live_entries.is_all(), "{verdict}");
    }
    let tenants = report.last().shredded_administration;
    assert!(tenants.is_all() && tenants.all > 0, "a tenant whose rows are deleted is opened, too: {report}");
    everything_happened(&report, operations);
}

fn nothing_erased_is_open(report: &Report) {
    for verdict in &report.verdicts {
        // What is remembered of requests is counted apart: see the threat model.
        assert!(verdict.erased.is_none() && verdict.erased.all > 0, "{verdict}");
        assert!(verdict.burnt.is_none(), "{verdict}");
        assert!(verdict.erased_entries.is_none() && verdict.burnt_entries.is_none(), "{verdict}");
        assert!(verdict.live.is_all() && verdict.live_entries.is_all() && verdict.administration.is_all(), "{verdict}");
        assert!(verdict.shredded_administration.is_none(), "{verdict}");
    }
    assert!(report.counts.unreached.iter().all(|(_, nth)| *nth > 1), "a step was not reached: {report}");
}

fn everything_happened(report: &Report, operations: usize) {
    assert!(report.counts.operations >= operations && report.images > operations);
    assert!(report.opened > 20 && report.records > operations, "{report}");
}
