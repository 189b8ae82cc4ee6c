use std::path::{Path, PathBuf};

use lethe_crypto::epoch::EpochState;
use lethe_crypto::log::entry::{Entry, Outcome};
use lethe_crypto::log::text::Origin;
use lethe_crypto::tree::TreeId;

use super::census::Census;
use super::change::Row;
use super::db::Database;
use super::history::{Place, Relation, next_run, place_of};
use super::keys::Key;
use super::logs::{self, Shared};
use super::marks::Lost;
use super::mirror::{Held, MirrorId, adopt, registered};
use super::{LogHead, Restored, Restoring, Stage, StoreError};

/// The newest state of a vault that its mirrors have.
pub(crate) struct Truth {
    vault: [u8; 16],
    epoch: u64,
    path: PathBuf,
    place: Place,
    mirror: Database,
}

impl Truth {
    /// Opens the mirrors that are there. All that the vault has must be, but for those that are named as `lost`: one of
    /// them may be newer than what is there.
    ///
    /// # Errors
    /// `Restore` if there is none, if one is missing, or if none has been where all the others are.
    pub(crate) fn open(mirrors: &[PathBuf], lost: &[MirrorId]) -> Result<Self, StoreError> {
        let (mut there, mut found) = (Vec::new(), Vec::new());
        for path in mirrors {
            let held = Held::look(path).and_then(|held| held.map(Held::into_whole).transpose());
            let Some((id, whole)) = held.map_err(without_it)?.flatten() else { continue };
            if lost.contains(&id) {
                continue;
            }
            there.push(id);
            let Some(whole) = whole else {
                tracing::warn!(path = %path.display(), "a mirror was being copied to for the first time: it has nothing in whole");
                continue;
            };
            if let Some((vault, epoch)) = state_of(&whole.db)? {
                found.push((id, Self { vault, epoch, path: path.clone(), place: whole.place, mirror: whole.db }));
            }
        }
        let none = || {
            let paths: Vec<_> = mirrors.iter().map(|path| path.display().to_string()).collect();
            StoreError::Restore(format!("mirror.paths ({}) names no mirror that is there and whole", paths.join(", ")))
        };
        let (first, _) = found.first().ok_or_else(none)?;
        let first = *first;
        let newest = found.iter().position(|(_, newest)| {
            found
                .iter()
                .all(|(_, other)| other.vault == newest.vault && newest.place.see(&other.place) == Relation::Past)
        });
        let Some(newest) = newest else {
            let (id, other) = found.swap_remove(found.len() - 1);
            return Err(other.refuse(&format!(
                "({id}) and another mirror of mirror.paths ({first}) have gone different ways, or are of different vaults: \
                 give up the one that is not this vault's, or was left behind, with --lost-mirror"
            )));
        };
        let (_, newest) = found.swap_remove(newest);
        for missing in registered(&newest.mirror)? {
            if !there.contains(&missing.id) && !lost.contains(&missing.id) {
                return Err(newest.refuse(&format!(
                    "names another mirror of the vault, {}, last at {}: it may be newer. Name its folder in mirror.paths, or \
                     give it up with --lost-mirror {}",
                    missing.id,
                    missing.path.display(),
                    missing.id
                )));
            }
        }
        Ok(newest)
    }

    /// Marks a database as being restored: from here on nothing but a restore opens it. Its bulk is of the backup that is
    /// named.
    ///
    /// # Errors
    /// `Restore` if it is another vault's, or has what the mirrors have not, unless that may be discarded: it is as it was
    /// then.
    pub(crate) fn begin(&self, path: &Path, backup: Option<(PathBuf, u32)>, discard: bool) -> Result<(), StoreError> {
        let another = |_| "; name another backup, or go on without them, for good, with --accept-loss";
        let (db, lost) = open(path, discard, another)?;
        self.mark(&db, lost, fresh(backup), discard).map(drop)
    }

    /// Brings a database, as a backup had it or as its disk left it, up to the newest mirror: the key tree, the marks,
    /// receipts, credentials and logs are then those of today. May be repeated after a crash. Gives what is still to do.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn adopt(&self, path: &Path, discard: bool) -> Result<Restoring, StoreError> {
        let (db, lost) = open(path, discard, Lost::way_out)?;
        let mut restoring = match begun(&db)? {
            Some(tried) if lost.any() => self.mark(&db, lost, tried, discard)?,
            Some(restoring) if restoring.stage != Stage::Copying => return Ok(restoring),
            Some(restoring) => restoring,
            None => self.mark(&db, lost, fresh(None), discard)?,
        };
        self.expect_own(&db)?;
        tracing::info!(mirror = %self.path.display(), epoch = self.epoch, "adopting the key tree and the logs of a mirror");
        fail::fail_point!("restore-before-copy");
        adopt(&self.mirror.reader(), &db, lost)?;
        fail::fail_point!("restore-copied");
        restoring.stage = Stage::Adopted;
        // It goes on from where the mirror was, on a way of its own: mirrors that have been there follow it.
        let adopted = [row(&restoring)?, next_run(&self.place)?];
        if lost.any() {
            // The mirror had what was lost of the tree and the logs; people are as many as there are.
            let census = if lost.rows { Census::recount(&db)? } else { Vec::new() };
            db.write_anew(&[&adopted, &census])?;
        } else {
            db.write(&[&adopted])?;
        }
        db.sync()?;
        Ok(restoring)
    }

    /// A try that was cut short may have brought the logs up: what it counted holds.
    fn mark(&self, db: &Database, lost: Lost, tried: Restoring, discard: bool) -> Result<Restoring, StoreError> {
        self.expect_own(db)?;
        let from = self.mirror.reader();
        let logs = logs::compare(&from, db, lost)?;
        self.expect_past(db, &logs, lost, discard)?;
        let mut enrolled_since = 0;
        for log in &logs {
            let known = if lost.log { log.there.unwrap_or(0) } else { log.common };
            enrolled_since += enrolments(&self.mirror, log, known)?;
        }
        let enrolled_since = enrolled_since.max(tried.report.enrolled_since);
        let report = Restored { enrolled_since, ..Restored::default() };
        let rows_lost = tried.rows_lost || lost.rows;
        let restoring = Restoring { stage: Stage::Copying, backup: tried.backup, rows_lost, report };
        db.write(&[&[row(&restoring)?]])?;
        db.sync()?;
        Ok(restoring)
    }

    fn expect_own(&self, db: &Database) -> Result<(), StoreError> {
        match state_of(db)? {
            Some((vault, _)) if vault != self.vault => Err(self.refuse(OF_ANOTHER)),
            Some(_) => Ok(()),
            // It lost that row; the name of the vault's log says whose it is.
            None => match (origin_of(db)?, origin_of(&self.mirror)?) {
                (Some(ours), Some(theirs)) if ours != theirs => Err(self.refuse(OF_ANOTHER)),
                _ => Ok(()),
            },
        }
    }

    /// Nothing that the database has, and the mirror has not, is given up unasked.
    fn expect_past(&self, db: &Database, logs: &[Shared], lost: Lost, discard: bool) -> Result<(), StoreError> {
        // Whatever is done is in a log: a start that came to nothing leaves rows, but nothing that anybody was told.
        let is_past = !lost.log && logs.iter().all(|log| log.common == log.there.unwrap_or(0));
        if discard || is_past {
            return Ok(());
        }
        let why = match self.place.see(&place_of(db)?) {
            Relation::Behind => format!(
                "is older than {}: name the vault's current mirror. If it is the current one: a backup made while it \
                 could not be written needs it caught up, so name an older one; and data that is newer than its mirror \
                 needs no restore, so start the server. If it does not start, --accept-loss gives up what the mirror lacks",
                db.path().display()
            ),
            Relation::Past | Relation::Apart if lost.log => format!(
                "is to give its logs to {}, which lost entries of its own: what else they had that the mirror lacks cannot \
                 be told, and is given up, for good, with --accept-loss",
                db.path().display()
            ),
            Relation::Past | Relation::Apart => format!(
                "and {} have gone different ways. What was done there that the mirror lacks (revocations, accepted \
                 erasures, log entries) is given up, for good, with --accept-loss",
                db.path().display()
            ),
        };
        Err(self.refuse(&why))
    }

    fn refuse(&self, why: &str) -> StoreError {
        StoreError::Restore(format!("{} {why}", self.path.display()))
    }
}

/// A restore that was not tried before.
fn fresh(backup: Option<(PathBuf, u32)>) -> Restoring {
    Restoring { stage: Stage::Copying, backup, rows_lost: false, report: Restored::default() }
}

/// Is there a database in this folder?
pub(crate) fn is_there(path: &Path) -> bool {
    Database::exists(path)
}

/// Opens a database, and says what it lost between other rows: no people, unless those are given up.
fn open(
    path: &Path,
    discard: bool,
    way_out: impl FnOnce(Lost) -> &'static str,
) -> Result<(Database, Lost), StoreError> {
    let db = Database::open_remains(path)?;
    let lost = db.lost();
    if lost.rows && !discard {
        return Err(StoreError::NotWhole { path: path.to_owned(), lost, way_out: way_out(lost) });
    }
    Ok((db, lost))
}

const OF_ANOTHER: &str = "is the mirror of another vault";

/// The name of the vault's log.
fn origin_of(db: &Database) -> Result<Option<Origin>, StoreError> {
    let head = db.get(&Key::LogHead { tree: TreeId::VAULT })?;
    Ok(head.map(|bytes| LogHead::decode(&bytes)).transpose()?.map(|head| head.origin))
}

/// A mirror that is not whole itself.
fn without_it(fault: StoreError) -> StoreError {
    const WAY_OUT: &str = "; nothing can be restored with it: move that folder away, and give the mirror up with \
                           --lost-mirror, if the vault has another";
    if let StoreError::NotWhole { path, lost, .. } = fault {
        StoreError::NotWhole { path, lost, way_out: WAY_OUT }
    } else {
        fault
    }
}

/// What a restore of the database that is not finished has come to.
fn begun(db: &Database) -> Result<Option<Restoring>, StoreError> {
    Ok(db.get(&Key::Restoring)?.map(|bytes| Restoring::decode(&bytes)).transpose()?)
}

fn row(restoring: &Restoring) -> Result<Row, StoreError> {
    Ok(Row::Put(Key::Restoring, restoring.encode()?))
}

/// Templates that were enrolled since the database was left, by a log of its mirror.
fn enrolments(mirror: &Database, log: &Shared, known: u64) -> Result<u64, StoreError> {
    let mut enrolled = 0;
    for index in known..log.size() {
        let Some(line) = mirror.get(&Key::LogEntry { tree: log.tree, index })? else { continue };
        let corrupt = |_| StoreError::corrupt("log entry", format!("{}: {index}", log.tree));
        let entry = Entry::decode(&line).map_err(corrupt)?;
        let adds = ["enrollment.enroll", "enrollment.replace_template"].contains(&entry.operation.as_str());
        enrolled += u64::from(adds && entry.outcome == Outcome::Allowed);
    }
    Ok(enrolled)
}

/// Whose vault a database has, if any.
pub(super) fn vault_of(db: &Database) -> Result<Option<[u8; 16]>, StoreError> {
    Ok(state_of(db)?.map(|(vault, _)| vault))
}

/// Whose vault a database has, and in which epoch.
fn state_of(db: &Database) -> Result<Option<([u8; 16], u64)>, StoreError> {
    let Some(bytes) = db.get(&Key::Epoch)? else { return Ok(None) };
    let corrupt = |_| StoreError::corrupt("epoch state", db.path().display().to_string());
    let state = EpochState::decode(&bytes).map_err(corrupt)?;
    Ok(Some((*state.vault.as_bytes(), state.current.as_ref().map_or(0, |epoch| epoch.number))))
}
