#![allow(clippy::unwrap_used)]

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Line::command().debug_assert();
}

#[test]
fn help_documents_the_exit_codes_and_every_default_purpose() {
    let help = Line::command().render_long_help().to_string();
    assert!(help.contains("Exit codes:"), "{help}");
    for noun in ["enroll", "verify", "search", "erase", "import"] {
        let mut line = Line::command();
        line.build();
        let help = line.find_subcommand_mut(noun).unwrap().render_long_help().to_string();
        assert!(help.contains("Purpose by default"), "{noun}: {help}");
    }
}

#[test]
fn global_flags_stand_anywhere() {
    for arguments in
        [["lethe", "--tenant", "acme", "--json", "key", "list"], ["lethe", "key", "list", "--json", "--tenant", "acme"]]
    {
        let line = Line::try_parse_from(arguments).unwrap();
        assert!(line.json);
        assert_eq!(line.connection.tenant.as_deref(), Some("acme"));
    }
}

#[test]
fn a_key_is_not_shown_where_arguments_are_refused() {
    for arguments in [
        vec!["lethe", "--key", "s3cret", "nonsense"],
        vec!["lethe", "--key", "s3cret", "--key-file", "x", "key", "list"],
        vec!["lethe", "--key", "s3cret", "verify"],
    ] {
        let error = Line::try_parse_from(arguments).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn completions_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lethe.bash");
    completions(Shell::Bash, Some(path.clone())).unwrap();
    let script = std::fs::read_to_string(path).unwrap();
    for word in ["serve", "receipt", "--key-file", "privacy_officer"] {
        assert!(script.contains(word), "{word}");
    }
}
