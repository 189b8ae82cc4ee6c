//! What use cases share, and the gate in front of them.

use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::log::text::Origin;
use lethe_crypto::root::VaultId;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{CredentialId, Login, Purpose, Reason, TenantId, Timestamp};
use lethe_index::Pool;
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, Denial, Operation, Owner, Principal, SecondFactor, Site, Target, authorize};
use tokio::sync::Semaphore;

use crate::access::{ApiKey, Disbelief, LoggedIn, Logins, Session};
use crate::audit;
use crate::backup::Keeper;
use crate::case;
use crate::clock::Clock;
use crate::config::StoreKind;
use crate::erasure::Eraser;
use crate::error::{Error, Result};
use crate::identification::Passes;
use crate::keyring::Keyring;
use crate::retention;
use crate::silo::{Credential, SiloRef, Silos};
use crate::store::{Change, Store, StoreError};

/// Everything use cases share. Made by [`crate::opening`], used by one process at a time.
pub struct Vault {
    /// The vault's name for its whole life.
    pub id: VaultId,
    /// What time it is.
    pub(crate) clock: Clock,
    /// Where it runs.
    pub site: Site,
    /// The name that capture and document services know the vault by.
    pub audience: String,
    /// Rows, and the one way to change them.
    pub store: Arc<Store>,
    /// The keys of the current epoch.
    pub keys: Arc<Keyring>,
    /// What follows from the rows, in memory.
    pub silos: Arc<Silos>,
    /// Erasures on their way.
    pub eraser: Arc<Eraser>,
    /// The threads that scan.
    pub pool: Pool,
    /// Searches that wait for them.
    pub passes: Passes,
    /// Places for reading what a scan found, unsealing it and comparing it exactly.
    pub rerankers: Arc<Semaphore>,
    /// Places for who looks at much of a log, or at many rows.
    pub looking: audit::Looking,
    /// Places for attempts that are unclear, and of which a case is to be written. Nobody waits for one but who closes the vault.
    pub(crate) unclear: Arc<Semaphore>,
    /// Backups, and the one that is being made.
    pub backups: Arc<Keeper>,
    /// Which kind of store has the roots, and which one the vault moves from, if it does.
    pub root_stores: (StoreKind, Option<StoreKind>),
    /// Whether people show a second factor.
    pub asks_second_factor: bool,
    /// Identity providers, and what they are believed of.
    pub logins: Arc<Logins>,
    /// How long a proposal can be approved, and then carried out.
    pub proposals_last: Duration,
    /// Changes of the vault's own rows (tenants), one at a time.
    pub administration: tokio::sync::Mutex<()>,
    /// How sweeps for what is past its time stand.
    pub(crate) sweeps: retention::Board,
}

const UNKNOWN_KEY: Error = Error::Unauthenticated(Reason::CredentialInvalid, "the API key is unknown or revoked");
const UNKNOWN_LOGIN: Error =
    Error::Unauthenticated(Reason::CredentialInvalid, "the login is unknown or revoked, or its token is not believed");

/// What a caller is told of a token that is not believed: nothing, but that its time is over. The log has the reason, and
/// nothing of the token.
fn disbelieved(why: Disbelief) -> Error {
    tracing::debug!(?why, "a token is not believed");
    match why {
        Disbelief::Expired => Error::Unauthenticated(Reason::CredentialExpired, "the login has expired"),
        Disbelief::TooLong
        | Disbelief::Malformed
        | Disbelief::Type
        | Disbelief::Bound
        | Disbelief::Delegated
        | Disbelief::Algorithm
        | Disbelief::Key
        | Disbelief::Signature
        | Disbelief::Issuer
        | Disbelief::Audience
        | Disbelief::NotYet
        | Disbelief::Lifetime => UNKNOWN_LOGIN,
    }
}

/// What a call is aimed at, as its resource name says.
#[derive(Debug, Clone, Copy)]
pub enum Aim<'a> {
    /// The vault itself.
    Vault,
    /// A tenant.
    Tenant(&'a TenantId),
}

impl Vault {
    /// Who holds this key, and whether the caller is certified to be the person whose it is, where that is asked for (O31).
    ///
    /// # Errors
    /// `Unauthenticated`, the same for an unknown, a revoked and a wrong key.
    pub fn authenticate(&self, key: &ApiKey, certified: Option<CredentialId>) -> Result<Principal> {
        let known = self.silos.credential(key.credential());
        let factor = self.factor(certified == Some(key.credential()));
        match known {
            Some(credential) if credential.proof.admits(key) && credential.revoked_at.is_none() => {
                Ok(Principal { factor, ..credential.principal.clone() })
            }
            _ => Err(UNKNOWN_KEY),
        }
    }

    /// Whose login a token is of, and whether its provider says that the person showed two factors, or the caller is certified
    /// to be that person, where that is asked for (O31).
    ///
    /// # Errors
    /// `Unauthenticated`, the same whatever is wrong with the token or the login; but of one that is over it is told.
    pub fn log_in(&self, token: &str, certified: Option<CredentialId>) -> Result<Session> {
        let (login, proven, _) = self.logins.verify(token, self.clock.now()).map_err(disbelieved)?;
        let known = self.silos.credential_of(&login).ok_or(UNKNOWN_LOGIN)?;
        let is_certified = certified == Some(known.principal.credential);
        self.logged_in(&known, LoggedIn { proven, is_certified })
    }

    /// Who a credential says the caller is, now: for calls that last, whose credential may have been revoked since, and whose
    /// login may be over.
    ///
    /// # Errors
    /// As [`Self::authenticate`] and [`Self::log_in`].
    pub fn still(&self, session: &Session) -> Result<Session> {
        let unknown = if session.login.is_some() { UNKNOWN_LOGIN } else { UNKNOWN_KEY };
        let known = self.silos.credential(session.credential).filter(|known| known.revoked_at.is_none());
        let known = known.ok_or(unknown)?;
        match &session.login {
            None => Ok(Principal { factor: session.factor, ..known.principal.clone() }.into()),
            Some(login) => self.logged_in(&known, login.clone()),
        }
    }

    /// Who calls by a login, as the providers are known now.
    fn logged_in(&self, known: &Credential, login: LoggedIn) -> Result<Session> {
        let weight = self.logins.weigh(&login.proven, self.clock.now()).map_err(disbelieved)?;
        if known.proof.login().is_none() || self.is_shut(known) {
            return Err(UNKNOWN_LOGIN);
        }
        let factor = self.factor(weight.two_factors || login.is_certified);
        let expires = known.principal.expires.map_or(weight.until, |end| end.min(weight.until));
        let principal = Principal { factor, expires: Some(expires), ..known.principal.clone() };
        Ok(Session { principal, login: Some(login) })
    }

    /// Whether nobody can call by a credential any more: it is revoked, or its login is one of which no provider may speak.
    pub(crate) fn is_shut(&self, known: &Credential) -> bool {
        let is_spoken_of = |login: &Login| self.logins.may_speak(login.issuer(), &known.principal.owner);
        known.revoked_at.is_some() || !known.proof.login().is_none_or(is_spoken_of)
    }

    /// The same, or its time is over.
    pub(crate) fn is_over(&self, known: &Credential, now: Timestamp) -> bool {
        self.is_shut(known) || known.principal.expires.is_some_and(|end| end <= now)
    }

    fn factor(&self, is_shown: bool) -> SecondFactor {
        match (self.asks_second_factor, is_shown) {
            (false, _) => SecondFactor::NotAsked,
            (true, true) => SecondFactor::Shown,
            (true, false) => SecondFactor::Missing,
        }
    }

    /// The one gate. What passes gets the witness that its use case asks for; what does not is audited, in
    /// the log of whoever the credential belongs to, before it is answered (O1, O2, O4, O31).
    pub async fn admit<O: Kind>(
        &self,
        principal: &Principal,
        aim: Aim<'_>,
        purpose: Option<Purpose>,
    ) -> Result<Authorized<O>> {
        let now = self.clock.now();
        let silo = match aim {
            Aim::Vault => None,
            Aim::Tenant(tenant) => self.silos.find(tenant),
        };
        let policy = silo.as_ref().map(|silo| silo.policy());
        let target = match aim {
            Aim::Vault => Target::Vault,
            Aim::Tenant(tenant) => Target::Tenant(tenant, policy.as_deref()),
        };
        match authorize::<O>(&self.site, principal, target, purpose, now) {
            Ok(witness) => Ok(witness),
            Err(denial) => {
                // Of another's policy nothing is in this log.
                let own = policy.filter(
                    |_| matches!((&principal.owner, aim), (Owner::Tenant(own), Aim::Tenant(aim)) if own == aim),
                );
                Err(self.refuse(principal, O::OPERATION, denial, own.map(|policy| policy.version)).await)
            }
        }
    }

    /// Audits a refusal, in the log of whoever the credential belongs to, and gives what the caller is told.
    async fn refuse(&self, principal: &Principal, operation: Operation, denial: Denial, policy: Option<u32>) -> Error {
        let logged = match audit::denied(principal, operation, &denial, policy, self.clock.now()) {
            Ok(entry) => self.record(self.own_tree(principal), entry).await,
            Err(failure) => Err(failure),
        };
        logged.err().unwrap_or_else(|| denial.into())
    }

    /// Logs a call that changed nothing: a read, or something that was asked for again (O31).
    pub(crate) async fn note<O: Kind>(&self, tree: TreeId, call: &Authorized<O>) -> Result<()> {
        self.record(tree, audit::done(call, self.clock.now())?).await
    }

    /// Gives an answer; one about somebody or something that is not there is logged first. Who tries ids leaves traces.
    pub(crate) async fn noting_misses<O: Kind, T>(
        &self,
        tree: TreeId,
        call: &Authorized<O>,
        answer: Result<T>,
    ) -> Result<T> {
        if let Err(Error::NotFound(reason, _)) = &answer {
            self.record(tree, audit::refused(call, *reason, self.clock.now())?).await?;
        }
        answer
    }

    /// Gives an answer; a refusal by the policy is logged first.
    pub(crate) async fn noting_denials<O: Kind, T>(
        &self,
        tree: TreeId,
        call: &Authorized<O>,
        answer: Result<T>,
    ) -> Result<T> {
        if let Err(Error::Denied(denial)) = &answer {
            self.record(tree, audit::refused(call, denial.reason, self.clock.now())?).await?;
        }
        answer
    }

    /// Logs what changes nothing else.
    pub(crate) async fn record(&self, tree: TreeId, entry: EntryDraft) -> Result<()> {
        let mut change = Change::audit_of_read();
        change.log(tree, entry);
        self.store.commit(change).await?;
        Ok(())
    }

    /// The silo a call was allowed on.
    pub fn silo<O: Kind>(&self, call: &Authorized<O>) -> Result<SiloRef> {
        let found = call.tenant().and_then(|tenant| self.silos.find(tenant));
        found.ok_or_else(|| Error::NotFound(Reason::TenantNotFound, "there is no such tenant".to_owned()))
    }

    /// Finishes what was accepted, syncs, and stops. Erasures that are pending go on at the next start.
    pub async fn close(&self) {
        // Who has all places is the last.
        let last = tokio::time::timeout(Duration::from_secs(30), self.unclear.acquire_many(case::PLACES)).await;
        self.unclear.close();
        if last.is_err() {
            tracing::warn!("attempts that were unclear are not written down as cases; the log has them");
        }
        if !self.eraser.stop(Duration::from_secs(30)).await {
            tracing::warn!("erasures are still pending; they go on at the next start");
        }
        if let Err(failure) = self.keys.release().await {
            tracing::warn!(%failure, "slots that were never used could not be given back; the next erasure redraws them");
        }
        if !self.backups.stop(Duration::from_secs(30)).await {
            tracing::warn!(
                "a backup is still at work and is given up; what it left is removed when the next one is made"
            );
        }
        self.store.close();
    }

    /// The name of a tree's log, and of the key that signs it: unique for ever.
    pub(crate) fn origin_of(&self, tree: TreeId) -> Result<Origin> {
        let name = match tree.as_tenant() {
            None => format!("lethe/{}/vault", self.id),
            Some(SlotRef { slot, generation }) => format!("lethe/{}/tenants/{slot}.{generation}", self.id),
        };
        name.parse().map_err(|_| StoreError::corrupt("log origin", name).into())
    }

    fn own_tree(&self, principal: &Principal) -> TreeId {
        match &principal.owner {
            Owner::Vault => TreeId::VAULT,
            Owner::Tenant(tenant) => self.silos.find(tenant).map_or(TreeId::VAULT, |silo| silo.tree),
        }
    }
}
