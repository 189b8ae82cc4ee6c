use std::fs;

use lethe_tests::{Faces, Vault};

/// Writable memory of a process that is no file's, by whether the system may write it to swap.
fn writable(pid: u32) -> (usize, Vec<String>) {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("this needs root with CAP_SYS_PTRACE");
    let (mut locked, mut others, mut region) = (0, Vec::new(), None);
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let first = parts.next().unwrap_or_default();
        if !first.ends_with(':') {
            let rights = parts.next().unwrap_or_default();
            let name = parts.nth(3).unwrap_or_default();
            region = (rights.starts_with("rw") && !name.starts_with('/')).then(|| line.to_owned());
        } else if first == "VmFlags:"
            && let Some(region) = region.take()
        {
            match parts.any(|flag| flag == "lo") {
                true => locked += 1,
                false => others.push(region),
            }
        }
    }
    (locked, others)
}

/// Key pages, galleries, caches, stacks, what libraries take: all of it is locked, or every receipt says that it is not.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_locked_or_receipts_say_that_it_is_not() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(3).person(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    bank.analyst().search(&ada.selfie()).await.unwrap();
    let erased = bank.privacy_officer().erase("ada").await.unwrap();
    let receipt = bank.auditor().receipt(&erased.receipt).await.unwrap();
    let pid = vault.pid().await;
    let (locked, others) = writable(pid);
    if String::from_utf8_lossy(receipt.document.as_ref()).contains("MEMORY_NOT_LOCKED") {
        println!("the system does not let this server lock its memory, and its receipts say so");
        assert!(!others.is_empty());
    } else {
        assert!(locked > 10 && others.is_empty(), "{locked} regions are locked, these are not: {others:#?}");
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "no core is ever dumped");
}
