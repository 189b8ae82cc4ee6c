//! Tenants, and what they declare.

use lethe_domain::{Environment, Jurisdiction, LawfulBasis, Purpose, PurposeBasis, Retention, TenantPolicy};

use super::{BASES, Dice, SERVED, another, period};

/// A tenant that declares another purpose, and after it this one, each if there is a basis for it.
pub(crate) fn declaring(purpose: Purpose, basis: Option<LawfulBasis>, elsewhere: Option<LawfulBasis>) -> TenantPolicy {
    let other = elsewhere.map(|basis| PurposeBasis { purpose: another(purpose), basis });
    let this = basis.map(|basis| PurposeBasis { purpose, basis });
    TenantPolicy::of(other.into_iter().chain(this).collect())
}

/// A tenant that declares another purpose on another basis, and after it this one, if there is a basis for it.
pub(crate) fn tenant(purpose: Purpose, basis: Option<LawfulBasis>) -> TenantPolicy {
    let elsewhere = match basis {
        Some(LawfulBasis::ExplicitConsent) => LawfulBasis::Contract,
        _ => LawfulBasis::ExplicitConsent,
    };
    declaring(purpose, basis, Some(elsewhere))
}

pub(crate) fn tenants(purpose: Purpose, jurisdictions: &[Jurisdiction]) -> Vec<TenantPolicy> {
    let mut all = Vec::new();
    for (basis, elsewhere) in BASES {
        for &jurisdiction in jurisdictions {
            for alone_from_16 in [false, true] {
                for age_required in [false, true] {
                    let version = u32::try_from(all.len()).unwrap() + 1;
                    all.push(TenantPolicy {
                        version,
                        jurisdiction,
                        alone_from_16,
                        age_required,
                        ..declaring(purpose, basis, elsewhere)
                    });
                }
            }
        }
    }
    all
}

pub(crate) fn client(purposes: &[(Purpose, LawfulBasis)]) -> TenantPolicy {
    TenantPolicy::of(purposes.iter().map(|&(purpose, basis)| PurposeBasis { purpose, basis }).collect())
}

/// Tenants that serve people for several purposes, for one and for none, on one basis or on several, each with and
/// without a law that asks for writing and one that lets minors from 16 consent.
pub(crate) fn clients() -> Vec<TenantPolicy> {
    use LawfulBasis::{Contract, ExplicitConsent, LegalObligation, LegitimateInterests, SubstantialPublicInterest};
    use Purpose::{Administration, Authentication, DocumentCheck, FraudPrevention, KycSharing, ServiceDevelopment};
    let legal_claims = (Purpose::LegalClaims, LawfulBasis::LegalClaims);
    let declared = [
        // No purpose at all.
        client(&[]),
        // None that people are served for.
        client(&[legal_claims]),
        client(&[(KycSharing, ExplicitConsent)]),
        client(&[(ServiceDevelopment, ExplicitConsent)]),
        client(&[(KycSharing, ExplicitConsent), legal_claims, (ServiceDevelopment, LegitimateInterests)]),
        client(&[(Administration, LegalObligation)]),
        // One.
        client(&[(Authentication, ExplicitConsent)]),
        client(&[(Authentication, Contract)]),
        client(&[legal_claims, (Authentication, ExplicitConsent)]),
        client(&[(Authentication, ExplicitConsent), (KycSharing, ExplicitConsent), (ServiceDevelopment, Contract)]),
        client(&[(KycSharing, ExplicitConsent), (Authentication, SubstantialPublicInterest)]),
        // Two and three.
        client(&[(Authentication, ExplicitConsent), (FraudPrevention, ExplicitConsent)]),
        client(&[(Authentication, ExplicitConsent), (FraudPrevention, LegalObligation)]),
        client(&[(FraudPrevention, ExplicitConsent), (Authentication, Contract)]),
        client(&[(FraudPrevention, SubstantialPublicInterest), (Authentication, Contract)]),
        client(&[(DocumentCheck, ExplicitConsent), (FraudPrevention, ExplicitConsent), legal_claims]),
        // All.
        client(&SERVED.map(|purpose| (purpose, ExplicitConsent))),
        client(&SERVED.map(|purpose| (purpose, LegalObligation))),
        client(&SERVED.map(|purpose| (purpose, if purpose == DocumentCheck { Contract } else { ExplicitConsent }))),
    ];
    let mut dice = Dice(4);
    let mut all = Vec::new();
    for policy in declared {
        for jurisdiction in [Jurisdiction::Other, Jurisdiction::Washington] {
            for alone_from_16 in [false, true] {
                all.push(TenantPolicy { jurisdiction, alone_from_16, age_required: dice.coin(), ..policy.clone() });
            }
        }
    }
    all
}

/// Some have no purpose, some rest on consents only, and some declare the call's purpose though it is not biometric.
pub(crate) fn drawn_tenant(dice: &mut Dice, purpose: Purpose) -> TenantPolicy {
    let declares_nothing = dice.roll(16) == 0;
    let consents_only = dice.roll(4) == 0;
    let mut purposes = Vec::new();
    for declared in Purpose::ALL {
        let likely = if declared == purpose { 8 } else { 2 };
        let known = declared.is_biometric() || declared == purpose;
        if known && !declares_nothing && dice.roll(likely) != 0 {
            let consents = consents_only || dice.coin();
            let basis = if consents { LawfulBasis::ExplicitConsent } else { dice.one_of(&LawfulBasis::ALL) };
            purposes.push(PurposeBasis { purpose: declared, basis });
        }
    }
    TenantPolicy {
        version: u32::try_from(dice.roll(1000)).unwrap() + 1,
        jurisdiction: dice.one_of(&Jurisdiction::ALL),
        alone_from_16: dice.coin(),
        age_required: dice.coin(),
        environment: dice.one_of(&Environment::ALL),
        retention: Retention {
            keep: None,
            after_end: dice.one_of(&[None, Some(period("P1D")), Some(period("P2Y"))]),
            minimum: dice.one_of(&[None, None, None, Some(period("P1D")), Some(period("P5Y"))]),
            vendor_purposes: dice.coin(),
            limitation: None,
        },
        ..TenantPolicy::of(purposes)
    }
}

/// A tenant with logins only, on consent.
pub(crate) fn logins() -> TenantPolicy {
    client(&[(Purpose::Authentication, LawfulBasis::ExplicitConsent)])
}

/// Tenants, of each sort of law, that keep people for so long after an end, and for so long because of a statute.
pub(crate) fn keepers_of_people() -> Vec<TenantPolicy> {
    let mut all = Vec::new();
    for jurisdiction in [Jurisdiction::Other, Jurisdiction::Illinois, Jurisdiction::Texas] {
        for after_end in [None, Some("P0D"), Some("P1M"), Some("P90D"), Some("P1Y"), Some("P366D"), Some("P2Y")] {
            for minimum in [None, Some("P0D"), Some("P1M"), Some("P5Y")] {
                let (after_end, minimum) = (after_end.map(period), minimum.map(period));
                let retention = Retention { after_end, minimum, ..Retention::default() };
                all.push(TenantPolicy {
                    jurisdiction,
                    retention,
                    ..client(&[(Purpose::Authentication, LawfulBasis::ExplicitConsent)])
                });
            }
        }
    }
    all
}
