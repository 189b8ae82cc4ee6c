use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::watch;

use crate::PATIENCE;

/// Lines of the log that a failing test shows.
const SHOWN: usize = 80;

/// How a server ended.
#[derive(Debug)]
pub struct Exited {
    /// Its status: a code, or a signal.
    pub status: ExitStatus,
    /// Everything it wrote to standard error in this run.
    pub log: String,
}

/// A running server. It is killed with the value.
pub(crate) struct Process {
    child: Child,
    said: watch::Receiver<Said>,
    log: PathBuf,
    /// Where this run's log begins.
    log_start: usize,
}

/// What a server told on standard output.
#[derive(Debug, Clone, Default)]
struct Said {
    /// The line that says where it listens.
    listening: Option<Value>,
    /// Standard output was closed: the process is over.
    over: bool,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Self {
        let errors = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let log_start = usize::try_from(errors.metadata().unwrap().len()).unwrap();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn();
        let mut child = spawned.unwrap_or_else(|failure| panic!("cannot run {command:?}: {failure}"));
        let (sender, said) = watch::channel(Said::default());
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || listen(stdout, &sender));
        Self { child, said, log: log.to_owned(), log_start }
    }

    /// Waits until it serves; the endpoint, or how it ended instead.
    pub(crate) async fn serving(&mut self) -> Result<String, Exited> {
        let listening = {
            let told = self.said.wait_for(|said| said.over || said.listening.is_some());
            let told = tokio::time::timeout(PATIENCE, told).await.expect("the server neither starts nor ends").unwrap();
            told.listening.clone()
        };
        match listening {
            Some(line) => Ok(line["endpoint"].as_str().expect("the server tells its endpoint").to_owned()),
            None => Err(self.exited().await),
        }
    }

    /// The line that says where it listens; null before it does.
    pub(crate) fn told(&self) -> Value {
        self.said.borrow().listening.clone().unwrap_or_default()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn exited(&mut self) -> Exited {
        let over = self.said.wait_for(|said| said.over);
        tokio::time::timeout(PATIENCE, over).await.expect("the server does not end").unwrap();
        let status = self.child.wait().unwrap();
        Exited { status, log: self.log_of_this_run() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM: finish what is at work, then stop.
    pub(crate) fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), Signal::TERM).unwrap();
    }

    /// SIGKILL: what a crash of the process leaves.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().unwrap();
        self.exited().await;
    }

    fn log_of_this_run(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(self.log_start..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Waited for, too: the folder is deleted next.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let log = self.log_of_this_run();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- the server's log ---\n{}\n--- end of the server's log ---", shown.join("\n"));
        }
    }
}

fn listen(stdout: ChildStdout, said: &watch::Sender<Said>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        if event["event"] == "listening" {
            said.send_modify(|said| said.listening = Some(event));
        }
    }
    said.send_modify(|said| said.over = true);
}
