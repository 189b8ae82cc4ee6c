//! How often what was asked for.

use clap::Args;
use lethe_proto::v1::{EntryOutcome, Purpose, UsagePeriod, UsageRequest};
use prost_types::Timestamp;
use serde_json::json;

use crate::cli::command::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::values::{self, Coded as _};

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// From when on, such as 2026-01-01T00:00:00Z: the beginning of the month, or day, that it is in.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    since: Timestamp,

    /// Until when: the end of the month, or day, that it is in.
    #[arg(long, value_parser = values::time, value_name = "TIME", default_value = "now")]
    until: Timestamp,

    /// What is counted by, in UTC.
    #[arg(long, value_parser = values::usage_period(), ignore_case = true, default_value = "month")]
    by: UsagePeriod,

    /// All clients of the vault, by month, instead of the tenant.
    #[arg(long)]
    vault: bool,
}

pub(super) async fn usage(context: &Context, usage: &Usage) -> Result<Exit, Failure> {
    let parent = match usage.vault {
        true => "vault".to_owned(),
        false => context.connection.tenant()?.to_string(),
    };
    let request = UsageRequest {
        parent,
        purpose: context.connection.purpose(Purpose::Administration),
        start_time: Some(usage.since),
        end_time: Some(usage.until),
        period: usage.by.into(),
    };
    let client = context.connection.open().await?;
    let counts = client.audit().usage(request).await?.into_inner().counts;
    for count in &counts {
        let start = count.start_time.as_ref().map(ToString::to_string).unwrap_or_default();
        let outcome = EntryOutcome::try_from(count.outcome).unwrap_or_default();
        context.out.json(&json!({
            "client": count.client,
            "start_time": start,
            "operation": count.operation,
            "outcome": outcome.code(),
            "count": count.count,
        }))?;
        let day = start.get(..10).unwrap_or(&start);
        let (client, operation) = (&count.client, &count.operation);
        context.out.text(&format!("{day}  {client}  {:>10}  {operation}  {}", count.count, outcome.words()))?;
    }
    if counts.is_empty() {
        context.out.text("no calls")?;
    }
    Ok(Exit::Done)
}
