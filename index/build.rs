//! Compiles the heap that wipes what it is given back.

fn main() {
    println!("cargo:rerun-if-changed=shim/heap.cpp");
    println!("cargo:rerun-if-changed=shim/heap.h");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/heap.cpp")
        // Functions are replaced by being there: the C library must not be asked for them first.
        .link_lib_modifier("+whole-archive")
        .opt_level(3)
        .compile("lethe_heap");
}
