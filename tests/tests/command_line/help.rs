//! Every command has `--help`.

use std::process::{Command, Output};

use lethe_tests::lethe;

fn lethe_with(arguments: &[&str]) -> Output {
    Command::new(lethe()).args(arguments).env_clear().output().unwrap()
}

fn help(path: &[&str]) -> String {
    let asked = lethe_with(&[path, &["--help"]].concat());
    assert_eq!(asked.status.code(), Some(0), "{path:?}");
    assert!(asked.stderr.is_empty(), "{path:?}");
    String::from_utf8(asked.stdout).unwrap()
}

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_explains_itself() {
    let top = help(&[]);
    for code in 0..=7 {
        assert!(top.contains(&format!("\n  {code}  ")), "exit code {code}: {top}");
    }
    assert!(top.contains("[default: http://127.0.0.1:7443]"), "where a server is by default: {top}");
    let mut commands = 0;
    for name in below(&top) {
        let own = help(&[&name]);
        assert!(own.contains("Usage: lethe "), "{name}: {own}");
        commands += 1;
        for part in below(&own) {
            let own = help(&[&name, &part]);
            assert!(own.contains(&format!("Usage: lethe {name} {part}")), "{name} {part}: {own}");
            commands += 1;
        }
    }
    assert!(commands >= 40, "{commands}");
    assert!(help(&["log", "proof"]).contains("Usage: lethe audit proof"), "what it was called before is understood");
    assert_eq!(lethe_with(&["--version"]).stdout, format!("lethe {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[test]
fn what_cannot_be_read_is_a_mistake_of_usage() {
    for arguments in [
        &[][..],
        &["forget"],
        &["tenant"],
        &["enroll", "p-1"],
        &["erase"],
        &["search", "--npy", "faces.npy"],
        &["search", "--embedding", "-", "--purpose", "curiosity"],
        &["verify", "p-1", "--embedding", "-", "--model", "face"],
        &["enroll", "p-1", "--embedding", "-", "--model", "face@1", "--quality", "good"],
        &["erase", "p-1", "--request-id", "again"],
        &["tenant", "create", "acme"],
        &["tenant", "create", "acme", "--basis", "authentication=because"],
        &["key", "create", "--role", "king"],
        &["key", "create", "--role", "operator"],
        &["key", "create", "--role", "auditor", "--expires", "soon"],
        &["model", "update", "face@1"],
        &["import", "faces.npy", "--model", "face@1", "--quality", "1", "--window", "0"],
        &["subject", "get", "p-1", "--timeout", "0"],
        &["--key", "s3cret", "--key-file", "s3cret.key", "key", "list"],
    ] {
        let refused = lethe_with(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{arguments:?}");
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("s3cret\n"), "{arguments:?}");
    }
}

#[test]
fn completions_are_for_the_shell_that_is_named() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = lethe_with(&["completions", shell]);
        assert_eq!(script.status.code(), Some(0), "{shell}");
        assert!(String::from_utf8(script.stdout).unwrap().contains("checkpoint"), "{shell}");
    }
    let checked = Command::new("sh").args(["-c", "\"$0\" completions bash | bash -n"]).arg(lethe()).status().unwrap();
    assert!(checked.success(), "bash does not take it");
}
