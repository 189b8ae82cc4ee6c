//! Request ids: UUIDs of version 4 (RFC 9562, section 5.4).

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::exit::Failure;

/// A new random request id.
pub(super) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Failure::failed("the system gives no random bytes"))?;
    Ok(format_v4(bytes))
}

/// The request id of one row of an import: the same for the same import and row, so that an import
/// which is repeated changes nothing. It depends on nothing of the person's: a request id is no place
/// for a fingerprint of a template.
pub(super) fn of_row(import: &str, row: u64) -> String {
    let hash = digest(&SHA256, format!("lethe import {import} row {row}").as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    format_v4(bytes)
}

/// Sets version and variant, and writes the 36 characters.
fn format_v4(bytes: [u8; 16]) -> String {
    let mut number = u128::from_be_bytes(bytes);
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(0x3 << 62) | 2 << 62;
    let hex = format!("{number:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| hex.get(group).unwrap_or_default()).join("-")
}

/// Whether a text has the form of a request id.
pub(super) fn is_v4(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Reads a request id from the command line.
pub(super) fn parse(text: &str) -> Result<String, String> {
    if is_v4(text) { Ok(text.to_owned()) } else { Err("not a UUID of version 4 in its 36-character form".into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_4() {
        assert_eq!(format_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(format_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let (one, other) = (random().unwrap(), random().unwrap());
        assert!(is_v4(&one) && is_v4(&other) && one != other, "{one} {other}");
    }

    #[test]
    fn a_row_keeps_its_id() {
        let import = "00000000-0000-4000-8000-000000000000";
        let id = of_row(import, 7);
        assert!(is_v4(&id));
        assert_eq!(id, of_row(import, 7));
        assert_ne!(id, of_row(import, 8));
        assert_ne!(id, of_row("00000000-0000-4000-8000-000000000001", 7));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "x", "00000000-0000-1000-8000-000000000000", "00000000000040008000000000000000"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
