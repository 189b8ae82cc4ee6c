//! Disks as power cuts leave them: what a server writes is recorded below it, and any moment is made again under a fault.
//!
//! A recorder (`tests/recorder`), preloaded into the server, appends every operation on the files of a vault's folder to a
//! trace, with its bytes. From the folder as it was before, and the trace, the disks of any moment are built: as the
//! death of the process leaves them, as a power cut does, and as a power cut does where one device had not done what it
//! acknowledged.
//!
//! What was written to a file is sure once a sync of the file that began later has ended, and with it the name that the file was
//! made under. Any other name, of a folder or after a rename or a removal, is sure once a sync of the folder that it is in has
//! ended: a folder may be lost with all that was synced in it. That is what POSIX promises, but for the names of new files, which
//! every journal keeps and RocksDB counts on: it has its `CURRENT` lead to a manifest whose folder it has not synced. Until
//! then each operation may be lost, and the last write be torn; in order, as a journal does it, or any of
//! them without the others.

mod device;
mod image;
mod model;
mod recorder;
mod trace;

pub(crate) use device::Device;
pub(crate) use image::{Fault, Image, Unsynced};
pub(crate) use model::{Disks, Moment};
pub(crate) use recorder::Recorder;
pub(crate) use trace::{Event, Trace};
