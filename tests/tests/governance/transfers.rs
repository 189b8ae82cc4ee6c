//! What crosses a border has a recorded safeguard (O32), and what is shared goes to whom the person agreed to (O2, O14, O33).

use std::io::Read as _;

use age::x25519::Identity;
use futures::TryStreamExt as _;
use lethe_proto::v1::disclosure::Ground;
use lethe_proto::v1::proposal::Content;
use lethe_proto::v1::{self, AgeBand, ErrorReason, Jurisdiction, ProposalState, Purpose, Role, Safeguard, Transfer};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault, guarded};
use serde_json::{Value, json};
use tonic::Code;

fn to(country: &str) -> Transfer {
    Transfer { country: country.to_owned(), ..Transfer::default() }
}

fn order() -> Option<Ground> {
    Some(Ground::LegalOrderReference("order-17".to_owned()))
}

/// A disclosure of what is usually told, that goes somewhere.
fn going(officer: &Caller, ground: Option<Ground>, transfer: Transfer) -> v1::ProposeDisclosureRequest {
    let mut request = officer.disclosing("ada", ground);
    request.disclosure.as_mut().unwrap().transfer = Some(transfer);
    request
}

async fn bank(vault: &Vault, law: Jurisdiction) -> Tenant {
    let bank = vault.tenant("bank").under(law).await;
    bank.enroller().enroll("ada", &Faces::seeded(801).person(0).selfie()).await.unwrap();
    bank
}

fn assert_unguarded(refusal: &lethe_tests::Refusal) {
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::SafeguardMissing);
    assert_eq!(refusal.metadata()["obligation"], "O32");
}

/// Every entry of the bank's log.
async fn log(bank: &Tenant) -> Vec<Value> {
    let (auditor, log) = (bank.auditor(), bank.log());
    let size = auditor.checkpoint(&log).await.unwrap().tree_size;
    let mut entries = Vec::new();
    for leaf in 0..size {
        entries.push(serde_json::from_slice(&auditor.proof(&log, leaf, size).await.unwrap().entry).unwrap());
    }
    entries
}

fn denials(log: &[Value], operation: &str) -> usize {
    log.iter().filter(|entry| entry["operation"] == operation && entry["reason"] == "SAFEGUARD_MISSING").count()
}

/// The JSON files of an archive.
fn opened(archive: &[u8], key: &Identity) -> std::collections::BTreeMap<String, Vec<u8>> {
    let decryptor = age::Decryptor::new(archive).unwrap();
    let tar = decryptor.decrypt(std::iter::once(key as &dyn age::Identity)).unwrap();
    let mut files = std::collections::BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

async fn archive(officer: &Caller, key: &Identity, transfer: Option<Transfer>) -> Vec<u8> {
    let pieces = officer.export_to("ada", &key.to_public().to_string(), transfer).await.unwrap();
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    pieces.into_iter().flat_map(|piece| piece.chunk).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_across_a_border_needs_a_safeguard_which_both_see_and_the_person_is_told() {
    let vault = Vault::setup().apart().start().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let (officer, second) = (bank.privacy_officer(), bank.with_roles(&[Role::PrivacyOfficer]).await);
    // Within the area there is no border.
    officer.ask(going(&officer, order(), to("IS"))).await.unwrap();
    let before = log(&bank).await;
    let refusal = officer.ask(going(&officer, order(), to("US"))).await.refused();
    assert_unguarded(&refusal);
    assert!(refusal.status().message().contains("US"), "{}", refusal.status().message());
    // A derogation is for no more than it says.
    let claims = Transfer { safeguard: Safeguard::ExplicitConsent.into(), ..guarded("US") };
    assert_unguarded(&officer.ask(going(&officer, order(), claims)).await.refused());
    let after = log(&bank).await;
    assert_eq!((denials(&before, "disclosure.propose"), denials(&after, "disclosure.propose")), (0, 2));
    assert!(
        after.iter().filter(|entry| entry["reason"] == "SAFEGUARD_MISSING").all(|entry| !entry["pseudonym"].is_null())
    );

    let agreement = Transfer {
        country: "US".to_owned(),
        safeguard: Safeguard::InternationalAgreement.into(),
        safeguard_reference: "mlat-7".to_owned(),
        contract_reference: "contract-3".to_owned(),
    };
    let request = going(&officer, order(), agreement.clone());
    let proposal = officer.ask(request.clone()).await.unwrap();
    let Some(Content::Disclosure(seen)) = second.proposal(&proposal.name).await.unwrap().content else { panic!() };
    assert_eq!(seen.transfer, Some(agreement.clone()));
    // The same request does not mean another way, and each part of it is in the digest that is approved.
    let mut digests = vec![proposal.content_sha256.clone()];
    let changes: [fn(&mut Transfer); 4] = [
        |way| way.country = "CA".to_owned(),
        |way| way.safeguard = Safeguard::AdequacyDecision.into(),
        |way| way.safeguard_reference = "mlat-8".to_owned(),
        |way| way.contract_reference.clear(),
    ];
    for change in changes {
        let mut other = request.clone();
        change(other.disclosure.as_mut().unwrap().transfer.as_mut().unwrap());
        officer.ask(other.clone()).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
        other.request_id = lethe_tests::request_id();
        digests.push(officer.ask(other).await.unwrap().content_sha256);
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 5);
    assert_eq!(second.approve(&proposal).await.unwrap().state(), ProposalState::Done);
    vault.crash().await;
    let listed = officer.disclosures("ada").await.unwrap();
    assert_eq!(listed.iter().map(|told| told.transfer.clone()).collect::<Vec<_>>(), [Some(agreement)]);

    let ada = Identity::generate();
    let files = opened(&archive(&officer, &ada, None).await, &ada);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let told = json!({
        "country": "US",
        "safeguard": "international_agreement",
        "safeguard_reference": "mlat-7",
        "contract_reference": "contract-3",
    });
    assert_eq!(manifest["recipients"][0]["transfer"], told);
    let history: Vec<Value> = serde_json::from_slice(&files["history.json"]).unwrap();
    let recorded = history.iter().find(|entry| entry["operation"] == "approval.approve").unwrap();
    assert_eq!(recorded["details"]["transfer"]["reference"], "mlat-7", "{recorded}");
    assert!(
        !log(&bank).await.iter().any(|entry| entry.to_string().contains("mlat-7")),
        "what a client named is sealed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_kazakhstan_a_disclosure_needs_consent_contract_and_a_lawful_transfer() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::Kazakhstan).await;
    let (officer, second) = (bank.privacy_officer(), bank.with_roles(&[Role::PrivacyOfficer]).await);
    let whole = Transfer { contract_reference: "contract-3".to_owned(), ..guarded("TR") };
    assert_unguarded(&officer.ask(going(&officer, order(), whole.clone())).await.refused());
    let mut given = officer.consent(Purpose::KycSharing, v1::ConsentManner::Written, v1::ConsentGiver::Subject);
    given.countries = vec!["RU".to_owned()];
    officer.record("ada", given.clone()).await.unwrap();
    assert_unguarded(&officer.ask(going(&officer, order(), whole.clone())).await.refused());
    given.countries.push("TR".to_owned());
    let named = officer.record("ada", given).await.unwrap();
    assert_eq!(named.countries, ["RU", "TR"]);
    for lacking in [
        Transfer { contract_reference: String::new(), ..whole.clone() },
        Transfer { contract_reference: whole.contract_reference.clone(), ..to("TR") },
    ] {
        assert_unguarded(&officer.ask(going(&officer, order(), lacking)).await.refused());
    }
    let first = officer.ask(going(&officer, order(), whole.clone())).await.unwrap();
    let late = officer.ask(going(&officer, Some(Ground::Consent(named.name.clone())), whole.clone())).await.unwrap();
    second.approve(&first).await.unwrap();
    // At home there is none to ask for.
    officer.ask(going(&officer, order(), to("KZ"))).await.unwrap();
    // Withdrawn, it carries nothing across the border any more, an order neither.
    let by_order = officer.ask(going(&officer, order(), whole.clone())).await.unwrap();
    officer.ask(officer.withdrawal(&named.name)).await.unwrap();
    assert_unguarded(&second.approve(&by_order).await.refused());
    second.approve(&late).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ConsentWithdrawn);
    assert_eq!(denials(&log(&bank).await, "approval.approve"), 1);
    assert_eq!(officer.disclosures("ada").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_to_the_recipients_that_it_names_and_says_so_wherever_it_is_told() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let officer = bank.privacy_officer();
    let mut given = officer.consent(Purpose::KycSharing, v1::ConsentManner::Written, v1::ConsentGiver::Subject);
    given.recipients = vec!["bank-2".to_owned(), "bank-3".to_owned()];
    given.countries = vec!["FR".to_owned(), "US".to_owned()];
    let consent = officer.record("ada", given.clone()).await.unwrap();
    let to_whom = async |recipient: &str| {
        let mut request = going(&officer, Some(Ground::Consent(consent.name.clone())), to("FR"));
        request.disclosure.as_mut().unwrap().recipient = recipient.to_owned();
        officer.ask(request).await
    };
    to_whom("bank-3").await.unwrap();
    let refusal = to_whom("bank-4").await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::DisclosureGroundMissing);
    assert_eq!(refusal.metadata()["obligation"], "O33");
    assert!(refusal.status().message().contains("bank-4"), "{}", refusal.status().message());
    // Explicit consent to this very country carries it there.
    let explicit = |country| Transfer { safeguard: Safeguard::ExplicitConsent.into(), ..guarded(country) };
    let by = |country| {
        let mut request = going(&officer, Some(Ground::Consent(consent.name.clone())), explicit(country));
        request.disclosure.as_mut().unwrap().recipient = "bank-2".to_owned();
        request
    };
    officer.ask(by("US")).await.unwrap();
    assert_unguarded(&officer.ask(by("BR")).await.refused());

    vault.crash().await;
    let (parent, purpose) = (officer.subject_name("ada"), Purpose::DataSubjectRequest.into());
    let listed = officer.ask(v1::ListConsentsRequest { parent: parent.clone(), purpose }).await.unwrap().consents;
    let consent = listed.iter().find(|listed| listed.name == consent.name).unwrap();
    assert_eq!((&consent.recipients, &consent.countries), (&given.recipients, &given.countries));
    let records = officer.ask(v1::ExportConsentsRequest { parent, purpose }).await.unwrap().records_json;
    let records: Vec<Value> = serde_json::from_str(&records).unwrap();
    let of = |records: &[Value]| {
        let id = consent.name.rsplit('/').next().unwrap();
        let record = records.iter().find(|record| record["record_id"] == id).unwrap();
        let processing = &record["pii_processing"];
        (processing["recipient_third_parties"].clone(), processing["processing_locations"].clone())
    };
    assert_eq!(of(&records), (json!(["bank-2", "bank-3"]), json!(["FR", "US"])));
    let ada = Identity::generate();
    let files = opened(&archive(&officer, &ada, None).await, &ada);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(of(manifest["consents"].as_array().unwrap()), (json!(["bank-2", "bank-3"]), json!(["FR", "US"])));
    // What was agreed to is still there when the person is not.
    let id = consent.name.rsplit('/').next().unwrap();
    officer.erase("ada").await.unwrap();
    let (name, purpose) = (format!("{}/evidence/{id}", bank.name()), Purpose::Audit.into());
    let evidence = bank.auditor().ask(v1::GetConsentEvidenceRequest { name, purpose }).await.unwrap().consent.unwrap();
    assert_eq!((&evidence.recipients, &evidence.countries), (&given.recipients, &given.countries));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_goes_to_the_person_freely_and_abroad_to_somebody_else_under_a_safeguard() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let officer = bank.privacy_officer();
    let key = Identity::generate();
    let recipient = key.to_public().to_string();
    assert_unguarded(&officer.export_to("ada", &recipient, Some(to("US"))).await.refused());
    let claims = Transfer { safeguard: Safeguard::LegalClaims.into(), ..guarded("US") };
    assert_unguarded(&officer.export_to("ada", &recipient, Some(claims)).await.refused());
    for (field, transfer) in [
        ("transfer.country", to("")),
        ("transfer.country", to("EU")),
        ("transfer.safeguard_reference", Transfer { safeguard: 1, ..to("US") }),
    ] {
        let refusal = officer.export_to("ada", &recipient, Some(transfer)).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument);
        refusal.assert_field(field);
    }
    let log_now = log(&bank).await;
    assert_eq!(denials(&log_now, "subject.export"), 2);
    assert!(
        log_now
            .iter()
            .filter(|entry| entry["operation"] == "subject.export")
            .all(|entry| !entry["pseudonym"].is_null())
    );

    archive(&officer, &key, None).await;
    archive(&officer, &key, Some(to("FR"))).await;
    let files = opened(&archive(&officer, &key, Some(guarded("US"))).await, &key);
    // The log says where archives went, and the person's history by what.
    let given: Vec<_> = log(&bank)
        .await
        .into_iter()
        .filter(|entry| entry["operation"] == "subject.export" && entry["outcome"] == "allowed")
        .map(|entry| (entry["event"]["country"].clone(), entry["event"]["safeguard"].clone()))
        .collect();
    let expected = [
        (Value::Null, Value::Null),
        (json!("FR"), json!("none")),
        (json!("US"), json!("standard_contractual_clauses")),
    ];
    assert_eq!(given, expected);
    let history: Vec<Value> = serde_json::from_slice(&files["history.json"]).unwrap();
    let last = history.iter().rev().find(|entry| entry["operation"] == "subject.export").unwrap();
    assert_eq!(last["details"]["transfer"], json!({ "country": "US", "safeguard": 2, "reference": "scc-1" }));
    assert_eq!(last["details"]["recipient"], "insurer-4");
    // Of somebody of another law, that one's border counts, too.
    officer.describe("ada", Jurisdiction::Kazakhstan, AgeBand::Adult).await.unwrap();
    assert_unguarded(&officer.export_to("ada", &recipient, Some(guarded("US"))).await.refused());
    assert_unguarded(&officer.export_to("ada", &recipient, Some(to("FR"))).await.refused());
    archive(&officer, &key, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_receives_an_archive_for_somebody_is_on_record_and_told_what_becomes_of_it() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let (officer, key) = (bank.privacy_officer(), Identity::generate());
    let recipient = key.to_public().to_string();
    archive(&officer, &key, None).await;
    assert!(officer.disclosures("ada").await.unwrap().is_empty(), "the person is no recipient");
    // Each way is on record once, as often as it is gone.
    for transfer in [to("FR"), guarded("US"), to("FR")] {
        archive(&officer, &key, Some(transfer)).await;
    }
    let received = officer.disclosures("ada").await.unwrap();
    let way = |made: &v1::Disclosure| (made.recipient.clone(), made.transfer.clone().unwrap().country);
    let ways: Vec<_> = received.iter().map(way).collect();
    assert_eq!(ways, [("insurer-4".to_owned(), "FR".to_owned()), ("insurer-4".to_owned(), "US".to_owned())]);
    for made in &received {
        assert!(made.ground.is_none() && made.record_time.is_some(), "{made:?}");
        assert_eq!(made.scope.len(), 6);
    }
    assert!(received[0].record_time.unwrap().seconds >= received[1].record_time.unwrap().seconds);
    // The person is told of it, and a crash forgets none.
    vault.crash().await;
    let files = opened(&archive(&officer, &key, None).await, &key);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let told = manifest["recipients"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{manifest}");
    assert!(told.iter().all(|one| one["consent"].is_null() && one["legal_order"].is_null()), "{told:?}");

    // Who received it is told what is put right, by one notification, and not what was only completed.
    let owed = async || officer.notifications(true).await.unwrap();
    let corrects = |age: AgeBand| v1::UpdateSubjectRequest {
        subject: Some(v1::Subject {
            name: officer.subject_name("ada"),
            jurisdiction: Jurisdiction::EuropeanUnion.into(),
            age_band: age.into(),
            ..v1::Subject::default()
        }),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: String::new(),
        update_mask: None,
    };
    officer.ask(corrects(AgeBand::Adult)).await.unwrap();
    assert!(owed().await.is_empty(), "her age was not known");
    officer.describe("ada", Jurisdiction::UnitedKingdom, AgeBand::Adult).await.unwrap();
    assert!(owed().await.is_empty(), "nobody asked for it");
    officer.ask(corrects(AgeBand::Adult)).await.unwrap();
    let [corrected] = &owed().await[..] else { panic!("one was to be told") };
    assert_eq!(corrected.occasion(), v1::NotificationOccasion::Corrected);
    assert_eq!((corrected.recipient.as_str(), corrected.disclosures.len()), ("insurer-4", 2));
    officer.erase("ada").await.unwrap();
    let last: Vec<_> = owed().await.iter().map(|owed| owed.occasion()).filter(|one| *one as i32 == 4).collect();
    assert_eq!(last, [v1::NotificationOccasion::Erased]);

    // Who receives it is named, and opaque; a name alone goes nowhere.
    let request = |receiver: &str, transfer| v1::ExportSubjectRequest {
        name: officer.subject_name("bea"),
        purpose: Purpose::DataSubjectRequest.into(),
        recipient: recipient.clone(),
        transfer,
        receiver: receiver.to_owned(),
    };
    for (receiver, transfer) in [("", Some(to("FR"))), ("ann@example.org", Some(to("FR"))), ("insurer-4", None)] {
        let refusal = officer.export_as(request(receiver, transfer)).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{receiver}");
        refusal.assert_field("receiver");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silo_is_handed_over_where_the_tenants_law_and_its_peoples_let_it_go() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let (operator, officer) = (vault.operator(), bank.privacy_officer());
    let director = bank.with_roles(&[Role::TenantAdmin]).await;
    let key = Identity::generate();
    let leaving = |transfer: Option<Transfer>| v1::OffboardTenantRequest {
        transfer,
        ..director.offboarding(Some(&key.to_public().to_string()))
    };
    let refusal = director.ask(leaving(None)).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldMissing).assert_field("transfer");
    let waived = v1::OffboardTenantRequest { transfer: Some(to("DE")), ..director.offboarding(None) };
    let refusal = director.ask(waived).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("transfer");
    assert_unguarded(&director.ask(leaving(Some(to("US")))).await.refused());
    assert_eq!(denials(&log(&bank).await, "tenant.offboard"), 1);

    let request = leaving(Some(guarded("US")));
    let proposal = director.ask(request.clone()).await.unwrap();
    let other = v1::OffboardTenantRequest { transfer: Some(guarded("CA")), ..request };
    director.ask(other.clone()).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    let other = v1::OffboardTenantRequest { request_id: lethe_tests::request_id(), ..other };
    assert_ne!(director.ask(other).await.unwrap().content_sha256, proposal.content_sha256);
    let Some(Content::Offboarding(seen)) = operator.on("bank").proposal(&proposal.name).await.unwrap().content else {
        panic!()
    };
    assert_eq!(seen.transfer, Some(guarded("US")));
    operator.approve(&proposal).await.unwrap();
    let files = opened(&director.export_silo(&proposal.name).await.unwrap(), &key);
    assert!(files.contains_key("end.json"));

    // A Kazakh among its people, who was not asked.
    officer.describe("ada", Jurisdiction::Kazakhstan, AgeBand::Adult).await.unwrap();
    assert_unguarded(&director.export_silo(&proposal.name).await.refused());
    let log_now = log(&bank).await;
    assert_eq!(denials(&log_now, "tenant.export_silo"), 1);
    let proposed = log_now.iter().find(|entry| entry["event"]["type"] == "OFFBOARDING_PROPOSED").unwrap();
    assert_eq!(
        (&proposed["event"]["country"], &proposed["event"]["safeguard"]),
        (&json!("US"), &json!("standard_contractual_clauses"))
    );
    let mut given = officer.consent(Purpose::Authentication, v1::ConsentManner::Written, v1::ConsentGiver::Subject);
    given.countries = vec!["US".to_owned()];
    officer.record("ada", given).await.unwrap();
    assert_unguarded(&director.export_silo(&proposal.name).await.refused());
    let contract = Transfer { contract_reference: "contract-3".to_owned(), ..guarded("US") };
    let whole = director.ask(leaving(Some(contract))).await.unwrap();
    operator.approve(&whole).await.unwrap();
    let archive = director.export_silo(&whole.name).await.unwrap();
    let files = opened(&archive, &key);
    let people = String::from_utf8(files["subjects-000001.jsonl"].clone()).unwrap();
    let ada: Value = serde_json::from_str(people.lines().next().unwrap()).unwrap();
    assert_eq!(ada["known"]["consents"][0]["countries"], json!(["US"]));
}

/// One person changes the law, and two approved the way: what they saw is what counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_silo_is_handed_over_under_the_law_that_two_approved() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::EuropeanUnion).await;
    let operator = vault.operator();
    let director = bank.with_roles(&[Role::TenantAdmin]).await;
    let key = Identity::generate().to_public().to_string();
    let approved = director.ask(director.offboarding(Some(&key))).await.unwrap();
    let open = director.ask(director.offboarding(Some(&key))).await.unwrap();
    operator.approve(&approved).await.unwrap();
    let under = async |law: Jurisdiction| {
        let tenant = v1::Tenant { name: bank.name(), jurisdiction: law.into(), ..v1::Tenant::default() };
        let request = v1::UpdatePolicyRequest {
            tenant: Some(tenant),
            purpose: Purpose::Administration.into(),
            request_id: String::new(),
            update_mask: Some(prost_types::FieldMask { paths: vec!["jurisdiction".to_owned()] }),
        };
        director.ask(request).await.unwrap();
    };
    under(Jurisdiction::California).await;
    let mismatch = |refusal: lethe_tests::Refusal| {
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::ProposalMismatch);
    };
    mismatch(director.export_silo(&approved.name).await.refused());
    mismatch(operator.approve(&open).await.refused());
    under(Jurisdiction::EuropeanUnion).await;
    director.export_silo(&approved.name).await.unwrap();
    operator.approve(&open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_law_is_known_the_tenants_country_is_the_one_that_is_not_abroad() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault, Jurisdiction::Other).await;
    let officer = bank.privacy_officer();
    assert_unguarded(&officer.ask(going(&officer, order(), to("JP"))).await.refused());
    let saying = async |country: &str| {
        let tenant = Some(v1::Tenant { name: bank.name(), country: country.to_owned(), ..v1::Tenant::default() });
        let update_mask = Some(prost_types::FieldMask { paths: vec!["country".to_owned()] });
        let (purpose, request_id) = (Purpose::Administration.into(), String::new());
        bank.admin().ask(v1::UpdatePolicyRequest { tenant, purpose, request_id, update_mask }).await
    };
    saying("Japan").await.refused().assert_field("tenant.country");
    assert_eq!(saying("JP").await.unwrap().country, "JP");
    vault.crash().await;
    officer.ask(going(&officer, order(), to("JP"))).await.unwrap();
    assert_unguarded(&officer.ask(going(&officer, order(), to("KR"))).await.refused());
    assert_eq!(saying("").await.unwrap().country, "");
    assert_unguarded(&officer.ask(going(&officer, order(), to("JP"))).await.refused());
}
