//! Files of the tip as a change would leave them. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bindery_compiler::{Changes, edit};
use bindery_schema::catalog::Catalog;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use git2::{Repository, Tree};
use serde_json::Value;

use super::error::Error;

/// A password that belongs into Vault.
#[derive(Debug, Clone)]
pub(super) struct NewPassword {
    pub(super) operator: OperatorId,
    pub(super) password: Secret,
}

/// A change under way.
pub(super) struct Draft<'t> {
    repository: &'t Repository,
    tree: Tree<'t>,
    /// What the tip says.
    pub(super) catalog: &'t Catalog,
    /// Ids of deleted operators.
    pub(super) retired: &'t BTreeSet<String>,
    pub(super) changes: Changes,
    pub(super) passwords: Vec<NewPassword>,
    /// Where this change has put objects, or that it took them out: it may go on with them.
    placed: BTreeMap<String, Option<Arc<str>>>,
}

impl<'t> Draft<'t> {
    pub(super) fn new(
        repository: &'t Repository,
        tree: Tree<'t>,
        catalog: &'t Catalog,
        retired: &'t BTreeSet<String>,
    ) -> Self {
        Self {
            repository,
            tree,
            catalog,
            retired,
            changes: Changes::new(),
            passwords: Vec::new(),
            placed: BTreeMap::new(),
        }
    }

    /// The file that defines an object.
    pub(super) fn file_of(&self, object: &edit::Object<'_>) -> Option<Arc<str>> {
        if let Some(placed) = self.placed.get(&key(object)) {
            return placed.clone();
        }
        match object {
            edit::Object::Mno(id) => self.catalog.mnos.get(*id).map(|mno| mno.source.clone()),
            edit::Object::Operator(id) => self.catalog.operators.get(*id).map(|operator| operator.source.clone()),
            edit::Object::Routes(id) => self.catalog.operators.get(*id)?.routes_source.clone(),
            edit::Object::TpsContract(id) => self.catalog.mnos.get(*id)?.contracts_source.clone(),
            edit::Object::Policy => Some(bindery_compiler::source::POLICY.into()),
        }
    }

    /// The text of a file, byte for byte.
    fn text(&self, path: &str) -> Result<Option<String>, Error> {
        if let Some(changed) = self.changes.get(path) {
            return Ok(changed.as_deref().map(str::to_owned));
        }
        // What is no text did not compile, and nothing is edited in a branch that does not.
        text_at(self.repository, &self.tree, path)
    }

    /// Edits the file that defines an object.
    pub(super) fn edit(
        &mut self,
        object: &edit::Object<'_>,
        edit: impl FnOnce(&str) -> Result<String, edit::Error>,
    ) -> Result<(), Error> {
        let path = self.file_of(object).ok_or_else(|| Error::NotFound(key(object)))?;
        let text = self.text(&path)?.unwrap_or_default();
        let edited = edit(&text).map_err(|source| Error::Layout { path: path.to_string(), source })?;
        if edited != text {
            self.changes.insert(path, Some(edited.into()));
        }
        Ok(())
    }

    /// Puts a new object into a file of its own, or behind what is in the file.
    pub(super) fn create(&mut self, object: &edit::Object<'_>, path: &str, document: &Value) -> Result<(), Error> {
        let layout = |source| Error::Layout { path: path.to_owned(), source };
        let document = edit::document(document).map_err(layout)?;
        let text = match self.text(path)? {
            Some(text) => edit::append(&text, &document),
            None => document,
        };
        let path: Arc<str> = path.into();
        self.changes.insert(path.clone(), Some(text.into()));
        self.placed.insert(key(object), Some(path));
        Ok(())
    }

    /// Takes an object out, and its file where nothing else is in it. An absent one is no error.
    pub(super) fn remove(&mut self, object: &edit::Object<'_>) -> Result<(), Error> {
        let Some(path) = self.file_of(object) else { return Ok(()) };
        let text = self.text(&path)?.unwrap_or_default();
        let left = edit::remove(&text, object).map_err(|source| Error::Layout { path: path.to_string(), source })?;
        self.changes.insert(path, left.map(Into::into));
        self.placed.insert(key(object), None);
        Ok(())
    }

    /// The folder of the file that defines an object: what belongs to the object goes there too.
    pub(super) fn folder_of(&self, object: &edit::Object<'_>) -> String {
        let file = self.file_of(object);
        let folder = file.as_deref().and_then(|file| file.rsplit_once('/')).map(|(folder, _)| folder);
        folder.unwrap_or("operators").to_owned()
    }

    /// Whether an id is free for a new operator.
    pub(super) fn is_free(&self, id: &OperatorId) -> bool {
        self.file_of(&edit::Object::Operator(id)).is_none() && !self.retired.contains(id.as_str())
    }
}

/// The text of a file in a tree, if it is there.
pub(super) fn text_at(repository: &Repository, tree: &Tree<'_>, path: &str) -> Result<Option<String>, Error> {
    let entry = match tree.get_path(path.as_ref()) {
        Ok(entry) => entry,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let blob = repository.find_blob(entry.id())?;
    Ok(Some(String::from_utf8_lossy(blob.content()).into_owned()))
}

/// An object in words, such as `operator af-roshan-1`.
fn key(object: &edit::Object<'_>) -> String {
    match object {
        edit::Object::Mno(id) => format!("carrier {id}"),
        edit::Object::Operator(id) => format!("operator {id}"),
        edit::Object::Routes(id) => format!("rules of operator {id}"),
        edit::Object::TpsContract(id) => format!("contract of carrier {id}"),
        edit::Object::Policy => "policy".to_owned(),
    }
}
