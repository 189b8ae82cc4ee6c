use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_domain::TenantId;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::testing::{ISSUER, SUBJECT, Signer, claims, describe, message, publish, with};
use super::*;

/// The vault's clock, in seconds.
const NOW: i64 = 1_800_000_000;

/// A key of 2048 bits that another program made, and signed with, by RS256 and by PS256 (a salt of 32 bytes), claims of
/// [`NOW`].
const RSA: &str = "2CoEeKWpK8RqK0fNDNuGfqaHJJPtEZDiiLhqm4Nb1QJXlTIVrIP_KlUVzSdgHsdRLZoSJfrqFq4rivOEdbSvCRzyCIFuAuj5uTabzvPIZSLIIlX7Kf7qgJwZxHTTxJSZ7tBUtQkQAKNDCAIieyS5KxgEj-MuE6MJNXhnuqmOyscUztw-h7U3AhNQhOAADwG3voO28V-qGV6pjBfsV8cD92iR7aGcwA9vfU5XO6VrkH_IqmqnGrukCao4if7cu7eLAD3yMsfCwG8mkyPNVV5a9iVsVzAItWUfkjKeM586AopJ2ejyenuMoAnt-9Ivtl4gJtJHDOUCFNFhGE5uZxLcIw";
const RS256: &str = "zE4A-R5ZOOd8Z3T1Xpb3JYlnNNC5EzyXE4GFRs1nqGG4WRQjlc0LhnHHd1Tw2Wz88bBWEX2EHrQDrD14rEiOWU_4iZ_BajQpTsZnHeQWkI_2ktAa6-X5182K4SQW9ekJ5uDX-kl1pfiOaDfBOlyAQll6occk3p-xCQtr4-p8QdDPFi4mAhINJaE81BF8-7lShTDtpOub0RDwsmnFh5M0y1B6mXz70yVx_slKvOFPw1_7us8dYtPDeF4Yw7c_3x9BpHtuSLEitVqK4ES24zr8-SHMCTXh2UP8X6oK4AheejYPDik8uZocrKzT-ICTIEsyxVLmcUOduZaxRG0mAraUzA";
const PS256: &str = "n63Cyk0VS_vBLOgnJlLnbloyKqMn-PlAv-7Flwtv89GUaylYwOJgYB7Wpi26RN892RFuGmtUQX0b8uPog5A33_V_kcxBIhMWcWMfHzE0kiceBqt9vBuII4sj0-gX7So0xWmZw74ODNxLzOqzcswKKwlEgcmGF29syQ3yejWGOZS__dm6gF1hiDUrJY7VzwqDaxoj-xDxg_w6A6EBa8FPpKBwUa_Q64ijaozXLJJNVgLxMIO9Je0h8quoyuwpXxWgReM0Pqk9BFwItooY1ClcsU4k2xEZVqbD4WkHtT-HkVC652GIs41WXZ5-tjsWuCcCL1VrxaUkfL4NeVbdn71rKw";

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

fn bank() -> Owner {
    Owner::Tenant(TenantId::parse("bank").unwrap())
}

/// A provider with the key `k1`, of this signer.
fn provider(signer: &Signer) -> (TempDir, Logins) {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[signer.jwk("k1")]);
    let logins = Logins::open(Some(&describe(folder.path(), "[\"bank\"]", ""))).unwrap();
    (folder, logins)
}

fn judged(logins: &Logins, token: &str) -> Result<bool, Disbelief> {
    logins.verify(token, now()).map(|(login, _, weight)| {
        assert_eq!((login.issuer(), login.subject()), (ISSUER, SUBJECT));
        weight.two_factors
    })
}

#[test]
fn a_good_token_is_believed_and_its_factors_are_those_that_are_named() {
    let signer = Signer::seeded(1);
    let (_folder, logins) = provider(&signer);
    let factors = |claims: &Value| judged(&logins, &signer.token(claims));
    assert_eq!(factors(&claims(NOW)), Ok(true));
    for (name, amr, acr, two) in [
        ("no claim of either", Value::Null, Value::Null, false),
        ("a password alone", json!(["pwd"]), Value::Null, false),
        ("no method at all", json!([]), Value::Null, false),
        ("another spelling", json!(["OTP"]), Value::Null, false),
        ("a part of one", json!(["otp2"]), Value::Null, false),
        ("one method of those named", json!(["hwk"]), Value::Null, true),
        ("the class that is named", json!(["pwd"]), json!("urn:two"), true),
        ("another class", json!(["pwd"]), json!("urn:one"), false),
        ("a class where methods belong", json!(["urn:two"]), json!("otp"), false),
    ] {
        let mut claims = with(NOW, "amr", amr);
        if !acr.is_null() {
            claims["acr"] = acr;
        }
        assert_eq!(factors(&claims), Ok(two), "{name}");
    }
    for (name, claim, value) in [
        ("several names of one audience", "aud", json!(["lethe"])),
        ("a clock ahead", "iat", json!(NOW + 29)),
        ("just over", "exp", json!(NOW - 29)),
        ("a fraction", "exp", json!(NOW as f64 + 60.5)),
        ("a beginning", "nbf", json!(NOW)),
        ("more claims", "email_verified", json!({ "a": [1] })),
    ] {
        let mut claims = with(NOW, claim, value);
        if claim == "exp" {
            claims["iat"] = json!(NOW - 600);
        }
        assert_eq!(factors(&claims), Ok(true), "{name}");
    }
    for header in [
        r#"{"alg":"EdDSA","kid":"k1"}"#,
        r#"{"alg":"EdDSA","kid":"k1","typ":"jwt"}"#,
        r#"{"alg":"EdDSA","kid":"k1","typ":"at+JWT"}"#,
        // Keys that a token brings along are nobody's.
        r#"{"alg":"EdDSA","kid":"k1","jku":"https://evil.example/keys","x5u":"https://evil.example/c"}"#,
    ] {
        assert_eq!(judged(&logins, &signer.sign(header, &claims(NOW).to_string())), Ok(true), "{header}");
    }
}

#[test]
fn whatever_is_wrong_with_a_token_it_is_not_believed() {
    let (signer, stranger) = (Signer::seeded(1), Signer::seeded(2));
    let (_folder, logins) = provider(&signer);
    let good = claims(NOW).to_string();
    let header = |text: &str| signer.sign(text, &good);
    let claim = |name: &str, value: Value| signer.token(&with(NOW, name, value));
    let token = signer.token(&claims(NOW));
    let parts: Vec<_> = token.split('.').collect();
    let eddsa = r#"{"alg":"EdDSA","kid":"k1"}"#;
    let hmac = {
        // The public key, as whoever reads the JWK set has it, as the secret.
        let message = message(r#"{"alg":"HS256","kid":"k1"}"#, &good);
        let secret = URL_SAFE_NO_PAD.decode(signer.point()).unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes())))
    };
    let twice =
        |name: &str, second: &str| signer.sign(eddsa, &good.replacen('{', &format!("{{\"{name}\":{second},"), 1));
    let jwk = format!(r#"{{"alg":"EdDSA","kid":"k2","jwk":{}}}"#, stranger.jwk("k2"));
    let own_key = stranger.sign(&jwk, &good);
    let whole_times = |iat: i64, exp: i64| {
        let mut claims = claims(NOW);
        (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
        signer.token(&claims)
    };
    use Disbelief::{
        Algorithm, Audience, Bound, Delegated, Expired, Issuer, Key, Lifetime, Malformed, NotYet, Signature, TooLong,
        Type,
    };
    for (name, token, why) in [
        ("alg none", format!("{}.", message(r#"{"alg":"none","kid":"k1"}"#, &good)), Malformed),
        ("alg None with a signature", header(r#"{"alg":"None","kid":"k1"}"#), Malformed),
        ("no alg", header(r#"{"kid":"k1"}"#), Malformed),
        ("HS256 with the public key", hmac, Algorithm),
        ("an algorithm that is not used", header(r#"{"alg":"RS512","kid":"k1"}"#), Algorithm),
        ("an algorithm that is not the key's", header(r#"{"alg":"ES256","kid":"k1"}"#), Key),
        ("a kid that nobody has", header(r#"{"alg":"EdDSA","kid":"k9"}"#), Key),
        ("no kid", header(r#"{"alg":"EdDSA"}"#), Key),
        ("a key that the token brings along", own_key, Key),
        ("another's signature under the kid", stranger.token(&claims(NOW)), Signature),
        ("a signature of something else", format!("{}.{}", message(eddsa, &good), parts[2]), Signature),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), Signature),
        ("another issuer", claim("iss", json!("https://other.example.org")), Issuer),
        ("an issuer with a slash more", claim("iss", json!(format!("{ISSUER}/"))), Issuer),
        ("iss twice", twice("iss", "\"https://other.example.org\""), Malformed),
        ("bound to a key", claim("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })), Bound),
        ("bound to nothing", signer.sign(eddsa, &good.replacen('{', "{\"cnf\":null,", 1)), Bound),
        ("of an actor", claim("act", json!({ "sub": "00uother" })), Delegated),
        ("of a logout", claim("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })), Type),
        ("several issuers", claim("iss", json!([ISSUER])), Malformed),
        ("no issuer", claim("iss", Value::Null), Malformed),
        ("for another", claim("aud", json!("other")), Audience),
        ("for another as well", claim("aud", json!(["lethe", "other"])), Audience),
        ("for nobody", claim("aud", json!([])), Audience),
        ("no audience", claim("aud", Value::Null), Malformed),
        ("an audience that is a number", claim("aud", json!(7)), Malformed),
        ("expired", whole_times(NOW - 600, NOW - 30), Expired),
        ("expired long ago", whole_times(NOW - 9600, NOW - 9000), Expired),
        ("not yet, by iat", whole_times(NOW + 31, NOW + 600), NotYet),
        ("not yet, by nbf", claim("nbf", json!(NOW + 31)), NotYet),
        ("too long-lived", whole_times(NOW, NOW + 3601), Lifetime),
        ("for ever", whole_times(NOW, 253_402_300_799), Lifetime),
        ("over before it began", whole_times(NOW + 20, NOW + 10), Malformed),
        ("no end", claim("exp", Value::Null), Malformed),
        ("no beginning", claim("iat", Value::Null), Malformed),
        ("an end that is text", claim("exp", json!((NOW + 600).to_string())), Malformed),
        ("a beginning that is text", claim("nbf", json!("0")), Malformed),
        ("an end out of range", claim("exp", json!(1e300)), Malformed),
        ("an end before all time", claim("exp", json!(-1)), Malformed),
        ("a subject that is a number", claim("sub", json!(17)), Malformed),
        ("a subject that is an address", claim("sub", json!("ann@example.org")), Malformed),
        ("no subject", claim("sub", Value::Null), Malformed),
        ("amr as a string", claim("amr", json!("otp")), Malformed),
        ("amr of numbers", claim("amr", json!([1])), Malformed),
        ("acr as an array", claim("acr", json!(["urn:two"])), Malformed),
        ("sub twice", twice("sub", "\"00uother\""), Malformed),
        ("amr twice", twice("amr", "[\"otp\"]"), Malformed),
        ("aud twice", twice("aud", "\"other\""), Malformed),
        ("exp twice", twice("exp", "1800000000"), Malformed),
        ("alg twice", header(r#"{"alg":"EdDSA","alg":"HS256","kid":"k1"}"#), Malformed),
        ("kid twice", header(r#"{"alg":"EdDSA","kid":"k1","kid":"k2"}"#), Malformed),
        ("an extension that must be known", header(r#"{"alg":"EdDSA","kid":"k1","crit":["exp"],"exp":1}"#), Type),
        ("no extension that must be known", header(r#"{"alg":"EdDSA","kid":"k1","crit":[]}"#), Type),
        ("a payload that is not encoded", header(r#"{"alg":"EdDSA","kid":"k1","b64":false}"#), Malformed),
        ("a token of a logout", header(r#"{"alg":"EdDSA","kid":"k1","typ":"logout+jwt"}"#), Type),
        ("a proof of possession", header(r#"{"alg":"EdDSA","kid":"k1","typ":"dpop+jwt"}"#), Type),
        ("a token in the token", header(r#"{"alg":"EdDSA","kid":"k1","cty":"JWT"}"#), Type),
        ("compressed", header(r#"{"alg":"EdDSA","kid":"k1","zip":"DEF"}"#), Type),
        ("two parts", format!("{}.{}", parts[0], parts[1]), Malformed),
        ("four parts", format!("{token}.{}", parts[2]), Malformed),
        ("five parts", "a.b.c.d.e".to_owned(), Malformed),
        ("padding", format!("{token}=="), Malformed),
        ("a space", format!("{token} "), Malformed),
        ("claims that are no object", signer.sign(eddsa, "[]"), Malformed),
        ("claims that are no JSON", signer.sign(eddsa, "{"), Malformed),
        ("dots alone", "..".to_owned(), Malformed),
        ("nothing", String::new(), Malformed),
        ("too long", claim("pad", json!("x".repeat(6200))), TooLong),
    ] {
        assert_eq!(judged(&logins, &token), Err(why), "{name}");
    }
    assert_eq!(judged(&logins, &claim("pad", json!("x".repeat(5700)))), Ok(true), "as long as it may be");
}

#[test]
fn keys_verify_by_their_own_algorithms() {
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.as_ref(), &SystemRandom::new()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(x), "y": encode(y) });
    let rsa = |id: &str, n: &str| json!({ "kty": "RSA", "kid": id, "n": n, "e": "AQAB" });
    let folder = tempfile::tempdir().unwrap();
    let path = describe(folder.path(), "[\"bank\"]", "");
    let with_zero = encode(&[&[0], URL_SAFE_NO_PAD.decode(RSA).unwrap().as_slice()].concat());
    let es = {
        let message = message(r#"{"alg":"ES256","kid":"ec"}"#, &claims(NOW).to_string());
        format!("{message}.{}", encode(pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref()))
    };
    let by_rsa = |algorithm: &str, signature: &str| {
        let claims = r#"{"iss":"https://login.example.org","sub":"00u1a2b3","aud":"lethe","iat":1800000000,"exp":1800000600,"amr":["otp"]}"#;
        format!("{}.{signature}", message(&format!(r#"{{"alg":"{algorithm}","kid":"rsa"}}"#), claims))
    };
    let (rs, ps) = (by_rsa("RS256", RS256), by_rsa("PS256", PS256));
    for n in [RSA, &with_zero] {
        publish(folder.path(), &[ec.clone(), rsa("rsa", n)]);
        let logins = Logins::open(Some(&path)).unwrap();
        for token in [&es, &rs, &ps] {
            assert_eq!(judged(&logins, token), Ok(true), "{token}");
        }
        assert_eq!(judged(&logins, &by_rsa("PS256", RS256)), Err(Disbelief::Signature));
    }
    // A key that says what it is for is for nothing else.
    let mut one = rsa("rsa", RSA);
    one["alg"] = json!("PS256");
    publish(folder.path(), &[one]);
    let logins = Logins::open(Some(&path)).unwrap();
    assert_eq!((judged(&logins, &ps), judged(&logins, &rs)), (Ok(true), Err(Disbelief::Key)));
}

#[test]
fn key_sets_are_read_strictly_and_what_is_for_something_else_is_passed_over() {
    let key = Signer::seeded(1).jwk("k1");
    let changed = |member: &str, value: Value| {
        let mut key = key.clone();
        key[member] = value;
        key
    };
    let read = |keys: Value| jwks::read(&json!({ "keys": keys }).to_string()).map(|keys| keys.len());
    assert_eq!(read(json!([])), Ok(0), "nobody is believed any more");
    let other = json!({ "kty": "EC", "crv": "P-521", "kid": "p", "x": "AA", "y": "AA" });
    let unknown = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" });
    let sealing = changed("use", json!("enc"));
    let hashing = json!({ "kty": "RSA", "kid": "r", "alg": "RS512", "n": RSA, "e": "AQAB" });
    assert_eq!(read(json!([other, key, unknown, sealing, hashing])), Ok(1));
    for (name, keys, why) in [
        ("only others", json!([other, unknown]), "no key of use"),
        ("a private key", json!([changed("d", json!("AA"))]), "`d`"),
        ("a secret", json!([{ "kty": "oct", "kid": "s", "k": "AA" }]), "`k`"),
        ("no kid", json!([changed("kid", json!(""))]), "`kid`"),
        ("a kid twice", json!([key, changed("x", json!(Signer::seeded(2).point()))]), "`kid` of another"),
        ("a short point", json!([changed("x", json!("AAAA"))]), "not as long"),
        ("no base64url", json!([changed("x", json!("+/=="))]), "malformed"),
        ("no point", json!([{ "kty": "OKP", "crv": "Ed25519", "kid": "k" }]), "key 1"),
        ("a number for a name", json!([changed("kid", json!(7))]), "`kid`"),
        ("no kind", json!([{ "kid": "k" }]), "`kty`"),
        ("a short modulus", json!([{ "kty": "RSA", "kid": "r", "n": &RSA[..340], "e": "AQAB" }]), "2048"),
        ("no object", json!([7]), "no object"),
        ("too many", json!(vec![other.clone(); 65]), "65 keys"),
    ] {
        let refused = read(keys).unwrap_err();
        assert!(refused.contains(why), "{name}: {refused}");
    }
    for text in ["", "{", "[]", "{\"keys\":{}}"] {
        assert!(jwks::read(text).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_is_wrong_is_refused_with_the_key_that_is() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[Signer::seeded(1).jwk("k1")]);
    let open = |tenants: &str, more: &str| {
        Logins::open(Some(&describe(folder.path(), tenants, more))).map(drop).map_err(|fault| fault.to_string())
    };
    open("[\"bank\"]", "").unwrap();
    open("[]", "operators = true\nmax_lifetime_s = 86400").unwrap();
    let again = format!(
        "[[provider]]\nissuer = \"{ISSUER}\"\naudiences = [\"x\"]\njwks_file = \"jwks.json\"\noperators = true"
    );
    for (tenants, more, why) in [
        ("[\"bank\"]", "issuers = \"x\"", "line 8: unknown field `issuers`"),
        ("[\"bank\"]", "max_lifetime_s = \"1h\"", "line 8: `max_lifetime_s`"),
        ("[\"bank\"]", "max_lifetime_s = 59", "`max_lifetime_s` 59 is out of range, 60 to 86400"),
        ("[\"bank\"]", "max_lifetime_s = 86401", "`max_lifetime_s`"),
        ("[\"bank\"]", "issuer = \"https://b\"", "duplicate key"),
        ("[]", "", "`tenants` is missing"),
        ("[\"Bank\"]", "", "`tenants` \"Bank\""),
        ("\"bank\"", "", "line 5: `tenants`"),
        ("[\"bank\"]", &again, "`issuer` is named twice"),
    ] {
        let refused = open(tenants, more).unwrap_err();
        assert!(refused.contains(why) && refused.contains("providers.toml"), "{more}: {refused}");
        assert!(refused.starts_with("`access.identity_providers`: "), "{refused}");
    }
    let path = folder.path().join("other.toml");
    let usual = "issuer = \"https://a\"\naudiences = [\"x\"]\njwks_file = \"jwks.json\"\noperators = true\n";
    let replaced = |from: &str, to: &str| format!("[[provider]]\n{}", usual.replace(from, to));
    for (text, why) in [
        (String::new(), "missing field `provider`"),
        (replaced("https://a", "http://a"), "http://a: `issuer` must be an https URL"),
        (replaced("[\"x\"]", "[]"), "`audiences` is empty"),
        (replaced("[\"x\"]", "[\"\"]"), "`audiences` has an empty value"),
        (replaced("audiences = [\"x\"]\n", ""), "missing field `audiences`"),
        (replaced("true", "true\nsecond_factor_amr = [\"\"]"), "`second_factor_amr` has an empty value"),
        (replaced("true", "true\nsecond_factor_acr = [\"\"]"), "`second_factor_acr` has an empty value"),
        (replaced("true", "true\nsecond_factor_amr = [\"mfa\", \"pwd\"]"), "`second_factor_amr` \"pwd\" says"),
        (replaced("true", "true\nsecond_factor_amr = [\"PIN\"]"), "`second_factor_amr` \"PIN\" says"),
        (replaced("true", "true\nsecond_factor_amr = [\"kba\"]"), "`second_factor_amr` \"kba\" says"),
        ("[".to_owned(), "line 1"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let refused = Logins::open(Some(&path)).map(drop).unwrap_err().to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
    std::fs::write(&path, "provider = []").unwrap();
    assert_eq!(Logins::open(Some(&path)).unwrap().standing(), Some(Standing { providers: 0, is_stale: false }));
    assert!(Logins::open(Some(&folder.path().join("nowhere"))).is_err());
    assert_eq!(Logins::open(None).unwrap().standing(), None);
}

#[test]
fn what_changes_in_the_files_counts_and_what_turns_bad_does_not() {
    let (first, second) = (Signer::seeded(1), Signer::seeded(2));
    let (folder, logins) = provider(&first);
    let token = first.token(&claims(NOW));
    let next = second.sign(r#"{"alg":"EdDSA","kid":"k2"}"#, &claims(NOW).to_string());
    let (_, proven, _) = logins.verify(&token, now()).unwrap();
    let stale = |is_stale| assert_eq!(logins.standing(), Some(Standing { providers: 1, is_stale }));
    assert_eq!(judged(&logins, &next), Err(Disbelief::Key));

    // A key comes, for a while there are two, and the old one goes.
    publish(folder.path(), &[first.jwk("k1"), second.jwk("k2")]);
    logins.look();
    assert_eq!((judged(&logins, &token), judged(&logins, &next)), (Ok(true), Ok(true)));
    publish(folder.path(), &[second.jwk("k2")]);
    logins.look();
    assert_eq!((judged(&logins, &token), judged(&logins, &next)), (Err(Disbelief::Key), Ok(true)));
    assert_eq!(logins.weigh(&proven, now()), Err(Disbelief::Key), "who came with it is not believed any more either");
    // Another key under its name is another key.
    publish(folder.path(), &[second.jwk("k1")]);
    logins.look();
    assert_eq!(logins.weigh(&proven, now()), Err(Disbelief::Key));
    assert_eq!(judged(&logins, &token), Err(Disbelief::Signature));

    publish(folder.path(), &[first.jwk("k1")]);
    logins.look();
    stale(false);
    for bad in ["", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"] {
        std::fs::write(folder.path().join("jwks.json"), bad).unwrap();
        logins.look();
        stale(true);
        assert_eq!(judged(&logins, &token), Ok(true), "what was there before counts");
    }
    std::fs::remove_file(folder.path().join("jwks.json")).unwrap();
    logins.look();
    stale(true);
    publish(folder.path(), &[first.jwk("k1")]);
    logins.look();
    stale(false);

    // Of whom a provider may speak, and what it says of two factors, change as well, also for who is there already.
    assert!(logins.may_speak(ISSUER, &bank()) && !logins.may_speak(ISSUER, &Owner::Vault));
    assert!(!logins.may_speak("https://other.example.org", &bank()));
    describe(folder.path(), "[]", "operators = true");
    logins.look();
    assert!(!logins.may_speak(ISSUER, &bank()) && logins.may_speak(ISSUER, &Owner::Vault));
    let weight = logins.weigh(&proven, now()).unwrap();
    assert_eq!(weight, Weight { until: Timestamp::from_millis((NOW + 630) * 1000), two_factors: true });
    let over = Timestamp::from_millis((NOW + 630) * 1000);
    assert_eq!(logins.weigh(&proven, over), Err(Disbelief::Expired));
    std::fs::write(folder.path().join("providers.toml"), "provider = []").unwrap();
    logins.look();
    assert_eq!(logins.weigh(&proven, now()), Err(Disbelief::Issuer));
}

/// Writes a file of two providers, each with a set of its own: `a.json`, `b.json`.
fn describe_two(folder: &std::path::Path, tenants: &str) -> PathBuf {
    let one = |name: &str| {
        format!(
            "[[provider]]\nissuer = \"https://{name}.example.org\"\naudiences = [\"lethe\"]\njwks_file = \"{name}.json\"\n\
             second_factor_amr = [\"otp\"]\ntenants = {tenants}\n"
        )
    };
    let path = folder.join("providers.toml");
    std::fs::write(&path, one("a") + &one("b")).unwrap();
    path
}

#[test]
fn a_bad_set_is_its_own_providers_alone() {
    let (first, second) = (Signer::seeded(1), Signer::seeded(2));
    let folder = tempfile::tempdir().unwrap();
    let set = |name: &str, keys: &[Value]| {
        std::fs::write(folder.path().join(name), json!({ "keys": keys }).to_string()).unwrap();
    };
    let token =
        |signer: &Signer, name: &str| signer.token(&with(NOW, "iss", json!(format!("https://{name}.example.org"))));
    let (of_a, of_b) = (token(&first, "a"), token(&second, "b"));
    // Names of keys may be the same at two providers: each verifies its own tokens alone.
    set("a.json", &[first.jwk("k1")]);
    std::fs::write(folder.path().join("b.json"), "{\"keys\":").unwrap();
    let path = describe_two(folder.path(), "[\"bank\"]");
    let logins = Logins::open(Some(&path)).unwrap();
    let verdict = |token: &str| logins.verify(token, now()).map(drop);
    let stale = |is_stale| assert_eq!(logins.standing(), Some(Standing { providers: 2, is_stale }));
    stale(true);
    assert_eq!((verdict(&of_a), verdict(&of_b)), (Ok(()), Err(Disbelief::Key)), "a start goes on without its keys");
    set("b.json", &[second.jwk("k1")]);
    logins.look();
    stale(false);
    assert_eq!((verdict(&of_a), verdict(&of_b)), (Ok(()), Ok(())));
    assert_eq!(verdict(&token(&second, "a")), Err(Disbelief::Signature));
    assert_eq!(verdict(&token(&first, "c")), Err(Disbelief::Issuer));

    // One set turns bad, in whatever way: the other's key goes, and what the file says changes, all the same.
    for bad in ["", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"] {
        set("a.json", &[first.jwk("k1")]);
        logins.look();
        std::fs::write(folder.path().join("b.json"), bad).unwrap();
        set("a.json", &[]);
        logins.look();
        stale(true);
        assert_eq!((verdict(&of_a), verdict(&of_b)), (Err(Disbelief::Key), Ok(())));
    }
    let b = "https://b.example.org";
    assert!(logins.may_speak(b, &bank()));
    describe_two(folder.path(), "[\"shop\"]");
    logins.look();
    assert!(!logins.may_speak(b, &bank()) && verdict(&of_b).is_ok());
    // A file that is wrong keeps what it said; keys come and go.
    std::fs::write(&path, "[[provider]]\nissuer = 7\n").unwrap();
    set("a.json", &[first.jwk("k1")]);
    set("b.json", &[]);
    logins.look();
    stale(true);
    assert_eq!((verdict(&of_a), verdict(&of_b)), (Ok(()), Err(Disbelief::Key)));
    describe_two(folder.path(), "[\"shop\"]");
    logins.look();
    stale(false);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = describe(folder.path(), "[\"bank\"]", "");
    let set = folder.path().join("jwks.json");
    assert!(std::process::Command::new("mkfifo").arg(&set).status().unwrap().success());
    let state = file::read(&path, &State::default()).unwrap();
    let faults: Vec<_> = state.faults().map(ToString::to_string).collect();
    assert!(faults.len() == 1 && faults[0].ends_with("jwks.json: is no regular file"), "{faults:?}");
    assert!(Logins::open(Some(&set)).is_err() && Logins::open(Some(folder.path())).is_err());
}

#[test]
fn who_else_could_write_the_files_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[Signer::seeded(1).jwk("k1")]);
    let path = describe(folder.path(), "[\"bank\"]", "");
    let set = folder.path().join("jwks.json");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let told = || {
        let state = file::read(&path, &State::default()).unwrap();
        assert_eq!(state.faults().count(), 0, "it is told, and read");
        state.open.iter().map(|open| (open.path.clone(), open.reason.clone())).collect::<Vec<_>>()
    };
    for path in [&path, &set] {
        mode(path, 0o644);
    }
    mode(folder.path(), 0o755);
    assert!(told().is_empty());
    for (wrong, right, bits) in
        [(path.as_path(), 0o644, 0o664), (set.as_path(), 0o644, 0o646), (folder.path(), 0o755, 0o777)]
    {
        mode(wrong, bits);
        let told = told();
        assert!(told.len() == 1 && told[0].0 == wrong && told[0].1.contains(&format!("{bits:04o}")), "{told:?}");
        mode(wrong, right);
    }
}

#[tokio::test]
async fn a_look_that_is_lost_is_told_and_the_next_one_counts() {
    let signer = Signer::seeded(1);
    let (_folder, logins) = provider(&signer);
    let logins = Arc::new(logins);
    let is_stale = || logins.standing().unwrap().is_stale;
    assert!(logins.look_apart(|_| panic!("a test's panic")).await, "it is no reason to stop");
    assert!(is_stale());
    assert_eq!(judged(&logins, &signer.token(&claims(NOW))), Ok(true));
    assert!(logins.look_apart(Logins::look).await);
    assert!(!is_stale());
}

#[test]
fn nothing_of_a_token_shows() {
    let signer = Signer::seeded(1);
    let (_folder, logins) = provider(&signer);
    let shown = format!("{:?}", logins.verify(&signer.token(&claims(NOW)), now()).unwrap());
    assert!(!shown.contains(SUBJECT) && !shown.contains("otp"), "{shown}");
}
