//! Pages of lists: how many items, and tokens that say where the next page begins.

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tag::{self, tag};
use lethe_domain::{Invalid, Reason};
use subtle::ConstantTimeEq;

use crate::error::Result;

/// Items a list call gives at most.
const LARGEST: usize = 1000;
/// Items it gives where the caller does not say.
const USUAL: usize = 100;
/// Bytes of a token: the masked start, then the tag.
const TOKEN: usize = START + tag::LENGTH;
const START: usize = size_of::<u64>();

/// The pages of one list: of one method, on one resource.
///
/// A token is SIV-like (RFC 5297): a tag over method, resource and start under the tenant's own key, and the start
/// masked by a pad that derives from the tag. So nobody can make one, one fits the list it was given out for and no
/// other, and it does not show how many slots the tenant has used.
pub(super) struct Pages {
    own: SlotKey,
    list: Vec<u8>,
}

impl Pages {
    /// The pages of the list that `method` gives of `parent`, under the own key of the tree it is in.
    pub(super) fn of(own: SlotKey, method: &str, parent: &str) -> Self {
        let mut list = (method.len() as u64).to_be_bytes().to_vec();
        list.extend_from_slice(method.as_bytes());
        list.extend_from_slice(parent.as_bytes());
        Self { own, list }
    }

    /// Where a page begins.
    ///
    /// # Errors
    /// `PAGE_TOKEN_MALFORMED` for a token that was not given out for this list.
    pub(super) fn start(&self, token: &str) -> Result<u64> {
        if token.is_empty() {
            return Ok(0);
        }
        let malformed = || Invalid::new("page_token", Reason::PageTokenMalformed, "was not given out for this list");
        Ok(self.open(token).ok_or_else(malformed)?)
    }

    /// The token of the page that begins at `next`; empty where there is none.
    pub(super) fn token(&self, next: Option<u64>) -> String {
        next.map_or_else(String::new, |start| {
            let tag = self.tag(start);
            let masked = (start ^ self.pad(&tag)).to_be_bytes();
            hex::encode([&masked[..], &tag].concat())
        })
    }

    fn open(&self, token: &str) -> Option<u64> {
        // One text a token: upper-case digits would be another.
        if token.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut bytes = [0; TOKEN];
        hex::decode_to_slice(token, &mut bytes).ok()?;
        let (masked, tag) = bytes.split_first_chunk::<START>()?;
        let start = u64::from_be_bytes(*masked) ^ self.pad(tag);
        bool::from(self.tag(start).ct_eq(tag)).then_some(start)
    }

    fn tag(&self, start: u64) -> [u8; tag::LENGTH] {
        tag(&self.own, "page", &[&self.list[..], &start.to_be_bytes()].concat())
    }

    fn pad(&self, of: &[u8]) -> u64 {
        let pad = tag(&self.own, "page-start", of);
        pad.iter().take(START).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// How many items a page may have.
pub(super) fn size(wanted: i32) -> Result<usize> {
    match usize::try_from(wanted) {
        Ok(0) => Ok(USUAL),
        Ok(size) => Ok(size.min(LARGEST)),
        Err(_) => Err(Invalid::new("page_size", Reason::FieldOutOfRange, "must not be negative").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(key: u8, method: &str, parent: &str) -> Pages {
        Pages::of(SlotKey::from_fn(|bytes| bytes.fill(key)), method, parent)
    }

    #[test]
    fn a_token_leads_to_its_page_and_shows_nothing_of_it() {
        let list = pages(1, "enrollment.list_templates", "tenants/bank/subjects/ann");
        assert_eq!(list.start("").unwrap(), 0);
        assert_eq!(list.token(None), "");
        for start in [0, 1, 2, 77, u64::MAX] {
            let token = list.token(Some(start));
            assert_eq!(list.start(&token).unwrap(), start);
            assert!(!token.contains(&format!("{start:016x}")), "{token}");
        }
        // Neighbours have nothing in common: a difference would count the slots in between.
        let (one, two) = (list.token(Some(1)), list.token(Some(2)));
        assert_ne!(one[..14], two[..14]);
    }

    #[test]
    fn a_token_of_another_list_is_none() {
        let list = pages(1, "method", "parent");
        let token = list.token(Some(5));
        for other in [pages(2, "method", "parent"), pages(1, "methodp", "arent"), pages(1, "method", "other")] {
            assert!(other.start(&token).is_err());
        }
    }

    #[test]
    fn a_token_with_any_digit_changed_is_none() {
        let list = pages(1, "method", "parent");
        let token = list.token(Some(5));
        for at in 0..token.len() {
            for digit in "0123456789abcdefAg".chars() {
                let mut changed = token.clone();
                changed.replace_range(at..=at, &digit.to_string());
                assert!(changed == token || list.start(&changed).is_err(), "{changed}");
            }
        }
        for bad in [&token[1..], &token[2..], &token.to_uppercase(), &format!("{token}00"), "ffffffffffffffff"] {
            assert!(list.start(bad).is_err(), "{bad}");
        }
    }
}
