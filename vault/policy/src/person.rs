//! What may be done to one person: the part of the policy that depends on a subject.
//!
//! [`judge`] is a pure function of the operation, the purpose, the client's policy, what is known of the person, and the
//! time. It never sees a template, a score, a caller or what a person asked for earlier (O37).

use lethe_domain::{
    AgeBand, Consent, ConsentState, Dossier, Environment, Giver, LawfulBasis, Manner, Purpose, Reason, Restriction,
    RestrictionGround, TenantPolicy, Timestamp,
};

use crate::gate::{Authorized, Denial};
use crate::operation::Kind;
use crate::retention::{self, Cause, Keeper, Limits, kept_by_statute};
use crate::table::{Effect, Operation};

/// What has to be done because of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// The person is a minor whom nobody consented for: all that is held goes at once (O15).
    EraseWithoutDelay,
}

/// What was judged, for the answer and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The client's basis for the purpose; `None` where the purpose needs none.
    pub basis: Option<LawfulBasis>,
    /// The version of the client's policy that judged.
    pub policy_version: u32,
}

/// Proof that the policy let an operation pass for one person: what touches templates asks for one. It knows which of the
/// person's templates are past their time.
///
/// Nothing outside this crate can make one:
///
/// ```compile_fail
/// use lethe_policy::Cleared;
/// let forged = Cleared { limits: unreachable!(), now: unreachable!(), policy_version: 1 };
/// ```
#[derive(Debug)]
pub struct Cleared {
    limits: Limits,
    now: Timestamp,
    policy_version: u32,
}

impl Cleared {
    /// Whether a template that was provided at some moment may still be processed (O17).
    pub fn keeps(&self, provided_at: Timestamp) -> bool {
        self.limits.keep(provided_at, self.now)
    }

    /// The version of the client's policy that judged, which may be a later one than the gate's.
    pub const fn policy_version(&self) -> u32 {
        self.policy_version
    }
}

/// What a call that the gate let pass is for: enough to judge it for many persons, one by one, for as long as it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Licence {
    operation: Operation,
    purpose: Purpose,
}

impl Licence {
    /// Judges the call for one person.
    ///
    /// # Errors
    /// What [`judge`] refuses.
    pub fn clear(self, policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Result<Cleared, Denial> {
        let Judged { policy_version, .. } = judge(self.operation, self.purpose, policy, person, now)?;
        Ok(Cleared { limits: Limits::of(policy, person), now, policy_version })
    }
}

impl<O: Kind> Authorized<O> {
    /// What the call is for.
    pub const fn licence(&self) -> Licence {
        Licence { operation: O::OPERATION, purpose: self.purpose() }
    }
}

/// Whether a person is a minor whom nobody consented for who may, and so must be erased without delay (O15). Nothing goes that
/// is under a hold (O42) or restricted (O22).
pub fn is_child_alone(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let case = Case { operation: Operation::Enroll, purpose: Purpose::Authentication, policy, person, now };
    let is_minor = matches!(person.age, AgeBand::Under16 | AgeBand::MinorFrom16);
    let mut valid = person.consents.iter().filter(|consent| consent.state(now) == ConsentState::Valid);
    is_minor && !is_kept(person) && !valid.any(|consent| case.may_consent(consent))
}

/// Whether a withdrawal left nothing that allows to keep a person, who then must be erased (O23): no purpose that the client
/// declares, and that processing may serve, has a basis any more, and one would have if nothing had been withdrawn.
///
/// Who never consented, whose consent is over, or whose law changed is refused and not erased: a consent may still come. An
/// objection, or an age that nobody told, is no want of a basis.
pub fn is_left_baseless(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    retention::keeper(policy, person, now).is_none() && lost_basis(policy, person, now)
}

/// Whether a withdrawal left nothing when it was made, and something kept the person that does so no more, so that it must be erased
/// now (O23).
pub fn was_left_baseless(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let last = person.consents.iter().filter_map(|consent| consent.withdrawn_at).max();
    // Whoever consented again afterwards is not erased when that is over.
    let last = last.filter(|last| person.consents.iter().all(|consent| consent.given_at <= *last));
    is_left_baseless(policy, person, now) && last.is_some_and(|last| lost_basis(policy, person, last))
}

fn lost_basis(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let has_basis = |person: &Dossier| {
        let declared = policy.purposes.iter().map(|entry| entry.purpose);
        let mut served = declared.filter(|purpose| is_served(*purpose) && !is_off(*purpose, policy, person));
        served.any(|purpose| {
            let case = Case { operation: Operation::Enroll, purpose, policy, person, now };
            !case.lacks_basis()
        })
    };
    if has_basis(person) {
        return false;
    }
    let mut before = person.clone();
    for consent in &mut before.consents {
        // One that held when it was withdrawn: a hold may have outlasted the time that it was given for.
        let withdrawn = consent.withdrawn_at.take();
        consent.expires_at = consent.expires_at.filter(|end| withdrawn.is_none_or(|withdrawn| *end <= withdrawn));
    }
    has_basis(&before)
}

/// Whether a consent was given by who may give it for a person.
pub(crate) fn may_consent(policy: &TenantPolicy, person: &Dossier, consent: &Consent) -> bool {
    let (operation, purpose) = (Operation::ProposeDisclosure, consent.purpose);
    Case { operation, purpose, policy, person, now: consent.given_at }.may_consent(consent)
}

/// Whether a person's data must stay whatever a client's statute says.
fn is_kept(person: &Dossier) -> bool {
    !person.holds.is_empty() || retention::is_kept_by_restriction(person)
}

/// Whether a purpose has no place in the tenant's environment, or under the person's law (O3): it keeps nobody.
fn is_off(purpose: Purpose, policy: &TenantPolicy, person: &Dossier) -> bool {
    let is_done =
        policy.environment == Environment::Development && retention::law_of(policy, person).service_development;
    purpose == Purpose::ServiceDevelopment && !is_done
}

/// Whether an operation that processes may serve a purpose.
fn is_served(purpose: Purpose) -> bool {
    let mut processing = Operation::table().iter().filter(|rule| rule.effect == Effect::Processes);
    purpose.is_biometric() && processing.any(|rule| rule.purposes.contains(&purpose))
}

/// Judges an operation on a person.
///
/// The order is part of the contract: of several reasons the first is given. Written consent overrides all else (O16);
/// then what makes of the data storage only: a hold (O42), a restriction (O22), an erasure that is put off (O21), a death (O28),
/// an end (O17); then what the law allows to be done (O3), who may be processed at all (O15),
/// what the person objects to (O39), and the basis (O2, O23).
///
/// # Errors
/// The reason, with the obligation that decided and the duty that comes with it.
pub fn judge(
    operation: Operation,
    purpose: Purpose,
    policy: &TenantPolicy,
    person: &Dossier,
    now: Timestamp,
) -> Result<Judged, Denial> {
    let case = Case { operation, purpose, policy, person, now };
    match operation.rule().effect {
        Effect::Processes => case.process()?,
        Effect::Destroys => case.destroy()?,
        // Whoever is asked by a person for what is held of it hands it over, whatever else is so (O25).
        Effect::None | Effect::Looks | Effect::Records | Effect::HandsOver => {}
    }
    let basis = policy.basis(purpose).filter(|_| purpose.is_biometric());
    Ok(Judged { basis, policy_version: policy.version })
}

/// One person, one purpose, one moment.
struct Case<'a> {
    operation: Operation,
    purpose: Purpose,
    policy: &'a TenantPolicy,
    person: &'a Dossier,
    now: Timestamp,
}

impl Case<'_> {
    fn process(&self) -> Result<(), Denial> {
        self.purpose_is_declared()?;
        self.consented_in_writing()?;
        self.not_held()?;
        self.not_restricted()?;
        self.not_deferred()?;
        self.not_dead()?;
        self.not_over()?;
        self.not_forbidden()?;
        self.old_enough()?;
        self.not_objected()?;
        self.consented()
    }

    /// An objection, or an age that nobody told, is no want of a basis.
    fn lacks_basis(&self) -> bool {
        self.consented_in_writing().is_err() || self.minor_is_consented_for().is_err() || self.consented().is_err()
    }

    fn destroy(&self) -> Result<(), Denial> {
        self.not_held()?;
        // What is kept for a person is not taken from it by others; the person may have all of it erased.
        let is_asked_for = self.operation == Operation::EraseSubject && self.purpose == Purpose::DataSubjectRequest;
        if !is_asked_for {
            self.not_kept_by_restriction()?;
            self.not_deferred()?;
        }
        self.not_kept_by_statute()
    }

    /// O1: the client sets its purposes.
    fn purpose_is_declared(&self) -> Result<(), Denial> {
        if !self.purpose.is_biometric() || self.policy.basis(self.purpose).is_some() {
            return Ok(());
        }
        let message = format!("the tenant declared no lawful basis for {}", self.purpose.name());
        refuse(Reason::PurposeNotAllowed, "O1", message)
    }

    /// O16: some laws take no other basis, and nothing comes before it.
    fn consented_in_writing(&self) -> Result<(), Denial> {
        if !retention::law_of(self.policy, self.person).written_consent_first {
            return Ok(());
        }
        let denied = self.expect(true, Reason::WrittenConsentRequired, "O16");
        denied.map_err(|denial| self.with_duty(denial))
    }

    /// O42: nothing goes, and nothing is done with it, until the proceedings end.
    fn not_held(&self) -> Result<(), Denial> {
        if self.person.holds.is_empty() {
            return Ok(());
        }
        refuse(Reason::LegalHold, "O42", "the person's data are under a litigation hold")
    }

    /// O22: kept, and not processed; but what is contested may be put right (O24), and a client's own reason is in nobody's way who
    /// has that done.
    fn not_restricted(&self) -> Result<(), Denial> {
        use RestrictionGround::{AccuracyContested, ClientReason};
        let rectifies = self.operation == Operation::ReplaceTemplate && self.purpose == Purpose::DataSubjectRequest;
        match self.person.restriction {
            None => Ok(()),
            Some(Restriction { ground: AccuracyContested | ClientReason, .. }) if rectifies => Ok(()),
            Some(_) => refuse_restricted(),
        }
    }

    /// O22: what is kept for the person is not taken from it.
    fn not_kept_by_restriction(&self) -> Result<(), Denial> {
        if retention::is_kept_by_restriction(self.person) { refuse_restricted() } else { Ok(()) }
    }

    /// O21: an erasure that is put off leaves storage only.
    fn not_deferred(&self) -> Result<(), Denial> {
        match self.person.deferral {
            None => Ok(()),
            Some(_) => {
                refuse(Reason::ErasureDeferred, "O21", "an erasure that was asked for is put off until it is due")
            }
        }
    }

    /// O28: nobody who is dead is recognised.
    fn not_dead(&self) -> Result<(), Denial> {
        match self.person.died_at {
            None => Ok(()),
            Some(_) => refuse(Reason::SubjectDeceased, "O28", "the person is dead"),
        }
    }

    /// O17: nothing is done with data past their time, though a sweep has not come by, or a statute keeps them.
    fn not_over(&self) -> Result<(), Denial> {
        match retention::end_of_person(self.policy, self.person).filter(|end| end.at <= self.now) {
            None => Ok(()),
            Some(end) => {
                refuse(Reason::RetentionExpired, "O17", format!("the data are past their time: {}", said(end.cause)))
            }
        }
    }

    /// O17: what a statute wants kept is not destroyed before; but a minor whom nobody consented for goes without delay (O15).
    fn not_kept_by_statute(&self) -> Result<(), Denial> {
        if is_child_alone(self.policy, self.person, self.now) {
            return Ok(());
        }
        match kept_by_statute(self.policy, self.person, self.now) {
            Some(Keeper::Statute(_)) => {
                refuse(Reason::StatutoryMinimum, "O17", "a statute wants the person's data kept, as storage only")
            }
            Some(Keeper::Hold | Keeper::Restriction) | None => Ok(()),
        }
    }

    /// O3: some laws let nobody's data serve to develop the service.
    fn not_forbidden(&self) -> Result<(), Denial> {
        let law = retention::law_of(self.policy, self.person);
        if self.purpose != Purpose::ServiceDevelopment || law.service_development {
            return Ok(());
        }
        refuse(
            Reason::JurisdictionForbids,
            "O3",
            format!("service_development is not done under the law of {}", law.title),
        )
    }

    /// O15: who may be processed at all.
    fn old_enough(&self) -> Result<(), Denial> {
        if self.person.age == AgeBand::Unknown && self.policy.age_required {
            return refuse(Reason::AgeUnknown, "O15", "the tenant processes nobody of unknown age");
        }
        self.minor_is_consented_for()
    }

    /// O15: minors are processed with a guardian's consent, or their own where the law lets them give it.
    fn minor_is_consented_for(&self) -> Result<(), Denial> {
        let denied = match self.person.age {
            AgeBand::Unknown | AgeBand::Adult => return Ok(()),
            AgeBand::Under16 | AgeBand::MinorFrom16 if self.needs_guardian() => {
                self.expect(false, Reason::MinorWithoutGuardian, "O15")
            }
            AgeBand::Under16 | AgeBand::MinorFrom16 => self.expect(false, Reason::ConsentMissing, "O15"),
        };
        denied.map_err(|denial| self.with_duty(denial))
    }

    /// O39: the purpose stops, until the client has compelling grounds.
    fn not_objected(&self) -> Result<(), Denial> {
        if !self.purpose.is_biometric() || !self.person.stops(self.purpose) {
            return Ok(());
        }
        refuse(Reason::PurposeObjected, "O39", format!("the person objects to {}", self.purpose.name()))
    }

    /// O2, O23: what rests on consent stops with it.
    fn consented(&self) -> Result<(), Denial> {
        if self.has_other_basis() {
            return Ok(());
        }
        self.expect(false, Reason::ConsentMissing, "O2").map_err(|denial| {
            let obligation = if denial.reason == Reason::ConsentWithdrawn { "O23" } else { "O2" };
            Denial { obligation, ..denial }
        })
    }

    /// Whether the purpose rests on something else than consent; of one that is not biometric, whether any purpose does.
    fn has_other_basis(&self) -> bool {
        let mut declared = self.policy.purposes.iter();
        let concerns = |purpose| purpose == self.purpose || !self.purpose.is_biometric();
        declared.any(|entry| concerns(entry.purpose) && entry.basis != LawfulBasis::ExplicitConsent)
    }

    const fn needs_guardian(&self) -> bool {
        match self.person.age {
            AgeBand::Under16 => true,
            AgeBand::MinorFrom16 => !self.policy.alone_from_16,
            AgeBand::Unknown | AgeBand::Adult => false,
        }
    }

    /// Whether a consent is to what the call is for: to its purpose, or, where that is no biometric one, to any.
    fn concerns(&self, consent: &Consent) -> bool {
        consent.purpose == self.purpose || !self.purpose.is_biometric()
    }

    /// Whether a consent was given by who may give it for this person.
    fn may_consent(&self, consent: &Consent) -> bool {
        match self.person.age {
            AgeBand::Adult => consent.giver == Giver::Subject,
            AgeBand::Under16 | AgeBand::MinorFrom16 => !self.needs_guardian() || consent.giver == Giver::Guardian,
            AgeBand::Unknown => true,
        }
    }

    /// A consent that holds, of who may give it, in writing if that is asked for. Without one the latest that was given says
    /// why; `missing` where there was none.
    fn expect(&self, written: bool, missing: Reason, obligation: &'static str) -> Result<(), Denial> {
        let counts = |consent: &&Consent| {
            self.concerns(consent) && self.may_consent(consent) && (!written || consent.manner == Manner::Written)
        };
        let mut given = self.person.consents.iter().filter(counts);
        if given.clone().any(|consent| consent.state(self.now) == ConsentState::Valid) {
            return Ok(());
        }
        // Of two that were given at one time, the one that was recorded last.
        let latest = given.by_ref().max_by_key(|consent| consent.given_at).map(|consent| consent.state(self.now));
        let what = match (written, self.needs_guardian()) {
            (true, true) => "a guardian's written consent",
            (true, false) => "a written consent",
            (false, true) => "a guardian's consent",
            (false, false) => "a consent",
        };
        match latest {
            Some(ConsentState::Withdrawn) => {
                refuse(Reason::ConsentWithdrawn, obligation, format!("{what} is needed, and was withdrawn"))
            }
            Some(ConsentState::Expired) => {
                refuse(Reason::ConsentExpired, obligation, format!("{what} is needed, and its time is over"))
            }
            Some(ConsentState::Valid) | None => {
                refuse(missing, obligation, format!("{what} is needed, and none was recorded"))
            }
        }
    }

    /// A minor whom nobody consented for is erased without delay (O15).
    fn with_duty(&self, denial: Denial) -> Denial {
        let due = is_child_alone(self.policy, self.person, self.now);
        Denial { duty: due.then_some(Duty::EraseWithoutDelay), ..denial }
    }
}

fn refuse_restricted() -> Result<(), Denial> {
    refuse(Reason::SubjectRestricted, "O22", "processing of the person's data is restricted")
}

/// What is refused of somebody who may be processed, but none of whose templates may be any more (O17).
pub fn past_its_time() -> Denial {
    let message = format!("the data are past their time: {}", said(Cause::Period));
    Denial { reason: Reason::RetentionExpired, obligation: "O17", message, duty: None }
}

fn said(cause: Cause) -> &'static str {
    match cause {
        Cause::Period | Cause::Law | Cause::Vendor | Cause::Improvement => {
            "they have been kept for as long as they may be"
        }
        Cause::PurposeSatisfied => "the purpose is satisfied",
        Cause::ContractOver => "the contract is over",
        Cause::Deferred => "the erasure was put off until then",
        Cause::Death => "the person is dead",
        Cause::MinorAlone => "nobody consents for the minor who may",
        Cause::Withdrawn => "the consent was withdrawn",
    }
}

fn refuse(reason: Reason, obligation: &'static str, message: impl Into<String>) -> Result<(), Denial> {
    Err(Denial { reason, obligation, message: message.into(), duty: None })
}
