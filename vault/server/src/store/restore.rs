use std::path::{Path, PathBuf};

use lethe_crypto::epoch::EpochState;
use lethe_crypto::tree::TreeId;

use super::StoreError;
use super::book::LogHead;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};
use super::mirror::{MirrorId, Position, copy, exists, registered};

/// In the `Restoring` row: rows of the mirror are being copied.
const COPYING: u8 = 0;
/// In the `Restoring` row: the database has all that the mirror has.
const ADOPTED: u8 = 1;

/// The mirrors that a restore goes by.
pub(crate) struct Truth {
    found: Vec<Found>,
    lost: Vec<MirrorId>,
}

/// A mirror of some age.
struct Found {
    age: Age,
    position: Position,
    mirror: Database,
}

impl Truth {
    /// Opens the mirrors that are there. All that the vault has must be, but for those that are named as `lost`: one of
    /// them may be newer than what is there.
    ///
    /// # Errors
    /// `Restore` if there is none, if one is missing, or the newest is not whole.
    pub(crate) fn open(mirrors: &[PathBuf], lost: &[MirrorId]) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        for path in mirrors.iter().filter(|path| exists(path)) {
            let mirror = Database::open_there(path)?;
            if let Some(position) = Position::read(&mirror)?
                && let Some(age) = Age::of(&mirror)?
            {
                found.push(Found { age, position, mirror });
            }
        }
        found.sort_by_key(|found| found.age.order());
        let truth = Self { found, lost: lost.to_vec() };
        let newest = truth.newest().ok_or_else(|| {
            let paths: Vec<_> = mirrors.iter().map(|path| path.display().to_string()).collect();
            StoreError::Restore(format!("mirror.paths ({}) names no mirror that is there", paths.join(", ")))
        })?;
        for missing in registered(&newest.mirror)? {
            let is_there = truth.found.iter().any(|found| found.position.id == missing.id);
            if !is_there && !lost.contains(&missing.id) {
                return Err(newest.refuse(&format!(
                    "names another mirror of the vault, {}, last at {}: it may be newer. Name its folder in mirror.paths, or \
                     give it up with --lost-mirror {}",
                    missing.id,
                    missing.path.display(),
                    missing.id
                )));
            }
        }
        if newest.position.whole {
            return Ok(truth);
        }
        Err(newest.refuse("was being copied to when its vault ended, and is not whole: name another mirror"))
    }

    fn newest(&self) -> Option<&Found> {
        self.found.last()
    }

    /// Marks a database as being restored: from here on nothing but a restore opens it.
    ///
    /// # Errors
    /// `Restore` if it is another vault's, or has what the mirrors have not: it is as it was then.
    pub(crate) fn begin(&self, path: &Path) -> Result<(), StoreError> {
        let db = Database::open_there(path)?;
        self.expect_fit(&db)?;
        mark(&db, COPYING)
    }

    /// Brings a database, as a backup had it or as its disk left it, up to the newest mirror: the key tree, the marks,
    /// receipts, credentials and logs are then those of today. May be repeated after a crash.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub(crate) fn adopt(&self, path: &Path) -> Result<(), StoreError> {
        let db = Database::open_there(path)?;
        if db.get(&Key::Restoring)?.as_deref() == Some(&[ADOPTED]) {
            return Ok(());
        }
        self.expect_fit(&db)?;
        let Some(Found { age, mirror, .. }) = self.newest() else { return Ok(()) };
        tracing::info!(mirror = %mirror.path().display(), epoch = age.epoch, "adopting the key tree and the logs of a mirror");
        mark(&db, COPYING)?;
        copy(&mirror.reader(), &db, None)?;
        let given_up: Vec<_> = self.lost.iter().map(|id| Row::Delete(Key::Mirror { id: *id })).collect();
        db.write(&[&given_up])?;
        // From here on the mirrors follow this database, whose sequence is another.
        for Found { position, mirror, .. } in &self.found {
            mirror.write(&[&[Position { sequence: 0, ..*position }.row()]])?;
            mirror.sync()?;
        }
        mark(&db, ADOPTED)
    }

    fn expect_fit(&self, db: &Database) -> Result<(), StoreError> {
        if let (Some(newest), Some(ours)) = (self.newest(), Age::of(db)?) {
            if ours.vault != newest.age.vault {
                return Err(newest.refuse("is the mirror of another vault"));
            }
            let longer = heads(db)?.into_iter().any(|(tree, head)| newest.logged(tree) < head.size);
            if longer || ours.order() > newest.age.order() {
                let why = format!(
                    "is older than {}: name the vault's current mirror. If it is the current one: a backup made while it \
                     could not be written needs it caught up, so name an older one; and data that is newer than its \
                     mirror needs no restore, so start the server",
                    db.path().display()
                );
                return Err(newest.refuse(&why));
            }
        }
        Ok(())
    }
}

impl Found {
    /// Entries of a tree's log, as the mirror has them.
    fn logged(&self, tree: TreeId) -> u64 {
        let head =
            self.mirror.get(&Key::LogHead { tree }).ok().flatten().and_then(|bytes| LogHead::decode(&bytes).ok());
        head.map_or(0, |head| head.size)
    }

    fn refuse(&self, why: &str) -> StoreError {
        StoreError::Restore(format!("{} {why}", self.mirror.path().display()))
    }
}

fn mark(db: &Database, state: u8) -> Result<(), StoreError> {
    db.write(&[&[Row::Put(Key::Restoring, vec![state])]])?;
    db.sync()
}

/// The heads of all logs.
fn heads(db: &Database) -> Result<Vec<(TreeId, LogHead)>, StoreError> {
    let mut heads = Vec::new();
    db.scan(RowKind::LogHead, &Key::prefix(RowKind::LogHead), Reach::Short, |key, value| {
        if let Key::LogHead { tree } = key {
            heads.push((tree, LogHead::decode(value)?));
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(heads)
}

/// How old the state of a vault is.
pub(super) struct Age {
    /// Whose it is.
    pub(super) vault: [u8; 16],
    epoch: u64,
    /// Entries of the vault's log.
    logged: u64,
    /// Entries of all logs.
    all_logged: u64,
}

impl Age {
    const fn order(&self) -> (u64, u64, u64) {
        (self.epoch, self.logged, self.all_logged)
    }

    pub(super) fn of(db: &Database) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = db.get(&Key::Epoch)? else { return Ok(None) };
        let corrupt = || StoreError::corrupt("epoch state", db.path().display().to_string());
        let state = EpochState::decode(&bytes).map_err(|_| corrupt())?;
        let epoch = state.current.as_ref().map_or(0, |epoch| epoch.number);
        let head = db.get(&Key::LogHead { tree: TreeId::VAULT })?.map(|bytes| LogHead::decode(&bytes)).transpose()?;
        let mut all_logged = 0;
        for (_, head) in heads(db)? {
            all_logged += head.size;
        }
        let logged = head.map_or(0, |head| head.size);
        Ok(Some(Self { vault: *state.vault.as_bytes(), epoch, logged, all_logged }))
    }
}
