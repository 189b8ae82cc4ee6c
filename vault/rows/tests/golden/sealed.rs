//! Plaintexts of sealed rows.

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Act, AgeBand, AttestationPolicy, Automation, AutomationGround, Band, CaptureKind, CaptureUse, Case, CaseDecision,
    CaseId, CaseKind, CaseReason, CaseState, CaseStep, Closure, Consent, ConsentId, Contest, Country, CredentialId,
    Deferral, DeferralReason, Disclosure, DisclosureId, Dossier, Environment, Evidence, Extension, ExtensionReason,
    Giver, Ground, Hold, HoldId, Jurisdiction, Label, LawfulBasis, Login, Manner, ModelId, ModelProfile, Notice,
    Notification, NotificationOutcome, Objection, Occasion, PadLevel, Period, PostMortem, Proposal, ProposalId,
    Purpose, PurposeBasis, Quality, Question, ReceiptId, RefusalReason, Region, RequestKind, RequestOutcome, Requester,
    Restriction, RestrictionGround, Retention, RightsRequest, RightsRequestId, Role, Roles, Safeguard, SafeguardKind,
    Seen, Sketching, Standing, SubjectId, TemplateFacts, TemplateId, TenantId, TenantPolicy, Thresholds, Timestamp,
    Told, Transfer, Upheld, Verification, Vote, Watchlist, WatchlistEntry, WatchlistEntryId, WatchlistId,
    WatchlistKind,
};
use lethe_rows::records::{
    Addressee, AskedRecord, Content, CredentialProof, CredentialRecord, CredentialRef, Delivery, DisclosureRecord,
    DossierRecord, EvidenceRecord, Leaving, ListedRecord, NotificationRecord, ProfileRecord, Remembered, RequestRecord,
    ShreddedRecord, SigningKeyRecord, StoredCase, StoredProposal, SubjectRecord, TemplateRecord, TenantRecord,
    WatchlistEntryRecord, WatchlistRecord, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of times in all of them; in hexadecimal 000001a20375c3be.
const CREATED: Timestamp = Timestamp::from_millis(1_795_354_379_198);

fn country(code: &str) -> Country {
    Country::parse("country", code).unwrap()
}

/// A transfer with all that there can be of one, and how it is written.
fn guarded() -> Transfer {
    let label = |text| Label::parse("label", text).unwrap();
    let kind = SafeguardKind::StandardContractualClauses;
    let safeguard = Some(Safeguard { kind, reference: label("scc-1") });
    Transfer { destination: country("US"), safeguard, contract: Some(label("c-1")) }
}

const GUARDED: &str = r#"{"country":"US","safeguard":2,"reference":"scc-1","contract":"c-1"}"#;

/// What a row says, and the same read back; one more field is refused.
fn fixed<T: Serialize + DeserializeOwned>(record: &T, expected: &str) -> T {
    assert_eq!(String::from_utf8(encode("row", record).unwrap().to_vec()).unwrap(), expected);
    let longer = expected.replacen('{', r#"{"more":0,"#, 1);
    assert!(decode::<T>("row", longer.as_bytes()).is_err(), "{longer}");
    let read = decode("row", expected.as_bytes()).unwrap();
    assert_eq!(encode("row", &read).unwrap().as_slice(), expected.as_bytes());
    read
}

#[test]
fn a_subject_is_fixed() {
    let expected =
        [&hex::decode("01 000001a20375c3be 06".replace(' ', "")).unwrap()[..], b"p-1001", &[0; 122]].concat();
    assert_eq!(expected.len(), 138);
    let record = SubjectRecord { id: SubjectId::parse("p-1001").unwrap(), created_at: CREATED };
    assert_eq!(hex::encode(record.encode()), hex::encode(&expected));
    let read = SubjectRecord::decode(&expected).unwrap();
    assert_eq!((read.id, read.created_at), (record.id, record.created_at));

    let longest = "x".repeat(128);
    let record = SubjectRecord { id: SubjectId::parse(&longest).unwrap(), created_at: Timestamp::from_millis(-2) };
    let expected = [&hex::decode("01fffffffffffffffe80").unwrap()[..], longest.as_bytes()].concat();
    assert_eq!(hex::encode(record.encode()), hex::encode(expected));
}

#[test]
fn a_template_is_fixed() {
    let model = ModelId::parse("face", "1").unwrap();
    let facts = TemplateFacts {
        id: TemplateId::from_bytes(std::array::from_fn(|n| 0x51 + n as u8)),
        model: model.clone(),
        kind: CaptureKind::AuthenticationCapture,
        quality: Quality::parse("quality", 0.75).unwrap(),
        captured_at: Timestamp::from_millis(1_700_000_000_000),
        enrolled_at: CREATED,
    };
    let mut embedding = vec![0.0; 64];
    embedding[..3].copy_from_slice(&[0.5, -0.5, std::f32::consts::FRAC_1_SQRT_2]);
    let facts_in_bytes =
        "01 5152535455565758595a5b5c5d5e5f60 03 3f400000 0000018bcfe56800 000001a20375c3be 00000040".replace(' ', "");
    let components = "0000003f 000000bf f304353f".replace(' ', "") + &"00".repeat(4 * 61);
    let expected = hex::decode(facts_in_bytes + &components).unwrap();
    assert_eq!(expected.len(), 42 + 4 * 64);
    assert_eq!(hex::encode(TemplateRecord::encode(&facts, &embedding)), hex::encode(&expected));
    let read = TemplateRecord::decode(&expected, &model).unwrap();
    assert_eq!((read.facts, read.embedding.components()), (facts, &embedding[..]));
    for kind in CaptureKind::ALL.into_iter().zip(1..) {
        assert_eq!(kind.0.number(), kind.1);
    }
}

#[test]
fn a_tenant_is_fixed() {
    let id = TenantId::parse("acme").unwrap();
    let basis = |purpose, basis| PurposeBasis { purpose, basis };
    let purposes = [
        basis(Purpose::Authentication, LawfulBasis::ExplicitConsent),
        basis(Purpose::DuplicateDetection, LawfulBasis::LegitimateInterests),
    ];
    let mut policy = TenantPolicy::of(purposes.to_vec());
    let record = TenantRecord::new(&id, &policy, CREATED);
    let read = fixed(&record, r#"{"id":"acme","purposes":[[1,1],[3,6]],"created_at":1795354379198}"#);
    assert_eq!(read.parse().unwrap(), (id.clone(), policy.clone(), CREATED));

    policy.version = 2;
    policy.jurisdiction = Jurisdiction::Illinois;
    policy.age_required = true;
    let record = TenantRecord::new(&id, &policy, CREATED);
    let beside = r#""policy":{"version":2,"jurisdiction":3,"alone_from_16":false,"age_required":true}"#;
    let expected = format!(r#"{{"id":"acme","purposes":[[1,1],[3,6]],"created_at":1795354379198,{beside}}}"#);
    assert_eq!(fixed(&record, &expected).parse().unwrap(), (id.clone(), policy.clone(), CREATED));

    policy.environment = Environment::Development;
    policy.region = Some(Region::parse("region", "eu-central").unwrap());
    policy.country = Some(country("JP"));
    let (keep, minimum) = (Some(Period::months(18)), Some(Period::months(60)));
    let (after_end, limitation) = (Some(Period::days(30)), Some(Period::months(72)));
    policy.retention = Retention { keep, after_end, minimum, vendor_purposes: true, limitation };
    let record = TenantRecord::new(&id, &policy, CREATED);
    let beside = concat!(
        r#""policy":{"version":2,"jurisdiction":3,"alone_from_16":false,"age_required":true,"environment":2,"#,
        r#""region":"eu-central","country":"JP","retention":{"keep":"P1Y6M","after_end":"P30D","minimum":"P5Y","vendor_purposes":true,"#,
        r#""limitation":"P6Y"}}"#
    );
    let expected = format!(r#"{{"id":"acme","purposes":[[1,1],[3,6]],"created_at":1795354379198,{beside}}}"#);
    assert_eq!(fixed(&record, &expected).parse().unwrap(), (id.clone(), policy.clone(), CREATED));

    let label = |text| Label::parse("label", text).unwrap();
    policy.automation = vec![Automation {
        purpose: Purpose::Authentication,
        ground: AutomationGround::Contract,
        explanation: Notice { version: label("automatic-1"), sha256: [0x1b; 32] },
        reviewer: label("desk-2"),
    }];
    let record = TenantRecord::new(&id, &policy, CREATED);
    let notice = "1b".repeat(32);
    let automation = format!(
        r#","automation":[{{"purpose":1,"ground":1,"notice":"automatic-1","notice_sha256":"{notice}","reviewer":"desk-2"}}]}}}}"#
    );
    let expected = format!("{}{automation}", expected.strip_suffix("}}").unwrap());
    assert_eq!(fixed(&record, &expected).parse().unwrap(), (id, policy, CREATED));
}

#[test]
fn a_dossier_is_fixed() {
    let label = |text| Label::parse("label", text).unwrap();
    let at = Timestamp::from_millis;
    let consent = Consent {
        id: ConsentId::from_bytes([0xaa; 16]),
        purpose: Purpose::Authentication,
        notice: Notice { version: label("v1"), sha256: [0xbb; 32] },
        manner: Manner::Written,
        giver: Giver::Guardian,
        recipients: vec![label("bank-2"), label("court")],
        countries: vec![country("KZ"), country("US")],
        given_at: at(1),
        expires_at: Some(at(2)),
        withdrawn_at: Some(at(3)),
    };
    let dossier = Dossier {
        jurisdiction: Some(Jurisdiction::Texas),
        age: AgeBand::MinorFrom16,
        consents: vec![consent],
        restriction: Some(Restriction { ground: RestrictionGround::NeededForClaim, since: at(4) }),
        objections: vec![Objection { purpose: Purpose::FraudPrevention, since: at(5), overruled: Some(label("g-1")) }],
        holds: vec![Hold {
            id: HoldId::from_bytes([0xcc; 16]),
            case: label("c-1"),
            placed_at: at(6),
            review_at: at(7),
            reviewed_at: Some(at(8)),
        }],
        purpose_ended_at: Some(at(8)),
        contract_ended_at: Some(at(9)),
        deferral: Some(Deferral {
            reason: DeferralReason::LegalProcess,
            requested_at: at(10),
            until: at(11),
            receipt: ReceiptId::from_bytes([0xdd; 16]),
        }),
        post_mortem: Some(PostMortem::Keep(Period::days(90))),
        died_at: Some(at(12)),
    };
    let expected = format!(
        concat!(
            r#"{{"jurisdiction":4,"age":2,"consents":[{{"id":"{}","purpose":1,"notice":"v1","notice_sha256":"{}","#,
            r#""manner":1,"giver":2,"recipients":["bank-2","court"],"countries":["KZ","US"],"given_at":1,"expires_at":2,"withdrawn_at":3}}],"#,
            r#""restriction":{{"ground":3,"since":4}},"objections":[{{"purpose":4,"since":5,"overruled":"g-1"}}],"#,
            r#""holds":[{{"id":"{}","case":"c-1","placed_at":6,"review_at":7,"reviewed_at":8}}],"#,
            r#""purpose_ended_at":8,"contract_ended_at":9,"#,
            r#""deferral":{{"reason":2,"requested_at":10,"until":11,"receipt":"{}"}},"#,
            r#""post_mortem":{{"keep":"P90D"}},"died_at":12}}"#
        ),
        "aa".repeat(16),
        "bb".repeat(32),
        "cc".repeat(16),
        "dd".repeat(16)
    );
    let written = DossierRecord::seal_as(&dossier).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<1024}"));
    assert_eq!(DossierRecord::read(&written).unwrap(), dossier);
    for (wish, written) in [
        (PostMortem::Erase, r#""post_mortem":"erase""#),
        (PostMortem::HandOver(label("t-1")), r#""post_mortem":{"hand_over":"t-1"}"#),
    ] {
        let dossier = Dossier { post_mortem: Some(wish), ..Dossier::default() };
        let row = DossierRecord::seal_as(&dossier).unwrap();
        assert!(std::str::from_utf8(&row).unwrap().contains(written));
        assert_eq!(DossierRecord::read(&row).unwrap(), dossier);
    }

    let empty = DossierRecord::seal_as(&Dossier::default()).unwrap();
    let expected = r#"{"age":0,"consents":[],"objections":[],"holds":[]}"#;
    assert_eq!(std::str::from_utf8(&empty).unwrap(), format!("{expected:<512}"));
    assert_eq!(DossierRecord::read(&empty).unwrap(), Dossier::default());
    for wrong in [r#""age":4"#, r#""more":0,"age":0"#, r#""jurisdiction":9,"age":0"#] {
        assert!(DossierRecord::read(expected.replace(r#""age":0"#, wrong).as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn what_outlives_a_person_is_fixed() {
    let at = Timestamp::from_millis;
    let consent = Consent {
        id: ConsentId::from_bytes([0xaa; 16]),
        purpose: Purpose::DocumentCheck,
        notice: Notice { version: Label::parse("label", "v1").unwrap(), sha256: [0xbb; 32] },
        manner: Manner::Spoken,
        giver: Giver::Subject,
        recipients: Vec::new(),
        countries: Vec::new(),
        given_at: at(1),
        expires_at: None,
        withdrawn_at: Some(at(3)),
    };
    let evidence = Evidence { consent, keep_until: Some(at(9)) };
    let expected = format!(
        concat!(
            r#"{{"consent":{{"id":"{}","purpose":2,"notice":"v1","notice_sha256":"{}","manner":3,"giver":1,"given_at":1,"#,
            r#""withdrawn_at":3}},"keep_until":9}}"#
        ),
        "aa".repeat(16),
        "bb".repeat(32)
    );
    let written = EvidenceRecord::seal_as(&evidence).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(EvidenceRecord::read(&written).unwrap(), evidence);
    assert!(EvidenceRecord::read(expected.replace(r#""purpose":2"#, r#""purpose":0"#).as_bytes()).is_err());

    let request = RightsRequest {
        kind: RequestKind::Erasure,
        jurisdiction: Jurisdiction::California,
        requester: Requester::Agent,
        verification: Some(Verification::Mandate),
        received_at: at(1),
        opened_at: at(2),
        due_at: at(3),
        extension: Some(Extension { reason: ExtensionReason::Number, noticed_at: at(4) }),
        closure: Some(Closure {
            outcome: RequestOutcome::Partly,
            reason: Some(RefusalReason::LegalClaims),
            closed_at: at(5),
        }),
    };
    let expected = concat!(
        r#"{"kind":4,"jurisdiction":6,"requester":2,"verification":4,"received_at":1,"opened_at":2,"due_at":3,"#,
        r#""extension":{"reason":2,"noticed_at":4},"closure":{"outcome":2,"reason":11,"closed_at":5}}"#
    );
    let written = RequestRecord::seal_as(&request).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(RequestRecord::read(&written).unwrap(), request);
    for wrong in [r#""kind":10"#, r#""subject":"ann","kind":4"#] {
        assert!(RequestRecord::read(expected.replace(r#""kind":4"#, wrong).as_bytes()).is_err(), "{wrong}");
    }
    let open = RightsRequest { verification: None, extension: None, closure: None, ..request };
    assert_eq!(RequestRecord::read(&RequestRecord::seal_as(&open).unwrap()).unwrap(), open);

    let asked = [RightsRequestId::from_bytes([1; 16]), RightsRequestId::from_bytes([2; 16])];
    let expected = format!(r#"{{"requests":["{}","{}"]}}"#, "01".repeat(16), "02".repeat(16));
    let written = AskedRecord::seal_as(&asked).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(AskedRecord::read(&written).unwrap(), asked);
    assert!(AskedRecord::read(br#"{"requests":["01"]}"#).is_err());
}

#[test]
fn signing_keys_are_fixed() {
    let at = Timestamp::from_millis;
    let key = SigningKeyRecord::new("camera-1", [0xab; 32], at(5), None);
    let expected = format!(r#"{{"kid":"camera-1","point":"{}","created_at":5}}"#, "ab".repeat(32));
    assert_eq!(std::str::from_utf8(&key.seal_as().unwrap()).unwrap(), expected);
    assert_eq!(SigningKeyRecord::read(expected.as_bytes()).unwrap(), key);
    let revoked = SigningKeyRecord::new("camera-1", [0xab; 32], at(5), Some(at(7)));
    let revoked_as = expected.replace(r#""created_at":5"#, r#""created_at":5,"revoked_at":7"#);
    assert_eq!(std::str::from_utf8(&revoked.seal_as().unwrap()).unwrap(), revoked_as);
    assert_eq!(SigningKeyRecord::read(revoked_as.as_bytes()).unwrap().revoked_at(), Some(at(7)));
    for wrong in [expected.replace("abab", "ab"), expected.replace(r#""kid""#, r#""more":1,"kid""#)] {
        assert!(SigningKeyRecord::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn what_a_tenant_asks_of_attestations_is_fixed() {
    let id = TenantId::parse("bank").unwrap();
    let mut policy = TenantPolicy::of(Vec::new());
    let exempt = vec![CaptureUse::Enrollment, CaptureUse::Watchlist];
    let max_age = std::time::Duration::from_secs(90);
    policy.attestation = Some(AttestationPolicy { exempt, least_level: PadLevel::Level2, max_age });
    let written = encode("tenant", &TenantRecord::new(&id, &policy, Timestamp::from_millis(5))).unwrap();
    let text = std::str::from_utf8(&written).unwrap();
    let expected = r#""attestation":{"exempt":[1,4],"least_level":2,"max_age_ms":90000}"#;
    assert!(text.contains(expected), "{text}");
    let read: TenantRecord = decode("tenant", &written).unwrap();
    assert_eq!(read.parse().unwrap().1, policy);
    for wrong in [r#""exempt":[5]"#, r#""exempt":[0]"#] {
        let wrong = text.replace(r#""exempt":[1,4]"#, wrong);
        let read: TenantRecord = decode("tenant", wrong.as_bytes()).unwrap();
        assert!(read.parse().is_err(), "{wrong}");
    }
}

#[test]
fn watch_lists_are_fixed() {
    let at = Timestamp::from_millis;
    let (id, kind) = (WatchlistId::parse("fraud-a").unwrap(), WatchlistKind::ConfirmedFraud);
    let list = Watchlist { id, kind, created_at: at(5) };
    let expected = r#"{"id":"fraud-a","kind":1,"created_at":5}"#;
    let written = WatchlistRecord::seal_as(&list).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(WatchlistRecord::read(&written).unwrap(), list);
    for wrong in [r#""kind":3"#, r#""kind":0"#, r#""more":0,"kind":1"#] {
        assert!(WatchlistRecord::read(expected.replace(r#""kind":1"#, wrong).as_bytes()).is_err(), "{wrong}");
    }

    let entry = WatchlistEntry {
        model: ModelId::parse("arcface", "1.0").unwrap(),
        basis: LawfulBasis::LegalClaims,
        reference: Label::parse("reference", "case-7").unwrap(),
        confirmed_at: at(1),
        expires_at: at(2),
        added_at: at(3),
        added_by: CredentialId::from_bytes([1; 16]),
        contest: Some(Contest { at: at(4), request: Some(RightsRequestId::from_bytes([2; 16])) }),
        upheld: Some(Upheld { at: at(5), by: CredentialId::from_bytes([3; 16]) }),
    };
    let facts = format!(
        concat!(
            r#"{{"model":"arcface","version":"1.0","basis":4,"reference":"case-7","confirmed_at":1,"expires_at":2,"#,
            r#""added_at":3,"added_by":"{}","contest":{{"at":4,"request":"{}"}},"upheld":{{"at":5,"by":"{}"}}}}"#
        ),
        "01".repeat(16),
        "02".repeat(16),
        "03".repeat(16)
    );
    let components: Vec<f32> = (0..64_u8).map(f32::from).collect();
    let mut expected = vec![1, 0, 0, 2, 0];
    expected.extend_from_slice(format!("{facts:<512}").as_bytes());
    expected.extend_from_slice(&[0, 0, 0, 64]);
    components.iter().for_each(|component| expected.extend_from_slice(&component.to_le_bytes()));
    let written = WatchlistEntryRecord::seal_as(&entry, &components).unwrap();
    assert_eq!(*written, expected);
    let read = WatchlistEntryRecord::read(&written).unwrap();
    assert_eq!((read.entry, read.embedding.components()), (entry.clone(), &components[..]));
    let alone = WatchlistEntry { contest: None, upheld: None, ..entry };
    let written = WatchlistEntryRecord::seal_as(&alone, &components).unwrap();
    assert_eq!(WatchlistEntryRecord::read(&written).unwrap().entry, alone);
    for wrong in [&expected[..expected.len() - 4], &expected[1..], &[&[2], &expected[1..]].concat(), &[1, 0, 0, 2, 0]] {
        assert!(WatchlistEntryRecord::read(wrong).is_err());
    }

    let listed = [(7, WatchlistEntryId::from_bytes([1; 16])), (8, WatchlistEntryId::from_bytes([2; 16]))];
    let expected = format!(r#"{{"entries":[[7,"{}"],[8,"{}"]]}}"#, "01".repeat(16), "02".repeat(16));
    let written = ListedRecord::seal_as(&listed).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(ListedRecord::read(&written).unwrap(), listed);
    assert!(ListedRecord::read(br#"{"entries":[[7,"01"]]}"#).is_err());
}

#[test]
fn notifications_are_fixed() {
    let at = Timestamp::from_millis;
    let notification = Notification {
        recipient: Label::parse("recipient", "police").unwrap(),
        occasion: Occasion::Erased,
        disclosures: vec![DisclosureId::from_bytes([1; 16]), DisclosureId::from_bytes([2; 16])],
        arisen_at: at(1),
        closed: Some((NotificationOutcome::Impossible, at(2))),
    };
    let expected = format!(
        r#"{{"recipient":"police","occasion":4,"disclosures":["{}","{}"],"arisen_at":1,"closed":{{"outcome":2,"at":2}}}}"#,
        "01".repeat(16),
        "02".repeat(16)
    );
    let written = NotificationRecord::seal_as(&notification).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(NotificationRecord::read(&written).unwrap(), notification);
    let pending = Notification { closed: None, ..notification };
    assert_eq!(NotificationRecord::read(&NotificationRecord::seal_as(&pending).unwrap()).unwrap(), pending);
    let ids = format!(r#""{}","{}""#, "01".repeat(16), "02".repeat(16));
    for (right, wrong) in [
        (r#""occasion":4"#, r#""occasion":6"#.to_owned()),
        (r#""occasion":4"#, r#""subject":"ann","occasion":4"#.to_owned()),
        (r#""outcome":2"#, r#""outcome":0"#.to_owned()),
        (&ids, String::new()),
        (&ids, format!(r#""{0}","{0}""#, "01".repeat(16))),
    ] {
        assert!(NotificationRecord::read(expected.replace(right, &wrong).as_bytes()).is_err(), "{wrong}");
    }
    let names: Vec<_> = Occasion::ALL.iter().map(|occasion| (occasion.number(), occasion.name())).collect();
    let expected = [(1, "rectified"), (2, "restricted"), (3, "erased_in_part"), (4, "erased"), (5, "corrected")];
    assert_eq!(names, expected);
    let names: Vec<_> = NotificationOutcome::ALL.iter().map(|outcome| (outcome.number(), outcome.name())).collect();
    assert_eq!(names, [(1, "told"), (2, "impossible"), (3, "disproportionate")]);
}

/// The numbers that stand for what a request says.
#[test]
fn numbers_of_a_request_are_fixed() {
    let kinds: Vec<_> = RequestKind::ALL.iter().map(|kind| (kind.number(), kind.name())).collect();
    let names = [
        "access",
        "portability",
        "rectification",
        "erasure",
        "restriction",
        "objection",
        "complaint",
        "consent_withdrawal",
        "decision_contest",
    ];
    assert_eq!(kinds, (1..).zip(names).collect::<Vec<_>>());
    let requesters: Vec<_> = Requester::ALL.iter().map(|who| (who.number(), who.name())).collect();
    assert_eq!(requesters, (1..).zip(["subject", "agent", "guardian"]).collect::<Vec<_>>());
    let ways: Vec<_> = Verification::ALL.iter().map(|way| (way.number(), way.name())).collect();
    let names = ["face", "account", "document", "mandate", "guardianship", "other"];
    assert_eq!(ways, (1..).zip(names).collect::<Vec<_>>());
    let outcomes: Vec<_> = RequestOutcome::ALL.iter().map(|outcome| (outcome.number(), outcome.name())).collect();
    assert_eq!(outcomes, (1..).zip(["fulfilled", "partly", "refused"]).collect::<Vec<_>>());
    let reasons: Vec<_> = RefusalReason::ALL.iter().map(|reason| (reason.number(), reason.name())).collect();
    let names = [
        "requester_not_verified",
        "agent_not_authorised",
        "insufficient_detail",
        "manifestly_unfounded",
        "excessive",
        "repetitive",
        "limit_reached",
        "nothing_held",
        "still_necessary",
        "legal_obligation",
        "legal_claims",
        "security_or_fraud",
        "rights_of_others",
        "electronic_communications",
        "compatible_use",
        "overriding_grounds",
        "decision_permitted",
    ];
    assert_eq!(reasons, (1..).zip(names).collect::<Vec<_>>());
}

/// The numbers that stand for what a dossier says.
#[test]
fn numbers_of_a_dossier_are_fixed() {
    fn names<T>(of: impl Fn(u8) -> Option<T>, name: impl Fn(T) -> &'static str) -> Vec<(u8, &'static str)> {
        (0..=20).filter_map(|number| Some((number, name(of(number)?)))).collect()
    }
    let expected = |from: u8, names: &[&'static str]| (from..).zip(names.iter().copied()).collect::<Vec<_>>();
    let jurisdictions =
        ["european_union", "united_kingdom", "illinois", "texas", "washington", "california", "kazakhstan", "other"];
    assert_eq!(names(Jurisdiction::from_number, Jurisdiction::name), expected(1, &jurisdictions));
    let ages = ["unknown", "under_16", "minor_from_16", "adult"];
    assert_eq!(names(AgeBand::from_number, AgeBand::name), expected(0, &ages));
    assert_eq!(names(Manner::from_number, Manner::name), expected(1, &["written", "electronic", "spoken"]));
    assert_eq!(names(Giver::from_number, Giver::name), expected(1, &["subject", "guardian"]));
    let grounds = [
        "accuracy_contested",
        "unlawful_processing",
        "needed_for_claim",
        "objection_pending",
        "other",
        "client_reason",
    ];
    assert_eq!(names(RestrictionGround::from_number, RestrictionGround::name), expected(1, &grounds));
    let reasons =
        ["legal_obligation", "legal_process", "legal_claims", "illegal_activity", "terms_violation", "physical_safety"];
    assert_eq!(names(DeferralReason::from_number, DeferralReason::name), expected(1, &reasons));
    assert_eq!(names(Environment::from_number, Environment::name), expected(1, &["production", "development"]));
}

/// The numbers that stand for purposes and bases in rows, and for roles in a credential's bits.
#[test]
fn numbers_of_names_are_fixed() {
    let purposes: Vec<_> = (0..=12).filter_map(|n| Some((n, Purpose::from_number(n)?.name().to_owned()))).collect();
    let names = [
        "authentication",
        "document_check",
        "duplicate_detection",
        "fraud_prevention",
        "kyc_sharing",
        "requester_identification",
        "legal_claims",
        "service_development",
        "administration",
        "data_subject_request",
        "audit",
    ];
    assert_eq!(purposes, (1..).zip(names.map(str::to_owned)).collect::<Vec<_>>());
    let bases: Vec<_> = (0..=12).filter_map(|n| Some((n, LawfulBasis::from_number(n)?.name().to_owned()))).collect();
    let names = [
        "explicit_consent",
        "legal_obligation",
        "substantial_public_interest",
        "legal_claims",
        "contract",
        "legitimate_interests",
    ];
    assert_eq!(bases, (1..).zip(names.map(str::to_owned)).collect::<Vec<_>>());
    let bits = [
        (Role::Enroller, 1),
        (Role::Authenticator, 2),
        (Role::FraudAnalyst, 3),
        (Role::Reviewer, 4),
        (Role::PrivacyOfficer, 5),
        (Role::ExchangeAgent, 6),
        (Role::TenantAdmin, 7),
        (Role::Auditor, 8),
        (Role::Operator, 9),
    ];
    for (role, bit) in bits {
        assert_eq!(Roles::only(role).bits(), 1 << bit, "{role}");
    }
}

#[test]
fn a_shredded_tenant_is_fixed() {
    let (id, receipt) = (TenantId::parse("acme").unwrap(), ReceiptId::from_bytes([0xab; 16]));
    let record = ShreddedRecord::new(&id, receipt, CREATED);
    let expected = r#"{"id":"acme","receipt":"abababababababababababababababab","accepted_at":1795354379198}"#;
    assert_eq!(fixed(&record, expected).id().unwrap(), id);
}

#[test]
fn a_credential_is_fixed() {
    let digest = "cd".repeat(32);
    let roles = Roles::from_bits(42).unwrap();
    let secret = CredentialProof::Secret([0xcd; 32]);
    let record = CredentialRecord::new(roles, &secret, CREATED, None);
    let expected = format!(r#"{{"roles":42,"secret_sha256":"{digest}","created_at":1795354379198}}"#);
    let read = fixed(&record, &expected);
    assert_eq!((read.roles().unwrap(), read.proof().unwrap()), (roles, secret.clone()));

    let mut record = CredentialRecord::new(roles, &secret, CREATED, Some(Timestamp::from_millis(7)));
    record.revoked_at = Some(9);
    record.made_by = Some(CredentialId::from_bytes([0x34; 16]).into());
    let expected = format!(
        r#"{{"roles":42,"secret_sha256":"{digest}","created_at":1795354379198,"expires_at":7,"revoked_at":9,"made_by":"34343434343434343434343434343434"}}"#
    );
    let read = fixed(&record, &expected);
    assert_eq!((read.expires_at, read.revoked_at), (Some(7), Some(9)));

    let login = CredentialProof::Login(Login::parse("login", "https://login.example.org", "00u1a2b3").unwrap());
    let record = CredentialRecord::new(roles, &login, CREATED, None);
    let expected = r#"{"roles":42,"login":{"issuer":"https://login.example.org","subject":"00u1a2b3"},"created_at":1795354379198}"#;
    assert_eq!(fixed(&record, expected).proof().unwrap(), login);
    // A key and a login are never both of one credential, nor is there one of neither.
    let neither = r#"{"roles":42,"created_at":1}"#.to_owned();
    let both = expected.replace(r#""login""#, &format!(r#""secret_sha256":"{digest}","login""#));
    let shaped = expected.replace("00u1a2b3", "ann@example.org");
    for text in [neither, both, shaped] {
        let record: CredentialRecord = decode("credential record", text.as_bytes()).unwrap();
        assert!(record.proof().is_err(), "{text}");
    }
}

#[test]
fn a_model_profile_is_fixed() {
    let model = ModelId::parse("edgeface-xs", "1").unwrap();
    let thresholds = Thresholds::new(0.386, 0.319).unwrap();
    let profile = |sketching| ModelProfile::new(model.clone(), 64, sketching, thresholds, 1e-4).unwrap().at_version(3);
    let updated = Timestamp::from_millis(1_795_354_379_508);
    let times = r#""created_at":1795354379198,"updated_at":1795354379508"#;
    let plain = profile(Sketching::OneBit(None));
    let expected = format!(
        r#"{{"model":"edgeface-xs","version":"1","dimension":64,"match":0.386,"review":0.319,"miss_probability":0.0001,"policy_version":3,{times}}}"#
    );
    let read = fixed(&ProfileRecord::new(&plain, CREATED, updated), &expected).parse().unwrap();
    assert_eq!((read.model(), read.dimension(), read.sketching()), (&model, 64, &Sketching::OneBit(None)));
    assert_eq!((read.thresholds(), read.miss_probability(), read.policy_version()), (thresholds, 1e-4, 3));

    let expected = format!(
        r#"{{"model":"edgeface-xs","version":"1","dimension":64,"sketch_bits":2,"match":0.386,"review":0.319,"miss_probability":0.0001,"policy_version":3,{times}}}"#
    );
    let read = fixed(&ProfileRecord::new(&profile(Sketching::TwoBits), CREATED, updated), &expected);
    assert_eq!(read.parse().unwrap().sketching(), &Sketching::TwoBits);

    let mut centre = vec![0.0; 64];
    centre[..3].copy_from_slice(&[0.1, -0.25, 1e-9]);
    let zeros = ",0.0".repeat(61);
    let expected = format!(
        r#"{{"model":"edgeface-xs","version":"1","dimension":64,"centre":[0.1,-0.25,1e-9{zeros}],"match":0.386,"review":0.319,"miss_probability":0.0001,"policy_version":3,{times}}}"#
    );
    let centred = profile(Sketching::OneBit(Some(centre.clone())));
    let read = fixed(&ProfileRecord::new(&centred, CREATED, updated), &expected);
    assert_eq!(read.parse().unwrap().sketching().centre(), Some(&centre[..]));
}

#[test]
fn remembered_answers_are_fixed() {
    let request_sha256 = "ef".repeat(32);
    let expected = |answer: &str| format!(r#"{{"request_sha256":"{request_sha256}","answer":{answer}}}"#);
    let sha = || request_sha256.clone();
    let template = TemplateId::from_bytes([0x12; 16]).to_string();
    let read = fixed(
        &Remembered { request_sha256: sha(), answer: template.clone() },
        &expected(r#""12121212121212121212121212121212""#),
    );
    assert_eq!((read.request_sha256, read.answer), (sha(), template));
    let credential = CredentialId::from_bytes([0x34; 16]);
    let read = fixed(
        &Remembered { request_sha256: sha(), answer: CredentialRef::from(credential) },
        &expected(r#""34343434343434343434343434343434""#),
    );
    assert_eq!(CredentialId::from(read.answer), credential);
    let read = fixed(&Remembered { request_sha256: sha(), answer: 7_u32 }, &expected("7"));
    assert_eq!(read.answer, 7);
}

fn proposal(act: Act, standing: Standing) -> Proposal {
    Proposal {
        id: ProposalId::from_bytes([0x56; 16]),
        act,
        digest: [0xcd; 32],
        proposer: CredentialId::from_bytes([0x34; 16]),
        proposed_at: CREATED,
        expires_at: Timestamp::from_millis(1_795_354_379_508),
        standing,
    }
}

#[test]
fn proposals_are_fixed() {
    let (sha256, by) = ("cd".repeat(32), "34".repeat(16));
    let head = |act: u8| {
        format!(
            r#"{{"act":{act},"sha256":"{sha256}","proposer":"{by}","proposed_at":1795354379198,"expires_at":1795354379508"#
        )
    };
    let vote = Vote { by: CredentialId::from_bytes([0x34; 16]), at: CREATED };
    let voted = format!(r#"{{"by":"{by}","at":1795354379198}}"#);
    let delivered = Delivery { sha256: [0xef; 32], subjects: 2, templates: 3, at: CREATED, log_size: 9 };
    let archive =
        format!(r#"{{"sha256":"{}","subjects":2,"templates":3,"at":1795354379198,"log_size":9}}"#, "ef".repeat(32));
    let leaving = Leaving { to: None, delivered: None, confirmed: None };
    let to = Addressee { recipient: "age1x".to_owned(), transfer: guarded() };
    let gone = Leaving { to: Some(to), delivered: Some(delivered), confirmed: Some((vote, 12)) };
    let cases = [
        (Act::Offboarding, Standing::Open, Content::Offboarding(leaving.clone()), r#","leaving":{}}"#.to_owned()),
        (
            Act::Offboarding,
            Standing::Rejected(vote),
            Content::Offboarding(leaving),
            format!(r#","rejected":{voted},"leaving":{{}}}}"#),
        ),
        (
            Act::Offboarding,
            Standing::Used(vote, CREATED),
            Content::Offboarding(gone),
            format!(
                r#","approved":{voted},"used_at":1795354379198,"leaving":{{"recipient":"age1x","transfer":{GUARDED},"delivered":{archive},"confirmed":[{voted},12]}}}}"#
            ),
        ),
        (
            Act::Disclosure,
            Standing::Approved(vote),
            Content::Disclosure(SlotRef { slot: 7, generation: 1 }),
            format!(r#","approved":{voted},"subject":[7,1]}}"#),
        ),
        (
            Act::LogKeyRotation,
            Standing::Used(vote, CREATED),
            Content::LogKey("log+01020304+AQ==".to_owned()),
            format!(r#","approved":{voted},"used_at":1795354379198,"retires":"log+01020304+AQ=="}}"#),
        ),
        (
            Act::VaultLogKeyRotation,
            Standing::Open,
            Content::VaultLogKey("log+01020304+AQ==".to_owned()),
            r#","retires":"log+01020304+AQ=="}"#.to_owned(),
        ),
    ];
    for (act, standing, content, tail) in cases {
        let stored = StoredProposal { proposal: proposal(act, standing), content };
        let expected = head(act.number()) + &tail;
        assert_eq!(std::str::from_utf8(&stored.encode().unwrap()).unwrap(), expected);
        assert_eq!(StoredProposal::read(stored.proposal.id, expected.as_bytes()).unwrap(), stored);
    }
    // An act and what it consists of belong together; nothing is both approved and rejected.
    for wrong in [
        head(2) + r#","leaving":{}}"#,
        head(1) + r#","subject":[7,1]}"#,
        head(1) + "}",
        head(1) + r#","retires":"log"}"#,
        head(3) + "}",
        head(3) + r#","leaving":{},"retires":"log"}"#,
        head(4) + r#","subject":[7,1]}"#,
        head(5) + r#","retires":"log"}"#,
        head(1) + r#","used_at":1,"leaving":{}}"#,
        head(1) + &format!(r#","approved":{voted},"rejected":{voted},"leaving":{{}}}}"#),
        head(1) + r#","leaving":{},"more":1}"#,
        // An archive goes somewhere, and what goes somewhere is one.
        head(1) + r#","leaving":{"recipient":"age1x"}}"#,
        head(1) + r#","leaving":{"transfer":{"country":"DE"}}}"#,
    ] {
        assert!(StoredProposal::read(ProposalId::from_bytes([0; 16]), wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn disclosures_are_fixed() {
    let id = DisclosureId::from_bytes([0x56; 16]);
    let mut disclosure = Disclosure {
        id,
        recipient: Label::parse("recipient", "county-court").unwrap(),
        ground: Ground::Order(Label::parse("order", "order-17").unwrap()),
        scope: vec![Told::Existence, Told::Results],
        transfer: Transfer { destination: country("DE"), safeguard: None, contract: None },
        proposed_at: CREATED,
        recorded_at: None,
    };
    let expected = r#"{"recipient":"county-court","order":"order-17","scope":[1,4],"transfer":{"country":"DE"},"proposed_at":1795354379198}"#;
    let written = DisclosureRecord::seal_as(&disclosure).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(DisclosureRecord::read(id, &written).unwrap(), disclosure);
    disclosure.ground = Ground::Consent(ConsentId::from_bytes([0x12; 16]));
    disclosure.recorded_at = Some(Timestamp::from_millis(5));
    disclosure.transfer = guarded();
    let expected = format!(
        r#"{{"recipient":"county-court","consent":"12121212121212121212121212121212","scope":[1,4],"transfer":{GUARDED},"proposed_at":1795354379198,"recorded_at":5}}"#
    );
    let written = DisclosureRecord::seal_as(&disclosure).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
    assert_eq!(DisclosureRecord::read(id, &written).unwrap(), disclosure);
    for wrong in [
        expected.replace("[1,4]", "[4,1]"),
        expected.replace("[1,4]", "[1,1]"),
        expected.replace("[1,4]", "[1,9]"),
        expected.replace("county-court", "County Court"),
        expected.replace(r#""country":"US""#, r#""country":"EU""#),
        expected.replace(r#""safeguard":2,"#, ""),
        expected.replace(r#""safeguard":2,"#, r#""safeguard":7,"#),
        expected.replace(r#","reference":"scc-1""#, ""),
        expected.replace(&format!(r#""transfer":{GUARDED},"#), ""),
        expected.replace(r#""scope""#, r#""order":"x","scope""#),
    ] {
        assert!(DisclosureRecord::read(id, wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn cases_are_fixed() {
    let id = CaseId::from_bytes([0x56; 16]);
    let seen = Seen { band: Band::Review, score: 0.4375, policy_version: 3 };
    let model = ModelId::parse("edgeface-xs", "1").unwrap();
    let mut case = Case::opened(id, Question::Unclear { model: model.clone(), seen }, CREATED);
    let heard =
        r#""seen":{"model":"edgeface-xs","version":"1","band":2,"score":0.4375,"policy_version":3},"attempts":1"#;
    let times = r#""opened_at":1795354379198,"last_seen_at":1795354379198"#;
    let fixed = |stored: &StoredCase, expected: &str| {
        let written = stored.encode().unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), format!("{expected:<512}"));
        assert_eq!(StoredCase::read(id, &written).unwrap(), *stored);
    };
    let expected = format!(r#"{{"kind":1,{heard},{times},"decisions":[]}}"#);
    fixed(&StoredCase { case: case.clone(), other: None }, &expected);

    case.question = Question::Duplicate { other: None, model, seen };
    let by = CredentialId::from_bytes([0x12; 16]);
    let decided =
        CaseDecision { by, at: Timestamp::from_millis(5), step: CaseStep::Distinct, reason: CaseReason::PersonHeard };
    case.decisions.push(decided);
    let pair = StoredCase { case: case.clone(), other: Some(SlotRef { slot: 7, generation: 1 }) };
    let step = r#"{"by":"12121212121212121212121212121212","at":5,"step":2,"reason":3}"#;
    let expected = format!(r#"{{"kind":2,"other":[7,1],{heard},{times},"decisions":[{step}]}}"#);
    fixed(&pair, &expected);
    assert_eq!(case.state(), CaseState::Distinct);

    case.question = Question::Contested { request: Some(RightsRequestId::from_bytes([0x34; 16])) };
    case.decisions.clear();
    let contested =
        format!(r#"{{"kind":3,"request":"34343434343434343434343434343434","attempts":1,{times},"decisions":[]}}"#);
    fixed(&StoredCase { case, other: None }, &contested);
    for wrong in [
        expected.replace(r#""kind":2"#, r#""kind":1"#),
        expected.replace(r#""kind":2"#, r#""kind":3"#),
        expected.replace(r#""kind":2"#, r#""kind":9"#),
        expected.replace(r#""other":[7,1],"#, ""),
        expected.replace(r#""band":2"#, r#""band":4"#),
        expected.replace("0.4375", "1e60"),
        expected.replace(r#""step":2"#, r#""step":5"#),
        expected.replace(r#""reason":3"#, r#""reason":9"#),
        contested.replace("3434", "34"),
        contested.replace(r#""kind":3"#, r#""kind":3,"more":0"#),
    ] {
        assert!(StoredCase::read(id, wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_of_a_case_are_fixed() {
    let numbered = |number: u8, name: &'static str| (number, name);
    let kinds: Vec<_> = CaseKind::ALL.iter().map(|kind| numbered(kind.number(), kind.name())).collect();
    assert_eq!(kinds, [(1, "verification_unclear"), (2, "possible_duplicate"), (3, "decision_contested")]);
    let steps: Vec<_> = CaseStep::ALL.iter().map(|step| numbered(step.number(), step.name())).collect();
    assert_eq!(steps, [(1, "confirmed"), (2, "distinct"), (3, "escalated"), (4, "contested")]);
    let reasons: Vec<_> = CaseReason::ALL.iter().map(|reason| reason.name()).collect();
    let names = [
        "images_compared",
        "document_checked",
        "person_heard",
        "client_records",
        "capture_poor",
        "evidence_conflicts",
        "reviewer_involved",
        "person_contests",
    ];
    assert_eq!(reasons, names);
    assert!(CaseReason::ALL.iter().zip(1..).all(|(reason, number)| reason.number() == number));
    let bands = [Band::Match, Band::Review, Band::NoMatch].map(|band| numbered(band.number(), band.name()));
    assert_eq!(bands, [(1, "match"), (2, "review"), (3, "no_match")]);
}
