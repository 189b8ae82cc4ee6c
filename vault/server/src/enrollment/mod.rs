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

/// Refuses one template more than a subject may have, not counting one that `leaves`.
fn make_room(vault: &Vault, silo: &Silo, model: &Model, subject: SlotRef, leaves: Option<TemplateAt>) -> Result<()> {
    let places = templates::places(&vault.store, silo, subject)?;
    let staying = places.iter().filter(|(at, profile)| *profile == model.number && Some(*at) != leaves);
    let most = silo.most_templates;
    if staying.count() < most {
        return Ok(());
    }
    let message = format!("the subject has {most} templates of {} already", model.profile.model());
    Err(Error::Precondition(Reason::TemplatesLimited, message))
}
