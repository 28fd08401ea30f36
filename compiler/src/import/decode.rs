//! Which encoding a spreadsheet export is in, and text out of its bytes.
//!
//! Excel saves UTF-8 with a byte order mark or Windows-1252 without a word about it. A file that is UTF-8 but for a row
//! stays UTF-8, so that the row alone is refused.

/// How the bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Windows1252,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Windows1252 => "Windows-1252",
        }
    }

    /// The text; none where a byte has no meaning.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Windows1252 => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
        }
    }
}

/// The UTF-8 byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The characters of 0x80 to 0x9F; the rest are those of Latin-1. U+0000 stands for the five bytes without a meaning.
const HIGH: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => Some(HIGH[usize::from(byte - 0x80)]).filter(|character| *character != '\0'),
        _ => Some(char::from(byte)),
    }
}

/// Whether the bytes are UTF-16: by its byte order mark, or because every other byte of the beginning is zero, as in all text
/// of Latin letters.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    /// As much as a header has at least.
    const ENOUGH: usize = 64;
    let zeros = |from: usize| bytes.iter().take(ENOUGH).skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let most = bytes.len().min(ENOUGH) / 2 * 3 / 4;
    bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || most > 0 && (zeros(0) >= most || zeros(1) >= most)
}

/// Tells the encoding, and hands back what follows a byte order mark.
pub(super) fn detect(bytes: &[u8]) -> (Encoding, &[u8]) {
    if let Some(rest) = bytes.strip_prefix(MARK) {
        return (Encoding::Utf8, rest);
    }
    let header = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let (mut is_utf8, mut invalid, mut plausible) = (false, 0_usize, 0_usize);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        is_utf8 |= chunk.valid().char_indices().any(|(offset, character)| is_letter(bytes, at + offset, character));
        at += chunk.valid().len();
        invalid += chunk.invalid().len();
        plausible += (at..at + chunk.invalid().len()).filter(|at| is_plausible(bytes, *at)).count();
        at += chunk.invalid().len();
    }
    let in_header = std::str::from_utf8(header).is_err();
    // One character of several bytes settles it, however many rows of another encoding were pasted below.
    let is_1252 = in_header || !is_utf8 && plausible * 2 > invalid;
    (if is_1252 { Encoding::Windows1252 } else { Encoding::Utf8 }, bytes)
}

/// Whether a character of UTF-8 is one that people write, and its bytes make no sense in Windows-1252, where `ü` reads `Ã¼`.
fn is_letter(bytes: &[u8], at: usize, character: char) -> bool {
    let length = character.len_utf8();
    let in_use = match character {
        // Azerbaijani has a letter of IPA. The others, and N'Ko, are what `É®` and `ß…` of Windows-1252 would be.
        '\u{250}'..='\u{2af}' => character == 'ə',
        '\0'..='\u{9f}' | '\u{7c0}'..='\u{7ff}' => false,
        '\u{2000}'..='\u{2bff}' => true,
        _ => character.is_alphabetic() || length == 2 && character < '\u{100}',
    };
    // A letter at the end of a word and signs behind it, as in `CAFÉ™` or `café…”`. Neither Â, Ã nor `â€` ends words.
    let is_sign = |at: usize| (0x80..0xc0).contains(&bytes[at]) && is_plausible(bytes, at);
    let in_1252 = !matches!(bytes[at..], [0xc2 | 0xc3, ..] | [0xe2, 0x80, ..])
        && is_plausible(bytes, at)
        && (at + 1..at + length).all(is_sign)
        && !bytes.get(at + length).is_some_and(u8::is_ascii_alphanumeric);
    in_use && !in_1252
}

/// Whether a byte, read as Windows-1252, is something people write where it stands: an accented letter in a word, or
/// a typographic sign.
fn is_plausible(bytes: &[u8], at: usize) -> bool {
    let byte = bytes[at];
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    let after = bytes.get(at + 1).copied().unwrap_or(b' ');
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte >= 0xc0;
    match byte {
        // Typographic signs, units, fractions.
        0x80
        | 0x82
        | 0x84
        | 0x85
        | 0x91..=0x97
        | 0x99
        | 0xa0
        | 0xa3
        | 0xa7
        | 0xa9
        | 0xab
        | 0xae
        | 0xb0..=0xb5
        | 0xb7
        | 0xbb..=0xbe => true,
        // Signs and letters hardly any carrier's name has; a stray 0xFF or 0xFE is a damaged file.
        0xd0 | 0xd7 | 0xde | 0xf0 | 0xf7 | 0xfe | 0xff => false,
        // A word of its own, or the sign of a mean.
        0xd8 => !before.is_ascii_lowercase(),
        0xdf..=0xff | 0x9a | 0x9c | 0x9e => letter(before) || letter(after),
        0xc0..=0xdd | 0x8a | 0x8c | 0x8e | 0x9f => !before.is_ascii_lowercase() && (letter(before) || letter(after)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_encodings_apart() {
        for (bytes, expected) in [
            (&b"id,name\na,b\n"[..], Encoding::Utf8),
            (b"\xef\xbb\xbfid\n\xff\n", Encoding::Utf8),
            ("id;Präfixe\na;ö\n".as_bytes(), Encoding::Utf8),
            (b"id;Pr\xe4fixe\na;b\n", Encoding::Windows1252),
            (b"id;name\na;\xd6sterreich \x96 Mobil\n", Encoding::Windows1252),
            // One damaged row does not make another encoding of a whole file.
            ("id;name\na;Zürich\nb;".as_bytes(), Encoding::Utf8),
            (b"id,name\na,Z\xc3\xbcrich\nb,Caf\xe9\n", Encoding::Utf8),
            (b"id,name\na,b\nb,\xff\xfe\n", Encoding::Utf8),
            (b"id,name\na,b\nb,bad\xc3\x28\n", Encoding::Utf8),
            (b"id,name\na,Z\xc3\xbcrich\nb,Gr\xf6\xdfte \xd6sterreichische \xdcbertragung f\xfcr\n", Encoding::Utf8),
            (b"id,name\na,MALM\xc3\x96\nb,Gr\xf6\xdfe \xfcber\n", Encoding::Utf8),
            (b"id,name\na,\xd0\x9c\xd0\xa2\xd0\xa1\nb,Gr\xf6\xdfe\n", Encoding::Utf8),
            (b"id,name\na,x \xe2\x80\x93 y\nb,Gr\xf6\xdfe \xfcber\n", Encoding::Utf8),
            // By chance UTF-8, and words of Windows-1252.
            (b"id,name\na,CAF\xc9\x99\nb,Gro\xdf\x85\nc,\x84caf\xe9\x85\x94\nd,Gr\xf6\xdfe\n", Encoding::Windows1252),
            (b"id,name\na,Mobil \xd8\n", Encoding::Windows1252),
            (b"id,name\na,A \xbd \xb1 \xb5\n", Encoding::Windows1252),
        ] {
            assert_eq!(detect(bytes).0, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn utf_16_is_told_with_and_without_a_mark() {
        let header = "Betreiber-ID;Präfixe\r\n";
        let (little, big): (Vec<u8>, Vec<u8>) = (
            header.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            header.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        );
        for bytes in [&little[..], &big, &little[..21], &[b"\xff\xfe", &little[..]].concat(), b"\xfe\xff"] {
            assert!(is_utf16(bytes), "{bytes:?}");
        }
        for bytes in [&b""[..], b"\0", b"a", header.as_bytes(), b"id,na\0me,\0\0port\n"] {
            assert!(!is_utf16(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_byte_without_a_meaning_decodes_to_nothing() {
        assert_eq!(Encoding::Windows1252.decode(b"Pr\xe4fix \x80").unwrap(), "Präfix €");
        assert_eq!(Encoding::Windows1252.decode(b"\x81"), None);
        assert_eq!(Encoding::Utf8.decode(b"\xe4"), None);
    }
}
