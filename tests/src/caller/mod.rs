mod backups;
mod cases;
mod comparing;
mod enrolling;
mod proofs;
mod rights;
mod silos;
mod watching;

use std::future::poll_fn;
use std::sync::Arc;

use futures::{Stream, TryStreamExt};
use http::HeaderValue;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt as _, Full};
use lethe_proto::v1;
use lethe_proto::v1::enrollment_service_client::EnrollmentServiceClient;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::call::Call;
use crate::raw::Bytes;
use crate::refusal::{Answer, Refusal};
use crate::wire::Wire;

/// Largest answer taken.
const LARGEST: usize = 64 << 20;

/// Somebody who calls the vault, on behalf of a tenant, with one API key or none.
#[derive(Debug, Clone)]
pub struct Caller {
    wire: Arc<Wire>,
    key: Option<String>,
    tenant: String,
    dimension: usize,
}

impl Caller {
    pub(crate) fn new(wire: Arc<Wire>, key: Option<String>, tenant: &str, dimension: usize) -> Self {
        Self { wire, key, tenant: tenant.to_owned(), dimension }
    }

    /// The same caller with another API key, or none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The same caller, calling on another tenant.
    #[must_use]
    pub fn on(&self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self.clone() }
    }

    /// The same caller, over a connection of its own.
    #[must_use]
    pub fn over(&self, channel: Channel) -> Self {
        Self { wire: Arc::new(Wire::of(channel)), ..self.clone() }
    }

    /// The API key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    // ── any call ────────────────────────────────────────────────────────────────────────────────────

    /// Sends a request and gives what is answered.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ask<C: Call>(&self, request: C) -> Answer<C::Response> {
        let mut grpc = self.grpc().await?;
        let path = PathAndQuery::from_static(C::PATH);
        let codec = ProstCodec::<C, C::Response>::default();
        Ok(grpc.unary(self.sign(Request::new(request)), path, codec).await?.into_inner())
    }

    /// Sends bytes to a method, such as `/lethe.v1.SubjectService/Get`, and gives the bytes of all it
    /// answers: one message to a plain method, any number to a streaming one.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ask_raw(&self, path: &str, message: Vec<u8>) -> Answer<Vec<Vec<u8>>> {
        self.ask_raw_all(path, vec![message]).await
    }

    /// Sends so many messages of bytes, whatever they are, and gives the bytes of all answers.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn ask_raw_all(&self, path: &str, messages: Vec<Vec<u8>>) -> Answer<Vec<Vec<u8>>> {
        self.ask_raw_stream(path, tokio_stream::iter(messages)).await
    }

    /// Sends messages of bytes as they come, also if they never do, and gives the bytes of all answers.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn ask_raw_stream(
        &self,
        path: &str,
        messages: impl Stream<Item = Vec<u8>> + Send + 'static,
    ) -> Answer<Vec<Vec<u8>>> {
        let mut grpc = self.grpc().await?;
        let request = self.sign(Request::new(messages));
        let answers = grpc.streaming(request, path.parse().unwrap(), Bytes).await?;
        Ok(answers.into_inner().try_collect().await?)
    }

    /// Sends the bytes of a call's body as they are, frames and all, and gives the bytes of the answer's body.
    ///
    /// # Errors
    /// The refusal, whether it came before the body or behind it.
    pub async fn ask_unframed(&self, path: &str, body: Vec<u8>) -> Answer<Vec<u8>> {
        let mut channel = self.wire.channel();
        let uri = http::Uri::builder().scheme("http").authority("localhost").path_and_query(path).build().unwrap();
        let (metadata, _, ()) = self.sign(Request::new(())).into_parts();
        let mut request = http::Request::post(uri).body(Body::new(Full::from(body))).unwrap();
        *request.headers_mut() = metadata.into_headers();
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let unavailable = |failure: tonic::transport::Error| tonic::Status::unavailable(failure.to_string());
        poll_fn(|context| GrpcService::poll_ready(&mut channel, context)).await.map_err(unavailable)?;
        let response = GrpcService::call(&mut channel, request).await.map_err(unavailable)?;
        let before = Status::from_header_map(response.headers());
        let answer = response.into_body().collect().await?;
        let behind = answer.trailers().and_then(Status::from_header_map);
        match before.or(behind) {
            Some(status) if status.code() != Code::Ok => Err(status.into()),
            Some(_) => Ok(answer.to_bytes().to_vec()),
            None => panic!("{path}: an answer without a status"),
        }
    }

    /// Opens a stream of enrolments.
    ///
    /// # Errors
    /// The refusal of the stream as such.
    pub async fn batch(
        &self,
        items: impl Stream<Item = v1::BatchEnrollRequest> + Send + 'static,
    ) -> Answer<Streaming<v1::BatchEnrollResponse>> {
        let mut client = EnrollmentServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        Ok(client.batch_enroll(self.sign(Request::new(items))).await?.into_inner())
    }

    async fn grpc(&self) -> Answer<Grpc<Channel>> {
        let mut grpc = Grpc::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        let ready = grpc.ready().await;
        ready.map_err(|failure| Refusal::from(tonic::Status::unavailable(failure.to_string())))?;
        Ok(grpc)
    }

    fn sign<T>(&self, mut request: Request<T>) -> Request<T> {
        if let Some(key) = &self.key {
            // Whatever the test wants to send; a header value cannot hold everything.
            let value = format!("Bearer {key}").parse().expect("an API key of visible characters");
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    // ── names ───────────────────────────────────────────────────────────────────────────────────────

    /// `tenants/{tenant}`.
    #[must_use]
    pub fn tenant_name(&self) -> String {
        format!("tenants/{}", self.tenant)
    }

    /// `tenants/{tenant}/subjects/{subject}`.
    #[must_use]
    pub fn subject_name(&self, subject: &str) -> String {
        format!("tenants/{}/subjects/{subject}", self.tenant)
    }

    /// Components of the tenant's usual model.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}
