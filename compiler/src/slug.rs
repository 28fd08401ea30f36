//! Names without what people write in more than one way, and ids out of them.

use bindery_schema::value::{Country, MnoId, OperatorId};
use sha2::{Digest as _, Sha256};

/// Longest id (a DNS label).
const LONGEST: usize = 63;

/// The letters of a character without its accent; empty where it has none in ASCII.
pub(crate) fn ascii(character: char) -> String {
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
pub(crate) fn plain(name: &str) -> String {
    letters(name).replace("ae", "a").replace("oe", "o").replace("ue", "u")
}

/// A name without case, blanks, punctuation and accents.
pub(crate) fn letters(name: &str) -> String {
    let mut letters = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii() {
            letters.push(character);
        } else {
            letters.push_str(&ascii(character));
        }
    }
    letters.retain(|letter| letter.is_ascii_alphanumeric());
    letters.make_ascii_lowercase();
    letters
}

/// The id of a carrier: its country and its name, such as `af-roshan`. A name without a single Latin letter or digit gets
/// part of its hash.
pub fn carrier(country: Country, name: &str) -> Option<MnoId> {
    let mut id = format!("{}-{}", country.as_str().to_ascii_lowercase(), words(name));
    id.truncate(LONGEST);
    id.trim_end_matches('-').parse().ok()
}

/// The id of a carrier's n-th operator of a name: the carrier's, what the name adds to it, and from the second one on the
/// number, such as `af-roshan-premium-2`.
pub fn operator(mno: &MnoId, name: &str, number: u32) -> Option<OperatorId> {
    let name = words(name);
    let (known, ending) = (mno.as_str(), if number == 1 { String::new() } else { format!("-{number}") });
    // A bind of Roshan that is called "Roshan premium" says the carrier's name once.
    let own = known.split_once('-').map_or(known, |(_, own)| own);
    let added = name.strip_prefix(own).map_or(&*name, |rest| rest.trim_start_matches('-'));
    let mut id = if added.is_empty() { known.to_owned() } else { format!("{known}-{added}") };
    id.truncate(LONGEST - ending.len());
    format!("{}{ending}", id.trim_end_matches('-')).parse().ok()
}

/// The words of a name in small Latin letters, with dashes between them.
fn words(name: &str) -> String {
    let plain: String = name.chars().map(ascii).collect::<String>().to_ascii_lowercase();
    let words: Vec<_> = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { hex::encode(&Sha256::digest(name)[..4]) } else { words.join("-") }
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

    #[test]
    fn operators_are_named_by_carrier_name_and_number() {
        let id = |mno: &str, name: &str, number| operator(&mno.parse().unwrap(), name, number).unwrap().to_string();
        assert_eq!(id("af-roshan", "Roshan premium", 1), "af-roshan-premium");
        assert_eq!(id("af-roshan", "Roshan", 1), "af-roshan");
        assert_eq!(id("af-roshan", "Wholesale Süd", 2), "af-roshan-wholesale-sud-2");
        assert_eq!(id("af-roshan", &"x".repeat(99), 12).len(), 63);
    }
}
