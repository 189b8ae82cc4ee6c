//! The root store of a configuration, opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_crypto::root::{FileRootStore, FileRootStoreOptions, MigratingRootStore, RootStore};
use lethe_crypto::secret::RootCredential;
use lethe_roots::pkcs11::Pkcs11RootStore;
use lethe_roots::tpm::TpmRootStore;
use lethe_roots::transit::TransitRootStore;
use zeroize::Zeroizing;

use crate::config::{Config, StoreKind};
use crate::opening::{OpenError, create_folder};

/// Roots that a vault can reach.
pub(crate) struct Roots {
    /// Where roots are made and destroyed.
    pub(crate) store: Arc<dyn RootStore>,
    /// Set while the vault moves from one store to another.
    pub(crate) moving: Option<MigratingRootStore>,
}

/// Opens the root store, and the one that the vault moves from, if it does. Blocks.
pub(crate) fn open(config: &Config) -> Result<Roots, OpenError> {
    let root = &config.root;
    let new = one(config, root.store, &config.root_replicas())?;
    let Some(from) = root.from else { return Ok(Roots { store: new, moving: None }) };
    let replicas = if root.from_replicas.is_empty() { &root.replicas } else { &root.from_replicas };
    let old = one(config, from, &config.replicas_or_default(replicas))?;
    let moving = MigratingRootStore::new(old, new);
    Ok(Roots { store: Arc::new(moving.clone()), moving: Some(moving) })
}

fn one(config: &Config, kind: StoreKind, replicas: &[PathBuf]) -> Result<Arc<dyn RootStore>, OpenError> {
    Ok(match kind {
        StoreKind::File => Arc::new(FileRootStore::open(file_options(config, replicas)?)?),
        StoreKind::Pkcs11 => Arc::new(Pkcs11RootStore::open(config.pkcs11.options())?),
        StoreKind::Transit => Arc::new(TransitRootStore::open(config.transit.options())?),
        StoreKind::Tpm => Arc::new(TpmRootStore::open(config.tpm.options())?),
    })
}

fn file_options(config: &Config, replicas: &[PathBuf]) -> Result<FileRootStoreOptions, OpenError> {
    create_folder(&config.data_dir)?;
    for replica in replicas {
        replica.parent().map_or(Ok(()), create_folder)?;
    }
    let mut options = FileRootStoreOptions::new(PathBuf::new(), &config.data_dir);
    options.replicas = replicas.to_vec();
    options.credential = config.root.credential_file.as_deref().map(credential).transpose()?;
    Ok(options)
}

/// Reads what roots are additionally sealed under: 32 bytes that only the owner may read.
fn credential(path: &Path) -> Result<RootCredential, OpenError> {
    use std::os::unix::fs::MetadataExt as _;
    let missing = |cause| OpenError::Missing { path: path.to_owned(), cause };
    let mode = std::fs::metadata(path).map_err(missing)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!("others may read it (mode {mode:03o}); chmod 600");
        return Err(missing(std::io::Error::other(why)));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(missing)?);
    RootCredential::from_slice(&bytes).map_err(|length| {
        let why = format!("has {length} bytes; a root credential is 32 random bytes, not a passphrase");
        missing(std::io::Error::other(why))
    })
}
