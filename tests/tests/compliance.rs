//! `docs/COMPLIANCE.md` cannot rot: what it names is there.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the repository that hold code.
const CODE: [&str; 6] = ["benches", "crypto", "index", "proto", "tests", "vault"];

/// One obligation's line.
struct Line {
    id: String,
    state: String,
    places: Vec<String>,
    tests: Vec<String>,
}

/// What the repository has.
struct Tree {
    /// Paths from the repository's folder, of files and folders.
    paths: BTreeSet<String>,
    /// Text of every source file.
    sources: BTreeMap<String, String>,
}

impl Tree {
    fn read() -> Self {
        let mut tree = Self { paths: BTreeSet::new(), sources: BTreeMap::new() };
        for folder in CODE.into_iter().chain(["docs"]) {
            tree.paths.insert(folder.to_owned());
            tree.walk(&repository().join(folder));
        }
        tree.paths.insert("deny.toml".to_owned());
        tree
    }

    fn walk(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                self.walk(&path);
            }
            if name.ends_with(".rs") {
                self.sources.insert(name.clone(), fs::read_to_string(&path).unwrap());
            }
            self.paths.insert(name);
        }
    }

    /// Whether some path ends with this one.
    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.paths.iter().any(|known| known == path || known.ends_with(&format!("/{path}")))
    }

    /// Whether there is a function of that name, written out or made by a macro that is given the name.
    fn has_function(&self, name: &str) -> bool {
        let named = |text: &String, before: &str| {
            text.match_indices(&format!("{before}{name}")).any(|(at, found)| {
                let rest = &text[at + found.len()..];
                ["(", "<", " = "].iter().any(|after| rest.starts_with(after))
            })
        };
        self.sources.values().any(|text| named(text, "fn ") || named(text, "    "))
    }

    /// Whether some code that is no test cites an obligation.
    fn cites(&self, id: &str) -> bool {
        let product = |path: &&String| !path.starts_with("tests/") && !path.contains("/tests");
        let cites = |text: &String| {
            text.match_indices(id).any(|(at, found)| {
                let before = text[..at].chars().next_back();
                let after = text[at + found.len()..].chars().next();
                !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
            })
        };
        self.sources.iter().filter(|(path, _)| product(path)).any(|(_, text)| cites(text))
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The words of a cell that stand between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn lines() -> Vec<Line> {
    let text = fs::read_to_string(repository().join("docs/COMPLIANCE.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| O"));
    let line = |row: &str| {
        let row = row.strip_prefix('|').and_then(|row| row.strip_suffix('|')).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        Line { id: cells[0].to_owned(), state: cells[2].to_owned(), places: quoted(cells[3]), tests: quoted(cells[4]) }
    };
    rows.map(line).collect()
}

/// A name that could be a function's.
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[test]
fn every_obligation_has_one_line_that_says_how_it_stands() {
    let mut numbers: Vec<u32> = lines().iter().map(|line| line.id[1..].parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=42).collect::<Vec<_>>());
    for line in lines() {
        let said = ["**met**", "**part**", "**open**"].into_iter().find(|state| line.state.starts_with(state));
        match said {
            Some("**open**") => {}
            Some(_) => {
                assert!(!line.places.is_empty(), "{} names no code", line.id);
                assert!(!line.tests.is_empty(), "{} names no test", line.id);
            }
            None => panic!("{} does not say how it stands", line.id),
        }
        assert!(
            !line.state.starts_with("**part**") || line.state.contains("Open: ") || line.state.contains("Not: "),
            "{} does not say what is open",
            line.id
        );
    }
}

#[test]
fn every_test_and_every_file_that_is_named_is_there() {
    let tree = Tree::read();
    let mut missing = Vec::new();
    for line in lines() {
        for test in line.tests.iter().filter(|test| is_name(test)) {
            if !tree.has_function(test) {
                missing.push(format!("{}: no test {test}", line.id));
            }
        }
        for place in &line.places {
            let is_there = match place.as_str() {
                path if path.ends_with(".rs") || path.ends_with(".toml") || path.contains('/') => tree.has(path),
                name if is_name(name) => tree.has_function(name),
                // A type, a constant, an operation.
                name => tree.sources.values().any(|text| text.contains(name)),
            };
            if !is_there {
                missing.push(format!("{}: no {place}", line.id));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_is_met_is_cited_where_it_is_enforced() {
    let tree = Tree::read();
    let kept = lines().into_iter().filter(|line| !line.state.starts_with("**open**"));
    // No call home is what there is none of.
    let silent: Vec<_> = kept.map(|line| line.id).filter(|id| id != "O36" && !tree.cites(id)).collect();
    assert!(silent.is_empty(), "no code cites {silent:?}");
}

/// What an operation is called in the log is part of the format.
#[test]
fn every_operation_of_the_policy_is_one_of_the_logs() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (policy, format) = (read("docs/POLICY.md"), read("docs/FORMAT.md"));
    let operations = policy.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let operations: Vec<_> = operations.filter(|name| name.contains('.')).collect();
    assert!(operations.len() > 40, "{operations:?}");
    let missing: Vec<_> = operations.into_iter().filter(|name| !format.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "the format does not know {missing:?}");
}
