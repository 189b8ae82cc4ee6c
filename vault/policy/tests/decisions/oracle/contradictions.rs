//! What a client cannot say without contradicting itself or the law that it names.

use std::collections::HashMap;

use lethe_domain::{Environment, Jurisdiction, Period, Purpose, TenantPolicy, Timestamp};

use super::calendar::{later, moment};
use super::keeping::{ILLINOIS, IMPROVEMENT, TEXAS, VENDOR};
use super::known::declared_basis;

/// Which periods are beyond which caps; remembered, as it is counted out day by day.
#[derive(Default)]
pub(crate) struct Caps(HashMap<(Period, Period), bool>);

impl Caps {
    /// Every field that contradicts something.
    pub(crate) fn contradictions(&mut self, policy: &TenantPolicy) -> Vec<&'static str> {
        let mut fields = Vec::new();
        let develops = declared_basis(policy, Purpose::ServiceDevelopment).is_some();
        let law = policy.jurisdiction;

        // O3: off in production, and where the law that the client names does not allow it.
        let asks_for_writing = [Jurisdiction::Illinois, Jurisdiction::Texas, Jurisdiction::Washington].contains(&law);
        if develops && (policy.environment == Environment::Production || asks_for_writing) {
            fields.push("tenant.purposes");
        }

        // O17: no period of the client's ends after a cap does, nor at once, which keeps nobody.
        if let Some(keep) = policy.retention.keep {
            let is_capped = (law == Jurisdiction::Illinois && self.exceeds(keep, ILLINOIS))
                || (policy.retention.vendor_purposes && self.exceeds(keep, VENDOR))
                || (develops && self.exceeds(keep, IMPROVEMENT));
            if is_capped || later(Timestamp::default(), keep) == Timestamp::default() {
                fields.push("tenant.retention.keep");
            }
        }
        if let Some(after_end) = policy.retention.after_end
            && law == Jurisdiction::Texas
            && self.exceeds(after_end, TEXAS)
        {
            fields.push("tenant.retention.after_end");
        }
        fields
    }

    /// Whether somebody's period, begun on some day of these years, would be over after the cap.
    fn exceeds(&mut self, period: Period, cap: Period) -> bool {
        *self.0.entry((period, cap)).or_insert_with(|| {
            let day = 24 * 60 * 60 * 1000;
            let first = moment(2020, 1, 1, day / 2).millis();
            let last = moment(2032, 1, 1, 0).millis();
            let step = usize::try_from(day).unwrap();
            (first..last)
                .step_by(step)
                .map(Timestamp::from_millis)
                .any(|start| later(start, period) > later(start, cap))
        })
    }
}
