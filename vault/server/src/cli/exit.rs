//! How a command ends: exit codes, and failures that can be shown.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

pub(super) use crate::error::causes;

/// The exit codes, as `--help` tells them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done; of a question: yes
  1  failed: here, on the way, or inside the server
  2  usage: arguments or configuration are wrong, nothing was tried
  3  refused by the server: the request, the credential or the purpose
  4  not found
  5  no: no match, nothing found, not verified
  6  for a person to judge: the score lies between the review and the match threshold
  7  not now: unreachable, overloaded, still loading, or not finished yet; try again later";

/// An exit code; see [`EXIT_CODES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    NotFound = 4,
    No = 5,
    Review = 6,
    NotNow = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not end well.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// What went wrong, one line; empty: say nothing.
    pub(super) message: String,
    /// More about it, by name, such as the reason code of a refusal.
    pub(super) details: Vec<(String, String)>,
}

impl Failure {
    /// A failure here or on the way.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// A mistake of the caller.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Any failure.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new() }
    }

    /// Nothing to say: who reads the output has gone.
    pub(super) fn silent() -> Self {
        Self::new(Exit::Failed, "")
    }

    /// Adds a detail.
    #[must_use]
    pub(super) fn detail(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((name.into(), value.into()));
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub(super) fn during(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> Value {
        let mut error = Map::new();
        error.insert("exit".into(), json!(self.exit as u8));
        error.insert("message".into(), json!(self.message));
        for (name, value) in &self.details {
            // A name that comes again makes a list: a request can have several bad fields.
            let name = name.replace(' ', "_");
            match error.get_mut(&name) {
                Some(Value::Array(values)) => values.push(json!(value)),
                Some(first) => *first = json!([first.take(), value]),
                None => {
                    error.insert(name, json!(value));
                }
            }
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.message))?;
        let width = self.details.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.details {
            write!(f, "\n  {name:width$}  {}", printable(value))?;
        }
        Ok(())
    }
}

/// Text from elsewhere, without the control characters that could steer a terminal. Line breaks stay.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_aligned_and_harmless() {
        let failure = Failure::new(Exit::Refused, "refused: no\u{1b}[2J")
            .detail("reason", "ROLE_REQUIRED")
            .detail("retry after", "1 s");
        let text = failure.to_string();
        assert_eq!(text, "refused: no\u{fffd}[2J\n  reason       ROLE_REQUIRED\n  retry after  1 s");
    }

    #[test]
    fn json_gathers_details_of_one_name() {
        let failure = Failure::usage("x").detail("field", "a").detail("field", "b").detail("r s", "c");
        assert_eq!(failure.json(), json!({"error": {"exit": 2, "message": "x", "field": ["a", "b"], "r_s": "c"}}));
    }

    #[test]
    fn every_exit_code_is_documented() {
        for exit in
            [Exit::Done, Exit::Failed, Exit::Usage, Exit::Refused, Exit::NotFound, Exit::No, Exit::Review, Exit::NotNow]
        {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
