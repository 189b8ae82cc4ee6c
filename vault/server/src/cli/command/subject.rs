//! `lethe subject`: what the vault holds about a person, and the person's rights.

use clap::{Args, Subcommand};
use lethe_proto::v1::{
    AgeBand, GetSubjectRequest, Jurisdiction, LiftObjectionRequest, LiftRestrictionRequest, ObjectSubjectRequest,
    PostMortem, Purpose, RestrictSubjectRequest, RestrictionGround, Subject, UpdateSubjectRequest,
};
use prost_types::{FieldMask, Timestamp};

use super::{Context, export};
use crate::cli::exit::{Exit, Failure};
use crate::cli::values::{self, Said};
use crate::cli::view;

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
    /// Record what is known of a subject: whose law counts, how old it is, when purpose or contract ended, what it wants when it
    /// is dead; also of somebody who is to be enrolled.
    ///
    /// What has ended is not processed any more, and is erased by the next sweep unless something keeps it. A minor who has templates, and whom nobody consented for, is erased at once. Needs role enroller or
    /// privacy_officer. Purpose by default: administration.
    Set {
        /// The subject.
        subject: String,

        /// Whose law counts.
        #[arg(long, value_parser = values::jurisdiction(), group = "said")]
        jurisdiction: Option<Jurisdiction>,

        /// How old the subject is.
        #[arg(long, value_parser = values::age(), group = "said")]
        age: Option<AgeBand>,

        #[command(flatten)]
        ends: Ends,
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

/// When a subject's data end. `none` takes back what was said.
#[derive(Debug, Args)]
#[group(id = "said", required = true, multiple = true)]
pub(crate) struct Ends {
    /// When the purpose was satisfied: a time, now, or none.
    #[arg(long, value_name = "TIME", value_parser = values::time_or_none, group = "said")]
    purpose_ended: Option<Said<Timestamp>>,

    /// When the contract with the client was over, or will be: a time, now, or none.
    #[arg(long, value_name = "TIME", value_parser = values::time_or_none, group = "said")]
    contract_ended: Option<Said<Timestamp>>,

    /// When the person died: a time, now, or none.
    #[arg(long, value_name = "TIME", value_parser = values::time_or_none, group = "said")]
    died: Option<Said<Timestamp>>,

    /// What the person wants when it is dead: erase, keep:PERIOD (such as keep:P1Y), hand_over:REFERENCE, or none.
    #[arg(long, value_name = "WISH", value_parser = values::post_mortem, group = "said")]
    post_mortem: Option<Said<PostMortem>>,
}

impl Ends {
    fn tell(self, subject: &mut Subject, paths: &mut Vec<String>) {
        let mut told = |path: &str, given: bool| paths.extend(given.then(|| path.to_owned()));
        told("purpose_end_time", self.purpose_ended.is_some());
        told("contract_end_time", self.contract_ended.is_some());
        told("death_time", self.died.is_some());
        told("post_mortem", self.post_mortem.is_some());
        subject.purpose_end_time = self.purpose_ended.and_then(|said| said.0);
        subject.contract_end_time = self.contract_ended.and_then(|said| said.0);
        subject.death_time = self.died.and_then(|said| said.0);
        subject.post_mortem = self.post_mortem.and_then(|said| said.0);
    }
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
        Command::Set { subject, jurisdiction, age, ends } => {
            let mut wanted = Subject {
                name: name(&subject)?,
                jurisdiction: jurisdiction.map_or(0, Into::into),
                age_band: age.map_or(0, Into::into),
                ..Subject::default()
            };
            let given = [("jurisdiction", jurisdiction.is_some()), ("age_band", age.is_some())];
            let mut paths = given.into_iter().filter(|(_, given)| *given).map(|(path, _)| path.to_owned()).collect();
            ends.tell(&mut wanted, &mut paths);
            let (purpose, update_mask) = (purpose(Purpose::Administration), Some(FieldMask { paths }));
            subjects.update(UpdateSubjectRequest { subject: Some(wanted), purpose, request_id, update_mask }).await
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
