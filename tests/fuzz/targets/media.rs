//! What root stores keep beside their keys: claims in tokens and TPMs, a TPM's roots, the register of a transit store, and what
//! is remembered of refused PINs.
#![no_main]

use lethe_roots::fuzzing;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[derive(Arbitrary, Debug)]
enum Input {
    Bytes(Vec<u8>),
    /// The right length, and mostly the right version.
    Claim(Box<[u8; 41]>),
    NvClaim(Box<[u8; 65]>),
    NvHeader(Box<[u8; 26]>),
    Text(String),
    /// A register as it is written, with changes.
    Register {
        claim: [[u8; 16]; 2],
        roots: Vec<([u8; 16], u8)>,
        changes: Vec<(u16, u8)>,
    },
}

fuzz_target!(|input: Input| {
    match input {
        Input::Bytes(bytes) => binary(&bytes),
        Input::Claim(bytes) => binary(bytes.as_slice()),
        Input::NvClaim(bytes) => binary(bytes.as_slice()),
        Input::NvHeader(bytes) => binary(bytes.as_slice()),
        Input::Text(text) => {
            register(text.as_bytes());
            if let Some(again) = fuzzing::refusals(&text) {
                assert_eq!(
                    fuzzing::refusals(&again).as_ref(),
                    Some(&again),
                    "refusals change when they are written again"
                );
            }
        }
        Input::Register { claim, roots, changes } => {
            let [vault, incarnation] = claim.map(hex::encode);
            let stage = |number: u8| ["created", "wrapped", "destroying"][usize::from(number) % 3];
            let roots: serde_json::Map<String, Value> =
                roots.iter().map(|(id, at)| (hex::encode(id), Value::from(stage(*at)))).collect();
            let document = serde_json::json!({
                "format": "lethe/v1/roots", "vault": vault, "incarnation": incarnation, "roots": roots,
            });
            let mut text = document.to_string().into_bytes();
            assert!(register(&text), "a register is refused");
            for (at, by) in changes {
                let at = usize::from(at) % text.len();
                text[at] ^= by;
            }
            register(&text);
        }
    }
});

fn binary(bytes: &[u8]) {
    if let Ok(again) = fuzzing::token_claim(bytes) {
        assert_eq!(again, bytes, "a claim in a token has two spellings");
    }
    if let Ok(again) = fuzzing::nv_claim(bytes) {
        assert_eq!(again, bytes, "a claim in a TPM has two spellings");
    }
    if let Ok(again) = fuzzing::nv_header(bytes) {
        assert_eq!(again, bytes, "a root in a TPM has two spellings");
    }
}

/// Is it a register? Then it says the same to a general parser when it is written again.
fn register(text: &[u8]) -> bool {
    let Ok(again) = fuzzing::register(text) else { return false };
    let parse = |text| serde_json::from_slice::<Value>(text).expect("a register is JSON");
    assert_eq!(parse(&again), parse(text), "a register changes when it is written again");
    true
}
