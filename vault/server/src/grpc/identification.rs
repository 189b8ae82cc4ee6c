use lethe_domain::{Invalid, Reason};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::identification_service_server::IdentificationService;
use tonic::{Request, Response, Status, async_trait};

use super::{Node, convert, names};
use crate::error::{Error, Result};
use crate::identification::{self, Query};

#[async_trait]
impl IdentificationService for Node {
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
}
