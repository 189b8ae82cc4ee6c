//! `lethe request`: what people ask for by right, and until when.

use clap::{Args, Subcommand};
use lethe_proto::names::RequestName;
use lethe_proto::v1::{
    CloseRightsRequestRequest, ExtendRightsRequestRequest, ExtensionReason, GetRequestStatisticsRequest,
    GetRightsRequestRequest, Jurisdiction, ListRightsRequestsRequest, OpenRightsRequestRequest, Purpose, Requester,
    RequesterVerification, RightsRefusalReason, RightsRequest, RightsRequestKind, RightsRequestOutcome,
};
use prost_types::Timestamp;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with requests of data subjects.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a request: the answer says its name, which nobody else knows, and when it is due.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Open(Open),
    /// Take more time, once: the requester was told so, with the reason, while the first time lasted.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Extend {
        /// Its name, or the 32 digits at its end.
        request: String,

        /// Why.
        #[arg(long, value_parser = values::extension())]
        reason: ExtensionReason,
    },
    /// Answer a request.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Close {
        /// Its name, or the 32 digits at its end.
        request: String,

        /// What it came to.
        #[arg(long, value_parser = values::request_outcome())]
        outcome: RightsRequestOutcome,

        /// Why not all of it was done: of what is refused, and of what is done in part.
        #[arg(long, value_parser = values::refusal())]
        reason: Option<RightsRefusalReason>,

        /// How the requester was verified, where that was not said before.
        #[arg(long, value_parser = values::verification())]
        verified: Option<RequesterVerification>,
    },
    /// Show a request.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: data_subject_request.
    Get {
        /// Its name, or the 32 digits at its end.
        request: String,
    },
    /// List the tenant's requests.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: data_subject_request.
    List {
        /// Only those that are not answered.
        #[arg(long)]
        unanswered: bool,

        /// Only those that are not answered and are due before then: a time, or a span as 7d.
        #[arg(long, value_parser = values::time_to_come, value_name = "TIME", conflicts_with = "overdue")]
        due_before: Option<Timestamp>,

        /// Only those that are not answered and whose time is over.
        #[arg(long)]
        overdue: bool,

        /// Only those of this subject, as long as it is known. Needs role privacy_officer.
        #[arg(long)]
        subject: Option<String>,
    },
    /// Count the requests of the last twelve months, and how long answers took.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: data_subject_request.
    Statistics,
}

/// A request to record.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// What is asked for.
    #[arg(value_parser = values::request_kind())]
    kind: RightsRequestKind,

    /// Whose it is; left out where nobody of that description is held.
    #[arg(long)]
    subject: Option<String>,

    /// Who asks.
    #[arg(long, value_parser = values::requester(), default_value = "subject")]
    by: Requester,

    /// How the requester was verified; left out, if that is still to be done.
    #[arg(long, value_parser = values::verification())]
    verified: Option<RequesterVerification>,

    /// Whose law counts for the deadlines; the subject's, or the tenant's, if not given.
    #[arg(long, value_parser = values::jurisdiction())]
    jurisdiction: Option<Jurisdiction>,

    /// When it was received; now, if not given.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    received: Option<Timestamp>,

    /// UUID of version 4; the same again, with all else the same, finds the same request.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::DataSubjectRequest);
    let client = context.connection.open().await?;
    let mut requests = client.requests();
    let request_id = String::new();
    let answer = match command {
        Command::Open(command) => {
            let request = command.message(context, purpose)?;
            requests.open(request).await?
        }
        Command::Extend { request, reason } => {
            let (name, reason) = (name(context, &request)?, reason.into());
            requests.extend(ExtendRightsRequestRequest { name, purpose, request_id, reason }).await?
        }
        Command::Close { request, outcome, reason, verified } => {
            let request = CloseRightsRequestRequest {
                name: name(context, &request)?,
                purpose,
                request_id,
                outcome: outcome.into(),
                refusal_reason: reason.map_or(0, Into::into),
                verification: verified.map_or(0, Into::into),
            };
            requests.close(request).await?
        }
        Command::Get { request } => {
            requests.get(GetRightsRequestRequest { name: name(context, &request)?, purpose }).await?
        }
        Command::List { unanswered, due_before, overdue, subject } => {
            let now = || values::time("now").map_err(Failure::usage);
            let due_before = if overdue { Some(now()?) } else { due_before };
            let subject = subject.map(|subject| context.connection.subject(&subject)).transpose()?;
            let request = ListRightsRequestsRequest {
                parent: context.connection.tenant()?.to_string(),
                purpose,
                unanswered,
                due_before,
                subject: subject.map(|name| name.to_string()).unwrap_or_default(),
                ..ListRightsRequestsRequest::default()
            };
            return list(context, request).await;
        }
        Command::Statistics => {
            let name = context.connection.tenant()?.to_string();
            let statistics = requests.get_statistics(GetRequestStatisticsRequest { name, purpose }).await?;
            let (json, card) = view::request_statistics(&statistics.into_inner());
            context.out.result(&json, &card)?;
            return Ok(Exit::Done);
        }
    };
    let (json, card) = view::request(&answer.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

impl Open {
    fn message(self, context: &Context, purpose: i32) -> Result<OpenRightsRequestRequest, Failure> {
        let subject = self.subject.map(|subject| context.connection.subject(&subject)).transpose()?;
        Ok(OpenRightsRequestRequest {
            parent: context.connection.tenant()?.to_string(),
            purpose,
            request_id: self.request_id.map_or_else(request_id::random, Ok)?,
            request: Some(RightsRequest {
                kind: self.kind.into(),
                requester: self.by.into(),
                verification: self.verified.map_or(0, Into::into),
                jurisdiction: self.jurisdiction.map_or(0, Into::into),
                receive_time: self.received,
                ..RightsRequest::default()
            }),
            subject: subject.map(|name| name.to_string()).unwrap_or_default(),
        })
    }
}

async fn list(context: &Context, mut request: ListRightsRequestsRequest) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let mut none = true;
    loop {
        let page = client.requests().list(request.clone()).await?.into_inner();
        for request in &page.requests {
            let (json, card) = view::request(request);
            context.out.result(&json, &card)?;
        }
        none &= page.requests.is_empty();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if none {
        context.out.text("no requests")?;
    }
    Ok(Exit::Done)
}

/// A request's name, or its last segment.
pub(crate) fn name(context: &Context, request: &str) -> Result<String, Failure> {
    let name = match request.contains('/') {
        true => request.parse::<RequestName>(),
        false => RequestName::new(context.connection.tenant()?.tenant(), request),
    };
    Ok(name.map_err(|error| Failure::usage(error.to_string()))?.to_string())
}
