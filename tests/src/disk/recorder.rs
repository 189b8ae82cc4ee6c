use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::trace::{Trace, mark};
use crate::binary::recorder;
use crate::{Home, Setup};

/// Records what servers do to the files of one folder.
#[derive(Clone)]
pub(crate) struct Recorder {
    /// The trace lies in a folder of its own.
    place: Arc<TempDir>,
    trace: Arc<File>,
    watched: PathBuf,
}

impl Recorder {
    /// Of this vault's folder.
    pub(crate) fn of(home: &Home) -> Self {
        let place = tempfile::Builder::new().prefix("lethe-trace-").tempdir().unwrap();
        let trace = OpenOptions::new().create(true).append(true).open(place.path().join("trace")).unwrap();
        // As the server names it.
        let watched = home.path().to_owned();
        Self { place: Arc::new(place), trace: Arc::new(trace), watched }
    }

    /// Has what is started recorded.
    pub(crate) fn watch(&self, setup: Setup) -> Setup {
        let text = |path: &Path| path.to_str().expect("a folder of a test has a plain name").to_owned();
        setup
            .env("LD_PRELOAD", &text(&recorder()))
            .env("LETHE_RECORD", &text(&self.watched))
            .env("LETHE_RECORD_TO", &text(&self.path()))
    }

    /// Says something in the trace: what was done before is above it.
    pub(crate) fn mark(&self, value: u64) {
        (&*self.trace).write_all(&mark(value)).unwrap();
    }

    /// Everything so far.
    pub(crate) fn read(&self) -> Trace {
        Trace::read(&std::fs::read(self.path()).unwrap(), &self.watched)
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("trace")
    }
}
