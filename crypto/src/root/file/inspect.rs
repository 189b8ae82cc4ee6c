//! Looking at replicas, and using their roots, without changing anything.

use std::path::{Path, PathBuf};

use super::layout::{Header, Slot};
use super::open::{self, RootSeal};
use super::replica::{Image, Replica};
use crate::error::{Error, Result};
use crate::root::wrapping::Wrapping;
use crate::root::{Claim, RootId};
use crate::secret::{RootCredential, VaultKey};

/// What a replica's file holds, without the roots themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Who claimed the store, as this replica has it.
    pub claim: Option<Claim>,
    /// The roots in it, in ascending order.
    pub roots: Vec<RootId>,
    /// Slots that are neither whole nor empty: a write was torn, or the medium fails.
    pub damaged: usize,
}

impl ReplicaState {
    /// Reads a replica. The file is locked meanwhile, and nothing is written.
    ///
    /// # Errors
    /// [`Error::ReplicaMissing`], [`Error::Locked`] if a vault has it open, [`Error::Permissions`], [`Error::Corrupt`]
    /// if no header is whole, [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let replica = Replica::open(path)?.ok_or_else(|| Error::ReplicaMissing(path.to_owned()))?;
        let image = replica.read()?;
        let header = image
            .header
            .ok_or_else(|| Error::corrupt("root store file", format!("{}: no header is whole", path.display())))?;
        let mut roots: Vec<_> = image.slots.iter().filter_map(Slot::root).map(|root| root.id).collect();
        roots.sort_unstable();
        let damaged = image.slots.iter().filter(|slot| matches!(slot, Slot::Damaged)).count();
        Ok(Self { claim: header.claim, roots, damaged })
    }
}

/// Roots of a store that is not opened: its files are read once, and neither locked, nor written, nor repaired. So it may be
/// in use, or be evidence. A root that is destroyed later stays in the memory of this until it is dropped.
pub struct FileRootReader {
    header: Header,
    images: Vec<Image>,
    credential: Option<RootCredential>,
}

impl FileRootReader {
    /// Reads all replicas.
    ///
    /// # Errors
    /// [`Error::ReplicaMissing`], [`Error::ReplicaForeign`], [`Error::Permissions`], [`Error::Credential`],
    /// [`Error::Passphrase`], [`Error::Corrupt`], [`Error::Io`].
    pub fn read(replicas: &[PathBuf], seal: &RootSeal) -> Result<Self> {
        let look = |path: &PathBuf| Replica::look(path).and_then(|replica| Ok((replica.read()?, replica)));
        let found = replicas.iter().map(look).collect::<Result<Vec<_>>>()?;
        let header = open::newest(&found)?.ok_or(Error::Exhausted("replicas of a root store"))?;
        let credential = open::unseal(&header, seal)?;
        Ok(Self { header, images: found.into_iter().map(|(image, _)| image).collect(), credential })
    }

    /// Roots that any replica has, in ascending order.
    #[must_use]
    pub fn epochs(&self) -> Vec<RootId> {
        let slots = self.images.iter().flat_map(|image| &image.slots);
        let mut roots: Vec<_> = slots.filter_map(Slot::root).map(|root| root.id).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Who claimed the store.
    #[must_use]
    pub fn claimed(&self) -> Option<Claim> {
        self.header.claim
    }

    /// Opens a wrapped vault key.
    ///
    /// # Errors
    /// [`Error::NoSuchRoot`], [`Error::NotAuthentic`], [`Error::Corrupt`].
    pub fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let (_, found) = super::find(&self.images, root).ok_or(Error::NoSuchRoot(root))?;
        let (store, credential) = (&self.header.store, self.credential.as_ref());
        Wrapping { root: &found.key, credential, store, id: root }.unwrap(wrapped, context)
    }
}

impl std::fmt::Debug for FileRootReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRootReader").field("replicas", &self.images.len()).finish_non_exhaustive()
    }
}
