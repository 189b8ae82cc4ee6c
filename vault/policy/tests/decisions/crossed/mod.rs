//! Each thing that can be known crossed with every other.

mod development;
mod ends;
mod fates;
mod judgements;
mod mixtures;
mod unasked;
#[test]
fn zz_probe() {
    use crate::dimensions::*;
    use lethe_domain::*;
    let base = client(&[(Purpose::Authentication, LawfulBasis::ExplicitConsent)]);
    let show = |what: &str, p: &TenantPolicy| println!("{what}: {:?}", lethe_policy::check(p));
    let sd = client(&[(Purpose::ServiceDevelopment, LawfulBasis::ExplicitConsent)]);
    show("base", &base);
    show("sd prod", &sd);
    for j in Jurisdiction::ALL {
        show(
            &format!("sd dev {j:?}"),
            &TenantPolicy { environment: Environment::Development, jurisdiction: j, ..sd.clone() },
        );
    }
    let keep = |t: &str| Retention { keep: Some(period(t)), ..Retention::default() };
    for t in [
        "P0D",
        "P1D",
        "P1094D",
        "P1095D",
        "P1096D",
        "P1097D",
        "P36M",
        "P3Y",
        "P2Y11M28D",
        "P2Y11M30D",
        "P2Y11M31D",
        "P2Y11M32D",
        "P35M31D",
        "P3Y1D",
        "P37M",
        "P5Y",
    ] {
        show(
            &format!("illinois {t}"),
            &TenantPolicy { jurisdiction: Jurisdiction::Illinois, retention: keep(t), ..base.clone() },
        );
    }
    for t in ["P730D", "P731D", "P732D", "P2Y", "P24M", "P2Y1D", "P23M31D", "P23M30D", "P23M28D"] {
        show(
            &format!("improve {t}"),
            &TenantPolicy { environment: Environment::Development, retention: keep(t), ..sd.clone() },
        );
    }
    for t in ["P1825D", "P1826D", "P1827D", "P1828D", "P5Y", "P5Y1D"] {
        show(
            &format!("vendor {t}"),
            &TenantPolicy { retention: Retention { vendor_purposes: true, ..keep(t) }, ..base.clone() },
        );
    }
    for t in ["P0D", "P365D", "P366D", "P367D", "P1Y", "P1Y1D", "P11M30D", "P11M31D"] {
        show(
            &format!("texas after_end {t}"),
            &TenantPolicy {
                jurisdiction: Jurisdiction::Texas,
                retention: Retention { after_end: Some(period(t)), ..Retention::default() },
                ..base.clone()
            },
        );
        show(
            &format!("illinois after_end P9Y+"),
            &TenantPolicy {
                jurisdiction: Jurisdiction::Illinois,
                retention: Retention { after_end: Some(period("P9Y")), ..Retention::default() },
                ..base.clone()
            },
        );
        show(
            &format!("minimum {t}"),
            &TenantPolicy {
                jurisdiction: Jurisdiction::Illinois,
                retention: Retention { minimum: Some(period(t)), ..Retention::default() },
                ..base.clone()
            },
        );
    }
    show("dev nothing", &TenantPolicy { environment: Environment::Development, ..base.clone() });
    show(
        "dup",
        &client(&[
            (Purpose::Authentication, LawfulBasis::ExplicitConsent),
            (Purpose::Authentication, LawfulBasis::Contract),
        ]),
    );
    show("nonbio", &client(&[(Purpose::Audit, LawfulBasis::ExplicitConsent)]));
    show("none", &client(&[]));
    let d = adult(vec![]);
    for p in [
        i64::MIN,
        i64::MAX,
        i64::MAX - 1,
        253_402_300_799_999,
        253_402_300_800_000,
        -62_135_596_800_000,
        -377_705_116_800_000,
        -377_705_116_800_001,
    ] {
        let p = Timestamp::from_millis(p);
        println!(
            "{p:?} {:?} {:?}",
            lethe_policy::Limits::of(&TenantPolicy { retention: keep("P1D"), ..base.clone() }, &d).end(p),
            lethe_policy::Limits::of(&TenantPolicy { retention: keep("P1D"), ..base.clone() }, &d)
                .keep(p, Timestamp::MAX)
        );
    }
    println!(
        "{:?}",
        lethe_policy::end_of_person(&base, &Dossier { purpose_ended_at: Some(Timestamp::MAX), ..d.clone() })
    );
    println!(
        "{:?}",
        lethe_policy::keeper(
            &TenantPolicy {
                retention: Retention { minimum: Some(period("P1D")), ..Retention::default() },
                ..base.clone()
            },
            &Dossier { contract_ended_at: Some(Timestamp::MAX), ..d.clone() },
            Timestamp::MAX
        )
    );
}
