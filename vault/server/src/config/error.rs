//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counting from 1; none if the whole file is meant.
        line: Option<usize>,
    },
    /// An environment variable.
    Variable(String),
    /// A command-line flag.
    Flag(String),
    /// The program itself, through [`super::Config`]'s fields.
    Given,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Given => f.write_str("the configuration given"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `limits.concurrency`; none if no key is to blame.
    pub key: Option<String>,
    /// Where it was set.
    pub origin: Origin,
    /// What is wrong with it.
    pub reason: String,
}

impl Problem {
    /// A problem of a key.
    pub(super) fn of(key: impl Into<String>, origin: Origin, reason: impl Into<String>) -> Self {
        Self { key: Some(key.into()), origin, reason: reason.into() }
    }

    /// A problem of a whole source.
    pub(super) fn whole(origin: Origin, reason: impl Into<String>) -> Self {
        Self { key: None, origin, reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Why a configuration is refused: all that is wrong with it, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// What is wrong; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The error of some problems, if there are any.
    pub(super) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is refused")?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}
