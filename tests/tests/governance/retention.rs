//! How long people are kept, over the wire (O17, O21, O28); what takes years is tested on a clock of its own.

use std::time::Duration;

use lethe_proto::v1::{self, ErrorReason, Purpose};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault, now};
use prost_types::{FieldMask, Timestamp};
use tonic::Code;

/// How long a sweep may take to come by: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(120);

fn after(seconds: i64) -> Timestamp {
    Timestamp { seconds: now().seconds + seconds, nanos: 0 }
}

async fn describe(caller: &Caller, subject: &str, paths: &[&str], facts: v1::Subject) -> v1::Subject {
    let request = v1::UpdateSubjectRequest {
        subject: Some(v1::Subject { name: caller.subject_name(subject), ..facts }),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    caller.ask(request).await.unwrap()
}

async fn until_gone(bank: &Tenant, subject: &str) {
    let gone = async {
        while bank.privacy_officer().subject(subject).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("no sweep came by");
}

/// A receipt, once what it is about is shredded.
async fn shredded(officer: &Caller, name: &str) -> v1::Receipt {
    let receipt = async {
        loop {
            let receipt = officer.receipt(name).await.unwrap();
            if receipt.state() == v1::ErasureState::Shredded {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, receipt).await.expect("it is never shredded")
}

fn preview(bank: &Tenant, until: Timestamp) -> v1::PreviewErasuresRequest {
    v1::PreviewErasuresRequest {
        parent: bank.name(),
        purpose: Purpose::Administration.into(),
        until_time: Some(until),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_ended_is_refused_at_once_and_erased_by_a_sweep_with_the_receipt_that_was_told() {
    let vault = Vault::setup().set("retention.interval_s", 1).start().await;
    let bank = vault.tenant("bank").await;
    let (officer, face) = (bank.privacy_officer(), Faces::seeded(371).person(0).selfie());
    bank.enroller().enroll("ada", &face).await.unwrap();
    let ends = after(3);
    let said = v1::Subject { contract_end_time: Some(ends), ..Default::default() };
    describe(&bank.enroller(), "ada", &["contract_end_time"], said).await;
    let told = officer.subject("ada").await.unwrap();
    assert_eq!((told.contract_end_time, told.state()), (Some(ends), v1::SubjectState::Active));
    let end = told.end.unwrap();
    assert_eq!(
        (end.erase_time, end.cause(), end.keeper()),
        (Some(ends), v1::EndCause::ContractOver, v1::Keeper::Unspecified)
    );
    let foreseen = officer.ask(preview(&bank, after(3600))).await.unwrap();
    assert_eq!(foreseen.endings.len(), 1);
    assert_eq!(foreseen.endings[0].end.as_ref(), Some(&end));
    assert!(officer.ask(preview(&bank, after(-1))).await.unwrap().endings.is_empty());
    // Others are told what their roles are for.
    assert_eq!(bank.analyst().subject("ada").await.unwrap().end, None);

    until_gone(&bank, "ada").await;
    assert!(now().seconds >= ends.seconds, "erased early");
    assert!(bank.analyst().found(&face).await.is_empty());
    let receipt = shredded(&officer, &end.receipt).await;
    assert!(!receipt.document.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_put_off_leaves_storage_only_until_it_is_done() {
    let vault = Vault::setup().set("retention.interval_s", 1).start().await;
    let bank = vault.tenant("bank").await;
    let (officer, face) = (bank.privacy_officer(), Faces::seeded(372).person(0).selfie());
    bank.enroller().enroll("ada", &face).await.unwrap();
    let deferral = |until| v1::Deferral {
        reason: v1::DeferralReason::LegalProcess.into(),
        request_time: Some(now()),
        erase_time: Some(until),
    };
    let request = |deferral| v1::EraseSubjectRequest { deferral: Some(deferral), ..officer.erasure("ada") };
    let wrong = [
        ("deferral.reason", v1::Deferral { reason: 0, ..deferral(after(60)) }),
        ("deferral.request_time", v1::Deferral { request_time: None, ..deferral(after(60)) }),
        ("deferral.request_time", v1::Deferral { request_time: Some(after(3600)), ..deferral(after(7200)) }),
        ("deferral.erase_time", v1::Deferral { erase_time: None, ..deferral(after(60)) }),
        ("deferral.erase_time", deferral(after(-1))),
        ("deferral.erase_time", deferral(after(91 * 86_400))),
    ];
    for (field, deferral) in wrong {
        officer.ask(request(deferral)).await.refused().assert_field(field);
    }
    let until = after(4);
    let put_off = officer.ask(request(deferral(until))).await.unwrap();
    assert_eq!((put_off.state(), put_off.erase_time), (v1::ErasureState::Deferred, Some(until)));
    let told = officer.subject("ada").await.unwrap();
    assert_eq!((told.state(), told.end.unwrap().receipt), (v1::SubjectState::Deferred, put_off.receipt.clone()));
    let refusal = officer.ask(request(deferral(after(60)))).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ErasureDeferred);
    // To who only verifies it looks like a stranger.
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), v1::DecisionBand::NoMatch);
    assert!(bank.analyst().found(&face).await.is_empty());
    let refusal = bank.enroller().enroll("ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ErasureDeferred);
    vault.crash().await;
    until_gone(&bank, "ada").await;
    assert!(now().seconds >= until.seconds, "erased early");
    shredded(&officer, &put_off.receipt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_contradicts_itself_is_refused_by_name() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").under(v1::Jurisdiction::Illinois).await;
    let change = |retention, paths: &[&str]| v1::UpdatePolicyRequest {
        tenant: Some(v1::Tenant { name: bank.name(), retention: Some(retention), ..Default::default() }),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    let keep = |keep: &str| v1::Retention { keep: keep.to_owned(), ..Default::default() };
    let refusal = bank.admin().ask(change(keep("P4Y"), &["retention.keep"])).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::PolicyContradiction);
    refusal.assert_field("tenant.retention.keep");
    for malformed in ["4Y", "P", "P1X", "P200Y"] {
        let refusal = bank.admin().ask(change(keep(malformed), &["retention.keep"])).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange);
        refusal.assert_field("tenant.retention.keep");
    }
    let changed = bank.admin().ask(change(keep("P36M"), &["retention.keep"])).await.unwrap();
    assert_eq!((changed.retention.unwrap().keep.as_str(), changed.policy_version), ("P3Y", 2));
    let minimum = v1::Retention { minimum: "P5Y".to_owned(), ..Default::default() };
    let changed = bank.admin().ask(change(minimum, &["retention.minimum"])).await.unwrap();
    let kept = changed.retention.unwrap();
    assert_eq!((kept.keep.as_str(), kept.minimum.as_str()), ("P3Y", "P5Y"), "what is not in the mask stays");
    vault.crash().await;
    let name = bank.name();
    let tenant =
        bank.admin().ask(v1::GetTenantRequest { name, purpose: Purpose::Administration.into() }).await.unwrap();
    assert_eq!(tenant.retention, Some(kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_after_death_is_kept_and_what_is_none_is_refused_by_field() {
    use v1::post_mortem::Wish;
    let vault = Vault::setup().set("retention.interval_s", 1).start().await;
    let bank = vault.tenant("bank").await;
    let (officer, face) = (bank.privacy_officer(), Faces::seeded(373).person(0).selfie());
    bank.enroller().enroll("ada", &face).await.unwrap();
    let wish = |wish| v1::Subject { post_mortem: Some(v1::PostMortem { wish }), ..Default::default() };
    let wrong = [
        ("subject.post_mortem.wish", wish(None)),
        ("subject.post_mortem.erase", wish(Some(Wish::Erase(false)))),
        ("subject.post_mortem.keep", wish(Some(Wish::Keep("soon".to_owned())))),
        ("subject.post_mortem.hand_over", wish(Some(Wish::HandOver("her brother".to_owned())))),
        ("subject.death_time", v1::Subject { death_time: Some(after(3600)), ..Default::default() }),
    ];
    for (field, facts) in wrong {
        let request = v1::UpdateSubjectRequest {
            subject: Some(v1::Subject { name: officer.subject_name("ada"), ..facts }),
            purpose: Purpose::DataSubjectRequest.into(),
            ..Default::default()
        };
        officer.ask(request).await.refused().assert_field(field);
    }
    describe(&officer, "ada", &["post_mortem"], wish(Some(Wish::Erase(true)))).await;
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), v1::DecisionBand::Match);
    let died = v1::Subject { death_time: Some(now()), ..Default::default() };
    describe(&officer, "ada", &["death_time"], died).await;
    until_gone(&bank, "ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_tenants_of_another_region() {
    let vault = Vault::setup().set("region", "eu-central").start().await;
    let elsewhere = vault.operator().creation("elsewhere");
    let facts = v1::Tenant { region: "us-east".to_owned(), ..elsewhere.tenant.clone().unwrap() };
    let refusal = vault.operator().ask(v1::CreateTenantRequest { tenant: Some(facts), ..elsewhere }).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::RegionMismatch);
    refusal.assert_field("tenant.region");
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(374).person(0).selfie();
    bank.enroller().enroll("ada", &face).await.unwrap();
    let get = || v1::GetTenantRequest { name: bank.name(), purpose: Purpose::Administration.into() };
    assert_eq!(bank.admin().ask(get()).await.unwrap().region, "eu-central", "the node's own, as nobody said another");

    let move_to = async |region: &str| {
        vault.stop().await;
        vault.reconfigure(|setup| setup.set("region", region));
        vault.start().await;
    };
    move_to("us-east").await;
    for refused in [
        bank.admin().ask(get()).await.refused(),
        vault.operator().ask(get()).await.refused(),
        bank.authenticator().verify("ada", &face).await.refused(),
        bank.analyst().search(&face).await.refused(),
        bank.privacy_officer().erase("ada").await.refused(),
    ] {
        refused.assert_is(Code::PermissionDenied, ErrorReason::RegionMismatch);
        assert_eq!(refused.metadata()["obligation"], "O32");
    }
    move_to("eu-central").await;
    assert_eq!(bank.analyst().found(&face).await, ["ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_in_development_may_serve_the_service_and_people_in_production_never_do() {
    let vault = Vault::fresh().await;
    let develops = v1::PurposeBasis {
        purpose: Purpose::ServiceDevelopment.into(),
        lawful_basis: v1::LawfulBasis::ExplicitConsent.into(),
    };
    let wanted = vault.operator().creation("live");
    let facts = v1::Tenant { purposes: vec![develops], ..wanted.tenant.clone().unwrap() };
    let refusal = vault.operator().ask(v1::CreateTenantRequest { tenant: Some(facts), ..wanted }).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::PolicyContradiction);
    refusal.assert_field("tenant.purposes");

    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(375).person(0).selfie();
    let refusal = bank.enroller().enroll_for(Purpose::ServiceDevelopment, "ada", &face).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::EnvironmentMismatch);
    assert_eq!(refusal.metadata()["obligation"], "O3");

    let lab = vault.tenant("lab").with(|facts| {
        facts.environment = v1::Environment::Development.into();
        facts.purposes.push(develops);
    });
    let lab = lab.await;
    let refusal = lab.enroller().enroll_for(Purpose::ServiceDevelopment, "ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);
    lab.enroller().consents_to("ada", Purpose::ServiceDevelopment).await.unwrap();
    lab.enroller().enroll_for(Purpose::ServiceDevelopment, "ada", &face).await.unwrap();
    // The law that counts has no place for it.
    let texan = v1::Subject { jurisdiction: v1::Jurisdiction::Texas.into(), ..Default::default() };
    lab.enroller().consents_to("bob", Purpose::ServiceDevelopment).await.unwrap();
    describe(&lab.enroller(), "bob", &["jurisdiction"], texan).await;
    let refusal = lab.enroller().enroll_for(Purpose::ServiceDevelopment, "bob", &face).await.refused();
    assert!(
        [Some(ErrorReason::JurisdictionForbids), Some(ErrorReason::WrittenConsentRequired)].contains(&refusal.reason()),
        "{refusal:?}"
    );
}
