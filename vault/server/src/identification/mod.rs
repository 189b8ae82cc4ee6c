//! 1:N: has this client met this face before? Complete, and saying how complete (O8).

mod judge;
mod passes;
mod rerank;
mod sweep;

use std::sync::Arc;

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{
    Band, Decider, Embedding, Invalid, Purpose, Reason, Risk, SubjectId, TemplateId, TenantPolicy, Thresholds,
};
use lethe_index::OperatingPoint;
use lethe_policy::operation::Search;
use lethe_policy::{Authorized, Cleared};
use serde::Serialize;

use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::records::encode;
use crate::silo::{Answering, Model, Silo};
use crate::store::TemplateAt;
use crate::subject::baseless;
use crate::templates::Capture;
use crate::vault::Vault;

use self::judge::Judge;
use self::passes::{Asked, Outcome};

pub use self::passes::Passes;
pub use self::rerank::RERANKERS;
pub use self::sweep::{Answers, Pair, Party, Plan, Step, Sweep, Wanted};

/// How often an answer is judged anew while others go on recording what is known of people.
const LOOKS: usize = 4;

/// A 1:N search.
pub struct Query {
    /// Whose face the probe is, if the client knows: what the policy asks for is asked of this person. Of somebody who is not
    /// named nothing is known, and nothing that rests on consent can be done.
    pub subject: Option<SubjectId>,
    /// The probe.
    pub probe: Capture,
    /// Cosine at and above which templates are wanted; the tenant's review threshold if `None`.
    pub threshold: Option<f32>,
    /// Probability of missing a mate exactly at the threshold; the profile's if `None`.
    pub miss_probability: Option<f64>,
    /// The most matches to give; 0 for all.
    pub limit: usize,
}

/// A template at or above the threshold.
pub struct Match {
    /// Whose it is.
    pub subject: SubjectId,
    /// Which.
    pub template: TemplateId,
    /// Its exact cosine to the probe.
    pub score: f32,
    /// The band, by the tenant's thresholds.
    pub band: Band,
    /// What it speaks for: of who is found under another id, or of the very person whose face was searched for.
    pub risk: Risk,
    /// Where it is.
    pub(crate) at: TemplateAt,
}

/// What an answer covers.
#[derive(Debug, Clone, Copy)]
pub struct Completeness {
    /// Templates of this model in the gallery.
    pub gallery_size: usize,
    /// Templates whose sketch was compared. The same, or there is no answer.
    pub searched: usize,
    /// Templates that reached the scan's cut and the estimate's, of those whom the policy lets be compared.
    pub candidates: usize,
    /// Candidates that were opened and compared exactly.
    pub re_ranked: usize,
    /// Templates at or above the threshold; more than were given if the call limited them.
    pub matched: usize,
    /// The threshold, cosine.
    pub threshold: f32,
    /// How far below it the estimate's cut lay.
    pub margin: f32,
    /// Probability that a template exactly at the threshold was missed; less above it.
    pub miss_probability: f64,
    /// The tenant's sequence: every change of its log up to this one was seen.
    pub sequence: u64,
}

/// The answer.
pub struct Found {
    /// Best first.
    pub matches: Vec<Match>,
    /// What it covers.
    pub completeness: Completeness,
    /// The version of the thresholds that judged.
    pub policy_version: u32,
    /// Who may decide on it, by the client's policy.
    pub decider: Decider,
    /// Until it is given, nobody is told that their withdrawal has taken effect who is in it.
    pub(crate) answering: Option<Answering>,
}

impl Found {
    /// The highest of its matches; low where nobody was found.
    pub fn risk(&self) -> Risk {
        self.matches.iter().map(|hit| hit.risk).max().unwrap_or(Risk::Low)
    }

    /// Says who may decide on it. An answer that does not have all there is to review leaves it to a person.
    fn judged_by(&mut self, policy: &TenantPolicy, purpose: Purpose, thresholds: Thresholds) {
        let covered = self.completeness;
        let has_all = covered.matched == self.matches.len() && covered.threshold <= thresholds.review();
        let bands = self.matches.iter().map(|hit| hit.band);
        self.decider = if has_all { lethe_policy::decider(policy, purpose, bands) } else { Decider::Person };
    }
}

/// What the log keeps of a search for somebody's face, sealed under that person's key (O12, O29).
#[derive(Serialize)]
struct Details {
    band: &'static str,
    score: Option<f32>,
    quality: f32,
    matched: usize,
}

/// Searches the tenant's own gallery, and no other (O4, O8): every template at or above the threshold, best
/// first.
///
/// # Errors
/// `GalleryNotReady` and `SearchIncomplete`: there is no partial answer. `Denied` where the policy does not let the probe be
/// looked at.
pub async fn search(vault: &Arc<Vault>, call: Authorized<Search>, mut query: Query) -> Result<Found> {
    let silo = vault.silo(&call)?;
    let model = silo.model(&query.probe.model, "probe.model")?;
    let mut before = silo.rights().changes();
    let whose = query.subject.as_ref().and_then(|subject| silo.subject(subject));
    let cleared = dossiers::clear(vault, &silo, &call, whose, vault.clock.now()).await;
    let cleared = match &query.subject {
        Some(subject) => baseless::follow_up(vault, &silo, subject, cleared).await?,
        None => cleared?,
    };
    let claimed = query.subject.take();
    let quality = query.probe.quality.get();
    let received = std::mem::take(&mut query.probe.embedding);
    let embedding = Embedding::parse("probe.embedding", received, model.profile.dimension())?;
    let point = operating_point(&model, query.threshold, query.miss_probability)?;

    let judge = Judge::new(vault, &silo, call.licence());
    let searcher = Arc::new(rerank::Searcher::of(&model, judge).await?);
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    let query =
        wiping::of_a_task(|| Ok::<_, Error>(lethe_index::Query::new(model.probe(embedding.components())?, point)))?;
    let (answer, outcome) = tokio::sync::oneshot::channel();
    let probe = Arc::new(embedding);
    let waits = rerank::Waits::default();
    let gone = waits.gone();
    let (own, asked, last) = (Arc::clone(&probe), Arc::clone(&searcher), Arc::clone(&searcher));
    passes::ask(vault, Asked { searcher: asked, probe: own, query, limit, gone: waits.gone(), answer });
    let found = async move {
        match outcome.await.map_err(|_| Error::TaskLost)?? {
            Outcome::Found(found) => Ok(found),
            Outcome::Many(scanned) => searcher.judge(probe, limit, scanned, gone).await,
        }
    };
    // The log has the search before the answer is given, also one that comes to nothing.
    let (entry, is_about_somebody) = about(vault, &silo, &call, &cleared, whose)?;
    let found = if is_about_somebody {
        // What came of it goes with it: to its end, though nobody waits for the answer any more.
        let (vault, tree) = (Arc::clone(vault), silo.tree);
        let recorded = tokio::spawn(async move {
            let found = found.await;
            vault.record(tree, with_details(entry, found.as_ref().ok(), quality)?).await?;
            found
        });
        recorded.await.map_err(|_| Error::TaskLost)?
    } else {
        // It is written meanwhile.
        let logged = vault.record(silo.tree, entry);
        tokio::try_join!(async { Ok(found.await) }, logged)?.0
    };
    waits.answered();
    let mut found = found?;
    // From the moment that it has a place nobody's withdrawal is answered before this is.
    let mut looks = 0;
    while found.answering.is_none() {
        let answering = silo.rights().answering().await;
        let now = silo.rights().changes();
        if now == before {
            found.answering = Some(answering);
            break;
        }
        before = now;
        looks += 1;
        // Nobody waits for a judgement that takes long, unless more is recorded than it can follow.
        let answering = (looks > LOOKS).then_some(answering);
        dossiers::clear(vault, &silo, &call, whose, vault.clock.now()).await?;
        let last = Arc::clone(&last);
        let again = move || wiping::of_a_task(|| last.judge_again(&mut found).map(|()| found));
        found = tokio::task::spawn_blocking(again).await.map_err(|_| Error::TaskLost)??;
        found.answering = answering;
    }
    last.judge.follow_up();
    for hit in found.matches.iter_mut().filter(|hit| Some(&hit.subject) == claimed.as_ref()) {
        hit.risk = Risk::of_claim(hit.band);
    }
    found.judged_by(&silo.policy(), call.purpose(), model.profile.thresholds());
    Ok(found)
}

/// The entry of a search, and whether it is about somebody: the person whose face was searched for, if the caller named one.
fn about(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<Search>,
    cleared: &Cleared,
    whose: Option<SlotRef>,
) -> Result<(EntryDraft, bool)> {
    let entry = audit::done_to(call, cleared, vault.clock.now())?;
    let owner = whose.map(|slot| vault.keys.slot(silo.tree, slot)).transpose()?.flatten();
    Ok(match owner {
        Some(owner) => (audit::about(entry, &owner), true),
        None => (entry, false),
    })
}

/// Adds what came of a search, if anything did (O12).
fn with_details(entry: EntryDraft, found: Option<&Found>, quality: f32) -> Result<EntryDraft> {
    let Some(found) = found else { return Ok(entry) };
    let best = found.matches.first();
    let details = Details {
        band: best.map_or(Band::NoMatch, |best| best.band).name(),
        score: best.map(|best| best.score),
        quality,
        matched: found.completeness.matched,
    };
    Ok(entry.details(encode("search", &details)?))
}

/// What a caller wants found, or what the model's profile says where it does not say.
fn operating_point(model: &Model, threshold: Option<f32>, miss: Option<f64>) -> Result<OperatingPoint> {
    let least = model.profile.thresholds().review();
    let threshold = threshold.unwrap_or(least);
    if !(least..=1.0).contains(&threshold) {
        // Below it, exact scores of strangers would be handed out: enough of them give a template away.
        let message = format!("must be {least} (the profile's review threshold) to 1");
        return Err(Invalid::new("threshold", Reason::FieldOutOfRange, message).into());
    }
    let miss = miss.unwrap_or_else(|| model.profile.miss_probability());
    if !(1e-12..=0.1).contains(&miss) {
        return Err(Invalid::new("miss_probability", Reason::FieldOutOfRange, "must be 1e-12 to 0.1").into());
    }
    Ok(OperatingPoint::new(threshold, miss)?)
}
