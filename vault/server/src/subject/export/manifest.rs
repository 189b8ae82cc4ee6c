use lethe_domain::{
    Case, Disclosure, Dossier, Jurisdiction, LawfulBasis, SubjectId, TemplateFacts, TenantId, TenantPolicy, Timestamp,
};
use lethe_policy::{End, Keeper};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::consent::record::{record, text};
use crate::error::Result;
use crate::export::telling::{asked, reviewed, told, watched};
use crate::records::{TemplateRecord, encode};
use crate::request::Filed;
use crate::watchlist;

/// Names the format, and its version.
const FORMAT: &str = "lethe-subject-export";
const VERSION: u32 = 3;

/// What is said of a template.
pub(super) struct Listed {
    facts: TemplateFacts,
    dimension: usize,
}

impl Listed {
    pub(super) fn of(template: &TemplateRecord) -> Self {
        Self { facts: template.facts.clone(), dimension: template.embedding.components().len() }
    }
}

/// All that is held about a subject.
pub(super) struct Held<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) subject: &'a SubjectId,
    pub(super) policy: &'a TenantPolicy,
    pub(super) created_at: Timestamp,
    pub(super) dossier: &'a Dossier,
    pub(super) templates: &'a [Listed],
    pub(super) requests: &'a [Filed],
    /// Entries of watch lists that were made from its templates, and are there.
    pub(super) watched: &'a [watchlist::Own],
    /// Those that were made.
    pub(super) disclosures: &'a [Disclosure],
    /// Questions about it that people answer, or answered.
    pub(super) cases: &'a [Case],
    /// When it ends by itself, and what would keep it.
    pub(super) end: Option<End>,
    pub(super) keeper: Option<Keeper>,
    pub(super) made_at: Timestamp,
}

/// The file that the template of a number is in, from 1 on.
pub(super) fn file(number: usize) -> String {
    format!("templates/{number:04}.npy")
}

impl Held<'_> {
    /// `manifest.json`.
    pub(super) fn manifest(&self) -> Result<Zeroizing<Vec<u8>>> {
        let (dossier, policy) = (self.dossier, self.policy);
        let processing = policy.purposes.iter().map(|entry| {
            json!({
                "purpose": entry.purpose.name(),
                "lawful_basis": entry.basis.name(),
                "objected": dossier.stops(entry.purpose),
            })
        });
        let records = dossier.consents.iter().map(|consent| record(self.tenant, self.subject, policy, consent));
        let objections = dossier.objections.iter().map(|objection| {
            json!({
                "purpose": objection.purpose.name(),
                "since": text(objection.since),
                "overruling_grounds": objection.overruled.as_ref().map(ToString::to_string),
            })
        });
        let holds = dossier.holds.iter().map(|hold| {
            json!({
                "case": hold.case.as_str(),
                "placed_at": text(hold.placed_at),
                "review_at": text(hold.review_at),
                "reviewed_at": hold.reviewed_at.map(text),
            })
        });
        let restriction = dossier
            .restriction
            .map(|restriction| json!({ "ground": restriction.ground.name(), "since": text(restriction.since) }));
        let rests_on_consent = policy.purposes.iter().any(|entry| entry.basis == LawfulBasis::ExplicitConsent);
        let manifest = json!({
            "format": FORMAT,
            "version": VERSION,
            "created_at": text(self.made_at),
            "controller": self.tenant.as_str(),
            "subject": self.subject.as_str(),
            "recorded_at": text(self.created_at),
            "jurisdiction": dossier.jurisdiction.unwrap_or(policy.jurisdiction).name(),
            "jurisdiction_of_the_subject": dossier.jurisdiction.map(Jurisdiction::name),
            "age_band": dossier.age.name(),
            "policy_version": policy.version,
            "processing": processing.collect::<Vec<_>>(),
            "templates": (1..).zip(self.templates).map(|(number, template)| listed(number, template)).collect::<Vec<_>>(),
            "derived": "for each template a sketch, made of it under a key of the controller's and of no use without it: held, \
                        erased with its template, and not in this archive",
            "history": "history.json",
            "sources": ["the controller's capture services", "the controller's own records"],
            // Whom the controller told something; the vault gives nobody else anything.
            "recipients": self.disclosures.iter().map(told).collect::<Vec<_>>(),
            "retention": {
                "ends_at": self.end.map(|end| text(end.at)),
                "ends_by": self.end.map(|end| end.cause.name()),
                "kept_by": self.keeper.map(Keeper::name),
                "ends_with_consent": rests_on_consent,
                "history": "the controller's log stays, under pseudonyms that die with the subject",
            },
            "consents": records.collect::<Vec<_>>(),
            "restriction": restriction,
            "objections": objections.collect::<Vec<_>>(),
            "holds": holds.collect::<Vec<_>>(),
            "purpose_ended_at": dossier.purpose_ended_at.map(text),
            "contract_ended_at": dossier.contract_ended_at.map(text),
            "died_at": dossier.died_at.map(text),
            "post_mortem": dossier.post_mortem.as_ref().map(ToString::to_string),
            "deferral": dossier.deferral.map(|deferral| json!({
                "reason": deferral.reason.name(),
                "requested_at": text(deferral.requested_at),
                "until": text(deferral.until),
            })),
            "cases": self.cases.iter().map(reviewed).collect::<Vec<_>>(),
            "requests": self.requests.iter().map(|(id, request)| asked(*id, request)).collect::<Vec<_>>(),
            "watchlist_entries":
                self.watched.iter().map(|own| listed_as(self.tenant, own, self.made_at)).collect::<Vec<_>>(),
        });
        Ok(encode("manifest", &manifest)?)
    }
}

fn listed_as(tenant: &TenantId, own: &watchlist::Own, now: Timestamp) -> Value {
    match own {
        watchlist::Own::Filed(filed) => watched(tenant, filed, now),
        watchlist::Own::Unreadable(Some(list), id) => json!({
            "name": format!("tenants/{tenant}/watchlists/{}/entries/{id}", list.id),
            "kind": list.kind.name(),
            "unreadable": true,
        }),
        watchlist::Own::Unreadable(None, id) => json!({ "name": null, "id": id.to_string(), "unreadable": true }),
    }
}

fn listed(number: usize, template: &Listed) -> Value {
    let facts = &template.facts;
    json!({
        "file": file(number),
        "id": facts.id.to_string(),
        "model": facts.model.id(),
        "model_version": facts.model.version(),
        "kind": facts.kind.name(),
        // In its shortest decimal spelling.
        "quality": facts.quality.get().to_string().parse::<f64>().unwrap_or_default(),
        "captured_at": text(facts.captured_at),
        "enrolled_at": text(facts.enrolled_at),
        "dimension": template.dimension,
        "components": "f32 little-endian, of unit length as stored",
    })
}
