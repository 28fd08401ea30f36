//! Passwords and tokens in the clear. The value is never repeated: not in a message, not in a help text.

use super::decode::Report;
use super::yaml::{Node, Resolved, Value};
use crate::diagnostic::Code;

/// Words in the name of a field that make its scalar a secret.
pub(crate) const NAMES: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];
/// How known tokens begin.
const TOKENS: [&str; 2] = ["hvs.", "AKIA"];

const PRIVATE_KEY: &str = "-----BEGIN ";

/// Whether a name says that what it names is a secret.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let says = |word: &&str| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    NAMES.iter().any(says)
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
    TOKENS.iter().any(|token| text.starts_with(token)) || private_key()
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
                        plaintext(value, report, &format!("`{name}` holds a secret in the clear"));
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
