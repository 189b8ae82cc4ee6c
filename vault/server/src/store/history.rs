//! Which way a database has gone ([`lethe_rows::History`]): where one is, and how its next run begins.

use lethe_rows::{History, Run};
pub(super) use lethe_rows::{Place, Relation};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::StoreError;
use super::change::Row;
use super::db::Database;
use super::keys::Key;

/// Where a vault's database is.
pub(super) fn place_of(db: &Database) -> Result<Place, StoreError> {
    place_at(db, db.sequence())
}

/// Where a mirror is that has followed its vault's database up to this sequence.
pub(super) fn place_at(db: &Database, sequence: u64) -> Result<Place, StoreError> {
    let history = db.get(&Key::History)?.map(|bytes| History::decode(&bytes)).transpose()?;
    Ok(Place::new(history.unwrap_or_else(History::none), sequence))
}

/// The row with which the next run begins at a place.
pub(super) fn next_run(place: &Place) -> Result<Row, StoreError> {
    let mut run = Run::default();
    SystemRandom::new().fill(&mut run).map_err(|_| StoreError::Closed)?;
    Ok(Row::Put(Key::History, place.next_run(run).encode()))
}
