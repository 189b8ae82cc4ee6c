//! Where root keys are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lethe_roots::pkcs11::Pkcs11Options;
use lethe_roots::tpm::TpmOptions;
use lethe_roots::transit::TransitOptions;

use super::Config;

/// A kind of root store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// Slots of a file, or of several that are replicas.
    #[default]
    File,
    /// A PKCS#11 token.
    Pkcs11,
    /// Transit keys of OpenBao or Vault.
    Transit,
    /// NV indices of a TPM 2.0.
    Tpm,
}

impl StoreKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::File, Self::Pkcs11, Self::Transit, Self::Tpm];

    /// What of it keeps vaults apart, and who comes second must choose.
    pub(crate) const fn apart(self) -> &'static str {
        match self {
            Self::File => "root.replicas",
            Self::Pkcs11 => "pkcs11.name",
            Self::Transit => "transit.name",
            Self::Tpm => "tpm.first_index",
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pkcs11 => "pkcs11",
            Self::Transit => "transit",
            Self::Tpm => "tpm",
        }
    }
}

/// The root store, and the one that the vault moves from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootConfig {
    /// Which store has the roots.
    pub store: StoreKind,
    /// Which store had them before: the vault moves with its next epoch, and this may go once it has.
    pub from: Option<StoreKind>,
    /// One file a replica, best on a device of its own each; empty: `root/vault.root` in the data folder. See
    /// [`super::Config::root_replicas`].
    pub replicas: Vec<PathBuf>,
    /// Where the replicas were, if the vault moves from files to other files.
    pub from_replicas: Vec<PathBuf>,
    /// A file of 32 random bytes that the file store's roots are additionally sealed under.
    pub credential_file: Option<PathBuf>,
    /// The same of the files that the vault moves from, if it moves from files to other files.
    pub from_credential_file: Option<PathBuf>,
    /// A file with a line of text that they are sealed under instead.
    pub passphrase_file: Option<PathBuf>,
    /// The same of the files that the vault moves from, if it moves from files to other files.
    pub from_passphrase_file: Option<PathBuf>,
    /// How often the root store is looked at while it is not needed, in seconds; 30 if not given. 1 to 86,400.
    pub probe_interval_s: Option<u64>,
}

impl RootConfig {
    /// How often the root store is looked at while it is not needed.
    pub(crate) fn probe_interval(&self) -> Duration {
        Duration::from_secs(self.probe_interval_s.unwrap_or(30))
    }
}

/// A PKCS#11 token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Config {
    /// The token's module, an absolute path to a shared library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Its serial number, if several tokens have that label.
    pub serial: Option<String>,
    /// File with the user PIN, mode 0600.
    pub pin_file: PathBuf,
    /// First word of the labels of what the vault puts into the token; `lethe` if none is given.
    pub name: Option<String>,
    /// The operator vouches that nobody backs the token up, and that it is in no cluster.
    pub stands_alone: bool,
}

/// The transit engine of OpenBao or Vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransitConfig {
    /// `https://host:port`; `http://` on loopback alone.
    pub address: String,
    /// PEM file with the authorities of the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// File with the token, mode 0600; read anew for every request.
    pub token_file: PathBuf,
    /// Namespace of the mounts.
    pub namespace: Option<String>,
    /// Where the transit engine is mounted; `transit` if not given.
    pub mount: Option<String>,
    /// Where a KV engine of version 2 is mounted; `secret` if not given.
    pub kv_mount: Option<String>,
    /// Prefix of everything that the vault makes there; `lethe` if not given.
    pub name: Option<String>,
}

/// A TPM 2.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TpmConfig {
    /// How it is reached, as the TSS library names it; `device:/dev/tpmrm0` if not given.
    pub tcti: Option<String>,
    /// File with the secret that authorises the indices: mode 0600, 32 random bytes or more.
    pub auth_file: PathBuf,
    /// File with the owner authorisation, if the TPM has one.
    pub owner_auth_file: Option<PathBuf>,
    /// The first of nine NV indices; 0x018a4c00 if not given.
    pub first_index: Option<u32>,
    /// The least time between two epochs, in seconds; 3600 if not given: NV memory wears out.
    pub min_interval_s: Option<u64>,
}

/// The file store of a configuration: its files, and what they are sealed under.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files<'a> {
    pub(crate) replicas: Vec<PathBuf>,
    pub(crate) seal: SealFile<'a>,
}

/// Where it stands what roots in files are sealed under besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealFile<'a> {
    None,
    Credential(&'a Path),
    Passphrase(&'a Path),
}

impl<'a> SealFile<'a> {
    /// One of the two, as [`super::Config`] is checked not to have both.
    fn of(credential: Option<&'a PathBuf>, passphrase: Option<&'a PathBuf>) -> Self {
        match (credential, passphrase) {
            (Some(path), _) => Self::Credential(path),
            (None, Some(path)) => Self::Passphrase(path),
            (None, None) => Self::None,
        }
    }
}

impl Config {
    /// The files of `root.store`.
    pub(crate) fn files(&self) -> Files<'_> {
        let root = &self.root;
        let seal = SealFile::of(root.credential_file.as_ref(), root.passphrase_file.as_ref());
        Files { replicas: self.root_replicas(), seal }
    }

    /// The files of `root.from`. They have keys of their own only to tell them from those of `root.store`.
    pub(crate) fn files_before(&self) -> Files<'_> {
        let root = &self.root;
        let replicas = if root.from_replicas.is_empty() { &root.replicas } else { &root.from_replicas };
        let own = SealFile::of(root.from_credential_file.as_ref(), root.from_passphrase_file.as_ref());
        let seal = match (own, root.store) {
            // Nothing else that it could be said of.
            (SealFile::None, StoreKind::Pkcs11 | StoreKind::Transit | StoreKind::Tpm) => self.files().seal,
            (own, _) => own,
        };
        Files { replicas: self.replicas_or_default(replicas), seal }
    }

    /// Where roots are, for people.
    pub(crate) fn roots_for_people(&self) -> String {
        let place = self.place(self.root.store, &self.files());
        match self.root.from {
            Some(from) => format!("{place}; coming from {}", self.place(from, &self.files_before())),
            None => place,
        }
    }

    fn place(&self, kind: StoreKind, files: &Files<'_>) -> String {
        match kind {
            StoreKind::File => {
                let files: Vec<_> = files.replicas.iter().map(|path| path.display().to_string()).collect();
                files.join(", ")
            }
            StoreKind::Pkcs11 => {
                let options = self.pkcs11.options(&self.data_dir);
                format!("PKCS#11 token {:?} of {}, as {}", options.token, options.module.display(), options.name)
            }
            StoreKind::Transit => {
                let options = self.transit.options();
                format!("transit keys {}-* at {}, mount {}", options.name, options.address, options.transit_mount)
            }
            StoreKind::Tpm => {
                let options = self.tpm.options();
                format!("TPM {}, NV indices from {:#010x}", options.tcti, options.first_index)
            }
        }
    }
}

impl Pkcs11Config {
    pub(crate) fn options(&self, data_dir: &Path) -> Pkcs11Options {
        let defaults = Pkcs11Options::new(&self.module, &self.token, &self.pin_file);
        Pkcs11Options {
            serial: self.serial.clone(),
            name: self.name.clone().unwrap_or(defaults.name),
            stands_alone: self.stands_alone,
            refusals: Some(data_dir.join("pin.refused")),
            ..defaults
        }
    }
}

impl TransitConfig {
    pub(crate) fn options(&self) -> TransitOptions {
        let defaults = TransitOptions::new(&self.address, &self.token_file);
        TransitOptions {
            ca_file: self.ca_file.clone(),
            namespace: self.namespace.clone(),
            transit_mount: self.mount.clone().unwrap_or(defaults.transit_mount),
            kv_mount: self.kv_mount.clone().unwrap_or(defaults.kv_mount),
            name: self.name.clone().unwrap_or(defaults.name),
            ..defaults
        }
    }
}

impl TpmConfig {
    pub(crate) fn options(&self) -> TpmOptions {
        let defaults = TpmOptions::new(&self.auth_file);
        TpmOptions {
            tcti: self.tcti.clone().unwrap_or(defaults.tcti),
            owner_auth_file: self.owner_auth_file.clone(),
            first_index: self.first_index.unwrap_or(defaults.first_index),
            min_interval: self.min_interval_s.map_or(defaults.min_interval, Duration::from_secs),
            ..defaults
        }
    }
}
