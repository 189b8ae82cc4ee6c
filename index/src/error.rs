use thiserror::Error;

/// What can go wrong in the index. Messages name sizes and limits, never a vector's content.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The CPU lacks instructions that the native code was compiled for.
    #[error("this CPU lacks {missing}, which Lethe is compiled for (x86-64-v3 is needed)")]
    MissingCpuFeatures {
        /// The missing features, as Linux spells them in `/proc/cpuinfo`.
        missing: String,
    },
    /// A dimension that is no power of two from 64 to 4096.
    #[error("a dimension of {dim} is not supported: it must be a power of two from 64 to 4096")]
    UnsupportedDimension {
        /// The dimension asked for.
        dim: usize,
    },
    /// A vector of the wrong length.
    #[error("a vector of {found} coordinates was given where {expected} are expected")]
    Dimension {
        /// The dimension of the quantizer or index.
        expected: usize,
        /// The length given.
        found: usize,
    },
    /// A vector with a coordinate that is infinite or not a number.
    #[error("a vector holds a coordinate that is not finite")]
    NotFinite,
    /// A vector whose length is not 1.
    #[error("a vector of length {norm} was given where a unit vector is expected")]
    NotUnit {
        /// Its Euclidean length.
        norm: f32,
    },
    /// A centre that cannot be the mean of unit vectors.
    #[error("a centre of length {norm} was given; the mean of unit vectors is no longer than 1")]
    Centre {
        /// Its Euclidean length.
        norm: f32,
    },
    /// Bytes that are not an encoded sketch.
    #[error(transparent)]
    Malformed(#[from] lethe_sketch::Malformed),
    /// A sketch or probe of another quantizer: other dimension, or a centre on one side only.
    #[error("a sketch or probe of another quantizer was given (dimension or centre differ)")]
    Mismatch,
    /// The gallery already holds a template under this key.
    #[error("the gallery already holds a template under this key")]
    Duplicate,
    /// The gallery cannot address another template.
    #[error("the gallery is full")]
    Full,
    /// A threshold or miss probability out of range.
    #[error("{what} is out of range: {range}")]
    OperatingPoint {
        /// Which of the two.
        what: &'static str,
        /// The range allowed.
        range: &'static str,
    },
    /// The scan threads could not be started.
    #[error("cannot start the scan threads: {reason}")]
    Pool {
        /// The operating system's words.
        reason: String,
    },
    /// A sweep has more candidates at a time than it may keep.
    #[error("more than {most} templates are candidates of as many probes as are compared together")]
    TooMany {
        /// How many it may keep.
        most: usize,
    },
    /// The caller gave the search up.
    #[error("the search was given up before it had seen the whole gallery")]
    Stopped,
}
