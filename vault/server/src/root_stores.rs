//! The root store of a configuration, opened.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_crypto::Error;
use lethe_crypto::root::{
    Claim, FileRootReader, FileRootStore, FileRootStoreOptions, MigratingRootStore, RootId, RootStore,
};
use lethe_crypto::secret::{RootCredential, VaultKey};
use lethe_roots::pkcs11::Pkcs11RootStore;
use lethe_roots::tpm::TpmRootStore;
use lethe_roots::transit::TransitRootStore;
use zeroize::Zeroizing;

use crate::config::{Config, Files, StoreKind};
use crate::opening::{OpenError, create_folder};

/// Roots that a vault can reach.
pub(crate) struct Roots {
    /// Where roots are made and destroyed.
    pub(crate) store: Arc<dyn RootStore>,
    /// Set while the vault moves from one store to another.
    pub(crate) moving: Option<MigratingRootStore>,
}

impl Roots {
    fn alone(store: Arc<dyn RootStore>) -> Self {
        Self { store, moving: None }
    }

    fn moving(old: Arc<dyn RootStore>, new: Arc<dyn RootStore>) -> Self {
        let moving = MigratingRootStore::new(old, new);
        Self { store: Arc::new(moving.clone()), moving: Some(moving) }
    }
}

/// Opens the root store, and the one that the vault moves from, if it does. Blocks.
pub(crate) fn open(config: &Config) -> Result<Roots, OpenError> {
    let new = one(config, config.root.store, &config.files())?;
    let Some(from) = config.root.from else { return Ok(Roots::alone(new)) };
    Ok(Roots::moving(one(config, from, &config.files_before())?, new))
}

/// The same, but makes no file: a move that has not begun has only the old store. Blocks.
pub(crate) fn open_existing(config: &Config) -> Result<Roots, OpenError> {
    let root = &config.root;
    let Some(from) = root.from else {
        missing(root.store, &config.files()).map_or(Ok(()), Err)?;
        return open(config);
    };
    missing(from, &config.files_before()).map_or(Ok(()), Err)?;
    if missing(root.store, &config.files()).is_some() {
        return Ok(Roots::alone(one(config, from, &config.files_before())?));
    }
    open(config)
}

/// A root store that is only asked: nothing of it is claimed, made, repaired or destroyed. Files are not even locked.
pub(crate) enum Reader {
    /// Files, as they were when they were read.
    Files(FileRootReader),
    /// A device or a server.
    Store(Arc<dyn RootStore>),
}

impl Reader {
    /// The root store of a configuration, or the one that its vault moves from. Blocks.
    pub(crate) fn open(config: &Config, kind: StoreKind, files: &Files<'_>) -> Result<Self, OpenError> {
        if kind != StoreKind::File {
            return one(config, kind, files).map(Self::Store);
        }
        let credential = files.credential.map(credential).transpose()?;
        let read = FileRootReader::read(&files.replicas, credential);
        read.map(Self::Files).map_err(|fault| explain(config, fault))
    }

    pub(crate) async fn epochs(&self) -> Result<Vec<RootId>, Error> {
        match self {
            Self::Files(files) => Ok(files.epochs()),
            Self::Store(store) => store.epochs().await,
        }
    }

    pub(crate) async fn claimed(&self) -> Result<Option<Claim>, Error> {
        match self {
            Self::Files(files) => Ok(files.claimed()),
            Self::Store(store) => store.claimed().await,
        }
    }

    pub(crate) async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey, Error> {
        match self {
            Self::Files(files) => files.unwrap(root, wrapped, context),
            Self::Store(store) => store.unwrap(root, wrapped, context).await,
        }
    }
}

/// The first file of a file store that is not there.
fn missing(kind: StoreKind, files: &Files<'_>) -> Option<OpenError> {
    let path = files.replicas.iter().find(|path| kind == StoreKind::File && !path.exists())?;
    let cause = std::io::Error::other("there is no such file; is its medium there?");
    Some(OpenError::Missing { path: path.clone(), cause })
}

fn one(config: &Config, kind: StoreKind, files: &Files<'_>) -> Result<Arc<dyn RootStore>, OpenError> {
    let opened: lethe_crypto::Result<Arc<dyn RootStore>> = match kind {
        StoreKind::File => FileRootStore::open(file_options(config, files)?).map(|store| Arc::new(store) as _),
        StoreKind::Pkcs11 => Pkcs11RootStore::open(config.pkcs11.options()).map(|store| Arc::new(store) as _),
        StoreKind::Transit => TransitRootStore::open(config.transit.options()).map(|store| Arc::new(store) as _),
        StoreKind::Tpm => TpmRootStore::open(config.tpm.options()).map(|store| Arc::new(store) as _),
    };
    opened.map_err(|fault| explain(config, fault))
}

/// Adds the way out where only the configuration knows it.
pub(crate) fn explain(config: &Config, fault: Error) -> OpenError {
    let (store, from) = (config.root.store.name(), config.root.from.map(StoreKind::name));
    let way_out = match (&fault, from) {
        (Error::RootMissing { .. }, None) => format!(
            "root.store is {store}: if the vault has moved on to another store, name that instead; if it is on its way \
             here from another, name that in root.from until it has arrived"
        ),
        (Error::RootMissing { .. }, Some(from)) => {
            format!(
                "neither root.store, {store}, nor root.from, {from}, has it: is one of them another store than before?"
            )
        }
        (Error::Fenced, None) => format!(
            "Or, if the vault is on its way to root.store, {store}, from another store, name that in root.from until it \
             has arrived"
        ),
        (Error::ForeignVault, _) => {
            format!("Each vault needs a place of its own: give this one another {}", config.root.store.apart())
        }
        (Error::RootStore { .. }, _) => {
            "Nothing was changed; the vault starts when the root store can be used".to_owned()
        }
        _ => return OpenError::Keys(fault),
    };
    OpenError::Roots { fault, way_out }
}

fn file_options(config: &Config, files: &Files<'_>) -> Result<FileRootStoreOptions, OpenError> {
    create_folder(&config.data_dir)?;
    for replica in &files.replicas {
        replica.parent().map_or(Ok(()), create_folder)?;
    }
    let mut options = FileRootStoreOptions::new(PathBuf::new(), &config.data_dir);
    options.replicas.clone_from(&files.replicas);
    options.credential = files.credential.map(credential).transpose()?;
    Ok(options)
}

/// Reads what roots are additionally sealed under: 32 bytes that only the owner may read.
fn credential(path: &Path) -> Result<RootCredential, OpenError> {
    let missing = |cause| OpenError::Missing { path: path.to_owned(), cause };
    let mode = std::fs::metadata(path).map_err(missing)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(OpenError::Keys(Error::Permissions { path: path.to_owned(), mode }));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(missing)?);
    RootCredential::from_slice(&bytes).map_err(|length| {
        let why = format!("has {length} bytes; a root credential is 32 random bytes, not a passphrase");
        missing(std::io::Error::other(why))
    })
}
