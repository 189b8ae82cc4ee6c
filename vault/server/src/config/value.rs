//! A value as some source gives it, read as what its key wants.

use std::path::{Path, PathBuf};

use lethe_domain::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::de::DeValue;

/// A value that is not read yet.
pub(super) enum Value<'a> {
    /// From an environment variable or a flag: everything is text there.
    Text(&'a str),
    /// From a file; relative paths count from the file's folder.
    Toml {
        /// What stands there.
        value: &'a DeValue<'a>,
        /// The file's folder.
        folder: &'a Path,
    },
}

/// Why a value cannot be read.
pub(super) type Reason = String;

impl Value<'_> {
    /// Text.
    pub(super) fn text(&self) -> Result<&str, Reason> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml { value: DeValue::String(text), .. } => Ok(text),
            Self::Toml { value, .. } => Err(unexpected("a string", value)),
        }
    }

    /// Text, to keep.
    pub(super) fn owned(&self) -> Result<String, Reason> {
        self.text().map(str::to_owned)
    }

    /// True or false.
    pub(super) fn flag(&self) -> Result<bool, Reason> {
        match self {
            Self::Text(text) => text.parse().map_err(|_| "expected true or false".to_owned()),
            Self::Toml { value: DeValue::Boolean(flag), .. } => Ok(*flag),
            Self::Toml { value, .. } => Err(unexpected("true or false", value)),
        }
    }

    /// A moment, as RFC 3339 writes it: a date and time with an offset.
    pub(super) fn time(&self) -> Result<Timestamp, Reason> {
        let wanted = || "expected a time such as 2026-01-31T12:00:00Z".to_owned();
        let moment = match self {
            Self::Text(text) => OffsetDateTime::parse(text, &Rfc3339),
            Self::Toml { value: DeValue::String(text), .. } => OffsetDateTime::parse(text, &Rfc3339),
            Self::Toml { value: DeValue::Datetime(moment), .. } => OffsetDateTime::parse(&moment.to_string(), &Rfc3339),
            Self::Toml { value, .. } => return Err(unexpected("a time", value)),
        };
        let millis = moment.map_err(|_| wanted())?.unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis).map(Timestamp::from_millis).map_err(|_| wanted())
    }

    /// A whole number, not negative.
    pub(super) fn number<T: TryFrom<u64>>(&self) -> Result<T, Reason> {
        let wanted = "a whole number, not negative";
        let number = match self {
            Self::Text(text) => text.parse().map_err(|_| format!("expected {wanted}"))?,
            Self::Toml { value: DeValue::Integer(number), .. } => {
                u64::from_str_radix(number.as_str(), number.radix()).map_err(|_| format!("expected {wanted}"))?
            }
            Self::Toml { value, .. } => return Err(unexpected(wanted, value)),
        };
        T::try_from(number).map_err(|_| format!("{number} is too large"))
    }

    /// A path.
    pub(super) fn path(&self) -> Result<PathBuf, Reason> {
        match self {
            Self::Text(text) => Ok(PathBuf::from(text)),
            Self::Toml { folder, .. } => match self.text()? {
                // Joined, it would be the file's own folder.
                "" => Err("is empty; name a path, or leave it out".into()),
                text => Ok(folder.join(text)),
            },
        }
    }

    /// Paths: an array in a file, separated by colons elsewhere, as in `PATH`.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Reason> {
        match self {
            Self::Text(text) => Ok(std::env::split_paths(text).collect()),
            Self::Toml { value: DeValue::Array(items), folder } => {
                items.iter().map(|item| Value::Toml { value: item.get_ref(), folder }.path()).collect()
            }
            Self::Toml { value, .. } => Err(unexpected("an array of strings", value)),
        }
    }
}

/// Says what was expected and what kind of value stands there, never the value: a key's neighbour may
/// be secret.
fn unexpected(wanted: &str, found: &DeValue<'_>) -> Reason {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    format!("expected {wanted}, found {found}")
}
