//! What an answer comes to: its risk, who may decide on it (O11), and what of it is put on record (O12).

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::secret::SlotKey;
use lethe_domain::{Band, Decider, ModelProfile, Purpose, Quality, Risk, SubjectId, TenantPolicy, Timestamp};
use serde::Serialize;

use super::Found;
use crate::audit;
use crate::error::Result;
use crate::records::encode;

/// What the log calls what came of a search.
const OPERATION: &str = "vault.search_outcome";

/// What the log keeps of a search for somebody's face, sealed under that person's key. Of others it has no score: that is in no
/// archive of this person.
#[derive(Serialize)]
struct Details {
    /// Of the best match.
    band: &'static str,
    /// The highest score of the person's own templates.
    score: Option<f32>,
    quality: f32,
    matched: usize,
    decider: &'static str,
}

impl Found {
    /// The highest of what it found, of subjects and on watch lists; low where that is nothing.
    pub fn risk(&self) -> Risk {
        let listed = self.watched.hits.iter().map(|hit| Risk::of_encounter(hit.band));
        self.matches.iter().map(|hit| hit.risk).chain(listed).max().unwrap_or(Risk::Low)
    }
}

/// Says at which risk a face is found under its own id, and who may decide. An answer that does not have all that there is to review, or
/// looked for it less well than the client wants, leaves it to a person.
pub(super) fn settle(
    found: &mut Found,
    claimed: Option<&SubjectId>,
    policy: &TenantPolicy,
    purpose: Purpose,
    profile: &ModelProfile,
) {
    for hit in found.matches.iter_mut().filter(|hit| Some(&hit.subject) == claimed) {
        hit.risk = Risk::of_claim(hit.band);
    }
    let covered = found.completeness;
    let has_all = covered.matched == found.matches.len()
        && covered.threshold <= profile.thresholds().review()
        && covered.miss_probability <= profile.miss_probability();
    let bands = found.matches.iter().map(|hit| hit.band).chain(found.watched.hits.iter().map(|hit| hit.band));
    found.decider = if has_all { lethe_policy::decider(policy, purpose, bands) } else { Decider::Person };
}

/// The entry of what came of a search for the face of the person whose key it is.
pub(super) fn outcome(
    found: &Found,
    claimed: Option<&SubjectId>,
    quality: Quality,
    owner: &SlotKey,
    now: Timestamp,
) -> Result<EntryDraft> {
    let own = found.matches.iter().filter(|hit| Some(&hit.subject) == claimed).map(|hit| hit.score);
    let details = Details {
        band: found.matches.first().map_or(Band::NoMatch, |best| best.band).name(),
        score: own.reduce(f32::max),
        quality: quality.get(),
        matched: found.completeness.matched,
        decider: found.decider.name(),
    };
    Ok(audit::about(audit::by_the_vault(OPERATION, now)?, owner).details(encode("search outcome", &details)?))
}
