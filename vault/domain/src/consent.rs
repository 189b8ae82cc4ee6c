use crate::{ConsentId, Country, Invalid, Label, Purpose, Reason, Timestamp};

/// How far a client's clock may be ahead, in milliseconds.
const TOLERANCE: i64 = 60_000;

/// How a consent was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Manner {
    /// Signed, by hand or electronically: what the laws that ask for a written release take (O16).
    Written = 1,
    /// By a clear act at a device, such as a box that was ticked; no signature.
    Electronic = 2,
    /// Spoken, and recorded by the client.
    Spoken = 3,
}

impl Manner {
    /// Every manner there is.
    pub const ALL: [Self; 3] = [Self::Written, Self::Electronic, Self::Spoken];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The manner stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|manner| manner.number() == number)
    }

    /// The manner's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Electronic => "electronic",
            Self::Spoken => "spoken",
        }
    }
}

/// Who gave a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Giver {
    /// The person.
    Subject = 1,
    /// Who has parental responsibility for the person, or is its guardian (O15).
    Guardian = 2,
}

impl Giver {
    /// Every giver there is.
    pub const ALL: [Self; 2] = [Self::Subject, Self::Guardian];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The giver stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|giver| giver.number() == number)
    }

    /// The giver's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Guardian => "guardian",
        }
    }
}

/// The privacy notice that a consent was given to: which, and its bytes' digest, so that the words can be shown later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The client's name of the version, such as `privacy-2026-03`.
    pub version: Label,
    /// SHA-256 of the notice as it was shown.
    pub sha256: [u8; 32],
}

/// A consent of a person, or for one, to one purpose (O2, O15, O16, O23).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which.
    pub id: ConsentId,
    /// What for; a biometric purpose.
    pub purpose: Purpose,
    /// The notice that it was given to.
    pub notice: Notice,
    /// How it was given.
    pub manner: Manner,
    /// By whom.
    pub giver: Giver,
    /// Whom the notice named as recipients, by the client's names (O14, O33); no two alike.
    pub recipients: Vec<Label>,
    /// To which countries the notice said that data may go (O32); no two alike.
    pub countries: Vec<Country>,
    /// When it was given; no more than a minute ahead of the vault's clock when it was recorded.
    pub given_at: Timestamp,
    /// From when on it holds no more, if it was given for a time.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn, if it was.
    pub withdrawn_at: Option<Timestamp>,
}

/// How a consent stands at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentState {
    /// It holds.
    Valid,
    /// Its time is over.
    Expired,
    /// It was withdrawn: for good, whatever the clock says since.
    Withdrawn,
}

impl ConsentState {
    /// The state's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Consent {
    /// Most recipients that one names.
    pub const MOST_RECIPIENTS: usize = 16;
    /// Most countries that one names.
    pub const MOST_COUNTRIES: usize = 64;

    /// Checks what a caller says of a consent that is to be recorded at `now`.
    ///
    /// # Errors
    /// A purpose that needs no consent, a time of giving that is more than a minute away, and an expiry that is over by then;
    /// too many recipients or countries, or one twice; sharing with nobody.
    pub fn checked(self, now: Timestamp) -> Result<Self, Invalid> {
        let refuse = |field, message| Err(Invalid::new(field, Reason::FieldOutOfRange, message));
        if !self.purpose.is_biometric() {
            return refuse("consent.for_purpose", "must be a biometric purpose");
        }
        if self.given_at.millis() > now.millis().saturating_add(TOLERANCE) {
            return refuse("consent.give_time", "is in the future");
        }
        if self.expires_at.is_some_and(|end| end <= self.given_at) {
            return refuse("consent.expire_time", "is not after the consent was given");
        }
        if self.recipients.len() > Self::MOST_RECIPIENTS || !are_distinct(&self.recipients) {
            return refuse("consent.recipients", "must be 16 at most, no two alike");
        }
        if self.countries.len() > Self::MOST_COUNTRIES || !are_distinct(&self.countries) {
            return refuse("consent.countries", "must be 64 at most, no two alike");
        }
        if self.purpose == Purpose::KycSharing && self.recipients.is_empty() {
            let message = "is empty: a consent to kyc_sharing says with whom";
            return Err(Invalid::new("consent.recipients", Reason::FieldMissing, message));
        }
        Ok(self)
    }

    /// How it stands at `now`.
    pub fn state(&self, now: Timestamp) -> ConsentState {
        if self.withdrawn_at.is_some() {
            ConsentState::Withdrawn
        } else if self.expires_at.is_some_and(|end| end <= now) {
            ConsentState::Expired
        } else {
            ConsentState::Valid
        }
    }
}

fn are_distinct<T: PartialEq>(items: &[T]) -> bool {
    items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent() -> Consent {
        Consent {
            id: ConsentId::from_bytes([1; 16]),
            purpose: Purpose::Authentication,
            notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [7; 32] },
            manner: Manner::Electronic,
            giver: Giver::Subject,
            recipients: vec![Label::parse("recipient", "bank-2").unwrap()],
            countries: vec![Country::parse("country", "KZ").unwrap()],
            given_at: Timestamp::from_millis(100),
            expires_at: Some(Timestamp::from_millis(200)),
            withdrawn_at: None,
        }
    }

    #[test]
    fn a_consent_ends_at_its_time_and_a_withdrawal_is_for_good() {
        let at = Timestamp::from_millis;
        assert_eq!(consent().state(at(199)), ConsentState::Valid);
        assert_eq!(consent().state(at(200)), ConsentState::Expired);
        let withdrawn = Consent { withdrawn_at: Some(at(150)), ..consent() };
        assert_eq!(withdrawn.state(at(120)), ConsentState::Withdrawn);
        assert_eq!(withdrawn.state(at(250)), ConsentState::Withdrawn);
    }

    #[test]
    fn consents_are_refused_by_field() {
        let now = Timestamp::from_millis(150);
        assert!(consent().checked(now).is_ok());
        let field = |consent: Consent| consent.checked(now).unwrap_err().field;
        assert_eq!(field(Consent { purpose: Purpose::Audit, ..consent() }), "consent.for_purpose");
        assert_eq!(
            field(Consent { given_at: Timestamp::from_millis(60_151), expires_at: None, ..consent() }),
            "consent.give_time"
        );
        assert_eq!(
            field(Consent { expires_at: Some(Timestamp::from_millis(100)), ..consent() }),
            "consent.expire_time"
        );
        let named = |count: usize| (0..count).map(|n| Label::parse("r", &format!("bank-{n}")).unwrap()).collect();
        let recipients: [Vec<Label>; 2] = [named(17), [named(2), named(1)].concat()];
        for recipients in recipients {
            assert_eq!(field(Consent { recipients, ..consent() }), "consent.recipients");
        }
        assert!(Consent { recipients: named(16), ..consent() }.checked(now).is_ok());
        let sharing = Consent { purpose: Purpose::KycSharing, ..consent() };
        assert!(sharing.clone().checked(now).is_ok());
        let with_nobody = Consent { recipients: vec![], ..sharing }.checked(now).unwrap_err();
        assert_eq!((with_nobody.field.as_str(), with_nobody.reason), ("consent.recipients", Reason::FieldMissing));
        let twice = consent().countries.repeat(2);
        assert_eq!(field(Consent { countries: twice, ..consent() }), "consent.countries");
    }
}
