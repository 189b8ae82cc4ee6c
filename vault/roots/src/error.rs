//! Why a root store refused or failed: the source of [`lethe_crypto::Error::RootStore`].

use std::time::Duration;

use lethe_crypto::root::RootId;

/// What a root store of this crate can fail with, beyond what the trait names. Each says the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options contradict themselves or the store.
    #[error("{option} {why}")]
    Options {
        /// Which option.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },

    /// The store did not answer in time. What was asked may still happen.
    #[error(
        "no answer within {0:?}; what was asked may still happen, and may be repeated. If it stays so, the device hangs: end this process and start it again"
    )]
    Timeout(Duration),

    /// More calls wait than there is room for, or somebody else uses the device all the time.
    #[error("the device is busy: {0}; repeat the call later")]
    Busy(&'static str),

    /// The thread that spoke to the device is gone.
    #[error("the thread that speaks to the device has ended; the next call starts another")]
    Stopped,

    /// The store is not claimed, but has roots in it.
    #[error(
        "{0} roots are there, but no claim says whose: either the claim was deleted (bring it back), or these names belong to something else (choose others)"
    )]
    UnclaimedRoots(usize),

    /// The device shows a root in a way that none of this crate's writes leaves.
    #[error("root {root} is {what}: somebody else changed it")]
    Tampered {
        /// The root.
        root: RootId,
        /// How it is.
        what: &'static str,
    },

    /// A claim was made, and the token does not show it.
    #[cfg(feature = "pkcs11")]
    #[error("the claim is not there after it was made: the module may be slow to show it; repeat the call later")]
    ClaimUnseen,

    /// No token has the label, or the serial number, that was asked for.
    #[cfg(feature = "pkcs11")]
    #[error("no token with label {label:?}{} is present; present are: {present}", serial.as_ref().map(|serial| format!(" and serial number {serial:?}")).unwrap_or_default())]
    NoToken {
        /// The label.
        label: String,
        /// The serial number, if one was asked for.
        serial: Option<String>,
        /// The labels that are there.
        present: String,
    },

    /// More than one token answers to the label.
    #[cfg(feature = "pkcs11")]
    #[error("{count} tokens have label {label:?}: give the serial number as well")]
    AmbiguousToken {
        /// The label.
        label: String,
        /// How many.
        count: usize,
    },

    /// The token does not do what roots need.
    #[cfg(feature = "pkcs11")]
    #[error("the token does not {0}, which roots need: use another token")]
    UnsuitableToken(&'static str),

    /// The token refused the PIN. It is not tried again, because tokens lock after a few wrong ones.
    #[cfg(feature = "pkcs11")]
    #[error("the token refused the PIN; it is not tried again until the PIN file changes")]
    PinRefused,

    /// Several PINs were refused, one after the other. Another would bring the token nearer to its lock.
    #[cfg(feature = "pkcs11")]
    #[error(
        "the token refused {count} PINs since the last login; none is tried any more until somebody has logged in elsewhere with the right one, where the token shows that, or {} is removed", file.display()
    )]
    PinsRefused {
        /// How many.
        count: u32,
        /// Where they are counted.
        file: std::path::PathBuf,
    },

    /// One more wrong PIN would lock the token.
    #[cfg(feature = "pkcs11")]
    #[error(
        "the token says that one more wrong PIN locks it, so none is tried: log in elsewhere with the right one, which clears that"
    )]
    PinFinalTry,

    /// The token is locked.
    #[cfg(feature = "pkcs11")]
    #[error("the token has locked its user PIN after wrong ones: the security officer must set it anew")]
    PinLocked,

    /// The module does not start, be it the first time or to look for a lost token anew.
    #[cfg(feature = "pkcs11")]
    #[error("the PKCS#11 module does not start: are the token, and the way to it, there?")]
    NoStart(#[source] cryptoki::error::Error),

    /// A PKCS#11 call failed.
    #[cfg(feature = "pkcs11")]
    #[error("the PKCS#11 module")]
    Pkcs11(#[source] cryptoki::error::Error),

    /// The server cannot be reached, or broke off.
    #[cfg(feature = "transit")]
    #[error("no connection to {address}: is the server up, and the address right?")]
    Connection {
        /// Where it should be.
        address: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The server is sealed, in standby without forwarding, or not initialised.
    #[cfg(feature = "transit")]
    #[error("the server answers {status}: it is sealed, in standby or overloaded; unseal it, or wait")]
    Unavailable {
        /// HTTP status.
        status: u16,
    },

    /// The token is not valid any more, or its policy is too narrow.
    #[cfg(feature = "transit")]
    #[error("the server forbids {path}: renew the token in the token file, or extend its policy")]
    Denied {
        /// API path.
        path: String,
    },

    /// The server answers something that this crate does not expect.
    #[cfg(feature = "transit")]
    #[error("{path} answers {status}: {what}")]
    Answer {
        /// API path.
        path: String,
        /// HTTP status.
        status: u16,
        /// The server's words, or what is wrong with its answer.
        what: String,
    },

    /// A TPM command failed.
    #[cfg(feature = "tpm")]
    #[error("the TPM")]
    Tpm(#[source] tss_esapi::Error),

    /// The TPM refused an authorisation.
    #[cfg(feature = "tpm")]
    #[error("the TPM refused the {0}: these are not the values that the store was made with")]
    AuthRefused(&'static str),

    /// Another root, or claim, so soon would wear the TPM's memory out.
    #[cfg(feature = "tpm")]
    #[error("the TPM's memory endures a limited number of writes: the next one may be made in {0:?}")]
    TooSoon(Duration),
}

impl Error {
    /// As the trait's methods give it.
    pub(crate) fn during(self, action: &'static str) -> lethe_crypto::Error {
        lethe_crypto::Error::RootStore { action, source: Box::new(self) }
    }

    /// How long to wait, if a TPM asks for that.
    #[cfg(feature = "tpm")]
    pub(crate) fn too_soon(error: &lethe_crypto::Error) -> Option<Duration> {
        let source = std::error::Error::source(error)?;
        if let Self::TooSoon(wait) = source.downcast_ref::<Self>()? { Some(*wait) } else { None }
    }

    #[allow(dead_code, reason = "not every feature has options to refuse")]
    pub(crate) fn option(option: &'static str, why: impl Into<String>) -> lethe_crypto::Error {
        Self::Options { option, why: why.into() }.during("checking its options")
    }
}
