//! Roots in a file: the store that needs nothing but a disk.
//!
//! The file is a row of blocks that are overwritten in place and synced. Each replica holds the same; a
//! root is made and destroyed on all of them or the call fails. A root that any replica still has counts
//! as existing, so a destruction that failed half-way is simply repeated.
//!
//! It cannot promise what its medium does not: see [`MediumStatement`]. Calls block the thread for a few
//! synced writes.

mod abandon;
mod device;
mod inspect;
mod layout;
mod open;
mod passphrase;
mod replica;

use std::path::PathBuf;

use async_trait::async_trait;
use parking_lot::Mutex;

pub use abandon::ReplicaAbandonment;
pub use inspect::{FileRootReader, ReplicaState};
pub use open::{FileRootStoreOptions, RootSeal};

use self::layout::{Header, Root, SLOTS, Slot, Use};
use self::replica::{Image, Replica};
use super::evidence::{Evidence, StoreKind};
use super::medium::{Medium, MediumStatement};
use super::wrapping::Wrapping;
use super::{Claim, Incarnation, RootId, RootStore, VaultId};
use crate::error::{Error, Result};
use crate::random::System;
use crate::secret::{RootCredential, RootKey, VaultKey};

/// Blocks, read and written again.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use super::layout::{self, Header, Slot};
    use crate::error::Result;

    pub(crate) fn header(block: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(Header::decode(block)?.map(|header| header.encode().to_vec()))
    }

    pub(crate) fn slot(block: &[u8]) -> Result<Option<Vec<u8>>> {
        match layout::slot(block)? {
            Slot::Root(root) => Ok(Some(root.encode().to_vec())),
            Slot::Free | Slot::Damaged => Ok(None),
        }
    }
}

/// A root store in one file, or in several that are replicas of each other.
pub struct FileRootStore {
    inner: Mutex<Inner>,
    /// What roots are sealed under besides; if that is a passphrase, its key.
    credential: Option<RootCredential>,
    data_directory: PathBuf,
    live: Vec<PathBuf>,
    /// As it was when the store was opened.
    medium: Medium,
}

struct Inner {
    replicas: Vec<Replica>,
    header: Header,
    /// A slot could not be wiped. What is read of the slots from then on may be the system's memory of a
    /// write that never reached the device.
    in_doubt: bool,
}

impl FileRootStore {
    /// Opens the store; makes it if none of its files exist.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::Permissions`] if others may read it,
    /// [`Error::ReplicaMissing`] if only some of its files are there, [`Error::ReplicaForeign`],
    /// [`Error::Credential`], [`Error::Passphrase`], [`Error::Corrupt`], [`Error::Io`].
    pub fn open(options: FileRootStoreOptions) -> Result<Self> {
        let (replicas, header, credential) = open::replicas(&options.replicas, &options.seal)?;
        Self::of(replicas, header, credential, options)
    }

    fn of(
        replicas: Vec<Replica>,
        header: Header,
        credential: Option<RootCredential>,
        options: FileRootStoreOptions,
    ) -> Result<Self> {
        let inner = Inner { replicas, header, in_doubt: false };
        // The passphrase goes here.
        let FileRootStoreOptions { data_directory, live, backups, .. } = options;
        let mut devices = device::of_data(&data_directory, &live)?;
        devices.extend(backups.iter().map(|folder| device::of_backups(folder)));
        let medium = inner.medium(&devices)?;
        Ok(Self { inner: Mutex::new(inner), credential, data_directory, live, medium })
    }

    /// How a root of this store wraps its key.
    fn wrapping<'a>(&'a self, store: &'a [u8; 16], root: &'a Root) -> Wrapping<'a> {
        Wrapping { root: &root.key, credential: self.credential.as_ref(), store, id: root.id }
    }
}

#[async_trait]
impl RootStore for FileRootStore {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        self.inner.lock().claim(vault, known, next)
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        Ok(self.inner.lock().header.claim)
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        let inner = self.inner.lock();
        inner.expect(claim)?;
        let root = Root { id: RootId::random()?, used: Use::Created, key: RootKey::random(&System)? };
        let images = inner.read()?;
        let free = |slot: &usize| images.iter().all(|image| matches!(image.slots[*slot], Slot::Free));
        let slot = (0..SLOTS).find(free).ok_or(Error::RootStoreFull)?;
        inner.write_root(slot, &root)?;
        Ok(root.id)
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let inner = self.inner.lock();
        inner.expect(claim)?;
        let images = inner.read()?;
        let (slot, found) = find(&images, root).ok_or(Error::NoSuchRoot(root))?;
        if found.used == Use::Wrapped {
            return Err(Error::AlreadyWrapped(root));
        }
        // Durable before the blob exists outside: a crash loses the root, never wraps twice with it.
        let used = Root { id: root, used: Use::Wrapped, key: found.key.duplicate() };
        inner.write_root(slot, &used)?;
        self.wrapping(&inner.header.store, &used).wrap(key, context)
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let inner = self.inner.lock();
        let images = inner.read()?;
        let (slot, found) = find(&images, root).ok_or(Error::NoSuchRoot(root))?;
        let key = self.wrapping(&inner.header.store, found).unwrap(wrapped, context)?;
        // It opened what is committed, so a replica that lost it may have it back.
        inner.heal(&images, slot, found);
        Ok(key)
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        let mut inner = self.inner.lock();
        inner.expect(claim)?;
        let was_absent = !inner.in_doubt && find(&inner.read()?, root).is_none();
        let wiped = inner.wipe(root);
        inner.in_doubt = wiped.is_err();
        wiped?;
        if find(&inner.read()?, root).is_some() {
            return Err(Error::RootsRemain(1));
        }
        let replicas = u32::from(inner.header.replicas);
        // A mirror may be elsewhere than when the store was opened, or there only since.
        let now = inner.medium(&device::of_data(&self.data_directory, &self.live)?)?;
        let medium = self.medium.statements().chain(now.statements()).collect();
        Ok(Evidence { store: StoreKind::File, root, replicas, was_absent, medium })
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        let images = self.inner.lock().read()?;
        let mut roots: Vec<RootId> =
            images.iter().flat_map(|image| &image.slots).filter_map(|slot| slot.root().map(|root| root.id)).collect();
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    fn medium(&self) -> Medium {
        self.medium.clone()
    }
}

impl Inner {
    /// What the media of the replicas cannot promise as things are now.
    fn medium(&self, data: &device::Devices) -> Result<Medium> {
        let mut statements = Vec::new();
        for replica in &self.replicas {
            statements.extend(device::statements(replica, data)?);
        }
        if self.header.abandoned {
            statements.push(MediumStatement::Abandoned);
        }
        Ok(statements.into_iter().collect())
    }

    fn claim(&mut self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        let Some(wanted) = Claim::advance(self.header.claim, vault, known, next)? else { return Ok(()) };
        let sequence = self.header.sequence.checked_add(1).ok_or(Error::Exhausted("root store headers"))?;
        let header = Header { claim: Some(wanted), sequence, ..self.header.clone() };
        for replica in &self.replicas {
            replica.write_header(&header)?;
            fail::fail_point!("root-file-replica-claimed");
        }
        self.header = header;
        Ok(())
    }

    fn expect(&self, claim: &Claim) -> Result<()> {
        claim.check(self.header.claim.as_ref())
    }

    fn read(&self) -> Result<Vec<Image>> {
        self.replicas.iter().map(Replica::read).collect()
    }

    fn write_root(&self, slot: usize, root: &Root) -> Result<()> {
        for replica in &self.replicas {
            replica.write_root(slot, root)?;
            fail::fail_point!("root-file-replica-written");
        }
        Ok(())
    }

    /// Wipes `root` in every replica, and whatever may be left of it.
    fn wipe(&self, root: RootId) -> Result<()> {
        let images = self.read()?;
        for slot in (0..SLOTS).filter(|slot| self.may_hold(&images, *slot, root)) {
            for (replica, image) in self.replicas.iter().zip(&images) {
                // Slots are used again: where a replica from the past has this root, another may have the one that counts.
                if image.slots[slot].root().is_some_and(|held| held.id != root) {
                    continue;
                }
                replica.wipe(slot)?;
                fail::fail_point!("root-file-replica-wiped");
            }
        }
        Ok(())
    }

    /// May this slot hold anything of `root`? It does if any replica says so. A damaged slot may, too,
    /// unless another replica shows that it belongs to another root; and so may a free one, in doubt.
    fn may_hold(&self, images: &[Image], slot: usize, root: RootId) -> bool {
        let owners = || images.iter().filter_map(|image| image.slots[slot].root()).map(|owner| owner.id);
        let damaged = images.iter().any(|image| matches!(image.slots[slot], Slot::Damaged));
        owners().any(|owner| owner == root) || ((damaged || self.in_doubt) && owners().next().is_none())
    }

    /// Gives a root back to replicas that have it damaged or not at all. A replica that cannot take it
    /// keeps nothing from working now; the next epoch will fail on it.
    fn heal(&self, images: &[Image], slot: usize, root: &Root) {
        for (replica, image) in self.replicas.iter().zip(images) {
            if image.slots[slot].root().is_none()
                && let Err(error) = replica.write_root(slot, root)
            {
                tracing::warn!(%error, "a root store replica cannot be repaired");
            }
        }
    }
}

/// A root in whatever replica has it, preferably one that knows it was used.
fn find(images: &[Image], root: RootId) -> Option<(usize, &Root)> {
    images
        .iter()
        .flat_map(|image| image.slots.iter().enumerate())
        .filter_map(|(slot, content)| content.root().map(|found| (slot, found)))
        .filter(|(_, found)| found.id == root)
        .max_by_key(|(_, found)| found.used)
}

impl std::fmt::Debug for FileRootStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRootStore").field("medium", &self.medium).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
