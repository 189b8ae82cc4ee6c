//! The primitives of `docs/FORMAT.md`, from ring: none of the vault's own.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// Any 32 bytes that open something: of a root, a page, a slot.
pub(super) type Key = [u8; 32];

/// An AEAD key and the commitment to it.
pub(super) type SealKey = [u8; 64];

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `Expand(key, info, N)`.
pub(super) fn expand<const N: usize>(key: &Key, info: &[&[u8]]) -> [u8; N] {
    fill(&Prk::new_less_safe(HKDF_SHA256, key), info)
}

/// `Derive(salt, ikm, info, N)`.
pub(super) fn derive<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> [u8; N] {
    fill(&Salt::new(HKDF_SHA256, salt).extract(ikm), info)
}

fn fill<const N: usize>(prk: &Prk, info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    prk.expand(info, Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

/// `canonical(a, b, …)`.
pub(super) fn canonical(fields: &[&[u8]]) -> Vec<u8> {
    let length = |field: &[u8]| u32::try_from(field.len()).unwrap().to_be_bytes();
    fields.iter().flat_map(|field| [&length(field), *field].concat()).collect()
}

/// Opens `sealed` = commitment 32 ‖ nonce 12 ‖ ciphertext ‖ tag 16. `None` if the key is not the one it is sealed
/// under, as the commitment tells.
///
/// # Panics
/// If the commitment is right and the rest is not: then it was not read as it was written.
pub(super) fn unseal(key: &SealKey, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (key, commitment) = key.split_at(32);
    let (stored, rest) = sealed.split_at_checked(32)?;
    if stored != commitment {
        return None;
    }
    let key = key.try_into().expect("32 bytes are left");
    Some(gcm_open(key, aad, rest).expect("what commits to a key opens with it"))
}

/// Opens nonce 12 ‖ ciphertext ‖ tag 16. `None` if the key is not the one it is sealed under.
pub(super) fn gcm_open(key: &Key, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.split_at_checked(12)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut buffer = ciphertext.to_vec();
    Some(key.open_in_place(nonce, Aad::from(aad), &mut buffer).ok()?.to_vec())
}
