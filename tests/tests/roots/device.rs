//! Where a vault's roots are, and how a server is told.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use lethe_roots_testing::{Bao, LABEL, SECRET, SoftHsm, Swtpm, module};
use lethe_tests::Setup;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A root store, empty at first.
pub(crate) enum Device {
    Files(Files),
    Token(SoftHsm),
    Server(Box<Bao>),
    Tpm(Swtpm),
}

/// A file store on a folder of its own, as on a medium of its own.
pub(crate) struct Files {
    folder: TempDir,
    /// Key of the configuration, and the file that its roots are sealed under.
    seal: Option<(&'static str, PathBuf)>,
}

/// Keys of the configuration that say where roots are.
const KEYS: [&str; 8] = [
    "root.store",
    "root.from",
    "root.replicas",
    "root.from_replicas",
    "root.credential_file",
    "root.from_credential_file",
    "root.passphrase_file",
    "root.from_passphrase_file",
];

impl Device {
    pub(crate) fn files() -> Self {
        Self::files_in(tempfile::tempdir().unwrap())
    }

    pub(crate) fn files_in(folder: TempDir) -> Self {
        Self::Files(Files { folder, seal: None })
    }

    /// Files whose roots are sealed under a credential, which lies elsewhere.
    pub(crate) fn sealed_files(credential: PathBuf) -> Self {
        Self::Files(Files { folder: tempfile::tempdir().unwrap(), seal: Some(("credential_file", credential)) })
    }

    /// Files whose roots are sealed under a passphrase, which lies elsewhere.
    pub(crate) fn files_with_passphrase(passphrase: PathBuf) -> Self {
        Self::Files(Files { folder: tempfile::tempdir().unwrap(), seal: Some(("passphrase_file", passphrase)) })
    }

    pub(crate) fn token() -> Self {
        Self::Token(SoftHsm::new())
    }

    /// A copy of a file with all that is in it, as of a snapshot.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::files();
        std::fs::copy(self.file().unwrap(), copy.file().unwrap()).unwrap();
        copy
    }

    /// A server that is fast, and forgets everything when it is stopped.
    pub(crate) fn server() -> Self {
        Self::Server(Box::new(Bao::in_memory()))
    }

    /// A server that may be stopped.
    pub(crate) fn server_on_disk() -> Self {
        Self::Server(Box::new(Bao::on_disk()))
    }

    pub(crate) fn tpm() -> Self {
        Self::Tpm(Swtpm::new())
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "file",
            Self::Token(_) => "pkcs11",
            Self::Server(_) => "transit",
            Self::Tpm(_) => "tpm",
        }
    }

    /// Its kind in receipts.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Tpm(_) => "tpm2",
            Self::Files(_) | Self::Token(_) | Self::Server(_) => self.name(),
        }
    }

    /// What it must say of its medium; of a file that depends on the machine.
    pub(crate) fn statements(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Files(_) => None,
            Self::Token(_) => Some(&["ROOT_STORE_KEEPS_BACKUPS", "ROOT_DEVICE_VIRTUAL", "ROOT_STORE_RETAINS_DELETED"]),
            Self::Server(_) => Some(&["ROOT_STORE_KEEPS_BACKUPS", "ROOT_STORE_RETAINS_DELETED"]),
            Self::Tpm(_) => Some(&["WEAR_LEVELLING_POSSIBLE", "ROOT_DEVICE_VIRTUAL", "ROOT_STORE_RETAINS_DELETED"]),
        }
    }

    /// May two have it open at once?
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Server(_))
    }

    /// A server that has its roots here.
    pub(crate) fn alone(&self, setup: Setup) -> Setup {
        let setup = KEYS.iter().fold(setup.without_replicas(), |setup, key| setup.unset(key));
        self.described(setup.set("root.store", self.name()), "root.")
    }

    /// A server whose roots come here from another store.
    pub(crate) fn coming_from(&self, other: &Self, setup: Setup) -> Setup {
        let setup = self.alone(setup).set("root.from", other.name());
        other.described(setup, "root.from_")
    }

    fn described(&self, setup: Setup, prefix: &str) -> Setup {
        match self {
            Self::Files(files) => {
                let setup = setup.set(&format!("{prefix}replicas"), files.path().display());
                let seal =
                    |setup: Setup, (key, path): &(&str, PathBuf)| setup.set(&format!("{prefix}{key}"), path.display());
                files.seal.iter().fold(setup, seal)
            }
            Self::Token(token) => setup
                .set("pkcs11.module", module().display())
                .set("pkcs11.token", LABEL)
                .set("pkcs11.pin_file", token.pin_file().display())
                .env("SOFTHSM2_CONF", &token.configuration().display().to_string()),
            Self::Server(bao) => setup
                .set("transit.address", format!("http://127.0.0.1:{}", bao.port()))
                .set("transit.token_file", bao.token_file().display()),
            Self::Tpm(tpm) => setup
                .set("tpm.tcti", tpm.tcti())
                .set("tpm.auth_file", tpm.auth_file().display())
                .set("tpm.min_interval_s", 0)
                .env("TSS2_LOG", "all+none"),
        }
    }

    /// Nobody reaches it any more.
    pub(crate) fn take_away(&mut self) {
        match self {
            Self::Files(_) => panic!("an open file cannot be taken away"),
            Self::Token(token) => token.take_away(),
            Self::Server(bao) => bao.kill(),
            Self::Tpm(tpm) => tpm.kill(),
        }
    }

    /// It is there again, with everything it had.
    pub(crate) fn bring_back(&mut self) {
        match self {
            Self::Files(_) => panic!("a file was never away"),
            Self::Token(token) => token.bring_back(),
            Self::Server(bao) => {
                bao.start();
                bao.unseal();
            }
            Self::Tpm(tpm) => tpm.start(),
        }
    }

    /// What the log says while it is away.
    pub(crate) fn complaint(&self) -> &'static str {
        match self {
            Self::Files(_) => "",
            Self::Token(_) => "the PKCS#11 module does not start",
            Self::Server(_) => "is the server up",
            Self::Tpm(_) => "the TPM",
        }
    }

    /// It is there, and answers nothing.
    pub(crate) fn hang(&self) {
        match self {
            Self::Files(_) | Self::Token(_) => panic!("no program that could be stopped"),
            Self::Server(bao) => bao.hang(),
            Self::Tpm(tpm) => tpm.hang(),
        }
    }

    /// It answers again.
    pub(crate) fn go_on(&self) {
        match self {
            Self::Files(_) | Self::Token(_) => panic!("it never hung"),
            Self::Server(bao) => bao.go_on(),
            Self::Tpm(tpm) => tpm.go_on(),
        }
    }

    /// Puts a root into it, past every vault, in the store's own way.
    pub(crate) fn plant(&self, id: [u8; 16]) {
        match self {
            Self::Files(files) => {
                let file = std::fs::OpenOptions::new().read(true).write(true).open(files.path()).unwrap();
                let blocks = std::fs::read(files.path()).unwrap();
                let free = blocks.chunks(BLOCK).position(|block| block.iter().all(|byte| *byte == 0)).unwrap();
                // Made, and never used.
                let mut slot = [b"LETHE-RT".as_slice(), &[1, 1], &[0; 6], &id, &[9; 32]].concat();
                slot.extend_from_slice(&Sha256::digest(&slot));
                file.write_all_at(&slot, (free * BLOCK) as u64).unwrap();
                file.sync_all().unwrap();
            }
            Self::Token(token) => token.import("lethe root", &id),
            Self::Server(bao) => {
                let path = format!("transit/keys/lethe-{}", hex::encode(id));
                bao.api("POST", &path, &serde_json::json!({ "type": "aes256-gcm96" }));
            }
            Self::Tpm(tpm) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                let auth = format!("hex:{}", hex::encode(hmac::sign(&key, b"lethe/v1/root/tpm-auth")));
                let content = tpm.folder().join("planted");
                std::fs::write(&content, [[1, 1].as_slice(), &id, &[0; 8], &[9; 32]].concat()).unwrap();
                let attributes = "authread|authwrite|no_da";
                tpm.tool("tpm2_nvdefine", &[PLANTED, "-C", "o", "-s", "58", "-a", attributes, "-p", &auth]);
                tpm.tool("tpm2_nvwrite", &[PLANTED, "-C", PLANTED, "-P", &auth, "-i", content.to_str().unwrap()]);
            }
        }
    }

    /// How many roots it holds.
    pub(crate) fn roots(&self) -> usize {
        match self {
            Self::Files(files) => {
                let file = std::fs::read(files.path()).unwrap();
                file.chunks(BLOCK).skip(2).filter(|slot| slot.starts_with(b"LETHE-RT")).count()
            }
            Self::Token(token) => token.keys(),
            Self::Server(bao) => bao.keys().len(),
            // The claim has an index, too.
            Self::Tpm(tpm) => indices(tpm) - 1,
        }
    }

    /// What somebody must do after a process that used it was killed, if anybody must.
    pub(crate) fn tidy(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        match self {
            Self::Tpm(tpm) => Some(Box::new(tpm.resource_manager())),
            Self::Token(token) => Some(Box::new(token.repair())),
            Self::Files(_) | Self::Server(_) => None,
        }
    }

    /// The server behind it.
    pub(crate) fn bao(&self) -> &Bao {
        match self {
            Self::Server(bao) => bao,
            Self::Files(_) | Self::Token(_) | Self::Tpm(_) => panic!("no server"),
        }
    }

    /// The file behind it.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Files(files) => Some(files.path()),
            Self::Token(_) | Self::Server(_) | Self::Tpm(_) => None,
        }
    }

    /// The keys of the roots that a file has: what must be in no byte of it once they are destroyed.
    pub(crate) fn root_keys(&self) -> Vec<Vec<u8>> {
        let Some(path) = self.file() else { return Vec::new() };
        let file = std::fs::read(path).unwrap();
        // FORMAT: two headers, then slots; magic 8, version, state, zero 6, id 16, key 32.
        let slots = file.chunks(4096).skip(2).filter(|slot| slot.starts_with(b"LETHE-RT"));
        let keys: Vec<_> = slots.map(|slot| slot[KEY].to_vec()).collect();
        assert!(keys.iter().all(|key| key.iter().any(|byte| *byte != 0)));
        keys
    }

    /// No root is here any more, but the store is as it was otherwise. `keys` are those of the roots that were.
    pub(crate) fn is_empty(&self, keys: &[Vec<u8>]) {
        match self {
            Self::Files(files) => {
                let file = std::fs::read(files.path()).unwrap();
                assert!(!keys.is_empty(), "there was a root");
                for key in keys {
                    for part in key.chunks(8) {
                        assert!(!file.windows(8).any(|bytes| bytes == part), "a destroyed root is in the file");
                    }
                }
                assert!(file[8192..].iter().all(|byte| *byte == 0), "a slot is not wiped");
            }
            Self::Token(token) => assert_eq!(token.keys(), 0),
            Self::Server(bao) => assert_eq!(bao.keys(), Vec::<String>::new()),
            Self::Tpm(tpm) => {
                assert_eq!(indices(tpm), 1, "the claim alone");
            }
        }
    }
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.path().join("vault.root")
    }
}

/// How many indices a vault has in a TPM.
fn indices(tpm: &Swtpm) -> usize {
    let indices = tpm.tool("tpm2_getcap", &["handles-nv-index"]).to_lowercase();
    indices.lines().filter(|line| line.contains("0x18a4c0")).count()
}

/// Bytes of a slot of a file.
const BLOCK: usize = 4096;
/// An index among those of a vault's roots.
const PLANTED: &str = "0x018a4c05";
/// Where a slot has its key.
const KEY: std::ops::Range<usize> = 32..64;
