use std::fmt;

/// A resource name that was refused: the form it should have, the part, and what is wrong with it.
/// The value itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} {problem}; a name {form} is wanted")]
pub struct NameError {
    form: &'static str,
    part: Part,
    problem: Problem,
}

impl NameError {
    pub(super) const fn new(form: &'static str, part: Part, problem: Problem) -> Self {
        Self { form, part, problem }
    }

    /// The form the name should have, such as `tenants/{tenant}`.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        self.form
    }

    /// The part that is wrong.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.problem
    }
}

/// A part of a resource name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The fixed words and their number.
    Collection,
    /// A tenant's id: `[a-z][a-z0-9-]{2,62}`.
    Tenant,
    /// A subject's id: 1 to 128 characters of `[A-Za-z0-9._~-]`.
    Subject,
    /// A template's id: 32 lower-case hexadecimal digits.
    Template,
    /// A consent's id: 32 lower-case hexadecimal digits.
    Consent,
    /// A hold's id: 32 lower-case hexadecimal digits.
    Hold,
    /// The id of a data subject's request: 32 lower-case hexadecimal digits.
    Request,
    /// A notification's id: 32 lower-case hexadecimal digits.
    Notification,
    /// A case's id: 32 lower-case hexadecimal digits.
    Case,
    /// A watch list's id: 1 to 128 characters of `[A-Za-z0-9._~-]`.
    Watchlist,
    /// The id of an entry of a watch list: 32 lower-case hexadecimal digits.
    WatchlistEntry,
    /// A proposal's id: 32 lower-case hexadecimal digits.
    Proposal,
    /// A receipt's id: 32 lower-case hexadecimal digits.
    Receipt,
    /// A credential's id: 32 lower-case hexadecimal digits.
    Credential,
    /// A model's id: 1 to 63 characters of `[a-z0-9._-]`.
    Model,
    /// A model's version: 1 to 63 characters of `[a-z0-9._-]`.
    Version,
    /// The id of a signing key: 1 to 64 characters of `[A-Za-z0-9._-]`.
    SigningKey,
    /// A backup's number: 1 to 10 decimal digits, the first of them not 0.
    Backup,
    /// A mirror's id: 32 lower-case hexadecimal digits.
    Mirror,
}

impl Part {
    /// The part's name, as in `ErrorInfo` metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Tenant => "tenant",
            Self::Subject => "subject",
            Self::Template => "template",
            Self::Consent => "consent",
            Self::Hold => "hold",
            Self::Request => "request",
            Self::Notification => "notification",
            Self::Case => "case",
            Self::Watchlist => "watchlist",
            Self::WatchlistEntry => "entry",
            Self::Proposal => "proposal",
            Self::Receipt => "receipt",
            Self::Credential => "credential",
            Self::Model => "model",
            Self::Version => "version",
            Self::SigningKey => "kid",
            Self::Backup => "backup",
            Self::Mirror => "mirror",
        }
    }

    /// What `Debug` shows of a value of this part.
    pub(super) fn shown(self, value: &str) -> &str {
        if self == Self::Subject { "…" } else { value }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The name ends before it.
    Missing,
    /// It has no characters.
    Empty,
    /// It has fewer characters than this.
    TooShort(usize),
    /// It has more bytes than this.
    TooLong(usize),
    /// It has a character that it may not have, or not there.
    Character,
    /// Another fixed word stands there, or more follows the end.
    Unexpected,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Empty => f.write_str("is empty"),
            Self::TooShort(least) => write!(f, "has fewer than {least} characters"),
            Self::TooLong(most) => write!(f, "has more than {most} characters"),
            Self::Character => f.write_str("has a character that is not allowed there"),
            Self::Unexpected => f.write_str("is not the expected one"),
        }
    }
}
