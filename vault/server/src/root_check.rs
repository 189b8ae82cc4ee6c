//! Do the root keys fit the data? Looked at with the server stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::Error;
use lethe_crypto::epoch::{EpochState, Takeover, admits};
use lethe_crypto::root::{ReplicaState, RootId};
use lethe_crypto::tree::{PageCache, View};

use crate::config::{Config, Files, StoreKind};
use crate::erasure::Statements;
use crate::error::causes;
use crate::opening::{self, OpenError};
use crate::root_stores;
use crate::store::{Key, Store};

/// What was found.
#[derive(Debug)]
pub struct RootReport {
    /// The vault's id.
    pub vault: String,
    /// The committed epoch.
    pub epoch: u64,
    /// The root it needs.
    pub root: String,
    /// Why that root does not open the vault tree, if it does not.
    pub fault: Option<String>,
    /// Why a start would be refused before it touched anything, if it would: the root store was claimed by another run
    /// since, or the vault is on its way to it, or has moved on.
    pub refused: Option<String>,
    /// An epoch that was left, and its root, if that must still be destroyed.
    pub retiring: Option<(u64, String)>,
    /// The kind of root store.
    pub store: &'static str,
    /// The kind that the vault moves from, if it does.
    pub from: Option<&'static str>,
    /// Files of root stores, if any are in files.
    pub replicas: Vec<ReplicaReport>,
    /// Roots that belong to no epoch: the next start destroys them.
    pub orphans: Vec<String>,
    /// What receipts say that cannot be promised: of this medium, of those before it, and of every run.
    pub medium: Vec<String>,
}

impl RootReport {
    /// Would a start find everything as it must be?
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.fault.is_none() && self.refused.is_none() && self.replicas.iter().all(|replica| replica.sound)
    }
}

/// One file of a root store.
#[derive(Debug)]
pub struct ReplicaReport {
    /// The file.
    pub path: PathBuf,
    /// Whether it has the committed epoch's root.
    pub holds_root: bool,
    /// What is wrong with it.
    pub fault: Option<String>,
    /// Whether nothing is wrong with it, and it has the root if the others of its store have it.
    pub sound: bool,
}

/// How long a vault may take to move to another root store before somebody is told to look at the log.
const PATIENCE: Duration = Duration::from_secs(600);

/// Moves a vault from one root store to another, and gives the epoch that it is in then. The same happens, while serving,
/// in a vault that is started with `root.from`.
///
/// # Errors
/// What opening gives; `Missing` if the move does not end: the old store is still needed then.
pub async fn move_roots(config: &Config) -> Result<u64, OpenError> {
    expect_vault(config)?;
    let opened = opening::open(config).await?;
    let vault = opened.vault;
    let until = Instant::now() + PATIENCE;
    let moved = loop {
        match &opened.moving {
            None => break Ok(()),
            Some(moving) if moving.is_done().await? => break Ok(()),
            Some(_) if Instant::now() > until => {
                let cause = std::io::Error::other("the roots have not moved; the log says why. Run it again");
                break Err(OpenError::Missing { path: config.data_dir.clone(), cause });
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    vault.close().await;
    moved.map(|()| vault.keys.view().epoch())
}

/// Opens the root store and the data as a start would, claims nothing and destroys nothing.
///
/// # Errors
/// If there is no vault, if a server has it open, or if the root store cannot be opened.
pub fn root_check(config: &Config) -> Result<RootReport, OpenError> {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(check(config)))
}

async fn check(config: &Config) -> Result<RootReport, OpenError> {
    let db = expect_vault(config)?;
    // Each by itself, before the store brings them together.
    let mut files = vec![(config.root.store, config.files())];
    files.extend(config.root.from.map(|from| (from, config.files_before())));
    let files: Vec<_> =
        files.into_iter().filter(|(kind, _)| *kind == StoreKind::File).map(|(_, files)| read(files)).collect();
    let store = Store::read_only(&db)?;
    let state = store.get(&Key::Epoch)?.map(|bytes| EpochState::decode(&bytes)).transpose()?;
    let current = state.as_ref().and_then(|state| state.current.clone().map(|epoch| (state, epoch)));
    let Some((state, epoch)) = current else {
        let cause = std::io::Error::other("the vault was never founded to its end; start the server");
        return Err(OpenError::Missing { path: db, cause });
    };
    let roots = root_stores::open_existing(config).await?.store;
    let explain = |fault| root_stores::explain(config, fault);
    let held = roots.epochs().await.map_err(explain)?;
    let refused = match admits(state, &*roots, Takeover::Refuse).await {
        Ok(_) => None,
        Err(fault @ Error::RootStore { .. }) => return Err(explain(fault)),
        Err(fault) => Some(explain(fault).to_string()),
    };
    let context = epoch.wrapping_context(&state.vault);
    let opened = match roots.unwrap(epoch.root, &epoch.wrapped, &context).await {
        Ok(key) => View::new(&key, epoch.number, Arc::new(PageCache::new(0))).authenticate(store.pages()).map(drop),
        Err(fault) => Err(fault),
    };
    let retiring = state.retiring.as_ref();
    let known = |root: &RootId| *root == epoch.root || retiring.is_some_and(|retiring| retiring.root == *root);
    Ok(RootReport {
        vault: state.vault.to_string(),
        store: config.root.store.name(),
        from: config.root.from.map(StoreKind::name),
        epoch: epoch.number,
        root: epoch.root.to_string(),
        fault: opened.err().map(|fault| causes(&fault)),
        orphans: held.iter().filter(|root| refused.is_none() && !known(root)).map(ToString::to_string).collect(),
        refused,
        retiring: retiring.map(|retiring| (retiring.number, retiring.root.to_string())),
        replicas: files.into_iter().flat_map(|files| replicas(files, epoch.root)).collect(),
        medium: {
            let mut said = Statements::read(&store)?;
            said.add(&roots.medium());
            said.iter().map(str::to_owned).collect()
        },
    })
}

/// The database of a vault that exists: nothing here may found one.
fn expect_vault(config: &Config) -> Result<PathBuf, OpenError> {
    let db = config.data_dir.join("db");
    if db.is_dir() {
        return Ok(db);
    }
    Err(OpenError::Missing { path: db, cause: std::io::Error::other("there is no vault") })
}

type Read = Vec<(PathBuf, Result<ReplicaState, lethe_crypto::Error>)>;

fn read(files: Files<'_>) -> Read {
    let existing = files.replicas.into_iter().filter(|path| path.exists());
    existing.map(|path| (path.clone(), ReplicaState::read(&path))).collect()
}

/// The files of one store. Of two between which the vault moves only one has the root.
fn replicas(files: Read, root: RootId) -> Vec<ReplicaReport> {
    let holds_root = |state: &ReplicaState| state.roots.contains(&root);
    let expected = files.iter().any(|(_, state)| state.as_ref().is_ok_and(holds_root));
    let report = |(path, state): (PathBuf, Result<ReplicaState, lethe_crypto::Error>)| {
        let (holds_root, fault) = match state {
            Err(fault) => (false, Some(causes(&fault))),
            Ok(state) => {
                let torn = (state.damaged > 0).then(|| format!("{} of its slots are damaged", state.damaged));
                (holds_root(&state), torn)
            }
        };
        let sound = fault.is_none() && holds_root == expected;
        ReplicaReport { path, holds_root, fault, sound }
    };
    files.into_iter().map(report).collect()
}
