//! The same from the command line, as somebody types it.

use lethe_tests::{Cli, Faces, Vault};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_rotates_and_shreds_from_the_command_line() {
    let vault = Vault::fresh().await;
    let (bank, casino) = (vault.tenant("bank").await, vault.tenant("casino").await);
    let ada = Faces::seeded(97).person(0);
    for tenant in [&bank, &casino] {
        tenant.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    }
    let ask = async |arguments: &[&str]| Cli::new(arguments).operator(&vault).await.run();
    let key = vault.verifier_key().await.to_string();
    let file = |name: &str| vault.home().path().join(name).display().to_string();
    let verify = |path: &str| Cli::new(["receipt", "verify", path, "--verifier", &key]).run().one();

    let (of_tenant, of_vault) = (file("tenant.receipt"), file("vault.receipt"));
    let rotated = ask(&["--tenant", "bank", "tenant", "rotate", "--receipt-out", &of_tenant]).await.one();
    assert_eq!(rotated["state"], "SHREDDED", "{rotated}");
    let rotated = ask(&["root", "rotate", "--receipt-out", &of_vault]).await.one();
    for path in [&of_tenant, &of_vault] {
        let told = verify(path);
        assert_eq!(
            (&told["verified"], &told["kind"], &told["keys_erased"]),
            (&json!(true), &json!("rotation"), &json!(0))
        );
    }
    let name = rotated["receipt"].as_str().unwrap();
    assert!(name.starts_with("vault/receipts/"), "{rotated}");
    assert_eq!(ask(&["receipt", "get", name]).await.one()["state"], "SHREDDED");
    let none = ask(&["--tenant", "nobody", "tenant", "rotate"]).await;
    assert_eq!(none.code(), 4, "{none:?}");

    // The tenant's name has to be given twice where nobody can be asked.
    let proposal = vault.operator().agreed(&bank).await.proposal;
    let shred = ["tenant", "shred", "bank", "--proposal", &proposal];
    let unasked = ask(&shred).await;
    assert!(unasked.code() == 2 && unasked.errors.contains("--confirm"), "{unasked:?}");
    // A tenant that stands in the environment is not named by it.
    let unnamed = ask(&["--tenant", "bank", "tenant", "shred", "--proposal", &proposal, "--confirm", "bank"]).await;
    assert_eq!(unnamed.code(), 2, "{unnamed:?}");
    let other = ask(&[&shred[..], &["--confirm", "casino"]].concat()).await;
    assert!(other.code() == 1 && other.errors.contains("nothing was done"), "{other:?}");
    assert!(bank.analyst().finds("ada", &ada.again()).await, "nothing was done");

    let of_silo = file("silo.receipt");
    let shredded = ask(&[&shred[..], &["--confirm", "bank", "--receipt-out", &of_silo]].concat()).await.one();
    assert_eq!(shredded["state"], "SHREDDED", "{shredded}");
    let told = verify(&of_silo);
    assert_eq!((&told["kind"], &told["keys_erased"]), (&json!("erasure"), &json!(1)), "{told}");
    assert!(shredded["receipt"].as_str().unwrap().ends_with(told["receipt"].as_str().unwrap()), "{shredded} {told}");
    assert_eq!(ask(&[&shred[..], &["--confirm", "bank"]].concat()).await.code(), 4, "there is none any more");
    bank.analyst().search(&ada.again()).await.unwrap_err();
    assert!(casino.analyst().finds("ada", &ada.again()).await);
    // A byte more, and it is not genuine.
    std::fs::write(&of_silo, [std::fs::read(&of_silo).unwrap().as_slice(), b"\n"].concat()).unwrap();
    assert_eq!(Cli::new(["receipt", "verify", &of_silo, "--verifier", &key]).run().code(), 5);
}
