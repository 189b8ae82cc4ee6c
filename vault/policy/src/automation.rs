//! Who may decide on what the vault says (O11): one line a ground.

use lethe_domain::{AutomationGround, Band, Decider, Invalid, LawfulBasis, Purpose, Reason, TenantPolicy};

/// A ground on which a client lets no person decide, and what it takes.
#[derive(Debug, Clone, Copy)]
pub struct GroundRule {
    /// The ground.
    pub ground: AutomationGround,
    /// The bases of which the purpose must have one: templates are a special category of data, whatever the ground.
    pub bases: &'static [LawfulBasis],
    /// Where that is written.
    pub source: &'static str,
}

/// Explicit consent, Art. 9(2)(a), and substantial public interest, Art. 9(2)(g), which a legal obligation comes with.
const SPECIAL: &[LawfulBasis] =
    &[LawfulBasis::ExplicitConsent, LawfulBasis::LegalObligation, LawfulBasis::SubstantialPublicInterest];

/// The table, in the order of [`AutomationGround::ALL`].
#[rustfmt::skip]
const RULES: [GroundRule; 3] = [
    rule(AutomationGround::Contract,        SPECIAL,                         "GDPR Art. 22(2)(a), (4)"),
    rule(AutomationGround::Law,             SPECIAL,                         "GDPR Art. 22(2)(b), (4)"),
    rule(AutomationGround::ExplicitConsent, &[LawfulBasis::ExplicitConsent], "GDPR Art. 22(2)(c), (4)"),
];

const fn rule(ground: AutomationGround, bases: &'static [LawfulBasis], source: &'static str) -> GroundRule {
    GroundRule { ground, bases, source }
}

impl GroundRule {
    /// The line of a ground.
    pub const fn of(ground: AutomationGround) -> &'static Self {
        &RULES[ground as usize - 1]
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &RULES
    }
}

/// Who may decide on an answer for a purpose, by all its bands: a person where one is unclear, and wherever the client recorded no
/// ground.
///
/// It depends on no person: an answer must not tell a caller more of somebody than its band.
pub fn decider(policy: &TenantPolicy, purpose: Purpose, bands: impl IntoIterator<Item = Band>) -> Decider {
    let is_recorded = policy.automation.iter().any(|automation| automation.purpose == purpose);
    let is_clear = !bands.into_iter().any(|band| band == Band::Review);
    if is_recorded && is_clear { Decider::System } else { Decider::Person }
}

/// Refuses grounds that stand on nothing.
pub(crate) fn check(policy: &TenantPolicy) -> Result<(), Invalid> {
    for automation in &policy.automation {
        let (purpose, ground) = (automation.purpose, automation.ground);
        let refuse = |message: String| Err(Invalid::new("tenant.automation", Reason::PolicyContradiction, message));
        let Some(basis) = policy.basis(purpose) else {
            return refuse(format!("automates {}, for which there is no lawful basis (O11)", purpose.name()));
        };
        let rule = GroundRule::of(ground);
        if !rule.bases.contains(&basis) {
            let bases: Vec<_> = rule.bases.iter().map(|basis| basis.name()).collect();
            return refuse(format!(
                "automates {} on the ground {}, which takes the basis {} ({}); it is {} (O11)",
                purpose.name(),
                ground.name(),
                bases.join(" or "),
                rule.source,
                basis.name()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lethe_domain::{Automation, Label, Notice, PurposeBasis};

    use super::*;

    const EVERY_BAND: [Band; 3] = [Band::Match, Band::Review, Band::NoMatch];

    fn policy(basis: LawfulBasis, ground: Option<AutomationGround>) -> TenantPolicy {
        let mut policy = TenantPolicy::of(vec![PurposeBasis { purpose: Purpose::Authentication, basis }]);
        let label = |text| Label::parse("label", text).unwrap();
        policy.automation = ground
            .map(|ground| Automation {
                purpose: Purpose::Authentication,
                ground,
                explanation: Notice { version: label("automatic-1"), sha256: [7; 32] },
                reviewer: label("desk-2"),
            })
            .into_iter()
            .collect();
        policy
    }

    #[test]
    fn the_lines_are_in_the_order_of_the_grounds() {
        for &ground in AutomationGround::ALL {
            assert_eq!(GroundRule::of(ground).ground, ground);
            assert_eq!(AutomationGround::from_number(ground.number()), Some(ground));
        }
    }

    #[test]
    fn a_system_decides_what_is_clear_where_a_ground_is_recorded() {
        let none = policy(LawfulBasis::ExplicitConsent, None);
        let some = policy(LawfulBasis::ExplicitConsent, Some(AutomationGround::Contract));
        for band in EVERY_BAND {
            assert_eq!(decider(&none, Purpose::Authentication, [band]), Decider::Person);
            assert_eq!(decider(&some, Purpose::DocumentCheck, [band]), Decider::Person, "a ground is one purpose's");
            let expected = if band == Band::Review { Decider::Person } else { Decider::System };
            assert_eq!(decider(&some, Purpose::Authentication, [band]), expected);
        }
        assert_eq!(decider(&some, Purpose::Authentication, EVERY_BAND), Decider::Person);
        assert_eq!(decider(&some, Purpose::Authentication, [Band::Match, Band::Match]), Decider::System);
        // A search that found nobody is clear.
        assert_eq!(decider(&some, Purpose::Authentication, []), Decider::System);
    }

    #[test]
    fn grounds_that_stand_on_nothing_are_refused_by_name() {
        for &ground in AutomationGround::ALL {
            for basis in LawfulBasis::ALL {
                let stands = match basis {
                    LawfulBasis::ExplicitConsent => true,
                    LawfulBasis::LegalObligation | LawfulBasis::SubstantialPublicInterest => {
                        ground != AutomationGround::ExplicitConsent
                    }
                    LawfulBasis::LegalClaims | LawfulBasis::Contract | LawfulBasis::LegitimateInterests => false,
                };
                let checked = crate::check(&policy(basis, Some(ground)));
                assert_eq!(checked.is_ok(), stands, "{} on {}", ground.name(), basis.name());
                let refused = checked.err().map(|refused| (refused.field, refused.reason));
                let contradiction = || ("tenant.automation".to_owned(), Reason::PolicyContradiction);
                assert_eq!(refused, (!stands).then(contradiction));
            }
        }
        let mut none = policy(LawfulBasis::ExplicitConsent, Some(AutomationGround::Law));
        none.purposes.clear();
        assert_eq!(crate::check(&none).unwrap_err().field, "tenant.automation");
    }
}
