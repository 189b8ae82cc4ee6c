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

/// Opens the root store, and the one that the vault moves from, if it does.
pub(crate) async fn open(config: &Config) -> Result<Roots, OpenError> {
    let is_founded = config.data_dir.join("db").is_dir();
    let Some(from) = config.root.from else {
        // Made anew, it would only be in the way of the one that is not mounted.
        let missing = all_missing(config.root.store, &config.files()).filter(|_| is_founded);
        return missing.map_or_else(|| Ok(Roots::alone(one(config, config.root.store, &config.files())?)), Err);
    };
    let new = one(config, config.root.store, &config.files())?;
    let old = config.files_before();
    if let Some(missing) = all_missing(from, &old) {
        // An empty store in the place of one that has a root would say that this root is gone.
        let claimed = new.claimed().await.map_err(|fault| explain(config, fault))?;
        match claimed {
            Some(_) if has_arrived(config, &*new).await? => return Ok(Roots::alone(new)),
            Some(_) => return Err(missing),
            None if is_founded => return Err(missing),
            None => {}
        }
    }
    Ok(Roots::moving(one(config, from, &old)?, new))
}

/// The same, but makes no file: a move that has not begun has only the old store, one that has ended only the new.
pub(crate) async fn open_existing(config: &Config) -> Result<Roots, OpenError> {
    let root = &config.root;
    let new = missing(root.store, &config.files());
    let Some(from) = root.from else {
        return match new {
            Some(missing) => Err(missing),
            None => open(config).await,
        };
    };
    match (new, missing(from, &config.files_before())) {
        (None, None) => open(config).await,
        (Some(_), None) => Ok(Roots::alone(one(config, from, &config.files_before())?)),
        (Some(_), Some(missing)) => Err(missing),
        (None, Some(missing)) => {
            let new = one(config, root.store, &config.files())?;
            if has_arrived(config, &*new).await? { Ok(Roots::alone(new)) } else { Err(missing) }
        }
    }
}

/// Does the vault live in this store already, so that the one it came from may be gone?
async fn has_arrived(config: &Config, new: &dyn RootStore) -> Result<bool, OpenError> {
    let explain = |fault| explain(config, fault);
    let lives = new.claimed().await.map_err(explain)?.is_some_and(|claim| !claim.incarnation.is_disguised());
    Ok(lives && !new.epochs().await.map_err(explain)?.is_empty())
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

/// The same, if none of them is there: a store that lacks some refuses by itself.
fn all_missing(kind: StoreKind, files: &Files<'_>) -> Option<OpenError> {
    let none = files.replicas.iter().all(|path| !path.exists());
    missing(kind, files).filter(|_| none)
}

fn one(config: &Config, kind: StoreKind, files: &Files<'_>) -> Result<Arc<dyn RootStore>, OpenError> {
    let open = || -> Result<lethe_crypto::Result<Arc<dyn RootStore>>, OpenError> {
        Ok(match kind {
            StoreKind::File => FileRootStore::open(file_options(config, files)?).map(|store| Arc::new(store) as _),
            StoreKind::Pkcs11 => {
                Pkcs11RootStore::open(config.pkcs11.options(&config.data_dir)).map(|store| Arc::new(store) as _)
            }
            StoreKind::Transit => TransitRootStore::open(config.transit.options()).map(|store| Arc::new(store) as _),
            StoreKind::Tpm => TpmRootStore::open(config.tpm.options()).map(|store| Arc::new(store) as _),
        })
    };
    let opened = tokio::task::block_in_place(open)?;
    opened.map_err(|fault| explain(config, fault))
}

/// Adds the way out where only the configuration knows it.
pub(crate) fn explain(config: &Config, fault: Error) -> OpenError {
    let (store, from) = (config.root.store.name(), config.root.from.map(StoreKind::name));
    let way_out = match (&fault, from) {
        (Error::RootMissing { held: 0, .. }, None) => format!(
            "root.store is {store}: if the vault has moved on to another store, name that instead; if it is to move here \
             from another, name that in root.from until it has arrived"
        ),
        (Error::RootMissing { .. }, None) => format!(
            "root.store is {store}, and holds what a later epoch of this vault needs: go on with the newest data, or bring \
             these up to a mirror with `lethe restore`"
        ),
        (Error::RootMissing { .. }, Some(from)) => {
            format!(
                "neither root.store, {store}, nor root.from, {from}, has it: is one of them another store than before?"
            )
        }
        (Error::UnderWay, None) => {
            format!("root.store is {store}: name the store that the vault comes from in root.from until it has arrived")
        }
        (Error::UnderWay, Some(from)) => format!(
            "root.from, {from}, is not the store that the vault comes from, or is an empty one in its place: is its \
             medium there?"
        ),
        (Error::Superseded, _) => format!(
            "Take root.from out of the configuration, so that root.store, {store}, stands alone, and go on with the newest \
             data, or bring these up to a mirror with `lethe restore`"
        ),
        (Error::Unclaimed, _) => format!(
            "root.store is {store}: is it another token, server, mount or name than before ({})? If the vault is to \
             move to it from another store, and it is new, name that other in root.from until the vault has arrived",
            config.root.store.apart()
        ),
        (Error::ForeignVault, _) => format!(
            "If this vault is new, give it a place of its own: another {}. If it is not, root.store, {store}, is not the \
             one it had",
            config.root.store.apart()
        ),
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
    options.live = config.mirror_paths();
    options.live.push(config.data_dir.join("db"));
    options.backups.extend(config.backup.path.clone());
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
