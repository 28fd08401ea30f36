//! `bindery check --fix`: writes what the library repaired.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use bindery_compiler::diagnostic::render::shown;
use bindery_compiler::fix::{Fixed, FixedFile, Repair};
use bindery_compiler::{Compiler, Options, fix, source};

use super::{note, write_whole};

/// The mark some editors put at the head of a file; reading takes it off, and a repair leaves it where it was.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Repairs the working tree, or with `dry` only works out what would be done.
pub(super) fn run(repo: &Path, options: &Options, dry: bool) -> anyhow::Result<Fixed> {
    let fixed = fix::fix(&mut Compiler::default(), source::load_directory(repo)?, options);
    super::must_know(options, &fixed.compiled, None)?;
    let mut written = BTreeSet::new();
    for file in fixed.files.iter().filter(|_| !dry) {
        // The link's target, where the file is a link: a rename over the link would replace it.
        let path = repo.join(&*file.path);
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        if written.insert(path.clone()) {
            write(&path, file)?;
        }
    }
    Ok(fixed)
}

/// Writes a file in one step, unless somebody else has changed it since it was read.
fn write(path: &Path, file: &FixedFile) -> anyhow::Result<()> {
    let now = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let body = now.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&now);
    if body != &*file.before {
        bail!("{} was changed in the meantime: run the command again", shown(&file.path));
    }
    write_whole(path, &format!("{}{}", &now[..now.len() - body.len()], file.after))
}

/// A line for each repair, on standard output or, where that is for programs, on standard error.
pub(super) fn report(fixed: &Fixed, dry: bool, out: Option<&mut dyn Write>) -> anyhow::Result<()> {
    let verb = if dry { "would fix" } else { "fixed" };
    let lines = fixed.repairs.iter().map(|Repair { code, path, at, before, after }| {
        format!("{verb} {}:{}:{}: {code} {before} -> {after}", shown(path), at.line, at.column)
    });
    match out {
        Some(out) => lines.into_iter().try_for_each(|line| writeln!(out, "{line}"))?,
        None => lines.into_iter().for_each(|line| note(&line)),
    }
    Ok(())
}

/// The repairs as JSON: `{code, file, line, column, before, replacement}`.
pub(super) fn to_json(repairs: &[Repair]) -> serde_json::Value {
    let one = |repair: &Repair| {
        serde_json::json!({
            "code": repair.code.number(), "file": &*repair.path, "line": repair.at.line, "column": repair.at.column,
            "before": repair.before, "replacement": repair.after,
        })
    };
    repairs.iter().map(one).collect()
}
