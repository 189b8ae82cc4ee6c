use crate::codes::codes;
use crate::{Label, Notice, Purpose};

codes! {
    /// On what ground a client lets no person decide (O11; GDPR Art. 22(2)).
    AutomationGround {
        /// A contract with the person cannot be entered into or performed without it.
        Contract = 1 "contract",
        /// A law to which the client is subject allows it, and safeguards the person.
        Law = 2 "law",
        /// The person consented to it explicitly.
        ExplicitConsent = 3 "explicit_consent",
    }
}

/// A purpose for which a client lets no person decide where the answer is clear, and what it owes people for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// What is decided.
    pub purpose: Purpose,
    /// What allows it.
    pub ground: AutomationGround,
    /// The notice that explains to people how it is decided and what follows.
    pub explanation: Notice,
    /// The client's name of whoever looks again when a person contests a decision: a desk, a procedure; never a person's.
    pub reviewer: Label,
}

/// Who may decide on what an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decider {
    /// A person.
    Person,
    /// The client's system, too.
    System,
}

impl Decider {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::System => "system",
        }
    }
}
