//! The machine, and what a process costs it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where and with what figures were measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The processor's own name.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// The vector extensions that matter here and that the processor has.
    pub features: Vec<String>,
    /// Main memory, in GiB.
    pub memory_gib: u64,
    /// The operating system's kernel.
    pub kernel: String,
    /// The compiler and the versions of the peers.
    pub versions: String,
    /// The version of Lethe.
    pub lethe: String,
    /// The commit that was built, with `+changes` if the tree differed from it.
    pub commit: String,
}

impl Host {
    /// This machine and this build.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |key: &str| {
            let line = cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|k| k.trim() == key));
            line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim())
        };
        let flags = field("flags");
        let features = ["avx2", "fma", "f16c", "avx512f", "aes", "vaes", "sha_ni"];
        let has = |feature: &str| flags.split(' ').any(|flag| flag == feature);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: field("model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: features.into_iter().filter(|feature| has(feature)).map(str::to_owned).collect(),
            memory_gib: kib(&meminfo, "MemTotal").unwrap_or(0).div_ceil(1024 * 1024),
            kernel: kernel.trim().to_owned(),
            versions: env!("LETHE_BENCH_VERSIONS").to_owned(),
            lethe: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
        }
    }
}

/// Of the working tree that this runs in. One that it was built in may be gone: several share what is built.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(text)
    };
    let own = git(&["ls-files", "--error-unmatch", ":(top)benches/src/host.rs"]);
    let Some(commit) = own.and_then(|_| git(&["rev-parse", "--short=12", "HEAD"])) else {
        return "uncommitted".into();
    };
    // The results themselves are no change to what was measured.
    let clean = git(&["status", "--porcelain", "--", ":(top)", ":(top,exclude)docs/benchmarks"]);
    let clean = clean.is_some_and(|changes| changes.is_empty());
    if clean { commit } else { format!("{commit}+changes") }
}

/// The share of the cores' time that something else takes, or the machine's host, over the next half second.
pub async fn busy() -> Option<f64> {
    let before = times()?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = times()?;
    let passed: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    let all: f64 = passed.iter().sum();
    // Idle, and waiting for storage.
    let idle: f64 = passed.iter().skip(3).take(2).sum();
    (all > 0.0).then(|| 1.0 - idle / all)
}

/// Ticks that the cores spent in each way, since the system started.
fn times() -> Option<Vec<f64>> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    ticks.map(|ticks| ticks.parse().ok()).collect()
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// [`Error::Io`] if there is no such process.
pub fn resident(process: u32) -> Result<u64, Error> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let kib = kib(&status, "VmRSS").ok_or_else(|| Error::invalid(format!("{path} names no VmRSS")))?;
    Ok(kib * 1024)
}

/// Bytes that a process has caused to be sent to storage.
///
/// # Errors
/// [`Error::Io`] if there is no such process.
pub fn bytes_written(process: u32) -> Result<u64, Error> {
    let path = format!("/proc/{process}/io");
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok())
        .ok_or_else(|| Error::invalid(format!("{path} names no write_bytes")))
}

/// Bytes of all files below a folder.
///
/// # Errors
/// [`Error::Io`] if it cannot be listed.
pub fn folder_bytes(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    each_file(folder, &mut |path| {
        // A file may be compacted away while we look; then it is no longer part of the folder.
        bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        Ok(())
    })?;
    Ok(bytes)
}

/// Drops the files of a folder from the page cache, so that the next read comes from storage.
///
/// # Errors
/// [`Error::Io`] if a file cannot be opened or synced.
pub fn forget_pages(folder: &Path) -> Result<(), Error> {
    each_file(folder, &mut |path| {
        let what = path.display().to_string();
        let file = match fs::File::open(path) {
            Ok(file) => file,
            // Compacted away while we look; its pages went with it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(&what)(error)),
        };
        // Dirty pages would stay.
        file.sync_all().map_err(Error::io(&what))?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|error| Error::io(&what)(error.into()))
    })
}

/// Whether a folder is held in memory, where a synced write costs nothing.
///
/// # Errors
/// [`Error::Io`] if there is no such folder.
pub fn is_in_memory(folder: &Path) -> Result<bool, Error> {
    const TMPFS: i64 = 0x0102_1994;
    let system = rustix::fs::statfs(folder);
    let system = system.map_err(|error| Error::io(folder.display().to_string())(error.into()))?;
    Ok(system.f_type as i64 == TMPFS)
}

/// Visits all files below a folder.
pub(crate) fn each_file(folder: &Path, visit: &mut impl FnMut(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let what = folder.display().to_string();
    for entry in fs::read_dir(folder).map_err(Error::io(&what))? {
        let entry = entry.map_err(Error::io(&what))?;
        let kind = entry.file_type().map_err(Error::io(&what))?;
        if kind.is_dir() {
            each_file(&entry.path(), visit)?;
        } else if kind.is_file() {
            visit(&entry.path())?;
        }
    }
    Ok(())
}

/// The value of a `Key:   123 kB` line.
fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_cores_and_memory() {
        let host = Host::here();
        assert!(host.cores >= 1 && host.memory_gib >= 1 && !host.kernel.is_empty() && !host.cpu.is_empty());
        assert!(host.versions.contains("rustc") && host.versions.contains("faiss"), "{}", host.versions);
        let text = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<Host>(&text).unwrap(), host);
    }

    #[tokio::test]
    async fn a_share_of_the_time_is_a_share() {
        assert!((0.0..=1.0).contains(&busy().await.unwrap()));
    }

    #[test]
    fn memory_and_folders_are_measured() {
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
        assert!(resident(u32::MAX).is_err());
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("in/a"), [0; 5]).unwrap();
        fs::write(folder.path().join("b"), [0; 7]).unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 12);
        forget_pages(folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("b")).unwrap(), [0; 7]);
    }
}
