//! Names that only the holder of a slot's key can make: row keys of remembered answers, ids of receipts.

use crate::kdf::{self, Label};
use crate::secret::SlotKey;

/// Length of a tag, bytes.
pub const LENGTH: usize = 16;

/// The name of `what` among the things of one `kind`, under a slot's key: HKDF-Expand, so that without the
/// key it says nothing of `what`, and after the slot's erasure nobody can make it again (rule 6).
#[must_use]
pub fn tag(key: &SlotKey, kind: &str, what: &[u8]) -> [u8; LENGTH] {
    // A length before each part: where one ends and the next begins is never in question.
    let kind_length = (kind.len() as u64).to_be_bytes();
    let mut out = [0; LENGTH];
    kdf::expand(key.expose(), Label::TAG, &[&kind_length, kind.as_bytes(), what], &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::tag;
    use crate::secret::SlotKey;

    #[test]
    fn a_tag_depends_on_key_kind_and_content() {
        let key = |byte| SlotKey::from_fn(|bytes| bytes.fill(byte));
        let base = tag(&key(1), "request", b"id");
        assert_eq!(base, tag(&key(1), "request", b"id"));
        assert_ne!(base, tag(&key(2), "request", b"id"));
        assert_ne!(base, tag(&key(1), "receipt", b"id"));
        assert_ne!(base, tag(&key(1), "request", b"ie"));
        assert_ne!(tag(&key(1), "ab", b"c"), tag(&key(1), "a", b"bc"));
    }
}
