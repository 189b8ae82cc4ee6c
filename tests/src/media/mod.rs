//! What root stores hold: their media, read beneath them, by a reader of its own.
//!
//! A vault's server has a root used by its store; who may unwrap under the current root may ask the store the same. To
//! look at what lies in the store says more: it takes no door that the store could have closed. So a token is read from
//! its files, under its PIN; a key server from the storage that it reads itself; a TPM from the file that its memory is. All
//! of them are programs, whose media are files; a device would not show them.
//!
//! What is read is what `docs/FORMAT.md` says of each store, and what SoftHSM, OpenBao and libtpms make of it.

mod file;
mod server;
mod token;
mod tpm;

use crate::Device;

pub(crate) use file::roots as of_file;

/// A root, as its medium has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Root {
    pub(crate) id: [u8; 16],
    pub(crate) key: [u8; 32],
    pub(crate) wrapping: Wrapping,
}

/// How a root wraps its vault key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Wrapping {
    /// In the vault's process, under a key that derives from the root and this name of the store.
    Derived([u8; 16]),
    /// In the device, by AES-GCM with the root itself.
    Device,
}

/// Every root that is in a store, as its medium is at this moment. Of what is damaged or half written, nothing is read.
pub(crate) fn roots(device: &Device) -> Vec<Root> {
    match device {
        Device::Files(_) => {
            device.file().and_then(|path| std::fs::read(path).ok()).map_or_else(Vec::new, |f| of_file(&f))
        }
        Device::Token(token) => token::roots(token),
        Device::Server(bao) => server::roots(bao),
        Device::Tpm(tpm) => tpm::roots(tpm),
    }
}
