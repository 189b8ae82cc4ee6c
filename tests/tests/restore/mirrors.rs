//! How operators see that a mirror is away, and that it is back.

use std::time::Duration;

use lethe_proto::v1::{EraseSubjectRequest, ErasureState, Mirror, MirrorState};
use lethe_tests::{Caller, Cli, Faces, PATIENCE, Vault};
use tonic_health::pb::health_check_response::ServingStatus;

async fn until(operator: &Caller, state: MirrorState) -> Mirror {
    let asked = async {
        loop {
            let mirrors = operator.mirrors().await.unwrap();
            assert_eq!(mirrors.len(), 1);
            if mirrors[0].state() == state {
                return mirrors[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the mirror gets there")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_away_is_shown_and_keeps_erasures_pending_until_it_is_back() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(75).person(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    let operator = vault.operator();
    let there = until(&operator, MirrorState::Following).await;
    assert_eq!(there.path, vault.home().mirror().display().to_string());
    assert_eq!(Cli::new(["mirror", "status"]).operator(&vault).await.run().one()["state"], "FOLLOWING");
    vault.stop().await;
    let listed = Cli::new(["mirror", "list"]).offline(vault.home()).run().one();
    assert_eq!(there.name, format!("mirrors/{}", listed["mirror"].as_str().unwrap()));
    assert_eq!(listed["path"], there.path.as_str());

    let aside = vault.home().path().join("aside");
    std::fs::rename(vault.home().mirror(), &aside).unwrap();
    vault.start().await;
    let away = until(&operator, MirrorState::Failing).await;
    assert!(away.fault.contains("missing or empty"), "{away:?}");
    let status = Cli::new(["mirror", "status"]).operator(&vault).await.run();
    assert_eq!((status.code(), status.said[0]["state"].as_str()), (5, Some("FAILING")));
    assert!(vault.log().contains("a mirror cannot be written; erasures stay pending"), "{}", vault.log());
    // Accepted, gone from sight, and not promised.
    let request = EraseSubjectRequest { no_wait: true, ..bank.privacy_officer().erasure("ada") };
    let erasure = bank.privacy_officer().ask(request).await.unwrap();
    assert_eq!(erasure.state(), ErasureState::Pending);
    assert!(bank.analyst().found(&ada.selfie()).await.is_empty());
    assert_eq!(bank.auditor().receipt(&erasure.receipt).await.unwrap().state(), ErasureState::Pending);

    let health = async |status| {
        let told = async {
            while vault.health("lethe.v1.Mirrors").await != status {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("health tells of mirrors");
    };
    health(ServingStatus::NotServing).await;
    assert_eq!(vault.health("").await, ServingStatus::Serving, "the vault serves all the same");

    std::fs::rename(&aside, vault.home().mirror()).unwrap();
    until(&operator, MirrorState::Following).await;
    health(ServingStatus::Serving).await;
    let shredded = async {
        while bank.auditor().receipt(&erasure.receipt).await.unwrap().state() != ErasureState::Shredded {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shredded).await.expect("it is shredded once the mirror is back");

    // A disk that is gone for good is given up on the record; another one takes its place.
    vault.stop().await;
    std::fs::remove_dir_all(vault.home().mirror()).unwrap();
    let id = listed["mirror"].as_str().unwrap();
    let dropped = Cli::new(["mirror", "drop", id]).offline(vault.home()).run().one();
    assert_eq!(dropped["dropped"], true);
    vault.start().await;
    let other = until(&operator, MirrorState::Following).await;
    assert_ne!(other.name, there.name);
}
