//! Blocks of a root store's file: with a right checksum, a block has one spelling or is refused; with a wrong one it is
//! torn, and says nothing.
#![no_main]

use lethe_crypto::fuzzing;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 4096;
const HEADER: usize = 104;
/// Of a header that says how a passphrase's key is derived, and the version that tells it.
const SEALED: usize = 132;
const SEALED_VERSION: u8 = 2;
const SLOT: usize = 64;

#[derive(Arbitrary, Debug)]
enum Input {
    /// Any bytes, of any length.
    Block(Vec<u8>),
    /// What a header or a slot says, behind the right magic and before the right checksum.
    Header(Box<[u8; HEADER - 8]>),
    Slot(Box<[u8; SLOT - 8]>),
    /// The same, torn: what is behind so many bytes is of another block.
    Torn {
        slot: Box<[u8; SLOT - 8]>,
        before: Vec<u8>,
        at: u16,
    },
    /// A header with a passphrase.
    Sealed(Box<[u8; SEALED - 8]>),
}

fuzz_target!(|input: Input| {
    match input {
        Input::Block(block) => {
            check(&block, header(&block), fuzzing::root_header(&block));
            check(&block, SLOT, fuzzing::root_slot(&block));
        }
        // One version has another length, so its checksum is elsewhere.
        Input::Header(said) if said[0] != SEALED_VERSION => {
            let block = whole(b"LETHE-RS", said.as_slice());
            assert!(!matches!(fuzzing::root_header(&block), Ok(None)), "a header that is whole counts as torn");
            check(&block, HEADER, fuzzing::root_header(&block));
            assert!(matches!(fuzzing::root_slot(&block), Ok(None)), "a header is taken for a root");
        }
        Input::Header(said) => {
            let block = whole(b"LETHE-RS", said.as_slice());
            check(&block, SEALED, fuzzing::root_header(&block));
        }
        Input::Sealed(mut said) => {
            said[0] = SEALED_VERSION;
            let block = whole(b"LETHE-RS", said.as_slice());
            assert!(!matches!(fuzzing::root_header(&block), Ok(None)), "a header that is whole counts as torn");
            check(&block, SEALED, fuzzing::root_header(&block));
            assert!(matches!(fuzzing::root_slot(&block), Ok(None)), "a header is taken for a root");
        }
        Input::Slot(said) => {
            let block = whole(b"LETHE-RT", said.as_slice());
            assert!(!matches!(fuzzing::root_slot(&block), Ok(None)), "a root that is whole counts as damaged");
            check(&block, SLOT, fuzzing::root_slot(&block));
            assert!(matches!(fuzzing::root_header(&block), Ok(None)), "a root is taken for a header");
        }
        Input::Torn { slot, before, at } => {
            let mut block = whole(b"LETHE-RT", slot.as_slice());
            let at = usize::from(at) % BLOCK;
            let rest: Vec<u8> = before.iter().copied().chain(std::iter::repeat(0)).take(BLOCK - at).collect();
            block[at..].copy_from_slice(&rest);
            check(&block, SLOT, fuzzing::root_slot(&block));
        }
    }
});

/// Bytes before the checksum of a header.
fn header(block: &[u8]) -> usize {
    if block.get(8) == Some(&SEALED_VERSION) { SEALED } else { HEADER }
}

fn whole(magic: &[u8; 8], said: &[u8]) -> Vec<u8> {
    let mut block = [magic.as_slice(), said].concat();
    let sum = Sha256::digest(&block);
    block.extend_from_slice(&sum);
    block.resize(BLOCK, 0);
    block
}

/// What was read is what is there: content and checksum. The rest of the block says nothing.
fn check(block: &[u8], length: usize, read: lethe_crypto::Result<Option<Vec<u8>>>) {
    if let Ok(Some(again)) = read {
        assert_eq!(again.len(), BLOCK);
        assert_eq!(again[..length + 32], block[..length + 32], "a block has two spellings");
    }
}
