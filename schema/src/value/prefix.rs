//! E.164 destination prefixes as one machine word.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::macros::string_conversions;
use super::prefix_spelling::hint;
use super::{ValueError, ValueProblem, shown};

/// Longest prefix in digits: a whole E.164 number with its country code (ITU-T E.164, 6.2.1).
const LONGEST: usize = 15;

/// A destination prefix: `+` and 1 to 15 digits, the first not 0.
///
/// The digits are packed as binary coded decimals from the most significant nibble down, with their count in the
/// lowest nibble. Comparing two words therefore orders prefixes as text, each directly before its extensions: sorting
/// a routing table and one sweep over it find every nesting.
///
/// ```
/// # use bindery_schema::value::E164Prefix;
/// let kabul: E164Prefix = "+9320".parse()?;
/// let afghanistan: E164Prefix = "+93".parse()?;
/// assert!(afghanistan.contains(kabul) && afghanistan < kabul);
/// assert_eq!(kabul.digits(), "9320");
/// # Ok::<(), bindery_schema::value::ValueError>(())
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::SerializeDisplay, serde_with::DeserializeFromStr,
)]
pub struct E164Prefix(NonZeroU64);

impl E164Prefix {
    /// Reads digits without the leading `+`, as the stores keep them.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let bytes = digits.as_bytes();
        if bytes.is_empty() || bytes.len() > LONGEST || bytes[0] == b'0' || !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let packed = bytes.iter().enumerate().fold(0, |word, (i, byte)| word | u64::from(byte - b'0') << (60 - 4 * i));
        NonZeroU64::new(packed | bytes.len() as u64).map(Self)
    }

    /// How many digits the prefix has, 1 to 15.
    #[expect(clippy::len_without_is_empty, reason = "a prefix has at least one digit")]
    pub fn len(self) -> usize {
        (self.word() & 0xf) as usize
    }

    /// Whether every number under `other` is also under `self`. A prefix contains itself.
    pub fn contains(self, other: Self) -> bool {
        self.len() <= other.len() && (self.word() ^ other.word()) >> (64 - 4 * self.len()) == 0
    }

    /// The digits without `+`.
    pub fn digits(self) -> String {
        (0..self.len()).map(|i| char::from(b'0' + (self.word() >> (60 - 4 * i) & 0xf) as u8)).collect()
    }

    /// The prefix of a packed word, where it is one.
    pub fn from_word(word: u64) -> Option<Self> {
        let (length, digits) = ((word & 0xf) as usize, word & !0xf);
        if length == 0 {
            return None;
        }
        // A nibble above 9 has its highest bit set and one of the two below.
        let no_decimal = digits & (digits << 1 | digits << 2) & 0x8888_8888_8888_8888;
        let unused = digits & u64::MAX >> (4 * length);
        NonZeroU64::new(word).filter(|_| no_decimal == 0 && unused == 0 && word >> 60 != 0).map(Self)
    }

    /// Its first eight digits as the higher half of the word; digits that are not there are 0.
    pub fn beginning(self) -> u32 {
        (self.word() >> 32) as u32
    }

    /// The digit it begins with.
    pub fn first_digit(self) -> u8 {
        (self.word() >> 60) as u8
    }

    /// The first `count` digits as a number, for an index; a digit that is not there counts as 0. At most eight.
    pub fn leading(self, count: u32) -> u32 {
        // The digits' nibbles to bytes, to pairs and so on: two, four, eight digits at a time.
        let digits = ((self.word() & !0xf) >> 32) as u32;
        let digits = digits.checked_shr(32 - 4 * count.min(8)).unwrap_or(0);
        let twos = (digits >> 4 & 0x0f0f_0f0f) * 10 + (digits & 0x0f0f_0f0f);
        let fours = (twos >> 8 & 0x00ff_00ff) * 100 + (twos & 0x00ff_00ff);
        (fours >> 16) * 10_000 + (fours & 0xffff)
    }

    /// The prefix without its last digit.
    pub fn shortened(self) -> Option<Self> {
        let length = self.len() - 1;
        let word = self.word() & !(u64::MAX >> (4 * length)) | length as u64;
        NonZeroU64::new(word).map(Self)
    }

    /// No prefix below this one has a greater word, and none behind them a smaller one.
    pub fn last_word(self) -> u64 {
        self.word() | u64::MAX >> (4 * self.len())
    }

    /// The packed word; equal words are equal prefixes.
    pub fn word(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for E164Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(prefix) = text.strip_prefix('+').and_then(Self::from_digits) {
            return Ok(prefix);
        }
        let error = ValueError::new(ValueProblem::BadPrefix, format!("{} is not an E.164 prefix", shown(text)));
        Err(error.help(hint(text)))
    }
}

impl fmt::Display for E164Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("+{}", self.digits()))
    }
}

impl fmt::Debug for E164Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(E164Prefix, {
    "type": "string", "pattern": "^\\+[1-9][0-9]{0,14}$",
    "description": "E.164 destination prefix, quoted: \"+\" and 1 to 15 digits with the country code. The longest matching prefix wins."
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_keeps_text_order_and_containment(a in "[1-9][0-9]{0,14}", b in "[1-9][0-9]{0,14}") {
            let (x, y) = (E164Prefix::from_digits(&a).unwrap(), E164Prefix::from_digits(&b).unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.contains(y), b.starts_with(&a));
            prop_assert_eq!(x.digits(), a.clone());
            for count in 0..=8 {
                let leading = format!("0{a:0<15}")[..=count].parse::<u32>().unwrap();
                prop_assert_eq!(x.leading(u32::try_from(count).unwrap()), leading);
            }
            prop_assert_eq!(E164Prefix::from_word(x.word()), Some(x));
            prop_assert_eq!(x.shortened().map(E164Prefix::digits).unwrap_or_default(), a[..a.len() - 1].to_owned());
            prop_assert_eq!(x.word() <= y.word() && y.word() <= x.last_word(), b.starts_with(&a));
        }

        #[test]
        fn a_word_is_a_prefix_where_its_digits_pack_to_it(word: u64, length in 0u64..16, digits in "[0-9]{1,15}") {
            // Most words are none; those near to one test the borders.
            let near = digits.bytes().enumerate().fold(0, |word, (i, b)| word | u64::from(b - b'0') << (60 - 4 * i));
            for word in [word, near | length, near | digits.len() as u64] {
                let spelled: String = (0..word & 0xf).map(|i| char::from_digit((word >> (60 - 4 * i) & 0xf) as u32, 16).unwrap()).collect();
                let expected = E164Prefix::from_digits(&spelled).filter(|prefix| prefix.word() == word);
                prop_assert_eq!(E164Prefix::from_word(word), expected);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            if let Ok(prefix) = text.parse::<E164Prefix>() {
                prop_assert_eq!(prefix.to_string(), text);
            }
        }
    }

    #[test]
    fn refuses_what_is_no_prefix_and_says_what_to_write() {
        for (text, help) in [
            ("9379", "\"+9379\""),
            ("0093 79", "\"+9379\""),
            ("+0123", "country code"),
            ("+", "1 to 15"),
            ("+1234567890123456", "1 to 15"),
            ("", "1 to 15"),
            ("+93x", "1 to 15"),
            ("+93-79", "\"+9379\""),
            ("2026-01-01", "1 to 15"),
        ] {
            let error = text.parse::<E164Prefix>().unwrap_err();
            assert_eq!(error.problem, ValueProblem::BadPrefix);
            assert!(error.help.unwrap().contains(help), "{text}");
        }
    }
}
