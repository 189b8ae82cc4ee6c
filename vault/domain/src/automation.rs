use crate::{Label, Notice, Purpose};

/// On what ground a client lets no person decide (O11; GDPR Art. 22(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AutomationGround {
    /// A contract with the person cannot be entered into or performed without it.
    Contract = 1,
    /// A law to which the client is subject allows it, and safeguards the person.
    Law = 2,
    /// The person consented to it explicitly.
    ExplicitConsent = 3,
}

impl AutomationGround {
    /// Every ground there is.
    pub const ALL: [Self; 3] = [Self::Contract, Self::Law, Self::ExplicitConsent];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The ground stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|ground| ground.number() == number)
    }

    /// The ground's name on the command line and in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Law => "law",
            Self::ExplicitConsent => "explicit_consent",
        }
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
