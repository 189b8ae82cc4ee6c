use std::path::{Path, PathBuf};

use lethe_crypto::epoch::EpochState;
use lethe_crypto::tree::TreeId;

use super::StoreError;
use super::book::LogHead;
use super::change::Row;
use super::db::Database;
use super::keys::Key;
use super::mirror::{Position, copy, exists};

/// In the `Restoring` row: rows of the mirror are being copied.
const COPYING: u8 = 0;
/// In the `Restoring` row: the database has all that the mirror has.
const ADOPTED: u8 = 1;

/// Brings a database, as a backup had it or as its disk left it, up to the newest of its mirrors: the key tree, the marks,
/// receipts, credentials and logs are then those of today. May be repeated after a crash; until the
/// `Restoring` row is deleted nothing but a restore opens the database.
///
/// # Errors
/// `Restore` if there is no mirror that is whole, or if it is another vault's, or older than the database: nothing was
/// changed then.
pub(crate) fn adopt(path: &Path, mirrors: &[PathBuf]) -> Result<(), StoreError> {
    let db = Database::open_there(path)?;
    if db.get(&Key::Restoring)?.as_deref() == Some(&[ADOPTED]) {
        return Ok(());
    }
    let mut found = Vec::new();
    for path in mirrors.iter().filter(|path| exists(path)) {
        let mirror = Database::open_there(path)?;
        if let Some(position) = Position::read(&mirror)?
            && let Some(age) = Age::of(&mirror)?
        {
            found.push((age, position, path, mirror));
        }
    }
    found.sort_by_key(|(age, ..)| (age.epoch, age.logged));
    let Some((age, position, newest, mirror)) = found.last() else {
        return Err(StoreError::Restore("none of mirror.paths holds a mirror".to_owned()));
    };
    let refuse = |why: &str| Err(StoreError::Restore(format!("{} {why}", newest.display())));
    if !position.whole {
        return refuse("was being copied to when its vault ended, and is not whole: name another mirror");
    }
    if let Some(ours) = Age::of(&db)? {
        if ours.vault != age.vault {
            return refuse("is the mirror of another vault");
        }
        if (ours.epoch, ours.logged) > (age.epoch, age.logged) {
            return refuse("is older than the data: name the vault's current mirror");
        }
    }
    tracing::info!(mirror = %newest.display(), epoch = age.epoch, "adopting the key tree and the logs of a mirror");
    let mark = |state: u8| db.write(&[&[Row::Put(Key::Restoring, vec![state])]]).and_then(|_| db.sync());
    mark(COPYING)?;
    copy(&mirror.reader(), &db, None)?;
    // From here on the mirrors follow this database, whose sequence is another.
    for (_, position, _, mirror) in &found {
        mirror.write(&[&[Position { sequence: 0, ..*position }.row()]])?;
        mirror.sync()?;
    }
    mark(ADOPTED)
}

/// How old the state of a vault is.
struct Age {
    vault: [u8; 16],
    epoch: u64,
    /// Entries of the vault's log.
    logged: u64,
}

impl Age {
    fn of(db: &Database) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = db.get(&Key::Epoch)? else { return Ok(None) };
        let corrupt = || StoreError::corrupt("epoch state", db.path().display().to_string());
        let state = EpochState::decode(&bytes).map_err(|_| corrupt())?;
        let epoch = state.current.as_ref().map_or(0, |epoch| epoch.number);
        let head = db.get(&Key::LogHead { tree: TreeId::VAULT })?.map(|bytes| LogHead::decode(&bytes)).transpose()?;
        Ok(Some(Self { vault: *state.vault.as_bytes(), epoch, logged: head.map_or(0, |head| head.size) }))
    }
}
