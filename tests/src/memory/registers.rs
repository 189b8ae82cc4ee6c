//! The vector registers of every thread of a process that stands still: what ciphers work in, and leave there.
#![allow(unsafe_code, reason = "nothing safe asks for the registers of another process")]

use std::fs;
use std::io::{Error, ErrorKind};
use std::ptr::null_mut;

use libc::{c_uint, c_void, iovec, pid_t, ptrace};

/// What `XSAVE` saves, vector registers of all widths among it.
const NT_X86_XSTATE: usize = 0x202;
/// More than any processor's.
const LENGTH: usize = 32 << 10;

/// The registers of each thread, with its name. Who is traced must stand still, and does so afterwards.
///
/// # Panics
/// When they cannot be read: it needs `CAP_SYS_PTRACE`.
pub(super) fn of_all_threads(pid: u32) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let thread: pid_t = thread.file_name().to_str().unwrap().parse().unwrap();
        let registers = of_thread(thread);
        if let Err(fault) = &registers
            && is_over(thread, fault)
        {
            continue;
        }
        all.push((format!("registers of {}", name.trim_end()), registers.unwrap()));
    }
    all
}

/// A thread may have been at its end when the process was stopped.
fn is_over(thread: pid_t, fault: &Error) -> bool {
    fault.raw_os_error() == Some(libc::ESRCH)
        && fs::metadata(format!("/proc/{thread}")).is_err_and(|gone| gone.kind() == ErrorKind::NotFound)
}

fn of_thread(thread: pid_t) -> Result<Vec<u8>, Error> {
    call(libc::PTRACE_SEIZE, thread, null_mut(), null_mut())?;
    let registers = stopped(thread).and_then(|()| {
        let mut bytes = vec![0; LENGTH];
        let mut room = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: LENGTH };
        call(libc::PTRACE_GETREGSET, thread, NT_X86_XSTATE as *mut c_void, (&raw mut room).cast())?;
        bytes.truncate(room.iov_len);
        Ok(bytes)
    });
    // What went wrong first says more.
    let detached = call(libc::PTRACE_DETACH, thread, null_mut(), null_mut());
    registers.and_then(|registers| detached.map(|()| registers))
}

/// Waits until it says that it stands still.
fn stopped(thread: pid_t) -> Result<(), Error> {
    call(libc::PTRACE_INTERRUPT, thread, null_mut(), null_mut())?;
    let mut status = 0;
    // SAFETY: `status` is there for the whole call, which writes nothing else.
    let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
    if waited == -1 {
        return Err(Error::last_os_error());
    }
    // Otherwise it has ended.
    if libc::WIFSTOPPED(status) { Ok(()) } else { Err(Error::from_raw_os_error(libc::ESRCH)) }
}

fn call(request: c_uint, thread: pid_t, address: *mut c_void, data: *mut c_void) -> Result<(), Error> {
    // SAFETY: of the requests made here, only GETREGSET writes to this process: what `data` points to, an `iovec` that
    // says how much room there is in the buffer that it names. Both are there for the whole call.
    let done = unsafe { ptrace(request, thread, address, data) };
    if done == -1 { Err(Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::arch::asm;
    use std::process::{Child, Command};
    use std::time::Instant;

    use super::*;
    use crate::PATIENCE;
    use crate::memory::{Frozen, may_be_seen};

    const TEST: &str = "memory::registers::tests::what_another_process_has_in_a_register_is_found";
    /// Tells the test's own program, started again, to hold this.
    const HOLD: &str = "LETHE_TEST_REGISTER";
    const SECRET: [u8; 16] = *b"kept in one only";

    #[test]
    fn what_another_process_has_in_a_register_is_found() {
        if std::env::var_os(HOLD).is_some() {
            hold();
        }
        if !may_be_seen() {
            return;
        }
        let holder = Command::new(std::env::current_exe().unwrap()).args([TEST, "--exact"]).env(HOLD, "").spawn();
        let holder = Holder(holder.unwrap());
        let until = Instant::now() + PATIENCE;
        let is_held = |(_, registers): &(String, Vec<u8>)| registers.windows(16).any(|bytes| *bytes == SECRET);
        loop {
            let _frozen = Frozen::process(holder.0.id());
            if of_all_threads(holder.0.id()).iter().any(is_held) {
                break;
            }
            assert!(Instant::now() < until, "it is not seen");
        }
    }

    /// It never ends by itself.
    struct Holder(Child);

    impl Drop for Holder {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Loads it into the last register that the processor has, and never returns.
    fn hold() -> ! {
        let secret = SECRET;
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: reads 16 bytes of `secret`, changes one register, and does not return.
            unsafe { asm!("vbroadcasti32x4 zmm31, [{0}]", "2: pause", "jmp 2b", in(reg) &secret, options(noreturn)) }
        } else {
            // SAFETY: as above.
            unsafe { asm!("movdqu xmm15, [{0}]", "2: pause", "jmp 2b", in(reg) &secret, options(noreturn)) }
        }
    }
}
