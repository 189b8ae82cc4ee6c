//! Servers as processes of their own, started from this very program.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::Error;

/// What a child prints when it answers, followed by its endpoint.
pub const READY: &str = "ready ";

/// What a child prints before that if it made an operator's key, followed by the key.
pub const KEY: &str = "key ";

/// How long a server may take to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ties this process to the one that started it, however that one ends; for children to call first.
///
/// # Errors
/// [`Error::Io`] if the system refuses.
pub fn end_with_parent() -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::io("tying a server to its parent")(error.into()))
}

/// A server of ours in a process of its own; ended when dropped.
pub struct Child {
    process: std::process::Child,
    endpoint: String,
    key: Option<String>,
    start: Instant,
}

impl Child {
    /// Starts this program with `arguments`, on some `cores` if they are given, and waits for its [`READY`] line.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be started, [`Error::Invalid`] if it ends before it is ready.
    pub fn start(arguments: &[OsString], cores: Option<&str>) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let mut command = match cores {
            None => Command::new(program),
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", cores]).arg(program);
                command
            }
        };
        let start = Instant::now();
        let mut process = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting a server"))?;
        let output = process.stdout.take();
        // From here on the process is ended whatever happens.
        let mut child = Self { process, endpoint: String::new(), key: None, start };
        let Some(output) = output else {
            return Err(Error::invalid("a server without output"));
        };
        for line in BufReader::new(output).lines() {
            let line = line.map_err(Error::io("reading a server's output"))?;
            if let Some(key) = line.strip_prefix(KEY) {
                child.key = Some(key.to_owned());
            } else if let Some(endpoint) = line.strip_prefix(READY) {
                child.endpoint = endpoint.to_owned();
                return Ok(child);
            }
        }
        let status = child.process.wait().map_err(Error::io("waiting for a server"))?;
        Err(Error::invalid(format!("a server ended before it was ready: {status}")))
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The operator's key, at the first start of a vault.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The process' number.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// How long ago it was started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.start.elapsed()
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be asked; [`Error::Invalid`] if it fails in ending, or does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        if let Some(number) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            kill_process(number, Signal::TERM).map_err(|error| Error::io("ending a server")(error.into()))?;
        }
        let begin = Instant::now();
        let status = loop {
            match self.process.try_wait().map_err(Error::io("waiting for a server"))? {
                Some(status) => break status,
                None if begin.elapsed() > PATIENCE => return Err(Error::invalid("a server does not end")),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        if status.success() { Ok(()) } else { Err(Error::invalid(format!("a server ended badly: {status}"))) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Already gone is as good as gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
