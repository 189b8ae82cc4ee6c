use std::collections::HashMap;
use std::ops::AddAssign;

use lethe_domain::{RightsRequest, RightsRequestId, Timestamp};
use lethe_policy::request::{Pressure, pressure};
use parking_lot::RwLock;

/// Requests of data subjects that are not answered, by when they are due (O26). In memory only; whose they are is known
/// nowhere here.
#[derive(Debug, Default)]
pub struct Unanswered {
    due: RwLock<HashMap<RightsRequestId, Timestamp>>,
}

/// How many of them press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressing {
    /// All of them.
    pub all: usize,
    /// Due within a week.
    pub soon: usize,
    /// Overdue.
    pub overdue: usize,
}

impl Unanswered {
    /// Takes in a request as it is now.
    pub(super) fn note(&self, id: RightsRequestId, request: &RightsRequest) {
        let mut due = self.due.write();
        match request.closure {
            None => drop(due.insert(id, request.due_at)),
            Some(_) => drop(due.remove(&id)),
        }
    }

    /// How many press at `now`.
    pub fn pressing(&self, now: Timestamp) -> Pressing {
        let due = self.due.read();
        let mut counted = Pressing { all: due.len(), ..Pressing::default() };
        for due in due.values() {
            match pressure(*due, now) {
                Pressure::None => {}
                Pressure::Soon => counted.soon += 1,
                Pressure::Overdue => counted.overdue += 1,
            }
        }
        counted
    }
}

impl AddAssign for Pressing {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.soon += other.soon;
        self.overdue += other.overdue;
    }
}
