//! What leaves the vault for its controller: archives that only the controller can open. `docs/FORMAT.md` gives their form.

pub(crate) mod archive;
mod pipe;
mod silo;
pub(crate) mod telling;

use std::fmt;

use lethe_domain::{Invalid, Reason};

pub(crate) use pipe::Pipe;
pub(crate) use silo::Silo;

/// Whom an archive is sealed to: an age X25519 recipient, `age1…`.
#[derive(Clone)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    /// Parses a recipient.
    ///
    /// # Errors
    /// `FieldOutOfRange` for anything else; also for a secret key, which is not repeated.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |_| Invalid::new("archive_recipient", Reason::FieldOutOfRange, "is no age X25519 recipient, age1…");
        text.parse().map(Self).map_err(wrong)
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Recipient {}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
