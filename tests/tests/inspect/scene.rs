use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lethe_proto::v1::ErasureState;
use lethe_tests::residue::{Needles, Subject};
use lethe_tests::{Home, Ran, Setup, Tenant, Vault};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A vault in which three people are left of four, and a template of one was deleted. Mirror and backups are beside it.
pub(crate) struct Scene {
    pub(crate) vault: Vault,
    pub(crate) bank: Tenant,
    pub(crate) people: Vec<Subject>,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let vault = Vault::setup().apart().start().await;
        let bank = vault.tenant("bank").await;
        let people = Subject::strangers(4, 41);
        for person in &people {
            for capture in [0, 1] {
                bank.enroller().enroll(&person.id, &person.face(capture)).await.unwrap();
            }
        }
        let scene = Self { vault, bank, people };
        scene.erase(3).await;
        let template = scene.bank.enroller().templates(&scene.people[2].id).await.unwrap().remove(0);
        let deleted = scene.bank.enroller().delete(&template.name).await.unwrap();
        assert_eq!(deleted.state(), ErasureState::Shredded);
        scene
    }

    pub(crate) async fn erase(&self, person: usize) {
        let erased = self.bank.privacy_officer().erase(&self.people[person].id).await.unwrap();
        assert_eq!(erased.state(), ErasureState::Shredded);
    }

    pub(crate) async fn back_up(&self) {
        self.vault.operator().back_up().await.unwrap();
    }

    /// Waits until the mirror has all that was answered: it is a little behind, and a checkpoint is signed when it is not.
    pub(crate) async fn is_mirrored(&self) {
        self.vault.operator().checkpoint("vault/log").await.unwrap();
    }

    pub(crate) fn home(&self) -> &Home {
        self.vault.home()
    }

    /// Looks at a folder with the vault's roots, and sees to it that nothing changes in the vault's home.
    pub(crate) fn open(&self, folder: &Path, more: &[&str]) -> Ran {
        self.look(&Vault::setup(), folder, more)
    }

    /// Without any key.
    pub(crate) fn glance(&self, folder: &Path, more: &[&str]) -> Ran {
        self.look(&Vault::setup().without_replicas(), folder, more)
    }

    fn look(&self, setup: &Setup, folder: &Path, more: &[&str]) -> Ran {
        // A server that runs writes on by itself.
        let standing = self.vault.freeze();
        let before = state(self.home().path());
        let arguments: Vec<&str> =
            ["inspect", folder.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
        let ran = setup.run(self.home(), &arguments);
        let after = state(self.home().path());
        drop(standing);
        for (path, was) in &before {
            assert_eq!(after.get(path), Some(was), "{} was touched", path.display());
        }
        assert_eq!(before.len(), after.len(), "something was made");
        self.tells_of_nobody(&ran);
        ran
    }

    /// Neither in what is told nor in what goes wrong.
    fn tells_of_nobody(&self, ran: &Ran) {
        let mut needles = Needles::new();
        for (number, person) in self.people.iter().enumerate() {
            person.look_for(&mut needles, &number.to_string(), 2);
        }
        let told = format!("{}{}", ran.answer, ran.log);
        assert!(needles.scanner().scan("the answer", told.as_bytes()).is_empty(), "{told}");
    }
}

/// A file or a folder: digest of its contents, time of its last change, inode and mode.
type Stat = (String, i64, i64, u64, u32);

/// Everything below a folder, the folders too.
fn state(folder: &Path) -> BTreeMap<PathBuf, Stat> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let digest = hex::encode(Sha256::digest(&bytes));
        let is = (digest, metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.mode());
        found.insert(path, is);
    }
    found
}

/// Numbers of the only tenant, by name.
pub(crate) fn of_tenant(answer: &Value, names: &[&str]) -> Vec<u64> {
    let trees = answer["trees"].as_array().unwrap();
    let tenant = trees.iter().find(|tree| tree["tree"] == "1.0").unwrap();
    names.iter().map(|name| tenant[*name].as_u64().unwrap()).collect()
}

/// What is damaged: kind and row of each.
pub(crate) fn damaged(answer: &Value) -> Vec<(&str, &str)> {
    let damage = answer["damage"].as_array().unwrap().iter();
    damage.map(|it| (it["kind"].as_str().unwrap_or_default(), it["row"].as_str().unwrap_or_default())).collect()
}
