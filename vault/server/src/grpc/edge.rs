//! The outermost layer: lets nobody in without a key, ends calls that take too long, and refuses what the transport
//! refuses in words that callers know.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use lethe_domain::Reason;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::Node;
use super::call::Arrival;
use super::status::{refusal, too_long};
use crate::metrics::Call;
use crate::server::Place;

/// What the paths of the API's methods begin with; health and reflection are others.
const API: &str = "/lethe.v1.";

/// Wraps a service in [`Edge`].
#[derive(Clone)]
pub(crate) struct EdgeLayer {
    pub(crate) node: Node,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, node: self.node.clone() }
    }
}

/// Asks for a key before a byte of a message is read, and gives refusals of the codec (a message too large, bytes that
/// are no message) the reasons of the API.
#[derive(Clone)]
pub(crate) struct Edge<S> {
    inner: S,
    node: Node,
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let arrival = Instant::now();
        let call = self.node.calls.as_ref().map(|calls| calls.begin(request.uri().path()));
        if request.uri().path().starts_with(API) {
            let place = request.extensions().get::<Arc<Place>>();
            let certified = place.and_then(|place| place.certified());
            match self.node.authenticate(request.headers(), certified) {
                Ok(principal) => {
                    if let Some(place) = place {
                        place.keep();
                    }
                    request.extensions_mut().insert(principal);
                    request.extensions_mut().insert(Arrival(arrival));
                }
                // The body is dropped unread: a stranger costs a look-up, whatever it sends.
                Err(refused) => {
                    end(call, refused.code());
                    return Box::pin(async move { Ok(refused.into_http()) });
                }
            }
        }
        let deadline = arrival + self.node.deadline;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let Ok(response) = timeout_at(deadline, answer).await else {
                let refused = too_long("the call took longer than it may (limits.deadline_ms)");
                end(call, refused.code());
                return Ok(refused.into_http());
            };
            let response = response?;
            // Refused before there is an answer: then the status is in the headers.
            let status = Status::from_header_map(response.headers());
            let translated = status.as_ref().and_then(translate);
            end(call, translated.as_ref().or(status.as_ref()).map_or(Code::Ok, Status::code));
            Ok(translated.map_or(response, Status::into_http))
        })
    }
}

fn end(call: Option<Call>, code: Code) {
    if let Some(call) = call {
        call.end(code);
    }
}

/// What a codec's refusal is called in the API; `None` for everything else.
pub(super) fn translate(status: &Status) -> Option<Status> {
    let message = status.message();
    if status.code() == Code::OutOfRange && message.contains("message length too large") {
        let message = "the message is larger than the server takes (limits.message_bytes)";
        return Some(refusal(Code::ResourceExhausted, Reason::MessageTooLarge, message));
    }
    if status.code() != Code::Internal {
        return None;
    }
    let malformed = if message.contains("failed to decode Protobuf message") {
        "the bytes are no message of the method's request type"
    } else if message.contains("Missing request message") {
        "the call ended without a message"
    } else if message.contains("Unexpected EOF decoding stream") {
        "the message is shorter than its frame says"
    } else if message.contains("protocol error: received message with") {
        "the message's frame says that it is compressed, in no way that the call named"
    } else {
        return None;
    };
    Some(refusal(Code::InvalidArgument, Reason::MessageMalformed, malformed))
}
