//! Whoever received a person's data is told of its rectification, restriction or erasure, and what came of that is on record (O41).

use lethe_proto::v1::disclosure::Ground;
use lethe_proto::v1::{
    self, AgeBand, DisclosureScope, ErrorReason, Jurisdiction, Notification, NotificationOccasion as Occasion,
    NotificationOutcome as Outcome, Purpose, RestrictionGround, Role,
};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault};
use tonic::Code;

use crate::disclosure::{entries, said};

/// Discloses something about a subject, as two officers of the tenant; gives the disclosure's id.
async fn discloses(bank: &Tenant, subject: &str, recipient: &str, scope: &[DisclosureScope]) -> String {
    let second = bank.with_roles(&[Role::PrivacyOfficer]).await;
    let officer = bank.privacy_officer();
    let order = Ground::LegalOrderReference("order-17".to_owned());
    let mut request = officer.disclosing(subject, Some(order));
    let disclosure = request.disclosure.as_mut().unwrap();
    disclosure.recipient = recipient.to_owned();
    disclosure.scope = scope.iter().map(|&code| code.into()).collect();
    let proposal = officer.ask(request).await.unwrap();
    second.approve(&proposal).await.unwrap();
    proposal.name.rsplit('/').next().unwrap().to_owned()
}

/// Whom to tell of what, and by which disclosures they have it; sorted.
async fn pending(officer: &Caller) -> Vec<(Occasion, String, Vec<String>)> {
    let listed = officer.notifications(true).await.unwrap();
    let mut told: Vec<_> = listed.into_iter().map(|one| (one.occasion(), one.recipient, one.disclosures)).collect();
    told.sort_by_key(|(occasion, recipient, _)| (*occasion as i32, recipient.clone()));
    told
}

/// Says that all who are to be told were told, and gives who they are.
async fn tells(officer: &Caller) -> Vec<(Occasion, String, Vec<String>)> {
    let told = pending(officer).await;
    for one in officer.notifications(true).await.unwrap() {
        officer.notified(&one.name, Outcome::Told).await.unwrap();
    }
    assert!(pending(officer).await.is_empty());
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_received_a_persons_data_is_told_what_becomes_of_them() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let people = Faces::seeded(431);
    bank.enroller().enroll("ada", &people.person(0).selfie()).await.unwrap();
    bank.enroller().enroll("bea", &people.person(1).selfie()).await.unwrap();
    let to_court = discloses(&bank, "ada", "court", &[DisclosureScope::Existence, DisclosureScope::Results]).await;
    let to_insurer = discloses(&bank, "ada", "insurer", &[DisclosureScope::Consents]).await;
    discloses(&bank, "bea", "police", &[DisclosureScope::Existence]).await;
    // What is only proposed reached nobody.
    officer.ask(officer.disclosing("ada", Some(Ground::LegalOrderReference("order-18".to_owned())))).await.unwrap();
    assert!(pending(&officer).await.is_empty());

    officer.restrict("ada", RestrictionGround::AccuracyContested).await.unwrap();
    officer.restrict("ada", RestrictionGround::AccuracyContested).await.unwrap();
    let court = |occasion| (occasion, "court".to_owned(), vec![to_court.clone()]);
    let insurer = |occasion| (occasion, "insurer".to_owned(), vec![to_insurer.clone()]);
    assert_eq!(tells(&officer).await, [court(Occasion::Restricted), insurer(Occasion::Restricted)], "each once");
    officer.lift_restriction("ada").await.unwrap();
    assert!(pending(&officer).await.is_empty());

    // A template is renewed: nothing is rectified. Then the person asks for it: who was told nothing of templates is not told.
    let template = async || officer.templates("ada").await.unwrap().remove(0).name;
    let face = people.person(0).selfie();
    officer.ask(bank.enroller().replacement(&template().await, &face)).await.unwrap();
    assert!(pending(&officer).await.is_empty());
    let purpose = Purpose::DataSubjectRequest.into();
    let asked =
        v1::ReplaceTemplateRequest { purpose, ..officer.replacement(&template().await, &people.person(0).selfie()) };
    officer.ask(asked.clone()).await.unwrap();
    officer.ask(asked).await.unwrap();
    assert_eq!(tells(&officer).await, [court(Occasion::Rectified)], "a repeat replaces nothing");
    let asked = v1::DeleteTemplateRequest { purpose, ..officer.deletion(&template().await) };
    officer.ask(asked).await.unwrap();
    assert_eq!(tells(&officer).await, [court(Occasion::ErasedInPart)]);

    // With the person goes what names it; whom to tell stays.
    officer.erase("ada").await.unwrap();
    vault.crash().await;
    assert_eq!(pending(&officer).await, [court(Occasion::Erased), insurer(Occasion::Erased)]);
    let all = officer.notifications(false).await.unwrap();
    assert_eq!(all.len(), 6);
    // Ids are digits and letters of any kind; a subject would stand under its collection.
    assert!(!format!("{all:?}").contains("subjects/"), "{all:?}");
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

/// Who is erased though nobody asked is erased all the same.
#[tokio::test(flavor = "multi_thread")]
async fn recipients_are_told_of_an_erasure_that_nobody_asked_for() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    bank.enroller().enroll("kim", &Faces::seeded(432).person(0).selfie()).await.unwrap();
    let to_court = discloses(&bank, "kim", "court", &[DisclosureScope::Existence]).await;
    bank.enroller().describe("kim", Jurisdiction::Other, AgeBand::Under16).await.unwrap();
    officer.templates("kim").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    assert_eq!(pending(&officer).await, [(Occasion::Erased, "court".to_owned(), vec![to_court])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_it_is_recorded_once_and_in_the_log() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (officer, auditor) = (bank.privacy_officer(), bank.auditor());
    bank.enroller().enroll("ada", &Faces::seeded(433).person(0).selfie()).await.unwrap();
    for recipient in ["court", "police", "insurer"] {
        discloses(&bank, "ada", recipient, &[DisclosureScope::Existence]).await;
    }
    officer.erase("ada").await.unwrap();
    let purpose = Purpose::Audit.into();
    let ask = |page_token: String| v1::ListNotificationsRequest {
        parent: bank.name(),
        purpose,
        pending: true,
        page_size: 2,
        page_token,
    };
    let page = auditor.ask(ask(String::new())).await.unwrap();
    let rest = auditor.ask(ask(page.next_page_token.clone())).await.unwrap();
    assert_eq!((page.notifications.len(), rest.notifications.len()), (2, 1));
    assert!(rest.next_page_token.is_empty());
    let listed: Vec<Notification> = page.notifications.iter().chain(&rest.notifications).cloned().collect();
    let (first, second) = (&listed[0], &listed[1]);
    let get = |name: &str| v1::GetNotificationRequest { name: name.to_owned(), purpose };
    assert_eq!(auditor.ask(get(&first.name)).await.unwrap(), *first);

    let closed = officer.notified(&first.name, Outcome::Impossible).await.unwrap();
    assert_eq!((closed.outcome(), closed.close_time.is_some()), (Outcome::Impossible, true));
    assert_eq!(officer.notified(&first.name, Outcome::Impossible).await.unwrap(), closed, "it is recorded once");
    let refused = officer.notified(&first.name, Outcome::Told).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::NotificationClosed);
    officer.notified(&second.name, Outcome::Disproportionate).await.unwrap();
    assert_eq!(auditor.ask(get(&first.name)).await.unwrap(), closed);
    assert_eq!(officer.notifications(true).await.unwrap().len(), 1);
    assert_eq!(officer.notifications(false).await.unwrap().len(), 3);

    let id = first.name.rsplit('/').next().unwrap();
    let entries = entries(&bank).await.iter().map(said).collect::<Vec<_>>();
    let named: Vec<_> = entries.iter().filter(|entry| entry["event"]["notification"] == id).collect();
    assert_eq!(named.len(), 1, "{entries:?}");
    assert_eq!(
        (&named[0]["event"]["type"], &named[0]["event"]["outcome"]),
        (&"NOTIFICATION_CLOSED".into(), &"impossible".into())
    );
    assert!(named[0]["pseudonym"].is_null(), "it is about nobody who could be named");

    // Another tenant has none of it.
    let rival = vault.tenant("rival").await;
    assert!(rival.privacy_officer().notifications(false).await.unwrap().is_empty());
    let theirs = first.name.replace("tenants/bank", &rival.name());
    let refused = rival.privacy_officer().notified(&theirs, Outcome::Told).await.refused();
    refused.assert_is(Code::NotFound, ErrorReason::NotificationNotFound);
    for (field, name, outcome) in [
        ("outcome", first.name.as_str(), 0),
        ("outcome", &first.name, 4),
        ("name", "tenants/bank/notifications/1", 1),
        ("name", "", 1),
    ] {
        let (name, purpose) = (name.to_owned(), Purpose::DataSubjectRequest.into());
        let request = v1::CloseNotificationRequest { name, purpose, request_id: String::new(), outcome };
        officer.ask(request).await.refused().assert_field(field);
    }
}
