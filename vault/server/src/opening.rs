//! Opening a vault: from a data directory and its root store to something that serves, after whatever ended
//! the last run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::epoch::{EpochWriter, Takeover};
use lethe_crypto::root::{MigratingRootStore, RootStore};
use lethe_crypto::tree::{PageCache, Redraw, SlotRef, TreeId, burnt_slots};
use lethe_domain::{Role, Roles, Timestamp};
use lethe_index::{Pool, cpu};
use lethe_policy::Site;
use tokio::sync::Semaphore;

use crate::access::{ApiKey, Logins, Proof, ProvidersError};
use crate::audit;
use crate::backup::Keeper;
use crate::case;
use crate::clock::Clock;
use crate::config::Config;
use crate::erasure::{self, Asked, Board, Eraser, Pace, Statements, StoreJournal, Watched};
use crate::error::{Error, Result, causes};
use crate::identification::{self, Passes};
use crate::keyring::Keyring;
use crate::memory;
use crate::retention;
use crate::root_stores::{self, Roots};
use crate::silo::{Loaded, Silos};
use crate::store::{
    Change, Follow, Key, MirrorId, Opening, Row, RowKind, Store, StoreError, StoreOptions, is_there, make_folder,
    mirror_row,
};
use crate::tenant::{NewCredential, put_credential};
use crate::vault::Vault;

/// Leaf pages of the key trees kept in memory: about 3 KiB each.
const LEAF_PAGES: usize = 16_384;

/// What keeps a vault from opening.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The CPU lacks what the index is built for.
    #[error(transparent)]
    Cpu(lethe_index::Error),
    /// A folder cannot be made.
    #[error("cannot create {path}: {cause}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// Something that should be there is not.
    #[error("{path}: {cause}", path = path.display())]
    Missing {
        /// What.
        path: PathBuf,
        /// Why it counts as missing.
        cause: std::io::Error,
    },
    /// The first operator's key cannot be made, or not be kept.
    #[error("the operator's key cannot be kept, so no vault was founded: {0}")]
    OperatorKey(std::io::Error),
    /// The root store, or the key tree under it.
    #[error("{0}")]
    Keys(#[from] lethe_crypto::Error),
    /// The root store, where the configuration knows a way out.
    #[error("{}. {way_out}", causes(fault))]
    Roots {
        /// What is wrong.
        #[source]
        fault: lethe_crypto::Error,
        /// What to do about it.
        way_out: String,
    },
    /// The identity providers.
    #[error(transparent)]
    Providers(#[from] ProvidersError),
    /// The store, or a row of it.
    #[error("{0}")]
    Vault(#[from] Error),
}

impl From<StoreError> for OpenError {
    fn from(fault: StoreError) -> Self {
        Self::Vault(fault.into())
    }
}

impl From<lethe_rows::Corrupt> for OpenError {
    fn from(fault: lethe_rows::Corrupt) -> Self {
        Self::Vault(fault.into())
    }
}

/// A vault that is ready.
pub struct Opened {
    /// The vault.
    pub vault: Arc<Vault>,
    /// The operator's key, where this opening created the vault: it can be shown this once.
    pub operator_key: Option<ApiKey>,
    /// Set while the vault moves from one root store to another.
    pub moving: Option<MigratingRootStore>,
}

/// Gives the key of a new vault's first operator, kept where it is to be kept: it is asked before the vault knows the
/// key, so that no crash leaves a vault whose operator nobody is.
pub type FirstKey = Box<dyn FnOnce() -> std::io::Result<ApiKey> + Send>;

/// Opens the vault of a configuration, creating it if there is none, with a first key that only the answer has.
///
/// # Errors
/// As [`open_with`].
pub async fn open(config: &Config) -> std::result::Result<Opened, OpenError> {
    open_with(config, Box::new(|| Ok(ApiKey::generate()))).await
}

/// Opens the vault of a configuration, creating it if there is none.
///
/// # Errors
/// Says the way out, and leaves everything as it was.
pub async fn open_with(config: &Config, first: FirstKey) -> std::result::Result<Opened, OpenError> {
    open_by(config, first, Clock::default()).await
}

/// The same, by a clock.
pub(crate) async fn open_by(config: &Config, first: FirstKey, clock: Clock) -> std::result::Result<Opened, OpenError> {
    memory::warn();
    let logins = Arc::new(Logins::open(config.access.identity_providers.as_deref())?);
    let Foundation { store, journal, writer, keys, roots, asked, moving } = Foundation::lay(config).await?;
    // The vault moves with its next epoch, and need not wait for somebody to be erased; unless an epoch that moved it is
    // about to be finished.
    let due = match &moving {
        Some(moving) if writer.retiring().is_some() => !moving.has_arrived(writer.epoch().root).await?,
        Some(moving) => !moving.is_done().await?,
        None => false,
    };
    let pool = Pool::new(config.search.threads).map_err(Error::from)?;
    let silos = Arc::new(Silos::new(Arc::clone(&keys), pool.clone(), config.limits.clone(), config.search.memory));
    let loaded = tokio::task::block_in_place(|| silos.load(&store))?;
    silos.load_sequences(&store)?;
    let burnt = find_burnt(&store, &keys, &loaded)?;
    let board = Board::new(asked, writer.epoch().number, moving.is_some());
    let retiring = writer.retiring().map(|retiring| retiring.number);
    let eraser = Arc::new(Eraser::resume(Arc::clone(&store), board, retiring, burnt, due)?);
    store.follow_with(Arc::new(Memory { silos: Arc::clone(&silos), eraser: Arc::clone(&eraser) }));
    let reserve = config.storage.reserve_mib << 20;
    let backups = Arc::new(Keeper::new(config.backup.path.clone(), writer.vault(), reserve, config.limits.patience()));
    backups.look(&config.data_dir);
    let vault = Arc::new(Vault {
        id: writer.vault(),
        clock,
        site: Site { region: config.region.clone() },
        audience: config.attestation.audience.clone(),
        store,
        keys: Arc::clone(&keys),
        silos,
        eraser: Arc::clone(&eraser),
        pool,
        passes: Passes::default(),
        rerankers: Arc::new(Semaphore::new(identification::RERANKERS)),
        looking: audit::Looking::default(),
        unclear: Arc::new(Semaphore::new(case::PLACES as usize)),
        backups,
        root_stores: (config.root.store, config.root.from),
        asks_second_factor: config.asks_second_factor(),
        logins,
        proposals_last: Duration::from_millis(config.approvals.lifetime_ms),
        administration: tokio::sync::Mutex::new(()),
        sweeps: retention::Board::default(),
    });
    let founded = match found(&vault, first).await {
        Ok(key) => record_mirrors(&vault).await.map(|()| key).map_err(OpenError::from),
        Err(fault) => Err(fault),
    };
    if founded.is_err() {
        // Its follower reads from the store: without this neither would ever be dropped.
        vault.store.close();
    }
    let operator_key = founded?;
    let pace = Pace {
        window: Duration::from_millis(config.erasure.window_ms),
        least_interval: Duration::from_millis(config.erasure.least_interval_ms),
        look_every: config.root.probe_interval(),
    };
    Silos::keep_within(&vault.silos);
    erasure::start(eraser, writer, journal, roots, keys, pace, moving.clone())?;
    Ok(Opened { vault, operator_key, moving })
}

/// What a vault stands on: rows, and the keys that open them.
pub(crate) struct Foundation {
    pub(crate) store: Arc<Store>,
    pub(crate) journal: Arc<StoreJournal>,
    pub(crate) writer: EpochWriter<StoreJournal>,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) roots: Arc<dyn RootStore>,
    pub(crate) asked: Arc<Asked>,
    pub(crate) moving: Option<MigratingRootStore>,
}

impl Foundation {
    /// Opens root store, rows and mirrors, and authenticates the key tree.
    pub(crate) async fn lay(config: &Config) -> std::result::Result<Self, OpenError> {
        Self::build(config, Opening::Usual, Takeover::Refuse).await
    }

    /// The same of a vault whose restore is not finished, without mirrors that are lost.
    pub(crate) async fn restoring(
        config: &Config,
        takeover: Takeover,
        lost: &[MirrorId],
    ) -> std::result::Result<Self, OpenError> {
        Self::build(config, Opening::Restoring(lost.to_vec()), takeover).await
    }

    async fn build(config: &Config, opening: Opening, takeover: Takeover) -> std::result::Result<Self, OpenError> {
        cpu::require().map_err(OpenError::Cpu)?;
        create_folder(&config.data_dir)?;
        let Roots { store: roots, moving } = root_stores::open(config).await?;
        let (roots, asked) = Watched::over(roots);
        let db = config.data_dir.join("db");
        expect_no_other(config, &*roots, &db).await?;
        let options = StoreOptions {
            cache_bytes: usize::try_from(config.storage.cache_mib << 20).unwrap_or(usize::MAX),
            reserve_bytes: config.storage.reserve_mib << 20,
            queue: config.limits.queue,
            mirrors: config.mirror_paths(),
            patience: config.limits.patience(),
            opening,
        };
        let store = Arc::new(Store::open(&db, &options)?);
        let statements = Statements::of_this_run(&store, &roots.medium())?;
        let journal = Arc::new(StoreJournal::new(Arc::clone(&store), statements));
        let cache = Arc::new(PageCache::new(LEAF_PAGES));
        let writer = EpochWriter::open(Arc::clone(&journal), Arc::clone(&roots), cache, takeover);
        let writer = writer.await.map_err(|fault| root_stores::explain(config, fault))?;

        let keys = Arc::new(Keyring::new(Arc::clone(&store), writer.view().clone()));
        journal.publish_to(Arc::clone(&keys));
        Ok(Self { store, journal, writer, keys, roots, asked, moving })
    }
}

/// A vault is founded only where nobody knows of one: an empty folder may be a disk that is not mounted, and whatever is
/// made in it would be in the way of a restore.
async fn expect_no_other(config: &Config, roots: &dyn RootStore, db: &Path) -> std::result::Result<(), OpenError> {
    if is_there(db) {
        return Ok(());
    }
    if let Some(mirror) = config.mirror_paths().into_iter().find(|mirror| is_there(mirror)) {
        return Err(StoreError::Lost { path: db.to_owned(), mirror }.into());
    }
    match roots.claimed().await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(root_stores::explain(config, lethe_crypto::Error::ForeignVault)),
        Err(fault) => Err(root_stores::explain(config, fault)),
    }
}

/// All that follows from committed rows.
struct Memory {
    silos: Arc<Silos>,
    eraser: Arc<Eraser>,
}

impl Follow for Memory {
    fn follow(&self, rows: &[Row]) {
        // In this order: nothing finds a subject any more before its keys go.
        self.silos.follow(rows);
        self.eraser.follow(rows);
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn create_folder(path: &Path) -> std::result::Result<(), OpenError> {
    make_folder(path).map_err(|cause| OpenError::Folder { path: path.to_owned(), cause })
}

/// Gives a new vault its log and its first operator.
async fn found(vault: &Vault, first: FirstKey) -> std::result::Result<Option<ApiKey>, OpenError> {
    let tree = TreeId::VAULT;
    if vault.store.get(&Key::LogHead { tree })?.is_some() {
        return Ok(None);
    }
    let now = Timestamp::now();
    let mut change = Change::new();
    audit::create_log(&vault.keys, tree, vault.origin_of(tree)?, &mut change)?;
    let api_key = first().map_err(OpenError::OperatorKey)?;
    let (id, proof) = (api_key.credential(), Proof::Key(api_key.digest()));
    let new = NewCredential { id, proof, roles: Roles::only(Role::Operator), expires: None, made_by: None };
    put_credential(&vault.keys, tree, &new, now, &mut change)?;
    let entry = audit::by_the_vault("vault.found", now)?;
    change.log(tree, audit::concerning(entry, "CREDENTIAL_CREATED", api_key.credential())?);
    vault.store.commit(change).await?;
    Ok(Some(api_key))
}

/// Puts on record which mirrors the vault has got: from here on none of them may be away without anybody saying so.
async fn record_mirrors(vault: &Vault) -> Result<()> {
    for mirror in vault.store.new_mirrors() {
        let mut change = Change::new().starting();
        let (key, value) = mirror_row(mirror.id, &mirror.path);
        change.put(key, value);
        let entry = audit::by_the_vault("mirror.add", Timestamp::now())?;
        change.log(TreeId::VAULT, audit::naming(entry, "MIRROR_ADDED", "mirror", &mirror.id.to_string())?);
        vault.store.commit(change).await?;
    }
    Ok(())
}

/// Slots that were handed out and never committed: torn bytes may be sealed under them, so the next epoch
/// redraws them (rule 3).
pub(crate) fn find_burnt(store: &Store, keys: &Keyring, loaded: &Loaded) -> Result<Redraw> {
    let view = keys.view();
    let mut burnt = Redraw::new();
    store.scan(RowKind::HighWater, &Key::prefix(RowKind::HighWater), |key, _| {
        if let Key::HighWater { tree } = key {
            let mark = keys.allocator(tree)?.mark();
            let owned = loaded.owned.get(&tree).map(Vec::as_slice).unwrap_or_default();
            let slots = burnt_slots(&view, store.pages(), tree, mark, owned.iter().copied());
            for slot in slots.map_err(Error::crypto("look for burnt slots"))? {
                burnt.erase(tree, SlotRef::first(slot));
            }
        }
        Ok::<_, Error>(())
    })?;
    if !burnt.is_empty() {
        tracing::info!(slots = burnt.len(), "slots that were never committed are redrawn by the next erasure");
    }
    Ok(burnt)
}
