//! Erasable root stores beyond a file, each an implementation of
//! [`RootStore`](lethe_crypto::root::RootStore):
//!
//! | module | feature | a root is | wrapped | what it needs |
//! |---|---|---|---|---|
//! | [`pkcs11`] | `pkcs11` | an AES key object of a token | in the token | the token's PKCS#11 module, at run time |
//! | [`transit`] | `transit` | a named transit key of OpenBao or Vault | in the server | transit and KV v2 mounts |
//! | [`tpm`] | `tpm` | 32 bytes in an NV index | in this process | `libtss2-dev` at build time |
//!
//! All features are on by default. A build without `tpm` needs no TSS library; the others link nothing.
//!
//! All three are opened from an `Options` struct by a blocking `open`, are fenced by the claim (vault,
//! incarnation) that they keep beside their roots, and state what their medium cannot promise. What they
//! cannot do is said in each module, too: no interface lets one see the medium beneath it, and tests run
//! against SoftHSM, a development server and swtpm, which show the protocol and not a medium.
//!
//! A store may be down, slow, or answer when the question is long forgotten: every call has a deadline, its
//! failure leaves open whether it took effect, and repeating it is right. Only `wrap` is not repeated: it
//! gives [`AlreadyWrapped`](lethe_crypto::Error::AlreadyWrapped), and the epoch begins anew with another root.
#![forbid(unsafe_code)]

/// A durable step, at which crash tests have the process end. A panic would end the thread that owns the device, and another
/// would take its place. Without the feature of the crate `fail` there is nothing here.
#[cfg(any(feature = "pkcs11", feature = "transit", feature = "tpm"))]
macro_rules! step {
    ($name:literal) => {
        fail::fail_point!($name, |_| std::process::abort())
    };
}

mod error;
#[cfg(any(feature = "pkcs11", feature = "transit", feature = "tpm", feature = "fuzzing"))]
mod formats;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(any(feature = "pkcs11", feature = "transit", feature = "tpm"))]
mod secret_file;
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
mod worker;

#[cfg(feature = "pkcs11")]
pub mod pkcs11;
#[cfg(feature = "tpm")]
pub mod tpm;
#[cfg(feature = "transit")]
pub mod transit;

pub use error::Error;
