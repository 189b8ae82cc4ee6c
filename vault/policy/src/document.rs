use std::fmt::Write as _;

use lethe_domain::{Band, CaptureUse, CaseKind, LawfulBasis, Occasion, Risk, Role, Told};

use crate::approval::ActRule;
use crate::automation::GroundRule;
use crate::law::Law;
use crate::request::{Span, Terms};
use crate::retention::Cause;
use crate::table::{Effect, Operation, Rule, Scope};
use crate::transfer::{Border, Carries, SafeguardRule};
use crate::watchlist::{CAP, may_rest_on};

/// The tables as a Markdown document: `docs/POLICY.md`, which a test compares with what this gives.
pub fn document() -> String {
    let mut text = String::from(HEAD);
    text.push_str("| operation | on a person's data | whose credential | any of these roles | purposes |\n|---|---|---|---|---|\n");
    for rule in Operation::table() {
        row(&mut text, rule);
    }
    let named = |human: bool| {
        let names = Role::ALL.into_iter().filter(|role| role.is_human() == human).map(|role| format!("`{role}`"));
        names.collect::<Vec<_>>().join(", ")
    };
    let _ = writeln!(text, "\nPeople hold {}; machines {}.", named(true), named(false));
    captures(&mut text);
    text.push_str(TWO);
    for rule in ActRule::table() {
        let names = |roles: &[Role]| roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        let cells =
            [rule.act.name(), &names(rule.proposers), &names(rule.approvers), &names(rule.readers), rule.obligation];
        line(&mut text, &cells);
    }
    text.push_str(PEOPLE);
    for law in Law::table() {
        let written = if law.written_consent_first { "first, before any processing" } else { "—" };
        let development = if law.service_development { "in development" } else { "never" };
        let caps =
            [(law.cap_from_provision, "from provision"), (law.cap_after_purpose, "after the purpose was satisfied")];
        let caps = caps.iter().filter_map(|(cap, from)| cap.map(|cap| format!("{cap} {from}")));
        let caps = caps.collect::<Vec<_>>().join(", ");
        let caps = if caps.is_empty() { "—" } else { &caps };
        line(&mut text, &[law.jurisdiction.name(), law.title, written, development, caps, law.source]);
    }
    deciders(&mut text);
    borders(&mut text);
    let _ = writeln!(text, "\n{KEEPING}");
    for (cause, rule) in ENDS {
        line(&mut text, &[&format!("`{}`", cause.name()), rule]);
    }
    text.push_str(KEPT);
    watchlists(&mut text);
    text.push_str(REQUESTS);
    for terms in Terms::table() {
        let limit = terms.portability_a_year.map_or_else(|| "—".to_owned(), |most| most.to_string());
        let (answer, in_all) = (words(terms.answer), words(terms.in_all));
        line(&mut text, &[terms.jurisdiction.name(), &answer, &in_all, &limit, terms.source]);
    }
    text.push_str(RECIPIENTS);
    for occasion in Occasion::ALL {
        let told = Told::ALL.into_iter().filter(|told| occasion.is_about(*told)).map(Told::name).collect::<Vec<_>>();
        let told = if told.len() == Told::ALL.len() { "anything".to_owned() } else { told.join(", ") };
        line(&mut text, &[&format!("`{}`", occasion.name()), when(occasion), &told]);
    }
    text.push_str(CASES);
    for kind in CaseKind::ALL {
        let (question, opened) = asked(*kind);
        line(&mut text, &[&format!("`{}`", kind.name()), question, opened]);
    }
    text
}

const fn when(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Rectified => "a template is replaced, for the purpose `data_subject_request`",
        Occasion::Restricted => "processing is restricted",
        Occasion::ErasedInPart => {
            "a template is erased, for the purpose `data_subject_request`, or because its time was over"
        }
        Occasion::Corrected => "a recorded age or law is changed, for the purpose `data_subject_request`",
        Occasion::Erased => "the person is erased, whoever wanted it, or because the time was over",
    }
}

fn deciders(text: &mut String) {
    text.push_str(DECIDING);
    for rule in GroundRule::table() {
        let bases = rule.bases.iter().map(|basis| format!("`{}`", basis.name())).collect::<Vec<_>>().join(", ");
        line(text, &[&format!("`{}`", rule.ground.name()), &bases, rule.source]);
    }
    text.push_str(RISKS);
    for band in [Band::Match, Band::Review, Band::NoMatch] {
        let risk = |risk| match risk {
            Risk::Low => "low",
            Risk::Elevated => "elevated",
            Risk::High => "high",
        };
        let decides = if band == Band::Review { "a person" } else { "the client's system, on a ground; else a person" };
        let (claim, encounter) = (risk(Risk::of_claim(band)), risk(Risk::of_encounter(band)));
        line(text, &[&format!("`{}`", band.name()), claim, encounter, decides]);
    }
}

const fn asked(kind: CaseKind) -> (&'static str, &'static str) {
    match kind {
        CaseKind::VerificationUnclear => (
            "whether who was verified is the person enrolled",
            "by the vault, when a verification's score lies between the thresholds; what follows counts up",
        ),
        CaseKind::PossibleDuplicate => (
            "whether two persons are one",
            "by a fraud analyst; the vault compares the two, and the policy judges both as for a search",
        ),
        CaseKind::DecisionContested => (
            "whether what was decided automatically about a person is right",
            "by a privacy officer, for the person who contests it",
        ),
    }
}

fn captures(text: &mut String) {
    text.push_str(CAPTURES);
    for usage in CaptureUse::ALL.iter().copied() {
        let taking = Operation::table().iter().filter(|rule| rule.takes == Some(usage));
        let names = taking.map(|rule| format!("`{}`", rule.name)).collect::<Vec<_>>().join(", ");
        let lives = match usage {
            CaptureUse::Enrollment | CaptureUse::Identification => "of all but a document's portrait",
            CaptureUse::Verification => "of all but a document's portrait, which is taken for `document_check` alone",
            CaptureUse::Watchlist => "—: a known mask is not alive",
        };
        line(text, &[&format!("`{}`", usage.name()), &names, lives]);
    }
    text.push_str(ATTESTED);
}

fn borders(text: &mut String) {
    text.push_str(BORDERS);
    for border in Border::table() {
        let area = if border.area.is_empty() { "the client's country, if it says one" } else { &border.area.join(" ") };
        let needed = if border.consent_and_contract {
            "a safeguard, a contract with the recipient, and a consent that names the country"
        } else {
            "a safeguard"
        };
        line(text, &[border.jurisdiction.name(), area, needed, border.source]);
    }
    text.push_str(SAFEGUARDS);
    for rule in SafeguardRule::table() {
        let carries = match rule.carries {
            Carries::Everything => "everything",
            Carries::Disclosures => "a disclosure",
            Carries::Orders => "a disclosure by a legal order",
        };
        let beside = if rule.needs_consent { "a consent that names the country" } else { "—" };
        line(text, &[&format!("`{}`", rule.kind.name()), carries, beside, rule.document, rule.source]);
    }
    text.push_str(CROSSING);
}

fn watchlists(text: &mut String) {
    text.push_str(WATCHLISTS);
    for basis in LawfulBasis::ALL {
        let rests = if may_rest_on(basis) { "yes" } else { "no: `WATCHLIST_BASIS_REVOCABLE`" };
        line(text, &[&format!("`{}`", basis.name()), rests]);
    }
    text.push_str(&ENTRIES.replace("{}", &CAP.to_string()));
}

fn words(span: Span) -> String {
    match span {
        Span::Months(1) => "1 month".to_owned(),
        Span::Months(months) => format!("{months} months"),
        Span::Days(days) => format!("{days} days"),
    }
}

fn row(text: &mut String, rule: &Rule) {
    let scope = match rule.scope {
        Scope::Vault => "the vault's",
        Scope::Tenant => "the tenant's",
        Scope::Either => "the tenant's, or the vault's",
    };
    let roles: Vec<_> = rule.roles.iter().map(|role| role.name()).collect();
    let purposes: Vec<_> = rule.purposes.iter().map(|purpose| purpose.name()).collect();
    let effect = match rule.effect {
        Effect::None => "—",
        Effect::Processes => "**processes**",
        Effect::Destroys => "**destroys**",
        Effect::Looks => "looks",
        Effect::Records => "records",
        Effect::HandsOver => "hands over",
    };
    line(text, &[&format!("`{}`", rule.name), effect, scope, &roles.join(", "), &purposes.join(", ")]);
}

fn line(text: &mut String, cells: &[&str]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

const HEAD: &str = "\
# Policy

What the vault lets happen, and by which obligation it refuses. This document is written by the program from the tables
that it runs by (`vault/policy/src/table.rs`, `law.rs`, `transfer.rs` and others); a test fails where the two differ. The obligations O1 to O42 are
those of [COMPLIANCE](COMPLIANCE.md). No table here is legal advice.

## Every call

A call passes one gate. What decides, in this order: the credential has not expired (O31); where a second factor is asked for
(`access.second_factor`) and the call shows none of this credential, neither a certificate beside the key nor a login that proves
two, roles that people hold count for nothing, and what only
those may is refused as `SECOND_FACTOR_REQUIRED` (O31); it belongs to the tenant that
the call is about, or to the vault (O4); the tenant's data live in this node's region, or nowhere in particular (O32,
`REGION_MISMATCH`); it has one of the roles (O31); a purpose is stated (O2), one that the operation
may serve (O2); and, where the purpose is a biometric one and more is done than to record, the tenant has declared a lawful basis for it (O1).
Service development is for tenants whose environment is development (O3, `ENVIRONMENT_MISMATCH`).
Nothing here depends on a person, so a refusal tells nothing of one.

";

const CAPTURES: &str = "
## What is believed of a capture

What takes a capture asks first whether it is believed, before anything is looked at that is a person's (O6). What needs an
attestation of the service that made the capture is the tenant's policy: in production everything, in development nothing, unless
it says what is exempt. One that is there is judged, needed or not.

| use | operations | a verdict of liveness is asked for |
|---|---|---|
";

const ATTESTED: &str = "
Of several reasons the first is given: there is none where one is needed (`ATTESTATION_REQUIRED`); it is none, or no active signing key
of the tenant verifies it, or it is for another tenant or vault, or of another embedding, model, kind, quality or time of capture
(`ATTESTATION_INVALID`, which names it); the face was captured more than 60 seconds in the future, or longer ago than the policy allows (10
minutes, if it says nothing), or the attestation's time is over (`ATTESTATION_EXPIRED`); it was used before (`ATTESTATION_REPLAYED`), but a
repeat of the request that used it gets the first answer; liveness was not asserted at the policy's level or a higher one, where it is asked for
(`LIVENESS_INSUFFICIENT`). An age that is attested is judged with the recorded one: the younger counts (O15).
";

const TWO: &str = "
## What two persons decide

One credential proposes, another approves, and only then it is done, once, as it was proposed. A proposal is refused
approval when its time is over (`PROPOSAL_EXPIRED`), when it was decided before or who proposed it was revoked
(`PROPOSAL_CLOSED`), and by who is not another: by the proposer, by a credential that was made after the proposal or by the
proposer, by the one that made the proposer's, and by one operator of another's proposal of a tenant's end, unless the tenant
has no administrator any more (`APPROVER_NOT_INDEPENDENT`). What is approved of a tenant's end is carried out in a step of its
own; a disclosure, and a new key of a log, with the approval. A disclosure needs a ground beside: a legal order, or a consent of
the person to `kyc_sharing` or `legal_claims` that holds and names the recipient (`DISCLOSURE_GROUND_MISSING`,
`CONSENT_WITHDRAWN`, `CONSENT_EXPIRED`). What crosses a border needs a safeguard, too, which both of the two see: [below](#what-crosses-a-border).

| act | proposed by | approved or rejected by | seen by | obligation |
|---|---|---|---|---|
";

const PEOPLE: &str = "
## What is done to a person

An operation that **processes** takes in or compares somebody's templates. For each person it is judged anew, at the
moment of the act. Of several reasons the first is given:

| | refused when | reason | obligation |
|---|---|---|---|
| 1 | the law that counts asks for a written consent first, and none for the purpose holds: of a guardian, for who needs one | `WRITTEN_CONSENT_REQUIRED`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED` | O16 |
| 2 | there is a litigation hold | `LEGAL_HOLD` | O42 |
| 3 | processing is restricted; but a template may be replaced for a person who contests that it is accurate, or whom the client restricted for its own reason | `SUBJECT_RESTRICTED` | O22 |
| 4 | an erasure that was asked for is put off | `ERASURE_DEFERRED` | O21 |
| 5 | the person is dead | `SUBJECT_DECEASED` | O28 |
| 6 | the person's data, or the template, are past their time: see below | `RETENTION_EXPIRED` | O17 |
| 7 | the purpose is to develop the service, and the law that counts has no place for it | `JURISDICTION_FORBIDS` | O3 |
| 8 | somebody under 16, or a minor from 16 on where they may not consent alone, has no guardian's consent for the purpose | `MINOR_WITHOUT_GUARDIAN`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED` | O15 |
| | a minor from 16 on, where they may, has no consent for the purpose, whatever the tenant's basis | `CONSENT_MISSING`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED` | O15 |
| | the age is unknown, and the tenant wants it known | `AGE_UNKNOWN` | O15 |
| 9 | the person objects to the purpose, and no compelling grounds are recorded | `PURPOSE_OBJECTED` | O39 |
| 10 | the tenant's basis for the purpose is explicit consent, and none for the purpose holds; for a purpose that is not biometric: all of the tenant's bases are, and none for any purpose holds | `CONSENT_MISSING`, `CONSENT_EXPIRED`; `CONSENT_WITHDRAWN` | O2; O23 |

A consent is one to one purpose; for a purpose that is not biometric, such as a rectification that the person asked for,
one to any will do. Where no consent of the sort that is needed holds, the latest that was given says why. An operation that
**destroys** is refused under a litigation hold (`LEGAL_HOLD`, O42); under a restriction that is a right of the person (`SUBJECT_RESTRICTED`, O22) and while
an erasure is put off (`ERASURE_DEFERRED`, O21) but for the erasure of all, for the person (`data_subject_request`); and, where
the tenant says that a statute wants data kept, until its time is over (`STATUTORY_MINIMUM`, O17). What looks, records or hands over is not refused for what
is known of the person: rights can be exercised by everybody, always.

An adult consents in person; for a minor who needs one a guardian does; where the age is unknown either will do.

Two kinds of people are erased although nobody asked for it, unless there is a hold, or a restriction that is a right of the person: a minor whom nobody
consented for who may (O15), and whom a withdrawal left without a basis for any purpose that the tenant declares and that
processing may serve (O23), unless a statute keeps them. Who never consented, whose consent is over, or whose law changed is refused, and not erased.

Whoever may only verify is told nothing of this: a person who must not be compared and one who does not match look alike.

## Laws

The law that counts is that of the person's jurisdiction, or the tenant's own where nobody said.

| jurisdiction | | written consent (O16) | service development (O3) | kept at most (O17) | source |
|---|---|---|---|---|---|
";

const DECIDING: &str = "
## Who decides

The vault never does: it says what it found, why, at which risk, and who may decide on it (O11). A person does, unless the client
recorded for the purpose a ground to let its systems decide, with the notice that explains to people how, and with who looks again
when one of them contests a decision. Nobody but a person decides where an answer is unclear, and where a search does not have all that
there is to review, as its caller cut it. A search says nothing of whether a face is its claimed owner's; a verification does. Templates are a special category of data, so a ground takes a purpose of one of these bases,
whatever law counts, or is refused as `POLICY_CONTRADICTION`: an answer that depended on a person's law would tell of it.

| ground | takes a purpose that rests on | source |
|---|---|---|
";

const RISKS: &str = "
The risk follows from the band and from what was asked, never from who the person is or what it asked for (O37):

| band | of who claims to be enrolled | of who is there under another id | who may decide |
|---|---|---|---|
";

const BORDERS: &str = "
## What crosses a border

A disclosure says where its recipient is, the end of a tenant where the client keeps the archive, and the archive of a person
where it goes, unless the person itself receives it: that is no transfer. The country is one of ISO 3166-1. A border is crossed
where the country is in another area than that of the person's law, or than that of the client's law; a law that the vault
does not know has the client's own country as its area, or, if nobody said one, that of the client's law. In doubt it is crossed.
Of somebody of each law, what goes beyond its area needs what stands here, or is refused as `SAFEGUARD_MISSING` (O32):

| jurisdiction | no border within | beyond it | source |
|---|---|---|---|
";

const SAFEGUARDS: &str = "
Safeguards, each recorded with the client's reference of its document:

| safeguard | carries | needs besides | a reference of | source |
|---|---|---|---|---|
";

const CROSSING: &str = "
GDPR stands for the UK GDPR, too. A consent that names the country is one that holds, of who may give it; of a disclosure that
rests on a consent it is that very consent. Of a silo each person's law counts: the archive ends with a refusal at the
first person who may not be in it. That there is a safeguard, and that it is a good one, is the client's word.
";

const KEEPING: &str = "\
## How long

What is past its time is not processed from that moment on, and erased by a sweep that comes by every `retention.interval_s`
seconds: a template by its age, a person with everything when all its templates are, or for a reason of its own. Of several
ends the earliest counts. Periods follow the calendar, in UTC; where a month has no such day, it is the end of its last.

| ends by | when |
|---|---|";

/// When each cause comes.
const ENDS: [(Cause, &str); 10] = [
    (Cause::Period, "a template: the client's `keep` after it was provided (O17)"),
    (Cause::Law, "a template: the cap of the law that counts, after it was provided (O17)"),
    (Cause::Vendor, "a template: P5Y after it was provided, where the vendor sets the purposes itself (O17)"),
    (
        Cause::Improvement,
        "a template: P2Y after it was provided, where the client has the purpose service_development (O17)",
    ),
    (
        Cause::PurposeSatisfied,
        "a person: the client's `after_end` after the purpose was satisfied, or at once; at most the law's cap (O17)",
    ),
    (Cause::ContractOver, "a person: the client's `after_end` after its contract was over, or at once (O17)"),
    (
        Cause::Deferred,
        "a person: when an erasure that was asked for and put off is due, P90D after it was asked for at the latest (O21)",
    ),
    (Cause::Death, "a person: when it died, or so long after as it wanted (O28)"),
    (
        Cause::MinorAlone,
        "a person: at once, a minor whom nobody consents for who may; a statute keeps nobody from it (O15)",
    ),
    (
        Cause::Withdrawn,
        "a person: at once, where a consent that was withdrawn leaves no purpose a basis; when something kept it, when that ends (O23)",
    ),
];

const KEPT: &str = "
Nothing is erased that a litigation hold (O42), a restriction that is a right of the person (O22) or a statute (O17) keeps: it is storage only meanwhile, and
erased by the first sweep after the last of them has ended. A statute keeps from the beginning until the client's `minimum`
after the contract with the person was over; while nobody said that it is over, there is no end to that.
An erasure that was put off keeps nobody: a withdrawal that leaves no basis erases all the same.

A client's policy that contradicts itself, or the law that it names, is refused (`POLICY_CONTRADICTION`): service development
in production or under a law that has no place for it; periods beyond a cap; a period that keeps nobody.
";

const WATCHLISTS: &str = "
## Watch lists

A list of the kind `confirmed_fraud` takes templates of subjects, one of the kind `known_spoof` captures of masks, which are nobody's face
(`WATCHLIST_SOURCE_MISMATCH`). To add a subject's template is to process that subject: all of the table above is asked; before it that no
law which asks for a written consent first counts for the subject (`JURISDICTION_FORBIDS`, O16: the entry would outlive the
consent), and after it that the subject is no minor, whoever consents (`MINOR_NOT_LISTED`, O40). An entry outlives whom it was made of, so it rests on what
that person could not take back:

| basis | an entry may rest on it |
|---|---|
";

const ENTRIES: &str = "
An entry is confirmed in the past (a client's clock may be a minute ahead), and expires in the future: {} after its confirmation at the latest, and where the law of the template's
subject has a cap from provision, by that cap (`FIELD_OUT_OF_RANGE`). From then on it is not compared, and a sweep shreds it. While it is contested
it is not compared either; a reviewer decides, who is another credential than the one that added it (`REVIEWER_NOT_INDEPENDENT`, O40).
Searches for the purpose `fraud_prevention` compare with the active entries of the tenant's own lists; nothing else does.

While the person is there, what is recorded of it counts for its entries, too: who turns out to be a minor, or under a law that asks for
a written consent first, loses them in the same change, or with its erasure. A restriction on any ground (O22), an objection to `fraud_prevention` that
is not overruled (O39) and a hold (O42) contest them; lifting one leaves them contested, until a reviewer decides. Of whom an entry is contested
no other is added (`WATCHLIST_ENTRY_CONTESTED`).
";

const REQUESTS: &str = "
## Requests

Until when a request of a data subject is answered (O26). Spans count from its receipt, in UTC, to the same time of day: months
to the same day of a later month, or to its last. More time is taken once, and the requester is told so within the first.
Complaints are answered within 45 days, whatever the law, and get no more time. Nothing in this table, and no request, is an
input to anything above (O37).

| jurisdiction | answer | in all | portability, in 12 months | source |
|---|---|---|---|---|
";

const RECIPIENTS: &str = "
## Recipients

Whoever received a person's data by a disclosure is told of what becomes of them (O41; GDPR Art. 19): with the change itself the vault
records whom to tell, one notification for each recipient who was told what it is about. Telling is the client's; what came of it is
recorded, as `told`, `impossible` or `disproportionate`, and kept for the limitation period. A tenant that goes takes its disclosures along, and
tells of its own end itself.

| occasion | when | who was told |
|---|---|---|
";

const CASES: &str = "
## Cases

A case is a question about one person that a person of the client answers (O11): confirmed, distinct, or escalated to another.
It is evidence and nothing else: the client acts, and nothing above depends on it (O37). An answer is given once (`CASE_CLOSED`); what
is decided can be contested for the person, and is open again. Of a case that was escalated or is contested somebody else
decides than took a step in it before: another credential, made before every such step, of another login, that none of those made,
and that made none of those (`REVIEWER_NOT_INDEPENDENT`). A case dies with its person. A decided one goes, unless a hold, a restriction
or a statute keeps its person, the client's `keep` after it was decided, or two years where there is none; so does one that the vault
opened and nobody decided, after the last attempt or step in it, but if it is contested. Of 64 about one person the oldest decided gives way
to another.

| case | asks | opened |
|---|---|---|
";
