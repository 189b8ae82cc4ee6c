use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{ports, program, secret};

/// What is in [`Swtpm::auth_file`].
pub const SECRET: &str = "what the indices are authorised with";

/// A software TPM 2.0, on ports of its own. It serves one connection at a time.
#[derive(Debug)]
pub struct Swtpm {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

/// The first of two free ports in a row: the library looks for the control channel behind the data channel.
#[must_use]
pub fn free_ports() -> u16 {
    ports::free(20_000..32_000)
}

impl Default for Swtpm {
    fn default() -> Self {
        Self::new()
    }
}

impl Swtpm {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut tpm = Self::empty();
        tpm.start_somewhere();
        tpm
    }

    /// Another one, with the state of this one, as of a snapshot.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut copy = Self::empty();
        fs::copy(self.memory(), copy.memory()).unwrap();
        copy.start_somewhere();
        copy
    }

    fn empty() -> Self {
        let tpm = Self { directory: tempfile::tempdir().unwrap(), port: free_ports(), child: None };
        secret(&tpm.auth_file(), SECRET);
        fs::create_dir(tpm.state()).unwrap();
        tpm
    }

    /// Starts it for the first time, on ports that nobody took meanwhile.
    fn start_somewhere(&mut self) {
        for _ in 0..ports::TRIES {
            if self.starts() {
                return;
            }
            self.port = free_ports();
        }
        panic!("swtpm does not start");
    }

    /// Starts it again, with the state it had.
    pub fn start(&mut self) {
        assert!(self.starts(), "swtpm did not start");
    }

    /// Starts it, unless its ports are taken.
    fn starts(&mut self) -> bool {
        let child = Command::new(program("swtpm"))
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg(format!("--tpmstate=dir={}", self.state().display()))
            .arg(format!("--server=type=tcp,port={},bindaddr=127.0.0.1", self.port))
            .arg(format!("--ctrl=type=tcp,port={},bindaddr=127.0.0.1", self.port + 1))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let child = self.child.insert(child);
        while !answers(self.port + 1) {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::yield_now();
        }
        // Somebody else may have answered where it could not listen.
        child.try_wait().unwrap().is_none()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it is: it is there, and answers nothing.
    pub fn hang(&self) {
        crate::signal(self.child.as_ref(), Signal::STOP);
    }

    /// It goes on.
    pub fn go_on(&self) {
        crate::signal(self.child.as_ref(), Signal::CONT);
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A folder for what belongs to it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The folder that it keeps its state in.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The file that its non-volatile memory is: the medium.
    #[must_use]
    pub fn memory(&self) -> PathBuf {
        self.state().join("tpm2-00.permall")
    }

    /// Where the secret of whoever uses it is.
    #[must_use]
    pub fn auth_file(&self) -> PathBuf {
        self.directory.path().join("auth")
    }

    /// How it is reached.
    #[must_use]
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// A tool of tpm2-tools, which must succeed. It needs the TPM to itself.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let run = self.run_tool(name, arguments);
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// Whether such a tool succeeds.
    #[must_use]
    pub fn tool_succeeds(&self, name: &str, arguments: &[&str]) -> bool {
        self.run_tool(name, arguments).status.success()
    }

    /// Ends the sessions of a process that was killed, and drops its keys: what the kernel's resource manager does when it
    /// closes. This TPM has none, and room for three of each. One that is not there has none of them either.
    pub fn resource_manager(&self) -> impl Fn() + Send + Sync + 'static {
        let (tcti, port) = (self.tcti(), self.port);
        move || {
            if TcpStream::connect(("127.0.0.1", port + 1)).is_err() {
                return;
            }
            for left in ["--loaded-session", "--transient-object"] {
                let mut flush = Command::new(program("tpm2_flushcontext"));
                let run = flush.arg(left).env("TPM2TOOLS_TCTI", &tcti).output().unwrap();
                assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            }
        }
    }

    fn run_tool(&self, name: &str, arguments: &[&str]) -> std::process::Output {
        Command::new(program(name)).args(arguments).env("TPM2TOOLS_TCTI", self.tcti()).output().unwrap()
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether it answers at its control port. It listens there a moment before it listens for commands, but answers when it does both.
fn answers(control: u16) -> bool {
    const GET_CAPABILITY: [u8; 4] = 1_u32.to_be_bytes();
    TcpStream::connect(("127.0.0.1", control)).is_ok_and(|mut connection| {
        connection.write_all(&GET_CAPABILITY).is_ok() && connection.read_exact(&mut [0; 4]).is_ok()
    })
}
