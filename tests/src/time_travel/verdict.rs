//! What the adversary opened at a moment, counted.

use std::fmt;

/// How many could be opened, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Opened.
    pub opened: usize,
    /// Of all.
    pub all: usize,
}

impl Opened {
    pub(super) fn add(&mut self, opened: bool) {
        self.opened += usize::from(opened);
        self.all += 1;
    }

    fn sum(&mut self, other: Self) {
        self.opened += other.opened;
        self.all += other.all;
    }

    /// Nothing was opened.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.opened == 0
    }

    /// Nothing was not.
    #[must_use]
    pub fn lacks_none(&self) -> bool {
        self.opened == self.all
    }

    /// Everything was, and there was something.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.lacks_none() && self.all > 0
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.opened, self.all)
    }
}

/// What the adversary opened at a moment, by what became of whom it is about.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Operations until then.
    pub operations: usize,
    /// Subjects and templates that are there.
    pub live: Opened,
    /// Erased subjects with all that was theirs; templates that were deleted or replaced; who was lost with a restore.
    pub erased: Opened,
    /// What was written under slots of which no client ever heard: they were burnt.
    pub burnt: Opened,
    /// What is remembered of requests whose template was deleted or replaced, while its subject is there.
    pub answers: Opened,
    /// Entries of logs about subjects that are there: who it is, and what is sealed.
    pub live_entries: Opened,
    /// About erased subjects.
    pub erased_entries: Opened,
    /// About burnt slots.
    pub burnt_entries: Opened,
    /// What is nobody's: tenants, credentials, models, keys of logs.
    pub administration: Opened,
    /// The same, of tenants that are shredded.
    pub shredded_administration: Opened,
    /// Records and entries of which nobody can say what they ought to be: an erasure was on its way, or an enrolment was not
    /// answered.
    pub unsure: Opened,
    /// Vault keys that the root unwraps, pages that open, versions of pages there are.
    pub keys: (usize, usize, usize),
}

/// What a record or an entry is, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Live,
    Erased,
    Burnt,
    Answer,
    Administration,
    ShreddedAdministration,
    Unsure,
}

impl Class {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Erased => "erased",
            Self::Burnt => "burnt",
            Self::Answer => "answer about an erased template of a live subject",
            Self::Administration => "administration",
            Self::ShreddedAdministration => "administration of a shredded tenant",
            Self::Unsure => "unsure",
        }
    }
}

impl Verdict {
    pub(super) fn of_records(&mut self, class: Class) -> &mut Opened {
        match class {
            Class::Live => &mut self.live,
            Class::Erased => &mut self.erased,
            Class::Burnt => &mut self.burnt,
            Class::Answer => &mut self.answers,
            Class::Administration => &mut self.administration,
            Class::ShreddedAdministration => &mut self.shredded_administration,
            Class::Unsure => &mut self.unsure,
        }
    }

    pub(super) fn of_entries(&mut self, class: Class) -> &mut Opened {
        match class {
            Class::Live => &mut self.live_entries,
            Class::Erased => &mut self.erased_entries,
            Class::Burnt => &mut self.burnt_entries,
            Class::Answer | Class::Administration | Class::ShreddedAdministration | Class::Unsure => &mut self.unsure,
        }
    }

    /// Nothing that is erased was opened.
    #[must_use]
    pub fn nothing_erased(&self) -> bool {
        let closed = [self.erased, self.burnt, self.erased_entries, self.burnt_entries, self.shredded_administration];
        closed.iter().all(Opened::is_none)
    }

    /// All of what is live was opened.
    #[must_use]
    pub fn everything_live(&self) -> bool {
        [self.live, self.live_entries, self.administration].iter().all(|live| live.opened == live.all)
    }

    /// What was opened at many moments, added up.
    pub(super) fn sum(&mut self, other: &Self) {
        self.operations = other.operations;
        for (sum, more) in [
            (&mut self.live, other.live),
            (&mut self.erased, other.erased),
            (&mut self.burnt, other.burnt),
            (&mut self.answers, other.answers),
            (&mut self.live_entries, other.live_entries),
            (&mut self.erased_entries, other.erased_entries),
            (&mut self.burnt_entries, other.burnt_entries),
            (&mut self.administration, other.administration),
            (&mut self.shredded_administration, other.shredded_administration),
            (&mut self.unsure, other.unsure),
        ] {
            sum.sum(more);
        }
        let (keys, more) = (&mut self.keys, other.keys);
        *keys = (keys.0 + more.0, keys.1 + more.1, keys.2 + more.2);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (vault_keys, pages, versions) = self.keys;
        write!(
            f,
            "after {} operations: records opened: {} live, {} erased, {} burnt, {} answers about erased templates of \
             live subjects, {} of administration, {} of that of shredded tenants; log entries told: {} live, {} erased, {} burnt; {vault_keys} vault \
             keys unwrapped, {pages} of {versions} page versions opened",
            self.operations,
            self.live,
            self.erased,
            self.burnt,
            self.answers,
            self.administration,
            self.shredded_administration,
            self.live_entries,
            self.erased_entries,
            self.burnt_entries,
        )?;
        if self.unsure.all > 0 { write!(f, "; {} of which nobody can be sure", self.unsure) } else { Ok(()) }
    }
}
