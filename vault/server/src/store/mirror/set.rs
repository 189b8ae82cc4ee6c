use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::follower::{Mirror, Standing};
use super::held::Held;
use super::{MirrorId, Position, Registered, random_id, registered, row_of_position};
use crate::store::StoreError;
use crate::store::change::Row;
use crate::store::db::Database;
use crate::store::history::{Place, Relation, place_of};
use crate::store::keys::Key;
use crate::store::restore::vault_of;

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

/// What the mirrors are opened for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Opening {
    /// To follow, those that are new, too.
    #[default]
    Usual,
    /// To give one up. It must not show that the data were put back: that would be given up with it.
    Dropping(MirrorId),
    /// To finish a restore, which has compared them. Without those that are given up with it.
    Restoring(Vec<MirrorId>),
}

impl Opening {
    fn gives_up(&self, id: MirrorId) -> bool {
        match self {
            Self::Usual => false,
            Self::Dropping(dropped) => *dropped == id,
            Self::Restoring(lost) => lost.contains(&id),
        }
    }
}

impl Mirrors {
    /// Opens the mirrors in `paths`, and makes those that are new; they follow `main` once [`Self::begin`] is called. Nothing
    /// may have been written to `main` since it was opened.
    ///
    /// # Errors
    /// `MirrorMissing` if the vault has a mirror that is not among the paths; `MirrorForeign` if a path holds one that
    /// the vault does not have; `Behind` or `Apart` if a mirror has what `main` has not, or not any more.
    pub(in crate::store) fn open(
        main: &Arc<Database>,
        paths: &[PathBuf],
        opening: &Opening,
    ) -> Result<Self, StoreError> {
        let registered = registered(main)?;
        if let Opening::Dropping(id) = *opening
            && !registered.iter().any(|known| known.id == id)
        {
            return Err(StoreError::NoSuchMirror { id });
        }
        let known: Vec<_> = registered.iter().filter(|known| !opening.gives_up(known.id)).collect();
        let here = place_of(main)?;
        let mut opened: Vec<(MirrorId, &PathBuf, Option<Database>)> = Vec::new();
        let mut new = Vec::new();
        for path in paths {
            let at_path = registered.iter().find(|known| known.path == *path).map(|known| known.id);
            let held = match Held::look(path) {
                Err(fault) if at_path.is_some() => {
                    tracing::warn!(path = %path.display(), %fault, "a mirror cannot be opened; it is tried again");
                    None
                }
                held => held?,
            };
            match (held.as_ref().and_then(Held::id), held) {
                (Some(id), Some(held)) if opening.gives_up(id) => {
                    if matches!(opening, Opening::Dropping(_)) {
                        expect_past(main, &here, &held)?;
                    }
                }
                (Some(id), Some(held)) if known.iter().any(|known| known.id == id) => {
                    expect_past(main, &here, &held)?;
                    opened.push((id, path, Some(held.into_db_of(id)?)));
                }
                // Whoever drops a mirror, or restores, puts no other on record.
                (Some(_), Some(_)) if *opening != Opening::Usual => {}
                (Some(id), Some(held)) => {
                    if !was_begun(main, id, &held)? {
                        return Err(StoreError::MirrorForeign { path: path.clone(), id });
                    }
                    expect_past(main, &here, &held)?;
                    opened.push((id, path, Some(held.into_db_of(id)?)));
                    new.push(Registered { id, path: path.clone() });
                }
                (None, held) => match at_path {
                    Some(id) if opening.gives_up(id) => {}
                    // It was here. An empty folder may be a disk that is not mounted.
                    Some(id) => opened.push((id, path, held.map(|held| held.into_db_of(id)).transpose()?)),
                    None if *opening != Opening::Usual => {}
                    None => {
                        let (id, mirror) = make(path, held)?;
                        opened.push((id, path, Some(mirror)));
                        new.push(Registered { id, path: path.clone() });
                    }
                },
                (Some(_), None) => {}
            }
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

/// Is this a mirror of this very vault that never got on record, as the start that made it was cut short? One that was on
/// record, and is not any more, was dropped: its own rows say so.
fn was_begun(main: &Database, id: MirrorId, held: &Held) -> Result<bool, StoreError> {
    let theirs = vault_of(held.db())?;
    Ok(held.db().get(&Key::Mirror { id })?.is_none() && (theirs.is_none() || theirs == vault_of(main)?))
}

/// Makes a mirror, of an empty database if there is one.
fn make(path: &Path, held: Option<Held>) -> Result<(MirrorId, Database), StoreError> {
    let id = random_id()?;
    if let Some(held) = held {
        return Ok((id, held.into_db_of(id)?));
    }
    let mirror = Database::open_small(path)?;
    mirror.write(&[&[row_of_position(Position::in_parts(id))]])?;
    mirror.sync()?;
    Ok((id, mirror))
}

/// A mirror gets nothing before the store has synced it, so what it has in whole is what its store once was. Where that is
/// not so, the store was put back, or its disk lost what it had acknowledged: slots would be given twice, logs would fork,
/// people would come back. Or the vault was restored elsewhere, and the mirror has followed that.
///
/// `here` is where the store is.
pub(super) fn expect_past(main: &Database, here: &Place, held: &Held) -> Result<(), StoreError> {
    let Some(there) = held.place()? else { return Ok(()) };
    let (path, mirror) = (main.path().to_owned(), held.path().to_owned());
    match here.see(&there) {
        Relation::Past => Ok(()),
        Relation::Behind => Err(StoreError::Behind { path, mirror, lost: here.lacks(&there) }),
        Relation::Apart => Err(StoreError::Apart { path, mirror }),
    }
}
