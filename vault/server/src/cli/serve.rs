//! `lethe serve`: a server, until it is told to stop.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use super::configuration::Configuration;
use super::exit::{Exit, Failure, causes};
use super::output::{Card, Output, remark};
use super::secret::{KEY_VARIABLE, write_private};
use super::telemetry;
use crate::access::ApiKey;
use crate::config::{Config, StoreKind};
use crate::server;

/// How to serve.
#[derive(Debug, Args)]
pub(super) struct Command {
    #[command(flatten)]
    configuration: Configuration,

    /// Where the first start writes the operator's API key, readable by you alone, instead of showing
    /// it. Later starts leave the file alone.
    #[arg(long, value_name = "FILE")]
    operator_key_file: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT, then finishes what is at work. A second signal ends the process at
/// once.
pub(super) async fn run(out: Output, command: Command) -> Result<Exit, Failure> {
    let config = command.configuration.load()?;
    telemetry::init(&config.log)?;
    if let Some(path) = &command.operator_key_file {
        check_key_file(path, &config.data_dir)?;
    }
    // Before the server is up: a signal in between must not be lost.
    let mut signals = Signals::new()?;
    let first = first_key(command.operator_key_file.clone());
    let mut running = start(config.clone(), first, &mut signals).await?;
    let key = running.take_operator_key();
    let announced = announce(out, &command, &config, &running, key.as_ref());
    drop(key);
    if announced.is_err() {
        running.shutdown().await;
        return announced.map(|()| Exit::Failed);
    }

    if !signals.received {
        signals.next().await;
    }
    out.json(&json!({ "event": "stopping" }))?;
    out.text("Stopping: finishing what is at work. Again to stop at once.")?;
    tokio::select! {
        () = running.shutdown() => {
            out.json(&json!({ "event": "stopped" }))?;
            out.text("Stopped.")?;
            Ok(Exit::Done)
        }
        // What was answered is synced already; the next start finishes what was not.
        () = signals.next() => Err(Failure::failed("stopped at once, as asked")),
    }
}

/// Starts. A signal meanwhile is heeded once the start is over: it may be the one that makes the
/// operator's key, which can be shown only then. A second one ends the process at once.
async fn start(config: Config, first: server::FirstKey, signals: &mut Signals) -> Result<server::Running, Failure> {
    let mut starting = tokio::spawn(server::start_with(config, first));
    loop {
        tokio::select! {
            started = &mut starting => {
                return started
                    .map_err(|_| Failure::failed("cannot start: the start was cut short"))?
                    .map_err(|error| Failure::failed(format!("cannot start: {}", causes(&error))));
            }
            () = signals.next() => {
                if signals.received {
                    return Err(Failure::failed("stopped at once, as asked"));
                }
                signals.received = true;
                remark("stopping as soon as it has started; again to stop at once");
            }
        }
    }
}

/// Tells where the server is, and how to talk to it.
fn announce(
    out: Output,
    command: &Command,
    config: &Config,
    running: &server::Running,
    key: Option<&Zeroizing<String>>,
) -> Result<(), Failure> {
    let address = running.address();
    let metrics = running.metrics_address().map(|address| format!("http://{address}/metrics"));
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let endpoint = format!("{scheme}://{address}");
    let mirrors: Vec<_> = config.mirror_paths().iter().map(|path| path.display().to_string()).collect();
    let backups = config.backup.path.as_ref().map(|path| path.display().to_string());
    let mut json = json!({
        "event": "listening",
        "endpoint": endpoint,
        "data_dir": config.data_dir.display().to_string(),
        "root_store": config.root.store.name(),
        "root_keys": config.roots_for_people(),
        "mirrors": mirrors,
        "backups": backups,
        "metrics": metrics,
    });
    if config.root.store == StoreKind::File {
        let replicas: Vec<_> = config.root_replicas().iter().map(|path| path.display().to_string()).collect();
        json["root_replicas"] = json!(replicas);
    }
    if let Some(from) = config.root.from {
        json["root_from"] = json!(from.name());
    }
    let mut card = Card::new(format!("lethe {} at {endpoint}", env!("CARGO_PKG_VERSION")))
        .row("data", config.data_dir.display())
        .row("root keys", config.roots_for_people())
        .row(
            "mirror",
            if mirrors.is_empty() { "none: what is lost cannot be restored".to_owned() } else { mirrors.join(", ") },
        )
        .row("backups", backups.unwrap_or_else(|| "none: there is no backup.path".to_owned()));
    card = card.maybe("metrics", metrics);
    if command.configuration.is_embedded() {
        card = card.row("configured by", "defaults, environment and flags; there is no lethe.toml");
    }
    let mut use_key = format!("  export {KEY_VARIABLE}=…");
    if let Some(key) = key {
        match command.operator_key_file.as_deref() {
            Some(path) => {
                json["operator_key_file"] = json!(path.display().to_string());
                card = card.row("operator key", format!("in {}", path.display()));
                use_key = format!("  export {KEY_VARIABLE}=$(cat {})", path.display());
            }
            None => {
                json["operator_key"] = json!(**key);
                card = card.row("operator key", "below; it is shown this once, keep it safe");
                use_key = format!("  export {KEY_VARIABLE}={}", **key);
            }
        }
    }
    out.result(&json, &card)?;
    let endpoint = match address.port() {
        7443 if config.tls.is_none() => String::new(),
        _ => format!("  export LETHE_ENDPOINT={endpoint}\n"),
    };
    out.text(&format!(
        "\nTalk to it:\n{endpoint}{use_key}\n  lethe tenant create acme --basis \
         authentication=contract --basis duplicate_detection=legitimate_interests\n  lethe --help\n\nCtrl-C stops it.",
    ))
}

/// Where a new vault's operator key comes from.
fn first_key(file: Option<PathBuf>) -> server::FirstKey {
    Box::new(move || file.as_deref().map_or_else(|| Ok(ApiKey::generate()), kept_in))
}

/// A key that is in its file, synced, before the vault knows it; the one that is there already, where an earlier first
/// start was cut short before the vault knew it. A power cut may have left the file's name, and nothing in it.
fn kept_in(path: &Path) -> io::Result<ApiKey> {
    match std::fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) if text.bytes().all(|byte| byte == 0) && path.symlink_metadata()?.is_file() => {
            std::fs::remove_file(path)?;
            kept_in(path)
        }
        Ok(text) => {
            let none = || io::Error::other(format!("{} holds no API key; remove it", path.display()));
            ApiKey::parse(text.trim()).ok_or_else(none)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = ApiKey::generate();
            write_private(path, &key.reveal())?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// Refuses a key file that the first start could not write.
fn check_key_file(path: &Path, data_dir: &Path) -> Result<(), Failure> {
    let first = std::fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
    if first { super::command::issued::check_new(path) } else { Ok(()) }
}

/// What ends a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Whether one came during the start.
    received: bool,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot await signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            received: false,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_key_is_in_its_file_before_it_is_used_and_the_same_after_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        let key = first_key(Some(path.clone()))().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), &**key.reveal());
        let again = first_key(Some(path.clone()))().unwrap();
        assert_eq!(again.reveal(), key.reveal());
        for nothing in [&[][..], &[0; 60]] {
            std::fs::write(&path, nothing).unwrap();
            let key = first_key(Some(path.clone()))().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), &**key.reveal());
        }
        std::fs::write(&path, &key.reveal()[..40]).unwrap();
        assert!(first_key(Some(path))().unwrap_err().to_string().contains("holds no API key"));
        assert!(first_key(Some(folder.path().join("nowhere/key")))().is_err());
    }
}
