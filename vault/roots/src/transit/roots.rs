//! Roots: made, used once, and destroyed, each step led by a change of the register.

use ::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lethe_crypto::root::{Claim, Incarnation, RootId, VaultId};
use lethe_crypto::secret::VaultKey;
use lethe_crypto::{Error as CryptoError, Result};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::api::{Api, KeyInfo, Reply, parse, succeed, unexpected};
use crate::Error;
use crate::formats::register::{Register, Stage};

/// First byte of a wrapped key.
const VERSION: u8 = 1;
/// Zeros in front of the vault key: what commits the blob to its root.
const COMMITMENT: usize = 32;
/// Bytes of a wrapped key: version ‖ nonce 12 ‖ zeros and vault key, encrypted ‖ tag 16.
const WRAPPED: usize = 1 + 12 + COMMITMENT + VaultKey::LENGTH + 16;
/// What the server puts in front of a ciphertext of a key's first version. A root has no other.
const FIRST: &str = "vault:v1:";

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

/// Borrowed, so that the plaintext is in no string of ours.
#[derive(Deserialize)]
struct Decrypted<'a> {
    plaintext: &'a str,
}

impl Api {
    pub(super) async fn claimed(&self) -> Result<Option<Claim>> {
        Ok(self.register().await?.0.map(|register| register.claim))
    }

    pub(super) async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        if known.is_empty() && self.register().await?.0.is_none() {
            let roots = self.keys().await?.len();
            if roots > 0 {
                return Err(Error::UnclaimedRoots(roots).during("claiming"));
            }
        }
        self.change("claiming", |register| {
            let held = register.as_ref().map(|register| register.claim);
            let Some(claim) = Claim::advance(held, vault, known, next)? else { return Ok(None) };
            Ok(Some(Register { claim, roots: register.map(|register| register.roots).unwrap_or_default() }))
        })
        .await
    }

    pub(super) async fn create(&self, claim: &Claim) -> Result<RootId> {
        let (action, root) = ("creating a root", RootId::random()?);
        self.change_claimed(action, claim, |roots| {
            roots.insert(root, Stage::Created);
            Ok(())
        })
        .await?;
        step!("root-transit-registered");
        self.make_key(root).await?;
        step!("root-transit-made");
        let made = self.key(root).await?.ok_or(CryptoError::NoSuchRoot(root))?;
        if made != as_wanted() {
            return Err(Error::Tampered { root, what: "not the key that was asked for" }.during(action));
        }
        Ok(root)
    }

    pub(super) async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let action = "wrapping";
        // First the claim: who was fenced out learns that, and not what roots there are.
        self.change_claimed(action, claim, |_| Ok(())).await?;
        // The server would make a key that does not exist.
        let made = self.key(root).await?.ok_or(CryptoError::NoSuchRoot(root))?;
        if made != as_wanted() {
            return Err(Error::Tampered { root, what: "not the key that was asked for" }.during(action));
        }
        // Durable before the blob exists outside: a crash loses the root, never wraps twice with it.
        self.change_claimed(action, claim, |roots| match roots.get_mut(&root) {
            Some(stage @ Stage::Created) => {
                *stage = Stage::Wrapped;
                Ok(())
            }
            Some(Stage::Wrapped) => Err(CryptoError::AlreadyWrapped(root)),
            Some(Stage::Destroying) | None => Err(CryptoError::NoSuchRoot(root)),
        })
        .await?;
        step!("root-transit-marked");

        let mut plaintext = Zeroizing::new([0; COMMITMENT + VaultKey::LENGTH]);
        plaintext[COMMITMENT..].copy_from_slice(key.to_root_store());
        let plaintext = encode(plaintext.as_slice())?;
        let body = body(&[("plaintext", plaintext.as_slice()), ("associated_data", &encode(context)?)]);
        let path = self.crypt_path("encrypt", root);
        let answer = self.send(action, Method::POST, &path, &body).await?;
        let ciphertext = parse::<Reply<Encrypted>>(action, &path, &answer)?.data.ciphertext;
        let sealed = ciphertext.strip_prefix(FIRST).and_then(|text| STANDARD.decode(text).ok());
        let sealed = sealed.filter(|sealed| 1 + sealed.len() == WRAPPED);
        let sealed = sealed.ok_or_else(|| unexpected(action, &path, &answer))?;
        Ok([&[VERSION], sealed.as_slice()].concat())
    }

    pub(super) async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let (action, path) = ("unwrapping", self.crypt_path("decrypt", root));
        let stage = self.register().await?.0.and_then(|register| register.roots.get(&root).copied());
        if stage == Some(Stage::Destroying) || self.key(root).await?.is_none() {
            return Err(CryptoError::NoSuchRoot(root));
        }
        if wrapped.len() != WRAPPED || wrapped[0] != VERSION {
            let why = "not of a transit root, or of an unknown version".to_owned();
            return Err(CryptoError::Corrupt { what: "wrapped vault key", why });
        }
        let ciphertext = [FIRST.as_bytes(), &encode(&wrapped[1..])?].concat();
        let body = body(&[("ciphertext", &ciphertext), ("associated_data", &encode(context)?)]);
        let answer = self.send(action, Method::POST, &path, &body).await?;
        if answer.status == StatusCode::BAD_REQUEST {
            // The request is well-formed, so either the key has gone since, or the ciphertext does not open.
            return Err(match self.key(root).await? {
                Some(_) => CryptoError::NotAuthentic,
                None => CryptoError::NoSuchRoot(root),
            });
        }
        succeed(action, &path, &answer)?;
        let reply: Reply<Decrypted<'_>> =
            serde_json::from_slice(&answer.body).map_err(|_| unexpected(action, &path, &answer))?;
        // The decoder asks for a little more room than it fills.
        let mut plaintext = Zeroizing::new([0; COMMITMENT + VaultKey::LENGTH + 8]);
        let length = STANDARD.decode_slice(reply.data.plaintext, plaintext.as_mut_slice());
        let length = length.map_err(|_| CryptoError::NotAuthentic)?;
        let (commitment, key) = plaintext[..length].split_at_checked(COMMITMENT).ok_or(CryptoError::NotAuthentic)?;
        if !bool::from(commitment.ct_eq(&[0; COMMITMENT])) {
            return Err(CryptoError::NotAuthentic);
        }
        VaultKey::from_root_store(key)
    }

    /// Was it gone already?
    pub(super) async fn destroy(&self, claim: &Claim, root: RootId) -> Result<bool> {
        let action = "destroying a root";
        self.change_claimed(action, claim, |_| Ok(())).await?;
        let was_absent = self.key(root).await?.is_none();
        // A root that is nowhere needs no stage; but one in the register may still be made by a request that
        // is under way, and then is deleted by whoever finds it in the list.
        if !was_absent {
            self.change_claimed(action, claim, |roots| {
                roots.insert(root, Stage::Destroying);
                Ok(())
            })
            .await?;
            step!("root-transit-given-up");
            self.delete_key(root).await?;
            step!("root-transit-deleted");
        }
        if self.key(root).await?.is_some() {
            return Err(CryptoError::RootsRemain(1));
        }
        self.change_claimed(action, claim, |roots| {
            roots.remove(&root);
            Ok(())
        })
        .await?;
        Ok(was_absent)
    }

    /// Keys with this store's prefix, and roots whose keys may be under way.
    pub(super) async fn epochs(&self) -> Result<Vec<RootId>> {
        let mut roots = self.keys().await?;
        roots.extend(self.register().await?.0.into_iter().flat_map(|register| register.roots.into_keys()));
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    fn crypt_path(&self, verb: &str, root: RootId) -> String {
        format!("{}/{verb}/{}-{root}", self.options().transit_mount, self.options().name)
    }
}

/// What the server must say of a root.
fn as_wanted() -> KeyInfo {
    KeyInfo {
        kind: "aes256-gcm96".to_owned(),
        exportable: false,
        allow_plaintext_backup: false,
        derived: false,
        latest_version: 1,
        auto_rotate_period: 0,
        imported_key: false,
    }
}

/// Base64, in an allocation that is wiped and was made at once.
fn encode(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let length = base64::encoded_len(bytes.len(), true).ok_or(CryptoError::TooLong)?;
    let mut text = Zeroizing::new(vec![0; length]);
    STANDARD.encode_slice(bytes, text.as_mut_slice()).map_err(|_| CryptoError::TooLong)?;
    Ok(text)
}

/// A JSON object of strings that need no escapes, in an allocation that is wiped and was made at once.
fn body(fields: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(length + 2));
    for (number, (name, value)) in fields.iter().enumerate() {
        body.extend_from_slice(if number == 0 { b"{\"" } else { b",\"" });
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":\"");
        body.extend_from_slice(value);
        body.push(b'"');
    }
    body.push(b'}');
    body
}
