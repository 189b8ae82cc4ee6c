//! The program as it is called: records on standard output, pages from what was stored. No figure is judged here.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

use lethe_benches::record::Record;
use tempfile::tempdir;

fn lethe_bench(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lethe-bench")).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn a_scenario_prints_one_record_a_line_and_stores_it_for_the_report() {
    let folder = tempdir().unwrap();
    let run = ["start", "--size", "1000,2000", "--dimension", "128", "--json", "--store", "results", "--scratch", "s"];
    let output = lethe_bench(&run, folder.path());
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("these same cores"), "who shares the cores is said: {stderr}");

    let records: Vec<Record> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sizes: Vec<u64> = records.iter().map(|record| record.n).collect();
    assert_eq!(sizes, [1000, 2000]);
    for record in &records {
        assert_eq!((&*record.scenario, &*record.metric, &*record.peer), ("start", "load", "read_and_open"));
        assert!(record.ratio > 0.0 && record.runs == 5);
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("results/start.jsonl")).unwrap(), stdout);
    assert_eq!(std::fs::read_dir(folder.path().join("s")).unwrap().count(), 0, "databases are removed");

    let report = lethe_bench(&["report", "--from", "results", "--to", "pages"], folder.path());
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    let page = std::fs::read_to_string(folder.path().join("pages/start.md")).unwrap();
    assert!(page.contains("`load` against `read_and_open`") && page.contains("Grows as n^"), "{page}");
    assert!(std::fs::read_to_string(folder.path().join("pages/start.svg")).unwrap().starts_with("<svg"));
}

/// Runs a scenario at a size that takes seconds. Each of its lines has the ten fields, in their order and no other, and
/// the metrics that have a name for ever are all there, each against its peer.
fn prints(scenario: &str, size: &str, metrics: &[(&str, &str)]) {
    const FIELDS: [&str; 10] =
        ["scenario", "metric", "value", "unit", "peer", "peer_value", "ratio", "n", "runs", "spread"];
    let folder = tempdir().unwrap();
    let run = [scenario, "--size", size, "--dimension", "128", "--seconds", "1", "--json", "--scratch", "s"];
    let output = lethe_bench(&run, folder.path());
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let mut printed = Vec::new();
    for line in stdout.lines() {
        let places: Vec<_> = FIELDS.iter().map(|name| line.find(&format!("\"{name}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{line}");
        // A field that is none of these is refused.
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(
            (record.scenario.as_str(), record.n.to_string().as_str(), record.runs),
            (scenario, size, 5),
            "{line}"
        );
        let figures = [record.value, record.peer_value, record.ratio];
        assert!(figures.iter().all(|figure| figure.is_finite() && *figure > 0.0) && record.spread >= 0.0, "{line}");
        assert!(!record.unit.is_empty(), "{line}");
        printed.push((record.metric, record.peer));
    }
    for (metric, peer) in metrics {
        let found = printed.iter().filter(|(m, p)| (m.as_str(), p.as_str()) == (*metric, *peer)).count();
        assert_eq!(found, 1, "{metric} against {peer}: {printed:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("s")).unwrap().count(), 0, "databases are removed");
}

#[test]
fn searching_is_measured() {
    let metrics = [
        ("grpc_p50", "faiss_flat"),
        ("scan", "memory_bandwidth"),
        ("recall", "exact"),
        ("rss_per_template", "sketch_bytes"),
        ("p50_under_writes", "quiet_p50"),
        ("p99_under_writes", "quiet_p50"),
        ("grpc_p50", "ten_times_a_tenth"),
    ];
    // Large enough for its memory to be seen beside that of a process.
    prints("search", "20000", &metrics);
}

#[test]
fn verifying_is_measured() {
    prints(
        "verify",
        "1000",
        &[("throughput", "tonic_echo"), ("p99_half_load", "tonic_echo"), ("cold", "get_and_open")],
    );
}

#[test]
fn enrolling_is_measured() {
    prints("enroll", "1000", &[("import", "raw_rocksdb"), ("durable_p50", "raw_rocksdb_synced")]);
}

#[test]
fn erasing_is_measured() {
    let metrics =
        [("latency", "smallest_gallery"), ("bytes_written", "reencrypt_gallery"), ("per_second", "naive_delete")];
    // As many people as are erased.
    prints("erase", "10000", &metrics);
}

#[test]
fn sweeping_is_measured() {
    // So many that some are alike.
    prints("sweep", "4000", &[("pairs", "faiss_knn"), ("recall", "faiss_knn")]);
}

#[test]
fn judging_who_ends_is_measured() {
    prints("retention", "1000", &[("judge_all", "read_and_open")]);
}

#[test]
fn what_makes_no_figure_is_refused() {
    let folder = tempdir().unwrap();
    for run in [
        &["search", "--runs", "4"][..],
        &["search", "--size", "10"],
        &["search", "--dimension", "300"],
        &["report", "--from", "nowhere"],
    ] {
        let output = lethe_bench(run, folder.path());
        assert!(!output.status.success() && output.stdout.is_empty(), "{run:?}");
        assert!(!output.stderr.is_empty());
    }
}
