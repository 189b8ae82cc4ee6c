//! What must be the same after the bad input as before.

use lethe_proto::v1::{self, ErrorReason};
use lethe_tests::{Answer, Face, Faces, Person, Refused, Tenant, Vault};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

/// A tenant with one person, who was enrolled once.
pub(crate) struct Scene {
    pub(crate) vault: Vault,
    pub(crate) bank: Tenant,
    pub(crate) ada: Person,
    pub(crate) stranger: Person,
    pub(crate) template: v1::Template,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let vault = Vault::fresh().await;
        let bank = vault.tenant("bank").await;
        let [ada, stranger] = <[Person; 2]>::try_from(Faces::seeded(81).strangers(2)).unwrap();
        let enrolled = bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
        Self { vault, bank, ada, stranger, template: enrolled.template.unwrap() }
    }

    /// The face that every bad request would have brought in.
    pub(crate) fn face(&self) -> Face {
        self.stranger.selfie()
    }

    /// The server is whole and serves, and the gallery is what it was; also to the next server.
    pub(crate) async fn is_unchanged(&self) {
        for _ in ["now", "after a restart"] {
            assert_eq!(self.vault.health("").await, ServingStatus::Serving);
            assert_eq!(self.bank.enroller().templates("ada").await.unwrap(), std::slice::from_ref(&self.template));
            let searched = self.bank.analyst().search(&self.face()).await.unwrap();
            assert_eq!(searched.completeness.unwrap().gallery_size, 1);
            assert!(searched.matches.is_empty());
            assert_eq!(self.bank.analyst().found(&self.ada.again()).await, ["ada"]);
            self.vault.restart().await;
        }
        let log = self.vault.log();
        assert!(!log.contains("panicked"), "the server panicked:\n{log}");
    }
}

/// What a bad request must be answered with.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) code: Code,
    pub(crate) reason: ErrorReason,
    pub(crate) field: String,
}

/// `INVALID_ARGUMENT` for this reason, naming this field.
pub(crate) fn invalid(reason: ErrorReason, field: &str) -> Expected {
    Expected { code: Code::InvalidArgument, reason, field: field.to_owned() }
}

/// Compares answers with what they should be, and fails once for all that differ: a matrix is read as a whole.
#[derive(Default)]
pub(crate) struct Verdict {
    wrong: Vec<String>,
    checked: usize,
}

impl Verdict {
    pub(crate) fn on<T>(&mut self, what: &str, answer: Answer<T>, expected: &Expected) {
        self.checked += 1;
        let Err(refusal) = answer else {
            self.wrong.push(format!("{what}: answered; expected {expected:?}"));
            return;
        };
        let field = refusal.field().unwrap_or_default();
        let same =
            (refusal.code(), refusal.reason(), field) == (expected.code, Some(expected.reason), expected.field.clone());
        if !same {
            self.wrong.push(format!("{what}: {refusal:?}; expected {expected:?}"));
        }
    }

    /// The same, of an item of a stream.
    pub(crate) fn on_item(&mut self, what: &str, answer: &v1::BatchEnrollResponse, expected: &Expected) {
        self.checked += 1;
        let Some(v1::batch_enroll_response::Result::Error(error)) = &answer.result else {
            self.wrong.push(format!("{what}: enrolled; expected {expected:?}"));
            return;
        };
        let field = error.metadata.get("field").cloned().unwrap_or_default();
        let same =
            (error.code, error.reason(), field) == (expected.code.into(), expected.reason, expected.field.clone());
        if !same {
            self.wrong.push(format!("{what}: {error:?}; expected {expected:?}"));
        }
    }

    pub(crate) fn reached(self, number: usize) {
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.checked, self.wrong.join("\n"));
        assert_eq!(self.checked, number, "cases checked");
    }
}

/// A refusal, whatever it is, that is not the server's own fault.
pub(crate) fn is_no_fault<T>(what: &str, answer: Answer<T>) {
    if answer.is_err() {
        let refusal = answer.refused();
        let own = matches!(refusal.code(), Code::Internal | Code::Unknown | Code::Unavailable | Code::DataLoss);
        assert!(!own, "{what}: {refusal:?}");
        assert!(refusal.reason().is_some(), "{what}: {refusal:?}");
    }
}
