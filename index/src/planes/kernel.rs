//! The scan's inner loop: for each of 512 codes, the sum of the probe's steps over the signs that agree.
//!
//! A plane has one sign of each code. A step is a number of up to five bits, so the sum is made of up to ten counts: for each bit, in how
//! many planes whose step has it a code's sign is set; of the probe's positive coordinates to be added, and of its negative
//! ones to be taken off what all of those would give. Counts and sums are *vertical*: bit k of as many of them as a register
//! has bits, in one register. Adding a sign to each is then a few logic operations, two with AVX-512; so that what a
//! scan waits for is memory.

use super::memory::{LANES, Plane};

/// Bits of a step.
pub(crate) const STEP_BITS: usize = 5;

/// Sets of planes: for each bit of a step, those of positive coordinates and those of negative ones.
pub(crate) const SETS: usize = 2 * STEP_BITS;

/// Codes of a block.
pub(crate) const BLOCK: usize = 64 * LANES;

/// A probe as the kernel wants it.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a> {
    /// Numbers of planes, one set after the other.
    pub(crate) planes: &'a [u16],
    /// Where each set ends.
    pub(crate) ends: &'a [usize; SETS],
    /// Sum of the steps of negative coordinates: what a code without a set sign has.
    pub(crate) none: u32,
}

impl<'a> Steps<'a> {
    /// The same, found to be of planes that a block of `dim` coordinates has.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn of_dim(self, dim: usize) -> StepsOf<'a> {
        let Self { planes, ends, .. } = self;
        assert!(planes.iter().all(|&plane| usize::from(plane) < dim));
        assert!(ends.is_sorted() && ends[SETS - 1] == planes.len());
        let lens = ends.iter().scan(0, |start, &end| Some(end - std::mem::replace(start, end)));
        let (most, largest) =
            lens.enumerate().fold((0, 0), |(most, sum), (set, len)| (len.max(most), sum + (len << (set / 2))));
        StepsOf { steps: self, dim, count_bits: bits(most), sum_bits: bits(largest) }
    }
}

/// Bits that a number up to this one has.
fn bits(largest: usize) -> u32 {
    usize::BITS - largest.leading_zeros()
}

/// Steps of blocks of so many coordinates.
#[derive(Clone, Copy)]
pub(super) struct StepsOf<'a> {
    steps: Steps<'a>,
    dim: usize,
    /// Bits of the size of each set, and of the sum of all steps.
    count_bits: u32,
    sum_bits: u32,
}

/// The same loop, compiled for what the processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// For any processor.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The fastest that this processor has.
    pub(super) fn fastest() -> Self {
        *Self::all().last().unwrap_or(&Self::Portable)
    }

    /// All that this processor has, the fastest last.
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") {
                all.push(Self::Avx2);
            }
            if std::arch::is_x86_feature_detected!("avx512f") {
                all.push(Self::Avx512);
            }
        }
        all
    }

    /// Which codes of a block have a sum of at least `least`: bit i of word w for code 64 w + i.
    ///
    /// `ahead` is fetched meanwhile: the block that comes next.
    pub(super) fn at_least(self, block: &[Plane], steps: StepsOf<'_>, least: u32, ahead: *const Plane) -> [u64; LANES] {
        let mut kept = [0; LANES];
        self.run(block, steps, ahead, Wanted::AtLeast(least, &mut kept));
        kept
    }

    /// The sum of each code of a block.
    pub(super) fn sums(self, block: &[Plane], steps: StepsOf<'_>, sums: &mut [u32; BLOCK], ahead: *const Plane) {
        self.run(block, steps, ahead, Wanted::Sums(sums));
    }

    fn run(self, block: &[Plane], steps: StepsOf<'_>, ahead: *const Plane, wanted: Wanted<'_>) {
        assert!(block.len() == steps.dim);
        // SAFETY: each plane is within the block, and each set within the planes: `of_dim` saw to it. A kernel is only made
        // where the processor has its instructions.
        unsafe {
            match self {
                Self::Portable => dispatch::<[u64; 2]>(block, steps, ahead, wanted),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => x86::avx2(block, steps, ahead, wanted),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => x86::avx512(block, steps, ahead, wanted),
            }
        }
    }
}

/// What is wanted of a block.
enum Wanted<'a> {
    AtLeast(u32, &'a mut [u64; LANES]),
    Sums(&'a mut [u32; BLOCK]),
}

/// A register of vertical bits.
///
/// # Safety
/// Of all functions: the processor must have the instructions; pointers must be good for as many words.
trait Word: Copy {
    /// Words of a plane in it.
    const WORDS: usize;
    const ZERO: Self;
    const ONES: Self;

    unsafe fn load(at: *const u64) -> Self;
    unsafe fn store(self, at: *mut u64);
    unsafe fn and(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;

    /// Sum and carry of three bits.
    #[inline(always)]
    unsafe fn add(a: Self, b: Self, c: Self) -> (Self, Self) {
        // SAFETY: the caller's.
        unsafe {
            let either = a.xor(b);
            (either.xor(c), a.and(b).or(either.and(c)))
        }
    }
}

/// Chooses the loop whose numbers are long enough for each count and for the sum.
#[inline(always)]
unsafe fn dispatch<W: Word>(
    block: &[Plane],
    StepsOf { steps, count_bits, sum_bits, .. }: StepsOf<'_>,
    ahead: *const Plane,
    wanted: Wanted<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        match (count_bits, sum_bits) {
            (..=7, ..=9) => scan::<W, 7, 9>(block, steps, ahead, wanted),
            (..=8, ..=11) => scan::<W, 8, 11>(block, steps, ahead, wanted),
            (..=9, ..=12) => scan::<W, 9, 12>(block, steps, ahead, wanted),
            (..=10, ..=14) => scan::<W, 10, 14>(block, steps, ahead, wanted),
            // A dimension has thirteen bits, and a step five.
            _ => scan::<W, 13, 17>(block, steps, ahead, wanted),
        }
    }
}

#[inline(always)]
unsafe fn scan<W: Word, const COUNT: usize, const SUM: usize>(
    block: &[Plane],
    steps: Steps<'_>,
    ahead: *const Plane,
    mut wanted: Wanted<'_>,
) {
    for part in (0..LANES).step_by(W::WORDS) {
        // SAFETY: the caller's; `part` and what follows it are words of a plane.
        unsafe {
            let sums = add_up::<W, COUNT, SUM>(block.as_ptr().cast::<u64>().add(part), ahead, steps);
            match &mut wanted {
                Wanted::AtLeast(least, kept) => at_least(sums, *least).store(kept.as_mut_ptr().add(part)),
                Wanted::Sums(horizontal) => {
                    let mut words = [0; LANES];
                    for (k, sum) in sums.into_iter().enumerate() {
                        sum.store(words.as_mut_ptr());
                        let codes = horizontal[64 * part..][..64 * W::WORDS].chunks_exact_mut(64);
                        for (word, codes) in words.iter().zip(codes) {
                            for (i, code) in codes.iter_mut().enumerate() {
                                let bit = ((word >> i & 1) as u32) << k;
                                *code = if k == 0 { bit } else { *code | bit };
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Vertical sums of the codes at `base`.
#[inline(always)]
unsafe fn add_up<W: Word, const COUNT: usize, const SUM: usize>(
    base: *const u64,
    ahead: *const Plane,
    steps: Steps<'_>,
) -> [W; SUM] {
    // SAFETY: the caller's.
    unsafe {
        let mut sum: [W; SUM] = std::array::from_fn(|k| if steps.none >> k & 1 == 1 { W::ONES } else { W::ZERO });
        let mut start = 0;
        for (set, &end) in steps.ends.iter().enumerate() {
            if start == end {
                continue;
            }
            let planes = steps.planes.get_unchecked(start..end);
            let counts = count::<W, COUNT>(base, ahead, planes);
            start = end;
            // The counts of a bit are worth 2^bit. To take them off is to add their complement and one.
            let (bit, negative) = (set / 2, set % 2 == 1);
            let mut carry = if negative { W::ONES } else { W::ZERO };
            for k in bit..SUM {
                let count = if k - bit < COUNT { counts[k - bit] } else { W::ZERO };
                let count = if negative { count.xor(W::ONES) } else { count };
                (sum[k], carry) = W::add(sum[k], count, carry);
            }
        }
        sum
    }
}

/// In how many of these planes each code's sign is set.
#[inline(always)]
unsafe fn count<W: Word, const COUNT: usize>(base: *const u64, ahead: *const Plane, planes: &[u16]) -> [W; COUNT] {
    // SAFETY: the caller's.
    unsafe {
        let mut count = [W::ZERO; COUNT];
        let load = |plane: u16| {
            prefetch(ahead.wrapping_add(usize::from(plane)));
            W::load(base.add(usize::from(plane) * LANES))
        };
        let (sixteens, rest) = planes.as_chunks::<16>();
        for planes in sixteens {
            // A tree of adders: of sixteen planes, one carry goes through the whole count.
            let (eights, _) = planes.as_chunks::<8>();
            let mut carries = [W::ZERO; 2];
            for (planes, carry) in eights.iter().zip(&mut carries) {
                let (ones, a) = W::add(count[0], load(planes[0]), load(planes[1]));
                let (ones, b) = W::add(ones, load(planes[2]), load(planes[3]));
                let (ones, c) = W::add(ones, load(planes[4]), load(planes[5]));
                let (ones, d) = W::add(ones, load(planes[6]), load(planes[7]));
                let (twos, e) = W::add(count[1], a, b);
                let (twos, f) = W::add(twos, c, d);
                let (fours, g) = W::add(count[2], e, f);
                (count[0], count[1], count[2], *carry) = (ones, twos, fours, g);
            }
            let (eights, carry) = W::add(count[3], carries[0], carries[1]);
            count[3] = eights;
            increment(&mut count, carry, 4);
        }
        for &plane in rest {
            increment(&mut count, load(plane), 0);
        }
        count
    }
}

#[inline(always)]
unsafe fn increment<W: Word, const COUNT: usize>(count: &mut [W; COUNT], mut carry: W, from: usize) {
    // SAFETY: the caller's.
    unsafe {
        for bit in &mut count[from..] {
            (*bit, carry) = (bit.xor(carry), bit.and(carry));
        }
    }
}

#[inline(always)]
unsafe fn at_least<W: Word, const SUM: usize>(sum: [W; SUM], least: u32) -> W {
    if least >> SUM != 0 {
        return W::ZERO;
    }
    // SAFETY: the caller's.
    unsafe {
        let (mut above, mut equal) = (W::ZERO, W::ONES);
        for k in (0..SUM).rev() {
            let both = equal.and(sum[k]);
            if least >> k & 1 == 1 {
                equal = both;
            } else {
                above = above.or(both);
                equal = equal.xor(both);
            }
        }
        above.or(equal)
    }
}

#[inline(always)]
fn prefetch(_at: *const Plane) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing, wherever it points.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(_at.cast());
    }
}

impl<const N: usize> Word for [u64; N] {
    const WORDS: usize = N;
    const ZERO: Self = [0; N];
    const ONES: Self = [u64::MAX; N];

    #[inline(always)]
    unsafe fn load(at: *const u64) -> Self {
        // SAFETY: the caller's.
        unsafe { at.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut u64) {
        // SAFETY: the caller's.
        unsafe { at.cast::<Self>().write(self) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] & other[i])
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] | other[i])
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] ^ other[i])
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Plane, StepsOf, Wanted, Word, dispatch};

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn avx2(block: &[Plane], steps: StepsOf<'_>, ahead: *const Plane, wanted: Wanted<'_>) {
        // SAFETY: the caller's.
        unsafe { dispatch::<__m256i>(block, steps, ahead, wanted) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(block: &[Plane], steps: StepsOf<'_>, ahead: *const Plane, wanted: Wanted<'_>) {
        // SAFETY: the caller's.
        unsafe { dispatch::<__m512i>(block, steps, ahead, wanted) }
    }

    macro_rules! word {
        ($register:ty, $words:expr, $load:ident, $store:ident, $and:ident, $or:ident, $xor:ident, $($add:tt)*) => {
            impl Word for $register {
                const WORDS: usize = $words;
                // SAFETY: any bits are a register.
                const ZERO: Self = unsafe { std::mem::transmute([0u64; $words]) };
                // SAFETY: as above.
                const ONES: Self = unsafe { std::mem::transmute([u64::MAX; $words]) };

                #[inline(always)]
                unsafe fn load(at: *const u64) -> Self {
                    // SAFETY: the caller's.
                    unsafe { $load(at.cast()) }
                }

                #[inline(always)]
                unsafe fn store(self, at: *mut u64) {
                    // SAFETY: the caller's.
                    unsafe { $store(at.cast(), self) }
                }

                #[inline(always)]
                unsafe fn and(self, other: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe { $and(self, other) }
                }

                #[inline(always)]
                unsafe fn or(self, other: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe { $or(self, other) }
                }

                #[inline(always)]
                unsafe fn xor(self, other: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe { $xor(self, other) }
                }

                $($add)*
            }
        };
    }

    word!(__m256i, 4, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_and_si256, _mm256_or_si256, _mm256_xor_si256,);

    word!(
        __m512i,
        8,
        _mm512_loadu_si512,
        _mm512_storeu_si512,
        _mm512_and_si512,
        _mm512_or_si512,
        _mm512_xor_si512,
        #[inline(always)]
        unsafe fn add(a: Self, b: Self, c: Self) -> (Self, Self) {
            // The truth tables of three bits' sum and of their majority.
            const SUM: i32 = 0b1001_0110;
            const CARRY: i32 = 0b1110_1000;
            // SAFETY: the caller's.
            unsafe { (_mm512_ternarylogic_epi64::<SUM>(a, b, c), _mm512_ternarylogic_epi64::<CARRY>(a, b, c)) }
        }
    );
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn naive(block: &[Plane], steps: &[u8], negative: &[bool], code: usize) -> u32 {
        let sign = |plane: usize| block[plane].0[code / 64] >> (code % 64) & 1 == 1;
        (0..block.len()).filter(|&i| sign(i) != negative[i]).map(|i| u32::from(steps[i])).sum()
    }

    #[test]
    fn every_kernel_adds_up_what_agrees() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for dim in [64, 128, 256, 512, 1024, 2048, 4096] {
            for most in [0, 1, 7, 31] {
                let mut block: Vec<Plane> = (0..dim).map(|_| Plane(std::array::from_fn(|_| rng.random()))).collect();
                let steps: Vec<u8> = (0..dim).map(|_| rng.random_range(0..=most)).collect();
                let negative: Vec<bool> = (0..dim).map(|_| rng.random()).collect();
                // The first code agrees in every sign, and the second in none.
                for (plane, negative) in block.iter_mut().zip(&negative) {
                    plane.0[0] = plane.0[0] & !3 | if *negative { 2 } else { 1 };
                }
                let (planes, ends, none) = crate::probe::sets(&steps, &negative);
                let steps_of = Steps { planes: &planes, ends: &ends, none }.of_dim(dim);
                let expected: Vec<u32> = (0..BLOCK).map(|code| naive(&block, &steps, &negative, code)).collect();
                let all: u32 = steps.iter().map(|&step| u32::from(step)).sum();
                assert_eq!((expected[0], expected[1]), (all, 0));
                for kernel in Kernel::all() {
                    let mut sums = [u32::MAX; BLOCK];
                    kernel.sums(&block, steps_of, &mut sums, block.as_ptr());
                    assert_eq!(sums.as_slice(), expected, "{kernel:?} {dim} {most}");
                    for least in [0, 1, all / 2, expected[7], expected[7] + 1, all, all + 1, u32::MAX] {
                        let kept = kernel.at_least(&block, steps_of, least, block.as_ptr());
                        for (code, sum) in expected.iter().enumerate() {
                            assert_eq!(
                                kept[code / 64] >> (code % 64) & 1 == 1,
                                *sum >= least,
                                "{kernel:?} {dim} {least}"
                            );
                        }
                    }
                }
            }
        }
    }
}
