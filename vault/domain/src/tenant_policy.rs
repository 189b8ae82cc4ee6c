use std::borrow::Cow;

use crate::{
    AttestationPolicy, Automation, Country, Environment, Jurisdiction, LawfulBasis, Purpose, PurposeBasis, Region,
    Retention,
};

/// What a client allows the vault to do for it (O1). Versioned: each decision records the version that judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPolicy {
    /// Counts from 1, one more with every change.
    pub version: u32,
    /// The purposes that it has, each with its basis; one of each at most.
    pub purposes: Vec<PurposeBasis>,
    /// The law that counts for a person of whom nobody said another.
    pub jurisdiction: Jurisdiction,
    /// Whether the law of the client's country lets minors from 16 on consent for themselves (O15).
    pub alone_from_16: bool,
    /// Whether nobody of unknown age is processed (O15).
    pub age_required: bool,
    /// What its people are; said once, when it is created (O3).
    pub environment: Environment,
    /// Where its data live; said once, when it is created. Nowhere in particular, if `None` (O32).
    pub region: Option<Region>,
    /// The client's country: where its law is none that the vault knows, what does not leave it crosses no border (O32).
    pub country: Option<Country>,
    /// How long it keeps people (O17).
    pub retention: Retention,
    /// The purposes for which its systems decide where the answer is clear; one of each at most (O11).
    pub automation: Vec<Automation>,
    /// Which captures need an attestation (O6); what counts in its environment, if `None`.
    pub attestation: Option<AttestationPolicy>,
}

impl TenantPolicy {
    /// The first version, with these purposes and nothing else said.
    pub fn of(purposes: Vec<PurposeBasis>) -> Self {
        Self {
            version: 1,
            purposes,
            jurisdiction: Jurisdiction::Other,
            alone_from_16: false,
            age_required: false,
            environment: Environment::default(),
            region: None,
            country: None,
            retention: Retention::default(),
            automation: Vec::new(),
            attestation: None,
        }
    }

    /// Which captures need an attestation, and what it must say.
    pub fn attested(&self) -> Cow<'_, AttestationPolicy> {
        match &self.attestation {
            Some(said) => Cow::Borrowed(said),
            None => Cow::Owned(AttestationPolicy::default_of(self.environment)),
        }
    }

    /// The basis that it declares for a purpose.
    pub fn basis(&self, purpose: Purpose) -> Option<LawfulBasis> {
        self.purposes.iter().find(|entry| entry.purpose == purpose).map(|entry| entry.basis)
    }
}
