//! The search must find what it is for, written by other code than it looks with, or finding nothing means
//! nothing.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use half::{bf16, f16};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{Needles, Scanner};

const ID: &str = "Qm7xTzL0aWpRvK3cYdNfHs9bJgUe5iXo2VtCkGl8wBqZ1hDnMrPyS4jAuEF6OIwt";

fn vector() -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..512).map(|_| random.random_range(-0.2_f32..0.2)).collect()
}

fn secret() -> Vec<u8> {
    let mut secret = vec![0; 32];
    ChaCha8Rng::seed_from_u64(2).fill_bytes(&mut secret);
    secret
}

fn scanner() -> Scanner {
    let mut needles = Needles::new();
    needles.text("id", ID).embedding("face", &vector()).bytes("key", &secret());
    assert!(!needles.is_empty() && needles.len() > 1000, "{needles:?}");
    needles.scanner()
}

fn bytes_of<const N: usize>(components: &[f32], write: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    components.iter().for_each(|x| bytes.extend_from_slice(&write(*x)));
    bytes
}

fn signs(low_first: bool) -> Vec<u8> {
    let mut bytes = vec![0_u8; 64];
    for (i, x) in vector().iter().enumerate() {
        let bit = if low_first { i % 8 } else { 7 - i % 8 };
        bytes[i / 8] |= u8::from(*x >= 0.0) << bit;
    }
    bytes
}

/// Everything that must be found: what it is, of which secret, and its bytes.
fn plants() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (id, vector, secret) = (ID.as_bytes(), vector(), secret());
    let raw = bytes_of(&vector, f32::to_le_bytes);
    let mut plants = vec![
        ("utf-8", "id", id.to_vec()),
        ("upper case", "id", ID.to_uppercase().into_bytes()),
        ("lower case", "id", ID.to_lowercase().into_bytes()),
        ("utf-16 le", "id", ID.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("utf-16 be", "id", ID.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("hex", "id", hex::encode(id).into_bytes()),
        ("hex, upper case", "id", hex::encode_upper(id).into_bytes()),
        ("sha-256", "id", Sha256::digest(id).to_vec()),
        ("sha-256 in hex", "id", hex::encode(Sha256::digest(id)).into_bytes()),
        ("a resource name", "id", format!("tenants/bank/subjects/{ID}/templates/1").into_bytes()),
        ("what follows a shared prefix", "id", id[29..].to_vec()),
        ("what is left of it at the end of a fragment", "id", id[..31].to_vec()),
        ("f32 le", "face", raw.clone()),
        ("f32 be", "face", bytes_of(&vector, f32::to_be_bytes)),
        ("four components", "face", raw[4 * 101..4 * 105].to_vec()),
        ("f64 le", "face", bytes_of(&vector, |x| f64::from(x).to_le_bytes())),
        ("f64 be", "face", bytes_of(&vector[1..5], |x| f64::from(x).to_be_bytes())),
        ("f16 le", "face", bytes_of(&vector[7..11], |x| f16::from_f32(x).to_bits().to_le_bytes())),
        ("f16 be", "face", bytes_of(&vector, |x| f16::from_f32(x).to_bits().to_be_bytes())),
        ("bf16 le", "face", bytes_of(&vector, |x| bf16::from_f32(x).to_bits().to_le_bytes())),
        ("bf16 be", "face", bytes_of(&vector[3..7], |x| bf16::from_f32(x).to_bits().to_be_bytes())),
        ("debug", "face", format!("{vector:?}").into_bytes()),
        ("json", "face", serde_json::to_vec(&vector).unwrap()),
        ("hex", "face", hex::encode(&raw).into_bytes()),
        ("sha-256", "face", Sha256::digest(&raw).to_vec()),
        ("signs, low bit first", "face", signs(true)),
        ("signs, high bit first", "face", signs(false)),
        ("some signs", "face", signs(true)[17..41].to_vec()),
        ("bytes", "key", secret.clone()),
        ("hex", "key", hex::encode(&secret).into_bytes()),
        ("base64url", "key", URL_SAFE_NO_PAD.encode(&secret).into_bytes()),
    ];
    for before in ["", "a", "ab", "abc"] {
        for (name, bytes) in [("id", id), ("face", raw.as_slice()), ("key", secret.as_slice())] {
            let bytes = [before.as_bytes(), bytes].concat();
            plants.push(("base64", name, STANDARD.encode(&bytes).into_bytes()));
            plants.push(("base64url", name, URL_SAFE_NO_PAD.encode(&bytes).into_bytes()));
        }
    }
    plants
}

#[test]
fn every_form_is_found_wherever_it_is() {
    let scanner = scanner();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (form, secret, bytes) in plants() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        let mut noise = vec![0; 64 << 10];
        random.fill_bytes(&mut noise);
        fs::write(folder.path().join("db/000004.log"), &noise).unwrap();
        let path = folder.path().join("db/000007.sst");
        let at = random.random_range(0..noise.len() - bytes.len());
        noise[at..at + bytes.len()].copy_from_slice(&bytes);
        fs::write(&path, &noise).unwrap();
        let found = scanner.scan_folder(folder.path()).unwrap();
        assert!(!found.is_empty(), "{secret} as {form} is not found");
        for trace in found {
            assert_eq!(
                (trace.secret.as_str(), trace.place.as_str()),
                (secret, path.to_str().unwrap()),
                "{form}: {trace}"
            );
        }
    }
}

#[test]
fn a_name_is_searched_like_a_content() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(ID)).unwrap();
    fs::write(folder.path().join(ID).join("x"), b"nothing").unwrap();
    let found = scanner().scan_folder(folder.path()).unwrap();
    assert!(found.iter().all(|trace| trace.place.starts_with("name of ") && trace.secret == "id"));
    assert!(!found.is_empty());
}

#[test]
fn chance_finds_nothing() {
    let mut noise = vec![0; 16 << 20];
    ChaCha8Rng::seed_from_u64(4).fill_bytes(&mut noise);
    assert_eq!(scanner().scan("noise", &noise).len(), 0);
    assert_eq!(scanner().scan("zeros", &vec![0; 1 << 20]).len(), 0);
}
