//! Going on without replicas that are lost for good.
//!
//! This destroys nothing and only admits something: what is on a lost medium is out of reach of every destruction from now
//! on. So it is in both headers of every replica that is left, and nothing takes it out again. A replica that turns up
//! later, and is named, is one from the past: its roots exist until they are destroyed on it, too, and receipts go on
//! saying that it was given up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::HEADERS;
use super::open;
use super::replica::Replica;
use super::{FileRootStore, FileRootStoreOptions, Header};
use crate::error::{Error, Result};

/// A file store that is about to go on without some of its replicas. Those that are left are locked, and nothing of them is
/// written before [`ReplicaAbandonment::carry_out`].
#[derive(Debug)]
pub struct ReplicaAbandonment {
    store: Arc<FileRootStore>,
    done: bool,
}

impl ReplicaAbandonment {
    /// Opens a store without those of its replicas that are `lost`, and sees that they are, and that no others are.
    ///
    /// # Errors
    /// [`Error::LastReplica`], [`Error::ReplicaPresent`] if one that is lost can be opened, [`Error::ReplicaForeign`] if
    /// another store's is in its place, [`Error::ReplicaCount`]; and as opening the others.
    pub fn prepare(options: FileRootStoreOptions, lost: &[PathBuf]) -> Result<Self> {
        let (gone, left): (Vec<_>, Vec<_>) = options.replicas.iter().partition(|path| lost.contains(path));
        if left.is_empty() {
            return Err(Error::LastReplica);
        }
        let mut found = Vec::new();
        for path in &left {
            let replica = Replica::open(path)?.ok_or_else(|| Error::ReplicaMissing((*path).clone()))?;
            found.push((replica.read()?, replica));
        }
        let header = open::newest(&found)?.ok_or(Error::Exhausted("replicas of a root store"))?;
        let credential = open::unseal(&header, &options.seal)?;
        for path in &gone {
            expect_lost(path, &header)?;
        }
        let (held, named) = (usize::from(header.replicas), left.len() + gone.len());
        // Where it was cut short, the newest header says so; the next opening completes the others.
        let done = held == left.len() && open::is_abandoned(&found);
        if !done && (held != named || gone.is_empty()) {
            return Err(Error::ReplicaCount { held, named });
        }
        let replicas = found.into_iter().map(|(_, replica)| replica).collect();
        let store = Arc::new(FileRootStore::of(replicas, header, credential, options)?);
        Ok(Self { store, done })
    }

    /// The store as it is, to be asked.
    #[must_use]
    pub fn store(&self) -> Arc<FileRootStore> {
        Arc::clone(&self.store)
    }

    /// The replicas that are left.
    #[must_use]
    pub fn left(&self) -> Vec<PathBuf> {
        self.store.inner.lock().replicas.iter().map(|replica| replica.path().to_owned()).collect()
    }

    /// Was it carried out before?
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Gives the lost replicas up. May be repeated after a failure or a crash.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn carry_out(&self) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let mut inner = self.store.inner.lock();
        let replicas = u8::try_from(inner.replicas.len()).map_err(|_| Error::Exhausted("replicas of a root store"))?;
        // Both headers of each: newer than any that the lost ones may have, and none is left to fall back to that knows
        // nothing of it.
        for _ in 0..HEADERS {
            let sequence = inner.header.sequence.checked_add(1).ok_or(Error::Exhausted("root store headers"))?;
            let header = Header { replicas, abandoned: true, sequence, ..inner.header.clone() };
            for replica in &inner.replicas {
                replica.write_header(&header)?;
                fail::fail_point!("root-file-replica-abandoned");
            }
            inner.header = header;
        }
        Ok(())
    }
}

/// A replica that can be opened is not lost. One that is there and is no store any more is, and so is one whose medium fails.
fn expect_lost(path: &Path, header: &Header) -> Result<()> {
    let image = match Replica::open(path).and_then(|replica| replica.map(|replica| replica.read()).transpose()) {
        Ok(image) => image,
        Err(Error::Corrupt { .. }) => None,
        Err(Error::Io { source, .. }) if source.kind() != io::ErrorKind::PermissionDenied => None,
        Err(fault) => return Err(fault),
    };
    match image.and_then(|image| image.header) {
        None => Ok(()),
        Some(theirs) if theirs.store == header.store => Err(Error::ReplicaPresent(path.to_owned())),
        Some(_) => Err(Error::ReplicaForeign(path.to_owned())),
    }
}
