//! The random numbers of `numpy.random.default_rng(seed)`, so that the same seed draws the same resamples.
//!
//! PCG64 (O'Neill, 2014: 128 bits of state, XSL-RR output), its state mixed from the seed as NumPy's `SeedSequence` does, and
//! NumPy's two ways from it to integers: whole numbers below a bound (Lemire, 2019), and single bits.

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
const POOL: usize = 4;

/// The generator.
#[derive(Clone, Debug)]
pub struct Random {
    state: u128,
    increment: u128,
    /// The upper half of the last 64 bits, where only the lower one was asked for.
    half: Option<u32>,
    /// Bits that are left of the last number, with how many they are.
    bits: (u32, u32),
}

impl Random {
    /// What `numpy.random.default_rng(seed)` is.
    pub fn new(seed: u64) -> Self {
        let words = seeded(seed);
        let pair = |at: usize| u128::from(words[at]) << 64 | u128::from(words[at + 1]);
        let increment = pair(2) << 1 | 1;
        let mut random = Self { state: 0, increment, half: None, bits: (0, 0) };
        random.step();
        random.state = random.state.wrapping_add(pair(0));
        random.step();
        random
    }

    /// A whole number below `bound`, as `integers(bound)` and `choice(bound)` draw it for bounds of up to 32 bits.
    pub fn below(&mut self, bound: u32) -> usize {
        if bound <= 1 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as usize;
            }
        }
    }

    /// A bit, as `integers(2, dtype=bool)` draws it for a whole array.
    pub fn bit(&mut self) -> bool {
        self.bits = match self.bits {
            (_, 0) => (self.next_u32(), 31),
            (bits, left) => (bits >> 1, left - 1),
        };
        self.bits.0 & 1 == 1
    }

    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        let bits = self.next_u64();
        self.half = Some((bits >> 32) as u32);
        bits as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.step();
        ((self.state >> 64) as u64 ^ self.state as u64).rotate_right((self.state >> 122) as u32)
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seeded(seed: u64) -> [u64; 4] {
    let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.mix(word));
    for from in 0..POOL {
        for to in (0..POOL).filter(|to| *to != from) {
            let mixed = hash.mix(pool[from]);
            let value = pool[to].wrapping_mul(0xca01_f9dd).wrapping_sub(mixed.wrapping_mul(0x4973_f715));
            pool[to] = value ^ value >> 16;
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
    std::array::from_fn(|word| {
        let [low, high] = [2 * word, 2 * word + 1].map(|at| u64::from(hash.mix(pool[at % POOL])));
        high << 32 | low
    })
}

/// A hash whose constant changes with every word.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn mix(&mut self, word: u32) -> u32 {
        let word = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let word = word.wrapping_mul(self.constant);
        word ^ word >> 16
    }
}
