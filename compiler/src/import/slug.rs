//! Names without what people write in more than one way, and ids out of them.

use bindery_schema::value::{Country, MnoId};
use sha2::{Digest as _, Sha256};

/// The letters of a character without its accent; empty where it has none in ASCII.
pub(super) fn ascii(character: char) -> String {
    let plain = match character {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'æ' | 'Æ' => "ae",
        'ç' | 'ć' | 'č' | 'Ç' | 'Ć' | 'Č' => "c",
        'ď' | 'đ' | 'ð' | 'Ď' | 'Đ' | 'Ð' => "d",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "e",
        'ğ' | 'ģ' | 'Ğ' | 'Ģ' => "g",
        'ì'..='ï' | 'ī' | 'į' | 'ı' | 'Ì'..='Ï' | 'Ī' | 'Į' | 'İ' => "i",
        'ķ' | 'Ķ' => "k",
        'ł' | 'ļ' | 'ľ' | 'Ł' | 'Ļ' | 'Ľ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' | 'Ñ' | 'Ń' | 'Ň' | 'Ņ' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "o",
        'œ' | 'Œ' => "oe",
        'ř' | 'Ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'Ś' | 'Š' | 'Ş' | 'Ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' | 'Ť' | 'Ţ' | 'Ț' => "t",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' | 'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' | 'Ų' => "u",
        'ý' | 'ÿ' | 'Ý' | 'Ÿ' => "y",
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z",
        _ if character.is_ascii() => return character.to_string(),
        _ => "",
    };
    plain.to_owned()
}

/// A name without case, blanks, punctuation and accents; `ä` and `ae` are one.
pub(super) fn plain(name: &str) -> String {
    letters(name).replace("ae", "a").replace("oe", "o").replace("ue", "u")
}

/// A name without case, blanks, punctuation and accents.
pub(super) fn letters(name: &str) -> String {
    let ascii: String = name.chars().map(ascii).collect();
    ascii.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The id of a carrier: its country and its name, such as `af-roshan`. A name without a single Latin letter or digit gets
/// part of its hash.
pub(super) fn carrier(country: Country, name: &str) -> Option<MnoId> {
    /// Longest id (a DNS label).
    const LONGEST: usize = 63;
    let plain: String = name.chars().map(ascii).collect::<String>().to_ascii_lowercase();
    let words: Vec<_> = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug = if words.is_empty() { hex::encode(&Sha256::digest(name)[..4]) } else { words.join("-") };
    let mut id = format!("{}-{slug}", country.as_str().to_ascii_lowercase());
    id.truncate(LONGEST);
    id.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_named_by_country_and_name() {
        let id = |name: &str| carrier("EE".parse().unwrap(), name).unwrap().to_string();
        assert_eq!(id("Alpha Mobile"), "ee-alpha-mobile");
        assert_eq!(id(" Télé2 (Öst) & Søn "), "ee-tele2-ost-son");
        assert_eq!(id(&"x".repeat(120)).len(), 63);
        assert!(id("Билайн").len() == 11 && id("Билайн") != id("Мегафон"));
    }
}
