//! `lethe attestation`: for who writes a capture service, a key to sign with and attestations to try. Calls no server.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use lethe_attestation::{Claims, Nonce, Signer, digest};
use lethe_domain::{AgeBand, CaptureKind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp as Moment};
use lethe_proto::v1;
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use super::Context;
use super::issued::check_new;
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;
use crate::cli::secret::{ApiKey, write_private};
use crate::cli::values;

/// What to do with attestations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key pair for a capture or document service.
    ///
    /// The private key goes to a new file that you alone can read; the public one, which `lethe signing-key create` registers, is
    /// shown. Calls no server.
    Key(Key),
    /// Sign what a capture service would say about an embedding, and show it.
    ///
    /// For whoever builds a capture service, and for trying a vault out: a service signs what it saw itself, where it saw it. Say
    /// the same capture to the command that uses it: model, kind, quality and time. Needs --tenant; calls no server.
    Sign(Box<Sign>),
}

/// A new key.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The key's id, by which attestations name it: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(value_name = "KID")]
    id: String,

    /// Write the private key, a JSON Web Key, to this new file.
    #[arg(long, value_name = "FILE")]
    key_out: PathBuf,

    /// Write the public key, which the vault's tenant registers, to this new file, too.
    #[arg(long, value_name = "FILE")]
    public_out: Option<PathBuf>,
}

/// What to sign.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The private key, a file as `lethe attestation key` writes it.
    #[arg(long, value_name = "FILE")]
    signing_key: PathBuf,

    /// The vault's name among services that sign, its `attestation.audience`.
    #[arg(long, value_name = "NAME", default_value = "lethe")]
    audience: String,

    /// Quality by the capture service's own measure, 0 to 1.
    #[arg(long, value_name = "Q", default_value_t = 1.0)]
    quality: f32,

    /// For how many seconds it counts, from now on.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    lasts: u32,

    /// The verdict: a living person, tested against presentation attacks of this level (ISO/IEC 30107-3); without it the service
    /// says that it did not look.
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=3))]
    liveness: Option<u8>,

    /// The verdict is the other one: a presentation attack.
    #[arg(long, requires = "liveness")]
    spoof: bool,

    /// How old the service takes the person to be; without it, it does not say.
    #[arg(long, value_parser = values::age(), ignore_case = true)]
    age: Option<v1::AgeBand>,

    /// Write the attestation to this new file instead of showing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    capture: CaptureArgs,
}

pub(crate) fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Key(command) => key(context, &command),
        Command::Sign(command) => sign(context, *command),
    }
}

fn key(context: &Context, command: &Key) -> Result<Exit, Failure> {
    check_new(&command.key_out)?;
    command.public_out.as_deref().map(check_new).transpose()?;
    let signer = Signer::generate(&command.id).map_err(|fault| Failure::usage(format!("the key {fault}")))?;
    let path = &command.key_out;
    let unwritable = |error| Failure::failed(format!("cannot write {}: {error}", path.display()));
    write_private(path, &signer.to_jwk()).map_err(unwritable)?;
    let public = signer.public().to_jwk();
    if let Some(path) = &command.public_out {
        std::fs::write(path, format!("{public}\n"))
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    let read: Value = serde_json::from_str(&public).unwrap_or_default();
    let json = json!({ "kid": command.id, "jwk": read, "key_file": path.display().to_string() });
    let card = Card::new(&command.id).row("public key", &public).row("private key", format!("in {}", path.display()));
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

fn sign(context: &Context, command: Sign) -> Result<Exit, Failure> {
    if let Some(path) = &command.out {
        check_new(path)?;
    }
    let tenant = context.connection.tenant()?;
    let tenant = TenantId::parse(tenant.tenant()).map_err(|refused| Failure::usage(refused.to_string()))?;
    let signer = read_key(&command.signing_key)?;
    let out = command.out.clone();
    let claims = command.claims(tenant)?;
    let signed = signer.sign(&claims).map_err(|refused| Failure::usage(format!("the attestation {refused}")))?;
    let time = |moment: Moment| v1_time(moment).to_string();
    let mut json = json!({
        "kid": signer.public().id().as_str(),
        "tenant": claims.tenant.as_str(),
        "audience": claims.audience,
        "embedding_sha256": hex::encode(claims.embedding),
        "captured_at": time(claims.captured_at),
        "expires_at": time(claims.expires_at),
    });
    match out {
        Some(path) => {
            let unwritable = |error| Failure::failed(format!("cannot write {}: {error}", path.display()));
            // Whoever has it and the embedding can use it once.
            write_private(&path, &signed).map_err(unwritable)?;
            json["file"] = json!(path.display().to_string());
            let card = Card::new(format!("attestation by {}", signer.public().id()))
                .row("file", path.display().to_string())
                .row("captured", time(claims.captured_at))
                .row("expires", time(claims.expires_at));
            context.out.result(&json, &card)?;
        }
        None => {
            json["attestation"] = json!(signed);
            context.out.json(&json)?;
            context.out.text(&signed)?;
        }
    }
    Ok(Exit::Done)
}

fn read_key(path: &Path) -> Result<Signer, Failure> {
    let text = ApiKey::read(path)?;
    Signer::from_jwk(text.expose()).map_err(|fault| Failure::usage(format!("the key in {} {fault}", path.display())))
}

impl Sign {
    /// What the service says.
    fn claims(self, tenant: TenantId) -> Result<Claims, Failure> {
        let refuse = |message: &str| Failure::usage(message.to_owned());
        let quality = Quality::parse("quality", self.quality).map_err(|refused| Failure::usage(refused.to_string()))?;
        let mut capture = self.capture.read(v1::CaptureKind::AuthenticationCapture, self.quality)?;
        let embedding = digest(&capture.embedding);
        capture.embedding.zeroize();
        let kind = u8::try_from(capture.kind).ok().and_then(CaptureKind::from_number);
        let model = capture.model.unwrap_or_default();
        let time = capture.capture_time.unwrap_or_default();
        let captured_at = time.seconds.checked_mul(1000).map(|millis| millis + i64::from(time.nanos) / 1_000_000);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires_at = (now + Duration::from_secs(self.lasts.into())).as_secs();
        let expires_at = i64::try_from(expires_at).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
        let age = self.age.and_then(|age| u8::try_from(i32::from(age)).ok()).and_then(AgeBand::from_number);
        let level = self.liveness.and_then(PadLevel::from_number);
        Ok(Claims {
            tenant,
            audience: self.audience,
            embedding,
            model: ModelId::parse(&model.id, &model.version).map_err(|refused| Failure::usage(refused.to_string()))?,
            kind: kind.ok_or_else(|| refuse("the capture has no kind"))?,
            quality,
            captured_at: Moment::from_millis(captured_at.ok_or_else(|| refuse("the capture has no time"))?),
            expires_at: Moment::from_millis(expires_at),
            nonce: Nonce::random(),
            age: age.filter(|age| *age != AgeBand::Unknown),
            liveness: level.map(|level| Liveness { passed: !self.spoof, level }),
        })
    }
}

fn v1_time(moment: Moment) -> prost_types::Timestamp {
    let millis = moment.millis();
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    prost_types::Timestamp { seconds: millis.div_euclid(1000), nanos }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use clap::Parser;
    use lethe_attestation::verify;
    use lethe_dataset::npy::MatrixWriter;

    use super::*;
    use crate::cli::connection::Connection;
    use crate::cli::output::Output;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        connection: Connection,
        #[command(subcommand)]
        command: Command,
    }

    fn execute(arguments: &[&str]) -> Result<Exit, Failure> {
        let line = Line::try_parse_from(["lethe"].iter().chain(arguments));
        let line = line.map_err(|error| Failure::usage(error.to_string()))?;
        run(&Context { out: Output::silent(), connection: line.connection }, line.command)
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with_a_face() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            let mut writer = MatrixWriter::create(folder.0.path().join("m.npy"), 2).unwrap();
            writer.push(&[1.0, 2.0]).unwrap();
            writer.finish().unwrap();
            folder
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn key(&self) -> String {
            let path = self.path("camera.jwk");
            execute(&["key", "camera-1", "--key-out", &path]).unwrap();
            path
        }

        /// What is signed with some more arguments.
        fn sign(&self, key: &str, out: &str, more: &[&str]) -> Result<Claims, Failure> {
            let (npy, out) = (self.path("m.npy"), self.path(out));
            let line =
                ["sign", "--tenant", "bank", "--signing-key", key, "--npy", &npy, "--row", "0", "--model", "m@1"];
            execute(&[&line[..], &["--out", &out], more].concat())?;
            let signed = std::fs::read_to_string(out).unwrap();
            let signer = Signer::from_jwk(&std::fs::read_to_string(key).unwrap()).unwrap();
            Ok(verify(signed.trim(), signer.public()).unwrap())
        }
    }

    #[test]
    fn a_key_is_private_and_signs_what_it_is_told() {
        let folder = Folder::with_a_face();
        let key = folder.key();
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let said =
            folder.sign(&key, "a", &["--liveness", "2", "--age", "adult", "--captured-at", "2026-01-31T12:00:00Z"]);
        let said = said.unwrap();
        assert_eq!((said.tenant.as_str(), said.audience.as_str()), ("bank", "lethe"));
        assert_eq!(said.embedding, digest(&[1.0, 2.0]));
        assert_eq!(said.liveness, Some(Liveness { passed: true, level: PadLevel::Level2 }));
        assert_eq!((said.age, said.kind), (Some(AgeBand::Adult), CaptureKind::AuthenticationCapture));
        assert_eq!(said.captured_at, Moment::from_millis(1_769_860_800_000));

        let other =
            folder.sign(&key, "b", &["--liveness", "1", "--spoof", "--kind", "selfie", "--audience", "eu"]).unwrap();
        assert_eq!(other.liveness, Some(Liveness { passed: false, level: PadLevel::Level1 }));
        assert_eq!((other.age, other.kind, other.audience.as_str()), (None, CaptureKind::Selfie, "eu"));
        assert!(other.nonce != said.nonce, "each is used once");
        assert_eq!(folder.sign(&key, "c", &[]).unwrap().liveness, None);
    }

    #[test]
    fn what_is_no_key_signs_nothing_and_is_not_shown() {
        let folder = Folder::with_a_face();
        let key = folder.key();
        let public = Signer::from_jwk(&std::fs::read_to_string(&key).unwrap()).unwrap().public().to_jwk();
        for text in ["s3cret", "{\"d\":\"s3cret\"}", &public] {
            let path = folder.path("no-key");
            std::fs::write(&path, text).unwrap();
            let failure = folder.sign(&path, "a", &[]).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(!failure.message.contains("s3cret"), "{failure}");
        }
        // Neither is overwritten.
        assert!(execute(&["key", "camera-1", "--key-out", &key]).unwrap_err().message.contains("exists"));
        folder.sign(&key, "a", &[]).unwrap();
        assert!(folder.sign(&key, "a", &[]).unwrap_err().message.contains("exists"));
        for id in ["", "two words", &"k".repeat(65)] {
            assert!(execute(&["key", id, "--key-out", &folder.path("new")]).is_err(), "{id}");
        }
        for more in
            [["--liveness", "4"], ["--liveness", "0"], ["--lasts", "0"], ["--lasts", "86401"], ["--quality", "2"]]
        {
            assert!(folder.sign(&key, "d", &more).is_err(), "{more:?}");
        }
        assert!(folder.sign(&key, "d", &["--spoof"]).is_err(), "a verdict of what?");
    }
}
