//! Going on without root files that are lost for good, with the server stopped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lethe_crypto::Error;
use lethe_crypto::epoch::{EpochState, Takeover, admits};
use lethe_crypto::root::{Medium, MediumStatement, RootStore};
use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;

use crate::audit;
use crate::config::Config;
use crate::erasure::Statements;
use crate::opening::OpenError;
use crate::root_stores::{self, Bereft};
use crate::store::{Change, Key, Store, StoreOptions, is_there};

/// What came of it.
#[derive(Debug)]
pub struct Abandoned {
    /// The files that are left.
    pub left: Vec<PathBuf>,
    /// It had been done before, and nothing was to do.
    pub before: bool,
    /// It is in the vault's log. Without a database, or before a restore has ended, there is none to write to.
    pub logged: bool,
}

/// Gives root files up, on the record: every later receipt says so. What is on their media stays there, and whoever finds
/// them has the roots of their day. Destroys nothing, and may be repeated.
///
/// # Errors
/// If one of them can be opened, if none would be left, if others are not there; if a server has the vault open; if the
/// files that are left are another vault's, were claimed by another copy of it since, or lack the root that it needs.
pub async fn abandon_replicas(config: &Config, lost: &[PathBuf]) -> Result<Abandoned, OpenError> {
    let lost = as_named(config, lost);
    let Bereft { abandonment, roots } = root_stores::open_without(config, &lost)?;
    let left = abandonment.left();
    let has_log = expect_its_roots(config, &*roots).await?;
    if abandonment.is_done() {
        // The log may not have been there then, on a disk that was not mounted.
        let logged = has_log && !is_on_record(config)?;
        if logged {
            log(config, lost.len(), left.len()).await?;
        }
        return Ok(Abandoned { left, before: true, logged });
    }
    // First, so that none is ever given up without a word. Cut short after it, the start is refused as before.
    if has_log {
        log(config, lost.len(), left.len()).await?;
        fail::fail_point!("root-abandonment-logged");
    }
    let carried_out = tokio::task::block_in_place(|| abandonment.carry_out());
    carried_out.map_err(|fault| root_stores::explain(config, fault))?;
    Ok(Abandoned { left, before: false, logged: has_log })
}

/// Paths as the configuration spells them.
fn as_named(config: &Config, lost: &[PathBuf]) -> Vec<PathBuf> {
    let named = [config.files().replicas, config.files_before().replicas].concat();
    let is_same = |one: &PathBuf, other: &PathBuf| {
        one == other
            || std::path::absolute(one)
                .ok()
                .is_some_and(|one| std::path::absolute(other).is_ok_and(|other| one == other))
    };
    let spelled = lost.iter().map(|path| named.iter().find(|name| is_same(name, path)).unwrap_or(path).clone());
    spelled.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Are what is left the roots of the vault that is there? Tells whether it has a log that can be written.
async fn expect_its_roots(config: &Config, roots: &dyn RootStore) -> Result<bool, OpenError> {
    let db = config.data_dir.join("db");
    let explain = |fault| root_stores::explain(config, fault);
    if roots.claimed().await.map_err(explain)?.is_none() {
        return Err(explain(Error::Unclaimed));
    }
    if !is_there(&db) {
        // Lost as well: a restore needs the roots first.
        return Ok(false);
    }
    let store = Store::read_only(&db)?;
    if store.get(&Key::Restoring)?.is_some() {
        return Ok(false);
    }
    let Some(state) = store.get(&Key::Epoch)?.map(|bytes| EpochState::decode(&bytes)).transpose()? else {
        return Ok(false);
    };
    match admits(&state, roots, Takeover::Refuse).await {
        Ok(_) => Ok(state.current.is_some()),
        Err(Error::RootMissing { root, epoch, .. }) => {
            let why = format!("the files that are left lack the root {root} of epoch {epoch}; bring the medium back");
            Err(OpenError::Missing { path: db, cause: std::io::Error::other(why) })
        }
        Err(fault) => Err(explain(fault)),
    }
}

fn is_on_record(config: &Config) -> Result<bool, OpenError> {
    let store = Store::read_only(&config.data_dir.join("db"))?;
    Ok(Statements::read(&store)?.iter().any(|code| code == MediumStatement::Abandoned.as_str()))
}

/// In one change: the entry, and what receipts say from now on.
async fn log(config: &Config, lost: usize, left: usize) -> Result<(), OpenError> {
    let options = StoreOptions { mirrors: config.mirror_paths(), ..StoreOptions::default() };
    let store = Store::open(&config.data_dir.join("db"), &options)?;
    let logged = record(&store, lost, left).await;
    store.close();
    logged.map_err(OpenError::from)
}

async fn record(store: &Store, lost: usize, left: usize) -> crate::Result<()> {
    // Mirrors follow at the next start, as after every command that is no start.
    store.begin_alone()?;
    let mut statements = Statements::read(store)?;
    statements.add(&[MediumStatement::Abandoned].into_iter().collect::<Medium>());
    let mut change = Change::new().starting();
    change.put(Key::Statements, statements.encode()?);
    let entry = audit::by_the_vault("root.abandon_replica", Timestamp::now())?;
    let counts = [("abandoned", lost as u64), ("left", left as u64)];
    change.log(TreeId::VAULT, audit::counting(entry, "ROOT_REPLICA_ABANDONED", &counts)?);
    store.commit(change).await?;
    Ok(())
}
