//! Telling the story: numbered steps with sentences for people, one JSON object a step for programs.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::cast::Cast;
use super::folder::Folder;
use crate::cli::exit::Failure;
use crate::cli::output::Output;

/// Where lines are broken.
const WIDTH: usize = 92;

/// The story as it is told.
pub(super) struct Story {
    out: Output,
    steps: u32,
    id: &'static str,
    title: String,
    began: Instant,
    facts: Map<String, Value>,
}

impl Story {
    pub(super) fn new(out: Output) -> Self {
        let facts = Map::new();
        Self { out, steps: 0, id: "prologue", title: "prologue".into(), began: Instant::now(), facts }
    }

    /// The step it is at.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Who plays, and what stays of it.
    pub(super) fn prologue(&mut self, cast: &Cast, folder: &Folder) -> Result<(), Failure> {
        let paint = self.out.paint();
        self.out.text(&paint.bold("Lethe, a biometric template vault that can forget: a demonstration"))?;
        self.say(&format!("Faces: {}.", cast.describe()))?;
        self.say(if cast.is_synthetic() {
            "The people are synthetic: no real face is used (real ones with --data FOLDER)."
        } else {
            "These are embeddings of real people, from the files you named. They are only read."
        })?;
        let place = folder.path().display();
        self.say(&if folder.is_kept() {
            format!("Everything is written below {place} and stays there, as you asked.")
        } else {
            format!("Everything is written below {place}, and removed at the end. --keep keeps it.")
        })?;
        self.fact("faces", cast.describe());
        self.fact("synthetic", cast.is_synthetic());
        self.fact("folder", place.to_string());
        self.fact("kept", folder.is_kept());
        self.end()
    }

    /// Begins a step; programs know it by its id.
    pub(super) fn step(&mut self, id: &'static str, title: &str) -> Result<(), Failure> {
        self.steps += 1;
        self.id = id;
        self.title = title.to_owned();
        self.began = Instant::now();
        let heading = format!("{:2}. {title}", self.steps);
        self.out.text(&format!("\n{}", self.out.paint().bold(&heading)))
    }

    /// A sentence.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        self.out.text(&wrapped(text, "    "))
    }

    /// A check that held.
    pub(super) fn held(&self, text: &str) -> Result<(), Failure> {
        let mark = self.out.paint().good("ok");
        self.out.text(&format!(" {mark} {}", wrapped(text, "    ").trim_start()))
    }

    /// A measured number for programs.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Ends a step.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        let mut step = Map::new();
        step.insert("step".into(), json!(self.id));
        step.insert("seconds".into(), json!(rounded(self.began.elapsed())));
        step.append(&mut self.facts);
        self.out.json(&Value::Object(step))
    }

    /// Text that is shown as it stands, such as commands.
    pub(super) fn verbatim(&self, text: &str) -> Result<(), Failure> {
        self.out.text(text)
    }
}

/// Fails the demo unless a claim holds.
pub(super) fn check(holds: bool, claim: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::failed(format!("this does not hold: {}", claim()))) }
}

/// Seconds with three digits.
pub(super) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// Milliseconds as people read them.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The time that this share of all did not exceed (nearest rank).
pub(super) fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let rank = (share * times.len() as f64).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A share in per cent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut times: Vec<_> = (1..=10).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 0.5), Duration::from_millis(5));
        assert_eq!(percentile(&mut times, 0.95), Duration::from_millis(10));
        assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
    }

    #[test]
    fn long_sentences_are_broken_and_indented() {
        let text = wrapped(&"word ".repeat(40), "    ");
        assert!(text.lines().count() > 1);
        assert!(text.lines().all(|line| line.starts_with("    ") && line.len() <= WIDTH));
    }

    #[test]
    fn a_claim_that_does_not_hold_is_a_failure() {
        assert!(check(true, || unreachable!()).is_ok());
        assert!(check(false, || "2 is 3".into()).is_err_and(|f| f.message.contains("2 is 3")));
    }
}
