//! Writes down what a program does to the files of one folder, from below: preloaded with `LD_PRELOAD`, it stands between
//! the program and the C library.
//!
//! `LETHE_RECORD` names the folder, absolute; `LETHE_RECORD_TO` the trace, which must lie elsewhere. Without them nothing is
//! written down. What is written down: files opened, written, resized and synced; names made, moved and removed; and
//! what the program says on standard error, so that the trace tells what it was about. Reading is not.
//!
//! The trace is appended to, each record by one system call, so several processes, one after the other, may write to it, and
//! so may whoever watches them. Records are in the order in which things happened: one thread at a time does
//! something and writes it down. Only syncs are not held up: that one begins and that it ended are two records, and
//! what is written in between is not covered.
//!
//! A hook does what the C library does, by the system call of the same name, so that it depends on nothing that may not be
//! there yet. None of them allocates. What goes around the C library (`syscall(2)`, its own `FILE`s, memory that is mapped
//! to be written) is not seen: whoever reads the trace has to hold it against the folder. A writable mapping of a file
//! is written down as such, to be refused.

#![cfg(target_os = "linux")]

mod folder;
mod hooks;
mod table;
mod trace;
