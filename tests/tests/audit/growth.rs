//! A log that goes on proves that it begins with what it was.

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{Hash, verify_consistency};
use lethe_proto::v1::{ConsistencyProof, ErrorReason};
use lethe_tests::{Caller, Faces, Refused, Vault};
use tonic::Code;

async fn head(caller: &Caller, log: &str) -> Checkpoint {
    let answer = caller.checkpoint(log).await.unwrap();
    Checkpoint::open(answer.note.as_bytes(), &answer.verifier_key.parse().unwrap()).unwrap()
}

fn hashes(proof: &ConsistencyProof) -> Vec<Hash> {
    proof.hashes.iter().map(|hash| Hash::from_bytes(hash.as_slice().try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tree_of_a_log_is_the_beginning_of_every_later_one() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (auditor, log) = (bank.auditor(), bank.log());
    let mut heads = vec![head(&auditor, &log).await];
    for person in 0..5 {
        bank.enroller().enroll(&format!("p-{person}"), &Faces::seeded(7).person(person).selfie()).await.unwrap();
        heads.push(head(&auditor, &log).await);
        if person == 2 {
            vault.crash().await;
        }
    }
    for (at, old) in heads.iter().enumerate() {
        for new in &heads[at..] {
            let size = |head: &Checkpoint| i64::try_from(head.size).unwrap();
            let proof = auditor.growth(&log, size(old), size(new)).await.unwrap();
            assert_eq!((proof.old_size, proof.new_size), (size(old), size(new)));
            let path = hashes(&proof);
            verify_consistency(old.size, &old.root, new.size, &new.root, &path).unwrap();
            let other = Hash::leaf(b"other");
            assert!(verify_consistency(old.size, &other, new.size, &new.root, &path).is_err());
        }
    }
    // Hashes say nothing of entries: whoever may have the vault's checkpoint may have its proofs, and the operator those of
    // a tenant's log.
    auditor.growth("vault/log", 1, 0).await.unwrap();
    vault.operator().growth(&log, 1, 0).await.unwrap();
    let largest = auditor.growth(&log, 0, 0).await.unwrap();
    assert!(largest.hashes.is_empty() && largest.new_size > i64::try_from(heads[5].size).unwrap());

    for (old, new, field) in [(-1, 0, "old_size"), (0, -1, "new_size")] {
        let refusal = auditor.growth(&log, old, new).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field(field);
    }
    for (old, new) in [(5, 4), (0, 100_000), (100_000, 0)] {
        auditor.growth(&log, old, new).await.refused().assert_is(Code::NotFound, ErrorReason::LogNotFound);
    }
}
