//! Runbooks of the carriers a change is about, rendered anew where the repository keeps rendered ones, so that they say
//! what the commit they come with says.

use std::collections::BTreeSet;

use bindery_compiler::{Changes, render};
use bindery_schema::catalog::Catalog;
use bindery_schema::value::MnoId;
use git2::{Oid, Repository, Tree};

use super::draft;
use super::error::Error;

/// Adds to the changes of a commit the runbooks they make stale. One that cannot be rendered stays as it is: `bindery
/// render --check` says why, and no password waits for it.
pub(super) fn refresh(
    repository: &Repository,
    tip: Oid,
    before: &Catalog,
    after: &Catalog,
    changes: &mut Changes,
) -> Result<(), Error> {
    let tree = repository.find_commit(tip)?.tree()?;
    if !keeps_any(repository, &tree)? {
        return Ok(());
    }
    let template = draft::text_at(repository, &tree, render::OWN_TEMPLATE)?;
    let renderer = match render::Renderer::new(template.as_deref().unwrap_or(render::TEMPLATE)) {
        Ok(renderer) => renderer,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "no runbook is rendered");
            return Ok(());
        }
    };
    for mno in touched(before, after).into_iter().filter(|mno| after.mnos.contains_key(*mno)) {
        let path = render::path_of(mno);
        let existing = draft::text_at(repository, &tree, &path)?;
        match renderer.runbook(after, mno, existing.as_deref()) {
            Ok(text) if existing.as_ref() == Some(&text) => {}
            Ok(text) => {
                changes.insert(path.into(), Some(text.into()));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, %mno, "the runbook is not rendered");
            }
        }
    }
    Ok(())
}

/// Whether there is a rendered runbook.
fn keeps_any(repository: &Repository, tree: &Tree<'_>) -> Result<bool, Error> {
    let folder = match tree.get_path(render::FOLDER.as_ref()) {
        Ok(entry) => entry.to_object(repository)?,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let Some(folder) = folder.as_tree() else { return Ok(false) };
    Ok(folder.iter().any(|entry| {
        let name = entry.name().unwrap_or_default();
        name.strip_suffix(".md").is_some_and(|id| id.parse::<MnoId>().is_ok())
    }))
}

/// Carriers of which two catalogs say different things.
fn touched<'c>(before: &'c Catalog, after: &'c Catalog) -> BTreeSet<&'c MnoId> {
    let mut touched = BTreeSet::new();
    for (one, other) in [(before, after), (after, before)] {
        touched.extend(one.mnos.iter().filter(|(id, mno)| other.mnos.get(*id) != Some(mno)).map(|(id, _)| id));
        let hashes = |operator: &bindery_schema::catalog::Operator| (operator.spec_hash, operator.routes_hash);
        let differ = one.operators.iter().filter(|(id, operator)| {
            other.operators.get(*id).is_none_or(|other| hashes(other) != hashes(operator) || other.mno != operator.mno)
        });
        touched.extend(differ.map(|(_, operator)| &operator.mno));
    }
    touched
}
