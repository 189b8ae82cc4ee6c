//! Replacing, deleting, erasing: what is gone is gone, and anyone can check the receipt.

use lethe_crypto::log::entry::Scope;
use lethe_crypto::log::note::{Seed, SigningKey, VerifierKey};
use lethe_crypto::log::receipt::{Receipt, Verified};
use lethe_proto::v1::{self, DecisionBand, ErasureState, ErrorReason};
use lethe_tests::{Faces, Refused, Tenant, Vault};
use tonic::Code;

/// Reads a receipt and verifies it with the public key alone.
async fn verified(tenant: &Tenant, erasure: &v1::Erasure, key: &VerifierKey) -> (v1::Receipt, Verified) {
    assert_eq!(erasure.state(), ErasureState::Shredded);
    let receipt = tenant.auditor().receipt(&erasure.receipt).await.unwrap();
    assert_eq!((receipt.state(), &receipt.name), (ErasureState::Shredded, &erasure.receipt));
    assert!(receipt.create_time.is_some() && receipt.shred_time.is_some());
    let verified = Receipt::verify(&receipt.document, key).unwrap();
    let id = erasure.receipt.rsplit('/').next().unwrap();
    assert_eq!(verified.step().receipt.to_string(), id, "the receipt is of another erasure");
    assert!(verified.step().to > verified.step().from);
    assert_eq!(verified.destruction.epoch, verified.step().from, "the root destroyed is not the one left");
    (receipt, verified)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_template_is_never_compared_again() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let key = vault.verifier_key().await;
    let people = Faces::seeded(21).strangers(2);
    let (before, after) = (&people[0], &people[1]);
    let old = bank.enroller().enroll("ada", &before.selfie()).await.unwrap().template.unwrap();
    assert!(bank.analyst().finds("ada", &before.again()).await);

    let replaced = bank.enroller().replace(&old.name, &after.selfie()).await.unwrap();
    let new = replaced.template.unwrap();
    assert_ne!(new.name, old.name);
    assert!(bank.analyst().found(&before.again()).await.is_empty());
    assert_eq!(bank.analyst().found(&after.again()).await, ["ada"]);
    let verification = bank.analyst().verify("ada", &before.again()).await.unwrap();
    assert_eq!(verification.band(), DecisionBand::NoMatch);
    let names: Vec<_> = bank.enroller().templates("ada").await.unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, [new.name.as_str()]);
    let (_, receipt) = verified(&bank, &replaced.erasure.unwrap(), &key).await;
    assert_eq!(receipt.erasure().unwrap().scope, Scope::Template);

    // The old version cannot be replaced or deleted any more.
    let again = bank.enroller().replace(&old.name, &before.selfie()).await.refused();
    again.assert_is(Code::NotFound, ErrorReason::TemplateNotFound);
    bank.enroller().delete(&old.name).await.refused().assert_is(Code::NotFound, ErrorReason::TemplateNotFound);

    // A deleted template is gone likewise; its subject stays.
    let deleted = bank.enroller().delete(&new.name).await.unwrap();
    verified(&bank, &deleted, &key).await;
    assert!(bank.analyst().found(&after.again()).await.is_empty());
    assert!(bank.enroller().templates("ada").await.unwrap().is_empty());
    assert!(bank.privacy_officer().subject("ada").await.unwrap().template_counts.is_empty());
    vault.crash().await;
    assert!(bank.analyst().found(&after.again()).await.is_empty());
    assert!(bank.analyst().found(&before.again()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_template_of_several_goes_alone() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(22).strangers(2);
    let (kept, gone) = (&people[0], &people[1]);
    bank.enroller().enroll("ada", &kept.selfie()).await.unwrap();
    let template = bank.enroller().enroll("ada", &gone.selfie()).await.unwrap().template.unwrap();
    assert_eq!(bank.analyst().found(&gone.again()).await, ["ada"]);
    bank.privacy_officer().delete(&template.name).await.unwrap();
    assert!(bank.analyst().found(&gone.again()).await.is_empty());
    assert_eq!(bank.analyst().found(&kept.again()).await, ["ada"]);
    assert_eq!(bank.authenticator().verify("ada", &kept.again()).await.unwrap().band(), DecisionBand::Match);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_subject_is_unknown_to_every_call_and_stays_so() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let key = vault.verifier_key().await;
    let people = Faces::seeded(23).strangers(3);
    let mut templates = Vec::new();
    for (at, person) in people.iter().enumerate() {
        let enrolled = bank.enroller().enroll(&format!("person-{at}"), &person.selfie()).await.unwrap();
        templates.push(enrolled.template.unwrap().name);
    }
    bank.enroller().enroll("person-0", &people[0].again()).await.unwrap();

    let erasure = bank.privacy_officer().erase("person-0").await.unwrap();
    let (receipt, verified) = verified(&bank, &erasure, &key).await;
    assert_eq!(verified.erasure().unwrap().scope, Scope::Subject);
    assert!(verified.excludes.iter().any(|code| lethe_crypto::log::receipt::explain(code).is_some()));

    for _ in ["at once", "after a restart"] {
        let unknown = |refusal: lethe_tests::Refusal| {
            refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
        };
        unknown(bank.privacy_officer().subject("person-0").await.refused());
        unknown(bank.privacy_officer().erase("person-0").await.refused());
        unknown(bank.enroller().templates("person-0").await.refused());
        unknown(bank.enroller().replace(&templates[0], &people[0].selfie()).await.refused());
        unknown(bank.enroller().delete(&templates[0]).await.refused());
        unknown(bank.analyst().verify("person-0", &people[0].again()).await.refused());
        let seen = bank.authenticator().verify("person-0", &people[0].again()).await.unwrap();
        assert_eq!(seen.band(), DecisionBand::NoMatch, "who only authenticates cannot tell it from a non-match");
        assert!(bank.analyst().found(&people[0].again()).await.is_empty());
        assert_eq!(bank.auditor().receipt(&erasure.receipt).await.unwrap(), receipt);
        // The others are still there.
        assert_eq!(bank.analyst().found(&people[1].again()).await, ["person-1"]);
        assert_eq!(bank.analyst().found(&people[2].again()).await, ["person-2"]);
        vault.crash().await;
    }

    // The id may come back: it is somebody new, of whom the vault knows nothing else.
    bank.enroller().enroll("person-0", &people[0].selfie()).await.unwrap();
    assert_eq!(bank.enroller().templates("person-0").await.unwrap().len(), 1);
    assert!(bank.analyst().finds("person-0", &people[0].again()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_nobody_waits_for_is_effective_at_once_and_ends_shredded() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let key = vault.verifier_key().await;
    let ada = Faces::seeded(24).person(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    let mut request = bank.privacy_officer().erasure("ada");
    request.no_wait = true;
    let accepted = bank.privacy_officer().ask(request.clone()).await.unwrap();
    assert_ne!(accepted.state(), ErasureState::Unspecified);
    assert!(bank.analyst().found(&ada.again()).await.is_empty());
    // A repeat may wait for the end of what the first call began.
    request.no_wait = false;
    let done = bank.privacy_officer().ask(request).await.unwrap();
    assert_eq!(done.receipt, accepted.receipt);
    verified(&bank, &done, &key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_with_any_byte_changed_is_refused() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let key = vault.verifier_key().await;
    bank.enroller().enroll("ada", &Faces::seeded(25).person(0).selfie()).await.unwrap();
    let erasure = bank.privacy_officer().erase("ada").await.unwrap();
    let document = verified(&bank, &erasure, &key).await.0.document;

    for at in 0..document.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut changed = document.clone();
            changed[at] ^= flip;
            assert!(Receipt::verify(&changed, &key).is_err(), "byte {at} changed by {flip:#x} went unnoticed");
        }
    }
    for cut in 0..document.len() {
        assert!(Receipt::verify(&document[..cut], &key).is_err(), "a receipt cut at {cut} passed");
    }
    let longer = [document.as_slice(), b"\n"].concat();
    assert!(Receipt::verify(&longer, &key).is_err());
    // Another key of the same name verifies nothing.
    let name = key.to_string().split('+').next().unwrap().to_owned();
    let other = SigningKey::from_seed(name.parse().unwrap(), &Seed::generate().unwrap()).unwrap();
    assert!(Receipt::verify(&document, other.verifier()).is_err());
}
