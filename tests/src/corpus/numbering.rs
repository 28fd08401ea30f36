//! Countries, and prefixes dealt to operators so that no two of one operator nest.
//!
//! A prefix is held as the number its digits spell: a calling code never begins with 0, so digits and
//! number name each other, and "lies inside" is a chain of divisions by ten.

use std::collections::HashSet;

use fastrand::Rng;

use super::network::pick;

/// A country as carriers see it.
pub(super) struct Country {
    /// ISO 3166-1 alpha-2 code.
    pub(super) code: &'static str,
    /// Mobile country code of ITU-T E.212.
    pub(super) mcc: u16,
    /// Calling code of ITU-T E.164. No code is the beginning of another.
    calling: u64,
}

const fn country(code: &'static str, mcc: u16, calling: u64) -> Country {
    Country { code, mcc, calling }
}

/// The countries a corpus draws from.
pub(super) const COUNTRIES: [Country; 32] = [
    country("AF", 412, 93),
    country("AR", 722, 54),
    country("BD", 470, 880),
    country("BR", 724, 55),
    country("CL", 730, 56),
    country("CO", 732, 57),
    country("DE", 262, 49),
    country("EG", 602, 20),
    country("ES", 214, 34),
    country("FR", 208, 33),
    country("GB", 234, 44),
    country("GH", 620, 233),
    country("ID", 510, 62),
    country("IN", 404, 91),
    country("IT", 222, 39),
    country("KE", 639, 254),
    country("LK", 413, 94),
    country("MA", 604, 212),
    country("MX", 334, 52),
    country("NG", 621, 234),
    country("NO", 242, 47),
    country("NP", 429, 977),
    country("PE", 716, 51),
    country("PH", 515, 63),
    country("PK", 410, 92),
    country("PL", 260, 48),
    country("TH", 520, 66),
    country("TR", 286, 90),
    country("TZ", 640, 255),
    country("UA", 255, 380),
    country("VN", 452, 84),
    country("ZA", 655, 27),
];

/// Digits after the calling code, as often as they stand here.
const NATIONAL_DIGITS: [u32; 9] = [2, 3, 3, 4, 4, 4, 5, 5, 6];

/// Start of the spare range: calling code 883 (global networks), which no country above has, and ten
/// digits. All its prefixes have one length, so that none nests in another, and a deal always ends.
const SPARE: u64 = 8_830_000_000_000;

/// Draws from the pool that may fail one after another before the spare range serves.
const PATIENCE: u32 = 64;

/// Deals (prefix, priority) pairs. A prefix that comes round again has the next priority, so that
/// equal prefixes of different operators are failover and never a conflict.
pub(super) struct Dealer {
    /// A prefix, and how often it was dealt.
    pool: Vec<(u64, u16)>,
    spare: u64,
}

impl Dealer {
    /// A pool for `routes` rules, of which one operator takes at most `most`. With a quarter as many
    /// prefixes as rules a prefix has about four operators.
    pub(super) fn new(rng: &mut Rng, routes: usize, most: usize) -> Self {
        let size = (routes / 4).max(2 * most).max(64);
        let mut seen = HashSet::with_capacity(size);
        let mut pool = Vec::with_capacity(size);
        while pool.len() < size {
            let span = 10_u64.pow(pick(rng, &NATIONAL_DIGITS));
            let calling = COUNTRIES[rng.usize(..COUNTRIES.len())].calling;
            let prefix = calling * span + rng.u64(..span);
            if seen.insert(prefix) {
                pool.push((prefix, 0));
            }
        }
        Self { pool, spare: SPARE }
    }

    /// The prefixes of one operator, with their priorities.
    pub(super) fn deal(&mut self, rng: &mut Rng, count: usize) -> Vec<(u64, u16)> {
        let mut hand = Hand::default();
        let mut dealt = Vec::with_capacity(count);
        let mut misses = 0;
        while dealt.len() < count {
            if misses == PATIENCE {
                dealt.push((self.spare, 10));
                self.spare += 1;
                continue;
            }
            let index = rng.usize(..self.pool.len());
            let (prefix, uses) = &mut self.pool[index];
            if *uses < u16::MAX / 10 && hand.take(*prefix) {
                *uses += 1;
                dealt.push((*prefix, *uses * 10));
                misses = 0;
            } else {
                misses += 1;
            }
        }
        dealt
    }
}

/// What one operator holds.
#[derive(Default)]
struct Hand {
    held: HashSet<u64>,
    /// Every beginning of a held prefix.
    above: HashSet<u64>,
}

impl Hand {
    /// Takes a prefix, unless it equals, contains or lies inside one that is held.
    fn take(&mut self, prefix: u64) -> bool {
        if self.above.contains(&prefix) || ancestors(prefix).any(|p| self.held.contains(&p)) {
            return false;
        }
        if !self.held.insert(prefix) {
            return false;
        }
        self.above.extend(ancestors(prefix));
        true
    }
}

/// The prefixes a prefix lies inside, nearest first.
pub(super) fn ancestors(prefix: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(prefix / 10), |p| Some(p / 10)).take_while(|p| *p > 0)
}
