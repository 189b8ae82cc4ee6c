//! The root store of a configuration, opened.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_crypto::Error;
use lethe_crypto::root::{
    Claim, FileRootReader, FileRootStore, FileRootStoreOptions, MigratingRootStore, ReplicaAbandonment, RootId,
    RootSeal, RootStore,
};
use lethe_crypto::secret::{RootCredential, RootPassphrase, VaultKey};
use lethe_roots::pkcs11::Pkcs11RootStore;
use lethe_roots::tpm::TpmRootStore;
use lethe_roots::transit::TransitRootStore;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::config::{Config, Files, SealFile, StoreKind};
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
        let read = FileRootReader::read(&files.replicas, &seal(files.seal)?);
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

/// A file store that is about to go on without some of its files, and all roots that its vault has then.
pub(crate) struct Bereft {
    pub(crate) abandonment: ReplicaAbandonment,
    pub(crate) roots: Arc<dyn RootStore>,
}

/// Opens the file store that has these files, without them, and the other store, if the vault moves. Nothing is written but
/// what is made good at every start.
pub(crate) fn open_without(config: &Config, lost: &[PathBuf]) -> Result<Bereft, OpenError> {
    let has = |kind: StoreKind, files: &Files<'_>| {
        kind == StoreKind::File && files.replicas.iter().any(|path| lost.contains(path))
    };
    let (new, old) = (config.files(), config.root.from.map(|from| (from, config.files_before())));
    let is_new = has(config.root.store, &new);
    let (files, other) = match old {
        old if is_new => (new, old),
        Some((from, old)) if has(from, &old) => (old, Some((config.root.store, new))),
        Some(_) | None => (Files { replicas: Vec::new(), seal: SealFile::None }, None),
    };
    if let Some(path) = lost.iter().find(|path| !files.replicas.contains(path)) {
        let cause = io::Error::other(format!("is no file of the root store, which is {}", config.roots_for_people()));
        return Err(OpenError::Missing { path: path.clone(), cause });
    }
    let prepare = || -> Result<_, OpenError> {
        create_folder(&config.data_dir)?;
        ReplicaAbandonment::prepare(file_options(config, &files)?, lost).map_err(|fault| explain(config, fault))
    };
    let abandonment = tokio::task::block_in_place(prepare)?;
    let bereft: Arc<dyn RootStore> = abandonment.store();
    // A move that has not begun has only the old store, and one that has ended only the new.
    let other = other.filter(|(kind, files)| missing(*kind, files).is_none());
    let roots: Arc<dyn RootStore> = match other.map(|(kind, files)| one(config, kind, &files)).transpose()? {
        None => bereft,
        Some(old) if is_new => Arc::new(MigratingRootStore::new(old, bereft)),
        Some(new) => Arc::new(MigratingRootStore::new(bereft, new)),
    };
    Ok(Bereft { abandonment, roots })
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
            StoreKind::File => {
                create_folder(&config.data_dir)?;
                for replica in &files.replicas {
                    replica.parent().map_or(Ok(()), create_folder)?;
                }
                FileRootStore::open(file_options(config, files)?).map(|store| Arc::new(store) as _)
            }
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
        (Error::ReplicaMissing(_), _) => {
            "If it is lost for good: `lethe root abandon-replica FILE`, with the server stopped, \
             and every file that is; if it is one more, root.replicas names fewer files than the store has. A copy of \
             another replica in its place would hide from every later receipt that this one's medium is out of reach"
                .to_owned()
        }
        (Error::ReplicaPresent(_), _) => {
            "Name it, and the vault goes on with it; to do without it, move to other files, \
             which destroys what is in it"
                .to_owned()
        }
        (Error::ReplicaCount { held, named }, _) if named > held => {
            "Take those that were abandoned before, or never were, out of root.replicas".to_owned()
        }
        (Error::ReplicaCount { .. }, _) => "Name all of them in root.replicas, also those that are lost".to_owned(),
        (Error::Passphrase(_), _) => {
            "Its file is named by root.passphrase_file, or root.from_passphrase_file where the vault comes from"
                .to_owned()
        }
        (Error::RootStore { .. }, _) => {
            "Nothing was changed; the vault starts when the root store can be used".to_owned()
        }
        _ => return OpenError::Keys(fault),
    };
    OpenError::Roots { fault, way_out }
}

fn file_options(config: &Config, files: &Files<'_>) -> Result<FileRootStoreOptions, OpenError> {
    let mut options = FileRootStoreOptions::new(PathBuf::new(), &config.data_dir);
    options.replicas.clone_from(&files.replicas);
    options.live = config.mirror_paths();
    options.live.push(config.data_dir.join("db"));
    options.backups.extend(config.backup.path.clone());
    options.seal = seal(files.seal)?;
    Ok(options)
}

/// Reads what roots are additionally sealed under.
fn seal(file: SealFile<'_>) -> Result<RootSeal, OpenError> {
    let refuse = |path: &Path, why: String| OpenError::Missing { path: path.to_owned(), cause: io::Error::other(why) };
    match file {
        SealFile::None => Ok(RootSeal::None),
        SealFile::Credential(path) => {
            let bytes = secret(path)?;
            let credential = RootCredential::from_slice(&bytes).map_err(|length| {
                let length = if length > LONGEST { format!("more than {LONGEST}") } else { length.to_string() };
                let why = format!("has {length} bytes; a root credential is 32 random bytes, not a passphrase");
                refuse(path, why)
            });
            credential.map(RootSeal::Credential)
        }
        SealFile::Passphrase(path) => {
            let passphrase = RootPassphrase::from_line(&secret(path)?);
            passphrase.map(RootSeal::Passphrase).map_err(|why| refuse(path, format!("the passphrase in it {why}")))
        }
    }
}

/// No secret is longer, with its line's end; one byte more tells what is.
const LONGEST: usize = RootPassphrase::LONGEST + 2;

/// Reads a secret that only the owner may read.
fn secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let missing = |cause| OpenError::Missing { path: path.to_owned(), cause };
    // A pipe in its place must not stop us for ever. Links are followed: credentials are often handed out so.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(missing)?;
    let mode = file.metadata().map_err(missing)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(OpenError::Keys(Error::Permissions { path: path.to_owned(), mode }));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(missing)?;
    Ok(bytes)
}
