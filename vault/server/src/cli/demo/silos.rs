//! Silos: what one client knows, the other cannot find out.

use lethe_proto::v1::{CaptureKind, GetSubjectRequest, Purpose, SearchRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::cast::{Cast, Expected, MATCH, Shadow};
use super::duplicates::{checked, search};
use super::story::{Story, check};
use super::tenants::{Callers, Tenants};
use crate::cli::client::Client;
use crate::cli::exit::Failure;

/// People that the other client looks for.
const LOOKED_FOR: usize = 25;

pub(super) async fn play(story: &mut Story, cast: &Cast, tenants: &Tenants, acme: &Shadow) -> Result<(), Failure> {
    story.step("silos", "Each client has a silo")?;
    let mut globex = Shadow::default();
    for person in cast.others() {
        let subject = tenants.globex.subject(&format!("client-{person:06}"));
        globex.insert(subject, cast.enrolment(person));
    }
    // People that acme finds, and who look like nobody at globex.
    let known = (0..cast.people())
        .map(|person| cast.latest(person))
        .filter(|probe| !acme.search(probe, MATCH).surely.is_empty())
        .filter(|probe| globex.search(probe, MATCH) == Expected::default())
        .take(LOOKED_FOR);
    let mut looked_for = 0;
    for probe in known {
        let expected = globex.search(&probe, MATCH);
        let answer = search(&tenants.globex, tenants.globex.parent(), probe).await?;
        let found = checked(&answer, &expected, globex.len())?;
        check(found.is_empty(), || "the other client finds nothing".into())?;
        looked_for += 1;
    }
    check(looked_for == LOOKED_FOR, || format!("there are {LOOKED_FOR} people to look for"))?;
    story.held(&format!("globex looks for {looked_for} people whom acme knows, and finds none of them."))?;

    let probe = cast.enrolment(0);
    let refusal = search(&tenants.acme, tenants.globex.parent(), probe).await;
    let reason = refused(refusal.map(drop), Code::PermissionDenied, "TENANT_MISMATCH")?;
    story.held(&format!("A key of acme's that searches at globex is refused: {reason}."))?;

    let at_acme = tenants.acme.subject(&Cast::applicant(0));
    let refusal = get(&tenants.globex.officer, at_acme).await;
    let reason = refused(refusal, Code::PermissionDenied, "TENANT_MISMATCH")?;
    story.held(&format!("A key of globex's that asks about a person at acme is refused: {reason}."))?;

    let refusal = wrong_purpose(&tenants.acme, cast.enrolment(0)).await;
    let reason = refused(refusal, Code::PermissionDenied, "PURPOSE_NOT_ALLOWED")?;
    story.held(&format!("A search for a purpose that acme recorded no legal basis for is refused: {reason}."))?;
    story.fact("looked_for_elsewhere", looked_for);
    story.fact("found_elsewhere", 0);
    story.end()
}

/// Asks what is held about a subject.
pub(super) async fn get(client: &Client, name: String) -> Result<(), Status> {
    let purpose = Purpose::DataSubjectRequest.into();
    client.subjects().get(GetSubjectRequest { name, purpose }).await.map(drop)
}

async fn wrong_purpose(callers: &Callers, probe: Vec<f32>) -> Result<(), Status> {
    let probe = callers.capture(probe, CaptureKind::Selfie).map_err(|failure| Status::internal(failure.message))?;
    let request = SearchRequest {
        parent: callers.parent(),
        purpose: Purpose::FraudPrevention.into(),
        probe: Some(probe),
        ..SearchRequest::default()
    };
    callers.analyst.identification().search(request).await.map(drop)
}

/// The reason of a refusal that must be this one.
pub(super) fn refused(answer: Result<(), Status>, code: Code, reason: &str) -> Result<String, Failure> {
    let Err(status) = answer else {
        return check(false, || format!("the call is refused with {reason}")).map(|()| String::new());
    };
    let details = status.get_error_details();
    let found = details.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
    check(status.code() == code && found == reason, || {
        format!("the call is refused with {reason}, not {found} ({})", status.message())
    })?;
    Ok(reason.to_owned())
}
