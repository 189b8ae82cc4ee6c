//! Fields out of their documented range, method by method.

use lethe_proto::v1::{self, ErrorReason, LawfulBasis, Purpose, PurposeBasis, Role, Thresholds};
use lethe_tests::{Refused, basis, now, request_id};
use prost_types::{FieldMask, Timestamp};

use crate::scene::{Scene, Verdict, invalid};

const MISSING: ErrorReason = ErrorReason::FieldMissing;
const RANGE: ErrorReason = ErrorReason::FieldOutOfRange;
const ADMINISTRATION: i32 = Purpose::Administration as i32;

/// The field that is wrong, and what makes it so.
type Case = (&'static str, fn(&mut v1::SearchRequest));

#[tokio::test(flavor = "multi_thread")]
async fn a_search_out_of_range_is_refused() {
    let scene = Scene::set().await;
    let analyst = scene.bank.analyst();
    let mut verdict = Verdict::default();
    let cases: [Case; 10] = [
        ("threshold", |q| q.threshold = Some(1.001)),
        ("threshold", |q| q.threshold = Some(-1.001)),
        ("threshold", |q| q.threshold = Some(f32::NAN)),
        ("threshold", |q| q.threshold = Some(f32::INFINITY)),
        // Below the tenant's review threshold: that one is its admin's to set.
        ("threshold", |q| q.threshold = Some(lethe_tests::REVIEW - 0.01)),
        ("miss_probability", |q| q.miss_probability = Some(0.0)),
        ("miss_probability", |q| q.miss_probability = Some(0.11)),
        ("miss_probability", |q| q.miss_probability = Some(f64::NAN)),
        ("max_results", |q| q.max_results = -1),
        ("max_results", |q| q.max_results = i32::MIN),
    ];
    for (at, (field, spoil)) in cases.iter().enumerate() {
        let mut query = analyst.query(&scene.face());
        spoil(&mut query);
        verdict.on(&format!("case {at}"), analyst.ask(query).await, &invalid(RANGE, field));
    }
    verdict.reached(cases.len());
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_none_is_refused() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    bank.enroller().enroll("bob", &scene.face()).await.unwrap();
    bank.enroller().enroll("bob", &scene.face()).await.unwrap();
    let list = |parent: &str, page_size, page_token: &str| v1::ListTemplatesRequest {
        parent: format!("tenants/bank/subjects/{parent}"),
        purpose: Purpose::DuplicateDetection.into(),
        page_size,
        page_token: page_token.to_owned(),
    };
    // A true token leads on, on its own list alone, and shows no slot number.
    let page = bank.enroller().ask(list("bob", 1, "")).await.unwrap();
    let token = page.next_page_token;
    let rest = bank.enroller().ask(list("bob", 1, &token)).await.unwrap();
    assert_eq!((rest.templates.len(), rest.next_page_token.as_str()), (1, ""));
    assert_ne!(rest.templates, page.templates);
    let shop = scene.vault.tenant("shop").await;
    for _ in 0..2 {
        shop.enroller().enroll("bob", &scene.face()).await.unwrap();
    }
    let elsewhere = v1::ListTemplatesRequest { parent: shop.enroller().subject_name("bob"), ..list("bob", 1, "") };
    let of_another_tenant = shop.enroller().ask(elsewhere).await.unwrap().next_page_token;
    let changed = format!("{}{}", &token[..47], if token.ends_with('0') { '1' } else { '0' });
    let mut verdict = Verdict::default();
    let mut checked = 0;
    let malformed = invalid(ErrorReason::PageTokenMalformed, "page_token");
    for token in [&changed, &of_another_tenant] {
        verdict.on(token, bank.enroller().ask(list("bob", 0, token)).await, &malformed);
        checked += 1;
    }
    let tokens = [
        "x",
        "1",
        "-1",
        "0123456789abcdeg",
        "ffffffffffffffff",
        "0000000000000000",
        // Of another subject's list, and of another method's.
        &token,
        &format!("{token}0"),
        &"f".repeat(48),
        &"0".repeat(100_000),
    ];
    for token in tokens {
        let what = |method: &str| format!("{method} from {:?}", token.chars().take(20).collect::<String>());
        verdict.on(&what("ListTemplates"), bank.enroller().ask(list("ada", 0, token)).await, &malformed);
        let credentials = v1::ListCredentialsRequest {
            parent: bank.name(),
            purpose: ADMINISTRATION,
            page_size: 0,
            page_token: token.to_owned(),
        };
        verdict.on(&what("ListCredentials"), bank.admin().ask(credentials).await, &malformed);
        let profiles = v1::ListModelProfilesRequest {
            parent: bank.name(),
            purpose: ADMINISTRATION,
            page_size: 0,
            page_token: token.to_owned(),
        };
        verdict.on(&what("ListModelProfiles"), bank.admin().ask(profiles).await, &malformed);
        checked += 3;
    }
    for size in [-1, i32::MIN] {
        verdict.on("page size", bank.enroller().ask(list("ada", size, "")).await, &invalid(RANGE, "page_size"));
    }
    verdict.reached(checked + 2);
    // More than the most is taken as the most.
    assert_eq!(bank.enroller().ask(list("bob", i32::MAX, "")).await.unwrap().templates.len(), 2);
    bank.privacy_officer().erase("bob").await.unwrap();
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_out_of_range_is_refused() {
    let scene = Scene::set().await;
    let operator = scene.vault.operator();
    let mut verdict = Verdict::default();
    let create = |id: &str, purposes: Vec<PurposeBasis>| v1::CreateTenantRequest {
        purpose: ADMINISTRATION,
        request_id: request_id(),
        tenant_id: id.to_owned(),
        tenant: Some(v1::Tenant { purposes, ..v1::Tenant::default() }),
        administrator_login: None,
    };
    let ids = ["", "ab", "1bank", "-bank", "Bank", "the bank", "bänk", "bank/shop", &"x".repeat(64)];
    let declared = || vec![basis(Purpose::Authentication)];
    for id in ids {
        let expected = invalid(ErrorReason::TenantIdMalformed, "tenant_id");
        verdict.on(&format!("tenant {id:?}"), operator.ask(create(id, declared())).await, &expected);
    }
    let entry = |purpose: i32, lawful_basis: i32| PurposeBasis { purpose, lawful_basis };
    let consent = LawfulBasis::ExplicitConsent.into();
    let purposes: [(&str, Vec<PurposeBasis>); 7] = [
        ("tenant.purposes[0].purpose", vec![entry(0, consent)]),
        ("tenant.purposes[0].purpose", vec![entry(99, consent)]),
        ("tenant.purposes[0].purpose", vec![basis(Purpose::Administration)]),
        ("tenant.purposes[0].purpose", vec![basis(Purpose::DataSubjectRequest)]),
        ("tenant.purposes[1].purpose", vec![basis(Purpose::Authentication), basis(Purpose::Audit)]),
        ("tenant.purposes[0].lawful_basis", vec![entry(1, 0)]),
        ("tenant.purposes[0].lawful_basis", vec![entry(1, 99)]),
    ];
    let number = purposes.len();
    for (field, purposes) in purposes {
        let what = format!("{purposes:?}");
        verdict.on(&what, operator.ask(create("another", purposes)).await, &invalid(RANGE, field));
    }
    let twice = vec![basis(Purpose::Authentication), basis(Purpose::Authentication)];
    let expected = invalid(RANGE, "tenant.purposes[1].purpose");
    verdict.on("declared twice", operator.ask(create("another", twice)).await, &expected);
    let mut nothing = create("another", Vec::new());
    nothing.tenant = None;
    verdict.on("no tenant", operator.ask(nothing).await, &invalid(MISSING, "tenant"));
    let mut shaped = create("another", declared());
    shaped.administrator_login = Some(login("https://login.example.org", "ann@example.org"));
    let expected = invalid(RANGE, "administrator_login.subject");
    verdict.on("a login that is an address", operator.ask(shaped).await, &expected);
    verdict.reached(ids.len() + number + 3);
    // None of them came into being.
    operator.ask(create("another", declared())).await.unwrap();
    scene.is_unchanged().await;
}

fn login(issuer: &str, subject: &str) -> v1::Login {
    v1::Login { issuer: issuer.to_owned(), subject: subject.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_out_of_range_is_refused() {
    let scene = Scene::set().await;
    let admin = scene.bank.admin();
    let mut verdict = Verdict::default();
    let create = |credential: Option<v1::Credential>| v1::CreateCredentialRequest {
        parent: scene.bank.name(),
        purpose: ADMINISTRATION,
        request_id: request_id(),
        credential,
    };
    let roles = |roles: Vec<i32>| Some(v1::Credential { roles, ..v1::Credential::default() });
    let enroller = i32::from(Role::Enroller);
    let of = |issuer: &str, subject: &str| {
        let login = Some(login(issuer, subject));
        Some(v1::Credential { roles: vec![enroller], login, ..v1::Credential::default() })
    };
    let expiring = |expire_time: Timestamp| {
        Some(v1::Credential { roles: vec![enroller], expire_time: Some(expire_time), ..v1::Credential::default() })
    };
    let cases = [
        ("no roles", roles(vec![]), invalid(MISSING, "credential.roles")),
        ("no credential", None, invalid(MISSING, "credential.roles")),
        ("not a role", roles(vec![0]), invalid(RANGE, "credential.roles")),
        ("an unknown role", roles(vec![enroller, 99]), invalid(RANGE, "credential.roles")),
        ("the operator", roles(vec![Role::Operator.into()]), invalid(RANGE, "credential.roles")),
        ("the operator too", roles(vec![enroller, Role::Operator.into()]), invalid(RANGE, "credential.roles")),
        ("a role twice", roles(vec![enroller, enroller]), invalid(RANGE, "credential.roles")),
        (
            "expired",
            expiring(Timestamp { seconds: now().seconds - 1, nanos: 0 }),
            invalid(RANGE, "credential.expire_time"),
        ),
        (
            "no time",
            expiring(Timestamp { seconds: 4_000_000_000, nanos: -1 }),
            invalid(RANGE, "credential.expire_time"),
        ),
        ("after time", expiring(Timestamp { seconds: i64::MAX, nanos: 0 }), invalid(RANGE, "credential.expire_time")),
        ("no issuer", of("", "00u1"), invalid(MISSING, "credential.login.issuer")),
        ("no subject", of("https://a", ""), invalid(MISSING, "credential.login.subject")),
        ("an issuer in the clear", of("http://a", "00u1"), invalid(RANGE, "credential.login.issuer")),
        (
            "a long issuer",
            of(&format!("https://{}", "a".repeat(248)), "00u1"),
            invalid(RANGE, "credential.login.issuer"),
        ),
        ("an address", of("https://a", "ann@example.org"), invalid(RANGE, "credential.login.subject")),
        ("a number", of("https://a", "4915112345678"), invalid(RANGE, "credential.login.subject")),
        ("a long subject", of("https://a", &"a".repeat(256)), invalid(RANGE, "credential.login.subject")),
        ("a space", of("https://a", "a b"), invalid(RANGE, "credential.login.subject")),
    ];
    let number = cases.len();
    for (what, credential, expected) in cases {
        verdict.on(what, admin.ask(create(credential)).await, &expected);
    }
    verdict.reached(number);
    let list = v1::ListCredentialsRequest { parent: scene.bank.name(), purpose: ADMINISTRATION, ..Default::default() };
    let credentials = admin.ask(list).await.unwrap().credentials;
    assert_eq!(credentials.len(), 1 + lethe_tests::ROLES.len(), "a refused credential exists");
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_profile_out_of_range_is_refused() {
    let scene = Scene::set().await;
    let admin = scene.bank.admin();
    let mut verdict = Verdict::default();
    let profile = |change: &dyn Fn(&mut v1::ModelProfile)| {
        let mut profile = v1::ModelProfile {
            model: Some(v1::ModelVersion { id: "other".to_owned(), version: "1".to_owned() }),
            dimension: 64,
            thresholds: Some(Thresholds { r#match: 0.5, review: 0.4 }),
            ..v1::ModelProfile::default()
        };
        change(&mut profile);
        v1::CreateModelProfileRequest {
            parent: scene.bank.name(),
            purpose: ADMINISTRATION,
            request_id: request_id(),
            model_profile: Some(profile),
        }
    };
    let judged = |matching: f32, review: f32| {
        profile(&move |profile| profile.thresholds = Some(Thresholds { r#match: matching, review }))
    };
    let centred = |centre: Vec<f32>| profile(&move |profile| profile.centre.clone_from(&centre));
    let two_bits = profile(&|profile| (profile.centre, profile.sketch_bits) = (vec![0.1; 64], Some(2)));
    let mut nan = vec![0.0; 64];
    nan[9] = f32::NAN;
    let cases = [
        ("no model", profile(&|profile| profile.model = None), MISSING, "model"),
        ("no id", profile(&|profile| profile.model.as_mut().unwrap().id.clear()), MISSING, "model.id"),
        ("a bad id", profile(&|profile| profile.model.as_mut().unwrap().id.push('@')), RANGE, "model.id"),
        ("no dimension", profile(&|profile| profile.dimension = 0), RANGE, "dimension"),
        ("dimension 63", profile(&|profile| profile.dimension = 63), RANGE, "dimension"),
        ("dimension 4097", profile(&|profile| profile.dimension = 4097), RANGE, "dimension"),
        ("a negative dimension", profile(&|profile| profile.dimension = -64), RANGE, "dimension"),
        ("no thresholds", profile(&|profile| profile.thresholds = None), MISSING, "thresholds"),
        ("thresholds out of order", judged(0.4, 0.5), RANGE, "thresholds.review"),
        ("match above 1", judged(1.1, 0.5), RANGE, "thresholds.match"),
        ("match NaN", judged(f32::NAN, 0.5), RANGE, "thresholds.match"),
        ("review below -1", judged(0.5, -1.1), RANGE, "thresholds.review"),
        ("review NaN", judged(0.5, f32::NAN), RANGE, "thresholds.review"),
        ("a short centre", centred(vec![0.1; 63]), ErrorReason::EmbeddingDimension, "centre"),
        ("a centre with NaN", centred(nan), RANGE, "centre"),
        ("a centre of norm 1", centred(vec![0.125; 64]), RANGE, "centre"),
        ("no bits", profile(&|profile| profile.sketch_bits = Some(0)), RANGE, "sketch_bits"),
        ("three bits", profile(&|profile| profile.sketch_bits = Some(3)), RANGE, "sketch_bits"),
        ("two bits around a centre", two_bits, RANGE, "sketch_bits"),
        ("never to miss", profile(&|profile| profile.miss_probability = Some(0.0)), RANGE, "miss_probability"),
        ("often to miss", profile(&|profile| profile.miss_probability = Some(0.2)), RANGE, "miss_probability"),
        ("NaN to miss", profile(&|profile| profile.miss_probability = Some(f64::NAN)), RANGE, "miss_probability"),
    ];
    let number = cases.len();
    for (what, request, reason, field) in cases {
        verdict.on(what, admin.ask(request).await, &invalid(reason, &format!("model_profile.{field}")));
    }
    let mut none = profile(&|_| {});
    none.model_profile = None;
    verdict.on("no profile", admin.ask(none).await, &invalid(MISSING, "model_profile"));

    let update = |change: v1::ModelProfile, paths: Option<&[&str]>| v1::UpdateModelProfileRequest {
        model_profile: Some(v1::ModelProfile { name: "tenants/bank/modelProfiles/face@1".to_owned(), ..change }),
        purpose: ADMINISTRATION,
        request_id: request_id(),
        update_mask: paths.map(|paths| FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }),
    };
    let thresholds = |matching, review| v1::ModelProfile {
        thresholds: Some(Thresholds { r#match: matching, review }),
        ..v1::ModelProfile::default()
    };
    let missing = || v1::ModelProfile { miss_probability: Some(0.5), ..v1::ModelProfile::default() };
    // The thresholds in force are 0.45 and 0.35.
    let cases = [
        ("out of order", update(thresholds(0.1, 0.2), Some(&["thresholds"])), RANGE, "model_profile.thresholds.review"),
        (
            "below review",
            update(thresholds(0.1, 0.0), Some(&["thresholds.match"])),
            RANGE,
            "model_profile.thresholds.review",
        ),
        (
            "above match",
            update(thresholds(0.9, 0.8), Some(&["thresholds.review"])),
            RANGE,
            "model_profile.thresholds.review",
        ),
        ("out of order, all", update(thresholds(0.1, 0.2), None), RANGE, "model_profile.thresholds.review"),
        ("out of range, all", update(thresholds(1.5, 0.2), Some(&[])), RANGE, "model_profile.thresholds.match"),
        ("what never changes", update(thresholds(0.5, 0.4), Some(&["centre"])), RANGE, "update_mask"),
        ("all", update(thresholds(0.5, 0.4), Some(&["*"])), RANGE, "update_mask"),
        ("often to miss", update(missing(), Some(&["miss_probability"])), RANGE, "model_profile.miss_probability"),
    ];
    let updates = cases.len();
    for (what, request, reason, field) in cases {
        verdict.on(&format!("update, {what}"), admin.ask(request).await, &invalid(reason, field));
    }
    let unknown =
        v1::GetModelProfileRequest { name: "tenants/bank/modelProfiles/face@2".to_owned(), purpose: ADMINISTRATION };
    let not_there = admin.ask(unknown).await.refused();
    not_there.assert_is(tonic::Code::NotFound, ErrorReason::ModelUnknown);
    verdict.reached(number + 1 + updates);

    let get =
        v1::GetModelProfileRequest { name: "tenants/bank/modelProfiles/face@1".to_owned(), purpose: ADMINISTRATION };
    assert_eq!(admin.ask(get).await.unwrap().policy_version, 1, "a refused update changed the profile");
    let list =
        v1::ListModelProfilesRequest { parent: scene.bank.name(), purpose: ADMINISTRATION, ..Default::default() };
    assert_eq!(admin.ask(list).await.unwrap().model_profiles.len(), 1, "a refused profile exists");
    scene.is_unchanged().await;
}
