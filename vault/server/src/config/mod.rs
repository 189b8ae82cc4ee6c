//! What a server is told: defaults, below `lethe.toml`, below `LETHE__SECTION__KEY` variables, below
//! command-line flags.
//!
//! A key that is not known, a value that cannot be read or that is out of range, and plaintext beyond
//! loopback all refuse the start, naming the key and where it was set: nothing is ignored or corrected.

mod check;
mod error;
mod keys;
mod loader;
mod roots;
#[cfg(test)]
mod tests;
mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lethe_domain::{Region, Timestamp};

pub use error::{ConfigError, Origin, Problem};
pub use loader::Loader;
pub(crate) use roots::{Files, SealFile};
pub use roots::{Pkcs11Config, RootConfig, StoreKind, TpmConfig, TransitConfig};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "lethe.toml";

/// What environment variables of the configuration begin with: `LETHE__LIMITS__CONCURRENCY` is
/// `limits.concurrency`.
pub const ENVIRONMENT_PREFIX: &str = "LETHE__";

/// See [`Limits::patience`].
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

/// All a server needs to know to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Beyond loopback only with [`Config::tls`]. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder of the vault, created if missing.
    pub data_dir: PathBuf,
    /// Where the node is; nowhere in particular, if none. Tenants of another region are refused (O32).
    pub region: Option<Region>,
    /// Where root keys are kept.
    pub root: RootConfig,
    /// The PKCS#11 token, where roots are kept in one.
    pub pkcs11: Pkcs11Config,
    /// The transit engine, where roots are kept in one.
    pub transit: TransitConfig,
    /// The TPM, where roots are kept in one.
    pub tpm: TpmConfig,
    /// Live copies of what a backup cannot give back.
    pub mirror: MirrorConfig,
    /// Copies of the bulk.
    pub backup: BackupConfig,
    /// Metrics.
    pub metrics: Metrics,
    /// TLS 1.3; without it the server speaks plaintext, on loopback only.
    pub tls: Option<TlsConfig>,
    /// Bounds on what callers may ask for at once.
    pub limits: Limits,
    /// The database.
    pub storage: Storage,
    /// Erasure.
    pub erasure: Erasure,
    /// Erasing what is past its time.
    pub retention: Retention,
    /// 1:N search.
    pub search: Search,
    /// What two persons decide.
    pub approvals: Approvals,
    /// Who may call.
    pub access: Access,
    /// What capture and document services sign.
    pub attestation: Attestation,
    /// What the process says of itself.
    pub log: Log,
}

/// What capture and document services sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The name that services know this vault by, the `aud` of what they sign for it. 1 to 255 characters.
    pub audience: String,
}

impl Default for Attestation {
    fn default() -> Self {
        Self { audience: "lethe".to_owned() }
    }
}

/// Mirrors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorConfig {
    /// A folder each, best on another disk than the data; none: `mirror` in the data folder, which survives a damaged
    /// database and not the loss of the folder. See [`Config::mirror_paths`].
    pub paths: Option<Vec<PathBuf>>,
}

/// Backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupConfig {
    /// The folder that backups go to, of this vault alone, best on another disk than the data, created if missing;
    /// none: no backups are made.
    pub path: Option<PathBuf>,
}

/// Metrics, for whoever watches the vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Where to serve them over HTTP, on loopback alone; none: nowhere. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
}

/// TLS material, all PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The server's certificate chain, its own first.
    pub cert: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// Authorities of client certificates. If set, a client without a certificate of theirs is refused.
    pub client_ca: Option<PathBuf>,
    /// With authorities of client certificates: a client without one is let in all the same. People need one still, where a
    /// second factor is asked for.
    pub client_optional: bool,
}

/// Bounds on what callers may ask for at once; beyond them they get `RESOURCE_EXHAUSTED`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest message accepted, in bytes. 64 KiB to 64 MiB.
    pub message_bytes: usize,
    /// Connections open at the same time, those that shake hands among them. 1 to 65,536.
    pub connections: usize,
    /// How long a connection lasts, in milliseconds. Then it is ended as HTTP/2 ends one, when its calls are done, and the
    /// client opens another; what an answer said of somebody is in no buffer any more. 1 s to 24 h.
    pub connection_age_ms: u64,
    /// Calls of one tenant at work at the same time. 1 to 65,536.
    pub concurrency: usize,
    /// Templates of one model that a subject may have. The best of them counts, so each one makes a false accept more
    /// likely, and each is opened at every login. 1 to 1,024.
    pub templates: usize,
    /// Longest a call may take, and a stream may be idle, in milliseconds; a shorter deadline of the
    /// caller's counts. 100 ms to 10 min.
    pub deadline_ms: u64,
    /// Items of one enrolment stream at work at the same time. 1 to 65,536.
    pub batch_in_flight: usize,
    /// Changes waiting for the commit thread before more are refused. 1 to 1,048,576.
    pub queue: usize,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Block cache, in MiB. 8 to 1,048,576.
    pub cache_mib: u64,
    /// Disk space kept back, in MiB, so that people can still be erased when the disk is full. 16 to
    /// 65,536.
    pub reserve_mib: u64,
}

/// Erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// How long an epoch waits for further erasures to share it, in milliseconds, while they come in company: one that
    /// comes alone does not wait. At most 10,000.
    pub window_ms: u64,
    /// From the beginning of one epoch to that of the next, at least, in milliseconds; erasures that come meanwhile stay
    /// pending and share it. At most an hour.
    pub least_interval_ms: u64,
}

/// Erasing what is past its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// From the end of one sweep to the beginning of the next, in seconds: what is past its time is erased that much later at
    /// most, and never processed meanwhile. 1 to 86,400.
    pub interval_s: u64,
    /// Until when the clock is right, whatever it looks like: said after a standstill of more than 30 days, or when a clock was
    /// put right.
    pub clock_right_until: Option<Timestamp>,
}

/// 1:N search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Threads that scan galleries, 1 to 1,024; none: one a core.
    pub threads: Option<usize>,
    /// Bytes of memory that galleries may take; none: as many as there are. Those that were searched longest ago make room.
    pub memory: Option<u64>,
}

/// What two persons decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// How long a proposal can be approved, and once it is, be carried out, in milliseconds. 1 s to 30 days.
    pub lifetime_ms: u64,
}

/// Who may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Whether people show a second factor, a client certificate of their credential beside their key, or a login that proves
    /// two; none: where the server listens beyond loopback. See [`Config::asks_second_factor`].
    pub second_factor: Option<SecondFactorRule>,
    /// The file of identity providers, whose tokens people may call with; none: there are none.
    pub identity_providers: Option<PathBuf>,
}

/// Whether people show a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactorRule {
    /// They do.
    Required,
    /// They do not.
    Off,
}

/// What the process says of itself, on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Which events, in the syntax of `tracing-subscriber`'s `EnvFilter`, such as `info` or
    /// `warn,lethe_vault=debug`.
    pub filter: String,
}

/// The form of a line of the process' log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    /// An embedded instance on loopback, in `./lethe-data`.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7443)),
            data_dir: PathBuf::from("./lethe-data"),
            region: None,
            root: RootConfig::default(),
            pkcs11: Pkcs11Config::default(),
            transit: TransitConfig::default(),
            tpm: TpmConfig::default(),
            mirror: MirrorConfig::default(),
            backup: BackupConfig::default(),
            metrics: Metrics::default(),
            tls: None,
            limits: Limits::default(),
            storage: Storage::default(),
            erasure: Erasure::default(),
            retention: Retention::default(),
            search: Search::default(),
            approvals: Approvals::default(),
            access: Access::default(),
            attestation: Attestation::default(),
            log: Log::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 << 20,
            // Below the 1024 files that many systems let a process open; the database needs some, too.
            connections: 512,
            connection_age_ms: 600_000,
            concurrency: 256,
            templates: 16,
            deadline_ms: 30_000,
            batch_in_flight: 256,
            queue: 4096,
        }
    }
}

impl Limits {
    /// Longest a call may take.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// How long a call waits for one thing that may hang: a mirror, or the folder of backups. More than the least only where
    /// calls may take long anyway.
    #[must_use]
    pub fn patience(&self) -> Duration {
        (self.deadline() / 6).max(LEAST_PATIENCE)
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache_mib: 64, reserve_mib: 512 }
    }
}

impl Default for Erasure {
    fn default() -> Self {
        Self { window_ms: 5, least_interval_ms: 0 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { interval_s: 3600, clock_right_until: None }
    }
}

impl Default for Approvals {
    fn default() -> Self {
        Self { lifetime_ms: 7 * 86_400_000 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

impl Config {
    /// The files of the root store: those that were named, or the one in the data folder.
    #[must_use]
    pub fn root_replicas(&self) -> Vec<PathBuf> {
        self.replicas_or_default(&self.root.replicas)
    }

    /// Whether people show a second factor beside their keys (O31): as configured, and otherwise wherever a network leads to the
    /// server.
    #[must_use]
    pub fn asks_second_factor(&self) -> bool {
        match self.access.second_factor {
            Some(SecondFactorRule::Required) => true,
            Some(SecondFactorRule::Off) => false,
            None => self.tls.is_some() && !self.listen.ip().is_loopback(),
        }
    }

    fn replicas_or_default(&self, replicas: &[PathBuf]) -> Vec<PathBuf> {
        if replicas.is_empty() { vec![self.data_dir.join("root").join("vault.root")] } else { replicas.to_vec() }
    }

    /// The folders of the mirrors: those that were named, or the one in the data folder.
    #[must_use]
    pub fn mirror_paths(&self) -> Vec<PathBuf> {
        self.mirror.paths.clone().unwrap_or_else(|| vec![self.data_dir.join("mirror")])
    }

    /// Checks ranges and what keys ask of each other. A configuration of a [`Loader`] is checked
    /// already; one made by hand is not.
    ///
    /// # Errors
    /// Everything that is wrong, by key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::unless_empty(
            check::violations(self)
                .into_iter()
                .map(|violation| Problem::of(violation.key, Origin::Given, violation.reason))
                .collect(),
        )
    }
}
