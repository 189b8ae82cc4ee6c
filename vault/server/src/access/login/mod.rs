//! Logins: tokens of identity providers (OpenID Connect), believed by the JWK sets that the configuration names. The vault asks
//! nobody: no connection goes out, and what is not in the files does not count.

mod file;
mod jwks;
mod provider;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonwebtoken::{Header, decode_header};
use lethe_attestation::jose;
use lethe_domain::{Login, Timestamp};
use lethe_policy::Owner;
use parking_lot::RwLock;
use tokio::sync::MutexGuard;

pub use file::ProvidersError;
use file::State;
pub use provider::{Disbelief, Proven, Weight};
use provider::{Provider, said_issuer};

/// The longest token, in bytes.
const LONGEST: usize = 8192;
/// How often it is looked whether the files changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What a token may say that it is, if it says so: a token of OpenID Connect, or an access token (RFC 9068).
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// The identity providers that are believed.
#[derive(Default)]
pub struct Logins {
    path: Option<PathBuf>,
    /// What was read of the files. It is locked for as long as it takes to compare and replace it, and never to read a file.
    state: RwLock<Arc<State>>,
    is_stale: AtomicBool,
    /// Held by who makes a credential of a login: of two at once, both would find that there is none.
    alone: tokio::sync::Mutex<()>,
}

/// How the identity providers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many are believed.
    pub providers: usize,
    /// Whether one of the files, as it is now, cannot be used: what it said before counts.
    pub is_stale: bool,
}

impl Logins {
    /// Reads the file of providers; without one, nobody is believed. A provider whose set of keys is wrong has none.
    ///
    /// # Errors
    /// Names the file, and in it the key that is wrong.
    pub fn open(path: Option<&Path>) -> Result<Self, ProvidersError> {
        jose::install();
        let Some(path) = path else { return Ok(Self::default()) };
        let state = file::read(path, &State::default())?;
        tell(&State::default(), &state);
        let is_stale = AtomicBool::new(state.faults().next().is_some());
        let state = RwLock::new(Arc::new(state));
        Ok(Self { path: Some(path.to_owned()), state, is_stale, ..Self::default() })
    }

    /// Holds off whoever else would make a credential of a login.
    pub async fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().await
    }

    /// How they stand; `None` where the configuration names none.
    pub fn standing(&self) -> Option<Standing> {
        self.path.as_ref()?;
        Some(Standing { providers: self.providers().len(), is_stale: self.is_stale.load(Ordering::Relaxed) })
    }

    /// Whether there is a provider of this issuer that may say who somebody of these is.
    pub fn may_speak(&self, issuer: &str, owner: &Owner) -> bool {
        self.with(issuer, |provider| provider.speaks_for(owner)).unwrap_or(false)
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<(Login, Proven, Weight), Disbelief> {
        if token.len() > LONGEST {
            return Err(Disbelief::TooLong);
        }
        let header = decode_header(token).map_err(|_| Disbelief::Malformed)?;
        let id = checked(&header)?;
        // One provider is tried at most. That it is the token's is known once the signature is verified, and `iss` with it.
        let (providers, issuer) = (self.providers(), said_issuer(token)?);
        let provider = providers.iter().find(|provider| provider.issuer == issuer).ok_or(Disbelief::Issuer)?;
        let key = provider.key(id, header.alg).ok_or(Disbelief::Key)?;
        let proven = provider.verify(token, &header, key)?;
        let weight = provider.weigh(&proven, now)?;
        let login = Login::parse("login", proven.issuer(), proven.subject()).map_err(|_| Disbelief::Malformed)?;
        Ok((login, proven, weight))
    }

    /// What of a token that was verified counts by now: it may be over, and its provider, or its key, may be gone.
    ///
    /// # Errors
    /// Why it is not believed any more.
    pub fn weigh(&self, proven: &Proven, now: Timestamp) -> Result<Weight, Disbelief> {
        self.with(proven.issuer(), |provider| provider.weigh(proven, now)).unwrap_or(Err(Disbelief::Issuer))
    }

    /// Looks whether the files changed. What is wrong does not count, and is told once.
    pub fn look(&self) {
        let Some(path) = &self.path else { return };
        let before = Arc::clone(&self.state.read());
        // What was read before is there to fall back on.
        let Ok(after) = file::read(path, &before) else { return };
        let after = Arc::new(after);
        {
            let mut state = self.state.write();
            if !Arc::ptr_eq(&state, &before) {
                // Somebody else looked meanwhile.
                return;
            }
            *state = Arc::clone(&after);
            self.is_stale.store(after.faults().next().is_some(), Ordering::Relaxed);
        }
        tell(&before, &after);
    }

    /// Looks again and again, for as long as the task lasts.
    pub async fn watch(self: Arc<Self>) {
        if self.path.is_none() {
            return;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if !self.look_apart(Self::look).await {
                return;
            }
        }
    }

    /// Looks on a thread that may wait. A look that is lost is no reason not to look again; only a runtime's end is.
    async fn look_apart(self: &Arc<Self>, look: impl FnOnce(&Self) + Send + 'static) -> bool {
        let logins = Arc::clone(self);
        match tokio::task::spawn_blocking(move || look(&logins)).await {
            Ok(()) => true,
            Err(lost) if lost.is_panic() => {
                self.is_stale.store(true, Ordering::Relaxed);
                tracing::warn!(%lost, "identity providers could not be looked at; what they were before counts");
                true
            }
            Err(_) => false,
        }
    }

    fn providers(&self) -> Arc<Vec<Provider>> {
        Arc::clone(&self.state.read().providers)
    }

    fn with<T>(&self, issuer: &str, use_it: impl FnOnce(&Provider) -> T) -> Option<T> {
        self.providers().iter().find(|provider| provider.issuer == issuer).map(use_it)
    }
}

/// Tells what is new.
fn tell(before: &State, after: &State) {
    for fault in after.faults().filter(|fault| before.faults().all(|other| other != *fault)) {
        tracing::warn!(%fault, "identity providers are not read whole; what counts of it is what was there before");
    }
    for open in after.open.iter().filter(|open| !before.open.contains(open)) {
        tracing::warn!(%open, "whoever writes there decides whose logins are believed");
    }
    if !Arc::ptr_eq(&before.providers, &after.providers) {
        tracing::info!(providers = after.providers.len(), "identity providers were read");
    } else if before.faults().next().is_some() && after.faults().next().is_none() {
        tracing::info!("identity providers are as they were before");
    }
}

/// The name of the key that a header says, if it is one of a token that could be believed.
fn checked(header: &Header) -> Result<&str, Disbelief> {
    let is_token = header.typ.as_ref().is_none_or(|said| TYPES.iter().any(|known| known.eq_ignore_ascii_case(said)));
    let is_extended = header.crit.is_some() || header.cty.is_some() || header.enc.is_some() || header.zip.is_some();
    if !is_token || is_extended {
        return Err(Disbelief::Type);
    }
    if !jose::ALGORITHMS.contains(&header.alg) {
        return Err(Disbelief::Algorithm);
    }
    header.kid.as_deref().ok_or(Disbelief::Key)
}
