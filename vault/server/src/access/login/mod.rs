//! Logins: tokens of identity providers (OpenID Connect), believed by the JWK sets that the configuration names. The vault asks
//! nobody: no connection goes out, and what is not in the files does not count.

mod file;
mod jwks;
mod provider;
mod signature;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Header, decode_header};
use lethe_domain::{Login, Timestamp};
use lethe_policy::Owner;
use parking_lot::{Mutex, RwLock};
use tokio::sync::MutexGuard;

pub use file::ProvidersError;
use file::Texts;
use provider::Provider;
pub use provider::{Disbelief, Proven, Weight};

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
    providers: RwLock<Arc<Vec<Provider>>>,
    read: Mutex<Read>,
    /// Held by who makes a credential of a login: of two at once, both would find that there is none.
    alone: tokio::sync::Mutex<()>,
}

/// What was read of the files.
#[derive(Default)]
struct Read {
    /// What counts.
    texts: Option<Texts>,
    /// Why what is there now does not.
    fault: Option<ProvidersError>,
}

/// How the identity providers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many are believed.
    pub providers: usize,
    /// Whether the files, as they are now, cannot be used: what they said before counts.
    pub is_stale: bool,
}

impl Logins {
    /// Reads the file of providers; without one, nobody is believed.
    ///
    /// # Errors
    /// Names the file, and in it the key that is wrong.
    pub fn open(path: Option<&Path>) -> Result<Self, ProvidersError> {
        signature::install();
        let logins = Self { path: path.map(Path::to_owned), ..Self::default() };
        logins.take_in()?;
        Ok(logins)
    }

    /// Holds off whoever else would make a credential of a login.
    pub async fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().await
    }

    /// How they stand; `None` where the configuration names none.
    pub fn standing(&self) -> Option<Standing> {
        self.path.as_ref()?;
        Some(Standing { providers: self.providers.read().len(), is_stale: self.read.lock().fault.is_some() })
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
        let providers = Arc::clone(&self.providers.read());
        // Whose key it names is found out by the key: nothing that a token says counts before it is verified. Names of keys
        // may be the same at two providers.
        let mut failed = Disbelief::Key;
        for provider in providers.iter() {
            let Some(key) = provider.key(id, header.alg) else { continue };
            match provider.verify(token, &header, key) {
                Ok(proven) => {
                    let weight = provider.weigh(&proven, now)?;
                    let login = Login::parse("login", proven.issuer(), proven.subject());
                    return Ok((login.map_err(|_| Disbelief::Malformed)?, proven, weight));
                }
                Err(disbelief) => failed = disbelief,
            }
        }
        Err(failed)
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
        let before = self.read.lock().fault.clone();
        match self.take_in() {
            Ok(true) => tracing::info!(providers = self.providers.read().len(), "identity providers were read again"),
            Ok(false) if before.is_some() => tracing::info!("identity providers are as they were before"),
            Ok(false) => {}
            Err(fault) if before.as_ref() == Some(&fault) => {}
            Err(fault) => tracing::warn!(%fault, "identity providers are not read; what they were before counts"),
        }
    }

    /// Looks again and again, for as long as the task lasts.
    pub async fn watch(self: Arc<Self>) {
        if self.path.is_none() {
            return;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let logins = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || logins.look()).await.is_err() {
                return;
            }
        }
    }

    fn take_in(&self) -> Result<bool, ProvidersError> {
        let Some(path) = &self.path else { return Ok(false) };
        let mut read = self.read.lock();
        match file::read(path, read.texts.as_ref()) {
            Ok(changed) => {
                read.fault = None;
                let Some((texts, providers)) = changed else { return Ok(false) };
                read.texts = Some(texts);
                *self.providers.write() = Arc::new(providers);
                Ok(true)
            }
            Err(fault) => {
                read.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }

    fn with<T>(&self, issuer: &str, use_it: impl FnOnce(&Provider) -> T) -> Option<T> {
        let providers = Arc::clone(&self.providers.read());
        providers.iter().find(|provider| provider.issuer == issuer).map(use_it)
    }
}

/// The name of the key that a header says, if it is one of a token that could be believed.
fn checked(header: &Header) -> Result<&str, Disbelief> {
    let is_token = header.typ.as_ref().is_none_or(|said| TYPES.iter().any(|known| known.eq_ignore_ascii_case(said)));
    let is_extended = header.crit.is_some() || header.cty.is_some() || header.enc.is_some() || header.zip.is_some();
    if !is_token || is_extended {
        return Err(Disbelief::Type);
    }
    if !signature::ALGORITHMS.contains(&header.alg) {
        return Err(Disbelief::Algorithm);
    }
    header.kid.as_deref().ok_or(Disbelief::Key)
}
