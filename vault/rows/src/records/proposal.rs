use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Act, CredentialId, Disclosure, DisclosureId, Ground, Label, Proposal, ProposalId, Standing, Timestamp,
};
use lethe_domain::{ConsentId, Told, Transfer, Vote};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::json::{decode, encode};
use super::transfer::TransferRecord;
use crate::Corrupt;

/// What a disclosure's plaintext is padded to a multiple of, with spaces.
const BLOCK: usize = 512;

/// A proposal with what it consists of, as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// What it consists of.
    pub content: Content,
}

/// What a proposal consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A tenant's silo is handed over and destroyed.
    Offboarding(Leaving),
    /// A disclosure about the person in this slot. Nothing else is here: what there is to know is sealed under the person's
    /// own key, and goes with it.
    Disclosure(SlotRef),
    /// The key that signs a tenant's log, this one in its text form, is succeeded by another.
    LogKey(String),
    /// The key that signs the vault's own log is.
    VaultLogKey(String),
}

impl Content {
    /// Which act it is of.
    pub const fn act(&self) -> Act {
        match self {
            Self::Offboarding(_) => Act::Offboarding,
            Self::Disclosure(_) => Act::Disclosure,
            Self::LogKey(_) => Act::LogKeyRotation,
            Self::VaultLogKey(_) => Act::VaultLogKeyRotation,
        }
    }
}

/// How far a tenant is on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Whom the archive is sealed to, and where it goes; `None` where handing over is waived.
    pub to: Option<Addressee>,
    /// The archive that was handed over last.
    pub delivered: Option<Delivery>,
    /// Who confirmed that it was received, and how long the tenant's log was then.
    pub confirmed: Option<(Vote, u64)>,
}

/// Who takes a tenant's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// An age X25519 recipient.
    pub recipient: String,
    /// Where the archive goes, and what makes that lawful.
    pub transfer: Transfer,
}

/// An archive that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// SHA-256 of all its bytes, as they were sent.
    pub sha256: [u8; 32],
    /// People in it.
    pub subjects: u64,
    /// Templates in it.
    pub templates: u64,
    /// When its last byte was sent.
    pub at: Timestamp,
    /// How long the tenant's log was when it was begun: what is logged after that may not be in it.
    pub log_size: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposalRecord {
    act: u8,
    sha256: String,
    proposer: String,
    proposed_at: i64,
    expires_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approved: Option<VoteRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<VoteRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaving: Option<LeavingRecord>,
    /// Slot and generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<(u64, u32)>,
    /// The verifier key that is to be retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retires: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoteRecord {
    by: String,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeavingRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    /// There with the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered: Option<DeliveryRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<(VoteRecord, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveryRecord {
    sha256: String,
    subjects: u64,
    templates: u64,
    at: i64,
    log_size: u64,
}

const WHAT: &str = "proposal record";

impl StoredProposal {
    /// The plaintext of a proposal's row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let proposal = &self.proposal;
        let (approved, rejected, used_at) = match proposal.standing {
            Standing::Open => (None, None, None),
            Standing::Approved(vote) => (Some(vote), None, None),
            Standing::Rejected(vote) => (None, Some(vote), None),
            Standing::Used(vote, at) => (Some(vote), None, Some(at.millis())),
        };
        let (leaving, subject, retires) = match &self.content {
            Content::Offboarding(leaving) => (Some(LeavingRecord::of(leaving)), None, None),
            Content::Disclosure(slot) => (None, Some((slot.slot, slot.generation)), None),
            Content::LogKey(key) | Content::VaultLogKey(key) => (None, None, Some(key.clone())),
        };
        let record = ProposalRecord {
            act: proposal.act.number(),
            sha256: hex::encode(proposal.digest),
            proposer: proposal.proposer.to_string(),
            proposed_at: proposal.proposed_at.millis(),
            expires_at: proposal.expires_at.millis(),
            approved: approved.map(VoteRecord::of),
            rejected: rejected.map(VoteRecord::of),
            used_at,
            leaving,
            subject,
            retires,
        };
        encode(WHAT, &record)
    }

    /// Reads a plaintext back; its id is in the row's key.
    ///
    /// # Errors
    /// `Corrupt` for what is no proposal.
    pub fn read(id: ProposalId, bytes: &[u8]) -> Result<Self, Corrupt> {
        let record: ProposalRecord = decode(WHAT, bytes)?;
        record.parse(id).ok_or_else(|| Corrupt::new(WHAT, "fields"))
    }
}

impl ProposalRecord {
    fn parse(&self, id: ProposalId) -> Option<StoredProposal> {
        let vote = |record: &VoteRecord| record.parse();
        let standing = match (&self.approved, &self.rejected, self.used_at) {
            (None, None, None) => Standing::Open,
            (Some(approved), None, None) => Standing::Approved(vote(approved)?),
            (None, Some(rejected), None) => Standing::Rejected(vote(rejected)?),
            (Some(approved), None, Some(at)) => Standing::Used(vote(approved)?, Timestamp::from_millis(at)),
            (None | Some(_), Some(_), _) | (None, None, Some(_)) => return None,
        };
        let act = Act::from_number(self.act)?;
        let content = match (act, &self.leaving, self.subject, &self.retires) {
            (Act::Offboarding, Some(leaving), None, None) => Content::Offboarding(leaving.parse()?),
            (Act::Disclosure, None, Some((slot, generation)), None) => {
                Content::Disclosure(SlotRef { slot, generation })
            }
            (Act::LogKeyRotation, None, None, Some(key)) => Content::LogKey(key.clone()),
            (Act::VaultLogKeyRotation, None, None, Some(key)) => Content::VaultLogKey(key.clone()),
            _ => return None,
        };
        let proposal = Proposal {
            id,
            act,
            digest: digest(&self.sha256)?,
            proposer: CredentialId::parse(&self.proposer)?,
            proposed_at: Timestamp::from_millis(self.proposed_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            standing,
        };
        Some(StoredProposal { proposal, content })
    }
}

impl VoteRecord {
    fn of(vote: Vote) -> Self {
        Self { by: vote.by.to_string(), at: vote.at.millis() }
    }

    fn parse(&self) -> Option<Vote> {
        Some(Vote { by: CredentialId::parse(&self.by)?, at: Timestamp::from_millis(self.at) })
    }
}

impl LeavingRecord {
    fn of(leaving: &Leaving) -> Self {
        Self {
            recipient: leaving.to.as_ref().map(|to| to.recipient.clone()),
            transfer: leaving.to.as_ref().map(|to| TransferRecord::of(&to.transfer)),
            delivered: leaving.delivered.as_ref().map(|delivered| DeliveryRecord {
                sha256: hex::encode(delivered.sha256),
                subjects: delivered.subjects,
                templates: delivered.templates,
                at: delivered.at.millis(),
                log_size: delivered.log_size,
            }),
            confirmed: leaving.confirmed.map(|(vote, size)| (VoteRecord::of(vote), size)),
        }
    }

    fn parse(&self) -> Option<Leaving> {
        let delivered = self.delivered.as_ref().map(|record| {
            Some(Delivery {
                sha256: digest(&record.sha256)?,
                subjects: record.subjects,
                templates: record.templates,
                at: Timestamp::from_millis(record.at),
                log_size: record.log_size,
            })
        });
        let confirmed = self.confirmed.as_ref().map(|(vote, size)| Some((vote.parse()?, *size)));
        let to = match (&self.recipient, &self.transfer) {
            (Some(recipient), Some(transfer)) => {
                Some(Addressee { recipient: recipient.clone(), transfer: transfer.parse()? })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Leaving { to, delivered: swap(delivered)?, confirmed: swap(confirmed)? })
    }
}

fn swap<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    field.map_or(Some(None), |field| field.map(Some))
}

fn digest(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// A disclosure about a subject, sealed under the subject's key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureRecord {
    recipient: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    scope: Vec<u8>,
    transfer: TransferRecord,
    proposed_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded_at: Option<i64>,
}

impl DisclosureRecord {
    /// The plaintext of a disclosure's row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(disclosure: &Disclosure) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let (consent, order) = match &disclosure.ground {
            Ground::Consent(consent) => (Some(consent.to_string()), None),
            Ground::Order(order) => (None, Some(order.as_str().to_owned())),
            Ground::Request => (None, None),
        };
        let record = Self {
            recipient: disclosure.recipient.as_str().to_owned(),
            consent,
            order,
            scope: disclosure.scope.iter().map(|told| told.number()).collect(),
            transfer: TransferRecord::of(&disclosure.transfer),
            proposed_at: disclosure.proposed_at.millis(),
            recorded_at: disclosure.recorded_at.map(Timestamp::millis),
        };
        let mut bytes = encode("disclosure record", &record)?;
        let padded = bytes.len().next_multiple_of(BLOCK);
        let mut whole = Zeroizing::new(Vec::with_capacity(padded));
        whole.append(&mut bytes);
        whole.resize(padded, b' ');
        Ok(whole)
    }

    /// Reads a plaintext back; its id is in the row's key.
    ///
    /// # Errors
    /// `Corrupt` for what is no disclosure.
    pub fn read(id: DisclosureId, bytes: &[u8]) -> Result<Disclosure, Corrupt> {
        let record: Self = decode("disclosure record", bytes)?;
        record.parse(id).ok_or_else(|| Corrupt::new("disclosure record", "fields"))
    }

    fn parse(&self, id: DisclosureId) -> Option<Disclosure> {
        let ground = match (&self.consent, &self.order) {
            (Some(consent), None) => Ground::Consent(ConsentId::parse(consent)?),
            (None, Some(order)) => Ground::Order(Label::parse("order", order).ok()?),
            (None, None) => Ground::Request,
            (Some(_), Some(_)) => return None,
        };
        let scope = self.scope.iter().map(|&number| Told::from_number(number)).collect::<Option<Vec<_>>>()?;
        Some(Disclosure {
            id,
            recipient: Label::parse("recipient", &self.recipient).ok()?,
            ground,
            scope: Disclosure::scope("scope", scope.clone()).ok().filter(|sorted| *sorted == scope)?,
            transfer: self.transfer.parse()?,
            proposed_at: Timestamp::from_millis(self.proposed_at),
            recorded_at: self.recorded_at.map(Timestamp::from_millis),
        })
    }
}
