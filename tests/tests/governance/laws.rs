//! Where the law asks for a written consent first, nothing comes before it (O16).

use lethe_proto::v1::{AgeBand, ConsentGiver, ConsentManner, DecisionBand, ErrorReason, Jurisdiction, Purpose};
use lethe_tests::{Faces, Refused, Tenant, Vault};
use tonic::Code;

async fn consents_in_writing(bank: &Tenant, subject: &str, to: Purpose) {
    let consent = bank.enroller().consent(to, ConsentManner::Written, ConsentGiver::Subject);
    bank.enroller().record(subject, consent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_before_a_written_consent_where_the_law_asks_for_one() {
    let vault = Vault::fresh().await;
    for (number, law) in [Jurisdiction::Illinois, Jurisdiction::Texas, Jurisdiction::Washington].into_iter().enumerate()
    {
        let bank = vault.tenant(&format!("bank-{number}")).under(law).await;
        let face = Faces::seeded(331).person(0).selfie();
        let expect = |refusal: lethe_tests::Refusal| {
            refusal.assert_is(Code::FailedPrecondition, ErrorReason::WrittenConsentRequired);
            assert_eq!(refusal.metadata()["obligation"], "O16", "{law:?}");
        };
        expect(bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused());
        // A click is no signature, whatever the tenant's own basis.
        bank.enroller().consents_to("ada", Purpose::Authentication).await.unwrap();
        expect(bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused());
        consents_in_writing(&bank, "ada", Purpose::Authentication).await;
        bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
        assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);

        // Nobody searches for a face without knowing that its owner agreed.
        expect(bank.analyst().search(&face).await.refused());
        let named = |subject: &str| lethe_proto::v1::SearchRequest {
            probe_subject: bank.analyst().subject_name(subject),
            ..bank.analyst().query(&face)
        };
        expect(bank.analyst().ask(named("bea")).await.refused());
        consents_in_writing(&bank, "bea", Purpose::DuplicateDetection).await;
        // Nor is anybody found who did not agree to be looked for.
        assert!(bank.analyst().ask(named("bea")).await.unwrap().matches.is_empty());
        consents_in_writing(&bank, "ada", Purpose::DuplicateDetection).await;
        let found = bank.analyst().ask(named("bea")).await.unwrap();
        assert_eq!(found.matches[0].subject, bank.analyst().subject_name("ada"));
        assert!(found.completeness.unwrap().complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_law_that_counts_is_the_persons_own() {
    let vault = Vault::fresh().await;
    let (home, abroad) = (Jurisdiction::EuropeanUnion, Jurisdiction::Illinois);
    let bank = vault.tenant("bank").under(home).await;
    let face = Faces::seeded(332).person(0).selfie();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let told = bank.enroller().describe("ada", abroad, AgeBand::Adult).await.unwrap();
    assert_eq!((told.jurisdiction(), told.age_band()), (abroad, AgeBand::Adult));
    let refusal = bank.analyst().verify("ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::WrittenConsentRequired);
    assert!(bank.analyst().found(&face).await.is_empty());
    vault.restart().await;
    assert!(bank.analyst().found(&face).await.is_empty());
    bank.enroller().describe("ada", home, AgeBand::Unspecified).await.unwrap();
    assert!(bank.analyst().finds("ada", &face).await);
    assert_eq!(bank.privacy_officer().subject("ada").await.unwrap().age_band(), AgeBand::Adult, "it was not said anew");

    let elsewhere = lethe_proto::v1::SearchRequest {
        probe_subject: "tenants/shop/subjects/ada".to_owned(),
        ..bank.analyst().query(&face)
    };
    let refusal = bank.analyst().ask(elsewhere).await.refused();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    refusal.assert_field("probe_subject");
}
