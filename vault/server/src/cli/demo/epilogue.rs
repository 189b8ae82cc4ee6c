//! How to go on by hand.

use lethe_dataset::npy::MatrixWriter;

use super::Command;
use super::cast::{Cast, FACES};
use super::duplicates::returning;
use super::folder::Folder;
use super::proof::Proof;
use super::story::Story;
use super::tenants::MODEL;
use crate::cli::exit::Failure;

/// Probes that are written for a kept demo: captures of as many enrolled people.
const PROBES: usize = 10;

/// Nobody before this one: the story needs the first few.
const FIRST: u64 = 50;

pub(super) fn play(
    story: &mut Story,
    cast: &Cast,
    folder: &Folder,
    command: &Command,
    proof: &Proof,
) -> Result<(), Failure> {
    story.step("end", "Everything held. Your turn")?;
    let commands = match folder.is_kept() {
        true => kept(cast, folder, command, proof)?,
        false => {
            story.say(&format!("{} is removed now: nothing of it stays.", folder.path().display()))?;
            "      lethe demo --keep     the same, with everything kept in ./demo-data to go on by hand\n      \
             lethe serve           a vault of your own, in ./lethe-data\n      \
             lethe --help          all there is"
                .to_owned()
        }
    };
    story.verbatim(&commands)?;
    story.end()
}

/// The commands to try on what was kept.
fn kept(cast: &Cast, folder: &Folder, command: &Command, proof: &Proof) -> Result<String, Failure> {
    let base = folder.path().display();
    let (probes, row, person) = match &command.data {
        // Real faces stay where they are: the rows of the file itself will do.
        Some(data) => (data.join(format!("{FACES}.npy")), 0, 0),
        None => (write_probes(cast, folder)?, 0, shown(cast).next().unwrap_or(FIRST)),
    };
    let subject = Cast::applicant(person);
    let npy = format!("--npy {} --row {row}", probes.display());
    Ok(format!(
        "      # in one terminal\n      \
         lethe serve --data-dir {vault}\n\n      \
         # in another\n      \
         export LETHE_TENANT=acme LETHE_MODEL={model}@{version}\n      \
         lethe verify {subject} {npy} --key-file {base}/keys/acme-authenticator\n      \
         lethe search {npy} --key-file {base}/keys/acme-fraud_analyst\n      \
         lethe subject get {subject} --key-file {base}/keys/acme-privacy_officer\n      \
         lethe erase {subject} --key-file {base}/keys/acme-privacy_officer\n      \
         lethe verify {subject} {npy} --key-file {base}/keys/acme-authenticator\n      \
         lethe log checkpoint --vault --key-file {base}/keys/acme-auditor\n      \
         lethe receipt verify {document} --verifier {verifier}",
        vault = folder.vault().display(),
        model = MODEL.0,
        version = MODEL.1,
        document = proof.document.display(),
        verifier = proof.verifier.display(),
    ))
}

/// Whose probes are written: people who are enrolled once.
fn shown(cast: &Cast) -> impl Iterator<Item = u64> {
    let returning = returning(cast);
    (FIRST..cast.people()).filter(move |person| !returning.contains(person)).take(PROBES)
}

fn write_probes(cast: &Cast, folder: &Folder) -> Result<std::path::PathBuf, Failure> {
    let path = folder.path().join("probes.npy");
    let cannot = |error: lethe_dataset::Error| Failure::failed(error.to_string());
    let mut writer = MatrixWriter::create(&path, cast.dimension()).map_err(cannot)?;
    for person in shown(cast) {
        writer.push(&cast.latest(person)).map_err(cannot)?;
    }
    writer.finish().map_err(cannot)?;
    Ok(path)
}
