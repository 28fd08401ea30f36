//! A carrier's NOC from the one cell the spreadsheet has for it.

use bindery_schema::mno::Contact;
use bindery_schema::value::{Name, ValueError};

/// The desk of a carrier whose contact nobody wrote down.
pub(super) const UNNAMED: &str = "NOC desk";

/// A desk of which no more than that it exists is known.
pub(super) fn unnamed() -> Result<Contact, ValueError> {
    Ok(Contact { name: UNNAMED.parse()?, role: None, email: None, phone: None })
}

/// Reads `noc@carrier.example`, `+372 555 0100`, `Jane Doe <jane@carrier.example>` or any mixture.
pub(super) fn read(text: &str) -> Result<Contact, ValueError> {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_email =
        |word: &&str| word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    let bare = |word: &'_ str| word.trim_matches(['<', '>', '(', ')', ',', ';', ':', '/', '|']).to_owned();
    let words: Vec<String> = one_line.split([' ', ',', ';', '/', '|', '<', '>']).map(bare).collect();
    let email = words.iter().map(String::as_str).find(is_email);
    let mut rest = one_line.clone();
    if let Some(email) = email {
        rest = rest.replacen(email, " ", 1);
    }
    let phone = phone(&rest);
    if let Some(phone) = &phone {
        rest = rest.replacen(phone.as_str(), " ", 1);
    }
    let name = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = name.trim_matches(|c: char| !c.is_alphanumeric() && c != '.');
    let name: Name = if name.is_empty() { UNNAMED } else { name }.parse()?;
    let parse = |text: Option<String>| text.map(|text| text.parse::<Name>()).transpose();
    Ok(Contact { name, role: None, email: parse(email.map(str::to_owned))?, phone: parse(phone)? })
}

/// The first stretch that can be a telephone number: at least seven digits and what people put between them.
fn phone(text: &str) -> Option<String> {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '/' | '.');
    let stretches = text.split(|c: char| !part(c)).map(|stretch| stretch.trim_matches([' ', '-', '/', '.']));
    stretches.filter(|stretch| stretch.bytes().filter(u8::is_ascii_digit).count() >= 7).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mail_telephone_and_name_are_told_apart() {
        for (cell, name, email, phone) in [
            ("noc@alpha.example", UNNAMED, Some("noc@alpha.example"), None),
            ("+372 555 0100", UNNAMED, None, Some("+372 555 0100")),
            ("Jane Doe <jane@x.example>", "Jane Doe", Some("jane@x.example"), None),
            ("Jane Doe, +372 555-0100; j@x.example", "Jane Doe", Some("j@x.example"), Some("+372 555-0100")),
            ("Leitstelle\nNord", "Leitstelle Nord", None, None),
            ("@", UNNAMED, None, None),
        ] {
            let contact = read(cell).unwrap();
            let text = |value: &Option<Name>| value.as_ref().map(ToString::to_string);
            assert_eq!(contact.name.as_str(), name, "{cell}");
            assert_eq!((text(&contact.email).as_deref(), text(&contact.phone).as_deref()), (email, phone), "{cell}");
        }
        assert!(read(&"x".repeat(121)).is_err());
    }

    proptest! {
        #[test]
        fn any_cell_is_read(cell in ".{0,40}") {
            let _ = read(&cell);
        }
    }
}
