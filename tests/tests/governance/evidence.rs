//! That somebody consented can be shown when they are forgotten, and does not show who it was (O23, O29).

use std::time::Duration;

use lethe_proto::v1::{
    Consent, ConsentEvidence, ConsentGiver, ConsentManner, ConsentState, ErasureState, ErrorReason,
    GetConsentEvidenceRequest, Purpose,
};
use lethe_tests::residue::{Needles, Subject, files};
use lethe_tests::{Answer, Caller, Cli, Refused, Tenant, Vault};
use prost_types::Timestamp;
use tonic::Code;

const YEAR: i64 = 365 * 86_400;

/// The evidence of a consent, by the last segment of its name alone.
async fn evidence(caller: &Caller, bank: &Tenant, consent: &str) -> Answer<ConsentEvidence> {
    let name = format!("{}/evidence/{}", bank.name(), consent.rsplit('/').next().unwrap());
    caller.ask(GetConsentEvidenceRequest { name, purpose: Purpose::Audit.into() }).await
}

fn length(evidence: &ConsentEvidence, from: Timestamp) -> i64 {
    evidence.keep_until_time.unwrap().seconds - from.seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_there_when_the_person_is_not_and_leads_to_nobody() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let [ada, bea] = Subject::strangers(2, 721).try_into().unwrap();
    let mut needles = Needles::new();
    ada.look_for(&mut needles, "ada", 2);
    let given = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Guardian);
    let consent = officer.record(&ada.id, given).await.unwrap();
    let others = officer.consents_to(&bea.id, Purpose::Authentication).await.unwrap();
    for subject in [&ada, &bea] {
        bank.enroller().enroll_for(Purpose::Authentication, &subject.id, &subject.face(0)).await.unwrap();
    }
    // While she is there, it says what the consent says, and not whose it is.
    let found = evidence(&bank.auditor(), &bank, &consent.name).await.unwrap();
    assert_eq!(found.consent, Some(Consent { name: String::new(), ..consent.clone() }));
    assert_eq!(found.keep_until_time, None);

    assert_eq!(officer.erase(&ada.id).await.unwrap().state(), ErasureState::Shredded);
    let receipt_time = lethe_tests::now();
    for restarted in [false, true] {
        if restarted {
            vault.crash().await;
        }
        let found = evidence(&bank.auditor(), &bank, &consent.name).await.unwrap();
        assert_eq!(found.consent, Some(Consent { name: String::new(), ..consent.clone() }));
        assert!((5 * YEAR..=5 * YEAR + 4 * 86_400).contains(&length(&found, receipt_time)), "{found:?}");
        assert_eq!(found.keep_until_time.unwrap().seconds % 86_400, 0);
        assert_eq!(evidence(&officer, &bank, &consent.name).await.unwrap(), found);
    }
    assert_eq!(evidence(&officer, &bank, &others.name).await.unwrap().keep_until_time, None);

    // Nothing of hers is in any file.
    vault.stop().await;
    let scanner = needles.scanner();
    for file in files(vault.home().path()).unwrap() {
        let traces = scanner.scan_file(&file).unwrap();
        assert!(traces.is_empty(), "{}: {traces:?}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_in_the_evidence_and_who_may_not_read_it_is_refused() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::Authentication]).await;
    let officer = bank.privacy_officer();
    let face = lethe_tests::Faces::seeded(722).person(0).selfie();
    let consent = officer.consents_to("ada", Purpose::Authentication).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let withdrawn = officer.ask(officer.withdrawal(&consent.name)).await.unwrap();
    let consent = withdrawn.consent.unwrap();
    let found = evidence(&officer, &bank, &consent.name).await.unwrap();
    let inner = found.consent.clone().unwrap();
    assert_eq!((inner.state(), inner.withdraw_time), (ConsentState::Withdrawn, consent.withdraw_time));
    assert!((5 * YEAR..=5 * YEAR + 3 * 86_400).contains(&length(&found, consent.withdraw_time.unwrap())));

    for caller in [bank.enroller(), bank.analyst(), bank.authenticator(), bank.admin()] {
        let refusal = evidence(&caller, &bank, &consent.name).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    }
    let nobodys = evidence(&officer, &bank, &"0".repeat(32)).await.refused();
    nobodys.assert_is(Code::NotFound, ErrorReason::EvidenceNotFound);
    let shop = vault.tenant("shop").await;
    let theirs = evidence(&shop.auditor(), &shop, &consent.name).await.refused();
    theirs.assert_is(Code::NotFound, ErrorReason::EvidenceNotFound);

    let id = consent.name.rsplit('/').next().unwrap();
    let cli = Cli::new(["consent", "evidence", id, "--tenant", bank.id()]).holding(&vault, officer.key().unwrap());
    assert_eq!(cli.await.run().one()["state"], "WITHDRAWN");
    // It is sealed, told of by `inspect`, and shredded with its tenant.
    let told = |vault: &Vault| {
        let rows = Cli::new(["inspect"]).arg(vault.data_dir()).run().one()["rows"].clone();
        rows.as_array().unwrap().iter().find(|part| part["kind"] == "2a").map(|part| part["rows"].clone())
    };
    assert_eq!(told(&vault), Some(1.into()));
    assert_eq!(vault.operator().shred(&bank).await.unwrap().state(), ErasureState::Shredded);
    let gone = async {
        while told(&vault).is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("evidence goes with its tenant");
}
