//! What a receipt does not attest.
//!
//! An erasure destroys keys that the vault held. It cannot reach what left the vault before, and it
//! cannot prove the physics of a medium; a receipt that kept silent about that would promise too much.

use crate::log::text::Token;

/// What every receipt excludes, whatever the medium, with the words for people.
pub const ALWAYS_EXCLUDED: [(&str, &str); 6] = [
    ("MEMORY_IMAGES_BEFORE_ERASURE", "images of the process's memory that were taken before the erasure"),
    ("ROOT_MEDIUM_COPIES_BEFORE_ERASURE", "copies of the root store's medium that were taken before the erasure"),
    ("MEDIUM_PHYSICS", "what the physics of the root store's medium may retain beneath its interface"),
    ("ALREADY_DOWNLOADED", "what had been exported or downloaded before the erasure"),
    ("ALREADY_DISCLOSED", "what had been handed to another controller before the erasure"),
    ("KEPT_ON_ANOTHER_BASIS", "records that are kept under keys and a legal basis of their own"),
];

/// Words for what stores and the vault state of their medium and memory.
const STATEMENTS: [(&str, &str); 8] = [
    ("MEDIUM_NOT_SEPARATE", "the root store was on the same device as the data"),
    ("WEAR_LEVELLING_POSSIBLE", "the device may have kept overwritten blocks (wear levelling of flash storage)"),
    ("COPY_ON_WRITE_POSSIBLE", "the file system may have kept overwritten blocks (copy on write, snapshots)"),
    ("ROOT_REPLICA_ABANDONED", "a replica of the root store was abandoned with roots in it"),
    ("ROOT_STORE_KEEPS_BACKUPS", "the root store keeps backups or snapshots of its own"),
    ("ROOT_DEVICE_VIRTUAL", "the root store's device is emulated: its state is a file of somebody else's"),
    ("ROOT_STORE_RETAINS_DELETED", "the root store deletes without overwriting, and sealed remains may survive in it"),
    ("MEMORY_NOT_LOCKED", "memory was not locked: the system may have written keys to swap"),
];

/// What a receipt must exclude, given what the root store states of its medium: first what every
/// receipt excludes, then each statement in the order of the log entry.
pub fn excluded(medium: &[Token]) -> Vec<Token> {
    let always = ALWAYS_EXCLUDED.iter().filter_map(|(code, _)| code.parse().ok());
    always.chain(medium.iter().cloned()).collect()
}

/// The words for a code; `None` for a statement that this version does not know, which must then be
/// shown as it is.
pub fn explain(code: &Token) -> Option<&'static str> {
    ALWAYS_EXCLUDED.iter().chain(&STATEMENTS).find(|(known, _)| *known == code.as_str()).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::MediumStatement;

    #[test]
    fn every_statement_of_a_medium_has_words() {
        for statement in MediumStatement::ALL {
            assert!(explain(&statement.as_str().parse().unwrap()).is_some(), "{statement}");
        }
    }

    #[test]
    fn every_code_is_a_token_with_words() {
        for (code, words) in ALWAYS_EXCLUDED.iter().chain(&STATEMENTS) {
            let token: Token = code.parse().unwrap();
            assert_eq!(explain(&token), Some(*words));
        }
        assert_eq!(explain(&"SOMETHING_NEW".parse().unwrap()), None);
    }

    #[test]
    fn statements_follow_what_is_always_excluded() {
        let statement: Token = "MEDIUM_NOT_SEPARATE".parse().unwrap();
        let codes = excluded(std::slice::from_ref(&statement));
        assert_eq!(codes.len(), ALWAYS_EXCLUDED.len() + 1);
        assert_eq!(codes.last(), Some(&statement));
    }
}
