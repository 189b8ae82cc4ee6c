//! One fan-out, measured at the word of another process: a question a line, and numbers for an answer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write as _;
use std::time::Duration;

use lethe_crypto::BoxError;
use lethe_crypto::tree::FAN_OUT;

use crate::vault::{Vault, inner_pages};

pub(crate) fn serve() -> Result<(), BoxError> {
    let mut vaults: BTreeMap<u64, Vault> = BTreeMap::new();
    answer(&[FAN_OUT as f64])?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let question = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>()?;
        let (&people, rest) = numbers.split_first().ok_or("how many people?")?;
        let vault = match vaults.entry(people) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(new) => new.insert(Vault::found(people)?),
        };
        match (question, rest) {
            ("erase", &[crowd, epochs]) => {
                let erased = vault.erase(crowd, epochs)?;
                let people = (crowd * epochs) as f64;
                let (bytes, pages) = (erased.counts.written as f64, erased.counts.pages as f64);
                let (rewriting, whole) = (micros(erased.rewriting), micros(erased.epochs));
                answer(&[bytes / people, pages / people, rewriting / people, whole / people])?;
            }
            ("look-up", []) => {
                let found = vault.look_up()?;
                answer(&found.map(|found| [found.reads, found.read, micros(found.time)]).concat())?;
            }
            ("memory", []) => {
                let memory = vault.memory()?;
                if memory.inner != inner_pages(people) {
                    return Err(format!("{} inner pages, not {}", memory.inner, inner_pages(people)).into());
                }
                let page = memory.bytes as f64 / (memory.inner + memory.leaves) as f64;
                answer(&[memory.inner as f64, page])?;
            }
            ("inner", []) => answer(&[inner_pages(people) as f64])?,
            _ => return Err(format!("what is {line:?}?").into()),
        }
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn answer(numbers: &[f64]) -> Result<(), BoxError> {
    let words: Vec<String> = numbers.iter().map(f64::to_string).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", words.join(" "))?;
    Ok(out.flush()?)
}
