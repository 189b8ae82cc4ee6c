//! What a client's policy must not say: contradictions, refused by name (O1).

use lethe_domain::{AttestationPolicy, Environment, Invalid, Period, Purpose, Reason, TenantPolicy, Timestamp};

use crate::automation;
use crate::law::Law;
use crate::retention::{IMPROVEMENT, VENDOR};

/// For how long records of requests are kept at least (Cal. Code Regs. tit. 11, § 7101).
const REQUESTS: Period = Period::months(24);

/// Checks that a policy contradicts neither itself nor the law that it names.
///
/// # Errors
/// The first contradiction, with the field.
pub fn check(policy: &TenantPolicy) -> Result<(), Invalid> {
    let law = Law::of(policy.jurisdiction);
    let refuse = |field: &str, message: String| Err(Invalid::new(field, Reason::PolicyContradiction, message));
    let develops = policy.basis(Purpose::ServiceDevelopment).is_some();
    if develops && policy.environment == Environment::Production {
        let message = "has service_development, for which people in production are never used (O3)";
        return refuse("tenant.purposes", message.to_owned());
    }
    if develops && !law.service_development {
        let message = format!("has service_development, which is not done under the law of {} (O3)", law.title);
        return refuse("tenant.purposes", message);
    }
    let retention = &policy.retention;
    if retention.keep == Some(Period::ZERO) {
        return refuse("tenant.retention.keep", "keeps nobody".to_owned());
    }
    let caps = [
        (law.cap_from_provision, law.title),
        (retention.vendor_purposes.then_some(VENDOR), "the vendor's own purposes"),
        (develops.then_some(IMPROVEMENT), "service_development"),
    ];
    for (cap, whose) in caps {
        if let Some((keep, cap)) = retention.keep.zip(cap)
            && is_longer(keep, cap)
        {
            return refuse("tenant.retention.keep", format!("is longer than {cap}, the cap of {whose} (O17)"));
        }
    }
    if let Some((after, cap)) = retention.after_end.zip(law.cap_after_purpose)
        && is_longer(after, cap)
    {
        return refuse("tenant.retention.after_end", format!("is longer than {cap}, the cap of {} (O17)", law.title));
    }
    if let Some(limitation) = retention.limitation
        && [START, LEAP].into_iter().any(|start| REQUESTS.after(start) > limitation.after(start))
    {
        let message =
            format!("is shorter than {REQUESTS}, for which requests are kept (Cal. Code Regs. tit. 11, § 7101)");
        return refuse("tenant.retention.limitation", message);
    }
    if let Some(attestation) = &policy.attestation
        && !(AttestationPolicy::SHORTEST..=AttestationPolicy::LONGEST).contains(&attestation.max_age)
    {
        let message = "must be 1 s to 24 h: a face that was captured earlier is none that is there (O6)";
        return Err(Invalid::new("tenant.attestation.max_age", Reason::FieldOutOfRange, message));
    }
    automation::check(policy)
}

/// 1 March 2000: from it on there is each length of year.
const START: Timestamp = Timestamp::from_millis(951_868_800_000);
/// 1 March 2002: two years from it have a leap day.
const LEAP: Timestamp = Timestamp::from_millis(1_014_940_800_000);

/// By the calendar that begins with [`START`].
fn is_longer(period: Period, cap: Period) -> bool {
    period.after(START) > cap.after(START)
}

#[cfg(test)]
mod tests {
    use lethe_domain::{Jurisdiction, LawfulBasis, PurposeBasis, Retention};

    use super::*;

    #[test]
    fn contradictions_are_refused_by_name() {
        let basis = LawfulBasis::ExplicitConsent;
        let develops = TenantPolicy::of(vec![PurposeBasis { purpose: Purpose::ServiceDevelopment, basis }]);
        let plain = TenantPolicy::of(Vec::new());
        let field = |policy: &TenantPolicy| {
            check(policy).err().map(|refused| {
                assert_eq!(refused.reason, Reason::PolicyContradiction);
                refused.field
            })
        };
        assert_eq!(field(&plain), None);
        assert_eq!(field(&develops).as_deref(), Some("tenant.purposes"));
        let mut policy = TenantPolicy { environment: Environment::Development, ..develops };
        assert_eq!(field(&policy), None);
        policy.retention.keep = Some(Period::months(25));
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.keep"));
        policy.retention.keep = Some(Period::months(24));
        assert_eq!(field(&policy), None);
        policy.jurisdiction = Jurisdiction::Illinois;
        assert_eq!(field(&policy).as_deref(), Some("tenant.purposes"));

        let mut policy = TenantPolicy { jurisdiction: Jurisdiction::Illinois, ..plain };
        policy.retention.keep = Some(Period::months(36));
        assert_eq!(field(&policy), None);
        policy.retention.keep = Some(Period::months(37));
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.keep"));
        policy.jurisdiction = Jurisdiction::Texas;
        assert_eq!(field(&policy), None);
        policy.retention.after_end = Some(Period::days(367));
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.after_end"));
        policy.retention.keep = Some(Period::ZERO);
        policy.retention.after_end = None;
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.keep"));
        policy.retention.keep = Some(Period::months(61));
        policy.retention.vendor_purposes = true;
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.keep"));
        policy.retention = Retention { limitation: Some(Period::months(24)), ..Retention::default() };
        assert_eq!(field(&policy), None);
        policy.retention.limitation = Some(Period::days(730));
        assert_eq!(field(&policy).as_deref(), Some("tenant.retention.limitation"));
    }
}
