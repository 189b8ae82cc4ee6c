use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::lethe;
use crate::home::Home;
use crate::running::Running;
use crate::vault::Vault;

/// A run of the `lethe` command, other than a server: it says JSON, and knows nothing of this process' environment.
#[must_use = "a command does nothing until it is run"]
pub struct Cli(Command);

/// What a command said at its end.
#[derive(Debug)]
pub struct Told {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said on standard output, an object a line.
    pub said: Vec<Value>,
    /// What it said on standard error.
    pub errors: String,
}

impl Cli {
    /// The command with these arguments.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(lethe());
        command.env_clear().arg("--json").args(arguments).stdin(Stdio::null());
        Self(command)
    }

    /// A command that was put together elsewhere.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self(command)
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// Some more arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    /// As who looks after the vault in this folder with the server stopped: with its root keys, its mirror and its data.
    pub fn offline(mut self, home: &Home) -> Self {
        self.0.current_dir(home.path()).arg("--data-dir").arg(home.data());
        self.0.arg("--root-replica").arg(home.root(0)).args(["--set", "storage.reserve_mib=16"]);
        self.0.arg("--set").arg(format!("mirror.paths={}", home.mirror().display()));
        self
    }

    /// As the operator of a running server.
    pub async fn operator(self, vault: &Vault) -> Self {
        self.holding(vault, &vault.operator_key()).await
    }

    /// As who holds an API key of a running server.
    pub async fn holding(self, vault: &Vault, key: &str) -> Self {
        let mut this = self.asking(vault).await;
        this.0.env("LETHE_KEY", key);
        this
    }

    /// Of a running server, with no key.
    pub async fn asking(self, vault: &Vault) -> Self {
        let address = vault.address().await;
        self.arg("--endpoint").arg(format!("http://{address}"))
    }

    /// Runs it with some more arguments.
    pub fn run_with(mut self, arguments: &[&str]) -> Told {
        self.0.args(arguments);
        self.run()
    }

    /// Runs it to its end, with this on its standard input.
    pub fn run_on(mut self, input: &[u8]) -> Told {
        let mut given = tempfile::tempfile().unwrap();
        given.write_all(input).unwrap();
        given.rewind().unwrap();
        self.0.stdin(given);
        self.run()
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Told {
        let output = self.0.output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let said = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Told { status: output.status, said, errors: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Runs it beside the test, for one that does not end by itself.
    pub fn start(self) -> Running {
        Running::start(self.0)
    }

    /// Kills it after a while; whether it had ended by itself.
    pub async fn kill_after(mut self, delay: Duration) -> bool {
        let mut child = self.0.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(delay).await;
        let ended = child.try_wait().unwrap().is_some();
        drop(child.kill());
        child.wait().unwrap();
        ended
    }
}

impl Told {
    /// What it said, where it ended well and said one thing.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "that it ended well may be all that is wanted")]
    pub fn one(mut self) -> Value {
        assert!(self.status.success(), "{}: {}", self.status, self.errors);
        assert_eq!(self.said.len(), 1, "{:?}", self.said);
        self.said.remove(0)
    }

    /// Why it did not end well, where that is all that it said: the exit code is told twice, and is the same.
    ///
    /// # Panics
    /// Otherwise.
    #[must_use]
    #[track_caller]
    pub fn failure(&self) -> Value {
        assert!(!self.status.success() && self.said.is_empty(), "{self:?}");
        let told: Value = serde_json::from_str(self.errors.trim()).unwrap_or_else(|_| panic!("{self:?}"));
        assert_eq!(told["error"]["exit"], self.code(), "{told}");
        told["error"].clone()
    }

    /// Its exit code.
    ///
    /// # Panics
    /// If a signal ended it.
    #[must_use]
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap()
    }
}
