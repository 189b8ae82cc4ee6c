use lethe_domain::{
    AgeBand, Consent, ConsentId, Country, Deferral, DeferralReason, Dossier, Giver, Hold, HoldId, Jurisdiction, Label,
    Manner, Notice, Objection, Period, PostMortem, Purpose, ReceiptId, Restriction, RestrictionGround, Timestamp,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::json::{decode, encode};
use crate::Corrupt;

/// What the plaintext is padded to a multiple of, with spaces: its length tells little of how much is known.
const BLOCK: usize = 512;

const WHAT: &str = "dossier record";

/// What is known of a subject beside templates.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DossierRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jurisdiction: Option<u8>,
    age: u8,
    consents: Vec<ConsentRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restriction: Option<RestrictionRecord>,
    objections: Vec<ObjectionRecord>,
    holds: Vec<HoldRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose_ended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract_ended_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deferral: Option<DeferralRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post_mortem: Option<PostMortemRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    died_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentRecord {
    id: String,
    purpose: u8,
    notice: String,
    notice_sha256: String,
    manner: u8,
    giver: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    countries: Vec<String>,
    given_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestrictionRecord {
    ground: u8,
    since: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectionRecord {
    purpose: u8,
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overruled: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldRecord {
    id: String,
    case: String,
    placed_at: i64,
    review_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reviewed_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeferralRecord {
    reason: u8,
    requested_at: i64,
    until: i64,
    receipt: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PostMortemRecord {
    Erase,
    Keep(String),
    HandOver(String),
}

impl DossierRecord {
    /// The plaintext of a dossier's row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(dossier: &Dossier) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        padded(WHAT, &Self::of(dossier))
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no dossier.
    pub fn read(bytes: &[u8]) -> Result<Dossier, Corrupt> {
        let record: Self = decode(WHAT, bytes)?;
        record.dossier().ok_or_else(|| Corrupt::new(WHAT, "fields"))
    }

    fn of(dossier: &Dossier) -> Self {
        let consents = dossier.consents.iter().map(ConsentRecord::of);
        let objections = dossier.objections.iter().map(|objection| ObjectionRecord {
            purpose: objection.purpose.number(),
            since: objection.since.millis(),
            overruled: objection.overruled.as_ref().map(|grounds| grounds.as_str().to_owned()),
        });
        let holds = dossier.holds.iter().map(|hold| HoldRecord {
            id: hold.id.to_string(),
            case: hold.case.as_str().to_owned(),
            placed_at: hold.placed_at.millis(),
            review_at: hold.review_at.millis(),
            reviewed_at: hold.reviewed_at.map(Timestamp::millis),
        });
        Self {
            jurisdiction: dossier.jurisdiction.map(Jurisdiction::number),
            age: dossier.age.number(),
            consents: consents.collect(),
            restriction: dossier.restriction.map(|restriction| RestrictionRecord {
                ground: restriction.ground.number(),
                since: restriction.since.millis(),
            }),
            objections: objections.collect(),
            holds: holds.collect(),
            purpose_ended_at: dossier.purpose_ended_at.map(Timestamp::millis),
            contract_ended_at: dossier.contract_ended_at.map(Timestamp::millis),
            deferral: dossier.deferral.map(|deferral| DeferralRecord {
                reason: deferral.reason.number(),
                requested_at: deferral.requested_at.millis(),
                until: deferral.until.millis(),
                receipt: deferral.receipt.to_string(),
            }),
            post_mortem: dossier.post_mortem.as_ref().map(PostMortemRecord::of),
            died_at: dossier.died_at.map(Timestamp::millis),
        }
    }

    fn dossier(&self) -> Option<Dossier> {
        Some(Dossier {
            jurisdiction: known(self.jurisdiction, Jurisdiction::from_number)?,
            age: AgeBand::from_number(self.age)?,
            consents: self.consents.iter().map(ConsentRecord::consent).collect::<Option<_>>()?,
            restriction: known(self.restriction.as_ref(), RestrictionRecord::restriction)?,
            objections: self.objections.iter().map(ObjectionRecord::objection).collect::<Option<_>>()?,
            holds: self.holds.iter().map(HoldRecord::hold).collect::<Option<_>>()?,
            purpose_ended_at: self.purpose_ended_at.map(Timestamp::from_millis),
            contract_ended_at: self.contract_ended_at.map(Timestamp::from_millis),
            deferral: known(self.deferral.as_ref(), DeferralRecord::deferral)?,
            post_mortem: known(self.post_mortem.as_ref(), PostMortemRecord::post_mortem)?,
            died_at: self.died_at.map(Timestamp::from_millis),
        })
    }
}

/// JSON that is padded to a multiple of [`BLOCK`].
pub(super) fn padded<T: Serialize>(what: &'static str, record: &T) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
    let mut bytes = encode(what, record)?;
    // Copied into its full length at once: a buffer of secrets must not move while it grows.
    let padded = bytes.len().next_multiple_of(BLOCK);
    let mut whole = Zeroizing::new(Vec::with_capacity(padded));
    whole.append(&mut bytes);
    whole.resize(padded, b' ');
    Ok(whole)
}

/// What is not there is known; what is there must be.
pub(super) fn known<T, U>(said: Option<T>, parse: impl Fn(T) -> Option<U>) -> Option<Option<U>> {
    match said {
        None => Some(None),
        Some(said) => parse(said).map(Some),
    }
}

fn label(text: &str) -> Option<Label> {
    Label::parse("label", text).ok()
}

impl ConsentRecord {
    pub(super) fn of(consent: &Consent) -> Self {
        Self {
            id: consent.id.to_string(),
            purpose: consent.purpose.number(),
            notice: consent.notice.version.as_str().to_owned(),
            notice_sha256: hex::encode(consent.notice.sha256),
            manner: consent.manner.number(),
            giver: consent.giver.number(),
            recipients: consent.recipients.iter().map(ToString::to_string).collect(),
            countries: consent.countries.iter().map(ToString::to_string).collect(),
            given_at: consent.given_at.millis(),
            expires_at: consent.expires_at.map(Timestamp::millis),
            withdrawn_at: consent.withdrawn_at.map(Timestamp::millis),
        }
    }

    pub(super) fn consent(&self) -> Option<Consent> {
        let sha256 = hex::decode(&self.notice_sha256).ok()?.try_into().ok()?;
        Some(Consent {
            id: ConsentId::parse(&self.id)?,
            purpose: Purpose::from_number(self.purpose)?,
            notice: Notice { version: label(&self.notice)?, sha256 },
            manner: Manner::from_number(self.manner)?,
            giver: Giver::from_number(self.giver)?,
            recipients: self.recipients.iter().map(|text| label(text)).collect::<Option<_>>()?,
            countries: self.countries.iter().map(|code| Country::parse("country", code).ok()).collect::<Option<_>>()?,
            given_at: Timestamp::from_millis(self.given_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            withdrawn_at: self.withdrawn_at.map(Timestamp::from_millis),
        })
    }
}

impl RestrictionRecord {
    fn restriction(&self) -> Option<Restriction> {
        let ground = RestrictionGround::from_number(self.ground)?;
        Some(Restriction { ground, since: Timestamp::from_millis(self.since) })
    }
}

impl ObjectionRecord {
    fn objection(&self) -> Option<Objection> {
        Some(Objection {
            purpose: Purpose::from_number(self.purpose)?,
            since: Timestamp::from_millis(self.since),
            overruled: known(self.overruled.as_deref(), label)?,
        })
    }
}

impl HoldRecord {
    fn hold(&self) -> Option<Hold> {
        Some(Hold {
            id: HoldId::parse(&self.id)?,
            case: label(&self.case)?,
            placed_at: Timestamp::from_millis(self.placed_at),
            review_at: Timestamp::from_millis(self.review_at),
            reviewed_at: self.reviewed_at.map(Timestamp::from_millis),
        })
    }
}

impl DeferralRecord {
    fn deferral(&self) -> Option<Deferral> {
        Some(Deferral {
            reason: DeferralReason::from_number(self.reason)?,
            requested_at: Timestamp::from_millis(self.requested_at),
            until: Timestamp::from_millis(self.until),
            receipt: ReceiptId::parse(&self.receipt)?,
        })
    }
}

impl PostMortemRecord {
    fn of(wish: &PostMortem) -> Self {
        match wish {
            PostMortem::Erase => Self::Erase,
            PostMortem::Keep(period) => Self::Keep(period.to_string()),
            PostMortem::HandOver(trustee) => Self::HandOver(trustee.as_str().to_owned()),
        }
    }

    fn post_mortem(&self) -> Option<PostMortem> {
        Some(match self {
            Self::Erase => PostMortem::Erase,
            Self::Keep(period) => PostMortem::Keep(Period::parse("keep", period).ok()?),
            Self::HandOver(trustee) => PostMortem::HandOver(label(trustee)?),
        })
    }
}
