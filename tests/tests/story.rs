//! Smoke.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use lethe_tests::{Faces, Refused, Vault};

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(1).person(0);
    bank.enroller().enroll("a-1", &ada.selfie()).await.unwrap();
    assert!(bank.analyst().finds("a-1", &ada.again()).await);
    vault.crash().await;
    assert!(bank.analyst().finds("a-1", &ada.again()).await);
    vault.restart().await;
    assert!(bank.analyst().finds("a-1", &ada.again()).await);
    let erased = bank.privacy_officer().erase("a-1").await.unwrap();
    println!("{erased:?}");
    println!("{:?}", bank.privacy_officer().subject("a-1").await.refused());
}
