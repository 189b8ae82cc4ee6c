//! `lethe tenant`: controllers.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use lethe_proto::names::TenantName;
use lethe_proto::v1::{
    AttestationPolicy, Automation, AutomationGround, CreateTenantRequest, Environment, ErasureState, GetTenantRequest,
    Jurisdiction, Purpose, PurposeBasis, Retention, ShredTenantRequest, Tenant, UpdatePolicyRequest,
};
use prost_types::FieldMask;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Context;
use super::erase::{answer, keep_receipt, tell};
use super::issued::{KeyOut, LoginOf, check_new};
use super::leaving::{self, Confirm, Export, Offboard};
use super::proposal::named;
use super::rotate::{self, RotateOptions};
use crate::cli::exit::{Exit, Failure};
use crate::cli::values::{self, Coded as _, Exemption, Said};
use crate::cli::{request_id, view};

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a tenant, with its own keys, an empty gallery and a first credential of role tenant_admin: an API key, or a login.
    ///
    /// Needs the operator's key. Purpose by default: administration.
    Create {
        /// Id: 3 to 63 characters of [a-z0-9-], a letter first. Never given twice.
        id: String,

        /// Purpose and the lawful basis recorded for it, such as authentication=explicit_consent; give
        /// it several times. Nothing is processed for a purpose without one.
        #[arg(long, required = true, value_parser = values::purpose_basis)]
        #[arg(value_name = "PURPOSE=BASIS")]
        basis: Vec<PurposeBasis>,

        /// The law that counts for persons of whom nobody said another; other, if not given.
        #[arg(long, value_parser = values::jurisdiction())]
        jurisdiction: Option<Jurisdiction>,

        /// The tenant's country, such as JP: under a law that the vault does not know, what stays in it crosses no border.
        #[arg(long, value_name = "CODE", default_value = "")]
        country: String,

        /// What the tenant's people are; production, if not given. It cannot be changed.
        #[arg(long, value_parser = values::environment())]
        environment: Option<Environment>,

        /// Where the tenant's data live: this node's region, and so if not given. It cannot be changed.
        #[arg(long, default_value = "")]
        region: String,

        #[command(flatten)]
        attested: Attested,

        #[command(flatten)]
        keeping: Keeping,

        #[command(flatten)]
        login: LoginOf,

        #[command(flatten)]
        key_out: KeyOut,

        /// UUID of version 4; the same again names what was created, without the key.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// Show a tenant.
    ///
    /// Needs role tenant_admin or auditor, or the operator's key. Purpose by default: administration.
    Get,
    /// Change what the tenant allows; every call is judged by it from the answer on.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Policy(Policy),
    /// Propose that the tenant leaves: that its data are handed over, or that nobody wants them, and all of it is shredded. Another
    /// approves with `lethe proposal approve`; one of the two is the tenant's.
    ///
    /// Needs role tenant_admin, or the operator's key. Purpose by default: administration.
    Offboard(Offboard),
    /// Take the tenant's data, as two persons approved: an archive that only the holder of its key opens.
    ///
    /// It may be repeated; the last archive counts. Needs role tenant_admin. Purpose by default: administration.
    Export(Export),
    /// Confirm that the archive was received and can be opened; only then may the tenant be shredded.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    ConfirmHandover(Confirm),
    /// Shred a tenant, as two persons decided: its whole silo, for good, in one step whatever its size.
    ///
    /// From the moment it is accepted all its API keys are refused and nobody of it is found; its name is never given
    /// again. Needs the operator's key. Purpose by default: administration.
    Shred(Shred),
    /// Replace, while serving, the keys that wrap the tenant's keys, and destroy the root key that did so far.
    ///
    /// Erases nothing, and records keep their keys. Needs the operator's key. Purpose by default: administration.
    Rotate {
        #[command(flatten)]
        options: RotateOptions,
    },
}

/// What is to be changed of a tenant's policy.
#[derive(Debug, Args)]
#[group(id = "changes", required = true, multiple = true)]
pub(crate) struct Policy {
    /// All purposes, each with its basis, in place of those that there are; give it several times.
    #[arg(long, value_parser = values::purpose_basis, value_name = "PURPOSE=BASIS", group = "changes")]
    basis: Vec<PurposeBasis>,

    /// The law that counts for persons of whom nobody said another.
    #[arg(long, value_parser = values::jurisdiction(), group = "changes")]
    jurisdiction: Option<Jurisdiction>,

    /// Your country, such as JP, or none: under a law that the vault does not know, what stays in it crosses no border.
    #[arg(long, value_parser = values::country_or_none, value_name = "CODE", group = "changes")]
    country: Option<Said<String>>,

    /// Whether the law of your country lets minors from 16 on consent for themselves.
    #[arg(long, value_name = "BOOL", group = "changes")]
    minors_consent_alone_from_16: Option<bool>,

    /// Whether nobody of unknown age is processed.
    #[arg(long, value_name = "BOOL", group = "changes")]
    age_required: Option<bool>,

    #[command(flatten)]
    automation: Automated,

    #[command(flatten)]
    attested: Attested,

    #[command(flatten)]
    keeping: Keeping,
}

/// Where systems decide.
#[derive(Debug, Args)]
#[group(id = "changes", multiple = true)]
struct Automated {
    /// All purposes for which your systems decide where an answer is clear, each with the ground that allows it: contract, law or
    /// explicit_consent; give it several times. none: for all of them a person decides.
    #[arg(long, value_parser = values::automation_or_none, value_name = "PURPOSE=GROUND", group = "changes")]
    automate: Vec<Said<(Purpose, AutomationGround)>>,

    /// Which version of your notice explains to people how it is decided: 1 to 64 of [A-Za-z0-9._~-].
    #[arg(long, requires_all = ["automate", "explanation"], value_name = "VERSION", default_value = "")]
    explanation_version: String,

    /// That notice, as it is shown: its SHA-256 is recorded, not its text.
    #[arg(long, requires_all = ["automate", "explanation_version"], value_name = "FILE")]
    explanation: Option<PathBuf>,

    /// Your name of whoever looks again when a person contests a decision, such as a desk.
    #[arg(long, requires = "automate", value_name = "REVIEWER", default_value = "")]
    reviewer: String,
}

impl Automated {
    fn read(self) -> Result<Vec<Automation>, Failure> {
        let purposes: Vec<_> = self.automate.into_iter().filter_map(|said| said.0).collect();
        if purposes.is_empty() {
            return Ok(Vec::new());
        }
        let path = self.explanation.ok_or_else(|| {
            Failure::usage(
                "say with --explanation and --explanation-version which notice explains to people how it is decided",
            )
        })?;
        let notice =
            std::fs::read(&path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        let explanation_sha256 = Sha256::digest(&notice).to_vec();
        let automation = purposes.into_iter().map(|(purpose, ground)| Automation {
            purpose: purpose.into(),
            ground: ground.into(),
            explanation_version: self.explanation_version.clone(),
            explanation_sha256: explanation_sha256.clone(),
            reviewer: self.reviewer.clone(),
        });
        Ok(automation.collect())
    }
}

/// Which captures need an attestation of the service that made them.
#[derive(Debug, Args)]
#[group(id = "changes", multiple = true)]
pub(crate) struct Attested {
    /// What needs no attestation: enrollment, verification, identification, watchlist; all or none of them; give it several times.
    /// default: in production nothing is exempt, in development everything.
    #[arg(long, value_name = "USE", value_parser = values::exemption, group = "changes")]
    attestation_exempt: Vec<Exemption>,

    /// The least level of presentation attacks, 1 to 3, that a verdict of liveness must have been looking for; 1, if not given.
    #[arg(long, value_name = "LEVEL", requires = "attestation_exempt")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=3))]
    attestation_least_level: Option<i32>,

    /// For how long after it was captured a face may be used, such as 90s, 10m or 1h; 10m, if not given.
    #[arg(long, value_name = "SPAN", value_parser = values::seconds, requires = "attestation_exempt")]
    attestation_max_age: Option<i64>,
}

impl Attested {
    fn read(self) -> Result<Option<AttestationPolicy>, Failure> {
        let said = &self.attestation_exempt;
        if said.is_empty() {
            return Ok(None);
        }
        let alone = |one: Exemption| match said.contains(&one) {
            true if said.len() > 1 => Err(Failure::usage("--attestation-exempt: all, none and default stand alone")),
            is_there => Ok(is_there),
        };
        let (all, _, default) = (alone(Exemption::All)?, alone(Exemption::None)?, alone(Exemption::Default)?);
        if default {
            let said_more = self.attestation_least_level.is_some() || self.attestation_max_age.is_some();
            let refusal =
                || Failure::usage("--attestation-exempt default: say none or all to ask for a level or an age");
            return if said_more { Err(refusal()) } else { Ok(None) };
        }
        let exempt = match all {
            true => Exemption::USES.map(Into::into).to_vec(),
            false => said
                .iter()
                .filter_map(|one| if let Exemption::Of(usage) = one { Some((*usage).into()) } else { None })
                .collect(),
        };
        let max_age = self.attestation_max_age.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        Ok(Some(AttestationPolicy { exempt, least_level: self.attestation_least_level.unwrap_or_default(), max_age }))
    }
}

/// How long people are kept, by the calendar: P3Y, P18M, P90D.
#[derive(Debug, Args)]
#[group(id = "changes", multiple = true)]
pub(crate) struct Keeping {
    /// How long a template is kept from its enrolment; none: as long as laws allow.
    #[arg(long, value_parser = values::period_or_none, value_name = "PERIOD", group = "changes")]
    keep: Option<Said<String>>,

    /// How long a person is kept when the purpose was satisfied or the contract is over; none: not at all.
    #[arg(long, value_parser = values::period_or_none, value_name = "PERIOD", group = "changes")]
    keep_after_end: Option<Said<String>>,

    /// How long, after the contract with a person is over, a statute wants its data kept, as storage only. Until then nothing
    /// of the person is destroyed.
    #[arg(long, value_parser = values::period_or_none, value_name = "PERIOD", group = "changes")]
    statutory_minimum: Option<Said<String>>,

    /// For how long after its end what claims can rest on is kept (evidence of consents, requests, notifications); none: five
    /// years. Not less than two.
    #[arg(long, value_parser = values::period_or_none, value_name = "PERIOD", group = "changes")]
    limitation: Option<Said<String>>,

    /// Whether the vendor of the service sets the purposes itself: then five years are the most.
    #[arg(long, value_name = "BOOL", group = "changes")]
    vendor_purposes: Option<bool>,
}

impl Keeping {
    fn paths(&self) -> [(&'static str, bool); 5] {
        [
            ("retention.keep", self.keep.is_some()),
            ("retention.after_end", self.keep_after_end.is_some()),
            ("retention.minimum", self.statutory_minimum.is_some()),
            ("retention.limitation", self.limitation.is_some()),
            ("retention.vendor_purposes", self.vendor_purposes.is_some()),
        ]
    }

    fn retention(self) -> Retention {
        let said = |said: Option<Said<String>>| said.and_then(|said| said.0).unwrap_or_default();
        Retention {
            keep: said(self.keep),
            after_end: said(self.keep_after_end),
            minimum: said(self.statutory_minimum),
            limitation: said(self.limitation),
            vendor_purposes: self.vendor_purposes.unwrap_or_default(),
        }
    }
}

async fn update(context: &Context, policy: Policy) -> Result<Exit, Failure> {
    let paths = [
        ("purposes", !policy.basis.is_empty()),
        ("jurisdiction", policy.jurisdiction.is_some()),
        ("country", policy.country.is_some()),
        ("minors_consent_alone_from_16", policy.minors_consent_alone_from_16.is_some()),
        ("age_required", policy.age_required.is_some()),
        ("automation", !policy.automation.automate.is_empty()),
        ("attestation", !policy.attested.attestation_exempt.is_empty()),
    ];
    let paths = paths
        .into_iter()
        .chain(policy.keeping.paths())
        .filter(|(_, given)| *given)
        .map(|(path, _)| path.to_owned())
        .collect();
    let request = UpdatePolicyRequest {
        tenant: Some(Tenant {
            name: context.connection.tenant()?.to_string(),
            purposes: policy.basis,
            jurisdiction: policy.jurisdiction.map_or(0, Into::into),
            country: policy.country.and_then(|said| said.0).unwrap_or_default(),
            minors_consent_alone_from_16: policy.minors_consent_alone_from_16.unwrap_or_default(),
            age_required: policy.age_required.unwrap_or_default(),
            automation: policy.automation.read()?,
            attestation: policy.attested.read()?,
            retention: Some(policy.keeping.retention()),
            ..Tenant::default()
        }),
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: String::new(),
        update_mask: Some(FieldMask { paths }),
    };
    let client = context.connection.open().await?;
    let (json, card) = view::tenant(&client.tenants().update_policy(request).await?.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

/// Which tenant to shred, and how.
#[derive(Debug, Args)]
pub(crate) struct Shred {
    /// The tenant. Named here and not by --tenant, which commands that destroy nothing take, too.
    id: String,

    /// The tenant's id once more, instead of being asked to type it. Needed where there is no terminal to ask at.
    #[arg(long, value_name = "ID")]
    confirm: Option<String>,

    /// The approved proposal, or the file that it was written to.
    #[arg(long, value_name = "PROPOSAL")]
    proposal: String,

    /// Answer as soon as the shredding is durable, PENDING, instead of when it is SHREDDED.
    #[arg(long)]
    no_wait: bool,

    /// Write the receipt to this new file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    receipt_out: Option<PathBuf>,

    /// UUID of version 4; the same again finds the same receipt.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

impl Shred {
    /// The tenant's id has to be given twice.
    fn confirm(&self, tenant: &str) -> Result<(), Failure> {
        let again = match &self.confirm {
            Some(again) => again.clone(),
            None if io::stdin().is_terminal() => answer(&format!(
                "Shred tenant {tenant} with everybody in it? This cannot be undone. Type its id again: "
            ))?,
            None => return Err(Failure::usage("this cannot be undone; say --confirm with the tenant's id once more")),
        };
        if again == tenant { Ok(()) } else { Err(Failure::failed("the ids differ; nothing was done")) }
    }
}

async fn shred(context: &Context, command: Shred) -> Result<Exit, Failure> {
    let id = command.id.strip_prefix("tenants/").unwrap_or(&command.id);
    let name = TenantName::new(id).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(path) = &command.receipt_out {
        check_new(path)?;
    }
    command.confirm(name.tenant())?;
    let request = ShredTenantRequest {
        name: name.to_string(),
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: command.request_id.clone().map_or_else(request_id::random, Ok)?,
        no_wait: command.no_wait,
        proposal: named(&command.proposal)?.0.to_string(),
    };
    let client = context.connection.open().await?;
    let erasure = client.tenants().shred(request).await?.into_inner();
    let state = erasure.state();
    let meaning = match state {
        ErasureState::Shredded => "the old root key is destroyed; nobody can bring the silo back",
        ErasureState::Pending => "out of reach already; the old root key is not yet destroyed",
        ErasureState::Deferred | ErasureState::Unspecified => "the server did not say how far it got",
    };
    tell(context, (&format!("{name} is shredded: {}", state.code()), meaning), &erasure.receipt, state)?;
    keep_receipt(context, &client, &erasure.receipt, command.receipt_out.as_deref(), Purpose::Audit).await
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Create {
            id,
            basis,
            jurisdiction,
            country,
            environment,
            region,
            attested,
            keeping,
            login,
            key_out,
            request_id,
        } => {
            key_out.check()?;
            let request = CreateTenantRequest {
                purpose: context.connection.purpose(Purpose::Administration),
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                tenant_id: id,
                tenant: Some(Tenant {
                    purposes: basis,
                    jurisdiction: jurisdiction.map_or(0, Into::into),
                    country,
                    environment: environment.map_or(0, Into::into),
                    region,
                    attestation: attested.read()?,
                    retention: Some(keeping.retention()),
                    ..Tenant::default()
                }),
                administrator_login: login.given(),
            };
            let client = context.connection.open().await?;
            let answer = client.tenants().create(request).await?.into_inner();
            let issued = answer.credential.unwrap_or_default();
            let (tenant, card) = view::tenant(&answer.tenant.unwrap_or_default());
            let (credential, _) = view::issued(&issued);
            let name = issued.credential.as_ref().map(|credential| credential.name.clone());
            let card = card.maybe("admin", name);
            let json = json!({ "tenant": tenant, "credential": credential });
            key_out.show(context.out, issued, (json, card))?;
        }
        Command::Get => {
            let request = GetTenantRequest {
                name: context.connection.tenant()?.to_string(),
                purpose: context.connection.purpose(Purpose::Administration),
            };
            let client = context.connection.open().await?;
            let (json, card) = view::tenant(&client.tenants().get(request).await?.into_inner());
            context.out.result(&json, &card)?;
        }
        Command::Policy(policy) => return update(context, policy).await,
        Command::Offboard(command) => return leaving::offboard(context, command).await,
        Command::Export(command) => return leaving::export(context, command).await,
        Command::ConfirmHandover(command) => return leaving::confirm(context, command).await,
        Command::Shred(command) => return shred(context, command).await,
        Command::Rotate { options } => {
            return rotate::run(context, context.connection.tenant()?.to_string(), options).await;
        }
    }
    Ok(Exit::Done)
}
