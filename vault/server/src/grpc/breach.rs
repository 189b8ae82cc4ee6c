//! Reports over many entries: what was touched, and how often what was asked for.

use lethe_domain::{Invalid, Label, Reason, TenantId, Timestamp};
use lethe_policy::{Principal, operation as op};
use lethe_proto::v1;
use tonic::Status;

use super::entries::{index, to_outcome};
use super::{Node, convert, names};
use crate::audit::{self, Count, Filter, Inquiry, Period, Spans};
use crate::error::{Error, Result};

impl Node {
    pub(super) async fn breach(
        &self,
        principal: &Principal,
        message: v1::ReportBreachRequest,
    ) -> Result<v1::BreachReport, Status> {
        let parent = names::tenant_or_vault("parent", &message.parent)?;
        let report = match &parent {
            Some(tenant) => {
                let call = self.admit::<op::ReportBreach>(principal, tenant, message.purpose).await?;
                if !message.client.is_empty() {
                    let why = "is for reports of the vault";
                    return Err(out_of_range("client", why).into());
                }
                audit::report(self.vault()?, call.witness, inquiry(message, true)?).await?
            }
            None => {
                let call = self.admit_to_vault::<op::ReportVaultBreach>(principal, message.purpose).await?;
                let client = match message.client.as_str() {
                    "" => None,
                    client => Some(names::tenant("client", client)?),
                };
                let inquiry = inquiry(message, client.is_some())?;
                audit::report_all(self.vault()?, call.witness, client.as_ref(), inquiry).await?
            }
        };
        Ok(v1::BreachReport {
            document: report.document,
            log: parent.map_or_else(|| "vault/log".to_owned(), |tenant| format!("tenants/{tenant}/log")),
            leaf_index: convert::sequence(report.leaf),
        })
    }

    pub(super) async fn counts(
        &self,
        principal: &Principal,
        message: v1::UsageRequest,
    ) -> Result<v1::UsageResponse, Status> {
        let period = v1::UsagePeriod::try_from(message.period);
        let no_period = |_| out_of_range("period", "has a number that is no period");
        let spans = |period| -> Result<Spans> {
            let (start, end) = time(message.start_time, message.end_time)?;
            Spans::of(period, start, end)
        };
        let counts = match names::tenant_or_vault("parent", &message.parent)? {
            Some(tenant) => {
                let call = self.admit::<op::CountUsage>(principal, &tenant, message.purpose).await?;
                let period = match period.map_err(no_period)? {
                    v1::UsagePeriod::Day => Period::Day,
                    v1::UsagePeriod::Month | v1::UsagePeriod::Unspecified => Period::Month,
                };
                audit::count(self.vault()?, call.witness, spans(period)?).await?
            }
            None => {
                let call = self.admit_to_vault::<op::CountVaultUsage>(principal, message.purpose).await?;
                match period.map_err(no_period)? {
                    v1::UsagePeriod::Day => {
                        let why = "is of one tenant alone: of all clients usage is told by month";
                        return Err(out_of_range("period", why).into());
                    }
                    v1::UsagePeriod::Month | v1::UsagePeriod::Unspecified => {}
                }
                audit::count_all(self.vault()?, call.witness, spans(Period::Month)?).await?
            }
        };
        Ok(v1::UsageResponse { counts: counts.into_iter().map(to_count).collect() })
    }
}

fn to_count(count: Count) -> v1::UsageCount {
    v1::UsageCount {
        client: tenant_name(&count.client),
        start_time: Some(convert::to_timestamp(count.start)),
        operation: count.operation,
        outcome: to_outcome(count.outcome),
        count: convert::sequence(count.count),
    }
}

fn tenant_name(tenant: &TenantId) -> String {
    format!("tenants/{tenant}")
}

fn out_of_range(field: &str, why: &str) -> Error {
    Invalid::new(field, Reason::FieldOutOfRange, why.to_owned()).into()
}

fn time(start: Option<prost_types::Timestamp>, end: Option<prost_types::Timestamp>) -> Result<(Timestamp, Timestamp)> {
    let missing = |field: &str| Error::from(Invalid::new(field, Reason::FieldMissing, "is missing"));
    let start = convert::timestamp("start_time", start.ok_or_else(|| missing("start_time"))?)?;
    let end = convert::timestamp("end_time", end.ok_or_else(|| missing("end_time"))?)?;
    Ok((start, end))
}

fn inquiry(message: v1::ReportBreachRequest, is_of_one_log: bool) -> Result<Inquiry> {
    let (start, end) = time(message.start_time, message.end_time)?;
    if end <= start {
        return Err(out_of_range("end_time", "is not after start_time"));
    }
    let reason = match v1::BreachReason::try_from(message.reason) {
        Ok(v1::BreachReason::Unspecified) => {
            return Err(Invalid::new("reason", Reason::FieldMissing, "is missing").into());
        }
        Ok(reason) => reason.as_str_name().trim_start_matches("BREACH_REASON_"),
        Err(_) => return Err(out_of_range("reason", "has a number that is no reason")),
    };
    let mut measures = Vec::new();
    for number in &message.measures {
        let measure = match v1::BreachMeasure::try_from(*number) {
            Ok(v1::BreachMeasure::Unspecified) | Err(_) => {
                return Err(out_of_range("measures", "has a number that is no measure"));
            }
            Ok(measure) => measure.as_str_name().trim_start_matches("BREACH_MEASURE_"),
        };
        if measures.contains(&measure) {
            return Err(out_of_range("measures", "has a measure twice"));
        }
        measures.push(measure);
    }
    let (first, end_index) = (index("start_index", message.start_index)?, index("end_index", message.end_index)?);
    if !is_of_one_log && (first, end_index) != (0, 0) {
        return Err(out_of_range("start_index", "is for reports of one client"));
    }
    if end_index != 0 && end_index <= first {
        return Err(out_of_range("end_index", "is not after start_index"));
    }
    let case = match message.case_reference.as_str() {
        "" => None,
        case => Some(Label::parse("case_reference", case)?),
    };
    Ok(Inquiry {
        start,
        end,
        reason,
        measures,
        case,
        credential: Filter::code("credential", &message.credential)?,
        operation: Filter::code("operation", &message.operation)?,
        entries: first..if end_index == 0 { u64::MAX } else { end_index },
    })
}
