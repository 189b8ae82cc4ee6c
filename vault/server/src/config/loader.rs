//! Layers, each above the last.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::value::Value;
use super::{Config, ConfigError, ENVIRONMENT_PREFIX, Origin, Problem, check, keys};

/// Puts a [`Config`] together from its layers: call [`Loader::file`], [`Loader::environment`] and
/// [`Loader::set`] in the order of their rank, then [`Loader::finish`].
#[derive(Debug, Default)]
pub struct Loader {
    config: Config,
    origins: HashMap<&'static str, Origin>,
    problems: Vec<Problem>,
}

impl Loader {
    /// The defaults alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file that must exist. Relative paths in it count from its folder.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => self.toml(path, &text),
            Err(error) => self.refuse_file(path, None, format!("cannot be read: {error}")),
        }
        self
    }

    /// Reads a file if it exists.
    #[must_use]
    pub fn file_if_present(self, path: &Path) -> Self {
        match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self,
            Ok(_) | Err(_) => self.file(path),
        }
    }

    /// Takes every variable that begins with [`ENVIRONMENT_PREFIX`].
    #[must_use]
    pub fn environment(mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        for (name, value) in variables {
            let name = name.to_string_lossy();
            let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let key = path.replace("__", ".").to_ascii_lowercase();
            self.text(&key, &value, Origin::Variable(name.to_string()));
        }
        self
    }

    /// Sets one key from a command-line flag.
    #[must_use]
    pub fn set(mut self, flag: &str, key: &str, value: &OsStr) -> Self {
        self.text(key, value, Origin::Flag(flag.to_owned()));
        self
    }

    /// The configuration, checked.
    ///
    /// # Errors
    /// Everything that is wrong in any layer, with key and place.
    pub fn finish(mut self) -> Result<Config, ConfigError> {
        for violation in check::violations(&self.config) {
            let origin = self.origin_of(violation.key);
            self.problems.push(Problem::of(violation.key, origin, violation.reason));
        }
        ConfigError::unless_empty(self.problems)?;
        Ok(self.config)
    }

    /// Where a key was set; of a missing key, where the section was.
    fn origin_of(&self, key: &'static str) -> Origin {
        let section = key.split_once('.').map(|(section, _)| section);
        let sibling = || {
            let mut keys: Vec<_> = self.origins.keys().collect();
            keys.sort();
            let found = keys
                .into_iter()
                .find(|other| section.is_some() && other.split_once('.').map(|(section, _)| section) == section);
            found.and_then(|other| self.origins.get(other))
        };
        self.origins.get(key).or_else(sibling).cloned().unwrap_or(Origin::Default)
    }

    fn text(&mut self, key: &str, value: &OsStr, origin: Origin) {
        match value.to_str() {
            Some(text) => self.assign(key, &Value::Text(text), origin),
            None => self.problems.push(Problem::of(key, origin, "is not UTF-8")),
        }
    }

    fn toml(&mut self, path: &Path, text: &str) {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        match DeTable::parse(text) {
            Ok(table) => self.table(path, "", table.get_ref(), &line),
            Err(error) => {
                let at = error.span().map(|span| line(span.start));
                self.refuse_file(path, at, error.message().to_owned());
            }
        }
    }

    fn table(&mut self, path: &Path, section: &str, table: &DeTable<'_>, line: &impl Fn(usize) -> usize) {
        let folder = path.parent().unwrap_or(Path::new(""));
        for (name, value) in table {
            let key = match section {
                "" => name.get_ref().to_string(),
                section => format!("{section}.{}", name.get_ref()),
            };
            let at = line(name.span().start);
            if let DeValue::Table(inner) = value.get_ref()
                && section.is_empty()
                && keys::is_section(&key)
            {
                self.table(path, &key, inner, line);
                continue;
            }
            let origin = Origin::File { path: path.to_owned(), line: Some(at) };
            self.assign(&key, &Value::Toml { value: value.get_ref(), folder }, origin);
        }
    }

    fn assign(&mut self, name: &str, value: &Value<'_>, origin: Origin) {
        let Some(key) = keys::find(name) else {
            let reason = if keys::is_section(name) {
                format!("is a section, not a key; write [{name}] with keys below it")
            } else {
                keys::unknown(name)
            };
            self.problems.push(Problem::of(name, origin, reason));
            return;
        };
        match (key.set)(&mut self.config, value) {
            Ok(()) => {
                self.origins.insert(key.name, origin);
            }
            Err(reason) => self.problems.push(Problem::of(key.name, origin, reason)),
        }
    }

    fn refuse_file(&mut self, path: &Path, line: Option<usize>, reason: String) {
        self.problems.push(Problem::whole(Origin::File { path: path.to_owned(), line }, reason));
    }
}
