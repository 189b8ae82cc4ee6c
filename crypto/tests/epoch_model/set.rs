//! Small sets of small numbers: slots, roots, epochs. A state of the model is copied and hashed millions of times.

use std::fmt;

/// A set of numbers below 16.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(u16);

impl Set {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) const fn of(number: u8) -> Self {
        Self(1 << number)
    }

    /// All numbers from `from` up to, and without, `to`.
    pub(crate) const fn range(from: u8, to: u8) -> Self {
        Self(((1 << to) - 1) & !((1 << from) - 1))
    }

    pub(crate) const fn has(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn len(self) -> u8 {
        self.0.count_ones() as u8
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |number| self.has(*number))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
