//! Keeps the memory of a process that holds keys out of core dumps and debuggers.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use super::exit::Failure;

/// No core dump, and no other process of the same user may attach or read the memory. To be called
/// before the first key is in memory.
pub(super) fn protect_memory() -> Result<(), Failure> {
    let refuse = |what: &str, error: rustix::io::Errno| {
        Failure::failed(format!("cannot keep keys out of core dumps: {what}: {error}"))
    };
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| refuse("RLIMIT_CORE", error))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| refuse("PR_SET_DUMPABLE", error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_protected_process_leaves_no_core() {
        protect_memory().unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert!(matches!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable));
        protect_memory().unwrap();
    }
}
