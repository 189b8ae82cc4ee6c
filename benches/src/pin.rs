//! Who runs on which cores: without this, a load generator and a server take turns on the same core, and
//! what is measured is the scheduler.

use std::fs;
use std::process::{Command, Stdio};

use crate::Error;

/// The cores of this process in two halves: one for the load generator, one for the server that it measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    all: String,
    /// Cores of the load generator, as `taskset` takes them.
    pub client: String,
    /// Cores of the server.
    pub server: String,
}

impl Halves {
    /// Halves of the cores that this process may use; None where there is only one.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not say which they are.
    pub fn of_this_process() -> Result<Option<Self>, Error> {
        const STATUS: &str = "/proc/self/status";
        let status = fs::read_to_string(STATUS).map_err(Error::io(STATUS))?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Ok(Self::of(list.unwrap_or_default()))
    }

    fn of(list: &str) -> Option<Self> {
        let cores = cores(list)?;
        let (client, server) = cores.split_at(cores.len() / 2);
        if client.is_empty() {
            return None;
        }
        let text = |cores: &[u32]| cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        Some(Self { all: text(&cores), client: text(client), server: text(server) })
    }

    /// Keeps all threads of this process on the client's half until what is returned is dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `taskset` fails.
    pub fn pin_this_process(&self) -> Result<Pinned<'_>, Error> {
        pin_this_process(&self.client)?;
        Ok(Pinned { all: &self.all })
    }
}

/// This process, on some of its cores.
#[derive(Debug)]
pub struct Pinned<'a> {
    all: &'a str,
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        if let Err(error) = pin_this_process(self.all) {
            eprintln!("lethe-bench: {error}");
        }
    }
}

fn pin_this_process(cores: &str) -> Result<(), Error> {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", cores]).arg(std::process::id().to_string());
    let status = command.stdout(Stdio::null()).status().map_err(Error::io("starting taskset"))?;
    if status.success() { Ok(()) } else { Err(Error::invalid(format!("taskset: {status}"))) }
}

/// The numbers of a list such as `0-2,5`; None of what is no such list.
fn cores(list: &str) -> Option<Vec<u32>> {
    let mut cores = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cores.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_split_and_none_is_in_both_halves() {
        let halves = |list| Halves::of(list).map(|halves| (halves.client, halves.server));
        assert_eq!(halves("0-1"), Some(("0".into(), "1".into())));
        assert_eq!(halves("0-2,8,10-11"), Some(("0,1,2".into(), "8,10,11".into())));
        assert_eq!(halves("1,4,9"), Some(("1".into(), "4,9".into())));
        assert_eq!(halves("3"), None);
        assert_eq!(halves(""), None);
    }

    #[test]
    fn all_threads_are_pinned_and_set_free_again() {
        let allowed = || {
            let of = |task: fs::DirEntry| {
                let status = fs::read_to_string(task.path().join("status")).ok()?;
                status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).and_then(cores)
            };
            fs::read_dir("/proc/self/task").unwrap().filter_map(|task| of(task.unwrap())).collect::<Vec<_>>()
        };
        let Some(halves) = Halves::of_this_process().unwrap() else { return };
        {
            let _pinned = halves.pin_this_process().unwrap();
            assert!(allowed().iter().all(|list| *list == cores(&halves.client).unwrap()));
        }
        assert!(allowed().iter().all(|list| *list == cores(&halves.all).unwrap()));
    }
}
