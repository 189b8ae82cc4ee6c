//! Who may be told something, and what may go abroad: O2, O14, O32, O33, and the articles that a safeguard is named after.

use lethe_domain::{
    Consent, Country, Dossier, Ground, Jurisdiction, Label, Purpose, Reason, SafeguardKind, TenantPolicy,
};
use lethe_domain::{Timestamp, Transfer};

use super::known::{is_a_guardians, is_of_age, is_over, is_the_subjects, is_valid, is_withdrawn, needs_a_guardian};

pub(crate) type Refusal = (Reason, &'static str);

const NO_GROUND: Refusal = (Reason::DisclosureGroundMissing, "O33");
const NO_SAFEGUARD: Refusal = (Reason::SafeguardMissing, "O32");

/// Whether something may be told about a person.
pub(crate) fn may_be_told(
    policy: &TenantPolicy,
    person: &Dossier,
    ground: Option<&Ground>,
    recipient: &Label,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<(), Refusal> {
    // O33: the person's approval, or a recorded legal order.
    match ground {
        // O25: what a person has sent to somebody is its own archive, and nothing that the client tells.
        None | Some(Ground::Request) => return Err(NO_GROUND),
        Some(Ground::Order(_)) => {}
        Some(Ground::Consent(id)) => {
            let Some(approval) = person.consents.iter().find(|consent| consent.id == *id) else {
                return Err(NO_GROUND);
            };
            // O2: a consent is to one purpose. These two are about others than the client.
            let is_about_others = approval.purpose == Purpose::KycSharing || approval.purpose == Purpose::LegalClaims;
            // O2, O14: recipients for sharing.
            let is_named = approval.recipients.iter().any(|named| named.as_str() == recipient.as_str());
            if !is_about_others || !is_given_by_who_may(policy, person, approval) || !is_named {
                return Err(NO_GROUND);
            }
            // O23: a withdrawal is for good.
            if is_withdrawn(approval) {
                return Err((Reason::ConsentWithdrawn, "O33"));
            }
            if is_over(approval, now) {
                return Err((Reason::ConsentExpired, "O33"));
            }
        }
    }

    // O32, of what is told.
    let laws = laws_that_are_left(policy, Some(person), transfer.destination);
    if laws.is_empty() {
        return Ok(());
    }
    let by_order = matches!(ground, Some(Ground::Order(_)));
    let consents: Vec<_> = match ground {
        // The approval is the consent that has to say it all.
        Some(Ground::Consent(id)) => person.consents.iter().filter(|consent| consent.id == *id).collect(),
        _ => person.consents.iter().collect(),
    };
    let agrees = consents.into_iter().any(|consent| names(policy, person, consent, transfer.destination, now));
    match transfer.safeguard.as_ref().map(|safeguard| safeguard.kind) {
        None => return Err(NO_SAFEGUARD),
        // GDPR Art. 48: orders of third countries, by an agreement.
        Some(SafeguardKind::InternationalAgreement) if !by_order => return Err(NO_SAFEGUARD),
        // GDPR Art. 49(1)(a): to the proposed transfer.
        Some(SafeguardKind::ExplicitConsent) if !agrees => return Err(NO_SAFEGUARD),
        Some(_) => {}
    }
    all_of_kazakhstans(&laws, transfer, agrees)
}

/// Whether a person's archive may go to somebody else in a country, or the client's silo with the person in it.
pub(crate) fn may_be_sent(
    policy: &TenantPolicy,
    person: &Dossier,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<(), Refusal> {
    let laws = laws_that_are_left(policy, Some(person), transfer.destination);
    if laws.is_empty() {
        return Ok(());
    }
    let agrees = person.consents.iter().any(|consent| names(policy, person, consent, transfer.destination, now));
    is_a_safeguard_of_archives(transfer)?;
    if transfer.safeguard.as_ref().unwrap().kind == SafeguardKind::ExplicitConsent && !agrees {
        return Err(NO_SAFEGUARD);
    }
    all_of_kazakhstans(&laws, transfer, agrees)
}

/// Whether a silo may be handed over to a country at all.
pub(crate) fn may_be_handed_over(policy: &TenantPolicy, transfer: &Transfer) -> Result<(), Refusal> {
    let laws = laws_that_are_left(policy, None, transfer.destination);
    if laws.is_empty() {
        return Ok(());
    }
    is_a_safeguard_of_archives(transfer)?;
    // People are asked one by one, when they go.
    all_of_kazakhstans(&laws, transfer, true)
}

/// Art. 48 is about orders, and Art. 49(1)(e) about what a claim needs, which is no whole archive.
fn is_a_safeguard_of_archives(transfer: &Transfer) -> Result<(), Refusal> {
    use SafeguardKind::{AdequacyDecision, BindingCorporateRules, ExplicitConsent, StandardContractualClauses};
    let serving = [AdequacyDecision, StandardContractualClauses, BindingCorporateRules, ExplicitConsent];
    match &transfer.safeguard {
        Some(safeguard) if serving.contains(&safeguard.kind) => Ok(()),
        Some(_) | None => Err(NO_SAFEGUARD),
    }
}

/// O32, of Kazakhstan: all of a consent naming the countries, a contract with the recipient, a lawful transfer; the last
/// was asked for before.
fn all_of_kazakhstans(laws: &[Jurisdiction], transfer: &Transfer, agrees: bool) -> Result<(), Refusal> {
    if laws.contains(&Jurisdiction::Kazakhstan) && !(agrees && transfer.contract.is_some()) {
        return Err(NO_SAFEGUARD);
    }
    Ok(())
}

/// The laws, of the client and of the person, that the data leave.
fn laws_that_are_left(policy: &TenantPolicy, person: Option<&Dossier>, to: Country) -> Vec<Jurisdiction> {
    let mut laws = vec![policy.jurisdiction];
    if let Some(law) = person.and_then(|person| person.jurisdiction) {
        laws.push(law);
    }
    laws.retain(|law| !stays_within(*law, policy, to.as_str()));
    laws
}

fn stays_within(law: Jurisdiction, policy: &TenantPolicy, to: &str) -> bool {
    match law {
        Jurisdiction::EuropeanUnion => is_in_the_union(to) || is_of_the_eea_beside(to),
        Jurisdiction::UnitedKingdom => to == "GB",
        Jurisdiction::Illinois | Jurisdiction::Texas | Jurisdiction::Washington | Jurisdiction::California => {
            to == "US"
        }
        Jurisdiction::Kazakhstan => to == "KZ",
        // Nothing is known of it: what stays in the client's country stays, and whatever else goes, goes abroad. Where nobody
        // said which country that is, it is where the client's law is, if that is known.
        Jurisdiction::Other => match policy.country {
            Some(country) => country.as_str() == to,
            None => policy.jurisdiction != Jurisdiction::Other && stays_within(policy.jurisdiction, policy, to),
        },
    }
}

/// The members, in the order in which they came.
fn is_in_the_union(code: &str) -> bool {
    let of_1957 = ["BE", "DE", "FR", "IT", "LU", "NL"];
    let until_1995 = ["DK", "IE", "GR", "ES", "PT", "AT", "FI", "SE"];
    let of_2004 = ["CZ", "EE", "CY", "LV", "LT", "HU", "MT", "PL", "SI", "SK"];
    let since = ["BG", "RO", "HR"];
    of_1957.contains(&code) || until_1995.contains(&code) || of_2004.contains(&code) || since.contains(&code)
}

fn is_of_the_eea_beside(code: &str) -> bool {
    code == "NO" || code == "IS" || code == "LI"
}

/// Whether a consent holds and says that the data may go to the country.
fn names(policy: &TenantPolicy, person: &Dossier, consent: &Consent, to: Country, now: Timestamp) -> bool {
    consent.countries.contains(&to) && is_valid(consent, now) && is_given_by_who_may(policy, person, consent)
}

/// O15: of a minor, by who may give it. Who is of age consents in person.
fn is_given_by_who_may(policy: &TenantPolicy, person: &Dossier, consent: &Consent) -> bool {
    if needs_a_guardian(policy, person) {
        is_a_guardians(consent)
    } else if is_of_age(person) {
        is_the_subjects(consent)
    } else {
        true
    }
}
