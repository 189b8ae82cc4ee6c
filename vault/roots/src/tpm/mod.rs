//! Roots in the non-volatile memory of a TPM 2.0: 32 random bytes in an NV index each.
//!
//! TPMs cannot encrypt much, so the vault key is wrapped in this process, as the file store does it, with a root
//! that is read for just as long. An index can be read and written with its authorisation value alone, not by
//! the TPM's owner; the value is derived from a file. Every command runs in one HMAC session, which proves
//! that the value is known without showing it, and encrypts the first parameter either way (AES-128-CFB), so
//! that neither roots nor authorisations can be read on the bus. The session is salted with a key that the TPM
//! makes for it. Destroying a root overwrites its key, undefines the index, and reads that it is gone.
//!
//! The claim is an index of its own. A change is guarded by the TPM itself: the session is an *exclusive
//! audit session*. It becomes exclusive when an operation begins to look, and every later command of the
//! operation is refused by the TPM (`TPM_RC_EXCLUSIVE`) if any other command, of anybody, came in between;
//! then the operation begins anew. So what was seen of claim and roots is true until the change is made:
//! a compare-and-swap, without a lock that a crash would leave behind. Resource managers keep to that: what
//! they send on their own account does not count as a command in between. An operation that is disturbed
//! goes on trying for half of the time its caller waits.
//!
//! # What it cannot promise
//! * That memory wears out. Each epoch writes five times (define, root, mark, overwrite, undefine), each start
//!   once or twice (the claim), of which four in a row are free and the others a minute apart. Parts stand some 100 000 writes. [`TpmRootStore::min_interval`] is the least time between
//!   two roots, an hour unless set otherwise, which is eleven years; `create` refuses to be faster.
//! * How the chip erases an index that is undefined is its maker's secret. Receipts carry
//!   `WEAR_LEVELLING_POSSIBLE`.
//! * A virtual TPM's state is a file on the host, with all its copies and snapshots, and a firmware TPM's is in the
//!   board's flash. Receipts carry `ROOT_DEVICE_VIRTUAL` and `ROOT_STORE_RETAINS_DELETED` unless the chip says it
//!   was made by one of the known makers of discrete ones. A host that lies about that is believed.
//! * Whoever is the TPM's owner can undefine every index, and so destroy the vault; set an owner authorisation.
//! * Roots pass through buffers of the TSS library, which does not wipe them. The server wipes what is given back to its heap
//!   (`index/shim/heap.cpp`), and the stack of the thread that speaks to the TPM; another program would have to.
//! * The library writes every refusal of the TPM to standard error, expected or not, unless the environment says
//!   `TSS2_LOG=all+none`; it writes no secrets there.

mod link;
mod options;
mod sight;
mod store;

use std::time::Duration;

use async_trait::async_trait;
use lethe_crypto::Result;
use lethe_crypto::root::{Claim, Evidence, Incarnation, Medium, RootId, RootStore, StoreKind, VaultId};
use lethe_crypto::secret::VaultKey;

pub use options::TpmOptions;

use self::store::Device;
use crate::Error;
use crate::worker::Worker;

/// A root store in a TPM.
pub struct TpmRootStore {
    device: Worker<Device>,
    medium: Medium,
    min_interval: Duration,
}

impl TpmRootStore {
    /// Connects to the TPM and starts a session. Blocks.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::Permissions`] or [`lethe_crypto::Error::Io`] for the files;
    /// [`lethe_crypto::Error::RootStore`] with an [`Error`] as its source.
    pub fn open(options: TpmOptions) -> Result<Self> {
        options.check()?;
        let (timeout, min_interval) = (options.timeout, options.min_interval);
        let (device, medium) = Worker::start("lethe-tpm", timeout, move || Device::open(options.clone()))?;
        Ok(Self { device, medium, min_interval })
    }

    /// The least time between two roots: epochs must not be shorter.
    #[must_use]
    pub fn min_interval(&self) -> Duration {
        self.min_interval
    }
}

#[async_trait]
impl RootStore for TpmRootStore {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let known = known.to_vec();
        loop {
            let known = known.clone();
            match self.device.call("claiming", move |device| device.claim(vault, &known, next)).await {
                Err(error) => match Error::too_soon(&error) {
                    Some(wait) => {
                        tracing::info!(?wait, "the vault is started often, and the TPM's memory must last");
                        tokio::time::sleep(wait).await;
                    }
                    None => return Err(error),
                },
                claimed => return claimed,
            }
        }
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        self.device.call("reading the claim", Device::claimed).await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        let claim = *claim;
        self.device.call("creating a root", move |device| device.create(&claim)).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let (claim, context) = (*claim, context.to_vec());
        // A copy that is wiped wherever the thread leaves it.
        let key = VaultKey::from_root_store(key.to_root_store())?;
        self.device.call("wrapping", move |device| device.wrap(&claim, root, &key, &context)).await
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let (wrapped, context) = (wrapped.to_vec(), context.to_vec());
        self.device.call("unwrapping", move |device| device.unwrap(root, &wrapped, &context)).await
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        let claim = *claim;
        let was_absent = self.device.call("destroying a root", move |device| device.destroy(&claim, root)).await?;
        Ok(Evidence { store: StoreKind::Tpm, root, replicas: 1, was_absent, medium: self.medium.clone() })
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        self.device.call("listing roots", Device::epochs).await
    }

    fn medium(&self) -> Medium {
        self.medium.clone()
    }
}

impl std::fmt::Debug for TpmRootStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TpmRootStore")
            .field("medium", &self.medium)
            .field("min_interval", &self.min_interval)
            .finish_non_exhaustive()
    }
}
