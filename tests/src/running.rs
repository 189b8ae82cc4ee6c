use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::{PATIENCE, Told};

/// A command that runs on. It is killed with the value.
pub struct Running {
    child: Child,
    errors: watch::Receiver<Errors>,
}

/// What a command said on standard error.
#[derive(Debug, Default)]
struct Errors {
    text: String,
    over: bool,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, errors) = watch::channel(Errors::default());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sender.send_modify(|errors| errors.text += &format!("{line}\n"));
            }
            sender.send_modify(|errors| errors.over = true);
        });
        Self { child, errors }
    }

    /// Waits until it said something on standard error.
    ///
    /// # Panics
    /// When it does not, or ends.
    pub async fn says(&mut self, text: &str) {
        let said = self.errors.wait_for(|errors| errors.over || errors.text.contains(text));
        let said = timeout(PATIENCE, said).await.expect("it says nothing of the kind").unwrap();
        assert!(said.text.contains(text), "it ended: {}", said.text);
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself; how, without what it said on standard output.
    pub async fn ended(mut self) -> Told {
        let over = self.errors.wait_for(|errors| errors.over);
        let errors = timeout(PATIENCE, over).await.expect("it does not end").unwrap().text.clone();
        Told { status: self.child.wait().unwrap(), said: Vec::new(), errors }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
