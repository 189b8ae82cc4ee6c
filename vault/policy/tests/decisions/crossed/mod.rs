//! Each thing that can be known crossed with every other.

mod attestations;
mod contradictions;
mod development;
mod ends;
mod fates;
mod gate;
mod judgements;
mod mixtures;
mod transfers;
mod unasked;
