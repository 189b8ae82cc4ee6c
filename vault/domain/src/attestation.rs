use std::time::Duration;

use crate::codes::codes;
use crate::{Environment, PadLevel};

codes! {
    /// What a capture is given to the vault for: a client says by it which calls need an attestation (O6).
    CaptureUse {
        /// It becomes a template.
        Enrollment = 1 "enrollment",
        /// It is compared 1:1 with a subject's templates.
        Verification = 2 "verification",
        /// It is searched for among all, 1:N.
        Identification = 3 "identification",
        /// It becomes an entry of a watch list.
        Watchlist = 4 "watchlist",
    }
}

/// Which captures a client's calls need an attestation of, and what it must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationPolicy {
    /// What needs none; none of them twice.
    pub exempt: Vec<CaptureUse>,
    /// The least level of presentation attacks that a verdict of liveness must have been looking for.
    pub least_level: PadLevel,
    /// How long after it was captured a face may be used.
    pub max_age: Duration,
}

impl AttestationPolicy {
    /// The shortest time that a capture may be used for.
    pub const SHORTEST: Duration = Duration::from_secs(1);
    /// The longest.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    /// How long, where a client says nothing.
    pub const DEFAULT: Duration = Duration::from_secs(10 * 60);

    /// What counts where a client says nothing: people in production are attested, whatever for; those who take part in
    /// development need not be.
    pub fn default_of(environment: Environment) -> Self {
        let exempt = match environment {
            Environment::Production => Vec::new(),
            Environment::Development => CaptureUse::ALL.to_vec(),
        };
        Self { exempt, least_level: PadLevel::Level1, max_age: Self::DEFAULT }
    }

    /// Whether a capture for this use needs an attestation.
    pub fn asks_for(&self, usage: CaptureUse) -> bool {
        !self.exempt.contains(&usage)
    }
}
