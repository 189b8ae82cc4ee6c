//! Restriction and objection (O22, O39): data are kept and not processed, and the other way round again.

use lethe_proto::v1::{DecisionBand, ErrorReason, Purpose, RestrictionGround, SubjectState};
use lethe_tests::{Faces, Refused, Vault};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_restricted_is_kept_and_neither_compared_nor_found() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (officer, analyst) = (bank.privacy_officer(), bank.analyst());
    let person = Faces::seeded(311).person(0);
    let face = person.selfie();
    for subject in ["ada", "twin"] {
        bank.enroller().enroll(subject, &face).await.unwrap();
    }
    assert_eq!(pairs(&bank).await, 1);
    let told = officer.restrict("ada", RestrictionGround::UnlawfulProcessing).await.unwrap();
    assert_eq!(told.state(), SubjectState::Restricted);

    for restarted in [false, true] {
        if restarted {
            vault.crash().await;
        }
        assert_eq!(analyst.found(&face).await, ["twin"]);
        let all = analyst.search(&face).await.unwrap().completeness.unwrap();
        assert_eq!((all.complete, all.gallery_size, all.matched), (true, 2, 1));
        // Nor do the counts tell: by them her likeness to a face could be found.
        assert_eq!((all.candidates, all.re_ranked), (1, 1));
        assert_eq!(pairs(&bank).await, 0, "a sweep names nobody who is restricted");
        assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
        let refusal = analyst.verify("ada", &face).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
        assert_eq!(refusal.metadata()["obligation"], "O22");
        let refusal = bank.enroller().enroll("ada", &face).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
        let template = bank.enroller().templates("ada").await.unwrap()[0].name.clone();
        let delete = bank.enroller().deletion(&template);
        for purpose in [delete.purpose(), Purpose::DataSubjectRequest] {
            let request = lethe_proto::v1::DeleteTemplateRequest { purpose: purpose.into(), ..delete.clone() };
            for caller in [bank.enroller(), bank.privacy_officer()] {
                let refusal = caller.ask(request.clone()).await.refused();
                refusal.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
            }
        }
        // A ground under which templates can be replaced does not take the place of one under which they cannot.
        let refusal = officer.restrict("ada", RestrictionGround::AccuracyContested).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
    }
    let told = officer.subject("ada").await.unwrap();
    assert_eq!(told.restriction.unwrap().ground(), RestrictionGround::UnlawfulProcessing);
    assert_eq!(told.template_counts[0].count, 1);
    // Why is for privacy officers.
    let told = bank.enroller().subject("ada").await.unwrap();
    assert_eq!((told.state(), told.restriction), (SubjectState::Restricted, None));

    assert_eq!(officer.lift_restriction("ada").await.unwrap().state(), SubjectState::Active);
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
    assert!(analyst.finds("ada", &face).await);
    assert_eq!(pairs(&bank).await, 1);
    // The person may have it erased all the same.
    officer.restrict("ada", RestrictionGround::UnlawfulProcessing).await.unwrap();
    officer.erase("ada").await.unwrap();
    officer.subject("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

async fn pairs(bank: &lethe_tests::Tenant) -> usize {
    let mut answers = bank.analyst().sweep("").await.unwrap();
    let mut pairs = 0;
    let mut complete = false;
    while let Some(answer) = answers.message().await.unwrap() {
        pairs += answer.pairs.len();
        complete = answer.complete;
    }
    assert!(complete, "the sweep went to its end");
    pairs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_contests_can_be_put_right_and_nothing_else_done() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(312);
    let (wrong, right) = (faces.person(0).selfie(), faces.person(1).selfie());
    let enrolled = bank.enroller().enroll("ada", &wrong).await.unwrap().template.unwrap().name;
    bank.privacy_officer().restrict("ada", RestrictionGround::AccuracyContested).await.unwrap();
    let replace = |purpose: Purpose| {
        let request = bank.privacy_officer().replacement(&enrolled, &right);
        lethe_proto::v1::ReplaceTemplateRequest { purpose: purpose.into(), ..request }
    };
    let refusal = bank.privacy_officer().ask(replace(Purpose::Authentication)).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
    bank.privacy_officer().ask(replace(Purpose::DataSubjectRequest)).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &right).await.unwrap().band(), DecisionBand::NoMatch);
    bank.privacy_officer().lift_restriction("ada").await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &right).await.unwrap().band(), DecisionBand::Match);
    assert_eq!(bank.authenticator().verify("ada", &wrong).await.unwrap().band(), DecisionBand::NoMatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_stops_its_purpose_until_grounds_outweigh_it() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let face = Faces::seeded(313).person(0).selfie();
    bank.enroller().enroll("ada", &face).await.unwrap();
    let told = officer.object("ada", Purpose::DuplicateDetection).await.unwrap();
    assert_eq!(told.state(), SubjectState::Active);
    assert!(bank.analyst().found(&face).await.is_empty());
    // Other purposes go on.
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
    let fraud =
        lethe_proto::v1::SearchRequest { purpose: Purpose::FraudPrevention.into(), ..bank.analyst().query(&face) };
    assert_eq!(bank.analyst().ask(fraud).await.unwrap().matches.len(), 1);

    let told = officer.lift_objection("ada", Purpose::DuplicateDetection, "assessment-7").await.unwrap();
    assert_eq!(told.objections[0].overruling_grounds, "assessment-7");
    assert!(bank.analyst().finds("ada", &face).await);
    // Made again it stops again; withdrawn it is off the record.
    officer.object("ada", Purpose::DuplicateDetection).await.unwrap();
    assert!(bank.analyst().found(&face).await.is_empty());
    let told = officer.lift_objection("ada", Purpose::DuplicateDetection, "").await.unwrap();
    assert!(told.objections.is_empty());
    assert!(bank.analyst().finds("ada", &face).await);
    let refusal = officer.lift_objection("ada", Purpose::DuplicateDetection, "").await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::ObjectionNotFound);
    let refusal = officer.object("ada", Purpose::Audit).await.refused();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    refusal.assert_field("for_purpose");
}
