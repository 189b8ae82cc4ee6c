//! Logins: whose they are, in a vault whose clock is set.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lethe_domain::{Login, Purpose, Reason, Role, Roles, TenantId, Timestamp};
use lethe_policy::operation::{CreateCredential, RevokeCredential};
use lethe_policy::{Owner, SecondFactor};
use serde_json::json;

use super::{Open, config, may};
use crate::access::ApiKey;
use crate::access::login::testing::{ISSUER, SUBJECT, Signer, claims, describe, publish, with};
use crate::clock::{Clock, Hands};
use crate::config::SecondFactorRule;
use crate::error::Error;
use crate::opening;
use crate::tenant::{self, Asked, Issued};
use crate::vault::Vault;

/// When the tests begin, in seconds since the Unix epoch.
const NOW: i64 = 1_800_000_000;

/// A vault with the tenants `bank` and `shop`, that a provider with the key `k1` may speak for, and `club`, that it may not.
struct Scene {
    open: Open,
    hands: Arc<Hands>,
    signer: Signer,
}

async fn open(folder: &Path, hands: &Arc<Hands>) -> Arc<Vault> {
    let mut config = config(&folder.join("vault"));
    config.access.second_factor = Some(SecondFactorRule::Required);
    config.access.identity_providers = Some(folder.join("providers.toml"));
    let (first, clock) = (Box::new(|| Ok(ApiKey::generate())), Clock::Set(Arc::clone(hands)));
    opening::open_by(&config, first, clock).await.unwrap().vault
}

impl Scene {
    async fn set() -> Self {
        let (folder, signer) = (tempfile::tempdir().unwrap(), Signer::seeded(1));
        publish(folder.path(), &[signer.jwk("k1")]);
        describe(folder.path(), "[\"bank\", \"shop\"]", "");
        let hands = Hands::showing(Timestamp::from_millis(NOW * 1000));
        let vault = open(folder.path(), &hands).await;
        let open = Open { vault, folder };
        for id in ["bank", "shop", "club"] {
            open.tenant(id).await;
        }
        Self { open, hands, signer }
    }

    async fn restart(self) -> Self {
        self.open.vault.close().await;
        let Open { vault, folder } = self.open;
        drop(vault);
        let vault = open(folder.path(), &self.hands).await;
        Self { open: Open { vault, folder }, ..self }
    }

    fn vault(&self) -> &Vault {
        &self.open.vault
    }

    async fn make(&self, tenant: &str, login: (&str, &str)) -> Result<Issued, Error> {
        let id = TenantId::parse(tenant).unwrap();
        let call = may::<CreateCredential>(&self.open.vault, &id, Role::TenantAdmin, Purpose::Administration).await;
        let login = Some(Login::parse("login", login.0, login.1).unwrap());
        tenant::create_credential(self.vault(), call, Asked { login, ..Asked::of(Roles::only(Role::Auditor)) }, None)
            .await
    }

    async fn refusal(&self, tenant: &str, login: (&str, &str)) -> Reason {
        self.make(tenant, login).await.map(drop).unwrap_err().reason()
    }

    async fn revoke(&self, tenant: &str, issued: &Issued) {
        let id = TenantId::parse(tenant).unwrap();
        let call = may::<RevokeCredential>(&self.open.vault, &id, Role::TenantAdmin, Purpose::Administration).await;
        tenant::revoke_credential(self.vault(), call, issued.credential.principal.credential).await.unwrap();
    }

    fn rewrite(&self, tenants: &str, more: &str) {
        describe(self.open.folder.path(), tenants, more);
        self.vault().logins.look();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_one_credential_of_one_tenant_also_after_a_restart() {
    let scene = Scene::set().await;
    let login = (ISSUER, SUBJECT);
    let token = scene.signer.token(&claims(NOW));
    let unknown =
        |vault: &Vault| assert_eq!(vault.log_in(&token, None).unwrap_err().reason(), Reason::CredentialInvalid);
    unknown(scene.vault());

    let first = scene.make("bank", login).await.unwrap();
    assert!(first.api_key.is_none(), "a key and a login are never both of one credential");
    let id = first.credential.principal.credential;
    let session = scene.vault().log_in(&token, None).unwrap();
    assert_eq!((session.credential, session.factor), (id, SecondFactor::Shown));
    assert_eq!(session.owner, Owner::Tenant(TenantId::parse("bank").unwrap()));
    for tenant in ["bank", "shop"] {
        assert_eq!(scene.refusal(tenant, login).await, Reason::LoginTaken);
    }
    for (tenant, issuer) in [("club", ISSUER), ("bank", "https://login.example.org/")] {
        assert_eq!(scene.refusal(tenant, (issuer, "00uother")).await, Reason::IdentityProviderUnknown);
    }

    // The last word of a login is that of who has it now.
    scene.revoke("bank", &first).await;
    unknown(scene.vault());
    let second = scene.make("shop", login).await.unwrap();
    let scene = scene.restart().await;
    let session = scene.vault().log_in(&token, None).unwrap();
    assert_eq!(session.credential, second.credential.principal.credential);
    assert_eq!(scene.refusal("bank", login).await, Reason::LoginTaken);

    // Of two at once one is first.
    let other = (ISSUER, "00uother");
    let (bank, shop) = tokio::join!(scene.make("bank", other), scene.make("shop", other));
    assert!(bank.is_ok() != shop.is_ok());
    assert_eq!(bank.err().or(shop.err()).unwrap().reason(), Reason::LoginTaken);
    scene.vault().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_ends_with_the_login_by_the_vaults_clock_and_with_its_provider() {
    let scene = Scene::set().await;
    let vault = scene.vault();
    let issued = scene.make("bank", (ISSUER, SUBJECT)).await.unwrap();
    let id = issued.credential.principal.credential;
    let token = scene.signer.token(&with(NOW, "amr", json!(["pwd"])));
    // What a token lacks a certificate may show, if it is this credential's.
    let factor = |certified| vault.log_in(&token, certified).unwrap().factor;
    assert_eq!(factor(None), SecondFactor::Missing);
    assert_eq!(factor(Some(lethe_domain::CredentialId::random())), SecondFactor::Missing);
    assert_eq!(factor(Some(id)), SecondFactor::Shown);

    let session = vault.log_in(&scene.signer.token(&claims(NOW)), None).unwrap();
    let end = Timestamp::from_millis((NOW + 630) * 1000);
    assert_eq!(session.expires, Some(end), "the gate is told, too");
    let still = || vault.still(&session).map(|now| now.factor).map_err(|refused| refused.reason());
    assert_eq!(still(), Ok(SecondFactor::Shown));
    scene.rewrite("[\"shop\"]", "");
    assert_eq!(still(), Err(Reason::CredentialInvalid), "it may not speak for the tenant any more");
    scene.rewrite("[\"bank\"]", "");
    publish(scene.open.folder.path(), &[Signer::seeded(2).jwk("k1")]);
    vault.logins.look();
    assert_eq!(still(), Err(Reason::CredentialInvalid), "its key is gone");
    publish(scene.open.folder.path(), &[scene.signer.jwk("k1")]);
    vault.logins.look();
    assert_eq!(still(), Ok(SecondFactor::Shown));
    scene.hands.pass(Duration::from_secs(629));
    assert_eq!(still(), Ok(SecondFactor::Shown));
    scene.hands.pass(Duration::from_secs(1));
    assert_eq!(still(), Err(Reason::CredentialExpired));
    assert_eq!(vault.log_in(&token, None).unwrap_err().reason(), Reason::CredentialExpired);
    scene.hands.jump(Timestamp::from_millis(NOW * 1000));
    scene.revoke("bank", &issued).await;
    assert_eq!(still(), Err(Reason::CredentialInvalid));
    vault.close().await;
}
