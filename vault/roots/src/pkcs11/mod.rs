//! Roots in a PKCS#11 token: one AES-256 key object each, which never leaves it.
//!
//! A root's `CKA_ID` is its random root id. It is made by `C_GenerateKey` as a private, sensitive token object
//! that is neither extractable nor copyable; the store reads back that the token took it so. The vault key is
//! wrapped by `C_Encrypt` with AES-GCM, the context as associated data. GCM does not commit to its key, so 32
//! zero bytes precede the vault key and are checked on the way back: no other root opens the blob to a key.
//!
//! The claim, and a mark for each root that has wrapped, are private data objects (`CKO_DATA`) beside the
//! keys. A mark is durable before the blob exists. After wrapping, the key's `CKA_ENCRYPT` is taken away, too,
//! if the token allows that: then the token itself refuses a second time.
//!
//! # What PKCS#11 cannot promise
//! * It has no compare-and-swap. A new claim is a new object with the next sequence number, looked at again
//!   after it was made: who finds another with that number or a higher one takes its own back. So of two
//!   writers that claim at once and see each other, at most one wins. A module may be slow to show what others wrote: SoftHSM
//!   counts the changes to a token, and takes another process's for its own when it makes one itself. Then both believe that they
//!   have won, until the next look tells one of them that it has not. But that a claim is current, and the change it allows, are
//!   two calls. Between them, for milliseconds, another writer may claim; a root that was made so is
//!   destroyed again, a root that was destroyed so stays destroyed. The vault's own order of events makes
//!   that harmless: only roots of epochs that were left are ever destroyed.
//! * Nodes of a cluster copy objects to each other with a delay, in which two writers at two nodes may both
//!   win. Point all servers of a vault at one node.
//! * `C_DestroyObject` says nothing of the medium, and clusters keep backups of their own: receipts carry
//!   `ROOT_STORE_KEEPS_BACKUPS`, unless the operator vouches for a token that stands alone.
//! * A module's own copies of the vault key, in this process's memory, are the module's to wipe. What it gives back to the heap
//!   the server wipes, and the stack of the thread that calls it.

mod claims;
mod module;
mod objects;
mod options;
mod refused;
mod roots;
mod session;

use async_trait::async_trait;
use lethe_crypto::Result;
use lethe_crypto::root::{Claim, Evidence, Incarnation, Medium, RootId, RootStore, StoreKind, VaultId};
use lethe_crypto::secret::VaultKey;

pub use options::Pkcs11Options;

use self::session::Token;
use crate::worker::Worker;

/// A root store in a PKCS#11 token.
pub struct Pkcs11RootStore {
    token: Worker<Token>,
    medium: Medium,
}

impl Pkcs11RootStore {
    /// Loads the module, finds the token and logs in. Blocks.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::Permissions`] or [`lethe_crypto::Error::Io`] for the PIN file;
    /// [`lethe_crypto::Error::RootStore`] with an [`Error`](crate::Error) as its source.
    pub fn open(options: Pkcs11Options) -> Result<Self> {
        options.check()?;
        let timeout = options.timeout;
        let (token, medium) = Worker::start("lethe-pkcs11", timeout, move || Token::open(options.clone()))?;
        Ok(Self { token, medium })
    }
}

#[async_trait]
impl RootStore for Pkcs11RootStore {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let (action, known) = ("claiming", known.to_vec());
        self.token.call(action, move |token| token.repeat(action, |session| session.claim(vault, &known, next))).await
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        let action = "reading the claim";
        self.token.call(action, move |token| token.repeat(action, |session| session.claimed())).await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        let (action, claim) = ("creating a root", *claim);
        self.token.call(action, move |token| token.once(action, |session| session.create(&claim))).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let (action, claim, context) = ("wrapping", *claim, context.to_vec());
        // A copy that is wiped wherever the thread leaves it.
        let key = VaultKey::from_root_store(key.to_root_store())?;
        self.token
            .call(action, move |token| token.once(action, |session| session.wrap(&claim, root, &key, &context)))
            .await
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let (action, wrapped, context) = ("unwrapping", wrapped.to_vec(), context.to_vec());
        self.token
            .call(action, move |token| token.repeat(action, |session| session.unwrap(root, &wrapped, &context)))
            .await
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        let (action, claim) = ("destroying a root", *claim);
        let destroy = move |token: &mut Token| {
            let mut was_absent = true;
            token.repeat(action, |session| session.destroy(&claim, root, &mut was_absent))?;
            Ok(was_absent)
        };
        let was_absent = self.token.call(action, destroy).await?;
        Ok(Evidence { store: StoreKind::Pkcs11, root, replicas: 1, was_absent, medium: self.medium.clone() })
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        let action = "listing roots";
        self.token.call(action, move |token| token.repeat(action, |session| session.epochs())).await
    }

    fn medium(&self) -> Medium {
        self.medium.clone()
    }
}

impl std::fmt::Debug for Pkcs11RootStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pkcs11RootStore").field("medium", &self.medium).finish_non_exhaustive()
    }
}
