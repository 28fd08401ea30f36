//! What would tell a secret. A cell that does is refused and never shown: not in a message, not as what was changed, not as
//! the operator of its row, and no file is made of it. This is the one place where cells are held against a password.

use super::passwords::changes;
use crate::parse::{is_suspicious, names_a_secret};
use crate::slug::letters;

/// Characters of the shortest password that is looked for. One of three is a syllable or a number that stands in every other
/// cell by chance, and whoever reads it there learns nothing; from four on a row rather waits for another password than
/// hands out this one. A systemId or a name that *is* the password is no exception: it would stand in a file that people may
/// read who may not read passwords.
const TELLING: usize = 4;

/// Letters and digits of the shortest password that is looked for across blanks and punctuation: a shorter one begins in one
/// word and ends in the next by chance.
const SPELT: usize = 6;

/// Whether a cell holds a password, whatever case it is in, or spelt with blanks or punctuation: names lose both on their
/// way into ids.
pub(super) fn repeats(cell: &str, password: &str) -> bool {
    let (cell, password) = (visible(cell), visible(password.trim()));
    if password.chars().count() < TELLING {
        return false;
    }
    // Digits within a longer number, such as a prefix, are that number.
    if password.chars().all(|c| c.is_ascii_digit()) {
        return cell.split(|c: char| !c.is_ascii_digit()).any(|number| number == password);
    }
    if cell.contains(&password) {
        return true;
    }
    let spelt = letters(&password);
    let tells = spelt.len() >= SPELT && spelt.contains(|c: char| c.is_ascii_alphabetic());
    tells && letters(&cell).contains(&spelt)
}

/// A text in small letters, without characters nobody sees: some of them are lost on the way into a file.
pub(super) fn visible(text: &str) -> String {
    let hidden =
        |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{feff}');
    let shown = text.chars().filter(|c| !hidden(c) && (!c.is_control() || c.is_whitespace()));
    shown.collect::<String>().to_lowercase()
}

/// Whether a text has a private key in it, or one of its words begins as known tokens do.
pub(super) fn holds_token(text: &str) -> bool {
    let bare = |word: &str| is_suspicious(word.trim_start_matches(|c: char| !c.is_alphanumeric()));
    text.contains("PRIVATE KEY-----") || text.split_whitespace().any(bare)
}

/// How people call columns of passwords, beside the names that make a field of a file a secret.
const NAMES: [&str; 2] = ["passw", "geheim"];
/// An abbreviation, which is a word of its own alone.
const SHORT_NAME: &str = "psw";

/// Whether a column is one of secrets by its name.
pub(super) fn is_secret_header(header: &str) -> bool {
    let says =
        |word: String| names_a_secret(&word) || NAMES.iter().any(|name| word.contains(name)) || word == SHORT_NAME;
    header.split(|c: char| !c.is_alphanumeric()).map(letters).any(says)
}

/// Words between a password and its name.
const BETWEEN: [&str; 9] = ["is", "ist", "lautet", "was", "war", "old", "new", "alt", "neu"];

/// Whether a free text names a password and has one behind it: `Passwort: Ab12cd34`, `pwd Ab12cd34`. Behind a colon or an equals
/// sign letters and digits will do; behind a blank there are texts such as `password Rotation2024`, so small letters, capitals
/// and digits it must be, with digits in the middle or more than once.
pub(super) fn names_password(text: &str) -> bool {
    let text = text.replace(['\u{a0}', '\u{202f}'], " ");
    let mut at = 0;
    while let Some(length) = text[at..].split(|c: char| !c.is_alphanumeric()).next().map(str::len) {
        let rest = &text[at + length..];
        if is_password_name(&text[at..at + length]) && says_password(rest) {
            return true;
        }
        let Some(next) = rest.chars().next() else { break };
        at += length + next.len_utf8();
    }
    false
}

fn is_password_name(word: &str) -> bool {
    const WORDS: [&str; 10] =
        ["password", "passwd", "passwort", "passphrase", "passcode", "kennwort", "pwd", "pw", "pass", "pin"];
    /// What compounds end in, such as `Zugangskennwort`.
    const TAILS: [&str; 3] = ["password", "passwort", "kennwort"];
    let word = word.to_lowercase();
    WORDS.contains(&&*word) || TAILS.iter().any(|tail| word.ends_with(tail))
}

/// Whether what stands behind the name of a password is one.
fn says_password(rest: &str) -> bool {
    /// What a password is told by here: shorter ones are words and numbers.
    const SHORTEST: usize = 6;
    let mut marked = false;
    let mut rest = rest;
    loop {
        let bare = rest.trim_start_matches(|c: char| c.is_whitespace() || ":=>-–()\"'`".contains(c));
        marked |= rest[..rest.len() - bare.len()].contains([':', '=']);
        let word = bare.split(|c: char| c.is_whitespace() || ":=()".contains(c)).next().unwrap_or_default();
        if !BETWEEN.contains(&&*word.to_lowercase()) {
            rest = bare;
            break;
        }
        rest = &bare[word.len()..];
    }
    let word = rest.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).next().unwrap_or_default();
    let word = word.trim_matches(|c: char| matches!(c, '.' | ')' | '"' | '\'' | '`'));
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let digits = has(char::is_ascii_digit);
    let mixed = digits && has(|c| c.is_alphabetic());
    let random = mixed && changes(word) > 1 && has(|c| c.is_lowercase()) && has(|c| c.is_uppercase());
    // Where a password is kept, and the ticket it was changed by.
    let path = word.contains("://") || word.matches('/').count() > 1;
    let ticket = word.split_once('-').is_some_and(|(head, tail)| {
        head.chars().all(|c| c.is_ascii_uppercase()) && tail.chars().all(|c| c.is_ascii_digit())
    });
    word.chars().count() >= SHORTEST && (random || marked && mixed) && !path && !ticket
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_found_in_every_spelling() {
        for (cell, password) in [
            (" Kennwort cn4r9999 gilt ", "cn4r9999"),
            ("pw:cn4r9999", " cn4r9999 "),
            ("GW.CN4R9999.EXAMPLE", "cn4r9999"),
            ("cn4r-9999", "cn4r9999"),
            ("cn4r\n9999", "cn4r9999"),
            ("cn4r\u{200b}9999", "cn4r9999"),
            ("Ab Cd 12", "ab-cd-12"),
            ("pw cn4r", "cn4r"),
            ("%&/() is it", "%&/()"),
            ("2775 pw 12345678", "12345678"),
            ("пароль", "Пароль"),
        ] {
            assert!(repeats(cell, password), "{cell:?} {password:?}");
        }
        for (cell, password) in [
            ("abc", "abc"),
            ("anything", ""),
            ("anything", "   "),
            ("37258123|3725999", "37258"),
            ("no camel", "came1"),
            ("at estuary", "test"),
            ("cn4r 999", "cn4r9999"),
        ] {
            assert!(!repeats(cell, password), "{cell:?} {password:?}");
        }
    }

    #[test]
    fn tokens_are_found_behind_other_words() {
        for text in
            ["hvs.abcdefgh", "noc desk hvs.abcdefgh", "(AKIAIOSFODNN7EXAMPLE)", "key -----BEGIN PRIVATE KEY-----MII"]
        {
            assert!(holds_token(text), "{text}");
        }
        for text in ["", "noc@alpha.example", "the hvs", "- x", "-----BEGIN"] {
            assert!(!holds_token(text), "{text}");
        }
    }

    #[test]
    fn a_password_is_found_behind_its_name() {
        for text in [
            "password: Old114pw",
            "pw=old115pw",
            "Passwort Old116pw",
            "old pass Old117pw",
            "PIN: a1b2c3",
            "since May (SMPP-Kennwort: ab12cd34), see there",
            "Zugangspasswort = 'ab12cd34'.",
            "password (old): ab12cd34",
            "Passwort lautet Old116pw",
            "pw\u{a0}:\u{a0}ab12cd34",
        ] {
            assert!(names_password(text), "{text}");
        }
        for text in [
            "",
            "password: see vault",
            "password rotated 2024-05",
            "password rotated: 2024-05",
            "Passwort: siehe KeePass",
            "PIN 4711",
            "password",
            "pw:",
            "bypass: route2b",
            "password: kv/ops/af-1/smpp",
            "password changed, OPS-1234",
            "Passwort: OPS-1234",
            "password rotated2024",
            "password Rotation2024",
        ] {
            assert!(!names_password(text), "{text}");
        }
    }

    #[test]
    fn columns_of_passwords_are_known_by_their_names() {
        for header in [
            "Zugangskennwort",
            "SMPP PW",
            "Pass-Wort",
            "pwd2",
            "Geheimnis",
            "API Token",
            "Client Secret",
            "PASSPHRASE",
            "Passwort geändert am",
        ] {
            assert!(is_secret_header(header), "{header}");
        }
        for header in ["", "Host", "System ID", "Bypass", "Kompass", "Passau", "Wort", "Kompass-Weg", "Kennung"] {
            assert!(!is_secret_header(header), "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_password_is_found_between_anything(head in ".{0,6}", tail in ".{0,6}", between in "[-. _\u{ad}\n]{0,2}") {
            let cell = format!("{head}Cn4r{between}9999{tail}");
            prop_assert!(repeats(&cell, "cn4r9999"));
        }

        #[test]
        fn any_text_is_read(text in "(pw|pass|[:= ]|[a-zA-Z0-9]|.){0,24}") {
            let _ = names_password(&text);
        }
    }
}
