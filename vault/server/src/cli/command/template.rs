//! `lethe template`: single templates.

use clap::{Args, Subcommand};
use lethe_proto::names::TemplateName;
use lethe_proto::v1::{CaptureKind, DeleteTemplateRequest, ListTemplatesRequest, Purpose, ReplaceTemplateRequest};
use serde_json::json;

use super::Context;
use super::erase::{self, EraseOptions};
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::view;

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a subject's templates, oldest first: metadata, never vectors.
    ///
    /// Needs role enroller, fraud_analyst or privacy_officer. Purpose by default: data_subject_request.
    List {
        /// The subject.
        subject: String,
    },
    /// Store a new template in place of an old one, and erase the old one for good.
    ///
    /// Needs role enroller or privacy_officer. Purpose by default: data_subject_request.
    Replace {
        #[command(flatten)]
        template: Which,

        #[command(flatten)]
        capture: CaptureArgs,

        /// Quality by the capture service's own measure, 0 to 1.
        #[arg(long, value_name = "Q")]
        quality: f32,

        #[command(flatten)]
        options: EraseOptions,
    },
    /// Erase one template for good; the subject stays.
    ///
    /// Needs role enroller or privacy_officer. Purpose by default: data_subject_request.
    Delete {
        #[command(flatten)]
        template: Which,

        #[command(flatten)]
        options: EraseOptions,
    },
}

/// A template.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The subject, or the template's whole name.
    subject: String,

    /// The template: its id of 32 characters.
    template: Option<String>,
}

impl Which {
    fn name(&self, context: &Context) -> Result<TemplateName, Failure> {
        let name = match &self.template {
            Some(template) => {
                let subject = context.connection.subject(&self.subject)?;
                TemplateName::new(subject.tenant(), subject.subject(), template)
            }
            None => self.subject.parse(),
        };
        name.map_err(|error| Failure::usage(error.to_string()))
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::DataSubjectRequest);
    match command {
        Command::List { subject } => list(context, &subject, purpose).await,
        Command::Replace { template, capture, quality, options } => {
            let name = template.name(context)?;
            let capture = capture.read(CaptureKind::Selfie, quality)?;
            options.confirm(&format!("Replace {name}? The old version is erased for good."))?;
            let request = ReplaceTemplateRequest {
                name: name.to_string(),
                purpose,
                request_id: options.request_id()?,
                template: Some(capture),
                no_wait: options.no_wait,
            };
            let client = context.connection.open().await?;
            let answer = client.enrollment().replace_template(request).await?.into_inner();
            let (template, card) = view::template(&answer.template.unwrap_or_default());
            let json = json!({ "template": template, "sequence": answer.sequence });
            context.out.result(&json, &card.row("sequence", answer.sequence))?;
            let erasure = answer.erasure.unwrap_or_default();
            erase::report(context, &client, &options, "the old version", &erasure).await
        }
        Command::Delete { template, options } => {
            let name = template.name(context)?;
            options.confirm(&format!("Erase {name} for good?"))?;
            let request = DeleteTemplateRequest {
                name: name.to_string(),
                purpose,
                request_id: options.request_id()?,
                no_wait: options.no_wait,
            };
            let client = context.connection.open().await?;
            let erasure = client.enrollment().delete_template(request).await?.into_inner();
            erase::report(context, &client, &options, "the template", &erasure).await
        }
    }
}

async fn list(context: &Context, subject: &str, purpose: i32) -> Result<Exit, Failure> {
    let parent = context.connection.subject(subject)?.to_string();
    let mut client = context.connection.open().await?.enrollment();
    let mut page_token = String::new();
    loop {
        let request = ListTemplatesRequest { parent: parent.clone(), purpose, page_size: 1000, page_token };
        let page = client.list_templates(request).await?.into_inner();
        for template in &page.templates {
            let (json, card) = view::template(template);
            context.out.result(&json, &card)?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(Exit::Done);
        }
    }
}
