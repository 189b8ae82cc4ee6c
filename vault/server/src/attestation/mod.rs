//! Believing captures: what a capture or document service signed about one is read, verified, held against the capture, and used once
//! (O6). Nothing here looks at a person.
//!
//! What was used is told by rows. They are written in the change that records what the call did, so that a crash cannot have the one
//! without the other; until then a call has its attestation for itself (`InUse`).

mod keys;
mod sweep;

use lethe_attestation::{Claims, KeyId, digest, key_id, verify};
use lethe_crypto::log::entry::EntryDraft;
use lethe_domain::{AgeBand, Reason, RequestId};
use lethe_policy::operation::Kind;
use lethe_policy::{
    Attested, Authorized, Called, CaptureFacts, Denial, Presented, Said, Spent, attest, remembered_until,
};

use crate::audit;
use crate::error::{Error, Result};
use crate::silo::{Held, Silo};
use crate::store::{Change, Key};
use crate::templates::Capture;
use crate::vault::Vault;

pub use keys::{create_key, list_keys, revoke_key};
pub(crate) use sweep::expire;

/// A capture that may be taken, and the attestation that it has, if it has one, for as long as the call is at work.
pub(crate) struct Believed {
    attested: Attested,
    used: Option<Used>,
}

/// A request that may be repeated, with the attestation that it had: of whom or what it is, beside its operation. Another call under the
/// same id is another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeatable<'a> {
    /// Its id.
    pub(crate) request: RequestId,
    /// What it is about.
    pub(crate) of: &'a str,
}

/// An attestation that a call uses.
struct Used {
    by: KeyId,
    key: Key,
    /// The request that may be repeated with it.
    request: Option<[u8; 16]>,
    _alone: Held,
}

impl Believed {
    /// The engine's word that the capture may be taken.
    pub(crate) const fn attested(&self) -> &Attested {
        &self.attested
    }

    /// How old the service takes the person to be, if it says (O15).
    pub(crate) const fn age(&self) -> Option<AgeBand> {
        self.attested.age()
    }

    /// The same, of a call that is no repeat: what was said for another call, long ago perhaps, has nobody erased.
    pub(crate) fn age_now(&self) -> Option<AgeBand> {
        self.age().filter(|_| !self.attested.repeats())
    }

    /// The name of the key whose word was taken, if any was.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.used.as_ref().map(|used| used.by.as_str())
    }

    /// Says in an entry of the log whose word was taken: what a key attested that was stolen is found by it.
    pub(crate) fn tell(&self, entry: EntryDraft) -> Result<EntryDraft> {
        match &self.used {
            Some(used) => audit::naming(entry, "CAPTURE_ATTESTED", "kid", used.by.as_str()),
            None => Ok(entry),
        }
    }

    /// Writes down that the attestation is used, in the change that records what the call did.
    pub(crate) fn spend(&self, change: &mut Change) {
        if let Some(Used { key, request, .. }) = self.used.as_ref().filter(|_| !self.attested.repeats()) {
            change.put(key.clone(), request.map_or_else(Vec::new, |tag| tag.to_vec()));
        }
    }

    /// Records a request that is repeated, and that its attestation is used, if it has another one than before. Whoever revokes its key
    /// is answered afterwards.
    pub(crate) async fn repeat<O: Kind>(
        &self,
        vault: &Vault,
        silo: &Silo,
        call: &Authorized<O>,
        entry: EntryDraft,
    ) -> Result<()> {
        let _answering = silo.rights().answering().await;
        self.still(vault, silo, call).await?;
        let mut change = Change::audit_of_read();
        self.spend(&mut change);
        change.log(silo.tree, self.tell(entry)?);
        vault.store.commit(change).await?;
        Ok(())
    }

    /// Writes down that the attestation is used where a refusal has somebody erased: it does so once.
    pub(crate) async fn spent_by<T>(&self, vault: &Vault, outcome: Result<T>) -> Result<T> {
        if let Err(Error::Denied(denial)) = &outcome
            && denial.duty.is_some()
            && self.used.is_some()
            && !self.attested.repeats()
        {
            let mut change = Change::new();
            self.spend(&mut change);
            vault.store.commit(change).await?;
        }
        outcome
    }

    /// Looks once more whether the key is trusted: whoever revokes one is answered when no answer rests on it any more. The caller has
    /// a place among those who answer.
    ///
    /// # Errors
    /// `Denied`, logged.
    pub(crate) async fn still<O: Kind>(&self, vault: &Vault, silo: &Silo, call: &Authorized<O>) -> Result<()> {
        match &self.used {
            Some(used) if !silo.signing_keys.trusts(&used.by) => {
                let denial = unbelieved("names a key that was revoked");
                Err(refuse(vault, silo, call, denial).await)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what looked like a repeat of a request, where there is no first answer to give.
    ///
    /// # Errors
    /// `Denied`, logged.
    pub(crate) async fn first<O: Kind>(&self, vault: &Vault, silo: &Silo, call: &Authorized<O>) -> Result<()> {
        if !self.attested.repeats() {
            return Ok(());
        }
        let message = "the attestation was used before, and the request that used it has no answer any more".to_owned();
        let denial = Denial { reason: Reason::AttestationReplayed, obligation: "O6", message, duty: None };
        Err(refuse(vault, silo, call, denial).await)
    }
}

/// Decides whether a capture may be taken: before anything is looked at that is a person's.
///
/// # Errors
/// `Denied`, with the reason, logged.
pub(crate) async fn believe<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    capture: &Capture,
    request: Option<Repeatable<'_>>,
) -> Result<Believed> {
    let read = capture.attestation.as_deref().map(|text| read(silo, text));
    // Nobody asks for the digest of a capture about which nothing was signed.
    let is_signed = matches!(read, Some(Ok(_)));
    let facts = CaptureFacts {
        embedding: if is_signed { digest(capture.received()) } else { [0; 32] },
        model: &capture.model,
        kind: capture.kind,
        quality: capture.quality,
        captured_at: capture.captured_at,
    };
    let (mut used, mut spent) = (None, Spent::Never);
    if let Some(Ok((by, claims))) = &read {
        (used, spent) = take(vault, silo, O::OPERATION.rule().name, (by, claims), request).await?;
    }
    let presented = match &read {
        None => Presented::Nothing,
        Some(Err(why)) => Presented::Unbelieved(why.clone()),
        Some(Ok((_, claims))) => Presented::Believed(said(claims), spent),
    };
    let called = Called::of(call, &silo.id, &vault.audience);
    match attest(called, &silo.policy().attested(), &facts, &presented, vault.clock.now()) {
        Ok(attested) => Ok(Believed { attested, used }),
        Err(denial) => Err(refuse(vault, silo, call, denial).await),
    }
}

/// What an attestation says, if a key that the tenant trusts signed it; else why it is not believed.
fn read(silo: &Silo, text: &str) -> std::result::Result<(KeyId, Claims), String> {
    let id = key_id(text).map_err(|refused| refused.to_string())?;
    let known = silo.signing_keys.find(&id).filter(|key| key.revoked_at.is_none());
    let key = known.ok_or_else(|| "names a key that is not one of the tenant's, or was revoked".to_owned())?;
    let claims = verify(text, &key.key).map_err(|refused| refused.to_string())?;
    Ok((id, claims))
}

fn said(claims: &Claims) -> Said<'_> {
    Said {
        tenant: &claims.tenant,
        audience: &claims.audience,
        capture: CaptureFacts {
            embedding: claims.embedding,
            model: &claims.model,
            kind: claims.kind,
            quality: claims.quality,
            captured_at: claims.captured_at,
        },
        expires_at: claims.expires_at,
        age: claims.age,
        liveness: claims.liveness,
    }
}

/// Takes an attestation for a call, and says whether it was used before. One that another call has is as good as used: that call
/// may still fail, but nobody waits for it.
async fn take(
    vault: &Vault,
    silo: &Silo,
    operation: &str,
    (by, claims): (&KeyId, &Claims),
    request: Option<Repeatable<'_>>,
) -> Result<(Option<Used>, Spent)> {
    let own = vault.keys.own(silo.tree)?;
    // A key's name has no zero byte.
    let name = [by.as_str().as_bytes(), &[0], claims.nonce.as_str().as_bytes()].concat();
    let tag = lethe_crypto::tag::tag(&own, "attestation", &name);
    let request = request.map(|Repeatable { request, of }| {
        // Neither an operation's name nor what it is of has a zero byte.
        let call = [operation.as_bytes(), &[0], of.as_bytes(), &[0], request.as_bytes()].concat();
        lethe_crypto::tag::tag(&own, "attested request", &call)
    });
    let Some(alone) = silo.in_use.take(tag, request).await else { return Ok((None, Spent::Before)) };
    let until = remembered_until(claims.captured_at, claims.expires_at).millis().max(0).unsigned_abs().div_ceil(1000);
    let key = Key::Attestation { tree: silo.tree, until, tag };
    // Whoever had it before has written it down, or did nothing with it.
    let spent = match vault.store.get(&key)? {
        None => Spent::Never,
        Some(by) if request.is_some_and(|tag| by == tag) => Spent::ByThisRequest,
        Some(_) => Spent::Before,
    };
    Ok((Some(Used { by: by.clone(), key, request, _alone: alone }), spent))
}

fn unbelieved(why: &str) -> Denial {
    let message = format!("the attestation {why}");
    Denial { reason: Reason::AttestationInvalid, obligation: "O6", message, duty: None }
}

/// Logs a refusal, about nobody, and gives what the caller is told.
async fn refuse<O: Kind>(vault: &Vault, silo: &Silo, call: &Authorized<O>, denial: Denial) -> Error {
    let logged = match audit::refused(call, denial.reason, vault.clock.now()) {
        Ok(entry) => vault.record(silo.tree, audit::judged_by(entry, Some(silo.policy().version))).await,
        Err(failure) => Err(failure),
    };
    logged.err().unwrap_or(Error::Denied(denial))
}
