//! The version of the policy that an entry has, where the policy changes between the gate and the judgement of a person (O1).

use lethe_crypto::log::entry::Entry;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Jurisdiction, Period, Purpose, Reason, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{
    AppointAdministrator, Enroll, EraseSubject, Kind, ProposeDisclosure, Search, UpdateTenantPolicy, Verify,
};
use lethe_policy::{Authorized, Owner};

use super::{Open, capture, ordered, principal};
use crate::authentication::verify;
use crate::disclosure;
use crate::enrollment::{Enrolment, enroll};
use crate::identification::{Query, search};
use crate::store::{Key, RowKind, StoreError};
use crate::vault::Aim;
use crate::{subject, tenant};

fn ada() -> SubjectId {
    SubjectId::parse("ada").unwrap()
}

fn face() -> Vec<f32> {
    (0..64).map(|i| if i == 0 { 1.0 } else { 0.01 }).collect()
}

async fn change(open: &Open, tenant: &TenantId, wished: tenant::Wished) {
    let call = open.may::<UpdateTenantPolicy>(tenant, Role::TenantAdmin, Purpose::Administration).await;
    tenant::update_policy(&open.vault, call, wished).await.unwrap();
}

/// The last entry of an operation.
fn last<O: Kind>(open: &Open, tree: TreeId) -> Entry {
    let mut found = None;
    let prefix = Key::prefix_of_tree(RowKind::LogEntry, tree);
    let each = |_, line: &[u8]| {
        let entry = Entry::decode(line).unwrap();
        found = if entry.operation.as_str() == O::OPERATION.rule().name { Some(entry) } else { found.take() };
        Ok::<_, StoreError>(())
    };
    open.vault.store.scan(RowKind::LogEntry, &prefix, each).unwrap();
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_the_version_that_judged_and_not_the_gates() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let tree = open.silo(&tenant).tree;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "ada", &model, &face()).await;
    assert_eq!(last::<Enroll>(&open, tree).policy, Some(1));
    // All of these pass the gate by the first version.
    let enrolling: Authorized<Enroll> = open.may(&tenant, Role::Enroller, Purpose::Authentication).await;
    let searching: Authorized<Search> = open.may(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
    let verifying: Authorized<Verify> = open.may(&tenant, Role::FraudAnalyst, Purpose::Authentication).await;
    let refused: Authorized<Verify> = open.may(&tenant, Role::FraudAnalyst, Purpose::Authentication).await;
    let erasing: Authorized<EraseSubject> = open.may(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let officer = open.person(&tenant, Role::PrivacyOfficer).await;
    let telling: Authorized<ProposeDisclosure> = open.call(&officer, &tenant).await;
    let keep = Some(Some(Period::months(24)));
    change(&open, &tenant, tenant::Wished { keep, ..tenant::Wished::default() }).await;

    let enrolment = Enrolment { subject: ada(), capture: capture(&model, &face()), request: None };
    enroll(&open.vault, &enrolling, enrolment).await.unwrap();
    assert_eq!((enrolling.policy_version(), last::<Enroll>(&open, tree).policy), (Some(1), Some(2)));
    let probe = capture(&model, &face());
    let query = Query { probe, subject: Some(ada()), threshold: None, miss_probability: None, limit: 0 };
    search(&open.vault, searching, query).await.unwrap();
    assert_eq!(last::<Search>(&open, tree).policy, Some(2));
    verify(&open.vault, verifying, &ada(), capture(&model, &face())).await.unwrap();
    assert_eq!(last::<Verify>(&open, tree).policy, Some(2));
    disclosure::propose(&open.vault, telling, &ada(), ordered(), RequestId::random()).await.unwrap();
    assert_eq!(last::<ProposeDisclosure>(&open, tree).policy, Some(2));
    // What a law refuses by which the person came after.
    let jurisdiction = Some(Jurisdiction::Illinois);
    change(&open, &tenant, tenant::Wished { jurisdiction, ..tenant::Wished::default() }).await;
    assert!(verify(&open.vault, refused, &ada(), capture(&model, &face())).await.is_err());
    let entry = last::<Verify>(&open, tree);
    let reason = entry.reason.as_ref().map(ToString::to_string);
    assert_eq!((entry.policy, reason.as_deref()), (Some(3), Some(Reason::WrittenConsentRequired.code())));
    subject::erase(&open.vault, erasing, &ada(), RequestId::random(), None, None).await.unwrap();
    assert_eq!(last::<EraseSubject>(&open, tree).policy, Some(3));
}

/// What stands in the tenant's log and in the vault's has the version of the tenant's policy in the tenant's alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_vaults_log_has_no_version_of_a_tenants_policy() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let operator = principal(Owner::Vault, lethe_domain::Roles::only(Role::Operator));
    let call = open.vault.admit::<AppointAdministrator>(&operator, Aim::Tenant(&tenant), Some(Purpose::Administration));
    let asked = tenant::Asked::of(lethe_domain::Roles::only(Role::TenantAdmin));
    tenant::create_credential(&open.vault, call.await.unwrap(), asked, None).await.unwrap();
    assert_eq!(last::<AppointAdministrator>(&open, open.silo(&tenant).tree).policy, Some(1));
    assert_eq!(last::<AppointAdministrator>(&open, TreeId::VAULT).policy, None);
}
