//! Keeps the memory of a process that holds keys where it is: out of core dumps, debuggers and swap. That it is wiped when
//! freed is the allocator's part (`lib.rs`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// What receipts say of a process whose memory may reach the disk.
const NOT_LOCKED: &str = "MEMORY_NOT_LOCKED";

static LOCKED: AtomicBool = AtomicBool::new(false);
static WHY_NOT: OnceLock<&str> = OnceLock::new();

/// Why memory cannot be kept from being dumped.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep keys out of core dumps: {what}: {cause}")]
pub struct Unprotected {
    what: &'static str,
    cause: Errno,
}

/// No core dump; no other process of the same user may attach or read the memory; and, where the system allows it, no page
/// of it is ever swapped out. To be called before the first key is in memory.
///
/// # Errors
/// If dumps cannot be forbidden. That pages cannot be locked is no error: receipts say so.
pub fn protect() -> Result<(), Unprotected> {
    let refuse = |what| move |cause| Unprotected { what, cause };
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refuse("RLIMIT_CORE"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refuse("PR_SET_DUMPABLE"))?;
    let refused = lock().err();
    LOCKED.store(refused.is_none(), Ordering::Relaxed);
    if let Some(why) = refused {
        // The same in every try.
        WHY_NOT.get_or_init(|| why);
    }
    Ok(())
}

/// Says in the log that memory is not locked, where it was to be: what protects it comes before there is a log.
pub fn warn() {
    if let Some(why) = WHY_NOT.get() {
        tracing::warn!(why, "memory is not locked: keys may reach the disk as swap, and receipts say so");
    }
}

/// Is this process' memory locked?
pub fn is_locked() -> bool {
    LOCKED.load(Ordering::Relaxed)
}

/// What cannot be promised of the memory of this run, as receipts say it.
pub fn statements() -> &'static [&'static str] {
    if is_locked() { &[] } else { &[NOT_LOCKED] }
}

/// Locks every page that is touched from now on, and those that were. Only without a limit: with one, an allocation would
/// fail some day in the middle of work.
fn lock() -> Result<(), &'static str> {
    let unlimited = Rlimit { current: None, maximum: None };
    // Whoever may raise it need not be asked to.
    setrlimit(Resource::Memlock, unlimited).ok();
    if getrlimit(Resource::Memlock).current.is_some() {
        return Err("RLIMIT_MEMLOCK is limited; set it to unlimited (systemd: LimitMEMLOCK=infinity)");
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_err(|_| "the system refuses mlockall")
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn a_protected_process_leaves_no_core_and_says_whether_it_is_locked() {
        protect().unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert!(matches!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable));
        protect().unwrap();

        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        let locked: u64 = locked.trim().trim_end_matches(" kB").parse().unwrap();
        assert_eq!(statements().is_empty(), locked > 0, "{locked} KiB are locked");
    }
}
