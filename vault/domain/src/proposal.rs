use crate::{CredentialId, ProposalId, Timestamp};

/// What nobody does alone (O27, O31, O33): one credential proposes it, another approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Act {
    /// A tenant's silo is destroyed (O27).
    Offboarding = 1,
    /// Something about a person is disclosed to an authority or a third party (O33).
    Disclosure = 2,
    /// The key that signs a tenant's log is succeeded by another one (O31).
    LogKeyRotation = 3,
    /// The key that signs the vault's own log is (O31).
    VaultLogKeyRotation = 4,
}

impl Act {
    /// Every act there is.
    pub const ALL: [Self; 4] = [Self::Offboarding, Self::Disclosure, Self::LogKeyRotation, Self::VaultLogKeyRotation];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The act stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.number() == number)
    }

    /// The act's name on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offboarding => "offboarding",
            Self::Disclosure => "disclosure",
            Self::LogKeyRotation => "log_key_rotation",
            Self::VaultLogKeyRotation => "vault_log_key_rotation",
        }
    }
}

/// Who decided on a proposal, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// The credential.
    pub by: CredentialId,
    /// When.
    pub at: Timestamp,
}

/// How a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody decided yet.
    Open,
    /// Somebody else approved: it may be carried out, once.
    Approved(Vote),
    /// It was rejected, or taken back.
    Rejected(Vote),
    /// It was carried out, after who approved.
    Used(Vote, Timestamp),
}

/// An act that was proposed, and how far it got. What it consists of is elsewhere; the digest holds it to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Which.
    pub id: ProposalId,
    /// What is to be done.
    pub act: Act,
    /// SHA-256 of exactly what was proposed.
    pub digest: [u8; 32],
    /// Whose proposal it is.
    pub proposer: CredentialId,
    /// When it was made.
    pub proposed_at: Timestamp,
    /// From when on it cannot be approved any more; once it is approved, not be carried out.
    pub expires_at: Timestamp,
    /// How it stands.
    pub standing: Standing,
}

impl Proposal {
    /// Whether its time ended before it came to anything.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self.standing {
            Standing::Open | Standing::Approved(_) => self.expires_at <= now,
            Standing::Rejected(_) | Standing::Used(..) => false,
        }
    }
}
