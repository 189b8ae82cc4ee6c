//! Logins: whose they are, in a vault whose clock is set.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lethe_domain::{Login, Proposal, Purpose, Reason, RequestId, Role, Roles, TenantId, Timestamp};
use lethe_policy::operation::{
    ApproveProposal, CreateCredential, CreateOperator, ExportSilo, GetTenant, OffboardTenant, RevokeCredential,
};
use lethe_policy::{Owner, Principal, SecondFactor};
use serde_json::json;

use super::{Open, PATIENCE, config, may, ordered, principal};
use crate::access::login::testing::{ISSUER, SUBJECT, Signer, claims, describe, publish, with};
use crate::access::{ApiKey, Session};
use crate::approval;
use crate::clock::{Clock, Hands};
use crate::config::SecondFactorRule;
use crate::error::Error;
use crate::export::Recipient;
use crate::opening;
use crate::records::Content;
use crate::tenant::{self, Asked, Handover, Issued};
use crate::vault::{Aim, Vault};

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

fn bank() -> TenantId {
    TenantId::parse("bank").unwrap()
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
        self.make_asked(tenant, login, Asked::of(Roles::only(Role::Auditor))).await
    }

    async fn make_asked(&self, tenant: &str, login: (&str, &str), asked: Asked) -> Result<Issued, Error> {
        let id = TenantId::parse(tenant).unwrap();
        let call = may::<CreateCredential>(&self.open.vault, &id, Role::TenantAdmin, Purpose::Administration).await;
        let login = Some(Login::parse("login", login.0, login.1).unwrap());
        tenant::create_credential(self.vault(), call, Asked { login, ..asked }, None).await
    }

    /// An administrator of the bank by the login, who logs in.
    async fn director(&self) -> Session {
        let asked = Asked::of(Roles::only(Role::TenantAdmin));
        self.make_asked("bank", (ISSUER, SUBJECT), asked).await.unwrap();
        self.vault().log_in(&self.signer.token(&claims(NOW)), None).unwrap()
    }

    /// The director's proposal that the bank leaves, with its data, later than anything before.
    async fn leave(&self, director: &Session) -> Proposal {
        self.hands.pass(Duration::from_secs(1));
        let key = age::x25519::Identity::generate().to_public().to_string();
        let handover = Handover::To(Recipient::parse(&key).unwrap(), ordered().transfer);
        let call = self.open.call::<OffboardTenant>(director, &bank()).await;
        let proposed = tenant::offboard(self.vault(), call, handover, RequestId::random()).await.unwrap();
        proposed.stored.proposal
    }

    async fn approve(&self, who: &Principal, proposal: &Proposal) -> Result<(), Reason> {
        let call = self.open.call::<ApproveProposal>(who, &bank()).await;
        let approved = approval::approve(self.vault(), call, proposal.id, proposal.digest).await;
        approved.map(drop).map_err(|refused| refused.reason())
    }

    /// One more operator, who shows a second factor.
    async fn operator(&self) -> Principal {
        let roles = Roles::only(Role::Operator);
        let first = Principal { factor: SecondFactor::Shown, ..principal(Owner::Vault, roles) };
        let call = self.vault().admit::<CreateOperator>(&first, Aim::Vault, Some(Purpose::Administration)).await;
        let made = tenant::create_credential(self.vault(), call.unwrap(), Asked::of(roles), None).await.unwrap();
        Principal { factor: SecondFactor::Shown, ..made.credential.principal }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_holds_no_login_and_what_was_before_does_not_come_back() {
    let scene = Scene::set().await;
    let vault = scene.vault();
    let login = (ISSUER, SUBJECT);
    let hour = Some(Timestamp::from_millis((NOW + 3600) * 1000));
    let asked = Asked { expires: hour, ..Asked::of(Roles::only(Role::Auditor)) };
    let first = scene.make_asked("bank", login, asked).await.unwrap();
    assert_eq!(scene.refusal("shop", login).await, Reason::LoginTaken);
    scene.hands.pass(Duration::from_secs(3600));
    let second = scene.make("shop", login).await.unwrap();
    let shown = |now| vault.log_in(&scene.signer.token(&claims(now)), None).map(|session| session.credential);
    assert_eq!(shown(NOW + 3600).unwrap(), second.credential.principal.credential);
    // Not even where the clock goes back to when the first was good.
    scene.hands.jump(Timestamp::from_millis(NOW * 1000));
    assert_eq!(shown(NOW).unwrap(), second.credential.principal.credential);
    scene.revoke("shop", &second).await;
    assert_eq!(shown(NOW).unwrap_err().reason(), Reason::CredentialInvalid);
    let first = vault.silos.credential(first.credential.principal.credential).unwrap();
    assert!(first.revoked_at.is_none(), "and yet it is nobody's");
    let third = scene.make("bank", login).await.unwrap();
    assert!(third.credential.created_at > second.credential.created_at, "by whatever the clock shows");
    assert_eq!(shown(NOW).unwrap(), third.credential.principal.credential);
    vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_which_nobody_may_speak_decides_nothing_and_is_no_administrator() {
    let scene = Scene::set().await;
    let vault = scene.vault();
    let tree = scene.open.silo(&bank()).tree;
    let by_key = vault.silos.credentials_of(tree)[0].principal.credential;
    let (one, other) = (scene.operator().await, scene.operator().await);
    let director = scene.director().await;
    let proposal = scene.leave(&director).await;
    let call = scene.open.call::<OffboardTenant>(&one, &bank()).await;
    let alone = tenant::offboard(vault, call, Handover::Waived, RequestId::random()).await.unwrap().stored.proposal;
    let revoke = async || {
        let call =
            may::<RevokeCredential>(&scene.open.vault, &bank(), Role::TenantAdmin, Purpose::Administration).await;
        tenant::revoke_credential(vault, call, by_key).await.map(drop).map_err(|refused| refused.reason())
    };

    scene.rewrite("[\"shop\"]", "");
    assert_eq!(revoke().await, Err(Reason::LastAdministrator), "nobody else could make a credential");
    assert_eq!(scene.approve(&one, &proposal).await, Err(Reason::ProposalClosed), "who proposed it is not believed");
    scene.rewrite("[\"bank\"]", "");
    assert_eq!(revoke().await, Ok(()));
    assert_eq!(scene.approve(&other, &alone).await, Err(Reason::ApproverNotIndependent), "the director is there");
    assert_eq!(scene.approve(&one, &proposal).await, Ok(()));
    scene.rewrite("[\"shop\"]", "");
    assert_eq!(scene.approve(&other, &alone).await, Ok(()), "nobody of the tenant is left who could say it");
    vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silo_is_not_handed_over_to_a_login_that_is_over_or_not_believed() {
    let scene = Scene::set().await;
    let (vault, bank) = (&scene.open.vault, bank());
    let approver = Principal { factor: SecondFactor::Shown, ..scene.open.person(&bank, Role::TenantAdmin).await };
    let director = scene.director().await;
    let proposal = scene.leave(&director).await;
    scene.approve(&approver, &proposal).await.unwrap();
    let tree = scene.open.silo(&bank).tree;
    // More of a log than waits for who takes it: no page of people is after it.
    let call = scene.open.call::<GetTenant>(&director, &bank).await;
    for _ in 0..40 {
        join_all((0..50).map(|_| vault.note(tree, &call))).await.into_iter().for_each(Result::unwrap);
    }
    let taken = async || {
        let call = scene.open.call::<ExportSilo>(&director, &bank).await;
        let taker = (director.clone(), Some(Purpose::Administration));
        tenant::hand_over(Arc::clone(vault), call, taker, proposal.id, ()).await.unwrap()
    };
    let rest = async |mut pieces: tokio::sync::mpsc::Receiver<Result<Vec<u8>, Error>>| {
        let mut last = None;
        while let Some(piece) = pieces.recv().await {
            last = Some(piece.map(drop).map_err(|refused| refused.reason()));
        }
        let Content::Offboarding(leaving) = approval::read(vault, tree, proposal.id).unwrap().content else {
            panic!("about something else")
        };
        (last.unwrap(), leaving.delivered.is_some())
    };
    let under_way = async |pieces: &tokio::sync::mpsc::Receiver<Result<Vec<u8>, Error>>| {
        let full = async {
            while pieces.len() < pieces.max_capacity() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, full).await.expect("it fills what waits");
    };

    let pieces = taken().await;
    under_way(&pieces).await;
    scene.rewrite("[\"shop\"]", "");
    assert_eq!(rest(pieces).await, (Err(Reason::CredentialInvalid), false), "at the very end it is asked once more");
    scene.rewrite("[\"bank\"]", "");
    let pieces = taken().await;
    under_way(&pieces).await;
    let begun = vault.clock.now();
    scene.hands.pass(Duration::from_secs(3600));
    assert_eq!(rest(pieces).await, (Err(Reason::CredentialExpired), false));
    scene.hands.jump(begun);
    let pieces = taken().await;
    assert_eq!(rest(pieces).await, (Ok(()), true), "who may take it does");
    vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_operators_key_that_nobody_saw_goes_where_a_login_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::seeded(1);
    publish(folder.path(), &[signer.jwk("k1")]);
    let mut config = config(&folder.path().join("vault"));
    config.access.identity_providers = Some(describe(folder.path(), "[]", "operators = true"));
    let clock = Clock::Set(Hands::showing(Timestamp::from_millis(NOW * 1000)));
    let opened = opening::open_by(&config, Box::new(|| Ok(ApiKey::generate())), clock).await.unwrap();
    let (vault, first) = (opened.vault, opened.operator_key.unwrap());
    assert!(vault.authenticate(&first, None).is_ok());
    let login = |issuer| Some(Login::parse("login", issuer, SUBJECT).unwrap());
    let refused = tenant::new_operator(&vault, login("https://other.example.org"), Some(first.credential())).await;
    assert_eq!(refused.map(drop).unwrap_err().reason(), Reason::IdentityProviderUnknown);
    assert!(vault.authenticate(&first, None).is_ok(), "it is shown then");
    let made = tenant::new_operator(&vault, login(ISSUER), Some(first.credential())).await.unwrap();
    assert_eq!(vault.authenticate(&first, None).unwrap_err().reason(), Reason::CredentialInvalid);
    let session = vault.log_in(&signer.token(&claims(NOW)), None).unwrap();
    assert_eq!(session.credential, made.credential.principal.credential);
    vault.close().await;
}
