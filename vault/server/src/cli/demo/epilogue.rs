//! How to go on by hand.

use std::path::{Path, PathBuf};

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
    let mut commands = String::new();
    if let Some(folder) = program_outside_of_path() {
        commands += &format!("      export PATH=\"{}:$PATH\"\n", folder.display());
    }
    if folder.is_kept() {
        write_probes(cast, folder, command)?;
    } else {
        story.say(&format!(
            "{} is removed now: nothing of it stays. The same again, with everything kept to go on by hand:",
            folder.path().display()
        ))?;
        let data = command.data.as_ref().map(|data| format!(" --data {}", data.display())).unwrap_or_default();
        commands += &format!("      lethe demo --keep{data} --folder {}\n", folder.path().display());
    }
    commands += &by_hand(cast, folder, command, proof);
    story.verbatim(&commands)?;
    story.end()
}

/// The folder of this very program, where a shell would not find it.
fn program_outside_of_path() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let found =
        std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join("lethe")).find(|p| p.is_file());
    let same = found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == program);
    if same { None } else { program.parent().map(Path::to_owned) }
}

/// The commands to try on what is kept.
fn by_hand(cast: &Cast, folder: &Folder, command: &Command, proof: &Proof) -> String {
    let base = folder.path().display();
    let probes = probes(folder, command);
    let (row, person) = match &command.data {
        Some(_) => (0, 0),
        None => (0, shown(cast).next().unwrap_or(FIRST)),
    };
    let subject = Cast::applicant(person);
    let npy = format!("--npy {} --row {row}", probes.display());
    format!(
        "      # in one terminal\n      \
         lethe serve --data-dir {vault}\n\n      \
         # in another\n      \
         export LETHE_TENANT=acme LETHE_MODEL={model}@{version}\n      \
         seen() {{ lethe attestation sign {npy} --quality 0.9 --liveness 2 --signing-key {base}/keys/acme-camera.jwk; }}\n      \
         seen | lethe verify {subject} {npy} --attestation - --key-file {base}/keys/acme-authenticator\n      \
         seen | lethe search {npy} --attestation - --key-file {base}/keys/acme-fraud_analyst\n      \
         lethe subject get {subject} --key-file {base}/keys/acme-privacy_officer\n      \
         lethe erase {subject} --key-file {base}/keys/acme-privacy_officer\n      \
         seen | lethe verify {subject} {npy} --attestation - --key-file {base}/keys/acme-authenticator\n      \
         lethe audit checkpoint --vault --key-file {base}/keys/acme-auditor\n      \
         lethe receipt verify {document} --verifier {verifier}",
        vault = folder.vault().display(),
        model = MODEL.0,
        version = MODEL.1,
        document = proof.document.display(),
        verifier = proof.verifier.display(),
    )
}

/// Where the probes are. Real faces stay where they are: the rows of the file itself will do.
fn probes(folder: &Folder, command: &Command) -> PathBuf {
    match &command.data {
        Some(data) => data.join(format!("{FACES}.npy")),
        None => folder.path().join("probes.npy"),
    }
}

/// Whose probes are written: people who are enrolled once.
fn shown(cast: &Cast) -> impl Iterator<Item = u64> {
    let returning = returning(cast);
    (FIRST..cast.people()).filter(move |person| !returning.contains(person)).take(PROBES)
}

fn write_probes(cast: &Cast, folder: &Folder, command: &Command) -> Result<(), Failure> {
    if command.data.is_some() {
        return Ok(());
    }
    let path = probes(folder, command);
    let cannot = |error: lethe_dataset::Error| Failure::failed(error.to_string());
    let mut writer = MatrixWriter::create(&path, cast.dimension()).map_err(cannot)?;
    for person in shown(cast) {
        writer.push(&cast.latest(person)).map_err(cannot)?;
    }
    writer.finish().map_err(cannot)?;
    Ok(())
}
