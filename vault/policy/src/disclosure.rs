//! What allows a disclosure about a person (O33), to whom (O14) and where (O32).

use lethe_domain::{Consent, ConsentState, Dossier, Ground, Label, Purpose, Reason, TenantPolicy, Timestamp, Transfer};

use crate::gate::Denial;
use crate::person::may_consent;
use crate::transfer::allows_telling;

/// Decides whether a ground allows to disclose something about a person: a legal order, or a consent that holds, of who may
/// give it, to a purpose that reaches beyond the client, and that names the recipient; and, beyond a border, what is needed
/// there.
///
/// A restriction or a hold is no obstacle: kept data may be given for legal claims, and with the person's approval
/// (GDPR Art. 18(2)).
///
/// Gives the ground back, which there is then.
///
/// # Errors
/// The reason, with O33; `SafeguardMissing` with O32.
pub fn allows_disclosure(
    policy: &TenantPolicy,
    person: &Dossier,
    ground: Option<Ground>,
    recipient: &Label,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<Ground, Denial> {
    let ground = holds(policy, person, ground, recipient, now)?;
    allows_telling(policy, person, &ground, transfer, now)?;
    Ok(ground)
}

fn holds(
    policy: &TenantPolicy,
    person: &Dossier,
    ground: Option<Ground>,
    recipient: &Label,
    now: Timestamp,
) -> Result<Ground, Denial> {
    let Some(ground) = ground else {
        let message = "a disclosure needs the person's approval or a legal order";
        return deny(Reason::DisclosureGroundMissing, message);
    };
    let id = match ground {
        Ground::Consent(id) => id,
        Ground::Order(_) => return Ok(ground),
        Ground::Request => {
            let message = "what a person has handed over to somebody is an archive, and no disclosure";
            return deny(Reason::DisclosureGroundMissing, message);
        }
    };
    let Some(consent) = person.consents.iter().find(|consent| consent.id == id) else {
        return deny(Reason::DisclosureGroundMissing, "the person gave no such consent");
    };
    if !reaches_others(consent) {
        let message = format!(
            "a consent to {} says nothing of a disclosure; one to {} or {} does",
            consent.purpose.name(),
            Purpose::KycSharing.name(),
            Purpose::LegalClaims.name()
        );
        return deny(Reason::DisclosureGroundMissing, message);
    }
    if !may_consent(policy, person, consent) {
        return deny(Reason::DisclosureGroundMissing, "the consent was not given by who may give it");
    }
    if !consent.recipients.contains(recipient) {
        return deny(Reason::DisclosureGroundMissing, format!("the consent does not name {recipient} as a recipient"));
    }
    match consent.state(now) {
        ConsentState::Valid => Ok(ground),
        ConsentState::Withdrawn => deny(Reason::ConsentWithdrawn, "the person's approval was withdrawn"),
        ConsentState::Expired => deny(Reason::ConsentExpired, "the time of the person's approval is over"),
    }
}

fn reaches_others(consent: &Consent) -> bool {
    matches!(consent.purpose, Purpose::KycSharing | Purpose::LegalClaims)
}

fn deny<T>(reason: Reason, message: impl Into<String>) -> Result<T, Denial> {
    Err(Denial { reason, obligation: "O33", message: message.into(), duty: None })
}

#[cfg(test)]
mod tests {
    use lethe_domain::{AgeBand, ConsentId, Country, Giver, Jurisdiction, Manner, Notice};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn label(text: &str) -> Label {
        Label::parse("label", text).unwrap()
    }

    fn to(code: &str) -> Transfer {
        Transfer { destination: Country::parse("country", code).unwrap(), safeguard: None, contract: None }
    }

    fn consent(purpose: Purpose, giver: Giver) -> Consent {
        Consent {
            id: ConsentId::from_bytes([1; 16]),
            purpose,
            notice: Notice { version: label("n1"), sha256: [0; 32] },
            manner: Manner::Written,
            giver,
            recipients: vec![label("bank-2"), label("court")],
            countries: Vec::new(),
            given_at: Timestamp::from_millis(1),
            expires_at: Some(Timestamp::from_millis(2_000)),
            withdrawn_at: None,
        }
    }

    fn verdict(consents: Vec<Consent>, age: AgeBand, ground: Option<Ground>, now: i64) -> Result<(), Reason> {
        let person = Dossier { consents, age, ..Dossier::default() };
        let policy = TenantPolicy { jurisdiction: Jurisdiction::EuropeanUnion, ..TenantPolicy::of(Vec::new()) };
        let now = Timestamp::from_millis(now);
        allows_disclosure(&policy, &person, ground, &label("court"), &to("DE"), now).map(drop).map_err(|denial| {
            assert_eq!(denial.obligation, "O33");
            denial.reason
        })
    }

    #[test]
    fn an_order_or_an_approval_that_holds_and_nothing_else() {
        let given = |to| vec![consent(to, Giver::Subject)];
        let approval = || Some(Ground::Consent(ConsentId::from_bytes([1; 16])));
        let order = Some(Ground::Order(label("court-7")));
        assert_eq!(verdict(vec![], AgeBand::Unknown, order, NOW.millis()), Ok(()));
        for to in [Purpose::KycSharing, Purpose::LegalClaims] {
            assert_eq!(verdict(given(to), AgeBand::Adult, approval(), NOW.millis()), Ok(()));
            assert_eq!(verdict(given(to), AgeBand::Adult, approval(), 2_000), Err(Reason::ConsentExpired));
            let withdrawn = Consent { withdrawn_at: Some(NOW), ..consent(to, Giver::Subject) };
            let refused = verdict(vec![withdrawn], AgeBand::Adult, approval(), NOW.millis());
            assert_eq!(refused, Err(Reason::ConsentWithdrawn));
        }
        let missing = Err(Reason::DisclosureGroundMissing);
        assert_eq!(verdict(given(Purpose::KycSharing), AgeBand::Adult, None, NOW.millis()), missing);
        assert_eq!(verdict(vec![], AgeBand::Adult, approval(), NOW.millis()), missing);
        assert_eq!(verdict(given(Purpose::Authentication), AgeBand::Adult, approval(), NOW.millis()), missing);
    }

    #[test]
    fn an_approval_is_of_who_is_named_and_a_border_comes_after_it() {
        let person = Dossier {
            consents: vec![consent(Purpose::KycSharing, Giver::Subject)],
            age: AgeBand::Adult,
            ..Dossier::default()
        };
        let policy = TenantPolicy { jurisdiction: Jurisdiction::EuropeanUnion, ..TenantPolicy::of(Vec::new()) };
        let approval = || Some(Ground::Consent(ConsentId::from_bytes([1; 16])));
        let told = |ground, recipient: &str, country: &str| {
            allows_disclosure(&policy, &person, ground, &label(recipient), &to(country), NOW).map(drop)
        };
        assert_eq!(told(approval(), "bank-2", "DE"), Ok(()));
        let refused = told(approval(), "bank-3", "DE").unwrap_err();
        assert_eq!((refused.reason, refused.obligation), (Reason::DisclosureGroundMissing, "O33"));
        assert!(refused.message.contains("bank-3"), "{}", refused.message);
        // An order asks nobody whom it is for.
        assert_eq!(told(Some(Ground::Order(label("order-1"))), "bank-3", "DE"), Ok(()));
        assert_eq!(told(approval(), "bank-3", "US").unwrap_err().obligation, "O33");
        let beyond = told(approval(), "bank-2", "US").unwrap_err();
        assert_eq!((beyond.reason, beyond.obligation), (Reason::SafeguardMissing, "O32"));
    }

    #[test]
    fn a_child_does_not_approve() {
        let approval = || Some(Ground::Consent(ConsentId::from_bytes([1; 16])));
        for (giver, expected) in [(Giver::Subject, Err(Reason::DisclosureGroundMissing)), (Giver::Guardian, Ok(()))] {
            let given = vec![consent(Purpose::KycSharing, giver)];
            assert_eq!(verdict(given, AgeBand::Under16, approval(), NOW.millis()), expected);
        }
    }
}
