//! Edits of some operators of a written corpus, as a pull request would make them: text edits that
//! leave every other line alone and keep the corpus valid.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde::Serialize;

use super::Style;
use super::documents;
use super::network::Rule;

/// What begins an item of `rules`, in both styles.
const ITEM: &str = "\n    - ";

/// What was done to one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutation {
    /// Its id.
    pub operator: String,
    /// Whether its outbound TPS went down by one. It does not when it is 1 already.
    pub tps_lowered: bool,
    /// The prefix of a rule that was added.
    pub added: String,
    /// Whether its last rule was taken out before, which every third operator's is.
    pub removed: bool,
}

/// Edits `count` operators with at least three rules: outbound TPS less one, the first rule's cost
/// 0.0001 higher, a rule added, and in every third operator a rule removed. The choice depends on the
/// seed and on the file names alone.
pub fn mutate(dir: &Path, count: usize, seed: u64) -> Result<Vec<Mutation>> {
    let mut candidates = routes_files(dir)?;
    Rng::with_seed(seed).shuffle(&mut candidates);
    let mut mutations = Vec::with_capacity(count);
    for path in candidates {
        if mutations.len() == count {
            break;
        }
        let text = read(&path)?;
        if text.matches(ITEM).count() >= 3 {
            let remove = mutations.len() % 3 == 2;
            mutations.push(mutate_operator(&path, &text, remove)?);
        }
    }
    ensure!(mutations.len() == count, "only {} operators have three rules", mutations.len());
    Ok(mutations)
}

fn mutate_operator(path: &Path, text: &str, remove: bool) -> Result<Mutation> {
    let operator = path
        .file_name()
        .and_then(|name| name.to_str()?.strip_suffix(".routes.yaml"))
        .with_context(|| format!("{} is no file of routes", path.display()))?;
    let (routes, added) =
        edit_routes(operator, text, remove).with_context(|| format!("{} has no rule with a cost", path.display()))?;
    write(path, &routes)?;

    let bind = path.with_file_name(format!("{operator}.yaml"));
    let lowered = lower_outbound(&read(&bind)?);
    if let Some(lowered) = &lowered {
        write(&bind, lowered)?;
    }
    Ok(Mutation { operator: operator.to_owned(), tps_lowered: lowered.is_some(), added, removed: remove })
}

/// The text after its edits and the prefix that was added. `None` where it is no corpus file.
fn edit_routes(operator: &str, text: &str, remove: bool) -> Option<(String, String)> {
    let amount = text.find("amount: \"")? + "amount: \"".len();
    let end = amount + text[amount..].find('"')?;
    let (units, fraction) = text[amount..end].split_once('.')?;
    let cost = units.parse::<u32>().ok()? * 10_000 + fraction.parse::<u32>().ok()? + 1;
    let mut edited = format!("{}{}.{:04}{}", &text[..amount], cost / 10_000, cost % 10_000, &text[end..]);
    if remove {
        let last = edited.rfind(ITEM)? + 1;
        edited.truncate(last);
    }
    let style = if text.contains("- {prefix") { Style::Flow } else { Style::Block };
    let prefix = added_prefix(operator, &edited)?;
    edited += &documents::rule_item(
        &Rule { prefix, priority: 10, weight: 100, cost: 100, currency: "USD", active: true },
        style,
    );
    Some((edited, format!("+{prefix}")))
}

/// A prefix of code 888, which no country has, made of the operator's number and a sequence number: all
/// have one length and none nests. Rules leave a file from its end, so the count is a fresh number.
fn added_prefix(operator: &str, text: &str) -> Option<u64> {
    let number: u64 = operator.strip_prefix("op-")?.parse().ok()?;
    let sequence = u64::try_from(text.matches("\"+888").count()).ok()?;
    Some(888_000_000_000_000 + number * 10_000 + sequence)
}

/// The text with one message a second less, so that no contract is exceeded.
fn lower_outbound(text: &str) -> Option<String> {
    let mark = "\n  tps:\n    outbound: ";
    let start = text.find(mark)? + mark.len();
    let end = start + text[start..].find('\n')?;
    let tps: u32 = text[start..end].parse().ok()?;
    (tps > 1).then(|| format!("{}{}{}", &text[..start], tps - 1, &text[end..]))
}

/// All files of routes, by name.
fn routes_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for carrier in entries(&dir.join("operators"))? {
        found.extend(entries(&carrier)?.into_iter().filter(|path| path.to_string_lossy().ends_with(".routes.yaml")));
    }
    found.sort();
    Ok(found)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    list.map(|entry| Ok(entry?.path())).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
