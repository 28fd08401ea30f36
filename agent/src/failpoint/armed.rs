//! What a test wants to happen at a place, and doing it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::Point;
use crate::dev::signal;

/// Names the file.
const VARIABLE: &str = "BINDERY_FAILPOINT";

static FILE: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os(VARIABLE).map(PathBuf::from));
/// Several tasks may come by at once; a line acts once.
static ALONE: Mutex<()> = Mutex::new(());

/// What happens to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It ends at once, as when it is killed.
    Abort,
    /// It stops until it gets SIGCONT.
    Stop,
}

/// Does what the file says about a place. It is blocking and short, and part of no program that is shipped.
pub(super) fn reach(point: Point) {
    let Some(file) = &*FILE else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(text) = fs::read_to_string(file) else { return };
    let Some((act, rest)) = passed(&text, point) else { return };
    if let Err(error) = put(file, &rest).and_then(|()| act.map_or(Ok(()), |_| note(file, point))) {
        tracing::error!(%error, "the file of fail points cannot be written");
        return;
    }
    match act {
        Some(Act::Abort) => std::process::abort(),
        Some(Act::Stop) => signal(std::process::id(), "STOP"),
        None => {}
    }
}

/// What is to happen, and what the file says from now on; `None` where it says nothing about the place.
fn passed(text: &str, point: Point) -> Option<(Option<Act>, String)> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (at, act, left) = lines.iter().enumerate().find_map(|(at, line)| {
        let mut words = line.split_whitespace();
        if words.next() != Some(point.name()) {
            return None;
        }
        let act = match words.next()? {
            "abort" => Act::Abort,
            "stop" => Act::Stop,
            _ => return None,
        };
        Some((at, act, words.next().and_then(|times| times.parse::<u32>().ok()).unwrap_or(1)))
    })?;
    let act = if left > 1 {
        let word = if act == Act::Abort { "abort" } else { "stop" };
        lines[at] = format!("{} {word} {}", point.name(), left - 1);
        None
    } else {
        lines.remove(at);
        Some(act)
    };
    Some((act, lines.join("\n")))
}

/// Replaces the file in one go: whoever reads it meanwhile finds all of it.
fn put(file: &Path, text: &str) -> std::io::Result<()> {
    let draft = file.with_extension("next");
    fs::write(&draft, text)?;
    fs::rename(draft, file)
}

/// Tells the test that it has happened.
fn note(file: &Path, point: Point) -> std::io::Result<()> {
    let mut fired = fs::File::options().create(true).append(true).open(file.with_extension("fired"))?;
    writeln!(fired, "{}", point.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_acts_once_at_its_time() {
        let text = "sync.fetched abort\nrelay.published stop 2";
        assert_eq!(passed(text, Point::Planned), None);
        assert_eq!(passed(text, Point::Fetched), Some((Some(Act::Abort), "relay.published stop 2".to_owned())));
        let (act, text) = passed(text, Point::Published).unwrap();
        assert_eq!((act, text.as_str()), (None, "sync.fetched abort\nrelay.published stop 1"));
        let (act, text) = passed(&text, Point::Published).unwrap();
        assert_eq!((act, text.as_str()), (Some(Act::Stop), "sync.fetched abort"));
        assert_eq!(passed("sync.fetched explode", Point::Fetched), None);
    }
}
