//! Attestations of captures, and the keys that sign them: what anybody may send, and what a service that signs could say by mistake.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_attestation::{LONGEST, Refused, Signer, VerifyingKey, key_id, verify};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ring::signature::Ed25519KeyPair;

/// The key of RFC 8037, appendix A.1: whoever repeats an input has the same one.
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"camera","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const HEADER: &str = r#"{"alg":"EdDSA","typ":"lethe-attestation+jwt","kid":"camera"}"#;

struct Service {
    signer: Signer,
    pair: Ed25519KeyPair,
}

impl Service {
    /// Signs what `Signer` would not write.
    fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes())))
    }
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("it is base64url");
    Service {
        signer: Signer::from_jwk(JWK).expect("it is a private key"),
        pair: Ed25519KeyPair::from_seed_unchecked(&seed).expect("it is a seed"),
    }
});

#[derive(Arbitrary, Debug)]
enum Input {
    /// Whatever somebody sends.
    Text(String),
    /// Any claims, under the right header and a good signature.
    Claims(Vec<u8>),
    /// Any header, with a good signature.
    Header(Vec<u8>, Vec<u8>),
    /// The claims of an attestation, member by member.
    Members {
        tenant: String,
        audience: String,
        digest: Vec<u8>,
        model: [String; 2],
        kind: String,
        quality: f32,
        times: [i64; 2],
        nonce: String,
        age: Option<String>,
        liveness: Option<(bool, u8)>,
    },
    /// A key, as an administrator would paste one.
    Key(String),
}

fuzz_target!(|input: Input| {
    match input {
        Input::Text(text) => any(&text),
        Input::Claims(claims) => signed(&SERVICE.sign(HEADER.as_bytes(), &claims)),
        Input::Header(header, claims) => any(&SERVICE.sign(&header, &claims)),
        Input::Members { tenant, audience, digest, model, kind, quality, times, nonce, age, liveness } => {
            let [id, version] = model;
            let [captured_at, exp] = times;
            let liveness = liveness.map(|(passed, level)| serde_json::json!({ "passed": passed, "pad_level": level }));
            let claims = serde_json::json!({
                "tenant": tenant, "aud": audience, "embedding_sha256": hex::encode(digest),
                "model": { "id": id, "version": version }, "kind": kind, "quality": quality, "captured_at": captured_at,
                "exp": exp, "jti": nonce, "age_band": age, "liveness": liveness,
            });
            signed(&SERVICE.sign(HEADER.as_bytes(), claims.to_string().as_bytes()));
        }
        Input::Key(text) => key(&text),
    }
});

/// What it is said to be signed by is told, or it is refused; and nothing that was not signed is believed.
fn any(text: &str) {
    let named = key_id(text);
    assert!(text.len() <= LONGEST || named.is_err(), "it is longer than any");
    if verify(text, SERVICE.signer.public()).is_ok() {
        assert_eq!(named.as_ref(), Ok(SERVICE.signer.public().id()), "what is believed names another key");
        signed(text);
    }
}

/// What is believed says the same when it is signed again.
fn signed(text: &str) {
    let Ok(claims) = verify(text, SERVICE.signer.public()) else { return };
    // Escapes may make it longer than any is.
    match SERVICE.signer.sign(&claims) {
        Ok(again) => assert_eq!(verify(&again, SERVICE.signer.public()), Ok(claims), "claims change on their way"),
        Err(refused) => assert_eq!(refused, Refused::Length, "what was read is not written"),
    }
}

/// A key is public, and the same when it is read again; a private one is none.
fn key(text: &str) {
    if let Ok(key) = VerifyingKey::from_jwk(text) {
        assert_eq!(VerifyingKey::from_jwk(&key.to_jwk()).as_ref(), Ok(&key), "a key changes on its way");
        assert!(Signer::from_jwk(text).is_err(), "a public key signs");
    }
    if let Ok(signer) = Signer::from_jwk(text) {
        assert!(VerifyingKey::from_jwk(text).is_err(), "a secret is taken for a public key");
        assert_eq!(Signer::from_jwk(&signer.to_jwk()).expect("it was written").public(), signer.public());
    }
}
