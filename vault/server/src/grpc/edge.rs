//! The outermost layer: refuses what the transport refuses in words that callers know.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use lethe_domain::Reason;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::status::refusal;

/// Wraps a service in [`Edge`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct EdgeLayer {
    /// Longest a call may take until it begins to answer.
    pub(crate) deadline: Duration,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, deadline: self.deadline }
    }
}

/// Gives refusals of the codec (a message too large, bytes that are no message) the reasons of the API.
#[derive(Debug, Clone)]
pub(crate) struct Edge<S> {
    inner: S,
    deadline: Duration,
}

impl<S, B> Service<Request<B>> for Edge<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.inner.call(request);
        let deadline = self.deadline;
        Box::pin(async move {
            let Ok(response) = tokio::time::timeout(deadline, answer).await else {
                let message = "the call took longer than it may (limits.deadline_ms)";
                return Ok(refusal(Code::DeadlineExceeded, Reason::Overloaded, message).into_http());
            };
            let response = response?;
            let translated = Status::from_header_map(response.headers()).and_then(|status| translate(&status));
            Ok(translated.map_or(response, Status::into_http))
        })
    }
}

/// What a codec's refusal is called in the API; `None` for everything else.
pub(super) fn translate(status: &Status) -> Option<Status> {
    let message = status.message();
    if status.code() == Code::OutOfRange && message.contains("message length too large") {
        let message = "the message is larger than the server takes (limits.message_bytes)";
        return Some(refusal(Code::ResourceExhausted, Reason::MessageTooLarge, message));
    }
    if status.code() == Code::Internal && message.contains("failed to decode Protobuf message") {
        let message = "the bytes are no message of the method's request type";
        return Some(refusal(Code::InvalidArgument, Reason::MessageMalformed, message));
    }
    None
}
