//! Consents, alone and beside each other.

use lethe_domain::{Consent, ConsentId, Giver, Label, Manner, Notice, Purpose, Timestamp};

use super::{LATELY, LONG_AGO, NOW, SERVED, another, consented_purpose, from_now};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    Valid,
    Expired,
    Withdrawn,
}

pub(crate) const EVERY_STANDING: [Stands; 3] = [Stands::Valid, Stands::Expired, Stands::Withdrawn];

pub(crate) fn consent(purpose: Purpose, manner: Manner, giver: Giver, stands: Stands, given_at: Timestamp) -> Consent {
    Consent {
        id: ConsentId::from_bytes([0; 16]),
        purpose,
        notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [7; 32] },
        manner,
        giver,
        recipients: Vec::new(),
        countries: Vec::new(),
        given_at,
        expires_at: (stands == Stands::Expired).then_some(from_now(-1)),
        withdrawn_at: (stands == Stands::Withdrawn).then_some(from_now(-1)),
    }
}

/// The consents as they stand in a dossier. Their ids descend, so that the order of ids is not that of recording.
pub(crate) fn recorded(mut consents: Vec<Consent>) -> Vec<Consent> {
    for (id, consent) in (0..=u8::MAX).rev().zip(&mut consents) {
        consent.id = ConsentId::from_bytes([id; 16]);
    }
    consents
}

/// A consent of each standing, manner and giver, to the purpose and to another.
pub(crate) fn each_consent(purpose: Purpose, given_at: Timestamp) -> Vec<Consent> {
    let mut all = Vec::new();
    for to in [purpose, another(purpose)] {
        for stands in EVERY_STANDING {
            for manner in [Manner::Written, Manner::Electronic] {
                for giver in Giver::ALL {
                    all.push(consent(to, manner, giver, stands, given_at));
                }
            }
        }
    }
    all
}

/// Single consents whose times lie at the edge.
pub(crate) fn consents_at_the_edge_of_time(purpose: Purpose) -> Vec<Vec<Consent>> {
    let mut lists = Vec::new();
    let kinds =
        [(Manner::Written, Giver::Guardian), (Manner::Written, Giver::Subject), (Manner::Electronic, Giver::Subject)];
    for (manner, giver) in kinds {
        let plain = consent(purpose, manner, giver, Stands::Valid, LATELY);
        let ends_now = Consent { expires_at: Some(NOW), ..plain.clone() };
        let ends_next = Consent { expires_at: Some(from_now(1)), ..plain.clone() };
        lists.extend([
            vec![ends_now.clone()],
            vec![ends_next.clone()],
            vec![Consent { withdrawn_at: Some(NOW), ..plain.clone() }],
            vec![Consent { withdrawn_at: Some(from_now(1)), ..plain.clone() }],
            vec![Consent { withdrawn_at: Some(LATELY), ..ends_now.clone() }],
            vec![Consent { withdrawn_at: Some(from_now(1)), ..ends_next.clone() }],
            vec![Consent { given_at: NOW, ..plain.clone() }],
            vec![Consent { given_at: from_now(1), ..plain }],
            vec![Consent { given_at: from_now(1), ..ends_now }],
        ]);
    }
    lists
}

/// Two consents of one kind, which ended differently or of which one holds.
pub(crate) fn pairs_of_a_kind(purpose: Purpose) -> Vec<Vec<Consent>> {
    use Stands::{Expired, Valid, Withdrawn};
    let mut lists = Vec::new();
    for manner in [Manner::Written, Manner::Electronic] {
        for giver in Giver::ALL {
            let one = |stands, given_at| consent(purpose, manner, giver, stands, given_at);
            lists.extend([
                vec![one(Withdrawn, LONG_AGO), one(Valid, LATELY)],
                vec![one(Valid, LONG_AGO), one(Withdrawn, LATELY)],
                vec![one(Valid, LONG_AGO), one(Expired, LATELY)],
                vec![one(Expired, LONG_AGO), one(Withdrawn, LATELY)],
                vec![one(Withdrawn, LONG_AGO), one(Expired, LATELY)],
                vec![one(Withdrawn, LATELY), one(Expired, LONG_AGO)],
                vec![one(Expired, LATELY), one(Withdrawn, LONG_AGO)],
                vec![one(Expired, LATELY), one(Withdrawn, LATELY)],
                vec![one(Withdrawn, LATELY), one(Expired, LATELY)],
            ]);
        }
    }
    lists
}

/// Consents of several kinds: what one rule takes, another does not.
pub(crate) fn mixed_kinds(purpose: Purpose) -> Vec<Vec<Consent>> {
    use Giver::{Guardian, Subject};
    use Manner::{Electronic, Spoken, Written};
    use Stands::{Expired, Valid, Withdrawn};
    let this = |manner, giver, stands, given_at| consent(purpose, manner, giver, stands, given_at);
    let other = |manner, giver, stands, given_at| consent(another(purpose), manner, giver, stands, given_at);
    vec![
        vec![this(Spoken, Subject, Valid, LATELY)],
        vec![this(Spoken, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LONG_AGO), this(Written, Subject, Withdrawn, LATELY)],
        vec![this(Electronic, Guardian, Valid, LONG_AGO), this(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Electronic, Guardian, Valid, LATELY), this(Written, Guardian, Expired, LONG_AGO)],
        vec![this(Written, Subject, Valid, LONG_AGO), this(Written, Guardian, Expired, LATELY)],
        vec![this(Written, Subject, Valid, LATELY), this(Written, Guardian, Withdrawn, LONG_AGO)],
        vec![this(Written, Subject, Valid, LONG_AGO), this(Electronic, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LATELY), this(Electronic, Guardian, Withdrawn, LONG_AGO)],
        vec![this(Written, Guardian, Expired, LONG_AGO), this(Written, Subject, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LONG_AGO), this(Written, Subject, Expired, LATELY)],
        vec![this(Written, Subject, Expired, LONG_AGO), this(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Written, Guardian, Expired, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Written, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Expired, LATELY), this(Electronic, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LONG_AGO), this(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Subject, Expired, LONG_AGO), this(Electronic, Subject, Withdrawn, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Electronic, Subject, Expired, LATELY)],
        vec![this(Written, Guardian, Expired, LONG_AGO), this(Electronic, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LATELY), other(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Guardian, Expired, LATELY), other(Electronic, Guardian, Valid, LONG_AGO)],
        vec![this(Written, Subject, Valid, LATELY), other(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Guardian, Expired, LONG_AGO), other(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LONG_AGO), other(Written, Guardian, Expired, LATELY)],
        vec![
            this(Written, Guardian, Expired, LONG_AGO),
            this(Written, Guardian, Valid, LONG_AGO),
            this(Written, Guardian, Withdrawn, LATELY),
        ],
        vec![
            this(Electronic, Subject, Withdrawn, LATELY),
            this(Electronic, Subject, Expired, LATELY),
            this(Electronic, Subject, Withdrawn, LONG_AGO),
        ],
    ]
}

/// The lists of consents that every other fact about a person is crossed with.
pub(crate) fn consent_lists(purpose: Purpose) -> Vec<Vec<Consent>> {
    let purpose = consented_purpose(purpose);
    let mut lists = vec![vec![]];
    lists.extend(each_consent(purpose, LATELY).into_iter().map(|consent| vec![consent]));
    lists.extend(consents_at_the_edge_of_time(purpose));
    lists.extend(pairs_of_a_kind(purpose));
    lists.extend(mixed_kinds(purpose));
    lists.into_iter().map(recorded).collect()
}

/// Consents of one kind to several purposes, some of them withdrawn and over besides.
pub(crate) fn consents_to_several_purposes() -> Vec<Vec<Consent>> {
    use Purpose::{Authentication, DuplicateDetection, FraudPrevention, KycSharing, LegalClaims};
    use Stands::{Expired, Valid, Withdrawn};
    let mut lists = Vec::new();
    for manner in [Manner::Written, Manner::Electronic] {
        for giver in Giver::ALL {
            let one = |to, stands| consent(to, manner, giver, stands, LONG_AGO);
            let over = |to| Consent { expires_at: Some(from_now(-1)), ..one(to, Withdrawn) };
            lists.extend([
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Valid)],
                vec![one(Authentication, Valid), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Expired)],
                vec![one(Authentication, Expired), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Expired), one(FraudPrevention, Expired)],
                vec![over(Authentication)],
                vec![over(Authentication), over(FraudPrevention)],
                vec![over(Authentication), one(FraudPrevention, Withdrawn)],
                vec![over(Authentication), one(Authentication, Withdrawn)],
                vec![over(Authentication), one(Authentication, Expired)],
                vec![one(Authentication, Withdrawn), one(KycSharing, Valid), one(LegalClaims, Valid)],
                vec![one(Authentication, Withdrawn), one(DuplicateDetection, Valid)],
                vec![one(KycSharing, Withdrawn)],
                SERVED.map(|to| one(to, Withdrawn)).to_vec(),
                SERVED.map(|to| one(to, if to == Authentication { Withdrawn } else { Valid })).to_vec(),
            ]);
        }
    }
    lists.into_iter().map(recorded).collect()
}

/// The lists by which it is found out who is to be erased though nobody asked for it.
pub(crate) fn lists_of_withdrawals() -> Vec<Vec<Consent>> {
    let mut lists = consent_lists(Purpose::Authentication);
    lists.extend(consents_to_several_purposes());
    lists
}
