//! Ranges, and what keys ask of each other.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::{Config, StoreKind};

/// A rule that a configuration breaks.
pub(super) struct Violation {
    pub(super) key: &'static str,
    pub(super) reason: String,
}

/// Every rule that `config` breaks.
pub(super) fn violations(config: &Config) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut refuse = |key, reason| found.push(Violation { key, reason });

    let limits = &config.limits;
    let ranges = [
        range("limits.message_bytes", limits.message_bytes, 64 << 10..=64 << 20),
        range("limits.connections", limits.connections, 1..=65_536),
        range("limits.connection_age_ms", limits.connection_age_ms, 1_000..=86_400_000),
        range("limits.templates", limits.templates, 1..=1024),
        range("limits.concurrency", limits.concurrency, 1..=65_536),
        range("limits.deadline_ms", limits.deadline_ms, 100..=600_000),
        range("limits.batch_in_flight", limits.batch_in_flight, 1..=65_536),
        range("limits.queue", limits.queue, 1..=1 << 20),
        range("storage.cache_mib", config.storage.cache_mib, 8..=1 << 20),
        range("storage.reserve_mib", config.storage.reserve_mib, 16..=65_536),
        range("erasure.window_ms", config.erasure.window_ms, 0..=10_000),
        range("erasure.least_interval_ms", config.erasure.least_interval_ms, 0..=3_600_000),
        range("retention.interval_s", config.retention.interval_s, 1..=86_400),
        range("approvals.lifetime_ms", config.approvals.lifetime_ms, 1_000..=30 * 86_400_000),
        config.root.probe_interval_s.and_then(|seconds| range("root.probe_interval_s", seconds, 1..=86_400)),
        config.search.threads.and_then(|threads| range("search.threads", threads, 1..=1024)),
        config.search.memory.and_then(|bytes| range("search.memory_mib", bytes >> 20, 16..=1 << 20)),
    ];
    for (key, reason) in ranges.into_iter().flatten() {
        refuse(key, reason);
    }

    if !(1..=255).contains(&config.attestation.audience.chars().count()) {
        refuse("attestation.audience", "is not 1 to 255 characters long".into());
    }
    if config.data_dir.as_os_str().is_empty() {
        refuse("data_dir", "is empty; name a folder".into());
    }
    for (key, reason) in violations_of_stores(config) {
        refuse(key, reason);
    }
    let mirrors = config.mirror.paths.as_deref().unwrap_or_default();
    let (replicas, before) = (config.root.replicas.as_slice(), config.root.from_replicas.as_slice());
    for (key, paths) in [("root.replicas", replicas), ("root.from_replicas", before), ("mirror.paths", mirrors)] {
        let mut known = HashSet::new();
        for path in paths {
            if path.as_os_str().is_empty() {
                refuse(key, "has an empty path".into());
            } else if !known.insert(path) {
                refuse(key, format!("names {} twice", path.display()));
            }
        }
    }
    if let Some(reason) = config.backup.path.as_deref().and_then(|path| misplaced(config, path)) {
        refuse("backup.path", reason);
    }
    if let Err(error) = EnvFilter::try_new(&config.log.filter) {
        refuse("log.filter", format!("is no filter: {error}"));
    }
    // O35: quantities of a whole vault are for whoever runs it. Nobody is asked for a key there.
    if let Some(address) = config.metrics.listen.filter(|address| !address.ip().is_loopback()) {
        let why = format!(
            "{address} is not a loopback address, and whoever reaches metrics reads them; listen on 127.0.0.1 and have \
             something on this machine pass them on"
        );
        refuse("metrics.listen", why);
    }
    if config.access.identity_providers.as_deref().is_some_and(|path| path.as_os_str().is_empty()) {
        refuse("access.identity_providers", "is empty; name a file, or leave it out".into());
    }
    // O31: people cannot show what the server does not ask of anybody.
    let client_ca = config.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    if config.asks_second_factor() && client_ca.is_none() && config.access.identity_providers.is_none() {
        let by_default = if config.access.second_factor.is_none() { " (which it is beyond loopback)" } else { "" };
        let why = format!(
            "is required{by_default}, and tls.client_ca names no authority of client certificates, nor access.identity_providers \
             whose logins are believed; set one of them, or access.second_factor to off"
        );
        refuse("access.second_factor", why);
    }
    if client_ca.is_none() && config.tls.as_ref().is_some_and(|tls| tls.client_optional) {
        refuse("tls.client_optional", "has no use without tls.client_ca".into());
    }
    match &config.tls {
        Some(tls) => {
            for (key, path) in [("tls.cert", &tls.cert), ("tls.key", &tls.key)] {
                if path.as_os_str().is_empty() {
                    refuse(key, "is missing; TLS needs a certificate and its key".into());
                }
            }
        }
        // O30: encrypted in transit. Templates and keys do not cross a network in the clear.
        None if !config.listen.ip().is_loopback() => refuse(
            "listen",
            format!(
                "{} is not a loopback address, and plaintext is for loopback alone; set tls.cert and \
                 tls.key, or listen on 127.0.0.1",
                config.listen
            ),
        ),
        None => {}
    }
    found
}

/// What is wrong with the stores that are named, and with how the vault moves between them.
fn violations_of_stores(config: &Config) -> Vec<(&'static str, String)> {
    let root = &config.root;
    let mut found = Vec::new();
    for kind in [Some(root.store), root.from].into_iter().flatten() {
        let missing = missing(config, kind);
        if missing.is_empty() {
            found.extend(unfit(config, kind));
        }
        found.extend(missing.into_iter().map(|key| (key, format!("is missing; root store {} needs it", kind.name()))));
    }
    if root.from == Some(root.store) {
        if root.store != StoreKind::File {
            found.push(("root.from", "is the store that the roots are to be in".to_owned()));
        } else if root.from_replicas.is_empty() {
            let why = "is the store that the roots are to be in; to move between files, name root.from_replicas";
            found.push(("root.from", why.to_owned()));
        } else if let Some(path) =
            config.files_before().replicas.iter().find(|path| config.root_replicas().contains(path))
        {
            found.push(("root.from_replicas", format!("names {}, which root.replicas names, too", path.display())));
        }
    }
    if root.from != Some(StoreKind::File) {
        let without_use = "has no use: it tells of files that the vault moves from, and root.from is not file";
        if !root.from_replicas.is_empty() {
            found.push(("root.from_replicas", without_use.to_owned()));
        }
        if root.from_credential_file.is_some() {
            found.push(("root.from_credential_file", without_use.to_owned()));
        }
        if root.from_passphrase_file.is_some() {
            found.push(("root.from_passphrase_file", without_use.to_owned()));
        }
    }
    for (credential, passphrase, key, other) in [
        (&root.credential_file, &root.passphrase_file, "root.passphrase_file", "root.credential_file"),
        (
            &root.from_credential_file,
            &root.from_passphrase_file,
            "root.from_passphrase_file",
            "root.from_credential_file",
        ),
    ] {
        if credential.is_some() && passphrase.is_some() {
            found.push((key, format!("and {other} exclude each other: files are sealed under one of them")));
        }
    }
    found
}

/// Keys that a store cannot do without, and that are empty.
fn missing(config: &Config, kind: StoreKind) -> Vec<&'static str> {
    let needed = match kind {
        StoreKind::File => Vec::new(),
        StoreKind::Pkcs11 => vec![
            ("pkcs11.module", config.pkcs11.module.as_os_str().is_empty()),
            ("pkcs11.token", config.pkcs11.token.is_empty()),
            ("pkcs11.pin_file", config.pkcs11.pin_file.as_os_str().is_empty()),
        ],
        StoreKind::Transit => vec![
            ("transit.address", config.transit.address.is_empty()),
            ("transit.token_file", config.transit.token_file.as_os_str().is_empty()),
        ],
        StoreKind::Tpm => vec![("tpm.auth_file", config.tpm.auth_file.as_os_str().is_empty())],
    };
    needed.into_iter().filter_map(|(key, empty)| empty.then_some(key)).collect()
}

/// What a store itself refuses of its options, without being opened.
fn unfit(config: &Config, kind: StoreKind) -> Option<(&'static str, String)> {
    let checked = match kind {
        StoreKind::File => Ok(()),
        StoreKind::Pkcs11 => config.pkcs11.options(&config.data_dir).check(),
        StoreKind::Transit => config.transit.options().check(),
        StoreKind::Tpm => config.tpm.options().check(),
    };
    let fault = checked.err()?;
    let Some(lethe_roots::Error::Options { option, why }) =
        std::error::Error::source(&fault).and_then(|source| source.downcast_ref())
    else {
        return Some(("root.store", fault.to_string()));
    };
    let key = match (kind, *option) {
        (StoreKind::Pkcs11, "the PKCS#11 module") => "pkcs11.module",
        (StoreKind::Pkcs11, "the token's label") => "pkcs11.token",
        (StoreKind::Transit, "the address") => "transit.address",
        (StoreKind::Transit, "the CA file") => "transit.ca_file",
        (StoreKind::Transit, "the namespace") => "transit.namespace",
        (StoreKind::Transit, "the transit mount") => "transit.mount",
        (StoreKind::Transit, "the KV mount") => "transit.kv_mount",
        (StoreKind::Tpm, "the TCTI") => "tpm.tcti",
        (kind, _) => kind.apart(),
    };
    Some((key, why.clone()))
}

/// What is wrong with where backups are to go. They have files and folders of their own, and must not lie among others.
fn misplaced(config: &Config, path: &Path) -> Option<String> {
    if path.as_os_str().is_empty() {
        return Some("is empty; name a folder, or leave it out".into());
    }
    if config.data_dir.starts_with(path) {
        return Some(format!("{} is the data folder, or around it; name a folder of its own", path.display()));
    }
    let taken = config.mirror_paths().into_iter().chain([config.data_dir.join("db"), config.data_dir.join("root")]);
    let mut clash = taken.filter(|taken| path.starts_with(taken) || taken.starts_with(path));
    clash.next().map(|taken| format!("{} and {} lie in each other", path.display(), taken.display()))
}

fn range<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    allowed: RangeInclusive<T>,
) -> Option<(&'static str, String)> {
    if allowed.contains(&value) {
        return None;
    }
    Some((key, format!("{value} is out of range, {} to {}", allowed.start(), allowed.end())))
}
