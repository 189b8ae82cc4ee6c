//! Plaintexts of sealed rows.

use lethe_domain::{
    CaptureKind, CredentialId, LawfulBasis, ModelId, ModelProfile, Purpose, PurposeBasis, Quality, ReceiptId, Role,
    Roles, Sketching, SubjectId, TemplateFacts, TemplateId, TenantId, Thresholds, Timestamp,
};
use lethe_rows::records::{
    CredentialRecord, CredentialRef, ProfileRecord, Remembered, ShreddedRecord, SubjectRecord, TemplateRecord,
    TenantRecord, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of times in all of them; in hexadecimal 000001a20375c3be.
const CREATED: Timestamp = Timestamp::from_millis(1_795_354_379_198);

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
    let record = TenantRecord::new(&id, &purposes, CREATED);
    let read = fixed(&record, r#"{"id":"acme","purposes":[[1,1],[3,6]],"created_at":1795354379198}"#);
    assert_eq!(read.parse().unwrap(), (id, purposes.to_vec(), CREATED));
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
    let record = CredentialRecord::new(roles, [0xcd; 32], CREATED, None);
    let expected = format!(r#"{{"roles":42,"secret_sha256":"{digest}","created_at":1795354379198}}"#);
    assert_eq!(fixed(&record, &expected).roles().unwrap(), roles);

    let mut record = CredentialRecord::new(roles, [0xcd; 32], CREATED, Some(Timestamp::from_millis(7)));
    record.revoked_at = Some(9);
    let expected = format!(
        r#"{{"roles":42,"secret_sha256":"{digest}","created_at":1795354379198,"expires_at":7,"revoked_at":9}}"#
    );
    let read = fixed(&record, &expected);
    assert_eq!((read.expires_at, read.revoked_at), (Some(7), Some(9)));
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
