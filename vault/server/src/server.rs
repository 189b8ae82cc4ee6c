//! Binding, serving, draining.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
pub use crate::opening::FirstKey;
use crate::opening::{self, OpenError};
use crate::vault::Vault;

mod connection;
mod frames;
mod listener;
mod places;
mod residue;

pub(crate) use places::Place;

/// The largest answer, in bytes: some hundred thousand matches of a search.
const LARGEST_ANSWER: usize = 64 << 20;
/// How long calls in flight may take to end once a shutdown began.
const DRAIN: Duration = Duration::from_secs(25);
/// How often health looks for galleries that cannot answer.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// The service whose health follows the galleries.
const IDENTIFICATION: &str = "lethe.v1.IdentificationService";
/// Not a service of ours, and in health all the same: erasures stay pending while it does not serve.
const MIRRORS: &str = "lethe.v1.Mirrors";
/// How long a mirror may fail before health says so: one that was cut off for a moment is tried again by itself.
const MIRROR_FAILS: Duration = Duration::from_secs(10);
/// The others, healthy when the vault is open.
const SERVICES: [&str; 7] = [
    "",
    "lethe.v1.TenantService",
    "lethe.v1.EnrollmentService",
    "lethe.v1.AuthenticationService",
    "lethe.v1.SubjectService",
    "lethe.v1.AuditService",
    "lethe.v1.BackupService",
];

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
    operator_key: Option<Zeroizing<String>>,
    vault: Arc<Vault>,
    health: HealthReporter,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    watching: JoinHandle<()>,
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
    let incoming = listener::incoming(listener, config.tls.as_ref(), config.limits.connections)?;

    let node = Node::new(config.limits.batch_in_flight, config.limits.deadline());
    let (health, health_service) = tonic_health::server::health_reporter();
    for service in SERVICES.iter().chain([&IDENTIFICATION, &MIRRORS]) {
        health.set_service_status(*service, ServingStatus::NotServing).await;
    }
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
        .add_service(service!(v1::subject_service_server::SubjectServiceServer<Node>))
        .add_service(service!(v1::audit_service_server::AuditServiceServer<Node>))
        .add_service(service!(v1::backup_service_server::BackupServiceServer<Node>));
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
            return Err(failure.into());
        }
    };
    node.serve(Arc::clone(&opened.vault));
    for service in SERVICES.iter().chain([&IDENTIFICATION, &MIRRORS]) {
        health.set_service_status(*service, ServingStatus::Serving).await;
    }
    let watching = tokio::spawn(watch(Arc::clone(&opened.vault), health.clone()));
    let operator_key = opened.operator_key.map(|key| key.reveal());
    tracing::info!(%address, vault = %opened.vault.id, "serving");
    Ok(Running { address, operator_key, vault: opened.vault, health, stop, serving, watching })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The operator's API key, where this start created the vault. It is given once.
    pub fn take_operator_key(&mut self) -> Option<Zeroizing<String>> {
        self.operator_key.take()
    }

    /// Stops taking calls, lets those in flight end, finishes erasures, syncs, and closes.
    pub async fn shutdown(self) {
        tracing::info!("shutting down");
        for service in SERVICES.iter().chain([&IDENTIFICATION, &MIRRORS]) {
            self.health.set_service_status(*service, ServingStatus::NotServing).await;
        }
        self.watching.abort();
        self.stop.send_replace(true);
        let mut serving = self.serving;
        if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
            tracing::warn!("calls in flight did not end in time");
            serving.abort();
        }
        self.vault.close().await;
        tracing::info!("stopped");
    }
}

/// Says through health when a gallery cannot answer, and when a mirror has not been written for a while.
async fn watch(vault: Arc<Vault>, health: HealthReporter) {
    let (mut galleries, mut mirrors) = (true, true);
    let mut failing_since = None;
    loop {
        tokio::time::sleep(HEALTH_EVERY).await;
        let whole = vault.silos.all().iter().all(|silo| silo.models().iter().all(|model| model.fault().is_none()));
        tell(&health, IDENTIFICATION, whole, &mut galleries).await;
        if vault.store.mirrors().iter().any(|mirror| mirror.fault().is_some()) {
            failing_since.get_or_insert_with(Instant::now);
        } else {
            failing_since = None;
        }
        let fails = failing_since.is_some_and(|since| since.elapsed() >= MIRROR_FAILS);
        if fails && mirrors {
            tracing::error!(
                "a mirror has not been written for a while: erasures stay pending, and what is accepted would be lost with the data's disk"
            );
        }
        tell(&health, MIRRORS, !fails, &mut mirrors).await;
    }
}

async fn tell(health: &HealthReporter, service: &str, is: bool, was: &mut bool) {
    if is != *was {
        let status = if is { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(service, status).await;
        *was = is;
    }
}
