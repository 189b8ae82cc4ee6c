//! What a restore has come to, kept in the database that it restores: whoever runs it again goes on from there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Corrupt;
use crate::keys::RowKind;

/// What became of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// The epoch that the vault is in now.
    pub epoch: u64,
    /// Rows of subjects and their templates that are back: they open, byte for byte as they were sealed.
    pub back: Rows,
    /// Rows whose keys were erased since the backup, or whose erasure is accepted; they were removed.
    pub erased: Rows,
    /// Rows that do not open although their keys are there.
    pub corrupt: Rows,
    /// Slots that were handed out, or reserved to be, and have no row. Their keys are gone.
    pub lost_slots: u64,
    /// Templates that the logs say were enrolled since the backup. Of these are the lost slots in use, but for those whose
    /// templates were erased since; the others were only reserved.
    pub enrolled_since: u64,
}

/// Rows, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Base rows: people.
    pub subjects: u64,
    /// Templates.
    pub templates: u64,
    /// Sketches and remembered answers.
    pub others: u64,
}

impl Rows {
    /// Counts a row.
    pub fn add(&mut self, kind: RowKind) {
        #[allow(clippy::wildcard_enum_match_arm, reason = "two kinds have a count of their own")]
        match kind {
            RowKind::Subject => self.subjects += 1,
            RowKind::Template => self.templates += 1,
            _ => self.others += 1,
        }
    }

    /// All of them.
    pub const fn sum(&self) -> u64 {
        self.subjects + self.templates + self.others
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Rows of a mirror are being copied.
    Copying,
    /// The database has all that the mirror has; rows that are gone are removed, and keys that are lost.
    Adopted,
    /// It is done, and in the vault's log; the mirrors may not have that yet.
    Logged,
}

/// A restore that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoring {
    /// How far it is.
    pub stage: Stage,
    /// Folder and number of the backup; none where what was left in the data folder is restored.
    pub backup: Option<(PathBuf, u32)>,
    /// It lost rows between others, of people too: nothing says how many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rows_lost: bool,
    /// What has been removed up to now, by all tries.
    pub report: Restored,
}

impl Restoring {
    /// JSON.
    ///
    /// # Errors
    /// Where the folder's name is no text.
    pub fn encode(&self) -> Result<Vec<u8>, Corrupt> {
        serde_json::to_vec(self).map_err(|_| Corrupt::new("restoring", "a path that is no text"))
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where it is no JSON, or of other fields.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        serde_json::from_slice(bytes).map_err(|fault| Corrupt::new("restoring", format!("line {}", fault.line())))
    }
}
