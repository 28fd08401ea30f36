//! Sealed passwords put into the files of an import.

use std::collections::BTreeMap;

use bindery_schema::catalog::Catalog;

use super::accept::Admitted;
use super::{Error, document};
use crate::source::{Content, Loaded};
use crate::{edit, seal};

/// Seals the password of every row. What is sealed already stays unless `again`.
pub(super) fn put(
    rows: &[Admitted],
    files: &mut BTreeMap<String, String>,
    existing: &BTreeMap<&str, &Loaded>,
    catalog: &Catalog,
    recipients: &[String],
    again: bool,
) -> Result<(), Error> {
    for row in rows {
        let id = &row.candidate.id;
        let Some(password) = &row.candidate.password else { continue };
        let sealed_before = catalog.operators.get(id).is_some_and(|operator| operator.spec.sealed().is_some());
        if sealed_before && !again {
            continue;
        }
        let path = match &row.existing {
            Some(path) => path.to_string(),
            None => document::paths(&row.mno, id)[0].clone(),
        };
        let there = || match existing.get(path.as_str()).map(|file| &file.content) {
            Some(Content::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        let Some(text) = files.get(&path).cloned().or_else(there) else { continue };
        let sealed = seal::seal(id, password, recipients)?;
        let text = edit::set_sealed(&text, id, &sealed).map_err(|source| Error::Edit { path: path.clone(), source })?;
        files.insert(path, text);
    }
    Ok(())
}
