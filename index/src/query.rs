use std::fmt;
use std::sync::Arc;

use crate::margin::Margins;
use crate::planes::Cut;
use crate::{OperatingPoint, Probe};

/// A probe at an operating point: what a search asks for.
#[derive(Clone)]
pub struct Query {
    probe: Arc<Probe>,
    at: OperatingPoint,
    /// How far below the threshold an estimate may lie, for a template as far from the centre as the probe.
    margin: f32,
    /// The scan's.
    coarse: Cut,
    /// The estimate's.
    fine: Fine,
}

/// The estimate from which on a template is a candidate.
#[derive(Clone)]
enum Fine {
    Constant(f32),
    /// Around a centre templates have their own.
    Each(Arc<Margins>),
}

impl Query {
    /// Computes the margins: a matter of some tens of microseconds, of some hundred around a centre, and of a millisecond for the first
    /// probe at a threshold.
    #[must_use]
    pub fn new(probe: impl Into<Arc<Probe>>, at: OperatingPoint) -> Self {
        let probe = probe.into();
        let (coarse, margin, margins) = probe.cuts(at);
        let fine = match margins {
            None => Fine::Constant((f64::from(at.threshold()) - margin) as f32),
            Some(margins) => Fine::Each(Arc::new(margins)),
        };
        Self { coarse, margin: margin as f32, fine, probe, at }
    }

    /// The operating point.
    #[must_use]
    pub fn at(&self) -> OperatingPoint {
        self.at
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.probe
    }

    pub(crate) fn margin(&self) -> f32 {
        self.margin
    }

    pub(crate) fn coarse(&self) -> Cut {
        self.coarse
    }

    /// The estimate of a template that the scan let pass, with |o − c| = `radius` and this sum, if it is a candidate.
    pub(crate) fn estimate(&self, radius: f32, sum: f32) -> Option<f32> {
        let estimate = self.probe.estimate(radius, sum);
        let cut = match &self.fine {
            Fine::Constant(cut) => *cut,
            Fine::Each(margins) => self.probe.cut(radius, self.at, margins),
        };
        (estimate >= cut).then_some(estimate)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("probe", &self.probe).field("at", &self.at).finish_non_exhaustive()
    }
}
