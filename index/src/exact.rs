//! Brute force in plain Rust: the test oracle, never a fallback.
//!
//! It keeps embeddings in clear in memory, which a vault does not do, and is slower by orders of
//! magnitude. Its worth is that it is too simple to be wrong.

use std::collections::HashMap;
use std::hash::Hash;

use zeroize::Zeroizing;

use crate::{Error, cosine};

/// Every template in full, compared one by one.
pub struct ExactIndex<K> {
    dim: usize,
    templates: HashMap<K, Zeroizing<Vec<f32>>>,
}

impl<K: Copy + Eq + Hash> ExactIndex<K> {
    /// An empty index of vectors with `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { dim, templates: HashMap::new() }
    }

    /// Adds a unit vector.
    ///
    /// # Errors
    /// [`Error::Dimension`] for another length, [`Error::Duplicate`] if the key is taken.
    pub fn insert(&mut self, key: K, template: &[f32]) -> Result<(), Error> {
        self.check(template)?;
        if self.templates.contains_key(&key) {
            return Err(Error::Duplicate);
        }
        self.templates.insert(key, Zeroizing::new(template.to_vec()));
        Ok(())
    }

    /// Removes a template; false if there is none under the key.
    pub fn remove(&mut self, key: &K) -> bool {
        self.templates.remove(key).is_some()
    }

    /// Number of templates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether there is no template.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Every template whose [`cosine`] with the probe is at or above the threshold, best first.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a probe of another length.
    pub fn at_or_above(&self, probe: &[f32], threshold: f32) -> Result<Vec<(K, f32)>, Error> {
        self.check(probe)?;
        let mut matches: Vec<(K, f32)> = self
            .templates
            .iter()
            .map(|(&key, template)| (key, cosine(probe, template)))
            .filter(|&(_, score)| score >= threshold)
            .collect();
        matches.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(matches)
    }

    fn check(&self, vector: &[f32]) -> Result<(), Error> {
        if vector.len() == self.dim {
            Ok(())
        } else {
            Err(Error::Dimension { expected: self.dim, found: vector.len() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_best_first_and_includes_the_threshold() {
        let mut index = ExactIndex::new(2);
        index.insert('a', &[1.0, 0.0]).unwrap();
        index.insert('b', &[0.6, 0.8]).unwrap();
        index.insert('c', &[-1.0, 0.0]).unwrap();
        assert_eq!(index.at_or_above(&[1.0, 0.0], 0.6).unwrap(), [('a', 1.0), ('b', 0.6)]);

        assert!(matches!(index.insert('a', &[0.0, 1.0]), Err(Error::Duplicate)));
        assert!(matches!(index.insert('d', &[1.0]), Err(Error::Dimension { expected: 2, found: 1 })));
        assert!(matches!(index.at_or_above(&[1.0], 0.0), Err(Error::Dimension { .. })));

        assert!(index.remove(&'a'));
        assert!(!index.remove(&'a'));
        assert_eq!(index.len(), 2);
        assert_eq!(index.at_or_above(&[1.0, 0.0], 0.6).unwrap(), [('b', 0.6)]);
    }
}
