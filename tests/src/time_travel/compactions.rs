//! Compactions: RocksDB merges tables into others, and leaves behind what is superseded. The old tables stay in images.

use std::fs;

use serde_json::Value;

use super::history::History;

/// A start makes a table of each family whose log has something; at the fourth, by RocksDB's usual options, they are merged.
const STARTS: usize = 24;
/// What comes before an event in what RocksDB tells of itself.
const EVENT: &str = "EVENT_LOG_v1 ";

impl History {
    /// Erases and starts until RocksDB has merged tables, and left rows behind.
    pub(super) async fn compact(&mut self) -> &'static str {
        let before = self.counts.left_behind;
        for _ in 0..STARTS {
            self.erase_and_wait().await;
            self.restart().await;
            if self.counts.left_behind > before {
                return "compactions";
            }
        }
        panic!("RocksDB merged nothing in {STARTS} starts");
    }

    /// Takes in what RocksDB says of compactions of the database.
    pub(super) fn note_compactions(&mut self) {
        for entry in fs::read_dir(self.vault.data_dir().join("db")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name != "LOG" && !name.starts_with("LOG.old") {
                continue;
            }
            // RocksDB may have given it another name, or deleted it.
            let said = fs::read(&path).unwrap_or_default();
            for line in String::from_utf8_lossy(&said).lines() {
                let Some((_, event)) = line.split_once(EVENT) else { continue };
                // The last line may be half written.
                let Ok(told) = serde_json::from_str::<Value>(event) else { continue };
                if told["event"] == "compaction_finished" && self.compactions.insert(event.to_owned()) {
                    let rows = |what: &str| told[what].as_u64().expect("a compaction counts rows");
                    self.counts.compactions += 1;
                    self.counts.left_behind += rows("num_input_records").saturating_sub(rows("num_output_records"));
                }
            }
        }
    }
}
