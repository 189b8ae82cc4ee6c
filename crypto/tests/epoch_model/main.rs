//! The epoch commit as a model, of which every state is looked at: two erasures, an enrolment, crashes that keep torn
//! bytes, and every order in which the threads of a vault may do their work.
//!
//! What is modelled: the writer of epochs with its recovery (`epoch/writer.rs`), the allocator of slots, and of the vault
//! what the writer depends on: the write-ahead log with its syncs, intents, the two batches, a mirror, receipts. What is
//! claimed is in `claims.rs`. `flaws.rs` has protocols that are wrong in one place, each of which breaks a claim.
//!
//! Run it with `--nocapture` to see how many states there are.
#![allow(clippy::wildcard_enum_match_arm, reason = "a step that waits for nothing is the rule")]

mod claims;
mod flaws;
mod set;
mod steps;
mod vault;

use std::collections::BTreeSet;

use flaws::Flaw;
use stateright::{Checker as _, HasDiscoveries, Model as _};
use steps::Protocol;

#[test]
fn every_interleaving_of_an_epoch_commit_keeps_every_claim() {
    let protocol = Protocol { flaw: None, crashes: 2, failures: 1 };
    let checked = protocol.checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {} of them different, at most {} steps away",
        checked.state_count(),
        checked.unique_state_count(),
        checked.max_depth()
    );
    checked.assert_properties();
    assert!(checked.unique_state_count() > 100_000, "the model is smaller than it was");
}

#[test]
fn every_flaw_breaks_the_claim_that_it_should() {
    for (flaw, claim) in Flaw::ALL {
        let protocol = Protocol { flaw: Some(flaw), crashes: 2, failures: 1 };
        let found = HasDiscoveries::AllOf(BTreeSet::from([claim]));
        let checked = protocol.checker().finish_when(found).threads(2).spawn_bfs().join();
        let Some(path) = checked.discovery(claim) else {
            panic!(
                "{flaw:?} breaks nothing: {} states, {:?}",
                checked.unique_state_count(),
                checked.discoveries().keys()
            )
        };
        let steps = path.into_actions();
        println!("{flaw:?} breaks \"{claim}\" in {} steps:\n    {steps:?}", steps.len());
    }
}
