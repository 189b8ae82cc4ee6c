//! 1:N: people who come back under another id, and people who are new.

use std::time::{Duration, Instant};

use lethe_proto::v1::{CaptureKind, Completeness, Purpose, SearchRequest, SearchResponse};
use serde_json::json;
use tonic::Status;

use super::cast::{Cast, Expected, MATCH, Shadow};
use super::enrolment::enroll;
use super::story::{Story, check, milliseconds, percentile};
use super::tenants::Callers;
use crate::cli::exit::Failure;
use crate::cli::import::report::grouped;
use crate::cli::view;

/// People who come back under another id.
const RETURNING: usize = 20;

/// Searches for people who are known, by another capture.
const KNOWN: usize = 200;

/// Searches for people who are new, at most.
const NEW: usize = 200;

pub(super) async fn play(story: &mut Story, cast: &Cast, acme: &Callers, shadow: &mut Shadow) -> Result<(), Failure> {
    story.step("duplicates", "Have we met this person before? (1:N)")?;
    let returning = returning(cast);
    let faces: Vec<_> =
        returning.iter().enumerate().map(|(at, &person)| (again(at), first_return(cast, person))).collect();
    enroll(acme, faces.clone()).await?;
    for (subject, embedding) in faces.iter().cloned() {
        shadow.insert(acme.subject(&subject), embedding);
    }
    let known: Vec<_> = known(cast).collect();
    let new: Vec<_> = cast.others().take(NEW).collect();
    story.say(&format!(
        "{RETURNING} people come back under another applicant id, with another capture. The fraud team \
         searches for each of them, for {} known people, and for {} whom acme never met.",
        known.len(),
        new.len()
    ))?;

    let mut searches = Searches::new(shadow, acme);
    let mut found = 0;
    for (at, (person, (_, probe))) in returning.iter().zip(&faces).enumerate() {
        let original = acme.subject(&Cast::applicant(*person));
        let mates = searches.run(probe, &[original.clone(), acme.subject(&again(at))]).await?;
        // A pair below the threshold is the model's miss, not the search's: `run` checks that.
        found += usize::from(mates.contains(&original));
    }
    for person in &known {
        let own = acme.subject(&Cast::applicant(*person));
        searches.run(&cast.latest(*person), &[own]).await?;
    }
    for person in &new {
        searches.run(&cast.enrolment(*person), &[]).await?;
    }
    check(found * 10 >= RETURNING * 8, || format!("most duplicates are found, not {found}"))?;
    let below = match RETURNING - found {
        0 => String::new(),
        n => format!("; the model itself scores the other {n} below the threshold"),
    };
    story.say(&format!(
        "{found} of {RETURNING} duplicates found{below}. Of {} comparisons with other people's faces, {} \
         reached the threshold {MATCH}.",
        grouped(searches.comparisons),
        searches.false_matches
    ))?;
    story.fact("duplicates", json!({ "planted": RETURNING, "found": found }));
    searches.conclude(story)?;
    story.end()
}

/// The applicant id that somebody comes back under.
fn again(at: usize) -> String {
    format!("newcomer-{at:03}")
}

/// Those who come back, spread over the gallery.
pub(super) fn returning(cast: &Cast) -> Vec<u64> {
    let candidates: Vec<_> = (1..cast.people()).filter(|person| cast.comes_back(*person)).collect();
    let stride = (candidates.len() / RETURNING).max(1);
    candidates.into_iter().step_by(stride).take(RETURNING).collect()
}

fn first_return(cast: &Cast, person: u64) -> Vec<f32> {
    cast.captures(person).into_iter().next().unwrap_or_default()
}

/// Known people who did not come back under another id.
fn known(cast: &Cast) -> impl Iterator<Item = u64> {
    let returning = returning(cast);
    (0..cast.people()).filter(move |person| cast.comes_back(*person) && !returning.contains(person)).take(KNOWN)
}

/// Searches, each checked against an exhaustive comparison.
struct Searches<'a> {
    shadow: &'a Shadow,
    acme: &'a Callers,
    times: Vec<Duration>,
    /// With faces of other people.
    comparisons: u64,
    /// How many of these reached the threshold.
    false_matches: usize,
    /// What the first answer says of itself.
    first: Option<Completeness>,
}

impl<'a> Searches<'a> {
    fn new(shadow: &'a Shadow, acme: &'a Callers) -> Self {
        Self { shadow, acme, times: Vec::new(), comparisons: 0, false_matches: 0, first: None }
    }

    /// Searches for a face; which of the person's own subjects were found.
    async fn run(&mut self, probe: &[f32], own: &[String]) -> Result<Vec<String>, Failure> {
        let began = Instant::now();
        let answer = search(self.acme, self.acme.parent(), probe.to_vec()).await?;
        self.times.push(began.elapsed());
        let found = checked(&answer, &self.shadow.search(probe, MATCH), self.shadow.len())?;
        let (mates, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|subject| own.contains(subject));
        self.comparisons += (self.shadow.len() - own.len()) as u64;
        self.false_matches += others.len();
        self.first = self.first.or(answer.completeness);
        Ok(mates)
    }

    /// Says how fast and how complete they were.
    fn conclude(mut self, story: &mut Story) -> Result<(), Failure> {
        let p50 = percentile(&mut self.times, 0.5);
        let p95 = percentile(&mut self.times, 0.95);
        story.say(&format!(
            "A search of {} templates takes {} (median; 95 % within {}). The first answer says of itself: \
             {}.",
            grouped(self.shadow.len() as u64),
            milliseconds(p50),
            milliseconds(p95),
            self.first.as_ref().map(view::statement).unwrap_or_default()
        ))?;
        story.held(&format!(
            "All {} answers are those of an exhaustive comparison outside the vault: nobody is missing, \
             nobody is made up.",
            self.times.len()
        ))?;
        story.fact("searches", self.times.len());
        story.fact("comparisons", self.comparisons);
        story.fact("false_matches", self.false_matches);
        story.fact("gallery_size", self.shadow.len());
        story.fact("p50_ms", p50.as_secs_f64() * 1e3);
        story.fact("p95_ms", p95.as_secs_f64() * 1e3);
        Ok(())
    }
}

/// One search at the match threshold.
pub(super) async fn search(callers: &Callers, parent: String, probe: Vec<f32>) -> Result<SearchResponse, Status> {
    let probe = callers.capture(probe, CaptureKind::Selfie).map_err(|failure| Status::internal(failure.message))?;
    let request = SearchRequest {
        probe_subject: String::new(),
        parent,
        purpose: Purpose::DuplicateDetection.into(),
        probe: Some(probe),
        threshold: Some(MATCH),
        miss_probability: None,
        max_results: 0,
    };
    Ok(callers.analyst.identification().search(request).await?.into_inner())
}

/// The subjects of an answer, if it is complete and what it should be.
pub(super) fn checked(answer: &SearchResponse, expected: &Expected, gallery: usize) -> Result<Vec<String>, Failure> {
    let completeness = answer.completeness.unwrap_or_default();
    let whole = i64::try_from(gallery).unwrap_or(i64::MAX);
    check(completeness.complete, || "a search is complete".into())?;
    check(completeness.gallery_size == whole && completeness.searched == whole, || {
        format!("{whole} templates are searched, not {} of {}", completeness.searched, completeness.gallery_size)
    })?;
    let mut found: Vec<_> = answer.matches.iter().map(|found| found.subject.clone()).collect();
    found.sort();
    found.dedup();
    check(expected.agrees(&found), || {
        format!("a search finds the {} that an exhaustive comparison finds, not {}", expected.surely.len(), found.len())
    })?;
    Ok(found)
}
