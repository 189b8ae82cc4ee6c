//! What C++, C and Rust give back to the heap (`shim/heap.cpp`) is nowhere in memory any more: scanned, not believed.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;

unsafe extern "C" {
    fn lethe_heap_use(masked: *const u8, length: usize, mask: u8, copies: usize) -> usize;
}

const MASK: u8 = 0xa5;
const LENGTH: usize = 64;
/// Bytes of a block that glibc writes into when it is freed.
const LINKS: usize = 16;
const COPIES: usize = 100;

/// Bytes that occur nowhere else, masked: what looks for them does not hold them.
fn masked(seed: u8) -> Vec<u8> {
    (0..LENGTH as u8).map(|i| (i.wrapping_mul(37).wrapping_add(seed) ^ 0x3c) ^ MASK).collect()
}

fn unmasked(masked: &[u8]) -> Vec<u8> {
    masked.iter().map(|byte| byte ^ MASK).collect()
}

/// In how many places of the process's writable memory it is, but for the bytes that freeing overwrites.
fn places(masked: &[u8]) -> usize {
    let wanted = &masked[LINKS..];
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut chunk = vec![0; 1 << 20];
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let range = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [mut at, end] = [range.0, range.1].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        while at < end {
            let length = chunk.len().min(usize::try_from(end - at).unwrap());
            let Ok(read) = memory.read_at(&mut chunk[..length], at) else { break };
            let is_it = |window: &&[u8]| window.iter().zip(wanted).all(|(byte, masked)| byte ^ MASK == *masked);
            found += chunk[..read].windows(wanted.len()).filter(is_it).count();
            at += if read == chunk.len() { (read - LENGTH) as u64 } else { read.max(1) as u64 };
        }
    }
    found
}

#[test]
fn what_is_given_back_is_wiped() {
    let held = masked(1);
    // Out of the compiler's sight: it would not keep what nobody reads.
    let kept = black_box(unmasked(&held));
    assert!(places(&held) > 0, "what is held is found");
    drop(black_box(kept));

    // By Rust, which takes memory from the same heap; also what it lets go of as it grows.
    let of_rust = masked(2);
    drop(black_box((0..COPIES).map(|_| unmasked(&of_rust)).collect::<Vec<_>>()));
    let mut grown = unmasked(&of_rust);
    grown.reserve_exact(100 * LENGTH);
    grown.fill(0);
    drop(black_box(grown));
    assert_eq!(places(&of_rust), 0);

    let given_back = masked(3);
    // SAFETY: the function reads `LENGTH` bytes of `given_back`.
    let used = unsafe { lethe_heap_use(given_back.as_ptr(), LENGTH, MASK, COPIES) };
    assert_eq!(used, 3 * LENGTH * COPIES);
    assert_eq!(places(&given_back), 0);
}
