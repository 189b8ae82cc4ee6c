//! What the journal must remember of epochs: a few hundred bytes, rewritten in every commit.

use crate::canonical::{Canonical, Reader};
use crate::error::{Error, Result};
use crate::kdf::Label;
use crate::root::{Incarnation, RootId, VaultId};
use crate::tree::{PageAddress, TreeId};

/// First byte of the encoding.
const VERSION: u8 = 1;

/// The longest wrapped key that any root store may give, bytes.
const MAX_WRAPPED: usize = 64 * 1024;

/// Which epoch is committed, and what is left to do about the one before. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochState {
    /// The vault, for its whole life.
    pub vault: VaultId,
    /// The incarnation that last claimed the root store, as far as the journal knows.
    pub incarnation: Incarnation,
    /// An incarnation that was about to claim it, and may have.
    pub claiming: Option<Incarnation>,
    /// What the root store that the vault is to move to, or was last, may be claimed for, beside the incarnation and the one
    /// that is being claimed, disguised: what it was seen to be, and what was announced since. Disguised incarnations, at
    /// most [`EpochState::MAX_TARGETS`].
    pub targets: Vec<Incarnation>,
    /// The committed epoch; `None` only while the vault is being founded, before any key was used.
    pub current: Option<Epoch>,
    /// The epoch before, as long as its root must still be destroyed.
    pub retiring: Option<Retiring>,
}

/// A committed epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number: 0 when the vault was founded, one more with every commit.
    pub number: u64,
    /// Its root.
    pub root: RootId,
    /// The vault key, wrapped by the root.
    pub wrapped: Vec<u8>,
}

impl Epoch {
    /// What its root needs to unwrap its key.
    #[must_use]
    pub fn wrapping_context(&self, vault: &VaultId) -> Vec<u8> {
        Self::context(vault, self.number, &self.root)
    }

    /// What is bound to the wrapped key: no root unwraps it for another vault, epoch or root.
    pub(crate) fn context(vault: &VaultId, number: u64, root: &RootId) -> Vec<u8> {
        Canonical::new(Label::WRAP.as_str())
            .field(vault.as_bytes())
            .field(&number.to_be_bytes())
            .field(root.as_bytes())
            .finish()
    }
}

/// An epoch that was left, whose root must still be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retiring {
    /// Its number.
    pub number: u64,
    /// Its root.
    pub root: RootId,
    /// Its pages that the committed tree no longer refers to: deleted with the second batch.
    pub pages: Vec<PageAddress>,
    /// Trees of erased tenants, all of whose pages are deleted then.
    pub trees: Vec<TreeId>,
}

impl EpochState {
    /// Whoever announces another for the target has seen what it is claimed for.
    pub const MAX_TARGETS: usize = 2;

    /// The incarnations that the vault knows for its own: a store that is claimed for another was claimed since.
    #[must_use]
    pub fn known(&self) -> Vec<Incarnation> {
        [self.incarnation].into_iter().chain(self.claiming).chain(self.targets.iter().copied()).collect()
    }

    /// The bytes to keep.
    ///
    /// version ‖ vault 16 ‖ incarnation 16 ‖ claiming? ‖ targets ‖ current? ‖ retiring?, where each `?` is a byte 0,
    /// or 1 and the value: claiming 16; current = number u64 ‖ root 16 ‖ length u32 ‖ wrapped key; retiring = number u64 ‖
    /// root 16 ‖ count u32 ‖ page addresses of 30 ‖ count u32 ‖ tree ids of 12; and targets are a count u8 ‖ 16 each.
    /// Big-endian.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if there are more than 2^32 pages to drop, or more targets than there may be.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.vault.as_bytes());
        out.extend_from_slice(self.incarnation.as_bytes());
        put_option(&mut out, self.claiming.as_ref(), |out, incarnation| {
            out.extend_from_slice(incarnation.as_bytes());
            Ok(())
        })?;
        let count = Some(self.targets.len()).filter(|count| *count <= Self::MAX_TARGETS);
        out.push(count.ok_or(Error::Exhausted("targets of one move"))? as u8);
        self.targets.iter().for_each(|target| out.extend_from_slice(target.as_bytes()));
        put_option(&mut out, self.current.as_ref(), |out, epoch| {
            out.extend_from_slice(&epoch.number.to_be_bytes());
            out.extend_from_slice(epoch.root.as_bytes());
            put_count(out, epoch.wrapped.len())?;
            out.extend_from_slice(&epoch.wrapped);
            Ok(())
        })?;
        put_option(&mut out, self.retiring.as_ref(), |out, retiring| {
            out.extend_from_slice(&retiring.number.to_be_bytes());
            out.extend_from_slice(retiring.root.as_bytes());
            put_count(out, retiring.pages.len())?;
            retiring.pages.iter().for_each(|page| out.extend_from_slice(&page.encode()));
            put_count(out, retiring.trees.len())?;
            retiring.trees.iter().for_each(|tree| out.extend_from_slice(&tree.encode()));
            Ok(())
        })?;
        Ok(out)
    }

    /// Reads what [`EpochState::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("epoch state", bytes);
        if reader.u8()? != VERSION {
            return Err(reader.corrupt("unknown version"));
        }
        let state = Self {
            vault: VaultId::from_bytes(reader.array()?),
            incarnation: get_incarnation(&mut reader, false)?,
            claiming: get_option(&mut reader, |reader| get_incarnation(reader, false))?,
            targets: get_targets(&mut reader)?,
            current: get_option(&mut reader, |reader| {
                let (number, root) = (reader.u64()?, RootId::from_bytes(reader.array()?));
                let length = reader.u32()? as usize;
                if length > MAX_WRAPPED {
                    return Err(reader.corrupt("wrapped key too long"));
                }
                Ok(Epoch { number, root, wrapped: reader.take(length)?.to_vec() })
            })?,
            retiring: get_option(&mut reader, |reader| {
                let (number, root) = (reader.u64()?, RootId::from_bytes(reader.array()?));
                let pages = get_list(reader, PageAddress::LENGTH, PageAddress::read)?;
                let trees = get_list(reader, TreeId::LENGTH, |reader| TreeId::decode(reader.array()?))?;
                Ok(Retiring { number, root, pages, trees })
            })?,
        };
        let consistent = match (&state.current, &state.retiring) {
            (Some(current), Some(retiring)) => {
                retiring.number.checked_add(1) == Some(current.number) && retiring.root != current.root
            }
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !consistent {
            return Err(reader.corrupt("the retiring epoch is not the one before the current"));
        }
        reader.end()?;
        Ok(state)
    }
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T) -> Result<()>) -> Result<()> {
    out.push(u8::from(value.is_some()));
    value.map_or(Ok(()), |value| put(out, value))
}

fn put_count(out: &mut Vec<u8>, count: usize) -> Result<()> {
    let count = u32::try_from(count).map_err(|_| Error::Exhausted("pages of one epoch"))?;
    out.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

fn get_option<'a, T>(reader: &mut Reader<'a>, get: impl FnOnce(&mut Reader<'a>) -> Result<T>) -> Result<Option<T>> {
    match reader.u8()? {
        0 => Ok(None),
        1 => get(reader).map(Some),
        _ => Err(reader.corrupt("neither there nor absent")),
    }
}

fn get_incarnation(reader: &mut Reader<'_>, disguised: bool) -> Result<Incarnation> {
    let incarnation = Incarnation::from_bytes(reader.array()?);
    if incarnation.is_disguised() == disguised {
        return Ok(incarnation);
    }
    Err(reader.corrupt("an incarnation that no vault has in place of one, or the other way round"))
}

fn get_targets(reader: &mut Reader<'_>) -> Result<Vec<Incarnation>> {
    let count = usize::from(reader.u8()?);
    if count > EpochState::MAX_TARGETS {
        return Err(reader.corrupt("too many targets"));
    }
    let targets: Vec<_> = (0..count).map(|_| get_incarnation(reader, true)).collect::<Result<_>>()?;
    if targets.iter().skip(1).any(|target| Some(target) == targets.first()) {
        return Err(reader.corrupt("the same target twice"));
    }
    Ok(targets)
}

/// A list of fixed-length items; a count beyond the bytes that follow allocates nothing.
fn get_list<'a, T>(
    reader: &mut Reader<'a>,
    length: usize,
    get: impl Fn(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = reader.u32()? as usize;
    if count.checked_mul(length).is_none_or(|bytes| bytes > reader.remaining()) {
        return Err(reader.corrupt("too short"));
    }
    (0..count).map(|_| get(reader)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::SlotRef;

    /// A page of the vault tree's subtree of height 3, level 1.
    fn page(index: u64, drawn: u64) -> PageAddress {
        let mut bytes = vec![0; 12];
        bytes.extend_from_slice(&[3, 1]);
        bytes.extend_from_slice(&index.to_be_bytes());
        bytes.extend_from_slice(&drawn.to_be_bytes());
        PageAddress::decode(&bytes).unwrap()
    }

    fn state() -> EpochState {
        EpochState {
            vault: VaultId::from_bytes([1; 16]),
            incarnation: Incarnation::from_bytes([2; 16]),
            claiming: Some(Incarnation::from_bytes([3; 16])),
            targets: vec![Incarnation::from_bytes([0x83; 16]), Incarnation::from_bytes([0x87; 16])],
            current: Some(Epoch { number: 8, root: RootId::from_bytes([4; 16]), wrapped: vec![5; 93] }),
            retiring: Some(Retiring {
                number: 7,
                root: RootId::from_bytes([6; 16]),
                pages: vec![page(1, 7), page(2, 3)],
                trees: vec![TreeId::tenant(SlotRef { slot: 9, generation: 1 }).unwrap()],
            }),
        }
    }

    #[test]
    fn round_trips_in_every_stage() {
        for (claims, targets) in [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)] {
            for current in [true, false] {
                for retiring in [true, false] {
                    let mut state = state();
                    state.claiming = state.claiming.filter(|_| claims != 0);
                    state.targets.truncate(targets);
                    state.current = state.current.filter(|_| current);
                    state.retiring = state.retiring.filter(|_| retiring);
                    let decoded = EpochState::decode(&state.encode().unwrap());
                    if retiring && !current {
                        assert!(decoded.is_err());
                    } else {
                        assert_eq!(decoded.unwrap(), state);
                    }
                }
            }
        }
    }

    /// Fixed bytes, written from `docs/FORMAT.md`: a change here is a change of the format.
    #[test]
    fn the_encoding_is_fixed() {
        let optional = |there: bool, hex: String| if there { format!("01{hex}") } else { "00".to_owned() };
        let expected = |claims: bool, targets: usize, current: bool, retiring: bool| {
            [
                format!("01{}{}", "01".repeat(16), "02".repeat(16)),
                optional(claims, "03".repeat(16)),
                format!(
                    "{targets:02x}{}",
                    ["83", "87"][..targets].iter().map(|byte| byte.repeat(16)).collect::<String>()
                ),
                optional(current, format!("0000000000000008{}0000005d{}", "04".repeat(16), "05".repeat(93))),
                optional(
                    retiring,
                    [
                        &format!("0000000000000007{}", "06".repeat(16)),
                        "00000002",
                        "00000000000000000000000003010000000000000001",
                        "0000000000000007",
                        "00000000000000000000000003010000000000000002",
                        "0000000000000003",
                        "00000001",
                        "000000000000000900000001",
                    ]
                    .concat(),
                ),
            ]
            .concat()
        };
        for (claims, targets, current, retiring) in [
            (true, 2, true, true),
            (true, 1, true, true),
            (false, 0, true, true),
            (true, 1, true, false),
            (false, 0, true, false),
            (true, 2, false, false),
        ] {
            let mut state = state();
            state.claiming = state.claiming.filter(|_| claims);
            state.targets.truncate(targets);
            state.current = state.current.filter(|_| current);
            state.retiring = state.retiring.filter(|_| retiring);
            let expected = expected(claims, targets, current, retiring);
            assert_eq!(hex::encode(state.encode().unwrap()), expected);
            assert_eq!(EpochState::decode(&hex::decode(expected).unwrap()).unwrap(), state);
        }
    }

    #[test]
    fn every_truncation_and_a_byte_more_is_refused() {
        let bytes = state().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(EpochState::decode(&bytes[..length]).is_err(), "length {length}");
        }
        assert!(EpochState::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        let mut gap = state();
        gap.retiring.as_mut().unwrap().number = 6;
        let mut same = state();
        same.retiring.as_mut().unwrap().root = RootId::from_bytes([4; 16]);
        let (mut own, mut announced, mut target, mut twice) = (state(), state(), state(), state());
        own.incarnation = Incarnation::from_bytes([0x82; 16]);
        announced.claiming = Some(Incarnation::from_bytes([0x82; 16]));
        target.targets[1] = Incarnation::from_bytes([2; 16]);
        twice.targets[1] = twice.targets[0];
        for state in [gap, same, own, announced, target, twice] {
            assert!(EpochState::decode(&state.encode().unwrap()).is_err());
        }
        let mut many = state();
        many.targets.push(Incarnation::from_bytes([0x88; 16]));
        assert!(many.encode().is_err());
    }

    proptest! {
        #[test]
        fn decoding_never_panics_and_is_strict(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            position in 0usize..400,
            byte: u8,
        ) {
            let mut changed = state().encode().unwrap();
            let position = position % changed.len();
            changed[position] = byte;
            for bytes in [bytes, changed] {
                if let Ok(state) = EpochState::decode(&bytes) {
                    prop_assert_eq!(state.encode().unwrap(), bytes);
                }
            }
        }
    }
}
