use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::binary::lethe;
use crate::cli::Cli;
use crate::home::Home;
use crate::process::{Exited, Process};
use crate::vault::Vault;

/// How a server is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    settings: Vec<(String, String)>,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    listen: String,
    log_filter: String,
    replicas: usize,
    apart: bool,
    tls: Option<Tls>,
    binary: Option<PathBuf>,
    tidy: Option<Tidy>,
}

/// What somebody must do after a server was killed.
#[derive(Clone)]
struct Tidy(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Tidy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tidy")
    }
}

/// How a command that is not a server ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it answered; null if nothing.
    pub answer: serde_json::Value,
    /// What it wrote to standard error.
    pub log: String,
}

#[derive(Debug, Clone)]
struct Tls {
    certificate: String,
    key: String,
}

impl Default for Setup {
    fn default() -> Self {
        // Small, so that many servers fit beside each other; and patient, as a disk may take seconds to sync.
        let settings = [("storage.cache_mib", "16"), ("storage.reserve_mib", "16"), ("limits.deadline_ms", "600000")];
        Self {
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            flags: Vec::new(),
            environment: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            log_filter: "info".to_owned(),
            replicas: 1,
            apart: false,
            tls: None,
            binary: None,
            tidy: None,
        }
    }
}

impl Setup {
    /// Has something done after each kill of a server.
    #[must_use]
    pub(crate) fn after_each_kill(self, tidy: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { tidy: Some(Tidy(tidy.into())), ..self }
    }

    pub(crate) fn tidy(&self) {
        if let Some(Tidy(tidy)) = &self.tidy {
            tidy();
        }
    }

    /// Sets a key of the configuration, such as `limits.concurrency`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a flag of `lethe serve`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Sets a variable of the server's environment, which is empty otherwise.
    #[must_use]
    pub fn env(mut self, variable: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != variable);
        self.environment.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Takes a variable out of the server's environment again.
    #[must_use]
    pub fn without_env(mut self, variable: &str) -> Self {
        self.environment.retain(|(known, _)| known != variable);
        self
    }

    /// Runs another binary than the usual one, such as one built with failpoints.
    #[must_use]
    pub fn binary(mut self, path: PathBuf) -> Self {
        self.binary = Some(path);
        self
    }

    /// Listens elsewhere than on a free loopback port.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Logs other events, such as `info,lethe_vault=trace`.
    #[must_use]
    pub fn log(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.log_filter);
        self
    }

    /// Keeps root keys in so many files.
    #[must_use]
    pub fn replicas(mut self, number: usize) -> Self {
        self.replicas = number;
        self
    }

    /// Serves metrics on a free loopback port ([`Vault::metrics`]).
    #[must_use]
    pub fn metrics(self) -> Self {
        self.set("metrics.listen", "127.0.0.1:0")
    }

    /// Keeps mirror and backups in folders of their own ([`Home::mirror`], [`Home::backups`]) beside the data directory,
    /// instead of a mirror in it and no backups.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// Leaves the choice of root keys' place to the settings.
    #[must_use]
    pub fn without_replicas(self) -> Self {
        self.replicas(0)
    }

    /// Takes a key of the configuration out again.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self
    }

    /// Speaks TLS with this certificate, for `localhost`, which clients trust as their authority. PEM.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = Some(Tls { certificate: certificate.to_owned(), key: key.to_owned() });
        self
    }

    /// Starts it in a new folder.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> Vault {
        self.start_in(Home::new()).await
    }

    /// Starts it on a copy of another vault's folder ([`Vault::home`]).
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_on_copy_of(self, home: &Path) -> Vault {
        self.start_in(Home::copy_of(home)).await
    }

    /// Starts it in a folder.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(self, home: Home) -> Vault {
        let vault = Vault::new(self, home);
        vault.start().await;
        vault
    }

    /// Runs it in a folder where it must refuse to start.
    ///
    /// # Panics
    /// When it starts.
    pub async fn refuses_to_start_in(self, home: Home) -> Exited {
        let vault = Vault::new(self, home);
        vault.refuses_to_start().await
    }

    pub(crate) fn authority(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.certificate.as_str())
    }

    /// Runs another command than `serve` on a folder, such as `root check`, with the same configuration.
    ///
    /// # Panics
    /// When it cannot be run, or answers no JSON.
    #[must_use]
    pub fn run(&self, home: &Home, arguments: &[&str]) -> Ran {
        let output = self.command(home, arguments).output().unwrap();
        let [told, log] = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        let answer = told.lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap_or_default();
        Ran { code: output.status.code(), answer, log }
    }

    /// The same, to be run in any way.
    pub fn cli(&self, home: &Home, arguments: &[&str]) -> Cli {
        Cli::of(self.command(home, arguments))
    }

    pub(crate) fn spawn(&self, home: &Home) -> Process {
        let mut command = self.command(home, &["serve"]);
        command.args(["--listen", &self.listen]).arg("--operator-key-file").arg(home.operator_key());
        if let Some(tls) = &self.tls {
            let (certificate, key) = (home.path().join("tls.cert"), home.path().join("tls.key"));
            std::fs::write(&certificate, &tls.certificate).unwrap();
            std::fs::write(&key, &tls.key).unwrap();
            command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        }
        command.args(&self.flags);
        Process::spawn(&mut command, &home.log())
    }

    fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary.clone().unwrap_or_else(lethe));
        command.env_clear().env("RUST_BACKTRACE", "1").envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.current_dir(home.path()).arg("--json").args(arguments).arg("--data-dir").arg(home.data());
        for number in 0..self.replicas {
            command.arg("--root-replica").arg(home.root(number));
        }
        command.args(["--log-filter", &self.log_filter]);
        if self.apart {
            command.arg("--set").arg(format!("mirror.paths={}", home.mirror().display()));
            command.arg("--set").arg(format!("backup.path={}", home.backups().display()));
        }
        for (key, value) in &self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command
    }
}
