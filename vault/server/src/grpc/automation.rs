use lethe_domain::{Automation, AutomationGround, Decider, Invalid, Label, Notice, Reason, Risk};
use lethe_proto::v1;

use super::convert;
use crate::error::Result;

/// Reads the purposes for which a tenant's systems decide.
pub(super) fn read(field: &str, list: &[v1::Automation]) -> Result<Vec<Automation>> {
    let mut parsed: Vec<Automation> = Vec::with_capacity(list.len());
    for (at, entry) in list.iter().enumerate() {
        let field = |part: &str| format!("{field}[{at}].{part}");
        let refuse = |part: &str, message: &str| Invalid::new(field(part), Reason::FieldOutOfRange, message.to_owned());
        let purpose = convert::purpose(entry.purpose).filter(|purpose| purpose.is_biometric());
        let purpose = purpose.ok_or_else(|| refuse("purpose", "must be a biometric purpose"))?;
        if parsed.iter().any(|known| known.purpose == purpose) {
            return Err(refuse("purpose", "is automated twice").into());
        }
        let ground = u8::try_from(entry.ground).ok().and_then(AutomationGround::from_number);
        let sha256 = <[u8; 32]>::try_from(entry.explanation_sha256.as_slice());
        parsed.push(Automation {
            purpose,
            ground: ground.ok_or_else(|| refuse("ground", "must be a ground to automate decisions"))?,
            explanation: Notice {
                version: Label::parse(&field("explanation_version"), &entry.explanation_version)?,
                sha256: sha256.map_err(|_| refuse("explanation_sha256", "must have 32 bytes"))?,
            },
            reviewer: Label::parse(&field("reviewer"), &entry.reviewer)?,
        });
    }
    Ok(parsed)
}

pub(super) fn tell(automation: &Automation) -> v1::Automation {
    v1::Automation {
        purpose: automation.purpose.number().into(),
        ground: automation.ground.number().into(),
        explanation_version: automation.explanation.version.to_string(),
        explanation_sha256: automation.explanation.sha256.to_vec(),
        reviewer: automation.reviewer.to_string(),
    }
}

pub(super) fn to_decider(decider: Decider) -> i32 {
    match decider {
        Decider::Person => v1::Decider::Person.into(),
        Decider::System => v1::Decider::System.into(),
    }
}

pub(super) fn to_risk(risk: Risk) -> i32 {
    match risk {
        Risk::Low => v1::RiskLevel::Low.into(),
        Risk::Elevated => v1::RiskLevel::Elevated.into(),
        Risk::High => v1::RiskLevel::High.into(),
    }
}
