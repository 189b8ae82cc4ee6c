use crate::{Consent, Timestamp};

/// That a consent was given, and what became of it: kept when the person is forgotten (O29). It does not say whose it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The consent.
    pub consent: Consent,
    /// Until when this is kept; `None` while the consent has not ended.
    pub keep_until: Option<Timestamp>,
}

impl Evidence {
    /// Whether its time is over: it is shown to nobody any more, and about to be shredded.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.keep_until.is_some_and(|end| end <= now)
    }
}
