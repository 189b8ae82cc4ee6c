//! What bounds each figure: where the time goes, so that a reader knows what would have to change to move it. Found
//! with a sampling profiler at 100,000 templates, or, where it says "likely", by reading the code.

use crate::record::Record;

/// A metric with its peers and what bounds it.
struct Row {
    scenario: &'static str,
    metric: &'static str,
    peers: &'static [&'static str],
    bound: &'static str,
}

const fn row(scenario: &'static str, metric: &'static str, peers: &'static [&'static str], bound: &'static str) -> Row {
    Row { scenario, metric, peers, bound }
}

/// All figures that there are to be; those without a sentence are of what the vault cannot do yet.
const ROWS: [Row; 30] = [
    row(
        "search",
        "grpc_p50",
        &["faiss_flat", "faiss_flat_sharded", "faiss_hnsw", "qdrant", "ten_times_a_tenth"],
        "Up to some 100,000 templates the fixed costs of a call: hand-overs between the runtime, the scanning threads and \
         the commit thread, the probe's tables, unsealing the candidates, and an audit entry before the answer. Beyond, \
         the scan, and reading and unsealing the candidates, which both grow with the gallery. `faiss_flat` is FAISS as it comes, which searches for a single probe \
         on one thread; `faiss_flat_sharded` has all threads, as Lethe has. `ten_times_a_tenth` is ten times what a search of a \
         gallery of a tenth of the size takes: 1.0 would be linear.",
    ),
    row(
        "search",
        "scan",
        &["memory_bandwidth"],
        "Memory, of which it reads 55 planes of 100: a probe has no step for its small coordinates. Above 1.0 it takes less time than \
         reading all of the sketches would. Work is divided in segments of 2 MiB, so with few of them a thread runs dry. The \
         peer reads a buffer of the same size as often, and has the same caches.",
    ),
    row(
        "search",
        "searches",
        &["one_at_a_time"],
        "Processor time: sixteen callers, the server and the load generator share the cores. Searches that come while the gallery is \
         being scanned share the next pass, so that a sketch is read once for up to sixteen; their candidates are unsealed for \
         each.",
    ),
    row(
        "search",
        "recall",
        &["exact"],
        "The miss probability asked for: 1e-4 for a template exactly at the threshold, far less above it.",
    ),
    row(
        "search",
        "rss_per_template",
        &["sketch_bytes"],
        "By arithmetic, of a template beside its sketch: its key 10 B; the directory of keys 6 to 12 B, as hash tables double; its \
         subject's digest, slot and the way back from the slot 19 B; and, whatever the gallery's size, at most 64 MiB of RocksDB's \
         block cache and 48 MiB of opened leaf pages of the key tree. In small galleries mostly reserve: segments grow to 2 MiB, arenas \
         of the allocator.",
    ),
    row(
        "search",
        "rss_per_template_at_start",
        &["sketch_bytes"],
        "As `rss_per_template`, before any search has filled the caches.",
    ),
    row(
        "search",
        "build",
        &["faiss_hnsw", "qdrant"],
        "Making the people, which FAISS's figure has, too; rotating, taking signs and turning them around, on all threads: what the index \
         takes of an enrolment, without \
         sealing and syncing it. FAISS's graph cannot delete; Qdrant marks what is deleted, and rebuilds the segment when a fifth is; \
         Lethe overwrites it in its place.",
    ),
    row(
        "search",
        "index_per_template",
        &["faiss_hnsw", "qdrant"],
        "Signs, magnitudes, keys and the directory of keys. The peers' is what the process grew by: FAISS keeps vectors and graph in memory, \
         Qdrant a graph, a bit for each coordinate, and of the vectors what it has lately read.",
    ),
    row("search", "p50_under_writes", &["quiet_p50"], "As `p99_under_writes`."),
    row(
        "search",
        "p99_under_writes",
        &["quiet_p50"],
        "500 people are enrolled a second, and 500 erased, meanwhile. Processor time: at ten million, one bit, the server's threads took some 125 of \
         the two cores' 200 per cent, a fifth of that for scanning, and no function of the rest had more than four in a profile (unsealing candidates, \
         sealing, RocksDB's writes and compactions, commits, syncs, epochs, mirrors), and the load generator some 15. A scan wants both cores \
         for itself and finds them half taken. A lower priority for RocksDB's compactions made no difference in two pairs of \
         runs; a higher one for the scan would make logins wait for sweeps.",
    ),
    row(
        "start",
        "load",
        &["read_and_open"],
        "Processor time on all cores, and nothing of it stands out in a profile at 300,000: some three tenths are hashes that derive \
         keys, three of them for a template (its slot's, its row's, its base row's) and one for a subject, a seventh AES-GCM, of which \
         a part is making round keys for each row, a seventh allocating and copying, a tenth reading rows, the rest filling galleries and \
         the map of ids. Compaction of what was imported before takes a core of it for a while. The peer has one key for all rows, and keeps \
         nothing of what it opens.",
    ),
    row(
        "enroll",
        "import",
        &["raw_rocksdb"],
        "Processor time on all cores, the load generator's included. In a profile of an import of a million nothing stands out: four \
         tenths is both processes' runtimes (messages, sealing, sketches), a quarter the commit thread (log entries in JSON, their \
         Merkle nodes, the write), a fifth RocksDB's flushes and compactions, and in all of them a fifth is copying bytes. A \
         template is two sealed rows, its subject a third, an entry and its nodes four more; the peer writes one row, sealed \
         beforehand.",
    ),
    row(
        "enroll",
        "durable_p50",
        &["raw_rocksdb_synced"],
        "Likely one sync of the write-ahead log, as the peer's, and around it the hand-overs from the runtime to the commit \
         thread, the sync thread and back, and the call itself.",
    ),
    row(
        "verify",
        "throughput",
        &["tonic_echo"],
        "The server's processor time, a third of it the commit thread's: each attempt, also a failed one, leaves an \
         entry in the log. Of the whole, the kernel (sockets, waking threads) has a quarter, the allocator a fifth, gRPC an \
         eighth, RocksDB a tenth; unsealing and comparing are a few per cent.",
    ),
    row("verify", "throughput_attested", &["echo_plus_signature"], ""),
    row(
        "verify",
        "p99_half_load",
        &["tonic_echo"],
        "Likely waiting for the commit thread, which shares the server's cores with the calls that it answers, and for the \
         log's sync every 25 ms on the same cores.",
    ),
    row(
        "verify",
        "cold",
        &["get_and_open"],
        "Likely a call's fixed costs, and reads from storage: a block of 16 KiB of templates (the peer reads 4 KiB), where the rows \
         of an import lie in several tables a block of each that may hold the subject.",
    ),
    row(
        "erase",
        "latency",
        &["smallest_gallery", "reencrypt_gallery", "naive_delete"],
        "Syncs in a row: the intent, the mirror's copy of it, the new root twice, the epoch, the mirror's copy of that, the old \
         root overwritten twice and read back, the log of it. The gallery's size adds a level to the key tree for each factor \
         of 64. `naive_delete` is one sync, and forgets nothing; `reencrypt_gallery` has no mirror, no log and no receipt.",
    ),
    row(
        "erase",
        "bytes_written",
        &["smallest_gallery", "reencrypt_gallery", "naive_delete"],
        "What the system counts for the process, in blocks of 4 KiB: the pages of the key tree from the slots to the root, once \
         for the vault and once for the mirror; four blocks of the root store; log entries; and at each sync the rest of a \
         block, which the next one writes again. [By file and by kind of row](erase-bytes.md). `reencrypt_gallery` reads, \
         opens, seals and writes each template without a write-ahead log.",
    ),
    row(
        "erase",
        "bytes_written_of_100",
        &["naive_delete", "reencrypt_gallery"],
        "For each of those who share an epoch: its leaf pages, its intent, three log entries and a receipt, and a part of the \
         inner pages and of the syncs. One re-encryption would do for all of them, so its bytes are divided by the callers.",
    ),
    row("erase", "bytes_written_of_1000", &["naive_delete", "reencrypt_gallery"], ""),
    row(
        "erase",
        "per_second",
        &["naive_delete", "reencrypt_gallery"],
        "100 callers, each asking again when answered, and the default window of 5 ms: the length of an epoch, which all \
         callers share. `naive_delete` deletes rows, which lie in the database and in every copy until compaction. \
         `reencrypt_gallery` forgets 100 with each re-encryption.",
    ),
    row(
        "erase",
        "per_second_of_1",
        &["naive_delete", "reencrypt_gallery"],
        "An epoch for each erasure, one after another.",
    ),
    row(
        "erase",
        "per_second_of_1000",
        &["naive_delete", "reencrypt_gallery"],
        "1,000 callers, and a window of 400 ms (`erasure.window_ms`), since so many do not arrive within 5 ms: the calls \
         themselves, three log entries each, and the pages of the key tree, of which those near the root are shared.",
    ),
    row("erase", "per_epoch_of_1", &["callers"], ""),
    row(
        "erase",
        "per_epoch_of_100",
        &["callers"],
        "How many erasures really shared an epoch, counted by the epochs that their receipts name.",
    ),
    row("erase", "per_epoch_of_1000", &["callers"], ""),
    row(
        "sweep",
        "pairs",
        &["faiss_knn"],
        "In small galleries opening every template and making a query of it, in large ones the scan, of half of the gallery for each \
         template, and estimating what it lets pass. The peer compares each pair twice, once from either side, which is what its k nearest \
         are; its OpenBLAS is told which processor it is on.",
    ),
    row(
        "sweep",
        "recall",
        &["faiss_knn"],
        "The miss probability asked for: 1e-4 for a pair exactly at the threshold, far less above it.",
    ),
    row(
        "retention",
        "judge_all",
        &["read_and_open"],
        "For each person the keys of its slots are derived, and its base record, its dossier and what tells when its templates were provided are \
         opened, one page after the other; the peer opens two rows with one key that it has.",
    ),
];

/// A paragraph for each metric that there are records of.
pub(super) fn of(records: &[&Record]) -> String {
    let measured = |row: &&Row| records.iter().any(|r| r.scenario == row.scenario && r.metric == row.metric);
    let lines = ROWS.iter().filter(measured).filter(|row| !row.bound.is_empty());
    lines.map(|row| format!("* `{}`: {}\n", row.metric, row.bound)).collect()
}

/// Names of the figures that there are to be and of which there is no record.
pub(super) fn missing(records: &[Record]) -> Vec<String> {
    let named = ROWS.iter().flat_map(|row| row.peers.iter().map(move |peer| (row, *peer)));
    let is = |row: &Row, peer: &str, r: &Record| r.scenario == row.scenario && r.metric == row.metric && r.peer == peer;
    let missing = named.filter(|(row, peer)| !records.iter().any(|record| is(row, peer, record)));
    missing.map(|(row, peer)| format!("`{} {}` against `{peer}`", row.scenario, row.metric)).collect()
}
