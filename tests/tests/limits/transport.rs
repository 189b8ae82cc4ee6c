//! Not encrypted: plaintext is for loopback, everything else is TLS 1.3.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use lethe_proto::v1::audit_service_client::AuditServiceClient;
use lethe_proto::v1::{self, ErrorReason};
use lethe_tests::{Faces, Home, PATIENCE, Refused, Setup, Vault};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, generate_simple_self_signed};
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A server's certificate for `localhost`, and its key; PEM.
fn certificate() -> (String, String) {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn with_tls() -> (Setup, String) {
    let (certificate, key) = certificate();
    (Vault::setup().tls(&certificate, &key), certificate)
}

async fn is_healthy(channel: Channel) -> bool {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
}

fn channel(address: SocketAddr, tls: ClientTlsConfig) -> Channel {
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls.domain_name("localhost")).unwrap().connect_lazy()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_serves_who_trusts_it() {
    let (setup, certificate) = with_tls();
    let vault = setup.start().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(99).strangers(1).remove(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    assert_eq!(bank.analyst().found(&ada.again()).await, ["ada"]);

    let address = vault.address().await;
    let trusting = |pem: &str| ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    assert!(is_healthy(channel(address, trusting(&certificate))).await);
    assert!(
        !is_healthy(channel(address, trusting(&self::certificate().0))).await,
        "a stranger's certificate is trusted"
    );
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    assert!(!is_healthy(plain).await, "the server answered plaintext");
}

/// A ClientHello that offers so much as TLS 1.2 and nothing newer, by the book: RFC 5246, section 7.4.1.2.
fn client_hello_of_tls_1_2() -> Vec<u8> {
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]);
    hello.push(0);
    // ECDHE with ECDSA and RSA, AES-GCM: what any server that spoke TLS 1.2 would take.
    let suites: [u8; 8] = [0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x2f, 0xc0, 0x30];
    hello.extend([0, 8]);
    hello.extend(suites);
    hello.extend([1, 0]);
    let groups = [0x00, 0x0a, 0, 6, 0, 4, 0x00, 0x1d, 0x00, 0x17];
    let formats = [0x00, 0x0b, 0, 2, 1, 0];
    let signatures = [0x00, 0x0d, 0, 6, 0, 4, 0x04, 0x03, 0x08, 0x04];
    let extensions = [&groups[..], &formats, &signatures].concat();
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(hello.len()).unwrap().to_be_bytes());
    handshake.extend(hello);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_refused() {
    let (setup, certificate) = with_tls();
    let vault = setup.start().await;
    let address = vault.address().await;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&client_hello_of_tls_1_2()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // An alert, fatal: protocol_version (RFC 8446, section 6.2).
    assert_eq!(answer, [0x15, 0x03, 0x03, 0, 2, 2, 70]);
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificate));
    assert!(is_healthy(channel(address, trusting)).await, "the server is still there for who speaks TLS 1.3");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_for_clients_a_client_needs_its_certificate() {
    let (certificate, key) = certificate();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    let other_authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let home = Home::new();
    let file = home.path().join("clients.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let setup = Vault::setup().tls(&certificate, &key).flag("--tls-client-ca").flag(file.to_str().unwrap());
    let vault = setup.start_in(home).await;
    let address = vault.address().await;

    let identity = |authority: &CertifiedIssuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["client".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        Identity::from_pem(certificate.pem(), key.serialize_pem())
    };
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate));
    assert!(is_healthy(channel(address, trusting.clone().identity(identity(&authority)))).await);
    assert!(!is_healthy(channel(address, trusting.clone())).await, "a client without a certificate was let in");
    let stranger = trusting.identity(identity(&other_authority));
    assert!(!is_healthy(channel(address, stranger)).await, "a client of another authority was let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_beyond_loopback_refuses_to_start() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7443"] {
        let home = Home::new();
        let data = home.data();
        let setup = Vault::setup().listen(address);
        let vault = setup.refuses_to_start_in(home).await;
        assert_eq!(vault.status.code(), Some(2), "{}", vault.log);
        assert!(vault.log.contains("loopback") && vault.log.contains("listen"), "{}", vault.log);
        assert!(!data.exists(), "a vault was made");
    }
    // With TLS it may; but it says who vouches for people (O31), or that nobody does.
    let (setup, certificate) = with_tls();
    let exited = setup.clone().listen("0.0.0.0:0").refuses_to_start_in(Home::new()).await;
    assert!(exited.log.contains("access.second_factor") && exited.log.contains("tls.client_ca"), "{}", exited.log);
    let vault = setup.listen("0.0.0.0:0").set("access.second_factor", "off").start().await;
    let address = SocketAddr::from(([127, 0, 0, 1], vault.address().await.port()));
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificate));
    assert!(is_healthy(channel(address, trusting)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_refuses_to_start() {
    let (certificate, key) = certificate();
    let other_key = self::certificate().1;
    for (certificate, key) in
        [(certificate.as_str(), other_key.as_str()), ("", &key), (&certificate, ""), ("rubbish", "rubbish")]
    {
        let exited = Vault::setup().tls(certificate, key).refuses_to_start_in(Home::new()).await;
        assert!(!exited.status.success());
        assert!(exited.log.contains("tls."), "the file is named: {}", exited.log);
    }
}

/// A caller without an API key gets in nowhere, whatever the transport.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_no_credential() {
    let (setup, _) = with_tls();
    let vault = setup.start().await;
    let refusal = vault.caller(None).checkpoint("vault/log").await.refused();
    refusal.assert_is(tonic::Code::Unauthenticated, lethe_proto::v1::ErrorReason::CredentialMissing);
}

/// Whoever has no key is refused before a byte of the message was read: one that never comes, is no message, or is
/// larger than may be is not even looked at. Health and reflection ask for none.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_before_the_message_is_read() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let unknown = format!("lethe_{}_{}", "0".repeat(32), "A".repeat(43));
    for (key, reason) in [(None, ErrorReason::CredentialMissing), (Some(&*unknown), ErrorReason::CredentialInvalid)] {
        let stranger = bank.with_key(key);
        for method in lethe_proto::methods() {
            let path = format!("/{}/{}", method.service, method.method);
            let never = stranger.ask_raw_stream(&path, tokio_stream::pending()).await.refused();
            never.assert_is(Code::Unauthenticated, reason);
            let garbage = stranger.ask_raw(&path, vec![0xff; 64]).await.refused();
            garbage.assert_is(Code::Unauthenticated, reason);
            let large = stranger.ask_raw(&path, vec![0; (4 << 20) + 1]).await.refused();
            large.assert_is(Code::Unauthenticated, reason);
        }
    }
    assert!(is_healthy(vault.channel()).await);
}

/// Is the operator answered over this channel?
async fn answers(channel: Channel, vault: &Vault) -> bool {
    let request = v1::GetCheckpointRequest { log: "vault/log".into(), purpose: v1::Purpose::Audit.into() };
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("authorization", format!("Bearer {}", vault.operator_key()).parse().unwrap());
    AuditServiceClient::new(channel).get_checkpoint(request).await.is_ok()
}

/// Strangers take each other's places, whether they talk or are silent, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_keep_nobody_out() {
    let (setup, certificate) = with_tls();
    let vault = setup.set("limits.connections", 8).start().await;
    let address = vault.address().await;
    let trusting = || {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate));
        channel(address, tls)
    };
    let known = trusting();
    assert!(answers(known.clone(), &vault).await);
    let watched = trusting();
    assert!(is_healthy(watched.clone()).await);
    // Handshakes that never end, and callers that got so far as to ask for the server's health.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let stranger = trusting();
        assert!(is_healthy(stranger.clone()).await);
        strangers.push(stranger);
    }
    assert!(answers(trusting(), &vault).await, "a newcomer with a key is kept out");
    assert!(answers(known, &vault).await, "who had a place has lost it");
    let told = vault.log().matches("limits.connections").count();
    assert_eq!(told, 1, "{}", vault.log());
    drop((silent, watched, strangers));
}

/// Where all places are taken by callers with keys, one more is hung up on; when one of them ends there is room.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded() {
    let vault = Vault::setup().set("limits.connections", 2).start().await;
    let address = vault.address().await;
    let plain = || Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let (first, second) = (plain(), plain());
    assert!(answers(first.clone(), &vault).await && answers(second.clone(), &vault).await);
    assert!(!answers(plain(), &vault).await, "a third connection is served");
    assert!(answers(first.clone(), &vault).await && answers(second.clone(), &vault).await, "the others go on");
    drop(second);
    let served = async {
        while !answers(plain(), &vault).await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("there is room again");
    assert!(answers(first, &vault).await);
}
