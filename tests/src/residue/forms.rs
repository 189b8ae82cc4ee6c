//! The forms a secret could be written in, cut into windows: whatever a file format puts between the parts of a
//! value (a fragment's header, a shared prefix left out), some window is whole.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use half::{bf16, f16};
use sha2::{Digest, Sha256};

type Forms = Vec<(&'static str, Vec<u8>)>;

/// Bytes of a window: nothing this long is ever found by chance.
const WINDOW: usize = 16;
/// Bytes from one window to the next, where not every offset has its own.
const STEP: usize = 8;

/// The forms of a text.
pub(super) fn text(text: &str) -> Forms {
    assert!(text.len() >= WINDOW && text.is_ascii(), "windows of a text are 16 ASCII characters");
    let mut forms = Forms::new();
    for window in windows(text.as_bytes()) {
        let wide = |order: fn(u16) -> [u8; 2]| window.iter().flat_map(|byte| order(u16::from(*byte))).collect();
        forms.extend([
            ("utf-8", window.to_vec()),
            ("utf-8, lower case", window.to_ascii_lowercase()),
            ("utf-8, upper case", window.to_ascii_uppercase()),
            ("utf-16 le", wide(u16::to_le_bytes)),
            ("utf-16 be", wide(u16::to_be_bytes)),
        ]);
        forms.extend(as_text(window));
    }
    forms.extend(digest(text.as_bytes()));
    forms
}

/// The forms of bytes.
pub(super) fn bytes(bytes: &[u8]) -> Forms {
    assert!(bytes.len() >= WINDOW, "windows are 16 bytes long");
    let plain = windows(bytes).flat_map(|window| {
        let mut forms = as_text(window);
        forms.push(("bytes", window.to_vec()));
        forms
    });
    plain.chain(digest(bytes)).collect()
}

/// The forms of an embedding.
pub(super) fn embedding(vector: &[f32]) -> Forms {
    let mut forms = Forms::new();
    for four in vector.windows(4) {
        forms.extend([
            ("f32 le", concat(four, |x| x.to_le_bytes())),
            ("f32 be", concat(four, |x| x.to_be_bytes())),
            ("f16 le", concat(four, |x| f16::from_f32(x).to_le_bytes())),
            ("f16 be", concat(four, |x| f16::from_f32(x).to_be_bytes())),
            ("bf16 le", concat(four, |x| bf16::from_f32(x).to_le_bytes())),
            ("bf16 be", concat(four, |x| bf16::from_f32(x).to_be_bytes())),
        ]);
    }
    for two in vector.windows(2).step_by(2) {
        forms.extend([
            ("f64 le", concat(two, |x| f64::from(x).to_le_bytes())),
            ("f64 be", concat(two, |x| f64::from(x).to_be_bytes())),
        ]);
    }
    for two in vector.windows(2) {
        forms.push(("decimal", format!("{},{}", two[0], two[1]).into_bytes()));
        forms.push(("decimal", format!("{}, {}", two[0], two[1]).into_bytes()));
    }
    for four in vector.windows(4).step_by(4) {
        forms.extend(as_text(&concat(four, |x| x.to_le_bytes())));
        forms.extend(as_text(&concat(four, |x| x.to_be_bytes())));
    }
    for low_first in [true, false] {
        let signs = signs(vector, low_first);
        forms.extend(windows(&signs).map(|window| ("signs", window.to_vec())));
        forms.extend(windows(&signs.iter().map(|byte| !byte).collect::<Vec<_>>()).map(|w| ("signs", w.to_vec())));
    }
    forms.extend(digest(&concat(vector, |x| x.to_le_bytes())));
    forms.extend(digest(&concat(vector, |x| x.to_be_bytes())));
    forms
}

/// Whole windows over all of `bytes`, the last one at its very end.
fn windows(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let last = bytes.len() - WINDOW;
    (0..last).step_by(STEP).chain([last]).map(move |at| &bytes[at..at + WINDOW])
}

fn concat<const N: usize>(components: &[f32], write: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    components.iter().flat_map(|x| write(*x)).collect()
}

/// One bit a component, set if it is not negative.
fn signs(vector: &[f32], low_first: bool) -> Vec<u8> {
    let byte = |eight: &[f32]| {
        eight
            .iter()
            .enumerate()
            .fold(0, |byte, (i, x)| byte | u8::from(!x.is_sign_negative()) << if low_first { i } else { 7 - i })
    };
    vector.chunks_exact(8).map(byte).collect()
}

/// Hexadecimal, and base64 at each of its three alignments.
fn as_text(window: &[u8]) -> Forms {
    let mut forms = vec![("hex", hex::encode(window).into_bytes()), ("hex", hex::encode_upper(window).into_bytes())];
    for before in 0..3 {
        let shifted = [&[0; 2][..before], window].concat();
        // Of its first and last character some bits belong to what stands before and after.
        let (first, last) = ((8 * before).div_ceil(6), 8 * shifted.len() / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(("base64", engine.encode(&shifted).as_bytes()[first..last].to_vec()));
        }
    }
    forms
}

/// A plain digest gives away whoever can be guessed.
fn digest(bytes: &[u8]) -> Forms {
    let digest = Sha256::digest(bytes);
    let mut forms: Forms = windows(&digest).map(|window| ("sha-256", window.to_vec())).collect();
    forms.extend(windows(&digest).flat_map(as_text).map(|(_, pattern)| ("sha-256", pattern)));
    forms
}
