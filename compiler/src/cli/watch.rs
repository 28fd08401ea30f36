//! `bindery check --watch`: checks again whenever a configuration file changes, until Ctrl-C.

use std::io::{IsTerminal as _, Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;
use bindery_compiler::source;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecursiveMode, Watcher as _};

use super::{Outcome, note};

/// An editor saves in several steps and a checkout touches many files: the check waits for this long a silence.
const QUIET: Duration = Duration::from_millis(100);
/// Clears a terminal and its scrollback, and goes to the top left.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// Runs a check now and after every change. A check that fails is shown and the watch goes on.
pub(super) fn run<W: Write>(
    repo: &Path,
    out: &mut W,
    mut check: impl FnMut(&mut W) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    let root = repo.canonicalize().with_context(|| format!("cannot find {}", repo.display()))?;
    let (sender, changes) = channel();
    let told = root.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error may mean that events were lost: better one check too many.
        if event.map_or(true, |event| is_change(event.kind) && event.paths.iter().any(|path| concerns(&told, path))) {
            // The receiver is gone only when the program ends.
            let _ = sender.send(());
        }
    })?;
    watcher.watch(&root, RecursiveMode::NonRecursive)?;
    let clears = stdout().is_terminal();
    loop {
        // Folders may come later; watching one twice does no harm.
        for folder in folders(&root) {
            watcher.watch(&folder, RecursiveMode::Recursive)?;
        }
        if clears {
            out.write_all(CLEAR.as_bytes())?;
        }
        if let Err(error) = check(out) {
            note(&format!("error: {error:#}"));
        }
        out.flush()?;
        note("watching for changes; Ctrl-C ends");
        if !wait(&changes) {
            return Ok(Outcome::Clean);
        }
    }
}

/// Waits for a change and then for silence. False where there is nothing left to wait for.
fn wait(changes: &Receiver<()>) -> bool {
    if changes.recv().is_err() {
        return false;
    }
    while changes.recv_timeout(QUIET).is_ok() {}
    true
}

fn folders(root: &Path) -> Vec<PathBuf> {
    source::ROOTS.iter().map(|name| root.join(name)).filter(|folder| folder.is_dir()).collect()
}

/// Whether files changed; reading them, as a check does, is no change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Whether a path can matter to a check: the policy, a configuration folder, or what is in one.
fn concerns(root: &Path, path: &Path) -> bool {
    let Ok(relative) = path.strip_prefix(root) else { return true };
    let first = relative.components().next().map(std::path::Component::as_os_str);
    first.is_none_or(|first| {
        [source::POLICY, source::SHORT_POLICY].iter().any(|name| first == *name)
            || source::ROOTS.iter().any(|name| first == *name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configuration_concerns_a_check() {
        let root = Path::new("/r");
        for (path, expected) in [
            ("/r/policy.yaml", true),
            ("/r/operators/a/b.yaml", true),
            ("/r/contracts", true),
            ("/r/.git/index", false),
            ("/r/runbooks/mno/a.md", false),
        ] {
            assert_eq!(concerns(root, Path::new(path)), expected, "{path}");
        }
    }
}
