//! Is there an order in which the calls could have happened, one after another, each between its beginning and
//! its end, that explains every answer? (Herlihy and Wing 1990; the search is that of Lowe 2017, "just in
//! time": a call takes its place only when its answer needs it.)

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use super::history::{Call, Op, State};

/// An answer that no order explains.
#[derive(Debug)]
pub(super) struct Unexplained {
    /// The call, by its place in the history.
    pub(super) call: usize,
    /// What could have been known when it was answered.
    pub(super) states: BTreeSet<State>,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing explains the answer to call {}; the subject was one of {:?}", self.call, self.states)
    }
}

/// One way things may have gone so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Branch {
    state: State,
    /// Calls that began and have not happened, in order.
    waiting: Vec<usize>,
    /// Calls that happened and are not answered yet, in order.
    happened: Vec<usize>,
}

/// The states that `calls` may have led to from one of `before`; calls of unknown outcome happened or not.
///
/// # Errors
/// The first answer that nothing explains.
pub(super) fn outcomes(before: &BTreeSet<State>, calls: &[Call]) -> Result<BTreeSet<State>, Unexplained> {
    let mut branches: HashSet<Branch> =
        before.iter().map(|state| Branch { state: state.clone(), waiting: Vec::new(), happened: Vec::new() }).collect();
    for (call, begins) in moments(calls) {
        if begins {
            let begun = branches.drain().map(|mut branch| {
                branch.waiting.push(call);
                branch
            });
            branches = begun.collect();
            continue;
        }
        let states = || branches.iter().map(|branch| branch.state.clone()).collect();
        let answered = until_happened(calls, branches.iter().cloned(), call);
        if answered.is_empty() {
            return Err(Unexplained { call, states: states() });
        }
        branches = answered;
    }
    let all = closure(calls, branches);
    Ok(all.into_iter().map(|branch| branch.state).collect())
}

/// Beginnings and answers in the order of the clock.
fn moments(calls: &[Call]) -> Vec<(usize, bool)> {
    let mut moments = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        // A question without an answer says nothing and changes nothing.
        if call.ended.is_some() || !matches!(call.op, Op::Look(_)) {
            moments.push((call.begun, number, true));
        }
        moments.extend(call.ended.map(|(at, _)| (at, number, false)));
    }
    moments.sort_unstable_by_key(|(at, ..)| *at);
    moments.into_iter().map(|(_, number, begins)| (number, begins)).collect()
}

/// Lets waiting calls happen in every order until `answered` has.
fn until_happened(calls: &[Call], from: impl Iterator<Item = Branch>, answered: usize) -> HashSet<Branch> {
    let mut open: Vec<Branch> = from.collect();
    let mut seen: HashSet<Branch> = open.iter().cloned().collect();
    let mut complete = HashSet::new();
    while let Some(mut branch) = open.pop() {
        if let Some(place) = branch.happened.iter().position(|call| *call == answered) {
            branch.happened.remove(place);
            complete.insert(branch);
            continue;
        }
        let next = branch.successors(calls).filter(|next| seen.insert(next.clone())).collect::<Vec<_>>();
        open.extend(next);
    }
    complete
}

/// Lets waiting calls happen, or not, in every order.
fn closure(calls: &[Call], from: HashSet<Branch>) -> HashSet<Branch> {
    let mut open: Vec<Branch> = from.iter().cloned().collect();
    let mut seen = from;
    while let Some(branch) = open.pop() {
        let next = branch.successors(calls).filter(|next| seen.insert(next.clone())).collect::<Vec<_>>();
        open.extend(next);
    }
    seen
}

impl Branch {
    /// The branch after each waiting call whose answer fits.
    fn successors<'a>(&'a self, calls: &'a [Call]) -> impl Iterator<Item = Self> + 'a {
        self.waiting.iter().enumerate().filter_map(move |(place, &number)| {
            let call = &calls[number];
            let (answer, state) = self.state.apply(call.op);
            if call.ended.is_some_and(|(_, given)| given != answer) {
                return None;
            }
            let mut next = Self { state, waiting: self.waiting.clone(), happened: self.happened.clone() };
            next.waiting.remove(place);
            if call.ended.is_some() {
                next.happened.push(number);
                next.happened.sort_unstable();
            }
            Some(next)
        })
    }
}

/// What is certain and what is possible of faces, after a history.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Found in every outcome: not to find one is to have lost it.
    pub(super) certain: BTreeSet<u32>,
    /// Found in some outcome: to find any other is to have brought it back.
    pub(super) possible: BTreeSet<u32>,
}

impl Bounds {
    /// Of a set of outcomes.
    #[must_use]
    pub(super) fn of(outcomes: &BTreeSet<State>) -> Self {
        let possible: BTreeSet<u32> = outcomes.iter().flat_map(State::live).collect();
        let everywhere = |face: &u32| outcomes.iter().all(|state| state.live().any(|live| live == *face));
        Self { certain: possible.iter().copied().filter(everywhere).collect(), possible }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::Answer;
    use super::*;

    fn call(op: Op, begun: u64, ended: u64, answer: Answer) -> Call {
        Call { op, begun, ended: Some((ended, answer)) }
    }

    fn lost(op: Op, begun: u64) -> Call {
        Call { op, begun, ended: None }
    }

    fn from_nothing(calls: &[Call]) -> Result<Bounds, Unexplained> {
        outcomes(&BTreeSet::from([State::default()]), calls).map(|outcomes| Bounds::of(&outcomes))
    }

    fn faces(faces: &[u32]) -> BTreeSet<u32> {
        faces.iter().copied().collect()
    }

    #[test]
    fn what_was_acknowledged_is_certain_and_what_was_not_is_possible() {
        let calls = [call(Op::Enroll(1), 1, 2, Answer::Done), lost(Op::Enroll(2), 3)];
        let bounds = from_nothing(&calls).unwrap();
        assert_eq!(bounds, Bounds { certain: faces(&[1]), possible: faces(&[1, 2]) });
    }

    #[test]
    fn an_acknowledged_erasure_leaves_nothing_possible() {
        let calls = [
            call(Op::Enroll(1), 1, 2, Answer::Done),
            call(Op::Erase(7), 3, 4, Answer::Done),
            call(Op::Erase(7), 5, 6, Answer::Done),
        ];
        assert_eq!(from_nothing(&calls).unwrap(), Bounds::default());
    }

    #[test]
    fn an_erasure_that_nobody_heard_of_takes_all_or_nothing() {
        let calls =
            [call(Op::Enroll(1), 1, 2, Answer::Done), call(Op::Enroll(2), 3, 4, Answer::Done), lost(Op::Erase(7), 5)];
        let outcomes = outcomes(&BTreeSet::from([State::default()]), &calls).unwrap();
        let live: Vec<BTreeSet<u32>> = outcomes.iter().map(|state| state.live().collect()).collect();
        assert_eq!(live.len(), 2);
        assert!(live.contains(&faces(&[])) && live.contains(&faces(&[1, 2])), "{live:?}");
    }

    #[test]
    fn concurrent_calls_may_have_happened_in_either_order() {
        let calls = [
            call(Op::Enroll(1), 1, 2, Answer::Done),
            call(Op::Erase(7), 3, 6, Answer::Done),
            call(Op::Enroll(2), 4, 5, Answer::Done),
        ];
        assert_eq!(from_nothing(&calls).unwrap(), Bounds { certain: faces(&[]), possible: faces(&[2]) });
    }

    #[test]
    fn answers_that_contradict_each_other_are_noticed() {
        let enrolled = call(Op::Enroll(1), 1, 2, Answer::Done);
        let erased = call(Op::Erase(7), 3, 4, Answer::Done);
        let stale = call(Op::Look(1), 5, 6, Answer::Found(true));
        assert_eq!(from_nothing(&[enrolled, erased, stale]).unwrap_err().call, 2);
        let blind = call(Op::Look(1), 5, 6, Answer::Found(false));
        assert_eq!(from_nothing(&[enrolled, blind]).unwrap_err().call, 1);
        let twice = call(Op::Delete(8, 1), 5, 6, Answer::Done);
        assert_eq!(from_nothing(&[enrolled, erased, twice]).unwrap_err().call, 2);
        let without = call(Op::Delete(8, 1), 1, 2, Answer::Done);
        assert_eq!(from_nothing(&[without]).unwrap_err().call, 0);
    }

    #[test]
    fn a_replacement_is_one_step() {
        let calls = [call(Op::Enroll(1), 1, 2, Answer::Done), lost(Op::Replace { old: 1, new: 2 }, 3)];
        let bounds = from_nothing(&calls).unwrap();
        assert_eq!(bounds, Bounds { certain: faces(&[]), possible: faces(&[1, 2]) });
        let both = [
            calls[0],
            calls[1],
            call(Op::Look(2), 4, 5, Answer::Found(true)),
            call(Op::Look(1), 6, 7, Answer::Found(true)),
        ];
        assert_eq!(from_nothing(&both).unwrap_err().call, 3);
    }
}
