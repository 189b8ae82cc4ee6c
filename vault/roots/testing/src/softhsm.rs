use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{program, secret};

/// Label of the token.
pub const LABEL: &str = "roots";
/// Its user PIN.
pub const PIN: &str = "shibboleth-1234";

/// A SoftHSM token in a folder of its own. Who uses it needs [`SoftHsm::configuration`] in the environment variable
/// `SOFTHSM2_CONF` when the module is loaded.
#[derive(Debug)]
pub struct SoftHsm {
    place: PathBuf,
    _folder: Option<TempDir>,
}

impl Default for SoftHsm {
    fn default() -> Self {
        Self::new()
    }
}

impl SoftHsm {
    /// A new token.
    #[must_use]
    pub fn new() -> Self {
        let token = Self::empty();
        token.add(LABEL);
        token
    }

    /// A copy of all tokens, with what is in them, as of a snapshot.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::empty();
        for token in fs::read_dir(self.tokens()).unwrap() {
            let token = token.unwrap();
            let to = copy.tokens().join(token.file_name());
            fs::create_dir(&to).unwrap();
            for file in fs::read_dir(token.path()).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
        copy
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = Self { place: folder.path().to_owned(), _folder: Some(folder) };
        fs::create_dir(token.tokens()).unwrap();
        let lines = ["objectstore.backend = file", "log.level = ERROR", ""].join("\n");
        let tokens = token.tokens().display().to_string();
        fs::write(token.configuration(), format!("directories.tokendir = {tokens}\n{lines}")).unwrap();
        secret(&token.pin_file(), format!("{PIN}\n"));
        token
    }

    /// The token that is in a folder already.
    #[must_use]
    pub fn at(place: PathBuf) -> Self {
        Self { place, _folder: None }
    }

    /// The folder.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What `SOFTHSM2_CONF` must name.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.place.join("softhsm2.conf")
    }

    /// Where the user PIN is.
    #[must_use]
    pub fn pin_file(&self) -> PathBuf {
        self.place.join("pin")
    }

    /// Makes another token beside the first.
    pub fn add(&self, label: &str) {
        let made = Command::new(program("softhsm2-util"))
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-87654321"])
            .env("SOFTHSM2_CONF", self.configuration())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// What somebody must do after a process that used it was killed. SoftHSM writes a token's flags anew with each login, in
    /// place: a kill in the middle of that leaves a token without a name, which no device does.
    ///
    /// # Panics
    /// When a file cannot be read or written.
    pub fn repair(&self) -> impl Fn() + Send + Sync + use<> {
        let tokens = fs::read_dir(self.tokens()).unwrap().map(|token| token.unwrap().path().join("token.object"));
        let kept: Vec<_> = tokens.map(|object| (fs::read(&object).unwrap(), object)).collect();
        move || {
            for (whole, object) in &kept {
                if fs::metadata(object).is_ok_and(|found| found.len() < whole.len() as u64) {
                    fs::write(object, whole).unwrap();
                }
            }
        }
    }

    /// Takes all tokens away, as if they were pulled out.
    pub fn take_away(&self) {
        fs::rename(self.tokens(), self.away()).unwrap();
    }

    /// Brings them back.
    pub fn bring_back(&self) {
        fs::rename(self.away(), self.tokens()).unwrap();
    }

    /// Puts a key into the first token that no vault made.
    pub fn import(&self, label: &str, id: &[u8; 16]) {
        let file = self.place.join("imported");
        secret(&file, [7; 32]);
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let made = Command::new(program("softhsm2-util"))
            .arg("--import")
            .arg(file)
            .args(["--aes", "--token", LABEL, "--label", label, "--id", &id, "--pin", PIN])
            .env("SOFTHSM2_CONF", self.configuration())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// How many objects the first token has: a claim, and a key and a mark for each root.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.files().len()
    }

    /// How many of them are keys that have a value. SoftHSM writes a new object piece by piece, its value last: a kill in the
    /// middle of that may leave one that is of the class of keys and holds none.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.files().iter().filter(|path| is_key(&fs::read(path).unwrap())).count()
    }

    fn files(&self) -> Vec<PathBuf> {
        let token = fs::read_dir(self.tokens()).unwrap().next().unwrap().unwrap().path();
        let entries = fs::read_dir(token).unwrap().map(|entry| entry.unwrap().path());
        let is_object = |path: &PathBuf| path.extension().is_some_and(|end| end == "object");
        entries.filter(|path| is_object(path) && !path.ends_with("token.object")).collect()
    }

    /// The folder of all tokens, each a folder of files: the medium.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.place.join("tokens")
    }

    fn away(&self) -> PathBuf {
        self.place.join("away")
    }
}

/// SoftHSM's files: a generation, then attributes by number: type, kind (2: a number, 3: bytes, after their length), value.
/// `CKA_CLASS` is 0, and that of a secret key 4; `CKA_VALUE` is 17.
fn is_key(file: &[u8]) -> bool {
    let is_secret = file.get(24..32).is_some_and(|class| class == 4_u64.to_be_bytes());
    let header = [17_u64, 3].map(u64::to_be_bytes).concat();
    let value = file.windows(24).find(|bytes| bytes.starts_with(&header));
    is_secret && value.is_some_and(|value| value[16..] != [0; 8])
}

/// SoftHSM's PKCS#11 module.
#[must_use]
pub fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"].map(PathBuf::from);
    let found = places.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("libsofthsm2.so is not installed: run .ci/setup, or set LETHE_SKIP_ROOT_STORES=1"))
}
