//! `GET /metrics`, over HTTP/1.1 on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::StartError;
use crate::metrics::{CONTENT, Metrics};

/// Connections at once: there is one reader, or a few.
const CONNECTIONS: usize = 16;
/// How long a reader may take to ask, the first time and again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection lasts: whoever reads nothing of what it asked for keeps its place no longer.
const AGE: Duration = Duration::from_secs(600);
/// How long an answer may take to be sent once the server stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// The listener, at work.
pub(super) struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Binds, and serves.
pub(super) async fn listen(address: SocketAddr, metrics: Metrics) -> Result<Listener, StartError> {
    let bad = |cause| StartError::Bind { address, cause };
    let listener = TcpListener::bind(address).await.map_err(bad)?;
    let address = listener.local_addr().map_err(bad)?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, Arc::new(metrics), stopped));
    Ok(Listener { address, stop, serving })
}

impl Listener {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it; who is being answered gets the answer.
    pub(super) async fn close(self) {
        self.stop.send_replace(true);
        drop(self.serving.await);
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopped) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(failure) => {
                tracing::warn!(%failure, "cannot accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Who finds no place is hung up on.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (metrics, stopped) = (Arc::clone(&metrics), stopped.clone());
        tokio::spawn(async move {
            talk(stream, &metrics, stopped).await;
            drop(place);
        });
    }
    // All places back: nobody is being answered any more.
    let most = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    drop(tokio::time::timeout(2 * GOODBYE, places.acquire_many(most)).await);
}

/// Returns when the server stops.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

async fn talk(stream: TcpStream, metrics: &Metrics, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, metrics)) });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(stream), service)
    );
    let failure = tokio::select! {
        served = connection.as_mut() => served.err(),
        () = async { tokio::select! { () = stop(&mut stopped) => {}, () = tokio::time::sleep(AGE) => {} } } => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(GOODBYE, connection).await.ok().and_then(Result::err)
        }
    };
    if let Some(failure) = failure {
        tracing::debug!(%failure, "a reader of metrics went");
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, (header, value), body) = if request.uri().path() != "/metrics" {
        (StatusCode::NOT_FOUND, (CONTENT_TYPE, "text/plain"), "there is /metrics\n".to_owned())
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"), String::new())
    } else {
        match metrics.text() {
            Ok(text) => (StatusCode::OK, (CONTENT_TYPE, CONTENT), text),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, (CONTENT_TYPE, "text/plain"), String::new()),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header, http::HeaderValue::from_static(value));
    response
}
