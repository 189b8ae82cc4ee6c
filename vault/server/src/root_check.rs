//! Do the root keys fit the data? Looked at with the server stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::epoch::EpochState;
use lethe_crypto::root::{ReplicaState, RootId, RootStore as _};
use lethe_crypto::tree::{PageCache, View};

use crate::config::{Config, StoreKind};
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
    /// Whether that root opens the vault tree.
    pub opens: bool,
    /// An epoch that was left, and its root, if that must still be destroyed.
    pub retiring: Option<(u64, String)>,
    /// The kind of root store.
    pub store: &'static str,
    /// Its files, if it is in files.
    pub replicas: Vec<ReplicaReport>,
    /// Roots that belong to no epoch: the next start destroys them.
    pub orphans: Vec<String>,
    /// What the medium cannot promise.
    pub medium: Vec<String>,
}

/// One file of the root store.
#[derive(Debug)]
pub struct ReplicaReport {
    /// The file.
    pub path: PathBuf,
    /// Whether it has the committed epoch's root.
    pub holds_root: bool,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// How long a vault may take to move to another root store before somebody is told to look at the log.
const PATIENCE: Duration = Duration::from_secs(600);

/// Moves a vault from one root store to another, and gives the epoch that it is in then. The same happens, while serving,
/// in a vault that is started with `root.from`.
///
/// # Errors
/// What opening gives; `Missing` if the move does not end: the old store is still needed then.
pub async fn move_roots(config: &Config) -> Result<u64, OpenError> {
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
    let replicas = if config.root.store == StoreKind::File { config.root_replicas() } else { Vec::new() };
    let db = config.data_dir.join("db");
    for path in replicas.iter().chain([&db]) {
        if !path.exists() {
            let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(OpenError::Missing { path: path.clone(), cause });
        }
    }
    // Each by itself, before the store brings them together.
    let states: Vec<_> = replicas.iter().map(|path| ReplicaState::read(path)).collect();
    let roots = root_stores::open(config)?.store;
    let store = Store::read_only(&db)?;
    let state = store.get(&Key::Epoch)?.map(|bytes| EpochState::decode(&bytes)).transpose()?;
    let current = state.as_ref().and_then(|state| state.current.clone().map(|epoch| (state, epoch)));
    let Some((state, epoch)) = current else {
        let cause = std::io::Error::other("the vault was never founded to its end; start the server");
        return Err(OpenError::Missing { path: db, cause });
    };
    let held = roots.epochs().await?;
    let context = epoch.wrapping_context(&state.vault);
    let opened = match roots.unwrap(epoch.root, &epoch.wrapped, &context).await {
        Ok(key) => View::new(&key, epoch.number, Arc::new(PageCache::new(0))).authenticate(store.pages()).map(drop),
        Err(fault) => Err(fault),
    };
    let retiring = state.retiring.as_ref();
    let holds_root = held.contains(&epoch.root);
    let known = |root: &RootId| *root == epoch.root || retiring.is_some_and(|retiring| retiring.root == *root);
    Ok(RootReport {
        vault: state.vault.to_string(),
        store: config.root.store.name(),
        epoch: epoch.number,
        root: epoch.root.to_string(),
        opens: opened.is_ok(),
        retiring: retiring.map(|retiring| (retiring.number, retiring.root.to_string())),
        replicas: replicas.into_iter().zip(states).map(|(path, state)| replica(path, state, epoch.root)).collect(),
        // Where the data is older than the roots, none of them is an orphan: the next start refuses, and destroys nothing.
        orphans: held.iter().filter(|root| holds_root && !known(root)).map(ToString::to_string).collect(),
        medium: roots.medium().statements().map(|statement| statement.as_str().to_owned()).collect(),
    })
}

fn replica(path: PathBuf, state: Result<ReplicaState, lethe_crypto::Error>, root: RootId) -> ReplicaReport {
    match state {
        Err(fault) => ReplicaReport { path, holds_root: false, fault: Some(fault.to_string()) },
        Ok(state) => {
            let torn = (state.damaged > 0).then(|| format!("{} of its slots are damaged", state.damaged));
            ReplicaReport { path, holds_root: state.roots.contains(&root), fault: torn }
        }
    }
}
