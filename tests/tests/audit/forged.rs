//! Copies of logs by whoever has some of their keys, and by no server: this program and the reader that was written from the format
//! alone say the same of each.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::copy::{CHECKPOINT, SUCCESSIONS, Writer};
use lethe_crypto::log::entry::{Entry, EntryDraft, Event, LogKeyRotated, Outcome};
use lethe_crypto::log::merkle::{Frontier, Hash, MerkleError, NodeAddress, NodeSource, prove_inclusion};
use lethe_crypto::log::note::{Seed, SigningKey};
use lethe_crypto::log::succession::Succession;
use lethe_tests::Cli;

const LOG: &str = "lethe/test/log";
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(LOG.parse().unwrap(), &Seed::from_slice(&[byte; 32]).unwrap()).unwrap()
}

/// A log, with all that it signs.
#[derive(Clone, Default)]
struct Log {
    frontier: Frontier,
    nodes: HashMap<NodeAddress, Hash>,
    lines: Vec<Vec<u8>>,
    successions: Vec<Succession>,
}

impl NodeSource for Log {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.nodes.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

impl Log {
    fn add(&mut self, draft: EntryDraft) {
        let entry = draft.finish(self.frontier.size(), &LOG.parse().unwrap()).unwrap();
        self.nodes.extend(self.frontier.append(entry.leaf()));
        self.lines.push(entry.encode());
    }

    fn fill(mut self, entries: usize) -> Self {
        let draft = || EntryDraft::new(1_760_000_000_000, "subject.get".parse().unwrap(), Outcome::Allowed).policy(3);
        (0..entries).for_each(|_| self.add(draft()));
        self
    }

    fn succeed(mut self, from: u8, to: u8) -> Self {
        let (old, new) = (key(from), key(to));
        let (from, to) = (old.verifier().clone(), new.verifier().clone());
        let event = Event::LogKeyRotated(LogKeyRotated { from, to, proposal: "0a0b".parse().unwrap() });
        self.add(
            EntryDraft::new(1_760_000_000_000, "approval.approve".parse().unwrap(), Outcome::Allowed).event(event),
        );
        let size = self.frontier.size();
        let proof = prove_inclusion(&self, size - 1, size).unwrap();
        let note = Succession::sign(&self.head(), &old, &new).unwrap();
        self.successions.push(Succession::compose(self.lines.last().unwrap(), proof, note).unwrap());
        self
    }

    fn head(&self) -> Checkpoint {
        Checkpoint { origin: LOG.parse().unwrap(), size: self.frontier.size(), root: self.frontier.root() }
    }

    /// Writes a copy of it, with this checkpoint.
    fn copy_to(&self, folder: &Path, note: &str) {
        let (mut writer, mut files) = (Writer::new(), Vec::new());
        self.lines.iter().for_each(|line| writer.push(line, &mut files).unwrap());
        files.extend(writer.edge());
        for file in files {
            let path = folder.join(file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file.bytes).unwrap();
        }
        fs::write(folder.join(CHECKPOINT), note).unwrap();
        let lines: Vec<_> = self.successions.iter().flat_map(|each| [each.encode(), b"\n".to_vec()].concat()).collect();
        if !lines.is_empty() {
            fs::write(folder.join(SUCCESSIONS), lines).unwrap();
        }
    }
}

/// What both readers say of a copy: whether it is genuine, and the text of each.
fn both(folder: &Path, kept: u8, earlier: Option<&Path>) -> (bool, [String; 2]) {
    let kept = key(kept).verifier().to_string();
    let ours = Cli::new(["audit", "verify"]).arg(folder).args(["--verifier", &kept]);
    let ours = match earlier {
        Some(earlier) => ours.arg("--earlier").arg(earlier),
        None => ours,
    };
    let ours = ours.run();
    let script = format!("{DOCS}/verify_log.py");
    let theirs = Command::new("python3").arg(script).arg(folder).arg(&kept).args(earlier).output().unwrap();
    let said = text(&theirs);
    assert_eq!(ours.status.success(), theirs.status.success(), "{ours:?}\n{said}");
    (ours.status.success(), [format!("{ours:?}"), said])
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Each of these lines, and whether the reader that was written from the format takes it as an entry.
fn taken_by_another(lines: &[Vec<u8>]) -> Vec<bool> {
    let program = "import sys\nfrom verify_log import read_entry\nfor line in sys.stdin.buffer:\n    try:\n        \
                   read_entry(bytes.fromhex(line.decode()), 'it')\n        print(1)\n    except (ValueError, RecursionError):\n        print(0)";
    let mut command = Command::new("python3");
    command.args(["-B", "-c", program]).env("PYTHONPATH", DOCS).stdin(Stdio::from({
        let mut given = tempfile::tempfile().unwrap();
        let text: String = lines.iter().map(|line| format!("{}\n", hex::encode(line))).collect();
        std::io::Write::write_all(&mut given, text.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut given).unwrap();
        given
    }));
    let read = command.output().unwrap();
    assert!(read.status.success(), "{}", text(&read));
    String::from_utf8(read.stdout).unwrap().lines().map(|line| line == "1").collect()
}

#[test]
fn two_readers_take_the_same_entries() {
    let golden = include_bytes!("../../../crypto/src/log/golden/entries.jsonl");
    let golden: Vec<_> =
        golden.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    assert!(golden.iter().any(|line| line.windows(9).any(|part| part == b"\"policy\":")));
    assert!(taken_by_another(&golden).iter().all(|taken| *taken), "one of the golden entries is refused");

    let with = |event: &str| {
        let blind = "0".repeat(32);
        format!(r#"{{"version":1,"time":1,"operation":"a.b","outcome":"denied","blind":"{blind}","event":{event}}}"#)
    };
    let nested = |levels: usize| format!(r#"{{"type":"X","a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let keys = [key(1).verifier().to_string(), key(2).verifier().to_string()];
    let rotated =
        |from: &str| format!(r#"{{"type":"LOG_KEY_ROTATED","from":"{from}","to":"{}","proposal":"0a"}}"#, keys[1]);
    let events = [
        // Of types that are known, whatever became of it.
        (true, rotated(&keys[0])),
        (false, rotated(&keys[0].replace("+A", "+B"))),
        (false, rotated(&keys[0].replace("lethe/test", "lethe test"))),
        (false, r#"{"type":"LOG_KEY_ROTATED","junk":1}"#.to_owned()),
        (false, r#"{"type":"ERASURE_COMMITTED"}"#.to_owned()),
        (false, r#"{"type":"KEYS_ROTATED"}"#.to_owned()),
        (false, r#"{"type":"EPOCH_DESTROYED","epoch":1}"#.to_owned()),
        // Of others: what the grammar has.
        (true, r#"{"type":"X","a":"x\ny","b":["k",{"c":9007199254740991}]}"#.to_owned()),
        (true, nested(6)),
        (false, nested(7)),
        (false, r#"{"type":"X","a":null}"#.to_owned()),
        (false, r#"{"type":"X","a":true}"#.to_owned()),
        (false, r#"{"type":"X","a":1.5}"#.to_owned()),
        (false, r#"{"type":"X","a":-1}"#.to_owned()),
        (false, r#"{"type":"X","a":9007199254740992}"#.to_owned()),
        (false, r#"{"type":"X","A":1}"#.to_owned()),
        (false, r#"{"type":"X","a":1,"a":1}"#.to_owned()),
        (false, r#"{"type":"X","a":"\""}"#.to_owned()),
        (false, r#"{"type":"X","a":"\\"}"#.to_owned()),
        (false, "{\"type\":\"X\",\"a\":\"\u{7f}\"}".to_owned()),
        (false, "{\"type\":\"X\",\"a\":\"\u{85}\"}".to_owned()),
        (false, r#"{"type":"X", "a":1}"#.to_owned()),
        (false, r#"{"a":1}"#.to_owned()),
        (false, "{}".to_owned()),
    ];
    let lines: Vec<_> = events.iter().map(|(_, event)| with(event).into_bytes()).collect();
    let theirs = taken_by_another(&lines);
    assert_eq!(theirs.len(), events.len());
    for (((taken, event), line), theirs) in events.iter().zip(&lines).zip(theirs) {
        assert_eq!(Entry::decode(line).is_ok(), *taken, "ours: {event}");
        assert_eq!(theirs, *taken, "the other: {event}");
    }
}

#[test]
fn two_readers_take_the_same_copies() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name);
    let log = Log::default().fill(2).succeed(1, 2);
    // The note of the succession itself, which both keys signed.
    let note = String::from_utf8(Succession::sign(&log.head(), &key(1), &key(2)).unwrap().into_bytes()).unwrap();
    log.copy_to(&place("its-own"), &note);
    for kept in [1, 2] {
        let (genuine, said) = both(&place("its-own"), kept, None);
        assert!(genuine, "{said:?}");
    }
    let log = log.fill(300).succeed(2, 3).fill(1);
    let note = log.head().sign(&key(3)).unwrap();
    log.copy_to(&place("whole"), &note);
    // What a witness adds, readers ignore; what the log's key did not sign, they do not.
    let witness = log.head().sign(&key(9)).unwrap();
    let line = witness.lines().last().unwrap();
    log.copy_to(&place("witnessed"), &format!("{note}{line}\n"));
    log.copy_to(&place("by-another"), &witness);
    log.copy_to(&place("by-the-retired"), &log.head().sign(&key(2)).unwrap());
    for kept in 1..=3 {
        for (name, expected) in [("whole", true), ("witnessed", true), ("by-another", false), ("by-the-retired", false)]
        {
            let (genuine, said) = both(&place(name), kept, None);
            assert_eq!(genuine, expected, "{name}: {said:?}");
        }
    }
    // Of a time when the key that is kept was not there yet.
    let mut early = Log::default().fill(2);
    early.successions = log.successions.clone();
    early.copy_to(&place("early"), &early.head().sign(&key(1)).unwrap());
    for kept in 1..=3 {
        let (genuine, said) = both(&place("early"), kept, None);
        let before = kept > 1;
        assert!(genuine && said.iter().all(|said| said.contains("predecessor") == before), "{kept}: {said:?}");
    }
}

/// A copy is not suspect because somebody who has a key that it retired made another one.
#[test]
fn a_retired_key_makes_no_genuine_copy_look_forked() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name);
    let before = Log::default().fill(2);
    before.copy_to(&place("before"), &before.head().sign(&key(1)).unwrap());
    let now = before.succeed(1, 2).fill(1);
    now.copy_to(&place("now"), &now.head().sign(&key(2)).unwrap());
    let forged = Log::default().fill(5);
    forged.copy_to(&place("retired"), &forged.head().sign(&key(1)).unwrap());
    let forged = Log::default().fill(2).succeed(1, 3).fill(2);
    forged.copy_to(&place("led-elsewhere"), &forged.head().sign(&key(3)).unwrap());
    let forged = Log::default().fill(2);
    forged.copy_to(&place("shorter"), &forged.head().sign(&key(1)).unwrap());
    for kept in [1, 2] {
        let (genuine, said) = both(&place("now"), kept, Some(&place("before")));
        assert!(genuine, "{said:?}");
        for (name, why) in [("retired", "retired"), ("led-elsewhere", "from a key to another one")] {
            let (genuine, said) = both(&place("now"), kept, Some(&place(name)));
            assert!(
                !genuine && said.iter().all(|said| said.contains(why) && !said.contains("entry ")),
                "{name}: {said:?}"
            );
        }
        // The key could sign this when it was the log's: that is a fork, or a secret that leaked before it was retired.
        let (genuine, said) = both(&place("now"), kept, Some(&place("shorter")));
        assert!(!genuine && said.iter().all(|said| said.contains("forked")), "{said:?}");
    }
    // The tail was cut, before the key was succeeded.
    let (genuine, said) = both(&place("before"), 1, Some(&place("now")));
    assert!(!genuine && said.iter().all(|said| said.contains("tail was cut")), "{said:?}");
}
