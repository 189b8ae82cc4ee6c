use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use lethe_domain::{Band, DecisionReason, Invalid, Purpose, Reason, Risk, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::identification_service_server::IdentificationService;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::call::Admitted;
use super::page::Pages;
use super::status::too_long;
use super::{Node, automation, convert, names, watchlist};
use crate::access::Session;
use crate::error::{Error, Result};
use crate::identification::{self, Answers, Pair, Plan, Query, Step, Wanted};
use crate::store::StoreError;
use crate::vault::{Aim, Vault};

/// A step of a sweep, or why there is no other.
type Answer = Result<Step, Status>;

#[async_trait]
impl IdentificationService for Node {
    type SweepDuplicatesStream = Pin<Box<dyn Stream<Item = Result<v1::SweepDuplicatesResponse, Status>> + Send>>;

    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::Search>(&principal, &tenant, message.purpose).await?;
        let negative = |_| Error::from(Invalid::new("max_results", Reason::FieldOutOfRange, "must not be negative"));
        let subject = names::subject_of(&tenant, "probe_subject", &message.probe_subject)?;
        let query = Query {
            subject,
            probe: convert::capture("probe", message.probe)?,
            threshold: message.threshold,
            miss_probability: message.miss_probability,
            limit: usize::try_from(message.max_results).map_err(negative)?,
        };
        let found = identification::search(self.vault()?, call.witness, query).await?;
        let covered = found.completeness;
        let completeness = v1::Completeness {
            gallery_size: convert::count(covered.gallery_size),
            searched: convert::count(covered.searched),
            candidates: convert::count(covered.candidates),
            re_ranked: convert::count(covered.re_ranked),
            matched: convert::count(covered.matched),
            threshold: covered.threshold,
            margin: covered.margin,
            miss_probability: covered.miss_probability,
            complete: covered.searched == covered.gallery_size && found.matches.len() == covered.matched,
            sequence: convert::sequence(covered.sequence),
        };
        let matches = found.matches.iter().map(|hit| {
            let subject = convert::subject_name(&tenant, &hit.subject);
            let template = format!("{subject}/templates/{}", hit.template);
            let (band, reasons) = told(hit.band);
            v1::SearchMatch { subject, template, score: hit.score, band, reasons, risk: automation::to_risk(hit.risk) }
        });
        Ok(Response::new(v1::SearchResponse {
            matches: matches.collect(),
            completeness: Some(completeness),
            policy_version: found.policy_version.into(),
            risk: automation::to_risk(found.risk()),
            decider: automation::to_decider(found.decider),
            watchlist_matches: found.watched.hits.iter().map(|hit| watchlist::to_match(&tenant, hit)).collect(),
            watchlist_compared: convert::count(found.watched.compared),
        }))
    }

    async fn sweep_duplicates(
        &self,
        request: Request<v1::SweepDuplicatesRequest>,
    ) -> Result<Response<Self::SweepDuplicatesStream>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::SweepDuplicates>(&principal, &tenant, message.purpose).await?;
        let model = convert::model("model", message.model)?;
        let wanted = Wanted { model, threshold: message.threshold, miss_probability: message.miss_probability };
        let vault = Arc::clone(self.vault()?);
        let plan = Plan::of(&vault, &call.witness, &wanted)?;
        // A place in one sweep is none in another.
        let (point, model) = (plan.point(), &wanted.model);
        let pages = self.pages(&call, &format!("{tenant}/{model}/{}/{}", point.threshold(), point.miss()))?;
        let sweep = plan.begin(&call.witness, pages.start(&message.page_token)?).await?;

        let (sender, receiver) = mpsc::channel(1);
        let named = Arc::new((tenant.clone(), pages));
        let mut caller = Caller {
            vault,
            principal,
            tenant,
            purpose: convert::purpose(message.purpose),
            runtime: Handle::current(),
            idle: self.deadline,
            sender,
            place: None,
            is_idle: false,
            // It is at work as long as it lasts.
            _call: call,
        };
        let run = move || {
            let gone = caller.sender.clone();
            if let Err(error) = sweep.run(&|| gone.is_closed(), &mut caller) {
                caller.refuse(error);
            }
        };
        // Not one of the runtime's threads, which others wait for.
        std::thread::Builder::new().name("lethe-sweep".to_owned()).spawn(run).map_err(|_| Error::TaskLost)?;
        // Judged for the last time when the caller takes it, however long it lay there.
        let answers = ReceiverStream::new(receiver).then(move |step| {
            let named = Arc::clone(&named);
            async move {
                let mut step = step?;
                let _answering = step.last_look().await?;
                Ok(to_answer(&named.0, &named.1, step))
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// How often it is looked whether a caller who takes no answer need still be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Whoever a sweep answers.
struct Caller {
    vault: Arc<Vault>,
    principal: Session,
    tenant: TenantId,
    purpose: Option<Purpose>,
    runtime: Handle,
    /// Longest that the caller may take no answer.
    idle: Duration,
    sender: mpsc::Sender<Answer>,
    /// Where the next answer goes.
    place: Option<OwnedPermit<Answer>>,
    /// It took none for too long.
    is_idle: bool,
    _call: Admitted<op::SweepDuplicates>,
}

impl Answers for Caller {
    fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + self.idle;
        let place = loop {
            let sender = self.sender.clone();
            match self.runtime.block_on(async { timeout(LOOK_EVERY, sender.reserve_owned()).await }) {
                Ok(place) => break place.map_err(|_gone| Error::TaskLost)?,
                Err(_) if self.vault.silos.is_closing() => return Err(StoreError::Closed.into()),
                Err(_) if Instant::now() > until => {
                    self.is_idle = true;
                    return Err(Error::TaskLost);
                }
                Err(_) => {}
            }
        };
        self.place = Some(place);
        // Each answer passes the gate: a credential may be revoked, or expire, while a sweep lasts.
        let (principal, aim) = (self.vault.still(&self.principal)?, Aim::Tenant(&self.tenant));
        self.runtime.block_on(self.vault.admit::<op::SweepDuplicates>(&principal, aim, self.purpose))?;
        Ok(())
    }

    fn give(&mut self, step: Step) -> Result<()> {
        self.place.take().ok_or(Error::TaskLost)?.send(Ok(step));
        Ok(())
    }
}

impl Caller {
    /// Says why there are no more answers, to who still listens.
    fn refuse(&mut self, error: Error) {
        let sender = self.sender.clone();
        let place = || self.runtime.block_on(async { timeout(LOOK_EVERY, sender.reserve_owned()).await }).ok()?.ok();
        if let Some(place) = self.place.take().or_else(place) {
            let idle = || too_long("no answer was taken for as long as a call may take");
            place.send(Err(if self.is_idle { idle() } else { error.into() }));
        }
    }
}

/// A band, and why it is so.
fn told(band: Band) -> (i32, Vec<i32>) {
    (convert::to_band(band), vec![convert::to_decision_reason(DecisionReason::of(band))])
}

fn to_answer(tenant: &TenantId, pages: &Pages, step: Step) -> v1::SweepDuplicatesResponse {
    let pair = |pair: &Pair| {
        let [one, other] = &pair.parties;
        let (band, reasons) = told(pair.band);
        let (subject, other_subject) =
            (convert::subject_name(tenant, &one.subject), convert::subject_name(tenant, &other.subject));
        v1::DuplicatePair {
            template: format!("{subject}/templates/{}", one.template),
            subject,
            other_template: format!("{other_subject}/templates/{}", other.template),
            other_subject,
            score: pair.score,
            band,
            reasons,
            risk: automation::to_risk(Risk::of_encounter(pair.band)),
        }
    };
    v1::SweepDuplicatesResponse {
        pairs: step.pairs.iter().map(pair).collect(),
        compared: convert::count(step.compared),
        gallery_size: convert::count(step.gallery_size),
        candidates: convert::count(step.candidates),
        threshold: step.threshold,
        miss_probability: step.miss_probability,
        policy_version: step.policy_version.into(),
        next_page_token: pages.token(step.next),
        complete: step.next.is_none(),
    }
}
