use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::follower::{Mirror, Standing};
use super::{MirrorId, Position, Registered, exists, registered};
use crate::store::StoreError;
use crate::store::change::Row;
use crate::store::db::Database;
use crate::store::keys::Key;
use crate::store::restore::Age;

/// All mirrors of a store.
pub(in crate::store) struct Mirrors {
    all: Vec<Mirror>,
    /// Those that the vault's rows do not name yet.
    new: Vec<Registered>,
}

/// How a mirror stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorState {
    /// Its name.
    pub id: MirrorId,
    /// Where it is.
    pub path: PathBuf,
    /// How it stands.
    pub standing: MirrorStanding,
}

/// Whether a mirror has what the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorStanding {
    /// It is being brought up to the store: erasures stay pending until it is.
    CatchingUp,
    /// It has everything, but for the last instant.
    Following,
    /// It cannot be written: erasures stay pending meanwhile. Why not.
    Failing(String),
}

impl MirrorState {
    /// Why it cannot be written, if it cannot.
    pub fn fault(&self) -> Option<&str> {
        match &self.standing {
            MirrorStanding::Failing(fault) => Some(fault),
            MirrorStanding::CatchingUp | MirrorStanding::Following => None,
        }
    }
}

impl Mirrors {
    /// Opens the mirrors in `paths`, and makes those that are new; they follow `main` once [`Self::begin`] is called. Nothing
    /// may have been written to `main` since it was opened.
    ///
    /// # Errors
    /// `MirrorMissing` if the vault has a mirror that is not among the paths; `MirrorForeign` if a path holds one that
    /// the vault does not have; `Behind` if a mirror has rows that `main` has not, or not any more.
    pub(in crate::store) fn open(
        main: &Arc<Database>,
        paths: &[PathBuf],
        dropping: Option<MirrorId>,
    ) -> Result<Self, StoreError> {
        let mut known = registered(main)?;
        if let Some(id) = dropping {
            let place = known.iter().position(|known| known.id == id);
            known.remove(place.ok_or(StoreError::NoSuchMirror { id })?);
        }
        let mut opened = Vec::new();
        let mut new = Vec::new();
        for path in paths {
            let found = match find(path) {
                Err(fault) if known.iter().any(|known| known.path == *path) => {
                    tracing::warn!(path = %path.display(), %fault, "a mirror cannot be opened; it is tried again");
                    None
                }
                found => found?,
            };
            let (id, mirror) = match found {
                Some((position, _)) if Some(position.id) == dropping => {
                    // What shows that the data were put back is not given up for that.
                    expect_no_newer(main, main.sequence(), path, position)?;
                    continue;
                }
                Some((Position { id, .. }, mirror)) if !known.iter().any(|known| known.id == id) => {
                    if dropping.is_some() {
                        continue;
                    }
                    if !was_begun(main, id, &mirror)? {
                        return Err(StoreError::MirrorForeign { path: path.clone(), id });
                    }
                    new.push(Registered { id, path: path.clone() });
                    (id, Some(mirror))
                }
                Some((position, mirror)) => {
                    expect_no_newer(main, main.sequence(), path, position)?;
                    (position.id, Some(mirror))
                }
                // Whoever drops a mirror puts no other on record.
                None if dropping.is_some() && !known.iter().any(|known| known.path == *path) => continue,
                None => match known.iter().find(|known| known.path == *path) {
                    // It was here. An empty folder may be a disk that is not mounted.
                    Some(known) => (known.id, None),
                    None => {
                        let (id, mirror) = make(path)?;
                        new.push(Registered { id, path: path.clone() });
                        (id, Some(mirror))
                    }
                },
            };
            opened.push((id, path, mirror));
        }
        if let Some(missing) = known.iter().find(|known| !opened.iter().any(|(id, ..)| *id == known.id)) {
            return Err(StoreError::MirrorMissing { path: missing.path.clone(), id: missing.id });
        }
        let follow = |(id, path, mirror): (_, &PathBuf, _)| Mirror::follow(id, path, mirror, Arc::clone(main));
        Ok(Self { all: opened.into_iter().map(follow).collect::<Result<_, _>>()?, new })
    }

    /// Has the mirrors follow: the root store knows this vault as the one that it belongs to.
    pub(in crate::store) fn begin(&self) {
        self.all.iter().for_each(Mirror::begin);
    }

    /// None at all.
    pub(in crate::store) const fn none() -> Self {
        Self { all: Vec::new(), new: Vec::new() }
    }

    pub(in crate::store) fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    /// Mirrors that are followed, and that the vault's rows are still to name.
    pub(in crate::store) fn new_ones(&self) -> &[Registered] {
        &self.new
    }

    pub(in crate::store) fn send(&self, sequence: u64, rows: Vec<Row>) {
        let rows = Arc::new(rows);
        self.all.iter().for_each(|mirror| mirror.send(sequence, &rows));
    }

    pub(in crate::store) async fn have(&self, sequence: u64, patience: Duration) -> Result<(), StoreError> {
        for mirror in &self.all {
            mirror.has(sequence, patience).await?;
        }
        Ok(())
    }

    pub(in crate::store) fn states(&self) -> Vec<MirrorState> {
        let state = |mirror: &Mirror| {
            let standing = match mirror.standing() {
                Standing::CatchingUp => MirrorStanding::CatchingUp,
                Standing::At(_) => MirrorStanding::Following,
                Standing::Failing(fault) => MirrorStanding::Failing(fault.to_string()),
            };
            MirrorState { id: mirror.id(), path: mirror.path().to_owned(), standing }
        };
        self.all.iter().map(state).collect()
    }

    pub(in crate::store) fn close(&self) {
        self.all.iter().for_each(Mirror::close);
    }
}

impl Drop for Mirrors {
    /// A start that fails half-way lets go of what it opened.
    fn drop(&mut self) {
        self.close();
    }
}

/// The mirror in a folder, if it can be opened and is one.
fn find(path: &Path) -> Result<Option<(Position, Database)>, StoreError> {
    if !exists(path) {
        return Ok(None);
    }
    let mirror = Database::open_there(path)?;
    // Without a position it was never copied to in whole: it is as good as none, and says nothing.
    Ok(Position::read(&mirror)?.map(|position| (position, mirror)))
}

/// Is this a mirror of this very vault that never got on record, as the start that made it was cut short? One that was on
/// record, and is not any more, was dropped: its own rows say so.
fn was_begun(main: &Database, id: MirrorId, mirror: &Database) -> Result<bool, StoreError> {
    let vault = |db| Ok::<_, StoreError>(Age::of(db)?.map(|age| age.vault));
    let theirs = vault(mirror)?;
    Ok(mirror.get(&Key::Mirror { id })?.is_none() && (theirs.is_none() || theirs == vault(main)?))
}

fn make(path: &Path) -> Result<(MirrorId, Database), StoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| StoreError::Folder { path: path.to_owned(), cause })?;
    Ok((super::random_id()?, Database::open_small(path)?))
}

/// A mirror gets nothing before the store has synced it. One that has more shows a store that was put back, or whose
/// disk lost what it had acknowledged: slots would be given twice, logs would fork, people would come back.
///
/// `sequence` is the store's, as it was opened.
pub(super) fn expect_no_newer(
    main: &Database,
    sequence: u64,
    path: &Path,
    position: Position,
) -> Result<(), StoreError> {
    if position.sequence > sequence {
        return Err(StoreError::Behind {
            path: main.path().to_owned(),
            mirror: path.to_owned(),
            lost: position.sequence - sequence,
        });
    }
    Ok(())
}
