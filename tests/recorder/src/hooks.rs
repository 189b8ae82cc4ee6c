//! What stands in for the C library.
//!
//! Functions that take more arguments than they name are written with the one that there may be: on x86-64 and AArch64 it
//! arrives in the same register either way.

use std::ffi::CStr;

use libc::{AT_FDCWD, c_char, c_int, c_long, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::folder::{self, Name};
use crate::table;
use crate::trace::{self, CREATED, Kind, TRUNCATED, record, turn};

/// Numbers of syncs.
static SYNCS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

// ── beginning ───────────────────────────────────────────────────────────────────────────────────────────

#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

/// Runs before the program.
extern "C" fn begin() {
    // SAFETY: nobody changes the environment before the program runs, and what it was is never freed.
    let variable = |name: &CStr| unsafe {
        let value = libc::getenv(name.as_ptr());
        if value.is_null() { None } else { Some(CStr::from_ptr::<'static>(value)) }
    };
    let (Some(watched), Some(to)) = (variable(c"LETHE_RECORD"), variable(c"LETHE_RECORD_TO")) else { return };
    folder::set(watched);
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the name is a C string. A descriptor out of the way of those that programs count on is asked for.
    let trace = unsafe {
        let opened = libc::syscall(libc::SYS_openat, AT_FDCWD, to.as_ptr(), flags, 0);
        libc::syscall(libc::SYS_fcntl, opened, libc::F_DUPFD_CLOEXEC, 900)
    };
    match c_int::try_from(trace) {
        Ok(trace) if trace >= 0 => trace::begin(trace),
        // SAFETY: it has no preconditions. Whoever asked for a trace gets one, or notices.
        Ok(_) | Err(_) => unsafe { libc::abort() },
    }
}

/// An answer of the kernel, as the C library gives it.
fn answer(result: c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

/// The bytes at an address.
///
/// # Safety
/// There must be so many, that nobody changes meanwhile.
unsafe fn bytes<'a>(at: *const c_void, length: usize) -> &'a [u8] {
    // SAFETY: the caller's.
    if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(at.cast::<u8>(), length) } }
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────────────

/// # Safety
/// As `openat(2)`.
unsafe fn open_at(at: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    let open = || answer(unsafe { libc::syscall(libc::SYS_openat, at, path, flags, mode) });
    // SAFETY: the caller's.
    let name = if trace::is_on() { Some(unsafe { Name::of(at, path) }).filter(Name::is_watched) } else { None };
    let Some(name) = name else {
        let descriptor = open();
        table::set(descriptor, None);
        return descriptor;
    };
    let _turn = turn();
    // SAFETY: the caller's.
    let existed = unsafe { libc::syscall(libc::SYS_faccessat, at, path, libc::F_OK) } == 0;
    let descriptor = open();
    if descriptor >= 0 {
        let created = if flags & libc::O_CREAT != 0 && !existed { CREATED } else { 0 };
        let truncated = if flags & libc::O_TRUNC != 0 && existed { TRUNCATED } else { 0 };
        let file = table::next();
        table::set(descriptor, Some(file));
        record(Kind::Opened, file, created | truncated, &[name.as_bytes()]);
    }
    descriptor
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_at(AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_at(AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(at: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_at(at, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(at: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_at(at, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_at(AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(descriptor: c_int) -> c_int {
    // Before the number can be given to another.
    table::set(descriptor, None);
    // SAFETY: the caller's.
    answer(unsafe { libc::syscall(libc::SYS_close, descriptor) })
}

/// A stream of the C library's closes its descriptor by itself, without anybody noticing. Those here only read.
///
/// # Safety
/// As the function of that name, which must be of this type.
unsafe fn hand_over(function: &CStr, descriptor: c_int, mode: *const c_char) -> *mut c_void {
    table::set(descriptor, None);
    type Function = unsafe extern "C" fn(c_int, *const c_char) -> *mut c_void;
    // SAFETY: the C library has a function of that name and type; one that takes less ignores the rest.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, function.as_ptr());
        if next.is_null() {
            libc::abort();
        }
        std::mem::transmute::<*mut c_void, Function>(next)(descriptor, mode)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdopen(descriptor: c_int, mode: *const c_char) -> *mut c_void {
    // SAFETY: the caller's.
    let reads = !mode.is_null() && unsafe { *mode } == b'r'.cast_signed();
    if let Some(file) = table::file(descriptor).filter(|_| !reads) {
        let _turn = turn();
        record(Kind::Unseen, file, 0, &[b"fdopen"]);
    }
    // SAFETY: the caller's.
    unsafe { hand_over(c"fdopen", descriptor, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdopendir(descriptor: c_int) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { hand_over(c"fdopendir", descriptor, std::ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup(descriptor: c_int) -> c_int {
    // SAFETY: the caller's.
    let copy = answer(unsafe { libc::syscall(libc::SYS_dup, descriptor) });
    table::set(copy, table::file(descriptor));
    copy
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup2(descriptor: c_int, wanted: c_int) -> c_int {
    if descriptor == wanted {
        // SAFETY: the caller's.
        return if unsafe { libc::syscall(libc::SYS_fcntl, descriptor, libc::F_GETFD) } < 0 { -1 } else { wanted };
    }
    // SAFETY: the caller's.
    unsafe { dup3(descriptor, wanted, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup3(descriptor: c_int, wanted: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    let copy = answer(unsafe { libc::syscall(libc::SYS_dup3, descriptor, wanted, flags) });
    table::set(copy, table::file(descriptor));
    copy
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    let result = answer(unsafe { libc::syscall(libc::SYS_fcntl, descriptor, command, argument) });
    if result >= 0 && matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        table::set(result, table::file(descriptor));
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl64(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { fcntl(descriptor, command, argument) }
}

// ── contents ────────────────────────────────────────────────────────────────────────────────────────────

/// Notes what was written to a file at its own position, which is behind it now.
fn wrote_here(descriptor: c_int, file: u32, payload: &[u8]) {
    // SAFETY: it only asks.
    let behind = unsafe { libc::syscall(libc::SYS_lseek, descriptor, 0, libc::SEEK_CUR) };
    let begin = u64::try_from(behind).unwrap_or(0).saturating_sub(payload.len() as u64);
    record(Kind::Wrote, file, begin, &[payload]);
}

/// What was written, of what there was.
fn taken(result: ssize_t, given: usize) -> Option<usize> {
    usize::try_from(result).ok().filter(|length| *length <= given)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(descriptor: c_int, from: *const c_void, length: size_t) -> ssize_t {
    let file = table::file(descriptor);
    let speaks = descriptor == libc::STDERR_FILENO && trace::is_on();
    let _turn = (file.is_some() || speaks).then(turn);
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(libc::SYS_write, descriptor, from, length) } as ssize_t;
    if let Some(written) = taken(result, length) {
        // SAFETY: the kernel has just read them.
        let payload = || unsafe { bytes(from, written) };
        match file {
            Some(file) => wrote_here(descriptor, file, payload()),
            None if speaks => record(Kind::Said, 0, 0, &[payload()]),
            None => {}
        }
    }
    result
}

/// # Safety
/// As `pwrite(2)`.
unsafe fn write_at(descriptor: c_int, from: *const c_void, length: size_t, at: off_t) -> ssize_t {
    let file = table::file(descriptor);
    let _turn = file.map(|_| turn());
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, from, length, at) } as ssize_t;
    if let (Some(file), Some(written)) = (file, taken(result, length)) {
        // SAFETY: the kernel has just read them.
        record(Kind::Wrote, file, u64::try_from(at).unwrap_or(0), &[unsafe { bytes(from, written) }]);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(descriptor: c_int, from: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { write_at(descriptor, from, length, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(descriptor: c_int, from: *const c_void, length: size_t, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { write_at(descriptor, from, length, at) }
}

/// Writes of several parts, to a file one after the other: as `write(2)` may, it stops where one is not taken whole.
///
/// # Safety
/// As `writev(2)`.
unsafe fn write_parts(
    parts: *const iovec,
    count: c_int,
    mut each: impl FnMut(*const c_void, usize, usize) -> ssize_t,
) -> ssize_t {
    let mut total = 0_usize;
    for place in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller's.
        let part = unsafe { &*parts.add(place) };
        match taken(each(part.iov_base, part.iov_len, total), part.iov_len) {
            Some(written) => {
                total += written;
                if written < part.iov_len {
                    break;
                }
            }
            None if total == 0 => return -1,
            None => break,
        }
    }
    total.cast_signed()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(descriptor: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if table::file(descriptor).is_none() && !(descriptor == libc::STDERR_FILENO && trace::is_on()) {
        // SAFETY: the caller's.
        return unsafe { libc::syscall(libc::SYS_writev, descriptor, parts, count) } as ssize_t;
    }
    // SAFETY: the caller's.
    unsafe { write_parts(parts, count, |from, length, _| write(descriptor, from, length)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(descriptor: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe {
        write_parts(parts, count, |from, length, done| {
            write_at(descriptor, from, length, at + done.cast_signed() as off_t)
        })
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(descriptor: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pwritev(descriptor, parts, count, at) }
}

/// # Safety
/// As `ftruncate(2)`.
unsafe fn resize(descriptor: c_int, length: off_t) -> c_int {
    let file = table::file(descriptor);
    let _turn = file.map(|_| turn());
    // SAFETY: the caller's.
    let result = answer(unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) });
    if let (Some(file), 0) = (file, result) {
        record(Kind::Resized, file, u64::try_from(length).unwrap_or(0), &[]);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { resize(descriptor, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(descriptor: c_int, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { resize(descriptor, length) }
}

/// # Safety
/// As `fallocate(2)`.
unsafe fn allocate(descriptor: c_int, mode: c_int, at: off_t, length: off_t) -> c_int {
    let file = table::file(descriptor);
    let _turn = file.map(|_| turn());
    // SAFETY: the caller's.
    let result = answer(unsafe { libc::syscall(libc::SYS_fallocate, descriptor, mode, at, length) });
    if let (Some(file), 0) = (file, result) {
        match mode {
            // Room that is not content.
            libc::FALLOC_FL_KEEP_SIZE => {}
            0 => {
                // SAFETY: it is a plain structure that the call fills.
                let size = unsafe {
                    let mut state: libc::stat = std::mem::zeroed();
                    libc::fstat(descriptor, &raw mut state);
                    state.st_size
                };
                record(Kind::Resized, file, u64::try_from(size).unwrap_or(0), &[]);
            }
            _ => record(Kind::Unseen, file, 0, &[b"fallocate"]),
        }
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate(descriptor: c_int, mode: c_int, at: off_t, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { allocate(descriptor, mode, at, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate64(descriptor: c_int, mode: c_int, at: off_t, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { allocate(descriptor, mode, at, length) }
}

/// # Safety
/// As `posix_fallocate(3)`.
unsafe fn set_aside(descriptor: c_int, at: off_t, length: off_t) -> c_int {
    // SAFETY: the caller's; and the place of the error number is this thread's.
    unsafe { if allocate(descriptor, 0, at, length) == 0 { 0 } else { *libc::__errno_location() } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_fallocate(descriptor: c_int, at: off_t, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { set_aside(descriptor, at, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_fallocate64(descriptor: c_int, at: off_t, length: off_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { set_aside(descriptor, at, length) }
}

/// # Safety
/// As `mmap(2)`.
unsafe fn map(
    at: *mut c_void,
    length: size_t,
    access: c_int,
    flags: c_int,
    descriptor: c_int,
    from: off_t,
) -> *mut c_void {
    let is_shared = flags & libc::MAP_TYPE != libc::MAP_PRIVATE;
    if let Some(file) = table::file(descriptor).filter(|_| is_shared && access & libc::PROT_WRITE != 0) {
        let _turn = turn();
        record(Kind::Unseen, file, 0, &[b"mmap"]);
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_mmap, at, length, access, flags, descriptor, from) as *mut c_void }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    at: *mut c_void,
    length: size_t,
    access: c_int,
    flags: c_int,
    descriptor: c_int,
    from: off_t,
) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { map(at, length, access, flags, descriptor, from) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    at: *mut c_void,
    length: size_t,
    access: c_int,
    flags: c_int,
    descriptor: c_int,
    from: off_t,
) -> *mut c_void {
    // SAFETY: the caller's.
    unsafe { map(at, length, access, flags, descriptor, from) }
}

// ── syncs ───────────────────────────────────────────────────────────────────────────────────────────────

/// `sync_file_range(2)` has no hook: it promises nothing of what a power cut leaves.
///
/// # Safety
/// As the system call of that number.
unsafe fn sync(call: c_long, descriptor: c_int) -> c_int {
    let Some(file) = table::file(descriptor) else {
        // SAFETY: the caller's.
        return answer(unsafe { libc::syscall(call, descriptor) });
    };
    let number = SYNCS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    {
        let _turn = turn();
        record(Kind::SyncBegan, file, number, &[]);
    }
    // SAFETY: the caller's.
    let result = answer(unsafe { libc::syscall(call, descriptor) });
    if result == 0 {
        let _turn = turn();
        record(Kind::SyncEnded, file, number, &[]);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(descriptor: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { sync(libc::SYS_fsync, descriptor) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { sync(libc::SYS_fdatasync, descriptor) }
}

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────

/// Does something to a name, and notes it.
///
/// # Safety
/// `path` must be a C string.
unsafe fn with_name(kind: Kind, at: c_int, path: *const c_char, act: impl Fn() -> c_long) -> c_int {
    // SAFETY: the caller's.
    let name = if trace::is_on() { Some(unsafe { Name::of(at, path) }).filter(Name::is_watched) } else { None };
    let _turn = name.as_ref().map(|_| turn());
    let result = answer(act());
    if let (Some(name), 0) = (name, result) {
        record(kind, 0, 0, &[name.as_bytes()]);
    }
    result
}

/// The same with two names.
///
/// # Safety
/// Both must be C strings.
unsafe fn with_names(
    kind: Kind,
    (from, old): (c_int, *const c_char),
    (to, new): (c_int, *const c_char),
    act: impl Fn() -> c_long,
) -> c_int {
    // SAFETY: the caller's.
    let names = trace::is_on().then(|| unsafe { (Name::of(from, old), Name::of(to, new)) });
    let names = names.filter(|(old, new)| old.is_watched() || new.is_watched());
    let _turn = names.as_ref().map(|_| turn());
    let result = answer(act());
    if let (Some((old, new)), 0) = (names, result) {
        record(kind, 0, 0, &[old.as_bytes(), b"\0", new.as_bytes()]);
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { renameat2(AT_FDCWD, old, AT_FDCWD, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(from: c_int, old: *const c_char, to: c_int, new: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { renameat2(from, old, to, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat2(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_uint) -> c_int {
    let kind = if flags & libc::RENAME_EXCHANGE == 0 { Kind::Renamed } else { Kind::Unseen };
    // SAFETY: the caller's.
    unsafe {
        with_names(kind, (from, old), (to, new), || libc::syscall(libc::SYS_renameat2, from, old, to, new, flags))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { linkat(AT_FDCWD, old, AT_FDCWD, new, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        with_names(Kind::Linked, (from, old), (to, new), || libc::syscall(libc::SYS_linkat, from, old, to, new, flags))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { unlinkat(AT_FDCWD, path, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { unlinkat(AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    let kind = if flags & libc::AT_REMOVEDIR == 0 { Kind::Unlinked } else { Kind::RemovedFolder };
    // SAFETY: the caller's.
    unsafe { with_name(kind, at, path, || libc::syscall(libc::SYS_unlinkat, at, path, flags)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { mkdirat(AT_FDCWD, path, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdirat(at: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { with_name(Kind::MadeFolder, at, path, || libc::syscall(libc::SYS_mkdirat, at, path, mode)) }
}
