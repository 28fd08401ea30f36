//! Edits of configuration files that leave every other byte as it is.
//!
//! Places come from the YAML parser, the edit itself is by lines. The result is parsed again before it is handed out, so a
//! layout this module does not understand is an error and never a damaged file.

use bindery_schema::value::OperatorId;

use crate::parse::yaml::{self, Node, Value};
use crate::source::{Content, Loaded};

const CREDENTIALS: &str = "spec.credentials";
const RECIPIENTS: &str = "spec.secrets.recipients";

/// Why a file was not edited.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The file does not define the operator.
    #[error("the file does not define the operator `{0}`")]
    NoOperator(OperatorId),
    /// The place is written in a form that cannot be edited by lines, such as `credentials: {}`.
    #[error("{0} cannot be edited as it is written: give each key its own line, without braces or aliases")]
    Layout(&'static str),
}

/// Whether a file defines an operator.
pub fn defines(file: &Loaded, operator: &OperatorId) -> bool {
    // A search for the id first: parsing every file for one of them is slow.
    matches!(&file.content, Content::Text(text) if text.contains(operator.as_str()) && root_of(&yaml::read(text), operator).is_some())
}

/// Puts a sealed password into `spec.credentials.sealed` of an operator, over the one that is there.
pub fn set_sealed(text: &str, operator: &OperatorId, sealed: &str) -> Result<String, Error> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let stream = yaml::read(body);
    let root = root_of(&stream, operator).ok_or_else(|| Error::NoOperator(operator.clone()))?;
    let (_, spec) = root.entry("spec").ok_or(Error::Layout(CREDENTIALS))?;
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    let ending = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };

    // Lines from `from` up to `to` give way to the new ones.
    let (from, to, new) = match spec.entry("credentials") {
        None => {
            let key = Key::last(spec, &lines)?;
            let end = key.end(&lines);
            (end, end, with_parent(key.indent, sealed, ending))
        }
        Some((name, credentials)) => {
            let name = Key::of(name, &lines)?;
            match (&credentials.value, credentials.entry("sealed")) {
                (_, Some((sealed_name, _))) => {
                    let key = Key::of(sealed_name, &lines)?;
                    (key.line, key.end(&lines), block(key.indent, sealed, ending))
                }
                (Value::Mapping(entries), None) => {
                    let (first, _) = entries.first().ok_or(Error::Layout(CREDENTIALS))?;
                    let first = Key::of(first, &lines)?;
                    (first.line, first.line, block(first.indent, sealed, ending))
                }
                (Value::Scalar(scalar), None) if scalar.text.is_empty() => {
                    (name.line + 1, name.line + 1, block(name.indent + STEP, sealed, ending))
                }
                _ => return Err(Error::Layout(CREDENTIALS)),
            }
        }
    };
    let mut edited = text[..text.len() - body.len()].to_owned();
    for line in &lines[..from] {
        edited.push_str(line);
    }
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited.push_str(ending);
    }
    edited.push_str(&new);
    for line in &lines[to..] {
        edited.push_str(line);
    }
    verify(&edited, operator, sealed)?;
    Ok(edited)
}

/// Adds an age public key to `spec.secrets.recipients` of a policy; an empty text becomes a policy.
pub fn add_recipient(text: &str, recipient: &str) -> Result<String, Error> {
    if text.trim().is_empty() {
        let head = "apiVersion: bindery/v1\nkind: Policy\nspec:\n";
        return Ok(format!("{head}  secrets:\n    recipients:\n      - {recipient}\n"));
    }
    let stream = yaml::read(text);
    let spec = stream.documents.first().and_then(|root| root.get("spec")).ok_or(Error::Layout(RECIPIENTS))?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let recipients = spec.get("secrets").and_then(|secrets| secrets.entry("recipients"));
    let (from, to, new) = match recipients {
        Some((name, Node { value: Value::Sequence(items), .. })) => {
            let key = Key::of(name, &lines)?;
            let pad = " ".repeat(key.indent);
            let all = items.iter().filter_map(Node::as_text).chain([recipient]);
            let list = all.fold(format!("{pad}recipients:\n"), |list, item| format!("{list}{pad}  - {item}\n"));
            (key.line, key.end(&lines), list)
        }
        Some(_) => return Err(Error::Layout(RECIPIENTS)),
        None if spec.get("secrets").is_some() => return Err(Error::Layout(RECIPIENTS)),
        None => {
            let last = Key::last(spec, &lines)?;
            let (end, pad) = (last.end(&lines), " ".repeat(last.indent));
            (end, end, format!("{pad}secrets:\n{pad}  recipients:\n{pad}    - {recipient}\n"))
        }
    };
    let edited = [lines[..from].concat(), new, lines[to..].concat()].concat();
    let added = yaml::read(&edited).documents.first().is_some_and(|root| {
        let recipients = root.get("spec").and_then(|spec| spec.get("secrets")?.get("recipients"));
        matches!(recipients.map(|node| &node.value), Some(Value::Sequence(items))
            if items.iter().any(|item| item.as_text() == Some(recipient)))
    });
    if added { Ok(edited) } else { Err(Error::Layout(RECIPIENTS)) }
}

/// Spaces a level, as every shipped file has them.
const STEP: usize = 2;

fn root_of<'t>(stream: &'t yaml::Stream<'_>, operator: &OperatorId) -> Option<&'t Node<'t>> {
    stream.documents.iter().find(|root| {
        let text = |node: Option<&Node<'_>>, wanted: &str| node.and_then(Node::as_text) == Some(wanted);
        text(root.get("kind"), "Operator")
            && text(root.get("metadata").and_then(|metadata| metadata.get("id")), operator.as_str())
    })
}

fn verify(edited: &str, operator: &OperatorId, sealed: &str) -> Result<(), Error> {
    let stream = yaml::read(edited.strip_prefix('\u{feff}').unwrap_or(edited));
    let value =
        root_of(&stream, operator).and_then(|root| root.get("spec")?.get("credentials")?.get("sealed")?.as_text());
    let same = value.is_some_and(|value| value.trim_end() == sealed.trim_end());
    if stream.fault.is_none() && stream.duplicates.is_empty() && same {
        Ok(())
    } else {
        Err(Error::Layout(CREDENTIALS))
    }
}

/// A key that begins its line.
struct Key {
    /// Its line, from 0.
    line: usize,
    /// Spaces before it.
    indent: usize,
}

impl Key {
    fn of(name: &Node<'_>, lines: &[&str]) -> Result<Self, Error> {
        let (line, indent) = (name.span.start.line as usize - 1, name.span.start.column as usize - 1);
        match lines.get(line) {
            Some(text) if text.len() - text.trim_start_matches(' ').len() == indent => Ok(Self { line, indent }),
            _ => Err(Error::Layout(CREDENTIALS)),
        }
    }

    fn last(mapping: &Node<'_>, lines: &[&str]) -> Result<Self, Error> {
        let Value::Mapping(entries) = &mapping.value else { return Err(Error::Layout(CREDENTIALS)) };
        let (name, _) = entries.last().ok_or(Error::Layout(CREDENTIALS))?;
        Self::of(name, lines)
    }

    /// The line after the last that belongs to the value. Comments and empty lines behind it are not part of it.
    fn end(&self, lines: &[&str]) -> usize {
        let value = lines[self.line].split_once(": ").map_or("", |(_, value)| value.trim_start());
        let is_block = value.starts_with(['|', '>']);
        let mut end = self.line + 1;
        for (number, line) in lines.iter().enumerate().skip(self.line + 1) {
            let content = line.trim();
            let indent = line.len() - line.trim_start_matches(' ').len();
            let is_item = indent == self.indent && (content == "-" || content.starts_with("- "));
            let is_inside = indent > self.indent || is_item;
            match content {
                "" => {}
                _ if content.starts_with('#') && !(is_block && is_inside) => {}
                _ if is_inside => end = number + 1,
                _ => break,
            }
        }
        end
    }
}

/// `sealed: |` with the lines of the value.
fn block(indent: usize, sealed: &str, ending: &str) -> String {
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + STEP));
    let mut text = format!("{outer}sealed: |{ending}");
    for line in sealed.trim_end().lines() {
        text.extend([&*inner, line, ending]);
    }
    text
}

fn with_parent(indent: usize, sealed: &str, ending: &str) -> String {
    format!("{}credentials:{ending}{}", " ".repeat(indent), block(indent + STEP, sealed, ending))
}

#[cfg(test)]
mod recipient_tests {
    use super::add_recipient;

    #[test]
    fn a_recipient_joins_whatever_list_there_is() {
        let head = "apiVersion: bindery/v1\nkind: Policy\nspec:\n";
        for (policy, expected) in [
            (String::new(), "recipients:\n      - age1x\n"),
            (
                format!("{head}  secrets:\n    recipients: []\n  tps: {{}} # kept\n"),
                "recipients:\n      - age1x\n  tps: {} # kept\n",
            ),
            (format!("{head}  secrets:\n    recipients:\n      - age1y\n"), "      - age1y\n      - age1x\n"),
            (
                format!("{head}  tps:\n    minOnDemandPoolPercent: 5\n"),
                "5\n  secrets:\n    recipients:\n      - age1x\n",
            ),
        ] {
            let edited = add_recipient(&policy, "age1x").unwrap();
            assert!(edited.ends_with(expected), "{edited}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = "-----BEGIN AGE-----\nYWJj\n-----END AGE-----\n";

    fn id() -> OperatorId {
        "af-one-1".parse().unwrap()
    }

    fn operator(rest: &str) -> String {
        format!(
            "# head\napiVersion: bindery/v1\nkind: Operator\nmetadata:\n  id: af-one-1 # this one\nspec:\n  tps: {{outbound: 5}}\n{rest}"
        )
    }

    fn check(rest: &str, expected: &str) {
        assert_eq!(set_sealed(&operator(rest), &id(), SEALED).unwrap(), operator(expected));
    }

    #[test]
    fn adds_what_is_missing() {
        let block = "  credentials:\n    sealed: |\n      -----BEGIN AGE-----\n      YWJj\n      -----END AGE-----\n";
        check("", block);
        check("\n# tail\n---\nkind: Mno\n", &format!("{block}\n# tail\n---\nkind: Mno\n"));
        check("  credentials:\n", block);
        let rotated = "    rotatedAt: 2026-01-01T00:00:00Z # note\n";
        let commented = block.replace("    sealed", "    # when\n    sealed");
        check(&format!("  credentials:\n    # when\n{rotated}"), &format!("{commented}{rotated}"));
        check(
            "  health:\n# odd comment\n    confirm: 3\n",
            &format!("  health:\n# odd comment\n    confirm: 3\n{block}"),
        );
    }

    #[test]
    fn replaces_what_is_there() {
        let new = "  credentials:\n    sealed: |\n      -----BEGIN AGE-----\n      YWJj\n      -----END AGE-----\n";
        check(
            "  credentials:\n    sealed: |\n        old\n\n        older\n\n  # next\n  status: ACTIVE\n",
            &format!("{new}\n  # next\n  status: ACTIVE\n"),
        );
        check(
            "  credentials:\n    sealed: \"old\n      old\"\n    # about the date\n    rotatedAt: x\n",
            &format!("{new}    # about the date\n    rotatedAt: x\n"),
        );
    }

    #[test]
    fn keeps_line_endings_and_a_missing_last_one() {
        let edited = set_sealed(&operator("").replace('\n', "\r\n"), &id(), SEALED).unwrap();
        assert_eq!(edited.matches('\n').count(), edited.matches("\r\n").count());
        let edited = set_sealed(operator("").trim_end(), &id(), SEALED).unwrap();
        assert!(edited.contains("{outbound: 5}\n  credentials:\n"));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for rest in ["  credentials: {}\n", "  credentials: {sealed: x}\n", "  credentials: ~\n"] {
            assert_eq!(set_sealed(&operator(rest), &id(), SEALED), Err(Error::Layout(CREDENTIALS)), "{rest}");
        }
        assert_eq!(set_sealed("kind: Mno\n", &id(), SEALED), Err(Error::NoOperator(id())));
    }
}
