//! The server the demo runs in its own process, and the way to it over real gRPC.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lethe_attestation::Signer;
use tonic::transport::{Channel, Endpoint};

use super::folder::Folder;
use super::story::{Story, milliseconds};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, causes};
use crate::cli::secret::{ApiKey, write_private};
use crate::config::{Config, Limits};
use crate::server::{self, Running};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server with a new vault.
pub(super) struct House {
    running: Running,
    channel: Channel,
    keys: PathBuf,
    /// Who may create tenants, and nothing else.
    pub(super) operator: Client,
}

impl House {
    /// Starts the server on a free port of loopback.
    pub(super) async fn open(story: &mut Story, folder: &Folder) -> Result<Self, Failure> {
        story.step("vault", "A vault is founded")?;
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data_dir: folder.vault(),
            // Some people's pictures are in every collection, hundreds of them.
            limits: Limits { templates: 1024, ..Limits::default() },
            ..Config::default()
        };
        let roots: Vec<_> = config.root_replicas().iter().map(|path| path.display().to_string()).collect();
        let began = Instant::now();
        let mut running = server::start(config)
            .await
            .map_err(|error| Failure::failed(format!("cannot start: {}", causes(&error))))?;
        let key = running.take_operator_key().ok_or_else(|| Failure::failed("a new vault gave no operator key"))?;
        let endpoint = format!("http://{}", running.address());
        let channel = connect(&endpoint).await?;
        let ready = began.elapsed();
        let keys = folder.below("keys")?;
        let operator = caller(&channel, &keys, "operator", &ApiKey::new(&key))?;
        story.say(&format!(
            "A server listens on {endpoint}, ready after {}. Its root key, the one thing that must be \
             physically erasable, is in {}; all other keys hang below it.",
            milliseconds(ready),
            roots.join(", ")
        ))?;
        story.fact("endpoint", endpoint);
        story.fact("root_replicas", roots);
        story.end()?;
        Ok(Self { running, channel, keys, operator })
    }

    /// Keeps the key that a capture service signs with, as it would itself.
    pub(super) fn keep_signer(&self, tenant: &str, signer: &Signer) -> Result<(), Failure> {
        let path = self.keys.join(format!("{tenant}-camera.jwk"));
        write_private(&path, &signer.to_jwk())
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
    }

    /// A client under a key, which is also kept in a file of the demo's folder.
    pub(super) fn caller(&self, name: &str, key: &ApiKey) -> Result<Client, Failure> {
        caller(&self.channel, &self.keys, name, key)
    }

    /// Finishes what is at work and stops.
    pub(super) async fn close(self) {
        self.running.shutdown().await;
    }
}

async fn connect(endpoint: &str) -> Result<Channel, Failure> {
    let unreachable =
        |error: tonic::transport::Error| Failure::failed(format!("cannot reach {endpoint}: {}", causes(&error)));
    let endpoint = Endpoint::from_shared(endpoint.to_owned()).map_err(unreachable)?;
    endpoint.connect().await.map_err(unreachable)
}

fn caller(channel: &Channel, keys: &Path, name: &str, key: &ApiKey) -> Result<Client, Failure> {
    let path = keys.join(name);
    write_private(&path, key.expose())
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    Client::new(channel.clone(), Some(key), DEADLINE)
}
