//! What a verified receipt says, for programs and for people.

use std::fmt;

use super::explain;
use crate::log::checkpoint::Checkpoint;
use crate::log::entry::{EpochDestroyed, ErasureCommitted, KeysRotated, Rotated, Scope};
use crate::log::succession::Signer;
use crate::log::text::{EpochRoot, ReceiptId, Token};

/// What a receipt attests; exists only for one that was verified. [`Display`](fmt::Display) tells it in
/// words, several lines of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The erasure, or the rotation.
    pub committed: Committed,
    /// The destruction of the root of the epoch that it left.
    pub destruction: EpochDestroyed,
    /// When it was committed: milliseconds since 1970 UTC, by the vault's clock.
    pub committed_at: u64,
    /// When the destruction was recorded, likewise.
    pub destroyed_at: u64,
    /// Where in the log the commit is.
    pub committed_index: u64,
    /// Where in the log the destruction is.
    pub destroyed_index: u64,
    /// The tree head that both were proven against. A later one of the same log must be consistent
    /// with it.
    pub checkpoint: Checkpoint,
    /// How the key that signed it stands to the one that is kept.
    pub signer: Signer,
    /// What is not attested, as codes; [`explain`] has the words.
    pub excludes: Vec<Token>,
}

/// What a receipt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Keys were erased.
    Erasure(ErasureCommitted),
    /// Keys were wrapped anew, and none was erased.
    Rotation(KeysRotated),
}

/// The step from one epoch to the next that a receipt attests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The epoch that was left.
    pub from: u64,
    /// The epoch that followed.
    pub to: u64,
    /// The root of the epoch that was left.
    pub from_root: EpochRoot,
    /// The root of the epoch that followed.
    pub to_root: EpochRoot,
    /// The receipt.
    pub receipt: ReceiptId,
}

impl Committed {
    /// What documents call themselves.
    pub(super) const DOCUMENTS: [&'static str; 2] = ["lethe-erasure-receipt", "lethe-rotation-receipt"];

    /// What a document about this calls itself.
    pub(super) const fn document(&self) -> &'static str {
        match self {
            Self::Erasure(_) => Self::DOCUMENTS[0],
            Self::Rotation(_) => Self::DOCUMENTS[1],
        }
    }

    /// The step between epochs.
    pub const fn step(&self) -> Step {
        match self {
            Self::Erasure(ErasureCommitted { from, to, from_root, to_root, receipt, .. })
            | Self::Rotation(KeysRotated { from, to, from_root, to_root, receipt, .. }) => {
                Step { from: *from, to: *to, from_root: *from_root, to_root: *to_root, receipt: *receipt }
            }
        }
    }
}

impl Verified {
    /// The step between epochs.
    pub const fn step(&self) -> Step {
        self.committed.step()
    }

    /// The erasure; `None` if the receipt is of a rotation, which erases nothing.
    pub const fn erasure(&self) -> Option<&ErasureCommitted> {
        match &self.committed {
            Committed::Erasure(erasure) => Some(erasure),
            Committed::Rotation(_) => None,
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, destruction) = (self.step(), &self.destruction);
        let log = &self.checkpoint.origin;
        match &self.committed {
            Committed::Erasure(erasure) => {
                let what = match erasure.scope {
                    Scope::Subject => "a data subject, with everything kept under the subject's keys",
                    Scope::Template => "one template or record of a data subject",
                    Scope::Tenant => "a tenant's whole silo",
                    Scope::Burnt => "keys that were handed out but never used for committed data",
                };
                writeln!(f, "Erasure receipt {}\nAttested by the log {log}:", step.receipt)?;
                writeln!(f, "  erased     {what} ({} keys)", erasure.slots)?;
            }
            Committed::Rotation(rotation) => {
                let what = match rotation.scope {
                    Rotated::Tenant => "the wrapping of a tenant's keys",
                    Rotated::Vault => "the wrapping of the vault's keys",
                };
                writeln!(f, "Rotation receipt {}\nAttested by the log {log}:", step.receipt)?;
                writeln!(f, "  replaced   {what}; no data was erased")?;
            }
        }
        writeln!(f, "  committed  {} as entry {}", Utc(self.committed_at), self.committed_index)?;
        writeln!(f, "             epoch {} (root {})", step.from, step.from_root)?;
        writeln!(f, "             was left for epoch {} (root {})", step.to, step.to_root)?;
        writeln!(f, "  destroyed  {} as entry {}", Utc(self.destroyed_at), self.destroyed_index)?;
        writeln!(
            f,
            "             root {} of epoch {}, in a root store of kind {}",
            destruction.root, destruction.epoch, destruction.store
        )?;
        writeln!(f, "  checkpoint {} entries, root {}", self.checkpoint.size, self.checkpoint.root)?;
        match self.signer {
            Signer::Kept => {}
            Signer::Successor => writeln!(f, "  signed     by a successor of the key you keep")?,
            Signer::Predecessor => {
                writeln!(f, "  signed     by a predecessor of the key you keep: it is worth what that key was then")?;
            }
        }
        write!(f, "Not attested:")?;
        for code in &self.excludes {
            match explain(code) {
                Some(words) => write!(f, "\n  {words} ({code})")?,
                None => write!(f, "\n  the root store states: {code}")?,
            }
        }
        Ok(())
    }
}

/// A time as RFC 3339 writes it, in whole seconds.
struct Utc(u64);

impl fmt::Display for Utc {
    /// Days since 1970 to year, month and day of the Gregorian calendar, in eras of 400 years whose
    /// years begin in March, so that a leap day is the last day of its year.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let days = days + 719_468; // from 0000-03-01
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_the_gregorian_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc(seconds * 1000 + 999).to_string(), text);
        }
    }
}
