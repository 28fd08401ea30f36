//! Escapes of double-quoted text that JSON has and YAML has not.

/// The first escape that is half of a character beyond U+FFFF (a surrogate, RFC 8259, 7): the byte at which it begins, and the
/// character, where its other half follows.
pub(super) fn half_a_character(text: &str) -> Option<(usize, Option<char>)> {
    let mut escapes = text.match_indices('\\').map(|(at, _)| at);
    while let Some(at) = escapes.next() {
        match unit(&text[at..]) {
            Some(half @ 0xd800..0xe000) => {
                let whole = char::decode_utf16([Some(half), unit(&text[at + 6..])].into_iter().flatten()).next();
                return Some((at, whole.and_then(Result::ok)));
            }
            // Of two backslashes the second begins nothing.
            _ if text[at + 1..].starts_with('\\') => _ = escapes.next(),
            _ => {}
        }
    }
    None
}

/// The number of an escape `\uXXXX` that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_found_and_put_together() {
        for (text, expected) in [
            (r#""a \ud83d\udcf1""#, Some((3, Some('\u{1f4f1}')))),
            (r#""\u00e4 \\ud83d \uD83D""#, Some((16, None))),
            (r#""\udcf1\ud83d""#, Some((1, None))),
            (r#""\ud83dx\u+83d""#, Some((1, None))),
            (r#""\u00e4 \\ud83d \u""#, None),
            ("", None),
        ] {
            assert_eq!(half_a_character(text), expected, "{text}");
        }
    }
}
