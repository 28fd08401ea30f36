//! Passwords and tokens in the clear. The value is never repeated: not in a message, not in a help text.

use std::borrow::Cow;

use super::decode::Report;
use super::yaml::{Node, Resolved, Value};
use crate::diagnostic::Code;

/// Words in the name of a field that make its scalar a secret.
pub(crate) const NAMES: [&str; 10] =
    ["password", "passwd", "secret", "token", "credential", "passphrase", "passwort", "kennwort", "pwd", "apikey"];
/// Abbreviations of a name like these: words of their own alone.
const SHORT_NAMES: [&str; 3] = ["pass", "pw", "psk"];
/// How known tokens begin: of Vault, of AWS, and the private half of an age key.
const TOKENS: [&str; 3] = ["hvs.", "AKIA", "AGE-SECRET-KEY-1"];

const PRIVATE_KEY: &str = "-----BEGIN ";

/// Whether a name says that what it names is a secret.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let says = |word: &&str| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    NAMES.iter().any(says)
        || SHORT_NAMES.iter().any(|short| name.eq_ignore_ascii_case(short))
        || is_password_misspelt(name)
}

/// Whether a name is `password` but for one slip of the fingers.
fn is_password_misspelt(name: &str) -> bool {
    name.len().abs_diff(NAMES[0].len()) <= 1 && strsim::damerau_levenshtein(&name.to_ascii_lowercase(), NAMES[0]) <= 1
}

/// Whether a field is a secret in the clear by its name.
pub(super) fn is_plaintext(name: &str, value: &Node<'_>) -> bool {
    // Nothing is no secret.
    let holds_text = || matches!(&value.value, Value::Scalar(scalar) if scalar.resolve() != Resolved::Null);
    names_a_secret(name) && holds_text()
}

/// Whether a text is a secret by its look.
pub(crate) fn is_suspicious(text: &str) -> bool {
    let private_key =
        || text.starts_with(PRIVATE_KEY) && text.lines().next().is_some_and(|line| line.ends_with("PRIVATE KEY-----"));
    TOKENS.iter().any(|mark| text.strip_prefix(mark).is_some_and(is_token_rest)) || private_key()
}

/// Whether a token goes on so behind its mark: "AKIA Telecom" is a name.
fn is_token_rest(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| c.is_ascii_alphanumeric())
}

/// A line for people with every token in it covered, and every password of an address (`user:password@host`).
pub(crate) fn covered(line: &str) -> Cow<'_, str> {
    let is_suspected = line.contains('@') || TOKENS.iter().any(|mark| line.contains(mark));
    if !is_suspected {
        return Cow::Borrowed(line);
    }
    let is_bound = |c: char| c.is_whitespace() || "`'\"/,;()[]{}<>|".contains(c);
    let mut shown = String::with_capacity(line.len());
    for word in line.split_inclusive(is_bound) {
        let text = word.trim_end_matches(is_bound);
        let end = &word[text.len()..];
        match (text.split_once(':'), text.rfind('@')) {
            (Some((user, _)), Some(at)) if user.len() < at => {
                shown.extend([user, ":****", &text[at..]]);
            }
            _ => match TOKENS.iter().filter_map(|mark| text.find(mark)).min() {
                Some(from) if is_suspicious(&text[from..]) => shown.extend([&text[..from], "****"]),
                _ => shown.push_str(text),
            },
        }
        shown.push_str(end);
    }
    Cow::Owned(shown)
}

/// Whether a text may hold what looks like a secret. What is one by its name is a field that no kind has: decoding leaves
/// it out, which is seen without a search.
pub(super) fn may_hold_token(text: &str) -> bool {
    // An escape can spell anything.
    text.contains('\\') || TOKENS.iter().chain([&PRIVATE_KEY]).any(|mark| text.contains(mark))
}

/// Notes every secret in a document.
pub(super) fn check(node: &Node<'_>, report: &mut Report) {
    match &node.value {
        Value::Scalar(scalar) if is_suspicious(&scalar.text) => {
            plaintext(node, report, "the value looks like a token or a private key");
        }
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter().for_each(|item| check(item, report)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match key.as_text() {
                    Some(name) if is_suspicious(name) => {
                        plaintext(key, report, "the key looks like a token or a private key");
                    }
                    Some(name) if is_plaintext(name, value) => {
                        // A key of more than one word may be the secret itself.
                        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                        let named = name.chars().all(is_word).then(|| format!("`{name}`"));
                        let named = named.as_deref().unwrap_or("a field");
                        plaintext(value, report, &format!("{named} holds a secret in the clear"));
                    }
                    _ => check(value, report),
                }
            }
        }
    }
}

fn plaintext(node: &Node<'_>, report: &mut Report, message: &str) {
    let help = "remove it, change the password at the carrier since git remembers, and run `bindery seal --operator ID --write`";
    report.fault(Code::PlaintextSecret, node.span, message.to_owned(), Some(help.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in
            ["smppPassword", "PASSWD", "pwd", "pw", "Pass", "passwrod", "pasword", "Passwort", "apiKey", "vaultToken"]
        {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["bypass", "passage", "host", "pwr", "passport", "notes", "key"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn tokens_are_told_from_names() {
        for text in ["hvs.CAESIJ", "AKIAIOSFODNN7EXAMPLE", "AGE-SECRET-KEY-1QQQ", "-----BEGIN RSA PRIVATE KEY-----\nx"]
        {
            assert!(is_suspicious(text), "{text}");
        }
        for text in ["AKIA Telecom", "age1qqq", "a hvs.x", "-----BEGIN CERTIFICATE-----"] {
            assert!(!is_suspicious(text), "{text}");
        }
    }

    #[test]
    fn lines_are_shown_without_tokens() {
        for (line, shown) in [
            ("it is for `hvs.CAES-IJ_x`, and nothing", "it is for `****`, and nothing"),
            ("recipients: [\"AGE-SECRET-KEY-1QQQ\"] # b", "recipients: [\"****\"] # b"),
            ("`smpp://acme:hunter22@smpp.example:2775` is", "`smpp://acme:****@smpp.example:2775` is"),
            ("host: acme:hunter22@smpp.example", "host: acme:****@smpp.example"),
            ("AKIA Telecom, noc@akia.example", "AKIA Telecom, noc@akia.example"),
            ("a line of words", "a line of words"),
        ] {
            assert_eq!(covered(line), shown);
        }
    }
}
