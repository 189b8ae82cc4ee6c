use std::io::ErrorKind;
use std::path::Path;

use super::{MirrorId, Position, position_of, row_of_position};
use crate::store::StoreError;
use crate::store::db::Database;
use crate::store::history::{Place, place_at};
use crate::store::keys::Key;

/// In a mirror that is copied to in parts: the mirror as it was before.
const FORMER: &str = "former";

/// What a folder holds of a mirror.
pub(in crate::store) struct Held {
    db: Database,
    position: Option<Position>,
}

/// A state of the vault that a mirror has in whole.
pub(in crate::store) struct Whole {
    pub(in crate::store) db: Database,
    pub(in crate::store) place: Place,
}

impl Held {
    /// Looks into a folder; `None` if there is no database in it.
    ///
    /// # Errors
    /// `NoMirror` if it is some other database. Nothing is changed.
    pub(in crate::store) fn look(path: &Path) -> Result<Option<Self>, StoreError> {
        if !Database::exists(path) {
            return Ok(None);
        }
        let db = Database::open_there(path)?;
        let position = position_of(&db)?;
        if position.is_none() && db.get(&Key::Epoch)?.is_some() {
            return Err(StoreError::NoMirror { path: path.to_owned() });
        }
        Ok(Some(Self { db, position }))
    }

    /// Which mirror it is; none if it was begun and never named.
    pub(super) fn id(&self) -> Option<MirrorId> {
        self.position.map(|position| position.id)
    }

    pub(super) fn path(&self) -> &Path {
        self.db.path()
    }

    pub(super) fn db(&self) -> &Database {
        &self.db
    }

    /// Where the vault was when it had what this mirror has in whole; `None` if there is no such thing.
    pub(super) fn place(&self) -> Result<Option<Place>, StoreError> {
        if let Some(Position { sequence, whole: true, .. }) = self.position {
            return place_at(&self.db, sequence).map(Some);
        }
        Ok(self.former()?.map(|whole| whole.place))
    }

    /// The mirror itself, whatever it has; one that was begun and never named gets this name.
    pub(super) fn into_db_of(self, id: MirrorId) -> Result<Database, StoreError> {
        if self.position.is_none() {
            self.db.write(&[&[row_of_position(Position::in_parts(id))]])?;
            self.db.sync()?;
        }
        Ok(self.db)
    }

    /// What it has in whole.
    ///
    /// # Errors
    /// `NotWhole` if its disk lost some of that.
    pub(in crate::store) fn into_whole(self) -> Result<Option<(MirrorId, Option<Whole>)>, StoreError> {
        let Some(position) = self.position else { return Ok(None) };
        let whole = if position.whole {
            let place = place_at(&self.db, position.sequence)?;
            Some(Whole { db: self.db, place })
        } else {
            self.former()?
        };
        whole.iter().try_for_each(|whole| whole.db.expect_whole())?;
        Ok(Some((position.id, whole)))
    }

    fn former(&self) -> Result<Option<Whole>, StoreError> {
        let path = self.db.path().join(FORMER);
        if !Database::exists(&path) {
            return Ok(None);
        }
        let db = Database::read_only(&path)?;
        let position = position_of(&db)?.filter(|position| position.whole);
        let Some(Position { sequence, .. }) = position else { return Ok(None) };
        Ok(Some(Whole { place: place_at(&db, sequence)?, db }))
    }
}

/// Keeps a mirror as it is, before it is copied to in parts: until they are all there it has nothing else in whole. One
/// that is in parts already has been kept before.
pub(super) fn keep_former(mirror: &Database, position: Option<Position>) -> Result<(), StoreError> {
    if position.is_none_or(|position| !position.whole) {
        return Ok(());
    }
    forget_former(mirror)?;
    mirror.keep_as(&mirror.path().join(FORMER))
}

/// The mirror is whole again.
pub(super) fn forget_former(mirror: &Database) -> Result<(), StoreError> {
    let path = mirror.path().join(FORMER);
    match std::fs::remove_dir_all(&path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(StoreError::Folder { path, cause }),
        Ok(()) | Err(_) => Ok(()),
    }
}
