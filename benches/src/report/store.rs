//! A folder of results: `host.json`, and one file of JSON lines a scenario.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::host::Host;
use crate::record::{Record, Sink};

const HOST: &str = "host.json";

/// Results of one machine and one build.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A folder to read from.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there are no results in it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.join(HOST).is_file() {
            return Err(Error::invalid(format!("no results in {}: there is no {HOST}", folder.display())));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// A folder to add to; created if need be.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it holds results of another machine or another build: ratios of two
    /// commits do not go into one table.
    pub fn create(folder: &Path, host: &Host) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
        let store = Self { folder: folder.to_owned() };
        let path = folder.join(HOST);
        if path.is_file() {
            let stored = store.host()?;
            if stored != *host {
                return Err(Error::invalid(format!(
                    "{} holds results of {} at {}; this is {} at {}. Store elsewhere",
                    folder.display(),
                    stored.cpu,
                    stored.commit,
                    host.cpu,
                    host.commit
                )));
            }
            return Ok(store);
        }
        let text = serde_json::to_string_pretty(host).map_err(|source| Error::Stored {
            file: path.display().to_string(),
            line: 0,
            source,
        })?;
        fs::write(&path, text + "\n").map_err(Error::io(path.display().to_string()))?;
        Ok(store)
    }

    fn host(&self) -> Result<Host, Error> {
        let path = self.folder.join(HOST);
        let file = path.display().to_string();
        let text = fs::read_to_string(&path).map_err(Error::io(&file))?;
        serde_json::from_str(&text).map_err(|source| Error::Stored { file, line: 0, source })
    }

    /// Everything stored; of several results of one (scenario, metric, peer, n) the newest.
    ///
    /// # Errors
    /// [`Error::Stored`] names the file and the line that is no record.
    pub fn read(&self) -> Result<(Host, Vec<Record>), Error> {
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
        Ok((self.host()?, records))
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
        let mut store = Store::create(folder.path(), &host).unwrap();
        store.put(&record("search", "grpc_p50", 1000, 3.0)).unwrap();
        store.put(&record("erase", "latency", 1000, 1.0)).unwrap();
        Store::create(folder.path(), &host).unwrap().put(&record("search", "grpc_p50", 1000, 4.0)).unwrap();
        let (stored, records) = Store::open(folder.path()).unwrap().read().unwrap();
        assert_eq!(stored, host);
        let ratios: Vec<(&str, f64)> = records.iter().map(|r| (r.scenario.as_str(), r.ratio)).collect();
        assert_eq!(ratios, [("erase", 1.0), ("search", 4.0)]);
    }

    #[test]
    fn results_of_two_builds_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::here();
        Store::create(folder.path(), &host).unwrap();
        let other = Host { commit: "another".into(), ..host };
        assert!(matches!(Store::create(folder.path(), &other), Err(Error::Invalid(_))));
    }

    #[test]
    fn damage_is_named_by_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Store::open(folder.path()).is_err());
        let mut store = Store::create(folder.path(), &Host::here()).unwrap();
        assert!(store.read().is_err(), "nothing is stored");
        store.put(&record("search", "scan", 10, 1.0)).unwrap();
        let path = folder.path().join("search.jsonl");
        let text = fs::read_to_string(&path).unwrap() + "{\"scenario\": 3}\n";
        fs::write(&path, text).unwrap();
        let error = store.read().unwrap_err().to_string();
        assert!(error.contains("search.jsonl, line 2"), "{error}");
    }
}
