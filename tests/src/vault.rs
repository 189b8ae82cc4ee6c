use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_crypto::log::note::VerifierKey;
use tokio::sync::Mutex;
use tonic::transport::Channel;

use crate::caller::Caller;
use crate::home::Home;
use crate::memory::Frozen;
use crate::process::{Exited, Process};
use crate::setup::Setup;
use crate::tenant::NewTenant;
use crate::wire::Wire;

/// A vault: a folder, and the server that serves it. The server ends with the value, the folder goes.
pub struct Vault {
    // First, so that it ends before its folder goes.
    process: Mutex<Option<Process>>,
    setup: std::sync::Mutex<Setup>,
    wire: Arc<Wire>,
    home: Home,
}

impl Vault {
    /// A new vault, serving, with the harness' defaults.
    pub async fn fresh() -> Self {
        Self::setup().start().await
    }

    /// The harness' defaults, to be changed.
    #[must_use]
    pub fn setup() -> Setup {
        Setup::default()
    }

    pub(crate) fn new(setup: Setup, home: Home) -> Self {
        Self { process: Mutex::new(None), setup: std::sync::Mutex::new(setup), wire: Arc::default(), home }
    }

    /// Starts the server in the vault's folder.
    ///
    /// # Panics
    /// When it does not start, or runs already.
    pub async fn start(&self) {
        if let Err(exited) = self.try_start().await {
            panic!("the server did not start: {}\n{}", exited.status, exited.log);
        }
    }

    /// Starts the server, or tells how it ended instead.
    ///
    /// # Errors
    /// How it ended.
    pub async fn try_start(&self) -> Result<(), Exited> {
        let mut process = self.process.lock().await;
        assert!(process.is_none(), "the server is running");
        let setup = self.setup.lock().unwrap().clone();
        let mut started = setup.spawn(&self.home);
        let endpoint = started.serving().await?;
        self.wire.connect(&endpoint, setup.authority());
        *process = Some(started);
        Ok(())
    }

    /// Runs the server where it must refuse to start; how it ended.
    ///
    /// # Panics
    /// When it starts.
    pub async fn refuses_to_start(&self) -> Exited {
        match self.try_start().await {
            Ok(()) => panic!("the server started, where it should refuse to"),
            Err(exited) => exited,
        }
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// When the server does not end well.
    pub async fn stop(&self) {
        let mut process = self.take().await;
        process.terminate();
        let exited = process.exited().await;
        assert!(exited.status.success(), "the server ended with {}\n{}", exited.status, exited.log);
    }

    /// SIGKILL, and waits for the end: nothing is flushed that was not written.
    pub async fn kill(&self) {
        self.take().await.kill().await;
        self.setup.lock().unwrap().tidy();
    }

    /// Waits until the server has ended by itself.
    pub async fn died(&self) -> Exited {
        self.take().await.exited().await
    }

    /// A graceful stop and a start.
    pub async fn restart(&self) {
        self.stop().await;
        self.start().await;
    }

    /// `kill -9` and a start.
    pub async fn crash(&self) {
        self.kill().await;
        self.start().await;
    }

    /// Changes how the next start is made.
    pub fn reconfigure(&self, change: impl FnOnce(Setup) -> Setup) {
        let mut setup = self.setup.lock().unwrap();
        *setup = change(setup.clone());
    }

    /// Runs another command than `serve` in the vault's folder, with the vault's configuration.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> crate::Ran {
        self.setup.lock().unwrap().run(&self.home, arguments)
    }

    /// Runs a server that is killed after a while, wherever it is then.
    pub async fn start_and_kill_after(&self, time: std::time::Duration) {
        assert!(self.process.lock().await.is_none(), "the server is running");
        let setup = self.setup.lock().unwrap().clone();
        let mut process = setup.spawn(&self.home);
        tokio::time::sleep(time).await;
        process.kill().await;
    }

    /// Is the server there, as far as anybody has looked?
    pub async fn is_running(&self) -> bool {
        self.process.lock().await.is_some()
    }

    /// What the server told of itself when it began to serve.
    pub async fn told(&self) -> serde_json::Value {
        self.process.lock().await.as_ref().expect("the server is not running").told()
    }

    /// The server's process id.
    pub async fn pid(&self) -> u32 {
        self.process.lock().await.as_ref().expect("the server is not running").pid()
    }

    /// Has the server, if it runs, stand still until what is given is dropped.
    #[must_use]
    pub fn freeze(&self) -> Option<Frozen> {
        let process = self.process.try_lock().expect("somebody is starting or stopping the server");
        process.as_ref().map(|process| Frozen::process(process.pid()))
    }

    /// The folder of it all: see [`Home`].
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.data()
    }

    /// What all servers of this vault have logged until now.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.home.log()).unwrap_or_default()).into_owned()
    }

    /// The connection to the server as it runs now.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.wire.channel()
    }

    /// Where the server listens, host and port.
    pub async fn address(&self) -> std::net::SocketAddr {
        let mut process = self.process.lock().await;
        let endpoint = process.as_mut().expect("the server is not running").serving().await.unwrap();
        endpoint.split_once("://").unwrap().1.parse().unwrap()
    }

    /// The operator's API key.
    #[must_use]
    pub fn operator_key(&self) -> String {
        read_key(&self.home.operator_key())
    }

    /// The operator.
    #[must_use]
    pub fn operator(&self) -> Caller {
        self.caller(Some(self.operator_key()))
    }

    /// Somebody with this API key, or none; of no tenant.
    #[must_use]
    pub fn caller(&self, key: Option<String>) -> Caller {
        Caller::new(Arc::clone(&self.wire), key, "nobody", crate::DIMENSION)
    }

    /// A new tenant, created when awaited.
    pub fn tenant(&self, id: &str) -> NewTenant {
        NewTenant::new(Arc::clone(&self.wire), self.operator(), id)
    }

    /// The key that verifies the vault's log, and with it every receipt.
    pub async fn verifier_key(&self) -> VerifierKey {
        let checkpoint = self.operator().checkpoint("vault/log").await.unwrap();
        checkpoint.verifier_key.parse().unwrap()
    }

    /// What `grpc.health.v1` says of a service; the empty name is the whole server.
    pub async fn health(&self, service: &str) -> tonic_health::pb::health_check_response::ServingStatus {
        let mut client = tonic_health::pb::health_client::HealthClient::new(self.channel());
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        client.check(request).await.unwrap().into_inner().status()
    }

    /// Where the server's metrics are, which must have been asked for ([`crate::Setup::metrics`]).
    pub async fn metrics_address(&self) -> std::net::SocketAddr {
        let told = self.told().await;
        let address = told["metrics"].as_str().expect("the server tells where its metrics are");
        address.trim_start_matches("http://").trim_end_matches("/metrics").parse().unwrap()
    }

    /// The server's metrics as they are now.
    pub async fn metrics(&self) -> crate::Metrics {
        crate::metrics::read(self.metrics_address().await)
    }

    async fn take(&self) -> Process {
        let process = self.process.lock().await.take().expect("the server is not running");
        self.wire.disconnect();
        process
    }
}

fn read_key(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the first start writes the operator's key").trim().to_owned()
}
