//! Face embeddings to test, demonstrate and measure with: real ones read from `.npy` files, and
//! generated ones with the statistics of real ones.
//!
//! # What is real here
//!
//! Nothing in this crate contains a face. [`npy`] and [`Faces`] read embeddings that somebody else
//! holds; [`synthetic`] draws people who do not exist from a model whose constants were fitted to
//! EdgeFace-XS embeddings (512-d, ArcFace-style, last layer 192 wide, so the vectors have rank 192)
//! of the LFW deep-funneled images with that set's 41 known label errors corrected. Isotropic
//! Gaussian vectors are no substitute: they have no look-alikes, so they flatter recall,
//! candidate counts and false-match rates alike.
//!
//! # Figures, and where they come from
//!
//! Cosine on one half of LFW's identities (6,464 images of 2,859 people), by the rule of
//! [`evaluation`]: 7,241 genuine and 4,085,511 impostor pairs.
//!
//! | model | genuine mean / sd | impostor mean / sd | FMR 1e-2: threshold, TAR | 1e-3 | 1e-4 | 1e-5 |
//! |---|---|---|---|---|---|---|
//! | EdgeFace-XS, 512-d | 0.6368 / 0.1203 | 0.0080 / 0.0754 | 0.1879, 0.9977 | 0.2550, 0.9953 | 0.3184, 0.9894 | 0.3772, 0.9754 |
//! | dlib ResNet, 128-d | 0.9514 / 0.0177 | 0.8341 / 0.0348 | 0.9069, 0.9840 | 0.9255, 0.9314 | 0.9405, 0.7795 | 0.9540, 0.4882 |
//!
//! The generator, 5,719 people: genuine 0.637 / 0.117, impostor 0.010 / 0.077, thresholds at FMR
//! 1e-3, 1e-4, 1e-5 of 0.254, 0.319, 0.386 with TAR 0.995, 0.989, 0.971. On all of LFW FMR 1e-6 needs
//! 0.453 (real) against 0.438 (generated), with TAR 0.934 against 0.943. Beyond about FMR 1e-7 the
//! generated tail is an extrapolation; say so wherever a result rests on it. For 128 and 1,024
//! dimensions the generator keeps the model and changes the subspace: those are *not fitted* to any
//! network ([`synthetic::Model::is_fitted`]).
//!
//! Both rows of the table are reproduced by the tests of this crate where `LETHE_REAL_DATA` names a
//! folder with `edgeface_xs_512.npy`, `dlib_128.npy` and `subject.npy`; the generator's figures are
//! reproduced always.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod error;
pub mod evaluation;
pub mod faces;
pub mod npy;
mod source;
pub mod synthetic;
mod vector;

pub use error::{Error, NpyFault};
pub use faces::{Faces, FacesOf};
pub use source::{Captures, Source, SyntheticFaces};
pub use synthetic::{Model, Person, Population};
