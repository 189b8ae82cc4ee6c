//! What a vault must never leave behind: secrets in all the forms they could have been written in, and a search
//! for them through every file, file name and line of log.

mod forms;
mod scan;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

pub use scan::{Trace, files};
pub use subject::Subject;

/// Secrets, in all their forms.
#[derive(Default)]
pub struct Needles {
    secrets: Vec<String>,
    patterns: Vec<Vec<u8>>,
    known: HashSet<Vec<u8>>,
    labels: Vec<Label>,
}

/// What a pattern stands for.
#[derive(Clone, Copy)]
struct Label {
    secret: usize,
    form: &'static str,
}

/// Finds needles.
pub struct Scanner {
    secrets: Vec<String>,
    automaton: AhoCorasick,
    labels: Vec<Label>,
}

impl Needles {
    /// No needle yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A text of 16 ASCII characters or more: any 24 of them in a row are found.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.add(name, forms::text(text))
    }

    /// Bytes, 16 or more: any 24 of them in a row are found.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.add(name, forms::bytes(bytes))
    }

    /// An embedding of 128 components or more: any four in a row are found in the plain forms, any eight in the
    /// encoded ones, and any 23 bytes of its signs.
    pub fn embedding(&mut self, name: &str, vector: &[f32]) -> &mut Self {
        self.add(name, forms::embedding(vector))
    }

    /// How many patterns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Builds the search.
    ///
    /// # Panics
    /// If the patterns are too many for one automaton.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test that cannot search must fail")]
    pub fn scanner(self) -> Scanner {
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(&self.patterns);
        let automaton = automaton.expect("the patterns fit one automaton");
        Scanner { secrets: self.secrets, automaton, labels: self.labels }
    }

    fn add(&mut self, name: &str, forms: Vec<(&'static str, Vec<u8>)>) -> &mut Self {
        let secret = self.secrets.len();
        self.secrets.push(name.to_owned());
        for (form, pattern) in forms {
            // A form that says nothing new, such as upper-case letters of a text that has no others.
            if self.known.insert(pattern.clone()) {
                self.patterns.push(pattern);
                self.labels.push(Label { secret, form });
            }
        }
        self
    }
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Needles({} secrets, {} patterns)", self.secrets.len(), self.patterns.len())
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scanner({} secrets, {} patterns)", self.secrets.len(), self.labels.len())
    }
}
