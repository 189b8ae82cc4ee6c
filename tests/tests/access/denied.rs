//! Every method, against every way not to be allowed.

use std::collections::BTreeSet;

use lethe_proto::v1::{ErrorReason, Purpose, Role};
use lethe_tests::{Caller, ROLES, Refusal, Refused, now};
use tonic::Code;

use crate::stage::{PURPOSES, Stage};
use crate::table::{Row, TABLE};

/// Methods that record a right or a hold: they process nothing, and need no basis.
const RECORDS: [&str; 7] = [
    "SubjectService/Restrict",
    "SubjectService/LiftRestriction",
    "HoldService/Place",
    "HoldService/Renew",
    "HoldService/Release",
    "DisclosureService/Propose",
    "CaseService/Decide",
];

/// Methods that may serve the development of the service: not of a tenant in production (O3).
const DEVELOPS: [&str; 4] = [
    "EnrollmentService/Enroll",
    "EnrollmentService/BatchEnroll",
    "IdentificationService/Search",
    "IdentificationService/SweepDuplicates",
];

/// How a call goes wrong.
struct Case {
    what: String,
    caller: Caller,
    purpose: Purpose,
    code: Code,
    reason: ErrorReason,
}

/// Nothing of what a table promises is worth anything for a method that is not in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_every_method_that_the_server_serves() {
    let stage = Stage::set().await;
    let table: BTreeSet<_> = TABLE.iter().map(|row| row.method.to_owned()).collect();
    assert_eq!(table.len(), TABLE.len(), "a method stands in the table twice");
    assert_eq!(stage.served_methods().await, table);
    let described = lethe_proto::methods()
        .iter()
        .map(|method| format!("{}/{}", method.service.strip_prefix("lethe.v1.").unwrap(), method.method));
    assert_eq!(described.collect::<BTreeSet<_>>(), table);
}

/// A refusal is the same whether or not what the call names exists: it says nothing of a subject.
#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses_whoever_may_not_and_never_tells_of_what() {
    let stage = Stage::set().await;
    let existing = stage.existing().await;
    let nowhere = stage.nowhere();
    let strangers = Strangers::meet(&stage).await;
    for row in TABLE.iter() {
        for case in strangers.cases(&stage, row).await {
            let what = format!("{}, {}", row.method, case.what);
            let told = |refusal: Refusal| {
                assert_eq!((refusal.code(), refusal.reason()), (case.code, Some(case.reason)), "{what}: {refusal:?}");
                let status = refusal.status();
                (status.message().to_owned(), status.details().to_vec())
            };
            let here = (row.request)(&existing, case.purpose);
            let there = (row.request)(&nowhere, case.purpose);
            let here = told(case.caller.ask_raw(&row.path(), here).await.refused());
            let there = told(case.caller.ask_raw(&row.path(), there).await.refused());
            assert_eq!(here, there, "{what}: the refusal depends on whether what it names exists");
        }
    }
    // Nothing was done by any of these calls.
    let subject = stage.bank.privacy_officer().subject(&existing.subject_id).await.unwrap();
    assert_eq!(subject.template_counts[0].count, 1);
    assert_eq!(stage.bank.enroller().templates(&existing.subject_id).await.unwrap()[0].name, existing.template);
    stage.bank.privacy_officer().subject("nobody").await.refused();
    let found = stage.bank.analyst().found(&existing.face).await;
    assert_eq!(found, [existing.subject_id], "somebody was enrolled by a call that was refused");
}

/// Everybody who may not.
struct Strangers {
    revoked: String,
    expired: String,
    /// Of another tenant, in every role.
    neighbour: Caller,
    /// Of a tenant that declared nothing, in every role.
    undeclared: Caller,
}

impl Strangers {
    async fn meet(stage: &Stage) -> Self {
        let bank = &stage.bank;
        let revoked = bank.issue(&ROLES, None).await;
        bank.revoke(&revoked.credential.unwrap().name).await;
        // The vault's clock decides; a credential that expires within the second is expired soon.
        let soon = prost_types::Timestamp { seconds: now().seconds + 5, nanos: 0 };
        let expired = bank.issue(&ROLES, Some(soon)).await.api_key;
        while now().seconds <= soon.seconds {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let neighbour = stage.vault.tenant("neighbour").await.with_roles(&ROLES).await.on(bank.id());
        // It has a model, so that nothing but the missing basis is in the way.
        let undeclared = stage.vault.tenant("undeclared").declaring(&[]).await.with_roles(&ROLES).await;
        Self { revoked: revoked.api_key, expired, neighbour, undeclared }
    }

    async fn cases(&self, stage: &Stage, row: &Row) -> Vec<Case> {
        use ErrorReason as Reason;
        let bank = &stage.bank;
        let case = |what: &str, caller: Caller, purpose, code, reason| Case {
            what: what.to_owned(),
            caller,
            purpose,
            code,
            reason,
        };
        let purpose = row.purpose();
        let known = bank.enroller().key().unwrap().to_owned();
        let (id, secret) = known.split_at("lethe_".len() + 32);
        // The known credential with another secret, and a credential nobody has.
        let wrong = format!("{id}_{}", secret[1..].chars().rev().collect::<String>());
        let unknown = format!("lethe_{}{secret}", "0".repeat(32));
        let mut cases = vec![
            case("no credential", bank.with_key(None), purpose, Code::Unauthenticated, Reason::CredentialMissing),
            case(
                "expired",
                bank.with_key(Some(&self.expired)),
                purpose,
                Code::Unauthenticated,
                Reason::CredentialExpired,
            ),
        ];
        let invalid = [("revoked", self.revoked.as_str()), ("wrong", &wrong), ("unknown", &unknown), ("empty", "")];
        let malformed = [("malformed", "password"), ("malformed", "lethe_"), ("malformed", &known[..known.len() - 1])];
        for (what, key) in invalid.into_iter().chain(malformed) {
            let caller = bank.with_key(Some(key));
            cases.push(case(what, caller, purpose, Code::Unauthenticated, Reason::CredentialInvalid));
        }

        let insider =
            if row.operator { stage.vault.operator().on(bank.id()) } else { bank.with_roles(row.roles).await };
        let denied = |what: &str, caller, purpose, reason| case(what, caller, purpose, Code::PermissionDenied, reason);
        if row.is_the_vaults() {
            let everything = bank.with_roles(&ROLES).await;
            cases.push(denied("a tenant's", everything, purpose, Reason::RoleRequired));
        } else {
            cases.push(denied("another tenant's", self.neighbour.clone(), purpose, Reason::TenantMismatch));
            let others: Vec<Role> = ROLES.into_iter().filter(|role| !row.roles.contains(role)).collect();
            let wrong_role = bank.with_roles(&others).await;
            cases.push(denied("every other role", wrong_role, purpose, Reason::RoleRequired));
        }
        if !row.operator {
            let operator = stage.vault.operator().on(bank.id());
            cases.push(denied("the operator's", operator, purpose, Reason::TenantMismatch));
        }
        let unspecified = Purpose::Unspecified;
        cases.push(case("no purpose", insider.clone(), unspecified, Code::InvalidArgument, Reason::PurposeUnspecified));
        for wrong in PURPOSES.into_iter().filter(|purpose| !row.purposes.contains(purpose)) {
            let develops = wrong == Purpose::ServiceDevelopment && DEVELOPS.contains(&row.method);
            let reason = if develops { Reason::EnvironmentMismatch } else { Reason::PurposeNotAllowed };
            cases.push(denied(wrong.as_str_name(), insider.clone(), wrong, reason));
        }
        cases
    }
}

/// A tenant that recorded no basis for a purpose gets no answer for it, whatever the method and the role; what
/// needs no recorded basis is answered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn no_method_serves_a_purpose_that_the_tenant_did_not_declare() {
    let stage = Stage::set().await;
    let strangers = Strangers::meet(&stage).await;
    let mut target = stage.nowhere();
    target.tenant = strangers.undeclared.tenant_name();
    target.log = format!("{}/log", target.tenant);
    let names = [
        &mut target.subject,
        &mut target.template,
        &mut target.receipt,
        &mut target.consent,
        &mut target.hold,
        &mut target.other,
        &mut target.case,
        &mut target.watchlist,
        &mut target.watchlist_entry,
        &mut target.signing_key,
    ];
    for name in names {
        *name = name.replace("tenants/bank", "tenants/undeclared");
    }
    let mut asked = 0;
    for row in TABLE.iter().filter(|row| !row.is_the_vaults()) {
        for &purpose in row.purposes {
            let declared_by_nobody =
                !matches!(purpose, Purpose::Administration | Purpose::DataSubjectRequest | Purpose::Audit);
            if declared_by_nobody {
                let refusal =
                    strangers.undeclared.ask_raw(&row.path(), (row.request)(&target, purpose)).await.refused();
                if RECORDS.contains(&row.method) {
                    // Nobody of that name: the gate let it pass.
                    refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
                    continue;
                }
                assert_eq!(refusal.code(), Code::PermissionDenied, "{} {purpose:?}: {refusal:?}", row.method);
                refusal.assert_is(Code::PermissionDenied, ErrorReason::PurposeNotAllowed);
                assert_eq!(refusal.metadata()["obligation"], "O1");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 67, "purposes of the table that need a recorded basis");
}
