//! `lethe case`: questions about people that people answer.

use clap::Subcommand;
use lethe_proto::names::CaseName;
use lethe_proto::v1::{
    Case, CaseKind, CaseReason, CaseState, CaseStep, ContestCaseRequest, CreateContestedCaseRequest,
    CreatePairCaseRequest, DecideCaseRequest, GetCaseRequest, ListCasesRequest, Purpose,
};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::values::{self, ModelSpec};
use crate::cli::{request_id, view};

/// What to do with cases.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tenant's cases.
    ///
    /// Needs role reviewer, fraud_analyst or privacy_officer. Purpose by default: authentication.
    List {
        /// Only those that stand so.
        #[arg(long, value_parser = values::case_state())]
        state: Option<CaseState>,

        /// Only those that ask this.
        #[arg(long, value_parser = values::case_kind())]
        kind: Option<CaseKind>,
    },
    /// Show a case.
    ///
    /// Needs role reviewer, fraud_analyst or privacy_officer. Purpose by default: authentication.
    Get {
        /// Its name, `tenants/…/subjects/…/cases/…`.
        case: String,
    },
    /// Open a case: about two persons who may be one, or for a person who contests a decision.
    ///
    /// The vault compares the two itself. Needs role fraud_analyst, for the purpose duplicate_detection by default; or, with
    /// --contested, privacy_officer, for data_subject_request.
    Create(Create),
    /// Answer a case, once.
    ///
    /// Needs role reviewer; of a case that was escalated or is contested, somebody else than decided before. Purpose by
    /// default: authentication.
    Decide {
        /// Its name, `tenants/…/subjects/…/cases/…`.
        case: String,

        /// The answer.
        #[arg(value_parser = values::case_answer())]
        answer: CaseStep,

        /// On what it rests.
        #[arg(long, value_parser = values::case_reason())]
        reason: CaseReason,
    },
    /// Open a case again that was decided, for the person who contests it.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Contest {
        /// Its name, `tenants/…/subjects/…/cases/…`.
        case: String,
    },
}

/// What a case is opened about.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Whom it is about: applicant id or name.
    subject: String,

    /// Who may be the same person: applicant id or name.
    #[arg(long, value_name = "SUBJECT", requires = "model")]
    other: Option<String>,

    /// By which model the vault compares the two.
    #[arg(long, value_name = "MODEL@VERSION", requires = "other")]
    model: Option<ModelSpec>,

    /// The person contests what was decided automatically.
    #[arg(long, required_unless_present = "other", conflicts_with = "other")]
    contested: bool,

    /// The person's request: its name, or the 32 digits at its end.
    #[arg(long, requires = "contested", value_name = "REQUEST")]
    request: Option<String>,

    /// UUID of version 4; the same again, with all else the same, finds the same case.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let (reviewing, answering) = (Purpose::Authentication, Purpose::DataSubjectRequest);
    let request_id = String::new;
    let case = match command {
        Command::List { state, kind } => {
            let request = ListCasesRequest {
                parent: context.connection.tenant()?.to_string(),
                purpose: context.connection.purpose(reviewing),
                state: state.map_or(0, Into::into),
                kind: kind.map_or(0, Into::into),
                ..ListCasesRequest::default()
            };
            return list(context, request).await;
        }
        Command::Get { case } => {
            let request = GetCaseRequest { name: name(&case)?, purpose: context.connection.purpose(reviewing) };
            context.connection.open().await?.cases().get(request).await?
        }
        Command::Create(create) => return open(context, create).await,
        Command::Decide { case, answer, reason } => {
            let request = DecideCaseRequest {
                name: name(&case)?,
                purpose: context.connection.purpose(reviewing),
                request_id: request_id(),
                step: answer.into(),
                reason: reason.into(),
            };
            context.connection.open().await?.cases().decide(request).await?
        }
        Command::Contest { case } => {
            let purpose = context.connection.purpose(answering);
            let request = ContestCaseRequest { name: name(&case)?, purpose, request_id: request_id() };
            context.connection.open().await?.cases().contest(request).await?
        }
    };
    show(context, &case.into_inner())
}

async fn open(context: &Context, create: Create) -> Result<Exit, Failure> {
    let parent = context.connection.subject(&create.subject)?.to_string();
    let request_id = create.request_id.map_or_else(request_id::random, Ok)?;
    let case = match create.other {
        Some(other) => {
            let request = CreatePairCaseRequest {
                parent,
                purpose: context.connection.purpose(Purpose::DuplicateDetection),
                request_id,
                other_subject: context.connection.subject(&other)?.to_string(),
                model: create.model.map(Into::into),
            };
            context.connection.open().await?.cases().create_pair(request).await?
        }
        None => {
            let request = create.request.map(|request| super::request::name(context, &request)).transpose()?;
            let purpose = context.connection.purpose(Purpose::DataSubjectRequest);
            let request =
                CreateContestedCaseRequest { parent, purpose, request_id, request: request.unwrap_or_default() };
            context.connection.open().await?.cases().create_contested(request).await?
        }
    };
    show(context, &case.into_inner())
}

async fn list(context: &Context, mut request: ListCasesRequest) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let mut none = true;
    loop {
        let page = client.cases().list(request.clone()).await?.into_inner();
        for case in &page.cases {
            show(context, case)?;
        }
        none &= page.cases.is_empty();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if none {
        context.out.text("no cases")?;
    }
    Ok(Exit::Done)
}

fn show(context: &Context, case: &Case) -> Result<Exit, Failure> {
    let (json, card) = view::case(case);
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

fn name(case: &str) -> Result<String, Failure> {
    Ok(case.parse::<CaseName>().map_err(|error| Failure::usage(error.to_string()))?.to_string())
}
