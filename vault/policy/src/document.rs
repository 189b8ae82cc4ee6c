use std::fmt::Write as _;

use lethe_domain::Role;

use crate::approval::ActRule;
use crate::law::Law;
use crate::table::{Effect, Operation, Rule, Scope};

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
        line(&mut text, &[law.jurisdiction.name(), law.title, written, law.source]);
    }
    text
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
that it runs by (`vault/policy/src/table.rs`, `law.rs`); a test fails where the two differ. The obligations O1 to O42 are
those of [COMPLIANCE](COMPLIANCE.md). No table here is legal advice.

## Every call

A call passes one gate. What decides, in this order: the credential has not expired (O31); where a second factor is asked for
(`access.second_factor`) and the call shows none of this credential, roles that people hold count for nothing, and what only
those may is refused as `SECOND_FACTOR_REQUIRED` (O31); it belongs to the tenant that
the call is about, or to the vault (O4); it has one of the roles (O31); a purpose is stated (O2), one that the operation
may serve (O2); and, where the purpose is a biometric one and more is done than to record, the tenant has declared a lawful basis for it (O1).
Nothing here depends on a person, so a refusal tells nothing of one.

";

const TWO: &str = "
## What two persons decide

One credential proposes, another approves, and only then it is done, once, as it was proposed. A proposal is refused
approval when its time is over (`PROPOSAL_EXPIRED`), when it was decided before or who proposed it was revoked
(`PROPOSAL_CLOSED`), and by who is not another: by the proposer, by a credential that was made after the proposal or by the
proposer, by the one that made the proposer's, and by one operator of another's proposal, unless the tenant has no
administrator any more (`APPROVER_NOT_INDEPENDENT`). A disclosure needs a ground beside: a legal order, or a consent of
the person to `kyc_sharing` or `legal_claims` that holds (`DISCLOSURE_GROUND_MISSING`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED`).

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
| 3 | processing is restricted; but a template may be replaced for a person who contests that it is accurate | `SUBJECT_RESTRICTED` | O22 |
| 4 | somebody under 16, or a minor from 16 on where they may not consent alone, has no guardian's consent for the purpose | `MINOR_WITHOUT_GUARDIAN`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED` | O15 |
| | a minor from 16 on, where they may, has no consent for the purpose, whatever the tenant's basis | `CONSENT_MISSING`, `CONSENT_WITHDRAWN`, `CONSENT_EXPIRED` | O15 |
| | the age is unknown, and the tenant wants it known | `AGE_UNKNOWN` | O15 |
| 5 | the person objects to the purpose, and no compelling grounds are recorded | `PURPOSE_OBJECTED` | O39 |
| 6 | the tenant's basis for the purpose is explicit consent, and none for the purpose holds; for a purpose that is not biometric: all of the tenant's bases are, and none for any purpose holds | `CONSENT_MISSING`, `CONSENT_EXPIRED`; `CONSENT_WITHDRAWN` | O2; O23 |

A consent is one to one purpose; for a purpose that is not biometric, such as a rectification that the person asked for,
one to any will do. Where no consent of the sort that is needed holds, the latest that was given says why. An operation that
**destroys** is refused under a litigation hold (`LEGAL_HOLD`, O42), and under a restriction (`SUBJECT_RESTRICTED`, O22) but for
the erasure of all, for the person (`data_subject_request`). What looks or records is not refused for what
is known of the person: rights can be exercised by everybody, always.

An adult consents in person; for a minor who needs one a guardian does; where the age is unknown either will do.

Two kinds of people are erased although nobody asked for it, unless there is a hold or a restriction: a minor whom nobody
consented for who may (O15), and whom a withdrawal left without a basis for any purpose that the tenant declares and that
processing may serve (O23). Who never consented, whose consent is over, or whose law changed is refused, and not erased.

Whoever may only verify is told nothing of this: a person who must not be compared and one who does not match look alike.

## Laws

The law that counts is that of the person's jurisdiction, or the tenant's own where nobody said.

| jurisdiction | | written consent (O16) | source |
|---|---|---|---|
";
