//! The recorder's trace, read.

use std::path::{Path, PathBuf};

/// What happened, one thing after the other.
pub(crate) struct Trace {
    pub(crate) events: Vec<Event>,
}

/// Something that happened. Names are relative to the folder; `file` is what an [`Event::Opened`] gave that number.
#[derive(Debug)]
pub(crate) enum Event {
    /// A program began: numbers of files begin anew.
    Began,
    Opened {
        file: u32,
        path: PathBuf,
        created: bool,
        truncated: bool,
    },
    Wrote {
        file: u32,
        at: usize,
        bytes: Vec<u8>,
    },
    SyncBegan {
        file: u32,
        sync: u64,
    },
    SyncEnded {
        sync: u64,
    },
    Resized {
        file: u32,
        length: usize,
    },
    Renamed {
        old: PathBuf,
        new: PathBuf,
    },
    Linked {
        old: PathBuf,
        new: PathBuf,
    },
    Unlinked(PathBuf),
    MadeFolder(PathBuf),
    RemovedFolder(PathBuf),
    /// The program said so on standard error.
    Said(String),
    /// Whoever watches the program says so.
    Marked(u64),
}

/// Kind of a record that whoever watches appends, beside those of `tests/recorder/src/trace.rs`.
const MARKED: u32 = 100;
const HEADER: usize = 24;

/// A mark, to be appended by one write.
pub(crate) fn mark(value: u64) -> [u8; HEADER] {
    let mut record = [0; HEADER];
    record[..4].copy_from_slice(&MARKED.to_le_bytes());
    record[8..16].copy_from_slice(&value.to_le_bytes());
    record
}

impl Trace {
    /// Reads a trace of what was done in `folder`.
    ///
    /// # Panics
    /// Where something was done that a trace does not tell: then it is not the whole truth.
    pub(crate) fn read(trace: &[u8], folder: &Path) -> Self {
        let mut events = Vec::new();
        let mut rest = trace;
        while let Some((header, after)) = rest.split_at_checked(HEADER) {
            let int = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
            let (kind, file, at) = (int(0), int(4), long(8));
            let length = usize::try_from(long(16)).unwrap();
            // A process that was killed while it wrote.
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            rest = after;
            events.push(event(kind, file, at, payload, folder));
        }
        Self { events }
    }
}

fn event(kind: u32, file: u32, at: u64, payload: &[u8], folder: &Path) -> Event {
    use std::os::unix::ffi::OsStrExt as _;
    let below = |name: &[u8]| {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        name.strip_prefix(folder).unwrap_or_else(|_| panic!("{} is not in the folder", name.display())).to_owned()
    };
    let both = || {
        let (old, new) = payload.split_at(payload.iter().position(|byte| *byte == 0).expect("two names"));
        (below(old), below(&new[1..]))
    };
    let size = || usize::try_from(at).unwrap();
    match kind {
        1 => Event::Began,
        2 => Event::Opened { file, path: below(payload), created: at & 1 != 0, truncated: at & 2 != 0 },
        3 => Event::Wrote { file, at: size(), bytes: payload.to_vec() },
        4 => Event::SyncBegan { file, sync: at },
        5 => Event::SyncEnded { sync: at },
        6 => Event::Resized { file, length: size() },
        7 => {
            let (old, new) = both();
            Event::Renamed { old, new }
        }
        8 => Event::Unlinked(below(payload)),
        9 => Event::MadeFolder(below(payload)),
        10 => Event::RemovedFolder(below(payload)),
        11 => {
            let (old, new) = both();
            Event::Linked { old, new }
        }
        12 => Event::Said(String::from_utf8_lossy(payload).into_owned()),
        13 => panic!("something was written that is not in the trace, by {}", String::from_utf8_lossy(payload)),
        MARKED => Event::Marked(at),
        unknown => panic!("a record of the unknown kind {unknown}"),
    }
}
