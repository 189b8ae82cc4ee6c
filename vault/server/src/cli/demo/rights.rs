//! A person's rights: processing stops at once, and goes on again; and what a court may need is not erased.

use lethe_proto::v1::{
    DecisionBand, EraseSubjectRequest, Hold, LiftRestrictionRequest, PlaceHoldRequest, Purpose, ReleaseHoldRequest,
    RestrictSubjectRequest, RestrictionGround,
};
use tonic::Code;

use super::cast::{Cast, MATCH, Shadow};
use super::duplicates::{checked, search};
use super::forgetting::somebody;
use super::login::verify;
use super::silos::refused;
use super::story::{Story, check};
use super::tenants::Callers;
use crate::cli::exit::Failure;
use crate::cli::{request_id, values};

pub(super) async fn play(story: &mut Story, cast: &Cast, acme: &Callers, shadow: &Shadow) -> Result<(), Failure> {
    story.step("rights", "A person wants it stopped")?;
    let person = somebody(cast)?;
    let (probe, id) = (cast.latest(person), Cast::applicant(person));
    let name = acme.subject(&id);
    let (request_id, officer) = (String::new(), &acme.officer);

    let ground = RestrictionGround::AccuracyContested.into();
    let purpose = Purpose::DataSubjectRequest.into();
    let request = RestrictSubjectRequest { name: name.clone(), purpose, request_id: request_id.clone(), ground };
    officer.subjects().restrict(request).await?;
    story.say(&format!("{id} says that the template is wrong. The privacy officer restricts the processing."))?;
    let expected = shadow.search(&probe, MATCH);
    let mut without = expected.clone();
    without.surely.retain(|subject| *subject != name);
    let answer = search(acme, acme.parent(), probe.clone()).await?;
    let found = checked(&answer, &without, shadow.len())?;
    check(!found.contains(&name), || "who is restricted is not found".into())?;
    let login = verify(acme, name.clone(), probe.clone()).await?;
    check(login.band() == DecisionBand::NoMatch, || "who is restricted is not recognised".into())?;
    story.held(
        "From that answer on no search names the person, however complete it is, and a login looks like \
         anybody's failed one. The data are kept.",
    )?;
    let request = LiftRestrictionRequest { name: name.clone(), purpose, request_id: request_id.clone() };
    officer.subjects().lift_restriction(request).await?;
    let answer = search(acme, acme.parent(), probe.clone()).await?;
    check(checked(&answer, &expected, shadow.len())?.contains(&name), || "the person is found again".into())?;
    story.held("It was right after all; the restriction is lifted, and the person is found again.")?;

    let hold = Hold {
        case_reference: "case-2026-17".into(),
        review_time: Some(values::time_to_come("180d").map_err(Failure::failed)?),
        ..Hold::default()
    };
    let request = PlaceHoldRequest {
        parent: name.clone(),
        purpose: Purpose::LegalClaims.into(),
        request_id: request_id::random()?,
        hold: Some(hold),
    };
    let hold = officer.holds().place(request).await?.into_inner().name;
    let request =
        EraseSubjectRequest { name: name.clone(), purpose, request_id: request_id::random()?, ..Default::default() };
    let erased = officer.subjects().erase(request).await;
    let reason = refused(erased.map(drop), Code::FailedPrecondition, "LEGAL_HOLD")?;
    story.held(&format!(
        "Proceedings begin: while there is a litigation hold nobody can erase the person ({reason})."
    ))?;
    let purpose = Purpose::LegalClaims.into();
    officer.holds().release(ReleaseHoldRequest { name: hold, purpose, request_id }).await?;
    story.end()
}
