//! `lethe demo`: a vault's life in one sitting, over real gRPC, measured and checked step by step.
//!
//! Every number on the screen was measured in this run, and every claim is checked against something
//! that does not come from the vault: a step that does not hold ends the demo with a failure.

mod cast;
mod duplicates;
mod enrolment;
mod epilogue;
mod folder;
mod forgetting;
mod house;
mod login;
mod proof;
mod residue;
mod rights;
mod silos;
mod story;
mod tenants;

use std::path::PathBuf;

use clap::Args;

use self::cast::Cast;
use self::folder::Folder;
use self::house::House;
use self::proof::Proof;
use self::story::Story;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::telemetry;
use crate::config::{Log, LogFormat};

/// How to show it.
#[derive(Debug, Args)]
pub(super) struct Command {
    /// Folder of real embeddings, edgeface_xs_512.npy and subject.npy. Without it the people are
    /// synthetic: generated, with the statistics of real embeddings.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// How many people to enroll.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    #[arg(value_parser = clap::value_parser!(u64).range(200..=100_000))]
    people: u64,

    /// New folder that everything is written below; removed at the end unless it is kept.
    #[arg(long, value_name = "FOLDER", default_value = "./demo-data")]
    folder: PathBuf,

    /// Keep the folder, with keys, a receipt and probes to go on by hand.
    #[arg(long)]
    keep: bool,
}

/// Plays it, and cleans up whatever happens.
pub(super) async fn run(out: Output, command: Command) -> Result<Exit, Failure> {
    let filter = std::env::var("LETHE__LOG__FILTER").unwrap_or_else(|_| "error".into());
    telemetry::init(&Log { format: LogFormat::Text, filter })?;
    let cast = Cast::gather(command.data.as_deref(), command.people)?;
    let folder = Folder::create(&command.folder, command.keep)?;
    let mut story = Story::new(out);
    // Whatever the exit code of a refusal would be elsewhere: here it is a failed check.
    let failed = |story: &Story, failure: Failure| Failure {
        exit: Exit::Failed,
        ..failure.during(&format!("the demo failed in step \"{}\"", story.title()))
    };

    story.prologue(&cast, &folder)?;
    let house = House::open(&mut story, &folder).await.map_err(|f| failed(&story, f))?;
    let played = tokio::select! {
        played = play(&mut story, &cast, &folder, &house) => played,
        _ = tokio::signal::ctrl_c() => Err(Failure::failed("interrupted")),
    };
    house.close().await;
    let proof = played.map_err(|failure| failed(&story, failure))?;
    epilogue::play(&mut story, &cast, &folder, &command, &proof).map_err(|f| failed(&story, f))?;
    Ok(Exit::Done)
}

async fn play(story: &mut Story, cast: &Cast, folder: &Folder, house: &House) -> Result<Proof, Failure> {
    let tenants = tenants::play(story, cast, house).await?;
    let mut shadow = enrolment::play(story, cast, &tenants).await?;
    login::play(story, cast, &tenants.acme).await?;
    duplicates::play(story, cast, &tenants.acme, &mut shadow).await?;
    silos::play(story, cast, &tenants, &shadow).await?;
    rights::play(story, cast, &tenants.acme, &shadow).await?;
    let forgotten = forgetting::play(story, cast, folder, &tenants.acme, &shadow).await?;
    proof::play(story, folder, &tenants.acme, forgotten).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::receipt;

    /// The demo checks itself; here it is enough that it ends well, and that what it leaves is genuine.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_story_holds() {
        let place = tempfile::tempdir().unwrap();
        let kept = place.path().join("kept");
        let command = Command { data: None, people: 200, folder: kept.clone(), keep: true };
        assert_eq!(run(Output::silent(), command).await.unwrap(), Exit::Done);
        let verifier = kept.join("vault.pub").display().to_string();
        let verified = receipt::verify(Output::silent(), &kept.join("receipt.json"), &verifier, None);
        assert_eq!(verified.unwrap(), Exit::Done);
        for left in ["probes.npy", "keys/operator", "keys/acme-privacy_officer", "vault/root/vault.root"] {
            assert!(kept.join(left).exists(), "{left}");
        }
    }
}
