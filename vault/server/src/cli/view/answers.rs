//! What comparisons come to.

use lethe_proto::v1::{
    Completeness, Decider, DuplicatePair, SearchMatch, SearchResponse, SweepDuplicatesResponse, VerifyResponse,
    WatchlistMatch,
};
use serde_json::{Value, json};

use super::{joined, score};
use crate::cli::exit::printable;
use crate::cli::output::Card;
use crate::cli::values::Coded;

pub(crate) fn verdict(verdict: &VerifyResponse) -> (Value, Card) {
    let reasons: Vec<_> = verdict.reasons().map(Coded::code).collect();
    let json = json!({
        "band": verdict.band().code(),
        "reasons": reasons,
        "risk": verdict.risk().code(),
        "decider": verdict.decider().code(),
        "score": verdict.score.map(score),
        "policy_version": verdict.policy_version,
    });
    let card = Card::new(verdict.band().words())
        .row("because", joined(verdict.reasons().map(Coded::words)))
        .row("risk", verdict.risk().words())
        .row("decided by", decided(verdict.decider()))
        .maybe("score", verdict.score)
        .row("policy version", verdict.policy_version);
    (json, card)
}

fn decided(decider: Decider) -> &'static str {
    match decider {
        Decider::System => "your system may decide, or a person",
        Decider::Person => "a person",
        Decider::Unspecified => "the server did not say",
    }
}

fn found(found: &SearchMatch) -> Value {
    json!({
        "subject": found.subject,
        "template": found.template,
        "score": score(found.score),
        "band": found.band().code(),
        "reasons": found.reasons().map(Coded::code).collect::<Vec<_>>(),
        "risk": found.risk().code(),
    })
}

pub(crate) fn search(search: &SearchResponse) -> (Value, Card) {
    let completeness = search.completeness.unwrap_or_default();
    let matches: Vec<_> = search.matches.iter().map(found).collect();
    let json = json!({
        "matches": matches,
        "completeness": {
            "gallery_size": completeness.gallery_size,
            "searched": completeness.searched,
            "candidates": completeness.candidates,
            "re_ranked": completeness.re_ranked,
            "matched": completeness.matched,
            "threshold": score(completeness.threshold),
            "margin": score(completeness.margin),
            "miss_probability": completeness.miss_probability,
            "complete": completeness.complete,
            "sequence": completeness.sequence,
        },
        "policy_version": search.policy_version,
        "risk": search.risk().code(),
        "decider": search.decider().code(),
        "watchlist_matches": search.watchlist_matches.iter().map(watched).collect::<Vec<_>>(),
        "watchlist_compared": search.watchlist_compared,
    });
    let title = match search.matches.len() {
        0 => "nothing found".to_owned(),
        1 => "1 template found".to_owned(),
        count => format!("{count} templates found"),
    };
    let mut card = Card::new(title);
    for found in &search.matches {
        let place = format!("{:<9} {}", found.band().words(), found.subject);
        card = card.row(&format!("{:.4}", found.score), place);
    }
    for found in &search.watchlist_matches {
        let place = format!("{:<9} {} {}", found.band().words(), found.kind().words(), found.entry);
        card = card.row(&format!("{:.4}", found.score), place);
    }
    let compared = (search.watchlist_compared > 0).then(|| search.watchlist_compared.to_string());
    let card = card
        .row("risk", search.risk().words())
        .row("decided by", decided(search.decider()))
        .row("searched", statement(&completeness))
        .maybe("watch lists", compared);
    (json, card)
}

/// An entry of a watch list that a search found.
fn watched(found: &WatchlistMatch) -> Value {
    json!({
        "entry": found.entry,
        "kind": found.kind().code(),
        "score": score(found.score),
        "band": found.band().code(),
    })
}

/// A pair of a sweep, as an object and as a line.
pub(crate) fn pair(pair: &DuplicatePair) -> (Value, String) {
    let json = json!({
        "subject": pair.subject,
        "template": pair.template,
        "other_subject": pair.other_subject,
        "other_template": pair.other_template,
        "score": score(pair.score),
        "band": pair.band().code(),
        "reasons": pair.reasons().map(Coded::code).collect::<Vec<_>>(),
        "risk": pair.risk().code(),
    });
    let line = format!("{:.4}  {:<9} {}  {}", pair.score, pair.band().words(), pair.subject, pair.other_subject);
    (json, printable(&line))
}

/// What a sweep that came to its end says of itself.
pub(crate) fn swept(last: &SweepDuplicatesResponse, pairs: usize) -> (Value, Card) {
    let json = json!({
        "pairs": pairs,
        "compared": last.compared,
        "gallery_size": last.gallery_size,
        "candidates": last.candidates,
        "threshold": score(last.threshold),
        "miss_probability": last.miss_probability,
        "policy_version": last.policy_version,
        "complete": last.complete,
    });
    let title = match pairs {
        // Of a sweep that went on, those who asked before know of theirs.
        0 => "no pair found".to_owned(),
        1 => "1 pair found".to_owned(),
        count => format!("{count} pairs found"),
    };
    let statement = format!(
        "{} templates with all those before them, in a gallery of {}; {} pairs scored exactly; a pair exactly at {} is \
         missed with a probability of at most {:e}",
        last.compared, last.gallery_size, last.candidates, last.threshold, last.miss_probability
    );
    (json, Card::new(title).row("compared", statement))
}

/// What a completeness statement says, in words.
pub(crate) fn statement(of: &Completeness) -> String {
    let cut = if of.complete { "" } else { "; the list was cut to the number asked for" };
    format!(
        "{} of {} templates, {} candidates scored exactly, {} at or above {}; a template exactly at \
         the threshold is missed with a probability of at most {:e} (margin {:.3}){cut}",
        of.searched, of.gallery_size, of.re_ranked, of.matched, of.threshold, of.miss_probability, of.margin
    )
}
