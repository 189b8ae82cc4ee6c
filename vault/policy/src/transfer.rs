//! What crosses a border, and what it then needs (O32): one line a law, one line a safeguard.

use lethe_domain::{
    Consent, ConsentId, ConsentState, Country, Dossier, Ground, Jurisdiction, Reason, SafeguardKind, TenantPolicy,
    Timestamp, Transfer,
};

use crate::gate::Denial;
use crate::law::Law;
use crate::person::may_consent;

/// Where a law's border is, and what it asks of what crosses it.
#[derive(Debug, Clone, Copy)]
pub struct Border {
    /// The law.
    pub jurisdiction: Jurisdiction,
    /// Countries between which there is no border; none where the vault knows of none.
    pub area: &'static [&'static str],
    /// Whether a consent that names the country and a contract with the recipient are needed besides a safeguard.
    pub consent_and_contract: bool,
    /// Where that is written.
    pub source: &'static str,
}

/// The European Union with Iceland, Liechtenstein and Norway.
const EEA: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

const NO_LAW: &str = "none of the state's own: the obligation itself";

/// The table, in the order of [`Jurisdiction`].
#[rustfmt::skip]
const BORDERS: [Border; 8] = [
    border(Jurisdiction::EuropeanUnion, EEA,     false, "GDPR Chapter V; in the EEA by Joint Committee Decision 154/2018"),
    border(Jurisdiction::UnitedKingdom, &["GB"], false, "UK GDPR Chapter V"),
    border(Jurisdiction::Illinois,      &["US"], false, NO_LAW),
    border(Jurisdiction::Texas,         &["US"], false, NO_LAW),
    border(Jurisdiction::Washington,    &["US"], false, NO_LAW),
    border(Jurisdiction::California,    &["US"], false, NO_LAW),
    border(Jurisdiction::Kazakhstan,    &["KZ"], true,  "Law No. 94-V of 21 May 2013, Art. 16"),
    border(Jurisdiction::Other,         &[],     false, "none known to the vault: the obligation itself"),
];

const fn border(
    jurisdiction: Jurisdiction,
    area: &'static [&'static str],
    consent_and_contract: bool,
    source: &'static str,
) -> Border {
    Border { jurisdiction, area, consent_and_contract, source }
}

impl Border {
    /// The border of a law.
    pub const fn of(jurisdiction: Jurisdiction) -> &'static Self {
        &BORDERS[jurisdiction as usize - 1]
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &BORDERS
    }
}

/// What a safeguard carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Whatever crosses.
    Everything,
    /// What is disclosed about one person.
    Disclosures,
    /// What is disclosed by a legal order.
    Orders,
}

/// One line of the table of safeguards.
#[derive(Debug, Clone, Copy)]
pub struct SafeguardRule {
    /// The safeguard.
    pub kind: SafeguardKind,
    /// What it carries.
    pub carries: Carries,
    /// Whether it is none without a consent of the person that names the country.
    pub needs_consent: bool,
    /// What its reference is one of.
    pub document: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// The table, in the order of [`SafeguardKind::ALL`].
#[rustfmt::skip]
const SAFEGUARDS: [SafeguardRule; 6] = [
    safeguard(SafeguardKind::AdequacyDecision,           Carries::Everything,  false, "the decision",            "GDPR Art. 45; Law No. 94-V Art. 16(2)"),
    safeguard(SafeguardKind::StandardContractualClauses, Carries::Everything,  false, "the signed clauses",      "GDPR Art. 46(2)(c), (d)"),
    safeguard(SafeguardKind::BindingCorporateRules,      Carries::Everything,  false, "the rules as approved",   "GDPR Art. 46(2)(b), 47"),
    safeguard(SafeguardKind::ExplicitConsent,            Carries::Everything,  true,  "what the person was told of the risks", "GDPR Art. 49(1)(a); Law No. 94-V Art. 16(3)"),
    safeguard(SafeguardKind::LegalClaims,                Carries::Disclosures, false, "the case",                "GDPR Art. 49(1)(e)"),
    safeguard(SafeguardKind::InternationalAgreement,     Carries::Orders,      false, "the request made by it",  "GDPR Art. 48; Law No. 94-V Art. 16(3)"),
];

const fn safeguard(
    kind: SafeguardKind,
    carries: Carries,
    needs_consent: bool,
    document: &'static str,
    source: &'static str,
) -> SafeguardRule {
    SafeguardRule { kind, carries, needs_consent, document, source }
}

impl SafeguardRule {
    /// A safeguard's line.
    pub const fn of(kind: SafeguardKind) -> &'static Self {
        &SAFEGUARDS[kind as usize - 1]
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &SAFEGUARDS
    }

    const fn carries(&self, crossing: Crossing) -> bool {
        match (self.carries, crossing) {
            (Carries::Everything, _)
            | (Carries::Disclosures, Crossing::Disclosure(_) | Crossing::Order)
            | (Carries::Orders, Crossing::Order) => true,
            (Carries::Disclosures, Crossing::Archive)
            | (Carries::Orders, Crossing::Disclosure(_) | Crossing::Archive) => false,
        }
    }
}

/// What crosses.
#[derive(Debug, Clone, Copy)]
enum Crossing {
    /// A disclosure that the person approved by this consent: what else the consent has to say, this one does.
    Disclosure(ConsentId),
    /// A disclosure by a legal order.
    Order,
    /// An archive: of one person, or of a silo.
    Archive,
}

/// Decides whether what is disclosed about a person may go where its recipient is.
pub(crate) fn allows_telling(
    policy: &TenantPolicy,
    person: &Dossier,
    ground: &Ground,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<(), Denial> {
    let crossing = match ground {
        Ground::Consent(id) => Crossing::Disclosure(*id),
        Ground::Order(_) => Crossing::Order,
        Ground::Request => Crossing::Archive,
    };
    Case { policy, crossing, transfer }.judge(Some((person, now)))
}

/// Decides whether an archive that has a person in it may be given to somebody in a country: the person's own archive to
/// somebody else than the person, or that of the silo to the client.
///
/// # Errors
/// `SafeguardMissing`, with O32, where a border is crossed and what is needed for it is not there.
pub fn allows_archive(
    policy: &TenantPolicy,
    person: &Dossier,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<(), Denial> {
    Case { policy, crossing: Crossing::Archive, transfer }.judge(Some((person, now)))
}

/// Decides the same for a silo, by what the client's own law asks of it; [`allows_archive`] decides for each person besides.
///
/// # Errors
/// As [`allows_archive`].
pub fn allows_handover(policy: &TenantPolicy, transfer: &Transfer) -> Result<(), Denial> {
    Case { policy, crossing: Crossing::Archive, transfer }.judge(None)
}

/// The laws whose border lies between a person and a country: the person's, and the client's.
fn crossed(
    policy: &TenantPolicy,
    person: Option<&Dossier>,
    destination: Country,
) -> impl Iterator<Item = &'static Border> + Clone {
    let own = Border::of(policy.jurisdiction);
    let persons = person.and_then(|person| person.jurisdiction).map(Border::of);
    let persons = persons.filter(|border| border.jurisdiction != own.jurisdiction);
    let country = policy.country;
    [Some(own), persons].into_iter().flatten().filter(move |border| {
        // A law that the vault does not know leaves the client's country as the one place that is surely within it.
        let is_within = match (border.area, country) {
            ([], Some(country)) => country == destination,
            ([], None) => own.area.contains(&destination.as_str()),
            (area, _) => area.contains(&destination.as_str()),
        };
        !is_within
    })
}

struct Case<'a> {
    policy: &'a TenantPolicy,
    crossing: Crossing,
    transfer: &'a Transfer,
}

impl Case<'_> {
    /// The order is part of the contract: a safeguard, one that carries this, the contract, the consent.
    fn judge(&self, person: Option<(&Dossier, Timestamp)>) -> Result<(), Denial> {
        let to = self.transfer.destination;
        let mut crossed = crossed(self.policy, person.map(|(person, _)| person), to);
        let Some(first) = crossed.clone().next() else { return Ok(()) };
        let Some(safeguard) = &self.transfer.safeguard else {
            let law = Law::of(first.jurisdiction).title;
            return deny(format!("going to {to} crosses a border (law: {law}), and no safeguard for that is recorded"));
        };
        let rule = SafeguardRule::of(safeguard.kind);
        if !rule.carries(self.crossing) {
            let only = if rule.carries == Carries::Orders { "a disclosure by a legal order" } else { "a disclosure" };
            return deny(format!(
                "{} ({}) carries {only} across a border, nothing else",
                rule.kind.name(),
                rule.source
            ));
        }
        let strict = crossed.find(|border| border.consent_and_contract);
        if let Some(border) = strict
            && self.transfer.contract.is_none()
        {
            let law = Law::of(border.jurisdiction).title;
            return deny(format!("going to {to} needs a contract with the recipient, too, by the law of {law}"));
        }
        if let Some((person, now)) = person
            && (rule.needs_consent || strict.is_some())
            && !self.consented(person, now)
        {
            let whose = match self.crossing {
                Crossing::Disclosure(_) => "the consent that it rests on does not name that country, or holds no more",
                Crossing::Order | Crossing::Archive => "no consent of the person that holds names that country",
            };
            return deny(format!("going to {to} needs the person's consent to just that: {whose}"));
        }
        Ok(())
    }

    /// Whether a consent that holds, of who may give it, names the country.
    fn consented(&self, person: &Dossier, now: Timestamp) -> bool {
        let counts = |consent: &&Consent| match self.crossing {
            Crossing::Disclosure(id) => consent.id == id,
            Crossing::Order | Crossing::Archive => true,
        };
        person.consents.iter().filter(counts).any(|consent| {
            consent.state(now) == ConsentState::Valid
                && consent.countries.contains(&self.transfer.destination)
                && may_consent(self.policy, person, consent)
        })
    }
}

fn deny(message: String) -> Result<(), Denial> {
    Err(Denial { reason: Reason::SafeguardMissing, obligation: "O32", message, duty: None })
}

#[cfg(test)]
mod tests;
