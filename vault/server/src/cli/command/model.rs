//! `lethe model`: the models whose embeddings a tenant stores, with its thresholds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lethe_dataset::npy::MatrixReader;
use lethe_proto::names::ModelProfileName;
use lethe_proto::v1::{
    CreateModelProfileRequest, GetModelProfileRequest, ListModelProfilesRequest, ModelProfile, Purpose, Thresholds,
    UpdateModelProfileRequest,
};
use prost_types::FieldMask;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::values::ModelSpec;
use crate::cli::{request_id, view};

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a model version with its dimension and thresholds.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Create(Create),
    /// Show a model version. Purpose by default: administration.
    Get {
        /// The model, such as edgeface-xs@1.
        #[arg(value_name = "MODEL@VERSION")]
        spec: ModelSpec,
    },
    /// List model versions. Purpose by default: administration.
    List,
    /// Change thresholds or the miss probability; what makes up the model never changes.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Update(Update),
}

/// A new model version.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The model, such as edgeface-xs@1.
    #[arg(value_name = "MODEL@VERSION")]
    spec: ModelSpec,

    /// Length of its embeddings, 64 to 4096.
    #[arg(long)]
    dimension: i32,

    /// Least cosine that is a match, from a calibration of this model on this population.
    #[arg(long = "match", value_name = "SCORE", allow_negative_numbers = true)]
    match_from: f32,

    /// Least cosine that a person must judge; searches report from it on. The match threshold, if not
    /// given.
    #[arg(long = "review", value_name = "SCORE", allow_negative_numbers = true)]
    review_from: Option<f32>,

    /// Chance that a search misses a template exactly at the threshold, 1e-12 to 0.1.
    #[arg(long, value_name = "P")]
    miss_probability: Option<f64>,

    /// The model's centre over public or synthetic data: an .npy file of one row. The origin, if not
    /// given.
    #[arg(long, value_name = "FILE")]
    centre: Option<PathBuf>,

    /// Bits that searches keep of each coordinate in memory, 1 or 2. Two take 128 bytes of a template of 512 dimensions in place of
    /// 64, and a search opens far fewer that do not match. Two, if not given; one around a centre.
    #[arg(long, value_name = "N")]
    sketch_bits: Option<i32>,
}

/// A change of a model version.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Changes {
    /// Least cosine that is a match.
    #[arg(long = "match", value_name = "SCORE", allow_negative_numbers = true)]
    match_from: Option<f32>,

    /// Least cosine that a person must judge.
    #[arg(long = "review", value_name = "SCORE", allow_negative_numbers = true)]
    review_from: Option<f32>,

    /// Chance that a search misses a template exactly at the threshold, 1e-12 to 0.1; or `default`.
    #[arg(long, value_name = "P", value_parser = probability)]
    miss_probability: Option<Probability>,
}

/// Which model version, and its change.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The model, such as edgeface-xs@1.
    #[arg(value_name = "MODEL@VERSION")]
    spec: ModelSpec,

    #[command(flatten)]
    changes: Changes,
}

/// A probability, or none: the vault's default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probability(Option<f64>);

fn probability(text: &str) -> Result<Probability, String> {
    match text {
        "default" => Ok(Probability(None)),
        text => text.parse().map(|p| Probability(Some(p))).map_err(|_| "not a number".into()),
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let connection = &context.connection;
    let purpose = connection.purpose(Purpose::Administration);
    let tenant = connection.tenant()?;
    let name = |spec: &ModelSpec| {
        ModelProfileName::new(tenant.tenant(), &spec.id, &spec.version)
            .map(|name| name.to_string())
            .map_err(|error| Failure::usage(error.to_string()))
    };
    let profile = match command {
        Command::Create(create) => {
            let request = CreateModelProfileRequest {
                parent: tenant.to_string(),
                purpose,
                request_id: request_id::random()?,
                model_profile: Some(create.profile()?),
            };
            let client = connection.open().await?;
            client.tenants().create_model_profile(request).await?.into_inner()
        }
        Command::Get { spec } => {
            let request = GetModelProfileRequest { name: name(&spec)?, purpose };
            let client = connection.open().await?;
            client.tenants().get_model_profile(request).await?.into_inner()
        }
        Command::Update(update) => {
            let (profile, paths) = update.changes.profile(name(&update.spec)?);
            let request = UpdateModelProfileRequest {
                model_profile: Some(profile),
                purpose,
                request_id: request_id::random()?,
                update_mask: Some(FieldMask { paths }),
            };
            let client = connection.open().await?;
            client.tenants().update_model_profile(request).await?.into_inner()
        }
        Command::List => return list(context, tenant.to_string(), purpose).await,
    };
    let (json, card) = view::profile(&profile);
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

async fn list(context: &Context, parent: String, purpose: i32) -> Result<Exit, Failure> {
    let mut client = context.connection.open().await?.tenants();
    let mut page_token = String::new();
    loop {
        let request = ListModelProfilesRequest { parent: parent.clone(), purpose, page_size: 1000, page_token };
        let page = client.list_model_profiles(request).await?.into_inner();
        for profile in &page.model_profiles {
            let (json, card) = view::profile(profile);
            context.out.result(&json, &card)?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(Exit::Done);
        }
    }
}

impl Create {
    fn profile(self) -> Result<ModelProfile, Failure> {
        Ok(ModelProfile {
            model: Some(self.spec.into()),
            dimension: self.dimension,
            centre: self.centre.as_deref().map(centre).transpose()?.unwrap_or_default(),
            thresholds: Some(Thresholds {
                r#match: self.match_from,
                review: self.review_from.unwrap_or(self.match_from),
            }),
            miss_probability: self.miss_probability,
            sketch_bits: self.sketch_bits,
            ..ModelProfile::default()
        })
    }
}

impl Changes {
    /// The new values, and which of the profile's they are.
    fn profile(&self, name: String) -> (ModelProfile, Vec<String>) {
        let mut paths = Vec::new();
        let mut thresholds = Thresholds::default();
        if let Some(score) = self.match_from {
            thresholds.r#match = score;
            paths.push("thresholds.match".to_owned());
        }
        if let Some(score) = self.review_from {
            thresholds.review = score;
            paths.push("thresholds.review".to_owned());
        }
        let mut miss_probability = None;
        if let Some(Probability(probability)) = self.miss_probability {
            miss_probability = probability;
            paths.push("miss_probability".to_owned());
        }
        let thresholds = Some(thresholds);
        (ModelProfile { name, thresholds, miss_probability, ..ModelProfile::default() }, paths)
    }
}

/// The only row of a file.
fn centre(path: &Path) -> Result<Vec<f32>, Failure> {
    let unreadable = |error: lethe_dataset::Error| Failure::usage(error.to_string());
    let mut reader = MatrixReader::open(path).map_err(unreadable)?;
    if reader.rows() != 1 {
        let path = path.display();
        return Err(Failure::usage(format!("{path} has {} rows, not one", reader.rows())));
    }
    let mut row = vec![0.0; reader.dimension()];
    reader.read_row(&mut row).map_err(unreadable)?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_just_what_it_changes() {
        let changes = Changes { match_from: None, review_from: Some(0.3), miss_probability: Some(Probability(None)) };
        let (profile, paths) = changes.profile("n".into());
        assert_eq!(paths, ["thresholds.review", "miss_probability"]);
        assert_eq!(profile.thresholds.map(|thresholds| thresholds.review), Some(0.3));
        assert_eq!(profile.miss_probability, None);
    }
}
