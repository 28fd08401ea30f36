//! Which texts stand in quotes.

use crate::parse::yaml::{Resolved, Scalar};

/// Words that are booleans or nothing to YAML 1.1, which editors and scripts still speak.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<"];
/// What begins something else than plain text (YAML 1.2.2, 5.3), and a sign.
const INDICATORS: [char; 20] =
    ['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '+'];

/// A scalar on one line as it is to be written; none where it stays as it is.
pub(super) fn canonical(scalar: &Scalar<'_>, raw: &str, in_flow: bool) -> Option<String> {
    let text = &*scalar.text;
    if scalar.resolve() != Resolved::Text {
        return None;
    }
    if !needs_quotes(text, in_flow) {
        return Some(text.to_owned());
    }
    // Escapes are the author's choice, and a text with quotes in it is easier to read in the other ones.
    (!raw.contains('\\') && !text.contains(['"', '\\']) && !text.chars().any(char::is_control))
        .then(|| format!("\"{text}\""))
}

/// Whether a text, without quotes, is something else to some reader: a prefix, a date, a time, a version, `no`.
pub(crate) fn needs_quotes(text: &str, in_flow: bool) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let is_word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    let like_a_number = first.is_ascii_digit() || first == '.';
    let ends = text.trim() != text || text.ends_with(':');
    // `::` is an address, and in YAML 1.1 a colon between digits is base sixty.
    let inside = text.contains(": ") || text.contains(" #") || text.contains("::");
    let flow = in_flow && text.contains([',', '[', ']', '{', '}', ':']);
    let unprintable =
        text.chars().any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}'));
    let resolved = Scalar { text: text.into(), plain: true }.resolve();
    is_word
        || like_a_number
        || ends
        || inside
        || flow
        || unprintable
        || INDICATORS.contains(&first)
        || resolved != Resolved::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_where_some_reader_needs_them() {
        for text in [
            "+9379",
            "0093",
            "2026-01-01",
            "22:00",
            "3.4",
            "no",
            "NO",
            "",
            " a",
            "a: b",
            "a #b",
            "fd00::/8",
            ".5",
            "a:",
        ] {
            assert!(needs_quotes(text, false), "{text}");
        }
        for text in ["smpp.one.example", "s3://c/1.pdf", "CTR-1", "Leo BI, primary bind", "it's", "bindery/v1"] {
            assert!(!needs_quotes(text, false), "{text}");
        }
        assert!(needs_quotes("a, b", true) && needs_quotes("s3://c", true));
    }
}
