//! The passwords of a whole sheet, and what looks like one. A row's own password is refused wherever it stands ([`secret`]);
//! that of another row only where it can be nothing else: `orange` is a carrier's name too.
//!
//! [`secret`]: super::secret

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::header::Columns;
use super::names::Field;
use super::secret::visible;

/// Characters of the shortest password that is told from a word, a number or an abbreviation by its look.
const SHORTEST: usize = 6;
/// Characters of the longest that is looked for. SMPP 3.4 allows 8; what is far longer is a text in the wrong column.
const LONGEST: usize = 64;

/// Passwords of all rows, refused ones included, by which every cell is looked up; each with its row, unless several have it.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    rows: HashMap<String, Option<u32>>,
    /// A bit for each length in bytes that one has: most words need no look-up.
    lengths: u128,
}

impl Passwords {
    /// Collects the passwords of rows. What stands in a whole column of other rows is what that column is for: there a row
    /// has its cells in the wrong order.
    pub(super) fn of(rows: impl Iterator<Item = Vec<String>> + Clone, columns: &Columns) -> Self {
        let wanted = columns.headers.len();
        let (mut certain, mut doubtful) = (HashMap::new(), HashMap::new());
        for (cells, row) in rows.clone().zip(1..) {
            // A row with cells too many or too few has its password where it belongs, or as far beside. One whose cells have
            // moved within it has none where it belongs.
            let cells = &cells;
            let places = columns.secret().iter().flat_map(|column| {
                let beside = (column + cells.len()).checked_sub(wanted).filter(|moved| moved != column);
                let gone = cells.len() == wanted && !is_telling(cells[*column].trim());
                let near = [column.checked_sub(1), Some(column + 1)].into_iter().flatten().filter(move |_| gone);
                let moved = near.filter(|place| cells.get(*place).is_some_and(|cell| is_random(cell.trim())));
                [Some(*column), beside].into_iter().flatten().chain(moved)
            });
            let found =
                places.filter_map(|place| Some(visible(cells.get(place)?.trim()))).filter(|text| is_telling(text));
            let into = if cells.len() == wanted { &mut certain } else { &mut doubtful };
            for text in found {
                into.entry(text)
                    .and_modify(|of: &mut Option<u32>| *of = of.filter(|of| *of == row))
                    .or_insert(Some(row));
            }
        }
        if certain.is_empty() && doubtful.is_empty() {
            return Self::default();
        }
        let usual: Vec<usize> =
            columns.known().filter(|(field, _)| *field != Field::Notes).map(|(_, column)| column).collect();
        let mut seen: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for cells in rows.filter(|cells| cells.len() == wanted) {
            for column in usual.iter().filter(|column| !columns.secret().contains(column)) {
                let cell = visible(cells[*column].trim());
                if certain.contains_key(&cell) || doubtful.contains_key(&cell) {
                    *seen.entry((*column, cell)).or_default() += 1;
                }
            }
        }
        let noc = columns.column(Field::NocContact);
        let often =
            seen.iter().filter(|((column, cell), count)| **count > 1 && (Some(*column) != noc || cell.contains('@')));
        let often: BTreeSet<&String> = often.map(|((_, cell), _)| cell).collect();
        let once: BTreeSet<&String> = seen.keys().map(|(_, cell)| cell).collect();
        doubtful.retain(|text, _| !once.contains(text) && !certain.contains_key(text));
        certain.retain(|text, _| !often.contains(text));
        certain.extend(doubtful);
        let lengths =
            certain.keys().filter(|text| text.len() <= LONGEST).fold(0, |lengths, text| lengths | 1 << text.len());
        Self { rows: certain, lengths }
    }

    /// Whether one of another row stands in a cell of this row as a word: with nothing but blanks, punctuation or an end on
    /// either side.
    pub(super) fn is_repeated(&self, cell: &str, row: u32) -> bool {
        if self.rows.is_empty() || cell.len() < SHORTEST {
            return false;
        }
        let cell = visible(cell);
        let mut ends: Vec<usize> = vec![0];
        let mut before = None;
        for (at, character) in cell.char_indices() {
            if before.is_some_and(|before: char| !before.is_alphanumeric() || !character.is_alphanumeric()) {
                ends.push(at);
            }
            before = Some(character);
        }
        ends.push(cell.len());
        // No more than so many bytes from each word on: time grows with the cell alone.
        let words = |(place, from): (usize, &usize)| {
            let near = ends[place + 1..].iter().take_while(move |to| **to - from <= LONGEST).map(move |to| *from..*to);
            let mut near = near.filter(|word| self.lengths >> word.len() & 1 == 1);
            near.any(|word| self.rows.get(&cell[word]).is_some_and(|of| *of != Some(row)))
        };
        ends.iter().enumerate().any(words)
    }
}

/// Whether a password can be told from what else stands in a sheet: letters with digits or signs between them, and neither
/// a host nor a mail address.
fn is_telling(text: &str) -> bool {
    let is_host = |text: &str| text.matches('.').count() > 1;
    let is_mail = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    is_mixed(text, &['_']) && !is_host(text) && !is_mail && !text.contains(char::is_whitespace)
}

/// Whether a word mixes letters with digits, or with signs that no name has.
fn is_mixed(word: &str, signs: &[char]) -> bool {
    let sign = |c: char| c.is_ascii_punctuation() && !"-_./@,;:|+()'\"".contains(c) || signs.contains(&c);
    (SHORTEST..=LONGEST).contains(&word.chars().count())
        && word.contains(char::is_alphabetic)
        && word.contains(|c: char| c.is_ascii_digit() || sign(c))
}

/// Whether a cell that does not fit its field looks like a password rather than like something mistyped.
pub(super) fn is_likely(field: Field, cell: &str) -> bool {
    let mut words =
        cell.split(|c: char| c.is_whitespace() || matches!(c, '|' | ';' | ',')).filter(|word| is_mixed(word, &[]));
    match field {
        Field::Country | Field::MccMnc | Field::BindMode => words.next().is_some(),
        Field::Port
        | Field::Window
        | Field::MaxTps
        | Field::Priority
        | Field::Weight
        | Field::Cost
        | Field::Prefixes => words.any(|word| !is_number_with_unit(word)),
        Field::Host => words.any(|word| !word.contains(['.', ':', '/'])),
        Field::OperatorId => words.any(|word| !is_of_words(word)),
        // Anything may stand there.
        Field::MnoName
        | Field::SystemId
        | Field::Password
        | Field::SystemType
        | Field::ContractRef
        | Field::NocContact
        | Field::Notes => false,
    }
}

/// `100tps`, `0.01USD`, `9.37E+04`, `3725xxx`.
fn is_number_with_unit(word: &str) -> bool {
    /// What people write behind rates and prefixes.
    const UNITS: [&str; 14] =
        ["tps", "mps", "msg/s", "sms/s", "/s", "/sec", "msg", "sms", "mt/s", "usd", "eur", "gbp", "/sms", "s"];
    let lower = word.to_ascii_lowercase();
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || ".'’+-".contains(c));
    let unit = lower.trim_start_matches(|c: char| c.is_ascii_digit() || ".'’+-".contains(c));
    let rounded = lower.split_once('e').is_some_and(|(number, power)| is_number(number) && is_number(power));
    let is_word = UNITS.contains(&unit) || !unit.is_empty() && unit.chars().all(|c| c == 'x' || c == '*' || c == '#');
    rounded || unit.len() < lower.len() && is_word
}

/// `AF_Roshan_TRX1`: words, each with a number at its end at most.
fn is_of_words(text: &str) -> bool {
    let is_word = |word: &str| {
        let tail = word.trim_start_matches(|c: char| c.is_alphabetic());
        tail.chars().all(|c| c.is_ascii_digit())
    };
    text.contains(['-', '_', '.', '/']) && text.split(['-', '_', '.', '/']).all(is_word)
}

/// Whether a word changes between letters and digits so often that nobody made an id of it: `wq7kz2lp`, where `roshan1` changes
/// once.
pub(super) fn is_random(text: &str) -> bool {
    /// More changes than names have.
    const MOST: usize = 2;
    is_mixed(text, &[]) && changes(text) > MOST && text.chars().all(char::is_alphanumeric)
}

/// How often a word changes between digits and other characters.
pub(super) fn changes(word: &str) -> usize {
    let kinds = || word.chars().map(|c| c.is_ascii_digit());
    kinds().zip(kinds().skip(1)).filter(|(a, b)| a != b).count()
}

#[cfg(test)]
mod tests {
    use super::super::header::Mapping;
    use super::*;

    fn sheet(rows: &[[&str; 4]]) -> Passwords {
        let headers = "System ID,Password,NOC Contact,Notes,Operator ID,MNO,Country,Host,Port,Bind Mode,Prefixes";
        let columns = Columns::find(headers.split(',').map(str::to_owned).collect(), &Mapping::default()).unwrap();
        let cells = |row: &[&str; 4]| row.iter().chain([&""; 7]).map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        Passwords::of(rows.iter().map(cells), &columns)
    }

    #[test]
    fn a_password_of_another_row_is_found_as_a_word() {
        let passwords = sheet(&[["gw", "k3y7pq2x", "", ""], ["gw", "pa$sword", "", ""], ["gw", "orange", "", ""]]);
        for cell in [
            "k3y7pq2x",
            "as zz-1: K3Y7PQ2X",
            "(k3y7pq2x)",
            "pw=k3y7pq2x;",
            "k3y7pq2x.example",
            "is pa$sword!",
            "x-pa$sword",
        ] {
            assert!(passwords.is_repeated(cell, 9), "{cell}");
        }
        for cell in ["", "Orange", "k3y7pq2", "k3y7pq2xx", "ak3y7pq2x", "k3y7 pq2x", "password"] {
            assert!(!passwords.is_repeated(cell, 9), "{cell}");
        }
        // Its own row has been told already.
        assert!(!passwords.is_repeated("k3y7pq2x", 1) && passwords.is_repeated("k3y7pq2x", 2));
        assert!(sheet(&[["gw", "", "", ""]]).rows.is_empty());
    }

    #[test]
    fn what_other_rows_have_in_a_column_is_no_password() {
        let passwords =
            sheet(&[["wq7kz2lp", "acme01", "", ""], ["acme01", "cn4ry001", "", ""], ["acme01", "cn4ry002", "", ""]]);
        assert!(!passwords.is_repeated("acme01", 9) && passwords.is_repeated("cn4ry001", 9));
        let passwords = sheet(&[
            ["gw", "acme01", "", ""],
            ["acme01", "cn4ry001", "", "cn4ry002"],
            ["gw", "cn4ry002", "", "cn4ry002"],
        ]);
        assert!(passwords.is_repeated("acme01", 9) && passwords.is_repeated("cn4ry002", 9));
        // A cell before it was deleted.
        assert!(sheet(&[["wq7kz2lp", "SMPP", "", ""], ["gw", "cn4ry001", "", ""]]).is_repeated("see wq7kz2lp", 9));
    }

    #[test]
    fn a_password_is_told_from_a_slip() {
        for (field, cell) in [
            (Field::Port, "Wq7Kz2Lp"),
            (Field::MaxTps, "100 Wq7Kz2Lp"),
            (Field::Prefixes, "37258|wq7kz2lp"),
            (Field::Cost, "abc$def"),
            (Field::Country, "abcd1234"),
            (Field::Host, "wq7%kz2l"),
            (Field::OperatorId, "Wq7Kz2Lp"),
        ] {
            assert!(is_likely(field, cell), "{cell}");
        }
        for (field, cell) in [
            (Field::Port, "2775/2776"),
            (Field::MaxTps, "1000tps"),
            (Field::MaxTps, "unlimited"),
            (Field::Prefixes, "9.37E+04"),
            (Field::Prefixes, "3725xxxx"),
            (Field::Cost, "0.0110 EUR"),
            (Field::Cost, "0.0110USD"),
            (Field::Host, "smsc_1.alpha.example:2775"),
            (Field::OperatorId, "AF_Roshan_TRX1"),
            (Field::Notes, "Wq7Kz2Lp"),
        ] {
            assert!(!is_likely(field, cell), "{cell}");
        }
        assert!(
            is_random("wq7kz2lp") && !is_random("roshan01") && !is_random("tele2mobile") && !is_random("af-1-b2c3")
        );
    }
}
