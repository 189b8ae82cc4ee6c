//! Enrolment: adding, replacing, deleting and listing a subject's templates.

mod enroll;
mod list;
mod remove;

use lethe_crypto::tree::SlotRef;
use lethe_domain::Reason;

use crate::error::{Error, Result};
use crate::silo::{Model, Silo};
use crate::store::TemplateAt;
use crate::templates;
use crate::vault::Vault;

pub use enroll::{Enrolled, Enrolment, enroll};
pub use list::{Page, list_templates};
pub use remove::{Replaced, Target, delete_template, replace_template};
pub(crate) use remove::{note_repeat, wait};

/// Templates of one model that a subject may have. The best of n counts, so each one makes a false accept more likely,
/// and each is opened at every login.
pub const MOST_TEMPLATES: usize = 16;

/// Refuses one template more than a subject may have, not counting one that `leaves`.
fn make_room(vault: &Vault, silo: &Silo, model: &Model, subject: SlotRef, leaves: Option<TemplateAt>) -> Result<()> {
    let places = templates::places(&vault.store, silo, subject)?;
    let staying = places.iter().filter(|(at, profile)| *profile == model.number && Some(*at) != leaves);
    if staying.count() < MOST_TEMPLATES {
        return Ok(());
    }
    let message = format!("the subject has {MOST_TEMPLATES} templates of {} already", model.profile.model());
    Err(Error::Precondition(Reason::TemplatesLimited, message))
}
