//! Captures that are none, wherever a method takes one.

use lethe_proto::v1::{Capture, ErrorReason, ModelVersion};
use prost_types::Timestamp;

use crate::scene::{Expected, Scene, Verdict, invalid};

/// A capture that is wrong in one way, and what it is called. The field is told from the capture on.
struct Case {
    what: &'static str,
    spoil: fn(&mut Capture),
    reason: ErrorReason,
    field: &'static str,
}

const fn case(what: &'static str, spoil: fn(&mut Capture), reason: ErrorReason, field: &'static str) -> Case {
    Case { what, spoil, reason, field }
}

fn named(capture: &mut Capture, id: &str, version: &str) {
    capture.model = Some(ModelVersion { id: id.to_owned(), version: version.to_owned() });
}

fn taken(capture: &mut Capture, seconds: i64, nanos: i32) {
    capture.capture_time = Some(Timestamp { seconds, nanos });
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("no embedding",      |c| c.embedding.clear(),                     ErrorReason::EmbeddingDimension, ".embedding"),
    case("one too few",       |c| c.embedding.truncate(511),                ErrorReason::EmbeddingDimension, ".embedding"),
    case("one too many",      |c| c.embedding.push(0.1),                   ErrorReason::EmbeddingDimension, ".embedding"),
    case("far too many",      |c| c.embedding.resize(5000, 0.1),           ErrorReason::EmbeddingDimension, ".embedding"),
    case("NaN first",         |c| c.embedding[0] = f32::NAN,               ErrorReason::EmbeddingNan,       ".embedding"),
    case("NaN last",          |c| c.embedding[511] = -f32::NAN,            ErrorReason::EmbeddingNan,       ".embedding"),
    case("all NaN",           |c| c.embedding.fill(f32::NAN),              ErrorReason::EmbeddingNan,       ".embedding"),
    case("infinity",          |c| c.embedding[3] = f32::INFINITY,          ErrorReason::EmbeddingInfinite,  ".embedding"),
    case("minus infinity",    |c| c.embedding[3] = f32::NEG_INFINITY,      ErrorReason::EmbeddingInfinite,  ".embedding"),
    case("zero",              |c| c.embedding.fill(0.0),                   ErrorReason::EmbeddingZeroNorm,  ".embedding"),
    case("minus zero",        |c| c.embedding.fill(-0.0),                  ErrorReason::EmbeddingZeroNorm,  ".embedding"),
    case("no model",          |c| c.model = None,                          ErrorReason::FieldMissing,       ".model"),
    case("no model id",       |c| named(c, "", "1"),                       ErrorReason::FieldMissing,       ".model.id"),
    case("no model version",  |c| named(c, "face", ""),                    ErrorReason::FieldMissing,       ".model.version"),
    case("a bad model id",    |c| named(c, "Face", "1"),                   ErrorReason::FieldOutOfRange,    ".model.id"),
    case("a bad version",     |c| named(c, "face", "1/2"),                 ErrorReason::FieldOutOfRange,    ".model.version"),
    case("a long model id",   |c| named(c, &"f".repeat(64), "1"),          ErrorReason::FieldOutOfRange,    ".model.id"),
    case("an unknown model",  |c| named(c, "other", "1"),                  ErrorReason::ModelUnknown,       ".model"),
    case("another version",   |c| named(c, "face", "2"),                   ErrorReason::ModelUnknown,       ".model"),
    case("no kind",           |c| c.kind = 0,                              ErrorReason::FieldMissing,       ".kind"),
    case("an unknown kind",   |c| c.kind = 99,                             ErrorReason::FieldOutOfRange,    ".kind"),
    case("a negative kind",   |c| c.kind = -1,                             ErrorReason::FieldOutOfRange,    ".kind"),
    case("no quality",        |c| c.quality = None,                        ErrorReason::FieldMissing,       ".quality"),
    case("quality below 0",   |c| c.quality = Some(-0.001),                ErrorReason::FieldOutOfRange,    ".quality"),
    case("quality above 1",   |c| c.quality = Some(1.001),                 ErrorReason::FieldOutOfRange,    ".quality"),
    case("quality NaN",       |c| c.quality = Some(f32::NAN),              ErrorReason::FieldOutOfRange,    ".quality"),
    case("quality infinite",  |c| c.quality = Some(f32::INFINITY),         ErrorReason::FieldOutOfRange,    ".quality"),
    case("no time",           |c| c.capture_time = None,                   ErrorReason::FieldMissing,       ".capture_time"),
    case("negative nanos",    |c| taken(c, 1_760_000_000, -1),             ErrorReason::FieldOutOfRange,    ".capture_time"),
    case("too many nanos",    |c| taken(c, 1_760_000_000, 1_000_000_000),  ErrorReason::FieldOutOfRange,    ".capture_time"),
    case("the end of time",   |c| taken(c, i64::MAX, 0),                   ErrorReason::FieldOutOfRange,    ".capture_time"),
    case("the year 10000",    |c| taken(c, 253_402_300_800, 0),            ErrorReason::FieldOutOfRange,    ".capture_time"),
    case("before the year 1", |c| taken(c, -62_135_596_801, 0),            ErrorReason::FieldOutOfRange,    ".capture_time"),
];

impl Case {
    fn spoilt(&self, capture: &Option<Capture>) -> Option<Capture> {
        let mut capture = capture.clone().unwrap();
        (self.spoil)(&mut capture);
        Some(capture)
    }

    fn of(&self, carrier: &str) -> Expected {
        invalid(self.reason, &format!("{carrier}{}", self.field))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_is_none_is_refused_by_name_by_every_method_that_takes_one() {
    let scene = Scene::set().await;
    let (bank, face) = (&scene.bank, scene.face());
    let mut verdict = Verdict::default();
    for case in CASES {
        let enroller = bank.enroller();
        let mut request = enroller.enrolment("nobody", &face);
        request.template = case.spoilt(&request.template);
        let what = format!("Enroll, {}", case.what);
        verdict.on(&what, enroller.ask(request).await, &case.of("template"));

        let mut request = enroller.replacement(&scene.template.name, &face);
        request.template = case.spoilt(&request.template);
        let what = format!("ReplaceTemplate, {}", case.what);
        verdict.on(&what, enroller.ask(request).await, &case.of("template"));

        for (role, caller) in [("authenticator", bank.authenticator()), ("analyst", bank.analyst())] {
            let mut request = caller.verification("ada", &face);
            request.probe = case.spoilt(&request.probe);
            let what = format!("Verify as {role}, {}", case.what);
            verdict.on(&what, caller.ask(request).await, &case.of("probe"));
        }
        let mut request = bank.analyst().query(&face);
        request.probe = case.spoilt(&request.probe);
        let what = format!("Search, {}", case.what);
        verdict.on(&what, bank.analyst().ask(request).await, &case.of("probe"));

        let mut item = enroller.item("nobody", &face);
        item.template = case.spoilt(&item.template);
        let answers = enroller.enroll_all(vec![item]).await.unwrap();
        verdict.on_item(&format!("BatchEnroll, {}", case.what), &answers[0], &case.of("template"));
    }
    verdict.reached(CASES.len() * 6);
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_its_capture_is_refused() {
    let scene = Scene::set().await;
    let (bank, face) = (&scene.bank, scene.face());
    let mut verdict = Verdict::default();
    let missing = |field| invalid(ErrorReason::FieldMissing, field);
    let enroller = bank.enroller();
    let mut request = enroller.enrolment("nobody", &face);
    request.template = None;
    verdict.on("Enroll", enroller.ask(request).await, &missing("template"));
    let mut request = enroller.replacement(&scene.template.name, &face);
    request.template = None;
    verdict.on("ReplaceTemplate", enroller.ask(request).await, &missing("template"));
    let mut request = bank.analyst().verification("ada", &face);
    request.probe = None;
    verdict.on("Verify", bank.analyst().ask(request).await, &missing("probe"));
    let mut request = bank.analyst().query(&face);
    request.probe = None;
    verdict.on("Search", bank.analyst().ask(request).await, &missing("probe"));
    let mut item = enroller.item("nobody", &face);
    item.template = None;
    verdict.on_item("BatchEnroll", &enroller.enroll_all(vec![item]).await.unwrap()[0], &missing("template"));
    verdict.reached(5);
    scene.is_unchanged().await;
}

/// Any norm but zero will do: the largest and the smallest are the same direction.
#[tokio::test(flavor = "multi_thread")]
async fn embeddings_of_any_length_are_taken() {
    let scene = Scene::set().await;
    let face = scene.ada.again();
    let expected = scene.bank.analyst().verify("ada", &face).await.unwrap().score.unwrap();
    // Components of a unit vector lie below 1, so none gets infinite.
    for scale in [1e-30, 1e-3, 1e3, f32::MAX] {
        let scaled: Vec<f32> = face.iter().map(|x| x * scale).collect();
        let score = scene.bank.analyst().verify("ada", &scaled).await.unwrap().score.unwrap();
        assert!((score - expected).abs() < 1e-5, "at scale {scale:e}: {score} instead of {expected}");
    }
    // A single component at the edge of what a float can hold is a direction as well.
    let mut least = vec![0.0; face.len()];
    least[5] = f32::from_bits(1);
    let mut axis = vec![0.0; face.len()];
    axis[5] = 1.0;
    scene.bank.enroller().enroll("axis", &least).await.unwrap();
    let score = scene.bank.analyst().verify("axis", &axis).await.unwrap().score.unwrap();
    assert!((score - 1.0).abs() < 1e-5, "{score}");
}
