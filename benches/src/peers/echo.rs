//! A tonic server that takes the vault's own verification requests and answers them without looking:
//! what the protocol alone costs.

use lethe_proto::v1::authentication_service_server::{AuthenticationService, AuthenticationServiceServer};
use lethe_proto::v1::{Decider, DecisionBand, DecisionReason, RiskLevel, VerifyRequest, VerifyResponse};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::Error;

/// Serves the echo on `listener` until the process ends.
///
/// # Errors
/// [`Error::Connect`] if the listener fails.
pub async fn serve_echo(listener: TcpListener) -> Result<(), Error> {
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(AuthenticationServiceServer::new(Echo))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

struct Echo;

#[tonic::async_trait]
impl AuthenticationService for Echo {
    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<VerifyResponse>, Status> {
        // The message was decoded, vector and all; a probe of no length means that it was not.
        let length = request.get_ref().probe.as_ref().map_or(0, |probe| probe.embedding.len());
        if length == 0 {
            return Err(Status::invalid_argument("no probe"));
        }
        Ok(Response::new(VerifyResponse {
            band: DecisionBand::Match.into(),
            reasons: vec![DecisionReason::ScoreAboveMatch.into()],
            policy_version: 1,
            score: None,
            risk: RiskLevel::Low.into(),
            decider: Decider::Person.into(),
        }))
    }
}
