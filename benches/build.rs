//! Notes what was built, for the reports: the compiler and the versions of the peers.

use std::process::Command;
use std::{env, fs};

/// Packages whose versions a reader of a benchmark wants to know.
const NAMED: [&str; 5] = ["faiss", "faiss-sys", "librocksdb-sys", "rocksdb", "tonic"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");

    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let compiler = Command::new(compiler).arg("--version").output();
    let compiler = compiler.ok().and_then(|out| String::from_utf8(out.stdout).ok());
    let mut versions = vec![compiler.as_deref().unwrap_or("rustc of unknown version").trim().to_owned()];

    let lock = fs::read_to_string("../Cargo.lock").unwrap_or_default();
    for package in lock.split("[[package]]") {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version)) = (field("name"), field("version"))
            && NAMED.contains(&name.as_str())
        {
            versions.push(format!("{name} {version}"));
        }
    }
    println!("cargo::rustc-env=LETHE_BENCH_VERSIONS={}", versions.join(", "));
}
