//! The NV indices, looked at and changed behind the store's back.

use std::fs;

use lethe_crypto::Error;
use lethe_crypto::root::RootStore as _;

use crate::conformance::*;
use crate::swtpm::Swtpm;

impl Swtpm {
    /// Is this in the file that a software TPM keeps its memory in?
    fn keeps(&self, needle: &[u8]) -> bool {
        let files = fs::read_dir(self.state()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    }
}

#[test]
fn a_destroyed_root_is_in_no_byte_of_the_state() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    let root = wait(store.create(&claim)).unwrap();
    drop(store);
    let key = tpm.root_key();
    assert!(tpm.keeps(&key), "a software TPM keeps roots in clear, as receipts say");
    let store = tpm.store();
    wait(store.destroy(&claim, root)).unwrap();
    drop(store);
    assert!(!tpm.keeps(&key) && !tpm.keeps(&key[..16]));
    let indices = tpm.tool("tpm2_getcap", &["handles-nv-index"]);
    assert!(indices.to_lowercase().contains("0x18a4c00") && !indices.to_lowercase().contains("0x18a4c01"), "{indices}");
}

#[test]
fn the_owner_cannot_read_a_root() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    wait(store.create(&claim)).unwrap();
    drop(store);
    assert!(!tpm.tool_succeeds("tpm2_nvread", &["0x018a4c01", "-C", "o"]));
    assert!(!tpm.tool_succeeds("tpm2_nvread", &["0x018a4c01", "-C", "0x018a4c01"]));
    let public = tpm.tool("tpm2_nvreadpublic", &["0x018a4c01"]);
    assert!(public.contains("authwrite|authread|no_da|written") && !public.contains("owner"), "{public}");
}

/// A crash between defining an index and writing it leaves nothing but the index, and not for long.
#[test]
fn an_index_that_was_never_written_goes_with_the_next_root_that_does() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    let root = wait(store.create(&claim)).unwrap();
    drop(store);
    let auth = format!("hex:{}", hex::encode(tpm.auth()));
    let attributes = "authread|authwrite|no_da";
    tpm.tool("tpm2_nvdefine", &["0x018a4c05", "-C", "o", "-s", "58", "-a", attributes, "-p", &auth]);
    wait(tpm.store().destroy(&claim, root)).unwrap();
    let indices = tpm.tool("tpm2_getcap", &["handles-nv-index"]).to_lowercase();
    assert!(indices.contains("4c00") && !indices.contains("4c01") && !indices.contains("4c05"), "{indices}");
}

/// Somebody defined the next index first, so that the owner may read what will be written to it.
#[test]
fn an_index_that_somebody_else_defined_gets_no_root() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    drop(store);
    let attributes = "authread|authwrite|ownerread|no_da";
    let auth = format!("hex:{}", hex::encode(tpm.auth()));
    tpm.tool("tpm2_nvdefine", &["0x018a4c01", "-C", "o", "-s", "58", "-a", attributes, "-p", &auth]);
    let store = tpm.store();
    assert!(wait(store.epochs()).unwrap().is_empty());
    let root = wait(store.create(&claim)).unwrap();
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    drop(store);
    let public = tpm.tool("tpm2_nvreadpublic", &["0x018a4c01"]);
    assert!(!public.contains("ownerread"), "{public}");
}

#[test]
fn the_store_fills_up_and_says_so() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    let mut roots: Vec<_> = (0..8).map(|_| wait(store.create(&claim)).unwrap()).collect();
    roots.sort_unstable();
    assert_eq!(wait(store.epochs()).unwrap(), roots);
    assert!(matches!(wait(store.create(&claim)), Err(Error::RootStoreFull)));
    wait(store.destroy(&claim, roots[3])).unwrap();
    assert!(wait(store.create(&claim)).is_ok());
}

#[test]
fn roots_without_a_claim_are_not_taken_over() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, held) = open_claimed(&tpm);
    let root = wait(store.create(&held)).unwrap();
    drop(store);
    tpm.tool("tpm2_nvundefine", &["0x018a4c00", "-C", "o"]);
    let store = tpm.store();
    assert_eq!(wait(store.claimed()).unwrap(), None);
    let refused = wait(store.claim(OTHER_VAULT, None, SECOND)).unwrap_err();
    assert!(words(&refused).contains("no claim says whose"), "{}", words(&refused));
    assert!(matches!(wait(store.destroy(&held, root)), Err(Error::ForeignVault)));
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
}

/// A crash between overwriting a root and undefining its index: it still counts as there, and does nothing.
#[test]
fn a_root_that_was_overwritten_wraps_and_unwraps_nothing() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    let root = wait(store.create(&claim)).unwrap();
    drop(store);
    let (zeros, index) = (tpm.folder().join("zeros"), "0x018a4c01");
    fs::write(&zeros, [0; 32]).unwrap();
    let auth = format!("hex:{}", hex::encode(tpm.auth()));
    let path = zeros.display().to_string();
    tpm.tool("tpm2_nvwrite", &[index, "-C", index, "-P", &auth, "--offset=26", "-i", &path]);
    let store = tpm.store();
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    assert!(matches!(wait(store.wrap(&claim, root, &vault_key(7), b"")), Err(Error::NoSuchRoot(_))));
    assert!(matches!(wait(store.unwrap(root, &[1; 93], b"")), Err(Error::NoSuchRoot(_))));
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    assert!(wait(store.epochs()).unwrap().is_empty());
}

/// A crash between defining the claim's index and writing it: the claim is made again.
#[test]
fn a_claim_that_was_only_defined_is_none() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let auth = format!("hex:{}", hex::encode(tpm.auth()));
    let attributes = "authread|authwrite|no_da";
    tpm.tool("tpm2_nvdefine", &["0x018a4c00", "-C", "o", "-s", "33", "-a", attributes, "-p", &auth]);
    let store = tpm.store();
    assert_eq!(wait(store.claimed()).unwrap(), None);
    wait(store.claim(VAULT, None, FIRST)).unwrap();
    assert_eq!(wait(store.claimed()).unwrap(), Some(claim(FIRST)));
}
