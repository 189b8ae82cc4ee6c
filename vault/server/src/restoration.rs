//! Restoring a vault: the bulk of any backup, or of what is left, under the key tree of today (O19,
//! O38). People who were erased stay erased: their rows do not open and are removed. Keys of people who
//! came after the backup go: their rows are lost, and their slots may have been sealed under.

mod sieve;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lethe_crypto::epoch::{Outcome, Takeover};
use lethe_crypto::tree::{Redraw, TreeId};
use lethe_domain::Timestamp;

use crate::audit;
use crate::config::Config;
use crate::erasure::Erasures;
use crate::error::{Error, Result};
use crate::keyring::tree_of;
use crate::mirrors::dropping;
use crate::opening::{self, Foundation, OpenError, find_burnt};
use crate::store::{
    Backups, Change, Key, MirrorId, Restoring, RowKind, Stage, Store, StoreError, Truth, is_there, sync_folder,
};
pub use crate::store::{Restored, Rows};
use sieve::{Sieve, Verdict};

/// How long mirrors may take to be copied to.
const COPY: Duration = Duration::from_secs(3600);

/// Rows that are removed together.
const CHUNK: usize = 8192;

/// Slots that one epoch redraws: what it writes waits for the mirrors in memory, some 50 bytes a slot.
const REDRAWN: usize = if cfg!(test) { 1000 } else { 200_000 };

/// What to restore from.
#[derive(Debug, Clone, Default)]
pub struct Source<'a> {
    /// A folder of backups, and which of them: the newest if none is named. Without it, what is left in the data folder,
    /// or what was begun.
    pub backup: Option<(&'a Path, Option<u32>)>,
    /// Go on where rows do not open though their keys are there, which are damaged, and their keys go; and where the data
    /// folder has what its mirror has not.
    pub accept_loss: bool,
    /// Go on where so many templates were enrolled since the backup: their keys go.
    pub accept_lost: u64,
    /// Claim the root store also if a later run has: whoever that was is gone for good, and what its mirror lacks is
    /// lost. Still refused if the root store does not hold the root that the mirror names.
    pub take_over: bool,
    /// Mirrors that are lost with the data: given up, on the record.
    pub lost_mirrors: &'a [MirrorId],
}

/// Restores a vault, with the server stopped. A crash at any point is harmless: the vault does not open until the same
/// command has finished.
///
/// # Errors
/// Says the way out. Nothing is destroyed before everything was looked at.
pub async fn restore(config: &Config, source: Source<'_>) -> std::result::Result<Restored, OpenError> {
    let db = config.data_dir.join("db");
    // Before hours are spent on copying: nothing can be restored without a mirror.
    let truth = Truth::open(&config.mirror_paths(), source.lost_mirrors)?;
    opening::create_folder(&config.data_dir)?;
    let _alone = alone(&config.data_dir)?;
    match (source.backup, begun(&db)?) {
        (backup, Some(restoring)) => {
            expect_same(&db, &restoring, backup)?;
            tracing::info!("going on with the restore that was begun; a backup is not read again");
        }
        (Some((folder, number)), None) => write_bulk(&truth, &db, folder, number, source.accept_loss)?,
        (None, None) if is_there(&db) => {}
        (None, None) => {
            let why = format!("there is no database in {}: name a folder of backups", db.display());
            return Err(StoreError::Restore(why).into());
        }
    }
    let restoring = truth.adopt(&db, source.accept_loss)?;
    // The mirrors are opened again with the store.
    drop(truth);
    fail::fail_point!("restore-adopted");
    let takeover = if source.take_over { Takeover::ClaimAnyway } else { Takeover::Refuse };
    let mut vault = Foundation::restoring(config, takeover, source.lost_mirrors).await?;
    let restored = bring_up(&mut vault, &source, restoring).await;
    vault.store.close();
    restored
}

/// Removes what is gone, and the keys of what is lost; nothing before everything was looked at.
async fn bring_up(
    vault: &mut Foundation,
    source: &Source<'_>,
    mut restoring: Restoring,
) -> std::result::Result<Restored, OpenError> {
    for id in source.lost_mirrors {
        if vault.store.get(&Key::Mirror { id: *id })?.is_some() {
            vault.store.commit(dropping(Change::new().starting(), *id)?).await?;
        }
    }
    if restoring.stage != Stage::Logged {
        remove_what_is_gone(vault, source, &mut restoring).await?;
        restoring.stage = Stage::Logged;
        let mut change = logged(&restoring.report)?;
        change.put(Key::Restoring, restoring.encode()?);
        vault.store.commit(change).await?;
        fail::fail_point!("restore-finished");
    }
    // Until the mirrors have it, it can be run again: with the words that give up one which never will.
    let sequence = vault.store.barrier().await?;
    vault.store.mirrored_within(sequence, COPY).await?;
    let mut change = Change::new().starting();
    change.delete(Key::Restoring);
    vault.store.commit(change).await?;
    Ok(restoring.report)
}

async fn remove_what_is_gone(
    vault: &mut Foundation,
    source: &Source<'_>,
    restoring: &mut Restoring,
) -> std::result::Result<(), OpenError> {
    let (store, keys) = (&vault.store, &vault.keys);
    let sifted = tokio::task::block_in_place(|| Sieve::new(store, keys)?.sift())?;
    let redraw = find_burnt(store, keys, &sifted.owned)?;
    let db = store.path().display();
    if sifted.corrupt > 0 && !source.accept_loss {
        let why = format!(
            "{} rows are damaged, and nothing was given up yet. Another backup may have them whole: move {db} away and name \
             it. Or go on without them, for good, with --accept-loss",
            sifted.corrupt
        );
        return Err(StoreError::Restore(why).into());
    }
    // Slots that a crash left reserved are nobody's loss.
    let keys = redraw.len() as u64;
    let lost = if restoring.rows_lost { keys } else { restoring.report.enrolled_since.min(keys) };
    if lost > source.accept_lost {
        let what = if restoring.rows_lost {
            format!("{lost} keys, of people, of templates, or never used, have no rows")
        } else {
            format!("up to {lost} templates were enrolled since, and are lost")
        };
        let why = format!(
            "{what}; nothing was given up yet. A newer backup may have them: move {db} away and name it. Or go on without \
             them, for good, with --accept-lost {lost}"
        );
        return Err(StoreError::Restore(why).into());
    }

    restoring.report.back = sifted.back;
    for chunk in sifted.gone.chunks(CHUNK) {
        let mut change = Change::new().starting();
        for (key, verdict) in chunk {
            match verdict {
                Verdict::Back => continue,
                Verdict::Erased => restoring.report.erased.add(key.kind()),
                Verdict::Corrupt => restoring.report.corrupt.add(key.kind()),
                Verdict::Nobodys => {}
            }
            change.delete(key.clone());
        }
        // With the rows themselves: whoever goes on after a crash counts none twice, and none not at all.
        change.put(Key::Restoring, restoring.encode()?);
        store.commit(change).await?;
        fail::fail_point!("restore-rows-removed");
    }
    // The rows are gone; a count of them must not stay behind.
    let mut change = Change::new().starting();
    store.scan(RowKind::Shredded, &Key::prefix(RowKind::Shredded), |key, _| {
        if let Key::Shredded { tenant } = key {
            change.delete_tree(RowKind::Census, tree_of(tenant)?);
        }
        Ok::<_, Error>(())
    })?;
    store.commit(change).await?;
    // The keys of who is lost go before anybody new is enrolled (rule 3).
    let slots: Vec<_> = redraw.iter().collect();
    for chunk in slots.chunks(REDRAWN) {
        let mut redraw = Redraw::new();
        chunk.iter().for_each(|(tree, slot)| {
            redraw.erase(*tree, *slot);
        });
        restoring.report.lost_slots += chunk.len() as u64;
        let told = (Key::Restoring, restoring.encode()?);
        match vault.writer.run(&redraw, &Erasures::burnt(chunk.len() as u64, told)).await? {
            Outcome::Destroyed(_) => {}
            Outcome::Pending(failure) => return Err(failure.into()),
        }
    }
    // An earlier try may have left an epoch that was not ended.
    vault.writer.finish().await?;
    fail::fail_point!("restore-redrawn");
    restoring.report.epoch = vault.writer.epoch().number;
    Ok(())
}

/// Nobody else restores into this folder.
fn alone(folder: &Path) -> Result<File, OpenError> {
    let io = |cause| OpenError::Folder { path: folder.to_owned(), cause };
    let file = File::open(folder).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(StoreError::Restore(format!("{} is being restored by another process", folder.display())).into())
        }
        Err(std::fs::TryLockError::Error(cause)) => Err(io(cause)),
    }
}

/// The restore that was begun of a database.
fn begun(db: &Path) -> Result<Option<Restoring>> {
    if !is_there(db) {
        return Ok(None);
    }
    Ok(Store::read_only(db)?.get(&Key::Restoring)?.map(|row| Restoring::decode(&row)).transpose()?)
}

/// What was begun with one backup is not ended with the words that were meant for another.
fn expect_same(db: &Path, restoring: &Restoring, backup: Option<(&Path, Option<u32>)>) -> Result<()> {
    let Some((folder, number)) = backup else { return Ok(()) };
    let begun = match &restoring.backup {
        Some((begun, of)) if *begun == absolute(folder) && number.is_none_or(|number| number == *of) => return Ok(()),
        Some((begun, of)) => format!("of backup {of} in {}", begun.display()),
        None => "of what was left".to_owned(),
    };
    let why = format!(
        "a restore {begun} was begun in {}: to go on with it, leave out the backup; to begin again with another, move {} \
         away first",
        db.display(),
        db.display()
    );
    Err(StoreError::Restore(why).into())
}

/// The same folder by whatever name.
fn absolute(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

/// Writes a backup's files, under their name only once they are all there, marked, and known to fit.
fn write_bulk(
    truth: &Truth,
    db: &Path,
    folder: &Path,
    number: Option<u32>,
    discard: bool,
) -> std::result::Result<(), OpenError> {
    if db.exists() {
        let why = format!(
            "there is a database in {}: move it away, or leave out the backup to restore what is in it",
            db.display()
        );
        return Err(StoreError::Restore(why).into());
    }
    let backups = Backups::open(folder)?;
    let number = number.map_or_else(|| backups.newest(), Ok)?;
    let unfinished = db.with_extension("restoring");
    let io = |cause| OpenError::Folder { path: unfinished.clone(), cause };
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(io)?;
    }
    opening::create_folder(&unfinished)?;
    tracing::info!(number, "writing the files of a backup");
    fail::fail_point!("restore-before-files");
    let backup = Some((absolute(folder), number));
    let written = backups.restore(number, &unfinished).and_then(|()| truth.begin(&unfinished, backup, discard));
    if let Err(refused) = written {
        // It is a copy: whatever is the matter with it, nothing is lost.
        drop(std::fs::remove_dir_all(&unfinished));
        return Err(refused.into());
    }
    fail::fail_point!("restore-files-marked");
    std::fs::rename(&unfinished, db).map_err(io)?;
    fail::fail_point!("restore-renamed");
    let parent = db.parent().unwrap_or(db);
    sync_folder(parent).map_err(io)
}

/// The record of a restore in the vault's log.
fn logged(report: &Restored) -> Result<Change> {
    let entry = audit::by_the_vault("vault.restore", Timestamp::now())?;
    let fields = [
        ("epoch", report.epoch),
        ("subjects_back", report.back.subjects),
        ("templates_back", report.back.templates),
        ("subjects_erased", report.erased.subjects),
        ("templates_erased", report.erased.templates),
        ("lost_slots", report.lost_slots),
        ("enrolled_since", report.enrolled_since),
        ("corrupt_rows", report.corrupt.sum()),
    ];
    let mut change = Change::new().starting();
    change.log(TreeId::VAULT, audit::counting(entry, "VAULT_RESTORED", &fields)?);
    Ok(change)
}
