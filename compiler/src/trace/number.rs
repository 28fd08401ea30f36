//! Telephone numbers as people, exports and SMPP peers write them.

use bindery_schema::value::E164Prefix;

/// Longest number in digits, country code included (ITU-T E.164, 6.2.1).
const LONGEST: usize = 15;

/// Why a text is no international number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing but spaces.
    #[error("there is no number")]
    Empty,
    /// One leading 0: which country's number it is, is not said.
    #[error("a number with one leading 0 is national: write it with its country code, such as +93 79 123 4567")]
    National,
    /// No country code begins with 0, and there is no number without one.
    #[error("there is no country code: it begins with a digit from 1 to 9")]
    NoCountryCode,
    /// Something that is neither a digit nor one of the signs that are left out.
    #[error("`{}` does not belong in a number", .0.escape_debug())]
    Character(char),
    /// More digits than a number has.
    #[error("{0} digits are more than the {LONGEST} of the longest number")]
    TooLong(usize),
}

/// Reads an international number: `+`, a leading `00`, spaces and hyphens are left out.
///
/// A number is as long as the longest prefix, and a prefix of itself: it needs no type of its own.
///
/// ```
/// use bindery_compiler::trace::number;
///
/// let plain = number::parse("+93791234567")?;
/// assert_eq!(number::parse("0093 79-123 45 67")?, plain);
/// assert_eq!(number::parse("079 123 4567"), Err(number::Error::National));
/// # Ok::<(), number::Error>(())
/// ```
pub fn parse(text: &str) -> Result<E164Prefix, Error> {
    let text = text.trim();
    let (plus, body) = match text.strip_prefix('+') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut digits = String::with_capacity(LONGEST);
    let mut count = 0;
    for character in body.chars() {
        match character {
            ' ' | '-' => {}
            '0'..='9' => {
                count += 1;
                // Two more for a leading `00`; what comes after that is counted and not kept.
                if digits.len() < LONGEST + 2 {
                    digits.push(character);
                }
            }
            _ => return Err(Error::Character(character)),
        }
    }
    let (international, digits) = match digits.strip_prefix("00") {
        Some(rest) if !plus => {
            count -= 2;
            (true, rest)
        }
        _ => (plus, &*digits),
    };
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if digits.is_empty() || digits.starts_with('0') {
        return Err(if international || digits.is_empty() { Error::NoCountryCode } else { Error::National });
    }
    if count > LONGEST {
        return Err(Error::TooLong(count));
    }
    E164Prefix::from_digits(digits).ok_or(Error::NoCountryCode)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for text in ["+93791234567", "0093791234567", "93791234567", " +93 79 123-45-67\r", "00 93-79 1234567"] {
            assert_eq!(parse(text).map(|number| number.to_string()), Ok("+93791234567".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (text, error) in [
            ("", Error::Empty),
            ("  ", Error::Empty),
            ("+", Error::NoCountryCode),
            ("--", Error::NoCountryCode),
            ("00", Error::NoCountryCode),
            ("0791234567", Error::National),
            ("0", Error::National),
            ("+0791234567", Error::NoCountryCode),
            ("+0093791234567", Error::NoCountryCode),
            ("000791234567", Error::NoCountryCode),
            ("+9379123x", Error::Character('x')),
            ("93+79", Error::Character('+')),
            ("+93(79)1", Error::Character('(')),
            ("+٩٣٧٩", Error::Character('٩')),
            ("9.37E+10", Error::Character('.')),
            ("+1234567890123456", Error::TooLong(16)),
            ("001234567890123456", Error::TooLong(16)),
            (&"9".repeat(1000), Error::TooLong(1000)),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert!(parse("+123456789012345").is_ok() && parse("00123456789012345").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[+0-9 -]*") {
            if let Ok(number) = parse(&text) {
                prop_assert_eq!(parse(&number.to_string()), Ok(number));
            }
        }
    }
}
