//! People log in at an identity provider, which says whether they showed two factors (O31).

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_proto::v1::{self, ErasureState, ErrorReason, Purpose, Role};
use lethe_tests::{
    Answer, Caller, Cli, Face, Faces, Home, Refusal, Refused, Setup, Vault, basis, exempt, now, request_id,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tonic::Code;

const ISSUER: &str = "https://login.example.org/realms/staff";
const PATIENCE: Duration = Duration::from_secs(60);

/// A key of the identity provider.
struct Key(Ed25519KeyPair, &'static str);

impl Key {
    fn new(seed: u8, id: &'static str) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), id)
    }

    fn jwk(&self) -> Value {
        let point = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.1, "x": point })
    }

    /// A token for ten minutes, with more claims, or others.
    fn token(&self, subject: &str, more: Value) -> String {
        let now = now().seconds;
        let mut claims = json!({ "iss": ISSUER, "aud": "lethe", "sub": subject, "iat": now, "exp": now + 600 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.1 });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What a token says of two factors, and of one.
fn two() -> Value {
    json!({ "amr": ["pwd", "otp"] })
}

fn one() -> Value {
    json!({ "amr": ["pwd"] })
}

/// A vault that believes one identity provider, of the tenant `bank` and of operators, and asks people for a second factor. The
/// operator `00operator` was made while the server was stopped.
struct Stage {
    vault: Vault,
    key: Key,
    folder: PathBuf,
}

impl Stage {
    async fn set(change: impl FnOnce(Setup) -> Setup) -> Self {
        let (home, key) = (Home::new(), Key::new(1, "2026-11"));
        let folder = home.path().join("idp");
        std::fs::create_dir(&folder).unwrap();
        let setup = change(Vault::setup()).set("access.second_factor", "required");
        let setup = setup.set("access.identity_providers", folder.join("providers.toml").display());
        publish(&folder, &[&key]);
        describe(&folder, "[\"bank\"]");
        let vault = setup.start_in(home).await;
        let stage = Self { vault, key, folder };
        stage.vault.stop().await;
        let login = ["--login-issuer", ISSUER, "--login-subject", "00operator"];
        let made = stage.vault.run(&[&["key", "new-operator"][..], &login].concat());
        assert_eq!(made.code, Some(0), "{}", made.log);
        assert!(made.answer["name"].is_string() && made.answer["api_key"].is_null(), "{}", made.answer);
        stage.vault.start().await;
        stage
    }

    fn caller(&self, token: &str) -> Caller {
        self.vault.caller(Some(token.to_owned())).on("bank")
    }

    /// Who logs in so.
    fn person(&self, subject: &str, more: Value) -> Caller {
        self.caller(&self.key.token(subject, more))
    }

    fn operator(&self) -> Caller {
        self.person("00operator", two())
    }

    /// The tenant `bank` with a model, as its administrator, who logs in.
    async fn bank(&self) -> Caller {
        let operator = self.operator();
        let purposes = [Purpose::Authentication, Purpose::DuplicateDetection].map(basis).to_vec();
        let request = v1::CreateTenantRequest {
            tenant: Some(v1::Tenant { purposes, attestation: Some(exempt()), ..v1::Tenant::default() }),
            administrator_login: Some(login("00admin")),
            ..operator.creation("bank")
        };
        let first = operator.ask(request.clone()).await.unwrap().credential.unwrap();
        assert!(first.api_key.is_empty() && !first.already_shown, "a login has no key");
        let again = operator.ask(request).await.unwrap().credential.unwrap();
        assert_eq!(first, again);
        let admin = self.person("00admin", two());
        let profile = v1::CreateModelProfileRequest {
            parent: admin.tenant_name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            model_profile: Some(v1::ModelProfile {
                model: Some(v1::ModelVersion { id: "face".to_owned(), version: "1".to_owned() }),
                dimension: 512,
                thresholds: Some(v1::Thresholds { r#match: 0.5, review: 0.4 }),
                ..v1::ModelProfile::default()
            }),
        };
        admin.ask(profile).await.unwrap();
        admin
    }

    /// Asks until an answer is as it should be.
    async fn until<T>(&self, caller: &Caller, is: impl Fn(&Answer<v1::Tenant>) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            let answer = get(caller).await;
            if let Some(found) = is(&answer) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "{answer:?}\n{}", self.vault.log());
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn publish(folder: &std::path::Path, keys: &[&Key]) {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    std::fs::write(folder.join("keys.json"), json!({ "keys": keys }).to_string()).unwrap();
}

fn describe(folder: &std::path::Path, tenants: &str) {
    let text = format!(
        "[[provider]]\nissuer = \"{ISSUER}\"\naudiences = [\"lethe\"]\njwks_file = \"keys.json\"\noperators = true\n\
         second_factor_amr = [\"otp\", \"hwk\"]\nsecond_factor_acr = [\"urn:example:two\"]\ntenants = {tenants}\n"
    );
    std::fs::write(folder.join("providers.toml"), text).unwrap();
}

fn login(subject: &str) -> v1::Login {
    v1::Login { issuer: ISSUER.to_owned(), subject: subject.to_owned() }
}

fn wish(admin: &Caller, role: Role, login: v1::Login) -> v1::CreateCredentialRequest {
    v1::CreateCredentialRequest {
        parent: admin.tenant_name(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles: vec![role.into()], login: Some(login), ..v1::Credential::default() }),
    }
}

/// The name of a new credential that a login shows.
async fn issue(admin: &Caller, role: Role, subject: &str) -> String {
    let issued = admin.ask(wish(admin, role, login(subject))).await.unwrap();
    assert!(issued.api_key.is_empty());
    issued.credential.unwrap().name
}

async fn revoke(admin: &Caller, name: &str) {
    let (name, purpose) = (name.to_owned(), Purpose::Administration.into());
    admin.ask(v1::RevokeCredentialRequest { name, purpose, request_id: request_id() }).await.unwrap();
}

async fn get(caller: &Caller) -> Answer<v1::Tenant> {
    caller.ask(v1::GetTenantRequest { name: caller.tenant_name(), purpose: Purpose::Administration.into() }).await
}

fn face() -> Face {
    Faces::seeded(433).person(0).selfie()
}

fn is_missing(refusal: &Refusal) {
    refusal.assert_is(Code::PermissionDenied, ErrorReason::SecondFactorRequired);
}

fn is_unknown(refusal: &Refusal) {
    refusal.assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
    let all = "the login is unknown or revoked, or its token is not believed";
    assert_eq!(refusal.status().message(), all, "one answer, whatever is wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_with_two_factors_and_without_them_may_do_nothing() {
    let stage = Stage::set(|setup| setup.apart().log("info,lethe_vault=trace")).await;
    is_missing(&stage.vault.operator().ask(stage.vault.operator().creation("bank")).await.refused());
    let half = stage.person("00operator", one());
    is_missing(&half.ask(half.creation("bank")).await.refused());
    let admin = stage.bank().await;
    is_missing(&get(&stage.person("00admin", one())).await.refused());
    is_missing(&get(&stage.person("00admin", json!({}))).await.refused());

    // A machine's role needs none, whoever says who it is.
    let officer = issue(&admin, Role::PrivacyOfficer, "00officer").await;
    issue(&admin, Role::Enroller, "00machine").await;
    stage.person("00machine", json!({})).enroll("ada", &face()).await.unwrap();
    is_missing(&stage.person("00officer", json!({ "acr": "urn:example:one" })).erase("ada").await.refused());
    let erased = stage.person("00officer", json!({ "acr": "urn:example:two" })).erase("ada").await.unwrap();
    assert_eq!(erased.state(), ErasureState::Shredded);

    // A login is of one credential, and its provider speaks for whom it is to speak for.
    let shop = stage.operator().on("shop");
    let creation = |login| v1::CreateTenantRequest { administrator_login: login, ..shop.creation("shop") };
    let refusal = shop.ask(creation(Some(login("00shop")))).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::IdentityProviderUnknown);
    shop.ask(creation(None)).await.unwrap();
    let refusal = get(&admin.on("shop")).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let taken = admin.ask(wish(&admin, Role::Auditor, login("00officer"))).await.refused();
    taken.assert_is(Code::AlreadyExists, ErrorReason::LoginTaken);
    let shaped = admin.ask(wish(&admin, Role::Auditor, login("ann@example.org"))).await.refused();
    shaped.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("credential.login.subject");

    // One answer for all that is not believed.
    let good = stage.key.token("00admin", two());
    let (message, _) = good.rsplit_once('.').unwrap();
    let stranger = Key::new(2, "2026-11");
    for token in [
        stage.key.token("00nobody", two()),
        stranger.token("00admin", two()),
        stage.key.token("00admin", json!({ "aud": "other", "amr": ["otp"] })),
        stage.key.token("00admin", json!({ "iss": "https://login.example.org", "amr": ["otp"] })),
        stage.key.token("00admin", json!({ "exp": now().seconds + 7200, "amr": ["otp"] })),
        stage.key.token("00admin", json!({ "cnf": { "jkt": "x" }, "amr": ["otp"] })),
        stage.key.token("00admin", json!({ "act": { "sub": "00officer" }, "amr": ["otp"] })),
        stage.key.token("00admin", json!({ "events": {}, "amr": ["otp"] })),
        format!("{message}."),
        "x.y.z".to_owned(),
        stage.key.token("00admin", json!({ "pad": "x".repeat(8000) })),
    ] {
        is_unknown(&get(&stage.caller(&token)).await.refused());
    }
    let over = stage.key.token("00admin", json!({ "iat": now().seconds - 700, "exp": now().seconds - 100 }));
    get(&stage.caller(&over)).await.refused().assert_is(Code::Unauthenticated, ErrorReason::CredentialExpired);

    // Who is revoked is out; the log names the credential, and nobody's login.
    revoke(&admin, &officer).await;
    is_unknown(&stage.person("00officer", two()).erase("ada").await.refused());
    issue(&admin, Role::Auditor, "00officer").await;
    let (auditor, log) = (stage.person("00officer", two()), format!("{}/log", admin.tenant_name()));
    let entries = auditor.entries(&log, v1::EntryFilter::default()).await.unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.entry).into_owned()).collect();
    let id = officer.rsplit('/').next().unwrap();
    assert!(entries.iter().any(|entry| entry.contains("subject.erase") && entry.contains(id)), "{entries:?}");
    assert!(!entries.iter().any(|entry| entry.contains("00officer")), "{entries:?}");

    // It is as before after a restart, and after a restore.
    stage.vault.restart().await;
    get(&stage.person("00admin", two())).await.unwrap();
    assert!(stage.operator().back_up().await.is_ok());
    stage.vault.stop().await;
    std::fs::remove_dir_all(stage.vault.home().data().join("db")).unwrap();
    let backups = stage.vault.home().backups();
    let ran = stage.vault.run(&["restore", "--backup", backups.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    stage.vault.start().await;
    get(&stage.person("00admin", two())).await.unwrap();
    let again = stage.person("00officer", two()).entries(&log, v1::EntryFilter::default()).await.unwrap();
    assert!(again.len() > entries.len());
    is_unknown(&get(&stage.person("00nobody", two())).await.refused());

    // Nothing of a token, nor of a login, is in the server's own log.
    let told = stage.vault.log();
    assert!(told.contains("a token is not believed"), "it says why, to who runs it");
    for secret in [message, "00admin", "00officer", "eyJ"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_provider_change_while_the_server_serves() {
    let stage = Stage::set(Setup::metrics).await;
    stage.bank().await;
    let next = Key::new(2, "2026-12");
    let old = stage.person("00admin", two());
    let new = stage.caller(&next.token("00admin", two()));
    is_unknown(&get(&new).await.refused());
    publish(&stage.folder, &[&stage.key, &next]);
    stage.until(&new, |answer| answer.is_ok().then_some(())).await;
    get(&old).await.unwrap();
    let follower = new.watch("tenants/bank/log", 0, true).await.refused();
    follower.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);

    // What turned bad is told, and what was there before counts.
    let stale = async |is: f64| {
        let begin = Instant::now();
        while stage.vault.metrics().await.value("lethe_identity_providers_stale") != is {
            assert!(begin.elapsed() < PATIENCE);
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert_eq!(stage.vault.metrics().await.value("lethe_identity_providers"), 1.0);
    stale(0.0).await;
    std::fs::write(stage.folder.join("keys.json"), "{\"keys\":").unwrap();
    stale(1.0).await;
    get(&new).await.unwrap();
    assert!(stage.vault.log().contains("keys.json: is no JSON"), "{}", stage.vault.log());
    publish(&stage.folder, &[&next]);
    stale(0.0).await;
    let refusal = stage.until(&old, |answer| answer.as_ref().err().cloned()).await;
    is_unknown(&refusal);
    get(&new).await.unwrap();
    describe(&stage.folder, "[\"shop\"]");
    is_unknown(&stage.until(&new, |answer| answer.as_ref().err().cloned()).await);

    // A start waits for no set: who has only a bad one has no keys.
    describe(&stage.folder, "[\"bank\"]");
    std::fs::write(stage.folder.join("keys.json"), "{\"keys\":").unwrap();
    stage.vault.restart().await;
    is_unknown(&get(&new).await.refused());
    publish(&stage.folder, &[&next]);
    stage.until(&new, |answer| answer.is_ok().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_login_is_over_or_its_provider_is_gone() {
    let stage = Stage::set(|setup| setup).await;
    let admin = stage.bank().await;
    issue(&admin, Role::Auditor, "00auditor").await;
    let log = format!("{}/log", admin.tenant_name());
    // Clocks may differ by thirty seconds: it is over in five.
    let soon = json!({ "iat": now().seconds - 60, "exp": now().seconds - 25, "amr": ["otp"] });
    let mut short = stage.person("00auditor", soon).watch(&log, 0, true).await.unwrap();
    let mut long = stage.person("00auditor", two()).watch(&log, 0, true).await.unwrap();
    let end = async |stream: &mut tonic::Streaming<v1::WatchResponse>| {
        let ended = async {
            loop {
                match stream.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it ended as if there were no more"),
                    Err(status) => return Refusal::from(status),
                }
            }
        };
        timeout(PATIENCE, ended).await.expect("it ends")
    };
    end(&mut short).await.assert_is(Code::Unauthenticated, ErrorReason::CredentialExpired);
    assert!(!long.message().await.unwrap().unwrap().entries.is_empty(), "another goes on");
    std::fs::write(stage.folder.join("providers.toml"), "provider = []\n").unwrap();
    is_unknown(&end(&mut long).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_logins_and_sends_tokens() {
    let stage = Stage::set(|setup| setup).await;
    let ask = async |subject: &str, arguments: &[&str]| {
        let file = stage.folder.join(format!("{subject}.token"));
        std::fs::write(&file, stage.key.token(subject, two())).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let cli = Cli::new(["--login-token-file", file.to_str().unwrap()]).args(arguments);
        cli.asking(&stage.vault).await.run()
    };
    let login = |subject: &'static str| ["--login-issuer", ISSUER, "--login-subject", subject];
    let create = ["tenant", "create", "bank", "--basis", "authentication=explicit_consent"];
    let made = ask("00operator", &[&create[..], &login("00admin")].concat()).await.one();
    assert_eq!(made["credential"]["login"], json!({ "issuer": ISSUER, "subject": "00admin" }), "{made}");
    assert!(made["api_key"].is_null(), "{made}");
    let create = ["key", "create", "--tenant", "bank", "--role", "auditor"];
    let made = ask("00admin", &[&create[..], &login("00auditor")].concat()).await.one();
    assert_eq!((&made["login"]["subject"], &made["already_shown"]), (&json!("00auditor"), &json!(false)), "{made}");
    let taken = ask("00admin", &[&create[..], &login("00auditor")].concat()).await;
    assert_eq!((taken.code(), &taken.failure()["reason"]), (3, &json!("LOGIN_TAKEN")));
    let listed = ask("00auditor", &["key", "list", "--tenant", "bank"]).await;
    assert_eq!((listed.code(), listed.said.len()), (0, 2), "{listed:?}");
    // Half a login is none, and a key goes nowhere where there is none.
    for more in [&["--login-issuer", ISSUER][..], &[&login("00x")[..], &["--key-out", "k"]].concat()] {
        assert_eq!(ask("00admin", &[&create[..], more].concat()).await.code(), 2, "{more:?}");
    }
    let both = Cli::new(["--key-file", "k", "--login-token-file", "t", "tenant", "get", "--tenant", "bank"]);
    assert_eq!(both.asking(&stage.vault).await.run().code(), 2);
    let gone = ask("00nobody", &["tenant", "get", "--tenant", "bank"]).await;
    assert_eq!((gone.code(), &gone.failure()["reason"]), (3, &json!("CREDENTIAL_INVALID")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_providers_that_it_cannot_read() {
    for (text, why) in [
        ("[[provider]]\nissuers = \"x\"\n", "unknown field `issuers`"),
        (
            "[[provider]]\nissuer = \"http://a\"\naudiences = [\"x\"]\njwks_file = \"k\"\n",
            "`issuer` must be an https URL",
        ),
        ("", "missing field `provider`"),
    ] {
        let home = Home::new();
        let path = home.path().join("providers.toml");
        std::fs::write(&path, text).unwrap();
        let exited = Vault::setup().set("access.identity_providers", path.display()).refuses_to_start_in(home).await;
        assert!(exited.log.contains("`access.identity_providers`") && exited.log.contains(why), "{}", exited.log);
    }
}
