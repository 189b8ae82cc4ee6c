//! What a restored vault must be, to whoever knew it before.

use std::collections::{BTreeMap, BTreeSet};

use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::Receipt;
use lethe_proto::v1::{DecisionBand, ErasureState, ErrorReason, Role};
use tonic::Code;

use crate::{Caller, Face, Refused};

/// A score of a template with the embedding that it was enrolled from.
const SAME: f32 = 1e-6;

/// People of a tenant who call a restored vault.
pub struct Knows {
    /// Lists templates.
    pub enroller: Caller,
    /// Knows subjects.
    pub officer: Caller,
    /// Searches.
    pub analyst: Caller,
    /// Verifies.
    pub authenticator: Caller,
    /// Reads receipts and logs.
    pub auditor: Caller,
}

impl Knows {
    /// Each by the role.
    pub fn with(caller: impl Fn(Role) -> Caller) -> Self {
        Self {
            enroller: caller(Role::Enroller),
            officer: caller(Role::PrivacyOfficer),
            analyst: caller(Role::FraudAnalyst),
            authenticator: caller(Role::Authenticator),
            auditor: caller(Role::Auditor),
        }
    }
}

/// Who is back is back with the very templates; nobody knows anybody else. `ever` has every template that there ever was, by
/// its subject's id and its name; `expected` those that are there, by the same.
///
/// # Panics
/// If it is otherwise.
pub async fn people(
    knows: &Knows,
    ever: &[(String, String, Face)],
    expected: &BTreeMap<String, BTreeMap<String, Face>>,
) {
    let ids: BTreeSet<_> = ever.iter().map(|(id, ..)| id.as_str()).collect();
    for id in ids {
        match expected.get(id) {
            Some(templates) => {
                knows.officer.subject(id).await.unwrap();
                let listed = knows.enroller.templates(id).await.unwrap();
                let listed: BTreeSet<_> = listed.into_iter().map(|template| template.name).collect();
                assert_eq!(listed, templates.keys().cloned().collect(), "the templates of {id}");
            }
            None => {
                let unknown = knows.officer.subject(id).await.refused();
                unknown.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
            }
        }
    }
    let alive: BTreeSet<&str> = expected.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
    let mut verified = BTreeSet::new();
    for (id, name, face) in ever {
        let found = knows.analyst.search(face).await.unwrap();
        let completeness = found.completeness.unwrap();
        assert!(completeness.complete);
        assert_eq!(completeness.gallery_size, i64::try_from(alive.len()).unwrap());
        if alive.contains(name.as_str()) {
            assert_eq!(found.matches.len(), 1, "{name} is found, and nobody else");
            assert_eq!(found.matches[0].template, *name);
            assert!((found.matches[0].score - 1.0).abs() <= SAME, "{name} came back changed: {:?}", found.matches);
            // One comparison a subject: attempts are counted.
            if verified.insert(id) {
                let same = knows.analyst.verify(id, face).await.unwrap();
                assert!((same.score.unwrap() - 1.0).abs() <= SAME, "{name}: {same:?}");
            }
        } else {
            assert!(found.matches.is_empty(), "{name} is gone, and is found: {:?}", found.matches);
            if verified.insert(id) {
                let verdict = knows.authenticator.verify(id, face).await.unwrap();
                assert_eq!(verdict.band(), DecisionBand::NoMatch, "{name} is gone, and matches");
            }
        }
    }
}

/// What was promised to be shredded still is, with its proof, also if that was after the backup.
///
/// # Panics
/// If it is not.
pub async fn receipt(reader: &Caller, name: &str, vault: &VerifierKey) {
    let receipt = reader.receipt(name).await.unwrap();
    assert_eq!(receipt.state(), ErasureState::Shredded, "{name}");
    let verified = Receipt::verify(&receipt.document, vault).unwrap();
    assert!(name.ends_with(&format!("/{}", verified.step().receipt)));
}
