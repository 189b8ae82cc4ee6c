//! Markdown.

use std::fmt::Write as _;

use super::store::Hosts;
use super::{PINNING, bounds, plot};
use crate::host::Host;
use crate::measure::exponent;
use crate::record::{Figure, Record};

/// How a scenario is introduced.
fn introduction(scenario: &str) -> &'static str {
    match scenario {
        "search" => {
            "1:N search over one gallery, at the threshold of FMR 1e-6 and miss probability 1e-4, \
             with a warm page cache and probes that were not asked before, one caller at a time. FAISS runs inside the load generator, without a network; Lethe \
             answers over gRPC, unseals every candidate and scores it exactly. Sketches have two bits a coordinate, 128 B of a template, \
             where `sketch_bytes` does not say 64 B: one bit."
        }
        "start" => {
            "From starting the process until a first search has covered the whole gallery. The peer reads and opens \
             rows of the same number and size, with the same threads."
        }
        "enroll" => {
            "Writing templates. An answer to a client means that the template is synced to disk, in \
             both columns."
        }
        "verify" => {
            "1:1 verification over gRPC. The echo peer is a tonic server that decodes the same \
             requests and answers without looking."
        }
        "erase" => {
            "Forgetting. The latency is from the request to `SHREDDED`: the old root key destroyed, \
             and read back as destroyed. Metrics of 100 and 1000 are of as many callers at once, `per_second` of 100; others \
             are of one erasure after another. Why a page of the key tree has 64 keys: [fan-out](fan-out.md). Where the bytes \
             go: [erase-bytes](erase-bytes.md)."
        }
        "sweep" => {
            "Every template of a gallery against every other one, over gRPC, at the threshold of FMR 1e-6 and miss probability 1e-4. \
             Lethe unseals every template, and every candidate again for each thousand templates, and scores pairs exactly; FAISS \
             multiplies matrices of vectors that it has in memory in clear, inside the load generator."
        }
        "retention" => {
            "Who of everybody will have ended a day from now, when nobody has: a preview page by page over gRPC, which judges each person \
             by policy, law, age and what is recorded, as a sweep does. The peer reads and opens as many rows of the same size, a base \
             record and a dossier for each person, in their order."
        }
        _ => "",
    }
}

/// All files of a report: name and text.
pub(super) fn render(hosts: &Hosts, records: &[Record]) -> Vec<(String, String)> {
    let mut scenarios: Vec<&str> = records.iter().map(|record| record.scenario.as_str()).collect();
    scenarios.dedup();
    let mut files = vec![("README.md".to_owned(), index(hosts, records, &scenarios))];
    for scenario in scenarios {
        let of: Vec<&Record> = records.iter().filter(|record| record.scenario == scenario).collect();
        let mut page = format!("# {scenario}\n\n{}\n\n{}\n", introduction(scenario), ratios(&of));
        let bars = format!("{scenario}.svg");
        let _ = write!(page, "\n![How many times better than each peer]({bars})\n");
        files.push((bars, plot::bars(scenario, &of)));
        let bounds = bounds::of(&of);
        if !bounds.is_empty() {
            let _ = write!(page, "\n## What bounds it\n\n{bounds}");
        }
        for group in groups(&of) {
            if let Some((name, text, plot)) = growth(scenario, &group) {
                page += &text;
                files.push((name, plot));
            }
        }
        if let Some(host) = hosts.get(scenario) {
            let _ = write!(page, "\n{}\n", conditions(host));
        }
        files.push((format!("{scenario}.md"), page));
    }
    files
}

fn index(hosts: &Hosts, records: &[Record], scenarios: &[&str]) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nEvery figure is a ratio measured in one run against a peer or a physical limit: \
         runs alternate A B A B, the ratio is the median over neighbouring runs, with its spread. At least 1 is \
         at least as good as the peer; 30 is thirty times faster; 0.7 is seven tenths of its throughput. \
         Absolute numbers are for orientation only.\n\n",
    );
    // Scenarios that were measured by one build are named together.
    let mut builds: Vec<(Vec<&str>, &Host)> = Vec::new();
    for (scenario, host) in hosts {
        match builds.iter_mut().find(|(_, build)| *build == host) {
            Some((scenarios, _)) => scenarios.push(scenario),
            None => builds.push((vec![scenario.as_str()], host)),
        }
    }
    for (scenarios, host) in builds {
        let _ = writeln!(text, "{}: {}\n", scenarios.join(", "), conditions(host));
    }
    for scenario in scenarios {
        let of: Vec<&Record> = records.iter().filter(|record| record.scenario == *scenario).collect();
        // The largest gallery speaks for a scenario here; its page has the others.
        let largest: Vec<&Record> = groups(&of).iter().filter_map(|group| group.last().copied()).collect();
        let _ = write!(text, "## [{scenario}]({scenario}.md)\n\n{}\n", ratios(&largest));
    }
    let missing = bounds::missing(records);
    if !missing.is_empty() {
        let _ = write!(text, "## Not measured here\n\n{}.\n", missing.join(", "));
    }
    text
}

fn conditions(host: &Host) -> String {
    format!(
        "Lethe {} ({}), {} with {} cores ({}), {} GiB, Linux {}. {}. The vault, the peer servers and the load \
         generator are separate processes on these same cores. {PINNING} Data: generated people with the statistics \
         of real embeddings (EdgeFace-XS on LFW).",
        host.lethe,
        host.commit,
        host.cpu,
        host.cores,
        host.features.join(" "),
        host.memory_gib,
        host.kernel,
        host.versions
    )
}

fn ratios(records: &[&Record]) -> String {
    let mut table =
        String::from("| metric | templates | Lethe | peer | ratio | spread | runs |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for r in records {
        let _ = writeln!(
            table,
            "| `{}` against `{}` | {} | {} {} | {} {} | **{}×** | {:.0} % | {} |",
            r.metric,
            r.peer,
            r.n,
            Figure(r.value),
            r.unit,
            Figure(r.peer_value),
            r.unit,
            Figure(r.ratio),
            r.spread * 100.0,
            r.runs
        );
    }
    table
}

/// Records of one metric and peer, smallest gallery first.
fn groups<'a>(records: &[&'a Record]) -> Vec<Vec<&'a Record>> {
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    for &record in records {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| first.metric == record.metric && first.peer == record.peer))
        {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    groups.iter_mut().for_each(|group| group.sort_by_key(|record| record.n));
    groups
}

/// File name, text and plot of a metric measured at several sizes.
fn growth(scenario: &str, group: &[&Record]) -> Option<(String, String, String)> {
    let first = group.first().filter(|_| group.len() > 1)?;
    let points = |value: fn(&Record) -> f64| -> Vec<(f64, f64)> {
        group.iter().map(|record| (record.n as f64, value(record))).collect()
    };
    let ours = points(|record| record.value);
    let peers = points(|record| record.peer_value);
    let name = format!("{scenario}-{}-{}.svg", first.metric, first.peer);
    let text = format!(
        "\n## `{metric}` against `{peer}` by size\n\nGrows as n^{:.2}; `{peer}` as n^{:.2}.{}\n\n![{metric} by size]({name})\n",
        exponent(&ours)?,
        exponent(&peers)?,
        group.last().map(|largest| against_smallest(largest)).unwrap_or_default(),
        metric = first.metric,
        peer = first.peer,
    );
    let plot = plot::growth(&format!("{scenario} {} ({})", first.metric, first.unit), &first.peer, &ours, &peers);
    Some((name, text, plot))
}

/// How the largest gallery stands to the smallest, where that is the peer: of neighbouring runs.
fn against_smallest(largest: &Record) -> String {
    if largest.peer != "smallest_gallery" {
        return String::new();
    }
    format!(" With {} templates it is {}× that of the smallest gallery.", largest.n, Figure(1.0 / largest.ratio))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn record(scenario: &str, metric: &str, n: u64, ratio: f64) -> Record {
        Record {
            scenario: scenario.into(),
            metric: metric.into(),
            value: n as f64,
            unit: "ms".into(),
            peer: "a_peer".into(),
            peer_value: n as f64 * ratio,
            ratio,
            n,
            runs: 5,
            spread: 0.25,
        }
    }

    #[test]
    fn pages_name_the_machine_and_every_ratio() {
        let records = [
            record("erase", "latency", 1000, 0.7),
            record("search", "grpc_p50", 1000, 3.0),
            record("search", "grpc_p50", 100_000, 30.0),
        ];
        let host = Host::here();
        let other = Host { commit: "another".into(), ..host.clone() };
        let hosts = Hosts::from([("erase".to_owned(), host.clone()), ("search".to_owned(), host.clone())]);
        let files = render(&hosts, &records);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["README.md", "erase.svg", "erase.md", "search.svg", "search-grpc_p50-a_peer.svg", "search.md"]
        );
        let text = |name: &str| &files.iter().find(|(file, _)| file == name).unwrap().1;
        for page in ["README.md", "erase.md", "search.md"] {
            for fact in [&host.cpu, &host.kernel, &host.commit, &host.versions] {
                assert!(text(page).contains(fact), "{page} names {fact}");
            }
        }
        assert!(text("erase.md").contains("**0.700×**"), "a peer that is faster is shown as such");
        assert!(text("search.md").contains("Grows as n^1.00"), "{}", text("search.md"));
        assert!(text("README.md").contains("30.0×") && !text("README.md").contains("3.00×"));
        assert!(!text("erase.md").contains("by size"), "one size has no exponent");
        assert!(text("erase.md").contains("* `latency`: Syncs in a row"), "it says what bounds a figure");
        assert!(!text("erase.md").contains("* `per_second`"), "of what was measured");
        assert!(text("README.md").contains("erase, search: Lethe"), "one build is named once");
        let two = Hosts::from([("erase".to_owned(), other), ("search".to_owned(), host)]);
        let index = &render(&two, &records)[0].1;
        assert!(index.contains("(another)") && index.contains("search: Lethe"), "{index}");
        assert!(text("README.md").contains("`sweep pairs` against `faiss_knn`"), "it says what was not measured");
    }
}
