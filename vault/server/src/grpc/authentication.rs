use lethe_domain::Risk;
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::authentication_service_server::AuthenticationService;
use tonic::{Request, Response, Status, async_trait};

use super::{Node, automation, convert, names};
use crate::authentication;
use crate::error::Result;

#[async_trait]
impl AuthenticationService for Node {
    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::VerifyResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("name", &message.name)?;
        let call = self.admit::<op::Verify>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let probe = convert::capture("probe", message.probe)?;
        let said = authentication::verify(self.vault()?, call.witness, &subject, probe).await?;
        Ok(Response::new(v1::VerifyResponse {
            band: convert::to_band(said.band),
            reasons: vec![convert::to_decision_reason(said.reason)],
            policy_version: said.policy_version.into(),
            score: said.score,
            risk: automation::to_risk(Risk::of_claim(said.band)),
            decider: automation::to_decider(said.decider),
        }))
    }
}
