use proptest::prelude::*;

use super::*;
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::Hash;

/// The note, keys and signature that the Go implementation of signed notes tests itself with.
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_LINE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const ENOCH_LINE: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn seed(byte: u8) -> Seed {
    Seed::from_slice(&[byte; 32]).unwrap()
}

fn key(name: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), &seed(byte)).unwrap()
}

fn peter() -> VerifierKey {
    PETER.parse().unwrap()
}

#[test]
fn keys_and_signatures_match_another_implementation() {
    let secret = STANDARD.decode(PETER_SECRET).unwrap();
    let seed = Seed::from_slice(&secret[1..]).unwrap();
    let key = SigningKey::from_seed("PeterNeumann".parse().unwrap(), &seed).unwrap();
    assert_eq!(key.verifier().to_string(), PETER);
    assert_eq!(sign(TEXT, &key).unwrap(), format!("{TEXT}\n{PETER_LINE}"));
}

#[test]
fn signatures_by_unknown_keys_are_ignored() {
    for note in [
        format!("{TEXT}\n{PETER_LINE}"),
        format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}"),
        format!("{TEXT}\n{ENOCH_LINE}{PETER_LINE}"),
        format!("{TEXT}\n— Zoë AAAAAAA=\n{PETER_LINE}"),
        format!("{TEXT}\n{}{PETER_LINE}", ENOCH_LINE.repeat(MAX_SIGNATURES - 1)),
    ] {
        assert_eq!(open(note.as_bytes(), &peter()), Ok(TEXT), "{note}");
    }
    let both = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    assert_eq!(open(both.as_bytes(), &ENOCH.parse().unwrap()), Ok(TEXT));
    assert_eq!(open_sole(both.as_bytes(), &peter()), Err(NoteError::NotSole));
}

#[test]
fn an_empty_line_in_the_text_belongs_to_the_text() {
    let key = key("log.example", 1);
    let note = sign("one\n\ntwo\n", &key).unwrap();
    assert_eq!(open(note.as_bytes(), key.verifier()), Ok("one\n\ntwo\n"));
}

#[test]
fn malformed_notes_are_refused() {
    let line = |text: &str| format!("{TEXT}\n{text}");
    for (case, note) in [
        ("empty", String::new()),
        ("only a newline", "\n".into()),
        ("text alone", TEXT.into()),
        ("text and empty line", format!("{TEXT}\n")),
        ("no empty line", format!("{TEXT}{PETER_LINE}")),
        ("no newline at the end", line(PETER_LINE.trim_end())),
        ("two newlines at the end", format!("{TEXT}\n{PETER_LINE}\n")),
        ("a further line", format!("{TEXT}\n{PETER_LINE}more\n")),
        ("control character in the text", format!("\u{1}{TEXT}\n{PETER_LINE}")),
        ("carriage return", format!("{TEXT}\n{PETER_LINE}").replace('\n', "\r\n")),
        ("no text", format!("\n{PETER_LINE}")),
        ("hyphen for dash", line(&PETER_LINE.replace('—', "-"))),
        ("no space after dash", line(&PETER_LINE.replace("— ", "—"))),
        ("two spaces after dash", line(&PETER_LINE.replace("— ", "—  "))),
        ("no name", line(&PETER_LINE.replace("PeterNeumann", ""))),
        ("space in name", line(&PETER_LINE.replace("PeterNeumann", "Peter Neumann"))),
        ("no-break space in name", line(&PETER_LINE.replace("PeterNeumann", "Peter\u{a0}Neumann"))),
        ("plus in name", line(&PETER_LINE.replace("PeterNeumann", "Peter+Neumann"))),
        ("not base64", line(&PETER_LINE.replace("x08g", "x08*"))),
        ("url-safe base64", line(&PETER_LINE.replace('/', "_"))),
        ("no padding", line(&PETER_LINE.replace('=', ""))),
        ("too much padding", line(&PETER_LINE.replace('=', "=="))),
        ("bits after the end", line(&PETER_LINE.replace("AM=", "AN="))),
        ("key id alone", line("— PeterNeumann x08gow==\n")),
        ("half a key id", line("— PeterNeumann x08=\n")),
        ("nothing after the name", line("— PeterNeumann \n")),
        ("trailing space", line(&PETER_LINE.replace('\n', " \n"))),
        ("too many signatures", line(&PETER_LINE.repeat(MAX_SIGNATURES + 1))),
        ("too long", line(&format!("{PETER_LINE}— x {}\n", "A".repeat(MAX_DOCUMENT)))),
    ] {
        assert!(matches!(open(note.as_bytes(), &peter()), Err(NoteError::Malformed(_))), "{case}");
    }
    let mut not_text = format!("{TEXT}\n{PETER_LINE}").into_bytes();
    not_text[0] = 0xff;
    assert_eq!(open(&not_text, &peter()), Err(NoteError::Malformed("not UTF-8")));
}

#[test]
fn wrong_signatures_are_refused_and_not_ignored() {
    let unsigned = Err(NoteError::Unsigned("PeterNeumann".into()));
    let wrong = Err(NoteError::WrongSignature("PeterNeumann".into()));
    let open = |note: String| open(note.as_bytes(), &peter()).map(str::to_owned);

    assert_eq!(open(format!("{TEXT}\n{ENOCH_LINE}")), unsigned, "another key");
    assert_eq!(
        open(format!("{TEXT}\n{}", PETER_LINE.replace("PeterNeumann", "PeterNeuman"))),
        unsigned,
        "another name"
    );
    assert_eq!(open(format!("{TEXT}\n{}", PETER_LINE.replace("x08g", "x08h"))), unsigned, "another id");
    assert_eq!(open(format!("{TEXT}\n{}", PETER_LINE.replace("ZJku", "ZJkv"))), wrong, "another signature");
    assert_eq!(open(format!("{TEXT}\n{}", PETER_LINE.replace("AM=\n", "AMA\n"))), wrong, "a longer signature");
    assert_eq!(open(format!("{}\n{PETER_LINE}", TEXT.replace("think", "thinK"))), wrong, "another text");
    let right_and_wrong = format!("{TEXT}\n{PETER_LINE}{}", PETER_LINE.replace("ZJku", "ZJkv"));
    assert_eq!(open(right_and_wrong), wrong, "a right one and a wrong one");
}

#[test]
fn malformed_keys_are_refused() {
    let (type_2, too_long) =
        ("ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==");
    for (case, text) in [
        ("empty", String::new()),
        ("name alone", "PeterNeumann".into()),
        ("no public key", "PeterNeumann+c74f20a3".into()),
        ("no name", PETER.replace("PeterNeumann", "")),
        ("space in name", PETER.replace("PeterNeumann", "Peter Neumann")),
        ("id of another name", PETER.replace("Peter", "Petra")),
        ("id in capitals", PETER.replace("c74f20a3", "C74F20A3")),
        ("id of another key", PETER.replace("c74f20a3", "c74f20a4")),
        ("short id", PETER.replace("c74f20a3", "c74f20")),
        ("unknown algorithm", format!("PeterNeumann+173116ae+{type_2}")),
        ("over-long key", format!("PeterNeumann+cc469956+{too_long}")),
        ("not base64", PETER.replace("ARpc", "AR*c")),
        ("trailing newline", format!("{PETER}\n")),
    ] {
        assert!(text.parse::<VerifierKey>().is_err(), "{case}");
    }
    assert_eq!(PETER.parse::<VerifierKey>().unwrap().to_string(), PETER);
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", seed(0x5a)), "Seed(..)");
    let shown = format!("{:?}", key("log.example", 0x5a));
    assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
}

#[test]
fn a_seed_has_32_bytes() {
    assert!(Seed::from_slice(&[1; 31]).is_err());
    assert!(Seed::from_slice(&[1; 33]).is_err());
}

#[test]
fn fresh_seeds_differ() {
    assert_ne!(Seed::generate().unwrap().expose(), Seed::generate().unwrap().expose());
}

/// The example of the `tlog-checkpoint` specification.
#[test]
fn checkpoints_read_as_specified() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!(checkpoint.origin.as_str(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    assert_eq!(checkpoint.root.to_string(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
    assert_eq!(checkpoint.text(), text);
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = STANDARD.encode([7; 32]);
    for (case, text) in [
        ("empty", String::new()),
        ("no newline", format!("log\n5\n{root}")),
        ("two lines", "log\n5\n".into()),
        ("extension line", format!("log\n5\n{root}\nmore\n")),
        ("empty line", format!("log\n5\n{root}\n\n")),
        ("no origin", format!("\n5\n{root}\n")),
        ("space in origin", format!("a log\n5\n{root}\n")),
        ("no size", format!("log\n\n{root}\n")),
        ("leading zero", format!("log\n05\n{root}\n")),
        ("plus sign", format!("log\n+5\n{root}\n")),
        ("negative", format!("log\n-5\n{root}\n")),
        ("hex", format!("log\n0x5\n{root}\n")),
        ("too large", format!("log\n9007199254740993\n{root}\n")),
        ("short root", format!("log\n5\n{}\n", STANDARD.encode([7; 31]))),
        ("long root", format!("log\n5\n{}\n", STANDARD.encode([7; 33]))),
        ("hex root", format!("log\n5\n{}\n", "07".repeat(32))),
        ("unpadded root", format!("log\n5\n{}\n", root.trim_end_matches('='))),
        ("carriage return", format!("log\r\n5\r\n{root}\r\n")),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{case}");
    }
}

#[test]
fn a_key_signs_and_opens_its_own_log_only() {
    let (ours, theirs) = (key("log.example/a", 1), key("log.example/b", 1));
    let head = Checkpoint { origin: "log.example/a".parse().unwrap(), size: 3, root: Hash::empty() };
    let note = head.sign(&ours).unwrap();
    assert_eq!(Checkpoint::open(note.as_bytes(), ours.verifier()), Ok(head.clone()));
    assert!(matches!(head.sign(&theirs), Err(NoteError::Origin { .. })));

    let misplaced = sign(&head.text(), &theirs).unwrap();
    assert!(matches!(Checkpoint::open(misplaced.as_bytes(), theirs.verifier()), Err(NoteError::Origin { .. })));
    assert!(matches!(Checkpoint::open(note.as_bytes(), theirs.verifier()), Err(NoteError::Unsigned(_))));
    assert!(matches!(
        Checkpoint::open(note.as_bytes(), key("log.example/a", 2).verifier()),
        Err(NoteError::Unsigned(_))
    ));
}

/// Fixed key, fixed bytes: this note must verify for ever.
#[test]
fn golden_checkpoint() {
    let key = key("vault.example/log", 7);
    let head = Checkpoint {
        origin: "vault.example/log".parse().unwrap(),
        size: 3,
        root: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77".parse().unwrap(),
    };
    assert_eq!(key.verifier().to_string(), include_str!("../golden/verifier_key.txt").trim_end());
    assert_eq!(head.sign(&key).unwrap(), include_str!("../golden/checkpoint.note"));
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut note = format!("{TEXT}\n{PETER_LINE}").into_bytes();
        let at = at.index(note.len());
        note[at] ^= 1_u8 << bit;
        prop_assert!(open(&note, &peter()).is_err());
    }

    #[test]
    fn any_bytes_open_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes, &peter()).is_err());
    }

    #[test]
    fn any_text_signs_and_opens_or_is_refused(text in "[ -~\n—]{0,40}") {
        let key = key("log.example", 3);
        match sign(&text, &key) {
            Ok(note) => prop_assert_eq!(open(note.as_bytes(), key.verifier()), Ok(text.as_str())),
            Err(error) => prop_assert!(matches!(error, NoteError::Malformed(_))),
        }
    }
}
