use std::collections::BTreeMap;
use std::fmt;

use super::judge::{End, Verdict};
use super::{Blow, Operation};
use crate::disk::Device;

/// What came of all cases.
#[derive(Default)]
pub struct Report {
    cells: BTreeMap<(Operation, Blow), Cell>,
    /// What was found that must not be, with where.
    pub faults: Vec<String>,
}

/// What came of the steps of an operation under a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Disks that were built and judged.
    pub cases: usize,
    /// Those of them that are others than a mere death would have left.
    pub bitten: usize,
    /// The server opened them by itself.
    pub opened: usize,
    /// It refused, and the way out that it named led there.
    pub led_out: usize,
    /// It refused, and there was no way out: nothing had been acknowledged yet, or what had lied was the only mirror after
    /// the data was lost, or the data before there was a backup.
    pub refused: usize,
    /// Acknowledged writes that were not there, and nobody said so.
    pub lost: usize,
    /// Acknowledged writes that were not there after a device had lied, and a restore said so.
    pub told: usize,
    /// Acknowledged writes of the last instant that a lying data device lost before the mirror had them.
    pub unmirrored: usize,
    /// What was shredded, and found or opened.
    pub leaked: usize,
    /// Shredded, and opened with what a lying root device still had, until the next start.
    pub exposed: usize,
    /// Backups that were said to be done on a device that lied, and of which `verify` and `restore` say that they are damaged,
    /// or not there.
    pub damaged: usize,
    /// Anything else that must not be.
    pub wrong: usize,
}

impl Report {
    pub(super) fn add(&mut self, operation: Operation, blow: Blow, verdict: Verdict) {
        let cell = self.cells.entry((operation, blow)).or_default();
        cell.cases += 1;
        cell.bitten += usize::from(verdict.bitten);
        match verdict.end {
            End::Opened => cell.opened += 1,
            End::LedOut => cell.led_out += 1,
            End::Refused => cell.refused += 1,
        }
        cell.lost += verdict.lost;
        cell.told += verdict.told;
        cell.unmirrored += verdict.unmirrored;
        cell.leaked += verdict.leaked;
        cell.exposed += usize::from(verdict.exposed > 0);
        cell.damaged += verdict.damaged;
        cell.wrong += verdict.wrong.len();
        self.faults.extend(verdict.wrong);
    }

    /// Everything together.
    #[must_use]
    pub fn total(&self) -> Cell {
        self.cells.values().fold(Cell::default(), |sum, cell| Cell {
            cases: sum.cases + cell.cases,
            bitten: sum.bitten + cell.bitten,
            opened: sum.opened + cell.opened,
            led_out: sum.led_out + cell.led_out,
            refused: sum.refused + cell.refused,
            lost: sum.lost + cell.lost,
            told: sum.told + cell.told,
            unmirrored: sum.unmirrored + cell.unmirrored,
            leaked: sum.leaked + cell.leaked,
            exposed: sum.exposed + cell.exposed,
            damaged: sum.damaged + cell.damaged,
            wrong: sum.wrong + cell.wrong,
        })
    }

    /// Whether there were cases of an operation: killed, torn, twice in a row, and with each device that lied which it writes
    /// to.
    #[must_use]
    pub fn covers(&self, operation: Operation) -> bool {
        let mut wanted = vec![Blow::Killed, Blow::Torn, Blow::Twice];
        wanted.extend([Device::Data, Device::Mirror, Device::Root].map(Blow::Lied));
        wanted.extend((operation == Operation::Backup).then_some(Blow::Lied(Device::Backups)));
        wanted.extend((operation == Operation::Migration).then_some(Blow::Lied(Device::NewRoot)));
        wanted.into_iter().all(|blow| self.cells.contains_key(&(operation, blow)))
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.pad("killed"),
            Self::Torn => f.pad("torn"),
            Self::Twice => f.pad("twice in a row"),
            Self::Lied(device) => f.pad(&format!("lied: {device}")),
            Self::AllLied => f.pad("all lied"),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, bitten, opened, led_out, refused, lost, told, unmirrored, leaked, exposed, damaged, wrong } =
            self;
        write!(
            f,
            "{cases:5} cases, {bitten:5} bitten: {opened:5} opened, {led_out:4} led out, {refused:3} refused; {lost} lost, {leaked} leaked, \
             {wrong} wrong; {told} told lost, {unmirrored} not mirrored yet, {exposed} exposed by the root's medium, \
             {damaged} damaged backups"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((operation, blow), cell) in &self.cells {
            writeln!(f, "{operation:14} {blow:28} {cell}")?;
        }
        writeln!(f, "{:43} {}", "all", self.total())?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}
