//! Where a vault's roots are, and how a server is told.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use lethe_roots_testing::{Bao, LABEL, SECRET, SoftHsm, Swtpm, module};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::failpoints::{OF_SERVERS, OF_TOKENS, OF_TPMS};
use crate::{Setup, media};

/// A root store, empty at first.
#[derive(Debug)]
pub enum Device {
    /// A file.
    Files(Files),
    /// A PKCS#11 token.
    Token(SoftHsm),
    /// An OpenBao server.
    Server(Box<Bao>),
    /// A TPM.
    Tpm(Swtpm),
}

/// A file store on a folder of its own, as on a medium of its own.
#[derive(Debug)]
pub struct Files {
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
    /// A file in a folder of its own.
    #[must_use]
    pub fn files() -> Self {
        Self::files_in(tempfile::tempdir().unwrap())
    }

    /// A file in this folder.
    #[must_use]
    pub fn files_in(folder: TempDir) -> Self {
        Self::Files(Files { folder, seal: None })
    }

    /// Files whose roots are sealed under a credential, which lies elsewhere.
    #[must_use]
    pub fn sealed_files(credential: PathBuf) -> Self {
        Self::Files(Files { folder: tempfile::tempdir().unwrap(), seal: Some(("credential_file", credential)) })
    }

    /// Files whose roots are sealed under a passphrase, which lies elsewhere.
    #[must_use]
    pub fn files_with_passphrase(passphrase: PathBuf) -> Self {
        Self::Files(Files { folder: tempfile::tempdir().unwrap(), seal: Some(("passphrase_file", passphrase)) })
    }

    /// A token.
    #[must_use]
    pub fn token() -> Self {
        Self::Token(SoftHsm::new())
    }

    /// A copy with all that is in it, as of a snapshot.
    #[must_use]
    pub fn copy(&self) -> Self {
        match self {
            Self::Files(files) => {
                let copy = Files { folder: tempfile::tempdir().unwrap(), seal: files.seal.clone() };
                std::fs::copy(files.path(), copy.path()).unwrap();
                Self::Files(copy)
            }
            Self::Token(token) => Self::Token(token.copy()),
            Self::Server(bao) => Self::Server(Box::new(bao.copy())),
            Self::Tpm(tpm) => Self::Tpm(tpm.copy()),
        }
    }

    /// A server that is fast, and forgets everything when it is stopped.
    #[must_use]
    pub fn server() -> Self {
        Self::Server(Box::new(Bao::in_memory()))
    }

    /// A server that may be stopped.
    #[must_use]
    pub fn server_on_disk() -> Self {
        Self::Server(Box::new(Bao::on_disk()))
    }

    /// A TPM.
    #[must_use]
    pub fn tpm() -> Self {
        Self::Tpm(Swtpm::new())
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "file",
            Self::Token(_) => "pkcs11",
            Self::Server(_) => "transit",
            Self::Tpm(_) => "tpm",
        }
    }

    /// Its kind in receipts.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tpm(_) => "tpm2",
            Self::Files(_) | Self::Token(_) | Self::Server(_) => self.name(),
        }
    }

    /// What it must say of its medium; of a file that depends on the machine.
    #[must_use]
    pub fn statements(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Files(_) => None,
            Self::Token(_) => Some(&["ROOT_STORE_KEEPS_BACKUPS", "ROOT_DEVICE_VIRTUAL", "ROOT_STORE_RETAINS_DELETED"]),
            Self::Server(_) => Some(&["ROOT_STORE_KEEPS_BACKUPS", "ROOT_STORE_RETAINS_DELETED"]),
            Self::Tpm(_) => Some(&["WEAR_LEVELLING_POSSIBLE", "ROOT_DEVICE_VIRTUAL", "ROOT_STORE_RETAINS_DELETED"]),
        }
    }

    /// May two have it open at once?
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Server(_))
    }

    /// A server that has its roots here.
    #[must_use]
    pub fn alone(&self, setup: Setup) -> Setup {
        let setup = KEYS.iter().fold(setup.without_replicas(), |setup, key| setup.unset(key));
        let setup = self.described(setup.set("root.store", self.name()), "root.");
        match self.tidy() {
            Some(tidy) => setup.after_each_kill(tidy),
            None => setup,
        }
    }

    /// A server whose roots come here from another store.
    #[must_use]
    pub fn coming_from(&self, other: &Self, setup: Setup) -> Setup {
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
    pub fn take_away(&mut self) {
        match self {
            Self::Files(_) => panic!("an open file cannot be taken away"),
            Self::Token(token) => token.take_away(),
            Self::Server(bao) => bao.kill(),
            Self::Tpm(tpm) => tpm.kill(),
        }
    }

    /// It is there again, with everything it had.
    pub fn bring_back(&mut self) {
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
    #[must_use]
    pub fn complaint(&self) -> &'static str {
        match self {
            Self::Files(_) => "",
            Self::Token(_) => "the PKCS#11 module does not start",
            Self::Server(_) => "is the server up",
            Self::Tpm(_) => "the TPM",
        }
    }

    /// It is there, and answers nothing.
    pub fn hang(&self) {
        match self {
            Self::Files(_) | Self::Token(_) => panic!("no program that could be stopped"),
            Self::Server(bao) => bao.hang(),
            Self::Tpm(tpm) => tpm.hang(),
        }
    }

    /// It answers again.
    pub fn go_on(&self) {
        match self {
            Self::Files(_) | Self::Token(_) => panic!("it never hung"),
            Self::Server(bao) => bao.go_on(),
            Self::Tpm(tpm) => tpm.go_on(),
        }
    }

    /// Puts a root into it, past every vault, in the store's own way.
    pub fn plant(&self, id: [u8; 16]) {
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
    #[must_use]
    pub fn roots(&self) -> usize {
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

    /// Durable steps that its store takes: those of a root that is made and used, then of one that is destroyed, which are
    /// the last of them.
    #[must_use]
    pub fn steps(&self) -> &'static [&'static str] {
        match self {
            Self::Files(_) => &[],
            Self::Token(_) => &OF_TOKENS,
            Self::Server(_) => &OF_SERVERS,
            Self::Tpm(_) => &OF_TPMS,
        }
    }

    /// What somebody must do after a process that used it was killed, if anybody must.
    #[must_use]
    pub fn tidy(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        match self {
            Self::Tpm(tpm) => Some(Box::new(tpm.resource_manager())),
            Self::Token(token) => Some(Box::new(token.repair())),
            Self::Files(_) | Self::Server(_) => None,
        }
    }

    /// The server behind it.
    #[must_use]
    pub fn bao(&self) -> &Bao {
        match self {
            Self::Server(bao) => bao,
            Self::Files(_) | Self::Token(_) | Self::Tpm(_) => panic!("no server"),
        }
    }

    /// The file behind it.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Files(files) => Some(files.path()),
            Self::Token(_) | Self::Server(_) | Self::Tpm(_) => None,
        }
    }

    /// The keys of the roots that a file has: what must be in no byte of it once they are destroyed.
    #[must_use]
    pub fn root_keys(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Files(_) => media::roots(self).into_iter().map(|root| root.key.to_vec()).collect(),
            Self::Token(_) | Self::Server(_) | Self::Tpm(_) => Vec::new(),
        }
    }

    /// Ids of the roots that are here, as the medium has them.
    pub(crate) fn root_ids(&self) -> Vec<[u8; 16]> {
        media::roots(self).into_iter().map(|root| root.id).collect()
    }

    /// What whoever uses it shows, if that is long enough to be looked for.
    #[must_use]
    pub fn credential(&self) -> Option<String> {
        match self {
            Self::Files(_) | Self::Token(_) => None,
            Self::Server(bao) => Some(std::fs::read_to_string(bao.token_file()).unwrap().trim().to_owned()),
            Self::Tpm(_) => Some(SECRET.to_owned()),
        }
    }

    /// Files that the medium is, if it is any.
    #[must_use]
    pub fn medium(&self) -> Vec<PathBuf> {
        match self {
            Self::Files(files) => vec![files.path()],
            Self::Token(token) => crate::residue::files(&token.tokens()).unwrap(),
            Self::Server(_) => Vec::new(),
            Self::Tpm(tpm) => vec![tpm.memory()],
        }
    }

    /// No root is here any more, but the store is as it was otherwise. `keys` are those of the roots that were.
    pub fn is_empty(&self, keys: &[Vec<u8>]) {
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
