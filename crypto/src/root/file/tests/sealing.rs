//! Roots that are sealed under something that is not in the file.

use super::*;
use crate::secret::RootPassphrase;

const WORDS: &str = "korrekt Pferd Batterie Heftklammer";

fn credential(fill: u8) -> RootSeal {
    RootSeal::Credential(RootCredential::from_slice(&[fill; 32]).unwrap())
}

fn passphrase(text: &str) -> RootSeal {
    RootSeal::Passphrase(RootPassphrase::from_line(text.as_bytes()).unwrap())
}

fn open(files: &Files, seal: RootSeal) -> Result<FileRootStore> {
    FileRootStore::open(FileRootStoreOptions { seal, ..files.options() })
}

fn content(files: &Files) -> Vec<Vec<u8>> {
    files.paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A root in a new store, and what it wrapped.
fn sealed(files: &Files, seal: RootSeal) -> (RootId, Vec<u8>) {
    let store = open(files, seal).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let claim = Claim { vault: VAULT, incarnation: FIRST };
    let root = wait(store.create(&claim)).unwrap();
    (root, wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap())
}

/// The file alone does not unwrap, whatever its header is made to say.
fn the_file_alone_opens_nothing(store: &FileRootStore, root: RootId, wrapped: &[u8]) {
    let inner = store.inner.lock();
    let images = inner.read().unwrap();
    let (_, found) = find(&images, root).unwrap();
    let alone = FileRootStore { credential: None, ..Files::new(1).open().unwrap() };
    let key = alone.wrapping(&inner.header.store, found).key(b"");
    assert!(key.open(b"", &wrapped[1..]).is_err());
}

#[test]
fn roots_may_be_sealed_under_a_credential() {
    let files = Files::new(1);
    let (root, wrapped) = sealed(&files, credential(5));
    let before = content(&files);
    assert!(matches!(open(&files, RootSeal::None), Err(Error::Credential("missing"))));
    assert!(matches!(open(&files, credential(6)), Err(Error::Credential(_))));
    assert!(
        matches!(open(&files, passphrase(WORDS)), Err(Error::Passphrase(why)) if why.contains("under a credential"))
    );
    assert_eq!(content(&files), before);
    assert!(!holds(&files.paths[0], &[5; 32]));
    let store = open(&files, credential(5)).unwrap();
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().expose(), &[7; 32]);
    the_file_alone_opens_nothing(&store, root, &wrapped);
}

#[test]
fn roots_may_be_sealed_under_a_passphrase() {
    let files = Files::new(2);
    let (root, wrapped) = sealed(&files, passphrase(WORDS));
    let before = content(&files);
    assert!(matches!(open(&files, RootSeal::None), Err(Error::Passphrase("missing"))));
    assert!(matches!(open(&files, passphrase("korrekt Pferd Batterie heftklammer")), Err(Error::Passphrase(_))));
    assert!(matches!(open(&files, passphrase("short")), Err(Error::Passphrase(why)) if why.contains("not the one")));
    assert!(matches!(open(&files, credential(5)), Err(Error::Credential(why)) if why.contains("under a passphrase")));
    assert!(FileRootReader::read(&files.paths, &RootSeal::None).is_err());
    assert_eq!(content(&files), before, "a wrong passphrase changes something");

    let store = open(&files, passphrase(WORDS)).unwrap();
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().expose(), &[7; 32]);
    the_file_alone_opens_nothing(&store, root, &wrapped);
    let key = store.credential.as_ref().unwrap().duplicate();
    for path in &files.paths {
        assert!(!holds(path, WORDS.as_bytes()) && !holds(path, key.expose()));
    }
    drop(store);
    let reader = FileRootReader::read(&files.paths, &passphrase(WORDS)).unwrap();
    assert_eq!(reader.unwrap(root, &wrapped, b"").unwrap().expose(), &[7; 32]);
}

/// Replicas share a salt as they share roots; another store has another, and so another key.
#[test]
fn a_passphrase_gives_every_store_another_key() {
    let (one, other) = (Files::new(1), Files::new(1));
    let key = |files: &Files| open(files, passphrase(WORDS)).unwrap().credential.unwrap();
    let (first, second) = (key(&one), key(&other));
    assert_ne!(first.expose(), second.expose());
    assert_eq!(first.expose(), key(&one).expose());
    let grown = Files { paths: vec![one.paths[0].clone(), one.directory.path().join("more")], ..one };
    assert_eq!(first.expose(), key(&grown).expose());
    assert_eq!(fs::read(&grown.paths[1]).unwrap()[72..132], fs::read(&grown.paths[0]).unwrap()[72..132]);
}

#[test]
fn a_new_store_wants_more_than_a_word() {
    let files = Files::new(1);
    let refused = open(&files, passphrase("fifteen letters"));
    assert!(matches!(refused, Err(Error::Passphrase(why)) if why.contains("16 characters")), "{refused:?}");
    assert!(!files.paths[0].exists());
    assert!(open(&files, passphrase("sixteen letters!")).is_ok());
}

/// Whoever can write the file can put any header there, but none that has us take less than the seal.
#[test]
fn a_header_that_was_forged_gives_nothing_away() {
    let files = Files::new(1);
    let (root, wrapped) = sealed(&files, passphrase(WORDS));
    let whole = content(&files).remove(0);
    let forge = |version: u8, flags: u8, change: &dyn Fn(&mut [u8])| {
        let mut bytes = whole.clone();
        for block in [0, BLOCK] {
            let length = if version == 2 { 132 } else { 104 };
            let header = &mut bytes[block..block + BLOCK];
            if header[..8] != *b"LETHE-RS" {
                continue;
            }
            (header[8], header[9]) = (version, header[9] & 1 | flags);
            change(header);
            let sum = <sha2::Sha256 as sha2::Digest>::digest(&header[..length]);
            header[length..length + 32].copy_from_slice(&sum);
            header[length + 32..].fill(0);
        }
        fs::write(&files.paths[0], bytes).unwrap();
    };
    let unsealed = |header: &mut [u8]| header[72..104].fill(0);
    // Not sealed any more: refused with the passphrase, and without it the root does not open what it wrapped.
    forge(1, 0, &unsealed);
    assert!(matches!(open(&files, passphrase(WORDS)), Err(Error::Passphrase(why)) if why.contains("without one")));
    let store = open(&files, RootSeal::None).unwrap();
    assert!(matches!(wait(store.unwrap(root, &wrapped, b"")), Err(Error::NotAuthentic)));
    drop(store);
    // Under a credential instead: the passphrase is no credential.
    forge(1, 2, &|_| {});
    assert!(
        matches!(open(&files, passphrase(WORDS)), Err(Error::Passphrase(why)) if why.contains("under a credential"))
    );
    // Another salt, or other costs: another key, which nothing recognises.
    forge(2, 2, &|header| header[116] ^= 1);
    assert!(matches!(open(&files, passphrase(WORDS)), Err(Error::Passphrase(why)) if why.contains("not the one")));
    forge(2, 2, &|header| header[111] += 1);
    assert!(matches!(open(&files, passphrase(WORDS)), Err(Error::Passphrase(why)) if why.contains("not the one")));
    // Cheap, dear, or out of bounds.
    for (at, number) in [(104, 8u32), (104, 1 << 20), (104, u32::MAX), (108, 1), (108, 17), (112, 0), (112, 17)] {
        forge(2, 2, &|header| header[at..at + 4].copy_from_slice(&number.to_be_bytes()));
        assert!(matches!(open(&files, passphrase(WORDS)), Err(Error::Corrupt { .. })), "{number} at {at}");
    }
    fs::write(&files.paths[0], &whole).unwrap();
    let store = open(&files, passphrase(WORDS)).unwrap();
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().expose(), &[7; 32]);
}
