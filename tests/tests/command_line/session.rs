//! The README's first session, word for word.

use std::os::unix::fs::symlink;
use std::process::Command;

use lethe_dataset::npy::MatrixReader;
use lethe_tests::lethe;

use crate::readme::{Typed, chapter, commands, commands_in_text, repository};
use crate::terminal::{Done, Terminal};

/// What is remarked behind a command holds, and what is not remarked ends well.
fn expect(typed: &Typed, done: &Done) {
    let Typed { text, remark } = typed;
    let (said, code) = match remark.as_deref() {
        None | Some("leaves ./demo-data, with ten faces in probes.npy") => ("", 0),
        Some("match") => ("match\n", 0),
        Some("no match, exit code 5" | "no match, like anybody's failed login") => ("no match\n", 5),
        Some("no pair found, exit code 5") => ("no pair found\n", 5),
        Some("nothing found") => ("nothing found\n", 5),
        Some("offline") => ("The receipt is genuine.\n", 0),
        Some("SHREDDED") => {
            assert!(done.first_line().ends_with(": SHREDDED"), "{text}: {done:?}");
            ("", 0)
        }
        Some(other) => panic!("nobody knows what to make of the remark {other:?}"),
    };
    assert_eq!(done.code, code, "{text}: {done:?}");
    assert!(done.out.starts_with(said), "{text}: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_session_by_hand_goes_as_the_readme_says() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    // As in a clone that was built.
    std::fs::create_dir(folder.join("target")).unwrap();
    symlink(lethe().parent().unwrap(), folder.join("target/release")).unwrap();
    symlink(repository().join("docs"), folder.join("docs")).unwrap();

    let text = chapter("## A first session by hand");
    let mut one = commands(&text);
    let serve = one.iter().position(|typed| typed.begins_with("lethe serve")).unwrap();
    let two = one.split_off(serve + 1);
    // Any port that is free: the usual one may be in use here.
    let mut server = Terminal::begin("one", folder, &one, &[("LETHE__LISTEN", "127.0.0.1:0")]);
    for (number, typed) in one[..serve].iter().enumerate() {
        expect(typed, &server.done(number).await);
    }
    let probes = MatrixReader::open(folder.join("demo-data/probes.npy")).unwrap();
    assert_eq!((probes.rows(), probes.dimension()), (10, 512));
    let endpoint = |said: &str| Some(said.lines().next()?.split_once(" at ")?.1.to_owned());
    let endpoint = server.until(serve, endpoint).await;

    let environment = [("LETHE_ENDPOINT", endpoint.as_str()), ("TERM", "dumb")];
    let mut client = Terminal::begin_attended("two", folder, &two, &environment, "acme\n");
    let mut said = Vec::new();
    for (number, typed) in two.iter().enumerate() {
        let done = client.done(number).await;
        expect(typed, &done);
        said.push(done);
    }
    let of = |words: &str| {
        let done = two.iter().zip(&said).filter(move |(typed, _)| typed.begins_with(words));
        done.map(|(_, done)| done).collect::<Vec<_>>()
    };
    let searches = of("lethe search");
    assert!(searches[0].first_line() == "1 template found", "{searches:?}");
    assert!(searches[0].out.contains("tenants/acme/subjects/p-1001"), "who it is: {searches:?}");
    assert!(searches[0].out.contains("2 of 2 templates"), "how complete it is: {searches:?}");
    assert!(searches[1].out.contains("2 of 2 templates"), "who is restricted is kept: {searches:?}");
    assert!(searches[2].out.contains("1 of 1 templates"), "{searches:?}");
    let logins = of("lethe verify");
    assert_eq!(logins.len(), 3);
    assert_eq!(logins[1].out, logins[2].out, "a forgotten person's login looks like anybody's failed one");
    let shredding = of("lethe tenant shred")[0];
    assert!(shredding.err.contains("Type its id again"), "the name is asked for once more: {shredding:?}");

    // What stands in the text, too: the reader in another language agrees.
    let read = commands_in_text(&text, "python3 ");
    assert_eq!(read.len(), 1, "{read:?}");
    let read = Command::new("sh").args(["-c", &read[0]]).current_dir(folder).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));

    server.interrupt();
    let served = server.done(serve).await;
    assert_eq!(served.code, 0, "{served:?}");
    assert!(served.out.ends_with("Stopped.\n"), "{served:?}");
}
