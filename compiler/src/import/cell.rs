//! What people type into cells, brought into one form. Nothing here knows a row or a column.

use std::net::IpAddr;

use super::prefixes;

/// Whether a spreadsheet would run a cell as a formula. A sign may begin a number or a list of prefixes.
pub(super) fn is_formula(cell: &str) -> bool {
    match cell.chars().next() {
        Some('\t' | '\r') => true,
        _ => match cell.trim_start().chars().next() {
            Some('=' | '@') => true,
            Some('+' | '-') => !is_number(cell.trim()) && !prefixes::is_list(cell),
            _ => false,
        },
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | ' ' | '\u{a0}'))
}

/// A whole number, thousands separators taken out; and whether there were any.
pub(super) fn whole(cell: &str) -> Option<(u64, bool)> {
    if let Some(number) = digits(cell) {
        return Some((number, false));
    }
    let separator = cell.chars().find(|c| !c.is_ascii_digit()).filter(|c| is_thousands(*c))?;
    Some((digits(&ungrouped(cell, separator)?)?, true))
}

pub(super) fn digits(text: &str) -> Option<u64> {
    let well_formed = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number beyond 64 bits is beyond every limit too.
    well_formed.then(|| text.parse().unwrap_or(u64::MAX))
}

fn is_thousands(character: char) -> bool {
    matches!(character, ',' | '.' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}')
}

/// The digits of a number in groups of three; none where they are not.
pub(super) fn ungrouped(text: &str, separator: char) -> Option<String> {
    let mut groups = text.split(separator);
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()) && digits(first).is_some())?;
    let mut plain = first.to_owned();
    for group in groups {
        plain.push_str(Some(group).filter(|group| group.len() == 3 && digits(group).is_some())?);
    }
    Some(plain)
}

/// How a file writes fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimal {
    Point,
    Comma,
}

impl Decimal {
    /// What most amounts have; a number such as `1,250` tells nothing. Where none tells, a file of semicolons is one of a
    /// country that writes commas: there the comma was not free to separate cells.
    pub(super) fn of<'c>(amounts: impl Iterator<Item = &'c str>, delimiter: u8) -> Self {
        let (mut points, mut commas) = (0_usize, 0_usize);
        for amount in amounts.map(str::trim) {
            match amount.rsplit_once([',', '.']) {
                _ if whole(amount).is_some() && !amount.starts_with('0') => {}
                Some((head, _)) if amount[head.len()..].starts_with(',') => commas += 1,
                Some(_) => points += 1,
                None => {}
            }
        }
        if commas > points || commas == points && delimiter == b';' { Self::Comma } else { Self::Point }
    }

    /// An amount with a decimal point and without thousands separators; and whether it departs from the file's way.
    pub(super) fn amount(self, cell: &str) -> (String, bool) {
        let (own, other) = match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        };
        let (head, tail) = match cell.rsplit_once(own) {
            Some((head, tail)) => (head, Some(tail)),
            None => (cell, None),
        };
        let join = |head: &str, tail: Option<&str>| tail.map_or(head.to_owned(), |tail| format!("{head}.{tail}"));
        // `0,0110` in a file of decimal points: no group of thousands begins with a zero.
        let grouped = ungrouped(head, other).filter(|plain| plain != head && !head.starts_with('0'));
        match (grouped, tail) {
            (Some(plain), tail) => (join(&plain, tail), true),
            (None, None) if head.matches(other).count() == 1 => (head.replace(other, "."), true),
            (None, tail) => (join(head, tail), false),
        }
    }
}

/// Digits of a mobile country and network code, whatever stands between the two.
pub(super) fn mcc_mnc(piece: &str) -> String {
    piece.chars().filter(|c| !matches!(c, '-' | ' ' | '/' | '.' | '\u{a0}' | '\u{2013}')).collect()
}

/// Whether an address means "this cable only" (RFC 3927, RFC 4291 2.5.6): no carrier can be there.
pub(super) fn is_link_local(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unicast_link_local(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_told_from_numbers_and_prefixes() {
        for cell in [
            "=1+1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            " =x",
            "-",
            "+",
            "+cmd",
            "-1+cmd|' /C calc'!A0",
            "+A1",
            "-2+3",
            "+1+2",
            "- call first",
        ] {
            assert!(is_formula(cell), "{cell:?}");
        }
        for cell in ["", "x=1", "+37258", "-5", "+1.5", "+37258|+37259", "+372 58;0037259", "-1,5", "+49-151", "a@b"] {
            assert!(!is_formula(cell), "{cell:?}");
        }
    }

    #[test]
    fn whole_numbers_may_have_groups_of_three() {
        assert_eq!(whole("100"), Some((100, false)));
        for text in ["1,000", "1.000", "1'000", "1 000", "1\u{a0}000"] {
            assert_eq!(whole(text), Some((1000, true)), "{text}");
        }
        assert_eq!(whole("1,234,567"), Some((1_234_567, true)));
        for text in ["", "1,00", "1,0000", "1.5", "-1", "+1", "1e3", ",100", "1,000.5", "1,234.567", "x"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(whole("99999999999999999999999"), Some((u64::MAX, false)));
    }

    #[test]
    fn fractions_follow_the_file() {
        assert_eq!(Decimal::of(["0.01", "1,250", "0,5", "2.1"].into_iter(), b';'), Decimal::Point);
        assert_eq!(Decimal::of(["0,0110", "1.250", ""].into_iter(), b','), Decimal::Comma);
        assert_eq!(Decimal::of(["1,250"].into_iter(), b';'), Decimal::Comma);
        assert_eq!(Decimal::of(["1,250"].into_iter(), b','), Decimal::Point);
        for (decimal, cell, amount, departs) in [
            (Decimal::Point, "0.0110", "0.0110", false),
            (Decimal::Point, "0,0110", "0.0110", true),
            (Decimal::Point, "0,011", "0.011", true),
            (Decimal::Point, "1,250.5", "1250.5", true),
            (Decimal::Point, "1,250", "1250", true),
            (Decimal::Comma, "0,0110", "0.0110", false),
            (Decimal::Comma, "0.0110", "0.0110", true),
            (Decimal::Comma, "1.250,5", "1250.5", true),
            (Decimal::Comma, "12", "12", false),
        ] {
            assert_eq!(decimal.amount(cell), (amount.to_owned(), departs), "{cell}");
        }
    }

    #[test]
    fn link_local_addresses_in_every_notation() {
        for host in ["169.254.1.1", "fe80::1", "::ffff:169.254.0.1"] {
            assert!(is_link_local(host), "{host}");
        }
        assert!(!is_link_local("192.0.2.1") && !is_link_local("169.254.example"));
    }

    proptest! {
        #[test]
        fn any_cell_is_read(cell in ".{0,24}") {
            let _ = (is_formula(&cell), whole(&cell));
            let _ = (Decimal::Comma.amount(&cell), Decimal::of(std::iter::once(&*cell), b','));
        }
    }
}
