//! `lethe consent`: what purposes rest on.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lethe_proto::names::{ConsentName, EvidenceName, NameError};
use lethe_proto::v1::{
    Consent, ConsentGiver, ConsentManner, ErasureState, ExportConsentsRequest, GetConsentEvidenceRequest,
    ListConsentsRequest, Purpose, RecordConsentRequest, WithdrawConsentRequest,
};
use prost_types::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;
use crate::cli::values::Coded as _;
use crate::cli::{request_id, values, view};

/// What to do with consents.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a consent: of somebody who is enrolled, or is to be.
    ///
    /// Needs role enroller or privacy_officer. Purpose of the call by default: administration.
    Record(Record),
    /// Withdraw a consent, for good; where nothing else allows to keep the subject, it is erased.
    ///
    /// Needs role enroller or privacy_officer. Purpose by default: data_subject_request.
    Withdraw {
        /// Its name, as `lethe consent list` shows it.
        consent: String,

        /// Answer as soon as an erasure that follows is durable, PENDING, instead of when it is SHREDDED.
        #[arg(long)]
        no_wait: bool,

        /// UUID of version 4; the same again finds the same receipt.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// List a subject's consents, withdrawn and expired ones too.
    ///
    /// Needs role enroller or privacy_officer. Purpose by default: data_subject_request.
    List {
        /// The subject.
        subject: String,
    },
    /// Print a subject's consents as records after ISO/IEC TS 27560, a JSON object a line.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Export {
        /// The subject.
        subject: String,
    },
    /// Show the evidence of a consent, also of somebody who is erased.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: audit.
    Evidence {
        /// The consent: the 32 digits at the end of its name, or a whole name of the consent or its evidence.
        consent: String,
    },
}

/// A consent to record.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The subject.
    subject: String,

    /// The biometric purpose that it is to.
    #[arg(long = "to", value_parser = values::purpose(), value_name = "PURPOSE")]
    to: Purpose,

    /// Which version of the privacy notice was shown: 1 to 64 of [A-Za-z0-9._~-].
    #[arg(long, value_name = "VERSION")]
    notice_version: String,

    /// The notice as it was shown: its SHA-256 is recorded, not its text.
    #[arg(long, value_name = "FILE")]
    notice: PathBuf,

    /// How it was given.
    #[arg(long, value_parser = values::manner())]
    manner: ConsentManner,

    /// By whom.
    #[arg(long, value_parser = values::giver(), default_value = "subject")]
    giver: ConsentGiver,

    /// Whom the notice names as a recipient, by your name; give it several times. A consent to kyc_sharing needs one.
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,

    /// A country that the notice says data may go to: a code of ISO 3166-1, such as DE; give it several times.
    #[arg(long, value_name = "CODE")]
    country: Vec<String>,

    /// When it was given; now, if not given.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    given: Option<Timestamp>,

    /// From when on it holds no more: a time, or a span as 90d; if not given, until it is withdrawn.
    #[arg(long, value_parser = values::time_to_come, value_name = "TIME")]
    expires: Option<Timestamp>,

    /// UUID of version 4; the same again, with all else the same, finds the same consent.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID", requires = "given")]
    request_id: Option<String>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Record(command) => record(context, command).await,
        Command::Withdraw { consent, no_wait, request_id } => {
            let name: ConsentName = consent.parse().map_err(|error| Failure::usage(format!("{error}")))?;
            let request = WithdrawConsentRequest {
                name: name.to_string(),
                purpose: context.connection.purpose(Purpose::DataSubjectRequest),
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                no_wait,
            };
            withdraw(context, request).await
        }
        Command::List { subject } => {
            let request = ListConsentsRequest {
                parent: context.connection.subject(&subject)?.to_string(),
                purpose: context.connection.purpose(Purpose::DataSubjectRequest),
            };
            let client = context.connection.open().await?;
            let listed = client.consents().list(request).await?.into_inner();
            for consent in &listed.consents {
                let (json, card) = view::consent(consent);
                context.out.result(&json, &card)?;
            }
            if listed.consents.is_empty() {
                context.out.text("no consents")?;
            }
            Ok(Exit::Done)
        }
        Command::Export { subject } => {
            let request = ExportConsentsRequest {
                parent: context.connection.subject(&subject)?.to_string(),
                purpose: context.connection.purpose(Purpose::DataSubjectRequest),
            };
            let client = context.connection.open().await?;
            let records = client.consents().export(request).await?.into_inner().records_json;
            let records: Vec<serde_json::Value> = serde_json::from_str(&records)
                .map_err(|error| Failure::failed(format!("the records cannot be read: {error}")))?;
            for record in &records {
                context.out.result(record, &Card::new(record.to_string()))?;
            }
            Ok(Exit::Done)
        }
        Command::Evidence { consent } => {
            let name = evidence(context, &consent)?;
            let purpose = context.connection.purpose(Purpose::Audit);
            let client = context.connection.open().await?;
            let found = client.consents().get_evidence(GetConsentEvidenceRequest { name, purpose }).await?;
            let (json, card) = view::evidence(&found.into_inner());
            context.out.result(&json, &card)?;
            Ok(Exit::Done)
        }
    }
}

/// The name of a consent's evidence, which does not name the subject.
fn evidence(context: &Context, consent: &str) -> Result<String, Failure> {
    let usage = |error: NameError| Failure::usage(error.to_string());
    if let Ok(name) = consent.parse::<ConsentName>() {
        return Ok(EvidenceName::new(name.tenant(), name.consent()).map_err(usage)?.to_string());
    }
    let name = match consent.contains('/') {
        true => consent.parse(),
        false => EvidenceName::new(context.connection.tenant()?.tenant(), consent),
    };
    Ok(name.map_err(usage)?.to_string())
}

async fn record(context: &Context, command: Record) -> Result<Exit, Failure> {
    let given = command.given.map_or_else(|| values::time("now").map_err(Failure::usage), Ok)?;
    let notice = std::fs::read(&command.notice)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", command.notice.display())))?;
    let request = RecordConsentRequest {
        parent: context.connection.subject(&command.subject)?.to_string(),
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: command.request_id.map_or_else(request_id::random, Ok)?,
        consent: Some(Consent {
            for_purpose: command.to.into(),
            notice_version: command.notice_version,
            notice_sha256: Sha256::digest(&notice).to_vec(),
            manner: command.manner.into(),
            giver: command.giver.into(),
            recipients: command.recipient,
            countries: command.country,
            give_time: Some(given),
            expire_time: command.expires,
            ..Consent::default()
        }),
    };
    let client = context.connection.open().await?;
    let (json, card) = view::consent(&client.consents().record(request).await?.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

async fn withdraw(context: &Context, request: WithdrawConsentRequest) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let answer = client.consents().withdraw(request).await?.into_inner();
    let consent = answer.consent.as_ref().map(view::consent);
    let erasure = answer.erasure.as_ref();
    let json = json!({
        "consent": consent.as_ref().map(|(json, _)| json),
        "erasure": erasure.map(|erasure| json!({ "receipt": erasure.receipt, "state": erasure.state().code() })),
    });
    let card = consent.map_or_else(|| Card::new("withdrawn before; the subject is erased"), |(_, card)| card);
    let card = match erasure {
        None => card,
        Some(erasure) => {
            let meaning = match erasure.state() {
                ErasureState::Shredded => "nothing else allowed to keep the subject: nobody can bring its data back",
                ErasureState::Pending => "nothing else allowed to keep the subject: out of reach, to be shredded",
                ErasureState::Deferred | ErasureState::Unspecified => "the server did not say how far it got",
            };
            card.row("erasure", erasure.state().code()).row("receipt", &erasure.receipt).row("meaning", meaning)
        }
    };
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}
