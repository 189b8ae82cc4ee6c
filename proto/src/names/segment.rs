//! The grammar of single segments.

use std::fmt;

use super::{NameError, Part, Problem};

/// Checks the value of a variable segment.
pub(super) fn check(part: Part, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    let (least, most) = lengths(part);
    if text.len() > most {
        return Err(Problem::TooLong(most));
    }
    if !begins_well(part, text) || !text.bytes().all(|byte| allowed(part, byte)) {
        return Err(Problem::Character);
    }
    if text.len() < least {
        return Err(Problem::TooShort(least));
    }
    Ok(())
}

/// Checks a fixed word.
pub(super) fn literal(form: &'static str, word: &str, segment: Option<&str>) -> Result<(), NameError> {
    let problem = match segment {
        Some(segment) if segment == word => return Ok(()),
        Some(_) => Problem::Unexpected,
        None => Problem::Missing,
    };
    Err(NameError::new(form, Part::Collection, problem))
}

/// Checks that nothing follows.
pub(super) fn end(form: &'static str, segment: Option<&str>) -> Result<(), NameError> {
    match segment {
        None => Ok(()),
        Some(_) => Err(NameError::new(form, Part::Collection, Problem::Unexpected)),
    }
}

/// Writes pairs of fixed word and value, all joined by slashes.
pub(super) fn write(f: &mut fmt::Formatter<'_>, pairs: &[(&str, &str)]) -> fmt::Result {
    for (at, (word, value)) in pairs.iter().enumerate() {
        let separator = if at == 0 { "" } else { "/" };
        write!(f, "{separator}{word}/{value}")?;
    }
    Ok(())
}

/// Whether the first character may be the first.
fn begins_well(part: Part, text: &str) -> bool {
    match part {
        Part::Tenant => text.starts_with(|c: char| c.is_ascii_lowercase()),
        // One text a number.
        Part::Backup => !text.starts_with('0'),
        Part::Collection
        | Part::Subject
        | Part::Watchlist
        | Part::WatchlistEntry
        | Part::Template
        | Part::Consent
        | Part::Hold
        | Part::Request
        | Part::Notification
        | Part::Case
        | Part::Proposal
        | Part::Receipt
        | Part::Credential
        | Part::Model
        | Part::Version
        | Part::SigningKey
        | Part::Mirror => true,
    }
}

/// Least and greatest length in bytes.
const fn lengths(part: Part) -> (usize, usize) {
    match part {
        Part::Tenant => (3, 63),
        Part::Subject | Part::Watchlist => (1, 128),
        Part::Template
        | Part::Consent
        | Part::Hold
        | Part::Request
        | Part::Notification
        | Part::Case
        | Part::WatchlistEntry
        | Part::Proposal
        | Part::Receipt
        | Part::Credential
        | Part::Mirror => (32, 32),
        Part::SigningKey => (1, 64),
        Part::Backup => (1, 10),
        Part::Collection | Part::Model | Part::Version => (1, 63),
    }
}

const fn allowed(part: Part, byte: u8) -> bool {
    match part {
        Part::Tenant => matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'),
        Part::Subject | Part::Watchlist => {
            matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b'-')
        }
        Part::Backup => byte.is_ascii_digit(),
        Part::Template
        | Part::Consent
        | Part::Hold
        | Part::Request
        | Part::Notification
        | Part::Case
        | Part::WatchlistEntry
        | Part::Proposal
        | Part::Receipt
        | Part::Credential
        | Part::Mirror => {
            matches!(byte, b'0'..=b'9' | b'a'..=b'f')
        }
        Part::SigningKey => {
            matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
        }
        Part::Model | Part::Version => {
            matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
        }
        Part::Collection => byte.is_ascii_alphabetic(),
    }
}
