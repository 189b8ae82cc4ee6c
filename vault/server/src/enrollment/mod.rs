//! Enrolment: adding, replacing, deleting and listing a subject's templates.

mod enroll;
mod list;
mod remove;

pub use enroll::{Enrolled, Enrolment, enroll};
pub use list::{Page, list_templates};
pub use remove::{Replaced, Target, delete_template, replace_template};
pub(crate) use remove::{note_repeat, wait};
