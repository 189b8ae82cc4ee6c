//! The shim's functions (`shim/pq4.h`, `shim/heap.h`) and the layouts shared with it.

use std::ffi::{CStr, c_char};

use crate::Error;

/// Threshold of one probe on the integer sums of its quantised tables.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Cut {
    constant: u32,
    over: f32,
    times: f32,
    plus: f32,
}

impl Cut {
    /// Sums of at least `steps`; for codes without radii.
    pub(crate) fn constant(steps: f64) -> Self {
        // No sum is above 65,535, so what asks for more keeps at most that one.
        let constant = steps.clamp(0.0, f64::from(u16::MAX)) as u32;
        Self { constant, ..Self::default() }
    }

    /// Sums of at least `over / r + times · r + plus`; for codes with radii r.
    pub(crate) fn curve(over: f64, times: f64, plus: f64) -> Self {
        Self { constant: 0, over: over as f32, times: times as f32, plus: plus as f32 }
    }
}

/// A code that reached its probe's cut.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Hit {
    /// Which code.
    pub(crate) position: u32,
    /// Its sum over the probe's exact tables.
    pub(crate) sum: f32,
}

/// `LethePq4Scan`; the header says what each field means.
#[repr(C)]
pub(super) struct Scan {
    pub(super) codes: *const u8,
    pub(super) blocks: usize,
    pub(super) count: usize,
    pub(super) nsq: u32,
    pub(super) radii: *const f32,
    pub(super) queries: u32,
    pub(super) tables: *const u8,
    pub(super) exact: *const *const f32,
    pub(super) cuts: *const Cut,
    pub(super) hits: *mut Hit,
    pub(super) capacity: usize,
    pub(super) found: *mut usize,
}

unsafe extern "C" {
    pub(super) fn lethe_pq4_pack_tables(
        queries: u32,
        nsq: u32,
        tables: *const u8,
        packed: *mut u8,
        message: *mut c_char,
        message_len: usize,
    ) -> i32;
    pub(super) fn lethe_pq4_scan(scan: *const Scan, message: *mut c_char, message_len: usize) -> i32;
    pub(super) fn lethe_pq4_write(codes: *mut u8, position: usize, nsq: u32, code: *const u8);
    pub(super) fn lethe_pq4_read(codes: *const u8, position: usize, nsq: u32, code: *mut u8);
    #[cfg(test)]
    pub(super) fn lethe_pq4_pack_reference(
        flat: *const u8,
        count: usize,
        nsq: u32,
        codes: *mut u8,
        message: *mut c_char,
        message_len: usize,
    ) -> i32;
    #[cfg(test)]
    pub(super) fn lethe_heap_use(masked: *const u8, length: usize, mask: u8, copies: usize) -> usize;
}

/// Room for the reason of a refusal.
pub(super) type Message = [c_char; 256];

/// Turns the shim's status into a result.
pub(super) fn outcome(status: i32, message: &Message) -> Result<(), Error> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the shim ended the message with a NUL inside the buffer, which was zeroed before.
    let message = unsafe { CStr::from_ptr(message.as_ptr()) };
    Err(Error::Native { message: message.to_string_lossy().into_owned() })
}
