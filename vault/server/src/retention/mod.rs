//! When people's data end, and erasing what has ended (O15, O17, O21, O28).

mod preview;
mod sweep;
mod sweeper;
mod trust;

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tag::tag;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, ReceiptId, TenantPolicy, Timestamp};
use lethe_policy::{Cause, End, Keeper, Limits, end_of_person, is_child_alone, keeper, was_left_baseless};

use crate::dossiers;
use crate::error::Result;
use crate::records::SubjectRecord;
use crate::silo::Silo;
use crate::store::{ProfileNumber, TemplateAt};
use crate::templates;
use crate::vault::Vault;

pub(crate) use preview::preview;
#[cfg(test)]
pub(crate) use sweep::{Swept, sweep};
#[cfg(test)]
pub(crate) use sweeper::Rounds;
pub(crate) use sweeper::{Board, Sweeper, start};

/// A template, and when it was provided.
pub(crate) struct Provided {
    pub(crate) at: TemplateAt,
    pub(crate) profile: ProfileNumber,
    pub(crate) provided_at: Timestamp,
}

/// When a person's data end, as far as is known now.
pub(crate) struct Fate {
    /// When all of it does; `None` if nothing says so.
    pub(crate) end: Option<End>,
    /// What would keep it then, if it were now.
    pub(crate) keeper: Option<Keeper>,
    /// Templates that end before the rest, and when.
    pub(crate) sooner: Vec<(Provided, End)>,
    /// The version of the policy that judged.
    pub(crate) policy_version: u32,
}

impl Fate {
    fn of(
        policy: &TenantPolicy,
        person: &Dossier,
        known_since: Timestamp,
        templates: Vec<Provided>,
        now: Timestamp,
    ) -> Self {
        let limits = Limits::of(policy, person);
        // Whoever has no template is kept like one that was provided when the first thing was recorded.
        let alone = [limits.end(known_since)];
        let ends: Vec<_> = templates.iter().map(|template| limits.end(template.provided_at)).collect();
        let of_last = if ends.is_empty() { &alone[..] } else { &ends[..] };
        // The last template takes the person along.
        let by_age = of_last.iter().copied().reduce(|one, other| Some(one?.max(other?))).flatten();
        let end = [by_age, end_of_person(policy, person)].into_iter().flatten().min();
        let ends_before = |own: &End| end.is_none_or(|whole| own.at < whole.at);
        let sooner = templates.into_iter().zip(ends);
        let sooner = sooner.filter_map(|(template, own)| own.filter(ends_before).map(|own| (template, own)));
        let policy_version = policy.version;
        Self { end, keeper: keeper(policy, person, now), sooner: sooner.collect(), policy_version }
    }
}

/// What of a subject ends when.
pub(crate) fn fate(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    record: &SubjectRecord,
    person: &Dossier,
    now: Timestamp,
) -> Result<Fate> {
    let policy = silo.policy();
    if let Some(cause) = unwanted(vault, silo, &policy, slot, person, now)? {
        let end = Some(End { at: now, cause });
        return Ok(Fate { end, keeper: None, sooner: Vec::new(), policy_version: policy.version });
    }
    let is_over = end_of_person(&policy, person).is_some_and(|end| end.at <= now);
    let limits = Limits::of(&policy, person);
    // Nothing was provided before anything was known: where that is young enough, no template is opened.
    let found = if limits.are_none() { Ok(Vec::new()) } else { provided(vault, silo, slot) };
    let provided = match found {
        Ok(provided) => provided,
        Err(error) if is_over => {
            // Whoever is over goes, whatever is damaged of the templates.
            tracing::error!(%error, "a template of somebody whose data end cannot be read");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    Ok(Fate::of(&policy, person, record.created_at, provided, now))
}

/// Why somebody must go at once whom nothing allows to keep any more, though no time is over; `None` of whoever may stay, or has no
/// template: that one is only known of, and may be about to be enrolled.
pub(crate) fn unwanted(
    vault: &Vault,
    silo: &Silo,
    policy: &TenantPolicy,
    slot: SlotRef,
    person: &Dossier,
    now: Timestamp,
) -> Result<Option<Cause>> {
    let cause = match () {
        () if is_child_alone(policy, person, now) => Cause::MinorAlone,
        () if was_left_baseless(policy, person, now) => Cause::Withdrawn,
        () => return Ok(None),
    };
    let has_templates = !templates::places(&vault.store, silo, slot)?.is_empty();
    Ok(has_templates.then_some(cause))
}

/// A subject's templates, each with the moment in which it was provided.
fn provided(vault: &Vault, silo: &Silo, slot: SlotRef) -> Result<Vec<Provided>> {
    let found = templates::of_subject(&vault.store, &vault.keys, silo, slot, None)?;
    let provided = found.into_iter().map(|found| Provided {
        at: found.at,
        profile: found.profile,
        provided_at: found.record.facts.enrolled_at,
    });
    Ok(provided.collect())
}

/// The receipt that the erasure of a subject will have that nobody asks for. It derives from the subject's own key: who is told
/// it before can ask for the receipt when the subject is gone, and nobody can find out afterwards whose it is.
pub(crate) fn receipt_of_end(owner: &SlotKey) -> ReceiptId {
    ReceiptId::from_bytes(tag(owner, "receipt", b"subject"))
}

/// The same of one of its templates.
pub(crate) fn receipt_of_template(owner: &SlotKey, template: TemplateAt) -> ReceiptId {
    let SlotRef { slot, generation } = template.thing;
    let which = [&slot.to_be_bytes()[..], &generation.to_be_bytes()].concat();
    ReceiptId::from_bytes(tag(owner, "receipt/template", &which))
}

/// What is known of a subject, and its base row; `None` of one that was erased.
fn known(vault: &Vault, silo: &Silo, slot: SlotRef) -> Result<Option<(SubjectRecord, Dossier)>> {
    let Some(record) = dossiers::base(vault, silo, slot)? else { return Ok(None) };
    Ok(Some((record, dossiers::of(vault, silo, slot)?)))
}
