//! The trait's contract, call by call.

use lethe_crypto::Error;
use lethe_crypto::root::{Claim, RootId};

use super::*;

pub fn a_key_is_wrapped_once_and_unwrapped_after_a_restart(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"context")).unwrap();
    assert!(!wrapped.windows(32).any(|window| window == [7; 32]));
    let again = wait(store.wrap(&claim, root, &vault_key(8), b"context"));
    assert!(matches!(again, Err(Error::AlreadyWrapped(id)) if id == root), "{again:?}");
    drop(store);

    let store = fixture.open();
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    assert_eq!(wait(store.unwrap(root, &wrapped, b"context")).unwrap().to_root_store(), &[7; 32]);
    let again = wait(store.wrap(&claim, root, &vault_key(7), b"context"));
    assert!(matches!(again, Err(Error::AlreadyWrapped(_))), "{again:?}");
    assert_eq!(wait(store.unwrap(root, &wrapped, b"context")).unwrap().to_root_store(), &[7; 32]);
}

pub fn every_changed_byte_and_another_context_are_refused(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let root = wait(store.create(&claim)).unwrap();
    // As long as the contexts of epochs are.
    let context = [0x5a; 80];
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), &context)).unwrap();
    for other in [&b""[..], &context[..79], &[0x5b; 80]] {
        assert!(matches!(wait(store.unwrap(root, &wrapped, other)), Err(Error::NotAuthentic)));
    }
    for position in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[position] ^= 1;
        let refused = wait(store.unwrap(root, &changed, &context));
        let expected = matches!(refused, Err(Error::NotAuthentic | Error::Corrupt { .. }));
        assert!(expected, "byte {position}: {refused:?}");
    }
    assert_eq!(wait(store.unwrap(root, &wrapped, &context)).unwrap().to_root_store(), &[7; 32]);
}

pub fn a_wrapped_key_opens_under_its_own_root_only(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let (one, other) = (wait(store.create(&claim)).unwrap(), wait(store.create(&claim)).unwrap());
    let wrapped = wait(store.wrap(&claim, one, &vault_key(7), b"context")).unwrap();
    wait(store.wrap(&claim, other, &vault_key(8), b"context")).unwrap();
    assert!(matches!(wait(store.unwrap(other, &wrapped, b"context")), Err(Error::NotAuthentic)));
    assert!(wait(store.unwrap(one, &wrapped, b"context")).is_ok());
}

pub fn what_was_never_wrapped_is_refused(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    let longer = [wrapped.as_slice(), &[0]].concat();
    for bytes in [&b""[..], &[1], &[0; 93], &[1; 93], &wrapped[..wrapped.len() - 1], &longer, &[1; 5000]] {
        let refused = wait(store.unwrap(root, bytes, b""));
        assert!(matches!(refused, Err(Error::NotAuthentic | Error::Corrupt { .. })), "{refused:?}");
    }
    assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
}

pub fn claims_are_compare_and_swap(fixture: &dyn Fixture) {
    let store = fixture.open();
    assert_eq!(wait(store.claimed()).unwrap(), None);
    assert!(matches!(wait(store.claim(VAULT, &[FIRST], SECOND)), Err(Error::Unclaimed)));
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    assert!(matches!(wait(store.claim(VAULT, &[], SECOND)), Err(Error::Fenced)));
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(store.claim(VAULT, &[FIRST], THIRD)), Err(Error::Fenced)));
    assert!(matches!(wait(store.claim(OTHER_VAULT, &[], THIRD)), Err(Error::ForeignVault)));
    assert!(matches!(wait(store.claim(OTHER_VAULT, &[SECOND], THIRD)), Err(Error::ForeignVault)));
    assert_eq!(wait(store.claimed()).unwrap(), Some(claim(SECOND)));
}

pub fn claims_survive_a_restart(fixture: &dyn Fixture) {
    let incarnations = [FIRST, SECOND, THIRD];
    let mut before = None;
    for next in incarnations {
        let store = fixture.open();
        assert_eq!(wait(store.claimed()).unwrap(), before.map(claim));
        wait(store.claim(VAULT, before.as_slice(), next)).unwrap();
        before = Some(next);
    }
    assert_eq!(wait(fixture.open().claimed()).unwrap(), Some(claim(THIRD)));
}

pub fn who_was_fenced_out_changes_nothing(fixture: &dyn Fixture) {
    let (store, old) = open_claimed(fixture);
    let root = wait(store.create(&old)).unwrap();
    wait(store.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(store.create(&old)), Err(Error::Fenced)));
    assert!(matches!(wait(store.wrap(&old, root, &vault_key(1), b"")), Err(Error::Fenced)));
    assert!(matches!(wait(store.destroy(&old, root)), Err(Error::Fenced)));
    let foreign = Claim { vault: OTHER_VAULT, incarnation: SECOND };
    assert!(matches!(wait(store.create(&foreign)), Err(Error::ForeignVault)));
    assert!(matches!(wait(store.wrap(&foreign, root, &vault_key(1), b"")), Err(Error::ForeignVault)));
    assert!(matches!(wait(store.destroy(&foreign, root)), Err(Error::ForeignVault)));
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    // The refused call was no use of the root.
    wait(store.wrap(&claim(SECOND), root, &vault_key(1), b"")).unwrap();
}

pub fn an_unclaimed_store_changes_nothing(fixture: &dyn Fixture) {
    let store = fixture.open();
    let root = RootId::from_bytes([5; 16]);
    assert!(matches!(wait(store.create(&claim(FIRST))), Err(Error::Unclaimed)));
    assert!(matches!(wait(store.wrap(&claim(FIRST), root, &vault_key(1), b"")), Err(Error::Unclaimed)));
    assert!(matches!(wait(store.destroy(&claim(FIRST), root)), Err(Error::Unclaimed)));
    assert!(wait(store.epochs()).unwrap().is_empty());
    assert_eq!(wait(store.claimed()).unwrap(), None);
}

pub fn roots_are_listed_in_order_and_destroyed_one_by_one(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let mut roots: Vec<_> = (0..4).map(|_| wait(store.create(&claim)).unwrap()).collect();
    let wrapped: Vec<_> =
        roots.iter().map(|root| (*root, wait(store.wrap(&claim, *root, &vault_key(7), b"")).unwrap())).collect();
    roots.sort_unstable();
    assert_eq!(wait(store.epochs()).unwrap(), roots);
    while let Some(root) = roots.pop() {
        let evidence = wait(store.destroy(&claim, root)).unwrap();
        assert_eq!((evidence.root, evidence.store, evidence.was_absent), (root, fixture.kind(), false));
        assert!(evidence.replicas > 0);
        assert_eq!(evidence.medium, store.medium());
        assert_eq!(wait(store.epochs()).unwrap(), roots);
        for (id, blob) in &wrapped {
            assert_eq!(wait(store.unwrap(*id, blob, b"")).is_ok(), roots.contains(id));
        }
    }
}

pub fn a_destroyed_root_stays_destroyed(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    let check = |store: &dyn RootStore| {
        assert!(matches!(wait(store.unwrap(root, &wrapped, b"")), Err(Error::NoSuchRoot(id)) if id == root));
        let rewrapped = wait(store.wrap(&claim, root, &vault_key(8), b""));
        assert!(matches!(rewrapped, Err(Error::NoSuchRoot(id)) if id == root), "{rewrapped:?}");
        assert!(wait(store.destroy(&claim, root)).unwrap().was_absent);
        assert!(wait(store.epochs()).unwrap().is_empty());
    };
    check(&store);
    drop(store);
    check(&fixture.open());
}

pub fn destroying_what_never_was_is_no_error(fixture: &dyn Fixture) {
    let (store, claim) = open_claimed(fixture);
    let kept = wait(store.create(&claim)).unwrap();
    let never = RootId::from_bytes([5; 16]);
    for _ in 0..2 {
        let evidence = wait(store.destroy(&claim, never)).unwrap();
        assert!(evidence.was_absent && evidence.root == never);
    }
    assert!(matches!(wait(store.unwrap(never, &[1; 93], b"")), Err(Error::NoSuchRoot(id)) if id == never));
    assert_eq!(wait(store.epochs()).unwrap(), [kept]);
}

pub fn of_two_openers_the_later_claim_counts(fixture: &dyn Fixture) {
    if !fixture.shared() {
        // Whoever comes second is refused at the door, which the store's own tests show.
        return;
    }
    let (one, old) = open_claimed(fixture);
    let root = wait(one.create(&old)).unwrap();
    let two = fixture.open();
    assert_eq!(wait(two.claimed()).unwrap(), Some(old));
    wait(two.claim(VAULT, &[FIRST], SECOND)).unwrap();
    assert!(matches!(wait(one.create(&old)), Err(Error::Fenced)));
    assert!(matches!(wait(one.destroy(&old, root)), Err(Error::Fenced)));
    assert!(matches!(wait(one.claim(VAULT, &[FIRST], THIRD)), Err(Error::Fenced)));
    let wrapped = wait(two.wrap(&claim(SECOND), root, &vault_key(7), b"")).unwrap();
    assert!(matches!(wait(one.wrap(&old, root, &vault_key(8), b"")), Err(Error::Fenced)));
    assert!(wait(one.unwrap(root, &wrapped, b"")).is_ok());
    wait(two.destroy(&claim(SECOND), root)).unwrap();
    assert!(wait(one.epochs()).unwrap().is_empty());
}

pub fn debug_tells_no_secret(fixture: &dyn Fixture) {
    let store = fixture.debug();
    assert!(store.contains("RootStore"));
    for secret in fixture.secrets() {
        assert!(!store.contains(&secret));
    }
}
