//! A terminal in which commands are typed one after the other, in one shell, so that what is exported stays.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt as _;

use lethe_tests::PATIENCE;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::readme::Typed;

/// A shell at work, in a process group of its own. It is killed with the value, and what it began.
pub(crate) struct Terminal {
    shell: Child,
    /// What each command said and how it ended, in files of their own.
    records: PathBuf,
    /// What is typed at a prompt.
    typed: Option<std::process::ChildStdin>,
}

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Done {
    pub(crate) fn first_line(&self) -> &str {
        self.out.lines().next().unwrap_or_default()
    }
}

impl Terminal {
    /// Types commands in a folder.
    pub(crate) fn begin(name: &str, folder: &Path, commands: &[Typed], environment: &[(&str, &str)]) -> Self {
        let (script, records) = script(name, folder, commands);
        let mut command = Command::new("sh");
        command.arg(script).stdin(Stdio::null());
        Self { shell: spawn(command, folder, environment), records, typed: None }
    }

    /// The same where somebody sits, who types this when asked.
    pub(crate) fn begin_attended(
        name: &str,
        folder: &Path,
        commands: &[Typed],
        environment: &[(&str, &str)],
        answers: &str,
    ) -> Self {
        let (script, records) = script(name, folder, commands);
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &format!("sh {}", script.display()), "/dev/null"]);
        command.stdin(Stdio::piped());
        let mut shell = spawn(command, folder, environment);
        let mut typed = shell.stdin.take().unwrap();
        typed.write_all(answers.as_bytes()).unwrap();
        // It stays open: who sits at a terminal does not hang up.
        Self { shell, records, typed: Some(typed) }
    }

    /// Waits until a command has said something that is looked for.
    pub(crate) async fn until<T>(&mut self, number: usize, look: impl Fn(&str) -> Option<T>) -> T {
        let said = self.records.join(format!("{number}.out"));
        self.wait(number, move || look(&fs::read_to_string(&said).unwrap_or_default())).await
    }

    /// Waits until a command has ended.
    pub(crate) async fn done(&mut self, number: usize) -> Done {
        let file = |kind: &str| self.records.join(format!("{number}.{kind}"));
        let (out, err, code) = (file("out"), file("err"), file("code"));
        let code = self.wait(number, || fs::read_to_string(&code).ok()?.trim().parse().ok()).await;
        Done { out: fs::read_to_string(out).unwrap(), err: fs::read_to_string(err).unwrap(), code }
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill_process_group(self.group(), Signal::INT).unwrap();
    }

    async fn wait<T>(&mut self, number: usize, mut look: impl FnMut() -> Option<T>) -> T {
        let waiting = async {
            loop {
                let over = self.shell.try_wait().unwrap().is_some();
                if let Some(found) = look() {
                    return found;
                }
                assert!(!over, "the shell has ended before command {number}: {}", self.all());
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("command {number} takes for ever: {}", self.all()))
    }

    /// All that was said up to now, for who looks why it failed.
    fn all(&self) -> String {
        let mut paths: Vec<_> = fs::read_dir(&self.records).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().fold(String::new(), |mut all, path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let _ = writeln!(all, "\n--- {}\n{text}", path.display());
            all
        })
    }

    fn group(&self) -> Pid {
        i32::try_from(self.shell.id()).ok().and_then(Pid::from_raw).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.typed.take());
        if self.shell.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process_group(self.group(), Signal::KILL);
            drop(self.shell.wait());
        }
    }
}

fn spawn(mut command: Command, folder: &Path, environment: &[(&str, &str)]) -> Child {
    let path = std::env::var("PATH").unwrap();
    // No variable of this process but the path, above all none that the program reads.
    command.env_clear().env("PATH", path).env("HOME", folder).envs(environment.iter().copied());
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().unwrap_or_else(|failure| panic!("cannot run {command:?}: {failure}"))
}

/// The commands word for word, each between braces, so that it is run by the shell itself and leaves what it said.
fn script(name: &str, folder: &Path, commands: &[Typed]) -> (PathBuf, PathBuf) {
    let records = folder.join(format!("{name}.said"));
    fs::create_dir(&records).unwrap();
    // Ctrl-C is for the command, not for the shell that waits for it.
    let mut text = String::from("trap : INT\n");
    for (number, command) in commands.iter().enumerate() {
        let record = records.join(number.to_string());
        let record = record.display();
        let typed = &command.text;
        writeln!(text, "{{\n{typed}\n}} >{record}.out 2>{record}.err\necho $? >{record}.code").unwrap();
    }
    let script = folder.join(format!("{name}.sh"));
    fs::write(&script, text).unwrap();
    (script, records)
}
