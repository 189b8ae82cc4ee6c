//! What may be on a watch list, on what ground and for how long, and who decides where somebody contests it (O9, O40). Pure functions.

use lethe_domain::{
    AgeBand, CredentialId, Dossier, Invalid, LawfulBasis, Period, Purpose, Reason, TenantPolicy, Timestamp,
    WatchlistEntry, WatchlistKind,
};

use crate::gate::Denial;
use crate::retention::{VENDOR, law_of};

/// Longest that an entry is compared, from its confirmation on.
pub const CAP: Period = VENDOR;

/// How far a client's clock may be ahead, in milliseconds.
const TOLERANCE: i64 = 60_000;

/// What an entry is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A template of a person, provided at some moment; and the cap of the person's law from then on, if it has one (O17).
    Template {
        /// When it was provided.
        provided_at: Timestamp,
        /// The law's cap.
        cap: Option<Period>,
    },
    /// A capture of what is nobody's face.
    Capture,
}

impl Source {
    /// A template of a person.
    pub fn template(policy: &TenantPolicy, person: &Dossier, provided_at: Timestamp) -> Self {
        Self::Template { provided_at, cap: law_of(policy, person).cap_from_provision }
    }

    /// Which lists take it.
    pub const fn kind(self) -> WatchlistKind {
        match self {
            Self::Template { .. } => WatchlistKind::ConfirmedFraud,
            Self::Capture => WatchlistKind::KnownSpoof,
        }
    }
}

/// What an entry may rest on: on nothing that its person could take back, as it outlives the person's erasure.
pub const fn may_rest_on(basis: LawfulBasis) -> bool {
    match basis {
        LawfulBasis::LegalObligation
        | LawfulBasis::SubstantialPublicInterest
        | LawfulBasis::LegalClaims
        | LawfulBasis::LegitimateInterests => true,
        LawfulBasis::ExplicitConsent | LawfulBasis::Contract => false,
    }
}

/// Whether the law that counts for a person lets it be on a watch list at all; asked before what is asked of all processing.
///
/// # Errors
/// `JurisdictionForbids` where the law asks for a written consent first, which the entry would outlive (O16).
pub fn law_allows(policy: &TenantPolicy, person: &Dossier) -> Result<(), Denial> {
    let law = law_of(policy, person);
    if !law.written_consent_first {
        return Ok(());
    }
    let message = format!("an entry would outlive the written consent that the law of {} asks for", law.title);
    Err(Denial { reason: Reason::JurisdictionForbids, obligation: "O16", message, duty: None })
}

/// Whether a person is old enough to be on a watch list; asked after what is asked of all processing.
///
/// # Errors
/// `MinorNotListed`, whoever consents.
pub fn age_allows(person: &Dossier) -> Result<(), Denial> {
    match person.age {
        AgeBand::Adult | AgeBand::Unknown => Ok(()),
        AgeBand::Under16 | AgeBand::MinorFrom16 => {
            let message = "no minor is put on a watch list".to_owned();
            Err(Denial { reason: Reason::MinorNotListed, obligation: "O40", message, duty: None })
        }
    }
}

/// What becomes of the entries that were made of a living person, with something that is recorded of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They stay as they are.
    Untouched,
    /// They are not compared, until a reviewer has decided.
    Contested,
    /// They are shredded: they may not be there at all.
    Shredded,
}

/// Whether nobody may have an entry of a person: who turns out to be a minor, or under a law that asks for a written consent first,
/// has none from then on.
pub fn is_forbidden(policy: &TenantPolicy, person: &Dossier) -> bool {
    law_allows(policy, person).is_err() || age_allows(person).is_err()
}

/// What becomes of a person's entries with a change of what is known of the person. A restriction (O22), a hold (O42), and an
/// objection to what entries are for (O39) contest them, once: what a reviewer upheld meanwhile stays so until the next.
pub fn fate(policy: &TenantPolicy, before: &Dossier, person: &Dossier) -> Fate {
    if is_forbidden(policy, person) {
        return Fate::Shredded;
    }
    let objects = |person: &Dossier| {
        person.objections.iter().any(|one| one.purpose == Purpose::FraudPrevention && one.overruled.is_none())
    };
    let is_restricted = person.restriction.is_some() && person.restriction != before.restriction;
    let is_held = person.holds.iter().any(|hold| before.holds.iter().all(|known| known.id != hold.id));
    if is_restricted || is_held || objects(person) && !objects(before) {
        return Fate::Contested;
    }
    Fate::Untouched
}

/// Whether an entry may be in a list of a kind, on such a basis, from its confirmation until it expires.
///
/// # Errors
/// The field and the reason.
pub fn check(
    kind: WatchlistKind,
    source: Source,
    basis: LawfulBasis,
    confirmed_at: Timestamp,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Invalid> {
    let refuse = |field, reason, message: String| Err(Invalid::new(field, reason, message));
    if source.kind() != kind {
        let (field, wanted) = match kind {
            WatchlistKind::ConfirmedFraud => ("capture", "a template of a subject"),
            WatchlistKind::KnownSpoof => ("template", "a capture of nobody's face"),
        };
        let message = format!("a list of the kind {} takes {wanted}", kind.name());
        return refuse(field, Reason::WatchlistSourceMismatch, message);
    }
    if !may_rest_on(basis) {
        let message = format!("an entry does not rest on {}, which its person could take back", basis.name());
        return refuse("basis", Reason::WatchlistBasisRevocable, message);
    }
    if confirmed_at.millis() > now.millis().saturating_add(TOLERANCE) {
        return refuse("confirm_time", Reason::FieldOutOfRange, "is in the future".to_owned());
    }
    if expires_at <= now {
        return refuse("expire_time", Reason::FieldOutOfRange, "is not in the future".to_owned());
    }
    if expires_at > CAP.after(confirmed_at) {
        return refuse("expire_time", Reason::FieldOutOfRange, format!("is more than {CAP} after confirm_time"));
    }
    if let Source::Template { provided_at, cap: Some(cap) } = source
        && expires_at > cap.after(provided_at)
    {
        let message = format!("is more than {cap} after the template was provided, which is the law's cap");
        return refuse("expire_time", Reason::FieldOutOfRange, message);
    }
    Ok(())
}

/// Whether a credential may decide on an entry that is contested: not the one that added it.
///
/// # Errors
/// `ReviewerNotIndependent`.
pub fn may_decide(entry: &WatchlistEntry, reviewer: CredentialId) -> Result<(), Denial> {
    if entry.added_by != reviewer {
        return Ok(());
    }
    let message = "who added an entry does not decide whether it stays".to_owned();
    Err(Denial { reason: Reason::ReviewerNotIndependent, obligation: "O40", message, duty: None })
}

#[cfg(test)]
mod tests;
