//! Epoch commits that crash at every step, with the real file root store and a disk in memory.

mod clones;
mod crashes;
mod histories;
mod migrations;
mod order;
mod world;
