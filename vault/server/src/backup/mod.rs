//! Backups of the vault, by its operators: made, listed, verified and pruned while it serves (O38). Restoring one is
//! [`crate::restoration`]'s, with the server stopped.

mod keeper;

use std::sync::Arc;

use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Reason, RequestId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{CreateBackup, GetBackup, ListBackups, PruneBackups, VerifyBackup};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use keeper::Keeper;

use crate::audit;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::store::{Change, Key};
use crate::vault::Vault;
use keeper::{Job, Task};

/// Names a backup.
pub type Number = u32;

/// A backup, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its number.
    pub number: Number,
    /// How far it has got.
    pub state: State,
    /// When it was made, or failed; until then, when it was begun. Nobody knows of one that is damaged.
    pub at: Option<Timestamp>,
    /// Its last verification in this run of the server.
    pub verification: Option<Verification>,
}

/// How far a backup has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is being made.
    Running,
    /// It is there.
    Done {
        /// Bytes of its files, those that it shares with others too.
        bytes: u64,
        /// How many files it has.
        files: u32,
    },
    /// It could not be made, and why. The next attempt takes its number.
    Failed(String),
    /// It was there, and cannot be restored any more.
    Damaged,
}

/// A verification of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How far it has got.
    pub outcome: Soundness,
    /// When it ended; until then, when it was begun.
    pub at: Timestamp,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Soundness {
    /// It is still looking.
    Running,
    /// Every one of so many rows can be read.
    Sound(u64),
    /// It cannot be restored and read, and why.
    Unsound(String),
}

/// The answer that a request to make a backup is remembered by.
#[derive(Serialize, Deserialize)]
struct Begun {
    number: Number,
}

/// Makes a backup, and gives its state at its end, or at `until` if that comes first. It runs to its end either way. A repeated
/// request makes none.
///
/// # Errors
/// `BACKUP_NOT_CONFIGURED`, `BACKUP_FOLDER_UNUSABLE`, `BACKUP_BUSY`; `MIRROR_FAILING`, as a backup is restored under what
/// a mirror has, which must not be older.
pub async fn create(
    vault: &Arc<Vault>,
    call: Authorized<CreateBackup>,
    request: Option<RequestId>,
    until: Instant,
) -> Result<Report> {
    let request = Request::of(vault, request)?;
    let number = match request.begun(vault)? {
        Some(number) => {
            vault.note(TreeId::VAULT, &call).await?;
            number
        }
        None => {
            vault.store.mirrored(vault.store.barrier().await?).await?;
            begin(vault, &call, request).await?
        }
    };
    vault.backups.ended(number, until).await;
    vault.backups.report(number).await
}

/// Begins a backup, on the record; gives its number.
async fn begin(vault: &Arc<Vault>, call: &Authorized<CreateBackup>, request: Request) -> Result<Number> {
    // The place at work before the lock: a folder that does not answer must hold up backups alone.
    let job = Keeper::begin(&vault.backups, Task::Create).await?;
    let _alone = vault.administration.lock().await;
    if let Some(number) = request.begun(vault)? {
        return Ok(number);
    }
    let number = job.number();
    let mut change = Change::new();
    request.remember(vault, &mut change, Begun { number })?;
    let entry = audit::done(call, Timestamp::now())?;
    change.log(TreeId::VAULT, audit::counting(entry, "BACKUP_BEGUN", &[("backup", number.into())])?);
    vault.store.commit(change).await?;
    work(vault, job);
    Ok(number)
}

/// A request for a backup, by the row that remembers it.
struct Request {
    key: Option<Key>,
    fingerprint: String,
}

impl Request {
    fn of(vault: &Vault, id: Option<RequestId>) -> Result<Self> {
        let own = vault.keys.own(TreeId::VAULT)?;
        let key = id.map(|id| Key::TenantRequest { tree: TreeId::VAULT, tag: request_tag(&own, id) });
        Ok(Self { key, fingerprint: Fingerprint::of("backup.create").finish() })
    }

    /// The backup that it began before.
    fn begun(&self, vault: &Vault) -> Result<Option<Number>> {
        let Some(key) = &self.key else { return Ok(None) };
        Ok(recall::<Begun>(&vault.store, &vault.keys, key, &self.fingerprint)?.map(|begun| begun.number))
    }

    fn remember(self, vault: &Vault, change: &mut Change, begun: Begun) -> Result<()> {
        let Some(key) = self.key else { return Ok(()) };
        remember(&mut vault.keys.opener(), change, key, self.fingerprint, begun)
    }
}

/// Restores a backup aside and reads every row of it; gives its state at the end, or at `until` if that comes first. It
/// runs to its end either way.
///
/// # Errors
/// As [`create`]; `BACKUP_NOT_FOUND`.
pub async fn verify(
    vault: &Arc<Vault>,
    call: Authorized<VerifyBackup>,
    number: Number,
    until: Instant,
) -> Result<Report> {
    let job = Keeper::begin(&vault.backups, Task::Verify(number)).await?;
    vault.note(TreeId::VAULT, &call).await?;
    work(vault, job);
    vault.backups.ended(number, until).await;
    vault.backups.report(number).await
}

/// Gives a backup's state.
///
/// # Errors
/// `BACKUP_NOT_FOUND`, and as [`create`].
pub async fn get(vault: &Vault, call: Authorized<GetBackup>, number: Number) -> Result<Report> {
    let report = vault.backups.report(number).await?;
    vault.note(TreeId::VAULT, &call).await?;
    Ok(report)
}

/// Gives the states of all backups from this number on, by number, at most so many; and the number of the next, if
/// there is one.
///
/// # Errors
/// As [`create`].
pub async fn list(
    vault: &Vault,
    call: Authorized<ListBackups>,
    from: u64,
    most: usize,
) -> Result<(Vec<Report>, Option<u64>)> {
    let mut reports = vault.backups.reports().await?;
    reports.retain(|report| u64::from(report.number) >= from);
    let next = reports.get(most).map(|report| report.number.into());
    reports.truncate(most);
    vault.note(TreeId::VAULT, &call).await?;
    Ok((reports, next))
}

/// Deletes all but the newest backups; gives the numbers of those that are gone, and of those that are kept.
///
/// # Errors
/// As [`create`].
pub async fn prune(
    vault: &Arc<Vault>,
    call: Authorized<PruneBackups>,
    keep: i32,
) -> Result<(Vec<Number>, Vec<Number>)> {
    let least = || Invalid::new("keep", Reason::FieldOutOfRange, "must be at least 1");
    let keep = usize::try_from(keep).ok().filter(|keep| *keep > 0).ok_or_else(least)?;
    let job = Keeper::begin(&vault.backups, Task::Prune(keep)).await?;
    let mut gone = job.numbers();
    let kept = gone.split_off(gone.len().saturating_sub(keep));
    let entry = audit::done(&call, Timestamp::now())?;
    let counts = [("kept", kept.len() as u64), ("deleted", gone.len() as u64)];
    let mut change = Change::new();
    change.log(TreeId::VAULT, audit::counting(entry, "BACKUPS_PRUNED", &counts)?);
    vault.store.commit(change).await?;
    let pruned = run(vault, job).await?;
    pruned.map_err(|fault| {
        tracing::error!(%fault, "old backups cannot be deleted");
        keeper::unusable()
    })?;
    Ok((gone, kept))
}

/// Does a job on a thread of its own, and puts its end on record, whoever still waits for it.
fn work(vault: &Arc<Vault>, job: Job) {
    let vault = Arc::clone(vault);
    tokio::spawn(async move { drop(run(&vault, job).await) });
}

/// What a job came to: nothing to say, or why it failed.
type Done = std::result::Result<(), String>;

async fn run(vault: &Arc<Vault>, job: Job) -> Result<Done> {
    let store = Arc::clone(&vault.store);
    let ended = keeper::on_a_thread(move || {
        let finished = job.run(&store);
        // Before anybody hears of it: who waits for the store to be given back must not find it held here.
        drop(store);
        finished
    })?;
    let finished = ended.await.map_err(|_| Error::TaskLost)?;
    if finished.is_new() {
        // It has rows that no mirror may have yet, and is not done before one has: what is older cannot complete it.
        let mirrored = async { vault.store.mirrored(vault.store.barrier().await?).await };
        if let Err(fault) = mirrored.await {
            tracing::warn!(%fault, "a backup is newer than a mirror, and can be restored once that has caught up");
        }
    }
    // On record first: whoever sees the end finds it in the log.
    if let Some((event, fields)) = finished.event() {
        let logged = async {
            let entry = audit::by_the_vault(finished.operation(), Timestamp::now())?;
            let mut change = Change::new();
            change.log(TreeId::VAULT, audit::counting(entry, event, &fields)?);
            vault.store.commit(change).await?;
            Ok::<_, Error>(())
        };
        if let Err(fault) = logged.await {
            tracing::error!(%fault, "the end of a backup cannot be put on record");
        }
    }
    Ok(finished.end())
}
