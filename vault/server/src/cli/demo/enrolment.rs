//! Everybody is enrolled, once.

use std::time::Instant;

use lethe_proto::v1::{BatchEnrollRequest, CaptureKind, Purpose};
use tokio::sync::mpsc;

use super::cast::{Cast, Shadow};
use super::story::{Story, check, rounded};
use super::tenants::{Callers, Tenants};
use crate::cli::exit::Failure;
use crate::cli::import::report::grouped;
use crate::cli::import::stream::{Item, Outcome, enroll_all};
use crate::cli::request_id;

/// Items on their way at the same time.
const WINDOW: usize = 128;

/// Enrolls both tenants' people; what the first one's gallery then holds.
pub(super) async fn play(story: &mut Story, cast: &Cast, tenants: &Tenants) -> Result<Shadow, Failure> {
    story.step("enrolment", &format!("{} people are enrolled", grouped(cast.people())))?;
    let mut shadow = Shadow::default();
    let faces: Vec<_> = (0..cast.people()).map(|person| (Cast::applicant(person), cast.enrolment(person))).collect();
    let began = Instant::now();
    let outcome = enroll(&tenants.acme, faces.clone()).await?;
    let elapsed = began.elapsed();
    for (subject, embedding) in faces {
        shadow.insert(tenants.acme.subject(&subject), embedding);
    }
    let rate = outcome.stored as f64 / elapsed.as_secs_f64();
    story.say(&format!(
        "One stream, one answer for each template, given when it is sealed under the person's own key \
         and synced to disk: {} in {:.1} s, {rate:.0} a second.",
        grouped(outcome.stored),
        elapsed.as_secs_f64()
    ))?;

    let others: Vec<_> = cast.others().map(|person| (format!("client-{person:06}"), cast.enrolment(person))).collect();
    let count = others.len();
    enroll(&tenants.globex, others).await?;
    story.say(&format!("globex enrolls {count} others, whom acme never met."))?;
    story.fact("templates", outcome.stored);
    story.fact("enrolment_seconds", rounded(elapsed));
    story.fact("templates_per_second", rate.round());
    story.end()?;
    Ok(shadow)
}

/// Enrolls faces under applicant ids through one stream.
pub(super) async fn enroll(callers: &Callers, faces: Vec<(String, Vec<f32>)>) -> Result<Outcome, Failure> {
    let wanted = faces.len() as u64;
    let (sender, receiver) = mpsc::channel(WINDOW);
    let (parent, import) = (callers.parent(), request_id::random()?);
    let feed = async move {
        for (row, (subject_id, embedding)) in (0..).zip(faces) {
            let template = match callers.capture(embedding, CaptureKind::Selfie) {
                Ok(template) => template,
                Err(failure) => {
                    let _ = sender.send(Err(failure)).await;
                    return;
                }
            };
            let request = BatchEnrollRequest {
                parent: parent.clone(),
                purpose: Purpose::Authentication.into(),
                request_id: request_id::of_row(&import, row),
                subject_id,
                template: Some(template),
                item_id: row.to_string(),
            };
            if sender.send(Ok(Item { row, request })).await.is_err() {
                return;
            }
        }
    };
    let (outcome, ()) = tokio::join!(enroll_all(&callers.enroller, receiver, WINDOW, |_| {}), feed);
    if let Some(failure) = outcome.broken {
        return Err(failure);
    }
    check(outcome.stored == wanted, || {
        let first = outcome.rejected.first().map(|first| format!("{}: {}", first.reason, first.message));
        format!("all {wanted} are stored; {} were refused ({})", outcome.failed, first.unwrap_or_default())
    })?;
    Ok(outcome)
}
