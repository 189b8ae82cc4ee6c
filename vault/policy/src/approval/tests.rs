use lethe_domain::{ProposalId, TenantId};

use super::*;
use crate::principal::SecondFactor;

const PROPOSED: Timestamp = Timestamp::from_millis(1_000);
const NOW: Timestamp = Timestamp::from_millis(2_000);
const LATER: Timestamp = Timestamp::from_millis(9_000);

fn party(number: u8, owner: Owner, roles: &[Role]) -> Party {
    let principal = Principal {
        credential: CredentialId::from_bytes([number; 16]),
        owner,
        roles: roles.iter().copied().collect(),
        expires: None,
        factor: SecondFactor::Shown,
    };
    Party { principal, created_at: Timestamp::from_millis(10), made_by: None, login: None, is_shut: false }
}

fn admin(number: u8) -> Party {
    party(number, Owner::Tenant(TenantId::parse("bank").unwrap()), &[Role::TenantAdmin])
}

fn operator(number: u8) -> Party {
    party(number, Owner::Vault, &[Role::Operator])
}

fn proposal(act: Act, by: &Party) -> Proposal {
    Proposal {
        id: ProposalId::from_bytes([7; 16]),
        act,
        digest: [9; 32],
        proposer: by.id(),
        proposed_at: PROPOSED,
        expires_at: Timestamp::from_millis(5_000),
        standing: Standing::Open,
    }
}

fn verdict(by: &Party, who: &Party, left: bool) -> Result<Standing, Reason> {
    let proposal = proposal(Act::Offboarding, by);
    approve(&proposal, Some(by), who, left, NOW).map(|decision| decision.standing()).map_err(|denial| denial.reason)
}

#[test]
fn two_of_the_tenant_agree_or_one_of_it_and_an_operator() {
    for (by, who) in [(admin(1), admin(2)), (admin(1), operator(2)), (operator(1), admin(2))] {
        let vote = Vote { by: who.id(), at: NOW };
        assert_eq!(verdict(&by, &who, true), Ok(Standing::Approved(vote)));
    }
    assert_eq!(verdict(&operator(1), &operator(2), true), Err(Reason::ApproverNotIndependent));
    assert!(verdict(&operator(1), &operator(2), false).is_ok(), "nobody of the tenant is left");
}

#[test]
fn one_person_is_not_two() {
    assert_eq!(verdict(&admin(1), &admin(1), true), Err(Reason::ApproverNotIndependent));
    for created_at in [PROPOSED, NOW] {
        let made_for_it = Party { created_at, ..admin(2) };
        assert_eq!(verdict(&admin(1), &made_for_it, true), Err(Reason::ApproverNotIndependent));
    }
    let child = Party { made_by: Some(admin(1).id()), ..admin(2) };
    assert_eq!(verdict(&admin(1), &child, true), Err(Reason::ApproverNotIndependent));
    assert_eq!(verdict(&child, &admin(1), true), Err(Reason::ApproverNotIndependent));
    // An operator that appoints an administrator does not decide with it.
    let appointed = Party { made_by: Some(operator(1).id()), ..admin(2) };
    assert_eq!(verdict(&operator(1), &appointed, true), Err(Reason::ApproverNotIndependent));
    assert!(verdict(&operator(3), &appointed, true).is_ok());
}

#[test]
fn a_role_that_does_not_fit_or_a_revoked_proposer_is_refused() {
    let officer = party(2, Owner::Tenant(TenantId::parse("bank").unwrap()), &[Role::PrivacyOfficer]);
    assert_eq!(verdict(&admin(1), &officer, true), Err(Reason::RoleRequired));
    let disclosure = proposal(Act::Disclosure, &officer);
    let refused = approve(&disclosure, Some(&officer), &admin(1), true, NOW).unwrap_err();
    assert_eq!(refused.reason, Reason::RoleRequired);
    let stolen = Party { is_shut: true, ..admin(1) };
    assert_eq!(verdict(&stolen, &admin(2), true), Err(Reason::ProposalClosed));
    let mut expired = admin(1);
    expired.principal.expires = Some(NOW);
    assert_eq!(verdict(&expired, &admin(2), true), Err(Reason::ProposalClosed));
    let offboarding = proposal(Act::Offboarding, &admin(1));
    assert_eq!(approve(&offboarding, None, &admin(2), true, NOW).unwrap_err().reason, Reason::ProposalClosed);
}

#[test]
fn what_is_over_or_decided_is_not_decided_again() {
    let (by, who) = (admin(1), admin(2));
    let open = proposal(Act::Offboarding, &by);
    let late = approve(&open, Some(&by), &who, true, LATER).unwrap_err();
    assert_eq!(late.reason, Reason::ProposalExpired);
    let vote = Vote { by: who.id(), at: NOW };
    for standing in [Standing::Approved(vote), Standing::Rejected(vote), Standing::Used(vote, NOW)] {
        let decided = Proposal { standing, ..open.clone() };
        let refused = approve(&decided, Some(&by), &admin(3), true, NOW).unwrap_err();
        assert_eq!(refused.reason, Reason::ProposalClosed);
    }
    // Who proposed takes back, also what is approved; what is done stays done.
    let approved = Proposal { standing: Standing::Approved(vote), ..open.clone() };
    assert!(reject(&open, &by, NOW).is_ok() && reject(&approved, &by, NOW).is_ok());
    let used = Proposal { standing: Standing::Used(vote, NOW), ..open };
    assert_eq!(reject(&used, &by, NOW).unwrap_err().reason, Reason::ProposalClosed);
}

#[test]
fn only_what_was_approved_is_done_once_and_in_time() {
    let (by, who) = (admin(1), admin(2));
    let open = proposal(Act::Offboarding, &by);
    let vote = Vote { by: who.id(), at: NOW };
    let approved = Proposal { standing: Standing::Approved(vote), ..open.clone() };
    let both = [Some(&by), Some(&who)];
    let used = redeem::<Offboarding>(&approved, &[9; 32], both, NOW).unwrap().used(NOW);
    assert_eq!(used.standing, Standing::Used(vote, NOW));
    let reason = |proposal: &Proposal, digest: [u8; 32], parties, now| {
        redeem::<Offboarding>(proposal, &digest, parties, now).unwrap_err().reason
    };
    assert_eq!(reason(&used, [9; 32], both, NOW), Reason::ProposalClosed);
    assert_eq!(reason(&open, [9; 32], both, NOW), Reason::ApprovalRequired);
    assert_eq!(reason(&approved, [8; 32], both, NOW), Reason::ProposalMismatch);
    assert_eq!(reason(&approved, [9; 32], both, LATER), Reason::ProposalExpired);
    let stolen = Party { is_shut: true, ..who.clone() };
    assert_eq!(reason(&approved, [9; 32], [Some(&by), Some(&stolen)], NOW), Reason::ProposalClosed);
    assert_eq!(reason(&approved, [9; 32], [None, Some(&who)], NOW), Reason::ProposalClosed);
    let refused = redeem::<Disclosing>(&approved, &[9; 32], both, NOW).unwrap_err();
    assert_eq!(refused.reason, Reason::ProposalMismatch);
}

#[test]
fn each_act_finds_its_own_line_and_an_operator_decides_on_nobody() {
    for act in Act::ALL {
        assert_eq!(ActRule::of(act).act, act);
    }
    let disclosure = ActRule::of(Act::Disclosure);
    for roles in [disclosure.proposers, disclosure.approvers, disclosure.readers] {
        assert!(!roles.contains(&Role::Operator));
    }
}

#[test]
fn a_key_of_a_log_is_for_two_of_whom_the_log_is_about() {
    let bank = |number, roles: &[Role]| party(number, Owner::Tenant(TenantId::parse("bank").unwrap()), roles);
    let verdict = |act, by: &Party, who: &Party| {
        approve(&proposal(act, by), Some(by), who, true, NOW).map(drop).map_err(|denial| denial.reason)
    };
    let tenants = [bank(1, &[Role::TenantAdmin]), bank(2, &[Role::PrivacyOfficer]), bank(3, &[Role::Auditor])];
    for by in &tenants[..2] {
        for who in tenants.iter().filter(|who| who.id() != by.id()) {
            assert_eq!(verdict(Act::LogKeyRotation, by, who), Ok(()));
            assert_eq!(verdict(Act::VaultLogKeyRotation, by, who), Err(Reason::RoleRequired));
        }
        assert_eq!(verdict(Act::LogKeyRotation, by, by), Err(Reason::ApproverNotIndependent));
        assert_eq!(verdict(Act::LogKeyRotation, by, &operator(9)), Err(Reason::RoleRequired));
        assert_eq!(verdict(Act::LogKeyRotation, by, &bank(8, &[Role::FraudAnalyst])), Err(Reason::RoleRequired));
    }
    assert_eq!(verdict(Act::VaultLogKeyRotation, &operator(8), &operator(9)), Ok(()), "there is nobody else");
    assert_eq!(verdict(Act::VaultLogKeyRotation, &operator(8), &operator(8)), Err(Reason::ApproverNotIndependent));
}
