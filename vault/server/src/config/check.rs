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
        range("limits.templates", limits.templates, 1..=1024),
        range("limits.concurrency", limits.concurrency, 1..=65_536),
        range("limits.deadline_ms", limits.deadline_ms, 100..=600_000),
        range("limits.batch_in_flight", limits.batch_in_flight, 1..=65_536),
        range("limits.queue", limits.queue, 1..=1 << 20),
        range("storage.cache_mib", config.storage.cache_mib, 8..=1 << 20),
        range("storage.reserve_mib", config.storage.reserve_mib, 16..=65_536),
        range("erasure.window_ms", config.erasure.window_ms, 0..=10_000),
        config.search.threads.and_then(|threads| range("search.threads", threads, 1..=1024)),
    ];
    for (key, reason) in ranges.into_iter().flatten() {
        refuse(key, reason);
    }

    if config.data_dir.as_os_str().is_empty() {
        refuse("data_dir", "is empty; name a folder".into());
    }
    for (key, reason) in missing_of_stores(config) {
        refuse(key, reason);
    }
    let mirrors = config.mirror.paths.as_deref().unwrap_or_default();
    for (key, paths) in [("root.replicas", config.root.replicas.as_slice()), ("mirror.paths", mirrors)] {
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

/// What the stores that are named need, and is not there.
fn missing_of_stores(config: &Config) -> Vec<(&'static str, String)> {
    let mut missing = Vec::new();
    let mut need = |key, empty: bool| {
        if empty {
            missing.push((key, "is missing; the root store needs it".to_owned()));
        }
    };
    for kind in [Some(config.root.store), config.root.from].into_iter().flatten() {
        match kind {
            StoreKind::File => {}
            StoreKind::Pkcs11 => {
                need("pkcs11.module", config.pkcs11.module.as_os_str().is_empty());
                need("pkcs11.token", config.pkcs11.token.is_empty());
                need("pkcs11.pin_file", config.pkcs11.pin_file.as_os_str().is_empty());
            }
            StoreKind::Transit => {
                need("transit.address", config.transit.address.is_empty());
                need("transit.token_file", config.transit.token_file.as_os_str().is_empty());
            }
            StoreKind::Tpm => need("tpm.auth_file", config.tpm.auth_file.as_os_str().is_empty()),
        }
    }
    if config.root.from == Some(config.root.store)
        && (config.root.store != StoreKind::File || config.root.from_replicas.is_empty())
    {
        missing.push((
            "root.from",
            "is the store that the roots are in; to move between files, name root.from_replicas".to_owned(),
        ));
    }
    missing
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
