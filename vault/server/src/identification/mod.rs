//! 1:N: has this client met this face before? Complete, and saying how complete (O8).

mod judge;
mod passes;
mod rerank;
mod sweep;
mod verdict;

use std::sync::Arc;

use lethe_crypto::wiping;
use lethe_domain::{Band, Decider, Invalid, Reason, Risk, SubjectId, TemplateId};
use lethe_index::OperatingPoint;
use lethe_policy::Authorized;
use lethe_policy::operation::Search;

use crate::attestation;
use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::silo::{Answering, Model, SiloRef};
use crate::store::{Change, TemplateAt};
use crate::subject::baseless;
use crate::templates::Capture;
use crate::vault::Vault;
use crate::watchlist::{self, Watched};

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
    /// Entries of the tenant's watch lists at or above the threshold, of a search against fraud (O9).
    pub watched: Watched,
    /// The version of the thresholds that judged.
    pub policy_version: u32,
    /// Who may decide on it, by the client's policy.
    pub decider: Decider,
    /// Until it is given, nobody is told that their withdrawal has taken effect who is in it.
    pub(crate) answering: Option<Answering>,
}

/// Searches the tenant's own gallery, and no other (O4, O8): every template at or above the threshold, best
/// first. Against fraud the tenant's own watch lists are compared with, too (O9).
///
/// # Errors
/// `GalleryNotReady` and `SearchIncomplete`: there is no partial answer. `Denied` where the policy does not let the probe be
/// looked at.
pub async fn search(vault: &Arc<Vault>, call: Authorized<Search>, mut query: Query) -> Result<Found> {
    let silo = vault.silo(&call)?;
    let judge = Judge::new(vault, &silo, call.licence());
    let claimed = query.subject.take();
    let found = find(vault, &silo, &call, claimed.as_ref(), query, judge.clone()).await;
    // Whom the search came upon and who must not be here goes, whatever came of it (O15).
    judge.follow_up();
    match &claimed {
        Some(subject) => baseless::follow_up(vault, &silo, subject, found).await,
        None => found,
    }
}

async fn find(
    vault: &Arc<Vault>,
    silo: &SiloRef,
    call: &Authorized<Search>,
    claimed: Option<&SubjectId>,
    mut query: Query,
    judge: Judge,
) -> Result<Found> {
    let model = silo.model(&query.probe.model, "probe.model")?;
    let mut before = silo.rights().changes();
    let whose = claimed.and_then(|subject| silo.subject(subject));
    let believed = attestation::believe(vault, silo, call, &query.probe, None).await?;
    let age = believed.age();
    let cleared = dossiers::clear_aged(vault, silo, call, whose, age, vault.clock.now()).await?;
    let quality = query.probe.quality;
    let dimension = model.profile.dimension();
    let embedding = query.probe.take_embedding(believed.attested(), "probe.embedding", dimension)?;
    let point = operating_point(&model, query.threshold, query.miss_probability)?;

    let searcher = Arc::new(rerank::Searcher::of(&model, judge).await?);
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    let query =
        wiping::of_a_task(|| Ok::<_, Error>(lethe_index::Query::new(model.probe(embedding.components())?, point)))?;
    let (answer, outcome) = tokio::sync::oneshot::channel();
    let probe = Arc::new(embedding);
    let waits = rerank::Waits::default();
    let gone = waits.gone();
    let (own, asked, last) = (Arc::clone(&probe), Arc::clone(&searcher), Arc::clone(&searcher));
    let compared = (Arc::clone(&probe), point.threshold());
    let watching = watchlist::against(vault, silo, call, &model, compared, waits.gone());
    passes::ask(vault, Asked { searcher: asked, probe: own, query, limit, gone: waits.gone(), answer });
    let found = async {
        match outcome.await.map_err(|_| Error::TaskLost)?? {
            Outcome::Found(found) => Ok(found),
            Outcome::Many(scanned) => searcher.judge(probe, limit, scanned, gone).await,
        }
    };
    // The log has the search before the answer is given, also one that comes to nothing. It is written meanwhile.
    let owner = whose.map(|slot| vault.keys.slot(silo.tree, slot)).transpose()?.flatten();
    let entry = audit::done_to(call, &cleared, vault.clock.now())?;
    let entry = if let Some(owner) = &owner { audit::about(entry, owner) } else { entry };
    let mut change = Change::audit_of_read();
    believed.spend(&mut change);
    change.log(silo.tree, believed.tell(entry)?);
    let logged = async { vault.store.commit(change).await.map_err(Error::from) };
    let (found, watched, _) = tokio::try_join!(async { Ok(found.await) }, async { Ok(watching.await) }, logged)?;
    waits.answered();
    let mut found = found?;
    found.watched = watched?;
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
        dossiers::clear_aged(vault, silo, call, whose, age, vault.clock.now()).await?;
        believed.still(vault, silo, call).await?;
        let last = Arc::clone(&last);
        let again = move || wiping::of_a_task(|| last.judge_again(&mut found).map(|()| found));
        found = tokio::task::spawn_blocking(again).await.map_err(|_| Error::TaskLost)??;
        found.answering = answering;
    }
    verdict::settle(&mut found, claimed, &silo.policy(), call.purpose(), &model.profile);
    if let Some(owner) = owner {
        // What came of it is that person's, and comes when it is judged for the last time.
        let entry = verdict::outcome(&found, claimed, quality, &owner, vault.clock.now())?;
        vault.record(silo.tree, entry).await?;
    }
    Ok(found)
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
