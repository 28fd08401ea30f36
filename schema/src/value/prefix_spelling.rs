//! What a text may mean that is no E.164 prefix: one prefix in another spelling, several, or a guess.
//!
//! Routes follow from it, so a prefix is named only where no other reading is left. A decimal point, a bracket or a slash
//! tells that digits are lost, are left out abroad, or belong to two numbers.

use super::{Day, E164Prefix};

/// Fewest digits of a number that begins or ends a range; shorter ones are groups of digits, such as `372-58`.
const LEAST: usize = 4;
/// Fewest digits that are a prefix without `+` or `00`: `70` may be any part of a number.
const LEAST_BARE: usize = 3;

impl E164Prefix {
    /// Whether a text reads as "from this prefix to that": `93720-93729`, `+93720..93729`, or short `93720-29`. Where the
    /// second number can only be a group of digits, as in `372-58`, it is one prefix.
    pub fn reads_as_range(text: &str) -> bool {
        let is_dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' | '\u{2026}');
        let ends = |from: &str, to: &str| Some((number(from)?, number(to)?));
        if let Some((from, to)) = text.split_once("..") {
            return ends(from, to.trim_start_matches('.')).is_some();
        }
        // Blanks around the hyphen make a range of numbers that are in groups themselves.
        if let Some((from, to)) = text.split_once(" - ") {
            return ends(from, to).is_some();
        }
        let Some((from, to)) = text.split_once(is_dash).and_then(|(from, to)| ends(from, to)) else { return false };
        if from.len() < LEAST {
            return false;
        }
        match from.len().checked_sub(to.len()) {
            Some(0) => from[..2] == to[..2] && from < to,
            Some(kept) => from[kept..] < *to,
            None => from[..2] == to[..2],
        }
    }
}

/// The text behind `+` or `00`.
fn behind_sign(text: &str) -> Option<&str> {
    text.strip_prefix('+').or_else(|| text.strip_prefix("00"))
}

/// The digits of one number: `+`, `00` and blanks are no part of them.
fn number(text: &str) -> Option<String> {
    let text = text.trim();
    let digits: String = behind_sign(text).unwrap_or(text).split_whitespace().collect();
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// What to write instead of a text that is no prefix; `write "…"` where one prefix is certain.
pub(super) fn hint(text: &str) -> String {
    if text.parse::<Day>().is_err() {
        if E164Prefix::reads_as_range(text) {
            return "this reads as a range of prefixes, which has no form here: write a rule for each prefix"
                .to_owned();
        }
        if let Some(prefix) = grouped(text) {
            return format!("write \"{prefix}\"");
        }
    }
    "a prefix is `+` and 1 to 15 digits with the country code, the first not 0, such as \"+9379\"".to_owned()
}

/// The one prefix that a text means with its digits in groups between blanks or hyphens, or with `00` for the `+`.
fn grouped(text: &str) -> Option<E164Prefix> {
    let text = text.trim();
    let international = behind_sign(text);
    let groups: Vec<&str> = international.unwrap_or(text).trim_start().split([' ', '-']).collect();
    let digits = groups.concat();
    let [first, rest @ ..] = groups.as_slice() else { return None };
    // Groups that begin like the first begin another number: `93720 93729`, `93 720 93 729`.
    let begins_anew = |group: &&str| match first.get(..2) {
        Some(country) => group == first || first.len() > 2 && group.len() > 2 && group.starts_with(country),
        None => false,
    };
    let is_one = !first.is_empty() && !text.ends_with('-') && !text.contains("--") && !rest.iter().any(begins_anew);
    let is_whole = international.is_some() || digits.len() >= LEAST_BARE;
    E164Prefix::from_digits(&digits).filter(|_| is_one && is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_prefix_is_named_where_nothing_else_can_be_meant() {
        for (text, expected) in [
            ("93720", "+93720"),
            ("+93 720", "+93720"),
            (" +93 720 ", "+93720"),
            ("+ 93  720", "+93720"),
            ("93-720", "+93720"),
            ("93-71", "+9371"),
            ("+372-58", "+37258"),
            ("+1 242-123", "+1242123"),
            ("0093", "+93"),
            ("00 93 70", "+9370"),
            ("0093-720", "+93720"),
            ("+9370-12", "+937012"),
            ("+44 20 7946", "+44207946"),
            ("937", "+937"),
        ] {
            assert_eq!(hint(text), format!("write \"{expected}\""), "{text}");
        }
    }

    #[test]
    fn no_prefix_is_guessed() {
        for text in [
            "9372.0",
            "93720.50",
            "9.372",
            "+93 (0)720",
            "+93(720)",
            "+93/720",
            "70",
            "7",
            "7-0",
            "-93720",
            "93720-",
            "93--720",
            "93720 93729",
            "+93720 93729",
            "93 720 93 729",
            "93-720-93-729",
            "+93720 +93729",
            "070",
            "0 0937",
            "93,720",
            "93_720",
            "",
            "2026-01-01",
            "+",
            "00",
        ] {
            assert!(hint(text).starts_with("a prefix is"), "{text}: {}", hint(text));
        }
    }

    #[test]
    fn a_range_is_called_one() {
        for text in [
            "93720-93729",
            "+93720-93729",
            "+93720-+93729",
            "93720 - 93729",
            "+93 720 - +93 729",
            "+93720-29",
            "93720-9",
            "+93720..93729",
            "93720...93729",
            "93720\u{2013}93729",
            "93720-937290",
        ] {
            assert!(E164Prefix::reads_as_range(text) && hint(text).contains("range"), "{text}: {}", hint(text));
        }
        for text in ["372-58", "93-72", "+93 720", "93729-93720", "93729-20", "a..b", "..", "-", "93720-", "-93720"] {
            assert!(!E164Prefix::reads_as_range(text), "{text}");
        }
    }
}
