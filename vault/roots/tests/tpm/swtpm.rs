//! A software TPM, started and stopped by the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::root::{RootStore, StoreKind};
use lethe_roots::tpm::{TpmOptions, TpmRootStore};

use crate::conformance::*;

pub(crate) const SECRET: &str = "what the indices are authorised with";

pub(crate) struct Swtpm {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

pub(crate) fn secret(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Two ports in a row: the library looks for the control channel behind the data channel.
pub(crate) fn free_ports() -> u16 {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

impl Swtpm {
    pub(crate) fn new() -> Self {
        let mut tpm = Self { directory: tempfile::tempdir().unwrap(), port: free_ports(), child: None };
        secret(&tpm.auth_file(), SECRET);
        fs::create_dir(tpm.state()).unwrap();
        tpm.start();
        tpm
    }

    pub(crate) fn start(&mut self) {
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
        while TcpStream::connect(("127.0.0.1", self.port + 1)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "swtpm did not start");
            std::thread::yield_now();
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn auth_file(&self) -> PathBuf {
        self.directory.path().join("auth")
    }

    pub(crate) fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    pub(crate) fn options(&self) -> TpmOptions {
        TpmOptions { tcti: self.tcti(), min_interval: Duration::ZERO, ..TpmOptions::new(self.auth_file()) }
    }

    pub(crate) fn store(&self) -> TpmRootStore {
        TpmRootStore::open(self.options()).unwrap()
    }

    /// What the store derives from its file.
    pub(crate) fn auth(&self) -> Vec<u8> {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        ring::hmac::sign(&key, b"lethe/v1/root/tpm-auth").as_ref().to_vec()
    }

    /// The key of the root in the first index for roots. No store may be open.
    pub(crate) fn root_key(&self) -> Vec<u8> {
        let file = self.directory.path().join("read");
        let auth = format!("hex:{}", hex::encode(self.auth()));
        let (index, path) = ("0x018a4c01", file.display().to_string());
        self.tool("tpm2_nvread", &[index, "-C", index, "-P", &auth, "-o", &path]);
        let root = fs::read(file).unwrap();
        assert_eq!(root.len(), 58);
        root[26..].to_vec()
    }

    /// A tool of tpm2-tools, which must succeed. It needs the TPM to itself.
    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let run = self.run_tool(name, arguments);
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    pub(crate) fn tool_succeeds(&self, name: &str, arguments: &[&str]) -> bool {
        self.run_tool(name, arguments).status.success()
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

impl Fixture for Swtpm {
    fn open(&self) -> Arc<dyn RootStore> {
        Arc::new(self.store())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Tpm
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.store(), self.options())
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }
}
