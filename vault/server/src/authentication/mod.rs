//! 1:1: is this the enrolled person? (O6)

mod compare;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Band, Decider, DecisionReason, Embedding, Reason, Seen, SubjectId};
use lethe_policy::operation::Verify;
use lethe_policy::{Authorized, Denial, sees_scores};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use self::compare::{Compared, Comparison};
use crate::access::Refused;
use crate::attestation::{self, Believed};
use crate::audit;
use crate::case;
use crate::error::{Error, Result};
use crate::records::encode;
use crate::silo::{Answering, Model, SiloRef};
use crate::store::{Change, SUBJECTS};
use crate::subject::baseless;
use crate::templates::Capture;
use crate::vault::Vault;

/// A caller who sees no scores is told of anything but a match or a review at multiples of this after asking: what is
/// left of a difference in the work, microseconds, does not show. A person who is recognised waits for nothing.
const TICK: Duration = Duration::from_millis(5);

/// What a verification says. It is evidence: the client decides (O11).
pub struct Verification {
    /// The band, by the tenant's thresholds.
    pub band: Band,
    /// Why it came out so.
    pub reason: DecisionReason,
    /// Who may decide on it, by the client's policy.
    pub decider: Decider,
    /// The version of the thresholds that judged.
    pub policy_version: u32,
    /// The highest cosine; only for roles that see scores.
    pub score: Option<f32>,
    /// Until it is given, nobody is told that their withdrawal has taken effect.
    answering: Option<Answering>,
}

/// What the log keeps of an attempt, sealed under the subject's key (O12, O29).
#[derive(Serialize)]
struct Details {
    band: &'static str,
    score: Option<f32>,
    quality: f32,
    decider: &'static str,
}

/// Compares a probe with a subject's templates of the same model.
///
/// To a caller that sees no scores, an unknown subject, one whom the policy protects, and a non-match look alike, take the
/// same work, and are told at the same time.
pub async fn verify(
    vault: &Arc<Vault>,
    call: Authorized<Verify>,
    subject: &SubjectId,
    mut probe: Capture,
) -> Result<Verification> {
    let began = Instant::now();
    let silo = vault.silo(&call)?;
    let model = silo.model(&probe.model, "probe.model")?;
    // Before anything is looked at that is a person's; whoever revokes the key is answered when this is.
    let answering = silo.rights().answering().await;
    let believed = attestation::believe(vault, &silo, &call, &probe, None).await?;
    let embedding = probe.take_embedding(believed.attested(), "probe.embedding", model.profile.dimension())?;
    let (quality, believed) = (probe.quality.get(), &believed);
    let attempt = Attempt { vault, call: &call, silo: &silo, model: &model, subject, quality, believed };
    let mut said = attempt.make(&embedding, began, answering).await;
    let tells_of_somebody = said.as_ref().is_ok_and(|said| said.band != Band::NoMatch);
    if !attempt.is_scored() && !tells_of_somebody {
        // It tells nothing, and nobody need wait for it.
        drop(said.as_mut().ok().and_then(|said| said.answering.take()));
        let ticks = began.elapsed().as_nanos() / TICK.as_nanos() + 1;
        sleep_until(began + TICK * u32::try_from(ticks).unwrap_or(u32::MAX)).await;
        // The policy may have changed meanwhile.
        if let Ok(said) = &mut said {
            said.decider = lethe_policy::decider(&silo.policy(), call.purpose(), [said.band]);
        }
    }
    said
}

/// One attempt on a subject.
struct Attempt<'a> {
    vault: &'a Arc<Vault>,
    call: &'a Authorized<Verify>,
    silo: &'a SiloRef,
    model: &'a Model,
    subject: &'a SubjectId,
    quality: f32,
    believed: &'a Believed,
}

impl Attempt<'_> {
    /// Whether the caller sees scores.
    fn is_scored(&self) -> bool {
        sees_scores(self.call.roles())
    }

    async fn make(&self, probe: &Embedding, now: Instant, answering: Answering) -> Result<Verification> {
        let (attempts, now) = (&self.silo.attempts, now.into_std());
        let licence = self.call.licence();
        let age = self.believed.age();
        let comparison = Comparison::of(self.vault, self.silo, self.model, self.subject, (licence, age))?;
        let begun = match self.is_scored() {
            true => attempts.begin_scored(SUBJECTS, self.subject, now),
            false => attempts.begin(SUBJECTS, self.subject, now),
        };
        if let Err(refused) = begun {
            return Err(self.limited(&comparison, refused).await?);
        }
        let Compared { score, opened, over } = comparison.run(probe)?;
        tracing::trace!(opened, "compared");
        let denial = comparison.denial().cloned().or_else(|| over.then(lethe_policy::past_its_time));
        let thresholds = self.model.profile.thresholds();
        let band = score.map_or(Band::NoMatch, |score| Band::of(score, thresholds));
        let decider = lethe_policy::decider(&comparison.policy, self.call.purpose(), [band]);
        self.record(&comparison, denial.as_ref(), score, (band, decider)).await?;
        if denial.as_ref().is_some_and(|denial| denial.duty.is_some()) {
            baseless::follow_up_later(self.vault, self.silo, self.subject);
        }
        if let Some((slot, score)) = comparison.slot().zip(score).filter(|_| band == Band::Review && denial.is_none()) {
            self.ask(slot, score, band);
        }
        if band == Band::Match {
            attempts.matched(SUBJECTS, self.subject);
        }
        if self.is_scored() {
            if !comparison.is_known() {
                return Err(Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned()));
            }
            if let Some(denial) = denial {
                return Err(Error::Denied(denial));
            }
        }
        Ok(Verification {
            band,
            reason: DecisionReason::of(band),
            decider,
            policy_version: self.model.profile.policy_version(),
            score: score.filter(|_| self.is_scored()),
            answering: Some(answering),
        })
    }

    /// A person shall look at it (O11).
    fn ask(&self, slot: SlotRef, score: f32, band: Band) {
        let profile = &self.model.profile;
        let attempted = case::Attempted {
            slot,
            model: profile.model().clone(),
            seen: Seen { band, score, policy_version: profile.policy_version() },
            at: self.vault.clock.now(),
            licence: self.call.licence(),
        };
        case::ask_later(self.vault, self.silo, self.subject, attempted);
    }

    /// Logs the attempt, also a failed one (O12): the pseudonym and the sealed details are for whoever has the
    /// subject's key.
    async fn record(
        &self,
        comparison: &Comparison<'_>,
        denial: Option<&Denial>,
        score: Option<f32>,
        (band, decider): (Band, Decider),
    ) -> Result<()> {
        let (owner, known) = comparison.owner()?;
        let details = Details { band: band.name(), score, quality: self.quality, decider: decider.name() };
        let now = self.vault.clock.now();
        let entry = match denial.filter(|_| known) {
            None => audit::done(self.call, now)?,
            Some(denial) => audit::refused(self.call, denial.reason, now)?,
        };
        let entry = audit::about(audit::judged_by(entry, Some(comparison.policy.version)), &owner);
        let mut entry = entry.details(encode("attempt", &details)?);
        let reason = match (known, denial, score) {
            (false, ..) => Some(Reason::SubjectNotFound),
            (true, Some(denial), _) => Some(denial.reason),
            (true, None, None) => Some(Reason::TemplateNotFound),
            (true, None, Some(_)) => None,
        };
        if let Some(reason) = reason {
            entry = entry.reason(audit::token(reason.code())?);
        }
        let mut change = Change::audit_of_read();
        self.believed.spend(&mut change);
        change.log(self.silo.tree, self.believed.tell(entry)?);
        self.vault.store.commit(change).await?;
        Ok(())
    }

    /// Logs the first attempt that a wait refuses, and gives what the caller is told.
    async fn limited(&self, comparison: &Comparison<'_>, refused: Refused) -> Result<Error> {
        if refused.first {
            let (owner, _) = comparison.owner()?;
            let entry = audit::refused(self.call, Reason::AttemptsLimited, self.vault.clock.now())?;
            let entry = audit::judged_by(entry, Some(comparison.policy.version));
            self.vault.record(self.silo.tree, audit::about(entry, &owner)).await?;
        }
        let message = "too many attempts on this subject".to_owned();
        Ok(Error::Limited { reason: Reason::AttemptsLimited, retry_after: refused.retry_after, message })
    }
}
