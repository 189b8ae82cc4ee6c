//! The time-travel adversary: who has every past image of the data, and the right to unwrap under the current root.
//!
//! A real vault lives through a random history: enrolments, replacements, deletions, erasures, reads, restarts, kills,
//! clones, compactions, backups, losses of its data and restores, deaths at each durable step, power cuts. After every operation
//! and after every death its data directory is imaged, the write-ahead log with it, and its mirrors and backups; never the
//! root store's file. Then every wrapped vault key that was ever seen is tried under the roots of that moment, every version of
//! every page under every key that can be reached, and every record that was ever written under every key that its slots may
//! have had. At the end every backup is restored.
//!
//! What reads here shares no code with the vault: it is written from `docs/FORMAT.md`, on ring's primitives. It sees more
//! than a reader of the newest rows would, because it reads the write-ahead log as bytes: what was overwritten, deleted
//! or torn is in it.
//!
//! The adversary proves something only if it succeeds where it can: it must open everything of who is still enrolled;
//! everything that was ever written, if it is given every root there ever was; and every erased record of a vault that
//! deletes rows and redraws nothing.

mod backups;
mod clones;
mod compactions;
mod crashes;
mod crypto;
mod database;
mod disasters;
mod drill;
mod history;
mod images;
mod judge;
mod known;
mod ledger;
mod moment;
mod operations;
mod past;
mod reach;
mod records;
mod report;
mod reported;
mod roots;
mod rows;
mod seen;
mod silos;
mod traced;
mod tried;
mod verdict;
mod wal;

pub use history::{Counts, History};
pub use operations::{BLOWS, OPERATIONS};
pub use past::{Past, Person, Template};
pub use report::Report;
pub use rows::expect_row_key;
pub(crate) use traced::{Shredded, Traced, is_root_file};
pub use verdict::{Opened, Verdict};
