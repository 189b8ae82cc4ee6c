//! Every method, against every way in which a person must not be processed: the exact reason, and an entry in the log.

use std::collections::BTreeMap;

use lethe_proto::v1::{self, ErrorReason as Reason, Purpose, Role};
use lethe_tests::{Refused, now};
use prost::Message as _;
use prost_types::{FieldMask, Timestamp};
use tonic::Code;

use crate::stage::{Stage, Target};
use crate::table::{Row, TABLE};

/// What a method does to the person whom it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It takes in or compares templates.
    Process,
    /// It destroys some of them.
    Destroy,
    /// It erases the person, at its own request.
    Erase,
    /// It names nobody, or records, or looks.
    Neither,
}

/// Written by hand: what is not here does neither.
const ACTS: [(&str, Does); 10] = [
    ("EnrollmentService/Enroll", Does::Process),
    ("EnrollmentService/BatchEnroll", Does::Process),
    ("EnrollmentService/ReplaceTemplate", Does::Process),
    ("AuthenticationService/Verify", Does::Process),
    ("IdentificationService/Search", Does::Process),
    ("CaseService/CreatePair", Does::Process),
    ("WatchlistService/AddEntry", Does::Process),
    ("EnrollmentService/DeleteTemplate", Does::Destroy),
    ("SubjectService/Erase", Does::Erase),
    // It compares everybody with everybody, and passes over who must not be compared.
    ("IdentificationService/SweepDuplicates", Does::Neither),
];

/// How a person stands.
struct Standing {
    name: &'static str,
    /// Why it is not processed, for any purpose.
    processed: Reason,
    /// Why nothing of it is destroyed, if that is so.
    destroyed: Option<Reason>,
    /// Why it is not erased though it asks for it.
    erased: Option<Reason>,
}

const STANDINGS: [Standing; 7] = [
    Standing {
        name: "held",
        processed: Reason::LegalHold,
        destroyed: Some(Reason::LegalHold),
        erased: Some(Reason::LegalHold),
    },
    Standing {
        name: "restricted",
        processed: Reason::SubjectRestricted,
        destroyed: Some(Reason::SubjectRestricted),
        erased: None,
    },
    Standing {
        name: "deferred",
        processed: Reason::ErasureDeferred,
        destroyed: Some(Reason::ErasureDeferred),
        erased: None,
    },
    Standing { name: "dead", processed: Reason::SubjectDeceased, destroyed: None, erased: None },
    Standing { name: "over", processed: Reason::RetentionExpired, destroyed: None, erased: None },
    Standing { name: "abroad", processed: Reason::WrittenConsentRequired, destroyed: None, erased: None },
    Standing { name: "minor", processed: Reason::MinorWithoutGuardian, destroyed: None, erased: None },
];

fn does(method: &str) -> Does {
    ACTS.iter().find(|(known, _)| *known == method).map_or(Does::Neither, |(_, does)| *does)
}

/// Makes somebody stand so.
async fn stand(stage: &Stage, target: &Target, standing: &str) {
    let (officer, enroller, id) = (stage.bank.privacy_officer(), stage.bank.enroller(), target.subject_id.as_str());
    let update = |paths: &[&str], facts: v1::Subject| v1::UpdateSubjectRequest {
        subject: Some(v1::Subject { name: target.subject.clone(), ..facts }),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: String::new(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    let before = Timestamp { seconds: now().seconds - 60, nanos: 0 };
    match standing {
        "held" => drop(officer.hold(id).await.unwrap()),
        "restricted" => drop(officer.restrict(id, v1::RestrictionGround::Other).await.unwrap()),
        "deferred" => {
            let deferral = v1::Deferral {
                reason: v1::DeferralReason::LegalClaims.into(),
                request_time: Some(now()),
                erase_time: Some(Timestamp { seconds: now().seconds + 86_400, nanos: 0 }),
            };
            let request = v1::EraseSubjectRequest { deferral: Some(deferral), ..officer.erasure(id) };
            assert_eq!(officer.ask(request).await.unwrap().state(), v1::ErasureState::Deferred);
        }
        "dead" => {
            let facts = v1::Subject { death_time: Some(before), ..Default::default() };
            drop(officer.ask(update(&["death_time"], facts)).await.unwrap());
        }
        "over" => {
            let facts = v1::Subject { contract_end_time: Some(before), ..Default::default() };
            drop(officer.ask(update(&["contract_end_time"], facts)).await.unwrap());
        }
        "abroad" => {
            drop(enroller.describe(id, v1::Jurisdiction::Washington, v1::AgeBand::Adult).await.unwrap());
        }
        "minor" => {
            // A guardian consented to something else: so the child is kept, and not processed for this.
            let (written, guardian) = (v1::ConsentManner::Written, v1::ConsentGiver::Guardian);
            let consent = enroller.consent(Purpose::KycSharing, written, guardian);
            enroller.record(id, consent).await.unwrap();
            drop(enroller.describe(id, v1::Jurisdiction::Other, v1::AgeBand::Under16).await.unwrap());
        }
        other => panic!("nobody is {other}"),
    }
}

/// The request of a row, about a person also where the row's own names nobody.
fn request(row: &Row, target: &Target, purpose: Purpose) -> Vec<u8> {
    if row.method == "IdentificationService/Search" {
        let mut request = v1::SearchRequest::decode((row.request)(target, purpose).as_slice()).unwrap();
        request.probe_subject = target.subject.clone();
        return request.encode_to_vec();
    }
    (row.request)(target, purpose)
}

/// Who is told reasons: the roles of the method, without one that may only verify.
fn insider(row: &Row) -> Vec<Role> {
    let told = row.roles.iter().copied().filter(|role| *role != Role::Authenticator);
    told.collect()
}

/// The last refusal in the tenant's log about a person: what was called, and why not.
async fn last_refusal(stage: &Stage, from: i64) -> Option<(String, String)> {
    let auditor = stage.bank.auditor();
    let size = auditor.checkpoint(&stage.bank.log()).await.unwrap().tree_size;
    let mut last = None;
    for leaf in from..size {
        let entry = auditor.proof(&stage.bank.log(), leaf, size).await.unwrap().entry;
        let entry: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        if entry["outcome"] == "denied" && entry["pseudonym"].is_string() {
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            last = Some((text("operation"), text("reason")));
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_that_touches_a_person_gives_the_reason_why_not_and_logs_it() {
    let stage = Stage::set().await;
    let served = stage.served_methods().await;
    assert!(ACTS.iter().all(|(method, _)| served.contains(*method)), "a method of this list is gone");
    let mut refused = BTreeMap::<&str, usize>::new();
    for standing in &STANDINGS {
        for row in TABLE.iter().filter(|row| does(row.method) != Does::Neither) {
            let expected = match does(row.method) {
                // An entry of a watch list would outlive the consent that the law asks for: none would do.
                Does::Process if (row.method, standing.name) == ("WatchlistService/AddEntry", "abroad") => {
                    Some(Reason::JurisdictionForbids)
                }
                Does::Process => Some(standing.processed),
                Does::Destroy => standing.destroyed,
                Does::Erase => standing.erased,
                Does::Neither => None,
            };
            let purpose = row.purpose();
            let target = stage.existing().await;
            stand(&stage, &target, standing.name).await;
            let what = format!("{} of somebody who is {}", row.method, standing.name);
            let before = stage.bank.auditor().checkpoint(&stage.bank.log()).await.unwrap().tree_size;
            let caller = stage.bank.with_roles(&insider(row)).await;
            let answer = caller.ask_raw(&row.path(), request(row, &target, purpose)).await;
            let Some(reason) = expected else {
                assert!(answer.is_ok(), "{what}: {answer:?}");
                continue;
            };
            if row.method == "EnrollmentService/BatchEnroll" {
                // A result for each item.
                let answers = answer.unwrap();
                let item = v1::BatchEnrollResponse::decode(answers[0].as_slice()).unwrap();
                let Some(v1::batch_enroll_response::Result::Error(error)) = item.result else {
                    panic!("{what}: enrolled")
                };
                assert_eq!(error.code, Code::FailedPrecondition as i32, "{what}");
            } else {
                answer.refused().assert_is(Code::FailedPrecondition, reason);
            }
            let (operation, logged) =
                last_refusal(&stage, before).await.unwrap_or_else(|| panic!("{what} is not logged"));
            assert_eq!(logged, reason.code(), "{what}");
            assert!(operation.contains('.'), "{what}: {operation}");
            *refused.entry(standing.name).or_default() += 1;
        }
    }
    let counts: Vec<_> = refused.into_values().collect();
    assert!(counts.len() == STANDINGS.len() && counts.iter().all(|count| *count >= 5), "{counts:?}");
}

/// Rights can be exercised by everybody: nothing that looks or records is refused for how a person stands.
#[tokio::test(flavor = "multi_thread")]
async fn no_right_is_refused_for_how_a_person_stands() {
    let stage = Stage::set().await;
    for standing in &STANDINGS {
        // What two persons decide of the tenant has a proposal to find, and nobody in it.
        let of_nobody = [
            "TenantService/ExportSilo",
            "TenantService/ConfirmHandover",
            // Whom to tell of somebody is found by who is gone, too.
            "NotificationService/Get",
            "NotificationService/Close",
        ];
        // Nor do entries of watch lists name anybody.
        let is_of_nobody = |method: &str| {
            method.starts_with("ApprovalService/")
                || method.starts_with("WatchlistService/")
                || of_nobody.contains(&method)
        };
        let of_people = TABLE.iter().filter(|row| !row.is_the_vaults() && !is_of_nobody(row.method));
        for row in of_people.filter(|row| does(row.method) == Does::Neither) {
            // A restriction is not replaced by another ground's; it is the same here.
            let target = stage.existing().await;
            stand(&stage, &target, standing.name).await;
            let caller = stage.bank.with_roles(row.roles).await;
            let answer = caller.ask_raw(&row.path(), (row.request)(&target, row.purpose())).await;
            assert!(answer.is_ok(), "{} of somebody who is {}: {answer:?}", row.method, standing.name);
        }
    }
}
