//! `docs/POLICY.md` is what the tables say.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

/// With `LETHE_WRITE_DOCS` set it writes the document instead.
#[test]
fn the_document_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/POLICY.md");
    let document = lethe_policy::document();
    if std::env::var_os("LETHE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(there == document, "docs/POLICY.md differs from the tables: run this test with LETHE_WRITE_DOCS=1");
}
