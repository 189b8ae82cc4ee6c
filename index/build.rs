//! Compiles the shim over FAISS's public headers, and the heap that wipes what it is given back.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=shim/pq4.cpp");
    println!("cargo:rerun-if-changed=shim/pq4.h");
    println!("cargo:rerun-if-changed=shim/heap.cpp");
    println!("cargo:rerun-if-changed=shim/heap.h");
    println!("cargo:rerun-if-env-changed=DEP_FAISS_C_ROOT");
    let Some(root) = env::var_os("DEP_FAISS_C_ROOT").map(PathBuf::from) else {
        println!("cargo:warning=faiss-sys did not say where FAISS was built");
        println!("cargo:warning=(DEP_FAISS_C_ROOT is empty: its `static` feature must be on)");
        return ExitCode::FAILURE;
    };
    // `cc` reads the same CXXFLAGS that FAISS was compiled with. This is more than speed: the SIMD
    // types cross the boundary between the two by value, so both sides must agree on what they are.
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/pq4.cpp")
        .file("shim/heap.cpp")
        // Functions are replaced by being there: the C library must not be asked for them first.
        .link_lib_modifier("+whole-archive")
        .include(root.join("include"))
        .flag_if_supported("-fopenmp")
        .flag_if_supported("-Wno-unused-parameter")
        .flag_if_supported("-Wno-sign-compare")
        .flag_if_supported("-Wno-unknown-pragmas")
        .opt_level(3)
        .compile("lethe_pq4");
    ExitCode::SUCCESS
}
