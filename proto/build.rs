//! Compiles `lethe/v1/*.proto` with protox (no `protoc` needed) into the modules of this crate and
//! a descriptor set for server reflection.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_types::FileDescriptorSet;

/// Messages whose generated `Debug` would show an embedding, an API key or whose login it is; `redact.rs` has theirs.
const REDACTED: [&str; 3] = ["lethe.v1.Capture", "lethe.v1.IssuedCredential", "lethe.v1.Login"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("lethe/v1");
    println!("cargo::rerun-if-changed={}", folder.display());

    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "proto"));
    files.sort();

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("methods.rs"), methods(&descriptors))?;
    tonic_prost_build::configure().skip_debug(REDACTED).emit_rerun_if_changed(false).compile_fds(descriptors)?;
    Ok(())
}

/// Rust source of the table behind `methods()`.
fn methods(descriptors: &FileDescriptorSet) -> String {
    let mut source = String::from("const METHODS: &[Method] = &[\n");
    for file in descriptors.file.iter().filter(|file| file.package() == "lethe.v1") {
        for service in &file.service {
            for method in &service.method {
                source += &format!(
                    "    Method {{ service: {:?}, method: {:?}, request: {:?}, streaming: {} }},\n",
                    format!("{}.{}", file.package(), service.name()),
                    method.name(),
                    method.input_type().trim_start_matches('.'),
                    method.client_streaming() || method.server_streaming(),
                );
            }
        }
    }
    source + "];\n"
}
