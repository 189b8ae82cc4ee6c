//! 1:1: everybody logs in, and everybody tries to log in as somebody else.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lethe_proto::v1::{Capture, CaptureKind, DecisionBand, Purpose, VerifyRequest, VerifyResponse};
use serde_json::json;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::cast::{Cast, MATCH, REVIEW, ROUNDING, score};
use super::story::{Story, check, milliseconds, percent, percentile};
use super::tenants::Callers;
use crate::cli::exit::Failure;
use crate::cli::import::report::grouped;
use crate::cli::request_id;
use crate::cli::values::Coded as _;
use crate::cli::view;

/// Logins at the same time.
const AT_ONCE: usize = 32;

/// Impostors a subject: fewer than the failures that are free.
const IMPOSTORS: u64 = 3;

/// People who log in, at most: the figures do not get better with more.
const PEOPLE: u64 = 2000;

/// Attempts on one subject after which something is wrong if nobody had to wait.
const MOST_ATTEMPTS: u32 = 40;

/// A login: who is claimed, by which face, and the score that the two faces really have.
struct Attempt {
    claimed: u64,
    probe: Vec<f32>,
    score: f32,
}

/// Bands counted.
#[derive(Default)]
struct Tally {
    matched: u64,
    review: u64,
    refused: u64,
}

impl Tally {
    fn count(&self) -> u64 {
        self.matched + self.review + self.refused
    }
}

pub(super) async fn play(story: &mut Story, cast: &Cast, acme: &Callers) -> Result<(), Failure> {
    story.step("login", "Logging in: is this the same person? (1:1)")?;
    let mut times = Vec::new();
    let genuine = attempt_all(acme, genuine(cast), &mut times).await?;
    let impostors = attempt_all(acme, impostors(cast), &mut times).await?;

    let (n, of) = (genuine.count(), impostors.count());
    story.say(&format!(
        "{} genuine logins with another capture of the same person: {} match (true accept rate {}), {} \
         for a person to judge, {} refused.",
        grouped(n),
        grouped(genuine.matched),
        percent(genuine.matched, n),
        genuine.review,
        genuine.refused
    ))?;
    story.say(&format!(
        "{} impostors with somebody else's face: {} match (false accept rate {}{}), {} for a person to \
         judge, {} refused. Threshold {MATCH}.",
        grouped(of),
        impostors.matched,
        percent(impostors.matched, of),
        bound(impostors.matched, of),
        impostors.review,
        grouped(impostors.refused)
    ))?;
    story.say(&format!(
        "An answer takes {} (median, {AT_ONCE} at the same time). The login service sees the verdict, \
         never the score.",
        milliseconds(percentile(&mut times, 0.5))
    ))?;
    check(genuine.matched * 10 >= n * 9, || "at least 90 % of genuine logins match".into())?;
    check(impostors.matched * 1000 <= of, || "at most 0.1 % of impostors match".into())?;
    story.held(&format!("All {} verdicts are those of a second computation outside the vault.", grouped(n + of)))?;
    forge(story, cast, acme).await?;
    climb(story, cast, acme).await?;

    story.fact("threshold", view::score(MATCH));
    for (name, tally) in [("genuine", &genuine), ("impostor", &impostors)] {
        let Tally { matched, review, refused } = tally;
        story.fact(name, json!({ "probes": tally.count(), "match": matched, "review": review, "no_match": refused }));
    }
    story.fact("true_accept_rate", genuine.matched as f64 / n as f64);
    story.fact("false_accept_rate", impostors.matched as f64 / of as f64);
    story.fact("p50_ms", percentile(&mut times, 0.5).as_secs_f64() * 1e3);
    story.end()
}

/// What so few trials say about a rate of which nothing was seen: Hanley and Lippman-Hand, JAMA 249
/// (1983), the rule of three.
fn bound(seen: u64, trials: u64) -> String {
    match seen {
        0 => format!("; with 95 % confidence below {:.2} %", 300.0 / trials.max(1) as f64),
        _ => String::new(),
    }
}

fn genuine(cast: &Cast) -> Vec<Attempt> {
    (0..cast.people().min(PEOPLE))
        .flat_map(|person| {
            let enrolled = cast.enrolment(person);
            cast.captures(person).into_iter().map(move |probe| Attempt {
                claimed: person,
                score: score(&enrolled, &probe),
                probe,
            })
        })
        .collect()
}

fn impostors(cast: &Cast) -> Vec<Attempt> {
    (0..cast.people().min(PEOPLE))
        .flat_map(|person| {
            let probe = cast.latest(person);
            (1..=IMPOSTORS).map(move |step| {
                let claimed = (person + step * 61) % cast.people().min(PEOPLE);
                let score = score(&cast.enrolment(claimed), &probe);
                Attempt { claimed, probe: probe.clone(), score }
            })
        })
        .collect()
}

async fn attempt_all(acme: &Callers, attempts: Vec<Attempt>, times: &mut Vec<Duration>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut answers = futures::stream::iter(attempts)
        .map(|attempt| {
            let name = acme.subject(&Cast::applicant(attempt.claimed));
            async move {
                let began = Instant::now();
                let answer = verify(acme, name, attempt.probe).await?;
                Ok::<_, Failure>((answer, attempt.score, began.elapsed()))
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        let (answer, score, time) = answer?;
        times.push(time);
        check(answer.score.is_none(), || "a login service sees no score".into())?;
        let band = answer.band();
        check(agrees(band, score), || format!("a score of {score} is judged {} by the thresholds", band.words()))?;
        match band {
            DecisionBand::Match => tally.matched += 1,
            DecisionBand::Review => tally.review += 1,
            DecisionBand::NoMatch | DecisionBand::Unspecified => tally.refused += 1,
        }
    }
    Ok(tally)
}

/// Whether a score has this band, rounding aside.
fn agrees(band: DecisionBand, score: f32) -> bool {
    match band {
        DecisionBand::Match => score >= MATCH - ROUNDING,
        DecisionBand::Review => (REVIEW - ROUNDING..MATCH + ROUNDING).contains(&score),
        DecisionBand::NoMatch => score < REVIEW + ROUNDING,
        DecisionBand::Unspecified => false,
    }
}

/// One login.
pub(super) async fn verify(callers: &Callers, name: String, probe: Vec<f32>) -> Result<VerifyResponse, Status> {
    let probe = callers.capture(probe, CaptureKind::AuthenticationCapture);
    hand_on(callers, name, probe.map_err(|failure| Status::internal(failure.message))?).await
}

/// Sends a capture as it is, whoever signed it.
async fn hand_on(callers: &Callers, name: String, probe: Capture) -> Result<VerifyResponse, Status> {
    let request = VerifyRequest {
        name,
        purpose: Purpose::Authentication.into(),
        request_id: request_id::random().map_err(|failure| Status::internal(failure.message))?,
        probe: Some(probe),
    };
    Ok(callers.authenticator.authentication().verify(request).await?.into_inner())
}

/// Somebody has what the login service had: a login as it was sent, and a vector that matches.
async fn forge(story: &mut Story, cast: &Cast, acme: &Callers) -> Result<(), Failure> {
    let name = acme.subject(&Cast::applicant(1));
    let seen = acme.capture(cast.latest(1), CaptureKind::AuthenticationCapture)?;
    let login = hand_on(acme, name.clone(), seen.clone()).await?;
    check(login.band() == DecisionBand::Match, || "the login that is stolen matches".into())?;
    let replayed = refused(hand_on(acme, name.clone(), seen.clone()).await)?;
    // The same face a little later; and that of somebody else under the words of this one.
    let bare = Capture { attestation: String::new(), ..seen.clone() };
    let bare = refused(hand_on(acme, name.clone(), bare).await)?;
    let fresh = acme.capture(cast.enrolment(2), CaptureKind::AuthenticationCapture)?;
    let stolen = Capture { embedding: cast.enrolment(1), ..fresh };
    let stolen = refused(hand_on(acme, name, stolen).await)?;
    let expected = ["ATTESTATION_REPLAYED", "ATTESTATION_REQUIRED", "ATTESTATION_INVALID"];
    let found = [replayed, bare, stolen];
    check(found == expected, || format!("forged logins are refused as {expected:?}, not {found:?}"))?;
    story.held(&format!(
        "A login that was recorded and is sent again is refused ({}). So is a stolen vector that nobody signed ({}), and one \
         under what was signed about another face ({}). None of it is compared.",
        found[0], found[1], found[2]
    ))?;
    story.fact("forged", json!(found));
    Ok(())
}

/// Why a login was refused.
fn refused(answer: Result<VerifyResponse, Status>) -> Result<String, Failure> {
    match answer {
        Ok(answer) => Err(Failure::failed(format!("a forged login was judged: {}", answer.band().words()))),
        Err(status) => Ok(status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()),
    }
}

/// Somebody tries the same account again and again.
async fn climb(story: &mut Story, cast: &Cast, acme: &Callers) -> Result<(), Failure> {
    let victim = acme.subject(&Cast::applicant(0));
    let stranger = cast.enrolment(cast.others().start);
    for attempt in 1..=MOST_ATTEMPTS {
        let answer = verify(acme, victim.clone(), stranger.clone()).await;
        let Err(status) = answer else { continue };
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        check(reason == "ATTEMPTS_LIMITED", || format!("attempts are limited, not {reason}"))?;
        let wait = details.retry_info().and_then(|retry| retry.retry_delay).unwrap_or_default();
        story.held(&format!(
            "Who tries the same account again and again has to wait: {reason} at attempt {attempt}, for \
             {:.1} s, longer each time. So nobody can climb towards a match.",
            wait.as_secs_f64()
        ))?;
        story.fact("limited_at_attempt", attempt);
        return Ok(());
    }
    check(false, || format!("of {MOST_ATTEMPTS} failed attempts on one subject, one is limited"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_follows_from_the_score() {
        for (score, band) in [
            (0.5, DecisionBand::Match),
            (0.35, DecisionBand::Review),
            (0.1, DecisionBand::NoMatch),
            (-0.1, DecisionBand::NoMatch),
        ] {
            for other in [DecisionBand::Match, DecisionBand::Review, DecisionBand::NoMatch] {
                assert_eq!(agrees(other, score), other == band, "{score} {other:?}");
            }
        }
        assert!(!agrees(DecisionBand::Unspecified, 0.5));
    }

    #[test]
    fn nothing_seen_is_not_nothing() {
        assert!(bound(0, 3000).contains("0.10 %"));
        assert_eq!(bound(1, 3000), "");
    }
}
