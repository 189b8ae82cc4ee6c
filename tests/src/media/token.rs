//! The files of a SoftHSM token, as SoftHSM 2 writes them.
//!
//! Each object is a file: a generation, then attributes. What is private is AES-256-CBC under the token's master key, which
//! is in the token's own file, under the PIN.

use std::collections::HashMap;
use std::fs;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt as _, KeyInit as _};
use lethe_roots_testing::{PIN, SoftHsm};
use ring::digest::{SHA256, digest};

use super::{Root, Wrapping};

/// Attributes, as PKCS#11 and SoftHSM number them.
const CLASS: u64 = 0x0000;
const VALUE: u64 = 0x0011;
const ID: u64 = 0x0102;
const USER_PIN: u64 = 0x8000_534d;
/// The class of a secret key.
const SECRET_KEY: u64 = 4;
/// What precedes the master key.
const MAGIC: &[u8] = b"RJR";
/// How often the PIN is hashed, but for what the salt adds.
const ROUNDS: usize = 1500;
/// How often a file is read that is being written.
const ATTEMPTS: usize = 200;

enum Attribute {
    Number(u64),
    Bytes(Vec<u8>),
    Other,
}

type Object = HashMap<u64, Attribute>;

/// Every secret key of 32 bytes in every token.
pub(super) fn roots(token: &SoftHsm) -> Vec<Root> {
    let folders = fs::read_dir(token.tokens()).into_iter().flatten().flatten().map(|token| token.path());
    folders.flat_map(|folder| of_token(&folder)).collect()
}

fn of_token(folder: &std::path::Path) -> Vec<Root> {
    let own = read(&folder.join("token.object"));
    let Some(master) = own.as_ref().and_then(|own| bytes(own, USER_PIN)).and_then(master) else {
        return Vec::new();
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let objects =
        files.filter(|path| path.extension().is_some_and(|end| end == "object")).filter_map(|path| read(&path));
    let root = |object: Object| {
        let is_key = matches!(object.get(&CLASS), Some(Attribute::Number(SECRET_KEY)));
        let opened = |attribute| open(&master, bytes(&object, attribute)?);
        let (id, key) = (opened(ID)?.try_into().ok()?, opened(VALUE)?.try_into().ok()?);
        is_key.then_some(Root { id, key, wrapping: Wrapping::Device })
    };
    objects.filter_map(root).collect()
}

fn bytes(object: &Object, attribute: u64) -> Option<&[u8]> {
    match object.get(&attribute)? {
        Attribute::Bytes(bytes) => Some(bytes),
        Attribute::Number(_) | Attribute::Other => None,
    }
}

/// An object that is whole; SoftHSM writes its files in place.
fn read(path: &std::path::Path) -> Option<Object> {
    for _ in 0..ATTEMPTS {
        let file = fs::read(path).ok()?;
        if let Some(object) = parse(&file) {
            return Some(object);
        }
        std::thread::yield_now();
    }
    None
}

/// Generation u64, then for each attribute: type u64, kind u64, value.
fn parse(file: &[u8]) -> Option<Object> {
    let mut object = Object::new();
    let (_, mut rest) = number(file)?;
    while !rest.is_empty() {
        let (attribute, after) = number(rest)?;
        let (kind, after) = number(after)?;
        let value;
        (value, rest) = match kind {
            1 => (Attribute::Other, after.get(1..)?),
            2 => number(after).map(|(number, rest)| (Attribute::Number(number), rest))?,
            3 => {
                let (length, after) = number(after)?;
                let (bytes, rest) = after.split_at_checked(usize::try_from(length).ok()?)?;
                (Attribute::Bytes(bytes.to_vec()), rest)
            }
            // Lists of attributes and of mechanisms: their length in bytes, or their number, which is 0 here.
            4 | 5 => {
                let (0, rest) = number(after)? else { return None };
                (Attribute::Other, rest)
            }
            _ => return None,
        };
        object.insert(attribute, value);
    }
    (object.contains_key(&CLASS) || object.contains_key(&USER_PIN)).then_some(object)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// The token's master key: salt 8 ‖ what is sealed under the hash of salt and PIN.
fn master(sealed: &[u8]) -> Option<[u8; 32]> {
    let (salt, sealed) = sealed.split_at_checked(8)?;
    let mut key = digest(&SHA256, &[salt, PIN.as_bytes()].concat());
    for _ in 1..ROUNDS + usize::from(salt[7]) {
        key = digest(&SHA256, key.as_ref());
    }
    let opened = open(&key.as_ref().try_into().ok()?, sealed)?;
    opened.strip_prefix(MAGIC)?.try_into().ok()
}

/// Initial vector 16 ‖ AES-256-CBC, padded as PKCS#7 says.
fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes256::new(&Array(*key));
    let blocks: Vec<[u8; 16]> = sealed.chunks(16).map(|block| block.try_into().ok()).collect::<Option<_>>()?;
    let mut opened = Vec::new();
    for pair in blocks.windows(2) {
        let mut block = Array(pair[1]);
        cipher.decrypt_block(&mut block);
        opened.extend(block.iter().zip(pair[0]).map(|(byte, before)| byte ^ before));
    }
    let padding = usize::from(*opened.last()?);
    let length = opened.len().checked_sub(padding)?;
    let right = (1..=16).contains(&padding) && opened[length..].iter().all(|byte| usize::from(*byte) == padding);
    opened.truncate(length);
    right.then_some(opened)
}
