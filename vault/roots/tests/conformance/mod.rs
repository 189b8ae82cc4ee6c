//! What every root store must do, whatever it is made of: the same cases for each.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each store's tests use what they need")]

mod cases;
mod epochs;
mod journal;

use std::sync::Arc;

use lethe_crypto::Error;
use lethe_crypto::root::{Claim, Incarnation, RootStore, StoreKind, VaultId};
use lethe_crypto::secret::VaultKey;

pub use lethe_roots_testing::skipped;

pub use cases::*;
pub use epochs::*;

/// A place for one root store, empty at first.
pub trait Fixture {
    /// Opens the store that is there; what had it open was dropped.
    fn open(&self) -> Arc<dyn RootStore>;

    /// What its evidence says it is.
    fn kind(&self) -> StoreKind;

    /// May two have it open at once?
    fn shared(&self) -> bool {
        false
    }

    /// The `Debug` of the open store.
    fn debug(&self) -> String;

    /// What nobody may read in it.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

pub const VAULT: VaultId = VaultId::from_bytes([1; 16]);
pub const OTHER_VAULT: VaultId = VaultId::from_bytes([9; 16]);
pub const FIRST: Incarnation = Incarnation::from_bytes([2; 16]);
pub const SECOND: Incarnation = Incarnation::from_bytes([3; 16]);
pub const THIRD: Incarnation = Incarnation::from_bytes([4; 16]);

/// Declares a test of each case. `$with` takes the test's name and the case, and runs it with a fixture.
#[macro_export]
macro_rules! conformance {
    ($with:path) => {
        conformance!($with:
            a_key_is_wrapped_once_and_unwrapped_after_a_restart,
            every_changed_byte_and_another_context_are_refused,
            a_wrapped_key_opens_under_its_own_root_only,
            what_was_never_wrapped_is_refused,
            claims_are_compare_and_swap,
            claims_survive_a_restart,
            who_was_fenced_out_changes_nothing,
            an_unclaimed_store_changes_nothing,
            roots_are_listed_in_order_and_destroyed_one_by_one,
            a_destroyed_root_stays_destroyed,
            destroying_what_never_was_is_no_error,
            of_two_openers_the_later_claim_counts,
            debug_tells_no_secret,
            epochs_run_on_it_over_restarts,
            an_orphan_is_destroyed_at_the_next_start,
            a_clone_is_fenced_out,
            a_vault_moves_here_from_a_file_and_back,
        );
    };
    ($with:path: $($case:ident),+ $(,)?) => {
        $(#[test]
        fn $case() {
            $with(stringify!($case), $crate::conformance::$case);
        })+
    };
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub fn vault_key(fill: u8) -> VaultKey {
    VaultKey::from_root_store(&[fill; 32]).unwrap()
}

pub fn claim(incarnation: Incarnation) -> Claim {
    Claim { vault: VAULT, incarnation }
}

/// The store, claimed by the first incarnation.
pub fn open_claimed(fixture: &dyn Fixture) -> (Arc<dyn RootStore>, Claim) {
    let store = fixture.open();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    (store, claim(FIRST))
}

/// An error with everything it says.
pub fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words += &format!(": {error}");
        source = error.source();
    }
    words
}
