use std::collections::VecDeque;

use lethe_crypto::tree::SlotRef;
use parking_lot::Mutex;

/// Replacements that are remembered: more than can happen while one search runs.
const REMEMBERED: usize = 4096;

/// Whose template was replaced lately. A replaced template leaves one place of a gallery for another, and a scan in between
/// may pass both at the wrong moment: the subject was enrolled all along, and would be missed.
#[derive(Default)]
pub(super) struct Replacements(Mutex<State>);

#[derive(Default)]
struct State {
    /// Replacements that are in the gallery, ever.
    done: u64,
    /// Replacements that were begun, ever: `done`, or one more.
    begun: u64,
    /// The newest of those that were begun.
    latest: VecDeque<SlotRef>,
}

impl Replacements {
    /// Where a search begins.
    pub(super) fn mark(&self) -> u64 {
        self.0.lock().done
    }

    /// Whose templates moved while a search ran that began at `mark`; `None` if they are too many to know.
    pub(super) fn since(&self, mark: u64) -> Option<Vec<SlotRef>> {
        let state = self.0.lock();
        let moved = usize::try_from(state.begun.saturating_sub(mark)).ok()?;
        let first = state.latest.len().checked_sub(moved)?;
        Some(state.latest.range(first..).copied().collect())
    }

    /// A subject's template is about to be replaced in the gallery. Replacements come one after the other.
    pub(super) fn begin(&self, subject: SlotRef) {
        let mut state = self.0.lock();
        state.begun += 1;
        state.latest.push_back(subject);
        if state.latest.len() > REMEMBERED {
            state.latest.pop_front();
        }
    }

    /// It is.
    pub(super) fn end(&self) {
        let mut state = self.0.lock();
        state.done = state.begun;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_learns_of_all_that_moved_while_it_ran() {
        let (ann, bob) = (SlotRef::first(1), SlotRef::first(2));
        let replacements = Replacements::default();
        let before = replacements.mark();
        assert_eq!(replacements.since(before), Some(vec![]));
        replacements.begin(ann);
        // One that is half done may be seen by whoever begins now, or not.
        let amid = replacements.mark();
        replacements.end();
        replacements.begin(bob);
        replacements.end();
        assert_eq!(replacements.since(before), Some(vec![ann, bob]));
        assert_eq!(replacements.since(amid), Some(vec![ann, bob]));
        assert_eq!(replacements.since(replacements.mark()), Some(vec![]));
    }

    #[test]
    fn too_many_to_remember_is_said() {
        let replacements = Replacements::default();
        let mark = replacements.mark();
        for slot in 0..=REMEMBERED as u64 {
            replacements.begin(SlotRef::first(slot + 1));
            replacements.end();
        }
        assert_eq!(replacements.since(mark), None);
        assert_eq!(replacements.since(mark + 1).unwrap().len(), REMEMBERED);
    }
}
