use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use lethe_domain::{Invalid, Reason, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::identification_service_server::IdentificationService;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::page::Pages;
use super::status::too_long;
use super::{Node, convert, names};
use crate::error::{Error, Result};
use crate::identification::{self, Pair, Query, Step, Sweep, Wanted};
use crate::vault::Aim;

/// The answers of a sweep.
type Answers = Pin<Box<dyn Stream<Item = Result<v1::SweepDuplicatesResponse, Status>> + Send>>;

#[async_trait]
impl IdentificationService for Node {
    type SweepDuplicatesStream = Answers;

    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::Search>(&principal, &tenant, message.purpose).await?;
        let negative = |_| Error::from(Invalid::new("max_results", Reason::FieldOutOfRange, "must not be negative"));
        let query = Query {
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
            v1::SearchMatch { subject, template, score: hit.score, band: convert::to_band(hit.band) }
        });
        Ok(Response::new(v1::SearchResponse {
            matches: matches.collect(),
            completeness: Some(completeness),
            policy_version: found.policy_version.into(),
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
        // A place in one sweep is none in another.
        let of = format!("{tenant}/{model}/{:?}/{:?}", message.threshold, message.miss_probability);
        let pages = self.pages(&call, &of)?;
        let wanted = Wanted {
            model,
            threshold: message.threshold,
            miss_probability: message.miss_probability,
            from: pages.start(&message.page_token)?,
        };
        let vault = Arc::clone(self.vault()?);
        let sweep = Sweep::begin(&vault, &call.witness, wanted).await?;

        let (sender, receiver) = mpsc::channel(1);
        let (idle, runtime) = (self.deadline, tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || {
            // It is at work as long as it lasts.
            let _call = call;
            let send = |answer| match runtime.block_on(timeout(idle, sender.send(answer))) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_gone)) => Err(Ended::Gone),
                Err(_) => Err(Ended::Idle),
            };
            let mut ended = None;
            let admit = || {
                // Each answer passes the gate: a credential may be revoked, or expire, while a sweep lasts.
                let (principal, purpose) = (vault.still(&principal)?, convert::purpose(message.purpose));
                runtime.block_on(vault.admit::<op::SweepDuplicates>(&principal, Aim::Tenant(&tenant), purpose))
            };
            let swept = sweep.run(&|| sender.is_closed(), |step| {
                admit()?;
                send(Ok(to_answer(&tenant, &pages, step))).map_err(|how| {
                    ended = Some(how);
                    Error::TaskLost
                })
            });
            // Who does not listen any more need not hear it.
            let last = match (ended, swept) {
                (Some(Ended::Gone), _) | (None, Ok(())) => return,
                (Some(Ended::Idle), _) => too_long("no answer was taken for as long as a call may take"),
                (None, Err(error)) => error.into(),
            };
            let _ = send(Err(last));
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Why the answers of a sweep ended before it did.
enum Ended {
    /// The caller hung up.
    Gone,
    /// The caller takes no answers.
    Idle,
}

fn to_answer(tenant: &TenantId, pages: &Pages, step: Step) -> v1::SweepDuplicatesResponse {
    let pair = |pair: &Pair| {
        let [one, other] = &pair.parties;
        let (subject, other_subject) =
            (convert::subject_name(tenant, &one.subject), convert::subject_name(tenant, &other.subject));
        v1::DuplicatePair {
            template: format!("{subject}/templates/{}", one.template),
            subject,
            other_template: format!("{other_subject}/templates/{}", other.template),
            other_subject,
            score: pair.score,
            band: convert::to_band(pair.band),
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
