//! Do the root keys fit the data? Looked at with the server stopped.

use std::path::PathBuf;
use std::sync::Arc;

use lethe_crypto::epoch::EpochState;
use lethe_crypto::root::{FileRootStore, FileRootStoreOptions, ReplicaState, RootId, RootStore};
use lethe_crypto::tree::{PageCache, View};

use crate::config::Config;
use crate::opening::OpenError;
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
    /// The files of the root store.
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

/// Opens the root store and the data as a start would, claims nothing and destroys nothing.
///
/// # Errors
/// If there is no vault, if a server has it open, or if the root store cannot be opened.
pub fn root_check(config: &Config) -> Result<RootReport, OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| OpenError::Folder { path: config.data_dir.clone(), cause })?;
    runtime.block_on(check(config))
}

async fn check(config: &Config) -> Result<RootReport, OpenError> {
    let replicas = config.root_replicas();
    let db = config.data_dir.join("db");
    for path in replicas.iter().chain([&db]) {
        if !path.exists() {
            let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(OpenError::Missing { path: path.clone(), cause });
        }
    }
    // Each by itself, before the store brings them together.
    let states: Vec<_> = replicas.iter().map(|path| ReplicaState::read(path)).collect();
    let mut options = FileRootStoreOptions::new(PathBuf::new(), &config.data_dir);
    options.replicas = replicas.clone();
    let roots = FileRootStore::open(options)?;
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
