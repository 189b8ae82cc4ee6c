//! What became of each record that was ever written, one by one.

use std::fs::OpenOptions;
use std::io::Write;

use serde_json::json;

use super::history::History;
use super::judge::Truth;
use super::report::Report;
use super::rows::{Slot, kind};

/// Names a file that a line of JSON is added to for each record and each log entry.
const REPORT: &str = "LETHE_REPORT";

/// A record, or an entry of a log.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub what: &'static str,
    /// Its row's key.
    pub key: Vec<u8>,
    /// Slots, as `slot.generation`: of its tree, of its subject, of what it is about beside.
    pub slots: [Option<String>; 3],
    /// How often a row of this key was written before with another value.
    pub version: usize,
    /// What became of whom it is about: `live`, `erased` and so on.
    pub class: &'static str,
    /// Whether it can be opened with everything that was ever written and the current root; an entry, whether it can be told
    /// whom it is about.
    pub opened: bool,
}

impl History {
    /// Each record and each entry at the end.
    pub(super) fn every_record(&self, truth: &Truth) -> Vec<Record> {
        let (number, moment) = self.last();
        let mut versions = std::collections::HashMap::new();
        let mut version = |key: &Vec<u8>| {
            let count = versions.entry(key.clone()).or_insert(0);
            *count += 1;
            *count - 1
        };
        let slot = |slot: Slot| format!("{}.{}", slot.number, slot.generation);
        let rows = self.seen.sealed.iter().enumerate().take(moment.written).map(|(place, row)| Record {
            what: match row.home.kind {
                kind::SUBJECT => "subject",
                kind::TEMPLATE => "template",
                kind::SKETCH => "sketch",
                kind::REMEMBERED => "answer",
                _ => "administration",
            },
            key: row.key.clone(),
            slots: [Some(row.home.tree), row.home.subject, row.home.thing].map(|known| known.map(slot)),
            version: version(&row.key),
            class: truth.record(&self.known, number, moment, place).name(),
            opened: moment.opened.contains(place),
        });
        let mut every: Vec<Record> = rows.collect();
        let entries = self.seen.entries.iter().enumerate().take(moment.logged).map(|(place, entry)| {
            let key = [&[0x31][..], &entry.tree.bytes(), &entry.index.to_be_bytes()].concat();
            Record {
                what: "log entry",
                version: version(&key),
                key,
                slots: [Some(slot(entry.tree)), None, None],
                class: truth.entry(&self.seen, &self.known, number, moment, place).name(),
                opened: moment.told.contains(place),
            }
        });
        every.extend(entries);
        every
    }
}

impl Report {
    /// Adds each record to the file that the environment names, if it names one; `history` says whose they are.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, history: &str) {
        let Some(path) = std::env::var_os(REPORT) else { return };
        let mut lines = String::new();
        for Record { what, key, slots: [tree, subject, thing], version, class, opened } in &self.every {
            let line = json!({
                "history": history, "record": what, "key": hex::encode(key), "version": version, "tree": tree,
                "subject": subject, "thing": thing, "of": class, "opened": opened,
            });
            lines += &format!("{line}\n");
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }
}
