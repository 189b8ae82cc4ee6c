//! What two persons decide (O27, O31, O33): who may be the second, for how long, and once.

use lethe_proto::v1::{self, ErrorReason, ListProposalsRequest, ProposalState, Purpose, Role};
use lethe_tests::{Caller, Faces, Refused, Tenant, Vault, request_id};
use tonic::Code;

async fn director(bank: &Tenant) -> Caller {
    bank.with_roles(&[Role::TenantAdmin]).await
}

async fn proposed(by: &Caller) -> v1::Proposal {
    by.ask(by.offboarding(None)).await.unwrap()
}

async fn listed(who: &Caller) -> Vec<String> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let (parent, purpose) = (who.tenant_name(), Purpose::Administration.into());
        let page = who.ask(ListProposalsRequest { parent, purpose, page_size: 1, page_token }).await.unwrap();
        names.extend(page.proposals.into_iter().map(|proposal| proposal.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}

async fn operator_made_by(operator: &Caller) -> Caller {
    let made = operator.ask(v1::CreateCredentialRequest {
        parent: "vault".to_owned(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles: vec![Role::Operator.into()], ..v1::Credential::default() }),
    });
    operator.with_key(Some(&made.await.unwrap().api_key))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_not_two_by_any_key_that_it_can_make() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let other_operator = operator_made_by(&operator).await;
    let (first, second) = (director(&bank).await, director(&bank).await);
    let proposal = proposed(&first).await;
    assert_eq!(proposal.state(), ProposalState::Open);
    let late = director(&bank).await;
    // The proposer; a key that was made for it since; the one that made the proposer's.
    for who in [&first, &late, &bank.admin()] {
        let refusal = who.approve(&proposal).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
        assert_eq!(refusal.metadata()["obligation"], "O27");
    }
    // And the other way round: who made a key does not have its word approved by it.
    let of_admin = proposed(&bank.admin()).await;
    second.approve(&of_admin).await.refused().assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    operator.approve(&of_admin).await.refused().assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    other_operator.approve(&of_admin).await.unwrap();
    // Not on operators' word alone, as long as the tenant has somebody.
    let of_operator = other_operator.on(bank.id());
    let of_operator = proposed(&of_operator).await;
    operator
        .approve(&of_operator)
        .await
        .refused()
        .assert_is(Code::PermissionDenied, ErrorReason::ApproverNotIndependent);
    // Of another tenant, of another role, or nobody.
    let casino = vault.tenant("casino").await;
    casino.admin().approve(&proposal).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    bank.analyst().approve(&proposal).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let blind = bank.privacy_officer().approve(&proposal).await.refused();
    blind.assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    assert_eq!(first.proposal(&proposal.name).await.unwrap(), proposal, "nothing was decided by any of these");

    let approved = second.approve(&proposal).await.unwrap();
    assert_eq!(approved.state(), ProposalState::Approved);
    assert!(second.key().unwrap().contains(&approved.decider) && approved.decide_time.is_some());
    assert_eq!(second.approve(&proposal).await.unwrap(), approved, "a repeat gives the first answer");
    operator.approve(&proposal).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_what_was_read_and_survives_a_crash() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let by = director(&bank).await;
    let request = by.offboarding(None);
    let proposal = by.ask(request.clone()).await.unwrap();
    assert_eq!(by.ask(request.clone()).await.unwrap(), proposal, "a repeat gives the first answer");
    let recipient = age::x25519::Identity::generate().to_public().to_string();
    let other = v1::OffboardTenantRequest { request_id: request.request_id, ..by.offboarding(Some(&recipient)) };
    by.ask(other).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);

    let unread = v1::Proposal { content_sha256: "0".repeat(64), ..proposal.clone() };
    operator.approve(&unread).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalMismatch);
    for (digest, reason) in [("", ErrorReason::FieldMissing), ("ab", ErrorReason::FieldOutOfRange)] {
        let unread = v1::Proposal { content_sha256: digest.to_owned(), ..proposal.clone() };
        let refusal = operator.approve(&unread).await.refused();
        refusal.assert_is(Code::InvalidArgument, reason).assert_field("content_sha256");
    }
    vault.crash().await;
    assert_eq!(operator.proposal(&proposal.name).await.unwrap(), proposal);
    let approved = operator.approve(&proposal).await.unwrap();
    vault.crash().await;
    assert_eq!(by.proposal(&proposal.name).await.unwrap(), approved);
    // Taken back while it can be; then it is nothing any more.
    let rejected = by.reject(&proposal.name).await.unwrap();
    assert_eq!(rejected.state(), ProposalState::Rejected);
    vault.crash().await;
    let shredding = v1::ShredTenantRequest { proposal: proposal.name.clone(), ..operator.shredding("bank") };
    operator.ask(shredding).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
    operator.approve(&proposal).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
    assert_eq!(listed(&by).await, [proposal.name]);
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_ends_by_itself_and_with_the_key_that_made_it() {
    let vault = Vault::setup().set("approvals.lifetime_ms", 1500).start().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let by = director(&bank).await;
    let (late, in_time) = (proposed(&by).await, proposed(&by).await);
    operator.approve(&in_time).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1600)).await;
    operator.approve(&late).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalExpired);
    for name in [&late.name, &in_time.name] {
        assert_eq!(by.proposal(name).await.unwrap().state(), ProposalState::Expired);
    }
    let shredding = v1::ShredTenantRequest { proposal: in_time.name, ..operator.shredding("bank") };
    operator.ask(shredding).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalExpired);

    vault.reconfigure(|setup| setup.set("approvals.lifetime_ms", 60_000));
    vault.restart().await;
    let issued = bank.issue(&[Role::TenantAdmin], None).await;
    let stolen = bank.with_key(Some(&issued.api_key));
    let (open, approved) = (proposed(&stolen).await, proposed(&stolen).await);
    operator.approve(&approved).await.unwrap();
    bank.revoke(&issued.credential.unwrap().name).await;
    operator.approve(&open).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
    let shredding = v1::ShredTenantRequest { proposal: approved.name, ..operator.shredding("bank") };
    operator.ask(shredding).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::ProposalClosed);
    bank.enroller().enroll("ada", &Faces::seeded(401).person(0).selfie()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_a_proposal_follows_from_what_it_is_about() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(402).person(0).selfie()).await.unwrap();
    let (by, officer) = (director(&bank).await, bank.privacy_officer());
    let end = proposed(&by).await.name;
    let order = v1::disclosure::Ground::LegalOrderReference("order-1".to_owned());
    let told = officer.ask(officer.disclosing("ada", Some(order))).await.unwrap().name;
    let operator = vault.operator().on("bank");
    for (who, sees) in
        [(&by, vec![&end]), (&operator, vec![&end]), (&officer, vec![&told]), (&bank.auditor(), vec![&end, &told])]
    {
        assert_eq!(listed(who).await.iter().collect::<Vec<_>>(), sees);
        for name in [&end, &told] {
            match who.proposal(name).await {
                Ok(proposal) => assert!(sees.contains(&name) && proposal.name == *name),
                Err(refusal) => {
                    assert!(!sees.contains(&name));
                    refusal.assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
                }
            }
        }
    }
    // The key of a log is for who keeps the log's word, and not for operators.
    let rotation = by.ask(by.key_rotation(&bank.log())).await.unwrap().name;
    for (who, sees) in [(&by, true), (&officer, true), (&bank.auditor(), true), (&operator, false)] {
        assert_eq!(who.proposal(&rotation).await.is_ok(), sees);
    }
    // Nobody who may not approve it rejects it.
    by.reject(&told).await.refused().assert_is(Code::NotFound, ErrorReason::ProposalNotFound);
    bank.auditor().reject(&told).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
}
