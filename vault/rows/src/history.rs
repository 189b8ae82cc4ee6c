//! Which way a database has gone. Every start of a vault begins a *run* of its own, and every restore does; a history
//! names them all, and where each of them was left. So of two copies of a vault it is known whether one is what the other
//! once was: a number alone would count the same on both sides of a fork (02, rule 3; "The log never forks").

use crate::Corrupt;

/// Runs that are remembered. A mirror that has missed more starts than that has to be dropped.
const KEPT: usize = 1024;

/// Bytes of a run that has ended: its name, and the sequence at which the next one began.
const ENDED: usize = 24;

/// Names a run: 16 random bytes.
pub type Run = [u8; 16];

/// In no run yet: a database that was just made.
const NONE: Run = [0; 16];

/// The runs of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Oldest first, each with the sequence, in its own count, at which the next one began.
    ended: Vec<(Run, u64)>,
    current: Run,
}

/// Where a database is: its history, and its sequence in the current run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    history: History,
    sequence: u64,
}

/// How two places of one vault lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// This one has been where the other one is, or is there.
    Past,
    /// The other one has been here.
    Behind,
    /// They have gone different ways.
    Apart,
}

impl Place {
    /// In the last run of a history, at this sequence.
    pub const fn new(history: History, sequence: u64) -> Self {
        Self { history, sequence }
    }

    /// How another place lies, seen from here.
    pub fn see(&self, other: &Self) -> Relation {
        if self.has_been_at(other) {
            Relation::Past
        } else if other.has_been_at(self) {
            Relation::Behind
        } else {
            Relation::Apart
        }
    }

    /// Was it once where `other` is?
    fn has_been_at(&self, other: &Self) -> bool {
        let (run, sequence) = (other.history.current, other.sequence);
        if run == self.history.current {
            return sequence <= self.sequence;
        }
        self.history.ended.iter().any(|(ended, end)| *ended == run && sequence <= *end)
    }

    /// By how many rows `other` is further on, where this one is behind it.
    pub fn lacks(&self, other: &Self) -> u64 {
        other.sequence.saturating_sub(self.sequence).max(1)
    }

    /// The history of a run that begins here.
    pub fn next_run(&self, run: Run) -> History {
        let mut ended = self.history.ended.clone();
        if self.history.current != NONE {
            ended.push((self.history.current, self.sequence));
        }
        ended.drain(..ended.len().saturating_sub(KEPT));
        History { ended, current: run }
    }
}

impl History {
    /// Of a database that was just made.
    pub const fn none() -> Self {
        Self { ended: Vec::new(), current: NONE }
    }

    /// (run 16 ‖ sequence u64) for each that has ended ‖ run 16.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.ended.len() * ENDED + NONE.len());
        for (run, end) in &self.ended {
            bytes.extend_from_slice(run);
            bytes.extend_from_slice(&end.to_be_bytes());
        }
        bytes.extend_from_slice(&self.current);
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where the length is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let wrong = || Corrupt::new("history", format!("{} bytes", bytes.len()));
        let (ended, current) = bytes.split_last_chunk::<16>().ok_or_else(wrong)?;
        let ended = ended.chunks(ENDED).map(|ended| {
            let (run, end) = ended.split_first_chunk::<16>().ok_or_else(wrong)?;
            Ok((*run, u64::from_be_bytes(end.try_into().map_err(|_| wrong())?)))
        });
        Ok(Self { ended: ended.collect::<Result<_, Corrupt>>()?, current: *current })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(ended: &[(u8, u64)], current: u8, sequence: u64) -> Place {
        let ended = ended.iter().map(|(run, end)| ([*run; 16], *end)).collect();
        Place { history: History { ended, current: [current; 16] }, sequence }
    }

    #[test]
    fn what_was_once_there_is_told_from_what_went_another_way() {
        let now = place(&[(1, 100), (2, 150)], 3, 180);
        for past in [
            place(&[(1, 100), (2, 150)], 3, 180),
            place(&[(1, 100)], 2, 150),
            place(&[(1, 100)], 2, 101),
            place(&[], 1, 100),
        ] {
            assert_eq!(now.see(&past), Relation::Past, "{past:?}");
            assert!(past == now || past.see(&now) == Relation::Behind, "{past:?}");
        }
        // Put back to 150 and started: what the run before had beyond is not in this one, however far it goes.
        for apart in
            [place(&[(1, 100)], 2, 151), place(&[(1, 100), (2, 150)], 4, 151), place(&[], 1, 101), place(&[], 9, 5)]
        {
            assert_eq!(now.see(&apart), Relation::Apart, "{apart:?}");
            assert_eq!(apart.see(&now), Relation::Apart, "{apart:?}");
        }
    }

    #[test]
    fn a_run_begins_where_the_one_before_was_left() {
        let history = place(&[], 0, 7).next_run([1; 16]);
        assert_eq!(history, History { ended: Vec::new(), current: [1; 16] }, "no run was before the first");
        let left = Place::new(history, 90);
        let next = Place::new(left.next_run([2; 16]), 91);
        assert_eq!(next.history, History { ended: vec![([1; 16], 90)], current: [2; 16] });
        assert_eq!(next.see(&left), Relation::Past);
        assert_eq!(History::decode(&next.history.encode()), Ok(next.history));
    }

    #[test]
    fn of_many_runs_the_newest_are_kept() {
        let mut place = place(&[], 1, 0);
        for sequence in 0..KEPT as u64 + 10 {
            place = Place::new(place.next_run([2; 16]), sequence);
        }
        assert_eq!(place.history.ended.len(), KEPT);
    }

    #[test]
    fn a_row_of_another_length_is_corrupt() {
        let bytes = place(&[(1, 100)], 2, 0).history.encode();
        for length in (0..bytes.len()).filter(|length| length % ENDED != 16) {
            assert!(History::decode(&bytes[..length]).is_err(), "{length}");
        }
    }
}
