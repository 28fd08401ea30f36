//! Countries as people write them: by code, or by an English or German name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bindery_schema::value::{Country, ValueError};

use crate::slug::plain;

/// A country a line: its code, then its names.
const NAMES: &str = include_str!("countries.tsv");

/// Codes by name in its plain form.
static BY_NAME: LazyLock<BTreeMap<String, &str>> =
    LazyLock::new(|| names().map(|(code, name)| (plain(name), code)).collect());

fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = NAMES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('\t'))
        .flat_map(|(code, names)| names.split('\t').map(move |name| (code, name)))
}

/// A country by its code of two or three letters, its common or official name.
pub(super) fn read(cell: &str) -> Result<Country, ValueError> {
    let upper = cell.to_ascii_uppercase();
    let code = match celes::Country::from_alpha3(&upper).or_else(|_| celes::Country::from_name(cell)) {
        _ if upper.parse::<Country>().is_ok() => &upper,
        // The table first: it knows common names, and of no two countries the same.
        known => BY_NAME.get(&plain(cell)).copied().or(known.ok().map(|known| known.alpha2)).unwrap_or(cell),
    };
    code.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_in_both_languages() {
        for (cell, code) in [
            ("EE", "EE"),
            ("ee", "EE"),
            ("EST", "EE"),
            ("Estonia", "EE"),
            ("ESTLAND", "EE"),
            ("Deutschland", "DE"),
            ("Österreich", "AT"),
            ("Oesterreich", "AT"),
            ("Cote d'Ivoire", "CI"),
            ("Elfenbeinküste", "CI"),
            ("Samoa", "WS"),
            ("UK", "GB"),
            ("USA", "US"),
            ("Bosnien-Herzegowina", "BA"),
            ("Bosnia and Herzegovina", "BA"),
            ("Kosovo", "XK"),
            ("Republic of Korea", "KR"),
        ] {
            assert_eq!(read(cell).unwrap().as_str(), code, "{cell}");
        }
        for cell in ["ZZ", "Atlantis", "é", "", "-"] {
            assert!(read(cell).is_err(), "{cell}");
        }
    }

    #[test]
    fn every_country_is_listed_and_no_name_means_two() {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (code, name) in names() {
            assert!(code.parse::<Country>().is_ok(), "{code}");
            assert_eq!(*seen.entry(plain(name)).or_insert(code), code, "{name}");
        }
        for country in celes::Country::get_countries() {
            assert!(seen.values().any(|code| *code == country.alpha2), "{}", country.alpha2);
        }
    }
}
