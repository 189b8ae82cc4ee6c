//! Bringing a set of replicas together: making it, growing it, and noticing what is missing.

use std::path::PathBuf;

use subtle::ConstantTimeEq as _;

use super::layout::{Header, Slot};
use super::replica::{Image, Replica};
use crate::error::{Error, Result};
use crate::kdf::{self, Label};
use crate::random::{Random as _, System};
use crate::secret::RootCredential;

/// Where a file root store is, and under what conditions it is opened.
#[derive(Debug)]
pub struct FileRootStoreOptions {
    /// One file per replica, each on a medium of its own if they are to survive one.
    pub replicas: Vec<PathBuf>,
    /// Where the data is, to tell whether the roots are on the same device.
    pub data_directory: PathBuf,
    /// Folders with the database and its live copies, to tell the same; as far as they are there, now and at every
    /// destruction.
    pub live: Vec<PathBuf>,
    /// Folders that backups go to, to tell the same when the store is opened.
    pub backups: Vec<PathBuf>,
    /// Seals roots under 32 bytes that are not in the files; the same at every start.
    pub credential: Option<RootCredential>,
    /// What to do if replicas are missing.
    pub loss: ReplicaLoss,
}

impl FileRootStoreOptions {
    /// One replica, no credential.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>, data_directory: impl Into<PathBuf>) -> Self {
        Self {
            replicas: vec![file.into()],
            data_directory: data_directory.into(),
            live: Vec::new(),
            backups: Vec::new(),
            credential: None,
            loss: ReplicaLoss::default(),
        }
    }
}

/// What to do about a replica that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaLoss {
    /// Refuse to open: its medium may come back, with roots that were destroyed elsewhere.
    #[default]
    Refuse,
    /// Go on without it, making an empty one in its place. Every later receipt says that a replica was
    /// abandoned.
    Abandon,
}

/// Opens all replicas and brings their headers to the same state.
pub(super) fn replicas(options: &FileRootStoreOptions) -> Result<(Vec<Replica>, Header)> {
    let wanted = u8::try_from(options.replicas.len())
        .ok()
        .filter(|count| *count > 0)
        .ok_or(Error::Exhausted("replicas of a root store"))?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for path in &options.replicas {
        match Replica::open(path)? {
            Some(replica) => found.push((replica.read()?, replica)),
            None => missing.push(path),
        }
    }
    let header = newest(&found)?;
    let (known, mut header) = match header {
        Some(header) => (Some(header.clone()), header),
        None => (None, fresh(wanted, options.credential.as_ref())?),
    };
    check_credential(&header, options.credential.as_ref())?;

    // Replicas may be missing while nothing depends on them, or if there never were as many.
    let lost = known.is_some() && found.len() < usize::from(header.replicas) && !unused(&header, &found);
    if lost {
        match options.loss {
            ReplicaLoss::Refuse => {
                let path = missing.first().map_or_else(|| PathBuf::from("(one more)"), |path| (*path).clone());
                return Err(Error::ReplicaMissing(path));
            }
            ReplicaLoss::Abandon => header.abandoned = true,
        }
    }
    header.replicas = wanted;
    for path in missing {
        let replica = Replica::create(path, &header)?;
        found.push((replica.read()?, replica));
    }
    if known.as_ref() != Some(&header) {
        header.sequence = header.sequence.checked_add(1).ok_or(Error::Exhausted("root store headers"))?;
    }
    for (image, replica) in &found {
        if image.header.as_ref() != Some(&header) {
            replica.write_header(&header)?;
        }
    }
    Ok((found.into_iter().map(|(_, replica)| replica).collect(), header))
}

/// The newest header. A claim is written to one replica after the other; a crash between them leaves one
/// behind, and completing what was begun is right either way.
pub(super) fn newest(found: &[(Image, Replica)]) -> Result<Option<Header>> {
    let mut newest: Option<&Header> = None;
    for (image, replica) in found {
        let Some(header) = &image.header else {
            // One header is written over the other: a crash cannot tear both.
            let why = format!("{}: no header is whole", replica.path().display());
            return Err(Error::corrupt("root store file", why));
        };
        if newest.is_some_and(|newest| newest.store != header.store) {
            return Err(Error::ReplicaForeign(replica.path().to_owned()));
        }
        if newest.is_none_or(|newest| newest.sequence < header.sequence) {
            newest = Some(header);
        }
    }
    Ok(newest.cloned())
}

/// Has nobody claimed the store, nor put a root in it?
fn unused(header: &Header, found: &[(Image, Replica)]) -> bool {
    header.claim.is_none() && found.iter().all(|(image, _)| image.slots.iter().all(|slot| matches!(slot, Slot::Free)))
}

fn fresh(replicas: u8, credential: Option<&RootCredential>) -> Result<Header> {
    let store = System.public()?;
    let credential = credential.map(|credential| credential_check(credential, &store));
    Ok(Header { store, sequence: 0, claim: None, replicas, credential, abandoned: false })
}

/// Tells a wrong credential by name, before it looks like a corrupt root.
pub(super) fn check_credential(header: &Header, credential: Option<&RootCredential>) -> Result<()> {
    match (&header.credential, credential) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Error::Credential("given, but the store was made without one")),
        (Some(_), None) => Err(Error::Credential("missing")),
        (Some(check), Some(credential)) => {
            let given = credential_check(credential, &header.store);
            let right = given.as_slice().ct_eq(check.as_slice());
            if bool::from(right) { Ok(()) } else { Err(Error::Credential("not the one the store was made with")) }
        }
    }
}

fn credential_check(credential: &RootCredential, store: &[u8; 16]) -> [u8; 32] {
    let mut check = [0; 32];
    kdf::expand(credential.expose(), Label::ROOT_CREDENTIAL, &[store], &mut check);
    check
}
