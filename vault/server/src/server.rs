//! Binding, serving, draining.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lethe_proto::v1;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use zeroize::Zeroizing;

use crate::access::ApiKey;
pub use crate::config::Config;
use crate::config::ConfigError;
use crate::grpc::{EdgeLayer, Node};
use crate::metrics::{Calls, Metrics};
pub use crate::opening::FirstKey;
use crate::opening::{self, OpenError};
use crate::retention::{self, Sweeper};
use crate::vault::Vault;

mod certificate;
mod connection;
mod frames;
mod health;
mod listener;
mod metrics;
mod places;
mod residue;

pub(crate) use places::{Place, Places};

/// The largest answer, in bytes: some hundred thousand matches of a search.
const LARGEST_ANSWER: usize = 64 << 20;
/// How long calls in flight may take to end once a shutdown began.
const DRAIN: Duration = Duration::from_secs(25);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// A TLS file cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The vault does not open.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The reflection service cannot be made.
    #[error("cannot serve reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A server at work.
pub struct Running {
    address: SocketAddr,
    metrics: Option<metrics::Listener>,
    operator_key: Option<Zeroizing<String>>,
    vault: Arc<Vault>,
    health: HealthReporter,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    watching: JoinHandle<()>,
    reading: JoinHandle<()>,
    sweeper: Sweeper,
}

/// Binds, opens the vault (or creates it), and serves. While the vault loads, health says so and calls are
/// refused as `UNAVAILABLE`.
///
/// # Errors
/// Nothing is served then, and nothing was changed on the disk that a next start would not find.
pub async fn start(config: Config) -> Result<Running, StartError> {
    start_with(config, Box::new(|| Ok(ApiKey::generate()))).await
}

/// As [`start`]; `first` gives the key of a new vault's operator.
///
/// # Errors
/// As [`start`].
pub async fn start_with(config: Config, first: FirstKey) -> Result<Running, StartError> {
    config.validate()?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|cause| StartError::Bind { address: config.listen, cause })?;
    let address = listener.local_addr().map_err(|cause| StartError::Bind { address: config.listen, cause })?;
    let places = Places::new(config.limits.connections);
    let incoming = listener::incoming(listener, config.tls.as_ref(), Arc::clone(&places))?;

    let calls = config.metrics.listen.map(|_| Calls::new());
    let node = Node::new(config.limits.batch_in_flight, config.limits.deadline(), calls.clone());
    let metrics = match config.metrics.listen.zip(calls) {
        Some((address, calls)) => Some(metrics::listen(address, Metrics::new(&calls, places, node.clone())).await?),
        None => None,
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    health::all(&health, ServingStatus::NotServing).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(lethe_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let (stop, mut stopped) = watch::channel(false);
    let limit = config.limits.message_bytes;
    macro_rules! service {
        ($server:path) => {
            <$server>::new(node.clone()).max_decoding_message_size(limit).max_encoding_message_size(LARGEST_ANSWER)
        };
    }
    let router = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        // What an answer held stays in its connection's buffers until others overwrite it, or the connection ends.
        .max_connection_age(Duration::from_millis(config.limits.connection_age_ms))
        .layer(EdgeLayer { node: node.clone() })
        .add_service(health_service)
        .add_service(reflection)
        .add_service(service!(v1::tenant_service_server::TenantServiceServer<Node>))
        .add_service(service!(v1::enrollment_service_server::EnrollmentServiceServer<Node>))
        .add_service(service!(v1::authentication_service_server::AuthenticationServiceServer<Node>))
        .add_service(service!(v1::identification_service_server::IdentificationServiceServer<Node>))
        .add_service(service!(v1::signing_key_service_server::SigningKeyServiceServer<Node>))
        .add_service(service!(v1::watchlist_service_server::WatchlistServiceServer<Node>))
        .add_service(service!(v1::subject_service_server::SubjectServiceServer<Node>))
        .add_service(service!(v1::consent_service_server::ConsentServiceServer<Node>))
        .add_service(service!(v1::hold_service_server::HoldServiceServer<Node>))
        .add_service(service!(v1::request_service_server::RequestServiceServer<Node>))
        .add_service(service!(v1::disclosure_service_server::DisclosureServiceServer<Node>))
        .add_service(service!(v1::notification_service_server::NotificationServiceServer<Node>))
        .add_service(service!(v1::case_service_server::CaseServiceServer<Node>))
        .add_service(service!(v1::approval_service_server::ApprovalServiceServer<Node>))
        .add_service(service!(v1::audit_service_server::AuditServiceServer<Node>))
        .add_service(service!(v1::backup_service_server::BackupServiceServer<Node>))
        .add_service(service!(v1::root_service_server::RootServiceServer<Node>));
    let serving = tokio::spawn(async move {
        let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
        if let Err(failure) = router.serve_with_incoming_shutdown(incoming, until).await {
            tracing::error!(%failure, "the server ended");
        }
    });

    let opened = match opening::open_with(&config, first).await {
        Ok(opened) => opened,
        Err(failure) => {
            serving.abort();
            if let Some(metrics) = metrics {
                metrics.close().await;
            }
            return Err(failure.into());
        }
    };
    // It knows what of the clock is believed, and so comes before the first call.
    let sweeper = retention::start(&opened.vault, &config.retention);
    node.serve(Arc::clone(&opened.vault));
    health::all(&health, ServingStatus::Serving).await;
    let watching = tokio::spawn(health::watch(Arc::clone(&opened.vault), health.clone()));
    let reading = tokio::spawn(Arc::clone(&opened.vault.logins).watch());
    let operator_key = opened.operator_key.map(|key| key.reveal());
    tracing::info!(%address, vault = %opened.vault.id, "serving");
    let vault = opened.vault;
    Ok(Running { address, metrics, operator_key, vault, health, stop, serving, watching, reading, sweeper })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves metrics, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(metrics::Listener::address)
    }

    /// The operator's API key, where this start created the vault. It is given once.
    pub fn take_operator_key(&mut self) -> Option<Zeroizing<String>> {
        self.operator_key.take()
    }

    /// Stops taking calls, lets those in flight end, finishes erasures, syncs, and closes.
    pub async fn shutdown(self) {
        tracing::info!("shutting down");
        self.watching.abort();
        self.reading.abort();
        health::all(&self.health, ServingStatus::NotServing).await;
        self.stop.send_replace(true);
        self.vault.silos.close();
        let mut serving = self.serving;
        if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
            tracing::warn!("calls in flight did not end in time");
            serving.abort();
        }
        self.sweeper.stop().await;
        self.vault.close().await;
        // Last, so that whoever watches sees what is still pending.
        if let Some(metrics) = self.metrics {
            metrics.close().await;
        }
        tracing::info!("stopped");
    }
}
