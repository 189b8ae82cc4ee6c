//! What the processor must be able to do.

use crate::Error;

/// Checks that the processor has every instruction the native code was compiled for.
///
/// To be called once, before anything else of this crate: without the check an older processor would
/// end the process with an illegal instruction somewhere in RocksDB, and say nothing.
///
/// # Errors
/// [`Error::MissingCpuFeatures`] names what is missing.
pub fn require() -> Result<(), Error> {
    let missing = absent(&detected());
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingCpuFeatures { missing: missing.join(", ") }) }
}

type Feature = (&'static str, bool);

/// One entry for each instruction set that `.cargo/config.toml` enables for C++.
#[cfg(target_arch = "x86_64")]
fn detected() -> [Feature; 5] {
    [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("f16c", std::arch::is_x86_feature_detected!("f16c")),
        ("popcnt", std::arch::is_x86_feature_detected!("popcnt")),
        ("pclmulqdq", std::arch::is_x86_feature_detected!("pclmulqdq")),
    ]
}

/// Elsewhere the native code is compiled for the architecture's baseline.
#[cfg(not(target_arch = "x86_64"))]
fn detected() -> [Feature; 0] {
    []
}

fn absent(features: &[Feature]) -> Vec<&'static str> {
    features.iter().filter(|(_, present)| !present).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_runs_the_tests_has_the_features() {
        require().unwrap();
    }

    #[test]
    fn only_the_missing_features_are_named() {
        assert_eq!(absent(&[("avx2", false), ("fma", true), ("f16c", false)]), ["avx2", "f16c"]);
        assert!(absent(&[("avx2", true)]).is_empty());
    }
}
