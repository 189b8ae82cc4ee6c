//! Where something goes, and back.

use lethe_domain::{Country, Invalid, Label, Reason, Safeguard, SafeguardKind, Transfer};
use lethe_proto::v1;

/// A transfer that has to be there; `field` is what it is called.
///
/// # Errors
/// What is missing, or not what its field holds, by field.
pub(super) fn transfer(field: &str, message: Option<v1::Transfer>) -> Result<Transfer, Invalid> {
    let missing = || Invalid::new(field, Reason::FieldMissing, "is missing; say in which country the recipient is");
    let message = message.ok_or_else(missing)?;
    let kind = match message.safeguard {
        0 => None,
        number => {
            let known = u8::try_from(number).ok().and_then(SafeguardKind::from_number);
            let field = format!("{field}.safeguard");
            let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be a safeguard");
            Some(known.ok_or_else(refuse)?)
        }
    };
    let contract = match message.contract_reference.as_str() {
        "" => None,
        reference => Some(Label::parse(&format!("{field}.contract_reference"), reference)?),
    };
    Ok(Transfer {
        destination: Country::parse(&format!("{field}.country"), &message.country)?,
        safeguard: Safeguard::parse(field, kind, &message.safeguard_reference)?,
        contract,
    })
}

pub(super) fn to_transfer(transfer: &Transfer) -> v1::Transfer {
    let safeguard = transfer.safeguard.as_ref();
    v1::Transfer {
        country: transfer.destination.to_string(),
        safeguard: safeguard.map_or(0, |safeguard| safeguard.kind.number().into()),
        safeguard_reference: safeguard.map(|safeguard| safeguard.reference.to_string()).unwrap_or_default(),
        contract_reference: transfer.contract.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}
