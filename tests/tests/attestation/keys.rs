//! The keys of capture services: registered, listed, revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lethe_proto::v1::{self, Capture, ErrorReason, Purpose, SigningKeyState as State};
use lethe_tests::{Caller, Camera, Faces, Refused, Tenant, Vault, capture};
use tonic::Code;

async fn keys(caller: &Caller, page_size: i32) -> Vec<v1::SigningKey> {
    let (parent, purpose) = (caller.tenant_name(), Purpose::Administration.into());
    let mut request = v1::ListSigningKeysRequest { parent, purpose, page_size, page_token: String::new() };
    let mut keys = Vec::new();
    loop {
        let page = caller.ask(request.clone()).await.unwrap();
        assert!(page.signing_keys.len() <= usize::try_from(page_size).unwrap());
        keys.extend(page.signing_keys);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return keys;
        }
    }
}

async fn verify(bank: &Tenant, seen: Capture) -> lethe_tests::Answer<v1::VerifyResponse> {
    let caller = bank.authenticator();
    let face = seen.embedding.clone();
    caller.ask(v1::VerifyRequest { probe: Some(seen), ..caller.verification("ada", &face) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_registered_once_listed_and_revoked_for_good() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").attested().await;
    let camera = Camera::stranger(&bank, "camera-1");
    let key = camera.register(&bank).await.unwrap();
    assert_eq!((key.name.as_str(), key.state()), ("tenants/bank/signingKeys/camera-1", State::Active));
    assert_eq!(key.jwk, camera.signer().public().to_jwk());
    assert!(key.create_time.is_some() && key.revoke_time.is_none());
    // The same again is the same; another of that id is none.
    assert_eq!(camera.register(&bank).await.unwrap(), key);
    let other = Camera::stranger(&bank, "camera-1");
    other.register(&bank).await.refused().assert_is(Code::AlreadyExists, ErrorReason::SigningKeyExists);
    let second = Camera::of(&bank, "camera.2").await;
    let third = Camera::of(&bank, "camera_3").await;
    for caller in [bank.admin(), bank.auditor(), bank.privacy_officer()] {
        let names: Vec<_> = keys(&caller, 2).await.into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["camera-1", "camera.2", "camera_3"].map(|id| format!("tenants/bank/signingKeys/{id}")));
    }
    let revoked = second.revoke(&bank).await.unwrap();
    assert_eq!(revoked.state(), State::Revoked);
    assert_eq!(second.revoke(&bank).await.unwrap(), revoked);
    second.register(&bank).await.refused().assert_is(Code::AlreadyExists, ErrorReason::SigningKeyExists);
    let unknown = Camera::stranger(&bank, "camera-4");
    unknown.revoke(&bank).await.refused().assert_is(Code::NotFound, ErrorReason::SigningKeyNotFound);
    // Another tenant has its own.
    let shop = vault.tenant("shop").attested().await;
    assert!(keys(&shop.admin(), 2).await.is_empty());
    let theirs = v1::RevokeSigningKeyRequest { name: revoked.name.clone(), ..third.revoking(&bank) };
    shop.admin().ask(theirs).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    vault.crash().await;
    let states: Vec<_> = keys(&bank.admin(), 100).await.iter().map(v1::SigningKey::state).collect();
    assert_eq!(states, [State::Active, State::Revoked, State::Active]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_public_key_is_refused_and_never_repeated() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").attested().await;
    let camera = Camera::stranger(&bank, "camera-1");
    let private = camera.signer().to_jwk();
    let public = camera.signer().public().to_jwk();
    for (jwk, told) in [
        (private.as_str(), "`d`"),
        ("", ""),
        ("{", "JSON Web Key"),
        ("[]", "JSON Web Key"),
        (&public.replace("Ed25519", "X25519"), "Ed25519"),
        (&public.replace("camera-1", "two words"), "kid"),
        (&public.replace("\"x\":\"", "\"x\":\"AAAA"), "32 bytes"),
        (&public.replace("\"sig\"", "\"enc\""), "Ed25519"),
    ] {
        let refused = bank.admin().ask(Camera::registering(&bank, jwk)).await.refused();
        assert_eq!(refused.code(), Code::InvalidArgument, "{jwk}");
        refused.assert_field("signing_key.jwk");
        assert!(refused.status().message().contains(told), "{refused:?}");
        let secret = private.rsplit('"').nth(1).unwrap();
        assert!(!format!("{refused:?}").contains(secret) && !vault.log().contains(secret));
    }
    assert!(keys(&bank.admin(), 100).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_active_keys_and_no_more() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").attested().await;
    let mut cameras = Vec::new();
    for number in 0..64 {
        cameras.push(Camera::of(&bank, &format!("camera-{number}")).await);
    }
    let next = Camera::stranger(&bank, "camera-64");
    next.register(&bank).await.refused().assert_is(Code::ResourceExhausted, ErrorReason::SigningKeysLimited);
    cameras[7].revoke(&bank).await.unwrap();
    next.register(&bank).await.unwrap();
    assert_eq!(keys(&bank.admin(), 30).await.len(), 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_believed_in_no_call_that_begins_after_the_answer() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").attested().await;
    let (camera, other) = (Camera::of(&bank, "camera-1").await, Camera::of(&bank, "camera-2").await);
    let face = Faces::seeded(921).person(0).selfie();
    let mut enrolment = bank.enroller().enrolment("ada", &face);
    enrolment.template = enrolment.template.map(|seen| camera.sees(seen));
    bank.enroller().ask(enrolment).await.unwrap();
    let (is_revoked, believed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let logins = (0..6).map(|_| {
        let (bank, camera, face) = (bank.clone(), camera.clone(), face.clone());
        let (is_revoked, believed) = (Arc::clone(&is_revoked), Arc::clone(&believed));
        tokio::spawn(async move {
            // Until each was refused once for the revocation.
            loop {
                let begun_after = is_revoked.load(Ordering::SeqCst);
                match verify(&bank, camera.sees(capture(&face))).await {
                    Ok(_) => {
                        assert!(!begun_after, "believed after the revocation was answered");
                        believed.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(refused) => {
                        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationInvalid);
                        return;
                    }
                }
            }
        })
    });
    let logins: Vec<_> = logins.collect();
    while believed.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    camera.revoke(&bank).await.unwrap();
    is_revoked.store(true, Ordering::SeqCst);
    for login in logins {
        login.await.unwrap();
    }
    // Another goes on, also after a crash, and what is revoked stays so.
    vault.crash().await;
    verify(&bank, other.sees(capture(&face))).await.unwrap();
    let refused = verify(&bank, camera.sees(capture(&face))).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationInvalid);
}
