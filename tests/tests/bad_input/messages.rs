//! Bytes that are no message, and messages too large to be read.

use std::io::{ErrorKind, Read as _, Write as _};

use lethe_proto::v1::{self, ErrorReason};
use lethe_tests::{Refused, Vault};
use prost::Message as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tonic::Code;

use crate::scene::{Scene, is_no_fault};

/// What a server takes unless told otherwise.
const LIMIT: usize = 4 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_is_refused_by_every_method() {
    let scene = Scene::set().await;
    let caller = scene.bank.enroller();
    for method in lethe_proto::methods() {
        let path = format!("/{}/{}", method.service, method.method);
        let refusal = caller.ask_raw(&path, vec![0; LIMIT + 1]).await.refused();
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{path}: {refusal:?}");
        refusal.assert_is(Code::ResourceExhausted, ErrorReason::MessageTooLarge);
    }
    // The limit is the configuration's.
    let vault = Vault::setup().set("limits.message_bytes", 64 << 10).start().await;
    let bank = vault.tenant("bank").await;
    let mut request = bank.enroller().enrolment("nobody", &scene.face());
    request.template.as_mut().unwrap().embedding.resize(20_000, 0.5);
    let refusal = bank.enroller().ask(request).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::MessageTooLarge);
    bank.enroller().enroll("somebody", &scene.face()).await.unwrap();
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused_by_every_method() {
    let scene = Scene::set().await;
    let caller = scene.bank.enroller();
    for method in lethe_proto::methods() {
        let path = format!("/{}/{}", method.service, method.method);
        // A field of length 255 that is not there; a group that never ends; field number 0; a purpose that is a
        // string; not UTF-8, where the first field is a text.
        let not_text: &[u8] = match method.method {
            "Create" | "CreateBackup" | "PruneBackups" => &[0x1a, 0x02, 0xc3, 0x28],
            "ListBackups" | "ListMirrors" => &[0x2a, 0x02, 0xc3, 0x28],
            _ => &[0x0a, 0x02, 0xc3, 0x28],
        };
        for garbage in [&[0x0a, 0xff][..], &[0x0b], &[0x00], &[0xff; 64], &[0x12, 0x01, 0x41], not_text] {
            let refusal = caller.ask_raw(&path, garbage.to_vec()).await.refused();
            assert_eq!(refusal.code(), Code::InvalidArgument, "{path} of {garbage:02x?}: {refusal:?}");
            refusal.assert_is(Code::InvalidArgument, ErrorReason::MessageMalformed);
        }
    }
    scene.is_unchanged().await;
}

/// Frames that say more than comes, or that something is compressed; no frame at all; and one too many.
#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_cut_off_or_wrong_are_refused_by_every_method() {
    let scene = Scene::set().await;
    let caller = scene.bank.enroller();
    let frames: [(&str, &[u8]); 5] = [
        ("no frame", &[]),
        ("half a frame's head", &[0, 0, 0]),
        ("a message shorter than its frame says", &[0, 0, 0, 0, 9, 0x0a, 0x01]),
        ("a compressed message", &[1, 0, 0, 0, 2, 0x0a, 0x00]),
        ("a flag that there is not", &[7, 0, 0, 0, 2, 0x0a, 0x00]),
    ];
    for method in lethe_proto::methods() {
        let path = format!("/{}/{}", method.service, method.method);
        for (what, body) in frames {
            let answer = caller.ask_unframed(&path, body.to_vec()).await;
            if method.method == "BatchEnroll" && body.is_empty() {
                assert_eq!(answer.unwrap(), [0_u8; 0], "an empty stream has no answers");
                continue;
            }
            let refusal = answer.refused();
            assert_eq!(refusal.code(), Code::InvalidArgument, "{path}, {what}: {refusal:?}");
            refusal.assert_is(Code::InvalidArgument, ErrorReason::MessageMalformed);
        }
    }
    scene.is_unchanged().await;
}

/// Requests cut short, and with bytes flipped: refused in words of the API, or answered as what they happen to be,
/// never a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_is_never_a_fault_of_the_server() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let requests = [
        (
            bank.analyst(),
            "AuthenticationService/Verify",
            bank.analyst().verification("ada", &scene.face()).encode_to_vec(),
        ),
        (bank.analyst(), "IdentificationService/Search", bank.analyst().query(&scene.face()).encode_to_vec()),
        (bank.analyst(), "IdentificationService/SweepDuplicates", bank.analyst().sweep_request().encode_to_vec()),
        (
            bank.enroller(),
            "EnrollmentService/ListTemplates",
            v1::ListTemplatesRequest {
                parent: "tenants/bank/subjects/ada".to_owned(),
                purpose: v1::Purpose::DuplicateDetection.into(),
                page_size: 3,
                page_token: String::new(),
            }
            .encode_to_vec(),
        ),
        (
            bank.auditor(),
            "AuditService/GetInclusionProof",
            v1::GetInclusionProofRequest {
                log: bank.log(),
                purpose: v1::Purpose::Audit.into(),
                leaf_index: 1,
                tree_size: 3,
            }
            .encode_to_vec(),
        ),
    ];
    let mut random = ChaCha8Rng::seed_from_u64(82);
    for (caller, method, valid) in requests {
        let path = format!("/lethe.v1.{method}");
        caller.ask_raw(&path, valid.clone()).await.unwrap();
        for _ in 0..100 {
            let cut = random.random_range(0..valid.len());
            is_no_fault(method, caller.ask_raw(&path, valid[..cut].to_vec()).await);
            let mut flipped = valid.clone();
            for _ in 0..random.random_range(1..8) {
                // Half of them near the beginning, where the names, the lengths and the tags are.
                let reach = if random.random() { flipped.len() } else { flipped.len().min(80) };
                let at = random.random_range(0..reach);
                flipped[at] = random.random();
            }
            is_no_fault(method, caller.ask_raw(&path, flipped).await);
        }
    }
    scene.is_unchanged().await;
}

/// What is not even HTTP/2 ends its own connection and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_call_end_the_connection() {
    let scene = Scene::set().await;
    let address = scene.vault.address().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let noise: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        // A frame that says it is 16 MiB long, and one of an unknown stream.
        [preface.as_slice(), &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
        [preface.as_slice(), &[0, 0, 4, 3, 0, 0, 0, 0, 99, 0, 0, 0, 0]].concat(),
    ];
    for bytes in noise {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(lethe_tests::PATIENCE)).unwrap();
        // The server says what it has to say, and hangs up, maybe before everything was sent.
        drop(stream.write_all(&bytes));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let ended = stream.read_to_end(&mut Vec::new());
        let waited = ended.is_err_and(|failure| matches!(failure.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!waited, "the server keeps a connection that talks rubbish");
    }
    scene.is_unchanged().await;
}
