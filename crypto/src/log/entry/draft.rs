//! Entries before they have their place in the log.

use std::fmt;

use zeroize::Zeroizing;

use super::{Entry, EntryError, Event, MAX_ENTRY, Outcome, Sealed, associated_data, pseudonym};
use crate::aead;
use crate::kdf::Label;
use crate::log::text::{Blind, Origin, Token};
use crate::random::{Random, System};
use crate::secret::AuditKey;

/// What a use case knows of an entry: everything that does not depend on its place.
///
/// The place is known only when the commit is put together; until then the draft carries the
/// subject's audit key, which is wiped with it.
pub struct EntryDraft {
    entry: Open,
    subject: Option<AuditKey>,
    details: Option<Zeroizing<Vec<u8>>>,
}

/// The part of an entry that is readable by everybody.
struct Open {
    time: u64,
    operation: Token,
    credential: Option<Token>,
    purpose: Option<Token>,
    basis: Option<Token>,
    policy: Option<u64>,
    outcome: Outcome,
    reason: Option<Token>,
    event: Option<Event>,
}

impl EntryDraft {
    /// Starts an entry; `time` is in milliseconds since 1970 UTC.
    #[must_use]
    pub fn new(time: u64, operation: Token, outcome: Outcome) -> Self {
        let (credential, purpose, basis, policy, reason, event) = (None, None, None, None, None, None);
        let entry = Open { time, operation, credential, purpose, basis, policy, outcome, reason, event };
        Self { entry, subject: None, details: None }
    }

    /// Names the credential that asked.
    #[must_use]
    pub fn credential(mut self, id: Token) -> Self {
        self.entry.credential = Some(id);
        self
    }

    /// States the purpose.
    #[must_use]
    pub fn purpose(mut self, purpose: Token) -> Self {
        self.entry.purpose = Some(purpose);
        self
    }

    /// States the legal basis.
    #[must_use]
    pub fn basis(mut self, basis: Token) -> Self {
        self.entry.basis = Some(basis);
        self
    }

    /// Says which version of the tenant's policy judged.
    #[must_use]
    pub fn policy(mut self, version: u64) -> Self {
        self.entry.policy = Some(version);
        self
    }

    /// Says no such version, as in a log that is not the tenant's.
    #[must_use]
    pub fn without_policy(mut self) -> Self {
        self.entry.policy = None;
        self
    }

    /// Says why it was denied or failed.
    #[must_use]
    pub fn reason(mut self, reason: Token) -> Self {
        self.entry.reason = Some(reason);
        self
    }

    /// Says whom it concerns, by the subject's audit key.
    #[must_use]
    pub fn subject(mut self, key: AuditKey) -> Self {
        self.subject = Some(key);
        self
    }

    /// Adds what concerns the subject alone; it is sealed under the subject's audit key.
    #[must_use]
    pub fn details(mut self, details: Zeroizing<Vec<u8>>) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds what changed.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.entry.event = Some(event);
        self
    }

    /// The entry as leaf `index` of log `origin`.
    ///
    /// # Errors
    /// If there are details without a subject, if the entry would be longer than [`MAX_ENTRY`] or not
    /// canonical, or if the system gives no random bytes.
    pub fn finish(self, index: u64, origin: &Origin) -> Result<Entry, EntryError> {
        self.finish_with(&System, index, origin)
    }

    pub(crate) fn finish_with(self, random: &impl Random, index: u64, origin: &Origin) -> Result<Entry, EntryError> {
        let Self { entry, subject, details } = self;
        let blind = Blind::generate(random)?;
        let sealed = match (&subject, details) {
            (_, None) => None,
            (None, Some(_)) => return Err(EntryError::DetailsWithoutSubject),
            (Some(key), Some(details)) => {
                let aad = associated_data(origin, index);
                Some(Sealed(aead::seal_with(random, &[key.expose()], Label::LOG_FIELD, &[], &aad, &details)?))
            }
        };
        let Open { time, operation, credential, purpose, basis, policy, outcome, reason, event } = entry;
        let pseudonym = subject.map(|key| pseudonym(origin, index, &key));
        let entry = Entry {
            time,
            operation,
            credential,
            purpose,
            basis,
            policy,
            outcome,
            reason,
            pseudonym,
            sealed,
            blind,
            event,
        };
        // What no reader would accept must not become a leaf: a log cannot take anything back.
        let line = entry.encode();
        if line.len() > MAX_ENTRY {
            return Err(EntryError::TooLong(line.len()));
        }
        Entry::decode(&line)
    }
}

/// Shows the public part, and that there is more, but nothing of it.
impl fmt::Debug for EntryDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryDraft")
            .field("time", &self.entry.time)
            .field("operation", &self.entry.operation)
            .field("outcome", &self.entry.outcome)
            .field("event", &self.entry.event)
            .field("subject", &self.subject.as_ref().map(|_| "[redacted]"))
            .field("details", &self.details.as_ref().map(|_| "[redacted]"))
            .finish_non_exhaustive()
    }
}
