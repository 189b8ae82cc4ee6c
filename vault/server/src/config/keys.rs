//! Every key there is, and how its value gets into a [`Config`].

use std::net::SocketAddr;

use lethe_domain::Region;

use super::value::{Reason, Value};
use super::{Config, LogFormat, SecondFactorRule, StoreKind};

/// A key.
pub(super) struct Key {
    /// Its full name, such as `limits.concurrency`.
    pub(super) name: &'static str,
    /// Reads a value into the configuration. Ranges are checked once all layers are in.
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), Reason>,
}

/// All keys, by section.
pub(super) const KEYS: &[Key] = &[
    Key { name: "listen", set: |config, value| address(value).map(|v| config.listen = v) },
    Key { name: "data_dir", set: |config, value| value.path().map(|v| config.data_dir = v) },
    Key {
        name: "region",
        set: |config, value| {
            let region = Region::parse("region", value.text()?).map_err(|refused| refused.message)?;
            config.region = Some(region);
            Ok(())
        },
    },
    Key {
        name: "root.replicas",
        set: |config, value| {
            let replicas = value.paths()?;
            if replicas.is_empty() {
                return Err("is empty; root keys must be kept somewhere".into());
            }
            config.root.replicas = replicas;
            Ok(())
        },
    },
    Key { name: "root.store", set: |config, value| store_kind(value).map(|v| config.root.store = v) },
    Key { name: "root.from", set: |config, value| store_kind(value).map(|v| config.root.from = Some(v)) },
    Key { name: "root.from_replicas", set: |config, value| value.paths().map(|v| config.root.from_replicas = v) },
    Key {
        name: "root.credential_file",
        set: |config, value| value.path().map(|v| config.root.credential_file = Some(v)),
    },
    Key {
        name: "root.from_credential_file",
        set: |config, value| value.path().map(|v| config.root.from_credential_file = Some(v)),
    },
    Key {
        name: "root.probe_interval_s",
        set: |config, value| value.number().map(|v| config.root.probe_interval_s = Some(v)),
    },
    Key {
        name: "root.passphrase_file",
        set: |config, value| value.path().map(|v| config.root.passphrase_file = Some(v)),
    },
    Key {
        name: "root.from_passphrase_file",
        set: |config, value| value.path().map(|v| config.root.from_passphrase_file = Some(v)),
    },
    Key { name: "pkcs11.module", set: |config, value| value.path().map(|v| config.pkcs11.module = v) },
    Key { name: "pkcs11.token", set: |config, value| value.owned().map(|v| config.pkcs11.token = v) },
    Key { name: "pkcs11.serial", set: |config, value| value.owned().map(|v| config.pkcs11.serial = Some(v)) },
    Key { name: "pkcs11.pin_file", set: |config, value| value.path().map(|v| config.pkcs11.pin_file = v) },
    Key { name: "pkcs11.name", set: |config, value| value.owned().map(|v| config.pkcs11.name = Some(v)) },
    Key { name: "pkcs11.stands_alone", set: |config, value| value.flag().map(|v| config.pkcs11.stands_alone = v) },
    Key { name: "transit.address", set: |config, value| value.owned().map(|v| config.transit.address = v) },
    Key { name: "transit.ca_file", set: |config, value| value.path().map(|v| config.transit.ca_file = Some(v)) },
    Key { name: "transit.token_file", set: |config, value| value.path().map(|v| config.transit.token_file = v) },
    Key { name: "transit.namespace", set: |config, value| value.owned().map(|v| config.transit.namespace = Some(v)) },
    Key { name: "transit.mount", set: |config, value| value.owned().map(|v| config.transit.mount = Some(v)) },
    Key { name: "transit.kv_mount", set: |config, value| value.owned().map(|v| config.transit.kv_mount = Some(v)) },
    Key { name: "transit.name", set: |config, value| value.owned().map(|v| config.transit.name = Some(v)) },
    Key { name: "tpm.tcti", set: |config, value| value.owned().map(|v| config.tpm.tcti = Some(v)) },
    Key { name: "tpm.auth_file", set: |config, value| value.path().map(|v| config.tpm.auth_file = v) },
    Key {
        name: "tpm.owner_auth_file",
        set: |config, value| value.path().map(|v| config.tpm.owner_auth_file = Some(v)),
    },
    Key { name: "tpm.first_index", set: |config, value| value.number().map(|v| config.tpm.first_index = Some(v)) },
    Key {
        name: "tpm.min_interval_s",
        set: |config, value| value.number().map(|v| config.tpm.min_interval_s = Some(v)),
    },
    Key { name: "mirror.paths", set: |config, value| value.paths().map(|v| config.mirror.paths = Some(v)) },
    Key { name: "backup.path", set: |config, value| value.path().map(|v| config.backup.path = Some(v)) },
    Key { name: "metrics.listen", set: |config, value| address(value).map(|v| config.metrics.listen = Some(v)) },
    Key { name: "tls.cert", set: |config, value| value.path().map(|v| config.tls.get_or_insert_default().cert = v) },
    Key { name: "tls.key", set: |config, value| value.path().map(|v| config.tls.get_or_insert_default().key = v) },
    Key {
        name: "tls.client_ca",
        set: |config, value| value.path().map(|v| config.tls.get_or_insert_default().client_ca = Some(v)),
    },
    Key {
        name: "tls.client_optional",
        set: |config, value| value.flag().map(|v| config.tls.get_or_insert_default().client_optional = v),
    },
    Key { name: "limits.message_bytes", set: |config, value| value.number().map(|v| config.limits.message_bytes = v) },
    Key { name: "limits.connections", set: |config, value| value.number().map(|v| config.limits.connections = v) },
    Key {
        name: "limits.connection_age_ms",
        set: |config, value| value.number().map(|v| config.limits.connection_age_ms = v),
    },
    Key { name: "limits.templates", set: |config, value| value.number().map(|v| config.limits.templates = v) },
    Key { name: "limits.concurrency", set: |config, value| value.number().map(|v| config.limits.concurrency = v) },
    Key { name: "limits.deadline_ms", set: |config, value| value.number().map(|v| config.limits.deadline_ms = v) },
    Key {
        name: "limits.batch_in_flight",
        set: |config, value| value.number().map(|v| config.limits.batch_in_flight = v),
    },
    Key { name: "limits.queue", set: |config, value| value.number().map(|v| config.limits.queue = v) },
    Key { name: "storage.cache_mib", set: |config, value| value.number().map(|v| config.storage.cache_mib = v) },
    Key { name: "storage.reserve_mib", set: |config, value| value.number().map(|v| config.storage.reserve_mib = v) },
    Key { name: "erasure.window_ms", set: |config, value| value.number().map(|v| config.erasure.window_ms = v) },
    Key {
        name: "erasure.least_interval_ms",
        set: |config, value| value.number().map(|v| config.erasure.least_interval_ms = v),
    },
    Key { name: "retention.interval_s", set: |config, value| value.number().map(|v| config.retention.interval_s = v) },
    Key {
        name: "retention.clock_right_until",
        set: |config, value| value.time().map(|v| config.retention.clock_right_until = Some(v)),
    },
    Key { name: "search.threads", set: |config, value| value.number().map(|v| config.search.threads = Some(v)) },
    Key {
        name: "search.memory_mib",
        set: |config, value| value.number().map(|v: u64| config.search.memory = Some(v.saturating_mul(1 << 20))),
    },
    Key {
        name: "approvals.lifetime_ms",
        set: |config, value| value.number().map(|v| config.approvals.lifetime_ms = v),
    },
    Key {
        name: "access.second_factor",
        set: |config, value| {
            config.access.second_factor = Some(match value.text()? {
                "required" => SecondFactorRule::Required,
                "off" => SecondFactorRule::Off,
                _ => return Err("expected `required` or `off`".into()),
            });
            Ok(())
        },
    },
    Key {
        name: "access.identity_providers",
        set: |config, value| value.path().map(|v| config.access.identity_providers = Some(v)),
    },
    Key { name: "attestation.audience", set: |config, value| value.owned().map(|v| config.attestation.audience = v) },
    Key {
        name: "log.format",
        set: |config, value| {
            config.log.format = match value.text()? {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("expected `text` or `json`".into()),
            };
            Ok(())
        },
    },
    Key { name: "log.filter", set: |config, value| value.text().map(|v| config.log.filter = v.to_owned()) },
];

fn address(value: &Value<'_>) -> Result<SocketAddr, Reason> {
    let wanted = "expected an IP address and a port, such as 127.0.0.1:7443 or [::1]:7443";
    value.text()?.parse().map_err(|_| wanted.into())
}

fn store_kind(value: &Value<'_>) -> Result<StoreKind, Reason> {
    let name = value.text()?;
    let known = StoreKind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| format!("expected one of {}", StoreKind::ALL.map(StoreKind::name).join(", ")))
}

/// The key of a name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether some key belongs to this section.
pub(super) fn is_section(name: &str) -> bool {
    !name.is_empty() && KEYS.iter().any(|key| section(key.name) == name)
}

/// What to answer for a name that no key has: the keys of the same section, or everything at the top.
pub(super) fn unknown(name: &str) -> Reason {
    let near = section(name);
    let known: Vec<_> = if is_section(near) {
        KEYS.iter().filter(|key| section(key.name) == near).map(|key| key.name).collect()
    } else {
        let mut top: Vec<_> =
            KEYS.iter().map(|key| key.name.split_once('.').map_or(key.name, |(section, _)| section)).collect();
        top.dedup();
        top
    };
    format!("there is no such key; there are {}", known.join(", "))
}

fn section(name: &str) -> &str {
    name.split_once('.').map_or("", |(section, _)| section)
}
