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
