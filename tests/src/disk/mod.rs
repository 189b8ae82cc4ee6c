//! Disks as power cuts leave them: what a server writes is recorded below it, and any moment is made again under a fault.
//!
//! A recorder (`tests/recorder`), preloaded into the server, appends every operation on the files of a vault's folder to a
//! trace, with its bytes. From the folder as it was before, and the trace, the disks of any moment are built: as the
//! death of the process leaves them, as a power cut does, and as a power cut does where one device had not done what it
//! acknowledged.
//!
//! The model of a disk is POSIX's, and no file system's in particular. What was written to a file is sure once a sync of the
//! file that began later has ended. A name in a folder is sure once a sync of the folder has: a file may be there whole, and have
//! no name. Until then each operation may be lost, and the last write be torn; in order, as a journal does it, or any of
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
