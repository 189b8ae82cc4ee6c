use std::collections::HashMap;

use lethe_crypto::tree::TreeId;

use super::StoreError;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{GalleryId, Key, ProfileNumber, RowKind};

/// How many templates each gallery has on the disk: counted by the commit thread from the template rows it writes, and
/// written in the same batch. A gallery is rebuilt from other rows, the sketches; that it is whole shows only against a
/// count that does not come from them.
#[derive(Default)]
pub(super) struct Census(HashMap<Gallery, u64>);

type Gallery = (TreeId, GalleryId, ProfileNumber);

impl Census {
    /// Reads the counts.
    pub(super) fn load(db: &Database) -> Result<Self, StoreError> {
        let mut counts = HashMap::new();
        db.scan(RowKind::Census, &Key::prefix(RowKind::Census), Reach::Long, |key, value| {
            if let Key::Census { tree, gallery, profile } = key {
                counts.insert((tree, gallery, profile), decode(value)?);
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(Self(counts))
    }

    /// Counts anew, where template rows were lost.
    pub(super) fn recount(db: &Database) -> Result<Vec<Row>, StoreError> {
        let mut counts = Self::load(db)?.0;
        counts.values_mut().for_each(|count| *count = 0);
        db.scan(RowKind::Template, &Key::prefix(RowKind::Template), Reach::Long, |key, _| {
            if let Key::Template { tree, gallery, profile, .. } = key {
                *counts.entry((tree, gallery, profile)).or_default() += 1;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(counts.into_iter().map(|(gallery, count)| put(gallery, count)).collect())
    }

    /// Counts what these rows add and remove, and adds the new counts to them. A template row is put once, under a slot
    /// of its own, and deleted once.
    #[allow(clippy::wildcard_enum_match_arm, reason = "no other row is a template")]
    pub(super) fn count(&mut self, rows: &mut Vec<Row>) {
        let mut changed: HashMap<Gallery, i64> = HashMap::new();
        for row in &*rows {
            if let Row::DeleteTree(RowKind::Template, gone) = row {
                self.0.retain(|(tree, ..), _| tree != gone);
            }
            if let Some(&Key::Template { tree, gallery, profile, .. }) = row.key() {
                let step = if matches!(row, Row::Put(..)) { 1 } else { -1 };
                *changed.entry((tree, gallery, profile)).or_default() += step;
            }
        }
        for (gallery, step) in changed {
            let count = self.0.entry(gallery).or_default();
            *count = count.saturating_add_signed(step);
            rows.push(put(gallery, *count));
        }
    }
}

fn put((tree, gallery, profile): Gallery, count: u64) -> Row {
    Row::Put(Key::Census { tree, gallery, profile }, count.to_be_bytes().to_vec())
}

/// Reads a count.
pub(super) fn decode(value: &[u8]) -> Result<u64, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::corrupt("census row", hex::encode(value)))?;
    Ok(u64::from_be_bytes(bytes))
}
