//! Lists of prefixes in every spelling.

use bindery_schema::value::{E164Prefix, ValueError, ValueProblem, shown};

use super::cell::{digits, ungrouped};

/// Whether a cell that begins with a sign is prefixes all the same.
pub(super) fn is_list(cell: &str) -> bool {
    let mut pieces = cell.split(|c: char| is_separator(c) || c.is_whitespace()).filter(|piece| !piece.is_empty());
    pieces.all(|piece| {
        let digits = piece.strip_prefix('+').unwrap_or(piece);
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '-')
    })
}

fn is_separator(character: char) -> bool {
    matches!(character, '|' | ';' | ',' | '/' | '\n' | '\r')
}

/// Prefixes of a cell, each as text that is a prefix or an error that says why it is none.
pub(super) fn read(cell: &str) -> Result<Vec<E164Prefix>, Vec<ValueError>> {
    // Excel makes 37,258 of 37258.
    if cell.contains(',') && ungrouped(cell.trim(), ',').is_some() {
        return Err(vec![ambiguous(cell)]);
    }
    let (mut prefixes, mut errors) = (Vec::new(), Vec::new());
    // A comma separates prefixes, unless it stands in a number.
    let pieces = cell
        .split(|c| c != ',' && is_separator(c))
        .flat_map(|piece| if is_rounded(piece.trim()) { vec![piece] } else { piece.split(',').collect() });
    for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
        if is_rounded(piece) {
            errors.push(rounded(piece));
            continue;
        }
        if is_range(piece) || repeats(piece) {
            errors.push(ambiguous(piece));
            continue;
        }
        for number in numbers(piece) {
            match prefix(&number) {
                Ok(prefix) => prefixes.push(prefix),
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(prefixes) } else { Err(errors) }
}

fn ambiguous(text: &str) -> ValueError {
    let message = format!("{} may be one number or several prefixes", shown(text));
    let error = ValueError::new(ValueProblem::BadPrefix, message);
    error.help("format the column as text and separate prefixes by `|`")
}

/// Whether a piece is a number as a spreadsheet rounds it: `9.37E+04`, in German `9,37E+04`.
fn is_rounded(piece: &str) -> bool {
    let Some((number, power)) = piece.split_once(['E', 'e']) else { return false };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    [whole, fraction, power.trim_start_matches(['+', '-'])].into_iter().all(|part| digits(part).is_some())
}

fn rounded(text: &str) -> ValueError {
    let error = ValueError::new(ValueProblem::BadPrefix, format!("{} is not an E.164 prefix", shown(text)));
    error.help("the spreadsheet made a rounded number of it: format the column as text and type it again")
}

/// Whether a piece reads as "from this prefix to that": `37258-37262`, where `372-58` is one prefix.
fn is_range(piece: &str) -> bool {
    /// Shorter numbers are groups of digits.
    const LEAST: usize = 4;
    let Some((from, to)) = piece.split_once(['-', '\u{2013}']) else { return false };
    let [from, to] = [from, to].map(|end| end.trim().trim_start_matches('+'));
    let numbers = digits(from).is_some() && digits(to).is_some() && from.len() == to.len();
    numbers && from.len() >= LEAST && from[..2] == to[..2] && from < to
}

/// Whether a piece repeats its first group, so that it may be two prefixes in groups: `372 58 372 59`.
fn repeats(piece: &str) -> bool {
    let mut words = piece.split_whitespace();
    words.next().is_some_and(|first| digits(first).is_some() && words.skip(1).any(|word| word == first))
}

/// The numbers between blanks. Blanks may separate prefixes or the groups of one: `37258 37259` are two, `+372 58` is one.
fn numbers(piece: &str) -> Vec<String> {
    let words: Vec<&str> = piece.split_whitespace().collect();
    let [first, rest @ ..] = words.as_slice() else { return Vec::new() };
    let international = |word: &str| word.starts_with('+') || word.starts_with("00");
    // Prefixes of one carrier begin with the same country code; a group of digits after a blank hardly ever does.
    let digits = first.strip_prefix('+').or_else(|| first.strip_prefix("00")).unwrap_or(first);
    let country = digits.get(..2).filter(|_| digits.len() > 2);
    let alike =
        |word: &&str| international(word) || country.is_some_and(|country| word.starts_with(country) && word.len() > 2);
    if rest.iter().all(alike) {
        return words.iter().map(|word| (*word).to_owned()).collect();
    }
    // Each `+` or `00` begins another.
    let mut numbers: Vec<String> = Vec::new();
    for word in words {
        match numbers.last_mut() {
            Some(last) if !international(word) => last.push_str(word),
            _ => numbers.push(word.to_owned()),
        }
    }
    numbers
}

fn prefix(number: &str) -> Result<E164Prefix, ValueError> {
    let plain: String = number.chars().filter(|c| !matches!(c, '-' | '\u{2010}' | '\u{2011}')).collect();
    let digits = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")).unwrap_or(&plain);
    if let Some(prefix) = E164Prefix::from_digits(digits) {
        return Ok(prefix);
    }
    let error = ValueError::new(ValueProblem::BadPrefix, format!("{} is not an E.164 prefix", shown(number)));
    Err(error.help(if digits.starts_with('0') {
        "a leading 0 is national: write the country code instead"
    } else {
        "a prefix has 1 to 15 digits with the country code"
    }))
}

/// Whether a prefix cell is in the template's own form, digits between `|`.
pub(super) fn is_plain(cell: &str) -> bool {
    cell.split('|').all(|piece| digits(piece).is_some() && !piece.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_in_every_spelling() {
        for (cell, expected) in [
            ("37258|37259", "+37258 +37259"),
            ("+372 58; 00372-59", "+37258 +37259"),
            ("37258 37259", "+37258 +37259"),
            ("+37258 +37259", "+37258 +37259"),
            ("+372 58 +372 59", "+37258 +37259"),
            ("0037258 37259", "+37258 +37259"),
            ("+93 70 | 93 79", "+9370 +9379"),
            ("372 58", "+37258"),
            ("37258, 37259,", "+37258 +37259"),
            ("", ""),
        ] {
            let text: Vec<_> = read(cell).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(text.join(" "), expected, "{cell}");
        }
        for cell in [
            "058",
            "37258|058",
            "9.37E+04",
            "37,258",
            "+0123",
            "1234567890123456",
            "abc",
            "+",
            "37258-37262",
            "372 58 372 59",
        ] {
            assert!(read(cell).is_err(), "{cell}");
        }
        for (cell, shown, rounded) in [
            ("9.37E+04", "`9.37E+04`", true),
            ("9,37E+04", "`9,37E+04`", true),
            ("37258; 9,37e4", "`9,37e4`", true),
            ("1E+15", "`1E+15`", true),
            ("tel:+9414", "`tel:+9414`", false),
            ("Estonia", "`Estonia`", false),
            ("3725E", "`3725E`", false),
        ] {
            let errors = read(cell).unwrap_err();
            let help = errors[0].help.as_deref().unwrap_or_default();
            assert_eq!((errors.len(), help.contains("rounded")), (1, rounded), "{cell}: {help}");
            assert!(errors[0].message.starts_with(shown), "{cell}: {}", errors[0].message);
        }
        assert!(is_plain("37258|37259") && !is_plain("+37258") && !is_plain(""));
    }

    proptest! {
        #[test]
        fn any_cell_is_read(cell in "[0-9+|; -]{0,24}|.{0,24}") {
            let _ = (is_list(&cell), is_plain(&cell), read(&cell));
        }
    }
}
