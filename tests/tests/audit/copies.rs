//! Copies of a log: made of a real server's, kept, continued, and checked without it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::copy::{CHECKPOINT, Writer};
use lethe_crypto::log::merkle::{Frontier, Hash};
use lethe_proto::v1::EntryFilter;
use lethe_tests::{Cli, Faces, Tenant, Told, Vault};
use serde_json::Value;

struct Scene {
    vault: Vault,
    bank: Tenant,
    key: String,
}

impl Scene {
    /// A tenant whose log has more than one bundle.
    async fn set() -> Self {
        let vault = Vault::fresh().await;
        let bank = vault.tenant("bank").await;
        let scene = Self { vault, key: bank.auditor().key().unwrap().to_owned(), bank };
        scene.bank.enroller().enroll("ada", &Faces::seeded(91).person(0).selfie()).await.unwrap();
        scene.grow(290).await;
        scene
    }

    async fn grow(&self, entries: usize) {
        for _ in 0..entries {
            self.bank.privacy_officer().subject("ada").await.unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.vault.home().path().join(name)
    }

    async fn export(&self, name: &str) -> Told {
        let command = Cli::new(["audit", "export"]).arg(self.path(name)).args(["--tenant", "bank"]);
        command.holding(&self.vault, &self.key).await.run()
    }

    /// Verifies a copy by the key of another, as an auditor who kept it does.
    fn verify(&self, name: &str, earlier: Option<&str>) -> Told {
        let command = Cli::new(["audit", "verify"]).arg(self.path(name));
        let command = command.arg("--verifier").arg(self.path("kept/verifier_key"));
        match earlier {
            Some(earlier) => command.arg("--earlier").arg(self.path(earlier)).run(),
            None => command.run(),
        }
    }

    /// The failure of a copy that is refused: its message, and the index that it names.
    #[track_caller]
    fn refused(&self, name: &str, earlier: Option<&str>) -> (String, Option<u64>) {
        let told = self.verify(name, earlier);
        assert_eq!(told.status.code(), Some(5), "{told:?}");
        let failure: Value = serde_json::from_str(told.errors.trim()).unwrap();
        let text = failure.to_string();
        (text, find(&failure, "index").and_then(|index| index.as_str()?.parse().ok()))
    }

    /// `docs/verify_log.py`, which knows the format alone, has nothing against a copy; what it said.
    fn accepted_by_another(&self, name: &str, earlier: Option<&str>) -> (bool, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verify_log.py");
        let key = fs::read_to_string(self.path("kept/verifier_key")).unwrap();
        let mut command = Command::new("python3");
        command.arg(script).arg(self.path(name)).arg(key.trim()).args(earlier.map(|earlier| self.path(earlier)));
        let read = command.output().unwrap();
        (read.status.success(), String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned())
    }

    fn copy(&self, from: &str, to: &str) {
        copy(&self.path(from), &self.path(to));
    }

    /// Writes a copy of other entries, with another's checkpoint and key.
    fn forge(&self, of: &str, to: &str, entries: &[Vec<u8>]) {
        let (mut writer, mut files) = (Writer::new(), Vec::new());
        entries.iter().for_each(|entry| writer.push(entry, &mut files).unwrap());
        files.extend(writer.edge());
        for file in files {
            let path = self.path(to).join(file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file.bytes).unwrap();
        }
        for name in [CHECKPOINT, "verifier_key"] {
            fs::copy(self.path(of).join(name), self.path(to).join(name)).unwrap();
        }
    }
}

fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name).or_else(|| fields.values().find_map(|value| find(value, name))),
        Value::Array(items) => items.iter().find_map(|value| find(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_continued_and_verified_without_a_server() {
    let scene = Scene::set().await;
    let made = scene.export("kept").await.one();
    let entries = made["entries"].as_u64().unwrap();
    assert!(entries > 300 && made["new"] == entries, "{made}");
    let verified = scene.verify("kept", None).one();
    assert_eq!((&verified["entries"], &verified["pinned"]), (&made["entries"], &true.into()));
    assert_eq!(verified["root"], made["root"]);
    let kept = files(&scene.path("kept"));
    let paths: Vec<_> = kept.keys().map(String::as_str).filter(|path| path.starts_with("tile/")).collect();
    let width = entries % 256;
    let expected = [
        "tile/0/000".to_owned(),
        format!("tile/0/001.p/{width}"),
        "tile/1/000.p/1".to_owned(),
        "tile/entries/000".to_owned(),
        format!("tile/entries/001.p/{width}"),
    ];
    assert_eq!(paths, expected);
    // The entries are those that the server gives.
    let listed = scene.bank.auditor().entries(&scene.bank.log(), EntryFilter::default()).await.unwrap();
    let mut tree = Frontier::new();
    for entry in &listed[..usize::try_from(entries).unwrap()] {
        tree.append(Hash::leaf(&entry.entry));
    }
    assert_eq!(made["root"], tree.root().to_string());

    // Continued, it is what a new one would be, and goes on from what was kept.
    scene.copy("kept", "later");
    scene.vault.crash().await;
    scene.grow(300).await;
    let later = scene.export("later").await.one();
    assert!(later["entries"].as_u64().unwrap() >= entries + 300, "{later}");
    let fresh = scene.export("fresh").await.one();
    let fresh_size = fresh["entries"].as_u64().unwrap();
    assert!(fresh_size > later["entries"].as_u64().unwrap());
    assert_eq!(files(&scene.path("fresh"))["tile/0/001"], files(&scene.path("later"))["tile/0/001"]);
    assert!(!scene.path("later").join(format!("tile/0/001.p/{width}")).exists(), "what is whole has no part");
    for earlier in ["kept", "kept/checkpoint"] {
        for copy in ["later", "fresh"] {
            let verified = scene.verify(copy, Some(earlier)).one();
            assert_eq!(verified["earlier"]["relation"], "extended", "{copy} {earlier}");
            assert_eq!(verified["earlier"]["from"], entries, "{copy} {earlier}");
        }
    }
    for copy in ["kept", "later", "fresh"] {
        let (accepted, said) = scene.accepted_by_another(copy, Some("kept"));
        assert!(accepted, "{copy}: {said}");
    }
    assert_eq!(scene.verify("later", Some("later")).one()["earlier"]["relation"], "same");

    // Nothing else is written over, and a copy of another log is not continued.
    fs::create_dir_all(scene.path("other")).unwrap();
    fs::write(scene.path("other/thing"), "thing").unwrap();
    assert_eq!(scene.export("other").await.status.code(), Some(2));
    let command = Cli::new(["audit", "export", "--vault"]).arg(scene.path("kept"));
    let refused = command.operator(&scene.vault).await.run();
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let command = Cli::new(["audit", "export", "--vault"]).arg(scene.path("vaults"));
    command.operator(&scene.vault).await.run().one();
    let refused = scene.verify("vaults", None);
    assert_eq!(refused.status.code(), Some(5), "another log's: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_to_a_copy_is_found_and_where() {
    let scene = Scene::set().await;
    scene.export("kept").await.one();
    let head = fs::read(scene.path("kept").join(CHECKPOINT)).unwrap();
    let key = fs::read_to_string(scene.path("kept/verifier_key")).unwrap().trim().parse().unwrap();
    let size = usize::try_from(Checkpoint::open(&head, &key).unwrap().size).unwrap();
    let listed = scene.bank.auditor().entries(&scene.bank.log(), EntryFilter::default()).await.unwrap();
    let lines: Vec<_> = listed[..size].iter().map(|entry| entry.entry.clone()).collect();

    // A byte of an entry, where the tiles are as they were.
    scene.copy("kept", "changed");
    let bundle = scene.path("changed/tile/entries/000");
    let mut bytes = fs::read(&bundle).unwrap();
    let before: usize = lines[..77].iter().map(|line| line.len() + 2).sum();
    bytes[before + 30] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let (message, index) = scene.refused("changed", None);
    assert_eq!(index, Some(77), "{message}");
    assert!(message.contains("entry 77 was changed"), "{message}");
    let (accepted, said) = scene.accepted_by_another("changed", None);
    assert!(!accepted && said.contains("entry 77,"), "{said}");

    // Everything made anew but the signature: the copy alone tells that it is wrong, the one that was kept tells where.
    let forgeries: [(&str, Vec<Vec<u8>>, u64, &str); 5] = [
        ("dropped", [&lines[..100], &lines[101..]].concat(), 100, "entry 100 was dropped"),
        (
            "swapped",
            {
                let mut lines = lines.clone();
                lines.swap(20, 280);
                lines
            },
            20,
            "entry 20 changed places",
        ),
        ("inserted", [&lines[..5], &lines[200..201], &lines[5..]].concat(), 5, "entry 5 "),
        (
            "another",
            {
                let mut lines = lines.clone();
                lines[250] = listed[size].entry.clone();
                lines
            },
            250,
            "entry 250 was changed",
        ),
        ("cut", lines[..290].to_vec(), 256, "its tail was cut"),
    ];
    for (name, forged, at, words) in &forgeries {
        scene.forge("kept", name, forged);
        scene.refused(name, None);
        let (accepted, said) = scene.accepted_by_another(name, None);
        assert!(!accepted && said.contains("refused"), "{name}: {said}");
        let (message, index) = scene.refused(name, Some("kept"));
        assert!(message.contains(words) && index == Some(*at), "{name}: {message}");
    }
    // A tail that was cut, with the checkpoint of then: everything in it is signed for, and less than was kept.
    scene.grow(3).await;
    scene.copy("kept", "longer");
    scene.export("longer").await.one();
    scene.verify("kept", None).one();
    let (message, index) = scene.refused("kept", Some("longer"));
    assert!(message.contains("its tail was cut") && index == Some(size as u64), "{message}");
    let (message, index) = scene.refused("kept", Some("longer/checkpoint"));
    assert!(message.contains("its tail was cut") && index == Some(size as u64), "{message}");
    let (accepted, said) = scene.accepted_by_another("kept", Some("longer"));
    assert!(!accepted && said.contains("the tail was cut"), "{said}");
    // A key that is not the log's.
    let other = Cli::new(["audit", "verify"]).arg(scene.path("kept"));
    let other = other.arg("--verifier").arg(scene.vault.verifier_key().await.to_string()).run();
    assert_eq!(other.status.code(), Some(5), "{other:?}");
    let nothing = scene.verify("nowhere", None);
    assert_eq!(nothing.status.code(), Some(4), "{nothing:?}");
}
