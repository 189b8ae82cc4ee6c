//! What was touched, for whoever has to report a breach.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::names::TenantName;
use lethe_proto::v1::{BreachMeasure, BreachReason, Purpose, ReportBreachRequest};
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::cli::command::Context;
use crate::cli::command::issued::check_new;
use crate::cli::command::receipt::write;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;
use crate::cli::values;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// From when on, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    since: Timestamp,

    /// Until when.
    #[arg(long, value_parser = values::time, value_name = "TIME", default_value = "now")]
    until: Timestamp,

    /// What is, or may be, behind it.
    #[arg(long, value_parser = values::breach_reason(), ignore_case = true)]
    reason: BreachReason,

    /// What is planned because of it; may be given several times.
    #[arg(long = "measure", value_parser = values::breach_measure(), ignore_case = true, value_name = "MEASURE")]
    measures: Vec<BreachMeasure>,

    /// Your reference of the case: 1 to 64 of [A-Za-z0-9._~-], and nothing that names a person.
    #[arg(long, value_name = "REFERENCE")]
    case: Option<String>,

    /// What this credential did alone: its id of 32 characters.
    #[arg(long, value_name = "ID")]
    credential: Option<String>,

    /// This operation alone, such as authentication.verify.
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,

    /// All clients of the vault, or with --client one of them, instead of the tenant.
    #[arg(long)]
    vault: bool,

    /// With --vault: this client alone.
    #[arg(long, value_name = "TENANT", requires = "vault")]
    client: Option<String>,

    /// Write the report to this new file, byte by byte; - for standard output alone.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn report(context: &Context, report: Report) -> Result<Exit, Failure> {
    let to_stdout = report.out.as_deref() == Some(Path::new("-"));
    if let Some(path) = report.out.as_deref().filter(|_| !to_stdout) {
        check_new(path)?;
    }
    let client = report.client.as_deref().map(|client| {
        let id = client.strip_prefix("tenants/").unwrap_or(client);
        TenantName::new(id).map_err(|error| Failure::usage(error.to_string()))
    });
    let parent = match report.vault {
        true => "vault".to_owned(),
        false => context.connection.tenant()?.to_string(),
    };
    let request = ReportBreachRequest {
        parent,
        purpose: context.connection.purpose(Purpose::Audit),
        start_time: Some(report.since),
        end_time: Some(report.until),
        reason: report.reason.into(),
        measures: report.measures.iter().map(|measure| (*measure).into()).collect(),
        case_reference: report.case.unwrap_or_default(),
        credential: report.credential.unwrap_or_default(),
        operation: report.operation.unwrap_or_default(),
        client: client.transpose()?.map(|client| client.to_string()).unwrap_or_default(),
        start_index: 0,
        end_index: 0,
    };
    let server = context.connection.open().await?;
    let answer = server.audit().report_breach(request).await?.into_inner();
    if to_stdout {
        io::stdout()
            .lock()
            .write_all(&answer.document)
            .map_err(|error| Failure::failed(format!("cannot write the report: {error}")))?;
        return Ok(Exit::Done);
    }
    if let Some(path) = &report.out {
        write(path, &answer.document)?;
    }
    let document: Value = serde_json::from_slice(&answer.document)
        .map_err(|error| Failure::failed(format!("the report is no JSON: {error}")))?;
    let json = json!({ "log": answer.log, "leaf_index": answer.leaf_index, "report": document });
    let mut cards = vec![
        Card::new(format!("breach report, entry {} of {}", answer.leaf_index, answer.log))
            .row("reason", text(&document["reason"]))
            .maybe("written to", report.out.as_ref().map(|path| path.display())),
    ];
    let clients = document["clients"].as_array().map(Vec::as_slice).unwrap_or_default();
    if clients.is_empty() {
        cards.push(Card::new("nothing was touched"));
    }
    for client in clients {
        let mut card = Card::new(text(&client["client"]))
            .row("entries", &client["entries"])
            .row("about persons", &client["about_persons"]);
        for group in client["groups"].as_array().into_iter().flatten() {
            let name =
                [&group["credential"], &group["operation"], &group["purpose"], &group["outcome"], &group["reason"]];
            let name: Vec<_> = name.into_iter().filter_map(Value::as_str).collect();
            let (first, last) = (&group["first_index"], &group["last_index"]);
            card = card.row(&group["entries"].to_string(), format!("{}  ({first} to {last})", name.join("  ")));
        }
        cards.push(card);
    }
    context.out.results(&json, &cards)?;
    Ok(Exit::Done)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
