//! `lethe subject`: what the vault holds about a person, and the person's rights.

use clap::Subcommand;
use lethe_proto::v1::{
    AgeBand, GetSubjectRequest, Jurisdiction, LiftObjectionRequest, LiftRestrictionRequest, ObjectSubjectRequest,
    Purpose, RestrictSubjectRequest, RestrictionGround, Subject, UpdateSubjectRequest,
};

use super::{Context, export};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{values, view};

/// What to do with subjects.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is held about a subject: never a vector, never a score.
    ///
    /// Needs role privacy_officer, enroller, fraud_analyst or reviewer. Purpose by default: data_subject_request.
    Get {
        /// The subject.
        subject: String,
    },
    /// Hand over all that is held about a subject: an archive that only the requester can read.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Export(export::Command),
    /// Record whose law counts for a subject, and how old it is; also of somebody who is to be enrolled.
    ///
    /// A minor who has templates, and whom nobody consented for, is erased at once. Needs role enroller or
    /// privacy_officer. Purpose by default: administration.
    Set {
        /// The subject.
        subject: String,

        /// Whose law counts.
        #[arg(long, value_parser = values::jurisdiction(), required_unless_present = "age")]
        jurisdiction: Option<Jurisdiction>,

        /// How old the subject is.
        #[arg(long, value_parser = values::age())]
        age: Option<AgeBand>,
    },
    /// Restrict processing: the data are kept, and nobody compares or finds them.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Restrict {
        /// The subject.
        subject: String,

        /// Why.
        #[arg(long, value_parser = values::ground())]
        ground: RestrictionGround,
    },
    /// Lift a restriction.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    LiftRestriction {
        /// The subject.
        subject: String,
    },
    /// Record that a subject objects to a purpose, which stops.
    ///
    /// Needs role privacy_officer. Purpose of the call by default: data_subject_request.
    Object {
        /// The subject.
        subject: String,

        /// The biometric purpose that it objects to.
        #[arg(long = "to", value_parser = values::purpose(), value_name = "PURPOSE")]
        to: Purpose,
    },
    /// Record that an objection was withdrawn, or that there are compelling grounds that outweigh it.
    ///
    /// Needs role privacy_officer. Purpose of the call by default: data_subject_request.
    LiftObjection {
        /// The subject.
        subject: String,

        /// The purpose that it objected to.
        #[arg(long = "to", value_parser = values::purpose(), value_name = "PURPOSE")]
        to: Purpose,

        /// Your reference of the compelling grounds, 1 to 64 of [A-Za-z0-9._~-]; without it the objection is off the
        /// record.
        #[arg(long, value_name = "REFERENCE", default_value = "")]
        grounds: String,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let connection = &context.connection;
    let purpose = |default| connection.purpose(default);
    let name = |subject: &str| connection.subject(subject).map(|name| name.to_string());
    let client = connection.open().await?;
    let mut subjects = client.subjects();
    let request_id = String::new();
    let answer = match command {
        Command::Export(command) => return export::run(context, command).await,
        Command::Get { subject } => {
            let purpose = purpose(Purpose::DataSubjectRequest);
            subjects.get(GetSubjectRequest { name: name(&subject)?, purpose }).await
        }
        Command::Set { subject, jurisdiction, age } => {
            let wanted = Subject {
                name: name(&subject)?,
                jurisdiction: jurisdiction.map_or(0, Into::into),
                age_band: age.map_or(0, Into::into),
                ..Subject::default()
            };
            let purpose = purpose(Purpose::Administration);
            subjects
                .update(UpdateSubjectRequest { subject: Some(wanted), purpose, request_id, update_mask: None })
                .await
        }
        Command::Restrict { subject, ground } => {
            let (name, purpose, ground) = (name(&subject)?, purpose(Purpose::DataSubjectRequest), ground.into());
            subjects.restrict(RestrictSubjectRequest { name, purpose, request_id, ground }).await
        }
        Command::LiftRestriction { subject } => {
            let (name, purpose) = (name(&subject)?, purpose(Purpose::DataSubjectRequest));
            subjects.lift_restriction(LiftRestrictionRequest { name, purpose, request_id }).await
        }
        Command::Object { subject, to } => {
            let (name, purpose, for_purpose) = (name(&subject)?, purpose(Purpose::DataSubjectRequest), to.into());
            subjects.object(ObjectSubjectRequest { name, purpose, request_id, for_purpose }).await
        }
        Command::LiftObjection { subject, to, grounds } => {
            let (name, purpose) = (name(&subject)?, purpose(Purpose::DataSubjectRequest));
            let (for_purpose, overruling_grounds) = (to.into(), grounds);
            let request = LiftObjectionRequest { name, purpose, request_id, for_purpose, overruling_grounds };
            subjects.lift_objection(request).await
        }
    };
    let (json, card) = view::subject(&answer?.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}
