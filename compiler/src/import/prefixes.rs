//! Lists of prefixes in every spelling.

use bindery_schema::value::{E164Prefix, ValueError, ValueProblem, shown};

use super::cell::digits;

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
    let (mut prefixes, mut errors) = (Vec::new(), Vec::new());
    // A comma separates prefixes, unless it stands in a number.
    let pieces = cell.split(|c| c != ',' && is_separator(c)).flat_map(|piece| {
        let whole = is_rounded(piece.trim()) || is_grouped(piece.trim());
        if whole { vec![piece] } else { piece.split(',').collect() }
    });
    for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
        if is_rounded(piece) {
            errors.push(rounded(piece));
            continue;
        }
        if is_grouped(piece) || is_range(piece) || repeats(piece) {
            errors.push(ambiguous(piece));
            continue;
        }
        for number in numbers(piece) {
            match prefix(&number) {
                _ if is_short_range(&number) => errors.push(ambiguous(piece)),
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

/// Whether a piece is numbers with thousands separators: Excel makes 93,700 of 93700, and `93,700,93,701` of two of them. What
/// is a number and a rest without groups, as `37,25112` is, was torn by a separator too.
fn is_grouped(piece: &str) -> bool {
    let groups: Vec<&str> = piece.trim_start_matches('+').trim_end_matches(',').split(',').collect();
    if groups.len() < 2 || groups.iter().any(|group| digits(group).is_none()) {
        return false;
    }
    if let [head, tail] = groups[..]
        && head.len() <= 3
        && tail.len() > 3
    {
        return !alike(head, tail);
    }
    // Each number has a group of up to three digits and further ones of three.
    let mut count = 0;
    for group in groups {
        count = match group.len() {
            3 => count + 1,
            1 | 2 if count != 1 => 1,
            _ => return false,
        };
    }
    count > 1
}

/// Whether two numbers begin with the same two digits, as most country codes do not.
fn alike(a: &str, b: &str) -> bool {
    a.get(..2).is_some_and(|start| b.starts_with(start))
}

/// Whether a piece reads as "from this prefix to that": `37258-37262`, where `372-58` is one prefix.
fn is_range(piece: &str) -> bool {
    /// Shorter numbers are groups of digits.
    const LEAST: usize = 3;
    let Some((from, to)) = piece.split_once(['-', '\u{2013}']) else { return false };
    let [from, to] = [from, to].map(|end| end.trim().trim_start_matches('+'));
    let numbers = digits(from).is_some() && digits(to).is_some() && from.len() == to.len();
    numbers && from.len() >= LEAST && alike(from, to)
}

/// Whether a number has the last digits of a range behind it: `93700-09`. Before the hyphen there is more than a country code.
fn is_short_range(number: &str) -> bool {
    const LEAST: usize = 4;
    let number = number.strip_prefix('+').or_else(|| number.strip_prefix("00")).unwrap_or(number);
    let Some((head, tail)) = number.split_once(['-', '\u{2010}', '\u{2011}']) else { return false };
    let numbers = digits(head).is_some() && digits(tail).is_some();
    numbers && head.len() >= LEAST && tail.len() + 2 <= head.len() && *tail > head[head.len() - tail.len()..]
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
    let begins = number.starts_with(|c: char| c.is_ascii_digit() || c == '+');
    if let Some(prefix) = E164Prefix::from_digits(digits).filter(|_| begins) {
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
            ("372-58|372-5-8-1|0093-700", "+37258 +372581 +93700"),
            ("+49-151-2", "+491512"),
            ("45-46", "+4546"),
            ("3725-12|3725-123", "+372512 +3725123"),
            ("44,49", "+44 +49"),
            ("372,37258", "+372 +37258"),
            ("93, 70", "+93 +70"),
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
            "93,700,93,701",
            "93,700;93,701",
            "93,700|93711",
            "+93,700",
            "93,700,",
            "37,25112",
            "93700-09",
            "93700-9",
            "93700 - 09",
            "3725106-9",
            "937-939",
            "370-372",
            "+93 70-79",
            "93709-93700",
            "-3725114",
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
