//! What others do to the token's objects, and what a crash leaves of them.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use lethe_crypto::Error;
use lethe_crypto::root::{Incarnation, RootId, RootStore as _};

use crate::conformance::*;
use crate::token::{PIN, SoftHsm, module, with};

/// A session of somebody else's, in the same process. The module must be loaded.
fn session(token: &SoftHsm) -> Session {
    let module = Pkcs11::new(module()).unwrap();
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    assert!(token.place().exists());
    session
}

fn key(session: &Session, root: RootId) -> ObjectHandle {
    let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Id(root.as_bytes().to_vec())];
    session.find_objects(&template).unwrap()[0]
}

fn data(session: &Session, label: &str) -> Vec<ObjectHandle> {
    let template = [Attribute::Class(ObjectClass::DATA), Attribute::Label(label.as_bytes().to_vec())];
    session.find_objects(&template).unwrap()
}

fn put(session: &Session, label: &str, value: &[u8]) -> ObjectHandle {
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Application(b"lethe/v1".to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Value(value.to_vec()),
    ];
    session.create_object(&template).unwrap()
}

/// version ‖ sequence ‖ vault ‖ incarnation.
fn claim_bytes(sequence: u64, incarnation: Incarnation) -> Vec<u8> {
    [&[1], sequence.to_be_bytes().as_slice(), VAULT.as_bytes(), incarnation.as_bytes()].concat()
}

#[test]
fn a_root_cannot_be_taken_out_of_the_token() {
    with("objects::a_root_cannot_be_taken_out_of_the_token", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        let session = session(token);
        let key = key(&session, root);
        let value = session.get_attributes(key, &[AttributeType::Value]);
        assert!(!value.is_ok_and(|found| found.iter().any(|attribute| matches!(attribute, Attribute::Value(_)))));
        for weaker in [Attribute::Sensitive(false), Attribute::Extractable(true), Attribute::Copyable(true)] {
            assert!(session.update_attributes(key, &[weaker]).is_err());
        }
        assert!(session.copy_object(key, &[Attribute::Extractable(true)]).is_err());
        assert!(session.copy_object(key, &[Attribute::Token(false)]).is_err());
        let wrapping = [
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Wrap(true),
            Attribute::Token(false),
        ];
        let wrapping = session.generate_key(&cryptoki::mechanism::Mechanism::AesKeyGen, &wrapping).unwrap();
        assert!(session.wrap_key(&cryptoki::mechanism::Mechanism::AesKeyWrap, wrapping, key).is_err());
    });
}

#[test]
fn a_used_root_does_not_wrap_even_without_its_mark() {
    with("objects::a_used_root_does_not_wrap_even_without_its_mark", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
        let session = session(token);
        let marks = data(&session, &format!("lethe wrapped {root}"));
        assert_eq!(marks.len(), 1);
        session.destroy_object(marks[0]).unwrap();
        assert!(matches!(wait(store.wrap(&claim, root, &vault_key(8), b"")), Err(Error::AlreadyWrapped(_))));
    });
}

/// A crash after the mark and before the blob: the root is lost, and destroyed like any orphan.
#[test]
fn a_marked_root_does_not_wrap() {
    with("objects::a_marked_root_does_not_wrap", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        let session = session(token);
        put(&session, &format!("lethe wrapped {root}"), &[1]);
        assert!(matches!(wait(store.wrap(&claim, root, &vault_key(8), b"")), Err(Error::AlreadyWrapped(_))));
        wait(store.destroy(&claim, root)).unwrap();
        assert!(data(&session, &format!("lethe wrapped {root}")).is_empty());
    });
}

#[test]
fn a_root_that_is_there_twice_is_used_by_nobody_and_destroyed_twice() {
    with("objects::a_root_that_is_there_twice_is_used_by_nobody_and_destroyed_twice", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
        let twin = [
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Label(b"lethe root".to_vec()),
            Attribute::Id(root.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Private(true),
        ];
        session(token).generate_key(&cryptoki::mechanism::Mechanism::AesKeyGen, &twin).unwrap();
        assert_eq!(wait(store.epochs()).unwrap(), [root]);
        let refused = wait(store.unwrap(root, &wrapped, b"")).unwrap_err();
        assert!(words(&refused).contains("more than once"), "{}", words(&refused));
        assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
        assert!(wait(store.epochs()).unwrap().is_empty());
    });
}

#[test]
fn roots_without_a_claim_are_not_taken_over() {
    with("objects::roots_without_a_claim_are_not_taken_over", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        let session = session(token);
        data(&session, "lethe claim").into_iter().for_each(|claim| session.destroy_object(claim).unwrap());
        assert_eq!(wait(store.claimed()).unwrap(), None);
        let refused = wait(store.claim(OTHER_VAULT, &[], SECOND)).unwrap_err();
        assert!(words(&refused).contains("no claim says whose"), "{}", words(&refused));
        assert!(matches!(wait(store.destroy(&claim, root)), Err(Error::Unclaimed)));
        assert_eq!(wait(store.epochs()).unwrap(), [root]);
    });
}

/// Two writers made the same next claim, and one died before it could withdraw: everybody sees the same of
/// them, the other is fenced out, and the next claim clears up.
#[test]
fn of_two_claims_with_one_number_one_counts() {
    with("objects::of_two_claims_with_one_number_one_counts", |token| {
        let (store, _) = open_claimed(token);
        wait(store.claim(VAULT, &[FIRST], THIRD)).unwrap();
        let session = session(token);
        put(&session, "lethe claim", &claim_bytes(1, SECOND));
        assert_eq!(wait(store.claimed()).unwrap(), Some(claim(SECOND)));
        assert_eq!(wait(token.store().claimed()).unwrap(), Some(claim(SECOND)));
        assert!(matches!(wait(store.create(&claim(THIRD))), Err(Error::Fenced)));
        assert!(matches!(wait(store.claim(VAULT, &[THIRD], FIRST)), Err(Error::Fenced)));
        wait(store.claim(VAULT, &[SECOND], FIRST)).unwrap();
        assert_eq!(data(&session, "lethe claim").len(), 1);
    });
}

#[test]
fn a_claim_of_an_unknown_version_is_refused() {
    with("objects::a_claim_of_an_unknown_version_is_refused", |token| {
        let (store, claim) = open_claimed(token);
        let mut newer = claim_bytes(1, SECOND);
        newer[0] = 2;
        put(&session(token), "lethe claim", &newer);
        assert!(matches!(wait(store.claimed()), Err(Error::Corrupt { .. })));
        assert!(matches!(wait(store.create(&claim)), Err(Error::Corrupt { .. })));
    });
}

/// Many writers claim from the same incarnation at once: at most one of them goes on, whatever the others believe. SoftHSM
/// loses sight of an object that one thread makes while another lists them, so that two may believe that they have won.
#[test]
fn of_many_who_claim_at_once_at_most_one_goes_on() {
    with("objects::of_many_who_claim_at_once_at_most_one_goes_on", |token| {
        let (store, _) = open_claimed(token);
        let mut current = FIRST;
        for round in 0..10_u8 {
            let start = std::sync::Barrier::new(4);
            let winners: Vec<Incarnation> = std::thread::scope(|scope| {
                let claimants = [0, 1, 2, 3].map(|who: u8| {
                    let next = Incarnation::from_bytes([16 + round * 4 + who; 16]);
                    let (store, start) = (token.store(), &start);
                    scope.spawn(move || {
                        start.wait();
                        wait(store.claim(VAULT, &[current], next)).is_ok().then_some(next)
                    })
                });
                claimants.into_iter().filter_map(|claimant| claimant.join().unwrap()).collect()
            });
            let held = wait(store.claimed()).unwrap().unwrap().incarnation;
            for winner in winners {
                let created = wait(store.create(&claim(winner)));
                assert_eq!(created.is_ok(), winner == held, "round {round}: {winner:?}, {held:?}: {created:?}");
            }
            current = held;
        }
        // Where all saw each other, all gave up. One alone does not.
        wait(token.store().claim(VAULT, &[current], THIRD)).unwrap();
        wait(store.create(&claim(THIRD))).unwrap();
    });
}

/// A writer whose claim was made, but whose session ended before it could look for others, tries again when another
/// has won meanwhile: it does not take that for its own victory.
#[test]
fn a_claim_that_was_cut_short_looks_for_others_when_it_is_made_again() {
    with("objects::a_claim_that_was_cut_short_looks_for_others_when_it_is_made_again", |token| {
        let (store, _) = open_claimed(token);
        wait(store.claim(VAULT, &[FIRST], THIRD)).unwrap();
        let session = session(token);
        put(&session, "lethe claim", &claim_bytes(1, SECOND));
        assert!(matches!(wait(token.store().claim(VAULT, &[FIRST], SECOND)), Err(Error::Fenced)));
        assert_eq!(wait(store.claimed()).unwrap(), Some(claim(THIRD)), "and has taken its own back");
        // Alone, it would have won.
        put(&session, "lethe claim", &claim_bytes(2, SECOND));
        wait(token.store().claim(VAULT, &[THIRD], SECOND)).unwrap();
        assert_eq!(data(&session, "lethe claim").len(), 1);
    });
}
