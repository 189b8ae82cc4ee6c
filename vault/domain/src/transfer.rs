use crate::{Country, Invalid, Label, Reason};

/// What makes it lawful that data leave an area of law (O32). Where each is written, and what it carries, is data in
/// `lethe-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SafeguardKind {
    /// An authority decided that the country protects people enough.
    AdequacyDecision = 1,
    /// Clauses that an authority adopted, agreed with the recipient.
    StandardContractualClauses = 2,
    /// Rules of a group of companies, that an authority approved.
    BindingCorporateRules = 3,
    /// The person agreed to just this, told of the country.
    ExplicitConsent = 4,
    /// It is needed to establish, exercise or defend a legal claim.
    LegalClaims = 5,
    /// An international agreement that a court's or an authority's order rests on.
    InternationalAgreement = 6,
}

impl SafeguardKind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::AdequacyDecision,
        Self::StandardContractualClauses,
        Self::BindingCorporateRules,
        Self::ExplicitConsent,
        Self::LegalClaims,
        Self::InternationalAgreement,
    ];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The kind's name on the command line, in archives and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdequacyDecision => "adequacy_decision",
            Self::StandardContractualClauses => "standard_contractual_clauses",
            Self::BindingCorporateRules => "binding_corporate_rules",
            Self::ExplicitConsent => "explicit_consent",
            Self::LegalClaims => "legal_claims",
            Self::InternationalAgreement => "international_agreement",
        }
    }
}

/// A safeguard, and where it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safeguard {
    /// Which.
    pub kind: SafeguardKind,
    /// The client's reference of the document.
    pub reference: Label,
}

/// Where something goes, and what makes that lawful (O32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The country of who receives it.
    pub destination: Country,
    /// Under which safeguard, as the client says.
    pub safeguard: Option<Safeguard>,
    /// The client's reference of its contract with the recipient.
    pub contract: Option<Label>,
}

impl Safeguard {
    /// A safeguard with its reference, or neither. `field` is the outer one.
    ///
    /// # Errors
    /// `FieldMissing` for one of the two without the other; as [`Label::parse`].
    pub fn parse(field: &str, kind: Option<SafeguardKind>, reference: &str) -> Result<Option<Self>, Invalid> {
        let missing = |part: &str, what| Invalid::new(format!("{field}.{part}"), Reason::FieldMissing, what);
        match (kind, reference) {
            (None, "") => Ok(None),
            (None, _) => Err(missing("safeguard", "is missing, and a reference of it is there")),
            (Some(_), "") => Err(missing("safeguard_reference", "is missing: say where the safeguard is written down")),
            (Some(kind), reference) => {
                let reference = Label::parse(&format!("{field}.safeguard_reference"), reference)?;
                Ok(Some(Self { kind, reference }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safeguard_has_a_reference_or_is_none() {
        let clauses = SafeguardKind::StandardContractualClauses;
        let kind = Some(clauses);
        assert_eq!(Safeguard::parse("t", None, ""), Ok(None));
        let there = Safeguard::parse("t", kind, "scc-1").unwrap().unwrap();
        assert_eq!((there.kind, there.reference.as_str()), (clauses, "scc-1"));
        for (kind, reference, field) in [
            (None, "scc-1", "t.safeguard"),
            (kind, "", "t.safeguard_reference"),
            (kind, "the clauses of May", "t.safeguard_reference"),
        ] {
            assert_eq!(Safeguard::parse("t", kind, reference).unwrap_err().field, field);
        }
    }

    #[test]
    fn kinds_have_numbers_and_names_of_their_own() {
        for kind in SafeguardKind::ALL {
            assert_eq!(SafeguardKind::from_number(kind.number()), Some(kind));
            assert_eq!(SafeguardKind::ALL.into_iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
        assert_eq!(SafeguardKind::from_number(0), None);
    }
}
