//! Codes from lists that others maintain.

use std::str::FromStr;

use super::macros::text_schema;
use super::{ValueError, ValueProblem, shown};

/// Letters of a code from a fixed list, inline.
macro_rules! letter_code {
    ($(#[$meta:meta])* $name:ident, $len:literal, $known:expr, $what:literal, $help:literal, $schema:tt) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::SerializeDisplay, serde_with::DeserializeFromStr)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The code's letters.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                let known: fn(&str) -> bool = $known;
                match <[u8; $len]>::try_from(text.as_bytes()) {
                    Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) && known(text) => Ok(Self(letters)),
                    _ => Err(ValueError::new(ValueProblem::NotInList, format!("{} is no {}", shown(text), $what))
                        .help(if known(&text.to_ascii_uppercase()) {
                            format!("write {}", text.to_ascii_uppercase())
                        } else {
                            $help.to_owned()
                        })),
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        text_schema!($name, $schema);
    };
}

letter_code!(
    /// Country, ISO 3166-1 alpha-2, and three codes in general use that numbering plans name: `AC` for Ascension and `TA` for
    /// Tristan da Cunha, which ISO 3166 reserves exceptionally, and `XK` for Kosovo, which it leaves to users.
    Country, 2, |code| RESERVED.contains(&code) || celes::Country::from_alpha2(code).is_ok(), "ISO 3166-1 country",
    "use the two capital letters of ISO 3166-1 alpha-2, such as AF", {
        "type": "string", "enum": (countries()),
        "description": "Country, ISO 3166-1 alpha-2; also AC (Ascension), TA (Tristan da Cunha), XK (Kosovo)."
    }
);
letter_code!(
    /// Currency, ISO 4217.
    Currency, 3, is_in_force, "ISO 4217 currency in force",
    "use the three capital letters of ISO 4217, such as EUR", {
        "type": "string", "enum": (currencies()), "description": "Currency, ISO 4217."
    }
);

/// Codes that ISO 3166 reserves for a territory with a numbering range of its own. The list has XK itself.
const RESERVED: [&str; 2] = ["AC", "TA"];

/// Every country's code, for editors to offer.
fn countries() -> Vec<&'static str> {
    let listed = celes::Country::get_countries().into_iter().map(|country| country.alpha2);
    let mut codes: Vec<&str> = listed.chain(RESERVED).collect();
    codes.sort_unstable();
    codes
}

/// The list marks this one as replaced, and ISO 4217 has it beside its successor.
const STILL_IN_FORCE: &str = "VES";

/// Whether a code is that of a currency that was not replaced by another.
fn is_in_force(code: &str) -> bool {
    let known = iso_currency::Currency::from_code(code);
    known.is_some_and(|currency| currency.is_superseded().is_none() || code == STILL_IN_FORCE)
}

/// Every currency's code. The list itself cannot be walked, so every three letters are looked up: it is only asked for
/// when a schema is made.
fn currencies() -> Vec<String> {
    let letters = || 'A'..='Z';
    let pairs = letters().flat_map(|a| letters().map(move |b| (a, b)));
    let codes = pairs.flat_map(|(a, b)| letters().map(move |c| String::from_iter([a, b, c])));
    codes.filter(|code| is_in_force(code)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_members_of_their_list_in_capitals() {
        assert_eq!("NO".parse::<Country>().unwrap().to_string(), "NO");
        assert_eq!("EUR".parse::<Currency>().unwrap().to_string(), "EUR");
        for text in ["AC", "TA", "XK"] {
            assert!(text.parse::<Country>().is_ok() && countries().contains(&text), "{text}");
        }
        for text in ["ZZ", "no", "", "NOR", "ÄÄ", "EU", "UK"] {
            assert_eq!(text.parse::<Country>().unwrap_err().problem, ValueProblem::NotInList, "{text}");
        }
        for (text, expected) in
            [("HRK", false), ("CUC", false), ("SLL", false), ("ZWL", false), ("SLE", true), ("VES", true)]
        {
            assert_eq!(text.parse::<Currency>().is_ok(), expected, "{text}");
        }
        assert_eq!("usd".parse::<Currency>().unwrap_err().help.unwrap(), "write USD");
    }
}
