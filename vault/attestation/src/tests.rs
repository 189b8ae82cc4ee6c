use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_domain::{AgeBand, CaptureKind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;

fn claims() -> Claims {
    Claims {
        tenant: TenantId::parse("bank").unwrap(),
        audience: "lethe".to_owned(),
        embedding: digest(&[0.25; 64]),
        model: ModelId::parse("face", "1").unwrap(),
        kind: CaptureKind::Selfie,
        quality: Quality::parse("quality", 0.9).unwrap(),
        captured_at: Timestamp::from_millis(1_750_000_000_123),
        expires_at: Timestamp::from_millis(1_750_000_300_000),
        nonce: Nonce::random(),
        age: Some(AgeBand::Adult),
        liveness: Some(Liveness { passed: true, level: PadLevel::Level2 }),
    }
}

/// Somebody who signs whatever texts there are, under the name `camera`.
struct Anybody(Ed25519KeyPair);

impl Anybody {
    fn seeded(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> VerifyingKey {
        VerifyingKey::new(KeyId::parse("camera").unwrap(), self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes())))
    }
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": TYPE, "kid": "camera" })
}

fn written() -> Value {
    json!({
        "tenant": "bank", "aud": "lethe", "embedding_sha256": "ab".repeat(32), "model": { "id": "face", "version": "1" },
        "kind": "selfie", "quality": 0.5, "captured_at": 1_750_000_000_123_i64, "exp": 1_750_000_300,
        "jti": "0123456789abcdef", "age_band": "adult", "liveness": { "passed": true, "pad_level": 1 },
    })
}

fn with(mut value: Value, member: &str, other: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    if other.is_null() {
        members.remove(member)
    } else {
        members.insert(member.to_owned(), other)
    };
    value
}

#[test]
fn what_a_service_signs_is_what_is_read() {
    let signer = Signer::generate("camera").unwrap();
    for claims in [claims(), Claims { age: None, liveness: None, ..claims() }] {
        let signed = signer.sign(&claims).unwrap();
        assert!(signed.len() < 1000, "{}", signed.len());
        assert_eq!(verify(&signed, signer.public()), Ok(claims));
    }
}

#[test]
fn the_digest_is_that_of_the_floats_in_little_endian() {
    // printf '\x00\x00\x80\x3f\x00\x00\x00\xc0' | sha256sum
    let known = "ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b";
    assert_eq!(hex::encode(digest(&[1.0, -2.0])), known);
    assert_ne!(digest(&[0.0]), digest(&[-0.0]));
}

#[test]
fn another_key_under_the_name_or_another_name_verifies_nothing() {
    let (signer, stranger) = (Signer::generate("camera").unwrap(), Signer::generate("camera").unwrap());
    let signed = signer.sign(&claims()).unwrap();
    assert_eq!(verify(&signed, stranger.public()), Err(Refused::Signature));
    let renamed = VerifyingKey::new(KeyId::parse("other").unwrap(), *signer.public().point()).unwrap();
    assert_eq!(verify(&signed, &renamed), Err(Refused::Signature));
}

#[test]
fn only_this_type_and_this_algorithm_count() {
    let camera = Anybody::seeded(7);
    let read = |header: Value| verify(&camera.sign(&header, &written()), &camera.key()).map(|_| ());
    assert_eq!(read(header()), Ok(()));
    assert_eq!(read(with(header(), "typ", json!("JWT"))), Err(Refused::Type));
    assert_eq!(read(with(header(), "typ", Value::Null)), Err(Refused::Type));
    assert_eq!(read(with(header(), "alg", json!("HS256"))), Err(Refused::Algorithm));
    assert_eq!(read(with(header(), "alg", json!("none"))), Err(Refused::Form));
    assert_eq!(read(with(header(), "kid", Value::Null)), Err(Refused::KeyId));
    assert_eq!(read(with(header(), "kid", json!("no name"))), Err(Refused::KeyId));
    assert_eq!(read(with(header(), "crit", json!(["x"]))), Err(Refused::Form));
    assert_eq!(read(with(header(), "b64", json!(false))), Err(Refused::Form));
}

#[test]
fn each_claim_that_is_none_is_named() {
    let camera = Anybody::seeded(7);
    let read = |claims: Value| verify(&camera.sign(&header(), &claims), &camera.key());
    let read_with = |member: &str, other: Value| read(with(written(), member, other)).map(|_| ());
    assert_eq!(read(with(written(), "age_band", Value::Null)).unwrap().age, None);
    assert_eq!(read(with(written(), "age_band", json!("unknown"))).unwrap().age, None);
    assert_eq!(read(with(written(), "liveness", Value::Null)).unwrap().liveness, None);
    assert_eq!(read_with("iss", json!("https://capture.example.org")), Ok(()));
    for (member, other, claim) in [
        ("tenant", json!("Bank!"), "tenant"),
        ("embedding_sha256", json!("ab".repeat(31)), "embedding_sha256"),
        ("embedding_sha256", json!("zz".repeat(32)), "embedding_sha256"),
        ("model", json!({ "id": "", "version": "1" }), "model"),
        ("kind", json!("fingerprint"), "kind"),
        ("quality", json!(1.5), "quality"),
        ("captured_at", json!(-1), "captured_at"),
        ("captured_at", json!(i64::MAX), "captured_at"),
        ("exp", json!(i64::MAX), "exp"),
        ("jti", json!("short"), "jti"),
        ("jti", json!("x".repeat(65)), "jti"),
        ("jti", json!("0123456789abcde!"), "jti"),
        ("age_band", json!("old"), "age_band"),
        ("liveness", json!({ "passed": true, "pad_level": 4 }), "liveness.pad_level"),
    ] {
        assert_eq!(read_with(member, other), Err(Refused::Claim(claim)), "{member}");
    }
    for member in ["tenant", "aud", "embedding_sha256", "model", "kind", "quality", "captured_at", "exp", "jti"] {
        assert_eq!(read_with(member, Value::Null), Err(Refused::Form), "{member}");
        assert_eq!(read_with(member, json!([1])), Err(Refused::Form), "{member}");
    }
    assert_eq!(read_with("liveness", json!({ "passed": true })), Err(Refused::Form));
    assert_eq!(read_with("exp", json!(-1)), Err(Refused::Form));
    assert_eq!(read(json!([])), Err(Refused::Form));
}

#[test]
fn a_changed_part_is_noticed() {
    let signer = Signer::generate("camera").unwrap();
    let signed = signer.sign(&claims()).unwrap();
    let parts: Vec<_> = signed.split('.').collect();
    let other = signer.sign(&claims()).unwrap();
    let others: Vec<_> = other.split('.').collect();
    assert_eq!(verify(&format!("{}.{}.{}", parts[0], others[1], parts[2]), signer.public()), Err(Refused::Signature));
    assert_eq!(verify(&format!("{}.{}.", parts[0], parts[1]), signer.public()), Err(Refused::Signature));
    assert_eq!(verify(&format!("{}.{}", parts[0], parts[1]), signer.public()), Err(Refused::Form));
    assert_eq!(verify(&format!("{signed}.x"), signer.public()), Err(Refused::Form));
    assert_eq!(verify("", signer.public()), Err(Refused::Form));
    assert_eq!(verify(&"x".repeat(LONGEST + 1), signer.public()), Err(Refused::Length));
}

#[test]
fn keys_are_read_as_they_are_written_and_secrets_are_refused() {
    let signer = Signer::generate("camera.1").unwrap();
    assert_eq!(VerifyingKey::from_jwk(&signer.public().to_jwk()), Ok(signer.public().clone()));
    let again = Signer::from_jwk(&signer.to_jwk()).unwrap();
    assert_eq!(verify(&again.sign(&claims()).unwrap(), signer.public()).unwrap().kind, CaptureKind::Selfie);
    assert_eq!(VerifyingKey::from_jwk(&signer.to_jwk()), Err(KeyFault::Secret("d")));
    let public: Value = serde_json::from_str(&signer.public().to_jwk()).unwrap();
    for (member, other, fault) in [
        ("kty", json!("RSA"), KeyFault::Kind),
        ("crv", json!("X25519"), KeyFault::Kind),
        ("use", json!("enc"), KeyFault::Kind),
        ("alg", json!("ES256"), KeyFault::Kind),
        ("kid", Value::Null, KeyFault::Id),
        ("kid", json!("a b"), KeyFault::Id),
        ("kid", json!("k".repeat(65)), KeyFault::Id),
        ("x", json!("AAAA"), KeyFault::Point),
        ("x", json!(7), KeyFault::Point),
    ] {
        assert_eq!(VerifyingKey::from_jwk(&with(public.clone(), member, other).to_string()), Err(fault), "{member}");
    }
    assert_eq!(VerifyingKey::from_jwk("[]"), Err(KeyFault::Form));
    assert_eq!(VerifyingKey::from_jwk("{"), Err(KeyFault::Form));
    // A secret beside another's point.
    let private: Value = serde_json::from_str(&signer.to_jwk()).unwrap();
    let point: Value = serde_json::from_str(&Signer::generate("camera.1").unwrap().public().to_jwk()).unwrap();
    let mixed = with(private.clone(), "x", point["x"].clone()).to_string();
    assert_eq!(Signer::from_jwk(&mixed).unwrap_err(), KeyFault::Seed);
    assert_eq!(Signer::from_jwk(&public.to_string()).unwrap_err(), KeyFault::Seed);
}

#[test]
fn nothing_secret_is_in_what_is_printed() {
    let signer = Signer::generate("camera").unwrap();
    let secret: Value = serde_json::from_str(&signer.to_jwk()).unwrap();
    let printed = format!("{signer:?} {:?}", claims());
    assert!(!printed.contains(secret["d"].as_str().unwrap()));
    assert!(printed.contains("camera") && printed.contains("bank"));
    let claims = claims();
    let printed = format!("{claims:?} {:?}", claims.nonce);
    assert!(!printed.contains(&hex::encode(claims.embedding)) && !printed.contains(&format!("{:?}", claims.embedding)));
    assert!(!printed.contains(claims.nonce.as_str()) && !printed.contains("1750000000"));
}

#[test]
fn what_nobody_would_believe_is_not_signed() {
    let signer = Signer::generate("camera").unwrap();
    let refused = |claims: Claims| signer.sign(&claims).unwrap_err();
    assert_eq!(refused(Claims { captured_at: Timestamp::from_millis(-1), ..claims() }), Refused::Claim("captured_at"));
    assert_eq!(refused(Claims { audience: "x".repeat(LONGEST), ..claims() }), Refused::Length);
}

/// Under a point of small order one signature holds for many texts, or all: whoever registers it lets anybody sign.
#[test]
fn keys_that_anybody_can_sign_for_are_refused() {
    let named = |point: [u8; 32]| VerifyingKey::new(KeyId::parse("camera").unwrap(), point);
    let mut one = [0; 32];
    one[0] = 1;
    // The identity: R is the identity, too, and S is zero, whatever is signed.
    let mut forged = [0; 64];
    forged[0] = 1;
    let identity = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, one);
    assert!(identity.verify(b"anything", &forged).is_ok());
    let mut signed = one;
    signed[31] |= 0x80;
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    for point in [[0; 32], one, signed, unreduced] {
        assert_eq!(named(point), Err(KeyFault::Point));
    }
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": URL_SAFE_NO_PAD.encode(one) });
    assert_eq!(VerifyingKey::from_jwk(&jwk.to_string()), Err(KeyFault::Point));
    assert!(named(*Anybody::seeded(7).key().point()).is_ok());
}

const MEMBERS: [&str; 11] = [
    "tenant",
    "aud",
    "embedding_sha256",
    "model",
    "kind",
    "quality",
    "captured_at",
    "exp",
    "jti",
    "age_band",
    "liveness",
];

/// Values that are claims of none of them, or just so.
const OTHERS: [&str; 14] = [
    "1e400",
    "-1",
    "1e3",
    "18446744073709551616",
    "null",
    "true",
    "[]",
    "{}",
    r#"["face","1"]"#,
    "[true,1]",
    r#""""#,
    r#""\u0000""#,
    r#"{"id":"face","version":"1","id":"other"}"#,
    r#"{"passed":1,"pad_level":256}"#,
];

fn part_of(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

proptest! {
    #[test]
    fn no_text_is_more_than_refused(text in ".{0,300}") {
        prop_assert!(verify(&text, &Anybody::seeded(1).key()).is_err());
    }

    /// Whatever a key signs as an attestation is read or refused.
    #[test]
    fn whatever_is_signed_is_read_or_refused(
        member in prop::sample::select(&MEMBERS[..]),
        other in prop::sample::select(&OTHERS[..]),
        twice in any::<bool>(),
    ) {
        let camera = Anybody::seeded(1);
        let claims = if twice { written() } else { with(written(), member, Value::Null) };
        let text = format!("{{\"{member}\":{other},{}", &claims.to_string()[1..]);
        let message = format!("{}.{}", part_of(header().to_string()), part_of(text));
        let signed = format!("{message}.{}", part_of(camera.0.sign(message.as_bytes())));
        match verify(&signed, &camera.key()) {
            Ok(read) => prop_assert!(!twice && read.tenant.as_str() == "bank", "{member}: {other}"),
            Err(refused) => prop_assert!(matches!(refused, Refused::Form | Refused::Claim(_)), "{refused}"),
        }
    }

    #[test]
    fn any_quality_and_moment_come_back_as_they_were(quality in 0.0_f32..=1.0, millis in 0_i64..253_402_300_799_000) {
        let signer = Signer::from_jwk(&Signer::generate("camera").unwrap().to_jwk()).unwrap();
        let quality = Quality::parse("quality", quality).unwrap();
        let claims = Claims { quality, captured_at: Timestamp::from_millis(millis), ..claims() };
        prop_assert_eq!(verify(&signer.sign(&claims).unwrap(), signer.public()), Ok(claims));
    }
}
