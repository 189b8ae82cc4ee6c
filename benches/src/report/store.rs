//! A folder of results: for each scenario a file of JSON lines, and one that says on what machine and with which build.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::host::Host;
use crate::record::{Record, Sink};

/// Results, each scenario's of one machine and one build.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// What is added from here on was measured here.
    host: Option<Host>,
}

/// By scenario, where it was measured.
pub(super) type Hosts = BTreeMap<String, Host>;

impl Store {
    /// A folder to read from.
    ///
    /// # Errors
    /// [`Error::Io`] if there is none.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        drop(fs::read_dir(folder).map_err(Error::io(folder.display().to_string()))?);
        Ok(Self { folder: folder.to_owned(), host: None })
    }

    /// A folder to add results of `scenarios` to; created if need be.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it holds results of one of them of another machine or another build: ratios of two
    /// commits do not go into one table.
    pub fn create(folder: &Path, host: &Host, scenarios: &[&str]) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
        let store = Self { folder: folder.to_owned(), host: Some(host.clone()) };
        for scenario in scenarios {
            if let Some(stored) = store.host_of(scenario)?.filter(|stored| stored != host) {
                return Err(Error::invalid(format!(
                    "{} holds results of {scenario} of {} at {}; this is {} at {}. Store elsewhere, or remove them",
                    folder.display(),
                    stored.cpu,
                    stored.commit,
                    host.cpu,
                    host.commit
                )));
            }
        }
        Ok(store)
    }

    fn host_file(&self, scenario: &str) -> PathBuf {
        self.folder.join(format!("{scenario}.host.json"))
    }

    fn host_of(&self, scenario: &str) -> Result<Option<Host>, Error> {
        let path = self.host_file(scenario);
        if !path.is_file() {
            return Ok(None);
        }
        let file = path.display().to_string();
        let text = fs::read_to_string(&path).map_err(Error::io(&file))?;
        serde_json::from_str(&text).map(Some).map_err(|source| Error::Stored { file, line: 0, source })
    }

    /// Everything stored; of several results of one (scenario, metric, peer, n) the newest.
    ///
    /// # Errors
    /// [`Error::Stored`] names the file and the line that is no record; [`Error::Invalid`] if nothing is stored, or not
    /// where it was measured.
    pub fn read(&self) -> Result<(Hosts, Vec<Record>), Error> {
        let mut records: Vec<Record> = Vec::new();
        for path in self.files()? {
            let file = path.display().to_string();
            let text = fs::read_to_string(&path).map_err(Error::io(&file))?;
            for (number, line) in text.lines().enumerate() {
                let record: Record = serde_json::from_str(line).map_err(|source| Error::Stored {
                    file: file.clone(),
                    line: number + 1,
                    source,
                })?;
                records.retain(|other| identity(other) != identity(&record));
                records.push(record);
            }
        }
        if records.is_empty() {
            return Err(Error::invalid(format!("no results in {}", self.folder.display())));
        }
        records.sort_by(|a, b| identity(a).cmp(&identity(b)));
        let mut hosts = Hosts::new();
        for Record { scenario, .. } in &records {
            if !hosts.contains_key(scenario) {
                let host = self.host_of(scenario)?;
                let host = host.ok_or_else(|| Error::invalid(format!("nothing says where {scenario} was measured")))?;
                hosts.insert(scenario.clone(), host);
            }
        }
        Ok((hosts, records))
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let what = self.folder.display().to_string();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&what))? {
            let path = entry.map_err(Error::io(&what))?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

fn identity(record: &Record) -> (&str, &str, &str, u64) {
    (&record.scenario, &record.metric, &record.peer, record.n)
}

impl Sink for Store {
    fn put(&mut self, record: &Record) -> std::io::Result<()> {
        if let Some(host) = &self.host {
            fs::write(self.host_file(&record.scenario), serde_json::to_string_pretty(host)? + "\n")?;
        }
        let path = self.folder.join(format!("{}.jsonl", record.scenario));
        let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{}", serde_json::to_string(record)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::record;

    #[test]
    fn the_newest_result_counts() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::here();
        let mut store = Store::create(folder.path(), &host, &["search"]).unwrap();
        store.put(&record("search", "grpc_p50", 1000, 3.0)).unwrap();
        store.put(&record("erase", "latency", 1000, 1.0)).unwrap();
        let mut again = Store::create(folder.path(), &host, &["search"]).unwrap();
        again.put(&record("search", "grpc_p50", 1000, 4.0)).unwrap();
        let (hosts, records) = Store::open(folder.path()).unwrap().read().unwrap();
        assert_eq!(hosts["search"], host);
        let ratios: Vec<(&str, f64)> = records.iter().map(|r| (r.scenario.as_str(), r.ratio)).collect();
        assert_eq!(ratios, [("erase", 1.0), ("search", 4.0)]);
    }

    #[test]
    fn results_of_two_builds_do_not_mix_in_one_scenario() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::here();
        let mut store = Store::create(folder.path(), &host, &["search"]).unwrap();
        store.put(&record("search", "grpc_p50", 1000, 3.0)).unwrap();
        let other = Host { commit: "another".into(), ..host.clone() };
        assert!(matches!(Store::create(folder.path(), &other, &["erase", "search"]), Err(Error::Invalid(_))));
        let mut other_store = Store::create(folder.path(), &other, &["erase"]).unwrap();
        other_store.put(&record("erase", "latency", 1000, 1.0)).unwrap();
        let (hosts, _) = Store::open(folder.path()).unwrap().read().unwrap();
        assert_eq!((&hosts["search"], &hosts["erase"]), (&host, &other));
    }

    #[test]
    fn damage_is_named_by_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Store::open(&folder.path().join("nowhere")).is_err());
        let mut store = Store::create(folder.path(), &Host::here(), &["search"]).unwrap();
        assert!(store.read().is_err(), "nothing is stored");
        store.put(&record("search", "scan", 10, 1.0)).unwrap();
        let path = folder.path().join("search.jsonl");
        let text = fs::read_to_string(&path).unwrap() + "{\"scenario\": 3}\n";
        fs::write(&path, text).unwrap();
        let error = store.read().unwrap_err().to_string();
        assert!(error.contains("search.jsonl, line 2"), "{error}");
    }
}
