//! A person is forgotten.

use std::time::Instant;

use lethe_proto::v1::{DecisionBand, EraseSubjectRequest, ErasureState, Purpose};
use tonic::Code;

use super::cast::{Cast, MATCH, Shadow, score};
use super::duplicates::{checked, returning, search};
use super::folder::Folder;
use super::login::verify;
use super::residue::Traces;
use super::silos::{get, refused};
use super::story::{Story, check, milliseconds};
use super::tenants::Callers;
use crate::cli::exit::Failure;
use crate::cli::request_id;

/// What is left of them.
pub(super) struct Forgotten {
    /// The receipt's name.
    pub(super) receipt: String,
}

pub(super) async fn play(
    story: &mut Story,
    cast: &Cast,
    folder: &Folder,
    acme: &Callers,
    shadow: &Shadow,
) -> Result<Forgotten, Failure> {
    story.step("erasure", "A person asks to be forgotten")?;
    let person = somebody(cast)?;
    let probe = cast.latest(person);
    let id = Cast::applicant(person);
    let name = acme.subject(&id);

    get(&acme.officer, name.clone()).await?;
    let login = verify(acme, name.clone(), probe.clone()).await?;
    check(login.band() == DecisionBand::Match, || "the person can log in".into())?;
    let expected = shadow.search(&probe, MATCH);
    let answer = search(acme, acme.parent(), probe.clone()).await?;
    let found = checked(&answer, &expected, shadow.len())?;
    check(found.contains(&name), || "the person is found".into())?;
    story.say(&format!("Before: {id} is on file, logs in, and is found by a search."))?;

    let began = Instant::now();
    let request = EraseSubjectRequest {
        fulfils_request: String::new(),
        name: name.clone(),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: request_id::random()?,
        no_wait: false,
        deferral: None,
    };
    let erasure = acme.officer.subjects().erase(request).await?.into_inner();
    let elapsed = began.elapsed();
    let state = erasure.state();
    check(state == ErasureState::Shredded, || format!("the erasure is SHREDDED, not {state:?}"))?;
    story.say(&format!(
        "The privacy officer erases them: SHREDDED after {}. The person's key and every key above it up \
         to the root were drawn anew; the old root key is overwritten and read back.",
        milliseconds(elapsed)
    ))?;

    let reason = refused(get(&acme.officer, name.clone()).await, Code::NotFound, "SUBJECT_NOT_FOUND")?;
    story.held(&format!("Asked for the person: not found ({reason})."))?;
    let login = verify(acme, name.clone(), probe.clone()).await?;
    check(login.band() == DecisionBand::NoMatch, || "the person cannot log in".into())?;
    story.held("Logging in: no match, and nothing that tells it from anybody's failed login.")?;
    let answer = search(acme, acme.parent(), probe).await?;
    let mut remaining = expected;
    remaining.surely.retain(|subject| *subject != name);
    let found = checked(&answer, &remaining, shadow.len() - 1)?;
    check(!found.contains(&name), || "the person is not found".into())?;
    story.held(&format!(
        "A search by the person's face: not there, in {} of {} templates.",
        shadow.len() - 1,
        shadow.len() - 1
    ))?;
    let looked = Traces::of(&id, &cast.enrolment(person))?.look(&folder.vault())?;
    check(looked.hits == 0, || "no file of the vault holds the person in clear".into())?;
    story.held(&format!(
        "The {} files that the vault wrote ({:.1} MiB): neither the applicant id nor the beginning of \
         the embedding stands in them in clear.",
        looked.files,
        looked.bytes as f64 / f64::from(1 << 20)
    ))?;
    story.fact("files_looked_through", looked.files);
    story.fact("erasure_ms", elapsed.as_secs_f64() * 1e3);
    story.fact("receipt", erasure.receipt.as_str());
    story.end()?;
    Ok(Forgotten { receipt: erasure.receipt })
}

/// Somebody who is there once, is recognised, and tried no account too often.
pub(super) fn somebody(cast: &Cast) -> Result<u64, Failure> {
    let returning = returning(cast);
    (1..cast.people())
        .find(|person| {
            cast.comes_back(*person)
                && !returning.contains(person)
                && score(&cast.enrolment(*person), &cast.latest(*person)) > MATCH + 0.05
        })
        .ok_or_else(|| Failure::failed("there is nobody to be forgotten"))
}
