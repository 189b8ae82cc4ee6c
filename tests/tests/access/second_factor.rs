//! People show that they are who their key says, by a certificate of that very key (O31).

use std::net::SocketAddr;

use lethe_proto::v1::{self, ErasureState, ErrorReason, Purpose, Role};
use lethe_tests::{Caller, Face, Faces, Home, Refusal, Refused, Vault, basis, exempt, request_id};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, generate_simple_self_signed};
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client certificate of these names, and its key.
fn identity(authority: &Authority, names: &[String], over: bool) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.to_vec()).unwrap();
    if over {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    }
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity::from_pem(certificate.pem(), key.serialize_pem())
}

/// The name by which a certificate is the second factor of who holds an API key.
fn name_of(caller: &Caller) -> String {
    let id = &caller.key().unwrap()["lethe_".len()..][..32];
    format!("{id}.credential.lethe.internal")
}

/// A vault that takes a second factor of people, and who may vouch for them.
struct Stage {
    vault: Vault,
    address: SocketAddr,
    trusted: String,
    clients: Authority,
}

impl Stage {
    async fn set() -> Self {
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (home, clients) = (Home::new(), authority());
        let path = home.path().join("clients.pem");
        std::fs::write(&path, clients.pem()).unwrap();
        let setup = Vault::setup().tls(&made.cert.pem(), &made.signing_key.serialize_pem());
        let setup = setup.set("tls.client_ca", path.display()).set("tls.client_optional", true);
        let vault = setup.set("access.second_factor", "required").start_in(home).await;
        let address = vault.address().await;
        Self { vault, address, trusted: made.cert.pem(), clients }
    }

    fn channel(&self, identity: Identity) -> Channel {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.trusted)).identity(identity);
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap();
        endpoint.tls_config(tls.domain_name("localhost")).unwrap().connect_lazy()
    }

    /// The same caller, over a connection with a certificate of these names.
    fn named(&self, caller: &Caller, names: &[String]) -> Caller {
        caller.over(self.channel(identity(&self.clients, names, false)))
    }

    /// The same caller, with the certificate that is its own.
    fn proved(&self, caller: &Caller) -> Caller {
        self.named(caller, &[name_of(caller)])
    }
}

fn is_missing(refusal: &Refusal) {
    refusal.assert_is(Code::PermissionDenied, ErrorReason::SecondFactorRequired);
    assert_eq!(refusal.metadata()["obligation"], "O31");
}

fn face() -> Face {
    Faces::seeded(431).person(0).selfie()
}

/// A tenant with a model, as its administrator, who has a certificate.
async fn bank(stage: &Stage) -> Caller {
    let operator = stage.proved(&stage.vault.operator());
    let purposes = [Purpose::Authentication, Purpose::DuplicateDetection].map(basis).to_vec();
    let request = v1::CreateTenantRequest {
        tenant: Some(v1::Tenant { purposes, attestation: Some(exempt()), ..v1::Tenant::default() }),
        ..operator.creation("bank")
    };
    let created = operator.ask(request).await.unwrap();
    let admin = stage.vault.caller(Some(created.credential.unwrap().api_key)).on("bank");
    let admin = stage.proved(&admin);
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

async fn issue(admin: &Caller, roles: &[Role]) -> Caller {
    let roles = roles.iter().map(|&role| role.into()).collect();
    let made = admin.ask(v1::CreateCredentialRequest {
        parent: admin.tenant_name(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles, ..v1::Credential::default() }),
    });
    admin.with_key(Some(&made.await.unwrap().api_key))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_key_alone_does_nothing_and_a_machines_does() {
    let stage = Stage::set().await;
    let plain = |caller: &Caller| caller.over(stage.vault.channel());
    is_missing(&stage.vault.operator().ask(stage.vault.operator().creation("bank")).await.refused());
    let admin = bank(&stage).await;
    // Before anything about what it is aimed at is told.
    for tenant in ["bank", "nobody"] {
        let name = format!("tenants/{tenant}");
        let request = v1::GetTenantRequest { name, purpose: Purpose::Administration.into() };
        is_missing(&plain(&admin).ask(request).await.refused());
    }
    let enroller = plain(&issue(&admin, &[Role::Enroller]).await);
    enroller.enroll("ada", &face()).await.unwrap();
    let login = plain(&issue(&admin, &[Role::Authenticator]).await);
    login.verify("ada", &face()).await.unwrap();
    let log = format!("{}/log", admin.tenant_name());
    is_missing(&plain(&issue(&admin, &[Role::PrivacyOfficer]).await).erase("ada").await.refused());
    is_missing(&plain(&issue(&admin, &[Role::Auditor]).await).checkpoint(&log).await.refused());
    let director = plain(&issue(&admin, &[Role::TenantAdmin]).await);
    is_missing(&director.ask(director.offboarding(None)).await.refused());
    // Of a key for both, what a machine may needs none; the rest does.
    let both = issue(&admin, &[Role::Enroller, Role::PrivacyOfficer]).await;
    plain(&both).enroll("bea", &face()).await.unwrap();
    is_missing(&plain(&both).erase("bea").await.refused());
    assert_eq!(stage.proved(&both).erase("bea").await.unwrap().state(), ErasureState::Shredded);

    // It is on record.
    let auditor = stage.proved(&issue(&admin, &[Role::Auditor]).await);
    let size = auditor.checkpoint(&log).await.unwrap().tree_size;
    let mut refused = 0;
    for leaf in 0..size {
        let entry = auditor.proof(&log, leaf, size).await.unwrap().entry;
        refused += usize::from(String::from_utf8(entry).unwrap().contains("SECOND_FACTOR_REQUIRED"));
    }
    assert_eq!(refused, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_of_one_key_and_of_the_authority_that_is_named() {
    let stage = Stage::set().await;
    let admin = bank(&stage).await;
    let operator = stage.vault.operator();
    let own = name_of(&admin);
    let ask = async |caller: Caller| {
        let name = caller.on("bank").tenant_name();
        caller.ask(v1::GetTenantRequest { name, purpose: Purpose::Administration.into() }).await
    };
    let id = own.split('.').next().unwrap();
    for names in [
        vec![name_of(&operator)],
        vec![own.clone(), name_of(&operator)],
        vec!["*.credential.lethe.internal".to_owned()],
        vec![id.to_owned()],
        vec![format!("{id}.credential.lethe.internal.example.org")],
        vec![format!("x.{own}")],
        vec![id.to_uppercase() + ".credential.lethe.internal"],
        vec![],
    ] {
        let refusal = ask(stage.named(&admin, &names)).await.refused();
        assert_eq!(refusal.reason(), Some(ErrorReason::SecondFactorRequired), "{names:?}");
    }
    // Names beside it are no matter.
    ask(stage.named(&admin, &[own.clone(), "ann.example.org".to_owned()])).await.unwrap();
    // Of another authority, or over: nobody is answered at all.
    let strangers = authority();
    let own = [own];
    for identity in [identity(&strangers, &own, false), identity(&stage.clients, &own, true)] {
        let refusal = ask(admin.over(stage.channel(identity))).await.refused();
        assert_eq!(refusal.reason(), None, "the connection itself is refused: {refusal:?}");
    }
    // A certificate is no key.
    let nobody = stage.proved(&admin).with_key(None);
    ask(nobody).await.refused().assert_is(Code::Unauthenticated, ErrorReason::CredentialMissing);
}
