//! Erasable root stores: the only place where something must physically be erased.
//!
//! A root wraps exactly one blob, the vault key of one epoch. Destroying the root makes that blob, and
//! with it every page and every record that only the old tree leads to, unreadable for ever.

mod claim;
mod evidence;
mod file;
mod incarnation;
mod medium;
mod migrating;
mod wrapping;

use std::fmt;

use async_trait::async_trait;

pub use claim::Claim;
pub use evidence::{Evidence, StoreKind};
#[cfg(feature = "fuzzing")]
pub(crate) use file::fuzzing;
pub use file::{FileRootReader, FileRootStore, FileRootStoreOptions, ReplicaAbandonment, ReplicaState, RootSeal};
pub use incarnation::Incarnation;
pub use medium::{Medium, MediumStatement};
pub use migrating::MigratingRootStore;

use crate::error::Result;
use crate::secret::VaultKey;

/// Declares a 16-byte random identifier, and what makes one of random bytes; none of them is a secret.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident $(, $made:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = 16;

            /// A new one.
            ///
            /// # Errors
            /// [`crate::Error::Random`].
            pub fn random() -> crate::Result<Self> {
                crate::random::Random::public(&crate::random::System).map(Self)$(.map(Self::$made))?
            }

            /// From the bytes of one.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;

            fn from_str(text: &str) -> crate::Result<Self> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| crate::Error::corrupt(stringify!($name), "not 32 hexadecimal digits"))?;
                Ok(Self(bytes))
            }
        }
    };
}
use identifier;

identifier! {
    /// Names a vault for its whole life, over restores and migrations.
    VaultId
}

identifier! {
    /// Names a root: the random id of an epoch.
    RootId
}

/// Keeps roots and can destroy them for good.
///
/// Every call may block for seconds, or fail and be repeated. All changes are fenced: they fail with
/// [`crate::Error::Fenced`] unless the claim is the store's current one.
#[async_trait]
pub trait RootStore: Send + Sync {
    /// Compare-and-swap of the vault's incarnation: from any of those that are `known` for its own to `next`.
    /// Succeeds, changing nothing, if the store holds `next` already. An unclaimed store accepts whoever knows of
    /// no claim yet, and nobody else.
    ///
    /// # Errors
    /// As [`RootStore::admits`].
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()>;

    /// The claim the store holds; of two between which a vault moves, the one that counts.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn claimed(&self) -> Result<Option<Claim>>;

    /// Every claim that is held, as it stands there: more than one only while a vault moves.
    ///
    /// # Errors
    /// If one cannot be read.
    async fn claims(&self) -> Result<Vec<Claim>> {
        Ok(self.claimed().await?.into_iter().collect())
    }

    /// Would [`RootStore::claim`] let this vault in? Only looks.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] if the store holds an incarnation that is not known;
    /// [`crate::Error::ForeignVault`] if another vault claimed it; [`crate::Error::Unclaimed`] if nobody did, but
    /// somebody should have; [`crate::Error::UnderWay`] and [`crate::Error::Superseded`] where a vault moves, or has.
    async fn admits(&self, vault: VaultId, known: &[Incarnation]) -> Result<()> {
        Claim::admit(self.claimed().await?, vault, known)
    }

    /// Makes a new root with a new random id, durable before this returns.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`], [`crate::Error::RootStoreFull`].
    async fn create(&self, claim: &Claim) -> Result<RootId>;

    /// Wraps a vault key. A root wraps once, ever; that it did is durable before this returns. `context`
    /// is bound to the blob and needed to unwrap it.
    ///
    /// # Errors
    /// [`crate::Error::AlreadyWrapped`], [`crate::Error::Fenced`], [`crate::Error::NoSuchRoot`].
    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>>;

    /// Opens what [`RootStore::wrap`] gave.
    ///
    /// # Errors
    /// [`crate::Error::NoSuchRoot`]; [`crate::Error::NotAuthentic`] if the blob or its context is another.
    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey>;

    /// Destroys a root in every place the store keeps it, and reads back that it is gone. May be repeated:
    /// after a failure half-way, and for a root that is gone already.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`]; or if the root may still be somewhere.
    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence>;

    /// Every root that exists, in any replica, in any state; in ascending order.
    ///
    /// # Errors
    /// If not every replica can be read.
    async fn epochs(&self) -> Result<Vec<RootId>>;

    /// What the medium can promise, for receipts.
    fn medium(&self) -> Medium;
}

#[async_trait]
impl<T: RootStore + ?Sized> RootStore for std::sync::Arc<T> {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        (**self).claim(vault, known, next).await
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        (**self).claimed().await
    }

    async fn claims(&self) -> Result<Vec<Claim>> {
        (**self).claims().await
    }

    async fn admits(&self, vault: VaultId, known: &[Incarnation]) -> Result<()> {
        (**self).admits(vault, known).await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        (**self).create(claim).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        (**self).wrap(claim, root, key, context).await
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        (**self).unwrap(root, wrapped, context).await
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        (**self).destroy(claim, root).await
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        (**self).epochs().await
    }

    fn medium(&self) -> Medium {
        (**self).medium()
    }
}
