//! What an operation sees of the store, all of it at one moment, and the changes it may then make.

use lethe_crypto::root::Claim;
use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::constants::{CapabilityType, NvIndexType, Tss2ResponseCodeKind};
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, ObjectHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::structures::{CapabilityData, MaxNvBuffer, NvPublic};

use super::link::{Failure, Link, Order, Result, kind};
use super::options::SLOTS;
use crate::Error;
use crate::formats::nv::{self, Header, Held};

/// An index that is defined.
#[derive(Clone, Copy)]
pub(super) struct Index {
    number: u32,
    handle: NvIndexHandle,
}

/// A root's index; without a header it was defined but never written.
pub(super) struct Slot {
    pub(super) index: Index,
    pub(super) header: Option<Header>,
}

/// The store as it is, until somebody else's command.
pub(super) struct Sight<'a> {
    link: &'a mut Link,
    first: u32,
    /// The claim's index, if it is defined.
    claim_index: Option<Index>,
    pub(super) held: Option<Held>,
    pub(super) slots: Vec<Slot>,
}

impl<'a> Sight<'a> {
    /// Looks. This begins an operation.
    pub(super) fn new(link: &'a mut Link, first: u32) -> Result<Self> {
        // The library reads what an index is called without a session, which would end the exclusiveness.
        let numbers = defined(link, first, Order::Before)?;
        let mut sight = Self { link, first, claim_index: None, held: None, slots: Vec::new() };
        for number in &numbers {
            let index = sight.resolve(*number)?;
            if *number == first {
                sight.claim_index = Some(index);
            } else {
                sight.slots.push(Slot { index, header: None });
            }
        }
        if defined(sight.link, first, Order::First)? != numbers {
            return Err(Failure::Disturbed);
        }
        if let Some(index) = sight.claim_index {
            let read = sight.read(index, nv::CLAIM, 0)?;
            sight.held = read.map(|bytes| Held::decode(&bytes)).transpose()?;
        }
        for position in 0..sight.slots.len() {
            let index = sight.slots[position].index;
            let read = sight.read(index, nv::HEADER, 0)?;
            sight.slots[position].header = read.map(|bytes| Header::decode(&bytes)).transpose()?;
        }
        Ok(sight)
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = &Header> {
        self.slots.iter().filter_map(|slot| slot.header.as_ref())
    }

    /// A number that no index of this store has.
    pub(super) fn free(&self) -> Option<u32> {
        (self.first + 1..=self.first + SLOTS).find(|number| self.slots.iter().all(|slot| slot.index.number != *number))
    }

    /// The claim that is held.
    pub(super) fn claim(&self) -> Option<Claim> {
        self.held.map(|held| held.claim)
    }

    /// Writes a claim, defining its index if need be.
    pub(super) fn write_claim(&mut self, claim: Claim, now: u64) -> Result<()> {
        let index = match self.claim_index {
            Some(index) => index,
            None => self.define(self.first, nv::CLAIM)?,
        };
        self.write(index, &Held::next(self.held, claim, now).encode(), 0)
    }

    /// Defines an index that its authorisation value alone reads and writes. Wrong values do not count
    /// against the TPM's lockout: at 256 bits there is nothing to guess, but much to lock others out of.
    pub(super) fn define(&mut self, number: u32, size: u16) -> Result<Index> {
        let attributes = NvIndexAttributesBuilder::new()
            .with_auth_write(true)
            .with_auth_read(true)
            .with_no_da(true)
            .with_nv_index_type(NvIndexType::Ordinary)
            .build()?;
        let public = NvPublic::builder()
            .with_nv_index(NvIndexTpmHandle::new(number)?)
            .with_index_name_algorithm(HashingAlgorithm::Sha256)
            .with_index_attributes(attributes)
            .with_data_area_size(usize::from(size))
            .build()?;
        let auth = self.link.auth.clone();
        let handle = self
            .link
            .run(Order::Next, |context| context.nv_define_space(Provision::Owner, Some(auth), public))
            .map_err(|error| match kind(&error) {
                Some(Tss2ResponseCodeKind::NvSpace) => lethe_crypto::Error::RootStoreFull.into(),
                Some(Tss2ResponseCodeKind::BadAuth | Tss2ResponseCodeKind::AuthFail) => refused_owner(),
                _ => Failure::from(error),
            })?;
        let index = Index { number, handle };
        match number == self.first {
            true => self.claim_index = Some(index),
            false => self.slots.push(Slot { index, header: None }),
        }
        Ok(index)
    }

    /// Undefines a root's index.
    pub(super) fn undefine(&mut self, index: Index) -> Result<()> {
        let handle = index.handle;
        self.link.run(Order::Next, |context| context.nv_undefine_space(Provision::Owner, handle)).map_err(|error| {
            match kind(&error) {
                Some(Tss2ResponseCodeKind::BadAuth | Tss2ResponseCodeKind::AuthFail) => refused_owner(),
                _ => Failure::from(error),
            }
        })?;
        self.slots.retain(|slot| slot.index.number != index.number);
        Ok(())
    }

    pub(super) fn write(&mut self, index: Index, bytes: &[u8], offset: u16) -> Result<()> {
        let (handle, bytes) = (index.handle, MaxNvBuffer::try_from(bytes)?);
        self.link
            .run(Order::Next, |context| context.nv_write(NvAuth::NvIndex(handle), handle, bytes, offset))
            .map_err(refused_index)
    }

    /// Reads an index; `None` if it was never written.
    pub(super) fn read(&mut self, index: Index, size: u16, offset: u16) -> Result<Option<MaxNvBuffer>> {
        let handle = index.handle;
        match self.link.run(Order::Next, |context| context.nv_read(NvAuth::NvIndex(handle), handle, size, offset)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if kind(&error) == Some(Tss2ResponseCodeKind::NvUninitialized) => Ok(None),
            Err(error) => Err(refused_index(error)),
        }
    }

    /// Is this index still there? The TPM is asked anew.
    pub(super) fn is_defined(&mut self, index: Index) -> Result<bool> {
        Ok(defined(self.link, self.first, Order::Next)?.contains(&index.number))
    }

    fn resolve(&mut self, number: u32) -> Result<Index> {
        let handle = TpmHandle::NvIndex(NvIndexTpmHandle::new(number)?);
        let object = self.link.run(Order::Before, |context| context.tr_from_tpm_public(handle))?;
        let auth = self.link.auth.clone();
        self.link.local().tr_set_auth(object, auth)?;
        Ok(Index { number, handle: NvIndexHandle::from(object) })
    }
}

impl Drop for Sight<'_> {
    /// Lets the library forget the indices: the next operation sees them anew, with what others made of them.
    fn drop(&mut self) {
        let slots = std::mem::take(&mut self.slots).into_iter().map(|slot| slot.index);
        for index in slots.chain(self.claim_index.take()) {
            let mut object = ObjectHandle::from(index.handle);
            // One that was undefined is forgotten already.
            let _ = self.link.local().tr_close(&mut object);
        }
    }
}

/// Numbers of this store's indices that are defined.
fn defined(link: &mut Link, first: u32, order: Order) -> Result<Vec<u32>> {
    let capability = link.run(order, |context| {
        let (data, _) = context.get_capability(CapabilityType::Handles, first, SLOTS + 1)?;
        Ok(data)
    })?;
    let CapabilityData::Handles(handles) = capability else {
        return Err(Error::Busy("the TPM does not list its indices").during("looking").into());
    };
    let numbers = handles.as_ref().iter().map(|handle| u32::from(*handle));
    Ok(numbers.filter(|number| (first..=first + SLOTS).contains(number)).collect())
}

fn refused_owner() -> Failure {
    Error::AuthRefused("owner authorisation").during("defining or undefining an index").into()
}

fn refused_index(error: tss_esapi::Error) -> Failure {
    match kind(&error) {
        Some(Tss2ResponseCodeKind::BadAuth | Tss2ResponseCodeKind::AuthFail) => {
            Error::AuthRefused("authorisation value of an index").during("reading or writing an index").into()
        }
        _ => error.into(),
    }
}
