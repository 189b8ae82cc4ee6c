//! The whole memory of a running server and its vector registers, as a debugger or a core image would show them.

mod gallery;
mod registers;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub use gallery::Sketches;

use crate::PATIENCE;
use crate::residue::{Scanner, Trace};

/// Bytes that are read at once.
const CHUNK: usize = 4 << 20;
/// Bytes of a chunk that are read again with the next one: whatever is looked for is shorter.
const OVERLAP: usize = 16 << 10;

/// Says that these tests must not be skipped, as it is in continuous integration.
const REQUIRED: &str = "LETHE_MUST_SEE_MEMORY";

/// Whether the memory of a server may be read here: it forbids that to everybody but root. Elsewhere nothing is shown, and
/// that is said.
///
/// # Panics
/// Where it may not, and `LETHE_MUST_SEE_MEMORY` says that it must.
#[must_use]
pub fn may_be_seen() -> bool {
    let may = rustix::process::geteuid().is_root();
    assert!(may || std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and this is not root");
    if !may {
        println!("skipped: only root may read the server's memory; NOTHING WAS SHOWN of it");
    }
    may
}

/// A process that stands still. It goes on when this is dropped.
pub struct Frozen(Pid);

/// A process that stands still, with its memory. It goes on when this is dropped.
///
/// # Panics
/// Where its memory may not be read: a test that cannot look must not say that there is nothing to see. It needs root
/// with `CAP_SYS_PTRACE`, as the server forbids everybody else to look.
pub struct Memory {
    _process: Frozen,
    memory: File,
    regions: Vec<Region>,
    /// Of each thread.
    registers: Vec<(String, Vec<u8>)>,
}

struct Region {
    start: u64,
    end: u64,
    what: String,
}

/// What was looked through.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was found, with the kind of memory that it was in.
    pub traces: BTreeSet<Trace>,
    /// Bytes of memory that held anything.
    pub bytes: u64,
}

impl Frozen {
    /// Stops a process in the middle of whatever it does.
    ///
    /// # Panics
    /// When it does not stop.
    #[must_use]
    pub fn process(pid: u32) -> Self {
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
        kill_process(process, Signal::STOP).unwrap();
        let frozen = Self(process);
        wait_until_stopped(pid);
        frozen
    }
}

impl Memory {
    /// Stops a process in the middle of whatever it does.
    pub fn freeze(pid: u32) -> Self {
        let path = format!("/proc/{pid}/mem");
        let memory = File::open(&path).unwrap_or_else(|fault| {
            panic!(
                "{path} cannot be read ({fault}), so NOTHING WAS SHOWN of the server's memory: run this as root with \
                 CAP_SYS_PTRACE"
            )
        });
        let process = Frozen::process(pid);
        let registers = registers::of_all_threads(pid);
        // Each thread does so by itself when it is not traced any more.
        wait_until_stopped(pid);
        Self { _process: process, memory, regions: regions(pid), registers }
    }

    /// Looks for secrets, and for sketches as a gallery packs them.
    #[must_use]
    pub fn search(&self, scanner: &Scanner, sketches: &Sketches) -> Found {
        let mut found = Found::default();
        for (thread, registers) in &self.registers {
            found.traces.extend(scanner.scan(thread, registers));
        }
        let mut chunk = vec![0; CHUNK];
        for region in &self.regions {
            let mut at = region.start;
            while at < region.end {
                let wanted = CHUNK.min(usize::try_from(region.end - at).unwrap());
                let bytes = match self.memory.read_at(&mut chunk[..wanted], at) {
                    Ok(0) => break,
                    Ok(read) => &chunk[..read],
                    // Device memory and the like, that no process of its own can read either.
                    Err(fault) if fault.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
                    Err(fault) => panic!("cannot read memory at {at:x} ({}): {fault}", region.what),
                };
                found.bytes += search_pages(bytes, |from, run| {
                    found.traces.extend(scanner.scan(&region.what, run));
                    found.traces.extend(sketches.search(&region.what, run, at + from));
                });
                let last = at + bytes.len() as u64 == region.end || bytes.len() <= OVERLAP;
                at += (if last { bytes.len() } else { bytes.len() - OVERLAP }) as u64;
            }
        }
        // A server whose people are gone has some MiB that are not zero; far less means that it was not looked at.
        assert!(found.bytes > 1 << 20, "only {} bytes of memory were seen", found.bytes);
        found
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

impl Found {
    /// Those of a secret whose name begins so.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Trace> {
        self.traces.iter().filter(move |trace| trace.secret.starts_with(name))
    }

    /// Whether there is no trace but of secrets whose names begin so.
    #[must_use]
    pub fn is_nothing_but(&self, allowed: &[&str]) -> bool {
        self.of_others(allowed).next().is_none()
    }

    fn of_others<'a>(&'a self, allowed: &'a [&str]) -> impl Iterator<Item = &'a Trace> {
        self.traces.iter().filter(|trace| !allowed.iter().any(|name| trace.secret.starts_with(name)))
    }

    /// # Panics
    /// If there is any trace but of secrets whose names begin so.
    pub fn assert_nothing_but(&self, allowed: &[&str], when: &str) {
        let found: Vec<_> = self.of_others(allowed).map(|trace| format!("\n  {trace}")).collect();
        assert!(found.is_empty(), "{when}:{}", found.concat());
    }
}

/// Hands over runs of pages that are not all zero, with where they begin in `bytes`; how many bytes those are.
fn search_pages(bytes: &[u8], mut each: impl FnMut(u64, &[u8])) -> u64 {
    const PAGE: usize = 4096;
    let empty: Vec<bool> = bytes.chunks(PAGE).map(|page| page.iter().all(|byte| *byte == 0)).collect();
    let mut seen = 0;
    let mut page = 0;
    while page < empty.len() {
        if empty[page] {
            page += 1;
            continue;
        }
        let length = empty[page..].iter().take_while(|empty| !**empty).count();
        let run = &bytes[page * PAGE..((page + length) * PAGE).min(bytes.len())];
        each((page * PAGE) as u64, run);
        seen += run.len() as u64;
        page += length;
    }
    seen
}

fn wait_until_stopped(pid: u32) {
    let until = Instant::now() + PATIENCE;
    while !is_stopped(pid) {
        assert!(Instant::now() < until, "the process does not stop");
        #[allow(clippy::disallowed_methods, reason = "a process that stops tells nobody")]
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every thread of it.
fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| match fs::read_to_string(thread.path().join("stat")) {
        // The state follows the name, which is in parentheses and may hold anything.
        Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')),
        Err(gone) => gone.kind() == ErrorKind::NotFound,
    })
}

/// Everything that the process can write: what it only reads from files is its program.
fn regions(pid: u32) -> Vec<Region> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let parse = |line: &str| {
        let mut parts = line.split_whitespace();
        let (start, end) = parts.next()?.split_once('-')?;
        let rights = parts.next()?;
        let name = parts.nth(3).unwrap_or("anonymous memory");
        let of_the_kernel = ["[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]"].contains(&name);
        let of_the_program = name.starts_with('/') && !rights.contains('w');
        if !rights.starts_with('r') || of_the_kernel || of_the_program {
            return None;
        }
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        Some(Region { start, end, what: format!("{name} ({rights})") })
    };
    maps.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residue::Needles;

    #[test]
    fn what_another_process_holds_is_found_and_it_goes_on() {
        let secret: String = (0..40).map(|i| char::from(b'a' + (i * 7 % 26) as u8)).collect();
        let mut child = std::process::Command::new("sleep").arg("600").env("SECRET", &secret).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while !fs::read_to_string(format!("/proc/{}/environ", child.id())).is_ok_and(|all| all.contains(&secret)) {
            assert!(Instant::now() < until, "it does not start");
            std::thread::yield_now();
        }
        let mut needles = Needles::new();
        needles.text("what is in its environment", &secret).text("what is not", "0123456789abcdefghij");
        let memory = Memory::freeze(child.id());
        let scanner = needles.scanner();
        let mut traces = BTreeSet::new();
        for region in &memory.regions {
            let mut bytes = vec![0; usize::try_from(region.end - region.start).unwrap()];
            if memory.memory.read_exact_at(&mut bytes, region.start).is_ok() {
                traces.extend(scanner.scan(&region.what, &bytes));
            }
        }
        assert!(
            traces.iter().any(|trace| trace.secret == "what is in its environment" && trace.place.contains("stack"))
        );
        assert!(traces.iter().all(|trace| trace.secret != "what is not"));
        assert!(is_stopped(child.id()));
        drop(memory);
        while is_stopped(child.id()) {
            assert!(Instant::now() < until, "it does not go on");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
