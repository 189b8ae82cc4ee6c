//! The configuration's flags, above all other layers.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Failure;
use crate::config::{Config, DEFAULT_FILE, Loader};

/// Where the configuration comes from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct Configuration {
    /// Configuration file. lethe.toml in the current folder, if there is one and none is named.
    #[arg(long, env = "LETHE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where to listen, such as 127.0.0.1:7443; beyond loopback only with TLS.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<OsString>,

    /// Folder of the vault; created if missing. ./lethe-data by default.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<OsString>,

    /// File that root keys are kept in, best on a device of its own; give it several times for replicas. Where roots are
    /// in a token, a key server or a TPM (root.store), it is not used.
    #[arg(long, value_name = "FILE")]
    root_replica: Vec<OsString>,

    /// Certificate chain, PEM.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<OsString>,

    /// Private key of the certificate, PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<OsString>,

    /// Authorities of client certificates, PEM; clients without one of theirs are refused.
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<OsString>,

    /// Form of the log's lines: text or json.
    #[arg(long, value_name = "FORM")]
    log_format: Option<OsString>,

    /// Which events are logged, such as info or warn,lethe_vault=debug.
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<OsString>,

    /// Any key of the configuration, such as limits.concurrency=64; give it several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Configuration {
    /// Puts all layers together: defaults, file, environment, flags.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let loader = match &self.config {
            Some(path) => Loader::new().file(path),
            None => Loader::new().file_if_present(Path::new(DEFAULT_FILE)),
        };
        let mut loader = loader.environment(std::env::vars_os());
        for assignment in &self.set {
            let (key, value) = assignment.split_once('=').ok_or_else(|| Failure::usage("--set: write KEY=VALUE"))?;
            loader = loader.set("--set", key, OsStr::new(value));
        }
        let replicas = match self.root_replica.as_slice() {
            [] => None,
            replicas => Some(
                std::env::join_paths(replicas)
                    .map_err(|_| Failure::usage("--root-replica: a path with a colon can only stand in a file"))?,
            ),
        };
        let flags = [
            ("--listen", "listen", &self.listen),
            ("--data-dir", "data_dir", &self.data_dir),
            ("--root-replica", "root.replicas", &replicas),
            ("--tls-cert", "tls.cert", &self.tls_cert),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--tls-client-ca", "tls.client_ca", &self.tls_client_ca),
            ("--log-format", "log.format", &self.log_format),
            ("--log-filter", "log.filter", &self.log_filter),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                loader = loader.set(flag, key, value);
            }
        }
        loader.finish().map_err(|error| Failure::usage(error.to_string()))
    }

    /// Whether flags say where roots are.
    pub(super) fn names_roots(&self) -> bool {
        !self.root_replica.is_empty() || self.set.iter().any(|assignment| assignment.starts_with("root."))
    }

    /// Whether nothing but defaults is in play as far as flags and files go.
    pub(super) fn is_embedded(&self) -> bool {
        self.config.is_none() && !Path::new(DEFAULT_FILE).exists()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::exit::Exit;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        configuration: Configuration,
    }

    fn load(arguments: &[&str]) -> Result<Config, Failure> {
        Line::parse_from(["lethe"].iter().chain(arguments)).configuration.load()
    }

    #[test]
    fn flags_stand_above_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\n[limits]\nqueue = 1\nconcurrency = 1").unwrap();
        let file = file.to_str().unwrap();
        let config = load(&[
            "--config",
            file,
            "--listen",
            "[::1]:2",
            "--set",
            "limits.queue=2",
            "--root-replica",
            "a",
            "--root-replica",
            "b",
        ])
        .unwrap();
        assert_eq!(config.listen, "[::1]:2".parse().unwrap());
        assert_eq!((config.limits.queue, config.limits.concurrency), (2, 1));
        assert_eq!(config.root_replicas(), [Path::new("a"), Path::new("b")]);
    }

    #[test]
    fn a_bad_flag_is_a_usage_error_that_names_it() {
        for (arguments, part) in [
            (["--listen", "0.0.0.0:7443"], "--listen"),
            (["--set", "limits.nothing=1"], "limits.nothing"),
            (["--set", "limits.queue"], "KEY=VALUE"),
            (["--log-format", "xml"], "log.format"),
            (["--config", "/nonexistent"], "/nonexistent"),
        ] {
            let failure = load(&arguments).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(part), "{failure}");
        }
    }
}
