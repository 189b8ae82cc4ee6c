//! Who looks after credentials when somebody's is lost: operators for themselves and for tenants, whoever holds data and
//! root for operators; and that the last one stays.

use std::process::Command;

use lethe_proto::v1::{self, ErrorReason, Purpose, Role};
use lethe_tests::{Answer, Caller, ROLES, Refused, Vault, lethe, request_id};
use tonic::Code;

const ADMINISTRATION: i32 = Purpose::Administration as i32;

async fn create(caller: &Caller, parent: &str, roles: &[Role]) -> Answer<v1::IssuedCredential> {
    let roles = roles.iter().map(|&role| role.into()).collect();
    let request = v1::CreateCredentialRequest {
        parent: parent.to_owned(),
        purpose: ADMINISTRATION,
        request_id: request_id(),
        credential: Some(v1::Credential { roles, ..v1::Credential::default() }),
    };
    caller.ask(request).await
}

async fn list(caller: &Caller, parent: &str) -> Answer<Vec<v1::Credential>> {
    let parent = parent.to_owned();
    let request = v1::ListCredentialsRequest { parent, purpose: ADMINISTRATION, ..Default::default() };
    Ok(caller.ask(request).await?.credentials)
}

async fn revoke(caller: &Caller, name: &str) -> Answer<v1::Credential> {
    let (name, request_id) = (name.to_owned(), request_id());
    caller.ask(v1::RevokeCredentialRequest { name, purpose: ADMINISTRATION, request_id }).await
}

async fn size(caller: &Caller, log: &str) -> i64 {
    caller.checkpoint(log).await.unwrap().tree_size
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_look_after_their_own_credentials() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let first = list(&operator, "vault").await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(first[0].name.starts_with("vault/credentials/"), "{}", first[0].name);
    assert_eq!(first[0].roles, [i32::from(Role::Operator)]);
    revoke(&operator, &first[0].name)
        .await
        .refused()
        .assert_is(Code::FailedPrecondition, ErrorReason::LastAdministrator);

    for roles in [&[Role::TenantAdmin][..], &[Role::Operator, Role::Auditor], &[Role::Operator, Role::Operator]] {
        let refusal = create(&operator, "vault", roles).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("credential.roles");
    }
    let second = create(&operator, "vault", &[Role::Operator]).await.unwrap();
    let second = vault.caller(Some(second.api_key));
    // The lost, or leaked, one goes; what is left is the last again, also to the next server.
    assert_eq!(revoke(&second, &first[0].name).await.unwrap().state(), v1::CredentialState::Revoked);
    list(&operator, "vault").await.refused().assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
    vault.restart().await;
    let all = list(&second, "vault").await.unwrap();
    assert_eq!(
        all.iter().map(v1::Credential::state).collect::<Vec<_>>(),
        [v1::CredentialState::Revoked, v1::CredentialState::Active]
    );
    revoke(&second, &all[1].name).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::LastAdministrator);
    assert_eq!(revoke(&second, &first[0].name).await.unwrap().state(), v1::CredentialState::Revoked, "again");

    // Whatever its roles, a tenant's credential has no say in it.
    let everyone = bank.with_roles(&ROLES).await;
    list(&everyone, "vault").await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    let refusal = create(&everyone, "vault", &[Role::Operator]).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    revoke(&everyone, &all[1].name).await.refused().assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    // And a name of one tree finds nothing in another.
    let stranger = all[1].name.replace("vault/", "tenants/bank/");
    revoke(&bank.admin(), &stranger).await.refused().assert_is(Code::NotFound, ErrorReason::CredentialNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_appoints_an_administrator_and_nobody_else() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let before = (size(&operator, &bank.log()).await, size(&operator, "vault/log").await);
    let appointed = create(&operator, &bank.name(), &[Role::TenantAdmin]).await.unwrap();
    let admin = bank.with_key(Some(&appointed.api_key));
    create(&admin, &bank.name(), &[Role::Auditor]).await.unwrap();
    // Two checkpoints were read and two credentials made, the first of them told in both logs.
    let after = (size(&operator, &bank.log()).await, size(&operator, "vault/log").await);
    assert_eq!((after.0 - before.0, after.1 - before.1), (3, 2));

    let others = ROLES.into_iter().filter(|role| *role != Role::TenantAdmin).map(|role| vec![role]);
    for roles in others.chain([ROLES.to_vec(), vec![Role::TenantAdmin, Role::Auditor], vec![]]) {
        let refusal = create(&operator, &bank.name(), &roles).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    }
    list(&operator, &bank.name()).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let name = appointed.credential.unwrap().name;
    revoke(&operator, &name).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let nowhere = create(&operator, "tenants/not-there", &[Role::TenantAdmin]).await.refused();
    nowhere.assert_is(Code::NotFound, ErrorReason::TenantNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_of_a_tenant_stays() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let admin = bank.admin();
    let administrators = |all: Vec<v1::Credential>| {
        let is_admin = |credential: &v1::Credential| credential.roles.contains(&Role::TenantAdmin.into());
        all.into_iter().filter(is_admin).map(|credential| credential.name).collect::<Vec<_>>()
    };
    let names = administrators(list(&admin, &bank.name()).await.unwrap());
    assert_eq!(names.len(), 2, "the first, and the harness' own of that role");
    revoke(&admin, &names[1]).await.unwrap();
    let refusal = revoke(&admin, &names[0]).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::LastAdministrator);
    // One that expired makes no others: it does not count.
    let soon = prost_types::Timestamp { seconds: lethe_tests::now().seconds + 5, nanos: 0 };
    bank.issue(&[Role::TenantAdmin], Some(soon)).await;
    while lethe_tests::now().seconds <= soon.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    revoke(&admin, &names[0]).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::LastAdministrator);
    let successor = bank.with_roles(&[Role::TenantAdmin]).await;
    revoke(&successor, &names[0]).await.unwrap();
    list(&admin, &bank.name()).await.refused().assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_data_and_root_makes_an_operator_while_the_server_is_stopped() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let before = size(&vault.operator(), "vault/log").await;
    let new_operator = |data: &std::path::Path| {
        let mut command = Command::new(lethe());
        command.env_clear().args(["--json", "key", "new-operator", "--set", "storage.reserve_mib=16", "--data-dir"]);
        command.arg(data).arg("--root-replica").arg(vault.home().root(0));
        command.output().unwrap()
    };
    let busy = new_operator(&vault.data_dir());
    assert!(!busy.status.success());
    assert!(String::from_utf8_lossy(&busy.stderr).contains("locked"), "{busy:?}");

    vault.stop().await;
    let nowhere = new_operator(&vault.home().path().join("elsewhere"));
    assert!(!nowhere.status.success() && !vault.home().path().join("elsewhere").exists(), "a vault was made");
    let made = new_operator(&vault.data_dir());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    vault.start().await;

    let operator = vault.caller(Some(said["api_key"].as_str().unwrap().to_owned()));
    let names: Vec<_> = list(&operator, "vault").await.unwrap().into_iter().map(|credential| credential.name).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(said["name"], names[1].as_str());
    revoke(&operator, &names[0]).await.unwrap();
    create(&operator, &bank.name(), &[Role::TenantAdmin]).await.unwrap();
    // The vault's log tells it, beside the first checkpoint, the list, the revocation and the appointment.
    assert_eq!(size(&operator, "vault/log").await, before + 5);
}
