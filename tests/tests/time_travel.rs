//! Who has every past image of data, mirrors and backups, and the current root, opens nothing that was erased, and everything
//! that was not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use lethe_tests::time_travel::{BLOWS, History, OPERATIONS, Report};
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
    report.write("erasing");
    nothing_erased_is_open(&report, operations);
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
    nothing_erased_is_open(&report, operations);
}

/// A vault that deletes rows and calls that erasure: the adversary opens it all, or the other test says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_erased_is_opened_where_only_rows_are_deleted() {
    where_only_rows_are_deleted(None).await.write("naive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_erased_is_opened_where_only_rows_are_deleted_with_roots_on_a_token() {
    where_only_rows_are_deleted_with_roots_on(Device::token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_erased_is_opened_where_only_rows_are_deleted_with_roots_on_a_server() {
    where_only_rows_are_deleted_with_roots_on(Device::server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_erased_is_opened_where_only_rows_are_deleted_with_roots_on_a_tpm() {
    where_only_rows_are_deleted_with_roots_on(Device::tpm).await;
}

async fn where_only_rows_are_deleted_with_roots_on(device: fn() -> Device) {
    if !lethe_roots_testing::skipped() {
        where_only_rows_are_deleted(Some(device())).await;
    }
}

async fn where_only_rows_are_deleted(device: Option<Device>) -> Report {
    let seed: u64 = variable(SEED).unwrap_or_else(fresh_seed);
    println!("{SEED}={seed}");
    let operations = 60;
    let mut history = History::begin_naively(device, lethe_failpoints(), seed).await;
    history.live(operations, false).await;
    let report = history.conclude().await;
    println!("{report}");
    for verdict in &report.verdicts {
        assert!(verdict.erased.lacks_none() && verdict.erased_entries.lacks_none(), "{verdict}");
        assert!(verdict.live.lacks_none() && verdict.live_entries.lacks_none(), "{verdict}");
    }
    somebody_lived(&report);
    assert!(report.last().erased.is_all() && report.last().erased_entries.is_all(), "{report}");
    let (_, amid) = &report.amid;
    assert!(amid.erased.is_all() && amid.erased_entries.is_all(), "{report}");
    let tenants = report.last().shredded_administration;
    assert!(tenants.is_all() && tenants.all > 0, "a tenant whose rows are deleted is opened, too: {report}");
    everything_happened(&report, operations);
    report
}

/// And everything else is, and all of it was put to the test.
fn nothing_erased_is_open(report: &Report, operations: usize) {
    for verdict in &report.verdicts {
        // What is remembered of requests is counted apart: see the threat model.
        assert!(verdict.erased.is_none(), "{verdict}");
        assert!(verdict.burnt.is_none(), "{verdict}");
        assert!(verdict.erased_entries.is_none() && verdict.burnt_entries.is_none(), "{verdict}");
        assert!(verdict.live.lacks_none() && verdict.live_entries.lacks_none(), "{verdict}");
        assert!(verdict.administration.is_all(), "{verdict}");
        assert!(verdict.shredded_administration.is_none(), "{verdict}");
    }
    somebody_lived(report);
    assert!(report.last().erased.all > 0 && report.last().erased_entries.all > 0, "{report}");
    let (images, amid) = &report.amid;
    assert!(report.wrong.is_empty() && *images >= operations, "{report}");
    assert!(amid.erased.all > 0 && amid.erased_entries.all > 0 && amid.shredded_administration.all > 0, "{report}");
    assert!(amid.live.is_all() && amid.live_entries.is_all(), "{report}");
    everything_happened(report, operations);
    assert_eq!(never(report, &BLOWS), Vec::<&str>::new(), "{report}");
    every_record_is_told(report);
    every_backup_was_restored(report);
    assert!(report.last().shredded_administration.all > 0, "no tenant was shredded: {report}");
    assert!(report.counts.aborted > 1 && report.counts.burnt > 0, "nothing was lost to a power cut: {report}");
    assert!(report.last().burnt.all > 0 && report.last().burnt_entries.all > 0, "no slot was burnt: {report}");
    assert!(report.counts.unreached.iter().all(|(_, nth)| *nth > 1), "a step was not reached: {report}");
    assert!(report.embeddings > 0 && report.shredded > 0);
    assert_eq!(report.residues, Vec::<String>::new());
}

/// That everybody who lives is opened says something only where somebody does: not at every moment, but at some.
fn somebody_lived(report: &Report) {
    assert!(report.verdicts.iter().any(|verdict| verdict.live.is_all() && verdict.live_entries.is_all()), "{report}");
}

fn everything_happened(report: &Report, operations: usize) {
    assert!(report.counts.operations >= operations && report.images > operations);
    assert!(report.opened > 20 && report.records > operations, "{report}");
    assert_eq!(never(report, &OPERATIONS), Vec::<&str>::new(), "{report}");
    assert!(report.counts.compactions > 0 && report.counts.left_behind > 0, "no table was merged: {report}");
    assert!(report.counts.incremental > 0, "no backup shares a file with another: {report}");
}

fn never(report: &Report, names: &[&'static str]) -> Vec<&'static str> {
    names.iter().copied().filter(|name| !report.counts.by_name.contains_key(name)).collect()
}

/// One by one, and the totals are the same.
fn every_record_is_told(report: &Report) {
    let of = |class: &str, entries: bool| {
        let records = report.every.iter().filter(|record| record.class == class);
        records.filter(|record| (record.what == "log entry") == entries).map(|record| record.opened).collect::<Vec<_>>()
    };
    let last = report.last();
    for (entries, live, erased) in [(false, last.live, last.erased), (true, last.live_entries, last.erased_entries)] {
        let (open, closed) = (of("live", entries), of("erased", entries));
        assert!(open.iter().all(|opened| *opened) && open.len() == live.all && live.all > 0);
        assert!(closed.iter().all(|opened| !*opened) && closed.len() == erased.all && erased.all > 0);
    }
}

/// Of the same end.
fn every_backup_was_restored(report: &Report) {
    assert!(report.drills.len() > 1, "{report}");
    for drill in &report.drills {
        assert!(drill.verdict.nothing_erased() && drill.verdict.erased.all > 0, "{drill}");
        assert!(drill.verdict.everything_live(), "{drill}");
        assert_eq!(drill.embeddings, drill.back.1, "{drill}");
    }
    let (back, gone): (Vec<_>, Vec<_>) = report.drills.iter().map(|drill| (drill.back.1, drill.gone)).unzip();
    assert!(back.iter().sum::<usize>() > 0 && gone.iter().sum::<usize>() > 0, "drills that show nothing: {report}");
    assert!(report.drills.iter().any(|drill| drill.everything) && report.drills.iter().any(|drill| !drill.everything));
}
