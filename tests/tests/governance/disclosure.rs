//! Disclosures to authorities and third parties (O33): with the person's approval or a legal order, by two persons, and on
//! record.

use lethe_crypto::log::entry::Entry;
use lethe_proto::v1::disclosure::Ground;
use lethe_proto::v1::{self, DisclosureScope, ErrorReason, ProposalState, Purpose, Role};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault};
use tonic::Code;

fn order() -> Option<Ground> {
    Some(Ground::LegalOrderReference("order-17".to_owned()))
}

pub(crate) async fn entries(bank: &Tenant) -> Vec<Entry> {
    let (auditor, log) = (bank.auditor(), bank.log());
    let size = auditor.checkpoint(&log).await.unwrap().tree_size;
    let mut entries = Vec::new();
    for leaf in 0..size {
        entries.push(Entry::decode(&auditor.proof(&log, leaf, size).await.unwrap().entry).unwrap());
    }
    entries
}

pub(crate) fn said(entry: &Entry) -> serde_json::Value {
    serde_json::from_slice(&entry.encode()).unwrap()
}

async fn two_officers(bank: &Tenant) -> (Caller, Caller) {
    (bank.privacy_officer(), bank.with_roles(&[Role::PrivacyOfficer]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_is_on_record_when_two_agreed_and_not_before() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let (officer, second) = two_officers(&bank).await;
    bank.enroller().enroll("ada", &Faces::seeded(411).person(0).selfie()).await.unwrap();
    let request = officer.disclosing("ada", order());
    let proposal = officer.ask(request.clone()).await.unwrap();
    assert_eq!(officer.ask(request).await.unwrap(), proposal, "a repeat gives the first answer");
    assert!(officer.disclosures("ada").await.unwrap().is_empty(), "it is only proposed");
    officer.approve(&proposal).await.refused().assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    vault.crash().await;
    let done = second.approve(&proposal).await.unwrap();
    assert_eq!(done.state(), ProposalState::Done);
    assert_eq!(second.approve(&proposal).await.unwrap(), done, "it is recorded once");
    vault.crash().await;
    let listed = officer.disclosures("ada").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].name.starts_with(&officer.subject_name("ada")) && listed[0].record_time.is_some());
    assert_eq!((listed[0].recipient.as_str(), &listed[0].ground), ("county-court", &order()));
    assert_eq!(listed[0].scope().collect::<Vec<_>>(), [DisclosureScope::Existence, DisclosureScope::Results]);
    let Some(v1::proposal::Content::Disclosure(told)) = officer.proposal(&proposal.name).await.unwrap().content else {
        panic!("a proposal of something else");
    };
    assert_eq!(told, listed[0]);

    // The log has it, about the person by pseudonym; what would lead to her is sealed.
    let log = entries(&bank).await;
    let recorded: Vec<_> = log.iter().filter(|entry| said(entry)["event"]["type"] == "DISCLOSURE_RECORDED").collect();
    assert_eq!(recorded.len(), 1);
    let entry = said(recorded[0]);
    assert_eq!(
        (&entry["event"]["ground"], entry["operation"].as_str()),
        (&"legal_order".into(), Some("approval.approve"))
    );
    assert!(proposal.name.ends_with(entry["event"]["proposal"].as_str().unwrap()), "{entry}");
    assert!(!entry["pseudonym"].is_null() && !entry["sealed"].is_null(), "{entry}");
    for line in log.iter().map(Entry::encode) {
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains("\"ada\"") && !line.contains("order-17") && !line.contains("county"), "{line}");
    }
    // With the person the account of it goes, and what was only proposed is void.
    let open = officer.ask(officer.disclosing("ada", order())).await.unwrap();
    officer.erase("ada").await.unwrap();
    officer.disclosures("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    let void = officer.proposal(&open.name).await.unwrap();
    assert_eq!((void.state(), void.content), (ProposalState::Expired, None));
    second.approve(&open).await.refused().assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_persons_approval_or_an_order_it_is_refused() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (officer, second) = two_officers(&bank).await;
    let face = Faces::seeded(412).person(0).selfie();
    for subject in ["ada", "bea"] {
        bank.enroller().enroll(subject, &face).await.unwrap();
    }
    let refused = async |ground: Option<Ground>, reason| {
        let refusal = officer.ask(officer.disclosing("ada", ground)).await.refused();
        refusal.assert_is(Code::FailedPrecondition, reason);
        assert_eq!(refusal.metadata()["obligation"], "O33");
    };
    let missing = ErrorReason::DisclosureGroundMissing;
    refused(None, missing).await;
    let login = officer.consents_to("ada", Purpose::Authentication).await.unwrap();
    refused(Some(Ground::Consent(login.name)), missing).await;
    let none = format!("{}/consents/{}", officer.subject_name("ada"), "0".repeat(32));
    refused(Some(Ground::Consent(none)), missing).await;
    // That somebody tried is in the log, about her.
    let log = entries(&bank).await;
    let tried = log.iter().map(said).filter(|entry| entry["reason"] == "DISCLOSURE_GROUND_MISSING");
    assert_eq!(tried.filter(|entry| !entry["pseudonym"].is_null()).count(), 3);

    let given = officer.consents_to("ada", Purpose::KycSharing).await.unwrap();
    let ground = Some(Ground::Consent(given.name.clone()));
    // Another person's approval is none.
    let refusal = officer.ask(officer.disclosing("bea", ground.clone())).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("disclosure.consent");
    let approved = officer.ask(officer.disclosing("ada", ground.clone())).await.unwrap();
    second.approve(&approved).await.unwrap();
    // Withdrawn between the one's word and the other's.
    let pending = officer.ask(officer.disclosing("ada", ground.clone())).await.unwrap();
    officer.ask(officer.withdrawal(&given.name)).await.unwrap();
    second.approve(&pending).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ConsentWithdrawn);
    refused(ground, ErrorReason::ConsentWithdrawn).await;
    assert_eq!(officer.disclosures("ada").await.unwrap().len(), 1);
    // An order does not ask her; nor does a hold or a restriction stand in its way.
    officer.hold("ada").await.unwrap();
    let by_order = officer.ask(officer.disclosing("ada", order())).await.unwrap();
    second.approve(&by_order).await.unwrap();
    assert_eq!(officer.disclosures("ada").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_disclosure_is_refused_by_field() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    bank.enroller().enroll("ada", &Faces::seeded(413).person(0).selfie()).await.unwrap();
    let with = |change: &dyn Fn(&mut v1::Disclosure)| {
        let mut request = officer.disclosing("ada", order());
        change(request.disclosure.as_mut().unwrap());
        request
    };
    let to = |change: &dyn Fn(&mut v1::Transfer)| with(&|told| change(told.transfer.as_mut().unwrap()));
    let none = v1::ProposeDisclosureRequest { disclosure: None, ..officer.disclosing("ada", None) };
    for (field, request) in [
        ("disclosure", none),
        ("disclosure.recipient", with(&|told| told.recipient = "The County Court".to_owned())),
        ("disclosure.recipient", with(&|told| told.recipient.clear())),
        ("disclosure.consent", with(&|told| told.ground = Some(Ground::Consent("ada".to_owned())))),
        (
            "disclosure.legal_order_reference",
            with(&|told| told.ground = Some(Ground::LegalOrderReference("ann@example.org".to_owned()))),
        ),
        ("disclosure.scope", with(&|told| told.scope.clear())),
        ("disclosure.scope", with(&|told| told.scope = vec![1, 1])),
        ("disclosure.scope", with(&|told| told.scope = vec![0])),
        ("disclosure.scope", with(&|told| told.scope = vec![8])),
        ("disclosure.transfer", with(&|told| told.transfer = None)),
        ("disclosure.transfer.country", to(&|way| way.country.clear())),
        ("disclosure.transfer.country", to(&|way| way.country = "UK".to_owned())),
        ("disclosure.transfer.country", to(&|way| way.country = "de".to_owned())),
        ("disclosure.transfer.safeguard", to(&|way| way.safeguard = 7)),
        ("disclosure.transfer.safeguard", to(&|way| way.safeguard = 0)),
        ("disclosure.transfer.safeguard_reference", to(&|way| way.safeguard_reference.clear())),
        ("disclosure.transfer.safeguard_reference", to(&|way| way.safeguard_reference = "the clauses".to_owned())),
        ("disclosure.transfer.contract_reference", to(&|way| way.contract_reference = "ann@example.org".to_owned())),
    ] {
        let refusal = officer.ask(request).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        refusal.assert_field(field);
    }
    let refusal = officer.ask(officer.disclosing("nobody", order())).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}
