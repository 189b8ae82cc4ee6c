//! What is looked at after a restart, with nobody else at work.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use lethe_proto::v1::{DecisionBand, ErrorReason};
use rand::Rng;
use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;

use super::clients::Clients;
use super::history::{Call, Face, Op};
use super::linear::{Bounds, outcomes};

/// Calls at the same time.
const AT_ONCE: usize = 6;
/// Faces that went in earlier lives and are looked for again each time.
const OLD: usize = 4;
/// Verifications of a subject that may fail before the vault makes callers wait.
const FAILURES: usize = 8;

/// What was found of an applicant id.
pub(super) struct Finding {
    pub(super) account: usize,
    exists: bool,
    /// Faces that are found, and the name of the template each is found by.
    pub(super) found: BTreeMap<Face, String>,
    looked: usize,
    gallery: i64,
}

/// Looks for everything that the clients know of, and holds it against what they were told.
pub(super) async fn everything(clients: &Clients, random: &mut ChaCha8Rng, all_of_old: bool) {
    let accounts = clients.ledger().accounts.len();
    let watched: Vec<_> = (0..accounts).map(|account| watched(clients, account, random, all_of_old)).collect();
    let findings = futures::stream::iter(watched).map(|(account, faces)| look(clients, account, faces));
    let findings: Vec<Finding> = findings.buffer_unordered(AT_ONCE).collect().await;
    let total: usize = findings.iter().map(|finding| finding.found.len()).sum();
    for finding in findings {
        assert_eq!(finding.gallery, i64::try_from(total).unwrap(), "the gallery holds what is found and nothing else");
        settle(clients, finding);
    }
}

/// Faces of an account that are to be looked for: all that may be there, and some that may not.
pub(super) fn watched(
    clients: &Clients,
    account: usize,
    random: &mut ChaCha8Rng,
    all_of_old: bool,
) -> (usize, BTreeSet<Face>) {
    let ledger = clients.ledger();
    let known = &ledger.accounts[account];
    let mut faces = Bounds::of(&known.before).possible;
    faces.extend(known.calls.iter().filter_map(|call| match call.op {
        Op::Enroll(face) | Op::Replace { new: face, .. } | Op::Look(face) | Op::Delete(_, face) => Some(face),
        Op::Erase(_) => None,
    }));
    let old = (0..ledger.next())
        .zip(&ledger.requests)
        .filter(|(_, request)| request.account == account && matches!(request.op, Op::Enroll(_) | Op::Replace { .. }));
    let old = old.map(|(face, _)| face);
    match all_of_old {
        true => faces.extend(old),
        false => faces.extend(old.choose_multiple(random, OLD)),
    }
    (account, faces)
}

/// Search, Get, ListTemplates and Verify tell the same.
pub(super) async fn look(clients: &Clients, account: usize, faces: BTreeSet<Face>) -> Finding {
    let id = clients.ledger().accounts[account].id.clone();
    let subject = clients.analyst.subject_name(&id);
    let (mut found, mut gallery) = (BTreeMap::new(), 0);
    let mut failures = 0;
    for &face in &faces {
        let vector = clients.vector(face);
        let answer = clients.analyst.search(&vector).await.unwrap();
        let completeness = answer.completeness.unwrap();
        assert!(completeness.complete && completeness.searched == completeness.gallery_size, "{completeness:?}");
        gallery = completeness.gallery_size;
        assert!(answer.matches.len() <= 1, "face {face} is enrolled {} times", answer.matches.len());
        for hit in answer.matches {
            assert_eq!(hit.subject, subject, "face {face} is found as somebody else's");
            found.insert(face, hit.template);
        }
        failures += usize::from(!found.contains_key(&face));
        if found.contains_key(&face) || failures <= FAILURES {
            let band = clients.authenticator.verify(&id, &vector).await.unwrap().band();
            let expected = if found.contains_key(&face) { DecisionBand::Match } else { DecisionBand::NoMatch };
            assert_eq!(band, expected, "face {face}: verify and search tell different things");
        }
    }
    if faces.is_empty() {
        let answer = clients.analyst.search(&clients.vector(Face::MAX)).await.unwrap();
        gallery = answer.completeness.unwrap().gallery_size;
    }
    let looked = faces.len();
    let exists = match clients.analyst.subject(&id).await {
        Ok(facts) => {
            let count: i32 = facts.template_counts.iter().map(|count| count.count).sum();
            assert_eq!(usize::try_from(count).unwrap(), found.len(), "Get counts what Search finds");
            let listed = clients.analyst.templates(&id).await.unwrap();
            let listed: BTreeSet<_> = listed.into_iter().map(|template| template.name).collect();
            assert_eq!(listed, found.values().cloned().collect(), "ListTemplates lists what Search finds");
            true
        }
        Err(refusal) => {
            assert_eq!(refusal.reason(), Some(ErrorReason::SubjectNotFound), "{refusal}");
            assert!(found.is_empty(), "a subject that is not known is found");
            let refusal = clients.analyst.templates(&id).await.expect_err("a subject that is not known has no list");
            assert_eq!(refusal.reason(), Some(ErrorReason::SubjectNotFound), "{refusal}");
            false
        }
    };
    Finding { account, exists, found, looked, gallery }
}

/// Holds what was found against what was answered; what remains possible is what the next life begins with.
fn settle(clients: &Clients, finding: Finding) {
    let mut ledger = clients.ledger();
    let ledger = &mut *ledger;
    let account = &mut ledger.accounts[finding.account];
    let calls = std::mem::take(&mut account.calls);
    let tell = |calls: &[Call]| calls.iter().map(|call| format!("  {call:?}\n")).collect::<String>();
    let possible = match outcomes(&account.before, &calls) {
        Ok(possible) => possible,
        Err(contradiction) => panic!("{}: {contradiction}\n{}", account.id, tell(&calls)),
    };
    let bounds = Bounds::of(&possible);
    let live: BTreeSet<Face> = finding.found.keys().copied().collect();
    let lost: Vec<_> = bounds.certain.difference(&live).collect();
    let back: Vec<_> = live.difference(&bounds.possible).collect();
    ledger.counts.lost += lost.len();
    ledger.counts.back += back.len();
    ledger.counts.looked += finding.looked;
    ledger.counts.unknown +=
        calls.iter().filter(|call| call.ended.is_none() && !matches!(call.op, Op::Look(_))).count();
    let context = || format!("{}, known before: {:?}\n{}", account.id, account.before, tell(&calls));
    assert!(lost.is_empty() && back.is_empty(), "lost {lost:?}, back {back:?}; {}", context());

    let fits = |state: &&_| {
        let state: &super::history::State = state;
        state.live().collect::<BTreeSet<_>>() == live && state.subject.is_some() == finding.exists
    };
    let mut remaining: BTreeSet<_> = possible.iter().filter(fits).cloned().collect();
    assert!(!remaining.is_empty(), "found {live:?}, of possible {possible:?}: half of something; {}", context());
    // Older requests are not repeated any more.
    let repeated_from = u32::try_from(ledger.life).unwrap();
    remaining = remaining
        .into_iter()
        .map(|mut state| {
            state.accepted.retain(|request| *request >= repeated_from);
            state
        })
        .collect();
    ledger.counts.erased += bounds_before(&account.before, &calls).difference(&live).count();
    account.before = remaining;
    for (face, name) in finding.found {
        let known = ledger.requests[face as usize].template.get_or_insert_with(|| name.clone());
        assert_eq!(*known, name, "a template keeps its name");
    }
}

/// Faces that were known to be there at some time of a life.
fn bounds_before(before: &BTreeSet<super::history::State>, calls: &[Call]) -> BTreeSet<Face> {
    let mut faces = Bounds::of(before).certain;
    faces.extend(calls.iter().filter(|call| matches!(call.ended, Some((_, super::history::Answer::Done)))).filter_map(
        |call| match call.op {
            Op::Enroll(face) | Op::Replace { new: face, .. } => Some(face),
            Op::Delete(..) | Op::Erase(_) | Op::Look(_) => None,
        },
    ));
    faces
}

/// Repeats requests of the life that was cut short: those that were answered, which must be answered the same, and
/// most of those that were not, as a client would.
pub(super) async fn repeat(clients: &Clients, random: &mut ChaCha8Rng) {
    let requests = {
        let mut ledger = clients.ledger();
        let live: BTreeSet<Face> =
            ledger.accounts.iter().flat_map(|account| Bounds::of(&account.before).certain).collect();
        // First those whose repeat changes nothing. A face that went is not among them: what is forgotten is
        // enrolled anew.
        let (mut requests, mut rest) = (Vec::new(), Vec::new());
        for number in ledger.of_this_life() {
            let request = &ledger.requests[number as usize];
            let is_live = matches!(request.op, Op::Enroll(_) | Op::Replace { .. }) && live.contains(&number);
            let is_accepted = matches!(request.op, Op::Delete(..) | Op::Erase(_)) && request.answer.is_some();
            if is_live || is_accepted {
                requests.push(number);
            } else if request.answer.is_none() && random.random_bool(0.7) {
                rest.push(number);
            }
        }
        requests.extend(rest);
        ledger.counts.repeated += requests.len();
        requests
    };
    for request in requests {
        clients.send(request, None).await.expect("nobody kills the server now");
    }
}

/// Repeats what was asked of silos and their keys in the life that was cut short; tenants that are shredded stay so, and those
/// that nobody asked to shred are there.
pub(super) async fn silos(clients: &Clients, all: bool) {
    let (silos, there, rotations) = {
        let ledger = clients.ledger();
        let (asked, there): (Vec<_>, Vec<_>) = (0..).zip(&ledger.silos).partition(|(_, silo)| silo.asked.is_some());
        let silos = asked.into_iter().filter(|(_, silo)| all || silo.fresh).map(|(place, _)| place);
        let there = there.into_iter().map(|(_, silo)| silo.clone());
        let open = (0..).zip(&ledger.rotations).filter(|(_, rotation)| all || rotation.receipt.is_none());
        let rotations = open.map(|(place, _)| place).collect::<Vec<usize>>();
        (silos.collect::<Vec<usize>>(), there.collect::<Vec<_>>(), rotations)
    };
    for silo in there {
        clients.expect_there(&silo).await;
    }
    for place in silos {
        clients.shred(place).await.expect("nobody kills the server now");
        let silo = {
            let mut ledger = clients.ledger();
            let silo = &mut ledger.silos[place];
            silo.fresh = false;
            silo.clone()
        };
        clients.expect_shredded(&silo).await;
    }
    for place in rotations {
        clients.rotate(place).await.expect("nobody kills the server now");
    }
    let mut ledger = clients.ledger();
    ledger.counts.silos = (ledger.silos.len(), ledger.rotations.len());
}

/// Waits until every accepted erasure is shredded, and verifies its receipt.
pub(super) async fn receipts(clients: &Clients, again: bool) {
    let names: Vec<String> = {
        let ledger = clients.ledger();
        let open = ledger.receipts.iter().filter(|(_, proof)| again || proof.is_none());
        open.map(|(name, _)| name.clone()).collect()
    };
    let all = futures::stream::iter(names).map(|name| async move {
        let shredded = async {
            if !clients.read_receipt(&name).await? {
                clients.ledger().counts.receipts.1 += 1;
                while !clients.read_receipt(&name).await? {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
            Ok::<_, super::clients::Gone>(())
        };
        tokio::time::timeout(crate::PATIENCE, shredded).await.expect("an accepted erasure is shredded in the end")
    });
    all.buffer_unordered(AT_ONCE).try_collect::<()>().await.expect("nobody kills the server now");
}
