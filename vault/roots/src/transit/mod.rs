//! Roots in the transit engine of OpenBao or Vault: one named key each, which never leaves the server.
//!
//! A root is a key of type `aes256-gcm96`, named `<name>-<root id>`, not exportable, without plaintext backup
//! and without rotation; the store reads back that it is so. The vault key is wrapped by `encrypt` with the
//! context as associated data, behind 32 zero bytes that commit the blob to its root (GCM alone does not).
//! Destroying allows the deletion of the key, deletes it, and reads that it is gone. Versions of one key would
//! not do: a refusal by `min_decryption_version` proves nothing.
//!
//! The *register* is a KV v2 secret, `<name>/roots`: the claim, and how far each root has come. Every change of
//! a root begins with a check-and-set of the register, which is a true compare-and-swap; so a writer that was
//! fenced out gets no further than that. A root whose destruction has begun is not unwrapped any more, so
//! it does not matter if the deletion comes late.
//!
//! # What it cannot promise
//! * Raft snapshots and backups of the server's storage outlive a deleted key; so does its storage, where the
//!   entry is deleted but not overwritten, sealed under the barrier key, which lives on. Receipts carry
//!   `ROOT_STORE_KEEPS_BACKUPS` and `ROOT_STORE_RETAINS_DELETED`.
//! * The vault key crosses the wire when it is wrapped and unwrapped, inside TLS, and stands in the memory of
//!   both sides' TLS and HTTP libraries until that is used again. What this module holds itself is wiped.
//! * Whoever may change the policy of the token, or is root of the server, can read and destroy everything.
//!
//! # The policy that the token needs
//! With the default mounts and the name `lethe`:
//!
//! ```text
//! path "transit/keys"                { capabilities = ["list"] }
//! path "transit/keys/lethe-*"        { capabilities = ["create", "read", "update", "delete"] }
//! path "transit/encrypt/lethe-*"     { capabilities = ["update"] }
//! path "transit/decrypt/lethe-*"     { capabilities = ["update"] }
//! path "secret/data/lethe/roots"     { capabilities = ["create", "read", "update"] }
//! ```
//!
//! `encrypt` must not be given `create`: the server would make a key that does not exist.
//!
//! The crate `vaultrs` is not used: it keeps the token in plain strings, reads it once, and hands plaintexts
//! out in strings that nobody wipes. What is needed of HTTP is a page of code.

mod api;
mod http;
mod options;
mod register;
mod roots;

use async_trait::async_trait;
use lethe_crypto::Result;
use lethe_crypto::root::{
    Claim, Evidence, Incarnation, Medium, MediumStatement, RootId, RootStore, StoreKind, VaultId,
};
use lethe_crypto::secret::VaultKey;

pub use options::TransitOptions;

use self::api::Api;

/// A root store in a transit engine.
pub struct TransitRootStore {
    api: Api,
}

impl TransitRootStore {
    /// Reads the authorities and the token. The server is first spoken to by the first call, and by each anew:
    /// it may be down in between.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::Permissions`] or [`lethe_crypto::Error::Io`] for the files;
    /// [`lethe_crypto::Error::RootStore`] with an [`Error`](crate::Error) as its source.
    pub fn open(options: TransitOptions) -> Result<Self> {
        Ok(Self { api: Api::new(options)? })
    }
}

#[async_trait]
impl RootStore for TransitRootStore {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        self.api.claim(vault, known, next).await
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        self.api.claimed().await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        self.api.create(claim).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        self.api.wrap(claim, root, key, context).await
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        self.api.unwrap(root, wrapped, context).await
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        let was_absent = self.api.destroy(claim, root).await?;
        Ok(Evidence { store: StoreKind::Transit, root, replicas: 1, was_absent, medium: self.medium() })
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        self.api.epochs().await
    }

    fn medium(&self) -> Medium {
        [MediumStatement::KeepsBackups, MediumStatement::RetainsDeleted].into_iter().collect()
    }
}

impl std::fmt::Debug for TransitRootStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransitRootStore").field("options", self.api.options()).finish_non_exhaustive()
    }
}
