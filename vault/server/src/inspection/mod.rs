//! Looking at what is left of a vault, for incident response (O34, O38): a data directory, also of a server that runs or
//! crashed, a mirror, a backup. Nothing of it is written, locked or claimed, and nothing of a person is told.
//!
//! Read top-down: `place` says what a folder is; `census` counts what is in it without any key; `keys` tries the roots,
//! if it was asked to.

mod census;
mod keys;
mod place;
mod report;

use std::path::{Path, PathBuf};

pub use place::NoSuchPlace;
use place::Place;
pub use report::{
    BackupPart, Damage, EpochPart, ErasuresPart, FolderKind, HeldPart, Inspection, IntentPart, MirrorPart, PagePart,
    PositionPart, ReachPart, RootsPart, RowsPart, TreePart,
};

use crate::config::Config;
use crate::opening::OpenError;
use crate::store::{Evidence, StoreError};

/// What to look at, and how.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// A data directory, a mirror, a database, or a folder of backups.
    pub folder: &'a Path,
    /// Which backup; the newest if none is named.
    pub number: Option<u32>,
    /// Where the links go that show a backup as a database, for the time being.
    pub scratch: PathBuf,
    /// Try every page and every sealed row with the roots of the configuration.
    pub open: bool,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// There is nothing to look at.
    #[error(transparent)]
    Place(#[from] NoSuchPlace),
    /// What is there does not read at all.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root store cannot be asked.
    #[error(transparent)]
    Roots(#[from] OpenError),
}

/// Looks at a folder.
///
/// # Errors
/// If there is no vault, or RocksDB makes nothing of its database, or the root store cannot be asked. What is damaged in a
/// database that reads is no error: it is in the answer.
pub async fn inspect(config: &Config, question: &Question<'_>) -> Result<Inspection, InspectError> {
    let place = Place::find(question)?;
    let evidence = tokio::task::block_in_place(|| Evidence::open(place.database()))?;
    let mut inspection = tokio::task::block_in_place(|| census::take(&place, &evidence));
    if question.open {
        let mut config = config.clone();
        if place.kind() == FolderKind::Vault {
            // Its root files, unless others are named, are in it.
            question.folder.clone_into(&mut config.data_dir);
        }
        keys::try_roots(&config, &evidence, &mut inspection).await?;
    }
    Ok(inspection)
}
