//! Bringing a set of replicas together: making it, growing it, and noticing what is missing.

use std::path::PathBuf;

use subtle::ConstantTimeEq as _;

use super::layout::{Header, Seal, Slot};
use super::passphrase::Stretching;
use super::replica::{Image, Replica};
use crate::error::{Error, Result};
use crate::kdf::{self, Label};
use crate::random::{Random as _, System};
use crate::secret::{RootCredential, RootPassphrase};

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
    /// Seals roots under something that is not in the files; the same at every start.
    pub seal: RootSeal,
}

impl FileRootStoreOptions {
    /// One replica, not sealed.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>, data_directory: impl Into<PathBuf>) -> Self {
        Self {
            replicas: vec![file.into()],
            data_directory: data_directory.into(),
            live: Vec::new(),
            backups: Vec::new(),
            seal: RootSeal::None,
        }
    }
}

/// What roots are sealed under besides, from outside their files.
#[derive(Debug, Default)]
pub enum RootSeal {
    /// Nothing: who has a file has its roots.
    #[default]
    None,
    /// 32 random bytes.
    Credential(RootCredential),
    /// Words, of which a key is derived once, when the store is opened.
    Passphrase(RootPassphrase),
}

/// Opens all replicas and brings their headers to the same state. Gives what roots are sealed under, too.
pub(super) fn replicas(paths: &[PathBuf], seal: &RootSeal) -> Result<(Vec<Replica>, Header, Option<RootCredential>)> {
    let wanted = u8::try_from(paths.len())
        .ok()
        .filter(|count| *count > 0)
        .ok_or(Error::Exhausted("replicas of a root store"))?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for path in paths {
        match Replica::open(path)? {
            Some(replica) => found.push((replica.read()?, replica)),
            None => missing.push(path),
        }
    }
    // Before anything is written: who has another seal has another store, or none.
    let (known, mut header, credential) = match newest(&found)? {
        Some(header) => {
            let credential = unseal(&header, seal)?;
            (Some(header.clone()), header, credential)
        }
        None => {
            let (header, credential) = fresh(wanted, seal)?;
            (None, header, credential)
        }
    };

    // Replicas may be missing while nothing depends on them, or if there never were as many.
    if known.is_some() && found.len() < usize::from(header.replicas) && !unused(&header, &found) {
        let path = missing.first().map_or_else(|| PathBuf::from("(one more)"), |path| (*path).clone());
        return Err(Error::ReplicaMissing(path));
    }
    header.replicas = wanted;
    // Also if the newest says otherwise: that may be one that was given up, and is back before anything else happened.
    header.abandoned = is_abandoned(&found);
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
    Ok((found.into_iter().map(|(_, replica)| replica).collect(), header, credential))
}

/// Was a replica ever given up? Whoever knows of it is right.
pub(super) fn is_abandoned(found: &[(Image, Replica)]) -> bool {
    found.iter().filter_map(|(image, _)| image.header.as_ref()).any(|header| header.abandoned)
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

fn fresh(replicas: u8, seal: &RootSeal) -> Result<(Header, Option<RootCredential>)> {
    let store = System.public()?;
    let (credential, stretching) = match seal {
        RootSeal::None => (None, None),
        RootSeal::Credential(credential) => (Some(credential.duplicate()), None),
        RootSeal::Passphrase(passphrase) if !passphrase.is_long_enough() => {
            let why = "too short for a new store, which needs 16 characters or more; best six words drawn at random";
            return Err(Error::Passphrase(why));
        }
        RootSeal::Passphrase(passphrase) => {
            let stretching = Stretching::fresh()?;
            (Some(stretching.key(passphrase)?), Some(stretching))
        }
    };
    let seal = credential.as_ref().map(|credential| Seal { check: check(credential, &store), stretching });
    Ok((Header { store, sequence: 0, claim: None, replicas, seal, abandoned: false }, credential))
}

/// What roots are sealed under. Tells a wrong seal by name, before it looks like a corrupt root.
pub(super) fn unseal(header: &Header, given: &RootSeal) -> Result<Option<RootCredential>> {
    let Some(seal) = &header.seal else {
        return match given {
            RootSeal::None => Ok(None),
            RootSeal::Credential(_) => Err(Error::Credential("given, but the store was made without one")),
            RootSeal::Passphrase(_) => Err(Error::Passphrase("given, but the store was made without one")),
        };
    };
    let is_right = |key: &RootCredential| bool::from(check(key, &header.store).as_slice().ct_eq(seal.check.as_slice()));
    match (&seal.stretching, given) {
        (None, RootSeal::Credential(credential)) if is_right(credential) => Ok(Some(credential.duplicate())),
        (None, RootSeal::Credential(_)) => Err(Error::Credential("not the one the store was made with")),
        (None, RootSeal::Passphrase(_)) => Err(Error::Passphrase("given, but the store is sealed under a credential")),
        (None, RootSeal::None) => Err(Error::Credential("missing")),
        (Some(stretching), RootSeal::Passphrase(passphrase)) => {
            let key = stretching.key(passphrase)?;
            if is_right(&key) { Ok(Some(key)) } else { Err(Error::Passphrase("not the one the store was made with")) }
        }
        (Some(_), RootSeal::Credential(_)) => {
            Err(Error::Credential("given, but the store is sealed under a passphrase"))
        }
        (Some(_), RootSeal::None) => Err(Error::Passphrase("missing")),
    }
}

fn check(credential: &RootCredential, store: &[u8; 16]) -> [u8; 32] {
    let mut check = [0; 32];
    kdf::expand(credential.expose(), Label::ROOT_CREDENTIAL, &[store], &mut check);
    check
}
