//! Places of templates and subjects as memory keeps them: there are millions, and a [`TemplateAt`] takes 24 bytes.

use lethe_crypto::tree::{SLOTS, SlotRef};

use crate::store::{StoreError, TemplateAt};

/// Bytes of a slot's number.
const LENGTH: usize = 5;
const _: () = assert!(SLOTS == 1 << (8 * LENGTH));

/// A slot that has an owner. Its generation is 0, as slots are not given twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactSlot([u8; LENGTH]);

impl TryFrom<SlotRef> for CompactSlot {
    type Error = StoreError;

    /// # Errors
    /// [`StoreError::Corrupt`] for a slot that was never given to anybody: one of a later generation, or beyond [`SLOTS`].
    fn try_from(slot: SlotRef) -> Result<Self, StoreError> {
        match slot.slot.to_be_bytes() {
            [0, 0, 0, bytes @ ..] if slot.generation == 0 => Ok(Self(bytes)),
            _ => Err(StoreError::corrupt("row", format!("{slot} was never given to anybody"))),
        }
    }
}

impl From<CompactSlot> for SlotRef {
    fn from(CompactSlot([a, b, c, d, e]): CompactSlot) -> Self {
        Self::first(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }
}

/// Where a template lies, in ten bytes. In the order of [`TemplateAt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactAt {
    subject: CompactSlot,
    thing: CompactSlot,
}

impl TryFrom<TemplateAt> for CompactAt {
    type Error = StoreError;

    /// # Errors
    /// As of either slot.
    fn try_from(TemplateAt { subject, thing }: TemplateAt) -> Result<Self, StoreError> {
        Ok(Self { subject: subject.try_into()?, thing: thing.try_into()? })
    }
}

impl From<CompactAt> for TemplateAt {
    fn from(CompactAt { subject, thing }: CompactAt) -> Self {
        Self { subject: subject.into(), thing: thing.into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slot_that_nobody_can_have_is_refused() {
        let beyond = [SlotRef::first(SLOTS), SlotRef::first(u64::MAX), SlotRef { slot: 1, generation: 1 }];
        for slot in beyond {
            let refused = CompactSlot::try_from(slot).unwrap_err().to_string();
            assert!(refused.contains(&slot.to_string()), "{refused}");
            for at in [
                TemplateAt { subject: slot, thing: SlotRef::first(1) },
                TemplateAt { subject: SlotRef::first(1), thing: slot },
            ] {
                assert!(CompactAt::try_from(at).is_err());
            }
        }
        assert_eq!(size_of::<CompactAt>(), 10);
    }

    proptest! {
        #[test]
        fn places_come_back_in_their_order(slots in prop::array::uniform4(0..SLOTS)) {
            let [a, b, c, d] = slots.map(SlotRef::first);
            let (one, other) = (TemplateAt { subject: a, thing: b }, TemplateAt { subject: c, thing: d });
            let compact = |at| CompactAt::try_from(at).unwrap();
            prop_assert_eq!(TemplateAt::from(compact(one)), one);
            prop_assert_eq!(compact(one).cmp(&compact(other)), one.cmp(&other));
        }
    }
}
