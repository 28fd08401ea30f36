//! What a write sends: a file or standard input, as YAML or JSON, and a password that is never an argument.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use bindery_compiler::edit;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Kind;

/// Standard input as a file.
const STDIN: &str = "-";

/// The one document of a file. A document as it stands in the repository is taken too.
pub(super) fn read(kind: Kind, file: &Path) -> anyhow::Result<Value> {
    let mut text = Zeroizing::new(String::new());
    if file == Path::new(STDIN) {
        std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        *text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let documents = edit::documents(&text).with_context(|| format!("{} is neither YAML nor JSON", file.display()))?;
    let [document] = &documents[..] else {
        bail!("{} has {} documents: give one, or a changeset of many changes", file.display(), documents.len());
    };
    Ok(of_repository(kind, document).unwrap_or_else(|| document.clone()))
}

/// The body that a document of the repository stands for.
fn of_repository(kind: Kind, document: &Value) -> Option<Value> {
    let wanted = match kind {
        Kind::Operator => "Operator",
        Kind::Mno => "Mno",
        _ => return None,
    };
    document.get("apiVersion").filter(|_| document["kind"] == wanted)?;
    let mut body = Map::new();
    for name in ["id", "mno"] {
        body.extend(document["metadata"].get(name).map(|value| (name.to_owned(), value.clone())));
    }
    body.insert("spec".to_owned(), document.get("spec").cloned().unwrap_or_else(|| json!({})));
    Some(body.into())
}

/// The first line of standard input.
pub(super) fn password() -> anyhow::Result<Zeroizing<String>> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        let mut err = anstream::stderr().lock();
        writeln!(err, "The terminal shows what you type. To avoid that, pipe the password in.")?;
        writeln!(err, "Password, then Enter:")?;
    }
    let mut line = Zeroizing::new(String::with_capacity(256));
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_the_repository_is_a_body_too() {
        let document = json!({"apiVersion": "bindery/v1", "kind": "Operator", "metadata": {"id": "one", "mno": "two"},
            "spec": {"status": "ACTIVE"}});
        let body = json!({"id": "one", "mno": "two", "spec": {"status": "ACTIVE"}});
        assert_eq!(of_repository(Kind::Operator, &document), Some(body.clone()));
        assert_eq!(of_repository(Kind::Mno, &document), None);
        assert_eq!(of_repository(Kind::Operator, &body), None);
    }
}
